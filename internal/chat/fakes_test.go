package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

var (
	customer   = assist.Identity{Subject: "c1", Actor: assist.ActorCustomer, Name: "Cleo", Conversation: "conv_1"}
	agent      = assist.Identity{Subject: "a1", Actor: assist.ActorAgent, Name: "Ada"}
	source     = assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	maintainer = assist.Identity{Subject: "m1", Actor: assist.ActorMaintainer}
)

// suggesterFunc is a chat.Suggester.
type suggesterFunc func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion

func (f suggesterFunc) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	return f(ctx, m, w)
}

// call is one run of a stage.
type call struct {
	ctx    context.Context
	moment assist.Moment
	finish chan assist.Suggestion
}

// stage is a suggester that shows passages and an instant draft at once, and
// then waits to be told how it ends.
type stage struct{ calls chan *call }

func newStage() *stage { return &stage{calls: make(chan *call, 100)} }

func (s *stage) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	c := &call{ctx, m, make(chan assist.Suggestion, 1)}
	g := assist.Suggestion{Question: assist.Question{Text: "where?"}, Hits: []assist.Hit{{Title: "Returns"}}}
	w.Passages(g)
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: "Hello."}})
	g.Instant, g.Standing = &d, assist.StandingReady
	w.Instant(g)
	s.calls <- c
	select {
	case end := <-c.finish:
		end.Question, end.Hits, end.Instant = g.Question, g.Hits, g.Instant
		return end
	case <-ctx.Done():
		w.Delta("too late")
		g.State = assist.SuggestionSuperseded
		return g
	}
}

func (s *stage) next(t testing.TB) *call {
	t.Helper()
	select {
	case c := <-s.calls:
		return c
	case <-time.After(time.Minute):
		t.Fatal("no run began")
		return nil
	}
}

// bus records what is published and lets tests wait for it.
type bus struct {
	mu     sync.Mutex
	events []assist.Event
	moved  chan struct{}
}

func newBus() *bus { return &bus{moved: make(chan struct{})} }

func (b *bus) Publish(topic string, e assist.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if topic != chat.QueueTopic && topic != e.Conversation {
		panic(fmt.Sprintf("event of %s on topic %s", e.Conversation, topic))
	}
	b.events = append(b.events, e)
	close(b.moved)
	b.moved = make(chan struct{})
}

// types lists what was published so far, without the queue.
func (b *bus) types() []assist.EventType {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []assist.EventType
	for _, e := range b.events {
		if e.Type != assist.EventQueueChanged {
			out = append(out, e.Type)
		}
	}
	return out
}

func (b *bus) all(t assist.EventType) []assist.Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []assist.Event
	for _, e := range b.events {
		if e.Type == t {
			out = append(out, e)
		}
	}
	return out
}

// wait waits for the nth event of a type, counted from 1.
func (b *bus) wait(t testing.TB, typ assist.EventType, nth int) assist.Event {
	t.Helper()
	late := time.After(time.Minute)
	for {
		b.mu.Lock()
		moved := b.moved
		b.mu.Unlock()
		if got := b.all(typ); len(got) >= nth {
			return got[nth-1]
		}
		select {
		case <-moved:
		case <-late:
			t.Fatalf("waited in vain for %s number %d; published: %v", typ, nth, b.types())
		}
	}
}

func data[T any](t testing.TB, e assist.Event) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type house struct {
	*chat.Service
	store *memstore.Store
	bus   *bus
}

func open(t testing.TB, g chat.Suggester, edit func(*memstore.Store, *chat.Options)) *house {
	t.Helper()
	store := memstore.New(time.Now)
	o := chat.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), SoftStop: time.Millisecond, RetryPause: time.Millisecond}
	if edit != nil {
		edit(store, &o)
	}
	h := &house{store: store, bus: newBus()}
	h.Service = chat.New(store, g, h.bus, o)
	t.Cleanup(func() { h.Stop(context.Background()) })
	return h
}

var clientID = func() func() string {
	var mu sync.Mutex
	n := 0
	return func() string { mu.Lock(); defer mu.Unlock(); n++; return fmt.Sprintf("id-%d", n) }
}()

func (h *house) says(t testing.TB, text string) assist.Turn {
	t.Helper()
	turn, err := h.AddTurn(t.Context(), customer, assist.NewTurn{Conversation: "conv_1", ClientID: clientID(), Role: assist.RoleCustomer, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return turn
}
