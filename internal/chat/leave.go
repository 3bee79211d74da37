package chat

import (
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Watch says that somebody who sees suggestions, an agent or a tool, looks at a
// conversation through this process, until leave is called. Who may look was
// asked before. When the last one leaves, the run they watched ends after a
// grace, so that a page that is loaded again does not lose it.
func (s *Service) Watch(conversation string) (leave func()) {
	l := s.get(conversation)
	l.mu.Lock()
	l.viewers++
	back := l.viewers == 1 && l.left != nil && l.running == nil && l.pending == nil
	l.mu.Unlock()
	if back {
		s.spawn(func() { s.resume(conversation) })
	}
	return sync.OnceFunc(func() {
		l.mu.Lock()
		l.viewers--
		r := l.running
		if l.viewers > 0 {
			r = nil
		}
		l.mu.Unlock()
		if r != nil {
			s.spawn(func() { s.abandon(l, r) })
		}
		s.put(l)
	})
}

// abandon ends a run unless somebody comes back to it within the grace.
func (s *Service) abandon(l *live, r *run) {
	grace := time.NewTimer(s.opts.LeaveGrace)
	defer grace.Stop()
	select {
	case <-grace.C:
	case <-r.ctx.Done():
		return
	case <-s.stopping:
		return // everybody was sent away; Stop lets it finish
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.viewers == 0 && l.running == r {
		r.cancel(errLeft) // keep stores what there is
	}
}

// resume makes the suggestion again that was abandoned, if it is still wanted.
func (s *Service) resume(conversation string) {
	l, err := s.enter(s.base, conversation)
	if err != nil {
		return // stopping
	}
	defer s.leave(l)
	turns, _, err := s.transcript(s.base, l)
	var c assist.Conversation
	if err == nil {
		ctx, done := s.storing(s.base)
		defer done()
		c, err = s.store.Conversation(ctx, conversation)
	}
	if err != nil {
		s.log.Warn("an abandoned suggestion was not made again", "conversation", conversation, "error", err)
		return
	}
	l.mu.Lock()
	was := l.left
	l.left = nil
	l.mu.Unlock()
	if was == nil || c.Status == assist.StatusBot || c.Status == assist.StatusClosed || !unanswered(turns, was.forSeq, c.Handoff != nil && c.Handoff.From == assist.FromBot) {
		return
	}
	r := s.newRun(was.forSeq)
	r.instruction, r.agent = was.instruction, was.agent
	s.want(l, r)
}
