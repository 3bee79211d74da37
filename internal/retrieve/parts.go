package retrieve

import (
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

const (
	maxParts  = 4   // questions of one message that get a place of their own
	partTerms = 2   // words that a question must have to stand alone
	partHas   = 0.5 // share of its known words that a passage must have to be its answer
)

// parts are those questions of a text that can stand alone, as terms each, where
// it asks more than one.
func parts(text, language string) [][]string {
	var asked [][]string
	questions := 0
	for _, s := range lex.Sentences(text) {
		sentence := s.In(text)
		if !strings.HasSuffix(strings.TrimRight(sentence, " !"), "?") {
			continue
		}
		questions++
		if t := lex.Terms(sentence, language); len(t) >= partTerms && !pointsBack(sentence) {
			asked = append(asked, t)
		}
	}
	if questions < 2 {
		return nil
	}
	return asked[:min(len(asked), maxParts)]
}

// spread gives each question of a message a place among the first hits: the
// passage that has most of it goes up to as many places as there are questions.
// Words of all questions together rank the page first that has a little of each;
// the first hit stays all the same.
func (p pages) spread(q assist.Question, hits []assist.Hit, telling map[string]float64) {
	asked := parts(q.Text, q.Language)
	if len(asked) == 0 || len(hits) < 2 {
		return
	}
	hits = hits[:min(len(hits), likeRead)]
	has := make([]map[string]bool, len(hits))
	for i, h := range hits {
		has[i] = p.of(h, q.Language).has()
	}
	place := 1
	for _, terms := range asked {
		terms = slices.DeleteFunc(slices.Clone(terms), func(t string) bool { // what no passage has, tells none from another
			return !slices.ContainsFunc(has, func(h map[string]bool) bool { return h[t] })
		})
		if len(terms) < partTerms {
			continue
		}
		best, most, all := -1, 0.0, news(terms, telling, map[string]bool{})
		for i := range hits {
			if share := news(slices.DeleteFunc(slices.Clone(terms), func(t string) bool { return !has[i][t] }), telling, map[string]bool{}); share > most {
				best, most = i, share
			}
		}
		if best < 0 || most < partHas*all || best < place {
			continue // nothing has it, or what has it is among the first already
		}
		h, words := hits[best], has[best]
		copy(hits[place+1:best+1], hits[place:best])
		copy(has[place+1:best+1], has[place:best])
		h.Ranks.LexicalScore = hits[place-1].Ranks.LexicalScore
		hits[place], has[place] = h, words
		place++
	}
	for i := range hits {
		hits[i].Ranks.Lexical = i + 1
	}
}
