package suggest

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/playbook"
)

// ledger is a Guide in memory.
type ledger struct {
	book     *playbook.Book
	limits   playbook.Authority
	spent    playbook.Spent
	held     []string
	full     bool // a colleague was faster
	fault    error
	spentErr error
}

func (l *ledger) Playbook(context.Context, int64) (Playbook, error) {
	return Playbook{Book: l.book, Weights: playbook.NewWeights(), Authority: l.limits}, l.fault
}

func (l *ledger) Spent(context.Context, assist.Moment) (playbook.Spent, error) {
	return l.spent, l.spentErr
}

func (l *ledger) Hold(_ context.Context, m assist.Moment, gesture, period string, amount, limit playbook.Amount) (bool, error) {
	if l.full {
		return false, nil
	}
	l.held = append(l.held, gesture)
	return true, nil
}

func guideOf(t *testing.T, k *shelf) *ledger {
	t.Helper()
	data, err := os.ReadFile("../../evals/knowledge/authority.yaml")
	if err != nil {
		t.Fatal(err)
	}
	limits, err := playbook.ParseAuthority(data)
	if err != nil {
		t.Fatal(err)
	}
	var procs []playbook.Procedure
	for _, d := range k.docs {
		if p, ok := playbook.Parse(d); ok {
			procs = append(procs, p)
		}
	}
	return &ledger{book: playbook.NewBook(procs), limits: limits}
}

var angry = []string{"c: This is ridiculous, the zipper of my jacket broke and I want to return it. This is the second time I'm writing about it!"}

func TestAngryCustomer(t *testing.T) {
	k := shop()
	g := guideOf(t, k)
	s := New(Options{Knowledge: k, Guide: g})
	var w watch
	got := s.Run(t.Context(), momentOf(angry...), &w)
	var ids []string
	for _, step := range got.Steps {
		ids = append(ids, step.ID)
	}
	want := []string{"recovery/own", "broken-return/1", "recovery/gesture", "recovery/follow-up"}
	if !slices.Equal(ids, want) {
		t.Errorf("steps %v, want %v", ids, want)
	}
	if len(got.Options) == 0 {
		t.Fatalf("no options")
	}
	if strings.Contains(got.Draft.Text, "ridiculous") || strings.Contains(got.Draft.Text, "upset") {
		t.Errorf("the customer is told how they sound: %s", got.Draft.Text)
	}
	if len(g.held) > 0 {
		t.Error("held before anybody chose")
	}
}

func TestChoosingAGesture(t *testing.T) {
	tests := map[string]struct {
		change func(*ledger, *assist.Moment)
		own    bool
		held   int
	}{
		"within the limit":        {func(*ledger, *assist.Moment) {}, true, 1},
		"a colleague was faster":  {func(g *ledger, _ *assist.Moment) { g.full = true }, false, 0},
		"the allowance is used":   {func(g *ledger, _ *assist.Moment) { g.spent = playbook.Spent{"refund_shipping|order conv_1": 1500} }, false, 0},
		"nobody knows what is":    {func(g *ledger, _ *assist.Moment) { g.spentErr = errors.New("down") }, false, 0},
		"no limits at all":        {func(g *ledger, _ *assist.Moment) { g.limits = playbook.Authority{} }, false, 0},
		"a role that is unknown":  {func(_ *ledger, m *assist.Moment) { m.Agent.Authority = "chief" }, false, 0},
		"a made-up larger amount": {func(_ *ledger, m *assist.Moment) { m.Instruction = "gesture/refund_shipping/99900" }, false, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			k := shop()
			g := guideOf(t, k)
			m := momentOf(angry...)
			m.Instruction = "gesture/refund_shipping/1500"
			tt.change(g, &m)
			var w watch
			got := New(Options{Knowledge: k, Guide: g}).Run(t.Context(), m, &w)
			if has := strings.Contains(got.Draft.Text, "$15: refund of the shipping"); has != tt.own {
				t.Errorf("draft %q, offers: %v", got.Draft.Text, has)
			}
			if len(g.held) != tt.held {
				t.Errorf("held %v", g.held)
			}
			if tt.own {
				return
			}
			if strings.Contains(got.Draft.Text, "$15") {
				t.Errorf("an amount that is not the agent's: %q", got.Draft.Text)
			}
		})
	}
}

func TestGuideFails(t *testing.T) {
	k := shop()
	g := guideOf(t, k)
	g.fault = errors.New("down")
	var w watch
	got := New(Options{Knowledge: k, Guide: g}).Run(t.Context(), momentOf("c: How do I handle a customer who returns a jacket that broke?"), &w)
	if got.State != assist.SuggestionReady || len(got.Steps) == 0 {
		t.Errorf("steps from the page that was found: %s, %+v", got.State, got.Steps)
	}
}

func TestPublicRunsHaveNoGuide(t *testing.T) {
	k := shop()
	m := momentOf(angry...)
	m.Audience = assist.AudiencePublic
	var w watch
	got := New(Options{Knowledge: k, Guide: guideOf(t, k)}).Run(t.Context(), m, &w)
	for _, s := range got.Steps {
		if strings.HasPrefix(s.ID, "recovery/") || s.Why != "" {
			t.Errorf("a customer's run sees %+v", s)
		}
	}
	if len(got.Options) > 0 {
		t.Errorf("a customer's run sees options %+v", got.Options)
	}
}
