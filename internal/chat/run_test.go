package chat_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

func ready(text string) assist.Suggestion {
	d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text}})
	return assist.Suggestion{State: assist.SuggestionReady, Standing: assist.StandingReady, Draft: &d, Prompt: &assist.PromptRef{Name: "draft", Text: "secret words"}}
}

func TestOneRunFromTurnToReady(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	turn := h.says(t, "My lamp is broken")
	c := st.next(t)
	if c.moment.Hold != 0 || c.moment.ForSeq != turn.Seq || c.moment.Audience != assist.AudienceInternal || len(c.moment.Turns) != 1 {
		t.Errorf("the moment is %+v", c.moment)
	}
	if !strings.HasPrefix(c.moment.SuggestionID, "sug_") || len(c.moment.SuggestionID) < 20 {
		t.Errorf("suggestion id %q", c.moment.SuggestionID)
	}
	c.finish <- ready("We are sorry.")
	e := h.bus.wait(t, assist.EventSuggestionReady, 1)
	if g := data[assist.Suggestion](t, e); e.Seq != 2 || g.ID != c.moment.SuggestionID || g.Draft.Text != "We are sorry." || g.Prompt.Text != "" {
		t.Errorf("seq %d, suggestion %+v", e.Seq, g)
	}
	if e.Public != nil {
		t.Error("a customer could see a suggestion")
	}
	want := []assist.EventType{assist.EventTurnAdded, assist.EventSuggestionStarted, assist.EventSuggestionPassages, assist.EventSuggestionInstant, assist.EventSuggestionReady}
	if d := cmp.Diff(want, h.bus.types()); d != "" {
		t.Error(d)
	}
	if n := h.store.Leases(); n != 0 {
		t.Errorf("%d leases stand after the suggestion was stored", n)
	}
}

func TestBurstIsOneQuestion(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	h.says(t, "Hi, my order")
	first := st.next(t)
	h.says(t, "is late")
	second := st.next(t)
	<-first.ctx.Done()
	if cause := context.Cause(first.ctx); !strings.Contains(cause.Error(), "superseded") {
		t.Errorf("the first run ended because %v", cause)
	}
	if first.moment.Hold != 0 || second.moment.Hold != 1200*time.Millisecond {
		t.Errorf("held for %v and %v, want 0 and 1.2s", first.moment.Hold, second.moment.Hold)
	}
	second.finish <- ready("It is on its way.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
	sup := data[struct {
		SuggestionID string `json:"suggestion_id"`
		BySeq        int64  `json:"by_seq"`
	}](t, h.bus.wait(t, assist.EventSuggestionSuperseded, 1))
	if sup.SuggestionID != first.moment.SuggestionID || sup.BySeq != 2 {
		t.Errorf("superseded: %+v", sup)
	}
	if n := len(h.bus.all(assist.EventSuggestionDelta)); n != 0 {
		t.Errorf("an ended run published %d deltas", n)
	}
	// The next question comes when nothing is at work: it is not a burst.
	h.says(t, "Another thing")
	if c := st.next(t); c.moment.Hold != 0 {
		t.Errorf("a turn after a finished suggestion is held for %v", c.moment.Hold)
	}
}

func TestSupersededIsStoredWithoutEvent(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	h.says(t, "one")
	first := st.next(t)
	h.says(t, "two")
	st.next(t).finish <- ready("Both.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
	h.Stop(t.Context())
	g, err := h.Suggestion(t.Context(), agent, first.moment.SuggestionID)
	if err != nil {
		t.Fatal(err)
	}
	if g.State != assist.SuggestionSuperseded || g.SupersededBy != 2 || g.Draft == nil {
		t.Errorf("stored %+v", g)
	}
}

func TestQuietShowsNothing(t *testing.T) {
	done := make(chan struct{})
	h := open(t, suggesterFunc(func(_ context.Context, _ assist.Moment, w assist.Watcher) assist.Suggestion {
		defer close(done)
		g := assist.Suggestion{Question: assist.Question{Quiet: "thanks"}}
		w.Passages(g)
		return g
	}), nil)
	h.says(t, "thanks!")
	<-done
	h.Stop(t.Context())
	if d := cmp.Diff([]assist.EventType{assist.EventTurnAdded}, h.bus.types()); d != "" {
		t.Error(d)
	}
	if n := h.store.Leases(); n != 0 {
		t.Errorf("%d leases stand: a quiet turn would be run again and again", n)
	}
}

func TestAbstainedRecordsTheGap(t *testing.T) {
	h := open(t, suggesterFunc(func(_ context.Context, m assist.Moment, _ assist.Watcher) assist.Suggestion {
		return assist.Suggestion{State: assist.SuggestionAbstained, Question: assist.Question{Text: "Do you sell boats?"}, Hits: []assist.Hit{{Passage: assist.Passage{ID: "p1"}}}}
	}), nil)
	h.says(t, "Do you sell boats?")
	h.bus.wait(t, assist.EventSuggestionAbstained, 1)
	want := []assist.EventType{assist.EventTurnAdded, assist.EventSuggestionStarted, assist.EventSuggestionAbstained}
	if d := cmp.Diff(want, h.bus.types()); d != "" {
		t.Error(d)
	}
	h.Stop(t.Context())
	gaps := h.store.Gaps()
	if len(gaps) != 1 || gaps[0].Question != "Do you sell boats?" || gaps[0].ForSeq != 1 || len(gaps[0].Nearest) != 1 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestReplyEndsTheRunAndHasAnOutcome(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	h.says(t, "My lamp is broken")
	c := st.next(t)
	turn, err := h.SendReply(t.Context(), agent, assist.NewReply{Conversation: "conv_1", ClientID: "r1", Text: "Hello.", SuggestionID: c.moment.SuggestionID})
	if err != nil {
		t.Fatal(err)
	}
	<-c.ctx.Done()
	if turn.Role != assist.RoleAgent || turn.SuggestionID != c.moment.SuggestionID {
		t.Errorf("turn %+v", turn)
	}
	out := data[assist.SuggestionOutcome](t, h.bus.wait(t, assist.EventSuggestionOutcome, 1))
	if out.State != assist.SuggestionAccepted || out.ReplySeq != turn.Seq {
		t.Errorf("outcome %+v", out)
	}
	h.Stop(t.Context())
	want := []assist.EventType{assist.EventTurnAdded, assist.EventSuggestionStarted, assist.EventSuggestionPassages, assist.EventSuggestionInstant,
		assist.EventSuggestionSuperseded, assist.EventTurnAdded, assist.EventSuggestionOutcome}
	if d := cmp.Diff(want, h.bus.types()); d != "" {
		t.Error(d)
	}
}

func TestCloseAndReportedAgentTurnEndTheRun(t *testing.T) {
	for name, act := range map[string]func(*house) error{
		"close": func(h *house) error { _, err := h.Close(t.Context(), agent, "conv_1", "solved"); return err },
		"agent turn": func(h *house) error {
			_, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_1", ClientID: "x", Role: assist.RoleAgent, Text: "Hello"})
			return err
		},
	} {
		st := newStage()
		h := open(t, st, nil)
		h.says(t, "hello?")
		c := st.next(t)
		if err := act(h); err != nil {
			t.Fatal(name, err)
		}
		<-c.ctx.Done()
		h.bus.wait(t, assist.EventSuggestionSuperseded, 1)
	}
}

func TestStoringIsRetriedThenFailsHonestly(t *testing.T) {
	down := assist.Errorf(assist.Unavailable, "the database does not answer")
	for _, tc := range []struct {
		name  string
		fails int
		want  assist.EventType
		seq   int64
	}{
		{"twice down", 2, assist.EventSuggestionReady, 2},
		{"down for good", 1000, assist.EventSuggestionFailed, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := newStage()
			var mu sync.Mutex
			h := open(t, st, func(m *memstore.Store, _ *chat.Options) {
				m.Before = func(_ context.Context, method string) error {
					mu.Lock()
					defer mu.Unlock()
					if method == "AddSuggestion" && tc.fails > 0 {
						tc.fails--
						return down
					}
					return nil
				}
			})
			h.says(t, "hello?")
			st.next(t).finish <- ready("Hi.")
			e := h.bus.wait(t, tc.want, 1)
			if g := data[assist.Suggestion](t, e); e.Seq != tc.seq || g.Instant == nil {
				t.Errorf("seq %d, %+v", e.Seq, g)
			}
		})
	}
}

func TestPanicIsAFailedSuggestion(t *testing.T) {
	h := open(t, suggesterFunc(func(_ context.Context, _ assist.Moment, w assist.Watcher) assist.Suggestion {
		w.Passages(assist.Suggestion{Hits: []assist.Hit{{Title: "Returns"}}})
		panic("boom")
	}), nil)
	h.says(t, "hello?")
	g := data[assist.Suggestion](t, h.bus.wait(t, assist.EventSuggestionFailed, 1))
	if len(g.Hits) != 1 || g.Reason == "" || strings.Contains(g.Reason, "boom") {
		t.Errorf("%+v", g)
	}
}

func TestRequestSuggestion(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	if _, err := h.RequestSuggestion(t.Context(), agent, "conv_1", ""); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("no conversation yet: %v", err)
	}
	h.says(t, "My lamp is broken")
	first := st.next(t)
	id, err := h.RequestSuggestion(t.Context(), agent, "conv_1", " shorter ")
	if err != nil {
		t.Fatal(err)
	}
	<-first.ctx.Done()
	c := st.next(t)
	if c.moment.SuggestionID != id || c.moment.Instruction != "shorter" || c.moment.ForSeq != 1 || c.moment.Agent.Subject != agent.Subject || c.moment.Hold != 0 {
		t.Errorf("moment %+v", c.moment)
	}
}

// With one slot, whoever waits keeps the place in line but only the newest
// message is ever looked at.
func TestLineIsBoundedAndSupersededLeaveItForFree(t *testing.T) {
	st := newStage()
	h := open(t, st, func(_ *memstore.Store, o *chat.Options) { o.MaxRuns = 1 })
	other := func(text string) {
		if _, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_2", ClientID: clientID(), Role: assist.RoleCustomer, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	h.says(t, "mine")
	mine := st.next(t)
	for _, text := range []string{"a", "b", "c"} {
		other(text)
	}
	if len(st.calls) != 0 {
		t.Fatal("a second run began with one slot")
	}
	mine.finish <- ready("Yours.")
	if c := st.next(t); c.moment.Conversation != "conv_2" || c.moment.ForSeq != 3 {
		t.Errorf("after the first, %s %d was run; want conv_2 3", c.moment.Conversation, c.moment.ForSeq)
	}
	if n := len(h.bus.all(assist.EventSuggestionSuperseded)); n != 0 {
		t.Errorf("%d runs that nobody saw were called superseded", n)
	}
}

func TestStopLeavesTheLeaseAndAnotherTakesOver(t *testing.T) {
	st := newStage()
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	store := memstore.New(clock)
	b := newBus()
	one := chat.New(store, st, b, chat.Options{SoftStop: time.Millisecond, Now: clock})
	if _, err := one.AddTurn(t.Context(), customer, assist.NewTurn{Conversation: "conv_1", ClientID: "1", Role: assist.RoleCustomer, Text: "hello?"}); err != nil {
		t.Fatal(err)
	}
	c := st.next(t)
	one.Stop(t.Context())
	if cause := context.Cause(c.ctx); cause == nil || !strings.Contains(cause.Error(), "stopping") {
		t.Errorf("the run ended because %v", cause)
	}
	if store.Leases() != 1 {
		t.Fatal("the lease is gone: nobody would take over")
	}
	mu.Lock()
	now = now.Add(time.Minute)
	mu.Unlock()
	two := chat.New(store, st, b, chat.Options{Now: clock})
	two.Start()
	defer two.Stop(t.Context())
	again := st.next(t)
	if again.moment.ForSeq != 1 || again.moment.SuggestionID == c.moment.SuggestionID {
		t.Errorf("taken over: %+v", again.moment)
	}
	again.finish <- ready("Here.")
	b.wait(t, assist.EventSuggestionReady, 1)
}

func TestStopLetsARunFinish(t *testing.T) {
	st := newStage()
	h := open(t, st, func(_ *memstore.Store, o *chat.Options) { o.SoftStop = time.Minute })
	h.says(t, "hello?")
	c := st.next(t)
	stopped := make(chan struct{})
	go func() { h.Stop(context.Background()); close(stopped) }()
	c.finish <- ready("In time.")
	<-stopped
	if len(h.bus.all(assist.EventSuggestionReady)) != 1 {
		t.Errorf("published: %v", h.bus.types())
	}
}

// The sweep renews what is at work here and drops what was answered meanwhile.
func TestSweepRenewsOwnLeases(t *testing.T) {
	st := newStage()
	renewed := make(chan struct{}, 100)
	h := open(t, st, func(m *memstore.Store, o *chat.Options) {
		o.SweepEvery = time.Millisecond
		m.Before = func(_ context.Context, method string) error {
			if method == "Renew" {
				select {
				case renewed <- struct{}{}:
				default:
				}
			}
			return nil
		}
	})
	h.Start()
	h.says(t, "hello?")
	c := st.next(t)
	<-renewed
	<-renewed
	if len(st.calls) != 0 {
		t.Error("a run at work was taken for an orphan")
	}
	c.finish <- ready("Hi.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
}

func TestUnfinishedStateIsAFailure(t *testing.T) {
	h := open(t, suggesterFunc(func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion {
		return assist.Suggestion{State: assist.SuggestionDrafting}
	}), nil)
	h.says(t, "hello?")
	h.bus.wait(t, assist.EventSuggestionFailed, 1)
}

var errBoom = errors.New("boom")
