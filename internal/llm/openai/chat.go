package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	openai "github.com/sashabaranov/go-openai"

	"github.com/aside-project/aside/internal/llm"
)

// Client is a chat model behind an OpenAI-compatible server. Calls may run side
// by side. Its breaker, what it learned of the server and how long a busy server
// asked to be left alone are per node, by decision: a server that one node cannot
// reach may answer another, and asking costs each node five calls.
type Client struct {
	server *server

	mu      sync.Mutex
	learned dialect
}

var _ llm.ChatModel = (*Client)(nil)

// New makes a client. It does not call the server; Probe does.
func New(c Config) (*Client, error) {
	s, err := newServer(c, "base URL", c.BaseURL, c.APIKey, "the model's name", c.Model)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return &Client{server: s}, nil
}

// Name implements llm.ChatModel.
func (c *Client) Name() string { return c.server.model }

// Close gives idle connections back. Calls that run are not touched.
func (c *Client) Close() { c.server.closeIdle() }

// afterFinish is how long a finished answer is waited on for its usage and for
// the end of the stream, without which the connection cannot be used again.
const afterFinish = 50 * time.Millisecond

var (
	errQuiet = errors.New("the model was quiet for too long")
	errTotal = errors.New("the model took too long in all")
)

// Chat implements llm.ChatModel. An answer that the server ended for its length
// is llm.ErrTooLong.
func (c *Client) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	if err := c.server.breaker.allow(); err != nil {
		return llm.Response{Model: c.server.model, Format: c.dialect().format(r)}, fmt.Errorf("chat with %s: %w", c.server.model, err)
	}
	a := answer{start: c.server.now(), delta: delta, limit: c.server.maxAnswer}
	err := c.chat(ctx, r, &a)
	if c.server.breaker.record(err) {
		c.server.log.Warn("model's server changed its health", "model", c.server.model, "works", err == nil)
	}
	if err != nil {
		err = fmt.Errorf("chat with %s: %w", c.server.model, err)
	}
	return a.response(c.server.model, r), err
}

func (c *Client) chat(parent context.Context, r llm.Request, a *answer) error {
	ctx, cancel := context.WithTimeoutCause(parent, c.server.timeouts.Total, errTotal)
	defer cancel()
	err := c.server.try(ctx, func() error {
		d := c.dialect()
		for step := 0; ; step++ {
			a.format = d.format(r)
			err := c.stream(ctx, d, r, a)
			if err == nil || a.text.Len() > 0 {
				c.learn(d)
				return err
			}
			looser, ok := d.without(err, r)
			if !ok || step == maxSteps {
				return err
			}
			d = looser
		}
	})
	switch {
	case err == nil:
		return nil
	case parent.Err() != nil:
		return ended(parent)
	case errors.Is(context.Cause(ctx), errTotal) && a.text.Len() > 0:
		return &fault{kind: llm.ErrCut, why: fmt.Sprintf("it was not done after %s", c.server.timeouts.Total)}
	case errors.Is(context.Cause(ctx), errTotal):
		return &fault{kind: llm.ErrFirstToken, why: fmt.Sprintf("nothing after %s", c.server.timeouts.Total)}
	}
	return err
}

// stream is one try. The returned fault may be repeated only while no text came.
func (c *Client) stream(parent context.Context, d dialect, r llm.Request, a *answer) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	quiet := time.AfterFunc(c.server.timeouts.FirstToken, func() { cancel(errQuiet) })
	defer quiet.Stop()

	x := &exchange{server: c.server, stream: true}
	stream, err := c.server.api(x).CreateChatCompletionStream(ctx, d.request(c.server.model, r))
	if err != nil {
		return c.judge(ctx, a, err)
	}
	defer stream.Close()
	var got chunk
	for {
		err := got.receive(stream)
		if errors.Is(err, io.EOF) && a.finish != "" {
			x.drain() // within afterFinish
			return a.verdict()
		}
		if err != nil {
			return c.judge(ctx, a, err)
		}
		grown, err := a.take(&got, c.server.now)
		if err != nil {
			return err
		}
		switch {
		case a.finish != "" && !a.waiting:
			a.waiting = true
			quiet.Reset(afterFinish)
		case a.finish == "" && grown:
			quiet.Reset(c.server.timeouts.Between)
		}
	}
}

// judge says what an error in a stream means.
func (c *Client) judge(ctx context.Context, a *answer, err error) error {
	if a.finish != "" {
		return a.verdict() // whatever came after the finish
	}
	started := a.text.Len() > 0
	var f *fault
	switch {
	case errors.Is(context.Cause(ctx), errQuiet) && started:
		return &fault{kind: llm.ErrStalled, why: fmt.Sprintf("nothing for %s", c.server.timeouts.Between)}
	case errors.Is(context.Cause(ctx), errQuiet):
		return &fault{kind: llm.ErrFirstToken, why: fmt.Sprintf("nothing for %s", c.server.timeouts.FirstToken)}
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.As(err, &f) && started && !errors.Is(f, llm.ErrTooLong):
		return &fault{kind: llm.ErrCut, why: "with an error: " + f.why} // one kind only: f's is that of an answer not begun
	case errors.As(err, &f):
		return f
	case errors.Is(err, io.EOF):
		return a.cut("without a finish reason", nil)
	case isJSON(err) && !started:
		return &fault{kind: llm.ErrNotAModel, why: "its stream is not of the OpenAI kind", cause: errNotJSON}
	case isJSON(err):
		return a.cut("by something that is not JSON", errNotJSON) // the parser's error may quote text
	case local(err):
		return &fault{kind: llm.ErrRejected, why: "go-openai does not send it", cause: err}
	}
	return a.cut("with its connection", withoutURL(err))
}

// dialect is what is known of the server so far.
func (c *Client) dialect() dialect {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.learned
}

func (c *Client) learn(d dialect) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.learned.and(d); l != c.learned {
		c.learned = l
		c.server.log.Info("model's server does not take all we ask; asking for less from now on", "model", c.server.model,
			"json_schema", !l.noSchema, "json_object", !l.noObject, "stream_options", !l.noUsage, "temperature", !l.noTemperature)
	}
}

// answer gathers one.
type answer struct {
	start   time.Time
	delta   func(string)
	limit   int
	format  llm.Format
	text    strings.Builder
	model   string
	finish  openai.FinishReason
	refused bool
	waiting bool // finished; only usage and the end of the stream are still to come
	first   time.Duration
	usage   *openai.Usage
}

// chunk is what we want of go-openai's ChatCompletionStreamResponse. A stream reads
// all its chunks into one, with less than half of the memory for a token.
type chunk struct {
	Model   string `json:"model"`
	Choices []struct {
		Index int `json:"index"`
		Delta struct {
			Content          string `json:"content"`
			Refusal          string `json:"refusal"`
			ReasoningContent string `json:"reasoning_content"`
		} `json:"delta"`
		FinishReason openai.FinishReason `json:"finish_reason"`
	} `json:"choices"`
	Usage *openai.Usage `json:"usage"`
}

func (c *chunk) receive(stream *openai.ChatCompletionStream) error {
	data, err := stream.RecvRaw()
	if err != nil {
		return err
	}
	clear(c.Choices)
	*c = chunk{Choices: c.Choices[:0]}
	return json.Unmarshal(data, c)
}

// take adds a chunk and reports whether the model showed life.
func (a *answer) take(chunk *chunk, now func() time.Time) (grown bool, err error) {
	if chunk.Model != "" {
		a.model = clip(strings.ToValidUTF8(chunk.Model, ""), 200)
	}
	if chunk.Usage != nil {
		a.usage = chunk.Usage
	}
	for _, choice := range chunk.Choices {
		if choice.Index != 0 || a.finish != "" {
			continue
		}
		d := choice.Delta
		a.refused = a.refused || d.Refusal != ""
		grown = grown || d.Content != "" || d.ReasoningContent != "" || d.Refusal != ""
		// Postgres takes no NUL, and no answer needs one.
		if text := strings.ReplaceAll(d.Content, "\x00", ""); text != "" {
			if a.text.Len()+len(text) > a.limit {
				return grown, &fault{kind: llm.ErrTooLong, why: fmt.Sprintf("more than %d bytes", a.limit)}
			}
			if a.text.Len() == 0 {
				a.first = now().Sub(a.start)
			}
			a.text.WriteString(text)
			if a.delta != nil {
				a.delta(text)
			}
		}
		if choice.FinishReason != openai.FinishReasonNull {
			a.finish = choice.FinishReason
		}
	}
	return grown, nil
}

// verdict is the error, if any, of an answer that the server finished.
func (a *answer) verdict() error {
	switch {
	case a.finish == openai.FinishReasonLength:
		return &fault{kind: llm.ErrTooLong, why: "the server ended it at its limit of tokens"}
	case a.finish == openai.FinishReasonContentFilter:
		return &fault{kind: llm.ErrRejected, why: "its content filter stopped the answer"}
	case a.finish == "error":
		return a.cut("with an error", nil)
	case a.refused:
		return &fault{kind: llm.ErrRejected, why: "the model refused to answer"}
	}
	return nil
}

// cut may be repeated when nothing was shown yet.
func (a *answer) cut(how string, cause error) *fault {
	f := &fault{kind: llm.ErrCut, why: how, cause: cause}
	if a.text.Len() == 0 {
		f.retries = 1
	}
	return f
}

// runesPerToken is the rule of thumb for servers that do not report usage.
const runesPerToken = 4

func (a *answer) response(model string, r llm.Request) llm.Response {
	res := llm.Response{Text: a.text.String(), Model: model, Format: a.format, FirstToken: a.first}
	if a.model != "" {
		res.Model = a.model
	}
	if a.usage != nil && a.usage.PromptTokens >= 0 && a.usage.CompletionTokens >= 0 && a.usage.PromptTokens+a.usage.CompletionTokens > 0 {
		res.Prompt, res.Completion = a.usage.PromptTokens, a.usage.CompletionTokens
		return res
	}
	if a.text.Len() > 0 { // else it may not have run at all
		for _, m := range r.Messages {
			res.Prompt += tokens(m.Content)
		}
		res.Completion = tokens(res.Text)
	}
	return res
}

func tokens(s string) int { return (utf8.RuneCountInString(s) + runesPerToken - 1) / runesPerToken }

// Up reports whether the server has been answering: false while it is left alone
// after failing too often.
func (c *Client) Up() bool { return c.server.breaker.closed() }
