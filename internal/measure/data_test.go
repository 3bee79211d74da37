package measure

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

func TestCompare(t *testing.T) {
	right := map[string]bool{"a": true, "b": true}
	for _, c := range []struct {
		ids  string
		want RetrievalReport
	}{
		{"a b c", RetrievalReport{Recall1: 0.5, Recall5: 1, Recall10: 1, MRR10: 1, NDCG10: 1}},
		{"c d e f g b", RetrievalReport{Recall10: 0.5, MRR10: 1.0 / 6, NDCG10: (1 / math.Log2(7)) / (1 + 1/math.Log2(3))}},
		{"1 2 3 4 5 6 7 8 9 0 a", RetrievalReport{}},
		{"", RetrievalReport{}},
	} {
		if d := cmp.Diff(c.want, compare(strings.Fields(c.ids), right)); d != "" {
			t.Errorf("%s: -want +got\n%s", c.ids, d)
		}
	}
}

func TestAUROC(t *testing.T) {
	for _, c := range []struct {
		yes, no []float64
		want    float64
	}{
		{[]float64{0.8, 0.9}, []float64{0.1, 0.2}, 1},
		{[]float64{0.1}, []float64{0.9}, 0},
		{[]float64{0.5, 0.5}, []float64{0.5}, 0.5},
		{[]float64{0.2, 0.6}, []float64{0.1, 0.4}, 0.75},
	} {
		if got := auroc(c.yes, c.no); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("auroc(%v, %v) = %v, want %v", c.yes, c.no, got, c.want)
		}
	}
}

func TestPageNames(t *testing.T) {
	c := Corpus{ByPage: true, Folder: "policies"}
	hits := []assist.Hit{{Passage: assist.Passage{DocumentID: "policies/a--b"}}, {Passage: assist.Passage{DocumentID: "policies/a--b"}}, {Passage: assist.Passage{DocumentID: "policies/c"}}}
	right := Qrels{"q": {"a/b": true, "c.md": true}}.ByPage()
	for _, id := range c.ids(hits) {
		if !right["q"][id] {
			t.Errorf("page %q is not among %v", id, right)
		}
	}
	if n := len(c.ids(hits)); n != 2 {
		t.Errorf("%d pages, want 2", n)
	}
}

func TestReadFiles(t *testing.T) {
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	qrels, err := ReadQrels(file("query-id\tcorpus-id\tscore\nq1\ta b\t1\nq1\tc\t0\n"))
	if d := cmp.Diff(Qrels{"q1": {"a b": true}}, qrels); d != "" || err != nil {
		t.Errorf("%v: -want +got\n%s", err, d)
	}
	queries, err := ReadQueries(file(`{"_id":"q","text":"why","history":[{"role":"agent","text":"hi"},{"role":"action","text":"x"}],"answerable":null}` + "\n\n"))
	if err != nil || len(queries) != 1 {
		t.Fatal(queries, err)
	}
	var roles []assist.Role
	for _, turn := range queries[0].Turns() {
		roles = append(roles, turn.Role)
	}
	if d := cmp.Diff([]assist.Role{assist.RoleAgent, assist.RoleSystem, assist.RoleCustomer}, roles); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	for name, read := range map[string]func() error{
		"line 2 must be":  func() error { _, err := ReadQrels(file("query-id\tcorpus-id\tscore\nq1 a 1\n")); return err },
		":1: this is not": func() error { _, err := ReadQueries(file("{")); return err },
		"has no \"_id\"":  func() error { _, err := ReadQueries(file(`{"text":"x"}`)); return err },
		"has no passages": func() error { _, err := ReadCorpus(file("")); return err },
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}
