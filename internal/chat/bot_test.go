package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// botStage is a chat.Bot that waits to be told what to say.
type botStage struct {
	calls chan *botCall
	off   bool
}

type botCall struct {
	ctx    context.Context
	moment assist.Moment
	finish chan assist.BotReply
}

func newBotStage() *botStage { return &botStage{calls: make(chan *botCall, 100)} }

func (b *botStage) Serves() bool { return !b.off }

func (b *botStage) Announces() bool { return b.off }

func (b *botStage) Reply(ctx context.Context, m assist.Moment) assist.BotReply {
	c := &botCall{ctx, m, make(chan assist.BotReply, 1)}
	b.calls <- c
	select {
	case r := <-c.finish:
		return r
	case <-ctx.Done():
		return assist.BotReply{Text: "too late"}
	}
}

func (b *botStage) Farewell(_ assist.Moment, code assist.HandoffCode) assist.BotReply {
	return handover(code)
}

func handover(code assist.HandoffCode) assist.BotReply {
	return assist.BotReply{Text: "A person comes.", Name: "Wren", Handoff: &assist.Handoff{Code: code, Reason: "because", Summary: "it", From: assist.FromBot}}
}

func (b *botStage) next(t testing.TB) *botCall {
	t.Helper()
	select {
	case c := <-b.calls:
		return c
	case <-time.After(time.Minute):
		t.Fatal("the bot was not asked")
		return nil
	}
}

// withBot opens a house with a bot that answers at once after a turn.
func withBot(t testing.TB, edit func(*memstore.Store, *chat.Options)) (*house, *stage, *botStage) {
	t.Helper()
	st, b := newStage(), newBotStage()
	h := open(t, st, func(m *memstore.Store, o *chat.Options) {
		o.Bot, o.BotPause = b, time.Millisecond
		if edit != nil {
			edit(m, o)
		}
	})
	return h, st, b
}

// spoken lists what a customer of conv_1 sees, by role.
func (h *house) spoken(t testing.TB) []string {
	t.Helper()
	events, err := h.Events(t.Context(), customer, "conv_1", 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		var d struct {
			Role  assist.Role
			Text  string
			State string
		}
		if err := json.Unmarshal(e.Public, &d); err != nil {
			t.Fatal(err)
		}
		switch e.Type {
		case assist.EventTurnAdded:
			out = append(out, string(d.Role)+": "+d.Text)
		case assist.EventHandoff:
			out = append(out, "handoff: "+d.State)
		default:
			out = append(out, string(e.Type))
		}
	}
	return out
}

func wantSpoken(t testing.TB, h *house, want ...string) {
	t.Helper()
	if got := h.spoken(t); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the customer saw\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestBotAnswersAndAgentsSeeIt(t *testing.T) {
	h, st, b := withBot(t, nil)
	h.says(t, "How long do returns take?")
	c := b.next(t)
	if c.moment.Audience != assist.AudiencePublic || c.moment.ForSeq != 1 || len(c.moment.Turns) != 1 {
		t.Errorf("the bot was asked with %+v", c.moment)
	}
	if len(st.calls) != 0 {
		t.Error("agents' suggestions began while the bot answers")
	}
	q, err := h.Queue(t.Context(), agent)
	if err != nil || len(q) != 1 || q[0].Status != assist.StatusBot {
		t.Fatalf("agents see %+v, %v", q, err)
	}
	c.finish <- assist.BotReply{Text: "30 days.", Name: "Wren"}
	h.bus.wait(t, assist.EventTurnAdded, 2)
	wantSpoken(t, h, "customer: How long do returns take?", "bot: 30 days.")
	if n := h.store.Leases(); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	for _, e := range h.bus.all(assist.EventTyping) {
		if !strings.Contains(string(e.Public), `"bot"`) {
			t.Errorf("typing %s", e.Public)
		}
	}
}

// A conversation that a chat tool reports is people's, and so is any without a bot.
func TestBotServesItsOwnCustomersOnly(t *testing.T) {
	h, st, b := withBot(t, nil)
	if _, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_2", ClientID: "1", Role: assist.RoleCustomer, Text: "x"}); err != nil {
		t.Fatal(err)
	}
	st.next(t)
	b.off = true
	h.says(t, "hello?")
	st.next(t)
	if len(b.calls) > 0 {
		t.Error("the bot was asked")
	}
}

// Complaint 13: the bot talks over the human.
func TestComplaint13BotNeverTalksOverTheHuman(t *testing.T) {
	for name, person := range map[string]func(h *house) error{
		"an agent replies": func(h *house) error {
			_, err := h.SendReply(context.Background(), agent, assist.NewReply{Conversation: "conv_1", ClientID: "r", Text: "I'm here"})
			return err
		},
		"an agent takes it": func(h *house) error { _, err := h.TakeHandoff(context.Background(), agent, "conv_1"); return err },
		"an agent replied from a phone": func(h *house) error {
			_, err := h.AddTurn(context.Background(), source, assist.NewTurn{Conversation: "conv_1", ExternalID: "p", Role: assist.RoleAgent, Text: "me"})
			return err
		},
		"an agent closes it": func(h *house) error { _, err := h.Close(context.Background(), agent, "conv_1", ""); return err },
	} {
		t.Run(name, func(t *testing.T) {
			h, _, b := withBot(t, nil)
			h.says(t, "How long do returns take?")
			c := b.next(t)
			if err := person(h); err != nil {
				t.Fatal(err)
			}
			select {
			case <-c.ctx.Done():
			case <-time.After(time.Minute):
				t.Fatal("the bot goes on")
			}
			c.finish <- assist.BotReply{Text: "30 days."}
			h.Stop(t.Context())
			for _, s := range h.spoken(t) {
				if strings.HasPrefix(s, "bot:") {
					t.Errorf("it said %q", s)
				}
			}
		})
	}
}

// … and when the person was another process's, which only the store knows of.
func TestComplaint13ElsewhereToo(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "How long do returns take?")
	c := b.next(t)
	if _, err := h.store.TakeHandoff(t.Context(), agent, "conv_1"); err != nil {
		t.Fatal(err)
	}
	c.finish <- assist.BotReply{Text: "30 days."}
	h.Stop(t.Context())
	wantSpoken(t, h, "customer: How long do returns take?", "handoff: taken")
}

// Complaint 14: the hand-off never fires, because it is a magic word in the text.
func TestComplaint14HandoffAlwaysFires(t *testing.T) {
	h, st, b := withBot(t, nil)
	h.says(t, "Where is my order 1041?")
	b.next(t).finish <- handover(assist.HandoffAccount)
	e := h.bus.wait(t, assist.EventHandoff, 1)
	got := data[assist.Handoff](t, e)
	if got.Code != assist.HandoffAccount || got.Reason == "" || got.Summary == "" || got.From != assist.FromBot {
		t.Errorf("agents see %+v", got)
	}
	if strings.Contains(string(e.Public), "because") {
		t.Errorf("customers see %s", e.Public)
	}
	// The suggestion for the agent begins at the hand-over, with an agent's eyes.
	if m := st.next(t).moment; m.ForSeq != 1 || m.Audience != assist.AudienceInternal {
		t.Errorf("the agents' run is %+v", m)
	}
	wantSpoken(t, h, "customer: Where is my order 1041?", "bot: A person comes.", "handoff: waiting")
	h.says(t, "hello?")
	if m := st.next(t).moment; m.ForSeq == 1 {
		t.Error("a waiting customer's next words are not for the agents")
	}
	if len(b.calls) > 0 {
		t.Error("the bot is asked behind the hand-over")
	}
}

// Complaint 15: a reopened conversation loops, because the old context is read.
func TestComplaint15ReopenedStartsFresh(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "I want a human")
	b.next(t).finish <- handover(assist.HandoffAsked)
	h.bus.wait(t, assist.EventHandoff, 1)
	if _, err := h.Close(t.Context(), agent, "conv_1", "done"); err != nil {
		t.Fatal(err)
	}
	h.says(t, "How long do returns take?")
	c := b.next(t)
	if len(c.moment.Turns) != 1 || c.moment.Turns[0].Text != "How long do returns take?" {
		t.Fatalf("the bot reads %+v", c.moment.Turns)
	}
	c.finish <- assist.BotReply{Text: "30 days."}
	h.bus.wait(t, assist.EventTurnAdded, 4)
	h.says(t, "And the moon?")
	if c := b.next(t); len(c.moment.Turns) != 3 {
		t.Errorf("the bot reads %+v", c.moment.Turns)
	}
}

// Complaint 16: silent or double hand-off.
func TestComplaint16OneHandoffOneGoodbye(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "Where is it?")
	c := b.next(t)
	var wg sync.WaitGroup
	seqs := make([]int64, 8)
	for i := range seqs { // two tabs and impatient fingers
		wg.Go(func() {
			seq, err := h.RequestHandoff(context.Background(), customer, "conv_1", fmt.Sprint("tab", i), "")
			if err != nil {
				t.Error(err)
			}
			seqs[i] = seq
		})
	}
	c.finish <- handover(assist.HandoffNoEvidence)
	wg.Wait()
	h.Stop(t.Context())
	wantSpoken(t, h, "customer: Where is it?", "bot: A person comes.", "handoff: waiting")
	for _, s := range seqs {
		if s != 3 {
			t.Errorf("seqs %v", seqs)
			break
		}
	}
}

// … also when the commit's answer was lost, and the bot tries again.
func TestComplaint16AmbiguousCommit(t *testing.T) {
	var once sync.Once
	h, _, b := withBot(t, func(m *memstore.Store, _ *chat.Options) {
		m.After = func(method string) (err error) {
			if method == "HandOver" {
				once.Do(func() { err = assist.Wrap(errBoom, assist.Unavailable, "gone") })
			}
			return err
		}
	})
	h.says(t, "Where is it?")
	b.next(t).finish <- handover(assist.HandoffNoEvidence)
	h.bus.wait(t, assist.EventHandoff, 1)
	h.Stop(t.Context())
	wantSpoken(t, h, "customer: Where is it?", "bot: A person comes.", "handoff: waiting")
}

// … and the bot is not left mute after people gave the conversation back: people
// are asked, and it says so.
func TestComplaint16Return(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "Where is it?")
	b.next(t).finish <- handover(assist.HandoffNoEvidence)
	h.bus.wait(t, assist.EventHandoff, 1)
	if _, err := h.TakeHandoff(t.Context(), agent, "conv_1"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ReturnHandoff(t.Context(), customer, "conv_1", ""); assist.CodeOf(err) != assist.Forbidden {
		t.Errorf("a customer may return: %v", err)
	}
	if _, err := h.ReturnHandoff(t.Context(), agent, "conv_1", "needs the warehouse"); err != nil {
		t.Fatal(err)
	}
	wantSpoken(t, h, "customer: Where is it?", "bot: A person comes.", "handoff: waiting", "handoff: taken", "handoff: waiting")
}

// Complaint 17: three quick messages, three replies.
func TestComplaint17ThreeMessagesOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, b := withBot(t, func(_ *memstore.Store, o *chat.Options) { o.BotPause = 30 * time.Millisecond })
		h.says(t, "Hi")
		h.says(t, "I bought a jacket")
		h.says(t, "How long can I return it?")
		c := b.next(t)
		if len(c.moment.Turns) != 3 || c.moment.ForSeq != 3 {
			t.Errorf("the bot was asked with %+v", c.moment)
		}
		c.finish <- assist.BotReply{Text: "30 days."}
		h.bus.wait(t, assist.EventTurnAdded, 4)
		h.Stop(t.Context())
		wantSpoken(t, h, "customer: Hi", "customer: I bought a jacket", "customer: How long can I return it?", "bot: 30 days.")
	})
}

// … also when the second comes while the first is being answered.
func TestComplaint17AnswerInFlightIsDropped(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "I bought a jacket")
	first := b.next(t)
	h.says(t, "How long can I return it?")
	second := b.next(t)
	first.finish <- assist.BotReply{Text: "Nice."}
	second.finish <- assist.BotReply{Text: "30 days."}
	h.bus.wait(t, assist.EventTurnAdded, 3)
	h.Stop(t.Context())
	wantSpoken(t, h, "customer: I bought a jacket", "customer: How long can I return it?", "bot: 30 days.")
}

// What a dead process left unanswered another one answers, once.
func TestBotSurvivesARestart(t *testing.T) {
	h, _, b := withBot(t, nil)
	h.says(t, "How long do returns take?")
	b.next(t)
	h.Stop(t.Context()) // the answer is never given
	next := newBotStage()
	later := chat.New(h.store, newStage(), h.bus, chat.Options{Bot: next, BotPause: time.Millisecond, SweepEvery: 5 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Hour) }})
	t.Cleanup(func() { later.Stop(context.Background()) })
	h.store.Hasten(time.Hour)
	later.Start()
	c := next.next(t)
	if c.moment.ForSeq != 1 || len(c.moment.Turns) != 1 {
		t.Errorf("%+v", c.moment)
	}
	c.finish <- assist.BotReply{Text: "30 days."}
	h.bus.wait(t, assist.EventTurnAdded, 2)
	later.Stop(t.Context())
	wantSpoken(t, h, "customer: How long do returns take?", "bot: 30 days.")
}

// A queue that is full hands over at once: nobody waits for nothing, nothing is lost.
func TestBotQueueIsBounded(t *testing.T) {
	h, _, b := withBot(t, func(_ *memstore.Store, o *chat.Options) { o.BotQueue, o.BotRuns = 2, 1 })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			id := fmt.Sprint("conv_", i)
			who := assist.Identity{Subject: id, Actor: assist.ActorCustomer, Conversation: id}
			if _, err := h.AddTurn(context.Background(), who, assist.NewTurn{Conversation: id, ClientID: "1", Role: assist.RoleCustomer, Text: "How long?"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	h.bus.wait(t, assist.EventHandoff, 18)
	for range 2 {
		b.next(t).finish <- assist.BotReply{Text: "30 days."}
	}
	h.bus.wait(t, assist.EventTurnAdded, 20+18+2)
	if e := data[assist.Handoff](t, h.bus.all(assist.EventHandoff)[0]); e.Code != assist.HandoffLimit {
		t.Errorf("%+v", e)
	}
}

// Agents' suggestions go first.
func TestBotLetsAgentsGoFirst(t *testing.T) {
	release := make(chan struct{})
	asked := make(chan struct{}, 10)
	slow := suggesterFunc(func(_ context.Context, _ assist.Moment, w assist.Watcher) assist.Suggestion {
		asked <- struct{}{}
		<-release
		w.Instant(assist.Suggestion{})
		return ready("x")
	})
	b := newBotStage()
	h := open(t, slow, func(_ *memstore.Store, o *chat.Options) { o.Bot, o.BotPause = b, time.Microsecond })
	if _, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_2", ClientID: "1", Role: assist.RoleCustomer, Text: "x"}); err != nil {
		t.Fatal(err)
	}
	<-asked
	h.says(t, "How long?")
	select {
	case <-b.calls:
		t.Error("the bot went before the agent's suggestion")
	case <-time.After(30 * time.Millisecond):
	}
	close(release)
	b.next(t).finish <- assist.BotReply{}
}

// A bot that is off keeps nobody waiting, and customers are told once.
func TestBotOff(t *testing.T) {
	h, st, b := withBot(t, nil)
	b.off = true
	h.says(t, "hello?")
	st.next(t)
	h.says(t, "somebody there?")
	st.next(t)
	wantSpoken(t, h, "customer: hello?", "bot: A person comes.", "handoff: waiting", "customer: somebody there?")
	if n := h.store.Leases(); n == 0 {
		t.Error("the agents' run lost its lease")
	}
}

func TestRequestHandoffPermissions(t *testing.T) {
	h, _, _ := withBot(t, nil)
	stranger := assist.Identity{Subject: "c2", Actor: assist.ActorCustomer, Conversation: "conv_2"}
	for _, who := range []assist.Identity{stranger, agent, source, maintainer} {
		if _, err := h.RequestHandoff(t.Context(), who, "conv_1", "1", ""); assist.CodeOf(err) != assist.Forbidden {
			t.Errorf("%s: %v", who.Subject, err)
		}
	}
	// With words, before anything else was said.
	seq, err := h.RequestHandoff(t.Context(), customer, "conv_1", "1", "Please call somebody")
	if err != nil || seq != 3 {
		t.Fatalf("%d, %v", seq, err)
	}
	if again, err := h.RequestHandoff(t.Context(), customer, "conv_1", "1", "Please call somebody"); err != nil || again != seq {
		t.Errorf("%d, %v", again, err)
	}
	wantSpoken(t, h, "customer: Please call somebody", "bot: A person comes.", "handoff: waiting")
}

// The button works also where there is no bot at all.
func TestRequestHandoffWithoutBot(t *testing.T) {
	h := open(t, newStage(), nil)
	h.says(t, "hello")
	if seq, err := h.RequestHandoff(t.Context(), customer, "conv_1", "1", ""); err != nil || seq != 2 {
		t.Fatalf("%d, %v", seq, err)
	}
	wantSpoken(t, h, "customer: hello", "handoff: waiting")
}

// A take while the bot answers starts what the agent needs.
func TestTakeFromTheBotMakesASuggestion(t *testing.T) {
	h, st, b := withBot(t, nil)
	h.says(t, "How long do returns take?")
	b.next(t).finish <- assist.BotReply{Text: "30 days."}
	h.bus.wait(t, assist.EventTurnAdded, 2)
	if _, err := h.TakeHandoff(t.Context(), agent, "conv_1"); err != nil {
		t.Fatal(err)
	}
	if m := st.next(t).moment; m.ForSeq != 1 || m.Agent.Subject != agent.Subject || m.Audience != assist.AudienceInternal {
		t.Errorf("%+v", m)
	}
	h.says(t, "Thanks, and the bulb?")
	st.next(t)
	if len(b.calls) > 0 {
		t.Error("the bot speaks again")
	}
}
