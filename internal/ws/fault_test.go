package ws_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/invariant"
	"github.com/aside-project/aside/internal/testkit/memstore"
	"github.com/aside-project/aside/internal/ws"
)

// The long versions of the tests below; make chaos sets them.
var (
	dropClients  = flag.Int("drops", 20, "clients whose sockets are dropped at random")
	stormSockets = flag.Int("storm", 300, "sockets that come back all at once")
)

// F20 to F22: sockets are dropped at random while everybody writes and reads;
// every message is sent one to three times, from two tabs. Nobody misses anything
// or is shown anything twice, and all see one order.
func TestRandomDrops(t *testing.T) {
	h := open(t, nil)
	const each = 40 // messages of a client
	conversations := max(1, *dropClients/5)
	var mu sync.Mutex
	var histories []*invariant.History
	var drops atomic.Int64
	var wg sync.WaitGroup
	for n := range *dropClients {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			who := assist.Identity{Subject: fmt.Sprintf("tool-%d", n), Actor: assist.ActorSource}
			conversation := fmt.Sprintf("conv-%d", n%conversations)
			history := invariant.NewHistory(who, conversation)
			mu.Lock()
			histories = append(histories, history)
			mu.Unlock()
			acked := map[string]bool{}
			for len(acked) < each {
				drops.Add(1)
				h.untilDropped(random, who, history, conversation, acked, each)
			}
		})
	}
	wg.Wait()
	stored := h.stored()
	for _, history := range histories {
		h.readToTheEnd(history, stored)
	}
	invariant.Report(t, stored, histories)
	t.Logf("%d clients, %d connections", *dropClients, drops.Load())
}

// untilDropped works on one connection and drops it without a word after a random
// number of frames.
func (h *house) untilDropped(random *rand.Rand, who assist.Identity, history *invariant.History, conversation string, acked map[string]bool, each int) {
	c := h.dial(who)
	defer c.NetConn().Close()
	last := history.Last()
	history.Opened(last)
	c.say(`{"type":"conversation.open","id":"open","conversation":%q,"data":{"after":%d}}`, conversation, last)
	for i := range each {
		id := fmt.Sprint(i)
		if acked[id] {
			continue
		}
		history.Turn(assist.NewTurn{ClientID: id}.Key(), "hello "+id)
		for range 1 + random.IntN(3) {
			_ = c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"turn.add","id":%q,"conversation":%q,"data":{"role":"customer","text":"hello %s"}}`, id, conversation, id))
		}
	}
	for range 20 + random.IntN(200) {
		m, err := c.read()
		if err != nil {
			return
		}
		switch {
		case m.Type == "ack" && m.ID != "open":
			var ack struct {
				Seq int64 `json:"seq"`
			}
			if json.Unmarshal(m.Data, &ack) == nil {
				history.OK(assist.NewTurn{ClientID: m.ID}.Key(), ack.Seq)
				acked[m.ID] = true
			}
		case m.Conversation == conversation && m.Type != "ack":
			history.Saw(m.Type, m.Seq, m.Data)
		}
		if len(acked) == each {
			return
		}
	}
}

// stored reads the memory store as a database is read.
func (h *house) stored() invariant.Stored {
	h.t.Helper()
	s := invariant.Stored{}
	for id, turns := range h.store.Turns() {
		c := &invariant.Conversation{}
		for _, t := range turns {
			c.Turns = append(c.Turns, invariant.Turn{Seq: t.Turn.Seq, Author: t.Turn.Author, Key: "source:" + t.Key, Text: t.Turn.Text, Role: t.Turn.Role})
			c.Events = append(c.Events, invariant.Event{Seq: t.Turn.Seq, Type: assist.EventTurnAdded, Public: true})
			c.LastSeq = t.Turn.Seq
		}
		s[id] = c
	}
	return s
}

func (h *house) readToTheEnd(history *invariant.History, stored invariant.Stored) {
	h.t.Helper()
	c := h.dial(agent)
	defer c.Close()
	conversation := history.Conversation()
	last := history.Last()
	history.Opened(last)
	c.say(`{"type":"conversation.open","id":"open","conversation":%q,"data":{"after":%d}}`, conversation, last)
	for history.Last() < stored[conversation].LastSeq {
		if m := c.next(); m.Conversation == conversation && m.Type != "ack" && m.Type != "presence" {
			history.Saw(m.Type, m.Seq, m.Data)
		}
	}
	history.SawAll()
}

// F25: a frame that is announced as enormous is refused before anything is kept
// of it.
func TestHugeAnnouncedFrame(t *testing.T) {
	h := open(t, nil)
	for _, announced := range []uint64{64<<10 + 1, 1 << 30, 1 << 62} {
		raw, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(raw, "GET /v1/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nAuthorization: Bearer %s\r\n\r\n", h.token(agent, time.Hour))
		r := bufio.NewReader(raw)
		res, err := http.ReadResponse(r, nil)
		if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", res, err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		head := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, announced)
		head = append(head, 1, 2, 3, 4) // the mask
		if _, err := raw.Write(append(head, make([]byte, 70<<10)...)); err != nil {
			t.Fatal(err)
		}
		_ = raw.SetReadDeadline(time.Now().Add(time.Minute))
		code := 0
		for code == 0 { // past the welcome, to the close frame
			op, err := r.ReadByte()
			if err != nil {
				t.Fatalf("announced %d: no close frame: %v", announced, err)
			}
			length, err := r.ReadByte()
			if err != nil {
				t.Fatal(err)
			}
			n := int(length)
			if n == 126 {
				var two [2]byte
				if _, err := r.Read(two[:]); err != nil {
					t.Fatal(err)
				}
				n = int(binary.BigEndian.Uint16(two[:]))
			}
			body := make([]byte, n)
			for got := 0; got < n; {
				k, err := r.Read(body[got:])
				if err != nil {
					t.Fatal(err)
				}
				got += k
			}
			if op == 0x88 {
				code = int(binary.BigEndian.Uint16(body))
			}
		}
		runtime.ReadMemStats(&after)
		if code != 4413 {
			t.Errorf("announced %d: closed with %d", announced, code)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 {
			t.Errorf("announced %d: %d bytes were allocated", announced, grown)
		}
		raw.Close()
	}
}

// F24: the machine's clock jumps ten minutes back and forth. Order is the store's
// seq, and nobody is thrown out.
func TestClockJumps(t *testing.T) {
	var skew atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(skew.Load())) }
	h := open(t, func(o *ws.Options) { o.Now = now })
	c := h.dial(agent)
	c.open("conv_1", 0)
	for i, jump := range []time.Duration{0, 10 * time.Minute, -10 * time.Minute, time.Minute, 0} {
		skew.Store(int64(jump))
		h.turns("conv_1", i, 1)
	}
	c.follow(0, 5)
}

// F28: every socket is gone at once and all come back, having missed one turn.
// Each costs one question to the store.
func TestReconnectStorm(t *testing.T) {
	n := *stormSockets
	var asked atomic.Int64
	h := openWith(t, func(s *memstore.Store) {
		s.Before = func(context.Context, string) error { asked.Add(1); return nil }
	}, nil)
	who := func(i int) assist.Identity {
		if i%2 == 0 { // what they missed is read as the public role
			return assist.Identity{Subject: fmt.Sprintf("customer-%d", i), Actor: assist.ActorCustomer, Conversation: fmt.Sprintf("conv-%d", i)}
		}
		return assist.Identity{Subject: fmt.Sprintf("tool-%d", i), Actor: assist.ActorSource}
	}
	for i := range n {
		h.turns(fmt.Sprintf("conv-%d", i), 0, 2)
	}
	tokens := make([]string, n)
	for i := range n {
		tokens[i] = h.token(who(i), time.Hour)
	}
	asked.Store(0)
	began := time.Now()
	var wg sync.WaitGroup
	var worst atomic.Int64
	dialing := make(chan struct{}, 256) // of this client, not of the server: files and ports
	for i := range n {
		wg.Go(func() {
			dialing <- struct{}{}
			conn, _, err := websocket.DefaultDialer.Dial(h.url(), http.Header{"Authorization": {"Bearer " + tokens[i]}})
			<-dialing
			if err != nil {
				t.Errorf("socket %d: %v", i, err)
				return
			}
			defer conn.Close()
			c := &client{t, conn}
			conversation := fmt.Sprintf("conv-%d", i)
			_ = c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"conversation.open","id":"o","conversation":%q,"data":{"after":1}}`, conversation))
			for {
				m, err := c.read()
				if err != nil {
					t.Errorf("socket %d: %v", i, err)
					return
				}
				if m.Type == "turn.added" {
					if m.Seq != 2 {
						t.Errorf("socket %d was given seq %d", i, m.Seq)
					}
					break
				}
			}
			took := int64(time.Since(began))
			for {
				w := worst.Load()
				if took <= w || worst.CompareAndSwap(w, took) {
					break
				}
			}
		})
	}
	wg.Wait()
	if asked.Load() > int64(n) {
		t.Errorf("%d sockets came back with %d questions to the store", n, asked.Load())
	}
	load, _ := os.ReadFile("/proc/loadavg")
	t.Logf("%d sockets back in %s, %.2f questions each, load %.14s", n, time.Duration(worst.Load()).Round(time.Millisecond), float64(asked.Load())/float64(n), load)
}

// F9: agents and tools are watchers, customers are not; a server that stops sends
// people away, which is not their leaving.
func TestWhoWatches(t *testing.T) {
	var mu sync.Mutex
	watching := map[string]int{}
	changed := make(chan struct{}, 100)
	count := func(conversation string, n int) {
		mu.Lock()
		watching[conversation] += n
		mu.Unlock()
		changed <- struct{}{}
	}
	h := open(t, func(o *ws.Options) {
		o.Watch = func(conversation string) func() {
			count(conversation, 1)
			return func() { count(conversation, -1) }
		}
	})
	now := func(want int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if n := watching["conv_1"]; n != want {
			t.Errorf("%d watch, want %d", n, want)
		}
	}
	h.dial(customer).open("conv_1", 0)
	ann, tool := h.dial(agent), h.dial(source)
	ann.open("conv_1", 0)
	ann.open("conv_1", 0) // again on the same connection
	tool.open("conv_1", 0)
	<-changed
	<-changed
	now(2)
	ann.Close()
	<-changed
	now(1)
	if err := h.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	now(1)
}
