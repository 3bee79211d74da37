package measure

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aside-project/aside/internal/testkit"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cases.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPromises(t *testing.T) {
	path := write(t, `{"_id":"a","draft":"It takes 14 days.","passages":[{"id":"p","text":"Delivery takes two weeks."}],"label":"supported"}
{"_id":"b","draft":"It takes 15 days.","passages":[{"id":"p","text":"Delivery takes two weeks."}],"label":"unsupported"}
{"_id":"c","draft":"It takes a while.","passages":[],"label":"unsupported"}
{"_id":"d","draft":"The fee is $5.","passages":[],"label":"supported"}
`)
	got, err := Promises(path)
	if err != nil {
		t.Fatal(err)
	}
	want := PromiseResult{Cases: 4, Caught: 1, Missed: 1, FalseAlarms: 1, Recall: 0.5, Precision: 0.5, Wrong: []PromiseCase{
		{ID: "c", Draft: "It takes a while.", Missed: true}, {ID: "d", Draft: "The fee is $5.", Words: []string{"$5"}},
	}}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{"{", `{"_id":"x","label":"maybe"}`} {
		if _, err := Promises(write(t, bad)); err == nil || !strings.Contains(err.Error(), "cases.jsonl:1") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestPromiseTargets holds the figures where the labelled drafts are there.
func TestPromiseTargets(t *testing.T) {
	got, err := Promises(filepath.Join(testkit.Dir(t), "dev", "promises", "cases.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d cases: recall %.3f, precision %.3f", got.Cases, got.Recall, got.Precision)
	if got.Recall < 0.995 || got.Precision < 0.99 {
		t.Errorf("recall %.3f, precision %.3f: want 0.995 and 0.99; wrong: %+v", got.Recall, got.Precision, got.Wrong)
	}
}
