package playbook

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"
)

const returns = `# Returning something that broke

The customer wants to send a broken item back.

1. **[Pull up Account]** Get the customer's full name or account ID
2. (check) **[Validate Purchase]** Confirm the purchase with [Validate Purchase]
   - Order number
   - E-mail address,
     as written on the receipt
     - or the phone number
3. If the item is older than 90 days, let the customer know that it is repaired,
   not refunded.
4. Ask how they would like to return it: by mail or in a shop.

Some explanation between.

5. Offer store credit up to $25. See [the limits](limits.md).
6. Ask your lead when it is more.

## Afterwards

1. **[End Conversation]** Thank them
`

func page(body string) assist.Document {
	return assist.Document{ID: "returns", Title: "Returns", Kind: assist.KindProcedure, Body: body}
}

func TestParse(t *testing.T) {
	p, ok := Parse(page(returns))
	if !ok {
		t.Fatal("no steps")
	}
	type row struct {
		ID, Kind, Text string
		Actions        []string
		Conditions     int
	}
	var got []row
	for _, s := range p.Steps {
		if returns[s.Start:s.End] != s.Text {
			t.Errorf("%s: range holds %q, not %q", s.ID, returns[s.Start:s.End], s.Text)
		}
		for _, c := range s.Conditions {
			if returns[c.Start:c.End] != c.Text {
				t.Errorf("%s: condition range holds %q, not %q", s.ID, returns[c.Start:c.End], c.Text)
			}
		}
		got = append(got, row{s.ID, string(s.Kind), Plain(s.Text), s.Actions, len(s.Conditions)})
	}
	want := []row{
		{"returns/1", "ask", "Get the customer's full name or account ID", []string{"Pull up Account"}, 0},
		{"returns/2", "do", "Confirm the purchase with [Validate Purchase]", []string{"Validate Purchase"}, 3},
		{"returns/3", "say", "If the item is older than 90 days, let the customer know that it is repaired, not refunded.", nil, 0},
		{"returns/4", "ask", "Ask how they would like to return it: by mail or in a shop.", nil, 0},
		{"returns/5", "offer", "Offer store credit up to $25. See [the limits](limits.md).", nil, 0},
		{"returns/6", "hand_over", "Ask your lead when it is more.", nil, 0},
		{"returns/2.1", "say", "Thank them", []string{"End Conversation"}, 0},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("steps (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]int{1, 1, 2}, []int{p.Steps[1].Conditions[0].Depth, p.Steps[1].Conditions[1].Depth, p.Steps[1].Conditions[2].Depth}); d != "" {
		t.Errorf("depths (-want +got):\n%s", d)
	}
}

func TestParseShapes(t *testing.T) {
	tests := map[string]struct {
		body string
		ids  []string
	}{
		"nothing":            {"", nil},
		"prose":              {"In 2024. we moved.\n\n- a\n- b\n", nil},
		"a year is no step":  {"We were founded in\n\n2024.5 was good", nil},
		"all ones":           {"1. a\n1. b\n1. c\n", []string{"returns/1", "returns/2", "returns/3"}},
		"starts again":       {"1. a\n2. b\n\n# More\n\n1. c\n2. d\n", []string{"returns/1", "returns/2", "returns/2.1", "returns/2.2"}},
		"code is not a step": {"```\n1. a\n```\n", nil},
		"parentheses, CRLF":  {"1) a\r\n2) b\r\n", []string{"returns/1", "returns/2"}},
		"bare numbers":       {"1.\n2. b", []string{"returns/2"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, ok := Parse(page(tt.body))
			var ids []string
			for _, s := range p.Steps {
				ids = append(ids, s.ID)
			}
			if ok != (len(tt.ids) > 0) {
				t.Errorf("ok = %v", ok)
			}
			if d := cmp.Diff(tt.ids, ids); d != "" {
				t.Errorf("ids (-want +got):\n%s", d)
			}
		})
	}
}

func TestNext(t *testing.T) {
	p, _ := Parse(page(returns))
	action := func(names ...string) (turns []assist.Turn) {
		for _, n := range names {
			turns = append(turns, assist.Turn{Role: assist.RoleSystem, Action: &assist.Action{Name: n}})
		}
		return turns
	}
	tests := map[string]struct {
		turns []assist.Turn
		ticks []assist.StepChange
		want  string
	}{
		"start":                      {want: "*1 2 3 4"},
		"one done":                   {turns: action("pull-up-account"), want: "x1 *2 3 4"},
		"names agree":                {turns: action("PULL UP ACCOUNT", "validate_purchase"), want: "x2 *3 4 5"},
		"ticked":                     {turns: action("pull up account"), ticks: []assist.StepChange{{StepID: "returns/2", State: assist.StepDone}}, want: "x2 *3 4 5"},
		"skipped":                    {ticks: []assist.StepChange{{StepID: "returns/1", State: assist.StepSkipped}}, want: "-1 *2 3 4"},
		"taken back":                 {turns: action("pull-up-account"), ticks: []assist.StepChange{{StepID: "returns/1", State: assist.StepTodo}}, want: "*1 2 3 4"},
		"talking leaves no report":   {turns: action("pull up account", "validate purchase", "end conversation"), want: "x4 x5 x6 x2.1"},
		"an action left out is next": {turns: action("validate purchase"), want: "*1 x2 3 4"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range Next(p, tt.turns, tt.ticks) {
				mark := map[assist.StepState]string{assist.StepDone: "x", assist.StepSkipped: "-"}[s.State]
				if s.Current {
					mark += "*"
				}
				got = append(got, mark+strings.TrimPrefix(s.ID, "returns/"))
			}
			if g := strings.Join(got, " "); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
		})
	}
}

func TestQuestion(t *testing.T) {
	tests := map[string]string{
		"Get the customer's full name or account ID":           "Could you give me your full name or account ID, please?",
		"Get Full Name or Account ID for [Pull up Account]":    "Could you give me your full name or account ID, please?",
		"Ask for the new, desired value.":                      "Could you give me your new, desired value, please?",
		"Ask how they would like to return it: by mail.":       "May I ask how you would like to return it?",
		"Ask the customer for their order number":              "Could you give me your order number, please?",
		"Ask how long they have been waiting and enter it":     "May I ask how long you have been waiting?",
		"Ask for one photo of the item and one of the box.":    "Could you send me one photo of the item and one of the box, please?",
		"Ask for two of these: name, order number.":            "",
		"Find out how much the fee will be":                    "",
		"Find out how they paid":                               "May I ask how you paid?",
		"Ask <b>something</b>":                                 "",
		"Ask nicely":                                           "",
		"Get [Something]":                                      "",
		"Ask for what the customer said to the other customer": "",
	}
	for in, want := range tests {
		if got := Question(assist.NextStep{Kind: assist.StepAsk, Text: in}); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := Question(assist.NextStep{Kind: assist.StepDo, Text: "Ask for it"}); got != "" {
		t.Errorf("a step to do became %q", got)
	}
}

// data is where real policies stand on a developer's machine; the tests that
// use it are skipped where it is absent.
func data(t testing.TB, path string) string {
	return filepath.Join(testkit.Dir(t), "dev", path)
}

func policies(t testing.TB) map[string]assist.Document {
	files, err := filepath.Glob(data(t, "abcd/policies/*.md"))
	if err != nil || len(files) == 0 {
		t.Skip("no policies")
	}
	docs := map[string]assist.Document{}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSuffix(filepath.Base(f), ".md")
		docs[id] = assist.Document{ID: id, Title: id, Body: string(body)}
	}
	return docs
}

func TestRealPolicies(t *testing.T) {
	number := regexp.MustCompile(`(?m)^\d+\. `)
	parsed, plain := 0, 0
	for id, d := range policies(t) {
		p, ok := Parse(d)
		if want := len(number.FindAllString(d.Body, -1)); len(p.Steps) != want {
			t.Errorf("%s: %d steps, the page has %d", id, len(p.Steps), want)
		}
		if ok {
			parsed++
		} else {
			plain++
		}
	}
	t.Logf("%d pages with steps, %d without", parsed, plain)
}

// TestTextOrder says how often the page's own order, followed on the right page,
// names the button that the agent pressed next.
func TestTextOrder(t *testing.T) {
	procedures := map[string]Procedure{}
	for id, d := range policies(t) {
		if p, ok := Parse(d); ok {
			procedures[id] = p
		}
	}
	type point struct {
		Policy string `json:"policy"`
		Conv   string `json:"conversation"`
		Target struct {
			Step   string   `json:"step"`
			Accept []string `json:"accept"`
		} `json:"target"`
	}
	f, err := os.Open(data(t, "abcd/next_steps.jsonl"))
	if os.IsNotExist(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	done := map[string][]assist.Turn{}
	points, first, three := 0, 0, 0
	for dec := json.NewDecoder(f); dec.More(); {
		var pt point
		if err := dec.Decode(&pt); err != nil {
			t.Fatal(err)
		}
		p, ok := procedures[strings.ReplaceAll(pt.Policy, "/", "--")]
		if !ok || len(pt.Target.Accept) == 0 || pt.Target.Step != "take_action" {
			continue
		}
		points++
		var buttons []string
		for _, s := range Next(p, done[pt.Conv], nil) {
			if s.State == assist.StepTodo && s.Action != "" {
				buttons = append(buttons, Key(s.Action))
			}
		}
		accept := map[string]bool{}
		for _, a := range pt.Target.Accept {
			accept[Key(a)] = true
		}
		for i, b := range buttons {
			if accept[b] {
				if i == 0 {
					first++
				}
				three++
				break
			}
		}
		done[pt.Conv] = append(done[pt.Conv], assist.Turn{Action: &assist.Action{Name: pt.Target.Accept[0]}})
	}
	if float64(three) < 0.6*float64(points) || points == 0 {
		t.Errorf("of %d points the right button was shown at %d", points, three)
	}
	t.Logf("%d points: right button first %.3f, shown %.3f", points, float64(first)/float64(points), float64(three)/float64(points))
}

func FuzzParse(f *testing.F) {
	f.Add(returns)
	f.Add("1. [a] (b\n - c\n\t- d\n 2) e")
	f.Add("1. Ask how İİİ")
	f.Fuzz(func(t *testing.T, body string) {
		p, ok := Parse(page(body))
		if ok != (len(p.Steps) > 0) {
			t.Fatal("ok does not say whether there are steps")
		}
		ids := map[string]bool{}
		for _, s := range p.Steps {
			if ids[s.ID] || body[s.Start:s.End] != s.Text {
				t.Fatalf("step %q: repeated, or not where it says", s.ID)
			}
			ids[s.ID] = true
			for _, c := range s.Conditions {
				if body[c.Start:c.End] != c.Text {
					t.Fatalf("condition of %q is not where it says", s.ID)
				}
			}
		}
		if n := len(Next(p, nil, nil)); n > Shown {
			t.Fatalf("%d steps shown", n)
		}
		for _, s := range Next(p, nil, nil) {
			Question(s)
		}
	})
}

// TestPaths: on a page that says after each step which comes next, named outcomes are
// not things to do but lead on from the step before them, a step may come again, a
// report names only the kind of action, and a goodbye beside the steps is found when
// the customer leaves.
func TestPaths(t *testing.T) {
	p, ok := Parse(assist.Document{ID: "booking", Title: "Booking", Kind: assist.KindProcedure, Body: "# Booking\n\n" +
		"1. `hello`: Hello, how can I help? -> then `ask_day`\n" +
		"2. `ask_day`: Which day is it for? -> then `query_check`\n" +
		"3. `query_check`: Query Check\n" +
		"4. `available`: Available -> then `confirm`\n" +
		"5. `confirm`: There is a table. Shall I book it?\n" +
		"6. `unavailable`: Unavailable -> then `ask_day`\n" +
		"7. `yes`: Yes -> then `query_book`\n" +
		"8. `query_book`: Query Book -> then `booked`\n" +
		"9. `booked`: It is booked.\n\n## Other replies\n\n- `goodbye_1`: Thank you and goodbye.\n- a bullet without a name\n"})
	if !ok || len(p.Replies) != 1 || p.Replies[0] != (Reply{"goodbye_1", "Thank you and goodbye."}) {
		t.Fatalf("%v %+v", ok, p.Replies)
	}
	b := NewBook([]Procedure{p})
	act := func(name string) assist.Turn {
		return assist.Turn{Role: assist.RoleSystem, Action: &assist.Action{Name: name}}
	}
	says := func(text string) assist.Turn { return assist.Turn{Role: assist.RoleCustomer, Text: text} }
	for _, tt := range []struct {
		turns []assist.Turn
		want  []string // in the first two
	}{
		{[]assist.Turn{says("a table for two please")}, []string{"hello"}},
		{[]assist.Turn{act("hello"), says("a table please"), act("ask_day"), says("friday")}, []string{"query_check"}},
		{[]assist.Turn{act("ask_day"), says("friday"), act("query:tables")}, []string{"confirm", "ask_day"}},
		{[]assist.Turn{act("ask_day"), says("friday"), act("query:tables"), act("confirm"), says("yes")}, []string{"query_book"}},
		{[]assist.Turn{act("confirm"), says("yes"), act("query:tables")}, []string{"booked"}},
		{[]assist.Turn{act("query_book"), act("booked"), says("great, thanks, bye")}, []string{"goodbye_1"}},
	} {
		f := NewWeights().Forecast(b, tt.turns, Clues{})
		var got []string
		for _, x := range f.Buttons[:2] {
			got = append(got, x.Name)
		}
		if d := cmp.Diff(tt.want, got[:len(tt.want)]); d != "" {
			t.Errorf("after %v: %s", tt.turns[len(tt.turns)-1], d)
		}
		for _, x := range f.Buttons {
			if x.Name == "available" || x.Name == "unavailable" || x.Name == "yes" {
				t.Errorf("%s is what comes out, nothing to do", x.Name)
			}
		}
	}
}
