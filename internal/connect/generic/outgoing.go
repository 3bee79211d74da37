package generic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect/deliver"
)

// The kinds of what goes out.
const (
	// KindSuggestion is a draft for agents. It must not be sent to the customer
	// without a person who read it.
	KindSuggestion = "suggestion"
	// KindReply is what an agent sent in Aside's own desk: it is for the customer.
	KindReply = "reply"
)

// Message is the body of what goes out.
type Message struct {
	Type         string      `json:"type"` // suggestion or reply
	Conversation string      `json:"conversation"`
	Seq          int64       `json:"seq"` // of the event: later ones are newer
	Suggestion   *Suggestion `json:"suggestion,omitempty"`
	Reply        *Reply      `json:"reply,omitempty"`
}

// Suggestion is what an agent should see.
type Suggestion struct {
	ID          string          `json:"id"`
	ForTurn     int64           `json:"for_turn"` // seq of the turn it answers
	State       string          `json:"state"`    // ready, abstained or failed: with the last two there may be no text
	Standing    assist.Standing `json:"standing"`
	Text        string          `json:"text"`
	Instruction string          `json:"instruction,omitempty"` // what an agent asked for
	Checks      []string        `json:"checks,omitempty"`      // what a person must look at before sending
	Sources     []Source        `json:"sources,omitempty"`
	Steps       []string        `json:"steps,omitempty"`  // what to do next
	Reason      string          `json:"reason,omitempty"` // why there is no text, or no written one
}

// Source is a page that a suggestion quotes.
type Source struct {
	Title string `json:"title"`
	URL   string `json:"url,omitempty"`
	Quote string `json:"quote"`
}

// Reply is what an agent sent.
type Reply struct {
	Text  string    `json:"text"`
	Agent string    `json:"agent"` // subject of the agent
	Name  string    `json:"name,omitempty"`
	At    time.Time `json:"at"`
}

// sort says what goes out of a conversation's events.
func (t *Tool) sort(conversation string, events []assist.Event) (out []deliver.New, err error) {
	for _, e := range events {
		m := Message{Conversation: strings.TrimPrefix(conversation, prefix), Seq: e.Seq}
		switch e.Type {
		case assist.EventSuggestionReady, assist.EventSuggestionAbstained, assist.EventSuggestionFailed:
			var s assist.Suggestion
			if err := json.Unmarshal(e.Data, &s); err != nil {
				return nil, fmt.Errorf("suggestion %d: %w", e.Seq, err)
			}
			m.Type, m.Suggestion = KindSuggestion, shown(s)
		case assist.EventTurnAdded:
			var turn assist.Turn
			if err := json.Unmarshal(e.Data, &turn); err != nil {
				return nil, fmt.Errorf("turn %d: %w", e.Seq, err)
			}
			if turn.Role != assist.RoleAgent || turn.Author == Name {
				continue // the tool's own
			}
			m.Type, m.Reply = KindReply, &Reply{Text: turn.Text, Agent: turn.Author, Name: turn.Name, At: turn.At}
		default:
			continue
		}
		out = append(out, deliver.New{Kind: m.Type, Key: fmt.Sprintf("%s:%d", m.Type, e.Seq), Body: m})
	}
	return out, nil
}

func shown(s assist.Suggestion) *Suggestion {
	g := &Suggestion{ID: s.ID, ForTurn: s.ForSeq, State: string(s.State), Instruction: s.Instruction,
		Standing: s.Standing, Reason: s.Reason}
	quotes := map[string]string{}
	if s.Draft != nil {
		g.Text = s.Draft.Text
		for _, sentence := range s.Draft.Sentences {
			for _, c := range sentence.Citations {
				if quotes[c.PassageID] == "" {
					quotes[c.PassageID] = c.Quote
				}
			}
		}
	}
	for _, h := range s.Hits {
		if q := quotes[h.ID]; q != "" {
			g.Sources = append(g.Sources, Source{Title: h.Title, URL: h.URL, Quote: q})
		}
	}
	for _, v := range s.Verdicts {
		if v.Outcome != assist.Pass {
			g.Checks = append(g.Checks, strings.TrimSpace(v.Words+" "+v.Reason))
		}
	}
	for _, step := range s.Steps {
		if step.State == assist.StepTodo {
			g.Steps = append(g.Steps, step.Text)
		}
	}
	return g
}

// refused is an answer that is not 2xx.
type refused struct {
	status int
	after  time.Duration
}

func (r refused) Error() string {
	return fmt.Sprintf("answered %d %s", r.status, http.StatusText(r.status))
}

// After is how long the receiver asks us to wait.
func (r refused) After() time.Duration { return r.after }

// send makes one attempt at a delivery.
func (t *Tool) send(ctx context.Context, d deliver.Delivery) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.cfg.URL, bytes.NewReader(d.Body))
	if err != nil {
		return "", fmt.Errorf("ASIDE_HOOK_URL cannot be called: %w", deliver.ErrNever)
	}
	timestamp := strconv.FormatInt(t.o.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Aside")
	req.Header.Set(HeaderDelivery, d.ID)
	req.Header.Set(HeaderTimestamp, timestamp)
	req.Header.Set(HeaderSignature, Sign(t.cfg.Secret, timestamp, d.Body))
	res, err := t.o.Client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address may hold a secret
		}
		return "", err
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return "", nil
	}
	r := refused{status: res.StatusCode}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		r.after = time.Duration(s) * time.Second
	}
	if res.StatusCode == http.StatusGone {
		return "", fmt.Errorf("%w: %w", r, deliver.ErrNever)
	}
	return "", r
}
