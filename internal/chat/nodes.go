package chat

import (
	"context"
	"encoding/json"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// The bus's own goroutine calls what is here for every event of another node: it
// takes only the conversation's mu, and leaves the rest to the runs' workers.

const (
	askFor   = 250 * time.Millisecond // how long a reply waits until the suggestion it came from is stored elsewhere
	askAgain = 20 * time.Millisecond
)

// elsewhere takes note of what another node did in a conversation.
func (s *Service) elsewhere(l *live, e assist.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.Seq > l.log.last {
		l.log.last = e.Seq
		l.log.doubt()
	}
	if l.running == nil && l.pending == nil && l.bot == nil {
		return
	}
	switch e.Type {
	case assist.EventTurnAdded:
		var t struct{ Role assist.Role }
		if json.Unmarshal(e.Data, &t) != nil {
			return
		}
		switch t.Role {
		case assist.RoleCustomer:
			s.outrun(l, errSuperseded, e.Seq)
		case assist.RoleAgent, assist.RoleBot:
			s.outrun(l, errAnswered, e.Seq)
		}
	case assist.EventConversationClosed:
		s.outrun(l, errClosed, e.Seq)
	case assist.EventHandoff:
		if l.bot != nil && e.Seq > l.bot.seen {
			s.outrunBot(l, errAnswered)
		}
	case assist.EventSuggestionStarted:
		var other struct {
			ID        string `json:"suggestion_id"`
			ForSeq    int64  `json:"for_seq"`
			Requested bool   `json:"requested"`
		}
		if json.Unmarshal(e.Data, &other) != nil {
			return
		}
		for _, r := range []*run{l.running, l.pending} {
			// Of two for the same turn the one that an agent asked for goes on, of
			// two of those the one with the greater id, and of two that nobody asked
			// for the one that holds the lease.
			if r != nil && (other.ForSeq > r.forSeq || other.ForSeq == r.forSeq && other.Requested && (r.leased || other.ID > r.id)) {
				r.outrun(errSuperseded, other.ForSeq)
			}
		}
	}
}

// outrun ends what is made for anything before seq. l.mu must be held.
func (s *Service) outrun(l *live, cause error, seq int64) {
	for _, r := range []*run{l.running, l.pending} {
		if r != nil && seq > r.seen {
			r.outrun(cause, seq)
		}
	}
	if l.bot != nil && seq > l.bot.seen {
		s.outrunBot(l, cause)
	}
}

// outrun cancels a run; its worker says so, in the order of commits.
func (r *run) outrun(cause error, seq int64) {
	if r.other == 0 {
		r.other = seq
		r.cancel(cause)
	}
}

func (s *Service) outrunBot(l *live, cause error) {
	r := l.bot
	l.bot = nil
	r.over = true
	r.cancel(cause)
}

// lost ends the run of a lease that could not be renewed: another node has the
// turn by now, or nobody needs it.
func (s *Service) lost(o Orphan) {
	s.mu.Lock()
	l := s.chats[o.Conversation]
	s.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range []*run{l.running, l.pending} {
		if r != nil && r.leased && r.forSeq == o.ForSeq {
			l.log.doubt()
			r.outrun(errSuperseded, r.forSeq)
		}
	}
	if l.bot != nil && l.bot.forSeq == o.ForSeq {
		l.log.doubt()
		s.outrunBot(l, errSuperseded)
	}
}

// endIfElsewhere ends a run that another node's event has outrun. The commit must
// be held.
func (s *Service) endIfElsewhere(l *live, r *run) {
	l.mu.Lock()
	mine, seq := r.other != 0 && !r.over && (l.running == r || l.pending == r), r.other
	l.mu.Unlock()
	if mine {
		s.end(l, context.Cause(r.ctx), seq)
	}
}

// add stores a run's suggestion by the right it has; late means that it has none
// any more, and nothing was stored.
func (s *Service) add(ctx context.Context, g assist.Suggestion, r *run) (e assist.Event, late bool, err error) {
	if s.leaser == nil {
		e, err = s.store.AddSuggestion(ctx, g)
		return e, false, err
	}
	c := Claim{Seen: r.seen}
	if r.leased {
		c.Owner = s.opts.Owner
	}
	return s.leaser.Finish(ctx, g, c)
}

// late ends a run whose turn somebody else has by now: it is kept as superseded,
// if an agent could have used it. The commit must be held.
func (s *Service) late(ctx context.Context, l *live, r *run, g assist.Suggestion) error {
	s.log.Info("a suggestion came too late: the conversation has moved on at another node", "conversation", l.id, "suggestion", g.ID, "seq", r.forSeq)
	l.mu.Lock()
	l.log.doubt()
	instant := r.instant
	mine := l.running == r
	l.mu.Unlock()
	if mine {
		s.end(l, errSuperseded, r.forSeq)
	}
	if !instant {
		return nil
	}
	g.State, g.SupersededBy = assist.SuggestionSuperseded, r.forSeq
	if _, _, err := s.add(ctx, g, r); err != nil {
		return s.failed(l, "store suggestion "+g.ID, err)
	}
	return nil
}

// ask is what nodes ask each other: store the suggestion that an agent of mine
// has just replied with.
type ask struct {
	SuggestionID string `json:"suggestion_id"`
}

// askForShown has another node store a suggestion that is still being made there,
// so that what becomes of it can be recorded, and waits for it a moment. Without
// an answer the reply is sent all the same.
func (s *Service) askForShown(ctx context.Context, l *live, id string) {
	if s.opts.Elsewhere == nil || id == "" {
		return
	}
	l.mu.Lock()
	mine := l.running != nil && l.running.id == id || l.latest != nil && l.latest.ID == id
	l.mu.Unlock()
	if mine {
		return
	}
	stored := func() bool {
		_, err := s.store.Suggestion(ctx, id)
		return assist.CodeOf(err) != assist.NotFound
	}
	if stored() {
		return
	}
	s.bus.Publish(nodesTopic, assist.NewEvent("", l.id, 0, ask{id}))
	until := time.NewTimer(askFor)
	defer until.Stop()
	again := time.NewTicker(askAgain)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if stored() {
				return
			}
		case <-until.C:
			return
		}
	}
}

// asked answers another node's ask.
func (s *Service) asked(e assist.Event) {
	var a ask
	if json.Unmarshal(e.Data, &a) != nil || a.SuggestionID == "" {
		return
	}
	s.mu.Lock()
	l := s.chats[e.Conversation]
	s.mu.Unlock()
	if l == nil {
		return
	}
	l.mu.Lock()
	mine := l.running != nil && l.running.id == a.SuggestionID
	l.mu.Unlock()
	if !mine {
		return
	}
	s.spawn(func() {
		commit, err := s.enter(s.base, e.Conversation)
		if err != nil {
			return
		}
		defer s.leave(commit)
		ctx, done := s.storing(s.base)
		defer done()
		if err := s.keepShown(ctx, commit, a.SuggestionID); err != nil {
			s.log.Warn("a suggestion that an agent replied with elsewhere was not stored", "conversation", e.Conversation, "suggestion", a.SuggestionID, "error", err)
		}
	})
}

// SetRole takes over what an agent may give, as another node saw it.
func (s *Service) SetRole(agent, role string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roles[agent] = role
}
