package web

import (
	"context"
	"net/http"

	"github.com/aside-project/aside/internal/assist"
)

// Guard erases and revokes. Its callers are maintainers; the handlers see to that.
type Guard interface {
	// EraseConversation takes out a conversation and everything learned from it.
	EraseConversation(ctx context.Context, who assist.Identity, id string) error
	// EraseCustomer does so for all conversations of a customer.
	EraseCustomer(ctx context.Context, who assist.Identity, key string) error
	// Revoke makes tokens worthless that were issued until now.
	Revoke(ctx context.Context, who assist.Identity, kind assist.RevocationKind, value string) error
}

func (s *server) guarded(r *http.Request) (assist.Identity, error) {
	who, err := s.need(r, assist.ActorMaintainer)
	if err == nil && s.Guard == nil {
		err = assist.Errorf(assist.Unavailable, "this server does not erase or revoke over HTTP")
	}
	return who, err
}

func (s *server) eraseConversation(w http.ResponseWriter, r *http.Request) error {
	who, err := s.guarded(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if err := assist.CheckConversationID(id); err != nil {
		return err
	}
	if err := s.Guard.EraseConversation(r.Context(), who, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *server) eraseCustomer(w http.ResponseWriter, r *http.Request) error {
	who, err := s.guarded(r)
	if err != nil {
		return err
	}
	key := r.PathValue("id")
	if err := checkID("customer's key", key, 2*assist.MaxID); err != nil {
		return err
	}
	if err := s.Guard.EraseCustomer(r.Context(), who, key); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// RevokeRequest is the body of POST /v1/revocations: one of the two.
type RevokeRequest struct {
	Subject string `json:"subject,omitempty"`  // all tokens of this sub
	TokenID string `json:"token_id,omitempty"` // the token with this jti
}

// maxRevokeBody bounds that body.
const maxRevokeBody = 4 << 10

func (s *server) revoke(w http.ResponseWriter, r *http.Request) error {
	who, err := s.guarded(r)
	if err != nil {
		return err
	}
	var b RevokeRequest
	if err := readJSON(w, r, maxRevokeBody, &b); err != nil {
		return err
	}
	if (b.Subject == "") == (b.TokenID == "") {
		return assist.Errorf(assist.Invalid, "name either subject, for all their tokens, or token_id, for one")
	}
	kind, value := assist.RevokeSubject, b.Subject
	if value == "" {
		kind, value = assist.RevokeToken, b.TokenID
	}
	if err := s.Guard.Revoke(r.Context(), who, kind, value); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
