// Package llm is the two ports through which Aside reaches language models, and
// the errors an implementation must tell apart. It imports the standard library
// only; implementations live in packages of their own.
package llm

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Message is one message of a chat request.
type Message struct {
	Role    string // system, user or assistant
	Content string
}

// Request is one call to a chat model.
type Request struct {
	Messages    []Message
	SchemaName  string          // names Schema for servers that want a name
	Schema      json.RawMessage // JSON schema of the answer; nil: plain text
	MaxTokens   int             // of the answer; 0: the server's default
	Temperature float64
	Key         string // stable per conversation, for budgets; never sent in clear
}

// Response is a finished answer.
type Response struct {
	Text       string
	Model      string // as the server names it
	Format     Format // what the server was able to promise about Text
	Prompt     int    // tokens, as reported or estimated
	Completion int
	FirstToken time.Duration // from the call
}

// Format is what a server promised about the form of its answer.
type Format string

// Formats from strictest to loosest.
const (
	FormatSchema Format = "json_schema"
	FormatObject Format = "json_object"
	FormatText   Format = "text"
)

// ChatModel answers one request at a time per call; calls may run side by side.
type ChatModel interface {
	// Chat streams the answer: delta is called in order, in this goroutine,
	// with each new piece of raw text, and never after Chat returned. It must
	// not block. Chat returns as soon as ctx is done, and the upstream request
	// is cancelled with it. An answer without a finish reason is ErrCut, never a
	// success; text already streamed is in Response.Text also on error. After
	// the first delta nothing is retried.
	Chat(ctx context.Context, r Request, delta func(text string)) (Response, error)
	// Name is the configured model's name, for display.
	Name() string
}

// Embedder turns texts into vectors of one fixed dimension.
type Embedder interface {
	// Embed returns one vector per text, in order, or an error for all.
	Embed(ctx context.Context, texts []string) ([][]float32, error)
	// Name is the configured model's name: vectors of two names never mix.
	Name() string
}

// What can go wrong with a model. Implementations wrap these with the cause.
var (
	ErrCut         = errors.New("the model's answer was cut off")
	ErrFirstToken  = errors.New("the model did not start to answer in time")
	ErrStalled     = errors.New("the model stopped in the middle of its answer")
	ErrRateLimited = errors.New("the model's server asks to slow down")
	ErrDown        = errors.New("the model's server does not answer")
	ErrRejected    = errors.New("the model's server refused the request") // bad key, unknown model, …
	ErrNotAModel   = errors.New("the address answers, but not like a model's server")
	ErrTooLong     = errors.New("the model's answer is longer than allowed")
)
