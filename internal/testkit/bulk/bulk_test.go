package bulk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/aside-project/aside/internal/testkit/bulk"
)

func TestWrite(t *testing.T) {
	text, err := bulk.ReadText("")
	if err != nil {
		t.Fatal(err)
	}
	const file = "0000/page-000001.md"
	var pages [][]byte
	for _, seed := range []uint64{1, 1, 2} {
		dir := t.TempDir()
		if err := text.Write(dir, 50, seed); err != nil {
			t.Fatal(err)
		}
		all, err := filepath.Glob(filepath.Join(dir, "*", "*.md"))
		if err != nil || len(all) != 3 {
			t.Fatalf("%d pages, want 3 (%v)", len(all), err)
		}
		page, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, page)
	}
	if !bytes.Equal(pages[0], pages[1]) {
		t.Error("the same seed gave other pages")
	}
	if bytes.Equal(pages[0], pages[2]) {
		t.Error("another seed gave the same page")
	}
	dir := t.TempDir()
	if err := text.Write(dir, 50, 1); err != nil {
		t.Fatal(err)
	}
	if err := text.Edit(dir, 1); err != nil {
		t.Fatal(err)
	}
	edited, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(edited, pages[0]) || bytes.Count(edited, []byte("\n## ")) != 20 || len(bytes.Split(edited, []byte("\n"))) != len(bytes.Split(pages[0], []byte("\n"))) {
		t.Error("an edit changes more or less than a sentence")
	}
	if n := bytes.Count(pages[0], []byte("\n## ")); n != 20 {
		t.Errorf("%d sections, want 20", n)
	}
}
