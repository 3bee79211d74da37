package ws_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/ws"
)

// follow reads kept events until seq last, and fails on a gap or a repeat.
func (c *client) follow(after, last int64) {
	c.t.Helper()
	for after < last {
		m, err := c.read()
		if err != nil {
			c.t.Errorf("after seq %d: %v", after, err)
			return
		}
		if m.Seq == 0 {
			continue
		}
		if m.Seq != after+1 {
			c.t.Errorf("seq %d follows %d", m.Seq, after)
			return
		}
		after = m.Seq
	}
}

// Opening while others write: nothing is lost or repeated between log and live.
func TestOpenWhileOthersWrite(t *testing.T) {
	h := open(t, nil)
	const writers, each = 4, 250
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { h.turns("conv_1", w*each, each) })
	}
	for range 8 {
		wg.Go(func() {
			c := h.dial(agent)
			c.say(`{"type":"conversation.open","id":"o","conversation":"conv_1"}`)
			c.follow(0, writers*each)
		})
	}
	wg.Wait()
}

func TestResumeGetsExactlyTheGap(t *testing.T) {
	h := open(t, nil)
	c := h.dial(agent)
	c.open("conv_1", 0)
	h.turns("conv_1", 0, 5)
	c.follow(0, 5)
	c.Close()
	h.turns("conv_1", 5, 450) // more than one page of the log
	c = h.dial(agent)
	if m := c.open("conv_1", 5); string(m.Data) != `{"seq":455,"status":"waiting"}` {
		t.Errorf("ack %s", m.raw)
	}
	c.follow(5, 455)
	h.turns("conv_1", 455, 1)
	c.follow(455, 456)
}

// What the bus loses is read from the log with the next event.
func TestLostPublishIsFound(t *testing.T) {
	h := open(t, nil)
	c := h.dial(agent)
	c.open("conv_1", 0)
	h.turns("conv_1", 0, 1)
	c.follow(0, 1)
	turn, err := h.store.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_1", ClientID: "silent", Role: assist.RoleCustomer, Text: "x"}, chat.Lease{})
	if err != nil || turn.Turn.Seq != 2 {
		t.Fatal(turn, err)
	}
	h.turns("conv_1", 1, 1)
	c.follow(1, 3)
}

// A customer sees turns and nothing else, though the numbers have holes.
func TestCustomerSeesOnlyTurns(t *testing.T) {
	h := open(t, nil)
	cust := h.dial(customer)
	cust.open("conv_1", 0)
	h.turns("conv_1", 0, 1)
	ctx := t.Context()
	if _, err := h.chat.SetStep(ctx, agent, "conv_1", assist.StepChange{StepID: "s", State: assist.StepDone}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.chat.AddTurn(ctx, source, assist.NewTurn{Conversation: "conv_1", ClientID: "act", Role: assist.RoleSystem, Action: &assist.Action{Name: "secret-action"}}); err != nil {
		t.Fatal(err)
	}
	if err := h.chat.Typing(ctx, agent, "conv_1", "", "secret words"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.chat.SendReply(ctx, agent, assist.NewReply{Conversation: "conv_1", ClientID: "r", Text: "Hello"}); err != nil {
		t.Fatal(err)
	}
	check := func(c *client, want string) {
		t.Helper()
		var got []string
		for len(got) == 0 || !strings.HasSuffix(got[len(got)-1], " 4") {
			m := c.next()
			if strings.Contains(m.raw, "secret") || strings.Contains(m.raw, "author") {
				t.Errorf("a customer saw %s", m.raw)
			}
			got = append(got, fmt.Sprintf("%s %d", m.Type, m.Seq))
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
	check(cust, "turn.added 1, typing 0, turn.added 4")
	again := h.dial(customer)
	again.open("conv_1", 0)
	check(again, "turn.added 1, turn.added 4")
}

func TestSlowReaderIsCutAndOthersAreNot(t *testing.T) {
	h := open(t, func(o *ws.Options) {
		o.Limits.WriteTimeout = 10 * time.Second // it is the queue that overflows
		o.Limits.QueueBytes = 1 << 20            // roomy: the fast reader shares two cores with everything else
	})
	slow, fast := h.dial(agent), h.dial(agent)
	slow.open("conv_1", 0)
	fast.open("conv_1", 0)
	const batch, n = 50, 3000
	text := strings.Repeat("x", 4000) // 3,000 of them fill any socket buffer
	for seq := int64(0); seq < n; seq += batch {
		for i := range batch {
			if _, err := h.chat.AddTurn(t.Context(), source, assist.NewTurn{Conversation: "conv_1", ClientID: fmt.Sprint(seq, i), Role: assist.RoleCustomer, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		fast.follow(seq, seq+batch)
	}
	for {
		m, err := slow.read()
		if err != nil {
			break // cut; the close frame comes only if the socket could still take it
		}
		if m.Seq == n {
			t.Fatal("the slow reader was waited for: it got everything")
		}
	}
	again := h.dial(agent) // and can resume
	again.open("conv_1", n-1)
	again.follow(n-1, n)
}

// Many connections, each its own conversation and one that all share.
func TestManyConnections(t *testing.T) {
	h := open(t, nil)
	const conns, each = 200, 10
	watcher := h.dial(agent)
	watcher.open("shared", 0)
	var wg sync.WaitGroup
	wg.Go(func() { watcher.follow(0, conns*each) })
	for n := range conns {
		wg.Go(func() {
			c := h.dial(assist.Identity{Subject: fmt.Sprintf("tool-%d", n), Actor: assist.ActorSource})
			own := fmt.Sprintf("own-%d", n)
			for i := range each {
				c.say(`{"type":"turn.add","id":"s%d","conversation":"shared","data":{"role":"customer","text":"x"}}`, i)
				c.say(`{"type":"turn.add","id":"o%d","conversation":%q,"data":{"role":"customer","text":"%d"}}`, i, own, i)
			}
			for range 2 * each {
				if m := c.next(); m.Type != "ack" {
					t.Errorf("%s", m.raw)
				} else if id := m.ID; id[0] == 'o' && string(m.Data) != fmt.Sprintf(`{"seq":%d}`, int(id[1]-'0')+1) {
					t.Errorf("frames of one conversation were not taken in order: %s", m.raw)
				}
			}
			c.Close()
		})
	}
	wg.Wait()
}

func TestQueue(t *testing.T) {
	h := open(t, nil)
	h.turns("conv_1", 0, 1)
	c := h.dial(agent)
	c.say(`{"type":"queue.open","id":"q"}`)
	if m := c.answer("q"); !strings.Contains(string(m.Data), `"id":"conv_1"`) {
		t.Errorf("ack %s", m.raw)
	}
	h.turns("conv_2", 0, 1)
	if m := c.next(); m.Type != "queue.changed" || m.Conversation != "conv_2" {
		t.Errorf("got %s", m.raw)
	}
}

func TestPresence(t *testing.T) {
	h := open(t, nil)
	c := h.dial(source)
	c.open("conv_1", 0)
	h.dial(agent).open("conv_1", 0)
	if m := c.next(); m.Type != "presence" || string(m.Data) != `{"agents":["Ada"]}` {
		t.Errorf("got %s", m.raw)
	}
}

func TestShutdownSaysReconnect(t *testing.T) {
	h := open(t, nil)
	c := h.dial(agent)
	done := make(chan error, 1)
	go func() { done <- h.server.Shutdown(context.Background()) }()
	if code, text := c.closed(); code != 4001 || text == "" {
		t.Errorf("closed with %d %q", code, text)
	}
	c.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := h.server.Connections(); n != 0 {
		t.Errorf("%d connections left", n)
	}
}

func TestRevokedTokenClosesTheSocket(t *testing.T) {
	h := open(t, func(o *ws.Options) {
		o.Limits.RecheckEvery = time.Millisecond
		o.Revoked = func(assist.Identity) error {
			return assist.Errorf(assist.Unauthenticated, "this token was revoked")
		}
	})
	if code, text := h.dial(agent).closed(); code != 4401 || text != "this token was revoked" {
		t.Errorf("closed with %d %q", code, text)
	}
}

func TestSilentClientIsIdle(t *testing.T) {
	h := open(t, func(o *ws.Options) {
		o.Limits.PingEvery, o.Limits.PongTimeout = 50*time.Millisecond, 50*time.Millisecond
	})
	c := h.dial(agent)
	c.SetPingHandler(func(string) error { return nil }) // never answers
	if code, _ := c.closed(); code != 4003 {
		t.Errorf("closed with %d, want 4003", code)
	}
}
