package postgres_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMarks(t *testing.T) {
	db := testdb.Open(t)
	var first atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ok, err := db.Once(t.Context(), "desk", "note:1")
			if err != nil {
				t.Error(err)
			}
			if ok {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	if n := first.Load(); n != 1 {
		t.Errorf("%d were first", n)
	}
	if ok, err := db.Once(t.Context(), "another desk", "note:1"); err != nil || !ok {
		t.Errorf("another tool's mark: %v, %v", ok, err)
	}
	if at, err := db.Marked(t.Context(), "desk", "delivery"); err != nil || !at.IsZero() {
		t.Errorf("never marked: %s, %v", at, err)
	}
	for range 2 {
		if err := db.Mark(t.Context(), "desk", "delivery"); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := db.Marked(t.Context(), "desk", "delivery"); err != nil || time.Since(at).Abs() > time.Hour {
		t.Errorf("marked at %s, %v", at, err)
	}
}
