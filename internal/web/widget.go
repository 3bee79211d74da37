package web

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Widget lets customers in.
type Widget interface {
	// Session gives a customer a conversation and a token for it. retry is how
	// long who is refused as rate_limited should wait.
	Session(ctx context.Context, r WidgetRequest) (s WidgetSession, retry time.Duration, err error)
}

// WidgetRequest is the body of POST /v1/widget/session, and where it came from.
type WidgetRequest struct {
	Identity string `json:"identity,omitempty"` // the host's word for its customer
	Token    string `json:"token,omitempty"`    // of an earlier session
	Address  string `json:"-"`
}

// WidgetSession is its answer.
type WidgetSession struct {
	Conversation string    `json:"conversation"`
	Token        string    `json:"token"`
	ExpiresAt    time.Time `json:"expires_at"`
	Mode         string    `json:"mode"` // answer, suggest, off
	Name         string    `json:"name"`
	Greeting     string    `json:"greeting"`
	Open         bool      `json:"open"`              // people are there
	OpensAt      time.Time `json:"opens_at,omitzero"` // when they are back
	Away         string    `json:"away,omitempty"`
}

// maxWidgetBody bounds the body of a session's request: two tokens fit.
const maxWidgetBody = 16 << 10

func (s *server) widgetSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.allowOrigin(w, r); err != nil {
		return err
	}
	if s.Widget == nil {
		return assist.Errorf(assist.Unavailable, "this server has no customers' chat")
	}
	var b WidgetRequest
	if err := readJSON(w, r, maxWidgetBody, &b); err != nil {
		return err
	}
	b.Address = Address(r, s.Proxies)
	if at, err := netip.ParseAddr(b.Address); err == nil && (at.IsPrivate() || at.IsLoopback()) && r.Header.Get("X-Forwarded-For") != "" {
		s.unknownProxy.Do(func() {
			s.Logger.Warn("a proxy that is not listed names customers' addresses: they share one limit until ASIDE_TRUSTED_PROXIES lists it", "proxy", b.Address)
		})
	}
	session, retry, err := s.Widget.Session(r.Context(), b)
	if err != nil {
		if assist.CodeOf(err) == assist.RateLimited {
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(retry.Seconds()+0.999))))
		}
		return err
	}
	return writeJSON(w, http.StatusOK, session)
}

func (s *server) widgetPreflight(w http.ResponseWriter, r *http.Request) error {
	if err := s.allowOrigin(w, r); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// allowOrigin lets pages of listed origins read the answer, and refuses others.
func (s *server) allowOrigin(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	if slices.Contains(s.Origins, origin) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "Retry-After") // else the page cannot know when to come again
		return nil
	}
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return nil
	}
	return assist.Errorf(assist.Forbidden, "pages of %.100q may not use this server: list the origin in ASIDE_ORIGINS", origin)
}
