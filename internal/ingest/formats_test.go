package ingest

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestFixtures holds the passages of every file in testdata against its golden.
func TestFixtures(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	r := reader{opt: Options{patient: true}, pdf: &pdfs}
	r.opt.Audience = "internal"
	n := 0
	for _, path := range fixtures {
		if !known(path) {
			continue
		}
		n++
		t.Run(filepath.Base(path), func(t *testing.T) {
			p := r.parse(t.Context(), newFile(path, path, "testdata", filepath.Base(path)))
			var b strings.Builder
			for _, w := range p.warnings {
				fmt.Fprintf(&b, "warning: %s\n", w)
			}
			if p.err != nil {
				fmt.Fprintf(&b, "error: %v\n", p.err)
			}
			for _, d := range p.docs {
				fmt.Fprintf(&b, "document %s: %s (%s, %s)\n", d.ID, d.Title, d.Kind, d.Language)
				for _, p := range d.Passages {
					fmt.Fprintf(&b, "\n== %s\n%s\n", p.Heading, p.Text)
				}
			}
			golden := path + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	if n < 8 {
		t.Errorf("only %d fixtures", n)
	}
}
