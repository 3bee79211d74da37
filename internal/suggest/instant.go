package suggest

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/playbook"
)

// How much of the knowledge an instant draft says.
const (
	maxSaid      = 3   // sentences of passages
	nearlyAsGood = 0.8 // share of the best sentence's strength that one needs when the best was said before
	freshly      = 0.1 // share of a further sentence's words of the question that must be new
	maxSaidBytes = 420 // of them together; the first may be longer
)

// compose writes the draft that needs no model: acknowledge what happened, in
// the customer's own noun; the passage sentences that answer best, word for
// word; then what is needed from the customer. Internal passages and procedures
// never lend it their words.
func compose(q assist.Question, m assist.Moment, answer []assist.Sentence, steps []assist.NextStep, chosen *assist.Option) assist.Draft {
	p := phrasesOf(q.Language)
	var sentences []assist.Sentence
	courtesy := func(text string) {
		if text != "" {
			sentences = append(sentences, assist.Sentence{Text: text, Courtesy: true})
		}
	}
	ask := ask(q, m.Turns, steps)

	courtesy(acknowledge(p, q, m.Turns))
	sentences = append(sentences, answer...)
	way := offer(chosen, q.Language)
	courtesy(way)
	switch {
	case way != "":
	case ask != "":
		courtesy(ask)
	case len(answer) == 0:
		courtesy(p.look)
	}
	return assist.NewDraft(assist.OriginKnowledge, sentences)
}

// ask is what the current step needs from the customer, unless it was just asked.
// In a language other than English only what is known by name is asked for.
func ask(q assist.Question, turns []assist.Turn, steps []assist.NextStep) string {
	for _, s := range steps {
		if !s.Current {
			continue
		}
		question := playbook.QuestionIn(s, q.Language)
		if question == "" || said(turns, question) || known(question, turns) {
			return ""
		}
		return question
	}
	return ""
}

// known reports whether the customer has written what the question asks for, as
// far as that can be seen: nothing is worse than to be asked twice.
func known(question string, turns []assist.Turn) bool {
	if gaveWhatWasAsked(turns) {
		return true
	}
	low := strings.ToLower(question)
	number := strings.Contains(low, "number") || strings.Contains(low, " id") || strings.Contains(low, "order")
	mail := strings.Contains(low, "email") || strings.Contains(low, "e-mail")
	for _, t := range turns {
		if t.Role != assist.RoleCustomer {
			continue
		}
		if mail && strings.Contains(t.Text, "@") {
			return true
		}
		for _, w := range lex.Words(t.Text) {
			digits := 0
			for _, r := range w.In(t.Text) {
				if unicode.IsDigit(r) {
					digits++
				}
			}
			if number && digits >= 5 {
				return true
			}
		}
	}
	return false
}

// answers picks the sentences to say: for each question of the customer's the one
// that answers best, with the sentence it leans on and the one that limits it,
// and more of the same page when it is nearly as good and brings something new.
// The hits' scores are shares of the best one's.
func (r *reader) answers(asked []wish, language string, turns []assist.Turn, hits []assist.Hit) []assist.Sentence {
	some := anAmount // a price nobody asked for counts less
	for _, w := range asked {
		some |= w.wants | w.must
	}
	all := r.candidates(language, hits, len(asked[0].places) > 0, some)
	idf := rarity(all)
	headings := map[string]bool{}
	for _, c := range all {
		for _, t := range c.heading {
			headings[t] = true
		}
	}
	a := answer{turns: turns, hits: hits, language: language}
	for _, w := range asked {
		ranked := w.weigh(all, hits, idf)
		least := 0.0
		if len(ranked) > 0 && a.told(ranked[0]) {
			least = nearlyAsGood * ranked[0].strength // the answer was given; only its like is worth adding
		}
		ranked = slices.DeleteFunc(ranked, func(c *candidate) bool { return a.told(c) || c.strength < least })
		if len(ranked) == 0 {
			continue
		}
		best := ranked[0]
		if w.beyond(best, idf, headings) {
			continue
		}
		a.say(best)
		if len(asked) > 1 {
			continue
		}
		known := map[string]bool{}
		w.know(best, known)
		given := best.has
		for _, c := range ranked[1:] {
			if c.strength < weighs.more*best.strength {
				break
			}
			beside := c.hit == best.hit && (c.at == best.at+1 || c.at == best.at-1) && c.strength >= weighs.nextto*best.strength
			due := c.hit == best.hit && c.has&^given&(aTime|anAmount) != 0 // how long, how much: what is asked next
			if hits[c.hit].DocumentID == hits[best.hit].DocumentID && (beside || due || w.news(c, idf, known, given) > freshly) {
				a.say(c)
				given |= c.has
				w.know(c, known)
			}
		}
	}
	return a.sentences()
}

// answer gathers sentences until enough is said.
type answer struct {
	turns    []assist.Turn
	hits     []assist.Hit
	language string
	heard    [][]string // terms of the agents' turns; nil: not yet known
	chosen   []*candidate
	size     int
}

// say adds a sentence, unless there is no room for it with those it needs.
func (a *answer) say(c *candidate) {
	group := []*candidate{c}
	if c.leans && c.before != nil && c.before.words != "" {
		group = []*candidate{c.before, c}
	}
	if n := c.after; n != nil && n.words != "" && (n.limits || n.aside) {
		group = append(group, n)
	}
	size := 0
	group = slices.DeleteFunc(group, func(c *candidate) bool { return a.has(c) || a.told(c) })
	for _, c := range group {
		size += len(c.words)
	}
	if len(a.chosen) > 0 && (a.size+size > maxSaidBytes || len(a.chosen)+len(group) > maxSaid) {
		return
	}
	a.size += size
	a.chosen = append(a.chosen, group...)
}

func (a *answer) has(c *candidate) bool {
	return slices.ContainsFunc(a.chosen, func(o *candidate) bool { return o.words == c.words })
}

// told reports whether an agent has said this already, perhaps in other words: one
// of their turns holds nearly all of its words.
func (a *answer) told(c *candidate) bool {
	if said(a.turns, c.words) {
		return true
	}
	terms := c.unique
	if len(terms) < 4 {
		return false
	}
	if a.heard == nil {
		a.heard = [][]string{}
		for _, t := range a.turns {
			if t.Role == assist.RoleAgent && t.Action == nil {
				a.heard = append(a.heard, lex.Terms(t.Text, a.language))
			}
		}
	}
	for _, heard := range a.heard {
		missing := 0
		for _, term := range terms {
			if !slices.Contains(heard, term) {
				missing++
			}
		}
		if 6*missing <= len(terms) {
			return true
		}
	}
	return false
}

// sentences gives what was chosen: passages in the order they were chosen, the
// sentences of one as they stand there.
func (a *answer) sentences() []assist.Sentence {
	rank := map[int]int{}
	for i, c := range a.chosen {
		if _, ok := rank[c.hit]; !ok {
			rank[c.hit] = i
		}
	}
	slices.SortStableFunc(a.chosen, func(x, y *candidate) int {
		return cmp.Or(cmp.Compare(rank[x.hit], rank[y.hit]), cmp.Compare(x.at, y.at))
	})
	var out []assist.Sentence
	for _, c := range a.chosen {
		h := a.hits[c.hit]
		out = append(out, assist.Sentence{Text: c.words, Citations: []assist.Citation{{
			PassageID: h.ID, Quote: c.span.In(h.Text), Start: c.span.Start, End: c.span.End,
		}}})
	}
	return out
}

// speakable is a passage's sentence as one can say it to a customer: without list
// marks and emphasis, and "" when it cannot be said, because it is a heading, a
// question, a table row, a fragment, or meant for agents.
func speakable(sentence string) string {
	s := strings.TrimSpace(sentence)
	if strings.ContainsAny(s, "*_`") {
		s = emphasis.Replace(s)
	}
	words := strings.Fields(strings.TrimLeft(s, "-*+•>#\t "))
	s = strings.Join(words, " ")
	if len(words) < 3 || utf8.RuneCountInString(s) > 360 {
		return ""
	}
	low := strings.ToLower(s)
	switch {
	case strings.HasSuffix(s, "?"), strings.HasSuffix(s, ":"), strings.ContainsAny(s, "|[]<>{}"):
		return ""
	case forAgents(low):
		return ""
	}
	if r, _ := utf8.DecodeRuneInString(s); unicode.IsLower(r) {
		s = string(unicode.ToUpper(r)) + s[utf8.RuneLen(r):]
	}
	if r, _ := utf8.DecodeLastRuneInString(s); unicode.IsLetter(r) || unicode.IsDigit(r) || r == ')' || r == '%' {
		s += "."
	}
	return strings.TrimRight(s, ",;") // what follows stands in another item
}

var emphasis = strings.NewReplacer("**", "", "__", "", "`", "")

// forAgents reports whether a sentence speaks about customers, not to them.
func forAgents(low string) bool {
	for _, w := range []string{"the customer", "customers must be told", "agents ", "the agent", "ask your lead", "escalate", "the caller", "dem kunden", "der kunde", "le client", "al cliente", "o cliente"} {
		if strings.Contains(low, w) {
			return true
		}
	}
	return false
}

// said reports whether an agent has already written these words.
func said(turns []assist.Turn, text string) bool {
	for _, t := range turns {
		if t.Role == assist.RoleAgent && strings.Contains(t.Text, strings.TrimRight(text, ".")) {
			return true
		}
	}
	return false
}
