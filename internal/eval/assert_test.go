package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/retrieve"
)

// assertionOf reads one assertion as a suite would.
func assertionOf(t *testing.T, yaml string) Assertion {
	t.Helper()
	s, err := Load(fstest.MapFS{"s.yaml": {Data: []byte("tests:\n  - vars: {question: hi}\n    assert: [" + yaml + "]\n")}}, "s.yaml")
	if err != nil {
		t.Fatalf("%s: %v", yaml, err)
	}
	return s.Cases[0].Asserts[0]
}

// shop is a small knowledge with a public and an internal page.
func shop() *Knowledge {
	doc := func(id string, audience assist.Audience, text string) assist.Document {
		return assist.Document{ID: id, Title: id, Kind: assist.KindPolicy, Audience: audience, Language: "en",
			Passages: []assist.Passage{{ID: id + "/1", DocumentID: id, Text: text}}}
	}
	k := newKnowledge([]assist.Document{
		doc("returns", assist.AudiencePublic, "You can return an unused item within 60 days of delivery. See https://shop.example/returns for more."),
		doc("limits", assist.AudienceInternal, "Agents may add store credit of up to twenty five dollars per customer and quarter."),
	}, retrieve.Options{})
	var err error
	k.authority, err = playbook.ParseAuthority([]byte(`
currency: USD
policy: limits
gestures: {store_credit: {title: Store credit, action: Add Store Credit, unit: money, rank: 1}}
limits: [{role: agent, gesture: store_credit, amount: 25, period: quarter}]
`))
	if err != nil {
		panic(err)
	}
	return k
}

func hits(k *Knowledge) []assist.Hit {
	h := k.all()
	slices.SortFunc(h, func(a, b assist.Hit) int { return strings.Compare(b.ID, a.ID) }) // returns first
	return h
}

// suggestion is a good one: cites returns, two steps, two options.
func suggestion(k *Knowledge) *assist.Suggestion {
	quote := "You can return an unused item within 60 days of delivery."
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{
		{Text: "I'm sorry about your jacket.", Courtesy: true},
		{Text: quote, Citations: []assist.Citation{{PassageID: "returns/1", Quote: quote, End: len(quote)}}},
	})
	return &assist.Suggestion{
		State: assist.SuggestionReady, Standing: assist.StandingReady, Hits: hits(k), Draft: &d,
		Steps: []assist.NextStep{
			{ID: "return-item/1", State: assist.StepDone, Text: "Greet"},
			{ID: "return-item/2", State: assist.StepTodo, Current: true, Text: "Ask for the number", Action: "Pull Up Account"},
			{ID: "return-item/3", State: assist.StepTodo, Text: "Hand over to a lead", Kind: assist.StepHandOff},
		},
		Options: []assist.Option{{Title: "Refund"}, {Title: "Repair"}},
	}
}

func TestAssertions(t *testing.T) {
	k := shop()
	say := func(text string) func(*assist.Suggestion) {
		return func(s *assist.Suggestion) {
			d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text}})
			s.Draft = &d
		}
	}
	plain := func(text string) Output { return Output{Text: text} }
	of := func(change func(*assist.Suggestion)) Output {
		s := suggestion(k)
		if change != nil {
			change(s)
		}
		o := Output{Suggestion: s}
		if s.Draft != nil {
			o.Text = s.Draft.Text
		}
		return o
	}
	botSays := func(answer, reason string) Output {
		d := bot.Decision{Answer: answer, Reason: reason}
		if answer != "" && answer != "Hello!" {
			d.Sources = []assist.Source{{Title: "returns"}}
		}
		return Output{Suggestion: suggestion(k), Bot: &d}
	}
	limits, err := k.guide("", time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), "x")
	if err != nil {
		t.Fatal(err)
	}
	verdict := func(check string) func(*assist.Suggestion) {
		return func(s *assist.Suggestion) {
			s.Verdicts = []assist.Verdict{{Check: check, Outcome: assist.Warn, Sentence: 1, Words: "60 days"}}
		}
	}
	judges := judgesOf(t)
	judge := func(pass bool) string {
		return fmt.Sprintf(`{type: llm-rubric, value: polite, provider: "openai:chat:%v"}`, pass)
	}
	tests := []struct {
		assert     string
		pass, fail Output
	}{
		{`{type: equals, value: yes it is}`, plain("yes it is"), plain("Yes it is")},
		{`{type: equals, value: '{"a": 1}'}`, plain(`{ "a":1 }`), plain(`{"a":2}`)},
		{`{type: contains, value: Cat}`, plain("a Cat"), plain("a cat")},
		{`{type: icontains, value: CAT}`, plain("a cat"), plain("a dog")},
		{`{type: contains-all, value: [a1, b2]}`, plain("b2 a1"), plain("a1")},
		{`{type: contains-all, value: "a1, b2"}`, plain("b2 a1"), plain("a1")},
		{`{type: icontains-all, value: [a1, b2]}`, plain("B2 A1"), plain("a1")},
		{`{type: contains-any, value: [a1, b2]}`, plain("b2"), plain("c3")},
		{`{type: icontains-any, value: [A1, B2]}`, plain("b2"), plain("c3")},
		{`{type: starts-with, value: Hi}`, plain("Hi there"), plain("Oh Hi")},
		{`{type: regex, value: '\d+ days'}`, plain("in 60 days"), plain("in days")},
		{`{type: is-json}`, plain(`{"a":1}`), plain(`{"a":`)},
		{`{type: is-json, value: {type: object, required: [a]}}`, plain(`{"a":1}`), plain(`{"b":1}`)},
		{`{type: contains-json, value: {type: object, required: [a]}}`, plain(`so: {"a":1}!`), plain(`so: {"b":1}`)},
		{`{type: equals, value: {a: 1}}`, plain(`{ "a":1 }`), plain(`{"a":2}`)},
		{`{type: is-xml}`, plain("<a><b/>x</a>"), plain("see <a><b/></a>")},
		{`{type: is-xml, value: {requiredElements: [a.b]}}`, plain("<a><b/></a>"), plain("<a><c/></a>")},
		{`{type: contains-xml}`, plain("so: <a><b/></a>!"), plain("so: <a><b></a>")},
		{`{type: is-html}`, plain("<h1>T</h1><p>Hi<br>there</p>"), plain("Hi <b>you</b>")},
		{`{type: contains-html}`, plain("Hi <b>you</b>"), plain("a < b")},
		{`{type: word-count, value: 2}`, plain("two words"), plain("one")},
		{`{type: word-count, value: {min: 1, max: 2}}`, plain("one"), plain("one two three")},
		{`{type: levenshtein, value: kitten, threshold: 3}`, plain("sitting"), plain("something else")},
		{`{type: latency, threshold: 100}`, Output{Latency: 99 * time.Millisecond}, Output{Latency: 101 * time.Millisecond}},
		{`{type: cost, threshold: 0.01}`, Output{Priced: true, Cost: 0.005}, Output{Priced: true, Cost: 0.02}},
		{`{type: language, value: de}`, plain("Die Rücksendung ist für Sie kostenlos, und wir schicken das Paket."), plain("The return is free for you, and we send the parcel.")},
		{`{type: tone}`, plain("I'll take care of it."), plain("Unfortunately our policy does not allow that.")},
		{`{type: assert-set, threshold: 0.5, assert: [{type: contains, value: a}, {type: contains, value: b}]}`, plain("a"), plain("c")},
		{`{type: assert-set, assert: [{type: contains, value: a}, {type: contains, value: b}]}`, plain("ab"), plain("a")},

		{`{type: cites, value: [other, returns]}`, of(nil), of(say("Nothing."))},
		{`{type: retrieves, value: returns, threshold: 1}`, of(nil), of(func(s *assist.Suggestion) { slices.Reverse(s.Hits) })},
		{`{type: retrieves, value: returns}`, of(nil), of(func(s *assist.Suggestion) { s.Hits = nil })},
		{`{type: grounded}`, of(nil), of(say("We pay you."))},
		{`{type: grounded}`, of(func(s *assist.Suggestion) { s.Draft = nil }), of(verdict("supported"))},
		{`{type: promises-kept}`, of(nil), of(verdict("promises"))},
		{`{type: next-step, value: return-item}`, of(nil), of(func(s *assist.Suggestion) { s.Steps = nil })},
		{`{type: next-step, value: "[pull up account]"}`, of(nil), of(func(s *assist.Suggestion) { s.Steps[1].State = assist.StepDone })},
		{`{type: abstains}`, of(func(s *assist.Suggestion) { s.State = assist.SuggestionAbstained }), of(nil)},
		{`{type: hands-over}`, of(nil), of(func(s *assist.Suggestion) { s.Steps = s.Steps[:2] })},
		{`{type: no-internal}`, of(nil), of(say("Agents may add store credit of up to twenty five dollars per customer and quarter."))},
		{`{type: no-internal, value: SK-1}`, of(nil), of(say("It is batch sk-1."))},
		{`{type: no-link}`, of(say("See https://shop.example/returns for more.")), of(say("See https://evil.example/x for more."))},
		{`{type: no-link}`, plain("none"), plain("see https://evil.example")},
		{`{type: options, value: 2}`, of(nil), of(func(s *assist.Suggestion) { s.Options = nil })},
		{`{type: offers, value: refund}`, of(nil), of(func(s *assist.Suggestion) { s.Options = s.Options[1:] })},
		{`{type: offers, value: "mine: repair"}`, of(nil), of(func(s *assist.Suggestion) { s.Options[1].Authority = playbook.Lead })},
		{`{type: offers, value: "lead: repair"}`, of(func(s *assist.Suggestion) { s.Options[1].Authority = playbook.Lead }), of(nil)},
		{`{type: authority}`, of(func(s *assist.Suggestion) { s.Options[0].ID = "gesture/store_credit/2500" }), of(func(s *assist.Suggestion) { s.Options[0].ID = "gesture/store_credit/2600" })},
		{`{type: authority}`, of(say("I'd like to give you a store credit of $25.")), of(say("I'd like to give you a store credit of $30."))},
		{`{type: hands-over}`, botSays("", "no public page"), botSays("60 days.", "")},
		{`{type: hands-over, value: public}`, botSays("", "no public page"), botSays("", "anger")},
		{`{type: abstains}`, botSays("", "no public page"), botSays("60 days.", "")},
		{`{type: abstains}`, botSays("Hello!", ""), botSays("60 days.", "")},
		{`{type: superseded, value: old-returns}`, of(nil), of(func(s *assist.Suggestion) { s.Hits[0].DocumentID = "old-returns" })},
		{`{type: acknowledges, value: jacket}`, of(nil), of(say("Hello."))},
		{`{type: state, value: ready}`, of(nil), of(func(s *assist.Suggestion) { s.State, s.Standing = assist.SuggestionFailed, assist.StandingCheck })},
		{judge(true), plain("Good day."), plain("")},

		{`{type: rouge-n, value: Refunds take five days.}`, plain("Refunds take five days."), plain("A refund takes about a week or so.")},
		{`{type: similar, value: [Refunds take five days, Exchanges are free], threshold: 0.8, provider: lexical}`, plain("Exchanges: free."), plain("Refunds are free.")},
		{`{type: factuality, value: Refunds take five days, provider: "openai:chat:careful"}`, plain("Five days."), plain("Nine days.")},
		{`{type: answer-relevance, provider: {text: "openai:chat:careful", embedding: lexical}}`, plain("Five days."), plain("Nine days.")},
		{`{type: context-recall, value: Refunds take five days. They go to the card., threshold: 1, provider: "openai:chat:careful"}`, of(nil), of(func(s *assist.Suggestion) { s.Hits = s.Hits[1:] })},
		{`{type: context-relevance, threshold: 1, provider: "openai:chat:careful"}`, of(func(s *assist.Suggestion) { s.Hits = s.Hits[:1] }), of(nil)},
		{`{type: context-faithfulness, threshold: 1, provider: "openai:chat:careful"}`, of(say("You can return an unused item.")), of(say("You get $900."))},
		{`{type: not-contains, value: cat}`, plain("dog"), plain("cat")},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		t.Run(tt.assert, func(t *testing.T) {
			a := assertionOf(t, tt.assert)
			seen[a.Type] = true
			asks := Case{Vars: map[string]string{"query": "how long do refunds take"}}
			for _, side := range []struct {
				out  Output
				want bool
			}{{tt.pass, true}, {tt.fail, false}} {
				g := gradeOne(t.Context(), &a, subject{c: asks, out: side.out, know: k, guide: limits, judge: judges, embed: noVectors})
				if g.Err != nil || g.Pass != side.want || g.Score < 0 || g.Score > 1 {
					t.Errorf("%q: %+v, want pass %v", side.out.Text, g, side.want)
				}
			}
		})
	}
	for _, name := range Kinds() {
		if !seen[name] {
			t.Errorf("%s has no passing and failing test", name)
		}
	}
}

func noVectors(string) (llm.Embedder, error) { return nil, nil }

// judgesOf gives judges that say what their names say.
func judgesOf(t *testing.T) func(context.Context, string, int) (asked, error) {
	return func(_ context.Context, id string, _ int) (asked, error) {
		answer := map[string]string{
			"openai:chat:true":    `{"reason":"it is","pass":true,"score":0.9}`,
			"openai:chat:false":   `Sure! {"reason":"it is not","pass":false,"score":0.1}`,
			"openai:chat:garbage": `I think it is fine.`,
			"openai:chat:range":   `{"reason":"","pass":true,"score":7}`,
		}[id]
		m := &llm.Script{Deltas: []string{answer}, Label: id}
		if id == "openai:chat:careful" {
			m.Answer = func(r llm.Request) []string { return []string{careful(r.Messages[1].Content)} }
		}
		return asked{model: m, prompts: promptSet(t)}, nil
	}
}

// fenced gives what stands in the fences of a name.
func fenced(text, name string) (out []string) {
	for {
		_, rest, ok := strings.Cut(text, "<<< "+name+" ")
		if !ok {
			return out
		}
		code, rest, _ := strings.Cut(rest, "\n")
		inside, rest, _ := strings.Cut(rest, "\n>>> "+code)
		out, text = append(out, inside), rest
	}
}

// careful judges by rule, in the answer of whichever prompt it is asked: sentences
// hold when the page of returns is there, or are it; nine days are wrong.
func careful(asking string) string {
	returns := "You can return"
	if list := fenced(asking, "sentence"); len(list) > 0 {
		var out []string
		context := strings.Join(fenced(asking, "context"), "")
		for i, s := range list {
			holds := strings.Contains(s, returns)
			if context != "" {
				holds = strings.Contains(context, returns) && !strings.Contains(s, "$900")
			}
			out = append(out, fmt.Sprintf(`{"number":%d,"reason":"so","holds":%v}`, i+1, holds))
		}
		return `{"verdicts":[` + strings.Join(out, ",") + `]}`
	}
	nine := strings.Contains(strings.Join(fenced(asking, "reply"), ""), "Nine")
	switch {
	case len(fenced(asking, "expert")) > 0 && nine:
		return `{"reason":"nine is not five","category":"contradiction"}`
	case len(fenced(asking, "expert")) > 0:
		return `{"reason":"it says so","category":"subset"}`
	case nine:
		return `{"question":"how many muses are there"}`
	}
	return `{"question":"How long do refunds take?"}`
}

func TestJudge(t *testing.T) {
	judges := judgesOf(t)
	grade := func(id string, j func(context.Context, string, int) (asked, error)) Grade {
		a := assertionOf(t, `{type: llm-rubric, value: polite, repeats: 4, provider: "openai:chat:`+id+`"}`)
		return a.grade(t.Context(), subject{out: Output{Text: "Good day."}, judge: j})
	}
	if g := grade("false", judges); g.Pass || g.Err != nil || !strings.Contains(g.Reason, "agreement 1.00") || !strings.Contains(g.Reason, "openai:chat:false") {
		t.Errorf("%+v", g)
	}
	for _, id := range []string{"garbage", "range"} {
		if g := grade(id, judges); g.Err == nil || g.Pass {
			t.Errorf("a judge whose answer is %s: %+v, want an error", id, g)
		}
	}
	late := func(context.Context, string, int) (asked, error) {
		return asked{model: &llm.Script{Err: llm.ErrFirstToken, Label: "slow"}, prompts: promptSet(t)}, nil
	}
	if g := grade("x", late); !errors.Is(g.Err, llm.ErrFirstToken) || !strings.Contains(g.Err.Error(), "judge slow") {
		t.Errorf("a judge that times out: %+v", g)
	}
	odd := func(_ context.Context, _ string, repeat int) (asked, error) {
		text := `{"reason":"","pass":true,"score":1}`
		if repeat == 3 {
			text = `{"reason":"","pass":false,"score":0}`
		}
		return asked{model: &llm.Script{Deltas: []string{text}, Label: "odd"}, prompts: promptSet(t), self: true}, nil
	}
	if g := grade("x", odd); !g.Pass || g.Score != 0.75 || !strings.Contains(g.Reason, "3 of 4 say pass, agreement 0.75") || !strings.Contains(g.Reason, "its own answer") {
		t.Errorf("%+v", g)
	}
}

// TestGradedHoles: a judge that leaves a sentence out, names one twice or one that
// is not there, or gives a category of its own, has not judged: an error, never a
// pass. So is a model of vectors that does not answer.
func TestGradedHoles(t *testing.T) {
	s := subject{out: Output{Text: "It is free. It is fast."}, c: Case{Context: []string{"It is free. It is fast."}, Vars: map[string]string{"query": "what is it"}}, embed: noVectors}
	for assert, answers := range map[string][]string{
		`{type: context-faithfulness}`: {
			`{"verdicts":[]}`, `{"verdicts":[{"number":1,"reason":"","holds":true}]}`, `{"verdicts":[{"number":1,"reason":""},{"number":2,"reason":"","holds":true}]}`,
			`{"verdicts":[{"number":1,"reason":"","holds":true},{"number":1,"reason":"","holds":true}]}`, `{"verdicts":[{"number":1,"reason":"","holds":true},{"number":3,"reason":"","holds":true}]}`,
		},
		`{type: factuality, value: It is free.}`: {`{"reason":"x","category":"A"}`, `{}`, "yes"},
		`{type: answer-relevance}`:               {`{}`, "What is it?"},
	} {
		for _, text := range answers {
			calls := 0
			s.judge = func(context.Context, string, int) (asked, error) {
				return asked{model: &llm.Script{Label: "j", Answer: func(llm.Request) []string { calls++; return []string{text} }}, prompts: promptSet(t)}, nil
			}
			a := assertionOf(t, assert)
			a.Not = true // nothing turns an error into a pass
			if g := a.grade(t.Context(), s); g.Err == nil || g.Pass || calls != 2 {
				t.Errorf("%s, judge says %s: %+v after %d calls, want an error after 2", assert, text, g, calls)
			}
		}
	}
	a := assertionOf(t, `{type: similar, value: It is free.}`)
	s.embed = func(string) (llm.Embedder, error) { return nil, llm.ErrDown }
	if g := a.grade(t.Context(), s); !errors.Is(g.Err, llm.ErrDown) {
		t.Errorf("no vectors: %+v, want an error", g)
	}
}

// TestSimilar: by the model's vectors where there is one, said by whom.
func TestSimilar(t *testing.T) {
	vectors := map[string][]float32{"a": {1, 0}, "b": {0, 2}, "c": {3, 4}}
	s := subject{out: Output{Text: "c"}, embed: func(id string) (llm.Embedder, error) { return table{id, vectors}, nil }}
	for assert, want := range map[string]Grade{
		`{type: similar, value: [a, b], threshold: 0.8, provider: "openai:embedding:e"}`:  {Pass: true, Score: 0.8, Reason: "it is 0.80 like it, by openai:embedding:e; 0.80 is asked for"},
		`{type: 'similar:cosine', value: a}`:                                              {Score: 0.6, Reason: "it is 0.60 like it, by ; 0.75 is asked for"},
		`{type: not-similar, value: a, threshold: 0.7, provider: {embedding: "lexical"}}`: {Pass: true, Score: 0.4, Reason: "it is 0.60 like it, by lexical; 0.70 is asked for"},
	} {
		a := assertionOf(t, assert)
		g := a.grade(t.Context(), s)
		g.Score = math.Round(g.Score*1e6) / 1e6
		if d := cmp.Diff(want, g); d != "" {
			t.Errorf("%s: %s", assert, d)
		}
	}
}

// table is a model of vectors with a few words.
type table struct {
	name    string
	vectors map[string][]float32
}

func (m table) Name() string { return m.name }

func (m table) Embed(_ context.Context, texts []string) (out [][]float32, err error) {
	for _, t := range texts {
		out = append(out, m.vectors[t])
	}
	return out, nil
}

// TestRouge: the scores are those that promptfoo 0.123.1 gives.
func TestRouge(t *testing.T) {
	for _, tt := range rougeScores {
		if got := rougeScore(tt.candidate, tt.reference); math.Abs(got-tt.score) > 1e-9 {
			t.Errorf("%q against %q: %v, promptfoo says %v (%q, %q)", tt.candidate, tt.reference, got, tt.score, treebank(strings.ToLower(tt.candidate)), treebank(strings.ToLower(tt.reference)))
		}
	}
}

func TestAboutSuggestionsOnly(t *testing.T) {
	a := assertionOf(t, `{type: cites, value: x}`)
	if g := a.grade(t.Context(), subject{out: Output{Text: "x"}}); g.Err == nil {
		t.Errorf("cites of a plain answer: %+v, want an error", g)
	}
	a = assertionOf(t, `{type: cost, threshold: 1}`)
	if g := a.grade(t.Context(), subject{out: Output{Tokens: assist.Usage{Prompt: 5}}}); g.Err == nil {
		t.Errorf("a cost without a price: %+v, want an error", g)
	}
}

// rougeScores were printed by promptfoo's own functions.
var rougeScores = []struct {
	candidate, reference string
	score                float64
}{
	{"the cat sat on the mat", "The cat sat on the mat.", 0.923076923076923},
	{"It's $14.95, and takes 4:30 hours.", "It costs $14.95 and takes 4:30 hours", 0.7777777777777778},
	{"We cannot refund it; we'll send \"a new one\" (free).", "We can not refund it. We'll send a new one for free!", 0.6875},
	{"don't you? I can't, won't...", "you don't? I cannot -- will not", 0.4761904761904762},
	{"Sent by e.g. U.S. Mail", "sent by mail in the U.S.", 0.7272727272727273},
	{"the customers' parcels' labels", "the customers' parcels", 0.8},
	{"gonna wanna gotta go, 'tis 'twas", "going to want to go, it is", 0.30000000000000004},
	{"", "a", 0},
	{"Üben wir 3,5 Stück, bitte?", "Wir üben 3,5 Stück", 0.7272727272727272},
	{"He said \"yes\" and \"no.\"", "He said yes and \"no\".", 0.888888888888889},
	{"a <b> c {d} [e]", "a b c d e", 0.625},
	{"100% of #5 & @x", "100 % of # 5 and x", 0.8},
	{"one, two,three: four", "one two three four", 0.7272727272727272},
	{"It is I'd, I'm and He's", "I would and I am", 0.39999999999999997},
}
