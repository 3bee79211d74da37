package chat

import (
	"context"
	"slices"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// sweep renews the leases of the runs at work, takes over those that ran out,
// and forgets idle conversations, until Stop.
func (s *Service) sweep() {
	tick := time.NewTicker(s.opts.SweepEvery)
	defer tick.Stop()
	failing := false
	for {
		err := s.sweepOnce()
		if err != nil && !failing { // once per outage, not once per second
			s.log.Warn("leases could not be looked after", "error", err)
		}
		failing = err != nil
		s.forget()
		select {
		case <-tick.C:
		case <-s.stopping:
			s.renewUntilDone()
			return
		}
	}
}

// renewUntilDone keeps the leases of runs that Stop lets finish.
func (s *Service) renewUntilDone() {
	tick := time.NewTicker(s.opts.SweepEvery)
	defer tick.Stop()
	for s.leaser != nil && len(s.leased()) > 0 {
		if err := s.renew(); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-s.base.Done():
			return
		}
	}
}

func (s *Service) sweepOnce() error {
	if s.suggester == nil {
		return nil
	}
	if err := s.renew(); err != nil {
		return err
	}
	room := cap(s.slots) - len(s.slots)
	for room > 0 {
		most := min(room, 32)
		n, err := s.takeOver(most)
		if err != nil {
			return err
		}
		if n < most {
			return nil
		}
		room -= n // a node that died at its busiest leaves more than one handful
	}
	return nil
}

func (s *Service) takeOver(most int) (n int, err error) {
	ctx, done := s.storing(s.base)
	defer done()
	orphans, err := s.store.Orphans(ctx, s.lease(), most)
	if err != nil {
		return 0, err
	}
	for _, o := range orphans {
		if err := s.adopt(ctx, o); err != nil {
			s.log.Warn("an orphaned suggestion was left for the next sweep", "conversation", o.Conversation, "seq", o.ForSeq, "error", err)
		}
	}
	return len(orphans), nil
}

func (s *Service) renew() error {
	of := s.leased()
	if s.leaser == nil || len(of) == 0 {
		return nil
	}
	ctx, done := s.storing(s.base)
	defer done()
	held, err := s.leaser.Renew(ctx, s.lease(), of)
	if err != nil {
		return err
	}
	for _, o := range of {
		if !slices.Contains(held, o) {
			s.lost(o)
		}
	}
	return nil
}

// leased lists the leases of the runs at work or in line here.
func (s *Service) leased() []Orphan {
	s.mu.Lock()
	defer s.mu.Unlock()
	var of []Orphan
	for _, l := range s.chats {
		l.mu.Lock()
		for _, r := range []*run{l.running, l.pending, l.bot} {
			if r != nil && r.leased {
				of = append(of, Orphan{Conversation: l.id, ForSeq: r.forSeq})
			}
		}
		l.mu.Unlock()
	}
	return of
}

// adopt runs an orphan's suggestion again, unless the conversation has moved on.
func (s *Service) adopt(ctx context.Context, o Orphan) error {
	l, err := s.enter(ctx, o.Conversation)
	if err != nil {
		return err
	}
	defer s.leave(l)
	l.mu.Lock()
	busy := l.running != nil || l.pending != nil || l.bot != nil
	own := busy && (l.bot != nil && l.bot.forSeq == o.ForSeq || l.running != nil && l.running.forSeq == o.ForSeq || l.pending != nil && l.pending.forSeq == o.ForSeq)
	if !busy {
		l.log.doubt() // it was another process's until now
	}
	l.mu.Unlock()
	if own {
		return nil
	}
	turns, _, err := s.transcript(ctx, l)
	if err != nil {
		return err
	}
	c, err := s.store.Conversation(ctx, l.id)
	if err != nil {
		return err
	}
	if busy || !unanswered(turns, o.ForSeq, c.Handoff != nil && c.Handoff.From == assist.FromBot) {
		s.release(o)
		return nil
	}
	r := s.newRun(o.ForSeq)
	r.leased = true
	if c.Status == assist.StatusBot && s.opts.Bot != nil {
		s.log.Info("taking over an answer nobody finished", "conversation", o.Conversation, "seq", o.ForSeq)
		s.answer(l, r, c.FreshSeq)
		return nil
	}
	s.log.Info("taking over a suggestion nobody finished", "conversation", o.Conversation, "seq", o.ForSeq)
	if c.Status == assist.StatusWaiting && c.Handoff != nil {
		s.prepare(l, r)
		return nil
	}
	s.want(l, r)
	return nil
}

// unanswered reports whether the turn is the customer's last and nobody replied;
// what a bot that handed over said last was no reply.
func unanswered(turns []assist.Turn, seq int64, handed bool) bool {
	for i := len(turns) - 1; i >= 0; i-- {
		switch turns[i].Role {
		case assist.RoleCustomer:
			return turns[i].Seq == seq
		case assist.RoleAgent:
			return false
		case assist.RoleBot:
			if !handed {
				return false
			}
		}
	}
	return false
}
