// Package testdb gives tests a real database: a schema of their own, migrated,
// and dropped when the test ends.
package testdb

import (
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/postgres"
)

// Open gives a migrated, empty database of the test's own. The server is that of
// ASIDE_TEST_DATABASE_URL, else of ASIDE_DATABASE_URL. Without one the test is
// skipped, except where CI is set: there it fails.
func Open(t testing.TB) *postgres.DB {
	t.Helper()
	return OpenWith(t, postgres.Config{})
}

// OpenWith is Open with a configuration; URL and Schema are filled in where they
// are empty.
func OpenWith(t testing.TB, cfg postgres.Config) *postgres.DB {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = URL(t)
	}
	if cfg.Schema == "" {
		cfg.Schema = "aside_test_" + strings.ToLower(rand.Text()[:12])
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
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

// URL says where the test server is, or ends the test.
func URL(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"ASIDE_TEST_DATABASE_URL", "ASIDE_DATABASE_URL"} {
		if url := os.Getenv(name); url != "" {
			return url
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no database: set ASIDE_TEST_DATABASE_URL")
	}
	t.Skip("no database: set ASIDE_TEST_DATABASE_URL to run this test")
	return ""
}
