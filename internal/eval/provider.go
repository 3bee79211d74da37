package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/llm"
)

// check says whether the provider can be had.
func (p Provider) check() error {
	kind, rest, _ := strings.Cut(p.ID, ":")
	switch kind {
	case "instant", "echo":
		if rest == "" {
			return nil
		}
	case "openai":
		rest = strings.TrimPrefix(rest, "chat:")
		if !strings.Contains(rest, ":") {
			return nil
		}
	case "cassette":
		if rest != "" {
			return nil
		}
	case "hostile":
		if slices.Contains(llm.Moods(), llm.Mood(rest)) {
			return nil
		}
		return fmt.Errorf("provider %q: a hostile model has the moods %q", p.ID, llm.Moods())
	case "script":
		if _, ok := scriptFaults()[rest]; ok {
			return nil
		}
		return fmt.Errorf("provider %q: a script has the faults %s", p.ID, strings.Join(sortedKeys(scriptFaults()), ", "))
	}
	return fmt.Errorf("there is no provider %q; known are instant, echo, openai:chat:MODEL, cassette:FILE, hostile[:MOOD], script:FAULT", p.ID)
}

// served reports whether the provider is somebody else's server, or a recording
// of it: then a fault of the call is an error of the case, not of the answer.
func (p Provider) served() bool {
	return strings.HasPrefix(p.ID, "openai") || strings.HasPrefix(p.ID, "cassette:")
}

// model is the model's name of an openai provider, "" for the configured one.
func (p Provider) model() string {
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p.ID, "openai"), ":"), "chat:")
}

func scriptFaults() map[string]error {
	return map[string]error{
		"cut": llm.ErrCut, "down": llm.ErrDown, "silent": llm.ErrFirstToken, "stalled": llm.ErrStalled,
		"rate_limited": llm.ErrRateLimited, "rejected": llm.ErrRejected, "not_a_model": llm.ErrNotAModel, "too_long": llm.ErrTooLong,
	}
}

// lexical is the provider of vectors that has none: texts are compared by their
// terms, everywhere alike.
const lexical = "lexical"

// embeddingModel is the model of a provider of vectors, "" for the configured one.
func embeddingModel(id string) string {
	rest := strings.TrimPrefix(id, "openai:")
	return strings.TrimPrefix(strings.TrimPrefix(rest, "embeddings:"), "embedding:")
}

// embeds reports whether an id names a provider of vectors.
func embeds(id string) bool {
	return id == lexical || strings.HasPrefix(id, "openai:embedding:") || strings.HasPrefix(id, "openai:embeddings:")
}

// EmbedOpener makes a model of vectors. model is "" for the configured one; a nil
// Embedder says that none is configured.
type EmbedOpener func(model string) (llm.Embedder, error)

// Opener makes the model of an openai provider. The caller has it, because it
// knows addresses and keys. model is "" for the configured one.
type Opener func(baseURL, model string) (llm.ChatModel, error)

// Open gives the provider's model; nil for instant.
func (p Provider) Open(opener Opener) (llm.ChatModel, error) {
	kind, rest, _ := strings.Cut(p.ID, ":")
	switch kind {
	case "instant":
		return nil, nil
	case "echo":
		return echo{}, nil
	case "hostile":
		return llm.Hostile{Mood: llm.Mood(rest)}, nil
	case "script":
		return &llm.Script{Deltas: []string{`{"sentences":[{"text":"We will refund $900 by`}, Err: scriptFaults()[rest], Label: p.ID}, nil
	}
	if opener == nil {
		return nil, errors.New("no model is configured: set ASIDE_LLM_BASE_URL and ASIDE_LLM_MODEL")
	}
	return opener(p.BaseURL, p.model())
}

// echo answers a plain prompt with the prompt, as promptfoo's provider of that
// name does.
type echo struct{}

func (echo) Name() string { return "echo" }

func (echo) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	if err := ctx.Err(); err != nil {
		return llm.Response{}, err
	}
	text := r.Messages[len(r.Messages)-1].Content
	if len(r.Messages) > 1 { // a chat is echoed as the JSON it is
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(chatOf(r.Messages)); err != nil {
			return llm.Response{}, fmt.Errorf("echo: %w", err)
		}
		text = strings.TrimSpace(b.String())
	}
	delta(text)
	return llm.Response{Text: text, Model: "echo", Format: llm.FormatText}, nil
}

type echoed struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func chatOf(messages []llm.Message) (out []echoed) {
	for _, m := range messages {
		out = append(out, echoed{m.Role, m.Content})
	}
	return out
}

// watched keeps the last fault of a model's calls: suggest.Run reports a fault in
// words, and a run must tell a fault of the server from a poor answer.
type watched struct {
	llm.ChatModel
	err  error
	used llm.Response
}

func (w *watched) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	out, err := w.ChatModel.Chat(ctx, r, delta)
	w.err, w.used = err, out
	return out, err
}

// ParseProvider reads a provider's id, as --provider takes it.
func ParseProvider(id string) (Provider, error) {
	p := Provider{ID: id, Label: id}
	return p, p.check()
}
