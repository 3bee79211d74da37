package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/invariant"
)

// clerk is an agent at work through every fault: it follows the queue, opens the
// newest conversations, sends some suggestions as they are, some edited and some
// words of its own, sends what was not acknowledged again with the same id, and
// keeps its own log of everything.
type clerk struct {
	who     assist.Identity
	address string // ws://host/v1/ws
	token   string
	number  int
	of      int // desks; a conversation is opened by two of them
	random  *rand.Rand

	mu      sync.Mutex
	chats   map[string]*invariant.History
	recent  []string         // opened again after a lost connection, oldest first
	pending map[string]click // by frame id
	clicks  int
	drops   int // connections lost
}

type click struct {
	conversation, text, suggestion string
}

const clerkKeeps = 40 // conversations a desk opens again

// crowd puts n agents to work until stop, which waits for them.
func crowd(t *testing.T, n int, address string, sign func(assist.Identity) string) (desks []*clerk, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var at sync.WaitGroup
	for i := range n {
		who := assist.Identity{Subject: fmt.Sprintf("agent-%d", i), Actor: assist.ActorAgent, Name: fmt.Sprintf("Agent %d", i)}
		d := &clerk{who: who, address: address, token: sign(who), number: i, of: n, random: rand.New(rand.NewPCG(7, uint64(i))),
			chats: map[string]*invariant.History{}, pending: map[string]click{}}
		desks = append(desks, d)
		at.Go(func() { d.work(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); at.Wait() })
	t.Cleanup(stop)
	return desks, stop
}

func (d *clerk) work(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		began := time.Now()
		if d.sit(ctx) == nil {
			return
		}
		d.mu.Lock()
		d.drops++
		d.mu.Unlock()
		if time.Since(began) > time.Second {
			n = 0
		}
		pause(ctx, time.Duration(d.random.Int64N(int64(min(50*time.Millisecond<<min(n, 6), time.Second)))))
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func dialAs(ctx context.Context, address, token string) (*websocket.Conn, error) {
	dialer := websocket.Dialer{Subprotocols: []string{"aside.v1"}, HandshakeTimeout: time.Minute}
	conn, _, err := dialer.DialContext(ctx, address, http.Header{"Authorization": {"Bearer " + token}})
	return conn, err
}

// sit works on one connection until it is lost.
func (d *clerk) sit(ctx context.Context) error {
	conn, err := dialAs(ctx, d.address, d.token)
	if err != nil {
		return err
	}
	defer conn.Close()
	over := context.AfterFunc(ctx, func() { conn.Close() })
	defer over()
	if err := conn.WriteJSON(frame{Type: "queue.open", ID: "queue"}); err != nil {
		return err
	}
	d.mu.Lock()
	again := append([]string(nil), d.recent...)
	d.mu.Unlock()
	for _, id := range again {
		if err := d.open(conn, id); err != nil {
			return err
		}
	}
	for id, c := range d.pending {
		if err := d.send(conn, id, c); err != nil {
			return err
		}
	}
	opened := map[string]bool{}
	for _, id := range again {
		opened[id] = true
	}
	for {
		var f frame
		if err := conn.ReadJSON(&f); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := d.take(conn, f, opened); err != nil {
			return err
		}
	}
}

func (d *clerk) history(conversation string) *invariant.History {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := d.chats[conversation]
	if h == nil {
		h = invariant.NewHistory(d.who, conversation)
		d.chats[conversation] = h
		d.recent = append(d.recent, conversation)
		d.recent = d.recent[max(0, len(d.recent)-clerkKeeps):]
	}
	return h
}

func (d *clerk) open(conn *websocket.Conn, conversation string) error {
	h := d.history(conversation)
	last := h.Last()
	h.Opened(last)
	return conn.WriteJSON(frame{Type: "conversation.open", ID: "open", Conversation: conversation, Data: fmt.Appendf(nil, `{"after":%d}`, last)})
}

func (d *clerk) send(conn *websocket.Conn, id string, c click) error {
	key := assist.NewReply{ClientID: id}.Key()
	d.history(c.conversation).Click(key, c.text)
	data, err := json.Marshal(map[string]string{"text": c.text, "suggestion_id": c.suggestion})
	if err != nil {
		return err
	}
	return conn.WriteJSON(frame{Type: "reply.send", ID: id, Conversation: c.conversation, Data: data})
}

// mine says whether this desk is one of the two that look at a conversation.
func (d *clerk) mine(conversation string) bool {
	sum := fnv.New32a()
	sum.Write([]byte(conversation))
	first := int(sum.Sum32() % uint32(d.of))
	return d.number == first || d.number == (first+1)%d.of
}

func (d *clerk) take(conn *websocket.Conn, f frame, opened map[string]bool) error {
	switch f.Type {
	case "welcome", "presence", "typing":
		return nil
	case "queue.changed":
		if opened[f.Conversation] || !d.mine(f.Conversation) || len(opened) > 900 {
			return nil
		}
		opened[f.Conversation] = true
		return d.open(conn, f.Conversation)
	case "ack", "error":
		return d.answered(conn, f)
	}
	if !opened[f.Conversation] {
		return nil
	}
	d.history(f.Conversation).Saw(f.Type, f.Seq, f.Data)
	if f.Type == "suggestion.ready" || f.Type == "suggestion.instant" {
		return d.consider(conn, f)
	}
	return nil
}

func (d *clerk) answered(conn *websocket.Conn, f frame) error {
	c, ours := d.pending[f.ID]
	if !ours {
		return nil
	}
	h, key := d.history(c.conversation), assist.NewReply{ClientID: f.ID}.Key()
	if f.Type == "ack" {
		var ack struct {
			Seq int64 `json:"seq"`
		}
		if err := json.Unmarshal(f.Data, &ack); err != nil {
			return err
		}
		h.OK(key, ack.Seq)
		delete(d.pending, f.ID)
		return nil
	}
	if f.Error.Code == assist.Unavailable || f.Error.Code == assist.RateLimited || f.Error.Code == assist.Internal {
		return d.send(conn, f.ID, c) // refused for now
	}
	h.Fail(key)
	delete(d.pending, f.ID)
	return nil
}

// consider sends about a third of what is suggested.
func (d *clerk) consider(conn *websocket.Conn, f frame) error {
	var s struct {
		ID           string `json:"id"`
		SuggestionID string `json:"suggestion_id"`
		Draft        struct {
			Text string `json:"text"`
		} `json:"draft"`
	}
	if err := json.Unmarshal(f.Data, &s); err != nil {
		return err
	}
	if s.ID == "" {
		s.ID = s.SuggestionID
	}
	c := click{conversation: f.Conversation, text: s.Draft.Text, suggestion: s.ID}
	switch d.random.IntN(9) {
	case 0:
	case 1:
		c.text += " Anything else?"
	case 2:
		c.text, c.suggestion = "One moment please.", ""
	default:
		return nil
	}
	if c.text == "" {
		return nil
	}
	d.mu.Lock()
	d.clicks++
	id := fmt.Sprintf("click-%d", d.clicks)
	d.mu.Unlock()
	d.pending[id] = c
	return d.send(conn, id, c)
}

// settle sends what was never acknowledged once more and reads every conversation
// to its end. The desk must have stopped.
func (d *clerk) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	conn, err := dialAs(ctx, d.address, d.token)
	if err != nil {
		t.Errorf("%s cannot come back: %v", d.who.Subject, err)
		return
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	for id, c := range d.pending {
		if err := d.send(conn, id, c); err != nil {
			t.Errorf("%s: %v", d.who.Subject, err)
			return
		}
	}
	for len(d.pending) > 0 {
		var f frame
		if err := conn.ReadJSON(&f); err != nil {
			t.Errorf("%s waits for %d acks: %v", d.who.Subject, len(d.pending), err)
			return
		}
		if f.Type == "ack" || f.Type == "error" {
			if err := d.answered(conn, f); err != nil {
				t.Errorf("%s: %v", d.who.Subject, err)
			}
		}
	}
}

// readAll reads a conversation to the seq it has now, once all is still.
func (d *clerk) readAll(t *testing.T, last map[string]int64) {
	t.Helper()
	conn, err := dialAs(t.Context(), d.address, d.token)
	if err != nil {
		t.Errorf("%s cannot come back: %v", d.who.Subject, err)
		return
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Minute))
	n := 0
	for id, h := range d.chats {
		if n++; n > 900 {
			return // the most that one connection may open
		}
		if err := d.open(conn, id); err != nil {
			t.Errorf("%s: %v", d.who.Subject, err)
			return
		}
		for h.Last() < last[id] {
			var f frame
			if err := conn.ReadJSON(&f); err != nil {
				t.Errorf("%s reads %s from %d to %d: %v", d.who.Subject, id, h.Last(), last[id], err)
				return
			}
			if f.Conversation == id && f.Type != "ack" {
				h.Saw(f.Type, f.Seq, f.Data)
			}
		}
		h.SawAll()
	}
}
