package ingest

import (
	"context"
	"strings"
	"testing"
)

// vectorMemory is a store of passages that lack vectors.
type vectorMemory struct {
	missing []string
	stored  map[string][]float32
	stuck   bool
	done    bool
}

func (m *vectorMemory) FinishVectors(context.Context, string) error {
	m.done = true
	return nil
}

func (m *vectorMemory) MissingVectors(_ context.Context, _ string, limit int) (ids, texts []string, err error) {
	ids = m.missing[:min(limit, len(m.missing))]
	return ids, ids, nil
}

func (m *vectorMemory) PutVectors(_ context.Context, _ string, ids []string, vectors [][]float32) error {
	for i, id := range ids {
		m.stored[id] = vectors[i]
	}
	if !m.stuck {
		m.missing = m.missing[len(ids):]
	}
	return nil
}

// embedder answers each text with as many dimensions as dims says by its number.
type embedder struct {
	n    int
	dims func(n int) int
}

func (e *embedder) Name() string { return "test-embedder" }

func (e *embedder) Embed(_ context.Context, texts []string) ([][]float32, error) {
	var vectors [][]float32
	for range texts {
		vectors = append(vectors, make([]float32, e.dims(e.n)))
		e.n++
	}
	return vectors, nil
}

func TestEmbedMissing(t *testing.T) {
	for _, c := range []struct {
		name  string
		stuck bool
		dims  func(int) int
		made  int
		err   string
	}{
		{"all", false, func(int) int { return 3 }, 150, ""},
		{"the dimension changes", false, func(n int) int { return 3 + n/100 }, 64, "4 dimensions"},
		{"no vector", false, func(int) int { return 0 }, 0, "0 dimensions"},
		{"the store forgets", true, func(int) int { return 3 }, 150, "still has no vector"},
	} {
		m := &vectorMemory{stored: map[string][]float32{}, stuck: c.stuck}
		for range 150 {
			m.missing = append(m.missing, strings.Repeat("p", len(m.missing)+1))
		}
		made, err := EmbedMissing(t.Context(), &embedder{dims: c.dims}, m)
		if made != c.made || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d, %v", c.name, made, err)
		}
		if m.done != (c.err == "") {
			t.Errorf("%s: finished %v", c.name, m.done)
		}
	}
}
