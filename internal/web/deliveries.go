package web

import (
	"context"
	"net/http"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Deliveries is what goes out to chat tools, as operators see it.
type Deliveries interface {
	// List gives the newest; state "" means all.
	List(ctx context.Context, state string, limit int) ([]Delivery, error)
	// Replay sends one anew, with the same id.
	Replay(ctx context.Context, id string) (Delivery, error)
}

// Delivery is one thing that goes out. What it says is not shown.
type Delivery struct {
	ID           string    `json:"id"`
	Tool         string    `json:"tool"`
	Conversation string    `json:"conversation"`
	Kind         string    `json:"kind"`
	State        string    `json:"state"` // pending, sent, skipped, dead
	Attempts     int       `json:"attempts"`
	Error        string    `json:"error,omitempty"` // of the last attempt, or why it was skipped
	CreatedAt    time.Time `json:"created_at"`
	NextAt       time.Time `json:"next_at,omitzero"` // of the next attempt, while pending
	DoneAt       time.Time `json:"done_at,omitzero"`
}

// mostDeliveries are shown at a time.
const mostDeliveries = 200

// operator is an agent or a maintainer, and nobody who is here for one conversation.
func (s *server) operator(r *http.Request) (assist.Identity, error) {
	who, err := s.need(r, assist.ActorAgent, assist.ActorMaintainer)
	if err == nil && who.Conversation != "" {
		err = assist.Errorf(assist.Forbidden, "this token is for one conversation only")
	}
	return who, err
}

func (s *server) deliveries(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.operator(r); err != nil {
		return err
	}
	state := r.URL.Query().Get("state")
	switch state {
	case "", "pending", "sent", "skipped", "dead":
	default:
		return assist.Errorf(assist.Invalid, "state must be pending, sent, skipped or dead")
	}
	list := []Delivery{}
	if s.Deliveries != nil {
		found, err := s.Deliveries.List(r.Context(), state, mostDeliveries)
		if err != nil {
			return err
		}
		list = append(list, found...)
	}
	return writeJSON(w, http.StatusOK, struct {
		Deliveries []Delivery `json:"deliveries"`
	}{list})
}

func (s *server) replayDelivery(w http.ResponseWriter, r *http.Request) error {
	who, err := s.operator(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := assist.CheckText("id", id, assist.MaxID); err != nil {
		return err
	}
	if s.Deliveries == nil {
		return assist.Errorf(assist.NotFound, "no chat tool is connected: there are no deliveries")
	}
	d, err := s.Deliveries.Replay(r.Context(), id)
	if err != nil {
		return err
	}
	s.Logger.Info("a delivery is sent anew", "id", d.ID, "tool", d.Tool, "kind", d.Kind, "by", who.Subject)
	return writeJSON(w, http.StatusOK, d)
}
