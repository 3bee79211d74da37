package postgres_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// alike holds two rankings against each other: the same scores, but for rounding,
// and the same passages in the same order, but for such with the same score.
func alike(t *testing.T, what string, was, now []assist.Hit) {
	t.Helper()
	if len(was) == 0 || len(was) != len(now) {
		t.Fatalf("%s: %d hits of the database, %d of memory", what, len(was), len(now))
	}
	for i := range was {
		near := func(a, b float64) bool { return math.Abs(a-b) < 1e-5*max(1, math.Abs(a)) }
		if !near(was[i].Score, now[i].Score) || !near(was[i].Ranks.LexicalScore, now[i].Ranks.LexicalScore) || !near(was[i].Ranks.DenseScore, now[i].Ranks.DenseScore) {
			t.Fatalf("%s: hit %d scores %+v in the database, %+v in memory", what, i, was[i].Ranks, now[i].Ranks)
		}
		at := slices.IndexFunc(now, func(h assist.Hit) bool { return h.ID == was[i].ID })
		if at != i && (at >= 0 && !near(now[at].Score, was[i].Score) || at < 0 && !near(was[len(was)-1].Score, was[i].Score)) {
			t.Fatalf("%s: hit %d is %s in the database and %s in memory", what, i, was[i].ID, now[i].ID)
		}
		if at >= 0 {
			a, b := was[i], now[at]
			a.Score, a.Ranks, b.Score, b.Ranks = 0, assist.Ranks{}, 0, assist.Ranks{}
			if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
				t.Fatalf("%s: hit %d\n%+v in the database\n%+v in memory", what, i, a, b)
			}
		}
	}
}

// What is found in memory is what the database finds, by words, by what was
// learned and by vector; and memory is asked only where it may be.
func TestHeldFindsTheSame(t *testing.T) {
	db := testdb.Open(t)
	random := rand.New(rand.NewPCG(7, 8))
	vector := func() []float32 {
		v := make([]float32, 20)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	docs := corpus(600)
	var ids []string
	var vectors [][]float32
	for _, d := range docs {
		for _, p := range d.Passages {
			ids, vectors = append(ids, p.ID), append(vectors, vector())
		}
	}
	past := docs[0]
	put(t, db, docs...)
	docs[0] = document(past.ID, past.Audience, "0: other words now", "1: and more w40 w77")
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	docs[1].ValidFrom, docs[1].Revision = &soon, "later" // not yet
	put(t, db, docs[:2]...)
	if err := db.PutVectors(t.Context(), "m", len(vectors[0]), ids, vectors); err != nil {
		t.Fatal(err)
	}
	if err := db.FinishVectors(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	scopes := []retrieve.Scope{{Audience: assist.AudienceInternal, K: 40}, {Audience: assist.AudienceInternal, At: time.Now().Add(time.Minute)},
		{Audience: assist.AudienceInternal, At: soon.Add(time.Minute), K: 100}}
	type answer struct {
		what         string
		lexicon      retrieve.Lexicon
		words, dense []assist.Hit
	}
	type request struct {
		scope  retrieve.Scope
		asked  []string
		vector []float32
	}
	var requests []request
	for n := range 20 {
		var asked []string
		for range 2 + n {
			asked = append(asked, fmt.Sprintf("w%d", random.IntN(1+40*n)))
		}
		for _, scope := range scopes {
			requests = append(requests, request{scope, asked, vector()})
		}
	}
	find := func(r request) (a answer) {
		t.Helper()
		a.what = fmt.Sprintf("%s at %s", r.asked, r.scope.At)
		var err error
		if a.lexicon, err = db.Lexicon(t.Context(), r.scope, r.asked); err != nil {
			t.Fatal(err)
		}
		q := query(a.lexicon)
		q.Mass = 30
		if a.lexicon.Learned > 0 {
			q.Learned.Weights, q.Learned.Mass = map[int32]float32{}, 5
			for _, s := range a.lexicon.Terms {
				if s.Asked > 0 {
					q.Learned.Weights[s.ID] = 2
					q.Learned.Candidates = append(q.Learned.Candidates, s.ID)
				}
			}
		}
		if a.words, err = db.Lexical(t.Context(), r.scope, q); err != nil {
			t.Fatal(err)
		}
		if a.dense, err = db.Dense(t.Context(), r.scope, "m", r.vector); err != nil {
			t.Fatal(err)
		}
		return a
	}
	compare := func(when string) {
		t.Helper()
		db.LetKnowledgeGo()
		var was []answer
		for _, r := range requests {
			db.LetKnowledgeGo() // it may have been read behind the last search
			was = append(was, find(r))
		}
		db.HoldKnowledge(t)
		for i, r := range requests {
			if !db.Holds(r.scope) {
				t.Fatal("nothing is held")
			}
			now, was := find(r), was[i]
			what := when + ", " + was.what
			if fmt.Sprint(was.lexicon) != fmt.Sprint(now.lexicon) {
				t.Errorf("%s: lexicon\n%v in the database\n%v in memory", what, was.lexicon, now.lexicon)
			}
			if len(was.words)+len(now.words) > 0 {
				alike(t, what+", words", was.words, now.words)
			}
			alike(t, what+", vectors", was.dense, now.dense)
		}
	}
	compare("before learning")
	learn(t, db, lesson("c1", 1, "w20 w30 w3 w25", 1, ids[30], ids[41]), lesson("c2", 1, "w20 w77", 0.5, ids[41], ids[55]))
	compare("after learning")

	for _, s := range []retrieve.Scope{{}, {Audience: assist.AudiencePublic}, {Audience: assist.AudienceInternal, Collections: []string{"x"}},
		{Audience: assist.AudienceInternal, Language: "de"}, {Audience: assist.AudienceInternal, At: time.Now().Add(-time.Hour)}} {
		if db.Holds(s) {
			t.Errorf("%+v is answered from memory", s)
		}
	}

	// A change is found at once, and memory is out of use until it has it.
	put(t, db, document("fresh", assist.AudienceInternal, "0: unheard of"))
	if found := search(t, db, inside, "unheard"); len(found) != 1 || db.Holds(inside) {
		t.Errorf("found %v; answered from memory: %v", found, db.Holds(inside))
	}
	db.HoldKnowledge(t)
	if found := search(t, db, inside, "unheard"); len(found) != 1 || !db.Holds(inside) {
		t.Errorf("found %v; answered from memory: %v", found, db.Holds(inside))
	}
	if err := db.DeleteDocument(t.Context(), "fresh"); err != nil {
		t.Fatal(err)
	}
	if found := search(t, db, inside, "unheard"); len(found) != 0 {
		t.Errorf("found after it was deleted: %v", found)
	}
}

// After some searches of one version the knowledge is read by itself.
func TestHeldAfterAWhile(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudienceInternal, "0: some words"))
	for !db.Holds(inside) {
		if len(search(t, db, inside, "words")) != 1 {
			t.Fatal("not found")
		}
		if t.Context().Err() != nil {
			return
		}
	}
}

// Half precision as the database rounds: to eleven bits, to even.
func TestHalves(t *testing.T) {
	for x, want := range map[float32]float32{1: 1, 1.0004883: 1, 1.0014648: 1.0019531, -0.1: -0.099975586, 65504: 65504, 3e-8: 5.9604645e-8, 1e-8: 0, 0: 0} {
		if got := postgres.Halves([]float32{x})[0]; got != want {
			t.Errorf("%g became %g, not %g", x, got, want)
		}
	}
}

func BenchmarkHeld(b *testing.B) {
	db := testdb.Open(b)
	docs := corpus(5000)
	putAll(b, db, docs)
	random := rand.New(rand.NewPCG(3, 4))
	vector := make([]float32, 384)
	var ids []string
	var vectors [][]float32
	for _, d := range docs {
		for _, p := range d.Passages {
			for i := range vector {
				vector[i] = random.Float32() - 0.5
			}
			ids, vectors = append(ids, p.ID), append(vectors, slices.Clone(vector))
		}
	}
	if err := db.PutVectors(b.Context(), "m", len(vector), ids, vectors); err != nil {
		b.Fatal(err)
	}
	if err := db.FinishVectors(b.Context(), "m"); err != nil {
		b.Fatal(err)
	}
	db.HoldKnowledge(b)
	words := strings.Fields("w3 w40 w77 w150 w301 w402 w555 w703 w999 w1200")
	l, err := db.Lexicon(b.Context(), inside, words)
	if err != nil || !db.Holds(inside) {
		b.Fatal(err)
	}
	scope, q := retrieve.Scope{Audience: assist.AudienceInternal, K: 40}, query(l)
	b.Run("lexical", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Lexical(b.Context(), scope, q); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("dense", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Dense(b.Context(), scope, "m", vector); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lexicon", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Lexicon(b.Context(), inside, words); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			db.HoldKnowledge(b)
		}
	})
}
