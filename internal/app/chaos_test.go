package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/replay"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/invariant"
	"github.com/aside-project/aside/internal/testkit/scripted"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// The long versions of the tests below; make chaos sets them.
var (
	killCount  = flag.Int("kills", 3, "how often the server is killed under load")
	crashCount = flag.Int("crashes", 1, "how often PostgreSQL is crashed under load")
)

// faultyModel is a model's server that fails in every way there is, about one
// answer in seven; the others stream for a while, so that there is always
// something under way.
func faultyModel(t *testing.T) string {
	t.Helper()
	bad := []scripted.Mode{scripted.Busy, scripted.Fail, scripted.Cut, scripted.Reset, scripted.BadEvent, scripted.NoDone,
		scripted.LeftOpen, scripted.BadAnswer, scripted.HTML, scripted.Hostile, scripted.Stall, scripted.Hang}
	pace := func(m scripted.Mode) http.Handler {
		return scripted.New(scripted.Script{Behaviour: scripted.Behaviour{Mode: m, FirstToken: 40 * time.Millisecond, TokensPerSecond: 400}})
	}
	good := pace(scripted.Answer)
	var handlers []http.Handler
	for _, m := range bad {
		handlers = append(handlers, good, good, good, good, good, good, pace(m))
	}
	var mu sync.Mutex
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := handlers[n%len(handlers)]
		n++
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		srv.CloseClientConnections()
		srv.Close()
	})
	return srv.URL + "/v1"
}

// chaos is a server process under load, with everybody's own log.
type chaos struct {
	t      *testing.T
	cfg    app.Config
	url    string // of the database
	cmd    *exec.Cmd
	desks  []*clerk
	home   func() // the desks go home
	more   chan struct{}
	enough func() // no conversations are begun any more but the first so many
	served chan time.Time
	token  string // of the source
	probe  *invariant.History
	probes int

	mu        sync.Mutex
	histories []*invariant.History
	seen      map[string]int // events that the replay's clients saw, by type
	done      chan struct{}
	report    replay.Report
	err       error
}

const chaosTurns = 12 // of each conversation

// recordings writes n conversations to w, and more until enough is closed; nil is
// enough. It ends when the reader closes.
func recordings(w io.Writer, n int, enough <-chan struct{}) error {
	for c := 0; ; c++ {
		select {
		case <-enough:
			enough = nil
		default:
		}
		if c >= n && enough == nil {
			return nil
		}
		var b strings.Builder
		fmt.Fprintf(&b, `{"_id":"chat-%d","turns":[`, c)
		for i := range chaosTurns {
			role, text := "customer", fmt.Sprintf("Question %d: the zipper of my jacket broke, what about a refund?", i)
			if i%3 == 2 {
				role, text = "agent", "Let me look that up for you."
			}
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"turn":%d,"role":%q,"text":%q}`, i+1, role, text)
		}
		b.WriteString("]}\n")
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
}

// unleash starts a server process, its agents, and conversations at a rate of turns
// per second: so many, and more until it is enough.
func unleash(t *testing.T, name, url string, conversations int, rate float64) *chaos {
	t.Helper()
	return unleashThrough(t, name, url, conversations, rate, func(cfg app.Config) (door string) { return cfg.Listen })
}

// unleashThrough is unleash with the conversations coming by an address that leads
// to the server, which runs by then.
func unleashThrough(t *testing.T, name, url string, conversations int, rate float64, way func(app.Config) (door string)) *chaos {
	t.Helper()
	schema := schemaOf(name)
	db := testdb.OpenWith(t, postgres.Config{URL: url, Schema: schema})
	ingestPages(t, db)
	cfg := app.Default()
	cfg.Database, cfg.Schema, cfg.Secret, cfg.Listen, cfg.DataDir = url, schema, secret, testkit.Address(t), ""
	cfg.StopWait, cfg.Patience = 5*time.Minute, 10*time.Second // a busy machine may need them; what waits longer is refused, as ever
	cfg.Model = app.Endpoint{BaseURL: faultyModel(t), Model: "scripted"}
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(who assist.Identity) string {
		token, err := signer.Sign(who, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	more := make(chan struct{})
	c := &chaos{t: t, cfg: cfg, url: url, served: make(chan time.Time, 1), done: make(chan struct{}), more: more, enough: sync.OnceFunc(func() { close(more) }), token: sign(source),
		probe: invariant.NewHistory(source, "probe")}
	c.histories = append(c.histories, c.probe)
	c.cmd = launch(t, cfg)
	c.desks, c.home = crowd(t, 6, "ws://"+cfg.Listen+"/v1/ws", sign)
	door := way(cfg)
	reader, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(recordings(writer, conversations, c.more)) }() // ends with its reader
	go func() {
		defer close(c.done)
		defer reader.Close()
		c.report, c.err = replay.Run(t.Context(), replay.Options{
			URL: "http://" + door, Token: c.token, Concurrency: 32, Rate: rate, Ack: 30 * time.Second, Patience: 5 * time.Minute,
			Wait:    2 * time.Second, // those who wait for a suggestion that a kill took along must not hold the others up
			Observe: c.observe,
		}, reader)
	}()
	t.Cleanup(func() {
		c.enough()
		<-c.done
	})
	return c
}

// observe gives a conversation of the replay its history, which also says that
// turns are served.
func (c *chaos) observe(conversation string) replay.Observer {
	h := invariant.NewHistory(source, conversation)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.histories = append(c.histories, h)
	return served{h, c}
}

type served struct {
	*invariant.History
	c *chaos
}

func (s served) Saw(kind string, seq int64, data json.RawMessage) {
	s.History.Saw(kind, seq, data)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.seen == nil {
		s.c.seen = map[string]int{}
	}
	s.c.seen[kind]++
}

// SawAll is not the end here: an agent may still send.
func (s served) SawAll() {}

func (s served) OK(key string, seq int64) {
	s.History.OK(key, seq)
	select {
	case s.c.served <- time.Now():
	default:
	}
}

// firstTurn sends a turn on a connection of its own as soon as the server takes
// one, and gives how long after began it was acknowledged. The load's own clients
// may all be waiting for something else.
func (c *chaos) firstTurn(began time.Time) time.Duration {
	c.t.Helper()
	c.mu.Lock()
	c.probes++
	n := assist.NewTurn{Conversation: "probe", ClientID: fmt.Sprint(c.probes), Role: assist.RoleCustomer, Text: "Is anybody there?"}
	c.mu.Unlock()
	c.probe.Turn(n.Key(), n.Text)
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	slow := time.AfterFunc(2*time.Second, c.explain)
	defer slow.Stop()
	for ctx.Err() == nil {
		if seq, err := c.sendTurn(ctx, n); err == nil {
			c.probe.OK(n.Key(), seq)
			return time.Since(began)
		}
		pause(ctx, 5*time.Millisecond)
	}
	c.t.Fatal("no turn was served within five minutes")
	return 0
}

func (c *chaos) sendTurn(ctx context.Context, n assist.NewTurn) (seq int64, err error) {
	conn, err := dialAs(ctx, "ws://"+c.cfg.Listen+"/v1/ws", c.token)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	data := fmt.Appendf(nil, `{"role":%q,"text":%q}`, n.Role, n.Text)
	if err := conn.WriteJSON(frame{Type: "turn.add", ID: n.ClientID, Conversation: n.Conversation, Data: data}); err != nil {
		return 0, err
	}
	for {
		var f frame
		if err := conn.ReadJSON(&f); err != nil {
			return 0, err
		}
		if f.Type == "error" {
			return 0, errors.New(f.Error.Message)
		}
		if f.Type == "ack" {
			var ack struct {
				Seq int64 `json:"seq"`
			}
			err := json.Unmarshal(f.Data, &ack)
			return ack.Seq, err
		}
	}
}

// nextServed waits for an ack that came after since; false when the replay ended
// before.
func (c *chaos) nextServed(since time.Time) (time.Duration, bool) {
	for {
		select {
		case at := <-c.served:
			if at.After(since) {
				return at.Sub(since), true
			}
		case <-c.done:
			return 0, false
		}
	}
}

// lull lets the load run for a random moment; false when it is over.
func (c *chaos) lull(atLeast, atMost time.Duration) bool {
	timer := time.NewTimer(atLeast + rand.N(atMost-atLeast))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.done:
		return false
	}
}

// kill ends the server without warning and starts another. It gives how long the
// first turn took from the start of the new process.
func (c *chaos) kill() time.Duration {
	c.t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait() // says that it was killed
	began := time.Now()
	c.cmd = launch(c.t, c.cfg)
	return c.firstTurn(began)
}

// explain says what the database's sessions do.
func (c *chaos) explain() {
	conn, err := pgx.Connect(context.Background(), c.url)
	if err != nil {
		c.t.Logf("nothing is served, and the database does not answer: %v", err)
		return
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(context.Background(), `SELECT concat_ws(' ', pid, state, wait_event_type, wait_event, now() - state_change, pg_blocking_pids(pid), left(query, 120))
		FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
	if err != nil {
		c.t.Logf("nothing is served: %v", err)
		return
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	c.t.Logf("nothing is served; the database's sessions (%v):\n%s", err, strings.Join(lines, "\n"))
}

// judge lets the load end, waits until all is still, and holds what is stored
// against everybody's log.
func (c *chaos) judge() {
	c.t.Helper()
	c.enough()
	<-c.done
	if c.err != nil {
		c.t.Errorf("the replay: %v", c.err)
	}
	if c.report.Lost != 0 || c.report.Duplicated != 0 || c.report.Acked != c.report.Turns {
		c.t.Errorf("the replay lost %d, doubled %d, of %d turns %d were acked", c.report.Lost, c.report.Duplicated, c.report.Turns, c.report.Acked)
	}
	c.home()
	for _, d := range c.desks {
		d.settle(c.t)
	}
	stored := c.still()
	last := map[string]int64{}
	suggestions, reasons := map[assist.SuggestionState]int{}, map[string]int{}
	for id, conversation := range stored {
		last[id] = conversation.LastSeq
		for _, s := range conversation.Suggestions {
			suggestions[s.State]++
			reasons[s.Model+" "+s.Reason]++
		}
	}
	clicks, drops := 0, 0
	for _, d := range c.desks {
		d.readAll(c.t, last)
		clicks, drops = clicks+d.clicks, drops+d.drops
		for _, h := range d.chats {
			c.histories = append(c.histories, h)
		}
	}
	invariant.Report(c.t, stored, c.histories)
	load, _ := os.ReadFile("/proc/loadavg")
	c.t.Logf("%d conversations, %d turns at %.0f/s, %d clicks, %d lost connections of agents, suggestions %v %v, load %.14s",
		len(stored), c.report.Turns, c.report.TurnsPerS, clicks, drops, suggestions, reasons, load)
	// Only a suggestion that came to an instant draft is stored. Each customer here
	// writes again after a sixth of a second: how many come that far, and are stored,
	// says how fast the machine was, not whether anything was lost.
	seen := func(e assist.EventType) int { return c.seen[string(e)] }
	c.t.Logf("suggestions seen to begin %d, to come to an instant draft %d, replaced %d; instant p50 %.0f ms",
		seen(assist.EventSuggestionStarted), seen(assist.EventSuggestionInstant), seen(assist.EventSuggestionSuperseded), c.report.Instant.P50)
}

// still waits until no suggestion is at work and gives what is stored then.
func (c *chaos) still() invariant.Stored {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 5*time.Minute)
	defer cancel()
	for tick := time.NewTicker(200 * time.Millisecond); ; {
		stored, err := invariant.Read(ctx, c.url, c.cfg.Schema)
		if err != nil {
			c.t.Fatal(err)
		}
		busy := 0
		for _, conversation := range stored {
			if conversation.RunSeq > 0 {
				busy++
			}
		}
		if busy == 0 {
			tick.Stop()
			return stored
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Errorf("%d suggestions are at work five minutes after the last turn", busy)
			return stored
		}
	}
}

// stop ends the server as a deploy does.
func (c *chaos) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("the server did not stop cleanly: %v", err)
	}
}

func spread(times []time.Duration) string {
	if len(times) == 0 {
		return "none"
	}
	slices.Sort(times)
	ms := func(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, worst %s of %d", ms(times[(len(times)-1)/2]), ms(times[len(times)-1]), len(times))
}

// TestKills is F18: the server is killed without warning at random moments, with
// turns, replies and suggestions under way and a model that fails in every way.
func TestKills(t *testing.T) {
	kills := *killCount
	if testing.Short() {
		kills = 1
	}
	c := unleash(t, "kills", testdb.URL(t), 60, 200)
	if _, ok := c.nextServed(time.Now()); !ok {
		t.Fatalf("nothing was served: %v", c.err)
	}
	var first []time.Duration
	for range kills {
		if !c.lull(50*time.Millisecond, 1500*time.Millisecond) {
			break // the replay failed
		}
		first = append(first, c.kill())
	}
	if len(first) < kills {
		t.Errorf("the load was over after %d of %d kills", len(first), kills)
	}
	c.judge()
	c.stop()
	t.Logf("%d kills; first turn served after a start: %s", len(first), spread(first))
}

// TestDeploys is F19: the server is told to stop while everybody works, sends its
// clients away to come back, finishes what it can and ends by itself; the next one
// goes on. Nothing is lost, and suggestions that were under way are finished.
func TestDeploys(t *testing.T) {
	c := unleash(t, "deploys", testdb.URL(t), 40, 150)
	if _, ok := c.nextServed(time.Now()); !ok {
		t.Fatalf("nothing was served: %v", c.err)
	}
	var away []time.Duration
	for range 2 {
		if !c.lull(300*time.Millisecond, time.Second) {
			break
		}
		watcher, err := dialAs(t.Context(), "ws://"+c.cfg.Listen+"/v1/ws", c.token)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c.stop()
		for err == nil {
			_, _, err = watcher.ReadMessage()
		}
		watcher.Close()
		if !websocket.IsCloseError(err, 4001) {
			t.Errorf("a client was sent away with %v", err)
		}
		c.cmd = launch(t, c.cfg)
		c.firstTurn(began)
		away = append(away, time.Since(began))
	}
	c.judge()
	c.stop()
	t.Logf("%d deploys; from the signal to the next first turn: %s", len(away), spread(away))
}

// TestCrashes is F10: PostgreSQL goes down without a checkpoint, under load, and
// comes back. Nothing that was acknowledged is lost, and Aside goes on by itself.
func TestCrashes(t *testing.T) {
	crashes := *crashCount
	db := testdb.Own(t, true)
	c := unleash(t, "crashes", db.URL(), 60, 200)
	if _, ok := c.nextServed(time.Now()); !ok {
		t.Fatalf("nothing was served: %v", c.err)
	}
	var back, down []time.Duration
	for range crashes {
		if !c.lull(500*time.Millisecond, 2*time.Second) {
			break
		}
		began := time.Now()
		db.Crash(t)
		db.Start(t)
		accepts := time.Now()
		back, down = append(back, c.firstTurn(accepts)), append(down, accepts.Sub(began))
	}
	if len(back) < crashes {
		t.Errorf("the load was over after %d of %d crashes", len(back), crashes)
	}
	c.judge()
	c.stop()
	t.Logf("%d crashes; PostgreSQL itself was away: %s; first turn served after it was back: %s", len(back), spread(down), spread(back))
}
