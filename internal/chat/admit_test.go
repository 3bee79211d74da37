package chat_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// TestAdmission holds the order in which things are left out under load: written
// drafts, the bot, whole suggestions, and never a turn.
func TestAdmission(t *testing.T) {
	var mu sync.Mutex
	var shed []chat.Shed
	h, s, _ := withBot(t, func(_ *memstore.Store, o *chat.Options) {
		o.MaxRuns, o.MaxLine = 4, 2
		o.Shed = func(what chat.Shed) { mu.Lock(); defer mu.Unlock(); shed = append(shed, what) }
	})
	n := 0
	write := func(who assist.Identity) string {
		t.Helper()
		n++
		id := fmt.Sprintf("load_%d", n)
		if who.Actor == assist.ActorCustomer {
			who.Conversation = id
		}
		if _, err := h.AddTurn(t.Context(), who, assist.NewTurn{Conversation: id, ClientID: "1", Role: assist.RoleCustomer, Text: "where is it"}); err != nil {
			t.Fatalf("turn %d was not taken: %v", n, err)
		}
		return id
	}
	for range 4 {
		write(source)
		if c := s.next(t); c.moment.SkipModel != "" {
			t.Errorf("with room for it, no draft: %s", c.moment.SkipModel)
		}
	}
	write(source)
	fifth := s.next(t)
	if fifth.moment.SkipModel == "" {
		t.Error("the fifth of four runs asks the model")
	}
	write(source) // in line
	write(source)
	last := write(source) // turned away
	e := h.bus.wait(t, assist.EventSuggestionFailed, 1)
	if g := data[assist.Suggestion](t, e); e.Conversation != last || e.Seq != 0 || g.Reason == "" {
		t.Errorf("%+v", e)
	}
	if _, err := h.RequestSuggestion(t.Context(), agent, last, ""); assist.CodeOf(err) != assist.Unavailable {
		t.Errorf("an agent who asks is told %v", err)
	}
	handed := write(customer)
	if e := h.bus.wait(t, assist.EventHandoff, 1); e.Conversation != handed {
		t.Errorf("handed over: %+v", e)
	}
	mu.Lock()
	defer mu.Unlock()
	want := []chat.Shed{chat.ShedDraft, chat.ShedSuggestion, chat.ShedSuggestion, chat.ShedBot}
	if !slices.Equal(shed[:min(len(shed), 4)], want) {
		t.Errorf("shed %v, want %v", shed, want)
	}
	fifth.finish <- ready("Quick.")
}

// TestErasedIsForgotten holds that nothing of an erased conversation is left in
// memory: a conversation of the same id begins anew, and a run that was under way
// stores nothing.
func TestErasedIsForgotten(t *testing.T) {
	s := newStage()
	h := open(t, s, nil)
	h.says(t, "my secret")
	first := s.next(t)
	h.store.Drop("conv_1")
	if err := h.Erased(t.Context(), "conv_1"); err != nil {
		t.Fatal(err)
	}
	h.bus.wait(t, assist.EventErased, 1)
	<-first.ctx.Done()
	if turn := h.says(t, "hello again"); turn.Seq != 1 {
		t.Errorf("the conversation goes on at %d", turn.Seq)
	}
	second := s.next(t)
	if len(second.moment.Turns) != 1 || second.moment.Turns[0].Text != "hello again" {
		t.Errorf("the run is told %+v", second.moment.Turns)
	}
	if !slices.Contains(h.Remembered(), "conv_1") {
		t.Error("a live conversation is not remembered")
	}
}

// TestMassReading holds that whoever copies conversations is noticed, then stopped;
// reading the same again, as after a reconnect, is neither.
func TestMassReading(t *testing.T) {
	alarms := 0
	clock := time.Now()
	h := open(t, nil, func(_ *memstore.Store, o *chat.Options) {
		o.AlarmReads, o.MostReads = 3, 5
		o.Reading = func(who string, n int) {
			if alarms++; who != agent.Subject || n != 3 {
				t.Errorf("%s read %d", who, n)
			}
		}
		o.Now = func() time.Time { return clock }
	})
	times := 0
	read := func(who assist.Identity, n int) (err error) {
		if times++; times%2 == 0 {
			_, err = h.Events(t.Context(), who, fmt.Sprintf("conv_%d", n), 0, 10)
		} else {
			_, _, err = h.Open(t.Context(), who, fmt.Sprintf("conv_%d", n), 0, 10)
		}
		if assist.CodeOf(err) == assist.NotFound { // asking counts
			return nil
		}
		return err
	}
	for range 3 {
		for n := range 5 {
			if err := read(agent, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := read(agent, 5); assist.CodeOf(err) != assist.RateLimited {
		t.Errorf("the sixth of five: %v", err)
	}
	if err := read(agent, 1); err != nil {
		t.Errorf("one that was read: %v", err)
	}
	for n := range 9 {
		if err := read(source, n); err != nil {
			t.Errorf("a source: %v", err)
		}
	}
	if alarms != 1 {
		t.Errorf("%d alarms", alarms)
	}
	clock = clock.Add(time.Hour)
	if err := read(agent, 6); err != nil {
		t.Errorf("an hour later: %v", err)
	}
}
