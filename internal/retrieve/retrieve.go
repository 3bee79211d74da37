// Package retrieve turns a transcript into a question and the question into
// ranked passages. It declares the Index it searches; postgres and memindex have one.
//
//	listen.go, phrases.go           transcript → question: what the customer needs now, or why to keep quiet
//	parts.go                        several questions in one message
//	retriever.go, ask.go            the search: words, what was learned and, in time, vectors, in one ranking
//	page.go, likeness.go, quote.go  the best passages, read sentence by sentence; which sentence answers
//	parted.go                       how sure a match is, in this knowledge
//	ground.go, learn.go             which passages a sent reply stood on, and how that counts later
//
// A search waits for the Index and, for a little, for the embedder: without its
// answer the words alone rank.
package retrieve

import (
	"context"
	"slices"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Scope says what a search may see. The zero Scope sees public passages that are
// valid now.
type Scope struct {
	Audience    assist.Audience // AudienceInternal sees everything; anything else public passages only
	Collections []string        // nil: all
	Language    string          // "": all
	At          time.Time       // zero: now
	K           int             // how many passages; 0: 8
	Unjudged    bool            // only passages are wanted: how sure they answer is not worked out, which saves a question to the index
	Near        *Near           // of an earlier search: the same text is not looked up by vector again; nil: none
}

// Near is what a search found by vector. Another search for the same text, by other
// words, finds the same while the knowledge does not change.
type Near struct {
	text, model string
	version     int64 // of the knowledge
	audience    assist.Audience
	at          time.Time
	k           int
	hits        []assist.Hit
}

// same gives what is found now, if that can be told.
func (n *Near) same(scope Scope, text string, l Lexicon) (hits []assist.Hit, known bool) {
	if n == nil || n.text != text || n.model != l.DenseName || n.version != l.Version ||
		n.audience != scope.Audience || !n.at.Equal(scope.At) || n.k != scope.K || len(scope.Collections) > 0 || scope.Language != "" {
		return nil, false
	}
	return slices.Clone(n.hits), true
}

// filters says whether the scope leaves out passages that its audience may see.
func (s Scope) filters() bool {
	return len(s.Collections) > 0 || s.Language != "" || !s.At.IsZero()
}

// Index is the searchable knowledge. Each method reads with the scope's
// audience: for anything but AudienceInternal the database itself must refuse
// internal rows.
type Index interface {
	// Lexicon gives the database's view of terms: their ids and in how many
	// visible passages they occur. Unknown terms are left out.
	Lexicon(ctx context.Context, scope Scope, terms []string) (Lexicon, error)
	// Lexical ranks passages, best first, by the inner product of the weights
	// with their BM25 vectors and what their learned vectors add to it; Score
	// says how. Candidates are passages with any of the terms in Candidates, in
	// their words or in what was learned of them; ranking uses all weights.
	Lexical(ctx context.Context, scope Scope, q LexicalQuery) ([]assist.Hit, error)
	// Dense ranks passages by cosine similarity to vector, which came from the
	// named model, best first.
	Dense(ctx context.Context, scope Scope, model string, vector []float32) ([]assist.Hit, error)
	// Document gives a whole document by id, nil if it is not visible.
	Document(ctx context.Context, scope Scope, id string) (*assist.Document, error)
}

// Recaller is an Index that remembers what passages were asked. A Retriever that
// searches one is surer of questions which were asked before.
type Recaller interface {
	// Recall gives what the passage was asked with the terms; nothing where it is
	// not visible.
	Recall(ctx context.Context, scope Scope, passage string, terms []int32) (Memory, error)
}

// Memory is what the questions that a passage answered had of some terms.
type Memory struct {
	Evidence float64           // questions, each by how sure it is that it stood on this passage
	Asked    map[int32]float64 // how many of them had the term; without those that none had
}

// Lexicon is what the index knows about some terms.
type Lexicon struct {
	Version   int64   // of the knowledge: changes whenever any passage does, or what was learned
	Passages  int     // visible passages, the N of idf
	Questions float64 // learned questions, the N of the learned idf
	Learned   int     // passages of which something was learned; 0: search words alone
	Terms     map[string]TermStat
	DenseName string // model whose vectors serve: the one that was completed last; "" for none
}

// TermStat is one term in the lexicon.
type TermStat struct {
	ID    int32
	DF    int     // visible passages that contain it
	Asked float64 // learned questions that contain it
}

// LexicalQuery is a question in the index's own term ids.
type LexicalQuery struct {
	Weights    map[int32]float32 // idf × importance
	Candidates []int32           // those that say most for the passages they bring, within the budget
	Wide       []int32           // the same within WideBudget; empty where every passage may be looked at
	Mass       float64           // what a passage of usual length with every term once would score
	Learned    LearnedQuery      // zero where nothing was learned
}

// LearnedQuery is a question to the learned vectors.
type LearnedQuery struct {
	Weights    map[int32]float32 // idf among learned questions × importance
	Candidates []int32
	Mass       float64 // as of LexicalQuery
}

// Score is a passage's score of the inner products of its two vectors with the
// question's, in the unit of the first: so it stays comparable where nothing was
// learned.
func (q LexicalQuery) Score(words, learned, evidence float64) float64 {
	if q.Learned.Mass <= 0 {
		return words
	}
	return words + q.Mass*Learned(evidence, learned/q.Learned.Mass)
}
