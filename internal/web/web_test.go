package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// actors are the tokens of the tests: each is its own name.
var actors = map[string]assist.Identity{
	"agent":      {Subject: "agent_ada", Actor: assist.ActorAgent, Name: "Ada"},
	"panel":      {Subject: "agent_bo", Actor: assist.ActorAgent, Conversation: "conv_1"},
	"customer":   {Subject: "cust_1", Actor: assist.ActorCustomer, Conversation: "conv_1"},
	"source":     {Subject: "libredesk", Actor: assist.ActorSource},
	"maintainer": {Subject: "ci", Actor: assist.ActorMaintainer},
}

func verify(token string) (assist.Identity, error) {
	if token == "expired" {
		return assist.Identity{}, assist.Errorf(assist.Unauthenticated, "the token has expired: get a new one")
	}
	who, ok := actors[token]
	if !ok {
		return who, assist.Errorf(assist.Unauthenticated, "the token was not signed by this server")
	}
	return who, nil
}

// conversations is a service that permits what the real one does and holds one
// conversation. Its fields replace an answer.
type conversations struct {
	err    error                 // of every call
	panics any                   // of every call
	events []assist.Event        // of conv_1
	added  *assist.NewTurn       // what AddTurn was given last
	calls  func(context.Context) // called by every call
}

func (f *conversations) enter(ctx context.Context, who assist.Identity, id string) error {
	if f.calls != nil {
		f.calls(ctx)
	}
	if f.panics != nil {
		panic(f.panics)
	}
	if f.err != nil {
		return f.err
	}
	if !who.MayRead(id) {
		return assist.Errorf(assist.Forbidden, "this token may not see this conversation")
	}
	if id != "conv_1" {
		return assist.Errorf(assist.NotFound, "there is no conversation %q", id)
	}
	return nil
}

func (f *conversations) AddTurn(ctx context.Context, who assist.Identity, n assist.NewTurn) (assist.Turn, error) {
	f.added = &n
	if err := f.enter(ctx, who, n.Conversation); err != nil && assist.CodeOf(err) != assist.NotFound { // the first turn makes it
		return assist.Turn{}, err
	}
	if who.Actor == assist.ActorAgent || who.Actor == assist.ActorCustomer && n.Role != assist.RoleCustomer {
		return assist.Turn{}, assist.Errorf(assist.Forbidden, "this token may not add this turn")
	}
	if err := n.Validate(); err != nil {
		return assist.Turn{}, err
	}
	return assist.Turn{Seq: 12, Role: n.Role, Text: n.Text, At: noon}, nil
}

func (f *conversations) Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error) {
	return conversation, f.enter(ctx, who, id)
}

var conversation = assist.Conversation{
	ID: "conv_1", Status: assist.StatusOpen, CustomerName: "Joyce", Agent: "secret_agent", AgentName: "Ada", LastSeq: 3,
	LastRole: assist.RoleAgent, Preview: "secret preview", WaitingSince: noon, CreatedAt: noon, UpdatedAt: noon,
	Handoff: &assist.Handoff{Code: assist.HandoffAsked, Reason: "secret sentence", Summary: "secret summary", At: noon}, Resolution: "secret resolution",
}

func (f *conversations) Queue(ctx context.Context, who assist.Identity) ([]assist.Conversation, error) {
	if who.Actor != assist.ActorAgent {
		return nil, assist.Errorf(assist.Forbidden, "only an agent may see the queue")
	}
	return []assist.Conversation{conversation}, f.enter(ctx, who, "conv_1")
}

func (f *conversations) Events(ctx context.Context, who assist.Identity, id string, after int64, limit int) ([]assist.Event, error) {
	if err := f.enter(ctx, who, id); err != nil {
		return nil, err
	}
	var out []assist.Event
	for _, e := range f.events {
		if e.Seq > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, nil
}

func (f *conversations) Suggestion(ctx context.Context, who assist.Identity, id string) (assist.Suggestion, error) {
	if id != "sug_1" {
		return assist.Suggestion{}, assist.Errorf(assist.NotFound, "there is no suggestion %q", id)
	}
	return suggestion, f.enter(ctx, assist.Identity{Actor: assist.ActorAgent}, "conv_1")
}

var suggestion = assist.Suggestion{
	ID: "sug_1", Conversation: "conv_1", ForSeq: 1, State: assist.SuggestionReady, Standing: assist.StandingReady,
	Question: assist.Question{Text: "where is it", Terms: []assist.Term{{Text: "where", Weight: 1}}},
	Hits: []assist.Hit{{
		Passage: assist.Passage{ID: "p_1", DocumentID: "d", Text: "secret passage", End: 14}, Title: "T", Kind: assist.KindPolicy,
		Audience: assist.AudienceInternal, Revision: "r", UpdatedAt: noon, Quote: "secret passage", Ranks: assist.Ranks{Lexical: 1, LexicalScore: 2},
	}},
	Draft:    &assist.Draft{Origin: assist.OriginModel, Text: "secret draft", Sentences: []assist.Sentence{{Text: "secret draft", Citations: []assist.Citation{{PassageID: "p_1"}}}}},
	Steps:    []assist.NextStep{{ID: "d/1", Kind: assist.StepAsk, Text: "secret step", State: assist.StepTodo}},
	Options:  []assist.Option{{ID: "o", Title: "secret option"}},
	Verdicts: []assist.Verdict{{Check: "supported", Outcome: assist.Pass, Sentence: -1, Reason: "fine"}},
	Prompt:   &assist.PromptRef{Name: "draft", Version: "v"}, Usage: assist.Usage{Prompt: 1}, CreatedAt: noon,
}

// history has one event of every kept type.
func history() []assist.Event {
	turn := func(seq int64, t assist.Turn) assist.Event {
		t.Seq, t.At = seq, noon
		return assist.TurnAdded("conv_1", t)
	}
	failed, abstained := suggestion, suggestion
	failed.State, abstained.State = assist.SuggestionFailed, assist.SuggestionAbstained
	return []assist.Event{
		turn(1, assist.Turn{Role: assist.RoleCustomer, Text: "open words", Author: "secret_author", ExternalID: "m-1"}),
		turn(2, assist.Turn{Role: assist.RoleSystem, Text: "secret action", Action: &assist.Action{Name: "secret-button"}}),
		assist.HandedOver("conv_1", 3, assist.Handoff{Code: assist.HandoffTaken, Reason: "secret_reason", Summary: "secret summary", To: "secret_agent", ToName: "Ada", At: noon}),
		assist.SuggestionDone(4, suggestion), assist.SuggestionDone(5, failed), assist.SuggestionDone(6, abstained),
		assist.NewEvent(assist.EventStepChanged, "conv_1", 7, assist.StepChange{StepID: "d/1", State: assist.StepDone, By: "secret_agent"}),
		turn(8, assist.Turn{Role: assist.RoleAgent, Name: "Ada", Text: "open reply", ExternalID: "secret_id", SuggestionID: "secret_suggestion"}),
		assist.NewEvent(assist.EventSuggestionOutcome, "conv_1", 9, assist.SuggestionOutcome{SuggestionID: "sug_1", State: assist.SuggestionEdited}),
		assist.Closed("conv_1", 10, "secret resolution", "secret_agent"),
	}
}

type knowledge struct {
	err   error
	query *SearchQuery
}

var document = assist.Document{ID: "policies/returns", Title: "Returns", Kind: assist.KindPolicy, Audience: assist.AudiencePublic,
	Language: "en", Path: "secret/path.md", Revision: "r", Body: "Thirty days.", UpdatedAt: noon, Passages: make([]assist.Passage, 2)}

func (f *knowledge) Put(_ context.Context, id, mediaType string, body []byte) (assist.Document, assist.Change, error) {
	if f.err != nil {
		return assist.Document{}, "", f.err
	}
	if mediaType != "text/markdown" {
		return assist.Document{}, "", assist.Errorf(assist.Invalid, "documents of type %s are not understood", mediaType)
	}
	if id == "policies/returns" {
		return document, assist.Changed, nil
	}
	return document, assist.Added, nil
}

func (f *knowledge) Document(_ context.Context, audience assist.Audience, id string) (assist.Document, error) {
	d := document
	switch id {
	case "policies/returns":
	case "internal":
		d.ID, d.Audience = id, assist.AudienceInternal
	default:
		return d, assist.Errorf(assist.NotFound, "there is no document %q", id)
	}
	if d.Audience == assist.AudienceInternal && audience != assist.AudienceInternal {
		return d, assist.Errorf(assist.NotFound, "there is no document %q", id)
	}
	return d, f.err
}

func (f *knowledge) Delete(_ context.Context, id string) error {
	if id != "policies/returns" {
		return assist.Errorf(assist.NotFound, "there is no document %q", id)
	}
	return f.err
}

func (f *knowledge) Search(_ context.Context, q SearchQuery) (SearchResult, error) {
	f.query = &q
	return SearchResult{TookMS: 1, Hits: []SearchHit{{DocumentID: "d", PassageID: "p_1", Title: "T", Audience: q.Audience, Quote: "Thirty days."}}}, f.err
}

// world is a server with fakes behind it.
type world struct {
	http.Handler
	conversations conversations
	knowledge     knowledge
	parts         []Part
	log           bytes.Buffer
}

func newWorld(change ...func(*Options)) *world {
	w := &world{parts: []Part{{Name: "database", OK: true}}}
	w.conversations.events = history()
	o := Options{
		Conversations: &w.conversations,
		Knowledge:     &w.knowledge,
		WS:            http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }),
		Metrics:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "aside_up 1\n") }),
		Verify:        verify,
		Ready:         func(context.Context) []Part { return w.parts },
		Status: func(context.Context) (Status, error) {
			return Status{Model: ModelStatus{State: "none"}, Embedder: ModelStatus{State: "none"}, Deliveries: &DeliveryStatus{GivenUp: 3}}, nil
		},
		Session: func() (Session, error) {
			return Session{Token: "t", Sub: "agent_ada", Name: "Ada", Role: assist.ActorAgent, Dev: true}, nil
		},
		Deliveries: oneDelivery{},
		Hooks: map[string]http.Handler{"tool": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/hooks/tool" && r.URL.Path != "/v1/hooks/tool/below" {
				w.WriteHeader(http.StatusTeapot)
			}
			w.WriteHeader(http.StatusAccepted)
		})},
		SignIn:  provider{},
		Guard:   guard{},
		Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Widget:  openDoor{},
		Origins: []string{"https://shop.example"},
		Logger:  slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	for _, c := range change {
		c(&o)
	}
	w.Handler = New(o)
	return w
}

// provider signs everyone in, until it is asked about the session "ended".
type provider struct{}

func (provider) Begin(context.Context) (string, string, error) {
	return "https://login.example/authorize", "pending", nil
}

func (provider) Finish(_ context.Context, pending, state, code string) (string, time.Duration, error) {
	if pending == "" || state == "" || code == "" {
		return "", 0, assist.Errorf(assist.Invalid, "not begun in this browser")
	}
	return "session", time.Hour, nil
}

func (provider) Token(_ context.Context, session string) (Session, error) {
	if session == "ended" {
		return Session{}, assist.Errorf(assist.Unauthenticated, "your session has ended")
	}
	return Session{Token: "t", Sub: "agent_ada", Role: assist.ActorAgent, ExpiresAt: noon}, nil
}

func (provider) End(context.Context, string) (string, error) { return "https://login.example/end", nil }
func (provider) Secure() bool                                { return true }

// TestCookies: no script and no other site gets at them, and they end.
func TestCookies(t *testing.T) {
	w := newWorld(func(o *Options) { o.Session = nil })
	cookie := func(rec *httptest.ResponseRecorder, name string) *http.Cookie {
		t.Helper()
		for _, c := range rec.Result().Cookies() {
			if c.Name == "__Host-aside-"+name {
				if !c.HttpOnly || !c.Secure || c.Path != "/" || c.Domain != "" {
					t.Errorf("cookie %s", c)
				}
				return c
			}
		}
		t.Fatalf("no cookie %s in %v", name, rec.Header())
		return nil
	}
	rec := w.do(request{method: "GET", path: "/v1/signin"})
	if c := cookie(rec, "signin"); rec.Code != 303 || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
		t.Errorf("%d %v", rec.Code, c)
	}
	rec = w.do(request{method: "GET", path: "/v1/signin/callback?state=s&code=c", header: map[string]string{"Cookie": "__Host-aside-signin=pending"}})
	if c := cookie(rec, "session"); rec.Header().Get("Location") != "/" || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 3600 || cookie(rec, "signin").MaxAge >= 0 {
		t.Errorf("%v %v", rec.Header(), c)
	}
	rec = w.do(request{method: "GET", path: "/v1/signin/callback?state=s&code=c"})
	if !strings.HasPrefix(rec.Header().Get("Location"), "/#sign-in=") || len(rec.Result().Cookies()) != 1 {
		t.Errorf("without its cookie: %v", rec.Header())
	}
	signed := map[string]string{"Cookie": "__Host-aside-session=session"}
	if rec = w.do(request{method: "GET", path: "/v1/session", header: signed}); rec.Code != 200 || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
	for _, site := range []string{"cross-site", "same-site"} {
		signed["Sec-Fetch-Site"] = site
		for method, want := range map[string]int{"GET": 401, "DELETE": 403} {
			if rec = w.do(request{method: method, path: "/v1/session", header: signed}); rec.Code != want {
				t.Errorf("%s by a page of another site (%s): %d", method, site, rec.Code)
			}
		}
	}
	rec = w.do(request{method: "GET", path: "/v1/session", header: map[string]string{"Cookie": "__Host-aside-session=ended"}})
	if rec.Code != 401 || cookie(rec, "session").MaxAge >= 0 {
		t.Errorf("an ended session: %d %v", rec.Code, rec.Header())
	}
}

// TestPanelPage: who may frame it, and that a tool's link leaves nothing behind.
func TestPanelPage(t *testing.T) {
	w := newWorld(func(o *Options) {
		o.Origins = []string{"https://tool.example", `https://evil.example;script-src *`, `https://x.example"><script>`}
		o.PanelLink = func(_ context.Context, q url.Values) (assist.Identity, string, error) {
			if q.Get("ctx") != "good" {
				return assist.Identity{}, "", assist.Errorf(assist.Unauthenticated, "the link has expired")
			}
			return assist.Identity{Conversation: "conv 1"}, "tok&en", nil
		}
	})
	rec := w.do(request{method: "GET", path: "/panel"})
	if p := rec.Header().Get("Content-Security-Policy"); !strings.HasSuffix(p, "frame-ancestors 'self' https://tool.example") || strings.Contains(rec.Body.String(), "evil") || strings.Contains(rec.Body.String(), "<script>") {
		t.Errorf("%s\n%s", p, rec.Body)
	}
	if !strings.Contains(rec.Body.String(), `content="https://tool.example"`) {
		t.Errorf("the page does not know its hosts: %s", rec.Body)
	}
	for query, want := range map[string]string{
		"ctx=good":   "/panel#conversation=conv+1&token=tok%26en",
		"ctx=bad":    "/panel#error=the+link+has+expired",
		"token=leak": "/panel#error=the+link+has+expired",
	} {
		rec := w.do(request{method: "GET", path: "/panel?" + query})
		if rec.Code != 303 || rec.Header().Get("Location") != want || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v", query, rec.Code, rec.Header())
		}
	}
}

// TestOrigins: whom a browser lets read what the panel asks for.
func TestOrigins(t *testing.T) {
	w := newWorld()
	for _, path := range []string{"/v1/status", "/v1/conversations/conv_1", "/v1/suggestions/sug_1"} {
		for origin, allowed := range map[string]bool{"https://shop.example": true, "https://evil.example": false, "null": false, "https://shop.example.evil.example": false} {
			rec := w.do(request{method: "GET", path: path, token: "agent", header: map[string]string{"Origin": origin}})
			if got := rec.Header().Get("Access-Control-Allow-Origin"); (got == origin) != allowed || got != "" && !allowed || rec.Header().Get("Access-Control-Allow-Credentials") != "" || rec.Header().Get("Vary") != "Origin" {
				t.Errorf("%s for %s: %v", path, origin, rec.Header())
			}
			pre := w.do(request{method: "OPTIONS", path: path, header: map[string]string{"Origin": origin, "Access-Control-Request-Headers": "authorization"}})
			if (pre.Code == 204) != allowed {
				t.Errorf("OPTIONS %s for %s: %d", path, origin, pre.Code)
			}
		}
	}
	// Nothing else answers to other origins.
	for _, path := range []string{"/v1/conversations", "/v1/session", "/v1/documents/policies/returns"} {
		if rec := w.do(request{method: "GET", path: path, token: "agent", header: map[string]string{"Origin": "https://shop.example"}}); rec.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s may be read by other origins", path)
		}
	}
}

// TestConfinedAgent: a token for one conversation opens no other, nor the queue,
// nor the knowledge.
func TestConfinedAgent(t *testing.T) {
	for path, want := range map[string]int{
		"GET /v1/conversations/conv_1": 200, "GET /v1/conversations/conv_2": 403, "GET /v1/status": 200,
		"GET /v1/documents/policies/returns": 403, "POST /v1/search": 403,
	} {
		method, path, _ := strings.Cut(path, " ")
		if rec := newWorld().do(request{method: method, path: path, token: "panel", body: `{"text":"returns"}`}); rec.Code != want {
			t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
		}
	}
	for token, told := range map[string]bool{"agent": true, "panel": false} { // how deliveries do is for those who may see their page
		if rec := newWorld().do(request{path: "/v1/status", token: token}); strings.Contains(rec.Body.String(), `"given_up":3`) != told {
			t.Errorf("%s: %s", token, rec.Body)
		}
	}
}

// guard knows conv_1 and one customer.
type guard struct{}

func (guard) EraseConversation(_ context.Context, _ assist.Identity, id string) error {
	if id != "conv_1" {
		return assist.Errorf(assist.NotFound, "there is no conversation %q", id)
	}
	return nil
}

func (guard) EraseCustomer(context.Context, assist.Identity, string) error { return nil }

func (guard) Revoke(context.Context, assist.Identity, assist.RevocationKind, string) error {
	return nil
}

// openDoor lets every customer in but the one whose address is 192.0.2.9.
type openDoor struct{}

func (openDoor) Session(_ context.Context, r WidgetRequest) (WidgetSession, time.Duration, error) {
	if r.Address == "192.0.2.9" {
		return WidgetSession{}, 90 * time.Second, assist.Errorf(assist.RateLimited, "too many")
	}
	return WidgetSession{Conversation: "web_1", Token: "t", ExpiresAt: noon, Mode: "answer", Name: r.Address, Open: true}, 0, nil
}

// request is a call: "" for the token is none.
type request struct {
	method, path, token, body string
	header                    map[string]string
}

func (w *world) do(r request) *httptest.ResponseRecorder {
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	req.Host, req.RemoteAddr = "localhost:7400", "127.0.0.1:50000"
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, req)
	return rec
}

const (
	customerTurn = `{"id":"c-1","role":"customer","text":"hello"}`
	agentTurn    = `{"id":"c-1","role":"agent","text":"hello"}`
)

var markdown = map[string]string{"Content-Type": "text/markdown; charset=utf-8"}

// matrix says what each actor gets on each route.
var matrix = []struct {
	route string // as in web.go, to see that none is forgotten
	request
	agent, customer, source, maintainer, none, expired int
}{
	{"GET /healthz", request{path: "/healthz"}, 200, 200, 200, 200, 200, 200},
	{"GET /readyz", request{path: "/readyz"}, 200, 200, 200, 200, 200, 200},
	{"GET /metrics", request{path: "/metrics"}, 200, 200, 200, 200, 200, 200},
	{"GET /v1/ws", request{path: "/v1/ws"}, 101, 101, 101, 101, 101, 101}, // its own handler says who
	{"GET /v1/session", request{path: "/v1/session"}, 200, 200, 200, 200, 200, 200},
	{"DELETE /v1/session", request{path: "/v1/session"}, 200, 200, 200, 200, 200, 200},
	{"GET /v1/signin", request{path: "/v1/signin"}, 303, 303, 303, 303, 303, 303},
	{"GET /v1/signin/callback", request{path: "/v1/signin/callback"}, 303, 303, 303, 303, 303, 303},
	{"OPTIONS /v1/status", request{path: "/v1/status"}, 204, 204, 204, 204, 204, 204},
	{"OPTIONS /v1/conversations/{id}", request{path: "/v1/conversations/conv_1"}, 204, 204, 204, 204, 204, 204},
	{"OPTIONS /v1/suggestions/{id}", request{path: "/v1/suggestions/sug_1"}, 204, 204, 204, 204, 204, 204},
	{"POST /v1/widget/session", request{path: "/v1/widget/session", body: `{}`}, 200, 200, 200, 200, 200, 200},
	{"OPTIONS /v1/widget/session", request{path: "/v1/widget/session"}, 204, 204, 204, 204, 204, 204},
	{"GET /v1/status", request{path: "/v1/status"}, 200, 403, 403, 200, 401, 401},
	{"GET /v1/conversations", request{path: "/v1/conversations"}, 200, 403, 403, 403, 401, 401},
	{"GET /v1/conversations/{id}", request{path: "/v1/conversations/conv_1"}, 200, 200, 200, 403, 401, 401},
	{"GET /v1/conversations/{id}", request{path: "/v1/conversations/conv_2"}, 404, 403, 404, 403, 401, 401},
	{"POST /v1/conversations/{id}/turns", request{path: "/v1/conversations/conv_1/turns", body: customerTurn}, 403, 201, 201, 403, 401, 401},
	{"POST /v1/conversations/{id}/turns", request{path: "/v1/conversations/conv_1/turns", body: agentTurn}, 403, 403, 201, 403, 401, 401},
	{"POST /v1/conversations/{id}/turns", request{path: "/v1/conversations/conv_2/turns", body: customerTurn}, 403, 403, 201, 403, 401, 401},
	{"GET /v1/suggestions/{id}", request{path: "/v1/suggestions/sug_1"}, 200, 403, 403, 200, 401, 401},
	{"GET /v1/suggestions/{id}", request{path: "/v1/suggestions/sug_2"}, 404, 403, 403, 404, 401, 401},
	{"GET /v1/deliveries", request{path: "/v1/deliveries?state=dead"}, 200, 403, 403, 200, 401, 401},
	{"GET /v1/deliveries", request{path: "/v1/deliveries?state=lost"}, 400, 403, 403, 400, 401, 401},
	{"POST /v1/deliveries/{id}/replay", request{path: "/v1/deliveries/dlv_1/replay"}, 200, 403, 403, 200, 401, 401},
	{"POST /v1/deliveries/{id}/replay", request{path: "/v1/deliveries/dlv_2/replay"}, 404, 403, 403, 404, 401, 401},
	{"POST /v1/hooks/{tool...}", request{path: "/v1/hooks/tool"}, 202, 202, 202, 202, 202, 202}, // its own handler says who
	{"POST /v1/hooks/{tool...}", request{path: "/v1/hooks/tool/below"}, 202, 202, 202, 202, 202, 202},
	{"POST /v1/hooks/{tool...}", request{path: "/v1/hooks/another"}, 404, 404, 404, 404, 404, 404},
	{"PUT /v1/documents/{id...}", request{path: "/v1/documents/policies/returns", body: "# R", header: markdown}, 403, 403, 403, 200, 401, 401},
	{"PUT /v1/documents/{id...}", request{path: "/v1/documents/new", body: "# R", header: markdown}, 403, 403, 403, 201, 401, 401},
	{"GET /v1/documents/{id...}", request{path: "/v1/documents/policies/returns"}, 200, 200, 200, 200, 401, 401},
	{"GET /v1/documents/{id...}", request{path: "/v1/documents/internal"}, 200, 404, 200, 200, 401, 401},
	{"GET /v1/documents/{id...}", request{path: "/v1/documents/nothing"}, 404, 404, 404, 404, 401, 401},
	{"DELETE /v1/documents/{id...}", request{path: "/v1/documents/policies/returns"}, 403, 403, 403, 204, 401, 401},
	{"DELETE /v1/documents/{id...}", request{path: "/v1/documents/nothing"}, 403, 403, 403, 404, 401, 401},
	{"DELETE /v1/conversations/{id}", request{path: "/v1/conversations/conv_1"}, 403, 403, 403, 204, 401, 401},
	{"DELETE /v1/conversations/{id}", request{path: "/v1/conversations/conv_2"}, 403, 403, 403, 404, 401, 401},
	{"DELETE /v1/customers/{id...}", request{path: "/v1/customers/tool/4711"}, 403, 403, 403, 204, 401, 401},
	{"POST /v1/revocations", request{path: "/v1/revocations", body: `{"subject":"ada"}`}, 403, 403, 403, 204, 401, 401},
	{"POST /v1/revocations", request{path: "/v1/revocations", body: `{"subject":"ada","token_id":"x"}`}, 403, 403, 403, 400, 401, 401},
	{"POST /v1/search", request{path: "/v1/search", body: `{"text":"returns"}`}, 200, 200, 200, 200, 401, 401},
	{"POST /v1/search", request{path: "/v1/search", body: `{"text":"returns","audience":"public"}`}, 200, 200, 200, 200, 401, 401},
	{"POST /v1/search", request{path: "/v1/search", body: `{"text":"returns","audience":"internal"}`}, 200, 403, 200, 200, 401, 401},
}

func TestWhoMayDoWhat(t *testing.T) {
	conform := newConformer(t)
	tested := map[string]bool{}
	for _, m := range matrix {
		tested[m.route] = true
		m.method, _, _ = strings.Cut(m.route, " ")
		for token, want := range map[string]int{"agent": m.agent, "customer": m.customer, "source": m.source,
			"maintainer": m.maintainer, "": m.none, "expired": m.expired} {
			m.token = token
			rec := newWorld().do(m.request)
			if rec.Code != want {
				t.Errorf("%s %s %s as %q: %d, want %d: %s", m.method, m.path, m.body, token, rec.Code, want, rec.Body)
			}
			conform(m.route, rec)
		}
	}
	for _, r := range (&server{}).routes() {
		if !tested[r.method+" "+r.path] {
			t.Errorf("%s %s is not in the matrix", r.method, r.path)
		}
	}
}

// newConformer gives a check that an answer is one docs/openapi.yaml describes.
func newConformer(t *testing.T) func(route string, rec *httptest.ResponseRecorder) {
	api := loadYAML(t, "openapi.yaml")
	compiled := map[string]*jsonschema.Resolved{}
	return func(route string, rec *httptest.ResponseRecorder) {
		t.Helper()
		method, path, _ := strings.Cut(strings.ReplaceAll(route, "...}", "}"), " ")
		answer := at(t, api, "paths", path, strings.ToLower(method), "responses", fmt.Sprint(rec.Code)).(node)
		if ref, ok := answer["$ref"].(string); ok {
			answer = at(t, api, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(node)
		}
		content, ok := answer["content"].(node)
		if !ok {
			if rec.Body.Len() > 0 && method+path != "GET/v1/ws" {
				t.Errorf("%s: %d has a body that openapi.yaml does not describe: %s", route, rec.Code, rec.Body)
			}
			return
		}
		mediaType, _, _ := strings.Cut(rec.Header().Get("Content-Type"), ";")
		schema := at(t, content, cmp.Or(mediaType, "text/plain"), "schema")
		if !strings.HasSuffix(mediaType, "json") {
			return
		}
		key := route + fmt.Sprint(rec.Code)
		if compiled[key] == nil {
			compiled[key] = compile(t, schema)
		}
		var body any
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v: %s", route, err, rec.Body)
		}
		if err := compiled[key].Validate(body); err != nil {
			t.Errorf("%s: the answer is not as openapi.yaml says: %v\n%s", route, err, rec.Body)
		}
		if rec.Header().Get("X-Content-Type-Options") != "nosniff" || rec.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: may be cached or sniffed: %v", route, rec.Header())
		}
	}
}

// TestProblems holds the words of every refusal.
func TestProblems(t *testing.T) {
	turns, search := "/v1/conversations/conv_1/turns", "/v1/search"
	cases := []struct {
		name string
		request
		change func(*world)
	}{
		{"no token", request{method: "GET", path: "/v1/conversations"}, nil},
		{"basic auth", request{method: "GET", path: "/v1/conversations", header: map[string]string{"Authorization": "Basic YTpi"}}, nil},
		{"token in the address", request{method: "GET", path: "/v1/conversations?token=agent&access_token=agent"}, nil},
		{"expired", request{method: "GET", path: "/v1/conversations", token: "expired"}, nil},
		{"forged", request{method: "GET", path: "/v1/conversations", token: "forged"}, nil},
		{"unknown address", request{method: "GET", path: "/v1/nothing", token: "agent"}, nil},
		{"unknown method", request{method: "PATCH", path: "/v1/conversations/conv_1", token: "agent"}, nil},
		{"search by GET", request{method: "GET", path: search, token: "agent"}, nil},
		{"after is not a number", request{method: "GET", path: "/v1/conversations/conv_1?after=x", token: "agent"}, nil},
		{"after is negative", request{method: "GET", path: "/v1/conversations/conv_1?after=-1", token: "agent"}, nil},
		{"after is too great", request{method: "GET", path: "/v1/conversations/conv_1?after=9223372036854775808", token: "agent"}, nil},
		{"conversation with NUL", request{method: "GET", path: "/v1/conversations/a%00b", token: "agent"}, nil},
		{"conversation of bad UTF-8", request{method: "GET", path: "/v1/conversations/a%ffb", token: "agent"}, nil},
		{"conversation too long", request{method: "GET", path: "/v1/conversations/" + strings.Repeat("a", 201), token: "agent"}, nil},
		{"suggestion with NUL", request{method: "GET", path: "/v1/suggestions/a%00b", token: "agent"}, nil},
		{"turn without body", request{method: "POST", path: turns, token: "source"}, nil},
		{"turn is no JSON", request{method: "POST", path: turns, token: "source", body: `{"role":`}, nil},
		{"turn is a list", request{method: "POST", path: turns, token: "source", body: `[` + customerTurn + `]`}, nil},
		{"turn is null", request{method: "POST", path: turns, token: "source", body: `null`}, nil},
		{"two turns", request{method: "POST", path: turns, token: "source", body: customerTurn + customerTurn}, nil},
		{"turn sent as a form", request{method: "POST", path: turns, token: "source", body: "role=customer&text=hi", header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}, nil},
		{"text is a number", request{method: "POST", path: turns, token: "source", body: `{"id":"1","role":"customer","text":5}`}, nil},
		{"time is malformed", request{method: "POST", path: turns, token: "source", body: `{"id":"1","role":"customer","text":"hi","at":"yesterday"}`}, nil},
		{"turn of bad UTF-8", request{method: "POST", path: turns, token: "source", body: "{\"id\":\"1\",\"role\":\"customer\",\"text\":\"a\xffb\"}"}, nil},
		{"text too long", request{method: "POST", path: turns, token: "source", body: `{"id":"1","role":"customer","text":"` + strings.Repeat("ä", 8001) + `"}`}, nil},
		{"text with NUL", request{method: "POST", path: turns, token: "source", body: `{"id":"1","role":"customer","text":"a\u0000b"}`}, nil},
		{"turn without id", request{method: "POST", path: turns, token: "source", body: `{"role":"customer","text":"hi"}`}, nil},
		{"turn too large", request{method: "POST", path: turns, token: "source", body: `{"text":"` + strings.Repeat("a", maxTurnBody) + `"}`}, nil},
		{"deep JSON", request{method: "POST", path: turns, token: "source", body: `{"action":` + strings.Repeat("[", 20000)}, nil},
		{"id used before", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = fmt.Errorf("add turn in conv_1: %w", assist.Errorf(assist.Conflict, "id %q was already used for another message in this conversation", "c-1"))
		}},
		{"too many", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = assist.Errorf(assist.RateLimited, "too many messages: at most 20 in a second")
		}},
		{"database down", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = assist.Wrap(errors.New("dial 10.0.0.7:5432: secret"), assist.Unavailable, "the database does not answer; try again")
		}},
		{"unforeseen", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = errors.New("dial 10.0.0.7:5432: secret")
		}},
		{"unknown code", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = assist.Errorf("teapot", "secret")
		}},
		{"panic", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) { w.conversations.panics = "secret" }},
		{"cut off", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = fmt.Errorf("add turn: %w", context.Canceled)
		}},
		{"too slow", request{method: "POST", path: turns, token: "source", body: customerTurn}, func(w *world) {
			w.conversations.err = fmt.Errorf("add turn: %w", context.DeadlineExceeded)
		}},
		{"search for nothing", request{method: "POST", path: search, token: "agent", body: `{"text":" "}`}, nil},
		{"search with k negative", request{method: "POST", path: search, token: "agent", body: `{"text":"a","k":-1}`}, nil},
		{"search with k too great", request{method: "POST", path: search, token: "agent", body: `{"text":"a","k":51}`}, nil},
		{"search with k broken", request{method: "POST", path: search, token: "agent", body: `{"text":"a","k":1.5}`}, nil},
		{"search as nobody knows", request{method: "POST", path: search, token: "agent", body: `{"text":"a","audience":"all"}`}, nil},
		{"search as an agent by a customer", request{method: "POST", path: search, token: "customer", body: `{"text":"a","audience":"internal"}`}, nil},
		{"search in other letters by a customer", request{method: "POST", path: search, token: "customer", body: `{"text":"a","audience":"public","AUDIENCE":"internal"}`}, nil},
		{"document without type", request{method: "PUT", path: "/v1/documents/a", token: "maintainer", body: "# A"}, nil},
		{"document of a type unknown", request{method: "PUT", path: "/v1/documents/a", token: "maintainer", body: "MZ", header: map[string]string{"Content-Type": "application/x-msdownload"}}, nil},
		{"document too large", request{method: "PUT", path: "/v1/documents/a", token: "maintainer", body: strings.Repeat("a", maxDocumentBody+1), header: markdown}, nil},
		{"document without id", request{method: "PUT", path: "/v1/documents/", token: "maintainer", body: "# A", header: markdown}, nil},
		{"document id with NUL", request{method: "DELETE", path: "/v1/documents/a%00b", token: "maintainer"}, nil},
		{"document id too long", request{method: "GET", path: "/v1/documents/" + strings.Repeat("a", 1001), token: "agent"}, nil},
	}
	var out bytes.Buffer
	for _, c := range cases {
		w := newWorld()
		if c.change != nil {
			c.change(w)
		}
		rec := w.do(c.request)
		fmt.Fprintf(&out, "%s\n  %d %s\n", c.name, rec.Code, rec.Body)
		var p problem
		if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || rec.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: not a problem document: %s %s", c.name, rec.Header().Get("Content-Type"), rec.Body)
		}
		if p.Status != rec.Code || p.Detail == "" || p.Code == "" {
			t.Errorf("%s: status %d, document %+v", c.name, rec.Code, p)
		}
		if strings.Contains(rec.Body.String(), "secret") {
			t.Errorf("%s leaks: %s", c.name, rec.Body)
		}
		if got := rec.Header().Get("WWW-Authenticate") != ""; got != (rec.Code == 401) {
			t.Errorf("%s: WWW-Authenticate is %q", c.name, rec.Header().Get("WWW-Authenticate"))
		}
	}
	const golden = "testdata/problems.golden"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(string(want), out.String()); d != "" {
		t.Errorf("%s differs; if that is meant, run go test -update:\n%s", golden, d)
	}
}

func TestAllowIsNamed(t *testing.T) {
	rec := newWorld().do(request{method: "POST", path: "/v1/documents/a", token: "maintainer"})
	if got := rec.Header().Get("Allow"); rec.Code != 405 || got != "DELETE, GET, HEAD, PUT" {
		t.Errorf("%d, Allow %q", rec.Code, got)
	}
}

// TestUncleanPath holds that what the router cleans is still found.
func TestUncleanPath(t *testing.T) {
	rec := newWorld().do(request{method: "GET", path: "/v1//status", token: "agent"})
	if rec.Code != http.StatusTemporaryRedirect && rec.Code != http.StatusMovedPermanently || rec.Header().Get("Location") != "/v1/status" {
		t.Errorf("%d to %q", rec.Code, rec.Header().Get("Location"))
	}
}

func TestLogHasTheCause(t *testing.T) {
	turn := request{method: "POST", path: "/v1/conversations/conv_1/turns", token: "source", body: `{"id":"c-1","role":"customer","text":"my private words"}`}
	for name, c := range map[string]struct {
		change func(*world)
		want   string
	}{
		"panic":       {func(w *world) { w.conversations.panics = "the cause" }, "the cause"},
		"unforeseen":  {func(w *world) { w.conversations.err = errors.New("the cause") }, "the cause"},
		"unavailable": {func(w *world) { w.conversations.err = assist.Wrap(errors.New("the cause"), assist.Unavailable, "down") }, "the cause"},
		"invalid":     {func(w *world) { w.conversations.err = assist.Errorf(assist.Invalid, "the cause") }, ""},
	} {
		w := newWorld()
		c.change(w)
		w.do(turn)
		log := w.log.String()
		if c.want == "" && log != "" || !strings.Contains(log, c.want) {
			t.Errorf("%s: the log says %q", name, log)
		}
		if strings.Contains(log, "private") || strings.Contains(log, "Bearer") {
			t.Errorf("%s: the log has text: %s", name, log)
		}
	}
}

func TestAbortedHandlerStaysAborted(t *testing.T) {
	w := newWorld()
	w.conversations.panics = http.ErrAbortHandler
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	w.do(request{method: "GET", path: "/v1/conversations/conv_1", token: "agent"})
}

// TestClientGone holds that a client who goes away is no news for the log.
func TestClientGone(t *testing.T) {
	w := newWorld()
	ctx, cancel := context.WithCancel(context.Background())
	w.conversations.calls = func(ctx context.Context) { cancel(); w.conversations.err = ctx.Err() }
	req := httptest.NewRequestWithContext(ctx, "GET", "/v1/conversations/conv_1", nil)
	req.Header.Set("Authorization", "Bearer agent")
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, req)
	if rec.Code == http.StatusOK || w.log.Len() > 0 {
		t.Errorf("%d, log %q", rec.Code, w.log.String())
	}
}

type answer struct {
	Conversation map[string]any `json:"conversation"`
	Events       []eventBody    `json:"events"`
	After        int64          `json:"after"`
	More         bool           `json:"more"`
}

func ask(t *testing.T, w *world, token, path string) answer {
	t.Helper()
	rec := w.do(request{method: "GET", path: path, token: token})
	var a answer
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != 200 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	return a
}

func TestCustomerSeesPublicOnly(t *testing.T) {
	w := newWorld()
	rec := w.do(request{method: "GET", path: "/v1/conversations/conv_1", token: "customer"})
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("a customer sees %s", rec.Body)
	}
	a := ask(t, w, "customer", "/v1/conversations/conv_1")
	var types []string
	for _, e := range a.Events {
		types = append(types, fmt.Sprintf("%d %s", e.Seq, e.Type))
	}
	if d := gocmp.Diff([]string{"1 turn.added", "3 handoff", "8 turn.added", "10 conversation.closed"}, types); d != "" {
		t.Error(d)
	}
	if d := gocmp.Diff(map[string]any{"id": "conv_1", "status": "open", "last_seq": 3.0, "agent_name": "Ada"}, a.Conversation); d != "" {
		t.Error(d)
	}
	rec = w.do(request{method: "GET", path: "/v1/documents/policies/returns", token: "customer"})
	if strings.Contains(rec.Body.String(), "secret") {
		t.Errorf("a customer sees %s", rec.Body)
	}
	if got := len(ask(t, w, "agent", "/v1/conversations/conv_1").Events); got != len(history()) {
		t.Errorf("an agent sees %d events", got)
	}
}

// TestPaging holds that asking with the answer's after comes to an end and
// misses nothing, also where a whole page is not for the customer.
func TestPaging(t *testing.T) {
	w := newWorld()
	w.conversations.events = nil
	for seq := int64(1); seq <= 2*pageOfEvents+10; seq++ {
		e := assist.NewEvent(assist.EventStepChanged, "conv_1", seq, assist.StepChange{StepID: "d/1", State: assist.StepDone})
		if seq%(pageOfEvents+5) == 0 {
			e = assist.TurnAdded("conv_1", assist.Turn{Seq: seq, Role: assist.RoleCustomer, Text: "hi", At: noon})
		}
		w.conversations.events = append(w.conversations.events, e)
	}
	for token, want := range map[string]int{"agent": 2*pageOfEvents + 10, "customer": 2} {
		var after int64
		seen := map[int64]bool{}
		for pages := 0; ; pages++ {
			a := ask(t, w, token, fmt.Sprintf("/v1/conversations/conv_1?after=%d", after))
			for _, e := range a.Events {
				seen[e.Seq] = true
			}
			if a.More && a.After <= after || pages > 5 {
				t.Fatalf("%s: page %d leads from %d to %d", token, pages, after, a.After)
			}
			after = a.After
			if !a.More {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("%s saw %d events, want %d", token, len(seen), want)
		}
	}
	if a := ask(t, w, "agent", "/v1/conversations/conv_1?after=5000"); a.After != 5000 || a.Events == nil {
		t.Errorf("past the end: %+v", a)
	}
}

func TestTurnArrivesWhole(t *testing.T) {
	w := newWorld()
	body := `{"role":"system","name":"Joyce","text":"x","external_id":"m-81","at":"2026-11-22T10:00:00Z","action":{"name":"pull-up","values":["a"]},"unknown":1}`
	rec := w.do(request{method: "POST", path: "/v1/conversations/conv_1/turns", token: "source", body: body, header: map[string]string{"Idempotency-Key": "k-1"}})
	if rec.Code != 201 || rec.Body.String() != `{"seq":12}` {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	want := &assist.NewTurn{Conversation: "conv_1", ClientID: "k-1", Role: "system", Name: "Joyce", Text: "x", ExternalID: "m-81",
		At: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC), Action: &assist.Action{Name: "pull-up", Values: []string{"a"}}}
	if d := gocmp.Diff(want, w.conversations.added); d != "" {
		t.Error(d)
	}
	w.do(request{method: "POST", path: "/v1/conversations/conv_1/turns", token: "source", body: customerTurn, header: map[string]string{"Idempotency-Key": "k-1"}})
	if got := w.conversations.added.ClientID; got != "c-1" {
		t.Errorf("the body's id gives way to the header's: %q", got)
	}
}

// TestLongestTurn holds that the longest text there may be fits the body.
func TestLongestTurn(t *testing.T) {
	for name, text := range map[string]string{"four bytes": strings.Repeat("🏕", assist.MaxText), "escaped": strings.Repeat(`\u00e4`, assist.MaxText)} {
		rec := newWorld().do(request{method: "POST", path: "/v1/conversations/conv_1/turns", token: "source", body: `{"id":"1","role":"customer","text":"` + text + `"}`})
		if rec.Code != 201 {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
}

func TestSearchAudience(t *testing.T) {
	for token, want := range map[string]assist.Audience{"agent": "internal", "source": "internal", "maintainer": "internal", "customer": "public"} {
		w := newWorld()
		w.do(request{method: "POST", path: "/v1/search", token: token, body: `{"text":"returns","k":50,"at":"2026-01-01","collection":"eu"}`})
		if d := gocmp.Diff(&SearchQuery{Text: "returns", K: 50, At: "2026-01-01", Collection: "eu", Audience: want}, w.knowledge.query); d != "" {
			t.Errorf("%s:\n%s", token, d)
		}
	}
	w := newWorld()
	w.do(request{method: "POST", path: "/v1/search", token: "customer", body: `{"text":"a","audience":"internal"}`})
	if w.knowledge.query != nil {
		t.Error("a customer's search for internal passages went through")
	}
}

func TestSession(t *testing.T) {
	for name, c := range map[string]struct {
		host, remote string
		header       map[string]string
		want         int
	}{
		"this machine":               {want: 200},
		"by address":                 {host: "127.0.0.1:7400", want: 200},
		"by IPv6":                    {host: "[::1]:7400", remote: "[::1]:50000", want: 200},
		"mapped":                     {remote: "[::ffff:127.0.0.1]:50000", want: 200},
		"no port":                    {host: "localhost", want: 200},
		"our own page":               {header: map[string]string{"Sec-Fetch-Site": "same-origin"}, want: 200},
		"typed in":                   {header: map[string]string{"Sec-Fetch-Site": "none"}, want: 200},
		"another machine":            {remote: "192.0.2.7:50000", want: 401},
		"another machine says local": {remote: "192.0.2.7:50000", host: "127.0.0.1", want: 401},
		"another name":               {host: "evil.example:7400", want: 401},
		"a name like ours":           {host: "localhost.evil.example", want: 401},
		"an address like ours":       {host: "127.0.0.1.evil.example", want: 401},
		"any address":                {host: "0.0.0.0:7400", want: 401},
		"no host":                    {host: "-", want: 401},
		"another page":               {header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 401},
		"a page of another port":     {header: map[string]string{"Sec-Fetch-Site": "same-site"}, want: 401},
		"through a proxy":            {header: map[string]string{"X-Forwarded-For": "192.0.2.7"}, want: 401},
		"through a proxy, standard":  {header: map[string]string{"Forwarded": "for=192.0.2.7"}, want: 401},
		"through a gateway":          {header: map[string]string{"Via": "1.1 gate"}, want: 401},
		"a socket without address":   {remote: "@", want: 401},
	} {
		req := httptest.NewRequest("GET", "/v1/session", nil)
		req.Host, req.RemoteAddr = cmp.Or(c.host, "localhost:7400"), cmp.Or(c.remote, "127.0.0.1:50000")
		if c.host == "-" {
			req.Host = ""
		}
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		rec := httptest.NewRecorder()
		newWorld().ServeHTTP(rec, req)
		if rec.Code != c.want {
			t.Errorf("%s: %d, want %d", name, rec.Code, c.want)
		}
		if strings.Contains(rec.Body.String(), `"token"`) != (c.want == 200) {
			t.Errorf("%s: %s", name, rec.Body)
		}
	}
	production := newWorld(func(o *Options) { o.Session = nil })
	if rec := production.do(request{method: "GET", path: "/v1/session"}); rec.Code != 401 {
		t.Errorf("in production: %d", rec.Code)
	}
}

func TestReady(t *testing.T) {
	conform := newConformer(t)
	w := newWorld()
	w.parts = []Part{{Name: "database", OK: true}, {Name: "migrations", OK: false, Detail: "2 are missing"}}
	rec := w.do(request{method: "GET", path: "/readyz"})
	if want := `{"ready":false,"parts":[{"name":"database","ok":true},{"name":"migrations","ok":false,"detail":"2 are missing"}]}`; rec.Code != 503 || rec.Body.String() != want {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	conform("GET /readyz", rec)
	if rec := w.do(request{method: "GET", path: "/healthz"}); rec.Code != 200 {
		t.Errorf("alive though not ready: %d", rec.Code)
	}
	hasDeadline := newWorld(func(o *Options) {
		o.Ready = func(ctx context.Context) []Part {
			_, ok := ctx.Deadline()
			return []Part{{Name: "deadline", OK: ok}}
		}
	})
	if rec := hasDeadline.do(request{method: "GET", path: "/readyz"}); rec.Code != 200 {
		t.Error("readyz waits without bound")
	}
}

// TestEmptyListsAreLists holds that clients get [], never null.
func TestEmptyListsAreLists(t *testing.T) {
	w := newWorld(func(o *Options) {
		o.Conversations = emptyQueue{o.Conversations}
		o.Knowledge = noHits{o.Knowledge}
		o.Ready = func(context.Context) []Part { return nil }
	})
	for _, r := range []request{
		{method: "GET", path: "/v1/conversations", token: "agent"},
		{method: "POST", path: "/v1/search", token: "agent", body: `{"text":"a"}`},
		{method: "GET", path: "/readyz"},
	} {
		if rec := w.do(r); rec.Code != 200 || strings.Contains(rec.Body.String(), "null") {
			t.Errorf("%s: %d %s", r.path, rec.Code, rec.Body)
		}
	}
}

type emptyQueue struct{ Conversations }

func (emptyQueue) Queue(context.Context, assist.Identity) ([]assist.Conversation, error) {
	return nil, nil
}

type noHits struct{ Knowledge }

func (noHits) Search(context.Context, SearchQuery) (SearchResult, error) { return SearchResult{}, nil }

// FuzzTurnBody holds that no body makes the server fail, and that what it takes
// is text as it was sent.
func FuzzTurnBody(f *testing.F) {
	for _, s := range []string{customerTurn, `{}`, `null`, `{"at":1}`, "{\"text\":\"\xff\"}", `{"action":{"values":[null]}}`, `{"text":"\ud800"}`} {
		f.Add([]byte(s))
	}
	w := newWorld() // one for all: making it takes a hundred times as long as a request
	f.Fuzz(func(t *testing.T, body []byte) {
		rec := w.do(request{method: "POST", path: "/v1/conversations/conv_1/turns", token: "source", body: string(body)})
		if !slices.Contains([]int{201, 400, 413}, rec.Code) {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if !json.Valid(rec.Body.Bytes()) || w.log.Len() > 0 {
			t.Fatalf("%s, log %s", rec.Body, w.log.String())
		}
	})
}
