package assist

import (
	"encoding/json"
	"fmt"
	"time"
)

// EventType names a message from server to client.
type EventType string

// The events of the protocol. Kept ones have a sequence number and are replayed.
const (
	EventTurnAdded            EventType = "turn.added"           // kept
	EventHandoff              EventType = "handoff"              // kept
	EventConversationClosed   EventType = "conversation.closed"  // kept
	EventStepChanged          EventType = "step.changed"         // kept
	EventSuggestionOutcome    EventType = "suggestion.outcome"   // kept
	EventSuggestionReady      EventType = "suggestion.ready"     // kept
	EventSuggestionAbstained  EventType = "suggestion.abstained" // kept
	EventSuggestionFailed     EventType = "suggestion.failed"    // kept
	EventSuggestionStarted    EventType = "suggestion.started"
	EventSuggestionPassages   EventType = "suggestion.passages"
	EventSuggestionInstant    EventType = "suggestion.instant"
	EventSuggestionDelta      EventType = "suggestion.delta" // lossy
	EventSuggestionSuperseded EventType = "suggestion.superseded"
	EventTyping               EventType = "typing"
	EventPresence             EventType = "presence"
	EventQueueChanged         EventType = "queue.changed" // to agents who watch the queue
	EventErased               EventType = "conversation.erased"
)

// Kept reports whether events of this type are stored, numbered and replayed.
func (t EventType) Kept() bool {
	switch t {
	case EventTurnAdded, EventHandoff, EventConversationClosed, EventStepChanged, EventSuggestionOutcome,
		EventSuggestionReady, EventSuggestionAbstained, EventSuggestionFailed:
		return true
	}
	return false
}

// Event is something that happened in a conversation, encoded once for all who
// see it.
type Event struct {
	Type         EventType
	Conversation string
	Seq          int64           // 0 for events that are not kept
	Data         json.RawMessage // for agents and sources
	Public       json.RawMessage // for the customer; nil: the customer never sees it
}

// NewEvent encodes an event that only agents and sources may see.
func NewEvent(t EventType, conversation string, seq int64, data any) Event {
	return Event{Type: t, Conversation: conversation, Seq: seq, Data: encode(data)}
}

// PublicTurn is what a customer may know of a turn.
type PublicTurn struct {
	Seq     int64    `json:"seq"`
	Role    Role     `json:"role"`
	Name    string   `json:"name,omitempty"`
	Text    string   `json:"text"`
	At      string   `json:"at"`
	ID      string   `json:"external_id,omitempty"` // only of the customer's own turns
	Sources []Source `json:"sources,omitempty"`     // only of the bot's
}

// TurnAdded is the event of a stored turn. Reported actions stay among agents.
func TurnAdded(conversation string, t Turn) Event {
	e := NewEvent(EventTurnAdded, conversation, t.Seq, t)
	if t.Action == nil {
		p := PublicTurn{Seq: t.Seq, Role: t.Role, Name: t.Name, Text: t.Text, At: publicTime(t.At)}
		if t.Role == RoleCustomer {
			p.ID = t.ExternalID
		}
		if t.Role == RoleBot {
			p.Sources = t.Sources
		}
		e.Public = encode(p)
	}
	return e
}

func publicTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// HandoffState is how a hand-over looks to the customer.
type HandoffState string

// What a customer is told of a hand-over.
const (
	HandoffIsWaiting HandoffState = "waiting" // in the queue
	HandoffIsTaken   HandoffState = "taken"   // a person has it
	HandoffIsMessage HandoffState = "message" // people are away and answer later
)

// PublicHandoff is what a customer may know of a hand-over: that it happened,
// how long it may take and who is coming. Reason and summary are for agents.
type PublicHandoff struct {
	State   HandoffState `json:"state"`
	ToName  string       `json:"to_name,omitempty"`
	Ahead   *int         `json:"ahead,omitempty"`
	WaitS   int          `json:"wait_s,omitempty"`
	OpensAt string       `json:"opens_at,omitempty"`
}

// HandedOver is the event of a hand-over.
func HandedOver(conversation string, seq int64, h Handoff) Event {
	e := NewEvent(EventHandoff, conversation, seq, h)
	p := PublicHandoff{State: HandoffIsWaiting, ToName: h.ToName, Ahead: h.Wait.Ahead, WaitS: int(h.Wait.Typical.Seconds())}
	switch {
	case h.To != "":
		p = PublicHandoff{State: HandoffIsTaken, ToName: h.ToName}
	case !h.Wait.OpensAt.IsZero():
		p.State, p.OpensAt = HandoffIsMessage, h.Wait.OpensAt.Format(time.RFC3339)
	}
	e.Public = encode(p)
	return e
}

// Closed is the event of a conversation's end.
func Closed(conversation string, seq int64, resolution, by string) Event {
	e := NewEvent(EventConversationClosed, conversation, seq, struct {
		Resolution string `json:"resolution,omitempty"`
		By         string `json:"by,omitempty"`
	}{resolution, by})
	e.Public = json.RawMessage(`{}`)
	return e
}

// SuggestionDone is the event of a finished suggestion: ready, abstained or
// failed, by its state.
func SuggestionDone(seq int64, s Suggestion) Event {
	t := EventSuggestionReady
	switch s.State {
	case SuggestionAbstained:
		t = EventSuggestionAbstained
	case SuggestionFailed:
		t = EventSuggestionFailed
	}
	return NewEvent(t, s.Conversation, seq, s)
}

// encode marshals values of this package's own types, which cannot fail.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("assist: encode %T: %v", v, err))
	}
	return b
}
