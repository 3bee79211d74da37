package lex

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/blevesearch/snowballstem"
)

// stems remembers the stems of some thousand words, each at the place that its
// letters say, until another word takes it: most words of any text are of the same
// few thousand, and finding a stem costs ten times as much. It keeps less than 1 MB,
// and Terms stays a pure function.
var stems = struct {
	seed maphash.Seed
	of   [1 << 13]atomic.Pointer[stem]
}{seed: maphash.MakeSeed()}

type stem struct{ language, word, stem string }

// stemmed gives the stem of a word.
func (c *cutter) stemmed(w string) string {
	if len(w) > maxTerm {
		w = cut(w)
	}
	place := &stems.of[maphash.String(stems.seed, w)%uint64(len(stems.of))]
	if s := place.Load(); s != nil && s.word == w && s.language == c.language {
		return s.stem
	}
	w = strings.Clone(w) // the text it stands in is not kept
	s := stem{c.language, w, w}
	if c.language == "de" {
		w = umlauts.Replace(w)
	}
	if c.env == nil {
		c.env = snowballstem.NewEnv(w)
	} else {
		c.env.SetCurrent(w)
	}
	c.stem(c.env)
	s.stem = w
	if found := c.env.Current(); found != "" {
		s.stem = found
	}
	place.Store(&s)
	return s.stem
}
