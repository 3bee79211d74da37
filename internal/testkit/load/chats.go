package load

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Chats are conversations with a customer's socket each, and agents who look at
// ten of them each. Close them.
type Chats struct {
	All     []*Chat
	sockets []*Socket
	readers sync.WaitGroup
}

// Chat is one conversation.
type Chat struct {
	ID              string
	customer, agent *Socket
	answers         chan Frame // to the customer, by id
	atCustomer      chan Frame // turns of others
	atAgent         chan Frame // everything of this conversation
	agentAnswers    chan Frame
	n               int
}

const chatsPerAgent = 10

// Chats connects so many conversations.
func (s *Server) Chats(ctx context.Context, name string, n int) (*Chats, error) {
	cs := &Chats{}
	fail := func(err error) (*Chats, error) {
		cs.Close()
		return nil, err
	}
	dial := func(who assist.Identity) (*Socket, error) {
		token, err := s.w.Token(who)
		if err != nil {
			return nil, err
		}
		c, err := s.Dial(ctx, token)
		if err == nil {
			cs.sockets = append(cs.sockets, c)
		}
		return c, err
	}
	var agent *Socket
	var byID map[string]*Chat
	for i := range n {
		if i%chatsPerAgent == 0 {
			var err error
			if agent, err = dial(assist.Identity{Subject: fmt.Sprintf("agent-%s-%d", name, i), Actor: assist.ActorAgent, Name: "Maya"}); err != nil {
				return fail(err)
			}
			byID = map[string]*Chat{}
			mine := byID
			for j := i; j < min(n, i+chatsPerAgent); j++ {
				c := &Chat{ID: fmt.Sprintf("%s-%d", name, j), agent: agent, answers: make(chan Frame, 16), atCustomer: make(chan Frame, 64), atAgent: make(chan Frame, 4096), agentAnswers: make(chan Frame, 16)}
				mine[c.ID] = c
				cs.All = append(cs.All, c)
			}
			socket := agent
			cs.readers.Go(func() { socket.readAgent(mine) })
		}
		c := cs.All[i]
		var err error
		if c.customer, err = dial(assist.Identity{Subject: "customer-" + c.ID, Actor: assist.ActorCustomer, Conversation: c.ID}); err != nil {
			return fail(err)
		}
		cs.readers.Go(c.readCustomer)
		if _, err := c.Say(ctx, "Hello!"); err != nil { // greets, and makes the conversation
			return fail(err)
		}
		for _, open := range []struct {
			s       *Socket
			answers chan Frame
		}{{c.customer, c.answers}, {c.agent, c.agentAnswers}} {
			if err := open.s.Send("conversation.open", "open-"+c.ID, c.ID, struct {
				After int64 `json:"after"`
			}{1 << 40}); err != nil {
				return fail(err)
			}
			if _, err := answer(ctx, open.answers, "open-"+c.ID); err != nil {
				return fail(err)
			}
		}
	}
	return cs, nil
}

// Close hangs up and waits for the readers.
func (cs *Chats) Close() {
	for _, s := range cs.sockets {
		s.Drop()
	}
	cs.readers.Wait()
}

// readAgent hands frames to their chats. A chat that nobody listens to loses
// frames rather than holding the others up.
func (s *Socket) readAgent(chats map[string]*Chat) {
	for {
		f, err := s.Read()
		if err != nil {
			return
		}
		c := chats[f.Conversation]
		if c == nil {
			continue
		}
		to := c.atAgent
		if f.Type == "ack" || f.Type == "error" {
			to = c.agentAnswers
		}
		select {
		case to <- f:
		default:
		}
	}
}

func (c *Chat) readCustomer() {
	for {
		f, err := c.customer.Read()
		if err != nil {
			return
		}
		to := c.atCustomer
		if f.Type == "ack" || f.Type == "error" {
			to = c.answers
		}
		select {
		case to <- f:
		default:
		}
	}
}

const patience = 30 * time.Second

func answer(ctx context.Context, from chan Frame, id string) (Frame, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case f := <-from:
			if f.ID != id {
				continue
			}
			if f.Type == "error" {
				return f, fmt.Errorf("%s: %s: %s", id, f.Error.Code, f.Error.Message)
			}
			return f, nil
		case <-late.C:
			return Frame{}, fmt.Errorf("%s: no answer in %s", id, patience)
		case <-ctx.Done():
			return Frame{}, ctx.Err()
		}
	}
}

type words struct {
	Role         string `json:"role,omitempty"`
	Text         string `json:"text"`
	SuggestionID string `json:"suggestion_id,omitempty"`
}

// Say sends what the customer says, and gives its seq once it is acknowledged.
func (c *Chat) Say(ctx context.Context, text string) (seq int64, err error) {
	c.n++
	id := fmt.Sprintf("%s-t%d", c.ID, c.n)
	if err := c.customer.Send("turn.add", id, c.ID, words{Role: "customer", Text: text}); err != nil {
		return 0, err
	}
	f, err := answer(ctx, c.answers, id)
	if err != nil {
		return 0, err
	}
	var d struct {
		Seq int64 `json:"seq"`
	}
	err = json.Unmarshal(f.Data, &d)
	return d.Seq, err
}

// Reply sends what the agent says, from a suggestion or "".
func (c *Chat) Reply(ctx context.Context, text, suggestion string) error {
	c.n++
	id := fmt.Sprintf("%s-r%d", c.ID, c.n)
	if err := c.agent.Send("reply.send", id, c.ID, words{Text: text, SuggestionID: suggestion}); err != nil {
		return err
	}
	_, err := answer(ctx, c.agentAnswers, id)
	return err
}

// Help is what the agent's socket got for one turn, since it was sent. Zero
// times: it did not come.
type Help struct {
	Turn, Passages, Instant, FirstToken, Ready time.Duration
	Suggestion                                 string
	State                                      string // ready, abstained, failed; "": quiet, there was nothing to answer
}

// Ask says something and waits until its suggestion is done.
func (c *Chat) Ask(ctx context.Context, text string) (h Help, err error) {
	for len(c.atAgent) > 0 {
		<-c.atAgent // of before
	}
	sent := time.Now()
	seq, err := c.Say(ctx, text)
	if err != nil {
		return h, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case f := <-c.atAgent:
			var d struct {
				ID           string `json:"id"`
				SuggestionID string `json:"suggestion_id"`
				ForSeq       int64  `json:"for_seq"`
			}
			switch f.Type {
			case "turn.added", "suggestion.started", "suggestion.passages", "suggestion.instant", "suggestion.ready", "suggestion.abstained", "suggestion.failed":
				if err := json.Unmarshal(f.Data, &d); err != nil {
					return h, err
				}
			case "suggestion.delta":
				if h.FirstToken == 0 && h.Suggestion != "" {
					h.FirstToken = f.At.Sub(sent)
				}
				continue
			}
			took := f.At.Sub(sent)
			switch {
			case f.Type == "turn.added" && f.Seq == seq:
				h.Turn = took
			case d.ForSeq != seq:
			case f.Type == "suggestion.started":
				h.Suggestion = d.SuggestionID
			case f.Type == "suggestion.passages":
				h.Passages = took
			case f.Type == "suggestion.instant":
				h.Instant = took
			default:
				h.Ready, h.State, h.Suggestion = took, f.Type[len("suggestion."):], d.ID
				return h, nil
			}
		case <-late.C:
			if h.Suggestion == "" {
				return Help{}, nil
			}
			return h, fmt.Errorf("%s: no suggestion for turn %d in %s", c.ID, seq, patience)
		case <-ctx.Done():
			return h, ctx.Err()
		}
	}
}

// Relay has one side speak and gives the time from when it should have, due, until
// the other side's socket has it: a server that is late does not hide behind
// clients that wait for it. The customer's words need no suggestion.
func (c *Chat) Relay(ctx context.Context, fromAgent bool, due time.Time) (time.Duration, error) {
	listen := c.atAgent
	if fromAgent {
		listen = c.atCustomer
	}
	for len(listen) > 0 {
		<-listen
	}
	var err error
	if fromAgent {
		err = c.Reply(ctx, "You are welcome.", "")
	} else {
		_, err = c.Say(ctx, "Thanks!")
	}
	if err != nil {
		return 0, err
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case f := <-listen:
			if f.Type == "turn.added" {
				return f.At.Sub(due), nil
			}
		case <-late.C:
			return 0, fmt.Errorf("%s: a turn was acknowledged and did not arrive in %s", c.ID, patience)
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
