package testdb

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/postgres/local"
)

// Server is a PostgreSQL server of one test's own that may be crashed and changed.
type Server struct {
	Dir  string // the test may put files there
	fast bool
	data string
	uses []*local.Cluster
}

// Own starts one until the test ends; careful syncs everything to disk, as in
// production. Where the database of tests is somebody else's, the test is skipped.
func Own(t testing.TB, careful bool) *Server {
	t.Helper()
	if os.Getenv("ASIDE_TEST_DATABASE_URL") != "" || os.Getenv("ASIDE_DATABASE_URL") != "" {
		t.Skip("the database is somebody else's: it is left in peace")
	}
	URL(t) // skips where there is no PostgreSQL
	dir, err := os.MkdirTemp("", "aside-own-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Dir: dir, fast: !careful}
	t.Cleanup(func() {
		for _, u := range s.uses {
			if err := u.Stop(context.Background()); err != nil {
				t.Errorf("stop the test's own database: %v", err)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user goes through it
		t.Fatal(err)
	}
	s.Start(t)
	if err := s.Exec(t, `SHOW data_directory`, &s.data); err != nil {
		t.Fatal(err)
	}
	return s
}

// URL says where it is, also after a crash.
func (s *Server) URL() string { return s.uses[0].URL("aside") }

// Data is its data directory.
func (s *Server) Data() string { return s.data }

// Start starts it after a crash, and returns when it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	use, err := local.Start(t.Context(), local.Options{Dir: s.Dir, Fast: s.fast})
	if err != nil {
		t.Fatal(err)
	}
	s.uses = append(s.uses, use)
}

// Exec runs one statement as the superuser, by a connection of its own, and scans
// a row into what is given.
func (s *Server) Exec(t testing.TB, sql string, into ...any) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if len(into) > 0 {
		return conn.QueryRow(t.Context(), sql).Scan(into...)
	}
	_, err = conn.Exec(t.Context(), sql)
	return err
}

// Crash is pg_ctl stop -m immediate, by process id. It returns when the server is
// gone.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data, "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	late := time.After(time.Minute)
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil) // it is our child, unless somebody else started it
		if syscall.Kill(pid, 0) != nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("PostgreSQL did not go down")
		}
	}
}
