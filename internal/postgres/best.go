package postgres

import (
	"cmp"
	"slices"
)

// scored is a passage of a held knowledge with its score.
type scored struct {
	passage int32
	score   float64
}

// best keeps the n best of passages that are added in ascending order; of equal
// ones the first.
type bestOf struct {
	n    int
	kept []scored
	bar  float64
	full bool // n were kept: bar counts
}

func newBest(n int) *bestOf { return &bestOf{n: n, kept: make([]scored, 0, 4*n)} }

// takes says whether a score may be among the best.
func (b *bestOf) takes(score float64) bool { return !b.full || score > b.bar }

func (b *bestOf) add(passage int32, score float64) {
	if b.kept = append(b.kept, scored{passage, score}); len(b.kept) == cap(b.kept) {
		b.cut()
	}
}

func (b *bestOf) cut() {
	slices.SortFunc(b.kept, func(x, y scored) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.passage, y.passage))
	})
	if len(b.kept) >= b.n {
		b.kept = b.kept[:b.n]
		b.bar, b.full = b.kept[b.n-1].score, true
	}
}

// ranked gives them, best first.
func (b *bestOf) ranked() []scored {
	b.cut()
	return b.kept
}
