package chat

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// run is one making of a suggestion.
type run struct {
	id          string
	forSeq      int64
	instruction string
	agent       assist.Identity
	ahead       chan rest // what was looked up while the turn was being stored, or closed; nil: nothing
	leased      bool      // the store holds a lease for it
	seen        int64     // the newest seq it knew of when it began
	held        bool      // part of a burst: the model waits for the pause
	plain       bool      // no written draft: too many are at work
	began       time.Time
	ctx         context.Context
	cancel      context.CancelCauseFunc

	// Guarded by the conversation's mu.
	other   int64 // another node's event that ends it; its worker does so
	over    bool  // ended; nothing of it is published any more
	bySeq   int64 // what ended it
	shown   bool  // suggestion.started went out
	instant bool  // an instant draft went out
	stored  bool  // keepShown stored it

	once sync.Once // of ready
}

// ready lets the bot go on: this run's agent has something to look at.
func (r *run) ready(s *Service) { r.once.Do(s.agents.leave) }

func (s *Service) newRun(forSeq int64) *run {
	r := &run{id: "sug_" + randomID(), forSeq: forSeq, seen: forSeq, began: s.opts.Now()}
	r.ctx, r.cancel = context.WithCancelCause(s.base)
	return r
}

func (s *Service) lease() Lease { return Lease{Owner: s.opts.Owner, For: s.opts.LeaseFor} }

// RequestSuggestion makes a new suggestion for the customer's last turn, with an
// instruction such as "shorter", and gives its id. Agents only.
func (s *Service) RequestSuggestion(ctx context.Context, who assist.Identity, conversation, instruction string) (string, error) {
	if err := agentOnly(who, conversation, "ask for a suggestion"); err != nil {
		return "", err
	}
	if err := assist.CheckText("instruction", instruction, assist.MaxText); err != nil {
		return "", err
	}
	s.remember(who)
	if s.suggester == nil {
		return "", assist.Errorf(assist.Unavailable, "this server makes no suggestions: `aside doctor` says what is missing")
	}
	l, err := s.enter(ctx, conversation)
	if err != nil {
		return "", err
	}
	defer s.leave(l)
	if s.opts.Elsewhere != nil { // another node may have stored a turn that this one has not heard of
		l.mu.Lock()
		l.log.doubt()
		l.mu.Unlock()
	}
	turns, _, err := s.transcript(ctx, l)
	if err != nil {
		return "", err
	}
	forSeq := lastCustomer(turns)
	if forSeq == 0 {
		if _, err := s.Conversation(ctx, who, conversation); err != nil {
			return "", err
		}
		return "", assist.Errorf(assist.Invalid, "the customer has not written anything yet that could be answered")
	}
	r := s.newRun(forSeq)
	r.instruction, r.agent, r.seen = strings.TrimSpace(instruction), who, turns[len(turns)-1].Seq
	if !s.want(l, r) {
		return "", assist.Errorf(assist.Unavailable, "too many suggestions wait, or the server is restarting: try again in a moment")
	}
	return r.id, nil
}

// suggestFor makes the suggestion for a customer's turn that was just stored.
// The first message of a burst starts at once; one that comes while that is
// still at work waits for a pause before the model is asked.
func (s *Service) suggestFor(l *live, st Stored, r *run) {
	r.forSeq, r.seen, r.began, r.leased = st.Turn.Seq, st.Turn.Seq, s.opts.Now(), true
	if c := st.Conversation; c.Agent != "" {
		r.agent = assist.Identity{Subject: c.Agent, Actor: assist.ActorAgent, Name: c.AgentName, Authority: s.authorityOf(c.Agent)}
	}
	if st.Conversation.Status == assist.StatusBot && s.opts.Bot != nil {
		s.answerFor(l, st, r)
		return
	}
	l.mu.Lock()
	atWork := l.running != nil || l.pending != nil
	r.held = atWork && r.began.Sub(l.customer) <= s.opts.BurstPause
	l.customer, l.typed = r.began, time.Time{}
	l.mu.Unlock()
	s.want(l, r)
}

// want makes r the conversation's run. One that is at work ends; one that still
// stands in line is replaced and leaves r its place. The commit must be held.
// False means that the server is stopping; then the lease says who goes on.
func (s *Service) want(l *live, r *run) bool {
	s.end(l, errSuperseded, r.forSeq)
	l.mu.Lock()
	l.pending = r
	inLine := l.waiting
	l.waiting = true
	l.mu.Unlock()
	if inLine {
		return true
	}
	if !s.joinLine() {
		return s.turnAway(l, r)
	}
	s.get(l.id) // the worker's own; work puts it back
	if s.spawn(func() { s.work(l) }) {
		return true
	}
	s.leaveLine()
	s.put(l)
	l.mu.Lock()
	l.pending, l.waiting = nil, false
	l.mu.Unlock()
	r.cancel(errStopping)
	return false
}

// end stops the conversation's run, if it has one, and says so to who saw it.
// The commit must be held.
func (s *Service) end(l *live, cause error, bySeq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.pending; p != nil {
		l.pending = nil
		p.over = true
		p.cancel(cause)
	}
	r := l.running
	if r == nil {
		return
	}
	l.running = nil
	r.over, r.bySeq = true, bySeq
	r.cancel(cause)
	if r.shown {
		s.bus.Publish(l.id, assist.NewEvent(assist.EventSuggestionSuperseded, l.id, 0, struct {
			SuggestionID string `json:"suggestion_id"`
			BySeq        int64  `json:"by_seq"`
		}{r.id, bySeq}))
	}
}

// work waits for a slot and makes whatever suggestion is wanted by then.
func (s *Service) work(l *live) {
	defer s.put(l)
	free := false
	select {
	case s.slots <- struct{}{}:
		free = true
	case <-s.stopping:
	}
	s.leaveLine()
	if free {
		defer func() { <-s.slots }()
	}
	l.mu.Lock()
	r := l.pending
	l.pending, l.waiting = nil, false
	if free {
		l.running = r
	}
	l.mu.Unlock()
	if r == nil {
		return // answered while it stood in line
	}
	defer r.cancel(nil)
	if free {
		r.plain = s.leavesDraftsOut()
		s.agents.enter()
		defer r.ready(s)
		s.finish(l, r, s.ask(l, r))
	}
}

// ask runs the suggester. Whatever happens in there, a suggestion comes back.
func (s *Service) ask(l *live, r *run) (g assist.Suggestion) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("the suggester panicked", "conversation", l.id, "suggestion", r.id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			g = s.broken(l, r, "something went wrong on our side while drafting")
		}
	}()
	turns, steps, err := s.transcript(r.ctx, l)
	if err != nil {
		s.log.Error("no transcript for a suggestion", "conversation", l.id, "suggestion", r.id, "error", err)
		return s.broken(l, r, "the conversation could not be read: "+assist.MessageOf(err))
	}
	m := assist.Moment{SuggestionID: r.id, Conversation: l.id, ForSeq: r.forSeq, Turns: turns, Steps: steps,
		Instruction: r.instruction, Audience: assist.AudienceInternal, Agent: r.agent}
	l.mu.Lock()
	if r.held || l.typed.After(r.began) {
		m.Hold = s.opts.BurstPause
	}
	l.mu.Unlock()
	if r.plain {
		m.SkipModel = tooManyDrafts
		s.shed(ShedDraft)
	}
	run := s.suggester.Run
	if r.ahead != nil {
		if goOn, ok := <-r.ahead; ok {
			run = goOn
		}
	}
	return run(r.ctx, m, watcher{s, l, r})
}

// broken is a failed suggestion with what was shown of it so far.
func (s *Service) broken(l *live, r *run, reason string) assist.Suggestion {
	g := assist.Suggestion{Standing: assist.StandingNoSource}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.latest != nil && l.latest.ID == r.id {
		g = *l.latest
	}
	g.State, g.Reason = assist.SuggestionFailed, reason
	return g
}

// finish stores what a run made and publishes it.
func (s *Service) finish(l *live, r *run, g assist.Suggestion) {
	g.ID, g.Conversation, g.ForSeq, g.Instruction = r.id, l.id, r.forSeq, r.instruction
	if g.CreatedAt.IsZero() {
		g.CreatedAt = r.began
	}
	if g.Question.Quiet != "" {
		s.quiet(l, r)
		return
	}
	if g.Draft == nil {
		g.Draft = g.Instant
	}
	pause := s.opts.RetryPause
	for try := 1; ; try++ {
		err := s.keep(l, r, &g)
		if err == nil {
			return
		}
		s.log.Warn("a suggestion could not be stored", "conversation", l.id, "suggestion", r.id, "try", try, "error", err)
		if try == 6 || assist.CodeOf(err) != assist.Unavailable {
			s.giveUp(l, r, g)
			return
		}
		select {
		case <-time.After(pause):
		case <-s.base.Done():
			return // the lease says who goes on
		}
		pause *= 2
	}
}

// keep stores a suggestion and publishes its event, unless the run is over: then
// it is stored as superseded, if an agent could have used it.
func (s *Service) keep(l *live, r *run, g *assist.Suggestion) error {
	commit, err := s.enter(s.base, l.id)
	if err != nil {
		return nil // stopping; the lease says who goes on
	}
	defer s.leave(commit)
	s.endIfElsewhere(l, r)
	l.mu.Lock()
	over, instant, stored, shown := r.over, r.instant, r.stored, r.shown
	g.SupersededBy = r.bySeq
	l.mu.Unlock()
	left := false
	switch {
	case over && (!instant || stored):
		return nil
	case over:
		g.State = assist.SuggestionSuperseded
	case context.Cause(r.ctx) == errStopping:
		return nil
	case context.Cause(r.ctx) == errLeft && g.State == assist.SuggestionSuperseded:
		left = true
		g.State, g.Reason = assist.SuggestionFailed, "everybody had left before it was written; it is written anew for whoever comes back"
		if g.Draft == nil {
			g.Draft = g.Instant
		}
	case g.State != assist.SuggestionReady && g.State != assist.SuggestionAbstained && g.State != assist.SuggestionFailed:
		s.log.Error("the suggester returned an unfinished suggestion", "conversation", l.id, "suggestion", r.id, "state", g.State)
		g.State, g.Reason = assist.SuggestionFailed, "something went wrong on our side while drafting"
	}
	ctx, done := s.storing(s.base)
	defer done()
	e, late, err := s.add(ctx, *g, r)
	if err != nil {
		return s.failed(l, "store suggestion "+g.ID, err)
	}
	if late {
		return s.late(ctx, l, r, *g)
	}
	if over {
		return nil
	}
	if !shown {
		s.started(l, r)
	}
	l.mu.Lock()
	l.latest = withoutPrompt(g)
	if l.running == r {
		l.running = nil
	}
	if l.left = nil; left {
		l.left = r
	}
	back := left && l.viewers > 0 // while this was being stored
	l.mu.Unlock()
	s.publish(l, e, nil)
	if back {
		s.spawn(func() { s.resume(l.id) })
	}
	if g.State == assist.SuggestionAbstained {
		s.addGap(ctx, *g)
	}
	return nil
}

// withoutPrompt is a suggestion without the words that the model was given: the
// store has them, and here they would be most of what a conversation takes.
func withoutPrompt(g *assist.Suggestion) *assist.Suggestion {
	if g.Prompt == nil {
		return g
	}
	kept, p := *g, *g.Prompt
	p.Text = ""
	kept.Prompt = &p
	return &kept
}

// keepShown ends and stores the suggestion that a reply came from when its run is
// still at work, so that what became of it can be recorded. The commit must be
// held.
func (s *Service) keepShown(ctx context.Context, l *live, id string) error {
	l.mu.Lock()
	r := l.running
	if id == "" || r == nil || r.id != id || !r.instant || r.stored {
		l.mu.Unlock()
		return nil
	}
	g, next := *l.latest, l.log.last+1
	l.mu.Unlock()
	g.State, g.Draft, g.SupersededBy = assist.SuggestionSuperseded, g.Instant, next
	if _, _, err := s.add(ctx, g, r); err != nil {
		return err
	}
	l.mu.Lock()
	r.stored = true
	l.mu.Unlock()
	s.end(l, errAnswered, next)
	return nil
}

// giveUp tells who is watching that the suggestion could not be stored. Its
// event has no seq: it is not in the log.
func (s *Service) giveUp(l *live, r *run, g assist.Suggestion) {
	g.State, g.Reason = assist.SuggestionFailed, "the suggestion could not be stored; passages and the instant draft stand"
	g.Prompt = nil
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.over {
		return
	}
	r.over = true
	if l.running == r {
		l.running = nil
	}
	s.bus.Publish(l.id, assist.SuggestionDone(0, g))
}

// quiet ends a run that had nothing to say.
func (s *Service) quiet(l *live, r *run) {
	l.mu.Lock()
	if l.running == r {
		l.running = nil
	}
	over := r.over
	l.mu.Unlock()
	if r.leased && !over {
		s.release(Orphan{Conversation: l.id, ForSeq: r.forSeq})
	}
}

// release ends a lease for which nothing is stored. A store without Release
// takes an empty superseded suggestion instead.
func (s *Service) release(o Orphan) {
	ctx, done := s.storing(s.base)
	defer done()
	var err error
	if s.leaser != nil {
		err = s.leaser.Release(ctx, s.opts.Owner, o)
	} else {
		_, err = s.store.AddSuggestion(ctx, assist.Suggestion{ID: "sug_" + randomID(), Conversation: o.Conversation, ForSeq: o.ForSeq,
			State: assist.SuggestionSuperseded, CreatedAt: s.opts.Now()})
	}
	if err != nil {
		s.log.Warn("a lease was not released and will run out", "conversation", o.Conversation, "seq", o.ForSeq, "error", err)
	}
}

func (s *Service) addGap(ctx context.Context, g assist.Suggestion) {
	gap := assist.Gap{Conversation: g.Conversation, ForSeq: g.ForSeq, Question: g.Question.Text, At: g.CreatedAt}
	for _, h := range g.Hits {
		gap.Nearest = append(gap.Nearest, h.ID)
	}
	if err := s.store.AddGap(ctx, gap); err != nil {
		s.log.Warn("a gap was not recorded", "conversation", g.Conversation, "suggestion", g.ID, "error", err)
	}
}

func lastCustomer(turns []assist.Turn) int64 {
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role == assist.RoleCustomer {
			return turns[i].Seq
		}
	}
	return 0
}
