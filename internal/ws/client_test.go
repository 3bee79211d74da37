package ws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/memstore"
	"github.com/aside-project/aside/internal/ws"
)

var (
	customer = assist.Identity{Subject: "c1", Actor: assist.ActorCustomer, Name: "Cleo", Conversation: "conv_1"}
	agent    = assist.Identity{Subject: "a1", Actor: assist.ActorAgent, Name: "Ada"}
	source   = assist.Identity{Subject: "tool", Actor: assist.ActorSource}
)

type house struct {
	t      testing.TB
	server *ws.Server
	chat   *chat.Service
	store  *memstore.Store
	bus    *pubsub.Bus[assist.Event]
	signer *auth.Signer
	http   *httptest.Server
}

func open(t testing.TB, edit func(*ws.Options)) *house {
	t.Helper()
	return openWith(t, nil, edit)
}

func openWith(t testing.TB, prepare func(*memstore.Store), edit func(*ws.Options)) *house {
	t.Helper()
	signer, err := auth.NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, store: memstore.New(time.Now), bus: pubsub.New[assist.Event](), signer: signer}
	if prepare != nil {
		prepare(h.store)
	}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	h.chat = chat.New(h.store, nil, h.bus, chat.Options{Logger: quiet})
	o := ws.Options{Service: h.chat, Bus: h.bus, Bearer: auth.Bearer, Verify: signer.Verify, Logger: quiet}
	if edit != nil {
		edit(&o)
	}
	h.server = ws.New(o)
	h.http = httptest.NewServer(h.server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.server.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		h.http.Close()
		h.chat.Stop(ctx)
	})
	return h
}

func (h *house) url() string { return "ws" + strings.TrimPrefix(h.http.URL, "http") + "/v1/ws" }

func (h *house) token(who assist.Identity, ttl time.Duration) string {
	h.t.Helper()
	token, err := h.signer.Sign(who, ttl)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

type message struct {
	Type         string          `json:"type"`
	ID           string          `json:"id"`
	Conversation string          `json:"conversation"`
	Seq          int64           `json:"seq"`
	Data         json.RawMessage `json:"data"`
	Error        *struct {
		Code    assist.Code `json:"code"`
		Message string      `json:"message"`
	} `json:"error"`
	raw string
}

type client struct {
	t testing.TB
	*websocket.Conn
}

func (h *house) dial(who assist.Identity) *client {
	h.t.Helper()
	conn, _, err := websocket.DefaultDialer.Dial(h.url(), http.Header{"Authorization": {"Bearer " + h.token(who, time.Hour)}})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	c := &client{h.t, conn}
	if m := c.next(); m.Type != "welcome" {
		h.t.Fatalf("the first frame is %s", m.raw)
	}
	return c
}

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) read() (message, error) {
	var m message
	if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return m, err
	}
	_, b, err := c.ReadMessage()
	if err != nil {
		return m, err
	}
	m.raw = string(b)
	return m, json.Unmarshal(b, &m)
}

func (c *client) next() message {
	c.t.Helper()
	m, err := c.read()
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

// answer skips events until the ack or error of id.
func (c *client) answer(id string) message {
	c.t.Helper()
	for {
		if m := c.next(); m.ID == id && (m.Type == "ack" || m.Type == "error") {
			return m
		}
	}
}

// closed reads until the close frame.
func (c *client) closed() (code int, text string) {
	c.t.Helper()
	for {
		_, err := c.read()
		var closed *websocket.CloseError
		if errors.As(err, &closed) {
			return closed.Code, closed.Text
		}
		if err != nil {
			c.t.Fatalf("the socket ended without a close frame: %v", err)
		}
	}
}

func (c *client) open(conversation string, after int64) message {
	c.t.Helper()
	c.say(`{"type":"conversation.open","id":"open-%s","conversation":%q,"data":{"after":%d}}`, conversation, conversation, after)
	return c.answer("open-" + conversation)
}

// turns adds n turns to a conversation without a socket.
func (h *house) turns(conversation string, from, n int) {
	h.t.Helper()
	for i := range n {
		_, err := h.chat.AddTurn(context.Background(), source, assist.NewTurn{Conversation: conversation, ClientID: fmt.Sprintf("%s-%d", conversation, from+i), Role: assist.RoleCustomer, Text: fmt.Sprintf("turn %d", from+i)})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}
