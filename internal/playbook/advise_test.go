package playbook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// company is the sample company's procedures.
func company(t testing.TB) *Book {
	t.Helper()
	files, err := filepath.Glob("../../evals/knowledge/procedures/*.md")
	if err != nil || len(files) == 0 {
		t.Fatal("no sample procedures", err)
	}
	var procs []Procedure
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(strings.TrimPrefix(string(data), "---\n"), "\n---\n")
		d := assist.Document{ID: strings.TrimSuffix(filepath.Base(f), ".md"), Body: body, Kind: assist.KindProcedure}
		for line := range strings.Lines(string(data)) {
			if title, ok := strings.CutPrefix(line, "title: "); ok {
				d.Title = strings.TrimSpace(title)
			}
		}
		if p, ok := Parse(d); ok {
			procs = append(procs, p)
		}
	}
	return NewBook(procs)
}

func talk(lines ...string) (turns []assist.Turn) {
	for i, l := range lines {
		who, text, _ := strings.Cut(l, ": ")
		t := assist.Turn{Seq: int64(i + 1), Role: assist.RoleCustomer, Text: text}
		switch who {
		case "a":
			t.Role = assist.RoleAgent
		case "do":
			t.Role, t.Text, t.Action = assist.RoleSystem, "", &assist.Action{Name: text}
		}
		turns = append(turns, t)
	}
	return turns
}

func caseOf(t testing.TB, role string, lines ...string) Case {
	return Case{Book: company(t), Turns: talk(lines...), Authority: sampleAuthority(t), Role: role, Order: "conv_1",
		Now: time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)} // a Friday
}

func show(t *testing.T, a Advice) {
	t.Helper()
	t.Logf("procedure %s, mood %q", a.Procedure, a.Mood.Why())
	for _, s := range a.Steps {
		t.Logf("  %-7s %-9s %v %s [%s] (%s)", s.State, s.Kind, s.Current, s.Text, s.Action, s.ID)
	}
	for _, o := range a.Options {
		t.Logf("  option %s: %s — %s — %s — %s", o.ID, o.Title, o.Detail, o.Cost, o.Authority)
	}
}

func current(steps []assist.NextStep) assist.NextStep {
	if i := slices.IndexFunc(steps, func(s assist.NextStep) bool { return s.Current }); i >= 0 {
		return steps[i]
	}
	return assist.NextStep{}
}

func TestAdvise(t *testing.T) {
	calm := caseOf(t, "", "c: Hi, the zipper of my jacket broke. I would like to return it.", "a: I'm sorry about your zipper, I'll take care of that.", "c: Thank you")
	calm.Clues.Hits = map[string]float64{"return-defective-item": 1, "warranty-claim": 0.8}
	a := NewWeights().Advise(calm)
	show(t, a)
	if a.Procedure != "return-defective-item" || current(a.Steps).Action != "Pull Up Account" {
		t.Errorf("calm: %s, %+v", a.Procedure, current(a.Steps))
	}
	later := caseOf(t, "", "c: Hi, the zipper of my jacket broke. I would like to return it.", "do: Pull Up Account", "do: Validate Purchase", "do: Check Batch", "c: here is the photo")
	a = NewWeights().Advise(later)
	show(t, a)
	if len(a.Options) != 3 {
		t.Errorf("three ways: %+v", a.Options)
	}
	for _, o := range a.Options {
		if o.Policy.Quote == "" || o.Authority != "you" {
			t.Errorf("a way without policy, or not the agent's: %+v", o)
		}
	}
}

func TestRecoveryOrder(t *testing.T) {
	lines := []string{"c: THIS IS RIDICULOUS. The zipper of my jacket broke and you promised a refund by Monday. This is the second time I'm writing!"}
	c := caseOf(t, "", lines...)
	c.Clues.Hits = map[string]float64{"return-defective-item": 1, "upset-customer": 0.9}
	a := NewWeights().Advise(c)
	show(t, a)
	var ids []string
	for _, s := range a.Steps {
		ids = append(ids, s.ID)
		if strings.HasPrefix(s.ID, "recovery/") && s.Why == "" {
			t.Errorf("%s does not say why", s.ID)
		}
	}
	if len(ids) != 4 || ids[0] != "recovery/own" || ids[2] != "recovery/gesture" || ids[3] != "recovery/follow-up" || !a.Steps[0].Current {
		t.Errorf("order %v", ids)
	}
	if !strings.Contains(a.Steps[3].Text, "Tuesday 24 November") || a.Steps[3].Action != "Set Follow-Up" {
		t.Errorf("a follow-up with a date: %+v", a.Steps[3])
	}
	g := slices.IndexFunc(a.Options, isGesture)
	if g < 0 || a.Options[g].Cost != "$25" || !mine(a.Options[g]) {
		t.Errorf("the smallest sufficient gesture first: %+v", a.Options)
	}

	c.Spent = Spent{SpentKey("store_credit", "quarter 2026-4"): 2500} // nothing is left
	a = NewWeights().Advise(c)
	show(t, a)
	for _, o := range a.Options {
		if isGesture(o) && mine(o) {
			t.Errorf("offered beyond the limit: %+v", o)
		}
	}
	if s := a.Steps[2]; s.Kind != assist.StepHandOff || !strings.Contains(s.Text, "Ask your lead") || !strings.Contains(s.Text, "$25 was given already") {
		t.Errorf("the lead, with the reason: %+v", s)
	}

	c.Turns = append(c.Turns, talk("a: I'm sorry that we did not keep our word on the refund, I'll take care of it.", "c: ok")...)
	if s := NewWeights().Advise(c).Steps[0]; s.State != assist.StepDone || s.Current {
		t.Errorf("owned already: %+v", s)
	}
	c.Ticks = []assist.StepChange{{StepID: "recovery/own", State: assist.StepTodo}}
	if s := NewWeights().Advise(c).Steps[0]; s.State != assist.StepTodo {
		t.Error("a colleague's tick does not stand")
	}
}

// TestNeverOffersBeyondLimit makes advice for every role and many spent sums:
// what is the agent's to give always fits under the limit.
func TestNeverOffersBeyondLimit(t *testing.T) {
	base := caseOf(t, "")
	for _, role := range []string{"", "agent", "senior", "lead", "chief"} {
		for spent := Amount(0); spent <= 21000; spent += 500 {
			for _, text := range []string{"c: This is the third time I am writing and nobody answers!", "c: You promised it would be here by Monday.", "c: I'm furious.", "c: I already wrote about the late parcel."} {
				c := base
				c.Role, c.Turns = role, talk(text)
				c.Spent = Spent{SpentKey("store_credit", "quarter 2026-4"): spent, SpentKey("refund_shipping", "order conv_1"): spent}
				for _, o := range NewWeights().Advise(c).Options {
					g, amount, ok := GestureOf(o)
					if !ok || !mine(o) {
						continue
					}
					limit, has := c.Authority.Limit(role, g)
					if !has || c.Spent[SpentKey(g, PeriodKey(limit.Period, c.Now, c.Order))]+amount > limit.Amount {
						t.Fatalf("%s after %d: offers %+v, limit %+v", role, spent, o, limit)
					}
				}
			}
		}
	}
}

func TestNothingButListen(t *testing.T) {
	c := caseOf(t, "", "c: the zipper of my jacket broke, I want to return it", "do: Pull Up Account", "do: Validate Purchase", "a: All done, you get the money on Friday. Bye!", "c: thanks, bye")
	a := NewWeights().Advise(c)
	if s := current(a.Steps); s.ID != "listen" {
		show(t, a)
		t.Errorf("after goodbye: %+v", s)
	}
}

func TestMissingFact(t *testing.T) {
	s := Step{Text: "[Pull Up Account] Ask for the email address or the order number."}
	for text, want := range map[string]string{"hello": "email address", "it is dana@example.com": "", "order WF-20417": "", "It's 7 days": "email address"} {
		if got := missingFact(s, talk("c: "+text), ""); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := missingFact(Step{Text: "Note the order number."}, nil, ""); got != "" {
		t.Errorf("nobody asks for it: %q", got)
	}
}

func TestNextWorkday(t *testing.T) {
	friday := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	if got := NextWorkday(friday, 2).Weekday(); got != time.Tuesday {
		t.Error(got)
	}
}
