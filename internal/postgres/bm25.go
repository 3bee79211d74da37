package postgres

import (
	"math"
	"slices"

	"github.com/pgvector/pgvector-go"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// A passage's weights are the document side of BM25, tf·(k1+1)/(tf+k1·(1−b+b·len/avg)),
// kept as a sparse vector by term id. The question's side is idf × importance;
// the inner product of the two is the score.
const (
	k1 = retrieve.BM25K
	b  = retrieve.BM25B

	// drift is how far the average length may move before all weights are made
	// again. With b = 0.5 a weight moves by less than a fifth of it.
	drift = 0.05

	// dimensions is that of every sparse vector: the most pgvector allows, far
	// more than there are words.
	dimensions = 1_000_000_000

	maxTerms     = 16_000 // distinct ones in a passage: pgvector's limit of non-zero elements
	maxTermBytes = 100    // longer "words" are keys, hashes and encoded files; nobody asks for them
)

// bag is the terms of a passage as stored: ids ascending, counts beside them.
type bag struct {
	ids    []int32
	counts []int16
	length int // terms, repeats included
}

func newBag(terms []assist.Term, ids map[string]int32) bag {
	counts := map[int32]int{}
	for _, t := range terms {
		if id, ok := ids[t.Text]; ok {
			counts[id] += max(1, int(math.Round(t.Weight)))
		}
	}
	var g bag
	for id, n := range counts {
		g.ids = append(g.ids, id)
		g.length += n
	}
	slices.Sort(g.ids)
	for _, id := range g.ids {
		g.counts = append(g.counts, int16(min(counts[id], math.MaxInt16)))
	}
	return g
}

// weigh makes the weights for a corpus of the given average length.
func (g bag) weigh(average float64) pgvector.SparseVector {
	norm := g.norm(average)
	weights := make(map[int32]float32, len(g.ids))
	for i, id := range g.ids {
		weights[id] = float32(saturate(g.counts[i], norm))
	}
	return sparse(weights)
}

// norm is what a passage's length does to its weights.
func (g bag) norm(average float64) float64 {
	if average <= 0 {
		return k1
	}
	return k1 * (1 - b + b*float64(g.length)/average)
}

// saturate is the weight of a term that occurs so often.
func saturate(count int16, norm float64) float64 {
	tf := float64(count)
	return tf * (k1 + 1) / (tf + norm)
}

// sparse makes a vector of values by term id. Ids start at 1, indices at 0.
func sparse(byID map[int32]float32) pgvector.SparseVector {
	elements := make(map[int32]float32, len(byID))
	for id, v := range byID {
		elements[id-1] = v
	}
	return pgvector.NewSparseVectorFromMap(elements, dimensions)
}
