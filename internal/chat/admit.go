package chat

import "github.com/aside-project/aside/internal/assist"

// Under load things are left out in this order, and each time it is said: written
// drafts, when MaxRuns suggestions are at work (a quarter more are made without);
// the bot, when those have no place left either and agents stand in line: its
// customers go to the people's queue; whole suggestions, when MaxLine stand in
// line: what was stored with a lease is taken up by the sweep when there is room.
// Turns and replies are never left out: they wait for none of this, and have a
// database pool of their own.

// Shed names what was left out.
type Shed string

// What can be left out, first one first.
const (
	ShedDraft      Shed = "draft"
	ShedBot        Shed = "bot"
	ShedSuggestion Shed = "suggestion"
)

const (
	tooManyDrafts      = "Too many customers are writing at once: this is the quick draft, without the model's."
	tooManySuggestions = "Too many customers are writing at once: sources and a draft come when there is room, or when you ask for them."
)

func (s *Service) shed(what Shed) {
	if s.opts.Shed != nil {
		s.opts.Shed(what)
	}
}

// leavesDraftsOut says whether a run that just got its slot does without the model.
func (s *Service) leavesDraftsOut() bool { return len(s.slots) > s.opts.MaxRuns }

// leavesBotOut says whether agents' suggestions fill every slot and wait for more.
func (s *Service) leavesBotOut() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.line > 0 && len(s.slots) == cap(s.slots)
}

// joinLine takes a place among those that wait for a slot; false when it is full.
func (s *Service) joinLine() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.line >= s.opts.MaxLine {
		return false
	}
	s.line++
	return true
}

func (s *Service) leaveLine() {
	s.mu.Lock()
	s.line--
	s.mu.Unlock()
}

// turnAway ends a run before it began and tells who watches. The event is not in
// the log: the suggestion may still come. The commit must be held.
func (s *Service) turnAway(l *live, r *run) bool {
	s.shed(ShedSuggestion)
	r.cancel(nil)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending, l.waiting = nil, false
	r.over = true
	if r.agent.Actor == assist.ActorAgent && !r.leased {
		return false // who asked is told in the answer
	}
	s.bus.Publish(l.id, assist.SuggestionDone(0, assist.Suggestion{ID: r.id, Conversation: l.id, ForSeq: r.forSeq, CreatedAt: r.began,
		State: assist.SuggestionFailed, Standing: assist.StandingNoSource, Reason: tooManySuggestions}))
	return true
}
