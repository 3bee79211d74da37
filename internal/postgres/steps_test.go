package postgres_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestOneAllowanceTwoAgents lets many agents hold the last of an allowance at
// once: together they never get more than it is.
func TestOneAllowanceTwoAgents(t *testing.T) {
	db := testdb.Open(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := 0
	for i := range 16 {
		wg.Go(func() {
			ok, err := db.HoldGesture(t.Context(), postgres.Claim{Customer: "c", Conversation: fmt.Sprint("conv", i), Gesture: "credit",
				Period: "quarter 2026-4", Amount: 1000, Limit: 2500, By: fmt.Sprint("agent", i)})
			if err != nil {
				t.Error(err)
			}
			if ok {
				mu.Lock()
				got++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if got != 2 {
		t.Errorf("%d of 16 agents got 10 of 25, want 2", got)
	}
	spent, err := db.SpentGestures(t.Context(), "c", "another")
	if err != nil || spent[[2]string{"credit", "quarter 2026-4"}] != 2000 {
		t.Errorf("spent %v, %v", spent, err)
	}
}

func TestHeldThenGiven(t *testing.T) {
	db := testdb.Open(t)
	claim := postgres.Claim{Customer: "held", Conversation: "a", Gesture: "credit", Period: "year 2026", Amount: 1000, Limit: 2500, By: "x"}
	steps := []struct {
		name     string
		change   func(*postgres.Claim)
		ok       bool
		elsewise int64 // seen by another conversation
	}{
		{"hold", func(*postgres.Claim) {}, true, 1000},
		{"the same again replaces", func(c *postgres.Claim) { c.Amount = 2000 }, true, 2000},
		{"given", func(c *postgres.Claim) { c.Given = true }, true, 2000},
		{"more than is left", func(c *postgres.Claim) { c.Given, c.Amount = false, 501 }, false, 2000},
		{"what is left", func(c *postgres.Claim) { c.Amount = 500 }, true, 2500},
		{"given beyond the limit still counts", func(c *postgres.Claim) { c.Given, c.Amount = true, 5000 }, true, 7500},
	}
	for _, s := range steps {
		s.change(&claim)
		ok, err := db.HoldGesture(t.Context(), claim)
		if err != nil || ok != s.ok {
			t.Fatalf("%s: %v %v", s.name, ok, err)
		}
		spent, err := db.SpentGestures(t.Context(), "held", "b")
		if got := spent[[2]string{"credit", "year 2026"}]; err != nil || got != s.elsewise {
			t.Fatalf("%s: spent %d, want %d (%v)", s.name, got, s.elsewise, err)
		}
	}
	if _, err := db.HoldGesture(t.Context(), postgres.Claim{Customer: "held", Gesture: "credit", Period: "p", Amount: -1}); err == nil {
		t.Error("a negative amount was held")
	}
}

func TestStepWeights(t *testing.T) {
	db := testdb.Open(t)
	for range 2 {
		if _, err := db.AddStepWeights(t.Context(), map[string]float64{"o|a|b": 0.5, "it's": 1}, nil); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.StepWeights(t.Context())
	if err != nil || all["o|a|b"] != 1 || all["it's"] != 2 {
		t.Errorf("%v %v", all, err)
	}
}

func TestAuthorityStored(t *testing.T) {
	db := testdb.Open(t)
	if body, err := db.Authority(t.Context()); err != nil || body != "" {
		t.Fatalf("before: %q %v", body, err)
	}
	for _, want := range []string{"one", "two"} {
		if err := db.PutAuthority(t.Context(), want, "test"); err != nil {
			t.Fatal(err)
		}
		if body, err := db.Authority(t.Context()); err != nil || body != want {
			t.Fatalf("%q %v", body, err)
		}
	}
}
