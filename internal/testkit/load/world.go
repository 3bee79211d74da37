// Package load is what programs that load a server share: a private database with
// everything synced to disk, aside serve as a process of its own whose memory can
// be seen, sockets by the thousand, and exact percentiles. Measurements and tests
// only.
package load

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/postgres/local"
	"github.com/aside-project/aside/internal/retrieve"
)

// World is a database and a binary. Close it.
type World struct {
	Binary  string // of aside
	Debug   string // host:port for profiles of the server; "": none
	URL     string // of the database
	dir     string
	cluster *local.Cluster // nil: somebody else's database
	signer  *auth.Signer
	secret  string
	run     string
	kept    bool // the cluster and its one schema were there before, and stay
}

// Open starts a private cluster in a temporary folder, or uses the database of
// ASIDE_DATABASE_URL.
func Open(ctx context.Context, binary string) (*World, error) {
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: make build first", err)
	}
	w := &World{Binary: binary, secret: rand.Text() + rand.Text(), run: strings.ToLower(rand.Text()[:6]), URL: os.Getenv("ASIDE_DATABASE_URL")}
	var err error
	if w.signer, err = (app.Config{Secret: w.secret}).Signer(); err != nil {
		return nil, err
	}
	if w.URL != "" {
		return w, nil
	}
	if w.dir, err = os.MkdirTemp("", "aside-load-"); err != nil {
		return nil, err
	}
	if w.cluster, err = local.Start(ctx, local.Options{Dir: w.dir}); err != nil {
		return nil, errors.Join(fmt.Errorf("start a private Postgres in %s: %w", w.dir, err), os.RemoveAll(w.dir))
	}
	w.URL = w.cluster.URL("aside")
	return w, nil
}

// OpenKept opens the data directory of an earlier aside up or aside ingest, and
// leaves it in place: every database is the one there.
func OpenKept(ctx context.Context, binary, dir string) (*World, error) {
	if _, err := os.Stat(filepath.Join(dir, "cluster")); err != nil {
		return nil, fmt.Errorf("%s is no data directory: %w", dir, err)
	}
	w := &World{Binary: binary, secret: rand.Text() + rand.Text(), kept: true}
	var err error
	if w.signer, err = (app.Config{Secret: w.secret}).Signer(); err != nil {
		return nil, err
	}
	if w.cluster, err = local.Start(ctx, local.Options{Dir: dir}); err != nil {
		return nil, err
	}
	w.URL = w.cluster.URL("aside")
	return w, nil
}

// Close stops what Open started.
func (w *World) Close() error {
	if w.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if w.kept {
		return w.cluster.Stop(ctx)
	}
	return errors.Join(w.cluster.Stop(ctx), os.RemoveAll(w.dir))
}

// Schema is where a database of this name lives; it is no other run's.
func (w *World) Schema(name string) string {
	if w.kept {
		return "aside"
	}
	return "load_" + w.run + "_" + strings.ToLower(name)
}

// Database makes an empty schema with its tables; drop ends it.
func (w *World) Database(ctx context.Context, name string) (db *postgres.DB, drop func() error, err error) {
	schema := w.Schema(name)
	db, err = postgres.Open(ctx, postgres.Config{URL: w.URL, Schema: schema})
	if err != nil {
		return nil, nil, err
	}
	drop = func() error {
		defer db.Stop()
		return db.Drop(context.WithoutCancel(ctx))
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	return db, drop, nil
}

// Token signs one for an hour.
func (w *World) Token(who assist.Identity) (string, error) { return w.signer.Sign(who, time.Hour) }

// Server is a running aside serve.
type Server struct {
	w      *World
	URL    string
	cmd    *exec.Cmd
	log    *os.File
	exited chan error
}

// Serve starts the binary with more settings, such as ASIDE_LLM_MODEL=scripted,
// and returns once it is ready.
func (w *World) Serve(ctx context.Context, name string, settings ...string) (*Server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "aside-serve-*.log")
	if err != nil {
		return nil, err
	}
	s := &Server{w: w, URL: "http://" + address, log: log, exited: make(chan error, 1)}
	s.cmd = exec.Command(w.Binary, "serve", "--listen", address, "--schema", w.Schema(name), "--log-level", "warn")
	s.cmd.Env = append(append([]string{}, inherited()...), "ASIDE_DATABASE_URL="+w.URL, "ASIDE_SECRET="+w.secret)
	s.cmd.Env = append(s.cmd.Env, settings...)
	if w.Debug != "" {
		s.cmd.Env = append(s.cmd.Env, "ASIDE_DEBUG_LISTEN="+w.Debug)
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s serve: %w", w.Binary, err)
	}
	go func() { s.exited <- s.cmd.Wait() }() // Stop waits for it
	for {
		resp, err := http.Get(s.URL + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			return nil, errors.Join(fmt.Errorf("aside serve ended before it was ready: %w; its log is %s", err, log.Name()))
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.Stop())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// inherited keeps other settings of Aside out of what is measured.
func inherited() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "ASIDE_") && !strings.HasPrefix(v, "OTEL_") {
			env = append(env, v)
		}
	}
	return env
}

// Stop ends the server in its own way. The log stays when it said something.
func (s *Server) Stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	var err error
	select {
	case err = <-s.exited:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
		err = errors.Join(errors.New("aside serve did not stop in 20 s"), <-s.exited)
	}
	if err != nil {
		err = fmt.Errorf("aside serve: %w; its log is %s", err, s.log.Name())
	} else {
		_ = os.Remove(s.log.Name())
	}
	return errors.Join(err, s.log.Close())
}

// Memory is resident now and at its peak, in MiB.
func (s *Server) Memory() (now, peak float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		return 0, 0, fmt.Errorf("memory of the server (Linux only): %w", err)
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			now = kb / 1024
		}
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			peak = kb / 1024
		}
	}
	return now, peak, nil
}

// Metrics reads /metrics: the values of a series by its name and labels, as they
// are written there.
func (s *Server) Metrics(ctx context.Context) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		if i := strings.LastIndexByte(line, ' '); i > 0 && line[0] != '#' {
			if v, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64); err == nil {
				all[line[:i]] = v
			}
		}
	}
	return all, nil
}

// RaiseFiles lets this process, and those it starts, have so many files open.
func RaiseFiles(n uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	if uint64(l.Cur) >= n {
		return nil
	}
	l.Cur = n
	l.Max = max(l.Max, n)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return fmt.Errorf("raise the limit of open files to %d: %w; ulimit -n says what there is", n, err)
	}
	return nil
}

// Data is the folder of the development data, "" where there is none.
func Data() string {
	if dir := os.Getenv("ASIDE_DATA"); dir != "" {
		return filepath.Join(dir, "dev")
	}
	dir, err := os.Getwd()
	for err == nil {
		data := filepath.Join(dir, "shared", "data", "dev")
		if info, err := os.Stat(data); err == nil && info.IsDir() {
			return data
		}
		if filepath.Dir(dir) == dir {
			break
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// Questions are what customers asked: of real chats where there are any, else of
// the sample company's. Hardly any is quiet.
func Questions(data string) (texts []string, err error) {
	add := func(text string) {
		q := retrieve.Listen([]assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Text: "Hello!"}, {Seq: 2, Role: assist.RoleCustomer, Text: text}})
		if q.Quiet == "" && len(q.Terms) >= 3 && len(text) > 20 && len(text) < assist.MaxText {
			texts = append(texts, text)
		}
	}
	if data == "" {
		f, err := evals.Files.Open("chats/demo.jsonl")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		err = eachTurn(f, add)
		return texts, err
	}
	for _, set := range []string{"abcd", "doc2dial"} {
		queries, err := measure.ReadQueries(filepath.Join(data, set, "queries-test.jsonl"))
		if err != nil {
			return nil, err
		}
		for i := range 500 {
			add(queries[i*len(queries)/500].Text)
		}
	}
	return texts, nil
}

// Quiet is a logger for what must not talk.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
