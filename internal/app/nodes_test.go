package app_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"hash/fnv"
	"io"
	"maps"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/replay"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/natsd"
	"github.com/aside-project/aside/internal/testkit/scripted"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// The long version of TestNodes; make chaos-nodes sets them.
var (
	nodesFor  = flag.Duration("nodes", 12*time.Second, "how long three nodes are kept under load")
	nodeKills = flag.Duration("nodes-kill", 4*time.Second, "how often one of them is killed")
	nodesCut  = flag.Duration("nodes-cut", 3*time.Second, "how long NATS is away in the middle")
	nodesRate = flag.Float64("nodes-rate", 40, "turns per second")
	nodesGap  = flag.Duration("nodes-gap", 0, "the most that an agent may wait for a turn that was acked; 0: it is only printed")
)

// balancer is what stands before the nodes: it gives each connection to the next
// node that answers.
type balancer struct {
	listener net.Listener
	nodes    []string
	wg       sync.WaitGroup

	mu    sync.Mutex
	turn  int
	conns map[net.Conn]bool
}

func balance(t *testing.T, nodes []string) *balancer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: l, nodes: nodes, conns: map[net.Conn]bool{}}
	b.wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			b.wg.Go(func() { b.serve(in) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		b.mu.Lock()
		for c := range b.conns {
			c.Close()
		}
		b.mu.Unlock()
		b.wg.Wait()
	})
	return b
}

func (b *balancer) serve(in net.Conn) {
	b.mu.Lock()
	b.turn++
	first := b.turn
	b.mu.Unlock()
	for i := range b.nodes {
		out, err := net.DialTimeout("tcp", b.nodes[(first+i)%len(b.nodes)], time.Second)
		if err != nil {
			continue
		}
		b.mu.Lock()
		b.conns[in], b.conns[out] = true, true
		b.mu.Unlock()
		var both sync.WaitGroup
		for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
			both.Go(func() {
				_, _ = io.Copy(way[1], way[0]) // ends with either side
				way[0].Close()
				way[1].Close()
			})
		}
		both.Wait()
		b.mu.Lock()
		delete(b.conns, in)
		delete(b.conns, out)
		b.mu.Unlock()
		return
	}
	in.Close()
}

// cut breaks one connection, without a word to either side. false: there is none.
func (b *balancer) cut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.conns { // whichever comes first
		_ = c.(*net.TCPConn).SetLinger(0)
		c.Close()
		return true
	}
	return false
}

// onlooker is an agent who opens a share of the conversations, as many as an agent
// may have open, and notes when each event of the log is seen.
type onlooker struct {
	address, token string
	number, of     uint32

	mu    sync.Mutex
	last  map[string]int64
	at    map[string]time.Time           // when something was last seen
	seen  map[string]map[int64]time.Time // by conversation and seq
	drops int
}

func (o *onlooker) mine(conversation string) bool {
	sum := fnv.New32a()
	sum.Write([]byte(conversation))
	return sum.Sum32()%o.of == o.number
}

func (o *onlooker) work(ctx context.Context) {
	for ctx.Err() == nil {
		if o.sit(ctx) != nil && ctx.Err() == nil {
			o.mu.Lock()
			o.drops++
			o.mu.Unlock()
			pause(ctx, 100*time.Millisecond)
		}
	}
}

func (o *onlooker) sit(ctx context.Context) error {
	conn, err := dialAs(ctx, o.address, o.token)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	open := func(id string) error {
		o.mu.Lock()
		after := o.last[id]
		o.mu.Unlock()
		return conn.WriteJSON(frame{Type: "conversation.open", ID: "open", Conversation: id, Data: fmt.Appendf(nil, `{"after":%d}`, after)})
	}
	opened := map[string]bool{}
	see := func(id string) error {
		if opened[id] || !o.mine(id) || len(opened) > 900 {
			return nil
		}
		opened[id] = true
		return open(id)
	}
	if err := conn.WriteJSON(frame{Type: "queue.open", ID: "queue"}); err != nil {
		return err
	}
	o.mu.Lock()
	known := slices.Collect(maps.Keys(o.last))
	slices.SortFunc(known, func(a, b string) int { return o.at[b].Compare(o.at[a]) }) // what moves comes first
	o.mu.Unlock()
	for _, id := range known[:min(len(known), clerkKeeps)] {
		if err := see(id); err != nil {
			return err
		}
	}
	for {
		var f frame
		if err := conn.ReadJSON(&f); err != nil {
			return err
		}
		switch {
		case f.Type == "ack" && f.ID == "queue":
			var q struct{ Conversations []assist.Conversation }
			if err := json.Unmarshal(f.Data, &q); err != nil {
				return err
			}
			for _, c := range q.Conversations {
				if err := see(c.ID); err != nil {
					return err
				}
			}
		case f.Type == "queue.changed":
			if err := see(f.Conversation); err != nil {
				return err
			}
		case f.Seq > 0:
			o.mu.Lock()
			if o.seen[f.Conversation] == nil {
				o.seen[f.Conversation] = map[int64]time.Time{}
			}
			if _, before := o.seen[f.Conversation][f.Seq]; !before {
				o.seen[f.Conversation][f.Seq] = time.Now()
			}
			o.last[f.Conversation], o.at[f.Conversation] = max(o.last[f.Conversation], f.Seq), time.Now()
			o.mu.Unlock()
		}
	}
}

// timed notes when turns were acked, beside the history.
type timed struct {
	served
	note func(seq int64)
}

func (w timed) OK(key string, seq int64) {
	w.note(seq)
	w.served.OK(key, seq)
}

// fleet is three server processes on one database, behind a balancer.
type fleet struct {
	t    *testing.T
	cfgs []app.Config
	cmds []*exec.Cmd
	nats *natsd.Servers
	url  string // of the database
	at   string // host:port of the balancer
	sign func(assist.Identity) string
}

func launchFleet(t *testing.T, name string, n int, change func(*app.Config)) *fleet {
	t.Helper()
	f := &fleet{t: t, nats: natsd.Cluster(t, 3), url: testdb.URL(t)}
	schema := schemaOf(name)
	db := testdb.OpenWith(t, postgres.Config{URL: f.url, Schema: schema})
	ingestPages(t, db)
	var addresses []string
	for i := range n {
		cfg := app.Default()
		cfg.Database, cfg.Schema, cfg.Secret, cfg.Listen, cfg.DataDir = f.url, schema, secret, testkit.Address(t), ""
		cfg.StopWait, cfg.Patience = 5*time.Minute, 10*time.Second
		cfg.NATS = f.nats.URL(i)
		if change != nil {
			change(&cfg)
		}
		addresses = append(addresses, cfg.Listen)
		f.cfgs = append(f.cfgs, cfg)
		f.cmds = append(f.cmds, launch(t, cfg))
	}
	signer, err := f.cfgs[0].Signer()
	if err != nil {
		t.Fatal(err)
	}
	f.sign = func(who assist.Identity) string {
		token, err := signer.Sign(who, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	f.at = balance(t, addresses).listener.Addr().String()
	return f
}

// kill ends node i without warning and starts it again.
func (f *fleet) kill(i int) {
	f.t.Helper()
	if err := f.cmds[i].Process.Kill(); err != nil {
		f.t.Fatal(err)
	}
	_ = f.cmds[i].Wait() // says that it was killed
	f.cmds[i] = launch(f.t, f.cfgs[i])
}

func (f *fleet) stop() {
	f.t.Helper()
	for _, cmd := range f.cmds {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			f.t.Fatal(err)
		}
	}
	for i, cmd := range f.cmds {
		if err := cmd.Wait(); err != nil {
			f.t.Errorf("node %d did not stop cleanly: %v", i, err)
		}
	}
}

// TestNodes has three nodes on one database, customers, agents and onlookers
// spread over them by a balancer, one node killed every few seconds, and the bus
// away in the middle: nothing is lost, nothing is there twice, everybody sees the
// same order, a suggestion has one outcome. How long agents wait for a turn that was
// acked is printed, and with -nodes-gap held.
func TestNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a quarter of a minute")
	}
	f := launchFleet(t, "nodes", 3, func(c *app.Config) {
		c.Model = app.Endpoint{BaseURL: faultyModel(t), Model: "scripted"}
	})
	c := &chaos{t: t, cfg: f.cfgs[0], url: f.url, served: make(chan time.Time, 1), done: make(chan struct{}), enough: func() {}}
	address := "ws://" + f.at + "/v1/ws"
	c.desks, c.home = crowd(t, 6, address, f.sign)
	ctx, leave := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	var lookers []*onlooker
	const onlookers = 6
	for i := range onlookers {
		who := assist.Identity{Subject: fmt.Sprintf("onlooker-%d", i), Actor: assist.ActorAgent}
		o := &onlooker{number: uint32(i), of: onlookers, address: address, token: f.sign(who), last: map[string]int64{}, at: map[string]time.Time{}, seen: map[string]map[int64]time.Time{}}
		lookers = append(lookers, o)
		watching.Go(func() { o.work(ctx) })
	}
	defer watching.Wait()
	defer leave()

	var mu sync.Mutex
	acked := map[string]map[int64]time.Time{}
	conversations := int(nodesFor.Seconds() * *nodesRate / chaosTurns)
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(recordings(writer, conversations, nil)) }() // ends with its reader
	go func() {
		defer close(c.done)
		defer reader.Close()
		c.report, c.err = replay.Run(t.Context(), replay.Options{URL: "http://" + f.at, Token: f.sign(source), Concurrency: 24, Rate: *nodesRate, Ack: 30 * time.Second, Patience: 5 * time.Minute,
			Observe: func(conversation string) replay.Observer {
				note := func(seq int64) {
					mu.Lock()
					defer mu.Unlock()
					if acked[conversation] == nil {
						acked[conversation] = map[int64]time.Time{}
					}
					acked[conversation][seq] = time.Now()
				}
				return timed{c.observe(conversation).(served), note}
			}}, reader)
	}()
	t.Cleanup(func() { <-c.done })
	if _, ok := c.nextServed(time.Now()); !ok {
		t.Fatalf("nothing was served: %v", c.err)
	}

	began, kills := time.Now(), 0
	cut, healed := began.Add(*nodesFor/3), time.Time{}
	isCut := false
	for next := began.Add(*nodeKills); time.Since(began) < *nodesFor; {
		if !c.lull(50*time.Millisecond, 60*time.Millisecond) {
			break
		}
		switch now := time.Now(); {
		case !isCut && healed.IsZero() && now.After(cut):
			f.nats.Cut()
			isCut = true
		case isCut && now.After(cut.Add(*nodesCut)):
			f.nats.Heal()
			isCut, healed = false, now
		case now.After(next):
			f.kill(kills % 3)
			kills++
			next = now.Add(*nodeKills)
		}
	}
	if isCut {
		f.nats.Heal()
	}
	<-c.done
	for _, d := range c.desks {
		d.address = address
	}
	gaps, missing := []time.Duration{}, 0
	late := time.Now().Add(5 * time.Minute)
	for _, o := range lookers { // give the last turns their time
		for time.Now().Before(late) && o.behind(acked, &mu) > 0 {
			pause(ctx, 50*time.Millisecond)
		}
	}
	leave()
	watching.Wait()
	drops := 0
	for _, o := range lookers {
		drops += o.drops
		missing += o.behind(acked, &mu)
		for id, turns := range acked {
			for seq, at := range turns {
				if saw, ok := o.seen[id][seq]; ok {
					gaps = append(gaps, max(0, saw.Sub(at)))
					if *nodesGap > 0 && saw.Sub(at) > *nodesGap {
						t.Logf("%.1f s after the start, the turn at %d of %s came %s late", at.Sub(began).Seconds(), seq, id, saw.Sub(at).Round(time.Millisecond))
					}
				}
			}
		}
	}
	c.judge()
	f.stop()
	if missing > 0 {
		t.Errorf("%d turns were not seen five minutes after the last one", missing)
	}
	if len(gaps) == 0 {
		t.Fatal("nobody saw anything")
	}
	slices.Sort(gaps)
	if worst := gaps[len(gaps)-1]; *nodesGap > 0 && worst > *nodesGap {
		t.Errorf("an agent waited %s for a turn", worst)
	}
	t.Logf("%d kills, NATS away for %s, %d lost connections of onlookers; from a turn's ack to its onlooker: p99 %s, %s",
		kills, *nodesCut, drops, gaps[len(gaps)*99/100].Round(time.Millisecond), spread(gaps))
}

// behind counts the acked turns that were not seen.
func (o *onlooker) behind(acked map[string]map[int64]time.Time, mu *sync.Mutex) (n int) {
	mu.Lock()
	defer mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, turns := range acked {
		for seq := range turns {
			if _, ok := o.seen[id][seq]; !ok && o.mine(id) {
				n++
			}
		}
	}
	return n
}

// at gives a client at node i.
func (f *fleet) client(i int, who assist.Identity) *client {
	f.t.Helper()
	conn, err := dialAs(f.t.Context(), "ws://"+f.cfgs[i].Listen+"/v1/ws", f.sign(who))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { conn.Close() })
	c := &client{t: f.t, conn: conn}
	c.until("welcome", "")
	return c
}

// slowModel streams a draft for many seconds.
func slowModel(t *testing.T) (*scripted.Server, app.Endpoint) {
	t.Helper()
	m := scripted.Start(t, scripted.Script{Behaviour: scripted.Behaviour{FirstToken: 50 * time.Millisecond, TokensPerSecond: 1}})
	return m, app.Endpoint{BaseURL: m.URL, Model: "scripted"}
}

// TestAcrossNodes walks one conversation over two nodes: what one writes the
// other sees, a newer turn elsewhere cancels the draft, a reply elsewhere is the
// outcome of the suggestion it came from, presence is everybody's, and a node that
// dies leaves neither its draft nor its agents behind.
func TestAcrossNodes(t *testing.T) {
	model, endpoint := slowModel(t)
	f := launchFleet(t, "across", 2, func(c *app.Config) { c.Model = endpoint })
	tool, agent := f.client(0, source), f.client(1, maya)
	agent.send("conversation.open", "1", "conv", object{"after": 0})
	other := f.client(0, assist.Identity{Subject: "noor", Actor: assist.ActorAgent, Name: "Noor"})
	other.send("conversation.open", "1", "conv", object{"after": 0})
	agent.until("presence", `["Maya R.","Noor"]`)
	other.until("presence", `["Maya R.","Noor"]`)

	// A turn at node 0 is drafted there and seen at node 1, deltas and all.
	tool.send("turn.add", "1", "conv", object{"role": "customer", "text": "My jacket's zipper broke, do I get a refund?"})
	agent.until("turn.added", "zipper broke")
	first := agent.until("suggestion.instant", "")
	agent.until("suggestion.delta", "")

	// A newer one at node 1 cancels that draft at node 0, upstream too.
	second := f.client(1, assist.Identity{Subject: "tool-2", Actor: assist.ActorSource})
	before := time.Now()
	second.send("turn.add", "2", "conv", object{"role": "customer", "text": "And how long does the refund take to my card?"})
	agent.until("suggestion.superseded", id(t, first))
	took := time.Since(before)
	<-model.Gone()
	t.Logf("a draft at another node was cancelled after %s, upstream after %s", took.Round(time.Millisecond), time.Since(before).Round(time.Millisecond))
	latest := agent.until("suggestion.instant", "")

	// The agent at node 0 replies from the draft that node 1 is writing.
	var shown struct {
		ID    string                `json:"suggestion_id"`
		Draft struct{ Text string } `json:"draft"`
	}
	if err := json.Unmarshal(latest.Data, &shown); err != nil {
		t.Fatal(err)
	}
	other.until("suggestion.instant", shown.ID)
	if ack := other.send("reply.send", "r-1", "conv", object{"text": shown.Draft.Text, "suggestion_id": shown.ID}); ack.Type != "ack" {
		t.Fatalf("the reply was not taken: %+v", ack.Error)
	}
	outcome := agent.until("suggestion.outcome", "")
	if !strings.Contains(string(outcome.Data), shown.ID) || !strings.Contains(string(outcome.Data), `"accepted"`) {
		t.Errorf("the outcome is %s, want %s accepted", outcome.Data, shown.ID)
	}

	// Node 0 dies while it drafts: node 1 takes over, and Noor is gone.
	tool.send("turn.add", "3", "conv", object{"role": "customer", "text": "The seam of the jacket failed too, do I get store credit?"})
	drafting := agent.until("suggestion.instant", "")
	died := time.Now()
	if err := f.cmds[0].Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = f.cmds[0].Wait()
	again := agent.until("suggestion.instant", "")
	if id(t, again) == id(t, drafting) {
		t.Errorf("the same suggestion came twice: %s", again.Data)
	}
	t.Logf("the draft of a dead node was taken over after %s", time.Since(died).Round(time.Millisecond))
	if !slices.ContainsFunc(agent.seen, func(f frame) bool { return f.Type == "presence" && string(f.Data) == `{"agents":["Maya R."]}` }) {
		agent.until("presence", `{"agents":["Maya R."]}`)
	}
	t.Logf("presence of a dead node was gone within %s", time.Since(died).Round(time.Millisecond))

	// Without a bus, node 1 still sees what a node elsewhere writes.
	f.cmds[0] = launch(t, f.cfgs[0])
	f.nats.Cut()
	tool = f.client(0, source)
	tool.send("turn.add", "4", "conv", object{"role": "customer", "text": "Hello? Is the refund on its way?"})
	cut := time.Now()
	agent.until("turn.added", "on its way")
	t.Logf("without a bus a turn came after %s", time.Since(cut).Round(time.Millisecond))
	f.stop()
}

func id(t *testing.T, f frame) string {
	t.Helper()
	var d struct {
		ID string `json:"suggestion_id"`
	}
	if err := json.Unmarshal(f.Data, &d); err != nil || d.ID == "" {
		t.Fatalf("%s without an id: %s", f.Type, f.Data)
	}
	return d.ID
}
