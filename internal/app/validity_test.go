package app_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestKnowledgeInTime goes the whole way, from files to search: a page that
// changed is found as it was at the old date, what did not change keeps its
// passages, and collection and language say where to look.
func TestKnowledgeInTime(t *testing.T) {
	db := testdb.Open(t)
	retriever := retrieve.New(db, nil, retrieve.Options{})
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func() ingest.Report {
		t.Helper()
		r, err := ingest.Run(t.Context(), ingest.Options{Audience: assist.AudiencePublic}, db, []string{dir}, nil)
		if err != nil || len(r.Failed) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		return r
	}
	search := func(text, day, collection string, most int) (texts, ids []string) {
		t.Helper()
		scope := retrieve.Scope{Audience: assist.AudienceInternal, At: at(t, day), K: most}
		if collection != "" {
			scope.Collections = []string{collection}
		}
		result, err := retriever.Search(t.Context(), scope, retrieve.Listen([]assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Text: text}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range result.Hits {
			texts, ids = append(texts, h.Text), append(ids, h.ID)
		}
		return texts, ids
	}
	page := func(days, from string) string {
		return "---\nid: returns\ntitle: Returns\nvalid_from: " + from + "\ncollection: shop\n---\n## Window\n\nUnused articles may be returned within " + days +
			" days of delivery.\n\n## Defects\n\nDefective articles are replaced at no cost, whatever their age.\n"
	}
	write("returns.md", page("thirty", "2026-01-01"))
	write("umtausch.md", "---\ncollection: laden\n---\n# Umtausch\n\nDie Artikel können nach der Lieferung nicht mehr umgetauscht werden, wenn sie getragen sind.\n")
	refund, err := os.ReadFile("../ingest/testdata/refund.docx")
	if err != nil {
		t.Fatal(err)
	}
	write("refund.docx", string(refund))
	run()
	_, before := search("defective articles replaced", "", "", 1)

	write("returns.md", page("fourteen", "2026-06-01"))
	if r := run(); r.Changed != 1 || r.Unchanged != 2 {
		t.Errorf("%+v", r)
	}
	for day, want := range map[string]string{"2026-03-31": "thirty", "2026-05-31": "thirty", "2026-06-01": "fourteen", "2026-07-01": "fourteen"} {
		texts, _ := search("within how many days of delivery may unused articles be returned", day, "shop", 3)
		if all := strings.Join(texts, "\n"); !strings.Contains(all, want+" days") || strings.Count(all, "days of delivery") != 1 {
			t.Errorf("%s: %q, want %s", day, texts, want)
		}
	}
	if texts, _ := search("unused articles", "2025-12-31", "shop", 3); len(texts) != 0 {
		t.Errorf("before it was valid: %q", texts)
	}
	if _, after := search("defective articles replaced", "2026-07-01", "", 1); len(before) != 1 || len(after) != 1 || before[0] != after[0] {
		t.Errorf("the unchanged passage was %v and is %v", before, after)
	}
	// One collection, and the language that its text is in.
	if texts, _ := search("Umtausch getragener Artikel", "", "laden", 3); len(texts) != 1 || !strings.Contains(texts[0], "umgetauscht") {
		t.Errorf("laden: %q", texts)
	}
	for id, want := range map[string]string{"returns": "en", filepath.Base(dir) + "/umtausch": "de"} {
		if d, err := db.Document(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal, At: at(t, "2026-07-01")}, id); err != nil || d == nil || d.Language != want {
			t.Errorf("%s: %+v, %v", id, d, err)
		}
	}
	if texts, _ := search("what is the limit of a refund", "", "", 1); len(texts) != 1 || !strings.Contains(texts[0], "100 EUR") {
		t.Errorf("from the Word document: %q", texts)
	}
}

// TestPutFormats stores a PDF and a Word document over HTTP's media types.
func TestPutFormats(t *testing.T) {
	db := testdb.OpenWith(t, postgres.Config{})
	k := app.NewKnowledge(db, retrieve.New(db, nil, retrieve.Options{}))
	for file, mediaType := range map[string]string{"shipping.pdf": "application/pdf", "refund.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"} {
		body, err := os.ReadFile("../ingest/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		d, change, err := k.Put(t.Context(), "put/"+file, mediaType, body)
		if err != nil || change != assist.Added || d.ID != "put/"+file || len(d.Passages) == 0 {
			t.Errorf("%s: %+v, %s, %v", file, d, change, err)
		}
	}
	if _, _, err := k.Put(t.Context(), "x", "application/pdf", []byte("no")); assist.CodeOf(err) != assist.Invalid {
		t.Errorf("a bad PDF: %v", err)
	}
}

func at(t *testing.T, day string) time.Time {
	t.Helper()
	if day == "" {
		return time.Time{}
	}
	when, err := app.ParseDate(day)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
