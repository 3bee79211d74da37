package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// TestPermissions is the matrix of threat T3: every method, every actor.
func TestPermissions(t *testing.T) {
	stranger := assist.Identity{Subject: "c2", Actor: assist.ActorCustomer, Conversation: "conv_2"}
	h := open(t, nil, nil)
	h.says(t, "hello")
	ctx := t.Context()
	turn := func(conv string, role assist.Role) assist.NewTurn {
		return assist.NewTurn{Conversation: conv, ClientID: clientID(), Role: role, Text: "x"}
	}
	const ok = assist.Code("")
	// customer of the conversation, customer of another, agent, source, maintainer
	methods := []struct {
		method string
		do     func(assist.Identity) error
		want   [5]assist.Code
	}{
		{"turn.add as customer", func(w assist.Identity) error { _, err := h.AddTurn(ctx, w, turn("conv_1", "customer")); return err },
			[5]assist.Code{ok, assist.Forbidden, assist.Forbidden, ok, assist.Forbidden}},
		{"turn.add as agent", func(w assist.Identity) error { _, err := h.AddTurn(ctx, w, turn("conv_1", "agent")); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, assist.Forbidden, ok, assist.Forbidden}},
		{"turn.add as bot", func(w assist.Identity) error { _, err := h.AddTurn(ctx, w, turn("conv_1", "bot")); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, assist.Forbidden, ok, assist.Forbidden}},
		{"reply.send", func(w assist.Identity) error {
			_, err := h.SendReply(ctx, w, assist.NewReply{Conversation: "conv_1", ClientID: clientID(), Text: "x"})
			return err
		}, [5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"conversation.open", func(w assist.Identity) error { _, _, err := h.Open(ctx, w, "conv_1", 0, 10); return err },
			[5]assist.Code{ok, assist.Forbidden, ok, ok, assist.Forbidden}},
		{"typing", func(w assist.Identity) error {
			role := assist.Role("")
			if w.Actor == assist.ActorSource {
				role = assist.RoleAgent
			}
			return h.Typing(ctx, w, "conv_1", role, "x")
		}, [5]assist.Code{ok, assist.Forbidden, ok, ok, assist.Forbidden}},
		{"suggestion.request", func(w assist.Identity) error { _, err := h.RequestSuggestion(ctx, w, "conv_1", ""); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, assist.Unavailable, assist.Forbidden, assist.Forbidden}},
		{"step.set", func(w assist.Identity) error {
			_, err := h.SetStep(ctx, w, "conv_1", assist.StepChange{StepID: "s", State: assist.StepDone})
			return err
		}, [5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"feedback", func(w assist.Identity) error {
			_, err := h.Feedback(ctx, w, "conv_1", assist.Feedback{SuggestionID: "s", Verdict: "good"})
			return err
		}, [5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"handoff.take", func(w assist.Identity) error { _, err := h.TakeHandoff(ctx, w, "conv_1"); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"close", func(w assist.Identity) error { _, err := h.Close(ctx, w, "conv_1", "solved"); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"draft.check", func(w assist.Identity) error { _, err := h.CheckDraft(ctx, w, "conv_1", "x", ""); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"conversation", func(w assist.Identity) error { _, err := h.Conversation(ctx, w, "conv_1"); return err },
			[5]assist.Code{ok, assist.Forbidden, ok, ok, assist.Forbidden}},
		{"events", func(w assist.Identity) error { _, err := h.Events(ctx, w, "conv_1", 0, 10); return err },
			[5]assist.Code{ok, assist.Forbidden, ok, ok, assist.Forbidden}},
		{"transcript", func(w assist.Identity) error { _, _, err := h.Transcript(ctx, w, "conv_1"); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, ok, ok, assist.Forbidden}},
		{"queue", func(w assist.Identity) error { _, err := h.Queue(ctx, w); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, ok, assist.Forbidden, assist.Forbidden}},
		{"suggestion", func(w assist.Identity) error { _, err := h.Suggestion(ctx, w, "sug_x"); return err },
			[5]assist.Code{assist.Forbidden, assist.Forbidden, assist.NotFound, assist.Forbidden, assist.NotFound}},
	}
	for _, tc := range methods {
		for i, who := range []assist.Identity{customer, stranger, agent, source, maintainer} {
			if got := assist.CodeOf(tc.do(who)); got != tc.want[i] {
				t.Errorf("%s by %s: %q, want %q", tc.method, who.Subject, got, tc.want[i])
			}
		}
	}
	// An agent in a chat tool's panel has one conversation; in another, nothing.
	here, elsewhere := agent, agent
	here.Conversation, elsewhere.Conversation = "conv_1", "conv_2"
	for _, tc := range methods {
		if got := assist.CodeOf(tc.do(elsewhere)); got != assist.Forbidden && (tc.method != "suggestion" || got != assist.NotFound) {
			t.Errorf("%s by an agent of another conversation: %q", tc.method, got)
		}
		if got := assist.CodeOf(tc.do(here)); got != tc.want[2] && tc.method != "queue" || tc.method == "queue" && got != assist.Forbidden {
			t.Errorf("%s by this conversation's agent: %q, want %q", tc.method, got, tc.want[2])
		}
	}
	// The refusal must not tell whether the conversation exists.
	_, known := h.Conversation(ctx, stranger, "conv_1")
	_, nowhere := h.Conversation(ctx, stranger, "conv_nowhere")
	if known.Error() != nowhere.Error() {
		t.Errorf("%q and %q differ", known, nowhere)
	}
}

func TestCustomerSeesNoNotes(t *testing.T) {
	h := open(t, nil, nil)
	h.says(t, "hello")
	if _, err := h.Close(t.Context(), agent, "conv_1", "gave him a voucher"); err != nil {
		t.Fatal(err)
	}
	c, err := h.Conversation(t.Context(), customer, "conv_1")
	if err != nil {
		t.Fatal(err)
	}
	if c.Resolution != "" || c.Handoff != nil || c.Preview != "" || c.Agent != "" {
		t.Errorf("a customer sees %+v", c)
	}
}

func TestTurnAsStored(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	h := open(t, nil, func(_ *memstore.Store, o *chat.Options) { o.Now = func() time.Time { return now } })
	act := &assist.Action{Name: "pull-up-account"}
	for _, tc := range []struct {
		name string
		who  assist.Identity
		in   assist.NewTurn
		want assist.Turn
	}{
		{"customer's name is the token's", customer, assist.NewTurn{Role: "customer", Name: "The Boss", Text: "x"}, assist.Turn{Role: "customer", Name: "Cleo", Text: "x", At: now}},
		{"past stays", source, assist.NewTurn{Role: "customer", Text: "x", At: now.Add(-time.Hour)}, assist.Turn{Role: "customer", Text: "x", At: now.Add(-time.Hour)}},
		{"future is now", source, assist.NewTurn{Role: "customer", Text: "x", At: now.Add(time.Hour)}, assist.Turn{Role: "customer", Text: "x", At: now}},
		{"absurd is now", source, assist.NewTurn{Role: "customer", Text: "x", At: time.Unix(0, 0)}, assist.Turn{Role: "customer", Text: "x", At: now}},
		{"action as agent", source, assist.NewTurn{Role: "agent", Action: act}, assist.Turn{Role: "system", Action: act, At: now}},
		{"action as action", source, assist.NewTurn{Role: "action", Action: act, Text: "y"}, assist.Turn{Role: "system", Action: act, Text: "y", At: now}},
		{"action in words only", source, assist.NewTurn{Role: "action", Text: "Offer Refund"}, assist.Turn{Role: "system", Action: &assist.Action{Name: "Offer Refund"}, Text: "Offer Refund", At: now}},
	} {
		tc.in.Conversation, tc.in.ClientID = "conv_1", clientID()
		got, err := h.AddTurn(t.Context(), tc.who, tc.in)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		tc.want.Seq, tc.want.Author = got.Seq, tc.who.Subject
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s:\n%s", tc.name, d)
		}
	}
}

func TestRepeatIsTheSameTurn(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	n := assist.NewTurn{Conversation: "conv_1", ClientID: "c-1", Role: assist.RoleCustomer, Text: "hello"}
	one, _, err := h.Receive(t.Context(), customer, n)
	if err != nil {
		t.Fatal(err)
	}
	two, repeat, err := h.Receive(t.Context(), customer, n)
	if err != nil || !repeat || two.Seq != one.Seq {
		t.Fatalf("%+v, repeat %v, %v", two, repeat, err)
	}
	st.next(t)
	n.Text = "something else"
	if _, _, err := h.Receive(t.Context(), customer, n); assist.CodeOf(err) != assist.Conflict {
		t.Errorf("another text under the same id: %v", err)
	}
	if n := len(h.bus.all(assist.EventTurnAdded)); n != 1 {
		t.Errorf("published %d times", n)
	}
	if len(st.calls) != 0 {
		t.Error("a repeat began a second run")
	}
}

// The write happened but its answer was lost (F12): the retry gives the same row
// and those who watch are told now.
func TestAmbiguousCommit(t *testing.T) {
	var once sync.Once
	h := open(t, nil, func(m *memstore.Store, _ *chat.Options) {
		m.After = func(method string) (err error) {
			once.Do(func() { err = assist.Wrap(errBoom, assist.Unavailable, "the database does not answer") })
			return err
		}
	})
	n := assist.NewTurn{Conversation: "conv_1", ClientID: "c-1", Role: assist.RoleCustomer, Text: "hello"}
	if _, err := h.AddTurn(t.Context(), customer, n); assist.CodeOf(err) != assist.Unavailable || strings.Contains(assist.MessageOf(err), "boom") {
		t.Fatalf("got %v", err)
	}
	turn, err := h.AddTurn(t.Context(), customer, n)
	if err != nil || turn.Seq != 1 {
		t.Fatalf("%+v, %v", turn, err)
	}
	if e := h.bus.wait(t, assist.EventTurnAdded, 1); e.Seq != 1 {
		t.Errorf("published seq %d", e.Seq)
	}
}

// Another process wrote in between: the next run must see it.
func TestTranscriptFollowsOtherWriters(t *testing.T) {
	st := newStage()
	h := open(t, st, nil)
	h.says(t, "one")
	st.next(t)
	if _, err := h.store.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_1", ClientID: "z", Role: assist.RoleAgent, Text: "from elsewhere"}, chat.Lease{}); err != nil {
		t.Fatal(err)
	}
	h.says(t, "three")
	c := st.next(t)
	var texts []string
	for _, turn := range c.moment.Turns {
		texts = append(texts, turn.Text)
	}
	if d := cmp.Diff([]string{"one", "from elsewhere", "three"}, texts); d != "" {
		t.Error(d)
	}
}

func TestTranscriptIsReadOnceAndBounded(t *testing.T) {
	var mu sync.Mutex
	reads := 0
	st := newStage()
	h := open(t, st, func(m *memstore.Store, o *chat.Options) {
		o.MaxTurns = 3
		m.Before = func(_ context.Context, method string) error {
			mu.Lock()
			defer mu.Unlock()
			if method == "Transcript" {
				reads++
			}
			return nil
		}
	})
	var last *call
	for i := range 6 {
		h.says(t, fmt.Sprint(i))
		last = st.next(t)
	}
	if len(last.moment.Turns) != 3 || last.moment.Turns[2].Text != "5" {
		t.Errorf("turns: %+v", last.moment.Turns)
	}
	mu.Lock()
	defer mu.Unlock()
	if reads != 0 {
		t.Errorf("a conversation that began here was read %d times", reads)
	}
}

func TestTyping(t *testing.T) {
	var prefetched []string
	h := open(t, nil, func(_ *memstore.Store, o *chat.Options) {
		o.Prefetch = func(s string) { prefetched = append(prefetched, s) }
	})
	if err := h.Typing(t.Context(), customer, "conv_1", "", "my lam"); err != nil {
		t.Fatal(err)
	}
	if err := h.Typing(t.Context(), agent, "conv_1", "agent", "we nev"); err != nil {
		t.Fatal(err)
	}
	got := h.bus.all(assist.EventTyping)
	if string(got[0].Data) != `{"role":"customer","name":"Cleo","text":"my lam"}` || got[0].Public != nil {
		t.Errorf("customer typing: %s, public %s", got[0].Data, got[0].Public)
	}
	if string(got[1].Data) != `{"role":"agent","name":"Ada"}` || string(got[1].Public) != `{"role":"agent","name":"Ada"}` {
		t.Errorf("agent typing: %s, public %s", got[1].Data, got[1].Public)
	}
	if !slices.Equal(prefetched, []string{"my lam"}) {
		t.Errorf("prefetched %q", prefetched)
	}
	if err := h.Typing(t.Context(), customer, "conv_1", "agent", ""); assist.CodeOf(err) != assist.Forbidden {
		t.Errorf("a customer types as an agent: %v", err)
	}
}

func TestQueueIsTold(t *testing.T) {
	h := open(t, nil, nil)
	h.says(t, "hello")
	if _, err := h.TakeHandoff(t.Context(), agent, "conv_1"); err != nil {
		t.Fatal(err)
	}
	c := data[assist.Conversation](t, h.bus.wait(t, assist.EventQueueChanged, 2))
	if c.Agent != agent.Subject || c.LastSeq != 2 {
		t.Errorf("the queue was told %+v", c)
	}
}

type checkerFunc func(assist.Moment, *assist.Suggestion, string) []assist.Verdict

func (f checkerFunc) CheckDraft(_ context.Context, m assist.Moment, g *assist.Suggestion, text string) ([]assist.Verdict, error) {
	return f(m, g, text), nil
}

func TestCheckDraftSeesTheSuggestion(t *testing.T) {
	st := newStage()
	var got *assist.Suggestion
	var moment assist.Moment
	h := open(t, st, func(_ *memstore.Store, o *chat.Options) {
		o.Checker = checkerFunc(func(m assist.Moment, g *assist.Suggestion, _ string) []assist.Verdict { moment, got = m, g; return nil })
	})
	h.says(t, "hello?")
	c := st.next(t)
	for _, id := range []string{"", c.moment.SuggestionID} {
		v, err := h.CheckDraft(t.Context(), agent, "conv_1", "we never", id)
		if err != nil || v == nil {
			t.Fatalf("%v, %v", v, err)
		}
		if got == nil || got.ID != c.moment.SuggestionID || len(got.Hits) != 1 {
			t.Errorf("id %q: the checker saw %+v", id, got)
		}
		if moment.Conversation != "conv_1" || len(moment.Turns) != 1 || moment.Agent.Subject != agent.Subject {
			t.Errorf("the checker was asked in the name of %+v", moment)
		}
	}
	if _, err := h.CheckDraft(t.Context(), agent, "conv_1", "x", "sug_unknown"); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("an unknown suggestion: %v", err)
	}
}

// A stuck commit of one conversation holds up no other.
func TestConversationsDoNotWaitForEachOther(t *testing.T) {
	stuck, entered := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	h := open(t, nil, func(m *memstore.Store, _ *chat.Options) {
		m.Before = func(context.Context, string) error {
			if calls.Add(1) == 1 {
				close(entered)
				<-stuck
			}
			return nil
		}
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = h.AddTurn(context.Background(), customer, assist.NewTurn{Conversation: "conv_1", ClientID: "1", Role: "customer", Text: "x"})
	}()
	<-entered
	if _, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_2", ClientID: "1", Role: "customer", Text: "x"}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.AddTurn(ctx, customer, assist.NewTurn{Conversation: "conv_1", ClientID: "2", Role: "customer", Text: "x"}); assist.CodeOf(err) != assist.Unavailable {
		t.Errorf("waiting in line with an ended context: %v", err)
	}
	close(stuck)
	<-done
}

func TestEventsArePublishedInOrder(t *testing.T) {
	h := open(t, suggesterFunc(func(_ context.Context, _ assist.Moment, w assist.Watcher) assist.Suggestion {
		w.Passages(assist.Suggestion{})
		return ready("x")
	}), nil)
	var wg sync.WaitGroup
	for c := range 10 {
		for w := range 4 {
			wg.Go(func() {
				for i := range 20 {
					_, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: fmt.Sprintf("conv_%d", c), ClientID: fmt.Sprintf("%d-%d", w, i), Role: "customer", Text: "x"})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	h.Stop(t.Context())
	last, turns := map[string]int64{}, 0
	for _, e := range h.bus.events {
		if !e.Type.Kept() {
			continue
		}
		if e.Seq != last[e.Conversation]+1 {
			t.Fatalf("%s: seq %d follows %d", e.Conversation, e.Seq, last[e.Conversation])
		}
		last[e.Conversation] = e.Seq
		if e.Type == assist.EventTurnAdded {
			turns++
		}
	}
	if turns != 800 {
		t.Errorf("%d turns published, want 800", turns)
	}
}

func BenchmarkAddTurn(b *testing.B) {
	h := open(b, nil, nil)
	for i := range b.N {
		if _, err := h.AddTurn(b.Context(), source, assist.NewTurn{Conversation: fmt.Sprintf("conv_%d", i%1000), ClientID: fmt.Sprint(i), Role: "customer", Text: "x"}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestAnotherConversationsSuggestion: its id opens nothing here.
func TestAnotherConversationsSuggestion(t *testing.T) {
	st := newStage()
	h := open(t, st, func(_ *memstore.Store, o *chat.Options) {
		o.Checker = checkerFunc(func(assist.Moment, *assist.Suggestion, string) []assist.Verdict {
			t.Error("the checker was shown it")
			return nil
		})
	})
	h.says(t, "hello?")
	mine := st.next(t)
	if _, err := h.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_2", ClientID: "1", Role: assist.RoleCustomer, Text: "and I?"}); err != nil {
		t.Fatal(err)
	}
	c := st.next(t)
	for _, c := range []*call{mine, c} {
		c.finish <- ready("We are sorry.")
	}
	h.bus.wait(t, assist.EventSuggestionReady, 2)
	if _, err := h.CheckDraft(t.Context(), agent, "conv_1", "x", c.moment.SuggestionID); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("check a draft against it: %v", err)
	}
	confined := agent
	confined.Conversation = "conv_1"
	if _, err := h.Suggestion(t.Context(), confined, c.moment.SuggestionID); assist.CodeOf(err) != assist.NotFound {
		t.Errorf("an agent who is here for conv_1 sees it: %v", err)
	}
	if g, err := h.Suggestion(t.Context(), confined, mine.moment.SuggestionID); err != nil || g.Conversation != "conv_1" {
		t.Errorf("their own: %+v, %v", g, err)
	}
}
