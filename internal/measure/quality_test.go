package measure_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var write = flag.Bool("quality", false, "measure every set and rewrite evals/quality.txt")

// TestQuality writes the table of all sets through the real database; `make
// bench-quality` runs it.
func TestQuality(t *testing.T) {
	if !*write {
		t.Skip("it takes minutes: make bench-quality")
	}
	dev := filepath.Join(testkit.Dir(t), "dev")
	var rows []measure.QualityRow
	for _, s := range measure.Sets {
		rows = append(rows, quality(t, dev, s))
	}
	table := measure.QualityTable(rows)
	t.Log("\n" + table)
	if err := os.WriteFile(filepath.Join("..", "..", "evals", "quality.txt"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
}

func quality(t *testing.T, dev string, s measure.Set) measure.QualityRow {
	t.Helper()
	row, err := measure.Quality(t.Context(), dev, s, func() (measure.Knowledge, func() error, error) {
		return testdb.Open(t), func() error { return nil }, nil
	})
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return row
}

// TestQualitySlice holds what one small set must reach through the real database.
func TestQualitySlice(t *testing.T) {
	dev := filepath.Join(testkit.Dir(t), "dev")
	row := quality(t, dev, measure.Set{Name: "hint3-sofmattress", Abstention: true})
	t.Log("\n" + measure.QualityTable([]measure.QualityRow{row}))
	if row.Plain.NDCG10 < 0.78 || row.Learned.NDCG10 < 0.82 || row.AUROC < 0.83 || row.AUROCLate < 0.83 {
		t.Errorf("worse than it was: %+v", row)
	}
	if row.Learned.NDCG10 < row.Plain.NDCG10-0.005 {
		t.Errorf("learning hurts: %+v", row)
	}
}
