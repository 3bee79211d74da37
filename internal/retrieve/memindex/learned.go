package memindex

import (
	"context"
	"slices"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

var (
	_ retrieve.Learner  = (*Index)(nil)
	_ retrieve.Recaller = (*Index)(nil)
)

// Recall implements retrieve.Recaller.
func (x *Index) Recall(_ context.Context, scope retrieve.Scope, passage string, terms []int32) (retrieve.Memory, error) {
	memory := retrieve.Memory{Asked: map[int32]float64{}}
	for i, of := range x.learned {
		if p := x.passages[i]; p.hit.ID != passage || !visible(p.doc, scope) {
			continue
		}
		memory.Evidence = of.evidence
		for _, id := range terms {
			if sum := of.sums[id]; sum > 0 {
				memory.Asked[id] = sum
			}
		}
	}
	return memory, nil
}

// learned is the second vector of one passage.
type learned struct {
	evidence float64
	length   float64
	sums     map[int32]float64
}

// Learn implements retrieve.Learner. It must not run beside searches.
func (x *Index) Learn(_ context.Context, lessons []retrieve.Lesson) (added int, err error) {
	for _, l := range lessons {
		known := func(o retrieve.Lesson) bool { return o.Conversation == l.Conversation && o.Seq == l.Seq }
		if len(l.Terms) > 0 && len(l.Grounds) > 0 && !slices.ContainsFunc(x.lessons, known) {
			l.Terms = slices.DeleteFunc(slices.Clone(l.Terms), func(t assist.Term) bool {
				id, known := x.ids[t.Text]
				return l.Doubtful[t.Text] && (!known || len(x.postings[id]) == 0)
			})
			x.lessons = append(x.lessons, l)
			added++
		}
	}
	x.relearn()
	return added, nil
}

// Forget implements retrieve.Learner. It must not run beside searches.
func (x *Index) Forget(_ context.Context, conversation string) error {
	x.lessons = slices.DeleteFunc(x.lessons, func(l retrieve.Lesson) bool { return l.Conversation == conversation })
	x.relearn()
	return nil
}

func (x *Index) relearn() {
	at := map[string]int{}
	for i, p := range x.passages {
		at[p.hit.ID] = i
	}
	x.learned, x.asked, x.questions = map[int]*learned{}, map[int32]float64{}, 0
	for _, l := range x.lessons {
		trust := 0.0
		for _, g := range l.Grounds {
			i, ok := at[g.Passage]
			if !ok {
				continue
			}
			trust = max(trust, g.Weight)
			of := x.learned[i]
			if of == nil {
				of = &learned{sums: map[int32]float64{}}
				x.learned[i] = of
			}
			of.evidence += g.Weight
			for _, t := range l.Terms {
				of.sums[x.term(t.Text)] += t.Weight * g.Weight
				of.length += t.Weight * g.Weight
			}
		}
		x.questions += trust
		for _, t := range l.Terms {
			x.asked[x.term(t.Text)] += trust
		}
	}
	x.learnedAverage = 0
	for _, of := range x.learned {
		x.learnedAverage += of.length / float64(len(x.learned))
	}
}

// learnedProduct is the inner product of the passage's learned vector with the
// question's, and the evidence.
func (x *Index) learnedProduct(passage int, q retrieve.LearnedQuery) (product, evidence float64) {
	of := x.learned[passage]
	if of == nil {
		return 0, 0
	}
	norm := retrieve.LearnedK * of.length / max(x.learnedAverage, 1e-9)
	for id, w := range q.Weights {
		if sum := of.sums[id]; sum > 0 {
			product += float64(w) * sum * (retrieve.LearnedK + 1) / (sum + norm)
		}
	}
	return product, of.evidence
}
