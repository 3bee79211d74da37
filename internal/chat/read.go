package chat

import (
	"context"
	"fmt"

	"github.com/aside-project/aside/internal/assist"
)

// Conversation gives one conversation. Its customer is not told what agents
// wrote about it.
func (s *Service) Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error) {
	if err := mayRead(who, id); err != nil {
		return assist.Conversation{}, err
	}
	ctx, done := s.storing(ctx)
	defer done()
	c, err := s.store.Conversation(ctx, id)
	if err != nil {
		return c, fmt.Errorf("load conversation %s: %w", id, err)
	}
	return shownTo(who, c), nil
}

// shownTo leaves out of a conversation what its customer is not told.
func shownTo(who assist.Identity, c assist.Conversation) assist.Conversation {
	if who.Actor != assist.ActorCustomer {
		return c
	}
	return assist.Conversation{ID: c.ID, Status: c.Status, CustomerName: c.CustomerName, AgentName: c.AgentName,
		LastSeq: c.LastSeq, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt}
}

// Open gives a conversation and its events after seq, at most limit: what somebody
// who comes back needs, for one question to the database. A few are opened at a
// time: when thousands come back at once they wait here, and turns do not wait
// behind them.
func (s *Service) Open(ctx context.Context, who assist.Identity, id string, after int64, limit int) (c assist.Conversation, events []assist.Event, err error) {
	if err := mayRead(who, id); err != nil {
		return c, nil, err
	}
	if err := s.reading(who, id); err != nil {
		return c, nil, err
	}
	select {
	case s.openings <- struct{}{}:
		defer func() { <-s.openings }()
	case <-ctx.Done():
		return c, nil, ctx.Err()
	}
	if s.opener == nil {
		c, err = s.Conversation(ctx, who, id)
		if err == nil && after < c.LastSeq {
			events, err = s.Events(ctx, who, id, after, limit)
		}
		return c, events, err
	}
	ctx, done := s.storing(ctx)
	defer done()
	c, events, err = s.opener.Open(ctx, who, id, max(after, 0), limit)
	if err != nil {
		return c, nil, fmt.Errorf("open conversation %s after %d: %w", id, after, err)
	}
	return shownTo(who, c), events, nil
}

// Queue lists at most 200 conversations that are not closed, longest waiting
// first. Agents only.
func (s *Service) Queue(ctx context.Context, who assist.Identity) ([]assist.Conversation, error) {
	if who.Actor != assist.ActorAgent {
		return nil, assist.Errorf(assist.Forbidden, "only an agent may see the queue, not a token with role %q", who.Actor)
	}
	if who.Conversation != "" {
		return nil, assist.Errorf(assist.Forbidden, "this token is for one conversation only, and not for the queue")
	}
	ctx, done := s.storing(ctx)
	defer done()
	q, err := s.store.Queue(ctx, 200)
	if err != nil {
		return nil, fmt.Errorf("load queue: %w", err)
	}
	return q, nil
}

// Events gives kept events after seq, oldest first, at most limit; customers get
// those they may see.
func (s *Service) Events(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) ([]assist.Event, error) {
	if err := mayRead(who, conversation); err != nil {
		return nil, err
	}
	if err := s.reading(who, conversation); err != nil {
		return nil, err
	}
	ctx, done := s.storing(ctx)
	defer done()
	events, err := s.store.Events(ctx, who, conversation, max(after, 0), limit)
	if err != nil {
		return nil, fmt.Errorf("load events of %s after %d: %w", conversation, after, err)
	}
	return events, nil
}

// Transcript gives the last turns and the step changes, oldest first. Agents and
// sources only: it holds reported actions, which customers never see.
func (s *Service) Transcript(ctx context.Context, who assist.Identity, conversation string) ([]assist.Turn, []assist.StepChange, error) {
	if err := mayRead(who, conversation); err != nil {
		return nil, nil, err
	}
	if who.Actor == assist.ActorCustomer {
		return nil, nil, assist.Errorf(assist.Forbidden, "a customer sees the conversation's events, not its transcript")
	}
	l := s.get(conversation)
	defer s.put(l)
	return s.transcript(ctx, l)
}

// Suggestion gives a stored suggestion with everything behind it. Agents and
// maintainers only.
func (s *Service) Suggestion(ctx context.Context, who assist.Identity, id string) (assist.Suggestion, error) {
	if who.Actor != assist.ActorAgent && who.Actor != assist.ActorMaintainer {
		return assist.Suggestion{}, assist.Errorf(assist.Forbidden, "only agents and maintainers may see suggestions, not a token with role %q", who.Actor)
	}
	if err := assist.CheckText("suggestion_id", id, assist.MaxID); err != nil {
		return assist.Suggestion{}, err
	}
	ctx, done := s.storing(ctx)
	defer done()
	g, err := s.store.Suggestion(ctx, id)
	if err != nil {
		return g, fmt.Errorf("load suggestion %s: %w", id, err)
	}
	if who.Conversation != "" && g.Conversation != who.Conversation {
		return assist.Suggestion{}, assist.Errorf(assist.NotFound, "there is no suggestion %q", id) // nor is it said that there is
	}
	return g, nil
}

// CheckDraft checks what an agent typed against the suggestion it came from, the
// latest one when suggestionID is empty. Agents only.
func (s *Service) CheckDraft(ctx context.Context, who assist.Identity, conversation, text, suggestionID string) ([]assist.Verdict, error) {
	if err := agentOnly(who, conversation, "check a draft"); err != nil {
		return nil, err
	}
	if err := assist.CheckText("text", text, assist.MaxText); err != nil {
		return nil, err
	}
	if s.opts.Checker == nil {
		return []assist.Verdict{}, nil
	}
	l := s.get(conversation)
	defer s.put(l)
	turns, _, err := s.transcript(ctx, l)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	g := l.latest
	l.mu.Unlock()
	if suggestionID != "" && (g == nil || g.ID != suggestionID) {
		stored, err := s.Suggestion(ctx, who, suggestionID)
		if err != nil {
			return nil, err
		}
		if stored.Conversation != conversation {
			return nil, assist.Errorf(assist.NotFound, "there is no suggestion %q in this conversation", suggestionID)
		}
		g = &stored
	}
	m := assist.Moment{Conversation: conversation, Turns: turns, Audience: assist.AudienceInternal, Agent: who}
	verdicts, err := s.opts.Checker.CheckDraft(ctx, m, g, text)
	if err != nil {
		return nil, fmt.Errorf("check draft in %s: %w", conversation, err)
	}
	if verdicts == nil {
		verdicts = []assist.Verdict{}
	}
	return verdicts, nil
}

// Typing tells the others that somebody types; it is not kept. role is who
// types: sources say it, for customers and agents it is their own. What a
// customer types is shown to agents; what an agent types is shown to nobody.
func (s *Service) Typing(ctx context.Context, who assist.Identity, conversation string, role assist.Role, text string) error {
	if err := mayRead(who, conversation); err != nil {
		return err
	}
	switch own := assist.Role(who.Actor); {
	case who.Actor == assist.ActorSource && (role == assist.RoleCustomer || role == assist.RoleAgent):
	case who.Actor == assist.ActorSource:
		return assist.Errorf(assist.Invalid, "role must be customer or agent: who types?")
	case role == "" || role == own:
		role = own
	default:
		return assist.Errorf(assist.Forbidden, "role must be %q, your own", own)
	}
	if err := assist.CheckText("text", text, assist.MaxText); err != nil {
		return err
	}
	type typing struct {
		Role assist.Role `json:"role"`
		Name string      `json:"name,omitempty"`
		Text string      `json:"text,omitempty"`
	}
	d := typing{Role: role}
	if who.Actor != assist.ActorSource {
		d.Name = who.Name
	}
	if role == assist.RoleAgent {
		e := assist.NewEvent(assist.EventTyping, conversation, 0, d)
		e.Public = e.Data
		s.bus.Publish(conversation, e)
		return nil
	}
	d.Text = text
	s.bus.Publish(conversation, assist.NewEvent(assist.EventTyping, conversation, 0, d))
	if text != "" {
		l := s.get(conversation)
		l.mu.Lock()
		l.typed = s.opts.Now()
		l.mu.Unlock()
		s.put(l)
		if s.opts.Prefetch != nil {
			s.opts.Prefetch(text)
		}
	}
	return nil
}

// transcript gives the conversation as it stands, from memory when nobody else
// wrote to it.
func (s *Service) transcript(ctx context.Context, l *live) ([]assist.Turn, []assist.StepChange, error) {
	l.mu.Lock()
	if l.log.whole {
		defer l.mu.Unlock()
		turns, steps := l.log.view()
		return turns, steps, nil
	}
	changes := l.log.changes
	l.mu.Unlock()
	ctx, done := s.storing(ctx)
	defer done()
	turns, steps, err := s.store.Transcript(ctx, l.id, s.opts.MaxTurns)
	if err != nil {
		return nil, nil, fmt.Errorf("load transcript %s: %w", l.id, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.load(turns, steps, changes)
	return turns, steps, nil
}
