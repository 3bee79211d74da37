package generic_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/connect/deliver"
	"github.com/aside-project/aside/internal/connect/generic"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

const secret = "a secret that both sides know"

// suggester drafts the same reply for everything; a hanging one never does.
type suggester struct{ hang bool }

func (s suggester) Run(ctx context.Context, m assist.Moment, _ assist.Watcher) assist.Suggestion {
	g := assist.Suggestion{ID: m.SuggestionID, Conversation: m.Conversation, ForSeq: m.ForSeq, State: assist.SuggestionSuperseded, CreatedAt: time.Now()}
	if s.hang {
		<-ctx.Done()
		return g
	}
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: "We refund you.", Citations: []assist.Citation{{PassageID: "p1", Quote: "Refunds are made."}}}})
	g.State, g.Standing, g.Draft = assist.SuggestionReady, assist.StandingCheck, &d
	g.Hits = []assist.Hit{{Passage: assist.Passage{ID: "p1"}, Title: "Returns", URL: "https://shop.example/returns"}}
	g.Steps = []assist.NextStep{{Text: "Look up the order.", State: assist.StepTodo}}
	g.Verdicts = []assist.Verdict{{Outcome: assist.Warn, Words: "refund", Reason: "is not in the source"}}
	return g
}

type bus struct {
	*pubsub.Bus[assist.Event]
	mu   sync.Mutex
	tool *generic.Tool
}

func (b *bus) Publish(topic string, e assist.Event) {
	b.Bus.Publish(topic, e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tool != nil && topic == e.Conversation && b.tool.Owns(e.Conversation) {
		b.tool.Saw(e)
	}
}

type house struct {
	*generic.Tool
	db    *postgres.DB
	chats *chat.Service
}

func open(t testing.TB, db *postgres.DB, cfg generic.Config, s chat.Suggester) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b := &bus{Bus: pubsub.New[assist.Event]()}
	chats := chat.New(db, s, b, chat.Options{Logger: log, BurstPause: 20 * time.Millisecond})
	tool := generic.New(cfg, chats, db, db, generic.Options{Logger: log, Patient: time.Minute,
		Queue: deliver.Options{First: 10 * time.Millisecond, Most: 40 * time.Millisecond, Sweep: 50 * time.Millisecond}})
	b.tool = tool
	h := &house{tool, db, chats}
	chats.Start()
	tool.Start()
	t.Cleanup(func() { h.stop(t) })
	return h
}

func (h *house) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := h.Tool.Stop(ctx); err != nil {
		t.Error(err)
	}
	h.chats.Stop(ctx)
}

// post sends a body as it is signed at that time.
func (h *house) post(path, body string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/v1/hooks/generic"+path, strings.NewReader(body))
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func signed(body string, at time.Time) http.Header {
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(stamp + "." + body))
	return http.Header{"X-Aside-Timestamp": {stamp}, "X-Aside-Signature": {"sha256=" + hex.EncodeToString(mac.Sum(nil))}}
}

// say sends a turn, which is stored when it returns.
func (h *house) say(t *testing.T, turn map[string]any) {
	t.Helper()
	body, err := json.Marshal(turn)
	if err != nil {
		t.Fatal(err)
	}
	if w := h.post("", string(body), signed(string(body), time.Now())); w.Code != 200 {
		t.Fatalf("%s: answered %d %s", body, w.Code, w.Body)
	}
}

func (h *house) transcript(t *testing.T, conversation string) (lines []string) {
	t.Helper()
	turns, _, err := h.db.Transcript(t.Context(), conversation, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, turn := range turns {
		lines = append(lines, fmt.Sprintf("%s: %s", turn.Role, turn.Text))
	}
	return lines
}

// receiver is the chat tool's end.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []received
	news   chan struct{}
}

type received struct {
	id      string
	message generic.Message
	genuine bool
}

func receive(t *testing.T) *receiver {
	r := &receiver{status: 200, news: make(chan struct{}, 1000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodPost { // the doctor, looking whether anybody is here
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		stamp, _ := strconv.ParseInt(req.Header.Get("X-Aside-Timestamp"), 10, 64)
		g := received{id: req.Header.Get("X-Aside-Delivery"), genuine: cmp.Equal(signed(string(body), time.Unix(stamp, 0)).Get("X-Aside-Signature"), req.Header.Get("X-Aside-Signature"))}
		if err := json.Unmarshal(body, &g.message); err != nil {
			t.Error(err)
		}
		r.got = append(r.got, g)
		w.WriteHeader(r.status)
		r.news <- struct{}{}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// wait returns when done says so, looked at after each arrival.
func (r *receiver) wait(t *testing.T, what string, done func([]received) bool) {
	t.Helper()
	late := time.After(time.Minute)
	for !done(r.all()) {
		select {
		case <-r.news:
		case <-late:
			t.Fatalf("waited in vain: %s; got %+v", what, r.all())
		}
	}
}

func TestTurnIn(t *testing.T) {
	h := open(t, testdb.Open(t), generic.Config{Secret: secret}, nil)
	now := time.Now()
	good := `{"id":"m1","conversation":"c1","role":"customer","text":"Where is my refund?","name":"Rosa","customer":"55","at":"2026-01-02T03:04:05Z"}`
	forged := signed(good, now)
	forged.Set("X-Aside-Signature", "sha256="+strings.Repeat("0", 64))
	later := signed(good, now)
	later.Set("X-Aside-Timestamp", fmt.Sprint(now.Unix()+1))
	for _, c := range []struct {
		name, body string
		header     http.Header
		status     int
	}{
		{"not signed", good, http.Header{}, 401},
		{"forged", good, forged, 401},
		{"another time", good, later, 401},
		{"replayed", good, signed(good, now.Add(-6*time.Minute)), 401},
		{"unknown field", `{"id":"m1","conversation":"c1","role":"customer","text":"x","colour":"red"}`, nil, 400},
		{"no id", `{"conversation":"c1","role":"customer","text":"x"}`, nil, 400},
		{"no conversation", `{"id":"m1","role":"customer","text":"x"}`, nil, 400},
		{"empty", `{"id":"m1","conversation":"c1","role":"customer","text":" "}`, nil, 400},
		{"a role of nobody", `{"id":"m1","conversation":"c1","role":"boss","text":"x"}`, nil, 400},
		{"no turn", `[1]`, nil, 400},
		{"our own suggestion sent back", `{"type":"suggestion","conversation":"c1","seq":2,"suggestion":{"id":"s","text":"x"}}`, nil, 400},
		{"too large", `{"id":"` + strings.Repeat("x", 300<<10) + `"}`, nil, 413},
	} {
		if c.header == nil {
			c.header = signed(c.body, now)
		}
		if w := h.post("", c.body, c.header); w.Code != c.status {
			t.Errorf("%s: answered %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
	if got := h.transcript(t, "hook-c1"); len(got) != 0 {
		t.Fatalf("refused ones were stored: %q", got)
	}
	for range 3 {
		h.say(t, map[string]any{"id": "m1", "conversation": "c1", "role": "customer", "text": "Where is my refund?"})
	}
	h.say(t, map[string]any{"id": "m2", "conversation": "c1", "role": "agent", "text": "Let me look.", "name": "Mia"})
	h.say(t, map[string]any{"id": "m3", "conversation": "c1", "role": "action", "action": map[string]any{"name": "refund", "values": []string{"20 EUR"}}})
	h.say(t, map[string]any{"id": "end", "conversation": "c1", "closed": true})
	if diff := cmp.Diff([]string{"customer: Where is my refund?", "agent: Let me look.", "system: "}, h.transcript(t, "hook-c1")); diff != "" {
		t.Error(diff)
	}
	if c, err := h.db.Conversation(t.Context(), "hook-c1"); err != nil || c.Status != assist.StatusClosed {
		t.Errorf("%+v, %v", c, err)
	}
}

// stuck is a service whose disk does not answer until it is free.
type stuck struct {
	connect.Chats
	free chan struct{}
}

func (s stuck) Receive(ctx context.Context, who assist.Identity, n assist.NewTurn) (assist.Turn, bool, error) {
	<-s.free
	return s.Chats.Receive(ctx, who, n)
}

// TestNotStoredYet: a sender is not kept waiting for the disk, and what it sent is
// not lost either.
func TestNotStoredYet(t *testing.T) {
	db := testdb.Open(t)
	chats := chat.New(db, nil, pubsub.New[assist.Event](), chat.Options{})
	s := stuck{chats, make(chan struct{})}
	h := &house{generic.New(generic.Config{Secret: secret}, s, db, db, generic.Options{}), db, chats}
	chats.Start()
	h.Tool.Start()
	t.Cleanup(func() { h.stop(t) })
	body := `{"id":"m1","conversation":"c1","role":"customer","text":"Where is my refund?"}`
	if w := h.post("", body, signed(body, time.Now())); w.Code != 503 || !strings.Contains(w.Body.String(), "with the same id") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	close(s.free)
	until(t, "the turn", func() bool { return len(h.transcript(t, "hook-c1")) == 1 })
}

// until waits for something that others do; what says what is missing.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // polls a database that others write; there is no event to wait for
	}
}

func TestSuggestionAndReplyOut(t *testing.T) {
	r := receive(t)
	h := open(t, testdb.Open(t), generic.Config{Secret: secret, URL: r.URL}, suggester{})
	r.answer(502)
	h.say(t, map[string]any{"id": "m1", "conversation": "c1", "role": "customer", "text": "Where is my refund?"})
	r.wait(t, "three attempts", func(got []received) bool { return len(got) >= 3 })
	r.answer(200)
	mia := assist.Identity{Subject: "mia", Actor: assist.ActorAgent, Name: "Mia"}
	if _, err := h.chats.SendReply(t.Context(), mia, assist.NewReply{Conversation: "hook-c1", ClientID: "r1", Text: "On Friday."}); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "the reply", func(got []received) bool {
		return slices.ContainsFunc(got, func(g received) bool { return g.message.Reply != nil })
	})
	h.say(t, map[string]any{"id": "m2", "conversation": "c1", "role": "agent", "text": "Said over there."})
	ids := map[string]string{}
	for _, g := range r.all() {
		if !g.genuine {
			t.Errorf("%+v is not signed as it should be", g)
		}
		if g.message.Conversation != "c1" {
			t.Errorf("conversation %q, want theirs", g.message.Conversation)
		}
		switch m := g.message; m.Type {
		case generic.KindSuggestion:
			want := &generic.Suggestion{ID: m.Suggestion.ID, ForTurn: 1, State: "ready", Standing: "check", Text: "We refund you.", Checks: []string{"refund is not in the source"},
				Sources: []generic.Source{{Title: "Returns", URL: "https://shop.example/returns", Quote: "Refunds are made."}}, Steps: []string{"Look up the order."}}
			if diff := cmp.Diff(want, m.Suggestion); diff != "" {
				t.Error(diff)
			}
		case generic.KindReply:
			if m.Reply.Text != "On Friday." || m.Reply.Agent != "mia" {
				t.Errorf("reply %+v", m.Reply)
			}
		}
		key := fmt.Sprint(g.message.Type, g.message.Seq)
		if was := ids[key]; was != "" && was != g.id {
			t.Errorf("%s came as %s and as %s", key, was, g.id)
		}
		ids[key] = g.id
	}
	if len(ids) != 2 {
		t.Errorf("%d things went out, want a suggestion and a reply: %v", len(ids), ids)
	}
}

// The receiver is down, and Aside is stopped and started: each suggestion arrives,
// with the id it had before.
func TestDeliveriesSurviveRestarts(t *testing.T) {
	r := receive(t)
	r.answer(500)
	db := testdb.Open(t)
	cfg := generic.Config{Secret: secret, URL: r.URL}
	first := open(t, db, cfg, suggester{})
	const chats = 5
	for n := range chats {
		first.say(t, map[string]any{"id": "m1", "conversation": fmt.Sprint("c", n), "role": "customer", "text": "Where is my refund?"})
	}
	ids := func(got []received) map[string]string {
		m := map[string]string{}
		for _, g := range got {
			m[g.message.Conversation] = g.id
		}
		return m
	}
	r.wait(t, "a first attempt at each", func(got []received) bool { return len(ids(got)) == chats })
	first.stop(t)
	before, n := ids(r.all()), len(r.all())
	r.answer(200)
	open(t, db, cfg, suggester{})
	r.wait(t, "each after the restart", func(got []received) bool { return len(ids(got[n:])) == chats })
	if diff := cmp.Diff(before, ids(r.all()[n:])); diff != "" {
		t.Errorf("ids before and after: %s", diff)
	}
}

// What was given up is sent anew on demand.
func TestDeadAndReplayed(t *testing.T) {
	r := receive(t)
	r.answer(http.StatusGone)
	h := open(t, testdb.Open(t), generic.Config{Secret: secret, URL: r.URL}, suggester{})
	h.say(t, map[string]any{"id": "m1", "conversation": "c1", "role": "customer", "text": "Where is my refund?"})
	r.wait(t, "the attempt", func(got []received) bool { return len(got) == 1 })
	var dead []deliver.Delivery
	until(t, "it is given up", func() bool {
		var err error
		if dead, err = h.db.Deliveries(t.Context(), deliver.Dead, 10); err != nil {
			t.Fatal(err)
		}
		return len(dead) > 0
	})
	for _, c := range h.Checks(t.Context()) {
		if c.Name == "webhook out" && (c.OK || c.Fix == "") {
			t.Errorf("the doctor is content: %+v", c)
		}
	}
	r.answer(200)
	if _, err := h.db.ReplayDelivery(t.Context(), dead[0].ID); err != nil {
		t.Fatal(err)
	}
	r.wait(t, "the replay", func(got []received) bool { return len(got) == 2 && got[1].id == got[0].id })
}

// TestReceiverIsThere: the doctor sees whether anybody answers where things go out to.
func TestReceiverIsThere(t *testing.T) {
	r := receive(t)
	r.answer(http.StatusUnauthorized) // whatever it answers
	h := open(t, testdb.Open(t), generic.Config{Secret: secret, URL: r.URL + "/s3cret"}, nil)
	out := func() (ok bool, words string) {
		for _, c := range h.Checks(t.Context()) {
			if c.Name == "webhook out" {
				return c.OK, c.Detail + c.Fix
			}
		}
		t.Fatal("no such check")
		return
	}
	if ok, words := out(); !ok || len(r.all()) > 0 {
		t.Errorf("%s; it got %+v", words, r.all())
	}
	r.Close()
	if ok, words := out(); ok || !strings.Contains(words, "nothing answers") || strings.Contains(words, "s3cret") {
		t.Errorf("%v: %s", ok, words)
	}
}

func TestRecipes(t *testing.T) {
	h := open(t, testdb.Open(t), generic.Config{ZendeskSecret: "zendesk's", IntercomSecret: "intercom's"}, nil)
	body := `{"id":"z-1","conversation":"35436","role":"customer","text":"Hi from Zendesk"}`
	stamp := time.Now().UTC().Format(time.RFC3339)
	mac := hmac.New(sha256.New, []byte("zendesk's"))
	mac.Write([]byte(stamp + body))
	zendesk := http.Header{"X-Zendesk-Webhook-Signature-Timestamp": {stamp}, "X-Zendesk-Webhook-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
	hub := func(body string) http.Header {
		mac := hmac.New(sha1.New, []byte("intercom's"))
		mac.Write([]byte(body))
		return http.Header{"X-Hub-Signature": {"sha1=" + hex.EncodeToString(mac.Sum(nil))}}
	}
	created := `{"type":"notification_event","topic":"conversation.user.created","data":{"item":{"id":"147","created_at":1767322800,"source":{"id":"403918","body":"<p>Hi from <b>Intercom</b> &amp; friends</p>","author":{"type":"user","id":"u1","name":"Rosa"}}}}}`
	replied := `{"topic":"conversation.admin.replied","data":{"item":{"id":"147","conversation_parts":{"conversation_parts":[{"id":"7","part_type":"comment","body":"<p>Hello</p>","created_at":1767322900,"author":{"type":"admin","id":"a","name":"Mia"}},{"id":"8","part_type":"note","body":"<p>psst</p>"}]}}}}`
	closed := `{"topic":"conversation.admin.closed","data":{"item":{"id":"147"}}}`
	other := http.Header{"X-Hub-Signature": {"sha1=00"}}
	for _, c := range []struct {
		path, body string
		header     http.Header
		status     int
	}{
		{"/zendesk", body, zendesk, 200}, {"/zendesk", body, zendesk, 200}, {"/zendesk", body + " ", zendesk, 401}, {"/zendesk", body, http.Header{}, 401},
		{"/intercom", created, hub(created), 200}, {"/intercom", replied, hub(replied), 200}, {"/intercom", replied, hub(replied), 200},
		{"/intercom", closed, hub(closed), 200}, {"/intercom", created, other, 401}, {"/intercom", `{"topic":"ping"}`, hub(`{"topic":"ping"}`), 200},
		{"/intercom", `{`, hub(`{`), 400}, {"", body, signed(body, time.Now()), 401}, {"/slack", body, http.Header{}, 404},
	} {
		w := h.post(c.path, c.body, c.header)
		if w.Code != c.status {
			t.Errorf("%s %s: answered %d %s, want %d", c.path, c.body, w.Code, w.Body, c.status)
		}
	}
	if diff := cmp.Diff([]string{"customer: Hi from Zendesk"}, h.transcript(t, "hook-35436")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"customer: Hi from Intercom & friends", "agent: Hello"}, h.transcript(t, "hook-147")); diff != "" {
		t.Error(diff)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  generic.Config
		want string
	}{
		{generic.Config{}, ""}, {generic.Config{Secret: secret, URL: "https://chat.example/aside"}, ""},
		{generic.Config{Secret: "short"}, "ASIDE_HOOK_SECRET"}, {generic.Config{URL: "https://chat.example/aside"}, "ASIDE_HOOK_SECRET"},
		{generic.Config{Secret: secret, URL: "chat.example"}, "ASIDE_HOOK_URL"},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

// BenchmarkHook measures how long a sender waits for the disk while every model hangs.
func BenchmarkHook(b *testing.B) {
	h := open(b, testdb.Open(b), generic.Config{Secret: secret}, suggester{hang: true})
	var took []time.Duration
	refused, n := 0, 0
	for b.Loop() {
		n++
		body := fmt.Sprintf(`{"id":"m%d","conversation":"c%d","role":"customer","text":"Where is my refund?"}`, n, n%50)
		r := httptest.NewRequest("POST", "/v1/hooks/generic", bytes.NewReader([]byte(body)))
		r.Header = signed(body, time.Now())
		w := httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(w, r)
		took = append(took, time.Since(began))
		if w.Code == 503 {
			refused++
		} else if w.Code != 200 {
			b.Fatalf("answered %d", w.Code)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(refused)/float64(n), "refused/op")
}
