package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

var _ ingest.VectorStore = vectorStore{}

// vectorStore takes the dimension from the vectors, as the app's does.
type vectorStore struct{ *postgres.DB }

func (s vectorStore) PutVectors(ctx context.Context, model string, ids []string, vectors [][]float32) error {
	return s.DB.PutVectors(ctx, model, len(vectors[0]), ids, vectors)
}

// embedder makes a vector of a text's bytes; other seeds make other spaces.
type embedder struct {
	name string
	seed uint64
	fail int // the call that fails; 0: none
	n    int
}

var _ llm.Embedder = (*embedder)(nil)

func (e *embedder) Name() string { return e.name }

func (e *embedder) Embed(_ context.Context, texts []string) (vectors [][]float32, err error) {
	if e.n++; e.n == e.fail {
		return nil, llm.ErrDown
	}
	for _, text := range texts {
		v := make([]float32, 16)
		for word := range strings.FieldsSeq(text) {
			h := e.seed
			for _, c := range []byte(word) {
				h = h*31 + uint64(c)
			}
			random := rand.New(rand.NewPCG(h, 1))
			for i := range v {
				v[i] += float32(random.NormFloat64())
			}
		}
		vectors = append(vectors, v)
	}
	return vectors, nil
}

// plan gives the plan of a search as the pool's role makes it.
func plan(t *testing.T, db *postgres.DB, pool string, sql string, args ...any) string {
	t.Helper()
	rows, err := db.Query(t.Context(), pool, "EXPLAIN "+sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintln(&b, r[0])
	}
	return b.String()
}

// With 25,000 passages either role's searches use the indexes, by words at once and
// by vector from ten thousand on; what is near is found, and a filter that keeps
// one of a hundred leaves nothing out.
func TestSearchAtSize(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes 25,000 vectors")
	}
	db := testdb.Open(t)
	const documents, each = 2500, 10
	var docs []assist.Document
	random := rand.New(rand.NewPCG(5, 6))
	for d := range documents {
		var texts []string
		for p := range each {
			texts = append(texts, fmt.Sprintf("%d: w%d w%d w%d w%d", p, random.IntN(3000), random.IntN(3000), random.IntN(3000), random.IntN(3000)))
		}
		audience := assist.AudiencePublic
		if d%2 == 1 {
			audience = assist.AudienceInternal
		}
		doc := document(fmt.Sprint("doc", d), audience, texts...)
		if d%100 < 2 {
			doc.Collection = "rare"
		}
		docs = append(docs, doc)
	}
	for len(docs) > 0 {
		put(t, db, docs[:500]...)
		docs = docs[500:]
	}
	rows, err := db.Query(t.Context(), "turns", `SELECT tablename FROM pg_stats WHERE schemaname = current_schema() AND attname = 'terms' AND tablename LIKE 'passages_%'`)
	if err != nil || len(rows) != 2 {
		t.Errorf("statistics of %v (%v)", rows, err)
	}
	for _, pool := range []string{"search", "public"} {
		scope := retrieve.Scope{}
		if pool == "search" {
			scope = inside
		}
		l, err := db.Lexicon(t.Context(), scope, strings.Fields("w1 w20 w300"))
		if err != nil {
			t.Fatal(err)
		}
		sql, args := postgres.LexicalQuery(scope, query(l))
		if p := plan(t, db, pool, sql, args...); !strings.Contains(p, "Bitmap Index Scan on passages_public_terms") || strings.Contains(p, "Seq Scan on passages") {
			t.Errorf("%s: the plan does without the index on terms:\n%s", pool, p)
		}
	}
	e := &embedder{name: "m", seed: 1}
	if made, err := ingest.EmbedMissing(t.Context(), e, vectorStore{db}); err != nil || made != documents*each {
		t.Fatal(made, err)
	}
	for _, role := range []struct{ pool, table string }{{"search", "passage_vectors"}, {"public", "passage_vectors_public"}} {
		scope := retrieve.Scope{K: 10}
		if role.pool == "search" {
			scope.Audience = assist.AudienceInternal
		}
		q, _ := e.Embed(t.Context(), []string{"w1 w2 w3"})
		sql, args := postgres.DenseQuery(scope, 16, 1, q[0])
		if p := plan(t, db, role.pool, sql, args...); !strings.Contains(p, "Index Scan using passage_vectors_public_m1") {
			t.Errorf("%s: the plan does without the index:\n%s", role.pool, p)
		}
		recall, err := db.DenseRecall(t.Context(), scope, "m", 50)
		if err != nil || recall < 0.95 {
			t.Errorf("%s: recall %.3f (%v)", role.pool, recall, err)
		}
		scope.Collections = []string{"rare"}
		for _, k := range []int{10, 40, 120} {
			scope.K = k
			found, err := db.Dense(t.Context(), scope, "m", q[0])
			if err != nil || len(found) != k {
				t.Errorf("%s: %d of %d passages of a rare collection (%v)", role.pool, len(found), k, err)
			}
		}
	}
	// A broken-off build is made again.
	if err := db.FinishVectors(t.Context(), "m"); err != nil {
		t.Error(err)
	}
	t.Run("lists of terms", func(t *testing.T) { listsFindTheSame(t, db) })
}

// A new model fills in beside the old one, which serves until the new one is
// complete; a failure half way costs nothing that was done.
func TestNewModelBesideTheOld(t *testing.T) {
	db := testdb.Open(t)
	var texts []string
	for i := range 100 {
		texts = append(texts, fmt.Sprintf("%d: words number%d", i, i))
	}
	put(t, db, document("d", assist.AudiencePublic, texts...))
	serves := func(want string) {
		t.Helper()
		l, err := db.Lexicon(t.Context(), retrieve.Scope{}, nil)
		if err != nil || l.DenseName != want {
			t.Errorf("searches use %q, want %q (%v)", l.DenseName, want, err)
		}
		e := &embedder{name: "old", seed: 1}
		if want == "new" {
			e = &embedder{name: "new", seed: 2}
		}
		q, _ := e.Embed(t.Context(), []string{"Title of d words number7"})
		hits, err := db.Dense(t.Context(), retrieve.Scope{}, want, q[0])
		if err != nil || len(hits) == 0 || hits[0].ID != "d/7" {
			t.Errorf("%s finds %v (%v)", want, ids(hits), err)
		}
	}
	if _, err := ingest.EmbedMissing(t.Context(), &embedder{name: "old", seed: 1}, vectorStore{db}); err != nil {
		t.Fatal(err)
	}
	serves("old")
	made, err := ingest.EmbedMissing(t.Context(), &embedder{name: "new", seed: 2, fail: 2}, vectorStore{db})
	if err == nil || made != 64 {
		t.Errorf("%d made, %v", made, err)
	}
	serves("old")
	if made, err = ingest.EmbedMissing(t.Context(), &embedder{name: "new", seed: 2}, vectorStore{db}); err != nil || made != 36 {
		t.Errorf("%d made by the second run, %v", made, err)
	}
	serves("new")
	if _, err := ingest.EmbedMissing(t.Context(), &embedder{name: "old", seed: 1}, vectorStore{db}); err != nil {
		t.Error(err)
	}
	serves("old") // chosen again
}

// With lists of where terms stand the same passages are found, for either role and
// through every filter, without an index; what changes after they were made is
// found as it is now.
func listsFindTheSame(t *testing.T, db *postgres.DB) {
	hour := time.Now().Add(-time.Hour)
	type asked struct {
		audience             assist.Audience
		words                string
		collection, language string
		at                   time.Time
	}
	ask := func(a asked, listed bool) []assist.Hit {
		t.Helper()
		scope := retrieve.Scope{Audience: a.audience, K: 10, Language: a.language, At: a.at}
		if a.collection != "" {
			scope.Collections = []string{a.collection, "none"}
		}
		return lexical(t, db, scope, a.words, listed)
	}
	before := map[asked][]assist.Hit{}
	for _, words := range []string{"w1 w20 w300", "w7", "w2999 w5 w6 w8 w9", "w1234 nothing"} {
		for _, audience := range []assist.Audience{assist.AudiencePublic, assist.AudienceInternal} {
			for _, a := range []asked{{}, {collection: "rare"}, {language: "en"}, {language: "de"}, {collection: "rare", language: "en"}, {at: hour}} {
				a.words, a.audience = words, audience
				before[a] = ask(a, false)
			}
		}
	}
	if err := db.FinishPassages(t.Context()); err != nil {
		t.Fatal(err)
	}
	blocks := func(want string) {
		t.Helper()
		rows, err := db.Query(t.Context(), "turns", `SELECT count(*), sum(current), to_regclass('passages_public_terms') IS NULL FROM posting_blocks`)
		if err != nil || len(rows) != 1 || fmt.Sprint(rows[0]) != want {
			t.Errorf("lists: %v, want %s (%v)", rows, want, err)
		}
	}
	blocks("[1 25000 true]")
	for a, was := range before {
		if now := ask(a, true); !cmp.Equal(was, now) {
			t.Errorf("%v: the lists find others: %s", a, cmp.Diff(was, now))
		}
	}
	put(t, db, document("doc1", assist.AudiencePublic, "w7 w7 w7 w7 w7 w7"), document("new", assist.AudienceInternal, "w7 w7 w7 w7 w7"))
	now := asked{audience: assist.AudiencePublic, words: "w7"}
	if got := ask(now, true); len(got) == 0 || got[0].DocumentID != "doc1" {
		t.Errorf("a page that was made public is not found first: %+v", got)
	}
	now.audience = assist.AudienceInternal
	if got := ask(now, true); !slices.ContainsFunc(got, func(h assist.Hit) bool { return h.DocumentID == "new" }) {
		t.Errorf("a new page is not found: %+v", got)
	}
	if err := db.FinishPassages(t.Context()); err != nil { // a page more is nothing
		t.Fatal(err)
	}
	blocks("[1 25000 true]")
	for _, secret := range []string{"postings_internal", "posting_places_internal"} {
		if _, err := db.CustomerQuery(t.Context(), "", `SELECT * FROM `+secret); err == nil {
			t.Errorf("customers can read %s", secret)
		}
	}

	// Most of what has the word is gone again: the lists still know it, and no
	// search finds less for that.
	many := func(name, words string, n int) (docs []assist.Document) {
		for i := range n {
			var texts []string
			for p := range 20 {
				texts = append(texts, fmt.Sprintf("%d: %s w%d", p, words, 100*i+p))
			}
			docs = append(docs, document(fmt.Sprint(name, i), assist.AudiencePublic, texts...))
		}
		return docs
	}
	gone := many("gone", "rareword rareword", 30)
	put(t, db, append(gone, many("stays", "rareword and much else besides it", 30)...)...)
	if err := db.FinishPassages(t.Context()); err != nil {
		t.Fatal(err)
	}
	blocks("[1 26192 true]")
	for _, d := range gone {
		if err := db.DeleteDocument(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []time.Time{{}, hour} {
		got := ask(asked{audience: assist.AudiencePublic, words: "rareword", at: at}, true)
		if len(got) != 10 || strings.HasPrefix(got[0].DocumentID, "gone") == at.IsZero() {
			t.Errorf("at %v: %d of 10 found among many that are gone, the first in %v", at, len(got), got)
		}
	}

	// A knowledge that becomes small goes back to the indexes.
	if _, err := db.Query(t.Context(), "ingest", `UPDATE knowledge_stats SET passages = 1400`); err != nil {
		t.Fatal(err)
	}
	if err := db.FinishPassages(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(t.Context(), "turns", `SELECT (SELECT count(*) FROM posting_blocks) + (SELECT count(*) FROM postings_public), count(*)
		FROM pg_index WHERE indexrelid IN (to_regclass('passages_public_terms'), to_regclass('passages_internal_terms')) AND indisvalid`)
	if err != nil || fmt.Sprint(rows) != "[[0 2]]" {
		t.Errorf("lists and indexes: %v (%v)", rows, err)
	}
}
