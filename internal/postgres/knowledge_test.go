package postgres_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

var _ ingest.Store = (*postgres.DB)(nil) // which postgres itself may not import

var inside = retrieve.Scope{Audience: assist.AudienceInternal}

// document makes a document with a passage per text; a passage's id is the
// document's and the text's number among all texts ever used for it.
func document(id string, audience assist.Audience, texts ...string) assist.Document {
	d := assist.Document{ID: id, Title: "Title of " + id, Kind: assist.KindPolicy, Audience: audience, Language: "en", Source: "test",
		Revision: "r:" + string(audience) + strings.Join(texts, "|"), Body: strings.Join(texts, "\n")}
	for i, text := range texts {
		name, words, found := strings.Cut(text, ": ")
		if !found {
			name, words = fmt.Sprint(i), text
		}
		start := strings.Index(d.Body, text)
		d.Passages = append(d.Passages, assist.Passage{ID: id + "/" + name, DocumentID: id, Text: words, Start: start, End: start + len(text), Terms: terms(words)})
	}
	return d
}

func terms(text string) []assist.Term {
	counts := map[string]float64{}
	for _, w := range strings.Fields(text) {
		counts[w]++
	}
	var out []assist.Term
	for w, n := range counts {
		out = append(out, assist.Term{Text: w, Weight: n})
	}
	slices.SortFunc(out, func(a, b assist.Term) int { return cmp.Compare(a.Text, b.Text) })
	return out
}

func put(t testing.TB, db *postgres.DB, docs ...assist.Document) []assist.Change {
	t.Helper()
	changes, err := db.PutDocuments(t.Context(), docs)
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// query asks for all terms of a lexicon, weighted by idf.
func query(l retrieve.Lexicon) retrieve.LexicalQuery {
	q := retrieve.LexicalQuery{Weights: map[int32]float32{}}
	for _, s := range l.Terms {
		q.Weights[s.ID] = float32(idf(l.Passages, s.DF))
		q.Candidates = append(q.Candidates, s.ID)
	}
	return q
}

func idf(n, df int) float64 { return math.Log(1 + (float64(n)-float64(df)+0.5)/(float64(df)+0.5)) }

func search(t testing.TB, db *postgres.DB, scope retrieve.Scope, words string) []assist.Hit {
	t.Helper()
	l, err := db.Lexicon(t.Context(), scope, strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	hits, err := db.Lexical(t.Context(), scope, query(l))
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func ids(hits []assist.Hit) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.ID)
	}
	return out
}

func TestLexicalIsBM25(t *testing.T) {
	db := testdb.Open(t)
	texts := []string{"returns are free within thirty days", "refund refund refund of the price", "shipping is free", "the price of shipping to the islands and back to the shop",
		"a warranty covers defects", "free free free"}
	put(t, db, document("d", assist.AudienceInternal, texts...))

	const question = "free price refund shipping"
	length := 0
	for _, s := range texts {
		length += len(strings.Fields(s))
	}
	average := float64(length) / float64(len(texts))
	want := map[string]float64{}
	for i, s := range texts {
		score := 0.0
		for _, w := range strings.Fields(question) {
			df := 0
			for _, s := range texts {
				if slices.Contains(strings.Fields(s), w) {
					df++
				}
			}
			tf := 0.0
			for _, x := range strings.Fields(s) {
				if x == w {
					tf++
				}
			}
			score += idf(len(texts), df) * tf * 2.5 / (tf + 1.5*(1-0.5+0.5*float64(len(strings.Fields(s)))/average))
		}
		if score > 0 {
			want[fmt.Sprintf("d/%d", i)] = score
		}
	}
	hits := search(t, db, inside, question)
	if len(hits) != len(want) {
		t.Fatalf("%d hits, want %d", len(hits), len(want))
	}
	for i, h := range hits {
		if math.Abs(h.Score-want[h.ID]) > 1e-5 || h.Ranks.LexicalScore != h.Score || h.Ranks.Lexical != i+1 {
			t.Errorf("%s: score %v, want %v, ranks %+v", h.ID, h.Score, want[h.ID], h.Ranks)
		}
		if i > 0 && hits[i-1].Score < h.Score {
			t.Errorf("%s stands below %s", hits[i-1].ID, h.ID)
		}
	}
	h := hits[0]
	if h.Title != "Title of d" || h.Kind != assist.KindPolicy || h.Revision == "" || h.Text != texts[1] || h.UpdatedAt.IsZero() || h.Quote != "" {
		t.Errorf("%+v", h)
	}
	if got := search(t, db, retrieve.Scope{Audience: assist.AudienceInternal, K: 2}, question); len(got) != 2 {
		t.Errorf("%d hits, want 2", len(got))
	}
	if got := search(t, db, inside, "unheard-of"); len(got) != 0 {
		t.Errorf("hits for nothing: %v", ids(got))
	}
}

// However the corpus came together, its weights are those of one average, and
// that is within a twentieth of the true one.
func TestWeightsFollowTheAverage(t *testing.T) {
	db := testdb.Open(t)
	for i, text := range []string{"one", "two words", "three words now", strings.Repeat("many ", 40), strings.Repeat("more words ", 50), "few"} {
		put(t, db, document(fmt.Sprint("d", i), assist.AudiencePublic, text))
	}
	if _, err := db.RemoveDocuments(t.Context(), "test", []string{"d0", "d1", "d2", "d5"}); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(t.Context(), "turns", `SELECT s.weighed_average, s.total_length::float8 / s.passages, p.length, p.counts, p.weights::text
		FROM knowledge_stats s, passages p ORDER BY p.row_id`)
	if err != nil || len(rows) != 6 {
		t.Fatal(len(rows), err)
	}
	for _, r := range rows {
		weighed, average := r[0].(float64), r[1].(float64)
		if average != 7.0/4 || math.Abs(weighed-average) > 0.05*average {
			t.Fatalf("weighed with %v, average is %v", weighed, average)
		}
		tf := float64(r[3].([]any)[0].(int16))
		want := tf * 2.5 / (tf + 1.5*(1-0.5+0.5*float64(r[2].(int32))/weighed))
		var id int
		var got float64
		if _, err := fmt.Sscanf(r[4].(string), "{%d:%g", &id, &got); err != nil || math.Abs(got-want) > 1e-5 {
			t.Errorf("weight %v, want %v (%v)", got, want, err)
		}
	}
}

func TestRevisions(t *testing.T) {
	db := testdb.Open(t)
	if got := put(t, db, document("d", assist.AudiencePublic, "a: thirty days", "b: free returns"), document("e", assist.AudiencePublic, "days of yore")); !slices.Equal(got, []assist.Change{assist.Added, assist.Added}) {
		t.Error(got)
	}
	rows, err := db.Query(t.Context(), "turns", `SELECT version, clock_timestamp() FROM knowledge_stats`)
	if err != nil {
		t.Fatal(err)
	}
	march := rows[0][1].(time.Time)

	second := document("d", assist.AudiencePublic, "c: sixty days now", "b: free returns")
	if got := put(t, db, second, document("e", assist.AudiencePublic, "days of yore")); !slices.Equal(got, []assist.Change{assist.Changed, assist.Unchanged}) {
		t.Error(got)
	}
	if got := put(t, db, second); !slices.Equal(got, []assist.Change{assist.Unchanged}) {
		t.Error(got)
	}
	then, now := inside, inside
	then.At = march
	if got := ids(search(t, db, now, "days")); !slices.Equal(got, []string{"e/0", "d/c"}) && !slices.Equal(got, []string{"d/c", "e/0"}) {
		t.Errorf("now: %v", got)
	}
	past := search(t, db, then, "days")
	if got := ids(past); !slices.Equal(got, []string{"d/a", "e/0"}) {
		t.Errorf("in March: %v", got)
	}
	if past[0].Revision == second.Revision {
		t.Error("a passage of the past is shown as one of today's revision")
	}
	for scope, want := range map[*retrieve.Scope][]string{&now: {"d/c", "d/b"}, &then: {"d/a", "d/b"}} {
		d, err := db.Document(t.Context(), *scope, "d")
		if err != nil || d == nil {
			t.Fatal(d, err)
		}
		var got []string
		for _, p := range d.Passages {
			got = append(got, p.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("document has %v, want %v", got, want)
		}
	}
	// The unchanged passage kept its row; its place in the body moved.
	rows, err = db.Query(t.Context(), "turns", `SELECT valid_from = '-infinity', start_byte, count(*) OVER () FROM passages WHERE id = 'd/b'`)
	if d := gocmp.Diff([][]any{{true, int32(18), int64(1)}}, rows); d != "" || err != nil {
		t.Error(d, err)
	}
	// And back again.
	put(t, db, document("d", assist.AudiencePublic, "a: thirty days", "b: free returns"))
	if got := ids(search(t, db, now, "thirty")); !slices.Equal(got, []string{"d/a"}) {
		t.Errorf("back again: %v", got)
	}
	checkLexicon(t, db)
}

func TestValidity(t *testing.T) {
	db := testdb.Open(t)
	day := func(d int) *time.Time { at := time.Date(2026, 5, d, 0, 0, 0, 0, time.UTC); return &at }
	old := document("d", assist.AudiencePublic, "a: old terms")
	old.ValidFrom, old.ValidTo = day(1), day(30)
	put(t, db, old)
	next := document("d", assist.AudiencePublic, "b: new terms")
	next.ValidFrom = day(10) // said so by the document, whenever it was ingested
	put(t, db, next)
	for d, want := range map[int][]string{9: {"d/a"}, 10: {"d/b"}, 31: {"d/b"}} {
		scope := inside
		scope.At = *day(d)
		if got := ids(search(t, db, scope, "terms")); !slices.Equal(got, want) {
			t.Errorf("May %d: %v, want %v", d, got, want)
		}
	}
	scope := inside
	scope.At = day(1).Add(-time.Second)
	if got := ids(search(t, db, scope, "terms")); len(got) != 0 {
		t.Errorf("before: %v", got)
	}
	if d, err := db.Document(t.Context(), scope, "d"); d != nil || err != nil {
		t.Errorf("document before it was valid: %v, %v", d, err)
	}
}

func TestFilters(t *testing.T) {
	db := testdb.Open(t)
	a, b := document("a", assist.AudiencePublic, "words"), document("b", assist.AudiencePublic, "words")
	a.Collection, b.Collection, b.Language = "shop", "travel", "de"
	put(t, db, a, b)
	for _, c := range []struct {
		scope retrieve.Scope
		want  []string
	}{
		{retrieve.Scope{Collections: []string{"shop"}}, []string{"a/0"}},
		{retrieve.Scope{Collections: []string{"shop", "travel"}}, []string{"a/0", "b/0"}},
		{retrieve.Scope{Collections: []string{}}, []string{"a/0", "b/0"}},
		{retrieve.Scope{Language: "de"}, []string{"b/0"}},
		{retrieve.Scope{Language: "de", Collections: []string{"shop"}}, []string{}},
	} {
		if got := ids(search(t, db, c.scope, "words")); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v, want %v", c.scope, got, c.want)
		}
	}
}

func TestRemoveDocuments(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("a", assist.AudiencePublic, "alpha words"), document("b", assist.AudienceInternal, "beta words"))
	other := document("c", assist.AudiencePublic, "gamma words")
	other.Source = "elsewhere"
	put(t, db, other)
	rows, err := db.Query(t.Context(), "turns", `SELECT clock_timestamp()`)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := db.RemoveDocuments(t.Context(), "test", []string{"a"})
	if err != nil || !slices.Equal(removed, []string{"b"}) {
		t.Errorf("%v, %v", removed, err)
	}
	revisions, err := db.Revisions(t.Context())
	if err != nil || len(revisions) != 2 || revisions["c"] != other.Revision {
		t.Errorf("%v, %v", revisions, err)
	}
	if got := ids(search(t, db, inside, "beta")); len(got) != 0 {
		t.Errorf("removed but found: %v", got)
	}
	then := inside
	then.At = rows[0][0].(time.Time)
	l, err := db.Lexicon(t.Context(), then, []string{"words"})
	if err != nil {
		t.Fatal(err)
	}
	hits, err := db.Lexical(t.Context(), then, query(l))
	if got := ids(hits); !slices.Contains(got, "b/0") || err != nil {
		t.Errorf("in the past: %v, %v", got, err)
	}
	if err := db.DeleteDocument(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, db.DeleteDocument(t.Context(), "a"), assist.NotFound)
	_, err = db.DocumentByID(t.Context(), "a")
	wantCode(t, err, assist.NotFound)
	d, err := db.DocumentByID(t.Context(), "c")
	if err != nil || d.Source != "elsewhere" || len(d.Passages) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	checkLexicon(t, db)
	if got := put(t, db, document("b", assist.AudienceInternal, "beta words")); got[0] != assist.Added {
		t.Errorf("%v", got)
	}
	checkLexicon(t, db)
	if all, err := db.RemoveDocuments(t.Context(), "test", nil); err != nil || !slices.Equal(all, []string{"b"}) {
		t.Errorf("%v, %v", all, err)
	}
}

// Who makes a document internal hides its earlier words too.
func TestMadeInternal(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudiencePublic, "a: leaked words", "b: kept words"))
	if err := db.PutVectors(t.Context(), "m", 1, []string{"d/a", "d/b"}, [][]float32{{1}, {1}}); err != nil {
		t.Fatal(err)
	}
	put(t, db, document("d", assist.AudiencePublic, "c: fixed words", "b: kept words"))
	put(t, db, document("d", assist.AudienceInternal, "c: fixed words", "b: kept words"))
	for _, table := range []string{"documents", "passages", "lexicon", "passage_vectors"} {
		rows, err := db.CustomerQuery(t.Context(), "", `SELECT id FROM `+strings.Replace(table, "passage_vectors", "(SELECT passage_id AS id FROM passage_vectors) v", 1))
		if len(rows) != 0 || err != nil {
			t.Errorf("public %s: %v, %v", table, rows, err)
		}
	}
	checkLexicon(t, db)
}

// checkLexicon counts what the lexicon says once more.
func checkLexicon(t *testing.T, db *postgres.DB) {
	t.Helper()
	rows, err := db.Query(t.Context(), "turns", `SELECT l.term, l.df, l.df_public, count(p.*)::int, (count(p.*) FILTER (WHERE p.audience = 'public'))::int
		FROM lexicon l LEFT JOIN passages p ON p.current AND l.id = ANY(p.terms) GROUP BY l.id
		HAVING l.df <> count(p.*) OR l.df_public <> count(p.*) FILTER (WHERE p.audience = 'public')`)
	if len(rows) != 0 || err != nil {
		t.Errorf("lexicon miscounts: %v, %v", rows, err)
	}
	rows, err = db.Query(t.Context(), "turns", `SELECT s.* FROM knowledge_stats s, (SELECT count(*) AS n, count(*) FILTER (WHERE audience = 'public') AS public,
		coalesce(sum(length), 0) AS length FROM passages WHERE current) p
		WHERE (s.passages, s.passages_public, s.total_length) <> (p.n, p.public, p.length)`)
	if len(rows) != 0 || err != nil {
		t.Errorf("statistics miscount: %v, %v", rows, err)
	}
}

func TestPutDocumentsWholeOrNot(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudiencePublic, "a: first words"))
	broken := document("z", assist.AudiencePublic, "fine words")
	broken.Passages[0].ID = "d/a" // collides at the very end, in the copy
	_, err := db.PutDocuments(t.Context(), []assist.Document{document("d", assist.AudiencePublic, "a: first words", "b: second words"), broken})
	wantCode(t, err, assist.Invalid)
	if got := ids(search(t, db, inside, "words second")); !slices.Equal(got, []string{"d/a"}) {
		t.Errorf("half a put is visible: %v", got)
	}
	checkLexicon(t, db)

	for name, change := range map[string]func(*assist.Document){
		"NUL in the text":   func(d *assist.Document) { d.Body = "a\x00" },
		"NUL in a passage":  func(d *assist.Document) { d.Passages[0].Text = "a\x00" },
		"bad UTF-8":         func(d *assist.Document) { d.Title = "\xff" },
		"unknown audience":  func(d *assist.Document) { d.Audience = "Public" },
		"no id":             func(d *assist.Document) { d.ID = "" },
		"passage without":   func(d *assist.Document) { d.Passages[0].ID = "" },
		"twice in one call": func(d *assist.Document) { d.ID = "twin" },
	} {
		d := document("x", assist.AudiencePublic, "words")
		change(&d)
		_, err := db.PutDocuments(t.Context(), []assist.Document{document("twin", "", "words"), d})
		if assist.CodeOf(err) != assist.Invalid || !strings.Contains(assist.MessageOf(err), "document") {
			t.Errorf("%s: %v", name, err)
		}
	}
	odd := document("odd", assist.AudiencePublic, "words")
	odd.Passages[0].Terms = append(odd.Passages[0].Terms, assist.Term{Text: strings.Repeat("A", 5000), Weight: 1}, assist.Term{Text: "words", Weight: 1e9}, assist.Term{Text: "a\x00b", Weight: 1})
	odd.Passages = append(odd.Passages, odd.Passages[0], assist.Passage{ID: "odd/empty"})
	put(t, db, odd)
	checkLexicon(t, db)
}

func TestPutDocumentsSideBySide(t *testing.T) {
	db := testdb.Open(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 5 {
				var docs []assist.Document
				for j := range 5 {
					docs = append(docs, document(fmt.Sprint("d", (w+j)%6), assist.AudiencePublic, fmt.Sprintf("%d: shared words %d %d", i, w, i), "s: shared forever"))
				}
				if w%2 == 0 {
					slices.Reverse(docs)
				}
				if _, err := db.PutDocuments(t.Context(), docs); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkLexicon(t, db)
}

func TestVectors(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudiencePublic, "a: north", "b: east", "c: between"))
	model := func() string {
		t.Helper()
		l, err := db.Lexicon(t.Context(), inside, nil)
		if err != nil {
			t.Fatal(err)
		}
		return l.DenseName
	}
	missing, texts, err := db.MissingVectors(t.Context(), "m", 10)
	if err != nil || !slices.Equal(missing, []string{"d/a", "d/b", "d/c"}) || texts[0] != "Title of d\nnorth" {
		t.Errorf("%v %q %v", missing, texts, err)
	}
	if err := db.PutVectors(t.Context(), "m", 2, missing[:2], [][]float32{{0, 1}, {1, 0}}); err != nil {
		t.Fatal(err)
	}
	if got := model(); got != "" {
		t.Errorf("half a model counts as complete: %q", got)
	}
	if err := db.PutVectors(t.Context(), "m", 2, missing[:2], [][]float32{{0, 1}, {1, 0}}); err != nil || model() != "" {
		t.Errorf("the same vectors again: model %q, %v", model(), err)
	}
	if err := db.PutVectors(t.Context(), "m", 2, []string{"d/c", "gone"}, [][]float32{{2, 2}, {1, 1}}); err != nil {
		t.Fatal(err)
	}
	if got := model(); got != "" {
		t.Errorf("model %q serves before its vectors are finished", got)
	}
	if err := db.FinishVectors(t.Context(), "m"); err != nil || model() != "m" {
		t.Errorf("model %q, want m (%v)", model(), err)
	}
	hits, err := db.Dense(t.Context(), inside, "m", []float32{0.1, 9})
	if err != nil || !slices.Equal(ids(hits), []string{"d/a", "d/c", "d/b"}) {
		t.Errorf("%v, %v", ids(hits), err)
	}
	if math.Abs(hits[0].Score-1) > 1e-3 || hits[0].Ranks.Dense != 1 || hits[0].Ranks.DenseScore != hits[0].Score {
		t.Errorf("%+v", hits[0])
	}
	put(t, db, document("d", assist.AudiencePublic, "a: north", "x: west"))
	if got := model(); got != "m" {
		t.Errorf("model %q: one new passage without a vector puts all the others in the dark", got)
	}
	hits, err = db.Dense(t.Context(), inside, "m", []float32{0, 1})
	if err != nil || !slices.Equal(ids(hits), []string{"d/a"}) {
		t.Errorf("%v, %v", ids(hits), err)
	}
	for name, c := range map[string]struct {
		dim    int
		vector []float32
	}{
		"another dimension": {3, []float32{1, 2, 3}}, "short": {2, []float32{1}}, "zero": {2, []float32{0, 0}},
		"not a number": {2, []float32{float32(math.NaN()), 1}}, "too large": {2, []float32{1e6, 1}}, "no dimension": {0, nil}, "too many": {5000, make([]float32, 5000)},
	} {
		if err := db.PutVectors(t.Context(), "m", c.dim, []string{"d/a"}, [][]float32{c.vector}); assist.CodeOf(err) != assist.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := db.Dense(t.Context(), inside, "m", []float32{1}); assist.CodeOf(err) != assist.Invalid {
		t.Errorf("question of another dimension: %v", err)
	}
	if hits, err := db.Dense(t.Context(), inside, "unknown", []float32{1}); len(hits) != 0 || err != nil {
		t.Errorf("unknown model: %v, %v", hits, err)
	}
}
