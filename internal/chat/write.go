package chat

import (
	"context"
	"fmt"

	"github.com/aside-project/aside/internal/assist"
)

// AddTurn stores what a customer wrote, or what a source reports of either side,
// and makes or ends the suggestion. The same id twice is the same turn.
func (s *Service) AddTurn(ctx context.Context, who assist.Identity, n assist.NewTurn) (assist.Turn, error) {
	t, _, err := s.Receive(ctx, who, n)
	return t, err
}

// Receive is AddTurn for those who must know whether the turn was there before.
func (s *Service) Receive(ctx context.Context, who assist.Identity, n assist.NewTurn) (t assist.Turn, repeat bool, err error) {
	n, err = permitTurn(who, n, s.opts.Now())
	if err != nil {
		return t, false, err
	}
	l, err := s.enter(ctx, n.Conversation)
	if err != nil {
		return t, false, err
	}
	defer s.leave(l)
	n.Bot = who.Actor == assist.ActorCustomer && s.opts.Bot != nil && s.opts.Bot.Serves()
	var lease Lease
	var r *run // for what the customer asks
	if n.Role == assist.RoleCustomer && s.suggester != nil {
		lease = s.lease()
		r = s.newRun(0)
		s.lookAhead(l, r, who, n)
	}
	ctx, done := s.storing(ctx)
	defer done()
	st, err := s.store.AddTurn(ctx, who, n, lease)
	if r != nil && (err != nil || st.Repeat) {
		r.cancel(nil)
	}
	if err != nil {
		return t, false, s.failed(l, "add turn", err)
	}
	s.published(ctx, l, st)
	if st.Repeat {
		return st.Turn, true, nil
	}
	if st.Turn.Role == assist.RoleAgent || st.Turn.Action != nil {
		s.acted(l, st.Turn)
	}
	switch st.Turn.Role {
	case assist.RoleCustomer:
		if r != nil {
			s.suggestFor(l, st, r)
		}
		s.announce(ctx, l, who, st.Conversation)
	case assist.RoleAgent, assist.RoleBot:
		s.endBot(l, errAnswered)
		s.end(l, errAnswered, st.Turn.Seq)
		s.replied(l, st)
	}
	return st.Turn, false, nil
}

// SendReply sends an agent's reply to the customer. Agents only: nothing else in
// the house speaks in an agent's name.
func (s *Service) SendReply(ctx context.Context, who assist.Identity, n assist.NewReply) (assist.Turn, error) {
	t, _, err := s.Send(ctx, who, n)
	return t, err
}

// Send is SendReply for those who must know whether the reply was there before.
func (s *Service) Send(ctx context.Context, who assist.Identity, n assist.NewReply) (t assist.Turn, repeat bool, err error) {
	if err := agentOnly(who, n.Conversation, "send a reply"); err != nil {
		return t, false, err
	}
	if err := n.Validate(); err != nil {
		return t, false, err
	}
	s.remember(who)
	l, err := s.enter(ctx, n.Conversation)
	if err != nil {
		return t, false, err
	}
	defer s.leave(l)
	ctx, done := s.storing(ctx)
	defer done()
	if err := s.keepShown(ctx, l, n.SuggestionID); err != nil {
		return t, false, s.failed(l, "store suggestion", err)
	}
	s.askForShown(ctx, l, n.SuggestionID)
	st, err := s.store.SendReply(ctx, who, n)
	if err != nil {
		return t, false, s.failed(l, "send reply", err)
	}
	s.endBot(l, errAnswered)
	s.published(ctx, l, st)
	s.end(l, errAnswered, st.Turn.Seq)
	if !st.Repeat {
		s.acted(l, st.Turn)
	}
	s.replied(l, st)
	return st.Turn, st.Repeat, nil
}

func (s *Service) acted(l *live, t assist.Turn) {
	if s.opts.Acted != nil {
		s.opts.Acted(l.id, t, l.upTo(t))
	}
}

// remember keeps what an agent may give, for the suggestions that are made for
// them without their asking. Who was never seen may give the least.
func (s *Service) remember(who assist.Identity) {
	if who.Actor != assist.ActorAgent {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.roles) > 10000 {
		clear(s.roles)
	}
	was, known := s.roles[who.Subject]
	s.roles[who.Subject] = who.Authority
	if s.opts.RoleSeen != nil && (!known || was != who.Authority) {
		s.opts.RoleSeen(who.Subject, who.Authority)
	}
}

func (s *Service) authorityOf(agent string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roles[agent]
}

// replied hands what an agent said to whoever learns from it. A repeat taught
// before, and what an agent did in another system is not speech.
func (s *Service) replied(l *live, st Stored) {
	if s.opts.Replied != nil && !st.Repeat && st.Turn.Role == assist.RoleAgent && st.Turn.Action == nil {
		s.opts.Replied(l.id, st.Turn, l.upTo(st.Turn))
	}
}

// SetStep ticks a next step. Agents only. It gives the event's seq, as do the
// three that follow.
func (s *Service) SetStep(ctx context.Context, who assist.Identity, conversation string, c assist.StepChange) (int64, error) {
	if c.StepID == "" || !c.State.Valid() {
		return 0, assist.Errorf(assist.Invalid, "step.set needs step_id, and state todo, done or skipped")
	}
	if err := assist.CheckText("step_id", c.StepID, 2*assist.MaxID); err != nil {
		return 0, err
	}
	c.By = who.Subject
	s.remember(who)
	return s.change(ctx, who, conversation, "set a step", func(ctx context.Context, _ *live) (assist.Event, error) {
		return s.store.SetStep(ctx, who, conversation, c)
	})
}

// Feedback marks a suggestion good or bad. Agents only.
func (s *Service) Feedback(ctx context.Context, who assist.Identity, conversation string, f assist.Feedback) (int64, error) {
	if err := f.Validate(); err != nil {
		return 0, err
	}
	return s.change(ctx, who, conversation, "mark a suggestion", func(ctx context.Context, l *live) (assist.Event, error) {
		l.mu.Lock()
		drafting := l.running != nil && l.running.id == f.SuggestionID
		l.mu.Unlock()
		if drafting {
			return assist.Event{}, assist.Errorf(assist.Conflict, "the suggestion is still being written: mark it when it is done")
		}
		return s.store.SetFeedback(ctx, who, conversation, f)
	})
}

// TakeHandoff gives the conversation to the agent who asks. Agents only.
func (s *Service) TakeHandoff(ctx context.Context, who assist.Identity, conversation string) (int64, error) {
	s.remember(who)
	return s.change(ctx, who, conversation, "take a conversation", func(ctx context.Context, l *live) (assist.Event, error) {
		e, err := s.store.TakeHandoff(ctx, who, conversation)
		if err == nil {
			s.endBot(l, errAnswered)
			s.fromBot(l, s.queueChanged(ctx, l), who)
		}
		return e, err
	})
}

// ReturnHandoff gives a conversation back to the queue; reason may be empty.
// Agents only.
func (s *Service) ReturnHandoff(ctx context.Context, who assist.Identity, conversation, reason string) (int64, error) {
	if err := assist.CheckText("reason", reason, assist.MaxActValue); err != nil {
		return 0, err
	}
	return s.change(ctx, who, conversation, "give a conversation back", func(ctx context.Context, l *live) (assist.Event, error) {
		e, err := s.store.ReturnHandoff(ctx, who, conversation, reason)
		if err == nil {
			s.queueChanged(ctx, l)
		}
		return e, err
	})
}

// Close ends a conversation; resolution says how, and may be empty. Agents only.
func (s *Service) Close(ctx context.Context, who assist.Identity, conversation, resolution string) (int64, error) {
	if err := assist.CheckText("resolution", resolution, assist.MaxActValue); err != nil {
		return 0, err
	}
	return s.change(ctx, who, conversation, "close a conversation", func(ctx context.Context, l *live) (assist.Event, error) {
		e, err := s.store.Close(ctx, who, conversation, resolution)
		if err == nil {
			s.endBot(l, errClosed)
			s.end(l, errClosed, e.Seq)
			if s.opts.Ended != nil {
				s.opts.Ended(l.id)
			}
			s.queueChanged(ctx, l)
		}
		return e, err
	})
}

// change makes one small write of an agent and publishes its event.
func (s *Service) change(ctx context.Context, who assist.Identity, conversation, what string, write func(context.Context, *live) (assist.Event, error)) (int64, error) {
	if err := agentOnly(who, conversation, what); err != nil {
		return 0, err
	}
	l, err := s.enter(ctx, conversation)
	if err != nil {
		return 0, err
	}
	defer s.leave(l)
	ctx, done := s.storing(ctx)
	defer done()
	e, err := write(ctx, l)
	if err != nil {
		return 0, s.failed(l, what, err)
	}
	s.publish(l, e, nil)
	return e.Seq, nil
}

// failed wraps a store's error. The write may have happened all the same, so the
// cached transcript is no longer believed.
func (s *Service) failed(l *live, op string, err error) error {
	l.mu.Lock()
	l.log.doubt()
	l.mu.Unlock()
	return fmt.Errorf("%s in %s: %w", op, l.id, err)
}

// published tells everybody about a stored turn or reply. A repeat has no events
// of its own, but when the first try was cut off after its commit nobody was
// told: then they come from the log.
func (s *Service) published(ctx context.Context, l *live, st Stored) {
	l.mu.Lock()
	known := l.log.last
	l.people = st.Conversation.Status != assist.StatusBot
	l.mu.Unlock()
	if st.Repeat && st.Turn.Seq <= known {
		return
	}
	events := st.Events
	if st.Repeat {
		var err error
		events, err = s.store.Events(ctx, assist.Identity{Actor: assist.ActorAgent, Subject: s.opts.Owner}, l.id, st.Turn.Seq-1, 16)
		if err != nil {
			s.log.Warn("a repeated turn's event could not be read; watchers see it with the next one", "conversation", l.id, "seq", st.Turn.Seq, "error", err)
			return
		}
	}
	for _, e := range events {
		var turn *assist.Turn
		if e.Type == assist.EventTurnAdded && e.Seq == st.Turn.Seq {
			turn = &st.Turn
		}
		s.publish(l, e, turn)
	}
	if st.Repeat {
		l.mu.Lock()
		l.log.doubt()
		l.mu.Unlock()
	}
	s.bus.Publish(QueueTopic, assist.NewEvent(assist.EventQueueChanged, l.id, 0, st.Conversation))
}

// publish takes a committed event into the live state and fans it out. The
// conversation's commit must be held.
func (s *Service) publish(l *live, e assist.Event, turn *assist.Turn) {
	l.mu.Lock()
	l.log.apply(e, turn, s.opts.MaxTurns)
	l.mu.Unlock()
	s.bus.Publish(l.id, e)
}

func (s *Service) queueChanged(ctx context.Context, l *live) assist.Conversation {
	c, err := s.store.Conversation(ctx, l.id)
	if err != nil {
		s.log.Warn("the queue was not told of a change", "conversation", l.id, "error", err)
		return c
	}
	s.bus.Publish(QueueTopic, assist.NewEvent(assist.EventQueueChanged, l.id, 0, c))
	return c
}
