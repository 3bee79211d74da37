package suggest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/playbook"
)

func TestLimits(t *testing.T) {
	a := guideOf(t, shop()).limits
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	spent := playbook.Spent{playbook.SpentKey("store_credit", "quarter 2026-4"): 1000}
	of := func(role, title string) check.Limit {
		for _, l := range Limits(a, role, spent, now, "c1") {
			if l.Gesture == title {
				return l
			}
		}
		t.Fatalf("no limit on %s", title)
		return check.Limit{}
	}
	for _, tt := range []struct {
		role string
		want check.Limit
	}{
		{"", check.Limit{Gesture: "Store credit", Unit: check.Money, Currency: "usd", Left: 15, Period: "this quarter"}},
		{"senior", check.Limit{Gesture: "Store credit", Unit: check.Money, Currency: "usd", Left: 65, Period: "this quarter"}},
		{"chief", check.Limit{Gesture: "Store credit", Unit: check.Money, Currency: "usd", Barred: true}},
		{"agent", check.Limit{Gesture: "Percent off the next order", Unit: check.Percent, Left: 10, Period: "this year"}},
		{"agent", check.Limit{Gesture: "Overnight shipping for a replacement", Unit: check.Number, Left: 1, Period: "for this order"}},
		{"agent", check.Limit{Gesture: "Paid repair at no cost", Unit: check.Money, Currency: "usd", Barred: true}},
	} {
		if d := cmp.Diff(tt.want, of(tt.role, tt.want.Gesture)); d != "" {
			t.Errorf("%q (-want +got):\n%s", tt.role, d)
		}
	}
	if l := Limits(playbook.Authority{}, "agent", nil, now, ""); len(l) != 0 {
		t.Errorf("limits of nobody: %v", l)
	}
}

// A model that gives away more than this agent may is marked, whoever's limit a
// passage states.
func TestDraftIsHeldToTheLimits(t *testing.T) {
	k := shop()
	answer := `{"sentences":[{"text":"To make up for it, I'd like to add $90 of store credit.","citations":[]}]}`
	model := &llm.Script{Answer: func(llm.Request) []string { return []string{answer} }}
	s := New(Options{Knowledge: k, Guide: guideOf(t, k), Model: model, Prompts: prompting(t)})
	var w watch
	got := s.Run(t.Context(), momentOf(angry...), &w)
	for _, v := range got.Verdicts {
		if v.Check == "authority" && v.Words == "$90" && v.Outcome == assist.Warn {
			return
		}
	}
	t.Errorf("verdicts %+v of %+v", got.Verdicts, got.Draft)
}
