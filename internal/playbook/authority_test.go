package playbook

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

func sampleAuthority(t testing.TB) Authority {
	t.Helper()
	data, err := os.ReadFile("../../evals/knowledge/authority.yaml")
	if err != nil {
		t.Fatal(err)
	}
	a, err := ParseAuthority(data)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseAuthority(t *testing.T) {
	a := sampleAuthority(t)
	if len(a.Gestures) != 6 || a.Gestures[0].ID != "refund_shipping" || a.Currency != "USD" {
		t.Errorf("gestures in order of rank: %+v", a.Gestures)
	}
	if l, ok := a.Limit("", "store_credit"); !ok || l.Amount != 2500 || l.Period != PeriodQuarter {
		t.Errorf("an agent's store credit: %+v %v", l, ok)
	}
	if _, ok := a.Limit("agent", "free_repair"); ok {
		t.Error("agents have no row for free_repair")
	}
	if _, ok := a.Limit("chief", "store_credit"); ok {
		t.Error("an unknown role may give something")
	}
}

func TestMalformedAuthority(t *testing.T) {
	const good = "currency: EUR\npolicy: p\ngestures:\n  credit: {title: Credit, action: Add, unit: money, rank: 1}\nlimits:\n  - {role: agent, gesture: credit, amount: 5, period: order}\n"
	if _, err := ParseAuthority([]byte(good)); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct{ old, new, want string }{
		"unknown currency": {"EUR", "doubloons", `line 1: the currency "doubloons"`},
		"no currency":      {"currency: EUR\n", "", "currency"},
		"unit":             {"unit: money", "unit: shells", "line 4: the unit"},
		"rank":             {"rank: 1", "rank: 0", "line 4: the rank"},
		"typo in a row":    {"amount: 5", "amuont: 5", `line 6: the key "amuont"`},
		"negative":         {"amount: 5", "amount: -5", "line 6: the amount"},
		"not a number":     {"amount: 5", "amount: NaN", "line 6: the amount"},
		"with a sign":      {"amount: 5", "amount: $5", "line 6: the amount"},
		"period":           {"period: order", "period: week", "line 6: the period"},
		"role":             {"role: agent", "role: boss", "line 6: the role"},
		"gesture":          {"gesture: credit", "gesture: kiss", "line 6: there is no gesture"},
		"not YAML":         {"policy: p", "policy: [", "line "},
		"titles":           {"rank: 1}", "rank: 1, titles: {xx: y}}", "line 4: titles of credit must be texts by language"},
		"unknown key":      {"policy: p", "polcy: p", "line 2"},
		"twice":            {"limits:\n", "limits:\n  - {role: agent, gesture: credit, amount: 9, period: order}\n", "line 7"},
		"empty":            {good, "", "line 1"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAuthority([]byte(strings.Replace(good, tt.old, tt.new, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParseAuthority(f *testing.F) {
	f.Add("currency: EUR\ngestures: {a: {title: A, unit: money, rank: 1}}\nlimits: []")
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := ParseAuthority([]byte(s)); err != nil && !strings.Contains(err.Error(), "line ") {
			t.Errorf("no line in %v", err)
		}
	})
}

// TestNeverBeyondLimit gives gestures in random sequences, as many agents of all
// roles would, and holds every period's sum against the limit of whoever gave
// last: nobody ever takes a sum beyond their own limit.
func TestNeverBeyondLimit(t *testing.T) {
	a := sampleAuthority(t)
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		spent := Spent{}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 60 {
			at = at.Add(time.Duration(r.IntN(30*24)) * time.Hour)
			role := []string{"", "agent", "senior", "lead", "chief"}[r.IntN(5)]
			g := a.Gestures[r.IntN(len(a.Gestures))]
			amount := Amount(r.IntN(300*100) - 1000)
			order := fmt.Sprint("o", r.IntN(3))
			ruling := a.Rule(role, g.ID, amount, spent, at, order)
			if !ruling.May {
				if ruling.Reason == "" {
					t.Fatalf("refused without a reason: %+v", ruling)
				}
				continue
			}
			key := SpentKey(g.ID, ruling.Period)
			spent[key] += amount
			limit, ok := a.Limit(role, g.ID)
			if !ok || amount <= 0 || spent[key] > limit.Amount {
				t.Fatalf("seed %d: %s gave %d of %s, now %d, limit %+v", seed, role, amount, g.ID, spent[key], limit)
			}
			for _, o := range a.Gestures { // and whatever is offered next fits as well
				next := a.Rule(role, o.ID, 1, spent, at, order)
				if l, ok := a.Limit(role, o.ID); next.Left < 0 || ok && next.Left > l.Amount {
					t.Fatalf("left %d of %+v", next.Left, l)
				}
			}
		}
	}
}

func TestPeriodKey(t *testing.T) {
	at := time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)
	for p, want := range map[Period]string{PeriodOrder: "order 7", PeriodQuarter: "quarter 2026-1", PeriodYear: "year 2026"} {
		if got := PeriodKey(p, at, "7"); got != want {
			t.Errorf("%s: %q, want %q", p, got, want)
		}
	}
	if PeriodKey(PeriodQuarter, at, "") == PeriodKey(PeriodQuarter, at.Add(time.Second), "") {
		t.Error("April is in the first quarter")
	}
}
