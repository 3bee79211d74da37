package openai

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aside-project/aside/internal/llm"
)

// Capabilities is what a server was seen to do.
type Capabilities struct {
	Address    string        // where it was asked, without query and key
	Model      string        // as the server names it
	Reachable  bool          // something that speaks the API answered
	Listed     bool          // the model is in the server's list of models
	Models     []string      // that list, at most 100; empty: the server keeps none
	Streaming  bool          // text came, and the answer was whole
	Format     llm.Format    // the strictest form it takes a request for
	Keeps      bool          // its answer really had that form
	Usage      bool          // it reports tokens
	FirstToken time.Duration // of one short call
	Dimension  int           // of an embedder's vectors
}

var probeSchema = json.RawMessage(`{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}`)

// Probe asks the server for its models and for one short answer. It tells what
// it learned also beside an error, which says what to mend. The breaker is not
// asked: somebody is looking.
func (c *Client) Probe(ctx context.Context) (Capabilities, error) {
	caps := Capabilities{Address: c.server.address, Model: c.server.model}
	c.server.list(ctx, &caps)
	a := answer{start: c.server.now(), limit: c.server.maxAnswer}
	r := llm.Request{
		Messages: []llm.Message{
			{Role: "system", Content: "This is a test of the connection. Answer in JSON."},
			{Role: "user", Content: `Answer {"ok": true}.`},
		},
		SchemaName: "probe", Schema: probeSchema, MaxTokens: 1000,
	}
	err := c.chat(ctx, r, &a)
	res := a.response(c.server.model, r)
	caps.Reachable = caps.Reachable || err == nil || reached(err)
	caps.Streaming = res.Text != "" && err == nil
	caps.FirstToken = res.FirstToken
	caps.Model, caps.Format, caps.Usage = res.Model, res.Format, a.usage != nil
	var ok struct {
		OK *bool `json:"ok"`
	}
	caps.Keeps = json.Unmarshal([]byte(res.Text), &ok) == nil && ok.OK != nil
	return caps, err
}

// Probe asks the server for its models and for one vector.
func (e *Embedder) Probe(ctx context.Context) (Capabilities, error) {
	caps := Capabilities{Address: e.server.address, Model: e.server.model}
	e.server.list(ctx, &caps)
	ctx, cancel := context.WithTimeout(ctx, e.server.timeouts.Total)
	defer cancel()
	vectors, err := e.once(ctx, []string{"a test of the connection"})
	caps.Reachable = caps.Reachable || err == nil || reached(err)
	if err == nil {
		caps.Dimension = len(vectors[0])
	}
	return caps, err
}

// list fills what the server's list of models tells. Not every server has one,
// so that a failure says nothing yet.
func (s *server) list(ctx context.Context, caps *Capabilities) {
	ctx, cancel := context.WithTimeout(ctx, s.timeouts.FirstToken)
	defer cancel()
	models, err := s.api(&exchange{server: s}).ListModels(ctx)
	if err != nil {
		caps.Reachable = reached(err)
		return
	}
	caps.Reachable = true
	for _, m := range models.Models {
		caps.Listed = caps.Listed || m.ID == s.model
		if len(caps.Models) < 100 {
			caps.Models = append(caps.Models, clip(m.ID, 200))
		}
	}
}

// reached reports whether an error was given by a model's server rather than by
// the way to it.
func reached(err error) bool {
	return errors.Is(err, llm.ErrRejected) || errors.Is(err, llm.ErrRateLimited) || errors.Is(err, llm.ErrTooLong) || errors.Is(err, llm.ErrCut)
}
