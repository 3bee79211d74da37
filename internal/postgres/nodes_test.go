package postgres_test

import (
	"context"
	"testing"

	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestAlone lets one at a time in, per name.
func TestAlone(t *testing.T) {
	db := testdb.Open(t)
	alone := func(name string, f func()) (did bool) {
		t.Helper()
		did, err := db.Alone(t.Context(), name, func(context.Context) error { f(); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return did
	}
	if !alone("a", func() {
		if alone("a", func() { t.Error("two were alone") }) {
			t.Error("it says that two were alone")
		}
		if !alone("b", func() {}) {
			t.Error("another name was held back")
		}
	}) {
		t.Error("nobody was there, and it was held back")
	}
	if !alone("a", func() {}) {
		t.Error("the lock outlived its work")
	}
}
