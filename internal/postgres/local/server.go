package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	startLimit     = 2 * time.Minute  // for a start, recovery after a crash included
	fastLimit      = 20 * time.Second // for a stop that writes a last checkpoint
	immediateLimit = 6 * time.Second  // for one that does not; PostgreSQL kills its own processes after 5 s
	logLimit       = 10 << 20         // bytes; a longer log is put aside at the next start
)

var (
	errSlow = fmt.Errorf("not ready after %v", startLimit)

	// errInUse: processes of a killed server are still going away; it passes within moments.
	errInUse = errors.New("processes of the last server are still running")
)

// settings is how the server runs, release by release: it is given on the command line, so that
// a cluster made by an older Aside runs like a new one.
func (c *Cluster) settings(socketDir string) []string {
	s := []string{
		"listen_addresses=",
		"port=" + port,
		`unix_socket_directories="` + strings.ReplaceAll(socketDir, `"`, `""`) + `"`,
		"unix_socket_permissions=0700",
		"max_connections=100",
		"shared_buffers=" + megabytes(sharedBuffers(memory())),
		"effective_cache_size=" + megabytes(max(512<<20, memory()/2)),
		"maintenance_work_mem=128MB", // vector indexes
		"work_mem=8MB",
		"max_wal_size=512MB",
		"checkpoint_timeout=15min",
		"jit=off", // short queries
		"huge_pages=off",
		"autovacuum=on",
		"timezone=UTC",
		"log_timezone=UTC",
		"log_destination=stderr",
		"logging_collector=off",
		"log_line_prefix=%m [%p] ",
		"log_min_messages=warning",
		"log_min_error_statement=panic", // a log holds no text of customers
		"cluster_name=aside",
	}
	if c.fast {
		s = append(s, "fsync=off", "synchronous_commit=off", "full_page_writes=off")
	}
	return s
}

// setup is run once in a new cluster, one statement a line. What sessions log leaves out
// the details and context of errors, which quote values.
const setup = `CREATE DATABASE ` + database + `;
ALTER DATABASE ` + database + ` SET log_error_verbosity = 'terse';
ALTER ROLE ` + superuser + ` SET log_error_verbosity = 'terse';
`

// ensureRunning joins the server or starts one. The caller holds start.lock.
func (c *Cluster) ensureRunning(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errSlow)
	defer cancel()
	for {
		server, state := c.probe()
		switch state {
		case ready:
			c.socket = server.socket
			return nil
		case busy:
			if err := pause(ctx); err != nil {
				return c.failed(fmt.Sprintf("PostgreSQL (process %d) runs but does not answer", server.pid), 0, err)
			}
			continue
		}
		programs, err := c.programs()
		if err != nil {
			return err
		}
		if err := c.create(ctx, programs); err != nil {
			return err
		}
		err = c.launch(ctx, programs)
		if errors.Is(err, errInUse) && pause(ctx) == nil {
			continue
		}
		return err
	}
}

// programs returns the programs that fit the data: of its own major version, or the newest for new data.
func (c *Cluster) programs() (Binaries, error) {
	newest, err := Find()
	if err != nil {
		return Binaries{}, err
	}
	made, err := os.ReadFile(filepath.Join(c.place.data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return newest, nil
	}
	if err != nil {
		return Binaries{}, err
	}
	major := strings.TrimSpace(string(made))
	for _, b := range installed() {
		if strconv.Itoa(b.Major) == major {
			return b, nil
		}
	}
	return Binaries{}, &VersionError{Dir: c.place.data, Made: major, Installed: newest.Version}
}

// command prepares a server program as the server's user. It gets none of this process's environment,
// which may hold secrets.
func (c *Cluster) command(ctx context.Context, programs Binaries, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(programs.Dir, name), args...)
	cmd.Dir = "/" // the server's user may not be able to enter ours
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if a := c.place.server; a != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// create makes the cluster unless it is there. It is made under another name and renamed when it is whole,
// so a crash in the middle leaves only something to clear away.
func (c *Cluster) create(ctx context.Context, programs Binaries) error {
	data := c.place.data
	const making = "cluster.new-"
	leftovers, err := filepath.Glob(filepath.Join(globQuote(c.place.home), making+"*"))
	if err != nil {
		return err
	}
	for _, left := range leftovers {
		if err := os.RemoveAll(left); err != nil {
			c.log.Warn("a half-made database could not be removed", "dir", left, "err", err)
		}
	}
	switch files, err := os.ReadDir(data); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case slices.ContainsFunc(files, func(f fs.DirEntry) bool { return f.Name() == "PG_VERSION" }):
		return nil
	case len(files) > 0:
		return fmt.Errorf("%s holds files but no PostgreSQL database; move it away, or choose another data directory", data)
	}

	begun := time.Now()
	fresh, err := os.MkdirTemp(c.place.home, making)
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // does nothing once it is renamed
	if err := c.place.own(fresh); err != nil {
		return err
	}
	if err := c.fill(ctx, programs, fresh); err != nil {
		return err
	}
	if err := os.Rename(fresh, data); err != nil {
		return err
	}
	if err := syncDir(c.place.home); err != nil {
		return err
	}
	c.log.Info("private database created", "dir", data, "postgres", programs.Version, "took", time.Since(begun).Round(time.Millisecond))
	if programs.CheckVector() != nil {
		c.log.Warn("pgvector is missing or too old for this PostgreSQL", "postgres", programs.Version, "pgvector", programs.Vector, "fix", mend)
	}
	return nil
}

// fill makes a cluster in dir: a new one, or a copy of the one that is followed,
// which goes on following it.
func (c *Cluster) fill(ctx context.Context, programs Binaries, dir string) error {
	if c.follow != nil {
		args := []string{"--pgdata=" + dir, "--host=" + c.follow.socket, "--port=" + port, "--username=" + superuser,
			"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast"}
		if c.fast {
			args = append(args, "--no-sync")
		}
		if out, err := run(c.command(ctx, programs, "pg_basebackup", args...)); err != nil {
			return &ServerError{Op: "copy the cluster with pg_basebackup", Tail: lastLines(out), Err: err}
		}
		return nil
	}
	if err := c.initdb(ctx, programs, dir); err != nil {
		return err
	}
	single := c.command(ctx, programs, "postgres", "--single", "-c", "exit_on_error=true", "-D", dir, "postgres")
	single.Stdin = strings.NewReader(setup)
	if out, err := run(single); err != nil {
		return &ServerError{Op: "create the database " + database, Tail: lastLines(out), Err: err}
	}
	return nil
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// initdb fills dir with a new cluster in the best locale there is for UTF-8 text of any language.
func (c *Cluster) initdb(ctx context.Context, programs Binaries, dir string) error {
	locales := [][]string{{"--locale=C.UTF-8"}, {"--locale=C"}}
	if programs.Major >= 17 {
		locales = slices.Insert(locales, 1, []string{"--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"})
	}
	var out string
	var err error
	for _, locale := range locales {
		args := append([]string{"--pgdata=" + dir, "--username=" + superuser, "--encoding=UTF8", "--lc-messages=C",
			"--auth-local=trust", "--auth-host=reject", "--data-checksums", "--no-instructions"}, locale...)
		if c.fast {
			args = append(args, "--no-sync")
		}
		if out, err = run(c.command(ctx, programs, "initdb", args...)); err == nil {
			return nil
		}
		if !strings.Contains(out, "invalid locale") {
			break
		}
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &ServerError{Op: "create the cluster with initdb", Tail: lastLines(out), Err: err}
}

func run(cmd *exec.Cmd) (string, error) {
	cmd.WaitDelay = time.Second // children of a killed program may hold its output open
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// launch starts a server and waits until it answers.
func (c *Cluster) launch(ctx context.Context, programs Binaries) error {
	socketDir, err := c.place.makeSocketDir()
	if err != nil {
		return err
	}
	if err := c.clearRemains(socketDir); err != nil {
		return err
	}
	log, before, err := c.openLog()
	if err != nil {
		return err
	}
	defer log.Close()

	args := []string{"-D", c.place.data}
	for _, setting := range c.settings(socketDir) {
		args = append(args, "-c", setting)
	}
	cmd := c.command(context.WithoutCancel(ctx), programs, "postgres", args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr.Setsid = true // Ctrl-C in our terminal is not for the server
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", cmd.Path, err)
	}
	// Nobody waits for the server: it may outlive us, and reap asks when it matters.
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return err
	}
	for {
		if exited, status := reap(pid); exited {
			how := fmt.Errorf("exit status %d", status.ExitStatus())
			if status.Signaled() {
				how = fmt.Errorf("ended by signal %d (%v)", status.Signal(), status.Signal())
			}
			err := c.failed("PostgreSQL did not start", before, how)
			if strings.Contains(err.Tail, "pre-existing shared memory block") {
				return fmt.Errorf("%w: %w", errInUse, err)
			}
			return err
		}
		if server, state := c.probe(); state == ready && server.pid == pid {
			c.socket, c.started = server.socket, true
			return nil
		}
		if cause := pause(ctx); cause != nil {
			failure := c.failed("PostgreSQL did not start", before, cause)
			return errors.Join(failure, c.end(ctx, pid))
		}
	}
}

// clearRemains takes out of the way what a dead server left. The caller knows that no server of this
// cluster runs, and holds start.lock so that none begins to.
//
// PostgreSQL refuses to start while the process named in postmaster.pid exists, even if that is by now
// another program or an unreaped child. The file is not deleted, for its other lines let PostgreSQL find
// processes that still use the data: it only gets our own number, which as that of the new server's
// parent PostgreSQL knows to be stale.
func (c *Cluster) clearRemains(socketDir string) error {
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := os.Remove(filepath.Join(socketDir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	path := filepath.Join(c.place.data, pidFileName)
	f, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	old, err := readSmall(f)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	_, rest, _ := strings.Cut(old, "\n")
	text := []byte(strconv.Itoa(os.Getpid()) + "\n" + rest)
	if _, err := f.WriteAt(text, 0); err != nil {
		return err
	}
	return f.Truncate(int64(len(text)))
}

// openLog opens the server's log and says how long it was.
func (c *Cluster) openLog() (*os.File, int64, error) {
	path := c.logPath()
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, 0, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, c.place.own(path)); err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (c *Cluster) logPath() string { return filepath.Join(c.dir, "postgres.log") }

// failed is an error with what the server wrote to its log after byte before.
func (c *Cluster) failed(op string, before int64, err error) *ServerError {
	e := &ServerError{Op: op, Log: c.logPath(), Err: err}
	f, openErr := os.Open(e.Log)
	if openErr != nil {
		return e // the path is in the error
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		before = max(before, info.Size()-8<<10)
	}
	text := make([]byte, 8<<10)
	n, _ := f.ReadAt(text, before) // what could be read is shown
	e.Tail = lastLines(string(text[:n]))
	return e
}

// shutdown stops the server if one runs. The caller holds start.lock and nobody else uses the cluster.
func (c *Cluster) shutdown(ctx context.Context) error {
	server, state := c.probe()
	if state == down {
		return nil
	}
	if !c.alive(server.pid) {
		return fmt.Errorf("the server answers but its process %d is not of this machine or container; stop it where it was started", server.pid)
	}
	if err := c.end(ctx, server.pid); err != nil {
		return err
	}
	if filepath.Dir(server.socket) != c.place.home {
		_ = os.Remove(server.socket) // in the temporary directory, where an empty one left does no harm
	}
	c.log.Info("private database stopped", "dir", c.place.data)
	return nil
}

// end stops the server with process id pid: fast, when that takes too long or ctx ends at once, and as the last means by kill.
func (c *Cluster) end(ctx context.Context, pid int) error {
	for _, way := range []struct {
		signal syscall.Signal
		ctx    context.Context
		limit  time.Duration
	}{
		{syscall.SIGINT, ctx, fastLimit},
		{syscall.SIGQUIT, context.WithoutCancel(ctx), immediateLimit},
		{syscall.SIGKILL, context.WithoutCancel(ctx), immediateLimit}, // its children notice; what is committed is in the log
	} {
		if err := syscall.Kill(pid, way.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal PostgreSQL (process %d): %w", pid, err)
		}
		ctx, cancel := context.WithTimeout(way.ctx, way.limit)
		for c.alive(pid) && pause(ctx) == nil {
		}
		cancel()
		if !c.alive(pid) {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL (process %d) does not stop; log: %s", pid, c.logPath())
}

// globQuote makes a path match only itself in a pattern.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
