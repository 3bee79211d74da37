package measure_test

import (
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/retrieve/memindex"
	"github.com/aside-project/aside/internal/testkit"
)

// TestSentences measures which sentences the instant draft picks, on pages and
// questions that nobody here wrote, and holds what was reached. The gold of
// doc2dial is what people marked in the page; that of the others is the reply of
// the human agent, which says more than the page, so that their numbers are low.
func TestSentences(t *testing.T) {
	sets := []struct {
		name string
		most int // questions; -sentences takes all
	}{{"doc2dial", 250}, {"mtrag-un", 144}, {"dstc11", 100}}
	dev := filepath.Join(testkit.Dir(t), "dev")
	var table strings.Builder
	fmt.Fprintf(&table, "%-14s %-11s %5s %7s %9s %7s %7s %7s %6s\n", "set", "search", "n", "drafted", "precision", "recall", "F1", "right", "words")
	for _, set := range sets {
		file := func(name string) string { return filepath.Join(dev, set.name, name) }
		corpus, err := measure.ReadCorpus(file("corpus.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		queries, err := measure.ReadGolden(file("queries.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		right, err := measure.ReadQrels(file("qrels.tsv"))
		if err != nil {
			t.Fatal(err)
		}
		index := memindex.New(measure.Pages(corpus))
		for _, onlyRight := range []bool{true, false} {
			r, err := measure.Sentences(t.Context(), index, sample(queries, set.most), right, onlyRight)
			if err != nil {
				t.Fatal(err)
			}
			if set.name == "doc2dial" && r.F1 < 0.22 {
				t.Errorf("%s: F1 %.3f is worse than it was before sentences were chosen by what is asked", set.name, r.F1)
			}
			search := "as it is"
			if onlyRight {
				search = "right pages"
			}
			fmt.Fprintf(&table, "%-14s %-11s %5d %7d %9.3f %7.3f %7.3f %7.3f %6.1f\n", set.name, search, r.Queries, r.Drafted, r.Precision, r.Recall, r.F1, r.Right, r.Words)
		}
	}
	t.Log("\n" + table.String())
}

var allSentences = flag.Bool("sentences", false, "measure the choice of sentences on all questions")

// sample takes about so many, evenly.
func sample(queries []measure.Golden, most int) []measure.Golden {
	step := max(len(queries)/most, 1)
	if *allSentences {
		step = 1
	}
	var out []measure.Golden
	for i := 0; i < len(queries); i += step {
		out = append(out, queries[i])
	}
	return out
}
