// Package memindex is an exact BM25 index in memory. Evaluation runs on it, without a
// database and with the same result everywhere, and it is the yardstick that the
// database's index is held against.
package memindex

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// The parameters of BM25, as in the real index.
const (
	k1 = retrieve.BM25K
	b  = retrieve.BM25B
)

// Index is a fixed set of documents. Its methods may be called side by side.
type Index struct {
	DenseName string               // what Lexicon reports
	Vectors   map[string][]float32 // by passage id

	byID     map[string]*assist.Document
	passages []passage
	ids      map[string]int32
	postings [][]posting // by term id

	lessons        []retrieve.Lesson
	learned        map[int]*learned // by passage
	asked          map[int32]float64
	questions      float64
	learnedAverage float64
}

type passage struct {
	doc  *assist.Document
	hit  assist.Hit
	norm float64 // k1·(1−b+b·len/avg)
}

type posting struct {
	passage int
	tf      float64
}

var (
	_ retrieve.Index   = (*Index)(nil)
	_ retrieve.Sampler = (*Index)(nil)
)

// New indexes documents by their passages' terms.
func New(docs []assist.Document) *Index {
	x := &Index{byID: map[string]*assist.Document{}, ids: map[string]int32{}}
	var lengths []float64
	var total float64
	for i := range docs {
		d := &docs[i]
		x.byID[d.ID] = d
		for _, p := range d.Passages {
			n := len(x.passages)
			x.passages = append(x.passages, passage{doc: d, hit: Hit(d, p)})
			var length float64
			for _, t := range p.Terms {
				id := x.term(t.Text)
				x.postings[id] = append(x.postings[id], posting{n, t.Weight})
				length += t.Weight
			}
			lengths = append(lengths, length)
			total += length
		}
	}
	avg := total / max(float64(len(lengths)), 1)
	for i, l := range lengths {
		x.passages[i].norm = k1 * (1 - b + b*l/max(avg, 1))
	}
	return x
}

// Hit is a passage as it is found, without ranks.
func Hit(d *assist.Document, p assist.Passage) assist.Hit {
	return assist.Hit{Passage: p, Title: d.Title, Kind: d.Kind, Audience: d.Audience, URL: d.URL, Revision: d.Revision, UpdatedAt: d.UpdatedAt}
}

func (x *Index) term(text string) int32 {
	id, known := x.ids[text]
	if !known {
		id = int32(len(x.ids))
		x.ids[text] = id
		x.postings = append(x.postings, nil)
	}
	return id
}

func visible(d *assist.Document, scope retrieve.Scope) bool {
	at := scope.At
	if at.IsZero() {
		at = time.Now()
	}
	return (scope.Audience == assist.AudienceInternal || d.Audience == assist.AudiencePublic) &&
		(scope.Collections == nil || slices.Contains(scope.Collections, d.Collection)) &&
		(scope.Language == "" || scope.Language == d.Language) &&
		(d.ValidFrom == nil || !at.Before(*d.ValidFrom)) && (d.ValidTo == nil || at.Before(*d.ValidTo))
}

// Lexicon implements retrieve.Index.
func (x *Index) Lexicon(_ context.Context, scope retrieve.Scope, terms []string) (retrieve.Lexicon, error) {
	l := retrieve.Lexicon{Version: 1, Terms: map[string]retrieve.TermStat{}, DenseName: x.DenseName, Questions: x.questions, Learned: len(x.learned)}
	seen := make([]bool, len(x.passages))
	for i, p := range x.passages {
		if seen[i] = visible(p.doc, scope); seen[i] {
			l.Passages++
		}
	}
	for _, t := range terms {
		id, known := x.ids[t]
		if !known {
			continue
		}
		df := 0
		for _, p := range x.postings[id] {
			if seen[p.passage] {
				df++
			}
		}
		if asked := x.asked[id]; df > 0 || asked > 0 {
			l.Terms[t] = retrieve.TermStat{ID: id, DF: df, Asked: asked}
		}
	}
	return l, nil
}

// Lexical implements retrieve.Index.
func (x *Index) Lexical(_ context.Context, scope retrieve.Scope, q retrieve.LexicalQuery) ([]assist.Hit, error) {
	candidate := make([]bool, len(x.passages))
	for _, id := range q.Candidates {
		for _, p := range x.postings[id] {
			candidate[p.passage] = true
		}
	}
	for i, of := range x.learned {
		for _, id := range q.Learned.Candidates {
			candidate[i] = candidate[i] || of.sums[id] > 0
		}
	}
	scores := make([]float64, len(x.passages))
	for _, id := range slices.Sorted(maps.Keys(q.Weights)) { // sums in one order: the same bits every time
		w := float64(q.Weights[id])
		for _, p := range x.postings[id] {
			if candidate[p.passage] {
				scores[p.passage] += w * p.tf * (k1 + 1) / (p.tf + x.passages[p.passage].norm)
			}
		}
	}
	for i := range scores {
		if product, evidence := x.learnedProduct(i, q.Learned); candidate[i] && evidence > 0 {
			scores[i] = q.Score(scores[i], product, evidence)
		}
	}
	return x.best(scope, scores, func(h *assist.Hit, rank int, score float64) {
		h.Ranks.Lexical, h.Ranks.LexicalScore = rank, math.Round(score*1e9)/1e9
	}), nil
}

// Dense implements retrieve.Index.
func (x *Index) Dense(_ context.Context, scope retrieve.Scope, _ string, vector []float32) ([]assist.Hit, error) {
	scores := make([]float64, len(x.passages))
	for i, p := range x.passages {
		var dot, a, c float64
		for j, v := range x.Vectors[p.hit.ID] {
			dot, a, c = dot+float64(v*vector[j]), a+float64(v*v), c+float64(vector[j]*vector[j])
		}
		if dot > 0 {
			scores[i] = dot / math.Sqrt(a*c)
		}
	}
	return x.best(scope, scores, func(h *assist.Hit, rank int, score float64) {
		h.Ranks.Dense, h.Ranks.DenseScore = rank, score
	}), nil
}

func (x *Index) best(scope retrieve.Scope, scores []float64, set func(*assist.Hit, int, float64)) []assist.Hit {
	var order []int
	for i, s := range scores {
		if s > 0 && visible(x.passages[i].doc, scope) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(scores[j], scores[i]), cmp.Compare(x.passages[i].hit.ID, x.passages[j].hit.ID))
	})
	k := scope.K
	if k == 0 {
		k = 8
	}
	var hits []assist.Hit
	for rank, i := range order[:min(k, len(order))] {
		h := x.passages[i].hit
		set(&h, rank+1, scores[i])
		hits = append(hits, h)
	}
	return hits
}

// Sample implements retrieve.Sampler.
func (x *Index) Sample(_ context.Context, scope retrieve.Scope, n int) (hits []assist.Hit, err error) {
	var seen []assist.Hit
	for _, p := range x.passages {
		if visible(p.doc, scope) {
			seen = append(seen, p.hit)
		}
	}
	for i := range min(n, len(seen)) {
		hits = append(hits, seen[i*len(seen)/min(n, len(seen))])
	}
	return hits, nil
}

// Document implements retrieve.Index.
func (x *Index) Document(_ context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	if d := x.byID[id]; d != nil && visible(d, scope) {
		return d, nil
	}
	return nil, nil
}
