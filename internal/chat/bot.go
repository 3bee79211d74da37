package chat

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Bot answers customers until a person is needed; bot.Bot is the one.
type Bot interface {
	// Serves reports whether customers' conversations begin with the bot at all.
	Serves() bool
	// Announces reports whether customers of a bot that does not serve are told
	// that a person comes.
	Announces() bool
	// Reply decides what becomes of the customer's last turn. m has the turns of
	// this episode only. When ctx ends it returns at once with anything.
	Reply(ctx context.Context, m assist.Moment) assist.BotReply
	// Farewell is the hand-over for a reason that needs no thinking.
	Farewell(m assist.Moment, code assist.HandoffCode) assist.BotReply
}

// gate counts agents who wait, so that the bot can let them go first.
type gate struct {
	mu    sync.Mutex
	n     int
	empty chan struct{} // closed when n falls to 0; nil while it is 0
}

func (g *gate) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n++; g.n == 1 {
		g.empty = make(chan struct{})
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		close(g.empty)
		g.empty = nil
	}
}

// wait returns when no agent waits, ctx ends, or at the latest after most: a
// house that is never quiet must not silence the bot.
func (g *gate) wait(ctx context.Context, most time.Duration) {
	late := time.NewTimer(most)
	defer late.Stop()
	for {
		g.mu.Lock()
		empty := g.empty
		g.mu.Unlock()
		if empty == nil {
			return
		}
		select {
		case <-empty:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

const (
	letAgentsFirst = 300 * time.Millisecond
	mostPauses     = 5 // that a customer who goes on typing makes the bot wait
)

// RequestHandoff gives the customer a person, whatever the bot does: what they
// wrote with it, if anything, is stored first. It gives the seq of the hand-over,
// the same however often they ask. Customers only.
func (s *Service) RequestHandoff(ctx context.Context, who assist.Identity, conversation, id, text string) (int64, error) {
	if who.Actor != assist.ActorCustomer {
		return 0, assist.Errorf(assist.Forbidden, "only the customer may ask for a person, not a token with role %q", who.Actor)
	}
	if err := mayRead(who, conversation); err != nil {
		return 0, err
	}
	if text != "" {
		if _, _, err := s.Receive(ctx, who, assist.NewTurn{Conversation: conversation, ClientID: id, Role: assist.RoleCustomer, Text: text}); err != nil {
			return 0, err
		}
	}
	l, err := s.enter(ctx, conversation)
	if err != nil {
		return 0, err
	}
	defer s.leave(l)
	ctx, done := s.storing(ctx)
	defer done()
	c, err := s.store.Conversation(ctx, conversation)
	if err != nil && assist.CodeOf(err) != assist.NotFound {
		return 0, fmt.Errorf("load conversation %s: %w", conversation, err)
	}
	m, err := s.moment(ctx, l, c.FreshSeq)
	if err != nil {
		return 0, err
	}
	n := assist.NewHandoff{Conversation: conversation}
	if b := s.opts.Bot; b != nil {
		n.Bot, n.BotReply = b.Serves(), b.Farewell(m, assist.HandoffAsked)
	} else {
		n.BotReply = assist.BotReply{Handoff: &assist.Handoff{Code: assist.HandoffAsked, Reason: "The customer asked for a person.", From: assist.FromBot}}
	}
	return s.handOver(ctx, l, who, n, lastCustomer(m.Turns))
}

// handOver stores a hand-over, tells everybody and has the agents' suggestion for
// the customer's last turn made. The commit must be held.
func (s *Service) handOver(ctx context.Context, l *live, who assist.Identity, n assist.NewHandoff, forSeq int64) (int64, error) {
	var lease Lease
	if s.suggester != nil {
		lease = s.lease()
	}
	st, err := s.store.HandOver(ctx, who, n, lease)
	if err != nil {
		return 0, s.failed(l, "hand over", err)
	}
	if st.Dropped {
		if st.HandedSeq == 0 {
			st.HandedSeq = st.Conversation.LastSeq
		} else { // when the first try was cut off after its commit, nobody was told
			st.Turn.Seq, st.Repeat = st.HandedSeq, true
			s.published(ctx, l, st)
		}
		return st.HandedSeq, nil
	}
	s.endBot(l, errAnswered)
	s.published(ctx, l, st)
	if forSeq > 0 && s.suggester != nil {
		r := s.newRun(forSeq)
		r.leased = n.ForSeq == forSeq
		s.prepare(l, r)
	}
	return st.HandedSeq, nil
}

// prepare makes the agents' suggestion for a conversation that waits for one. A
// few are made at a time; the others' leases run out, and they are taken up again
// by and by, or at once by the agent who takes the conversation.
func (s *Service) prepare(l *live, r *run) {
	select {
	case s.handed <- struct{}{}:
		context.AfterFunc(r.ctx, func() { <-s.handed }) // every run's context ends with it
		s.want(l, r)
	default:
		r.cancel(nil)
	}
}

// fromBot makes the suggestion for what an agent just took from the bot, or from
// the line behind it, unless it is there. The commit must be held.
func (s *Service) fromBot(l *live, c assist.Conversation, who assist.Identity) {
	if s.suggester == nil || c.Handoff == nil || c.Handoff.From != assist.FromBot {
		return
	}
	turns, _, err := s.transcript(s.base, l)
	if err != nil {
		s.log.Warn("no suggestion for a conversation that was taken", "conversation", l.id, "error", err)
		return
	}
	forSeq := lastCustomer(turns)
	l.mu.Lock()
	made := l.running != nil || l.pending != nil || l.latest != nil && l.latest.ForSeq >= forSeq
	l.mu.Unlock()
	if made || forSeq == 0 {
		return
	}
	r := s.newRun(forSeq)
	r.agent = who
	s.want(l, r)
}

// announce tells a customer whom no bot serves that a person comes, once. The
// agents' suggestion is under way already. The commit must be held.
func (s *Service) announce(ctx context.Context, l *live, who assist.Identity, c assist.Conversation) {
	b := s.opts.Bot
	if b == nil || !b.Announces() || who.Actor != assist.ActorCustomer || c.Status != assist.StatusWaiting || c.Handoff != nil {
		return
	}
	m, err := s.moment(ctx, l, c.FreshSeq)
	if err == nil {
		_, err = s.handOver(ctx, l, who, assist.NewHandoff{Conversation: l.id, BotReply: b.Farewell(m, assist.HandoffBotOff)}, 0)
	}
	if err != nil {
		s.log.Warn("a customer was not told that a person comes", "conversation", l.id, "error", err)
	}
}

// answerFor has the bot answer a customer's turn that was just stored.
func (s *Service) answerFor(l *live, st Stored, r *run) {
	l.mu.Lock()
	l.customer, l.typed = r.began, time.Time{}
	l.mu.Unlock()
	s.answer(l, r, st.Conversation.FreshSeq)
}

// answer makes r the conversation's run of the bot: a newer turn ends it, and is
// answered together with this one. When too many wait already, people are asked.
// The commit must be held.
func (s *Service) answer(l *live, r *run, fresh int64) {
	s.endBot(l, errSuperseded)
	room := false
	if !s.leavesBotOut() {
		select {
		case s.botLine <- struct{}{}:
			room = true
		default:
		}
	}
	if !room {
		s.shed(ShedBot)
		r.cancel(nil)
		ctx, done := s.storing(s.base)
		defer done()
		m, err := s.moment(ctx, l, fresh)
		if err != nil {
			m = assist.Moment{Conversation: l.id} // the words are in the house's language then
		}
		n := assist.NewHandoff{Conversation: l.id, ForSeq: r.forSeq, BotReply: s.opts.Bot.Farewell(m, assist.HandoffLimit)}
		if _, err := s.handOver(ctx, l, assist.Identity{}, n, r.forSeq); err != nil {
			s.log.Warn("a conversation that the bot has no room for was not handed over; its lease says who goes on", "conversation", l.id, "error", err)
		}
		return
	}
	l.mu.Lock()
	l.bot = r
	l.mu.Unlock()
	s.get(l.id) // its goroutine's own; it puts it back
	ok := s.spawn(func() {
		defer s.put(l)
		defer func() { <-s.botLine }()
		defer r.cancel(nil)
		s.workBot(l, r, fresh)
	})
	if !ok {
		s.put(l)
		<-s.botLine
		s.endBot(l, errStopping)
	}
}

// endBot ends the bot's run; nothing of it is stored any more. The commit must be
// held.
func (s *Service) endBot(l *live, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.bot; r != nil {
		l.bot = nil
		r.over = true
		r.cancel(cause)
	}
}

// workBot waits until the customer has said what there is to say, then for its
// turn, and answers.
func (s *Service) workBot(l *live, r *run, fresh int64) {
	if !s.untilPause(l, r) {
		return
	}
	select {
	case s.botSlots <- struct{}{}:
		defer func() { <-s.botSlots }()
	case <-r.ctx.Done():
		return
	case <-s.stopping:
		return
	}
	s.agents.wait(r.ctx, letAgentsFirst)
	s.saysTyping(l)
	reply := s.askBot(l, r, fresh)
	pause := s.opts.RetryPause
	for try := 1; r.ctx.Err() == nil; try++ {
		err := s.keepReply(l, r, reply)
		if err == nil {
			return
		}
		s.log.Warn("an answer of the bot could not be stored", "conversation", l.id, "seq", r.forSeq, "try", try, "error", err)
		if try == 6 || assist.CodeOf(err) != assist.Unavailable {
			break
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
		}
		pause *= 2
	}
	l.mu.Lock()
	if l.bot == r {
		l.bot = nil // its lease runs out, and it is tried again
	}
	l.mu.Unlock()
}

// untilPause waits for the end of a burst; false when the run ended first.
func (s *Service) untilPause(l *live, r *run) bool {
	pause := time.NewTimer(s.opts.BotPause)
	defer pause.Stop()
	began := r.began
	for range mostPauses {
		select {
		case <-pause.C:
		case <-r.ctx.Done():
			return false
		case <-s.stopping:
			return false
		}
		l.mu.Lock()
		typed := l.typed
		l.mu.Unlock()
		if !typed.After(began) {
			break
		}
		began = typed
		pause.Reset(s.opts.BotPause)
	}
	return true
}

// saysTyping tells the customer that the bot is at it.
func (s *Service) saysTyping(l *live) {
	e := assist.NewEvent(assist.EventTyping, l.id, 0, struct {
		Role assist.Role `json:"role"`
	}{assist.RoleBot})
	e.Public = e.Data
	s.bus.Publish(l.id, e)
}

// askBot asks the bot. Whatever happens in there, a reply comes back.
func (s *Service) askBot(l *live, r *run, fresh int64) (reply assist.BotReply) {
	m := assist.Moment{Conversation: l.id, ForSeq: r.forSeq}
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("the bot panicked", "conversation", l.id, "seq", r.forSeq, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			reply = s.opts.Bot.Farewell(m, assist.HandoffFault)
		}
	}()
	m, err := s.moment(r.ctx, l, fresh)
	if err != nil {
		s.log.Error("no transcript for the bot", "conversation", l.id, "seq", r.forSeq, "error", err)
		return s.opts.Bot.Farewell(assist.Moment{Conversation: l.id}, assist.HandoffFault)
	}
	m.SuggestionID, m.ForSeq = r.id, r.forSeq
	return s.opts.Bot.Reply(r.ctx, m)
}

// moment is what the bot may know: this episode's turns that a customer may see.
func (s *Service) moment(ctx context.Context, l *live, fresh int64) (assist.Moment, error) {
	turns, _, err := s.transcript(ctx, l)
	if err != nil {
		return assist.Moment{}, err
	}
	m := assist.Moment{Conversation: l.id, Audience: assist.AudiencePublic}
	for _, t := range turns {
		if t.Seq > fresh && t.Action == nil && t.Role != assist.RoleSystem {
			m.Turns = append(m.Turns, t)
		}
	}
	return m, nil
}

// keepReply stores what the bot decided, unless the run is over.
func (s *Service) keepReply(l *live, r *run, reply assist.BotReply) error {
	commit, err := s.enter(r.ctx, l.id)
	if err != nil {
		return nil // ended meanwhile
	}
	defer s.leave(commit)
	l.mu.Lock()
	over := r.over
	l.mu.Unlock()
	if over || context.Cause(r.ctx) == errStopping {
		return nil
	}
	ctx, done := s.storing(s.base)
	defer done()
	switch {
	case reply.Handoff != nil:
		if _, err := s.handOver(ctx, l, assist.Identity{}, assist.NewHandoff{Conversation: l.id, ForSeq: r.forSeq, BotReply: reply}, r.forSeq); err != nil {
			return err
		}
	case reply.Text != "":
		if reply.Suggestion != nil {
			reply.Suggestion.ID, reply.Suggestion.Conversation, reply.Suggestion.ForSeq = r.id, l.id, r.forSeq
		}
		st, err := s.store.AddAnswer(ctx, assist.NewAnswer{Conversation: l.id, ForSeq: r.forSeq, BotReply: reply})
		if err != nil {
			return s.failed(l, "add an answer", err)
		}
		if st.Dropped { // another process's conversation by now
			l.mu.Lock()
			l.log.doubt()
			l.mu.Unlock()
			break
		}
		s.published(ctx, l, st)
	default:
		s.release(Orphan{Conversation: l.id, ForSeq: r.forSeq})
	}
	l.mu.Lock()
	if l.bot == r {
		l.bot = nil
	}
	l.mu.Unlock()
	return nil
}
