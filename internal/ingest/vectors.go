package ingest

import (
	"context"
	"fmt"

	"github.com/aside-project/aside/internal/llm"
)

// VectorStore keeps one vector per passage and embedding model.
type VectorStore interface {
	// MissingVectors gives up to limit passages that have no vector of the
	// model, and the texts to make them from.
	MissingVectors(ctx context.Context, model string, limit int) (ids, texts []string, err error)
	// PutVectors stores vectors, in the order of the ids. A passage that is gone
	// by now is skipped; a dimension other than the model's first is an error.
	PutVectors(ctx context.Context, model string, ids []string, vectors [][]float32) error
}

// embedBatch is how many passages one call embeds.
const embedBatch = 64

// EmbedMissing fills in the vectors that passages lack of the embedder's model,
// and says how many it made. What was stored stays when it fails half way: the
// next call goes on from there.
func EmbedMissing(ctx context.Context, embedder llm.Embedder, store VectorStore) (made int, err error) {
	model, dimension, before := embedder.Name(), 0, ""
	for {
		ids, texts, err := store.MissingVectors(ctx, model, embedBatch)
		if err != nil {
			return made, fmt.Errorf("list passages without a vector of %s: %w", model, err)
		}
		if len(ids) == 0 {
			return made, nil
		}
		if ids[0] == before {
			return made, fmt.Errorf("passage %s still has no vector of %s after one was stored", before, model)
		}
		vectors, err := embedder.Embed(ctx, texts)
		if err != nil {
			return made, fmt.Errorf("embed %d passages from %s on: %w", len(ids), ids[0], err)
		}
		if len(vectors) != len(ids) {
			return made, fmt.Errorf("model %s gave %d vectors for %d passages", model, len(vectors), len(ids))
		}
		for i, v := range vectors {
			if dimension == 0 {
				dimension = len(v)
			}
			if len(v) != dimension || dimension == 0 {
				return made, fmt.Errorf("model %s gave a vector of %d dimensions for passage %s, and %d before: give a new model a new name", model, len(v), ids[i], dimension)
			}
		}
		if err := store.PutVectors(ctx, model, ids, vectors); err != nil {
			return made, fmt.Errorf("store %d vectors of %s: %w", len(ids), model, err)
		}
		made += len(ids)
		before = ids[0]
	}
}
