package postgres_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// corpus makes documents of ten passages of about 80 words, whose frequencies
// fall off as those of a language do.
func corpus(passages int) []assist.Document {
	random := rand.New(rand.NewPCG(1, 2))
	words := rand.NewZipf(random, 1.1, 20, 30_000)
	var docs []assist.Document
	for d := range passages / 10 {
		var texts []string
		for p := range 10 {
			var b strings.Builder
			fmt.Fprintf(&b, "%d: ", p)
			for range 60 + random.IntN(40) {
				fmt.Fprintf(&b, "w%d ", words.Uint64())
			}
			texts = append(texts, b.String())
		}
		audience := assist.AudiencePublic
		if d%2 == 1 {
			audience = assist.AudienceInternal
		}
		docs = append(docs, document(fmt.Sprint("doc", d), audience, texts...))
	}
	return docs
}

func putAll(b *testing.B, db *postgres.DB, docs []assist.Document) {
	for len(docs) > 0 {
		n := min(50, len(docs))
		put(b, db, docs[:n]...)
		docs = docs[n:]
	}
}

func BenchmarkAddTurn(b *testing.B) {
	db := testdb.Open(b)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			t := turn(fmt.Sprint("c", i%200), fmt.Sprint(i), assist.RoleCustomer, "Where is my order? It should have been here on Tuesday.")
			if _, err := db.AddTurn(b.Context(), source, t, chat.Lease{Owner: "node", For: 1e9}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkPutDocuments(b *testing.B) {
	const passages = 2000
	docs := corpus(passages)
	for b.Loop() {
		b.StopTimer()
		db := testdb.Open(b)
		b.StartTimer()
		putAll(b, db, docs)
	}
	b.ReportMetric(passages*float64(b.N)/b.Elapsed().Seconds(), "passages/s")
}

func BenchmarkSearch(b *testing.B) {
	db := testdb.Open(b)
	docs := corpus(5000)
	putAll(b, db, docs)
	var passages []string
	var vectors [][]float32
	random := rand.New(rand.NewPCG(3, 4))
	vector := func() []float32 {
		v := make([]float32, 384)
		for i := range v {
			v[i] = random.Float32() - 0.5
		}
		return v
	}
	for _, d := range docs {
		for _, p := range d.Passages {
			passages, vectors = append(passages, p.ID), append(vectors, vector())
		}
	}
	if err := db.PutVectors(b.Context(), "m", 384, passages, vectors); err != nil {
		b.Fatal(err)
	}
	for name, audience := range map[string]assist.Audience{"internal": assist.AudienceInternal, "public": assist.AudiencePublic} {
		scope := retrieve.Scope{Audience: audience}
		b.Run("lexical/"+name, func(b *testing.B) {
			l, err := db.Lexicon(b.Context(), scope, strings.Fields("w3 w40 w77 w150 w301 w402 w555 w703 w999 w1200"))
			if err != nil {
				b.Fatal(err)
			}
			q := query(l)
			for b.Loop() {
				if _, err := db.Lexical(b.Context(), scope, q); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("dense/"+name, func(b *testing.B) {
			q := vector()
			for b.Loop() {
				if _, err := db.Dense(b.Context(), scope, "m", q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("lexicon", func(b *testing.B) {
		for b.Loop() {
			if _, err := db.Lexicon(b.Context(), inside, []string{"w3", "w40", "w77", "w150"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
