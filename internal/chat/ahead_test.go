package chat_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// scout is a stage that looks ahead.
type scout struct {
	*stage
	looked chan *call            // each look, with its context
	used   chan assist.Moment    // each rest that was called
	during func(m assist.Moment) // within a look; may be nil
}

func newScout() *scout {
	return &scout{stage: newStage(), looked: make(chan *call, 100), used: make(chan assist.Moment, 100)}
}

func (s *scout) Ahead(ctx context.Context, m assist.Moment) func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion {
	if s.during != nil {
		s.during(m)
	}
	s.looked <- &call{ctx: ctx, moment: m}
	return func(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
		s.used <- m
		return s.Run(ctx, m, w)
	}
}

func TestLooksAheadWhileTheTurnIsBeingStored(t *testing.T) {
	sc := newScout()
	var early *call // looked before AddTurn was let through
	var h *house
	h = open(t, sc, func(m *memstore.Store, _ *chat.Options) {
		m.Before = func(_ context.Context, method string) error {
			if method == "AddTurn" {
				early = <-sc.looked
				if got, want := len(h.bus.types()), 5*(len(early.moment.Turns)-1); got != want {
					t.Errorf("%d events before turn %d was stored, want %d", got, len(early.moment.Turns), want)
				}
			}
			return nil
		}
	})
	for i, text := range []string{"one", "two"} {
		turn := h.says(t, text)
		if got := early.moment.Turns; len(got) != i+1 || got[i].Text != text || got[i].Role != assist.RoleCustomer || got[i].Name != customer.Name || got[i].Author != customer.Subject {
			t.Errorf("looked ahead for %+v", got)
		}
		m := <-sc.used
		if m.ForSeq != turn.Seq || len(m.Turns) != i+1 || m.Turns[i].Seq != turn.Seq || m.SuggestionID != early.moment.SuggestionID {
			t.Errorf("went on with %+v, which was looked up as %s", m, early.moment.SuggestionID)
		}
		sc.next(t).finish <- ready("Yes.")
		h.bus.wait(t, assist.EventSuggestionReady, i+1)
	}
}

func TestATurnThatIsNotStoredIsNotAnswered(t *testing.T) {
	sc := newScout()
	fails := true
	h := open(t, sc, func(m *memstore.Store, _ *chat.Options) {
		m.Before = func(_ context.Context, method string) error {
			if method == "AddTurn" && fails {
				return errors.New("the disk is full")
			}
			return nil
		}
	})
	if _, err := h.AddTurn(t.Context(), customer, assist.NewTurn{Conversation: "conv_1", ClientID: "x", Role: assist.RoleCustomer, Text: "Where?"}); err == nil {
		t.Fatal("the turn was stored")
	}
	<-(<-sc.looked).ctx.Done()
	fails = false
	h.says(t, "Where is it?")
	if m := <-sc.used; len(m.Turns) != 1 || m.Turns[0].Text != "Where is it?" {
		t.Errorf("answered %+v", m.Turns)
	}
	sc.next(t).finish <- ready("There.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
	if n := len(h.bus.all(assist.EventSuggestionStarted)); n != 1 {
		t.Errorf("%d suggestions began, want 1", n)
	}
}

func TestARepeatedTurnIsNotAnsweredAgain(t *testing.T) {
	sc := newScout()
	h := open(t, sc, nil)
	n := assist.NewTurn{Conversation: "conv_1", ClientID: "x", Role: assist.RoleCustomer, Text: "Where?"}
	var looked [2]*call
	for i := range looked {
		if _, err := h.AddTurn(t.Context(), customer, n); err != nil {
			t.Fatal(err)
		}
		looked[i] = <-sc.looked
	}
	<-looked[1].ctx.Done()
	<-sc.used
	sc.next(t).finish <- ready("There.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
	h.Stop(t.Context())
	if len(sc.used)+len(sc.calls) > 0 {
		t.Error("a repeat was answered")
	}
}

func TestALookThatPanicsCostsNothing(t *testing.T) {
	sc := newScout()
	sc.during = func(assist.Moment) { panic("no") }
	h := open(t, sc, nil)
	h.says(t, "Where?")
	sc.next(t).finish <- ready("There.")
	h.bus.wait(t, assist.EventSuggestionReady, 1)
	if len(sc.used) > 0 {
		t.Error("went on from a look that panicked")
	}
}

func TestTheBotsTurnsAreNotLookedUpForAgents(t *testing.T) {
	sc := newScout()
	h := open(t, sc, func(_ *memstore.Store, o *chat.Options) { o.Bot = newBotStage() })
	h.says(t, "Where?")
	h.Stop(t.Context())
	if len(sc.looked) > 0 {
		t.Error("a turn of the bot's was looked up for an agent")
	}
}
