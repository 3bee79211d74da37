// Package ws carries conversations over WebSockets, as the protocol page says. It
// is the only place that knows the socket library.
//
// What it promises:
//
//   - Every frame with an id gets exactly one ack or error. An ack of a turn or a
//     reply comes after its commit. Frames for one conversation are worked on in
//     the order they came; different conversations do not wait for each other.
//   - Kept events of an opened conversation arrive in the order of seq, without a
//     gap and without a repeat, from the seq the client named: what the bus loses
//     is read from the log. Other events may be lost when a reader is slow.
//   - Nobody waits for a reader. What is queued for it is bounded in bytes, every
//     write has a deadline, and who falls behind is cut off with close code 4002:
//     reconnect and resume.
//   - A connection is one reader; while there is something to write one writer, and
//     while there is work at most 16 workers. The reader waits for the others, and
//     Shutdown for all readers. One tender pings them all and ends those whose token
//     is no longer good.
//     ServeHTTP returns once the socket is upgraded: the HTTP server's stack,
//     buffers and request would be two thirds of an idle socket's memory.
//
// A bad token in the Authorization header is answered with HTTP 401; browsers
// cannot read that, so one in the subprotocol is upgraded and closed with 4401.
package ws

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
)

// Service is what the sockets carry; chat.Service is the one. It checks on every
// call whether this identity may.
type Service interface {
	Receive(ctx context.Context, who assist.Identity, n assist.NewTurn) (t assist.Turn, repeat bool, err error)
	Send(ctx context.Context, who assist.Identity, n assist.NewReply) (t assist.Turn, repeat bool, err error)
	Typing(ctx context.Context, who assist.Identity, conversation string, role assist.Role, text string) error
	RequestSuggestion(ctx context.Context, who assist.Identity, conversation, instruction string) (string, error)
	CheckDraft(ctx context.Context, who assist.Identity, conversation, text, suggestionID string) ([]assist.Verdict, error)
	SetStep(ctx context.Context, who assist.Identity, conversation string, c assist.StepChange) (int64, error)
	Feedback(ctx context.Context, who assist.Identity, conversation string, f assist.Feedback) (int64, error)
	TakeHandoff(ctx context.Context, who assist.Identity, conversation string) (int64, error)
	ReturnHandoff(ctx context.Context, who assist.Identity, conversation, reason string) (int64, error)
	RequestHandoff(ctx context.Context, who assist.Identity, conversation, id, text string) (int64, error)
	Close(ctx context.Context, who assist.Identity, conversation, resolution string) (int64, error)
	Conversation(ctx context.Context, who assist.Identity, id string) (assist.Conversation, error)
	Open(ctx context.Context, who assist.Identity, id string, after int64, limit int) (assist.Conversation, []assist.Event, error)
	Queue(ctx context.Context, who assist.Identity) ([]assist.Conversation, error)
	Events(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) ([]assist.Event, error)
}

// Bus is where events come from; pubsub.Bus is one. The topic of a conversation
// is its id, that of the queue is "queue".
type Bus interface {
	Subscribe(topic string, take func(assist.Event)) (cancel func())
	Publish(topic string, e assist.Event)
}

// Options are the parts of a Server. Service, Bus, Bearer and Verify are needed.
type Options struct {
	Service Service
	Bus     Bus
	Bearer  func(*http.Request) (string, error)         // finds the token; auth.Bearer
	Verify  func(token string) (assist.Identity, error) // believes it or not; auth.Signer.Verify
	Watch   func(conversation string) (leave func())    // told who looks at a conversation and sees suggestions; must not block; nil: nobody
	Revoked func(assist.Identity) error                 // why it is no longer good, from memory: asked of every socket every 2 s; nil: all stay good
	Address func(*http.Request) string                  // whose request it is, for limits; "" or nil: not limited, as is this machine
	Origins []string                                    // allowed besides the server's own: "https://shop.example"
	Logger  *slog.Logger                                // nil: slog.Default
	Now     func() time.Time                            // nil: time.Now
	Limits  Limits
}

// Server is the handler of GET /v1/ws.
type Server struct {
	opts     Options
	log      *slog.Logger
	upgrader websocket.Upgrader

	mu       sync.Mutex
	closing  bool
	alone    chan struct{} // the tender's, while there are connections: closed when the last is gone
	conns    map[*conn]struct{}
	present  map[string]map[*conn]string // agents by conversation
	visitors map[string]int              // sockets of customers by address
	refused  chan struct{}               // one per socket that is being refused
	handlers sync.WaitGroup              // grows only under mu, or while it holds somebody
}

// New makes a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Limits = o.Limits.withDefaults()
	return &Server{opts: o, log: o.Logger, conns: map[*conn]struct{}{}, present: map[string]map[*conn]string{},
		visitors: map[string]int{}, refused: make(chan struct{}, o.Limits.Refused),
		upgrader: websocket.Upgrader{
			HandshakeTimeout: o.Limits.WriteTimeout,
			ReadBufferSize:   1024, // larger frames are read past it
			WriteBufferSize:  4096,
			WriteBufferPool:  &sync.Pool{},
			Subprotocols:     []string{subprotocol},
			CheckOrigin:      func(*http.Request) bool { return true }, // ServeHTTP did
			Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
				problem(w, status, reason.Error())
			},
		}}
}

const subprotocol = "aside.v1"

// ServeHTTP checks who is asking, upgrades the request and starts the connection.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		w.Header().Set("Retry-After", "1")
		problem(w, http.StatusServiceUnavailable, "the server is restarting: try again in a moment")
		return
	}
	s.handlers.Add(1)
	s.mu.Unlock()
	started := false // then serve says Done
	defer func() {
		if !started {
			s.handlers.Done()
		}
	}()

	if err := s.checkOrigin(r); err != nil {
		problem(w, http.StatusForbidden, assist.MessageOf(err))
		return
	}
	id, err := s.identify(r)
	if err == nil && id.Actor == assist.ActorMaintainer {
		err = assist.Errorf(assist.Forbidden, "a maintainer's token is for knowledge and evaluation, not for conversations")
	}
	says := offersSubprotocol(r) // why not, on the socket
	if err != nil && says {
		select {
		case s.refused <- struct{}{}:
			defer func() {
				if !started {
					<-s.refused
				}
			}()
		default:
			says = false
		}
	}
	if err != nil && !says {
		status := http.StatusUnauthorized
		if assist.CodeOf(err) == assist.Forbidden {
			status = http.StatusForbidden
		}
		s.log.Info("socket refused", "remote", r.RemoteAddr, "error", err)
		problem(w, status, assist.MessageOf(err))
		return
	}
	from := ""
	if err == nil && id.Actor == assist.ActorCustomer {
		var ok bool
		if from, ok = s.visit(r); !ok {
			w.Header().Set("Retry-After", "30")
			problem(w, http.StatusTooManyRequests, "too many customers' sockets are open from your address")
			return
		}
	}
	socket, upgradeErr := s.upgrader.Upgrade(w, r, nil)
	if upgradeErr != nil {
		s.left(from)
		s.log.Info("socket not upgraded", "remote", r.RemoteAddr, "error", upgradeErr)
		return
	}
	started = true
	go s.serve(newConn(s, socket, id), from, err)
}

// visit counts a customer's socket by its address; false when there are too many.
// Whoever is on this machine or in its network is not counted: it is a proxy that
// is not configured as one, or a test of load.
func (s *Server) visit(r *http.Request) (from string, ok bool) {
	if s.opts.Address != nil {
		from = s.opts.Address(r)
	}
	if at, err := netip.ParseAddr(from); from == "" || err == nil && (at.IsLoopback() || at.IsPrivate()) {
		return "", true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visitors[from] >= s.opts.Limits.PerAddress {
		return "", false
	}
	s.visitors[from]++
	return from, true
}

func (s *Server) left(from string) {
	if from == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visitors[from]--; s.visitors[from] == 0 {
		delete(s.visitors, from)
	}
}

// serve is the reader's goroutine; Shutdown waits for it.
func (s *Server) serve(c *conn, from string, refusal error) {
	defer s.handlers.Done()
	defer s.left(from)
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("a connection panicked", "session", c.session, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			_ = c.socket.Close()
		}
	}()
	if refusal != nil {
		defer func() { <-s.refused }()
		c.refuse(refusal)
		return
	}
	s.add(c)
	defer s.remove(c)
	c.serve()
}

func (s *Server) identify(r *http.Request) (assist.Identity, error) {
	token, err := s.opts.Bearer(r)
	if err != nil {
		return assist.Identity{}, err
	}
	return s.opts.Verify(token)
}

// offersSubprotocol reports whether the token came as browsers send it.
func offersSubprotocol(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && slices.Contains(websocket.Subprotocols(r), subprotocol)
}

// checkOrigin refuses foreign pages. Programs send no Origin, and the
// Authorization header, which no page can set on a socket.
func (s *Server) checkOrigin(r *http.Request) error {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 && r.Header.Get("Authorization") != "" {
		return nil
	}
	if len(origins) == 1 {
		if slices.Contains(s.opts.Origins, origins[0]) {
			return nil
		}
		u, err := url.Parse(origins[0])
		if err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, r.Host) {
			return nil
		}
	}
	return assist.Errorf(assist.Forbidden, "this page's origin is not allowed: add it to the server's list of origins (ASIDE_ORIGINS)")
}

func (s *Server) add(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[c] = struct{}{}
	if s.alone == nil {
		s.alone = make(chan struct{})
		s.handlers.Add(1) // the connection itself is counted: the group is not at rest
		go s.tend(s.alone)
	}
	if s.closing {
		c.close(goingAway, "the server is restarting: reconnect and resume")
	}
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	if len(s.conns) == 0 {
		close(s.alone)
		s.alone = nil
	}
	var left []string
	for conversation, agents := range s.present {
		if _, ok := agents[c]; ok {
			delete(agents, c)
			left = append(left, conversation)
			if len(agents) == 0 {
				delete(s.present, conversation)
			}
		}
	}
	s.mu.Unlock()
	for _, conversation := range left {
		s.publishPresence(conversation)
	}
}

// arrive notes that an agent looks at a conversation.
func (s *Server) arrive(c *conn, conversation string) {
	s.mu.Lock()
	if s.present[conversation] == nil {
		s.present[conversation] = map[*conn]string{}
	}
	s.present[conversation][c] = cmp.Or(c.who.Name, c.who.Subject)
	s.mu.Unlock()
	s.publishPresence(conversation)
}

// publishPresence says which agents look at a conversation through this process.
func (s *Server) publishPresence(conversation string) {
	s.mu.Lock()
	names := []string{}
	for _, name := range s.present[conversation] {
		names = append(names, name)
	}
	s.mu.Unlock()
	slices.Sort(names)
	s.opts.Bus.Publish(conversation, assist.NewEvent(assist.EventPresence, conversation, 0, struct {
		Agents []string `json:"agents"`
	}{slices.Compact(names)}))
}

// Connections counts the open sockets.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Shutdown refuses new sockets, closes all with 4001 and waits for them. When ctx
// ends first, it drops those that are left and gives the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.close(goingAway, "the server is restarting: reconnect and resume")
	}
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.handlers.Wait(); close(done) }() // waited for below
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	for c := range s.conns {
		_ = c.socket.Close()
	}
	s.mu.Unlock()
	<-done
	return ctx.Err()
}

// problem writes an RFC 9457 document.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	code := assist.Invalid
	switch status {
	case http.StatusUnauthorized:
		code = assist.Unauthenticated
	case http.StatusForbidden:
		code = assist.Forbidden
	case http.StatusServiceUnavailable:
		code = assist.Unavailable
	case http.StatusTooManyRequests:
		code = assist.RateLimited
	}
	_ = json.NewEncoder(w).Encode(struct { // the client may be gone; nothing depends on it
		Title  string      `json:"title"`
		Status int         `json:"status"`
		Detail string      `json:"detail"`
		Code   assist.Code `json:"code"`
	}{http.StatusText(status), status, detail, code})
}
