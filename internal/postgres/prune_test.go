package postgres_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// Models that served earlier go; the one that serves stays, and one that is being
// made goes only by its name.
func TestPruneVectors(t *testing.T) {
	db := testdb.Open(t)
	put(t, db, document("d", assist.AudiencePublic, "0: some words", "1: other words"), document("i", assist.AudienceInternal, "secret words"))
	for i, model := range []string{"first", "second", "third"} {
		if _, err := ingest.EmbedMissing(t.Context(), &embedder{name: model, seed: uint64(i)}, vectorStore{db}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.PutVectors(t.Context(), "half", 2, []string{"d/0"}, [][]float32{{1, 0}}); err != nil {
		t.Fatal(err)
	}
	prune := func(want int, models ...string) {
		t.Helper()
		if n, err := db.PruneVectors(t.Context(), models); err != nil || n != want {
			t.Errorf("%d vectors deleted, want %d (%v)", n, want, err)
		}
	}
	has := func(want ...postgres.VectorModel) {
		t.Helper()
		if got, err := db.VectorModels(t.Context()); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%v %s", err, cmp.Diff(want, got))
		}
	}
	third := postgres.VectorModel{Name: "third", Dimension: 16, Vectors: 3, Serves: true}
	half := postgres.VectorModel{Name: "half", Dimension: 2, Vectors: 1, Missing: 2}
	has(third, postgres.VectorModel{Name: "second", Dimension: 16, Vectors: 3, Earlier: true}, postgres.VectorModel{Name: "first", Dimension: 16, Vectors: 3, Earlier: true}, half)
	for name, code := range map[string]assist.Code{"third": assist.Conflict, "none": assist.NotFound} {
		var e *assist.Error
		if n, err := db.PruneVectors(t.Context(), []string{"half", name}); n != 0 || !errors.As(err, &e) || e.Code != code {
			t.Errorf("prune %s: %d, %v", name, n, err)
		}
	}
	prune(3, "second")
	prune(3)
	prune(0)
	has(third, half)
	prune(1, "half")
	has(third)
	// The name is free again, and one that was broken off goes with the next.
	if made, err := ingest.EmbedMissing(t.Context(), &embedder{name: "first", seed: 0}, vectorStore{db}); err != nil || made != 3 {
		t.Fatal(made, err)
	}
	if _, err := db.Query(t.Context(), "ingest", fmt.Sprintf(`UPDATE vector_models SET name = 'being removed: %d third', chosen = NULL WHERE name = 'third'`, 3)); err != nil {
		t.Fatal(err)
	}
	prune(3)
	has(postgres.VectorModel{Name: "first", Dimension: 16, Vectors: 3, Serves: true})
}
