package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
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

// TestNeverMoreThanALimit plays random agents, chats and amounts of one customer,
// several at once: what was accepted never sums to more than the largest limit,
// and to no more than an agent's own when that agent's claim was the last.
func TestNeverMoreThanALimit(t *testing.T) {
	db := testdb.Open(t)
	r := rand.New(rand.NewPCG(4, 2026))
	limits := []int64{2500, 7500, 20000}
	for round := range 6 {
		customer := fmt.Sprint("property", round)
		var wg sync.WaitGroup
		for range 24 {
			c := postgres.Claim{Customer: customer, Conversation: fmt.Sprint(customer, "/", r.IntN(5)), Gesture: "credit", Period: "quarter 2026-4",
				Amount: 100 + r.Int64N(4000), Limit: limits[r.IntN(len(limits))], By: fmt.Sprint(r.IntN(4))}
			wg.Go(func() {
				ok, err := db.HoldGesture(t.Context(), c)
				if err != nil {
					t.Error(err)
				}
				if ok && c.Amount > c.Limit {
					t.Errorf("%d was held under a limit of %d", c.Amount, c.Limit)
				}
			})
		}
		wg.Wait()
		spent, err := db.SpentGestures(t.Context(), customer, "another")
		if got := spent[[2]string{"credit", "quarter 2026-4"}]; err != nil || got > limits[len(limits)-1] {
			t.Fatalf("%d was held of at most %d, %v", got, limits[len(limits)-1], err)
		}
		left := limits[0] - spent[[2]string{"credit", "quarter 2026-4"}]
		ok, err := db.HoldGesture(t.Context(), postgres.Claim{Customer: customer, Conversation: "new", Gesture: "credit", Period: "quarter 2026-4",
			Amount: max(left, 0) + 1, Limit: limits[0], By: "x"})
		if err != nil || ok {
			t.Fatalf("more than the %d that is left was held: %v", left, err)
		}
	}
}

// A customer whom the chat tool names is counted under that name, whoever else is
// given.
func TestSpentOfANamedCustomer(t *testing.T) {
	db := testdb.Open(t)
	n := turn("named", "1", assist.RoleCustomer, "Where is it?")
	n.Customer = "c7"
	if _, err := db.AddTurn(t.Context(), source, n, chat.Lease{}); err != nil {
		t.Fatal(err)
	}
	name, err := db.CustomerOf(t.Context(), "named")
	if want := "at " + source.Subject + "/c7"; err != nil || name != want {
		t.Fatalf("%q, %v; want %q", name, err, want)
	}
	for customer, amount := range map[string]int64{name: 300, "customer x": 500} {
		if _, err := db.HoldGesture(t.Context(), postgres.Claim{Customer: customer, Conversation: "earlier", Gesture: "credit", Period: "p", Amount: amount, Given: true}); err != nil {
			t.Fatal(err)
		}
	}
	for conversation, want := range map[string]int64{"named": 300, "of nobody": 500} {
		spent, err := db.SpentGestures(t.Context(), "customer x", conversation)
		if got := spent[[2]string{"credit", "p"}]; err != nil || got != want {
			t.Errorf("in conversation %q %d were spent, %v; want %d", conversation, got, err, want)
		}
	}
}
