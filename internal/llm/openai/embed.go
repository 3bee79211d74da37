package openai

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	openai "github.com/sashabaranov/go-openai"

	"github.com/aside-project/aside/internal/llm"
)

// Embedder is an embedding model behind an OpenAI-compatible server. Calls may
// run side by side.
type Embedder struct {
	server    *server
	dimension atomic.Int64 // of the first vector that came; all others must have it
}

var _ llm.Embedder = (*Embedder)(nil)

// maxBatch is how many texts go into one request: few enough for every server,
// many enough that an ingest is not slowed by the way there and back.
const maxBatch = 32

// NewEmbedder makes an embedder. It does not call the server; Probe does. The
// key of the chat model is used only when its address is used too.
func NewEmbedder(c Config) (*Embedder, error) {
	address, key, name := c.EmbeddingBaseURL, c.EmbeddingAPIKey, "embedding base URL"
	if address == "" {
		address, name = c.BaseURL, "base URL"
		if key == "" {
			key = c.APIKey
		}
	}
	s, err := newServer(c, name, address, key, "the embedding model's name", c.EmbeddingModel)
	if err != nil {
		return nil, fmt.Errorf("embeddings: %w", err)
	}
	return &Embedder{server: s}, nil
}

// Name implements llm.Embedder.
func (e *Embedder) Name() string { return e.server.model }

// Close gives idle connections back.
func (e *Embedder) Close() { e.server.closeIdle() }

// Embed implements llm.Embedder. Texts must not be empty. The total timeout is
// for each request of up to 32 texts; ctx bounds the whole.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	for i, t := range texts {
		if strings.TrimSpace(t) == "" {
			return nil, fmt.Errorf("embed with %s: text %d of %d is empty", e.server.model, i+1, len(texts))
		}
	}
	out := make([][]float32, 0, len(texts))
	for from := 0; from < len(texts); from += maxBatch {
		batch := texts[from:min(from+maxBatch, len(texts))]
		vectors, err := e.batch(ctx, batch)
		if err != nil {
			return nil, fmt.Errorf("embed with %s: %w", e.server.model, err)
		}
		out = append(out, vectors...)
	}
	return out, nil
}

func (e *Embedder) batch(parent context.Context, texts []string) ([][]float32, error) {
	if err := e.server.breaker.allow(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(parent, e.server.timeouts.Total, errTotal)
	defer cancel()
	var vectors [][]float32
	err := e.server.try(ctx, func() (err error) {
		vectors, err = e.once(ctx, texts)
		return err
	})
	switch {
	case err == nil:
	case parent.Err() != nil:
		err = ended(parent)
	case ctx.Err() != nil:
		err = &fault{kind: llm.ErrDown, why: fmt.Sprintf("no vectors after %s", e.server.timeouts.Total)}
	}
	if e.server.breaker.record(err) {
		e.server.log.Warn("embedding server changed its health", "model", e.server.model, "works", err == nil)
	}
	return vectors, err
}

func (e *Embedder) once(ctx context.Context, texts []string) ([][]float32, error) {
	x := &exchange{server: e.server}
	res, err := e.server.api(x).CreateEmbeddings(ctx, openai.EmbeddingRequest{
		Input: texts, Model: openai.EmbeddingModel(e.server.model), EncodingFormat: openai.EmbeddingEncodingFormatFloat,
	})
	var f *fault
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case errors.As(err, &f):
		return nil, f
	case isJSON(err):
		return nil, &fault{kind: llm.ErrNotAModel, why: "it does not answer with vectors: " + hintV1, cause: errNotJSON}
	default:
		return nil, &fault{kind: llm.ErrDown, why: "its answer broke off", cause: withoutURL(err), retries: 1}
	}
	return e.order(res.Data, len(texts))
}

// order checks the vectors and puts them into the order of their texts: by
// index, or as they came from servers that number none.
func (e *Embedder) order(data []openai.Embedding, n int) ([][]float32, error) {
	bad := func(format string, args ...any) error {
		return &fault{kind: llm.ErrNotAModel, why: fmt.Sprintf(format, args...)}
	}
	if len(data) != n {
		return nil, bad("it gives %d vectors for %d texts", len(data), n)
	}
	numbered := false
	for _, d := range data {
		numbered = numbered || d.Index != 0
	}
	out := make([][]float32, n)
	for i, d := range data {
		at := i
		if numbered {
			at = d.Index
		}
		if at < 0 || at >= n || out[at] != nil {
			return nil, bad("it numbers its vectors wrongly")
		}
		size := int64(len(d.Embedding))
		if size == 0 {
			return nil, bad("it gives an empty vector")
		}
		if !e.dimension.CompareAndSwap(0, size) && e.dimension.Load() != size {
			return nil, bad("it gives vectors of %d and of %d dimensions", e.dimension.Load(), size)
		}
		for _, v := range d.Embedding {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return nil, bad("it gives a vector with a value that is no number")
			}
		}
		out[at] = d.Embedding
	}
	return out, nil
}
