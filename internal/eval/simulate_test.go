package eval

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/llm"
)

const simScenarios = `
at: 2026-11-20
knowledge: pages
scenarios:
  - name: tells when asked
    goal: know the height
    opens: how tall is the blue giraffe
    facts: [{about: order number, say: WF-100200}]
    says: [please go on]
    satisfied: [order WF-100200, thank you]
    patience: 4
    expect: {outcome: satisfied, messages: 3, once: true, each: [{type: no-internal}], assert: [{type: icontains, value: order}]}
  - name: loses patience
    goal: know the height
    opens: how tall is the blue giraffe
    says: [one, two, three, four]
    patience: 2
    expect: {outcome: gave_up, messages: 3}
  - name: nothing answers it
    goal: know about the moon
    opens: does the moonlight submarine quibble
    expect: {outcome: handed_over, messages: 1}
  - name: wrong expectation
    goal: know the height
    opens: how tall is the blue giraffe
    says: [I asked how tall the blue giraffe is]
    patience: 1
    expect: {outcome: handed_over, messages: 1, assert: [{type: icontains, value: moon}]}
`

func simulations(t *testing.T, yaml string) []*Simulation {
	t.Helper()
	s, err := LoadSimulation(fstest.MapFS{
		"s.yaml":           {Data: []byte(yaml)},
		"pages/giraffe.md": {Data: []byte("---\ntitle: Giraffe\naudience: public\n---\n## Height\n\nThe blue giraffe is 5 meters tall.\n")},
	}, "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return []*Simulation{s}
}

// asksThenAnswers is a model that asks for the order number until the chat holds
// one.
func asksThenAnswers(r llm.Request) []string {
	text, user := "May I have your order number?", r.Messages[len(r.Messages)-1].Content
	if strings.Contains(user, "WF-100200") {
		text = "I see your order WF-100200, thank you."
	}
	raw, err := json.Marshal(map[string]any{"sentences": []any{map[string]any{"text": text, "citations": []any{}}}})
	if err != nil {
		panic(err)
	}
	return []string{string(raw)}
}

func TestSimulate(t *testing.T) {
	o := SimOptions{Prompts: promptSet(t), Provider: Provider{ID: "openai:chat:m", Label: "m"},
		Open: func(string, string) (llm.ChatModel, error) {
			return &llm.Script{Answer: asksThenAnswers, Label: "m"}, nil
		}}
	results, err := Simulate(t.Context(), simulations(t, simScenarios), o)
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		Outcome  SimOutcome
		Messages int
		Pass     bool
	}
	got := map[string]end{}
	for _, r := range results {
		got[r.Scenario] = end{r.Outcome, r.Messages, r.Pass}
		if r.Error != "" {
			t.Errorf("%s: %s", r.Scenario, r.Error)
		}
	}
	want := map[string]end{
		"tells when asked": {SimSatisfied, 2, true}, "loses patience": {SimGaveUp, 3, true},
		"nothing answers it": {SimHandedOver, 1, true}, "wrong expectation": {SimGaveUp, 2, false},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if first := results[0].Turns; len(first) != 4 || first[2].Text != "WF-100200" {
		t.Errorf("%+v", first)
	}
	if why := strings.Join(results[3].Reasons, "\n"); !strings.Contains(why, "ended gave_up, not handed_over") || !strings.Contains(why, "at most 1") || !strings.Contains(why, "at the end: icontains") {
		t.Error(why)
	}
	var b strings.Builder
	WriteSimulation(&b, results, false)
	if !strings.Contains(b.String(), "4 scenarios: 3 passed, 1 failed") || !strings.Contains(b.String(), "customer  how tall") {
		t.Error(b.String())
	}
}

// TestSimulatePlayed: a model plays the customer; one that cannot be read is an
// error, not a failure.
func TestSimulatePlayed(t *testing.T) {
	o := SimOptions{Prompts: promptSet(t), Provider: Provider{ID: "instant", Label: "instant"}}
	for name, tt := range map[string]struct {
		answer, err string
		outcome     SimOutcome
		last        string
	}{
		"content":    {`{"say":"thx","state":"satisfied"}`, "", SimSatisfied, "thx"},
		"leaves":     {`{"say":"","state":"gave_up"}`, "", SimGaveUp, ""},
		"goes on":    {`{"say":"and the blue giraffe's height?","state":"going_on"}`, "", SimGaveUp, ""},
		"mute":       {`{"say":" ","state":"going_on"}`, "says nothing", "", ""},
		"unreadable": {`Sure thing!`, "cannot be read", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Customer = &llm.Script{Deltas: []string{tt.answer}}
			results, err := Simulate(t.Context(), simulations(t, simScenarios[:strings.Index(simScenarios, "  - name: nothing")]), o)
			if err != nil {
				t.Fatal(err)
			}
			r := results[1]
			if r.Outcome != tt.outcome || (r.Error == "") != (tt.err == "") || !strings.Contains(r.Error, tt.err) || r.Pass && r.Error != "" {
				t.Errorf("%+v", r)
			}
			if last := r.Turns[len(r.Turns)-1].Text; tt.last != "" && last != tt.last {
				t.Errorf("the last word is %q", last)
			}
		})
	}
}

// TestSimulateShipped: the shipped scenarios are played, the same every time.
// How they end is what they are for.
func TestSimulateShipped(t *testing.T) {
	files, err := fs.Glob(evals.Files, "simulations/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var sims []*Simulation
	for _, f := range files {
		s, err := LoadSimulation(evals.Files, f)
		if err != nil {
			t.Fatal(err)
		}
		sims = append(sims, s)
	}
	var runs [2][]SimResult
	for i := range runs {
		runs[i], err = Simulate(t.Context(), sims, SimOptions{Sample: evals.Files, Prompts: promptSet(t), Provider: Provider{ID: "instant", Label: "instant"}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runs[i] {
			if r.Error != "" || r.Outcome == "" || r.Messages > maxPatience+1 {
				t.Errorf("%+v", r)
			}
		}
	}
	if d := cmp.Diff(runs[0], runs[1]); d != "" {
		t.Error(d)
	}
}

func TestSimulationFaults(t *testing.T) {
	for body, want := range map[string]string{
		"scenarios: []": "no scenarios",
		"scenarios:\n  - {name: a, goal: b, opens: c, expect: {outcome: happy}}":                            "s.yaml:2: outcome must be satisfied",
		"scenarios:\n  - {name: a, goal: b, opens: c}":                                                      "s.yaml:2: a scenario needs expect.outcome",
		"scenarios:\n  - {name: a, expect: {outcome: gave_up}}":                                             "s.yaml:2: a scenario needs name, goal and opens",
		"scenarios:\n  - {name: a, goal: b, opens: c, expect: {outcome: satisfied}}":                        "needs satisfied",
		"scenarios:\n  - {name: a, goal: b, opens: c, facts: [{about: x}], expect: {outcome: gave_up}}":     "a fact needs about",
		"scenarios:\n  - {name: a, goal: b, opens: c, expect: {outcome: gave_up, assert: [{type: happy}]}}": `s.yaml:2: there is no assertion "happy"`,
		"scenarios:\n  - {name: a, mood: bad}":                                                              `unknown key "mood"`,
	} {
		_, err := LoadSimulation(fstest.MapFS{"s.yaml": {Data: []byte(body)}}, "s.yaml")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}
