package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/testdb"
	"github.com/aside-project/aside/internal/web"
)

// TestInternalPagesStayHidden ingests a bank's 698 real pages twice, and then
// searches with the very words of each internal page as the public.
func TestInternalPagesStayHidden(t *testing.T) {
	dir := filepath.Join(testkit.Dir(t), "dev", "tau-knowledge", "documents")
	db := testdb.Open(t)
	first, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{dir}, nil)
	if err != nil || first.Documents != 698 || first.Added != 698 || len(first.Failed) != 0 {
		t.Fatalf("first run: %+v, %v", first, err)
	}
	again, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{dir}, nil)
	if err != nil || again.Unchanged != 698 || again.Changed+again.Added+again.Removed != 0 {
		t.Errorf("second run: %+v, %v", again, err)
	}

	knowledge := app.NewKnowledge(db, retrieve.New(db, nil, retrieve.Options{}))
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	internal := 0
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, text, _ := strings.Cut(strings.TrimPrefix(string(body), "---\n"), "\n---\n")
		if !strings.Contains(string(body[:min(len(body), 400)]), "audience: internal") {
			continue
		}
		internal++
		words := text[:min(len(text), 600)]
		for audience, mayFind := range map[assist.Audience]bool{assist.AudiencePublic: false, assist.AudienceInternal: true} {
			got, err := knowledge.Search(t.Context(), web.SearchQuery{Text: strings.ToValidUTF8(words, ""), Audience: audience, K: 50})
			if err != nil {
				t.Fatal(err)
			}
			found := false
			for _, h := range got.Hits {
				found = found || h.Audience == assist.AudienceInternal
			}
			if found != mayFind {
				t.Errorf("%s as %s: internal page found: %t", filepath.Base(f), audience, found)
			}
		}
	}
	if internal != 58 {
		t.Errorf("%d internal pages, want 58", internal)
	}
}

// TestPut says that a page can be put, read, changed and deleted, and that one
// which does not say who may read it stays internal.
func TestPut(t *testing.T) {
	db := testdb.Open(t)
	k := app.NewKnowledge(db, retrieve.New(db, nil, retrieve.Options{}))
	put := func(body string) (assist.Document, assist.Change) {
		t.Helper()
		doc, change, err := k.Put(t.Context(), "cms/returns", "text/markdown", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return doc, change
	}
	if _, change := put("# Returns\n\nYou have 30 days."); change != assist.Added {
		t.Errorf("first put: %s", change)
	}
	if _, change := put("# Returns\n\nYou have 30 days."); change != assist.Unchanged {
		t.Errorf("same again: %s", change)
	}
	doc, change := put("# Returns\n\nYou have 60 days.")
	if change != assist.Changed || doc.Audience != assist.AudienceInternal {
		t.Errorf("%s, %s", change, doc.Audience)
	}
	if _, err := k.Document(t.Context(), assist.AudiencePublic, "cms/returns"); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("the public reads an internal page: %v", err)
	}
	got, err := k.Document(t.Context(), assist.AudienceInternal, "cms/returns")
	if err != nil || !strings.Contains(got.Body, "60 days") {
		t.Errorf("%+v, %v", got, err)
	}
	if err := k.Delete(t.Context(), "cms/returns"); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Document(t.Context(), assist.AudienceInternal, "cms/returns"); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("deleted, and still there: %v", err)
	}
	for mediaType, body := range map[string]string{"text/markdown": "---\ntitle: [\n---\nx", "image/png": "x", "text/plain": "\x00"} {
		if _, _, err := k.Put(t.Context(), "bad", mediaType, []byte(body)); assist.CodeOf(err) != assist.Invalid {
			b, _ := json.Marshal(body)
			t.Errorf("%s %s: %v", mediaType, b, err)
		}
	}
}
