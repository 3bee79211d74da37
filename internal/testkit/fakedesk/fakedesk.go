// Package fakedesk is a Libredesk for tests: its API as far as the connector uses
// it, its webhooks with their faults (each sent once, in no order, and forgotten)
// and its socket for agents. It keeps to what a real v2.7.0 was seen to do.
package fakedesk

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Call is a request that came to the API.
type Call struct {
	Method string
	Path   string // with its query
	Header http.Header
	Body   map[string]any // nil: none
}

// Message is a message of a conversation.
type Message struct {
	ID      int64
	UUID    string
	Private bool
	Type    string // incoming, outgoing, activity
	HTML    string
	Text    string
	Echo    string
	Author  int64 // 0: the visitor
}

// Refusal is a delivery that was not taken.
type Refusal struct {
	Event  string
	UUID   string // of the message or the conversation it told of
	Status int    // 0: no answer came
}

// Agent is an agent with an API key.
type Agent struct {
	ID    int64
	Name  string
	Email string
	Key   string // "key:secret"
	Robot bool
	May   []string // permissions of the agent's roles; nil: all
}

func (a Agent) may(permissions ...string) bool {
	return a.May == nil || slices.ContainsFunc(permissions, func(p string) bool { return slices.Contains(a.May, p) })
}

type conversation struct {
	uuid     string
	status   string
	assignee int64
	created  time.Time
	updated  time.Time
	messages []*record
}

type record struct {
	Message
	at     time.Time
	status string
}

// Desk is a running fake.
type Desk struct {
	URL string

	t      testing.TB
	server *httptest.Server
	hook   string
	secret string
	agents []Agent

	mu      sync.Mutex
	drop    func(event string) bool
	answer  func(w http.ResponseWriter, c Call, done bool) bool
	calls   []Call
	chats   map[string]*conversation
	lastID  int64
	clock   time.Time
	sockets map[*websocket.Conn]map[string]bool
	refused []Refusal
	wg      sync.WaitGroup
	changed chan struct{}
}

// New starts a fake that knows agents; it stops with the test.
func New(t testing.TB, agents ...Agent) *Desk {
	d := &Desk{t: t, agents: agents, chats: map[string]*conversation{}, clock: time.Now().UTC().Truncate(time.Microsecond),
		sockets: map[*websocket.Conn]map[string]bool{}, changed: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/agents/me", d.api(d.me))
	mux.HandleFunc("GET /api/v1/conversations/all", d.api(d.list))
	mux.HandleFunc("GET /api/v1/conversations/{uuid}", d.api(d.read))
	mux.HandleFunc("GET /api/v1/conversations/{uuid}/messages", d.api(d.readMessages))
	mux.HandleFunc("POST /api/v1/conversations/{uuid}/messages", d.api(d.postMessage))
	mux.HandleFunc("GET /ws", d.socket)
	d.server = httptest.NewServer(mux)
	d.URL = d.server.URL
	t.Cleanup(func() {
		d.mu.Lock()
		for s := range d.sockets {
			s.Close()
		}
		d.mu.Unlock()
		d.server.Close()
		d.wg.Wait()
	})
	return d
}

// Webhook makes the fake deliver to url, signed with secret.
func (d *Desk) Webhook(url, secret string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hook, d.secret = url, secret
}

// Drop loses the deliveries that lose is true for; nil loses none.
func (d *Desk) Drop(lose func(event string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.drop = lose
}

// Answer lets answer take an API call over by answering it: it is asked before the
// fake does what the call wants, with done false, and after.
func (d *Desk) Answer(answer func(w http.ResponseWriter, c Call, done bool) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = answer
}

// Calls are the API calls so far.
func (d *Desk) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Call(nil), d.calls...)
}

// Refused are the deliveries that were not taken.
func (d *Desk) Refused() []Refusal {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Refusal(nil), d.refused...)
}

// Messages are a conversation's messages.
func (d *Desk) Messages(uuid string) (out []Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c := d.chats[uuid]; c != nil {
		for _, m := range c.messages {
			out = append(out, m.Message)
		}
	}
	return out
}

// Wait waits until the fake is as ok wants it.
func (d *Desk) Wait(what string, ok func() bool) {
	d.t.Helper()
	end := time.After(time.Minute)
	for {
		d.mu.Lock()
		changed := d.changed
		d.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-end:
			d.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (d *Desk) moved() { // with d.mu
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *Desk) tick() time.Time { // with d.mu
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !now.After(d.clock) {
		now = d.clock.Add(time.Microsecond)
	}
	d.clock = now
	return now
}

// Write is the visitor writing; a conversation that is not there begins with it.
func (d *Desk) Write(uuid, text string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chats[uuid]
	fresh := c == nil
	if fresh {
		at := d.tick()
		c = &conversation{uuid: uuid, status: "Open", created: at, updated: at}
		d.chats[uuid] = c
	}
	m := d.add(c, &record{Message: Message{Type: "incoming", HTML: text, Text: text}, status: "received"})
	c.status = "Open"
	c.updated = d.tick()
	d.tell("message.created", m.UUID, d.messageJSON(c, m))
	if fresh {
		d.tell("conversation.created", uuid, d.chatJSON(c))
	}
	return m.UUID
}

// Say is an agent writing in Libredesk's own page.
func (d *Desk) Say(uuid string, agent int64, text string, private bool) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chats[uuid]
	return d.out(c, &record{Message: Message{Type: "outgoing", Private: private, HTML: "<p>" + html.EscapeString(text) + "</p>", Text: text, Author: agent}}).UUID
}

// out adds an outgoing message and tells of it; with d.mu.
func (d *Desk) out(c *conversation, m *record) *record {
	m.status = "pending"
	if m.Private {
		m.status, m.Echo = "sent", ""
	}
	d.add(c, m)
	d.tell("message.created", m.UUID, d.messageJSON(c, m))
	if !m.Private {
		m.status = "sent"
		d.tell("message.updated", m.UUID, d.messageJSON(c, m))
	}
	return m
}

// Assign gives the conversation to an agent, 0 to nobody.
func (d *Desk) Assign(uuid string, agent, by int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chats[uuid]
	c.assignee, c.updated = agent, d.tick()
	event, p := "conversation.assigned", map[string]any{"conversation_uuid": uuid, "actor_id": by, "assigned_to": agent, "conversation": d.chatJSON(c)}
	if agent == 0 {
		event = "conversation.unassigned"
		delete(p, "assigned_to")
	}
	d.tell(event, uuid, p)
	d.activity(c, by, "assigned_user_change", "The assignment changed")
}

// SetStatus sets the status: Open, Resolved, Closed, Snoozed.
func (d *Desk) SetStatus(uuid, status string, by int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chats[uuid]
	was := c.status
	c.status, c.updated = status, d.tick()
	d.tell("conversation.status_changed", uuid, map[string]any{"conversation_uuid": uuid, "previous_status": was, "new_status": status,
		"snooze_until": "", "actor_id": by, "conversation": d.chatJSON(c)})
	d.activity(c, by, "status_change", "The status changed to "+status)
}

func (d *Desk) activity(c *conversation, by int64, kind, text string) {
	m := d.add(c, &record{Message: Message{Type: "activity", Private: true, HTML: text, Text: text, Author: by}, status: "sent"})
	j := d.messageJSON(c, m)
	j["meta"] = map[string]any{"activity_type": kind}
	j["content_type"] = "text"
	d.tell("message.created", m.UUID, j)
}

// LinkToken is {{token}} of a context link, for an agent who presses its button now.
func (d *Desk) LinkToken(secret, uuid string, agent int64) string {
	now := time.Now()
	plain, err := json.Marshal(map[string]any{"agent_id": agent, "agent_email": "", "contact_id": 900, "conversation_uuid": uuid, "email": "",
		"external_user_id": "", "first_name": "Visitor", "last_name": "", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	if err != nil {
		d.t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(secret))
	if err != nil {
		d.t.Fatal(err)
	}
	gcm, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		d.t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(gcm.Seal(nil, nil, plain, nil))
}

// Typing is the visitor typing, as agents' sockets hear it; it says how many did.
func (d *Desk) Typing(uuid string) (heard int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, watched := range d.sockets {
		if watched[uuid] {
			heard++
			_ = s.WriteJSON(map[string]any{"type": "typing", "data": map[string]any{"conversation_uuid": uuid, "is_typing": true}})
		}
	}
	return heard
}

func (d *Desk) add(c *conversation, m *record) *record {
	d.lastID++
	m.ID, m.at = d.lastID, d.tick()
	m.UUID = fmt.Sprintf("00000000-0000-4000-8000-%012d", m.ID)
	c.messages = append(c.messages, m)
	d.moved()
	return m
}

// tell delivers once, beside all others; with d.mu.
func (d *Desk) tell(event, uuid string, payload any) {
	if d.hook == "" || d.drop != nil && d.drop(event) {
		return
	}
	body, err := json.Marshal(map[string]any{"event": event, "payload": payload, "timestamp": time.Now().UTC().Format("2006-01-02T15:04:05Z")})
	if err != nil {
		d.t.Errorf("encode %s: %v", event, err)
		return
	}
	hook, secret := d.hook, d.secret
	d.wg.Go(func() {
		req, err := http.NewRequest(http.MethodPost, hook, bytes.NewReader(body))
		if err != nil {
			d.t.Error(err)
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", "Libredesk-Webhook/v2.7.0")
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		req.Header.Set("X-Libredesk-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		status := 0
		client := http.Client{Timeout: time.Minute} // the real one gives up after 3 s; a busy machine may take that long
		if res, err := client.Do(req); err == nil {
			status = res.StatusCode
			res.Body.Close()
		}
		if status < 200 || status > 299 {
			d.mu.Lock()
			d.refused = append(d.refused, Refusal{event, uuid, status})
			d.moved()
			d.mu.Unlock()
		}
	})
}

func (d *Desk) author(id int64) map[string]any {
	a := map[string]any{"id": 900, "first_name": "Visitor", "last_name": "", "email": nil, "avatar_url": nil, "availability_status": "offline", "type": "visitor", "last_active_at": nil}
	for _, g := range d.agents {
		if g.ID == id {
			a["id"], a["first_name"], a["email"], a["type"] = g.ID, g.Name, g.Email, "agent"
			if g.Robot {
				a["type"] = "ai_assistant"
			}
		}
	}
	return a
}

func (d *Desk) messageJSON(c *conversation, m *record) map[string]any {
	j := map[string]any{"id": m.ID, "created_at": m.at, "updated_at": m.at, "uuid": m.UUID, "type": m.Type, "status": m.status, "conversation_id": 1,
		"conversation_uuid": c.uuid, "content": m.HTML, "text_content": m.Text, "content_type": "html", "private": m.Private,
		"sender_id": m.Author, "sender_type": "agent", "meta": map[string]any{}, "attachments": []any{}, "author": d.author(m.Author)}
	if m.Type == "incoming" {
		j["sender_id"], j["sender_type"], j["content_type"] = 900, "contact", "text"
	}
	if m.Echo != "" {
		j["meta"] = map[string]any{"echo_id": m.Echo}
	}
	return j
}

func (d *Desk) chatJSON(c *conversation) map[string]any {
	j := map[string]any{"id": 1, "created_at": c.created, "updated_at": c.updated, "uuid": c.uuid, "contact_id": 900, "inbox_id": 1, "status": c.status,
		"status_category": strings.ToLower(c.status), "assigned_user_id": nil, "assigned_team_id": nil, "inbox_name": "Web chat", "inbox_channel": "livechat",
		"tags": []any{}, "meta": map[string]any{}, "custom_attributes": map[string]any{}, "last_interaction_at": nil, "last_interaction_sender": nil,
		"contact": map[string]any{"id": 900, "first_name": "Visitor", "last_name": "", "email": nil}}
	if c.assignee != 0 {
		j["assigned_user_id"] = c.assignee
	}
	for _, m := range c.messages {
		if m.Type != "activity" && !m.Private {
			j["last_interaction_at"] = m.at
			j["last_interaction_sender"] = map[string]string{"incoming": "contact", "outgoing": "agent"}[m.Type]
		}
	}
	return j
}

// api records a call, checks its key and answers as Libredesk does.
func (d *Desk) api(do func(agent Agent, r *http.Request, body map[string]any) (any, int)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call := Call{Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone()}
		if r.ContentLength > 0 {
			if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
				d.t.Errorf("%s %s: %v", call.Method, call.Path, err)
			}
		}
		d.mu.Lock()
		d.calls = append(d.calls, call)
		d.moved()
		answer := d.answer
		d.mu.Unlock()
		if answer != nil && answer(w, call, false) {
			return
		}
		for _, a := range d.agents {
			if a.Key == "" || r.Header.Get("Authorization") != "token "+a.Key {
				continue
			}
			d.mu.Lock()
			data, status := do(a, r, call.Body)
			d.mu.Unlock()
			if answer != nil && answer(w, call, true) {
				return
			}
			if status != http.StatusOK {
				write(w, status, map[string]any{"status": "error", "message": http.StatusText(status), "data": nil, "error_type": "GeneralException"})
				return
			}
			write(w, status, map[string]any{"status": "success", "data": data})
			return
		}
		write(w, http.StatusUnauthorized, map[string]any{"status": "error", "message": "Invalid credential", "data": nil, "error_type": "GeneralException"})
	}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away: its test says so
}

func (d *Desk) me(a Agent, _ *http.Request, _ map[string]any) (any, int) {
	me := map[string]any{"id": a.ID, "first_name": a.Name, "last_name": "", "email": a.Email, "type": "agent", "enabled": true}
	if a.May != nil {
		me["permissions"] = a.May
	}
	return me, http.StatusOK
}

func (d *Desk) list(a Agent, r *http.Request, _ map[string]any) (any, int) {
	if !a.may("conversations:read_all") {
		return nil, http.StatusForbidden
	}
	results := []any{}
	for _, c := range d.chats {
		j := d.chatJSON(c)
		delete(j, "status_category")
		results = append(results, j)
	}
	size, err := strconv.Atoi(r.URL.Query().Get("page_size"))
	if err != nil || size > 500 {
		return nil, http.StatusBadRequest
	}
	return map[string]any{"results": results, "total": len(results), "per_page": size, "total_pages": 1, "page": 1}, http.StatusOK
}

func (d *Desk) read(_ Agent, r *http.Request, _ map[string]any) (any, int) {
	c := d.chats[r.PathValue("uuid")]
	if c == nil {
		return nil, http.StatusNotFound
	}
	return d.chatJSON(c), http.StatusOK
}

func (d *Desk) readMessages(_ Agent, r *http.Request, _ map[string]any) (any, int) {
	c := d.chats[r.PathValue("uuid")]
	if c == nil {
		return nil, http.StatusNotFound
	}
	q := r.URL.Query()
	results := []any{}
	for i := len(c.messages) - 1; i >= 0; i-- { // newest first
		m := c.messages[i]
		if m.Private && q.Get("private") == "false" || q.Has("type") && !strings.Contains(strings.Join(q["type"], " "), m.Type) {
			continue
		}
		results = append(results, d.messageJSON(c, m))
	}
	return map[string]any{"results": results, "total": len(results), "per_page": 50, "total_pages": 1, "page": 1}, http.StatusOK
}

var tags = regexp.MustCompile(`<[^>]*>`)

func (d *Desk) postMessage(a Agent, r *http.Request, body map[string]any) (any, int) {
	c := d.chats[r.PathValue("uuid")]
	if c == nil {
		return nil, http.StatusNotFound
	}
	content, _ := body["message"].(string)
	if strings.Contains(content, "{{") {
		d.t.Errorf("a message with an open template was posted: %q", content)
	}
	if content == "" {
		return map[string]any{"Code": 400, "ErrorType": "InputException", "Message": "`message` empty", "Data": nil}, http.StatusOK
	}
	if body["sender_type"] != "agent" {
		return nil, http.StatusForbidden
	}
	m := &record{Message: Message{Type: "outgoing", HTML: content, Author: a.ID}}
	m.Private, _ = body["private"].(bool)
	if !a.may("messages:write") && !(m.Private && a.may("messages:write_private")) {
		return nil, http.StatusForbidden
	}
	m.Echo, _ = body["echo_id"].(string)
	m.Text = html.UnescapeString(strings.TrimSpace(tags.ReplaceAllString(strings.ReplaceAll(content, "</p>", "\n\n"), "")))
	pending := "pending"
	d.out(c, m)
	j := d.messageJSON(c, m)
	if !m.Private {
		j["status"] = pending
	}
	return j, http.StatusOK
}

func (d *Desk) socket(w http.ResponseWriter, r *http.Request) {
	known := false
	for _, a := range d.agents {
		known = known || a.Key != "" && r.Header.Get("Authorization") == "token "+a.Key
	}
	if !known {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	up := websocket.Upgrader{CheckOrigin: func(r *http.Request) bool { // of plain http only "localhost" is believed
		u, err := url.Parse(r.Header.Get("Origin"))
		return err == nil && u.Host != "" && (u.Hostname() == "localhost" || u.Scheme == "https" && strings.EqualFold(u.Host, r.Host))
	}}
	s, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	d.mu.Lock()
	d.sockets[s] = map[string]bool{}
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.sockets, s)
		d.mu.Unlock()
		s.Close()
	}()
	for {
		_, b, err := s.ReadMessage()
		if err != nil {
			return
		}
		var f struct {
			Type string
			Data struct{ UUIDs []string }
		}
		d.mu.Lock()
		if string(b) == "ping" {
			err = s.WriteMessage(websocket.TextMessage, []byte("pong"))
		} else if json.Unmarshal(b, &f) == nil && f.Type == "list_subscribe_replace" {
			watched := map[string]bool{}
			for _, u := range f.Data.UUIDs {
				watched[u] = true
			}
			d.sockets[s] = watched
			d.moved()
		}
		d.mu.Unlock()
		if err != nil {
			return
		}
	}
}
