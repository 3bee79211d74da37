package retrieve

import (
	"context"
	"fmt"
	"math"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// survives is the share of a sentence's terms that a reply must have kept for the
// sentence to count as used.
const survives = 0.6

// Cited gives the passages that the drafts cite in sentences which survive in
// the reply. That is what an agent sent with a source under their eyes: it counts
// in full.
func Cited(reply, language string, drafts ...*assist.Draft) []Ground {
	sent := map[string]bool{}
	for _, t := range lex.Terms(reply, language) {
		sent[t] = true
	}
	var grounds []Ground
	for _, d := range drafts {
		if d == nil {
			continue
		}
		for _, s := range d.Sentences {
			if len(s.Citations) == 0 || kept(s.Text, language, sent) < survives {
				continue
			}
			for _, c := range s.Citations {
				grounds = withGround(grounds, Ground{Passage: c.PassageID, Weight: 1})
			}
		}
	}
	return grounds
}

func withGround(grounds []Ground, g Ground) []Ground {
	for _, known := range grounds {
		if known.Passage == g.Passage {
			return grounds
		}
	}
	return append(grounds, g)
}

// kept is the share of a text's terms that were sent.
func kept(text, language string, sent map[string]bool) float64 {
	terms := lex.Terms(text, language)
	n := 0
	for _, t := range terms {
		if sent[t] {
			n++
		}
	}
	return float64(n) / math.Max(float64(len(terms)), 1)
}

// How a guess is made. Measured on replies whose passage is known: where the best
// passage has 0.4 of the words and is a tenth ahead of the next, 0.81 to 1.0 of
// the guesses are right; of the others 0.2 to 0.7, and such teach nothing.
const (
	replyTerms    = 4   // a reply of fewer different words tells nothing
	questionShare = 0.3 // of the question's words beside the reply's
	guessShare    = 0.4
	guessMargin   = 0.1
	guessBase     = 0.5 // how sure a guess is, and its margin is added
	guessMost     = 0.9 // a citation that was sent counts more than any guess
)

// Guess says which passage a reply to the transcript stood on, and how sure that
// is; nothing where it is not sure enough to help. It looks at words alone: what
// was learned before must not confirm itself.
func (r *Retriever) Guess(ctx context.Context, turns []assist.Turn, reply string) ([]Ground, error) {
	q := Listen(turns)
	if q.Quiet != "" {
		return nil, nil // nothing was asked
	}
	bag := terms{weight: map[string]float64{}, most: 1}
	for _, t := range hear(reply, q.Language, false) {
		bag.add(t, 1)
	}
	if len(bag.order) < replyTerms {
		return nil, nil
	}
	for _, t := range q.Terms {
		bag.add(t.Text, questionShare*t.Weight)
	}
	q.Terms = bag.list()
	scope := Scope{Audience: assist.AudienceInternal, K: 2}
	lexicon, err := r.index.Lexicon(ctx, scope, texts(q.Terms))
	if err != nil {
		return nil, fmt.Errorf("read the lexicon: %w", err)
	}
	lexicon.Learned = 0
	words := weigh(q.Terms, lexicon, r.opt.Budget)
	hits, err := r.index.Lexical(ctx, scope, words.query)
	if err != nil {
		return nil, fmt.Errorf("search by words: %w", err)
	}
	if share(hits, words.mass) < guessShare {
		return nil, nil
	}
	margin := 1.0
	if len(hits) > 1 {
		margin -= hits[1].Ranks.LexicalScore / hits[0].Ranks.LexicalScore
	}
	if margin < guessMargin {
		return nil, nil
	}
	return []Ground{{Passage: hits[0].ID, Weight: math.Round(100*min(guessBase+margin, guessMost)) / 100}}, nil
}
