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
	nearlyAsGood = 0.8 // a second passage speaks too when it scored this share of the first
)

// compose writes the draft that needs no model: acknowledge what happened, in
// the customer's own noun; the passage sentences that answer best, word for
// word; then what is needed from the customer. Internal passages and procedures
// never lend it their words.
func compose(q assist.Question, m assist.Moment, hits []assist.Hit, steps []assist.NextStep) assist.Draft {
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
	switch {
	case ask != "":
		courtesy(ask)
	case len(answer) == 0:
		courtesy(p.look)
	}
	return assist.NewDraft(assist.OriginKnowledge, sentences)
}

// ask is what the current step needs from the customer, unless it was just asked.
// Steps are written in English, and so the question is only for who speaks it.
func ask(q assist.Question, turns []assist.Turn, steps []assist.NextStep) string {
	if q.Language != "" && q.Language != "en" {
		return ""
	}
	for _, s := range steps {
		if !s.Current {
			continue
		}
		question := playbook.Question(s)
		if question == "" || said(turns, question) {
			return ""
		}
		return question
	}
	return ""
}

// answers picks the sentences to say: from the best passage a customer may read,
// and from the next one when it is nearly as good and brings something new.
func answers(q assist.Question, turns []assist.Turn, hits []assist.Hit) []assist.Sentence {
	weight := map[string]float64{}
	for _, t := range q.Terms {
		weight[t.Text] = t.Weight
	}
	var out []assist.Sentence
	size, best, passages := 0, 0.0, 0
	covered := map[string]bool{}
	for _, h := range hits {
		if h.Audience != assist.AudiencePublic || h.Kind == assist.KindProcedure || passages == 2 {
			continue
		}
		if passages > 0 && h.Score < best*nearlyAsGood {
			break
		}
		at := strings.Index(h.Text, h.Quote)
		if h.Quote == "" || at < 0 {
			continue
		}
		taken := false
		for _, span := range lex.Sentences(h.Quote) {
			text := speakable(span.In(h.Quote))
			if text == "" || said(turns, text) || slices.ContainsFunc(out, func(s assist.Sentence) bool { return s.Text == text }) {
				continue
			}
			news := 0.0
			for _, t := range lex.Terms(text, q.Language) {
				if !covered[t] {
					news += weight[t]
				}
			}
			if len(out) > 0 && (news == 0 && passages > 0 || size+len(text) > maxSaidBytes || len(out) == maxSaid) {
				continue
			}
			for _, t := range lex.Terms(text, q.Language) {
				covered[t] = true
			}
			size += len(text)
			taken = true
			out = append(out, assist.Sentence{Text: text, Citations: []assist.Citation{{
				PassageID: h.ID, Quote: span.In(h.Quote), Start: at + span.Start, End: at + span.End,
			}}})
		}
		if taken {
			if passages == 0 {
				best = h.Score
			}
			passages++
		}
	}
	return out
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
