// Package web is Aside over HTTP: routes, handlers that return an error, and the
// pages. Handlers hold no state; every request that touches a conversation or
// the knowledge carries a token that is checked here and passed on, and whoever
// does the work decides what that identity may do.
package web

import (
	"bytes"
	"cmp"
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
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
)

// Conversations is what the handlers need of live conversations.
type Conversations interface {
	AddTurn(ctx context.Context, who assist.Identity, t assist.NewTurn) (assist.Turn, error)
	Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error)
	Queue(ctx context.Context, who assist.Identity) ([]assist.Conversation, error)
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
	UpdatedAt  time.Time       `json:"updated_at,omitzero"`
	Score      float64         `json:"score"`
	Quote      string          `json:"quote"`
	Text       string          `json:"text"` // the whole passage, in which the quote stands
}

// Part is one thing the server needs, for /readyz. One that is not OK makes it
// unable to serve; a degraded one is OK: something else does its work meanwhile,
// and Detail says what.
type Part struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Degraded bool   `json:"degraded,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// Status is what the console shows about the server.
type Status struct {
	Model     ModelStatus     `json:"model"`
	Embedder  ModelStatus     `json:"embedder"`
	Knowledge KnowledgeStatus `json:"knowledge"`
	Dev       bool            `json:"dev"`

	Deliveries *DeliveryStatus `json:"deliveries,omitempty"` // nil: nothing goes out, or it is not for whoever asks
}

// DeliveryStatus says how what goes out to chat tools is doing.
type DeliveryStatus struct {
	GivenUp int `json:"given_up"` // and not sent anew since
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
	Token     string       `json:"token"`
	Sub       string       `json:"sub"`
	Name      string       `json:"name"`
	Role      assist.Actor `json:"role"`
	Dev       bool         `json:"dev"`
	ExpiresAt time.Time    `json:"expires_at"` // of the token: ask again before
}

// Options wires the handlers. All fields but Session, SignIn, PanelLink, Widget and Storybook are needed.
type Options struct {
	Conversations Conversations
	Knowledge     Knowledge
	WS            http.Handler
	Hooks         map[string]http.Handler // by the chat tool's name; may be nil
	Deliveries    Deliveries              // nil: nothing goes out
	Pages         map[string]http.Handler // of chat tools, by ServeMux pattern; may be nil
	Metrics       http.Handler
	Verify        func(token string) (assist.Identity, error)
	Ready         func(context.Context) []Part
	Status        func(context.Context) (Status, error)
	// Session gives a token to whoever opens the console on this machine; nil
	// in production, where people sign in.
	Session   func() (Session, error)
	SignIn    SignIn                  // nil: nobody signs in with a provider
	PanelLink PanelLink               // nil: no chat tool links to /panel
	Guard     Guard                   // nil: nothing is erased or revoked over HTTP
	Widget    Widget                  // nil: there is no widget
	Origins   []string                // pages that may use the widget and the panel besides our own
	Proxies   []netip.Prefix          // who may say in X-Forwarded-For whose request it is; none: nobody
	Rate      func(assist.Actor) Rate // of requests, by subject; nil: no limit
	Storybook bool                    // serve /storybook
	Logger    *slog.Logger
}

// New makes the handler of the whole server.
func New(o Options) http.Handler {
	s := &server{Options: o, rates: rates{of: o.Rate}}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(r.method+" "+r.path, r.handler)
	}
	s.pages(mux)
	return s.known(mux)
}

type server struct {
	Options
	rates        rates
	unknownProxy sync.Once
}

type route struct {
	method, path string
	handler      http.Handler
}

// routes is the API; docs/openapi.yaml describes each, which a test holds.
func (s *server) routes() []route {
	return []route{
		{"GET", "/healthz", s.handle(s.healthz)},
		{"GET", "/readyz", s.handle(s.readyz)},
		{"GET", "/metrics", s.Metrics},
		{"GET", "/v1/ws", s.WS},
		{"GET", "/v1/session", s.handle(s.session)},
		{"DELETE", "/v1/session", s.handle(s.endSession)},
		{"GET", "/v1/signin", s.handle(s.signIn)},
		{"GET", "/v1/signin/callback", s.handle(s.signInCallback)},
		{"POST", "/v1/widget/session", s.handle(s.widgetSession)},
		{"OPTIONS", "/v1/widget/session", s.handle(s.widgetPreflight)},
		{"GET", "/v1/status", s.shared(s.handle(s.status))},
		{"OPTIONS", "/v1/status", s.handle(s.sharedPreflight)},
		{"GET", "/v1/conversations", s.handle(s.queue)},
		{"GET", "/v1/conversations/{id}", s.shared(s.handle(s.conversation))},
		{"OPTIONS", "/v1/conversations/{id}", s.handle(s.sharedPreflight)},
		{"POST", "/v1/conversations/{id}/turns", s.handle(s.addTurn)},
		{"GET", "/v1/suggestions/{id}", s.shared(s.handle(s.suggestion))},
		{"OPTIONS", "/v1/suggestions/{id}", s.handle(s.sharedPreflight)},
		{"POST", "/v1/hooks/{tool...}", s.handle(s.hook)},
		{"DELETE", "/v1/conversations/{id}", s.handle(s.eraseConversation)},
		{"DELETE", "/v1/customers/{id...}", s.handle(s.eraseCustomer)},
		{"POST", "/v1/revocations", s.handle(s.revoke)},
		{"GET", "/v1/deliveries", s.handle(s.deliveries)},
		{"POST", "/v1/deliveries/{id}/replay", s.handle(s.replayDelivery)},
		{"PUT", "/v1/documents/{id...}", s.handle(s.putDocument)},
		{"GET", "/v1/documents/{id...}", s.handle(s.document)},
		{"DELETE", "/v1/documents/{id...}", s.handle(s.deleteDocument)},
		{"POST", "/v1/search", s.handle(s.search)},
	}
}

// hook hands a delivery to the chat tool it is from.
func (s *server) hook(w http.ResponseWriter, r *http.Request) error {
	tool, _, _ := strings.Cut(r.PathValue("tool"), "/")
	h := s.Hooks[tool]
	if h == nil {
		return assist.Errorf(assist.NotFound, "no chat tool of this name is connected: `aside doctor` lists what is")
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hookTime)) // a test's recorder has none
	h.ServeHTTP(w, r)
	return nil
}

// hookTime is how long a delivery may take to arrive: who sends it is not known before.
const hookTime = 10 * time.Second

// known answers what no route takes with a problem document, as all errors are.
func (s *server) known(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		refusal := refusal{header: w.Header()}
		h.ServeHTTP(&refusal, r)
		switch refusal.status {
		case http.StatusNotFound:
			writeProblem(w, assist.Errorf(assist.NotFound, "there is nothing at this address: /docs lists what there is"))
		case http.StatusMethodNotAllowed:
			writeProblemStatus(w, refusal.status, assist.Errorf(assist.Invalid, "this address takes %s, not %s", w.Header().Get("Allow"), r.Method))
		default: // a redirect to the clean path
			mux.ServeHTTP(w, r)
		}
	})
}

// refusal keeps the status and the headers the mux refuses a request with, and
// drops its words.
type refusal struct {
	header http.Header
	status int
}

func (f *refusal) Header() http.Header         { return f.header }
func (f *refusal) WriteHeader(status int)      { f.status = status }
func (f *refusal) Write(b []byte) (int, error) { return len(b), nil }

// handle turns a returned error into a problem document and a log line. A
// handler that returns an error has written nothing.
func (s *server) handle(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.Logger.Error("handler panicked", "method", r.Method, "route", r.Pattern, "panic", p, "stack", string(debug.Stack()))
			writeProblem(w, assist.Errorf(assist.Internal, "something went wrong on our side; try again"))
		}()
		err := h(w, r)
		if err == nil {
			return
		}
		if assist.CodeOf(err) == assist.Internal && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
			// The client has gone, or the server is stopping or too slow. Saying
			// nothing would be a 200 to a client that is still there.
			err = assist.Wrap(err, assist.Unavailable, "the request was not finished in time; try again")
		}
		switch assist.CodeOf(err) {
		case assist.Internal:
			s.Logger.Error("request failed", "method", r.Method, "route", r.Pattern, "err", err)
		case assist.Unavailable:
			if r.Context().Err() == nil {
				s.Logger.Warn("request not served", "method", r.Method, "route", r.Pattern, "err", err)
			}
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
	status, ok := statuses[assist.CodeOf(err)]
	if !ok {
		status, err = http.StatusInternalServerError, assist.Wrap(err, assist.Internal, "something went wrong on our side; try again")
	}
	writeProblemStatus(w, status, err)
}

func writeProblemStatus(w http.ResponseWriter, status int, err error) {
	code := assist.CodeOf(err)
	if code == assist.Unauthenticated {
		w.Header().Set("WWW-Authenticate", `Bearer realm="aside"`)
	}
	body, merr := json.Marshal(problem{http.StatusText(status), status, assist.MessageOf(err), code})
	if merr != nil {
		body = []byte(`{"status":500}`)
	}
	write(w, status, "application/problem+json", body)
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	write(w, status, "application/json", body)
	return nil
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body) // the client may be gone; there is nobody left to tell
}

// readJSON decodes one JSON object of at most limit bytes.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, v any) error {
	body, err := readBody(w, r, limit)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) { // json would put replacement characters in silence
		return assist.Errorf(assist.Invalid, "the body is not valid UTF-8")
	}
	if b := bytes.TrimSpace(body); len(b) == 0 || b[0] != '{' {
		return assist.Errorf(assist.Invalid, "the body must be one JSON object")
	}
	if assist.TooDeep(body) {
		return assist.Errorf(assist.Invalid, "the body nests deeper than %d levels", assist.MaxDepth)
	}
	err = json.Unmarshal(body, v)
	var (
		syntax *json.SyntaxError
		kind   *json.UnmarshalTypeError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return assist.Wrap(err, assist.Invalid, "the body is not valid JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind):
		return assist.Wrap(err, assist.Invalid, "%s cannot be a JSON %s", cmp.Or(kind.Field, "the body"), kind.Value)
	}
	return assist.Wrap(err, assist.Invalid, "the body has a value that cannot be read: times must be RFC 3339, like 2026-11-22T10:00:00Z")
}

// bodyTime is how long a body may take: 20 MiB at 2 Mbit/s.
const bodyTime = 90 * time.Second

func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	wait := bodyTime
	if limit <= maxTurnBody {
		wait = 10 * time.Second
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(wait)) // a test's recorder has none
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
	who, err := s.Verify(token)
	if err == nil {
		err = s.rates.allow(who)
	}
	if err != nil {
		return assist.Identity{}, err
	}
	return who, nil
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
	}{status == http.StatusOK, append([]Part{}, parts...)})
}

// session gives a token to a browser that signed in, or to whoever opens the
// console on this machine while developing.
// The Host check keeps a foreign page that points its name at this machine from
// asking for a token, the others a foreign page's own request and a proxy that
// serves the world from this machine.
func (s *server) session(w http.ResponseWriter, r *http.Request) error {
	if ok, err := s.signedIn(w, r); ok || err != nil {
		return err
	}
	if s.SignIn != nil && s.Session == nil {
		return assist.Errorf(assist.Unauthenticated, "nobody is signed in here: open %s in a browser", signInPath)
	}
	if s.Session == nil || !loopback(r.Host) || !loopback(r.RemoteAddr) || foreign(r) || forwarded(r) {
		return assist.Errorf(assist.Unauthenticated, "sign in with a token: `aside token --role agent --name YOU` makes one")
	}
	session, err := s.Session()
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, session)
}

// foreign reports whether another page than one of ours asks.
func foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return false
	}
	return true
}

// forwarded reports whether a proxy passes the request on for somebody else.
func forwarded(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
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
	if _, err := s.operator(r); err != nil {
		status.Deliveries = nil // they may not see that page
	}
	return writeJSON(w, http.StatusOK, status)
}
