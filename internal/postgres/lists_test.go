package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// However often pages are edited, what is valid now stays in few blocks, the past
// in blocks of its own, and the same passages are found.
func TestListsStayDense(t *testing.T) {
	if testing.Short() {
		t.Skip("it edits thousands of passages")
	}
	db := testdb.Open(t)
	const pages, each, edited, rounds = 105, 20, 55, 6 // more than 1000 passages a round: fewer are not listed at once
	page := func(n, edition int) assist.Document {
		var texts []string
		for i := range each {
			texts = append(texts, fmt.Sprintf("%d-%d: w%d w%d edition%d", i, edition, (n*each+i)%300, i, edition))
		}
		return document(fmt.Sprint("page", n), []assist.Audience{assist.AudiencePublic, assist.AudienceInternal}[n%2], texts...)
	}
	var docs []assist.Document
	for n := range pages {
		docs = append(docs, page(n, 0))
	}
	put(t, db, docs...)
	run := func(sql string, args ...any) [][]any {
		t.Helper()
		rows, err := db.Query(t.Context(), "ingest", sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	// As many years of edits as make a block of the past.
	bygone := document("bygone", assist.AudiencePublic, "bygone words")
	put(t, db, bygone)
	run(`INSERT INTO passages (id, document_id, audience, current, revision, valid_to, text, start_byte, end_byte, length, terms, counts, weights)
		SELECT id || n, document_id, audience, false, 'old', now() - interval '1 hour', text, start_byte, end_byte, length, terms, counts, weights
		FROM passages, generate_series(1, $1) n WHERE document_id = 'bygone'`, postgres.OverFrom+10)
	if err := db.FinishPassages(t.Context()); err != nil {
		t.Fatal(err)
	}
	find := func(scope retrieve.Scope, words string, listed bool) []assist.Hit {
		t.Helper()
		scope.K = 10
		return lexical(t, db, scope, words, listed)
	}
	for round := range rounds {
		// Each round begins a block, as after tens of thousands of edits.
		run(`SELECT setval(pg_get_serial_sequence('passages', 'row_id'), (SELECT max(row_id) / $1 + 1 FROM passages) * $1)`, postgres.BlockRows)
		var changed []assist.Document
		for i := range edited {
			changed = append(changed, page((round*edited+i)%pages, round+1))
		}
		put(t, db, changed...)
		if err := db.FinishPassages(t.Context()); err != nil {
			t.Fatal(err)
		}
		blocks := run(`SELECT count(*) FILTER (WHERE NOT over), count(*) FROM posting_blocks`)[0]
		if live, all := blocks[0].(int64), blocks[1].(int64); live > 2 || all > 4 {
			t.Errorf("round %d: %d blocks, of which %d are searched for now", round, all, live)
		}
		for _, scope := range []retrieve.Scope{{Audience: assist.AudiencePublic}, {Audience: assist.AudienceInternal}, {Audience: assist.AudienceInternal, At: time.Now()}} {
			for _, words := range []string{"w7 w30", fmt.Sprintf("w1 w250 edition%d", round), fmt.Sprintf("edition%d w12", round+1)} {
				if diff := cmp.Diff(find(scope, words, false), find(scope, words, true)); diff != "" {
					t.Fatalf("round %d: the lists find others for %q: %s", round, words, diff)
				}
			}
		}
	}
	if over := run(`SELECT over FROM posting_blocks WHERE block = 0`); len(over) != 1 || over[0][0] != true {
		t.Errorf("the block of the past is not one: %v", over)
	}
	then := retrieve.Scope{Audience: assist.AudiencePublic, At: time.Now().Add(-2 * time.Hour)}
	if hits := find(then, "bygone words", true); len(hits) != 10 || hits[0].DocumentID != "bygone" {
		t.Errorf("%d of 10 passages of the past are found: %v", len(hits), ids(hits))
	}
}

// Of an edited page only the passages that say something else get new rows, which
// the lists of terms do not know; the others are where they stand now.
func TestEditMovesLittle(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudiencePublic, "a: one thing", "b: another thing", "c: a third thing"))
	rows := func() map[string]int64 {
		t.Helper()
		found, err := db.Query(t.Context(), "ingest", `SELECT id, row_id FROM passages WHERE current`)
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]int64{}
		for _, r := range found {
			at[r[0].(string)] = r[1].(int64)
		}
		return at
	}
	before := rows()
	edited := document("d", assist.AudiencePublic, "e: a longer thing that is new", "b: another thing", "c: a third thing")
	put(t, db, edited)
	after := rows()
	if after["d/b"] != before["d/b"] || after["d/c"] != before["d/c"] || after["d/e"] == 0 {
		t.Errorf("rows before %v, after %v", before, after)
	}
	d, err := db.Document(t.Context(), inside, "d")
	if err != nil || !slices.EqualFunc(d.Passages, edited.Passages, func(a, b assist.Passage) bool { return a.ID == b.ID && a.Start == b.Start && a.End == b.End }) {
		t.Errorf("passages %+v, want %+v (%v)", d, edited.Passages, err)
	}
	hidden := document("d", assist.AudienceInternal, "e: a longer thing that is new", "b: another thing", "c: a third thing")
	put(t, db, hidden)
	if now := rows(); now["d/b"] == before["d/b"] {
		t.Error("a passage that customers may not see any more kept the row that the lists give them")
	}
}

// lexical searches for words, through the lists of terms or through every passage.
func lexical(t *testing.T, db *postgres.DB, scope retrieve.Scope, words string, listed bool) []assist.Hit {
	t.Helper()
	l, err := db.Lexicon(t.Context(), scope, strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	q := query(l)
	if listed {
		q.Wide = q.Candidates
	}
	hits, err := db.Lexical(t.Context(), scope, q)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}
