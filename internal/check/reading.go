package check

import (
	"github.com/aside-project/aside/internal/assist"
)

// Reading is what was read of the passages and turns that a draft was held
// against: a second draft about the same is then held against what was read, with
// the same verdicts. The zero Reading has read nothing. One goroutine may use it at a
// time.
type Reading struct {
	hits  []assist.Hit
	turns []assist.Turn

	all     *sources // passages
	chat    *sources
	runs    *runs
	known   func() map[string]bool // links
	bearers map[string]*bearer     // by language
}

func reading(hits []assist.Hit, turns []assist.Turn) *Reading {
	return &Reading{hits: hits, turns: turns}
}

// of gives a reading of these passages and turns: the same one where it is theirs.
func (r *Reading) of(hits []assist.Hit, turns []assist.Turn) *Reading {
	if r == nil {
		return reading(hits, turns)
	}
	if !same(r.hits, hits) || !same(r.turns, turns) {
		*r = *reading(hits, turns)
	}
	return r
}

func same[T any](a, b []T) bool { return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0]) }

// passages are the hits as sources.
func (r *Reading) passages() *sources {
	if r.all == nil {
		r.all = new(sources)
		r.all.addHits(r.hits)
	}
	return r.all
}

// transcript are the turns as sources.
func (r *Reading) transcript() *sources {
	if r.chat == nil {
		r.chat = new(sources)
		r.chat.addTurns(r.turns)
	}
	return r.chat
}

// everything are passages and transcript as sources.
func (r *Reading) everything() *sources { return r.passages().with(r.transcript().texts) }

// internalRuns are the runs of words that only internal passages have.
func (r *Reading) internalRuns() runs {
	if r.runs == nil {
		found := newRuns(r.hits, r.turns)
		r.runs = &found
	}
	return *r.runs
}

func (r *Reading) links() func() map[string]bool {
	if r.known == nil {
		r.known = knownLinks(r.hits, r.turns)
	}
	return r.known
}

// bearer holds sentences in a language against the passages.
func (r *Reading) bearer(language string) *bearer {
	b := r.bearers[language]
	if b == nil {
		b = &bearer{passages: r.passages().byID(), turns: r.turns, language: language, read: map[string]*passage{}}
		if r.bearers == nil {
			r.bearers = map[string]*bearer{}
		}
		r.bearers[language] = b
	}
	return b
}
