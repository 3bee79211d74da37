package suggest

import (
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
	maxSaidBytes = 420 // of them together; the first may be longer
	nearlyAsGood = 0.8 // a second passage of the document speaks too when it scored this share of the first
)

// compose writes the draft that needs no model: acknowledge what happened, in
// the customer's own noun; the passage sentences that answer best, word for
// word; then what is needed from the customer. Internal passages and procedures
// never lend it their words.
func compose(q assist.Question, m assist.Moment, hits []assist.Hit, steps []assist.NextStep, chosen *assist.Option) assist.Draft {
	p := phrasesOf(q.Language)
	var sentences []assist.Sentence
	courtesy := func(text string) {
		if text != "" {
			sentences = append(sentences, assist.Sentence{Text: text, Courtesy: true})
		}
	}
	answer := answers(q, m.Turns, hits)
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

// answers picks the sentences to say: from the best passage a customer may read,
// and from the next one of the same document when it is nearly as good and brings
// something new. Two documents in one breath rarely make sense without a writer.
func answers(q assist.Question, turns []assist.Turn, hits []assist.Hit) []assist.Sentence {
	a := answer{q: q, turns: turns, weight: map[string]float64{}, covered: map[string]bool{}}
	for _, t := range q.Terms {
		a.weight[t.Text] = t.Weight
	}
	passages, best, first, document := 0, 0.0, 0.0, ""
	for _, h := range hits {
		if h.Score < relevant*hits[0].Score || passages == 2 {
			break
		}
		at := strings.Index(h.Text, h.Quote)
		if h.Audience != assist.AudiencePublic || h.Kind == assist.KindProcedure || h.Quote == "" || at < 0 {
			continue
		}
		if passages > 0 && (h.Score < nearlyAsGood*best || h.DocumentID != document) {
			continue
		}
		n := len(a.said)
		quote := lex.Span{Start: at, End: at + len(h.Quote)}
		a.from(h, quote, first/2)
		if len(a.said) == n && strings.HasSuffix(strings.TrimSpace(h.Quote), "?") {
			a.from(h, lex.Span{Start: quote.End, End: len(h.Text)}, 0) // a question: its answer follows
		}
		if len(a.said) > n {
			passages++
			if passages == 1 {
				best, first, document = h.Score, a.gained, h.DocumentID
			}
		}
	}
	return a.said
}

// answer gathers sentences until enough is said.
type answer struct {
	q       assist.Question
	turns   []assist.Turn
	weight  map[string]float64 // of the question's terms
	covered map[string]bool    // terms already spoken of
	gained  float64            // weight of the question's terms among them
	size    int
	said    []assist.Sentence
}

// from takes the sentences of a part of a passage that bring at least so much of
// the question.
func (a *answer) from(h assist.Hit, part lex.Span, least float64) {
	text := part.In(h.Text)
	for _, span := range lex.Sentences(text) {
		words := speakable(span.In(text))
		if words == "" || said(a.turns, words) || slices.ContainsFunc(a.said, func(s assist.Sentence) bool { return s.Text == words }) {
			continue
		}
		terms := lex.Terms(words, a.q.Language)
		news := 0.0
		for _, t := range terms {
			if !a.covered[t] {
				news += a.weight[t]
			}
		}
		if len(a.said) > 0 && (news < least || a.size+len(words) > maxSaidBytes) || len(a.said) == maxSaid {
			continue
		}
		for _, t := range terms {
			a.covered[t] = true
		}
		a.gained += news
		a.size += len(words)
		a.said = append(a.said, assist.Sentence{Text: words, Citations: []assist.Citation{{
			PassageID: h.ID, Quote: span.In(text), Start: part.Start + span.Start, End: part.Start + span.End,
		}}})
	}
}

// speakable is a passage's sentence as one can say it to a customer: without list
// marks and emphasis, and "" when it cannot be said, because it is a heading, a
// question, a table row, a fragment, or meant for agents.
func speakable(sentence string) string {
	s := strings.TrimSpace(sentence)
	s = strings.NewReplacer("**", "", "__", "", "`", "").Replace(s)
	s = strings.TrimSpace(strings.TrimLeft(s, "-*+•>#\t "))
	s = strings.Join(strings.Fields(s), " ")
	if len(strings.Fields(s)) < 4 || utf8.RuneCountInString(s) > 360 {
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
