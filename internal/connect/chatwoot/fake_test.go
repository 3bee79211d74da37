package chatwoot_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	account      = 7
	hookSecret   = "secret of the account's webhook"
	botSecret    = "secret of the bot's webhook"
	pathSecret   = "a-path-that-nobody-guesses-1234"
	userToken    = "token-of-a-user"
	botToken     = "token-of-the-bot"
	miaToken     = "token-of-mia"
	hookPath     = "/v1/hooks/chatwoot"
	botHookPath  = "/v1/hooks/chatwoot/bot"
	firstDisplay = 41
)

// desk is a Chatwoot as its contract says: conversations with statuses, messages with
// ids that grow over the whole account, tokens with what each may do, signed
// webhooks. Deliveries are kept until the test sends them, in any order it likes.
type desk struct {
	t      *testing.T
	server *httptest.Server

	mu        sync.Mutex
	nextID    int64
	clock     time.Time
	chats     map[int64]*deskChat
	calls     []string              // "METHOD path as token"
	fail      func(call string) int // a status instead of the answer; 0: answer
	swallow   func(call string) bool
	out       []sending
	delivered int
	changed   chan struct{} // capacity 1
}

type deskChat struct {
	ID       int64
	Status   string
	Messages []deskMessage
}

type deskMessage struct {
	ID      int64
	Kind    int
	Content string
	Private bool
	Sender  map[string]any
	At      time.Time
	Token   string // of who posted it over the API
}

// sending is a delivery on its way.
type sending struct {
	id   string
	bot  bool
	body []byte
}

func newDesk(t *testing.T) *desk {
	d := &desk{t: t, nextID: 1000, clock: time.Now(), chats: map[int64]*deskChat{}, changed: make(chan struct{}, 1)}
	d.server = httptest.NewServer(http.HandlerFunc(d.serve))
	t.Cleanup(d.server.Close)
	return d
}

func (d *desk) begin(display int64, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chats[display] = &deskChat{ID: display, Status: status}
}

var kinds = []string{"incoming", "outgoing", "activity", "template"}

// say adds a message and makes the deliveries of it.
func (d *desk) say(display int64, kind int, content string, private bool, sender map[string]any) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.add(display, kind, content, private, sender, "")
}

func (d *desk) add(display int64, kind int, content string, private bool, sender map[string]any, token string) int64 {
	d.nextID++
	d.clock = d.clock.Add(10 * time.Millisecond)
	c := d.chats[display]
	m := deskMessage{ID: d.nextID, Kind: kind, Content: content, Private: private, Sender: sender, At: d.clock, Token: token}
	c.Messages = append(c.Messages, m)
	body := map[string]any{"event": "message_created", "id": m.ID, "content": content, "message_type": kinds[kind], "private": private,
		"created_at": m.At.UTC().Format("2006-01-02T15:04:05.000Z"), "content_type": "text", "content_attributes": map[string]any{}, "sender": sender,
		"account": map[string]any{"id": account, "name": "Example"}, "inbox": map[string]any{"id": 3}, "conversation": d.conversation(c)}
	d.send(body, true)
	return m.ID
}

// become changes a conversation's status.
func (d *desk) become(display int64, status string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(display, status)
}

func (d *desk) turn(display int64, status string) {
	d.clock = d.clock.Add(10 * time.Millisecond)
	c := d.chats[display]
	c.Status = status
	body := d.conversation(c)
	body["event"], body["changed_attributes"] = "conversation_status_changed", []any{}
	d.send(body, false)
}

func (d *desk) conversation(c *deskChat) map[string]any {
	last := []any{}
	if n := len(c.Messages); n > 0 {
		last = append(last, d.message(c.Messages[n-1]))
	}
	return map[string]any{"id": c.ID, "status": c.Status, "messages": last, "updated_at": float64(d.clock.UnixMicro()) / 1e6,
		"timestamp": d.clock.Unix(), "last_activity_at": d.clock.Unix(), "created_at": d.clock.Unix(), "labels": []any{}, "inbox_id": 3,
		"meta": map[string]any{"sender": contact, "assignee": nil, "hmac_verified": false}}
}

// message is one as the API shows it: its type is a number there.
func (d *desk) message(m deskMessage) map[string]any {
	return map[string]any{"id": m.ID, "content": m.Content, "message_type": m.Kind, "private": m.Private, "created_at": m.At.Unix(), "sender": m.Sender}
}

var contact = map[string]any{"id": 55, "name": "Rosa Lind", "type": "contact", "email": "rosa@example.com"}

func (d *desk) send(body map[string]any, toBot bool) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	d.delivered++
	d.out = append(d.out, sending{id: fmt.Sprintf("d-%d", d.delivered), body: b})
	if toBot {
		d.delivered++
		d.out = append(d.out, sending{id: fmt.Sprintf("d-%d", d.delivered), body: b, bot: true})
	}
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// take gives the deliveries that wait, and forgets them.
func (d *desk) take() []sending {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.out
	d.out = nil
	return out
}

func (d *desk) of(display int64) (status string, messages []deskMessage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chats[display]
	return c.Status, append([]deskMessage(nil), c.Messages...)
}

// request is a signed delivery.
func request(s sending, at time.Time) *http.Request {
	path, secret := hookPath, hookSecret
	if s.bot {
		path, secret = botHookPath, botSecret
	}
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(s.body))
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + string(s.body)))
	r.Header.Set("X-Chatwoot-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	r.Header.Set("X-Chatwoot-Timestamp", stamp)
	r.Header.Set("X-Chatwoot-Delivery", s.id)
	return r
}

// deliver sends as Chatwoot does: an answer within 5 s, the account's once, the bot's
// three times on 429 and 500, after which the conversation is opened for people.
func (d *desk) deliver(h http.Handler, s sending) int {
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(s, time.Now()).WithContext(ctx))
		late := ctx.Err() != nil
		cancel()
		if late {
			d.t.Error("a delivery was not answered within a minute")
		}
		if again := w.Code == 429 || w.Code == 500; !s.bot || !again || try == 3 {
			return w.Code
		}
	}
}

// pump delivers whatever waits until the test ends.
func (d *desk) pump(h http.Handler) {
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, s := range d.take() {
				if code := d.deliver(h, s); code != http.StatusAccepted {
					d.t.Errorf("delivery %s: answered %d", s.id, code)
				}
			}
			select {
			case <-d.changed:
			case <-stop:
				return
			}
		}
	}()
	d.t.Cleanup(func() { close(stop); <-done })
}

func (d *desk) serve(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	as := r.Header.Get("api_access_token")
	call := r.Method + " " + r.URL.Path
	d.calls = append(d.calls, call+" as "+as)
	if d.fail != nil {
		if status := d.fail(call); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(v); err != nil {
			d.t.Error(err)
		}
	}
	path, ok := strings.CutPrefix(r.URL.Path, fmt.Sprintf("/api/v1/accounts/%d/", account))
	switch {
	case call == "GET /api":
		answer(map[string]any{"version": "4.13.0"})
		return
	case as != userToken && as != botToken && as != miaToken:
		w.WriteHeader(http.StatusUnauthorized)
		return
	case call == "GET /api/v1/profile" && as != botToken:
		answer(map[string]any{"name": "Somebody"})
		return
	case call == "GET /api/v1/accounts/7/webhooks" && as == userToken:
		answer(map[string]any{"payload": map[string]any{"webhooks": []any{map[string]any{"url": "https://aside.example" + hookPath,
			"subscriptions": []string{"message_created", "conversation_status_changed"}}}}})
		return
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		return
	case path == "conversations" && as != botToken:
		list := []any{}
		for _, c := range d.chats {
			list = append(list, d.conversation(c))
		}
		answer(map[string]any{"data": map[string]any{"meta": map[string]any{}, "payload": list}})
		return
	}
	parts := strings.Split(path, "/")
	display, _ := strconv.ParseInt(parts[min(1, len(parts)-1)], 10, 64)
	c := d.chats[display]
	rest := strings.Join(parts[min(2, len(parts)):], "/")
	switch {
	case parts[0] != "conversations" || c == nil:
		w.WriteHeader(http.StatusNotFound)
	case as == botToken && r.Method == http.MethodGet:
		w.WriteHeader(http.StatusUnauthorized) // a bot may not read
	case r.Method == http.MethodGet && rest == "":
		answer(d.conversation(c))
	case r.Method == http.MethodGet && rest == "messages":
		after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
		list := []any{}
		for _, m := range c.Messages {
			if m.ID > after {
				list = append(list, d.message(m))
			}
		}
		answer(map[string]any{"meta": map[string]any{}, "payload": list})
	case r.Method == http.MethodPost && rest == "messages":
		var p struct {
			Content     string `json:"content"`
			MessageType string `json:"message_type"`
			Private     bool   `json:"private"`
		}
		if b, err := io.ReadAll(r.Body); err != nil || json.Unmarshal(b, &p) != nil || p.Content == "" || p.MessageType != "outgoing" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		sender := map[string]any{"id": 2, "name": "Mia", "type": "user"}
		if as == botToken {
			sender = map[string]any{"id": 1, "name": "Aside", "type": "agent_bot"}
		}
		id := d.add(display, 1, p.Content, p.Private, sender, as)
		if d.swallow != nil && d.swallow(call) {
			w.WriteHeader(http.StatusGatewayTimeout) // done, and nobody is told
			return
		}
		answer(d.message(c.Messages[len(c.Messages)-1]))
		_ = id
	case r.Method == http.MethodPost && rest == "toggle_status":
		var p struct {
			Status string `json:"status"`
		}
		if json.NewDecoder(r.Body).Decode(&p) != nil || p.Status == "" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		if c.Status != p.Status {
			d.turn(display, p.Status)
		}
		answer(map[string]any{"meta": map[string]any{}, "payload": map[string]any{"success": true, "current_status": c.Status, "conversation_id": display}})
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
