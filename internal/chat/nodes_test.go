package chat_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// wire joins the buses of two nodes: what one publishes the other receives.
type wire struct {
	*bus
	far *pubsub.Bus[assist.Event] // the other node's
	cut bool
}

func (w *wire) Publish(topic string, e assist.Event) {
	if topic == chat.QueueTopic || topic == e.Conversation {
		w.bus.Publish(topic, e)
	}
	if !w.cut {
		w.far.Receive(topic, e)
	}
}

type nodeOf struct {
	*chat.Service
	*wire
	stage *stage
}

// pair makes two nodes on one store; cut ones hear nothing of each other.
func pair(t *testing.T, store *memstore.Store, cut bool, o chat.Options) (a, b nodeOf) {
	t.Helper()
	near := []*pubsub.Bus[assist.Event]{pubsub.New[assist.Event](), pubsub.New[assist.Event]()}
	make := func(i int) nodeOf {
		n := nodeOf{wire: &wire{bus: newBus(), far: near[1-i], cut: cut}, stage: newStage()}
		o := o
		o.Logger, o.Owner, o.Elsewhere = slog.New(slog.DiscardHandler), string(rune('a'+i)), near[i].Elsewhere
		n.Service = chat.New(store, n.stage, n.wire, o)
		n.Start()
		t.Cleanup(func() { n.Stop(context.Background()) })
		return n
	}
	return make(0), make(1)
}

func addTurn(t *testing.T, n nodeOf, id string) assist.Turn {
	t.Helper()
	turn, err := n.AddTurn(t.Context(), customer, assist.NewTurn{Conversation: "conv_1", ClientID: id, Role: assist.RoleCustomer, Text: "text " + id})
	if err != nil {
		t.Fatal(err)
	}
	return turn
}

func ended(t *testing.T, c *call, why string) {
	t.Helper()
	select {
	case <-c.ctx.Done():
	case <-time.After(time.Minute):
		t.Fatalf("the run went on: %s", why)
	}
}

// TestNewerTurnElsewhere ends a run at once when another node takes the
// customer's next turn, and only that node's suggestion is kept.
func TestNewerTurnElsewhere(t *testing.T) {
	store := memstore.New(time.Now)
	a, b := pair(t, store, false, chat.Options{})
	addTurn(t, a, "1")
	first := a.stage.next(t)
	addTurn(t, b, "2")
	ended(t, first, "the customer wrote at another node")
	a.wait(t, assist.EventSuggestionSuperseded, 1)
	b.stage.next(t).finish <- assist.Suggestion{State: assist.SuggestionReady}
	b.wait(t, assist.EventSuggestionReady, 1)
	if n := len(a.all(assist.EventSuggestionReady)); n != 0 {
		t.Errorf("the other node published %d suggestions", n)
	}
}

// TestLostLease ends a run whose lease another node has, though no bus says so,
// and stores nothing of it but what was superseded.
func TestLostLease(t *testing.T) {
	store := memstore.New(time.Now)
	a, b := pair(t, store, true, chat.Options{SweepEvery: 10 * time.Millisecond, LeaseFor: time.Hour})
	addTurn(t, a, "1")
	first := a.stage.next(t)
	addTurn(t, b, "2")
	ended(t, first, "the lease is another's")
	second := b.stage.next(t)
	second.finish <- assist.Suggestion{State: assist.SuggestionReady}
	b.wait(t, assist.EventSuggestionReady, 1)
	a.wait(t, assist.EventSuggestionSuperseded, 1)
	a.Stop(t.Context()) // waits until it is stored
	g, err := store.Suggestion(t.Context(), first.moment.SuggestionID)
	if err != nil || g.State != assist.SuggestionSuperseded {
		t.Errorf("the run that lost its lease is stored as %s, %v", g.State, err)
	}
}

// TestTooLate finishes a run in the moment after another node took the turn over:
// the store says no, and the agents hear that it was superseded.
func TestTooLate(t *testing.T) {
	store := memstore.New(time.Now)
	a, b := pair(t, store, true, chat.Options{SweepEvery: time.Hour, LeaseFor: time.Hour})
	addTurn(t, a, "1")
	first := a.stage.next(t)
	addTurn(t, b, "2")
	first.finish <- assist.Suggestion{State: assist.SuggestionReady}
	a.wait(t, assist.EventSuggestionSuperseded, 1)
	if n := len(a.all(assist.EventSuggestionReady)); n != 0 {
		t.Errorf("%d suggestions for an old turn", n)
	}
}

// TestAskedElsewhere has an agent ask for another suggestion at one node while the
// other makes its own: the one that was asked for goes on.
func TestAskedElsewhere(t *testing.T) {
	store := memstore.New(time.Now)
	a, b := pair(t, store, false, chat.Options{})
	addTurn(t, a, "1")
	first := a.stage.next(t)
	asked, err := b.RequestSuggestion(t.Context(), agent, "conv_1", "shorter")
	if err != nil {
		t.Fatal(err)
	}
	ended(t, first, "an agent asked for another at another node")
	b.stage.next(t).finish <- assist.Suggestion{State: assist.SuggestionReady}
	ready := b.wait(t, assist.EventSuggestionReady, 1)
	var g assist.Suggestion
	if err := json.Unmarshal(ready.Data, &g); err != nil || g.ID != asked {
		t.Errorf("%s is ready, want %s (%v)", g.ID, asked, err)
	}
}

// TestReplyElsewhere sends a reply at one node from the draft that another is
// still writing: its suggestion is stored first, so that it has an outcome.
func TestReplyElsewhere(t *testing.T) {
	store := memstore.New(time.Now)
	a, b := pair(t, store, false, chat.Options{})
	addTurn(t, a, "1")
	first := a.stage.next(t)
	a.wait(t, assist.EventSuggestionInstant, 1)
	if _, err := b.SendReply(t.Context(), agent, assist.NewReply{Conversation: "conv_1", ClientID: "r", Text: "Hello.", SuggestionID: first.moment.SuggestionID}); err != nil {
		t.Fatal(err)
	}
	ended(t, first, "an agent replied at another node")
	g, err := store.Suggestion(t.Context(), first.moment.SuggestionID)
	if err != nil || g.State != assist.SuggestionAccepted {
		t.Errorf("the suggestion is %s, %v", g.State, err)
	}
}
