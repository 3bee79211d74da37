// Package web is Aside over HTTP: routes, handlers that return an error, and the
// pages. Handlers hold no state; every request that touches a conversation or
// the knowledge carries a token that is checked here and passed on, and whoever
// does the work decides what that identity may do.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
)

// Conversations is what the handlers need of live conversations.
type Conversations interface {
	AddTurn(ctx context.Context, who assist.Identity, t assist.NewTurn) (assist.Turn, error)
	Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error)
	Queue(ctx context.Context, who assist.Identity, limit int) ([]assist.Conversation, error)
	Events(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) ([]assist.Event, error)
	Suggestion(ctx context.Context, who assist.Identity, id string) (assist.Suggestion, error)
}

// Knowledge is what the handlers need of documents and search.
type Knowledge interface {
	// Put stores one document under id from a file's bytes; the media type
	// says how to read them.
	Put(ctx context.Context, id, mediaType string, body []byte) (assist.Document, assist.Change, error)
	// Document gives a document with its passages, as far as the audience may
	// see it.
	Document(ctx context.Context, audience assist.Audience, id string) (assist.Document, error)
	Delete(ctx context.Context, id string) error
	Search(ctx context.Context, q SearchQuery) (SearchResult, error)
}

// SearchQuery is the body of POST /v1/search.
type SearchQuery struct {
	Text       string          `json:"text"`
	K          int             `json:"k,omitempty"`          // 1 to 50; 0: 10
	Audience   assist.Audience `json:"audience,omitempty"`   // default: internal for agents, public for the rest
	At         string          `json:"at,omitempty"`         // RFC 3339 or YYYY-MM-DD
	Collection string          `json:"collection,omitempty"` // "": all
}

// SearchResult is its answer, and that of `aside search --json`.
type SearchResult struct {
	Hits   []SearchHit `json:"hits"`
	TookMS float64     `json:"took_ms"`
}

// SearchHit is one passage found.
type SearchHit struct {
	DocumentID string          `json:"document_id"`
	PassageID  string          `json:"passage_id"`
	Title      string          `json:"title"`
	Heading    string          `json:"heading,omitempty"`
	Audience   assist.Audience `json:"audience"`
	URL        string          `json:"url,omitempty"`
	Score      float64         `json:"score"`
	Quote      string          `json:"quote"`
}

// Part is one thing the server needs, for /readyz.
type Part struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
}

// Status is what the console shows about the server.
type Status struct {
	Model     ModelStatus     `json:"model"`
	Embedder  ModelStatus     `json:"embedder"`
	Knowledge KnowledgeStatus `json:"knowledge"`
	Dev       bool            `json:"dev"`
}

// ModelStatus says how a configured model is doing.
type ModelStatus struct {
	Name   string `json:"name"`
	State  string `json:"state"` // none, ready, down, over_budget
	Detail string `json:"detail,omitempty"`
}

// KnowledgeStatus counts what can be found.
type KnowledgeStatus struct {
	Documents int   `json:"documents"`
	Passages  int   `json:"passages"`
	Version   int64 `json:"version"`
}

// Session is the answer of GET /v1/session.
type Session struct {
	Token string       `json:"token"`
	Sub   string       `json:"sub"`
	Name  string       `json:"name"`
	Role  assist.Actor `json:"role"`
	Dev   bool         `json:"dev"`
}

// Options wires the handlers. All fields but Session and Storybook are needed.
type Options struct {
	Conversations Conversations
	Knowledge     Knowledge
	WS            http.Handler
	Metrics       http.Handler
	Verify        func(token string) (assist.Identity, error)
	Ready         func(context.Context) []Part
	Status        func(context.Context) (Status, error)
	// Session gives a token to whoever opens the console on this machine; nil
	// in production, where people sign in.
	Session   func() (Session, error)
	Storybook bool // serve /storybook
	Logger    *slog.Logger
}

// New makes the handler of the whole server.
func New(o Options) http.Handler {
	s := &server{Options: o}
	mux := http.NewServeMux()
	mux.Handle("GET /v1/ws", o.WS)
	mux.Handle("GET /metrics", o.Metrics)
	mux.Handle("GET /healthz", s.handle(s.healthz))
	mux.Handle("GET /readyz", s.handle(s.readyz))
	mux.Handle("GET /v1/session", s.handle(s.session))
	mux.Handle("GET /v1/status", s.handle(s.status))
	mux.Handle("GET /v1/conversations", s.handle(s.queue))
	mux.Handle("GET /v1/conversations/{id}", s.handle(s.conversation))
	mux.Handle("POST /v1/conversations/{id}/turns", s.handle(s.addTurn))
	mux.Handle("GET /v1/suggestions/{id}", s.handle(s.suggestion))
	mux.Handle("PUT /v1/documents/{id...}", s.handle(s.putDocument))
	mux.Handle("GET /v1/documents/{id...}", s.handle(s.document))
	mux.Handle("DELETE /v1/documents/{id...}", s.handle(s.deleteDocument))
	mux.Handle("POST /v1/search", s.handle(s.search))
	s.pages(mux)
	return mux
}

type server struct{ Options }

// handle turns a returned error into a problem document and a log line.
func (s *server) handle(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				s.Logger.Error("handler panicked", "method", r.Method, "route", r.Pattern, "panic", p, "stack", string(debug.Stack()))
				writeProblem(w, assist.Errorf(assist.Internal, "something went wrong on our side; try again"))
			}
		}()
		err := h(w, r)
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		switch assist.CodeOf(err) {
		case assist.Internal:
			s.Logger.Error("request failed", "method", r.Method, "route", r.Pattern, "err", err)
		case assist.Unavailable:
			s.Logger.Warn("request not served", "method", r.Method, "route", r.Pattern, "err", err)
		}
		writeProblem(w, err)
	})
}

// statuses maps the codes of assist to HTTP.
var statuses = map[assist.Code]int{
	assist.Invalid:         http.StatusBadRequest,
	assist.Unauthenticated: http.StatusUnauthorized,
	assist.Forbidden:       http.StatusForbidden,
	assist.NotFound:        http.StatusNotFound,
	assist.Conflict:        http.StatusConflict,
	assist.TooLarge:        http.StatusRequestEntityTooLarge,
	assist.RateLimited:     http.StatusTooManyRequests,
	assist.Unavailable:     http.StatusServiceUnavailable,
	assist.Internal:        http.StatusInternalServerError,
}

// problem is a problem document of RFC 9457.
type problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   assist.Code `json:"code"`
}

func writeProblem(w http.ResponseWriter, err error) {
	code := assist.CodeOf(err)
	status := statuses[code]
	if code == assist.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="aside"`)
	}
	body, merr := json.Marshal(problem{http.StatusText(status), status, assist.MessageOf(err), code})
	if merr != nil {
		body = []byte(`{"status":500}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(body) // the client may be gone; there is nobody left to tell
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(body)
	if err != nil {
		return context.Canceled // the client has gone
	}
	return nil
}

// readJSON decodes one JSON object of at most limit bytes.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	body, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return assist.Wrap(err, assist.Invalid, "the body is not the JSON object this address expects: %v", err)
	}
	return nil
}

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, assist.Errorf(assist.TooLarge, "the body is larger than %d bytes", limit)
	}
	if err != nil {
		return nil, assist.Wrap(err, assist.Invalid, "the body could not be read")
	}
	return body, nil
}

// identify checks the token of a request.
func (s *server) identify(r *http.Request) (assist.Identity, error) {
	token, err := auth.Bearer(r)
	if err != nil {
		return assist.Identity{}, err
	}
	return s.Verify(token)
}

// need is identify for some actors only.
func (s *server) need(r *http.Request, actors ...assist.Actor) (assist.Identity, error) {
	who, err := s.identify(r)
	if err != nil {
		return who, err
	}
	for _, a := range actors {
		if who.Actor == a {
			return who, nil
		}
	}
	return who, assist.Errorf(assist.Forbidden, "a token of role %s may not do this", who.Actor)
}

func (s *server) healthz(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, http.StatusOK, struct {
		Alive bool `json:"alive"`
	}{true})
}

func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	parts, status := s.Ready(ctx), http.StatusOK
	for _, p := range parts {
		if !p.OK {
			status = http.StatusServiceUnavailable
		}
	}
	return writeJSON(w, status, struct {
		Ready bool   `json:"ready"`
		Parts []Part `json:"parts"`
	}{status == http.StatusOK, parts})
}

// session signs in whoever opens the console on this machine while developing.
// The Host check keeps a foreign page that points its name at this machine from
// asking for a token.
func (s *server) session(w http.ResponseWriter, r *http.Request) error {
	if s.Session == nil || !loopback(r.Host) || !loopback(r.RemoteAddr) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return assist.Errorf(assist.Unauthenticated, "sign in with a token: `aside token --role agent --name YOU` makes one")
	}
	session, err := s.Session()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, session)
}

func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}

func (s *server) status(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.need(r, assist.ActorAgent, assist.ActorMaintainer); err != nil {
		return err
	}
	status, err := s.Status(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status)
}
