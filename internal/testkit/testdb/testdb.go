// Package testdb gives tests a real database: a schema of their own, migrated,
// and dropped when the test ends. The server is that of ASIDE_TEST_DATABASE_URL,
// else of ASIDE_DATABASE_URL, else a private one that all test processes of this
// machine share while any of them runs.
package testdb

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/postgres/local"
)

// patience is what tests wait for a connection or a statement before they fail.
const patience = time.Minute

// Main is the TestMain of packages with many database tests: it keeps the private
// server running between tests, and after it has let go of it looks for leaked
// goroutines.
func Main(m *testing.M) { goleak.VerifyTestMain(served{m}) }

// served runs tests with the private server running.
type served struct{ m *testing.M }

// Run gives goleak the exit code; the server is gone when it returns.
func (s served) Run() int {
	stop := func() error { return nil }
	if os.Getenv("ASIDE_TEST_DATABASE_URL") == "" && os.Getenv("ASIDE_DATABASE_URL") == "" {
		if c, err := start(context.Background()); err == nil { // if not, each test says why
			stop = func() error { return c.Stop(context.Background()) }
		}
	}
	code := s.m.Run()
	if err := stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the test database:", err)
		code = max(code, 1)
	}
	return code
}

// Open gives a migrated, empty database of the test's own. Where there is no
// PostgreSQL the test is skipped, except where CI is set: there it fails.
func Open(t testing.TB) *postgres.DB {
	t.Helper()
	return OpenWith(t, postgres.Config{})
}

// OpenWith is Open with a configuration; URL and Schema are filled in where they
// are empty, and so are time limits: a busy machine must not fail a test that is not
// about them.
func OpenWith(t testing.TB, cfg postgres.Config) *postgres.DB {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = URL(t)
	}
	if cfg.Schema == "" {
		cfg.Schema = "aside_test_" + strings.ToLower(rand.Text()[:12])
	}
	cfg.Wait = cmp.Or(cfg.Wait, patience)
	for _, p := range []*postgres.Pool{&cfg.Turns, &cfg.Search, &cfg.Public, &cfg.Bot} {
		p.Timeout = cmp.Or(p.Timeout, patience)
	}
	ctx, stop := context.WithTimeout(t.Context(), 2*patience)
	defer stop()
	db, err := postgres.Open(ctx, cfg)
	if err != nil {
		t.Fatalf("open test database: %v", err)
	}
	t.Cleanup(db.Stop)
	t.Cleanup(func() {
		if err := db.Drop(context.Background()); err != nil {
			t.Errorf("drop test schema: %v", err)
		}
	})
	if err := db.Migrate(ctx); err != nil {
		t.Fatalf("migrate test database: %v", err)
	}
	return db
}

// URL says where the test server is, until the test ends.
func URL(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"ASIDE_TEST_DATABASE_URL", "ASIDE_DATABASE_URL"} {
		if url := os.Getenv(name); url != "" {
			return url
		}
	}
	c, err := start(t.Context())
	var missing *local.NotInstalledError
	var old *local.VersionError
	switch {
	case err == nil:
	case (errors.As(err, &missing) || errors.As(err, &old)) && os.Getenv("CI") == "":
		t.Skipf("no test database: %v", err)
	default:
		t.Fatalf("no test database: %v", err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.Background()); err != nil {
			t.Errorf("stop the test database: %v", err)
		}
	})
	return c.URL("aside")
}

// start joins or starts the private server, which lives beside go.mod.
func start(ctx context.Context) (*local.Cluster, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if filepath.Dir(dir) == dir {
			return nil, errors.New("tests must run inside the repository: no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return local.Start(ctx, local.Options{Dir: filepath.Join(dir, ".aside-test"), Fast: true})
}
