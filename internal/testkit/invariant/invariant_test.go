package invariant

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

var (
	tool  = assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	ann   = assist.Identity{Subject: "ann", Actor: assist.ActorAgent}
	guest = assist.Identity{Subject: "dana", Actor: assist.ActorCustomer, Conversation: "c"}
)

// scene is a whole and healthy story: a question, a suggestion, the reply it
// became, its outcome; a tool, an agent and the customer watched it.
type scene struct {
	stored                 Stored
	c                      *Conversation
	source, agent, watcher *History
	others                 []*History
}

func story() *scene {
	c := &Conversation{
		LastSeq: 4,
		Turns: []Turn{
			{Seq: 1, Author: "tool", Key: "source:x:1", Text: "zipper?", Role: assist.RoleCustomer},
			{Seq: 3, Author: "ann", Key: "agent:c:r1", Text: "Sorry.", Role: assist.RoleAgent, SuggestionID: "s1"},
		},
		Events: []Event{
			{Seq: 1, Type: assist.EventTurnAdded, Public: true},
			{Seq: 2, Type: assist.EventSuggestionReady, Ref: "s1"},
			{Seq: 3, Type: assist.EventTurnAdded, Public: true},
			{Seq: 4, Type: assist.EventSuggestionOutcome, Ref: "s1", Outcome: assist.SuggestionAccepted},
		},
		Suggestions: []Suggestion{{ID: "s1", ForSeq: 1, State: assist.SuggestionAccepted, EventSeq: 2}},
	}
	s := &scene{stored: Stored{"c": c}, c: c, source: NewHistory(tool, "c"), agent: NewHistory(ann, "c"), watcher: NewHistory(guest, "c")}
	s.source.Turn("x:1", "zipper?")
	s.source.Turn("x:1", "zipper?") // sent again
	s.source.OK("x:1", 1)
	s.source.OK("x:1", 1)
	s.agent.Click("c:r1", "Sorry.")
	s.agent.OK("c:r1", 3)
	s.agent.Opened(0)
	s.see(s.agent, 1)
	s.agent.Saw("suggestion.started", 0, json.RawMessage(`{"suggestion_id":"s1","for_seq":1}`))
	s.see(s.agent, 2)
	s.agent.Opened(2) // the connection was lost
	s.see(s.agent, 3, 4)
	s.agent.SawAll()
	s.watcher.Opened(0)
	s.see(s.watcher, 1, 3)
	s.watcher.SawAll()
	return s
}

// see tells a history of events as the database has them.
func (s *scene) see(h *History, seqs ...int64) {
	for _, seq := range seqs {
		for _, e := range s.c.Events {
			if e.Seq != seq {
				continue
			}
			data := fmt.Sprintf(`{"id":%q}`, e.Ref)
			for _, t := range s.c.Turns {
				if t.Seq == seq {
					data = fmt.Sprintf(`{"seq":%d,"role":%q,"text":%q}`, t.Seq, t.Role, t.Text)
				}
			}
			h.Saw(string(e.Type), seq, json.RawMessage(data))
		}
	}
}

// TestEveryKind breaks one promise at a time and expects to be told of it.
func TestEveryKind(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*scene)
		want  Kind
		words string
	}{
		"healthy":                   {func(*scene) {}, "", ""},
		"acked and gone":            {func(s *scene) { s.source.Turn("x:2", "hello?"); s.source.OK("x:2", 5) }, Lost, "x:2"},
		"acked elsewhere":           {func(s *scene) { s.c.Turns[0].Key = "source:x:other"; s.source.Turn("x:other", "zipper?") }, Lost, "x:1"},
		"acked at another seq":      {func(s *scene) { s.source.Turn("x:3", "a"); s.source.OK("x:3", 1) }, Lost, "x:3"},
		"a conversation gone":       {func(s *scene) { delete(s.stored, "c") }, Lost, "x:1"},
		"the log's turn gone":       {func(s *scene) { s.c.Turns = s.c.Turns[:1] }, Lost, "seq 3"},
		"the log's suggestion gone": {func(s *scene) { s.c.Suggestions = nil }, Lost, "s1"},
		"acked with two seqs":       {func(s *scene) { s.source.OK("x:1", 2) }, Twice, "seq 1, then with 2"},
		"stored twice":              {func(s *scene) { s.add(Turn{Author: "tool", Key: "source:x:1", Role: assist.RoleSystem}) }, Twice, "source:x:1"},
		"a suggestion told twice":   {func(s *scene) { s.event(Event{Type: assist.EventSuggestionReady, Ref: "s1"}) }, Twice, "s1"},
		"refused and stored": {func(s *scene) {
			s.add(Turn{Author: "tool", Key: "source:x:2", Role: assist.RoleSystem})
			s.source.Turn("x:2", "")
			s.source.Fail("x:2")
		}, Refused, "x:2"},
		"a gap in the log":        {func(s *scene) { s.c.Events = slices.Delete(s.c.Events, 1, 2) }, Order, "seq 3"},
		"last_seq beyond the log": {func(s *scene) { s.c.LastSeq = 9 }, Order, "last_seq is 9"},
		"a turn outside the log":  {func(s *scene) { s.c.Events[2].Type = assist.EventHandoff }, Order, "the turn at seq 3 is not in the log"},
		"a gap in a view":         {func(s *scene) { h := s.another(); h.Opened(0); s.see(h, 1, 3) }, Order, "seq 3 came next to 1"},
		"a repeat in a view":      {func(s *scene) { h := s.another(); h.Opened(0); s.see(h, 1, 2, 2) }, Order, "seq 2 came after 2"},
		"a step back in a view":   {func(s *scene) { h := s.another(); h.Opened(0); s.see(h, 1, 2, 3); s.see(h, 2) }, Order, "seq 2 came after 3"},
		"a gap after resuming":    {func(s *scene) { h := s.another(); h.Opened(1); s.see(h, 3) }, Order, "seq 3 came next to 1"},
		"a turn that is another": {func(s *scene) {
			h := s.another()
			h.Opened(0)
			h.Saw("turn.added", 1, json.RawMessage(`{"role":"customer","text":"lamp?"}`))
		}, Order, "another turn"},
		"an event of another kind": {func(s *scene) { h := s.another(); h.Opened(0); h.Saw("handoff", 1, nil) }, Order, "turn.added in the log"},
		"an event that is nowhere": {func(s *scene) { h := s.another(); h.Opened(4); h.Saw("handoff", 5, nil) }, Order, "not in the log"},
		"another suggestion": {func(s *scene) {
			h := s.another()
			h.Opened(1)
			h.Saw("suggestion.ready", 2, json.RawMessage(`{"id":"s9"}`))
		}, Order, "s1 in the log"},
		"missed at the end":      {func(s *scene) { s.event(Event{Type: assist.EventStepChanged, Ref: "x"}) }, Missed, "agent ann"},
		"the customer missed it": {func(s *scene) { s.event(Event{Type: assist.EventHandoff, Public: true}); s.see(s.agent, 5) }, Missed, "customer dana"},
		"two outcomes": {func(s *scene) {
			s.event(Event{Type: assist.EventSuggestionOutcome, Ref: "s1", Outcome: assist.SuggestionEdited})
		}, Outcome, "2 outcomes"},
		"an outcome the row has not":   {func(s *scene) { s.c.Suggestions[0].State = assist.SuggestionReady }, Outcome, "ready in its row"},
		"an outcome that was not told": {func(s *scene) { s.c.Events[3].Outcome = "" }, Outcome, "does not say so"},
		"begun and never ended": {func(s *scene) {
			s.ask()
			s.agent.Saw("suggestion.started", 0, json.RawMessage(`{"suggestion_id":"s2","for_seq":5}`))
		}, Unfinished, "s2"},
		"a lease left over":           {func(s *scene) { s.c.RunSeq, s.c.RunOwner = 1, "node" }, Lease, "node"},
		"a reply nobody clicked":      {func(s *scene) { s.add(Turn{Author: "ann", Key: "agent:c:r2", Role: assist.RoleAgent}) }, NotClicked, "agent:c:r2"},
		"a reply in other words":      {func(s *scene) { s.c.Turns[1].Text = "Not sorry." }, OtherWords, "seq 3"},
		"an ack of nothing":           {func(s *scene) { s.agent.OK("c:r7", 3) }, Unwitnessed, "c:r7"},
		"an event before the opening": {func(s *scene) { s.see(s.another(), 1) }, Unwitnessed, "before"},
		"begun, then failed": {func(s *scene) {
			s.ask()
			s.agent.Saw("suggestion.started", 0, json.RawMessage(`{"suggestion_id":"s2","for_seq":5}`))
			s.agent.Saw("suggestion.failed", 0, json.RawMessage(`{"id":"s2"}`))
		}, "", ""},
		"begun, another took its place": {func(s *scene) {
			s.agent.Saw("suggestion.started", 0, json.RawMessage(`{"suggestion_id":"s0","for_seq":1}`))
		}, "", ""},
		"feedback is no outcome": {func(s *scene) { s.event(Event{Type: assist.EventSuggestionOutcome, Ref: "s1"}); s.see(s.agent, 5) }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := story()
			c.spoil(s)
			got := Check(s.stored, append(s.others, s.source, s.agent, s.watcher))
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("%v", got)
				}
				return
			}
			if !slices.ContainsFunc(got, func(v Violation) bool { return v.Kind == c.want && strings.Contains(v.What, c.words) }) {
				t.Errorf("want %s with %q, got %v", c.want, c.words, got)
			}
		})
	}
}

// another is one more agent who watches.
func (s *scene) another() *History {
	h := NewHistory(assist.Identity{Subject: "bob", Actor: assist.ActorAgent}, "c")
	s.others = append(s.others, h)
	return h
}

func (s *scene) event(e Event) {
	s.c.LastSeq++
	e.Seq = s.c.LastSeq
	s.c.Events = append(s.c.Events, e)
}

// add stores a turn with its event.
func (s *scene) add(t Turn) {
	s.event(Event{Type: assist.EventTurnAdded})
	t.Seq = s.c.LastSeq
	s.c.Turns = append(s.c.Turns, t)
	s.see(s.agent, t.Seq)
}

func (s *scene) ask() {
	s.add(Turn{Author: "tool", Key: "source:x:5", Role: assist.RoleCustomer})
}
