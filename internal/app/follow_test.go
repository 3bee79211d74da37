package app

import (
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestEventCodec(t *testing.T) {
	var c eventCodec
	for _, e := range []assist.Event{
		{Type: assist.EventTyping, Conversation: "conv", Data: json.RawMessage(`{}`), Public: json.RawMessage(`{"role":"agent"}`)},
		assist.NewEvent(assist.EventSuggestionReady, "Grüße 🙂", 1<<40, strings.Repeat("long ", 1<<12)),
		{Conversation: "conv", Seq: 7},
	} {
		got, err := c.Decode(e.Conversation, c.Encode(e))
		if d := cmp.Diff(e, got); d != "" || err != nil {
			t.Error(d, err)
		}
	}
	if _, err := c.Decode("another", c.Encode(assist.Event{Conversation: "conv", Seq: 7})); err == nil {
		t.Error("an event was taken on another conversation's topic")
	}
	small, ok := c.Shrink(assist.Event{Type: assist.EventSuggestionReady, Conversation: "conv", Seq: 7, Data: json.RawMessage(`{}`)})
	if d := cmp.Diff(assist.Event{Type: assist.EventSuggestionReady, Conversation: "conv", Seq: 7}, small); d != "" || !ok {
		t.Error(d, ok)
	}
	if _, ok := c.Shrink(assist.Event{Type: assist.EventSuggestionPassages}); ok {
		t.Error("what is not in the log was left to be read there")
	}
}

func FuzzEventCodec(f *testing.F) {
	var c eventCodec
	f.Add([]byte{})
	f.Add(c.Encode(assist.Event{Type: assist.EventTyping, Conversation: "conv", Data: json.RawMessage(`{"a":1}`)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := c.Decode("conv", b)
		if err != nil {
			return
		}
		if e.Conversation != "conv" || e.Seq < 0 || e.Data != nil && !json.Valid(e.Data) || e.Public != nil && !json.Valid(e.Public) {
			t.Errorf("%q was taken as %+v", b, e)
		}
		if again, err := c.Decode("conv", c.Encode(e)); err != nil || cmp.Diff(e, again) != "" {
			t.Errorf("%+v came back as %+v, %v", e, again, err)
		}
	})
}

// TestHealer has a process write whose events never arrive: the watchers of this
// one are told that there is something to read, once, and of the queue's changes.
func TestHealer(t *testing.T) {
	db := testdb.Open(t)
	bus := pubsub.New[assist.Event]()
	var mu sync.Mutex
	var told []assist.Event
	note := func(e assist.Event) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, e)
	}
	defer bus.Subscribe("c1", note)()
	defer bus.Subscribe(chat.QueueTopic, note)()
	h := healer{db: db, bus: bus, log: slog.New(slog.DiscardHandler)}
	look := func() (out []string) {
		t.Helper()
		told = nil
		if err := h.heal(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range told {
			switch {
			case e.Type == assist.EventQueueChanged:
				out = append(out, "queue "+e.Conversation)
			case e.Seq > 0 && e.Data == nil && e.Public == nil:
				out = append(out, "read "+e.Conversation)
			default:
				t.Errorf("told %+v", e)
			}
		}
		return out
	}
	who := assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	add := func(conversation, id string) {
		t.Helper()
		n := assist.NewTurn{Conversation: conversation, ClientID: id, Role: assist.RoleCustomer, Text: "hello " + id}
		if _, err := db.AddTurn(t.Context(), who, n, chat.Lease{}); err != nil {
			t.Fatal(err)
		}
	}
	steps := []struct {
		do   func()
		want []string
	}{
		{func() {}, nil},
		{func() { add("c1", "1"); add("c2", "1") }, []string{"read c1", "queue c1", "queue c2"}},
		{func() { add("c1", "2") }, []string{"read c1", "queue c1"}},
		{func() {}, nil},
		{func() { add("c2", "2") }, []string{"queue c2"}},
		{func() {
			if _, err := db.Close(t.Context(), who, "c1", ""); err != nil {
				t.Fatal(err)
			}
		}, []string{"read c1", "queue c1"}},
		{func() {}, nil},
	}
	for i, s := range steps {
		s.do()
		if d := cmp.Diff(s.want, look()); d != "" {
			t.Errorf("step %d: %s", i, d)
		}
	}
}

// TestFollow changes everything that nodes keep copies of, and says that another
// node has it with one look: it looks every two seconds.
func TestFollow(t *testing.T) {
	db := testdb.Open(t)
	g, err := newGuide(t.Context(), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := g.stop(t.Context()); err != nil { // this test looks itself
		t.Fatal(err)
	}
	clock := time.Now()
	g.now = func() time.Time { clock = clock.Add(time.Minute / 2); return clock }
	roles := map[string]string{}
	g.tellRoles(func(agent, role string) { roles[agent] = role })
	if _, err := g.Playbook(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	look := func() {
		t.Helper()
		if err := g.follow(); err != nil {
			t.Fatal(err)
		}
	}
	look()
	doc := assist.Document{ID: "lamp", Title: "Lamp", Kind: assist.KindProcedure, Audience: assist.AudienceInternal, Language: "en", Revision: "1",
		Body: "1. [Open Case] Open a case.\n2. [Send Bulb] Send it.\n"}
	doc.Passages = []assist.Passage{{ID: "p1", Text: doc.Body, End: len(doc.Body)}}
	if _, err := db.PutDocuments(t.Context(), []assist.Document{doc}); err != nil {
		t.Fatal(err)
	}
	limits, err := evals.Files.ReadFile("knowledge/authority.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.PutAuthority(t.Context(), string(limits), "test"); err != nil {
		t.Fatal(err)
	}
	if err := db.PutAgentRole(t.Context(), "maya", "lead"); err != nil {
		t.Fatal(err)
	}
	before := g.version
	look()
	if roles["maya"] != "lead" {
		t.Errorf("roles: %v", roles)
	}
	if g.version == before {
		t.Error("the new procedure is not known")
	}
	made := g.made
	look()
	if g.made != made {
		t.Error("the playbook was made again though nothing changed")
	}
	if err := db.PutAuthority(t.Context(), string(limits)+"\n", "test"); err != nil {
		t.Fatal(err)
	}
	look()
	if g.made == made {
		t.Error("the new limits are not known")
	}
}
