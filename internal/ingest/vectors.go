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
	// FinishVectors is told that no passage lacks a vector: from now on searches
	// may use the model.
	FinishVectors(ctx context.Context, model string) error
}

const (
	embedBatch = 64   // passages that one call embeds
	embedPage  = 2048 // passages listed at once: a list looks past all that have a vector
)

// EmbedMissing fills in the vectors that passages lack of the embedder's model,
// and says how many it made, 64 at a time. What was stored stays when it fails half
// way: the next call goes on from there, and searches keep to the model that
// served them before until this one is complete.
func EmbedMissing(ctx context.Context, embedder llm.Embedder, store VectorStore) (made int, err error) {
	model, dimension, before := embedder.Name(), 0, ""
	for {
		ids, texts, err := store.MissingVectors(ctx, model, embedPage)
		if err != nil {
			return made, fmt.Errorf("list passages without a vector of %s: %w", model, err)
		}
		if len(ids) == 0 {
			if err := store.FinishVectors(ctx, model); err != nil {
				return made, fmt.Errorf("finish the vectors of %s: %w", model, err)
			}
			return made, nil
		}
		if ids[0] == before {
			return made, fmt.Errorf("passage %s still has no vector of %s after one was stored", before, model)
		}
		before = ids[0]
		for len(ids) > 0 {
			n := min(embedBatch, len(ids))
			if dimension, err = embed(ctx, embedder, store, dimension, ids[:n], texts[:n]); err != nil {
				return made, err
			}
			made += n
			ids, texts = ids[n:], texts[n:]
		}
	}
}

// embed makes and stores the vectors of some passages and gives their dimension,
// which must be the one before unless that is 0.
func embed(ctx context.Context, embedder llm.Embedder, store VectorStore, dimension int, ids, texts []string) (int, error) {
	model := embedder.Name()
	vectors, err := embedder.Embed(ctx, texts)
	if err != nil {
		return 0, fmt.Errorf("embed %d passages from %s on: %w", len(ids), ids[0], err)
	}
	if len(vectors) != len(ids) {
		return 0, fmt.Errorf("model %s gave %d vectors for %d passages", model, len(vectors), len(ids))
	}
	for i, v := range vectors {
		if dimension == 0 {
			dimension = len(v)
		}
		if len(v) != dimension || dimension == 0 {
			return 0, fmt.Errorf("model %s gave a vector of %d dimensions for passage %s, and %d before: give a new model a new name", model, len(v), ids[i], dimension)
		}
	}
	if err := store.PutVectors(ctx, model, ids, vectors); err != nil {
		return 0, fmt.Errorf("store %d vectors of %s: %w", len(ids), model, err)
	}
	return dimension, nil
}
