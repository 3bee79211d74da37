package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a small server with faults. Its store outlives its sockets.
type fake struct {
	notFound  bool                                            // open of a new conversation is not_found
	onTurn    func(f *fake, n int, ext string) (fault string) // n counts turn.add frames, from 1; called under mu
	onOpen    func(n int) (fault string)
	noReplies bool // no suggestions

	mu    sync.Mutex
	log   map[string][]json.RawMessage // stored events, seq = index + 1; nil: lost
	byExt map[string]int64
	conns map[*websocket.Conn]bool
	turns int
	opens int
}

func (s *fake) init() {
	s.log, s.byExt, s.conns = map[string][]json.RawMessage{}, map[string]int64{}, map[*websocket.Conn]bool{}
}

// dropAll drops all sockets as a crash would.
func (s *fake) dropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

func (s *fake) start(t *testing.T) string {
	s.init()
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL
}

func (s *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/ws" || r.Header.Get("Authorization") != "Bearer good" {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"aside.v1"}}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	out := func(format string, args ...any) {
		_ = c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...))
	}
	out(`{"type":"welcome","data":{}}`)
	for {
		var f frame
		if c.ReadJSON(&f) != nil {
			return
		}
		if !s.handle(c, f, out) {
			return
		}
	}
}

func (s *fake) handle(c *websocket.Conn, f frame, out func(string, ...any)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Type == "conversation.open" {
		s.opens++
		if s.onOpen != nil {
			switch fault := s.onOpen(s.opens); fault {
			case "drop":
				return false
			case "":
			default:
				out(`{"type":"error","id":%q,"error":{"code":%q,"message":"no"}}`, f.ID, fault)
				return true
			}
		}
		var d struct{ After int }
		if err := json.Unmarshal(f.Data, &d); err != nil {
			panic(err)
		}
		if s.notFound && s.log[f.Conversation] == nil {
			out(`{"type":"error","id":%q,"error":{"code":"not_found","message":"no such conversation"}}`, f.ID)
			return true
		}
		for i := d.After; i < len(s.log[f.Conversation]); i++ {
			if e := s.log[f.Conversation][i]; e != nil {
				out("%s", e)
			}
		}
		return true
	}
	var d turnData
	if err := json.Unmarshal(f.Data, &d); err != nil {
		panic(err)
	}
	s.turns++
	fault := ""
	if s.onTurn != nil {
		fault = s.onTurn(s, s.turns, d.ExternalID)
	}
	store := func(typ, data string) int64 {
		seq := int64(len(s.log[f.Conversation]) + 1)
		e := fmt.Appendf(nil, `{"type":%q,"conversation":%q,"seq":%d,"data":%s}`, typ, f.Conversation, seq, data)
		s.log[f.Conversation] = append(s.log[f.Conversation], e)
		out("%s", e)
		return seq
	}
	switch fault {
	case "drop before":
		return false
	case "silent":
		return true
	case "invalid", "rate_limited":
		out(`{"type":"error","id":%q,"error":{"code":%q,"message":"no"}}`, f.ID, fault)
		return true
	case "4400":
		_ = c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4400, "malformed"), time.Now().Add(time.Minute))
		return false
	case "lose":
		s.log[f.Conversation] = append(s.log[f.Conversation], nil)
		out(`{"type":"ack","id":%q,"conversation":%q,"data":{"seq":%d}}`, f.ID, f.Conversation, len(s.log[f.Conversation]))
		return true
	case "gap":
		s.log[f.Conversation] = append(s.log[f.Conversation], nil)
	}
	seq, known := s.byExt[d.ExternalID]
	if !known {
		data, _ := json.Marshal(d)
		seq = store("turn.added", string(data))
		s.byExt[d.ExternalID] = seq
		switch fault {
		case "twice":
			store("turn.added", string(data))
		case "repeat":
			out("%s", s.log[f.Conversation][seq-1])
		}
	}
	if fault == "drop after" {
		return false
	}
	out(`{"type":"ack","id":%q,"conversation":%q,"data":{"seq":%d}}`, f.ID, f.Conversation, seq)
	if d.Role == "customer" && !known && !s.noReplies {
		id := fmt.Sprintf("s%d", seq)
		for _, e := range []string{"started", "passages", "instant", "delta", "delta"} {
			out(`{"type":"suggestion.%s","conversation":%q,"data":{"suggestion_id":%q,"for_seq":%d}}`, e, f.Conversation, id, seq)
		}
		store("suggestion.ready", fmt.Sprintf(`{"id":%q,"for_seq":%d}`, id, seq))
	}
	return true
}

// file is n conversations of four turns, of which two are a customer's.
func file(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"_id":"c%d","turns":[{"turn":1,"role":"customer","text":"hello"},{"turn":2,"role":"agent","text":"hi"},`+
			`{"turn":3,"role":"action","text":"","action":{"name":"pull-up","values":null}},{"turn":4,"role":"customer","text":"thanks"}]}`+"\n", i)
	}
	return b.String()
}

func play(t *testing.T, s *fake, input string, change ...func(*Options)) (Report, error) {
	t.Helper()
	o := Options{
		URL: s.start(t), Token: "good", Concurrency: 3, Run: "r",
		Wait: 200 * time.Millisecond, Patience: time.Minute,
	}
	for _, f := range change {
		f(&o)
	}
	return Run(t.Context(), o, strings.NewReader(input))
}

// counts compares all but the times.
var counts = cmpopts.IgnoreFields(Report{}, "TurnsPerS", "Passages", "Instant", "FirstToken", "Ready", "Notes", "Run")

func TestReport(t *testing.T) {
	nth := func(n int, fault string) func(*fake, int, string) string {
		return func(_ *fake, at int, _ string) string {
			if at == n {
				return fault
			}
			return ""
		}
	}
	always := func(ext, fault string) func(*fake, int, string) string {
		return func(_ *fake, _ int, e string) string {
			if e == ext {
				return fault
			}
			return ""
		}
	}
	good := Report{Conversations: 5, Turns: 20, Acked: 20}
	with := func(f func(*Report)) Report {
		r := good
		f(&r)
		return r
	}
	for _, tt := range []struct {
		name   string
		server *fake
		rate   float64
		want   Report
		ready  int // samples
	}{
		{name: "good", server: &fake{}, want: good, ready: 10},
		{name: "good, at a rate", server: &fake{}, rate: 500, want: good, ready: 10},
		{name: "made by the first turn", server: &fake{notFound: true}, want: good, ready: -1},
		{name: "no suggestions", server: &fake{noReplies: true}, want: good},
		{name: "dropped before it is stored", server: &fake{onTurn: nth(7, "drop before")}, want: good, ready: -1},
		{name: "dropped before the ack", server: &fake{onTurn: nth(7, "drop after")}, want: good, ready: -1},
		{name: "dropped again and again", server: &fake{onTurn: func(_ *fake, n int, _ string) string {
			return map[int]string{0: "drop after", 1: "drop before"}[n%3]
		}}, rate: 500, want: good, ready: -1},
		{name: "dropped while read back", server: &fake{onOpen: func(n int) string { return map[bool]string{true: "drop"}[n%4 == 0] }}, want: good, ready: 10},
		{name: "silent once", server: &fake{onTurn: nth(3, "silent")}, want: good, ready: 10},
		{name: "an event comes twice", server: &fake{onTurn: nth(3, "repeat")}, want: good, ready: 10},
		{name: "a turn is lost", server: &fake{onTurn: nth(3, "lose")}, want: with(func(r *Report) { r.Lost, r.Errors = 1, 1 }), ready: -1},
		{name: "a turn is stored twice", server: &fake{onTurn: nth(3, "twice")}, want: with(func(r *Report) { r.Duplicated = 1 }), ready: -1},
		{name: "a gap", server: &fake{onTurn: nth(3, "gap")}, want: with(func(r *Report) { r.Errors = 1 }), ready: -1},
		{name: "refused for now", server: &fake{onTurn: nth(3, "rate_limited")}, want: with(func(r *Report) { r.Errors = 1 }), ready: 10},
		{name: "refused for good", server: &fake{onTurn: always("r-c2-2", "invalid")}, want: with(func(r *Report) { r.Acked, r.Errors = 19, 1 }), ready: 10},
		{name: "closed for good", server: &fake{onTurn: always("r-c2-2", "4400")}, want: Report{Conversations: 4, Turns: 18, Acked: 17, Errors: 1}, ready: -1},
		{name: "open forbidden", server: &fake{onOpen: func(int) string { return "forbidden" }}, want: Report{Errors: 5}, ready: -2},
		{name: "never acked", server: &fake{onTurn: always("r-c2-2", "silent")}, want: Report{Conversations: 4, Turns: 18, Acked: 17, Errors: 1}, ready: -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := play(t, tt.server, file(5), func(o *Options) {
				o.Rate = tt.rate
				if tt.ready > 0 {
					o.Wait = time.Minute // for suggestions that do come
				}
				if strings.Contains(tt.name, "silent") || strings.Contains(tt.name, "never") {
					o.Ack = time.Second
				}
				if strings.Contains(tt.name, "never") {
					o.Patience = 5 * time.Second
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			// A conversation that is refused may have sent its first turn already.
			if tt.ready == -2 {
				got.Turns, got.Acked = 0, 0
			}
			if d := cmp.Diff(tt.want, got, counts); d != "" {
				t.Errorf("%s%s", d, strings.Join(got.Notes, "\n"))
			}
			if tt.ready >= 0 && (got.Ready.N != tt.ready || got.Passages.N != tt.ready || got.Instant.N != tt.ready || got.FirstToken.N != tt.ready) {
				t.Errorf("samples: %+v, want %d each", got, tt.ready)
			}
			if got.Ready.P50 > got.Ready.P95 || got.Ready.P95 > got.Ready.P99 || got.Passages.P50 > got.Ready.P99 {
				t.Errorf("times out of order: %+v", got)
			}
		})
	}
}

// TestResume: the same run name again stores nothing new.
func TestResume(t *testing.T) {
	s := &fake{}
	url := s.start(t)
	o := Options{URL: url, Token: "good", Run: "r", Wait: 50 * time.Millisecond}
	for range 2 {
		got, err := Run(t.Context(), o, strings.NewReader(file(3)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(Report{Conversations: 3, Turns: 12, Acked: 12}, got, counts); d != "" {
			t.Errorf("%s%s", d, strings.Join(got.Notes, "\n"))
		}
	}
	if len(s.byExt) != 12 || len(s.log) != 3 {
		t.Errorf("%d turns in %d conversations are stored", len(s.byExt), len(s.log))
	}
}

// TestServerKilled: the server dies with all its sockets in the middle and comes
// back after a while. Nothing is lost, doubled or counted as an error.
func TestServerKilled(t *testing.T) {
	for _, rate := range []float64{0, 300} {
		killed := make(chan struct{})
		s := &fake{onTurn: func(_ *fake, n int, _ string) string {
			if n == 30 {
				close(killed)
			}
			return ""
		}}
		s.init()
		serve := func(address string) *httptest.Server {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Error(err)
				return nil
			}
			srv := httptest.NewUnstartedServer(s)
			srv.Listener.Close()
			srv.Listener = l
			srv.Config.ConnState = nil
			srv.Start()
			return srv
		}
		address := testkit.Address(t)
		first := serve(address)
		done := make(chan *httptest.Server)
		go func() {
			<-killed
			first.Listener.Close()
			s.dropAll()
			first.Close()
			time.Sleep(100 * time.Millisecond) // it is down for a while: this is the fault itself
			done <- serve(address)
		}()
		got, err := Run(t.Context(), Options{URL: "http://" + address, Token: "good", Rate: rate, Wait: 200 * time.Millisecond}, strings.NewReader(file(20)))
		second := <-done
		if second == nil {
			t.Fatal("the server could not come back")
		}
		second.Close()
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(Report{Conversations: 20, Turns: 80, Acked: 80}, got, counts); d != "" {
			t.Errorf("at rate %v: %s%s", rate, d, strings.Join(got.Notes, "\n"))
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		input  string
		says   string
	}{
		{name: "bad token", change: func(o *Options) { o.Token = "bad" }, input: file(1), says: "aside token"},
		{name: "not a URL", change: func(o *Options) { o.URL = "localhost:8080" }, input: file(1), says: "http://127.0.0.1:7400"},
		{name: "nobody there", change: func(o *Options) { o.URL, o.Patience = "http://127.0.0.1:1", 50*time.Millisecond }, input: file(50), says: "is the server running"},
		{name: "not JSON", input: file(1) + "\n{nope\n", says: "line 3"},
		{name: "no id", input: `{"turns":[]}`, says: `no "_id"`},
		{name: "unknown role", input: `{"_id":"a","turns":[{"role":"robot","text":"x"}]}`, says: `turn 1 has role "robot"`},
		{name: "negative rate", change: func(o *Options) { o.Rate = -1 }, input: file(1), says: "rate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.change == nil {
				tt.change = func(*Options) {}
			}
			_, err := play(t, &fake{}, tt.input, tt.change)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, should say %q", err, tt.says)
			}
		})
	}
}

func TestCancelAndLimit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &fake{onTurn: func(_ *fake, n int, _ string) string {
		if n == 6 {
			cancel()
		}
		return ""
	}}
	o := Options{URL: s.start(t), Token: "good", Concurrency: 1}
	if _, err := Run(ctx, o, strings.NewReader(file(100))); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	got, err := play(t, &fake{}, file(9), func(o *Options) { o.Limit = 2 })
	if err != nil || got.Conversations != 2 {
		t.Errorf("got %d conversations, %v", got.Conversations, err)
	}
}

// TestPacer: slots go round, at their times, to those who have turns left.
func TestPacer(t *testing.T) {
	p := newPacer(10)
	a, b := p.join(3), p.join(1)
	gone := p.join(5)
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	p.give(at(1))
	p.leave(gone)
	for n := 2; n <= 4; n++ {
		if !p.give(at(n)) {
			t.Fatalf("nobody took slot %d", n)
		}
	}
	if p.give(at(5)) {
		t.Error("a slot went to nobody")
	}
	got := []time.Time{<-a.slots, <-b.slots, <-a.slots, <-a.slots}
	if d := cmp.Diff([]time.Time{at(1), at(2), at(3), at(4)}, got); d != "" {
		t.Error(d)
	}
}

func TestPercentiles(t *testing.T) {
	var v []float64
	for i := 200; i > 0; i-- {
		v = append(v, float64(i))
	}
	if d := cmp.Diff(Percentiles{P50: 100, P95: 190, P99: 198, N: 200}, percentiles(v)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Percentiles{P50: 7, P95: 7, P99: 7, N: 1}, percentiles([]float64{7})); d != "" {
		t.Error(d)
	}
}

func TestReportKeys(t *testing.T) {
	got, err := json.Marshal(Report{Run: "x", Notes: []string{"y"}})
	want := `{"conversations":0,"turns":0,"acked":0,"lost":0,"duplicated":0,"errors":0,"turns_per_s":0,` +
		`"passages_ms":{"p50":0,"p95":0,"p99":0,"n":0},"instant_ms":{"p50":0,"p95":0,"p99":0,"n":0},` +
		`"first_token_ms":{"p50":0,"p95":0,"p99":0,"n":0},"ready_ms":{"p50":0,"p95":0,"p99":0,"n":0}}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestParse(t *testing.T) {
	line := `{"_id":"a\u0001b","turns":[
		{"turn":1,"role":"customer","text":"` + strings.Repeat("ü", 8001) + `"},
		{"turn":2,"role":"agent","text":"  "},
		{"turn":3,"role":"action","text":"","action":{"name":"query","values":{"b":1,"a":"x","n":null}}},
		{"turn":4,"role":"action","text":"done","action":{"name":"go","values":["x",null,2.5,["y"]]}},
		{"turn":5,"role":"agent","text":"ok","action":{"name":"inform","kind":"reply"}}]}`
	s, notes, err := parse([]byte(line), "run")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"turn 1 is cut to 8000 characters", "turn 2 is left out: it is empty"}, notes); d != "" {
		t.Error(d)
	}
	var got []string
	for _, turn := range s.turns[1:] {
		got = append(got, turn.id+" "+string(turn.data))
	}
	want := []string{
		`t3 {"role":"agent","text":"","external_id":"run-a_b-3","action":{"name":"query","values":["a: x","b: 1"]}}`,
		`t4 {"role":"agent","text":"done","external_id":"run-a_b-4","action":{"name":"go","values":["x","2.5","[\"y\"]"]}}`,
		`t5 {"role":"agent","text":"ok","external_id":"run-a_b-5"}`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if id := conversationID("run", strings.Repeat("é", 300)); len(id) > 184 || id == conversationID("run", strings.Repeat("é", 301)) {
		t.Errorf("id %q", id)
	}
}

// FuzzParse: whatever a file holds, what is sent of it is what a server takes.
func FuzzParse(f *testing.F) {
	f.Add([]byte(file(1)), "run")
	f.Add([]byte(`{"_id":"x","turns":[{"role":"action","text":"\u0000","action":{"name":"é\u0001","values":{"a":[1,null]}}}]}`), "\x00")
	f.Fuzz(func(t *testing.T, line []byte, run string) {
		s, _, err := parse(line, run)
		if err != nil {
			return
		}
		for _, turn := range s.turns {
			var d turnData
			if err := json.Unmarshal(turn.data, &d); err != nil {
				t.Fatal(err)
			}
			n := assist.NewTurn{Conversation: s.conversation, ClientID: turn.id, Role: d.Role, Text: d.Text, ExternalID: d.ExternalID, Action: d.Action}
			if err := n.Validate(); err != nil {
				t.Fatalf("%v: %s", err, turn.data)
			}
		}
	})
}

// TestRecordings parses real recordings where they are at hand.
func TestRecordings(t *testing.T) {
	name := os.Getenv("ASIDE_TEST_CONVERSATIONS")
	if name == "" {
		t.Skip("ASIDE_TEST_CONVERSATIONS names no file")
	}
	f, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(f)) {
		if _, _, err := parse([]byte(line), "run"); err != nil {
			t.Fatal(err)
		}
	}
}
