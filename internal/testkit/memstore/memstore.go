// Package memstore is a chat.Store in memory, with the semantics the port
// documents, for tests only: of chat itself, of ws and of whoever needs a live
// conversation without a database.
package memstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

var (
	_ chat.Store  = (*Store)(nil)
	_ chat.Leaser = (*Store)(nil)
	_ chat.Opener = (*Store)(nil)
)

// Store is an in-memory chat.Store. It is safe for concurrent use.
type Store struct {
	// Before, when set, is called first by every method with its name; an error
	// it returns is the method's. Set it before the store is used. It may block.
	Before func(ctx context.Context, method string) error
	// After is called once a write is done: an error it returns is the caller's
	// though the write happened, as when a connection dies after COMMIT.
	After func(method string) error

	mu          sync.Mutex
	now         func() time.Time
	chats       map[string]*conversation
	suggestions map[string]assist.Suggestion
	gaps        map[[2]string]assist.Gap
	leases      map[chat.Orphan]lease
}

type conversation struct {
	assist.Conversation
	turns  []assist.Turn
	steps  []assist.StepChange
	events []assist.Event
	keys   map[[2]string]written // by author and key
	handed int64                 // seq of this episode's hand-over
}

type written struct {
	turn       assist.Turn
	suggestion string
}

type lease struct {
	owner string
	until time.Time
}

// New makes an empty store that reads the time from now.
func New(now func() time.Time) *Store {
	return &Store{now: now, chats: map[string]*conversation{}, suggestions: map[string]assist.Suggestion{},
		gaps: map[[2]string]assist.Gap{}, leases: map[chat.Orphan]lease{}}
}

func (s *Store) enter(ctx context.Context, method string) error {
	if s.Before != nil {
		if err := s.Before(ctx, method); err != nil {
			return err
		}
	}
	s.mu.Lock()
	return nil
}

func (s *Store) leave(method string) error {
	s.mu.Unlock()
	if s.After != nil {
		return s.After(method)
	}
	return nil
}

func (s *Store) find(id string) (*conversation, error) {
	if c := s.chats[id]; c != nil {
		return c, nil
	}
	return nil, assist.Errorf(assist.NotFound, "there is no conversation %q", id)
}

// add numbers an event and appends it to the log.
func (c *conversation) add(make func(seq int64) assist.Event) assist.Event {
	c.LastSeq++
	e := make(c.LastSeq)
	c.events = append(c.events, e)
	return e
}

func (c *conversation) addTurn(t assist.Turn, now time.Time) (assist.Turn, assist.Event) {
	e := c.add(func(seq int64) assist.Event { t.Seq = seq; return assist.TurnAdded(c.ID, t) })
	c.turns = append(c.turns, t)
	c.LastRole, c.Preview, c.UpdatedAt = t.Role, t.Text, now
	return t, e
}

// AddTurn implements chat.Store.
func (s *Store) AddTurn(ctx context.Context, by assist.Identity, n assist.NewTurn, run chat.Lease) (out chat.Stored, err error) {
	if err := s.enter(ctx, "AddTurn"); err != nil {
		return out, err
	}
	defer func() { err = first(err, s.leave("AddTurn")) }()
	now := s.now()
	c := s.chats[n.Conversation]
	if c == nil {
		c = &conversation{Conversation: assist.Conversation{ID: n.Conversation, Status: assist.StatusWaiting, CreatedAt: now}, keys: map[[2]string]written{}}
		s.chats[n.Conversation] = c
	}
	key := [2]string{by.Subject, n.Key()}
	if w, ok := c.keys[key]; ok {
		if w.turn.Text != n.Text || w.turn.Role != n.Role {
			return out, assist.Errorf(assist.Conflict, "id %q was already used for another message in this conversation", cmp.Or(n.ExternalID, n.ClientID))
		}
		return chat.Stored{Turn: w.turn, Repeat: true, Conversation: c.Conversation}, nil
	}
	if n.Role == assist.RoleCustomer {
		if c.Status == assist.StatusClosed {
			c.reopen()
		}
		if c.LastSeq == c.FreshSeq && n.Bot && c.Status == assist.StatusWaiting {
			c.Status = assist.StatusBot
		}
		if c.WaitingSince.IsZero() {
			c.WaitingSince = now
		}
		c.CustomerName = cmp.Or(n.Name, c.CustomerName)
	}
	if n.Role == assist.RoleAgent && (c.Status == assist.StatusBot || c.Status == assist.StatusWaiting) {
		c.Status = assist.StatusOpen
	}
	t, e := c.addTurn(assist.Turn{Role: n.Role, Author: by.Subject, Name: n.Name, Text: n.Text, At: n.At, ExternalID: n.ExternalID, Action: n.Action}, now)
	c.keys[key] = written{turn: t}
	if run.Owner != "" {
		for o := range s.leases {
			if o.Conversation == c.ID {
				delete(s.leases, o)
			}
		}
		s.leases[chat.Orphan{Conversation: c.ID, ForSeq: t.Seq}] = lease{run.Owner, now.Add(run.For)}
	}
	return chat.Stored{Turn: t, Conversation: c.Conversation, Events: []assist.Event{e}}, nil
}

// SendReply implements chat.Store.
func (s *Store) SendReply(ctx context.Context, by assist.Identity, n assist.NewReply) (out chat.Stored, err error) {
	if err := s.enter(ctx, "SendReply"); err != nil {
		return out, err
	}
	defer func() { err = first(err, s.leave("SendReply")) }()
	c, err := s.find(n.Conversation)
	if err != nil {
		return out, err
	}
	key := [2]string{by.Subject, n.Key()}
	if w, ok := c.keys[key]; ok {
		if w.turn.Text != n.Text || w.suggestion != n.SuggestionID {
			return out, assist.Errorf(assist.Conflict, "id %q was already used for another message in this conversation", n.ClientID)
		}
		return chat.Stored{Turn: w.turn, Repeat: true, Conversation: c.Conversation}, nil
	}
	now := s.now()
	if c.Agent == "" {
		c.Agent, c.AgentName = by.Subject, by.Name
	}
	c.Status, c.WaitingSince = assist.StatusOpen, time.Time{}
	t, e := c.addTurn(assist.Turn{Role: assist.RoleAgent, Author: by.Subject, Name: by.Name, Text: n.Text, At: now, SuggestionID: n.SuggestionID}, now)
	c.keys[key] = written{turn: t, suggestion: n.SuggestionID}
	events := []assist.Event{e}
	if g, ok := s.suggestions[n.SuggestionID]; ok && g.Draft != nil && g.State != assist.SuggestionEdited && g.State != assist.SuggestionAccepted {
		g.State = assist.SuggestionEdited
		if g.Draft.Text == n.Text {
			g.State = assist.SuggestionAccepted
		}
		s.suggestions[g.ID] = g
		events = append(events, c.add(func(seq int64) assist.Event {
			return assist.NewEvent(assist.EventSuggestionOutcome, c.ID, seq, assist.SuggestionOutcome{SuggestionID: g.ID, State: g.State, ReplySeq: t.Seq, By: by.Subject})
		}))
	}
	return chat.Stored{Turn: t, Conversation: c.Conversation, Events: events}, nil
}

// AddSuggestion implements chat.Store.
func (s *Store) AddSuggestion(ctx context.Context, g assist.Suggestion) (e assist.Event, err error) {
	if err := s.enter(ctx, "AddSuggestion"); err != nil {
		return e, err
	}
	defer func() { err = first(err, s.leave("AddSuggestion")) }()
	c, err := s.find(g.Conversation)
	if err != nil {
		return e, err
	}
	delete(s.leases, chat.Orphan{Conversation: g.Conversation, ForSeq: g.ForSeq})
	if _, ok := s.suggestions[g.ID]; ok {
		for _, e := range c.events {
			var have assist.Suggestion
			if json.Unmarshal(e.Data, &have) == nil && have.ID == g.ID {
				return e, nil
			}
		}
		return e, nil
	}
	s.suggestions[g.ID] = g
	if g.State == assist.SuggestionSuperseded {
		return e, nil
	}
	if g.Prompt != nil {
		p := *g.Prompt
		p.Text = ""
		g.Prompt = &p
	}
	return c.add(func(seq int64) assist.Event { return assist.SuggestionDone(seq, g) }), nil
}

// SetStep implements chat.Store.
func (s *Store) SetStep(ctx context.Context, by assist.Identity, id string, ch assist.StepChange) (assist.Event, error) {
	return s.change(ctx, "SetStep", id, func(c *conversation) assist.Event {
		ch.By = by.Subject
		c.steps = append(c.steps, ch)
		return c.add(func(seq int64) assist.Event { return assist.NewEvent(assist.EventStepChanged, id, seq, ch) })
	})
}

// SetFeedback implements chat.Store.
func (s *Store) SetFeedback(ctx context.Context, by assist.Identity, id string, f assist.Feedback) (assist.Event, error) {
	return s.change(ctx, "SetFeedback", id, func(c *conversation) assist.Event {
		return c.add(func(seq int64) assist.Event {
			return assist.NewEvent(assist.EventSuggestionOutcome, id, seq, assist.SuggestionOutcome{SuggestionID: f.SuggestionID, Verdict: f.Verdict, Reason: f.Reason, By: by.Subject})
		})
	})
}

// TakeHandoff implements chat.Store.
func (s *Store) TakeHandoff(ctx context.Context, by assist.Identity, id string) (assist.Event, error) {
	return s.change(ctx, "TakeHandoff", id, func(c *conversation) assist.Event {
		h := assist.Handoff{Code: assist.HandoffTaken, Reason: "An agent took it.", From: c.Agent, To: by.Subject, ToName: by.Name, At: s.now()}
		if asked := c.Handoff; asked != nil && asked.To == "" {
			h.Code, h.Reason, h.Summary, h.Tried, h.From = asked.Code, asked.Reason, asked.Summary, asked.Tried, asked.From
		} else if c.Status == assist.StatusBot {
			h.From = assist.FromBot
		}
		c.Agent, c.AgentName, c.Status, c.Handoff = by.Subject, by.Name, assist.StatusOpen, &h
		return c.add(func(seq int64) assist.Event { return assist.HandedOver(id, seq, h) })
	})
}

// ReturnHandoff implements chat.Store.
func (s *Store) ReturnHandoff(ctx context.Context, by assist.Identity, id, reason string) (e assist.Event, err error) {
	if err := s.enter(ctx, "ReturnHandoff"); err != nil {
		return e, err
	}
	defer func() { err = first(err, s.leave("ReturnHandoff")) }()
	c, err := s.find(id)
	if err != nil {
		return e, err
	}
	if c.Status != assist.StatusOpen {
		return e, assist.Errorf(assist.Conflict, "conversation %q is %s: only one that an agent has can be given back", id, c.Status)
	}
	h := assist.Handoff{Code: assist.HandoffReturned, Reason: cmp.Or(reason, "An agent gave it back."), From: by.Subject, At: s.now()}
	c.Status, c.Agent, c.AgentName, c.Handoff = assist.StatusWaiting, "", "", &h
	return c.add(func(seq int64) assist.Event { return assist.HandedOver(id, seq, h) }), nil
}

// reopen begins a new episode.
func (c *conversation) reopen() {
	c.Status, c.Agent, c.AgentName, c.Resolution, c.Handoff = assist.StatusWaiting, "", "", "", nil
	c.FreshSeq, c.handed = c.LastSeq, 0
}

// botMay reports whether the bot still has the conversation and seq is still the
// customer's last turn.
func (c *conversation) botMay(seq int64) bool {
	for i := len(c.turns) - 1; i >= 0; i-- {
		if c.turns[i].Role == assist.RoleCustomer {
			return c.Status == assist.StatusBot && c.turns[i].Seq == seq
		}
	}
	return false
}

// AddAnswer implements chat.Store.
func (s *Store) AddAnswer(ctx context.Context, a assist.NewAnswer) (out chat.Stored, err error) {
	if err := s.enter(ctx, "AddAnswer"); err != nil {
		return out, err
	}
	defer func() { err = first(err, s.leave("AddAnswer")) }()
	c, err := s.find(a.Conversation)
	if err != nil {
		return out, err
	}
	key := [2]string{assist.FromBot, fmt.Sprint("answer-", a.ForSeq)}
	if w, ok := c.keys[key]; ok {
		return chat.Stored{Turn: w.turn, Repeat: true, Conversation: c.Conversation}, nil
	}
	if !c.botMay(a.ForSeq) {
		return chat.Stored{Dropped: true, Conversation: c.Conversation}, nil
	}
	t := assist.Turn{Role: assist.RoleBot, Author: assist.FromBot, Name: a.Name, Text: a.Text, At: s.now(), Sources: a.Sources}
	if a.Suggestion != nil {
		g := *a.Suggestion
		g.State, t.SuggestionID = assist.SuggestionAccepted, g.ID
		s.suggestions[g.ID] = g
	}
	t, e := c.addTurn(t, s.now())
	c.keys[key] = written{turn: t}
	c.WaitingSince = time.Time{}
	delete(s.leases, chat.Orphan{Conversation: c.ID, ForSeq: a.ForSeq})
	return chat.Stored{Turn: t, Conversation: c.Conversation, Events: []assist.Event{e}}, nil
}

// HandOver implements chat.Store.
func (s *Store) HandOver(ctx context.Context, by assist.Identity, n assist.NewHandoff, run chat.Lease) (out chat.Stored, err error) {
	if err := s.enter(ctx, "HandOver"); err != nil {
		return out, err
	}
	defer func() { err = first(err, s.leave("HandOver")) }()
	now := s.now()
	c := s.chats[n.Conversation]
	if c == nil {
		c = &conversation{Conversation: assist.Conversation{ID: n.Conversation, Status: assist.StatusWaiting, CreatedAt: now}, keys: map[[2]string]written{}}
		s.chats[n.Conversation] = c
	}
	if c.Status == assist.StatusClosed && n.ForSeq == 0 {
		c.reopen()
	}
	if c.Status == assist.StatusOpen || c.Status == assist.StatusClosed || c.handed > 0 || n.ForSeq != 0 && !c.botMay(n.ForSeq) {
		return chat.Stored{Dropped: true, Conversation: c.Conversation, HandedSeq: c.handed}, nil
	}
	if n.Text != "" {
		t, e := c.addTurn(assist.Turn{Role: assist.RoleBot, Author: assist.FromBot, Name: n.Name, Text: n.Text, At: now}, now)
		out.Turn, out.Events = t, append(out.Events, e)
	}
	h := *n.Handoff
	h.At = now
	wasBot := c.Status == assist.StatusBot
	c.Status, c.Handoff = assist.StatusWaiting, &h
	if c.WaitingSince.IsZero() {
		c.WaitingSince = now
	}
	e := c.add(func(seq int64) assist.Event { return assist.HandedOver(c.ID, seq, h) })
	c.handed = e.Seq
	for o := range s.leases {
		if wasBot && o.Conversation == c.ID {
			delete(s.leases, o)
		}
	}
	if run.Owner != "" && n.ForSeq != 0 {
		s.leases[chat.Orphan{Conversation: c.ID, ForSeq: n.ForSeq}] = lease{run.Owner, now.Add(run.For)}
	}
	out.Events, out.Conversation, out.HandedSeq = append(out.Events, e), c.Conversation, e.Seq
	return out, nil
}

// Close implements chat.Store.
func (s *Store) Close(ctx context.Context, by assist.Identity, id, resolution string) (assist.Event, error) {
	return s.change(ctx, "Close", id, func(c *conversation) assist.Event {
		c.Status, c.Resolution = assist.StatusClosed, resolution
		return c.add(func(seq int64) assist.Event { return assist.Closed(id, seq, resolution, by.Subject) })
	})
}

func (s *Store) change(ctx context.Context, method, id string, do func(*conversation) assist.Event) (e assist.Event, err error) {
	if err := s.enter(ctx, method); err != nil {
		return e, err
	}
	defer func() { err = first(err, s.leave(method)) }()
	c, err := s.find(id)
	if err != nil {
		return e, err
	}
	e = do(c)
	c.UpdatedAt = s.now()
	return e, nil
}

// AddGap implements chat.Store.
func (s *Store) AddGap(ctx context.Context, g assist.Gap) error {
	if err := s.enter(ctx, "AddGap"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.gaps[[2]string{g.Conversation, g.Question}] = g
	return nil
}

// Gaps gives all gaps.
func (s *Store) Gaps() []assist.Gap {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []assist.Gap
	for _, g := range s.gaps {
		out = append(out, g)
	}
	return out
}

// Conversation implements chat.Store.
func (s *Store) Conversation(ctx context.Context, id string) (assist.Conversation, error) {
	if err := s.enter(ctx, "Conversation"); err != nil {
		return assist.Conversation{}, err
	}
	defer s.mu.Unlock()
	c, err := s.find(id)
	if err != nil {
		return assist.Conversation{}, err
	}
	return c.Conversation, nil
}

// Queue implements chat.Store.
func (s *Store) Queue(ctx context.Context, limit int) ([]assist.Conversation, error) {
	if err := s.enter(ctx, "Queue"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []assist.Conversation
	for _, c := range s.chats {
		if c.Status != assist.StatusClosed {
			out = append(out, c.Conversation)
		}
	}
	slices.SortFunc(out, func(a, b assist.Conversation) int {
		return cmp.Or(a.WaitingSince.Compare(b.WaitingSince), cmp.Compare(a.ID, b.ID))
	})
	return out[:min(limit, len(out))], nil
}

// Transcript implements chat.Store.
func (s *Store) Transcript(ctx context.Context, id string, limit int) ([]assist.Turn, []assist.StepChange, error) {
	if err := s.enter(ctx, "Transcript"); err != nil {
		return nil, nil, err
	}
	defer s.mu.Unlock()
	c, err := s.find(id)
	if err != nil {
		return nil, nil, err
	}
	return slices.Clone(c.turns[max(0, len(c.turns)-limit):]), slices.Clone(c.steps), nil
}

// Events implements chat.Store.
func (s *Store) Events(ctx context.Context, who assist.Identity, id string, after int64, limit int) ([]assist.Event, error) {
	if err := s.enter(ctx, "Events"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	c, err := s.find(id)
	if err != nil {
		return nil, err
	}
	var out []assist.Event
	for _, e := range c.events {
		if e.Seq <= after || len(out) == limit {
			continue
		}
		if who.Actor == assist.ActorCustomer {
			if e.Public == nil {
				continue
			}
			e.Data = nil
		}
		out = append(out, e)
	}
	return out, nil
}

// Open implements chat.Opener.
func (s *Store) Open(ctx context.Context, who assist.Identity, id string, after int64, limit int) (assist.Conversation, []assist.Event, error) {
	if err := s.enter(ctx, "Open"); err != nil {
		return assist.Conversation{}, nil, err
	}
	defer s.mu.Unlock()
	c, err := s.find(id)
	if err != nil {
		return assist.Conversation{}, nil, err
	}
	var out []assist.Event
	for _, e := range c.events {
		if e.Seq <= after || len(out) == limit {
			continue
		}
		if who.Actor == assist.ActorCustomer {
			if e.Public == nil {
				continue
			}
			e.Data = nil
		}
		out = append(out, e)
	}
	return c.Conversation, out, nil
}

// Keyed is a turn with the key it was sent under.
type Keyed struct {
	Turn assist.Turn
	Key  string
}

// Turns gives every conversation's turns, in order.
func (s *Store) Turns() map[string][]Keyed {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string][]Keyed{}
	for id, c := range s.chats {
		keys := map[int64]string{}
		for key, w := range c.keys {
			keys[w.turn.Seq] = key[1]
		}
		for _, t := range c.turns {
			out[id] = append(out[id], Keyed{t, keys[t.Seq]})
		}
	}
	return out
}

// Suggestion implements chat.Store.
func (s *Store) Suggestion(ctx context.Context, id string) (assist.Suggestion, error) {
	if err := s.enter(ctx, "Suggestion"); err != nil {
		return assist.Suggestion{}, err
	}
	defer s.mu.Unlock()
	g, ok := s.suggestions[id]
	if !ok {
		return g, assist.Errorf(assist.NotFound, "there is no suggestion %q", id)
	}
	return g, nil
}

// Orphans implements chat.Store.
func (s *Store) Orphans(ctx context.Context, run chat.Lease, limit int) ([]chat.Orphan, error) {
	if err := s.enter(ctx, "Orphans"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var out []chat.Orphan
	for o, l := range s.leases {
		if len(out) < limit && !l.until.After(s.now()) {
			s.leases[o] = lease{run.Owner, s.now().Add(run.For)}
			out = append(out, o)
		}
	}
	return out, nil
}

// Renew implements chat.Leaser.
func (s *Store) Renew(ctx context.Context, run chat.Lease, of []chat.Orphan) (held []chat.Orphan, err error) {
	if err := s.enter(ctx, "Renew"); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, o := range of {
		if l, ok := s.leases[o]; ok && l.owner == run.Owner {
			s.leases[o] = lease{run.Owner, s.now().Add(run.For)}
			held = append(held, o)
		}
	}
	return held, nil
}

// Finish implements chat.Leaser.
func (s *Store) Finish(ctx context.Context, g assist.Suggestion, c chat.Claim) (e assist.Event, late bool, err error) {
	o := chat.Orphan{Conversation: g.Conversation, ForSeq: g.ForSeq}
	s.mu.Lock()
	held, leased := s.leases[o]
	_, there := s.suggestions[g.ID]
	if conv := s.chats[g.Conversation]; conv != nil && g.State != assist.SuggestionSuperseded && !there {
		late = c.Owner != "" && (!leased || held.owner != c.Owner)
		for _, t := range conv.turns {
			late = late || c.Owner == "" && t.Seq > c.Seen && t.Role != assist.RoleSystem
		}
	}
	s.mu.Unlock()
	if late {
		return e, true, nil
	}
	e, err = s.AddSuggestion(ctx, g)
	if leased && c.Owner != "" && held.owner != c.Owner {
		s.mu.Lock()
		s.leases[o] = held
		s.mu.Unlock()
	}
	return e, false, err
}

// Release implements chat.Leaser.
func (s *Store) Release(ctx context.Context, owner string, o chat.Orphan) error {
	if err := s.enter(ctx, "Release"); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if s.leases[o].owner == owner {
		delete(s.leases, o)
	}
	return nil
}

// Drop takes a conversation out, as an erasure does.
func (s *Store) Drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.chats, id)
}

// Hasten makes every lease run out so much sooner.
func (s *Store) Hasten(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o, l := range s.leases {
		s.leases[o] = lease{l.owner, l.until.Add(-by)}
	}
}

// Leases counts the leases that stand.
func (s *Store) Leases() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.leases)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
