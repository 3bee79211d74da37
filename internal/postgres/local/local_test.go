package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// useDir is set in a child process made by startChild: it uses the cluster there until its input ends.
const useDir = "ASIDE_LOCAL_TEST_USE_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(useDir); dir != "" {
		os.Exit(useUntilEOF(dir))
	}
	goleak.VerifyTestMain(m)
}

func TestStartJoinStop(t *testing.T) {
	t.Parallel()
	bin := requirePostgres(t)
	dir := filepath.Join(tempDir(t), "new", "data dir") // made, and a space to quote
	first := open(t, Options{Dir: dir})
	if !first.Started() {
		t.Error("the first Start says it did not start the server")
	}
	second := open(t, Options{Dir: dir})
	if second.Started() {
		t.Error("the second Start says it started the server")
	}
	if first.URL(database) != second.URL(database) {
		t.Errorf("two URLs for one cluster: %s and %s", first.URL(database), second.URL(database))
	}

	for query, want := range map[string]string{
		"select current_database() || ' ' || current_user": "aside aside",
		"show listen_addresses":                            "",
		"show server_encoding":                             "UTF8",
		"select lower('ÄÉ')":                               "äé",
		"show fsync":                                       "on",
		"show log_error_verbosity":                         "terse",
		"show timezone":                                    "UTC",
	} {
		if got := psql(t, bin, first, query); got != want {
			t.Errorf("%s = %q, want %q", query, got, want)
		}
	}
	for _, private := range []string{first.place.data, first.socket} {
		if info, err := os.Stat(private); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s is not private: %v %v", private, info.Mode(), err)
		}
	}

	stop(t, first)
	if _, state := asked(second); state != ready {
		t.Fatal("the server stopped although a second user is left")
	}
	stop(t, second)
	if server, state := second.probe(); state != down {
		t.Fatalf("process %d still runs after the last Stop", server.pid)
	}
	stop(t, second) // again: nothing happens
}

func TestDataSurvives(t *testing.T) {
	t.Parallel()
	bin := requirePostgres(t)
	dir := tempDir(t)
	c := open(t, Options{Dir: dir})
	psql(t, bin, c, "create table kept (n int)")
	psql(t, bin, c, "insert into kept values (7)")
	kill(t, c)
	c2 := open(t, Options{Dir: dir})
	if !c2.Started() {
		t.Error("nothing was started after the server was killed")
	}
	if got := psql(t, bin, c2, "select n from kept"); got != "7" {
		t.Errorf("after kill -9 the table holds %q, want 7", got)
	}
	stop(t, c2)
	stop(t, c)
}

func TestStop(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	t.Run("by one that joined", func(t *testing.T) {
		first, second := open(t, Options{Dir: dir, Fast: true}), open(t, Options{Dir: dir, Fast: true})
		stop(t, first)
		stop(t, second)
		if _, state := second.probe(); state != down {
			t.Error("the server still runs")
		}
	})
	t.Run("of a server that died", func(t *testing.T) {
		c := open(t, Options{Dir: dir, Fast: true})
		kill(t, c)
		stop(t, c)
	})
	t.Run("of a server that hangs", func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits for the time an immediate stop may take")
		}
		c := open(t, Options{Dir: dir, Fast: true})
		server, _ := c.probe()
		if err := syscall.Kill(server.pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
		if c.alive(server.pid) {
			t.Errorf("process %d still runs", server.pid)
		}
	})
}

// A killed user leaves the server running, even when its whole process group goes as with Ctrl-C.
func TestKilledUser(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	child := startChild(t, dir)
	if err := syscall.Kill(-child.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
	c := open(t, Options{Dir: dir})
	if c.Started() {
		t.Error("the server did not outlive the process that started it")
	}
	stop(t, c)
	if _, state := c.probe(); state != down {
		t.Error("the last user did not stop the server")
	}
}

// Two processes share a cluster; whoever is last stops it.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	child := startChild(t, dir)
	c := open(t, Options{Dir: dir})
	if c.Started() {
		t.Error("started a second server beside the child's")
	}
	stop(t, c)
	if _, state := asked(c); state != ready {
		t.Error("the server stopped under the child")
	}
	child.Stdin.(*os.File).Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, state := c.probe(); state != down {
		t.Error("the server still runs after its last user")
	}
}

// A server that died under a living parent that does not collect it still has its process number.
func TestDeadServerNotCollected(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	startChild(t, dir)
	c := open(t, Options{Dir: dir})
	kill(t, c)
	c2 := open(t, Options{Dir: dir})
	if !c2.Started() {
		t.Error("joined a dead server")
	}
}

// Many users come and go: everyone has a server from Start to Stop, and nothing is left.
func TestComeAndGo(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	stop(t, open(t, Options{Dir: dir, Fast: true}))
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 4 {
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
				c, err := Start(ctx, Options{Dir: dir, Fast: true})
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				if server, state := asked(c); state != ready {
					t.Errorf("process %d is not ready between Start and Stop (%v)", server.pid, state)
				}
				stop(t, c)
			}
		})
	}
	wg.Wait()
	c := open(t, Options{Dir: dir, Fast: true})
	if !c.Started() {
		t.Error("a server was left running")
	}
}

// What crashes leave behind is mended; the cluster stays the same through all of it.
func TestMends(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	tests := map[string]func(t *testing.T, c *Cluster){
		"a postmaster.pid of a process that is another program now": func(t *testing.T, c *Cluster) {
			write(t, c, pidFileName, fmt.Sprintf("%d\n%s\n1700000000\n5432\n%s\n\n  5432001    123456\nready   \n",
				bystander(t, c), c.place.data, filepath.Join(c.place.home, "socket")))
		},
		"an empty postmaster.pid":       func(t *testing.T, c *Cluster) { write(t, c, pidFileName, "") },
		"a damaged postmaster.pid":      func(t *testing.T, c *Cluster) { write(t, c, pidFileName, "\x00\x00\x00\n\x00") },
		"a postmaster.pid of a stopped": func(t *testing.T, c *Cluster) { write(t, c, pidFileName, "99999999\n") },
		"dead sockets": func(t *testing.T, c *Cluster) {
			socket := filepath.Join("..", "socket", socketName)
			write(t, c, socket, "")
			write(t, c, socket+".lock", fmt.Sprintf("%d\n", bystander(t, c)))
		},
		"a half-made cluster": func(t *testing.T, c *Cluster) {
			if err := os.MkdirAll(filepath.Join(c.place.home, "cluster.new-1", "base"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(c.place.data); err != nil {
				t.Fatal(err)
			}
		},
	}
	dir := tempDir(t)
	c := open(t, Options{Dir: dir, Fast: true})
	stop(t, c)
	for name, breakIt := range tests {
		t.Run(name, func(t *testing.T) {
			breakIt(t, c)
			c, err := Start(t.Context(), Options{Dir: dir, Fast: true})
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, c)
			if !c.Started() {
				t.Error("joined a server that does not run")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "cluster.new-*")); len(left) > 0 {
				t.Errorf("left over: %v", left)
			}
		})
	}
}

// What cannot be mended gets an error that says what to do, and nothing is changed.
func TestRefuses(t *testing.T) {
	t.Parallel()
	bin := requirePostgres(t)
	tests := map[string]struct {
		breakIt func(t *testing.T, c *Cluster)
		want    []string
		as      error // the type of error a caller can ask for, if there is one
	}{
		"data of another major version": {
			func(t *testing.T, c *Cluster) { write(t, c, "PG_VERSION", "9\n") },
			[]string{"made by PostgreSQL 9", "this machine has", "another data directory"},
			new(VersionError),
		},
		"data others can read": {
			func(t *testing.T, c *Cluster) {
				if err := os.Chmod(c.place.data, 0o755); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"invalid permissions", "chmod 700", "postgres.log"},
			new(ServerError),
		},
		"files that are no database": {
			func(t *testing.T, c *Cluster) {
				if err := os.Remove(filepath.Join(c.place.data, "PG_VERSION")); err != nil {
					t.Fatal(err)
				}
			},
			[]string{"holds files but no PostgreSQL database", "move it away"},
			nil,
		},
		"a pointer that is no path": {
			func(t *testing.T, c *Cluster) {
				if err := os.WriteFile(filepath.Join(c.dir, pointerName), []byte("here\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			[]string{pointerName, "absolute path", `"here"`},
			nil,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := tempDir(t)
			where, err := settle(dir, dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			c := &Cluster{dir: dir, place: where}
			if err := errors.Join(os.Mkdir(where.data, 0o700), where.own(where.data)); err != nil {
				t.Fatal(err)
			}
			write(t, c, "PG_VERSION", strconv.Itoa(bin.Major))
			write(t, c, "postgresql.conf", "")
			tt.breakIt(t, c)
			before := list(t, c.place.data)
			if _, err = Start(t.Context(), Options{Dir: dir, Fast: true}); err == nil {
				t.Fatal("started")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q:\n%v", want, err)
				}
			}
			switch want := tt.as.(type) {
			case *VersionError:
				if !errors.As(err, &want) || want.Made != "9" {
					t.Errorf("not a VersionError about 9: %v", err)
				}
			case *ServerError:
				if !errors.As(err, &want) || want.Tail == "" {
					t.Errorf("not a ServerError with the server's words: %v", err)
				}
			}
			if after := list(t, c.place.data); after != before {
				t.Errorf("the data directory changed:\n%s\nnow\n%s", before, after)
			}
		})
	}
}

func TestLongPath(t *testing.T) {
	bin := requirePostgres(t)
	t.Setenv("TMPDIR", "/tmp")
	dir := filepath.Join(tempDir(t), strings.Repeat("long/", 20), "data")
	c := open(t, Options{Dir: dir, Fast: true})
	if !fits(c.socket) {
		t.Errorf("the socket's path is too long: %s", c.socket)
	}
	if info, err := os.Stat(c.socket); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s is not private: %v", c.socket, err)
	}
	psql(t, bin, c, "select 1")
	joined := open(t, Options{Dir: dir, Fast: true})
	if joined.Started() || joined.socket != c.socket {
		t.Errorf("joined at %s, want %s", joined.socket, c.socket)
	}
	stop(t, joined)
	stop(t, c)
	if _, err := os.Stat(c.socket); err == nil {
		t.Errorf("%s is left behind", c.socket)
	}

	// Somebody else made a directory of that name first.
	if err := os.Mkdir(c.socket, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(c.socket, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(c.socket) })
	if _, err := Start(t.Context(), Options{Dir: dir, Fast: true}); err == nil || !strings.Contains(err.Error(), "not a private directory") {
		t.Errorf("a socket in a directory open to all: %v", err)
	}
}

func TestRootWhereTheServerCannotGo(t *testing.T) {
	t.Parallel()
	bin := requirePostgres(t)
	if os.Geteuid() != 0 {
		t.Skip("only root starts the server as another user")
	}
	closed := filepath.Join(tempDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	o := Options{
		Dir:      filepath.Join(closed, "data"),
		Fast:     true,
		Logger:   slog.New(slog.NewTextHandler(&logged, nil)),
		fallback: filepath.Join(tempDir(t), "lib"),
	}
	c := open(t, o)
	psql(t, bin, c, "create table kept ()")
	if !strings.HasPrefix(c.place.data, o.fallback) {
		t.Errorf("the data is in %s, want it below %s", c.place.data, o.fallback)
	}
	pointer, err := os.ReadFile(filepath.Join(o.Dir, pointerName))
	if err != nil || string(pointer) != c.place.home+"\n" {
		t.Errorf("the pointer says %q, want %s: %v", pointer, c.place.home, err)
	}
	if said := strings.Count(logged.String(), "lives elsewhere"); said != 1 {
		t.Errorf("the log says %d times that the cluster lives elsewhere", said)
	}
	stop(t, c)

	c = open(t, o)
	psql(t, bin, c, "select * from kept")
	if said := strings.Count(logged.String(), "lives elsewhere"); said != 1 {
		t.Errorf("the second start says it again (%d times)", said)
	}
}

// The same as an ordinary user, when the tests run as root.
func TestAsOrdinaryUser(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	nobody, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "local.test")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	temp := filepath.Join(dir, "tmp")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(temp, int(nobody.uid), int(nobody.gid)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-test.v", "-test.run", "^(TestStartJoinStop|TestKilledUser)$")
	cmd.Dir = temp
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "HOME="+temp)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody.uid, Gid: nobody.gid}}
	out, err := cmd.CombinedOutput()
	if err != nil || bytes.Count(out, []byte("--- PASS")) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRootWhereNothingCanGo(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	if os.Geteuid() != 0 {
		t.Skip("only root starts the server as another user")
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: filepath.Join(closed, "data"), fallback: filepath.Join(closed, "lib")})
	if err == nil || !strings.Contains(err.Error(), "cannot reach") {
		t.Errorf("got %v, want an error that says who cannot reach what", err)
	}
}

func TestStartCancelled(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := tempDir(t)
	lock, err := lockFile(t.Context(), filepath.Join(dir, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock(lock)
	gaveUp := errors.New("gave up")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gaveUp)
	if _, err := Start(ctx, Options{Dir: dir}); !errors.Is(err, gaveUp) {
		t.Errorf("behind another start: %v, want %v", err, gaveUp)
	}

	other := tempDir(t)
	if _, err := Start(ctx, Options{Dir: other}); !errors.Is(err, gaveUp) {
		t.Errorf("in initdb: %v, want %v", err, gaveUp)
	}
	if left, _ := filepath.Glob(filepath.Join(other, "cluster*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestURL(t *testing.T) {
	c := &Cluster{socket: "/tmp/a b+c/s"}
	got := c.URL("my db")
	if want := "postgres://aside@/my%20db?host=%2Ftmp%2Fa%20b%2Bc%2Fs&port=5432"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	u, err := url.Parse(got)
	if err != nil || u.Query().Get("host") != c.socket {
		t.Errorf("it does not parse back: %v %v", u, err)
	}
}

// --- helpers ---------------------------------------------------------------

// requirePostgres skips on a machine without PostgreSQL; CI must have it.
func requirePostgres(tb testing.TB) Binaries {
	tb.Helper()
	b, err := Find()
	if err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	return b
}

// tempDir is like TempDir, but the user of a server started by root can pass through it.
func tempDir(tb testing.TB) string {
	tb.Helper()
	outer, err := os.MkdirTemp("", "aside-local-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(outer); err != nil {
			tb.Error(err)
		}
	})
	inner := filepath.Join(outer, "t")
	if err := errors.Join(os.Chmod(outer, 0o711), os.Mkdir(inner, 0o700), os.Chmod(inner, 0o711)); err != nil {
		tb.Fatal(err)
	}
	return inner
}

// open starts or joins, and stops when the test ends.
func open(tb testing.TB, o Options) *Cluster {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c, err := Start(ctx, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { stop(tb, c) })
	return c
}

func stop(tb testing.TB, c *Cluster) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		tb.Error(err)
	}
}

// asked is probe for a server that should answer: one that a busy machine keeps from
// it is asked again.
func asked(c *Cluster) (pidFile, state) {
	for late := time.Now().Add(time.Minute); ; {
		if server, state := c.probe(); state != busy || time.Now().After(late) {
			return server, state
		}
	}
}

// kill ends the server as a power cut would, and waits until it no longer listens.
func kill(t *testing.T, c *Cluster) {
	t.Helper()
	server, state := asked(c)
	if state != ready {
		t.Fatalf("no server to kill (%v)", state)
	}
	if err := syscall.Kill(server.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for c.alive(server.pid) {
		if err := pause(ctx); err != nil {
			t.Fatal("the server survived kill -9")
		}
	}
}

func psql(t *testing.T, bin Binaries, c *Cluster, query string) string {
	t.Helper()
	out, err := exec.Command(filepath.Join(bin.Dir, "psql"), "-XAtqc", query, c.URL(database)).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", query, err, out)
	}
	return strings.TrimSpace(string(out))
}

// write puts a file into the data directory, as the server's user would.
func write(t *testing.T, c *Cluster, name, content string) {
	t.Helper()
	path := filepath.Join(c.place.data, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.place.own(path); err != nil {
		t.Fatal(err)
	}
}

// bystander is a living process of the server's user that is no server.
func bystander(t *testing.T, c *Cluster) int {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Dir = "/"
	if a := c.place.server; a != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.Process.Kill() != nil {
			t.Error("a bystander was killed")
		}
		_ = cmd.Wait() // killed
	})
	return cmd.Process.Pid
}

// list is a directory's entries with their modes.
func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, info.Mode(), e.Name())
	}
	return b.String()
}

// startChild runs a process that uses the cluster in dir, in a process group of its own, and
// returns when it has it. Closing its Stdin makes it stop.
func startChild(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), useDir+"="+dir)
	cmd.Stdin = in
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	cmd.Stdin = hold
	t.Cleanup(func() {
		hold.Close()
		_ = cmd.Wait() // it may have been killed or waited for
	})
	var line [6]byte
	if _, err := said.Read(line[:]); err != nil || string(line[:]) != "ready\n" {
		t.Fatalf("the child says %q: %v", line, err)
	}
	return cmd
}

func useUntilEOF(dir string) int {
	c, err := Start(context.Background(), Options{Dir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	_, _ = os.Stdin.Read(make([]byte, 1))
	if err := c.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, strconv.Quote(err.Error()))
		return 1
	}
	return 0
}
