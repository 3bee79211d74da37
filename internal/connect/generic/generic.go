// Package generic connects any chat tool that can send and take signed webhooks: a
// turn comes in, a suggestion goes out. Zendesk's and Intercom's signatures and
// Intercom's own bodies are read too (recipes.go). It promises what package connect
// does, and:
//
//   - 200 means that the turn is on disk. 503 means that it may not be: the same id
//     sent again is the same turn.
//   - Each suggestion is delivered at least once, with the same id each time, and so
//     is each reply that an agent sent here: what the tool does with either is its
//     own affair. A suggestion is marked as such and never looks like a reply.
package generic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/deliver"
)

// Name is the tool's; prefix begins the ids of its conversations.
const (
	Name   = "generic"
	prefix = "hook-"
)

// The headers of a signed webhook, in both directions.
const (
	HeaderSignature = "X-Aside-Signature" // sha256=HEX of HMAC-SHA256(secret, timestamp "." body)
	HeaderTimestamp = "X-Aside-Timestamp" // Unix seconds
	HeaderDelivery  = "X-Aside-Delivery"  // outgoing: the delivery's id, the same at each attempt
)

const (
	window  = 5 * time.Minute // how far a timestamp may be from now
	maxBody = 256 << 10       // bytes

	followAgain  = time.Hour // a chat that goes on is followed anew this often
	mostFollowed = 10_000    // chats remembered as followed
)

// Config is what can be set from outside.
type Config struct {
	Secret         string // signs both directions
	URL            string // takes what goes out; "": nothing does
	ZendeskSecret  string // of the webhook that Zendesk signs
	IntercomSecret string // the client secret of the Intercom app
}

// On reports whether any webhook is taken.
func (c Config) On() bool { return c != Config{} }

// Validate names every fault at once.
func (c Config) Validate() error {
	var faults []error
	if c.Secret != "" && len(c.Secret) < 24 {
		faults = append(faults, errors.New("ASIDE_HOOK_SECRET must be at least 24 bytes: `openssl rand -hex 32` makes one"))
	}
	if c.URL != "" {
		u, err := url.Parse(c.URL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			faults = append(faults, fmt.Errorf("ASIDE_HOOK_URL must be an address such as https://chat.example/aside, not %q", c.URL))
		}
		if c.Secret == "" {
			faults = append(faults, errors.New("ASIDE_HOOK_URL is set but ASIDE_HOOK_SECRET is not: what goes out is signed with it"))
		}
	}
	return errors.Join(faults...)
}

// Options are the parts and numbers of a Tool; zero values have a sensible meaning.
type Options struct {
	Logger *slog.Logger
	Now    func() time.Time
	Client *http.Client
	Queue  deliver.Options
	// Patient is how long a handler waits for the disk before it answers that the
	// turn may not be there yet; 0: 40 ms.
	Patient time.Duration
}

// Store is what the connector keeps; postgres.DB is one.
type Store interface {
	deliver.Store
	FollowChat(ctx context.Context, tool, conversation, status string, at time.Time, lastID int64) (before string, err error)
	CountDead(ctx context.Context, tool string) (int, error) // deliveries that were given up
}

// Tool is the pair of webhooks. It implements connect.Tool.
type Tool struct {
	cfg   Config
	chats connect.Chats
	store Store
	marks connect.Marks
	o     Options
	inbox *connect.Inbox
	queue *deliver.Queue
	seen  *connect.Marker

	mu       sync.Mutex
	followed map[string]time.Time // chats the store follows, and since when we know
	stopped  sync.Once
}

var (
	_ connect.Tool    = (*Tool)(nil)
	_ connect.Checker = (*Tool)(nil)
)

// New makes the connector of a valid configuration.
func New(cfg Config, chats connect.Chats, store Store, marks connect.Marks, o Options) *Tool {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	o.Patient = cmp.Or(o.Patient, 40*time.Millisecond)
	o.Queue.Logger = cmp.Or(o.Queue.Logger, o.Logger)
	t := &Tool{cfg: cfg, chats: chats, store: store, marks: marks, o: o, followed: map[string]time.Time{}}
	t.inbox = connect.NewInbox(connect.InboxOptions{Logger: o.Logger})
	t.queue = deliver.NewQueue(Name, store, t.sort, t.send, o.Queue)
	t.seen = connect.NewMarker(Name, marks, o.Now, o.Logger)
	return t
}

// Name implements connect.Tool.
func (t *Tool) Name() string { return Name }

// Owns implements connect.Tool.
func (t *Tool) Owns(conversation string) bool { return strings.HasPrefix(conversation, prefix) }

// Saw implements connect.Tool.
func (t *Tool) Saw(e assist.Event) {
	if t.cfg.URL != "" && e.Type.Kept() {
		t.queue.Notice(e.Conversation)
	}
}

// Start implements connect.Tool.
func (t *Tool) Start() {
	if t.cfg.URL != "" {
		t.queue.Start()
	}
}

// Stop implements connect.Tool.
func (t *Tool) Stop(ctx context.Context) (err error) {
	t.stopped.Do(func() {
		err = t.inbox.Stop(ctx)
		t.seen.Stop()
		t.queue.Stop()
	})
	return err
}

// Turn is the body of POST /v1/hooks/generic: one thing that was said, or done.
type Turn struct {
	ID           string         `json:"id"`           // yours; the same id is the same turn
	Conversation string         `json:"conversation"` // yours
	Role         assist.Role    `json:"role"`         // customer, agent, bot; action
	Text         string         `json:"text"`
	Name         string         `json:"name,omitempty"`     // who speaks
	Customer     string         `json:"customer,omitempty"` // your id for the customer
	At           time.Time      `json:"at,omitzero"`
	Action       *assist.Action `json:"action,omitempty"` // what an agent did in another system
	Closed       bool           `json:"closed,omitempty"` // the conversation ended; id and conversation are enough then
}

// reporter is as whom turns are reported.
var reporter = assist.Identity{Subject: Name, Actor: assist.ActorSource, Name: "webhook"}

// ServeHTTP implements connect.Tool: our own signature and body at the tool's path,
// Zendesk's signature at /zendesk and Intercom's at /intercom below it.
func (t *Tool) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := t.take(w, r); err != nil {
		connect.Refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, "{\"stored\":true}\n") // a sender that went away sends it again
}

func (t *Tool) take(w http.ResponseWriter, r *http.Request) error {
	_, recipe, _ := strings.Cut(r.URL.Path, "/hooks/"+Name)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return assist.Errorf(assist.TooLarge, "the body is larger than %d bytes", maxBody)
	case err != nil:
		return assist.Wrap(err, assist.Invalid, "the body could not be read")
	}
	var turns []Turn
	switch strings.Trim(recipe, "/") {
	case "":
		if err = verify(t.cfg.Secret, r.Header, body, t.o.Now()); err == nil {
			turns, err = readTurn(body)
		}
	case "zendesk":
		if err = verifyZendesk(t.cfg.ZendeskSecret, r.Header, body, t.o.Now()); err == nil {
			turns, err = readTurn(body)
		}
	case "intercom":
		if err = verifyIntercom(t.cfg.IntercomSecret, r.Header, body); err == nil {
			turns, err = readIntercom(body)
		}
	default:
		return assist.Errorf(assist.NotFound, "there is /v1/hooks/generic, and /zendesk and /intercom below it")
	}
	if err != nil {
		if assist.CodeOf(err) == assist.Unauthenticated {
			t.seen.Mark(connect.MarkRefused)
		}
		return err
	}
	t.seen.Mark(connect.MarkDelivery)
	late := time.NewTimer(t.o.Patient)
	defer late.Stop()
	for _, turn := range turns {
		done, err := t.inbox.Put(connect.Delivery{Conversation: prefix + turn.Conversation, At: turn.At, Do: func(ctx context.Context) error { return t.work(ctx, turn) }})
		if err != nil {
			return err
		}
		select {
		case err := <-done:
			if err != nil {
				return err
			}
		case <-late.C:
			return assist.Errorf(assist.Unavailable, "it is not stored yet: send it again with the same id")
		}
	}
	return nil
}

func readTurn(body []byte) ([]Turn, error) {
	if !utf8.Valid(body) {
		return nil, assist.Errorf(assist.Invalid, "the body is not valid UTF-8")
	}
	var turn Turn
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&turn); err != nil {
		return nil, assist.Wrap(err, assist.Invalid, "the body is not a turn: it must be {\"id\", \"conversation\", \"role\", \"text\"}, and may have name, customer, at, action and closed (%s)", trouble(err))
	}
	return []Turn{turn}, turn.validate()
}

// trouble is what encoding/json complains about; it says names and places only.
func trouble(err error) string {
	var kind *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &kind):
		return fmt.Sprintf("%s cannot be a JSON %s", cmp.Or(kind.Field, "the body"), kind.Value)
	case errors.As(err, &syntax):
		return fmt.Sprintf("at byte %d it is not JSON", syntax.Offset)
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return strings.TrimPrefix(err.Error(), "json: ")
	}
	return "a value has another form; times are like 2026-11-22T10:00:00Z"
}

func (turn Turn) validate() error {
	n := turn.turn()
	if turn.Role != "" && turn.Role != "action" && !turn.Role.Valid() {
		return assist.Errorf(assist.Invalid, "role must be customer, agent, bot or action, not %q", turn.Role)
	}
	if turn.Role == "action" || turn.Action != nil {
		n.Role = assist.RoleSystem
	}
	if turn.Closed && turn.Role == "" {
		n.Role, n.Text = assist.RoleSystem, "closed"
	}
	return n.Validate()
}

func (turn Turn) turn() assist.NewTurn {
	n := assist.NewTurn{Role: turn.Role, Text: turn.Text, Name: turn.Name, Customer: turn.Customer, ExternalID: turn.ID, At: turn.At, Action: turn.Action}
	if turn.Conversation != "" {
		n.Conversation = prefix + turn.Conversation
	}
	return n
}

func (t *Tool) work(ctx context.Context, turn Turn) error {
	n := turn.turn()
	if turn.Role != "" {
		if _, _, err := t.chats.Receive(ctx, reporter, n); err != nil {
			return err
		}
		if err := t.follow(ctx, n.Conversation); err != nil {
			return err
		}
	}
	if turn.Closed {
		c, err := t.chats.Conversation(ctx, reporter, n.Conversation)
		if err != nil || c.Status == assist.StatusClosed {
			return err
		}
		_, err = t.chats.Close(ctx, assist.Identity{Subject: Name, Actor: assist.ActorAgent, Name: "webhook"}, n.Conversation, "closed in the chat tool")
		return err
	}
	return nil
}

// follow has the store follow a chat, so that what was said in it goes out after a
// crash too. A sender waits for it, so it is not asked of the store at each turn.
func (t *Tool) follow(ctx context.Context, conversation string) error {
	now := t.o.Now()
	t.mu.Lock()
	known := now.Sub(t.followed[conversation]) < followAgain
	t.mu.Unlock()
	if known {
		return nil
	}
	if _, err := t.store.FollowChat(ctx, Name, conversation, "", time.Time{}, 0); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.followed) >= mostFollowed {
		clear(t.followed)
	}
	t.followed[conversation] = now
	return nil
}

// Sign gives the value of HeaderSignature.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

func verify(secret string, h http.Header, body []byte, now time.Time) error {
	if secret == "" {
		return assist.Errorf(assist.Unauthenticated, "this webhook has no secret yet: set ASIDE_HOOK_SECRET")
	}
	timestamp := h.Get(HeaderTimestamp)
	if !hmac.Equal([]byte(strings.ToLower(h.Get(HeaderSignature))), []byte(Sign(secret, timestamp, body))) {
		return assist.Errorf(assist.Unauthenticated, "%s must be sha256= and the hex HMAC-SHA256 of \"%s.BODY\" with ASIDE_HOOK_SECRET", HeaderSignature, HeaderTimestamp)
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return assist.Errorf(assist.Unauthenticated, "%s must be in Unix seconds", HeaderTimestamp)
	}
	return fresh(time.Unix(seconds, 0), now)
}

func fresh(at, now time.Time) error {
	if off := now.Sub(at); off > window || off < -window {
		return assist.Errorf(assist.Unauthenticated, "the delivery is more than 5 minutes old, or the clocks differ")
	}
	return nil
}
