package eval

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// index is an exact BM25 index in memory: a run needs no database, leaves the
// live data alone and gives the same result everywhere. TestIndexAgrees holds it
// against the yardstick of the database's index.
type index struct {
	docs     []assist.Document
	byID     map[string]*assist.Document
	passages []indexed
	ids      map[string]int32
	postings [][]posting // by term id
}

type indexed struct {
	doc  *assist.Document
	hit  assist.Hit
	norm float64 // k1·(1−b+b·len/avg)
}

type posting struct {
	passage int
	tf      float64
}

var _ retrieve.Index = (*index)(nil)

func newIndex(docs []assist.Document) *index {
	x := &index{docs: docs, byID: map[string]*assist.Document{}, ids: map[string]int32{}}
	var lengths []float64
	var total float64
	for i := range docs {
		d := &docs[i]
		x.byID[d.ID] = d
		for _, p := range d.Passages {
			n := len(x.passages)
			x.passages = append(x.passages, indexed{doc: d, hit: asHit(d, p)})
			var length float64
			for _, t := range p.Terms {
				id, known := x.ids[t.Text]
				if !known {
					id = int32(len(x.ids))
					x.ids[t.Text] = id
					x.postings = append(x.postings, nil)
				}
				x.postings[id] = append(x.postings[id], posting{n, t.Weight})
				length += t.Weight
			}
			lengths = append(lengths, length)
			total += length
		}
	}
	avg := total / max(float64(len(lengths)), 1)
	for i, l := range lengths {
		x.passages[i].norm = retrieve.BM25K * (1 - retrieve.BM25B + retrieve.BM25B*l/max(avg, 1))
	}
	return x
}

func asHit(d *assist.Document, p assist.Passage) assist.Hit {
	return assist.Hit{Passage: p, Title: d.Title, Kind: d.Kind, Audience: d.Audience, URL: d.URL, Revision: d.Revision, UpdatedAt: d.UpdatedAt}
}

func visible(d *assist.Document, s retrieve.Scope) bool {
	return (s.Audience == assist.AudienceInternal || d.Audience == assist.AudiencePublic) &&
		(s.Collections == nil || slices.Contains(s.Collections, d.Collection)) &&
		(s.Language == "" || s.Language == d.Language) &&
		(d.ValidFrom == nil || !s.At.Before(*d.ValidFrom)) && (d.ValidTo == nil || s.At.Before(*d.ValidTo))
}

// Lexicon implements retrieve.Index.
func (x *index) Lexicon(_ context.Context, scope retrieve.Scope, terms []string) (retrieve.Lexicon, error) {
	l := retrieve.Lexicon{Version: 1, Terms: map[string]retrieve.TermStat{}}
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
		if df > 0 {
			l.Terms[t] = retrieve.TermStat{ID: id, DF: df}
		}
	}
	return l, nil
}

// Lexical implements retrieve.Index.
func (x *index) Lexical(_ context.Context, scope retrieve.Scope, q retrieve.LexicalQuery) ([]assist.Hit, error) {
	candidate := make([]bool, len(x.passages))
	for _, id := range q.Candidates {
		for _, p := range x.postings[id] {
			candidate[p.passage] = true
		}
	}
	ids := make([]int32, 0, len(q.Weights))
	for id := range q.Weights {
		ids = append(ids, id)
	}
	slices.Sort(ids) // sums in one order: the same bits every time
	scores := make([]float64, len(x.passages))
	for _, id := range ids {
		w := float64(q.Weights[id])
		for _, p := range x.postings[id] {
			if candidate[p.passage] {
				scores[p.passage] += w * p.tf * (retrieve.BM25K + 1) / (p.tf + x.passages[p.passage].norm)
			}
		}
	}
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
		h.Ranks.Lexical, h.Ranks.LexicalScore = rank+1, math.Round(scores[i]*1e9)/1e9
		hits = append(hits, h)
	}
	return hits, nil
}

// Dense implements retrieve.Index: there are no vectors here.
func (x *index) Dense(context.Context, retrieve.Scope, string, []float32) ([]assist.Hit, error) {
	return nil, nil
}

// Document implements retrieve.Index.
func (x *index) Document(_ context.Context, scope retrieve.Scope, id string) (*assist.Document, error) {
	if d := x.byID[id]; d != nil && visible(d, scope) {
		return d, nil
	}
	return nil, nil
}
