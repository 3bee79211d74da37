package retrieve

import (
	"slices"
	"sync"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// mostPages bounds what is kept of passages that were read, about 6 KB each.
const mostPages = 2048

// pageKey is all that a page is read from: what is kept can never be another
// revision's.
type pageKey struct{ title, heading, text, language string }

// page is a passage as it was read for questions in one language. Each part is
// made when it is asked for.
type page struct {
	key pageKey

	cutting   sync.Once
	sentences []lex.Span
	terms     [][]string // of each sentence, once each
	lengths   []int      // terms of each sentence, repeats included

	having sync.Once
	words  map[string]bool // terms of title, heading and text

	counting sync.Once
	counts   []gramCounts // of the title alone, then of each sentence with the title
	sentence []string
}

// gramCounts are the letter groups of a sentence, in the order they were met.
type gramCounts struct {
	groups []uint16
	counts []float32
	total  float64
}

// pages remembers the passages that were read last.
type pages struct {
	kept    *lex.Memo[pageKey, *page]
	scratch *sync.Pool // of *grams
}

func newPages() pages {
	return pages{lex.NewMemo[pageKey, *page](mostPages), &sync.Pool{New: func() any { return new(grams) }}}
}

func (p pages) of(h assist.Hit, language string) *page {
	key := pageKey{h.Title, h.Heading, h.Text, language}
	return p.kept.Of(key, func() *page { return &page{key: key} })
}

// cut gives the sentences of the text, the terms of each once, and how many it has
// with repeats.
func (p *page) cut() (sentences []lex.Span, terms [][]string, lengths []int) {
	p.cutting.Do(func() {
		p.sentences = lex.Sentences(p.key.text)
		p.terms = make([][]string, len(p.sentences))
		p.lengths = make([]int, len(p.sentences))
		for i, s := range p.sentences {
			all := lex.Terms(s.In(p.key.text), p.key.language)
			p.lengths[i] = len(all)
			p.terms[i] = lex.Distinct(all)
		}
	})
	return p.sentences, p.terms, p.lengths
}

// has gives the terms of title, heading and text.
func (p *page) has() map[string]bool {
	p.having.Do(func() {
		p.words = map[string]bool{}
		for _, text := range []string{p.key.title, p.key.heading, p.key.text} {
			for _, t := range lex.Terms(text, p.key.language) {
				p.words[t] = true
			}
		}
	})
	return p.words
}

// grams gives the letter groups of the title, then of each sentence, and the
// words that they are of. The scratch is clear before and after.
func (p *page) grams(scratch *grams) ([]gramCounts, []string) {
	p.counting.Do(func() {
		text := p.key.text[:min(len(p.key.text), likeBytes)]
		keep := func(sentence string, total float64) {
			c := gramCounts{total: total, groups: slices.Clone(scratch.met), counts: make([]float32, len(scratch.met))}
			for i, k := range c.groups {
				c.counts[i] = scratch.count[k]
			}
			scratch.clear()
			p.counts, p.sentence = append(p.counts, c), append(p.sentence, sentence)
		}
		keep(p.key.title, scratch.add(p.key.title, 1))
		title := p.counts[0]
		title.total = scratch.add(p.key.title, likeTitle)
		scratch.clear()
		for _, s := range lex.Sentences(text) {
			total := scratch.add(s.In(text), 1)
			scratch.addAgain(title, likeTitle)
			keep(s.In(text), total+title.total)
		}
	})
	return p.counts, p.sentence
}
