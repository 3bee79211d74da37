package libredesk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

const (
	pingEvery = 8 * time.Second
	maxWatch  = 500 // conversations that Libredesk lets one socket follow
)

// Socket is an open WebSocket. Read and Write have deadlines of their own; Close
// ends both.
type Socket interface {
	Read() ([]byte, error)
	Write(text []byte) error
	Close() error
}

// frame is what goes over Libredesk's socket for agents.
type frame struct {
	Type string `json:"type"`
	Data struct {
		Conversation string `json:"conversation_uuid"`
		Typing       bool   `json:"is_typing"`
	} `json:"data"`
}

// listen follows who types until Stop, connecting again with growing pauses.
func (c *Connector) listen() {
	for pause := time.Second; c.base.Err() == nil; pause = min(2*pause, time.Minute) {
		began := c.o.Now()
		if err := c.follow(); c.base.Err() == nil {
			c.log.Debug("the typing socket ended", "error", err)
		}
		if c.o.Now().Sub(began) > time.Minute {
			pause = time.Second
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-c.base.Done():
		}
		t.Stop()
	}
}

// dial opens a socket as Aside's own agent.
func (c *Connector) dial(ctx context.Context) (Socket, error) {
	address, origin := socketAddress(c.cfg.URL)
	return c.o.Dial(ctx, address, http.Header{"Origin": {origin}, "Authorization": c.own["Authorization"]})
}

// follow is one connection, until it ends: a reader here, and a writer that tells
// Libredesk which conversations are watched.
func (c *Connector) follow() error {
	s, err := c.dial(c.base)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.base)
	written := make(chan struct{})
	go func() { // waited for below
		defer close(written)
		defer s.Close()
		c.tell(ctx, s)
	}()
	for {
		var b []byte
		if b, err = s.Read(); err != nil {
			break
		}
		var f frame
		if json.Unmarshal(b, &f) == nil && f.Type == "typing" && f.Data.Typing && validID(f.Data.Conversation) {
			c.typing(ctx, f.Data.Conversation)
		}
	}
	cancel()
	<-written
	return err
}

// tell keeps the socket alive and its list of conversations current.
func (c *Connector) tell(ctx context.Context, s Socket) {
	var watched []string
	pinged := c.o.Now()
	for first := true; ; first = false {
		if now := c.watched(); first || !slices.Equal(now, watched) {
			b, err := json.Marshal(struct {
				Type string `json:"type"`
				Data struct {
					UUIDs []string `json:"uuids"`
				} `json:"data"`
			}{Type: "list_subscribe_replace", Data: struct {
				UUIDs []string `json:"uuids"`
			}{now}})
			if err != nil || s.Write(b) != nil {
				return
			}
			watched = now
		}
		t := time.NewTimer(time.Second)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return
		}
		if now := c.o.Now(); now.Sub(pinged) >= pingEvery {
			if s.Write([]byte("ping")) != nil {
				return
			}
			pinged = now
		}
	}
}

// watched are the open conversations, the last touched ones first, in a stable
// order.
func (c *Connector) watched() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for uuid, k := range c.known {
		if k.stored && !k.closed {
			out = append(out, uuid)
		}
	}
	if len(out) > maxWatch {
		slices.SortFunc(out, func(a, b string) int { return c.known[b].touched.Compare(c.known[a].touched) })
		out = out[:maxWatch]
	}
	slices.Sort(out)
	return out
}

// typing shows agents that the customer types, and has the transcript in memory
// before the message lands. Libredesk does not say what is being typed.
func (c *Connector) typing(ctx context.Context, uuid string) {
	if err := c.o.Chats.Typing(ctx, source, prefix+uuid, assist.RoleCustomer, ""); err != nil {
		c.log.Debug("typing was not shown", "conversation", prefix+uuid, "error", err)
		return
	}
	if _, _, err := c.o.Chats.Transcript(ctx, source, prefix+uuid); err != nil {
		c.log.Debug("a transcript was not read ahead", "conversation", prefix+uuid, "error", err)
	}
}

// socketAddress gives the socket's address and the Origin Libredesk lets in: its own
// host by https, whichever way it is reached. Of plain http it believes "localhost"
// only, no address of this machine in numbers.
func socketAddress(base string) (address, origin string) {
	u, err := url.Parse(base)
	if err != nil {
		return "", ""
	}
	origin = "https://" + u.Host
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	u.Path = strings.TrimRight(u.Path, "/") + "/ws"
	return u.String(), origin
}
