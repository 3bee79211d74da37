package eval

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/privacy"
)

// Edited is a draft that an agent changed or did not want, and what was sent. It
// holds what customers wrote; candidates do not.
type Edited struct {
	Suggestion string
	Customer   string // names, as far as they are known
	Agent      string
	Turns      []assist.Turn // up to the one that was answered
	Draft      *assist.Draft
	Hits       []assist.Hit
	Reply      string
	Reason     string // why an agent marked it bad: wrong_fact, outdated, off_topic, tone, bad_timing
	At         time.Time
}

// Class says what was wrong with a draft, by what the agent changed.
type Class string

// The classes, in the order they are looked for.
const (
	ClassFact    Class = "fact"         // other amounts, dates or conditions, or another matter
	ClassLong    Class = "too long"     // the same, less of it
	ClassMissing Class = "missing step" // a question or a next step was added
	ClassTone    Class = "tone"         // the same in other words
)

// Candidate is a case made of an edit. Every text in it is without what says who
// somebody is. Its own draft fails it and its own reply passes, as far as that can
// be said without a model.
type Candidate struct {
	Suggestion   string          `json:"suggestion"`
	Class        Class           `json:"class"`
	Why          string          `json:"why"`
	Seen         int             `json:"seen"` // edits like this one
	At           time.Time       `json:"at"`
	Description  string          `json:"description"`
	Conversation string          `json:"conversation"`
	Draft        string          `json:"draft"`
	Reply        string          `json:"reply"`
	Needs        string          `json:"needs,omitempty"` // model: nobody can say without one
	Assert       []HarvestAssert `json:"assert"`

	terms map[string]bool
}

// HarvestAssert is an assertion of a candidate, as a suite writes it.
type HarvestAssert struct {
	Type  string `json:"type" yaml:"type"`
	Value any    `json:"value,omitempty" yaml:"value,omitempty"`
}

// Harvest is what edits became.
type Harvest struct {
	Edits      int         `json:"edits"`
	Candidates []Candidate `json:"candidates"`
	Alike      int         `json:"alike"`   // counted in another's Seen
	Trivial    int         `json:"trivial"` // a comma, a greeting: nothing to learn
	Unsafe     int         `json:"unsafe"`  // something private may be left in it
}

// HarvestEdits makes candidates of edits: private things are taken out first, and
// only what is left is looked at.
func HarvestEdits(ctx context.Context, edits []Edited) Harvest {
	h := Harvest{Edits: len(edits), Candidates: []Candidate{}}
	for _, e := range edits {
		c, ok := candidate(ctx, e)
		if !ok {
			h.Trivial++
			continue
		}
		if !c.clean() {
			h.Unsafe++
			continue
		}
		if i := slices.IndexFunc(h.Candidates, func(o Candidate) bool { return o.Class == c.Class && alike(o.terms, c.terms) }); i >= 0 {
			h.Candidates[i].Seen++
			h.Alike++
			continue
		}
		h.Candidates = append(h.Candidates, c)
	}
	slices.SortStableFunc(h.Candidates, func(a, b Candidate) int { return cmp.Compare(b.Seen, a.Seen) })
	return h
}

// clean reports whether nothing private can be found any more.
func (c Candidate) clean() bool {
	for _, t := range []string{c.Description, c.Conversation, c.Draft, c.Reply} {
		if len(privacy.Find(t)) > 0 {
			return false
		}
	}
	return true
}

func candidate(ctx context.Context, e Edited) (c Candidate, ok bool) {
	if e.Draft == nil || strings.TrimSpace(e.Draft.Text) == "" || lastCustomer(e.Turns) == 0 {
		return c, false
	}
	s := newScrub(e)
	c = Candidate{Suggestion: e.Suggestion, Seen: 1, At: e.At, Conversation: s.conversation(e.Turns), Draft: s.text(e.Draft.Text), Reply: s.text(e.Reply)}
	question := lastWords(c.Conversation)
	d := compareTexts(c.Draft, c.Reply)
	if d.trivial() && e.Reason == "" {
		return c, false
	}
	c.Class, c.Why = d.class(e.Reason)
	c.Description = fmt.Sprintf("%s: %s", c.Class, clip(question, 60))
	c.terms = setOf(append(lex.Terms(question, d.language), lex.Terms(strings.Join(d.added, " "), d.language)...))
	for _, a := range d.asserts(c.Class) {
		if holds(ctx, a, c.Reply) && !holds(ctx, a, c.Draft) {
			c.Assert = append(c.Assert, a)
		}
	}
	if doc := standsOn(c.Reply, d.language, e.Hits); doc != "" && c.Class == ClassFact {
		c.Assert = append(c.Assert, HarvestAssert{"cites", doc})
	}
	if len(c.Assert) == 0 {
		c.Needs = "model"
		c.Assert = []HarvestAssert{{"llm-rubric", "Says what this reply says, no more and no less, and as kindly: " + c.Reply}}
	}
	return c, true
}

// lastWords is what the customer wrote since somebody answered.
func lastWords(conversation string) string {
	var words []string
	for _, line := range strings.Split(conversation, "\n") {
		role, text, _ := strings.Cut(line, ": ")
		switch role {
		case "customer":
			words = append(words, text)
		case "agent", "bot":
			words = nil
		}
	}
	return strings.Join(words, " ")
}

// change is how a reply differs from its draft.
type change struct {
	language       string
	draft, reply   string
	added, dropped []string // facts, in their words
	sentences      []string // of the reply that say what the draft does not
	kept           float64  // share of the reply's terms that the draft has
	common         float64  // share of the draft's terms that the reply has
	shorter        float64  // words of the reply by words of the draft
}

func compareTexts(draft, reply string) change {
	c := change{language: cmp.Or(lex.Language(reply), "en"), draft: draft, reply: reply}
	facts := func(text string) (keys, words []string) {
		for _, v := range check.Values(text) {
			if v.Kind != check.Commitment && v.Kind != check.Absolute {
				end := v.End
				if rest := text[end:]; v.Kind == check.Number && strings.HasPrefix(rest, " ") { // a number alone stands anywhere
					end += 1 + len(strings.TrimRight(strings.Fields(rest + " .")[0], ".,;:!?"))
				}
				keys, words = append(keys, string(v.Kind)+v.Key), append(words, strings.TrimSpace(text[v.Start:min(end, len(text))]))
			}
		}
		return keys, words
	}
	dk, dw := facts(draft)
	rk, rw := facts(reply)
	missing := func(keys, words, in []string) (out []string) {
		for i, k := range keys {
			if !slices.Contains(in, k) && !slices.Contains(out, words[i]) {
				out = append(out, words[i])
			}
		}
		return out
	}
	c.added, c.dropped = missing(rk, rw, dk), missing(dk, dw, rk)
	dt, rt := setOf(lex.Terms(draft, c.language)), setOf(lex.Terms(reply, c.language))
	c.kept, c.common = within(rt, dt), within(dt, rt)
	c.shorter = float64(len(strings.Fields(reply))) / float64(max(len(strings.Fields(draft)), 1))
	for _, sp := range lex.Sentences(reply) {
		text := strings.TrimSpace(sp.In(reply))
		if ts := setOf(lex.Terms(text, c.language)); len(ts) > 1 && within(ts, dt) < 0.6 && !smallTalk(text) {
			c.sentences = append(c.sentences, text)
		}
	}
	return c
}

func smallTalk(s string) bool {
	low := strings.ToLower(s)
	for _, w := range []string{"anything else", "have a ", "thank you", "thanks", "you're welcome", "noch etwas", "bonne journée"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// trivial: the same words, but for a few.
func (c change) trivial() bool {
	return len(c.added)+len(c.dropped)+len(c.sentences) == 0 && c.kept > 0.9 && c.common > 0.9
}

// class says what was wrong; the agent's own mark goes first.
func (c change) class(reason string) (Class, string) {
	switch reason {
	case "wrong_fact", "outdated", "off_topic":
		return ClassFact, "the agent marked it: " + strings.ReplaceAll(reason, "_", " ")
	case "tone":
		return ClassTone, "the agent marked it: tone"
	}
	steps := slices.DeleteFunc(slices.Clone(c.sentences), func(s string) bool { return !asksOrDoes(s) })
	switch {
	case len(c.added) > 0 && len(c.dropped) > 0:
		return ClassFact, fmt.Sprintf("%q instead of %q", c.added, c.dropped)
	case c.shorter <= 0.75 && c.kept >= 0.6:
		return ClassLong, fmt.Sprintf("%.0f %% of its words were sent", 100*c.shorter)
	case len(c.added) > 0:
		return ClassFact, fmt.Sprintf("%q was added", c.added)
	case len(steps) > 0:
		return ClassMissing, fmt.Sprintf("added: %q", clip(steps[0], 80))
	case c.kept < 0.3:
		return ClassFact, "the reply says something else"
	case len(c.dropped) > 0:
		return ClassFact, fmt.Sprintf("%q was taken out", c.dropped)
	}
	return ClassTone, "the same in other words"
}

// asksOrDoes reports whether a sentence asks for something or says what happens
// now.
func asksOrDoes(s string) bool {
	low := strings.ToLower(s)
	if strings.HasSuffix(strings.TrimSpace(low), "?") {
		return true
	}
	for _, w := range []string{"please", "i'll ", "i will ", "i’ll ", "i have ", "i've ", "could you", "can you", "let me", "next", "bitte", "ich werde", "ich habe", "könnten sie", "veuillez", "je vais", "pourriez"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// asserts gives what a draft of this class should hold; those that do not tell the
// draft from the reply are sorted out later.
func (c change) asserts(class Class) (out []HarvestAssert) {
	switch class {
	case ClassFact:
		for _, f := range c.added[:min(3, len(c.added))] {
			out = append(out, HarvestAssert{"icontains", f})
		}
		for _, f := range c.dropped[:min(2, len(c.dropped))] {
			out = append(out, HarvestAssert{"not-icontains", f})
		}
	case ClassLong:
		n := len(strings.Fields(c.reply))
		out = append(out, HarvestAssert{"word-count", map[string]int{"max": int(math.Ceil(float64(n) * 1.2))}})
	case ClassMissing:
		for _, s := range c.sentences {
			if words := longest(s, c.language, 2); asksOrDoes(s) && len(words) > 0 {
				out = append(out, HarvestAssert{"icontains-all", words})
				break
			}
		}
	}
	return out
}

// polite are words that say nothing of what is asked for, and those of placeholders.
const polite = " please could would might kindly tell know like need want thank thanks name address link card mail phone bitte könnten würden veuillez pourriez "

// longest gives the n longest words of a sentence that are no stop words.
func longest(s, language string, n int) []string {
	var words []string
	for _, sp := range lex.Words(s) {
		w := strings.ToLower(sp.In(s))
		if len(lex.Terms(w, language)) > 0 && len([]rune(w)) > 3 && !slices.Contains(words, w) && !strings.Contains(polite, " "+w+" ") {
			words = append(words, w)
		}
	}
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words[:min(n, len(words))]
}

// holds grades a text by an assertion of it alone.
func holds(ctx context.Context, h HarvestAssert, text string) bool {
	a := Assertion{Type: h.Type, Weight: 1}
	if rest, ok := strings.CutPrefix(a.Type, "not-"); ok {
		a.Type, a.Not = rest, true
	}
	switch v := h.Value.(type) {
	case string:
		a.Values = []string{v}
	case []string:
		a.Values = v
	case map[string]int:
		a.Schema = fmt.Sprintf(`{"max":%d}`, v["max"])
	}
	return a.grade(ctx, subject{out: Output{Text: text}}).Pass
}

// standsOn gives the document that carries most of a reply, "" if none does.
func standsOn(reply, language string, hits []assist.Hit) (doc string) {
	best := 0.5
	for _, sp := range lex.Sentences(reply) {
		s := sp.In(reply)
		ts := setOf(lex.Terms(s, language))
		if len(ts) < 4 || check.Courtesy(s) {
			continue
		}
		for _, h := range hits {
			if share := within(ts, setOf(lex.Terms(h.Heading+" "+h.Text, language))); share > best {
				best, doc = share, h.DocumentID
			}
		}
	}
	return doc
}

func setOf(terms []string) map[string]bool {
	out := map[string]bool{}
	for _, t := range terms {
		out[t] = true
	}
	return out
}

// within is the share of a's terms that b has; 1 for none.
func within(a, b map[string]bool) float64 {
	if len(a) == 0 {
		return 1
	}
	n := 0
	for t := range a {
		if b[t] {
			n++
		}
	}
	return float64(n) / float64(len(a))
}

// alike: six of ten terms of both together are the same.
func alike(a, b map[string]bool) bool {
	n := within(a, b) * float64(len(a))
	return n >= 0.6*(float64(len(a)+len(b))-n)
}

// harvestCase is a candidate as a suite writes it.
type harvestCase struct {
	Description string            `yaml:"description"`
	Metadata    map[string]string `yaml:"metadata"`
	Vars        struct {
		Conversation string `yaml:"conversation"`
	} `yaml:"vars"`
	Assert []HarvestAssert `yaml:"assert"`
}

// HarvestHead begins a suite of harvested cases.
const HarvestHead = `description: What agents changed in drafts, so that the next draft needs no change.
prompts: [reply]
providers: [instant]
defaultTest:
  assert: [{type: grounded}, {type: no-internal}]
tests:
`

// Append gives the text of a suite with the candidates added; those that stand in
// it already are not. An empty suite gets HarvestHead; another must end with its
// tests.
func Append(suite string, candidates []Candidate) (text string, added int, err error) {
	var b strings.Builder
	if strings.TrimSpace(suite) == "" {
		suite = HarvestHead
	}
	b.WriteString(strings.TrimRight(suite, "\n") + "\n")
	for _, c := range candidates {
		if strings.Contains(suite, "suggestion: "+c.Suggestion+"\n") {
			continue
		}
		hc := harvestCase{Description: c.Description, Metadata: map[string]string{"class": string(c.Class), "suggestion": c.Suggestion}, Assert: c.Assert}
		if c.Needs != "" {
			hc.Metadata["needs"] = c.Needs
		}
		if c.Seen > 1 {
			hc.Metadata["seen"] = strconv.Itoa(c.Seen)
		}
		hc.Vars.Conversation = c.Conversation
		var one strings.Builder
		enc := yaml.NewEncoder(&one)
		enc.SetIndent(2)
		if err := enc.Encode([]harvestCase{hc}); err != nil {
			return "", 0, fmt.Errorf("write case of %s: %w", c.Suggestion, err)
		}
		for _, line := range strings.SplitAfter(one.String(), "\n") {
			if strings.TrimSpace(line) != "" {
				line = "  " + line
			}
			b.WriteString(line)
		}
		added++
	}
	return b.String(), added, nil
}

// WriteCandidate writes a candidate for a terminal.
func WriteCandidate(w io.Writer, c Candidate) {
	fmt.Fprintf(w, "%s — %s", c.Class, c.Why)
	if c.Seen > 1 {
		fmt.Fprintf(w, " (%d alike)", c.Seen)
	}
	fmt.Fprintln(w)
	for _, line := range strings.Split(strings.TrimSpace(c.Conversation), "\n") {
		fmt.Fprintln(w, "  │ "+clip(line, 300))
	}
	fmt.Fprintf(w, "  draft  %s\n  reply  %s\n", clip(c.Draft, 600), clip(c.Reply, 600))
	for _, a := range c.Assert {
		fmt.Fprintf(w, "  holds  %s %v\n", a.Type, a.Value)
	}
}
