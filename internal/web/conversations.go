package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// maxTurnBody bounds the body of a turn: 8,000 characters of four bytes each,
// escaped, fit.
const maxTurnBody = 64 << 10

// pageOfEvents is how many events GET /v1/conversations/{id} gives at once.
const pageOfEvents = 500

type turnBody struct {
	ID         string         `json:"id"`
	Role       assist.Role    `json:"role"`
	Name       string         `json:"name"`
	Text       string         `json:"text"`
	ExternalID string         `json:"external_id"`
	Customer   string         `json:"customer"`
	At         time.Time      `json:"at"`
	Action     *assist.Action `json:"action"`
}

func (s *server) addTurn(w http.ResponseWriter, r *http.Request) error {
	who, err := s.identify(r)
	if err != nil {
		return err
	}
	var b turnBody
	if err := readJSON(w, r, maxTurnBody, &b); err != nil {
		return err
	}
	if b.ID == "" {
		b.ID = r.Header.Get("Idempotency-Key")
	}
	turn, err := s.Conversations.AddTurn(r.Context(), who, assist.NewTurn{
		Conversation: r.PathValue("id"),
		ClientID:     b.ID,
		Role:         b.Role,
		Name:         b.Name,
		Text:         b.Text,
		ExternalID:   b.ExternalID,
		Customer:     b.Customer,
		At:           b.At,
		Action:       b.Action,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, struct {
		Seq int64 `json:"seq"`
	}{turn.Seq})
}

func (s *server) queue(w http.ResponseWriter, r *http.Request) error {
	who, err := s.identify(r)
	if err != nil {
		return err
	}
	list, err := s.Conversations.Queue(r.Context(), who)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Conversations []assist.Conversation `json:"conversations"`
	}{append([]assist.Conversation{}, list...)})
}

type eventBody struct {
	Type assist.EventType `json:"type"`
	Seq  int64            `json:"seq"`
	Data json.RawMessage  `json:"data"`
}

func (s *server) conversation(w http.ResponseWriter, r *http.Request) error {
	who, err := s.identify(r)
	if err != nil {
		return err
	}
	var after int64
	if a := r.URL.Query().Get("after"); a != "" { // not FormValue: it would read a form from the body, of any size
		if after, err = strconv.ParseInt(a, 10, 64); err != nil || after < 0 {
			return assist.Errorf(assist.Invalid, "after must be the last seq you have seen, 0 or more, not %.40q", a)
		}
	}
	id := r.PathValue("id")
	if err := assist.CheckConversationID(id); err != nil {
		return err
	}
	conv, err := s.Conversations.Conversation(r.Context(), who, id)
	if err != nil {
		return err
	}
	events, err := s.Conversations.Events(r.Context(), who, id, after, pageOfEvents)
	if err != nil {
		return err
	}
	out := struct {
		Conversation any         `json:"conversation"`
		Events       []eventBody `json:"events"`
		After        int64       `json:"after"` // what to ask with next: the last seq looked at, shown or not
		More         bool        `json:"more"`  // there may be more: ask again at once
	}{Conversation: conv, Events: make([]eventBody, 0, len(events)), After: after, More: len(events) == pageOfEvents}
	if who.Actor == assist.ActorCustomer {
		out.Conversation = publicConversation{conv.ID, conv.Status, conv.LastSeq, conv.AgentName}
	}
	for _, e := range events {
		out.After = e.Seq
		data := e.Data
		if who.Actor == assist.ActorCustomer {
			data = e.Public
		}
		if data != nil {
			out.Events = append(out.Events, eventBody{e.Type, e.Seq, data})
		}
	}
	return writeJSON(w, http.StatusOK, out)
}

// publicConversation is what a customer may know of their conversation.
type publicConversation struct {
	ID        string        `json:"id"`
	Status    assist.Status `json:"status"`
	LastSeq   int64         `json:"last_seq"`
	AgentName string        `json:"agent_name,omitempty"`
}

func (s *server) suggestion(w http.ResponseWriter, r *http.Request) error {
	who, err := s.need(r, assist.ActorAgent, assist.ActorMaintainer)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := checkID("suggestion id", id, assist.MaxID); err != nil {
		return err
	}
	sug, err := s.Conversations.Suggestion(r.Context(), who, id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, sug)
}

// checkID refuses an id from a path that nothing can be stored under.
func checkID(what, id string, limit int) error {
	if id == "" || len(id) > limit {
		return assist.Errorf(assist.Invalid, "the %s must be 1 to %d bytes", what, limit)
	}
	return assist.CheckText("the "+what, id, limit)
}
