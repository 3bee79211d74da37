package chat

import (
	"context"

	"github.com/aside-project/aside/internal/assist"
)

// rest is a suggester's Run, or what is left of one that looked ahead.
type rest = func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion

// mostScouting is how many turns are looked up at a time while they are being
// stored. Others are looked up behind their commit, where MaxRuns bounds them.
const mostScouting = 16

// lookAhead begins to look up what a turn asks that is about to be stored as the
// next one of its conversation. The end of r's context ends it. Where more is
// written of the conversation than is known here, it was in vain. The commit must
// be held.
func (s *Service) lookAhead(l *live, r *run, who assist.Identity, n assist.NewTurn) {
	l.mu.Lock()
	known, people := l.log.whole || l.log.last == 0, l.people // of one that was never heard of, this may be the first turn
	turns, steps := l.log.view()
	l.mu.Unlock()
	if s.scout == nil || !known || n.Bot && !people || n.Action != nil {
		return
	}
	select {
	case s.scouting <- struct{}{}:
	default:
		return
	}
	t := assist.Turn{Role: n.Role, Author: who.Subject, Name: n.Name, Text: n.Text, ExternalID: n.ExternalID}
	if who.Actor != assist.ActorSource {
		t.Name = who.Name
	}
	m := assist.Moment{SuggestionID: r.id, Conversation: l.id, Turns: newest(append(turns, t), s.opts.MaxTurns), Steps: steps, Audience: assist.AudienceInternal}
	ahead := make(chan rest, 1)
	ok := s.spawn(func() {
		defer func() { <-s.scouting }()
		defer close(ahead)
		defer func() { _ = recover() }() // Run meets the same again, and ask says so
		ahead <- s.scout.Ahead(r.ctx, m)
	})
	if !ok {
		<-s.scouting
		return
	}
	r.ahead = ahead
}
