package libredesk

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/connect"
	"github.com/aside-project/aside/internal/testkit/fakedesk"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

const (
	chatA = "0b54c9de-0000-4000-8000-00000000000a"
	convA = prefix + chatA
)

// whisperer suggests the same words for every customer turn.
type whisperer struct{ text string }

func (s whisperer) Run(_ context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: s.text, Citations: []assist.Citation{{PassageID: "p1"}}}})
	g := assist.Suggestion{ID: m.SuggestionID, Conversation: m.Conversation, ForSeq: m.ForSeq, State: assist.SuggestionReady, Standing: assist.StandingReady,
		Question: assist.Question{Text: "?"}, Hits: []assist.Hit{{Passage: assist.Passage{ID: "p1", Heading: "Zips"}, Title: "Returns {{ .X }}"}}, Instant: &d, Draft: &d,
		Steps: []assist.NextStep{{ID: "s", Text: "Ask for a <photo>", State: assist.StepTodo}}}
	w.Passages(g)
	w.Instant(g)
	return g
}

// house is a connector on a live conversation service, and the fake it talks to.
type house struct {
	t     *testing.T
	desk  *fakedesk.Desk
	store *memstore.Store
	chat  *chat.Service
	tool  *Connector
	marks *marks

	mu    sync.Mutex
	seen  map[assist.EventType]int
	check func(ctx context.Context, method string) error
	moved chan struct{}

	ahead atomic.Int64 // how far the tool's clock is
}

// Publish is the bus: the tool is told of everything.
func (h *house) Publish(topic string, e assist.Event) {
	h.mu.Lock()
	h.seen[e.Type]++
	close(h.moved)
	h.moved = make(chan struct{})
	h.mu.Unlock()
	if topic == e.Conversation {
		h.tool.Saw(e)
	}
}

// gate has check called before every method of the store.
func (h *house) gate(check func(ctx context.Context, method string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.check = check
}

var agents = []fakedesk.Agent{
	{ID: 1, Name: "Aside", Key: "own:secret"},
	{ID: 2, Name: "Wren", Email: "wren@shop.example", Key: "wren:secret"},
	{ID: 3, Name: "Otto", Email: "otto@shop.example"}, // has no key
}

func newHouse(t *testing.T, draft string, change func(*Config, *Options)) *house {
	t.Helper()
	h := &house{t: t, desk: fakedesk.New(t, agents...), seen: map[assist.EventType]int{}, moved: make(chan struct{}), marks: newMarks(time.Now)}
	h.store = memstore.New(time.Now)
	h.store.Before = func(ctx context.Context, method string) error {
		h.mu.Lock()
		check := h.check
		h.mu.Unlock()
		if check == nil {
			return nil
		}
		return check(ctx, method)
	}
	h.chat = chat.New(h.store, whisperer{draft}, h, chat.Options{Logger: quiet()})
	cfg := Config{URL: h.desk.URL, WebhookSecret: "hook secret", Key: "own:secret", Keys: "# agents\nwren:secret\n", Notes: true}
	o := Options{Chats: h.chat, Marks: h.marks, Logger: quiet(), Hold: 30 * time.Millisecond, SweepEvery: 100 * time.Millisecond,
		Every: time.Millisecond, Deadline: time.Minute, Past: time.Minute, HealAfter: 50 * time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }}
	if change != nil {
		change(&cfg, &o)
	}
	var err error
	if h.tool, err = New(cfg, o); err != nil {
		t.Fatal(err)
	}
	hook := httptest.NewServer(h.tool)
	h.desk.Webhook(hook.URL+"/v1/hooks/libredesk", "hook secret")
	h.tool.Start()
	t.Cleanup(func() {
		hook.Close()
		if err := h.tool.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		h.chat.Stop(context.Background())
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return h
}

// wait waits until the conversation is as ok wants it.
func (h *house) wait(what string, ok func([]assist.Turn, assist.Conversation) bool) []assist.Turn {
	h.t.Helper()
	end := time.After(time.Minute)
	for {
		h.mu.Lock()
		moved := h.moved
		h.mu.Unlock()
		turns, c := h.now()
		if ok(turns, c) {
			return turns
		}
		select {
		case <-moved:
		case <-end:
			h.t.Fatalf("waited in vain for %s; there is %s %q, %+v", what, c.Status, c.Agent, turns)
		}
	}
}

func (h *house) now() ([]assist.Turn, assist.Conversation) {
	turns, _, err := h.store.Transcript(context.Background(), convA, 100)
	if err != nil && assist.CodeOf(err) != assist.NotFound {
		h.t.Fatal(err)
	}
	c, err := h.store.Conversation(context.Background(), convA)
	if err != nil && assist.CodeOf(err) != assist.NotFound {
		h.t.Fatal(err)
	}
	return turns, c
}

func (h *house) waitTurns(n int) []assist.Turn {
	h.t.Helper()
	return h.wait("turns", func(ts []assist.Turn, _ assist.Conversation) bool { return len(ts) >= n })
}

// press is an agent pressing send, as internal/app wires it.
func (h *house) press(who assist.Identity, id, text string) error {
	r := assist.NewReply{Conversation: convA, ClientID: id, Text: text}
	if err := h.tool.Reply(context.Background(), who, r); err != nil {
		return err
	}
	_, err := h.chat.SendReply(context.Background(), who, r)
	return err
}

var (
	wren = assist.Identity{Subject: "libredesk:agent:2", Actor: assist.ActorAgent, Name: "Wren"}
	otto = assist.Identity{Subject: "libredesk:agent:3", Actor: assist.ActorAgent, Name: "Otto"}
)

// publics are the messages that were posted for the customer.
func (h *house) publics() (out []fakedesk.Call) {
	for _, c := range h.desk.Calls() {
		if c.Method == http.MethodPost && c.Body["private"] != true {
			out = append(out, c)
		}
	}
	return out
}

func (h *house) notes() (out []fakedesk.Message) {
	for _, m := range h.desk.Messages(chatA) {
		if m.Private && m.Type == "outgoing" {
			out = append(out, m)
		}
	}
	return out
}

func TestMessageToNoteToReply(t *testing.T) {
	h := newHouse(t, "A <b>broken</b> zip is refunded {{ .Contact.Email }}.\n\nSend it in.", nil)
	h.desk.Write(chatA, "My zip broke. Refund?")
	h.desk.Wait("the note", func() bool { return len(h.notes()) == 1 })
	note := h.notes()[0]
	want := "<p><strong>Suggested reply</strong> (not sent: check it, then send it yourself)</p>" +
		"<p>A &lt;b&gt;broken&lt;/b&gt; zip is refunded &#123;&#123; .Contact.Email }}.</p><p>Send it in.</p>" +
		"<p><strong>Next steps</strong></p><ul><li>Ask for a &lt;photo&gt;</li></ul>" +
		"<p><strong>Sources</strong></p><ul><li>Returns &#123;&#123; .X }} › Zips</li></ul>"
	if d := cmp.Diff(want, note.HTML); d != "" {
		t.Errorf("the note: %s", d)
	}
	if note.Author != 1 {
		t.Errorf("the note is from agent %d, not from Aside's own", note.Author)
	}

	if err := h.press(otto, "r1", "Yes."); assist.CodeOf(err) != assist.Forbidden || !strings.Contains(assist.MessageOf(err), "key of yours") {
		t.Errorf("an agent without a key: %v", err)
	}
	source := assist.Identity{Subject: "x", Actor: assist.ActorSource}
	if err := h.tool.Reply(t.Context(), source, assist.NewReply{Conversation: convA, ClientID: "r", Text: "x"}); assist.CodeOf(err) != assist.Forbidden {
		t.Errorf("a source could reply: %v", err)
	}
	if n := h.publics(); len(n) != 0 {
		t.Fatalf("said to the customer before anybody pressed send: %+v", n)
	}
	for range 3 { // the same press, sent again
		if err := h.press(wren, "r1", "Yes, send it in.\nWe pay {{postage}}."); err != nil {
			t.Fatal(err)
		}
	}
	said := h.publics()
	if len(said) != 1 || said[0].Header.Get("Authorization") != "token wren:secret" || said[0].Body["message"] != "<p>Yes, send it in.<br>We pay &#123;&#123;postage}}.</p>" {
		t.Fatalf("posted: %+v", said)
	}

	h.desk.Write(chatA, "Thanks")
	turns := h.waitTurns(3)
	roles := []assist.Role{turns[0].Role, turns[1].Role, turns[2].Role}
	if !slices.Equal(roles, []assist.Role{assist.RoleCustomer, assist.RoleAgent, assist.RoleCustomer}) || turns[1].Author != wren.Subject {
		t.Errorf("the transcript: %+v", turns)
	}
	h.desk.Wait("the second note", func() bool { return len(h.notes()) == 2 })
	if turns, _ := h.now(); len(turns) != 3 {
		t.Errorf("our own note or reply came back as a turn: %+v", turns)
	}
	if r := h.desk.Refused(); len(r) != 0 {
		t.Errorf("deliveries were refused: %v", r)
	}
}

// TestNoteOnce: one note a turn, whoever announces it and however often.
func TestNoteOnce(t *testing.T) {
	h := newHouse(t, "Words.", nil)
	h.desk.Write(chatA, "one")
	h.desk.Wait("the note", func() bool { return len(h.notes()) == 1 })
	d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: "Other words."}})
	for _, s := range []assist.Suggestion{
		{ID: "again", Conversation: convA, ForSeq: 1, State: assist.SuggestionReady, Draft: &d},
		{ID: "asked for", Conversation: convA, ForSeq: 7, State: assist.SuggestionReady, Draft: &d, Instruction: "shorter"},
		{ID: "nothing to say", Conversation: convA, ForSeq: 8, State: assist.SuggestionAbstained},
		{ID: "no draft", Conversation: convA, ForSeq: 9, State: assist.SuggestionFailed},
		{ID: "of another tool", Conversation: "chatwoot:1", ForSeq: 9, State: assist.SuggestionReady, Draft: &d},
	} {
		h.tool.Saw(assist.SuggestionDone(3, s))
	}
	h.tool.Saw(assist.SuggestionDone(4, assist.Suggestion{ID: "next", Conversation: convA, ForSeq: 10, State: assist.SuggestionReady, Draft: &d}))
	h.desk.Wait("the next note", func() bool { return len(h.notes()) == 2 })
	if n := h.notes(); !strings.Contains(n[1].Text, "Other words.") {
		t.Errorf("notes: %+v", n)
	}
}

// TestLostDeliveries: what never comes is read.
func TestLostDeliveries(t *testing.T) {
	h := newHouse(t, "Words.", func(c *Config, _ *Options) { c.Notes = false })
	n := 0
	h.desk.Drop(func(event string) bool { // two and three in the middle, and four; five comes
		if event == "message.created" {
			n++
		}
		return event == "message.updated" || event == "message.created" && (n == 2 || n == 3 || n == 4)
	})
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	h.desk.Write(chatA, "two")           // lost
	h.desk.Say(chatA, 3, "three", false) // lost
	h.waitTurns(3)
	h.desk.Write(chatA, "four") // lost
	h.desk.Write(chatA, "five")
	turns := h.waitTurns(5)
	var said []string
	for _, turn := range turns {
		said = append(said, string(turn.Role)+" "+turn.Text)
	}
	slices.Sort(said)
	if d := cmp.Diff([]string{"agent three", "customer five", "customer four", "customer one", "customer two"}, said); d != "" {
		t.Error(d)
	}
}

// TestChatsFromBefore: the first thing we hear of a conversation brings its past.
func TestChatsFromBefore(t *testing.T) {
	h := newHouse(t, "Words.", func(_ *Config, o *Options) { o.SweepEvery = time.Hour })
	h.desk.Drop(func(string) bool { return true })
	h.desk.Write(chatA, "one")
	h.desk.Say(chatA, 2, "two", false)
	h.desk.Say(chatA, 2, "a note", true)
	h.desk.Drop(nil)
	h.desk.Write(chatA, "three")
	turns := h.waitTurns(3)
	for i, want := range []string{"one", "two", "three"} {
		if turns[i].Text != want {
			t.Errorf("turn %d is %q, want %q", i+1, turns[i].Text, want)
		}
	}
}

// TestMissedWhileDown: what came while Aside was down is read at its start, also
// when somebody read the list a moment before.
func TestMissedWhileDown(t *testing.T) {
	var cfg Config
	var o Options
	h := newHouse(t, "Words.", func(c *Config, op *Options) { op.SweepEvery = time.Hour; cfg, o = *c, *op })
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	if err := h.tool.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.desk.Drop(func(string) bool { return true })
	h.desk.Write(chatA, "two")
	if _, err := h.marks.Once(t.Context(), name, "sweep:"+strconv.FormatInt(time.Now().UnixNano()/int64(time.Hour), 10)); err != nil {
		t.Fatal(err)
	}
	again, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	again.Start()
	t.Cleanup(func() {
		if err := again.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if turns := h.waitTurns(2); turns[1].Text != "two" {
		t.Errorf("the transcript: %+v", turns)
	}
}

func TestStateFollows(t *testing.T) {
	h := newHouse(t, "Words.", nil)
	is := func(status assist.Status, agent string) {
		t.Helper()
		h.wait("status "+string(status)+" with "+agent, func(_ []assist.Turn, c assist.Conversation) bool { return c.Status == status && c.Agent == agent })
	}
	h.desk.Write(chatA, "one")
	is(assist.StatusWaiting, "")
	h.desk.Assign(chatA, 2, 2)
	is(assist.StatusOpen, "libredesk:agent:2")
	h.desk.Assign(chatA, 0, 2)
	is(assist.StatusWaiting, "")
	h.desk.Assign(chatA, 3, 2)
	is(assist.StatusOpen, "libredesk:agent:3")
	h.desk.SetStatus(chatA, "Resolved", 3)
	h.wait("closing", func(_ []assist.Turn, c assist.Conversation) bool { return c.Status == assist.StatusClosed })
	h.desk.Write(chatA, "again")
	h.wait("opening", func(_ []assist.Turn, c assist.Conversation) bool { return c.Status != assist.StatusClosed })
	h.desk.Drop(func(string) bool { return true })
	h.desk.SetStatus(chatA, "Closed", 3) // found by the sweep
	h.wait("closing", func(_ []assist.Turn, c assist.Conversation) bool { return c.Status == assist.StatusClosed })
}

// TestReplyInDoubt: answers that get lost neither lose nor double a reply.
func TestReplyInDoubt(t *testing.T) {
	h := newHouse(t, "Words.", func(c *Config, _ *Options) { c.Notes = false })
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	hang, fail := false, false
	var mu sync.Mutex
	set := func(a, b bool) { mu.Lock(); hang, fail = a, b; mu.Unlock() }
	h.desk.Answer(func(w http.ResponseWriter, c fakedesk.Call, done bool) bool {
		mu.Lock()
		defer mu.Unlock()
		if c.Method != http.MethodPost {
			return false
		}
		if fail && !done {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return true
		}
		if hang && done { // it was done, and the answer is cut off
			w.Header().Set("Content-Length", "1000")
			return true
		}
		return false
	})
	set(true, false)
	if err := h.press(wren, "r1", "said once"); err != nil {
		t.Errorf("a reply that is there: %v", err)
	}
	set(false, true)
	if err := h.press(wren, "r2", "refused first"); assist.CodeOf(err) != assist.Invalid {
		t.Errorf("a refused reply: %v", err)
	}
	set(false, false)
	if err := h.press(wren, "r2", "refused first"); err != nil {
		t.Errorf("tried again: %v", err)
	}
	h.gate(func(_ context.Context, method string) error {
		if method == "SendReply" {
			return errors.New("the store is down")
		}
		return nil
	})
	if err := h.press(wren, "r3", "said, not stored"); err == nil {
		t.Error("stored while the store was down")
	}
	h.ahead.Store(int64(time.Minute)) // the agent's own request does not store it any more
	h.waitTurns(4)                    // found by reading
	said := map[string]int{}
	for _, m := range h.desk.Messages(chatA) {
		said[m.Text]++
	}
	turns, _ := h.now()
	for _, turn := range turns {
		said["turn "+turn.Text]++
	}
	want := map[string]int{"one": 1, "said once": 1, "refused first": 1, "said, not stored": 1,
		"turn one": 1, "turn said once": 1, "turn refused first": 1, "turn said, not stored": 1}
	if d := cmp.Diff(want, said); d != "" {
		t.Error(d)
	}
}

// TestAnotherProcessReplies: a reply that another process has begun is left to it.
func TestAnotherProcessReplies(t *testing.T) {
	h := newHouse(t, "Words.", func(c *Config, _ *Options) { c.Notes = false })
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	r := assist.NewReply{Conversation: convA, ClientID: "r1", Text: "hello"}
	if _, err := h.marks.Once(t.Context(), name, "reply:"+echoID(wren, r)); err != nil {
		t.Fatal(err)
	}
	if err := h.press(wren, "r1", "hello"); assist.CodeOf(err) != assist.Unavailable {
		t.Errorf("while another process may be at it: %v", err)
	}
	if n := h.publics(); len(n) != 0 {
		t.Errorf("posted twice over: %+v", n)
	}
	h.marks.mu.Lock()
	h.marks.at[name+"reply:"+echoID(wren, r)] = time.Now().Add(-time.Hour)
	h.marks.mu.Unlock()
	if err := h.press(wren, "r1", "hello"); err != nil || len(h.publics()) != 1 {
		t.Errorf("after it gave up: %v, %d posted", err, len(h.publics()))
	}
}

// TestStoreDown: deliveries are refused while nothing can be stored, and what was
// said meanwhile is there afterwards.
func TestStoreDown(t *testing.T) {
	h := newHouse(t, "Words.", func(_ *Config, o *Options) { o.Doubt = 200 * time.Millisecond })
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	var mu sync.Mutex
	down, tries := true, make(chan struct{}, 100)
	h.gate(func(_ context.Context, method string) error {
		mu.Lock()
		defer mu.Unlock()
		if down && method == "AddTurn" {
			tries <- struct{}{}
			return assist.Errorf(assist.Unavailable, "the database is down")
		}
		return nil
	})
	mend := func() {
		mu.Lock()
		defer mu.Unlock()
		down = false
	}
	defer mend() // or the house would not stop before it gave up
	h.desk.Write(chatA, "two")
	<-tries
	<-tries // the first was in vain, and that is known
	// What else is under way is refused too: the note on "one", and "two" itself
	// if it was found by reading before it came.
	three := fakedesk.Refusal{Event: "message.created", UUID: h.desk.Write(chatA, "three"), Status: http.StatusServiceUnavailable}
	h.desk.Wait("the refusal", func() bool { return slices.Contains(h.desk.Refused(), three) })
	mend()
	turns := h.waitTurns(3)
	if turns[1].Text != "two" || turns[2].Text != "three" {
		t.Errorf("the transcript: %+v", turns)
	}
}

func TestTyping(t *testing.T) {
	h := newHouse(t, "Words.", func(c *Config, o *Options) { c.Typing, o.Dial = true, dial })
	h.desk.Write(chatA, "one")
	h.waitTurns(1)
	end := time.After(time.Minute)
	for h.desk.Typing(chatA) == 0 {
		select {
		case <-time.After(20 * time.Millisecond): // until the socket watches this conversation
		case <-end:
			t.Fatal("nobody listens to who types")
		}
	}
	h.wait("typing", func([]assist.Turn, assist.Conversation) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.seen[assist.EventTyping] > 0
	})
}

func dial(ctx context.Context, url string, header http.Header) (Socket, error) {
	s, _, err := websocket.DefaultDialer.DialContext(ctx, url, header)
	if err != nil {
		return nil, err
	}
	return socket{s}, nil
}

// TestRoles: what the role of Aside's agent may do is seen by the doctor, and no
// more is needed than the page says. From 2.9 on that role cannot write to customers.
func TestRoles(t *testing.T) {
	reads := []string{"conversations:read", "conversations:read_all", "messages:read"}
	for _, tt := range []struct {
		name string
		may  []string
		ok   bool
		fix  string
	}{
		{"2.7", append([]string{"messages:write"}, reads...), true, ""},
		{"2.9", append([]string{"messages:write_private"}, reads...), true, ""},
		{"no notes", reads, false, "messages:write_private"},
		{"sees its own conversations only", []string{"conversations:read", "messages:read", "messages:write"}, false, "conversations:read_all"},
	} {
		desk := fakedesk.New(t, fakedesk.Agent{ID: 7, Name: "Aside", Key: "own:secret", May: tt.may})
		desk.Write(chatA, "Where is my parcel?")
		c, err := New(Config{URL: desk.URL, WebhookSecret: "hook secret", Key: "own:secret", Notes: true, Typing: true},
			Options{Marks: newMarks(time.Now), Logger: quiet(), Dial: dial, Every: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]connect.Check{}
		for _, ch := range c.Checks(t.Context()) {
			found[ch.Name] = ch
		}
		if ch := found["libredesk key"]; ch.OK != tt.ok || !strings.Contains(ch.Fix, tt.fix) {
			t.Errorf("%s: %+v", tt.name, ch)
		}
		if ch := found["libredesk typing"]; !ch.OK {
			t.Errorf("%s: %+v", tt.name, ch)
		}
		_, err = c.send(t.Context(), chatA, c.own, outgoing{Message: "<p>A note</p>", Private: true}, false)
		if wrote := slices.Contains(tt.may, "messages:write") || slices.Contains(tt.may, "messages:write_private"); (err == nil) != wrote {
			t.Errorf("%s: the note: %v", tt.name, err)
		}
		if _, err := c.send(t.Context(), chatA, c.own, outgoing{Message: "<p>To the customer</p>"}, false); err == nil && tt.name == "2.9" {
			t.Errorf("%s: Aside's own key wrote to a customer", tt.name)
		}
	}
}

type socket struct{ *websocket.Conn }

func (s socket) Read() ([]byte, error) {
	_, b, err := s.ReadMessage()
	return b, err
}
func (s socket) Write(b []byte) error { return s.WriteMessage(websocket.TextMessage, b) }

func TestChecks(t *testing.T) {
	h := newHouse(t, "Words.", func(c *Config, _ *Options) { c.Keys += "otto:wrong\n" })
	ok := func() map[string]bool {
		out := map[string]bool{}
		for _, c := range h.tool.Checks(t.Context()) {
			out[c.Name] = c.OK
			if !c.OK && c.Fix == "" {
				t.Errorf("%s says no fix: %s", c.Name, c.Detail)
			}
			if strings.Contains(c.Detail+c.Fix, "secret\n") || strings.Contains(c.Detail, "own:secret") {
				t.Errorf("%s shows a key: %s", c.Name, c.Detail)
			}
		}
		return out
	}
	want := map[string]bool{"libredesk": true, "libredesk secret": true, "libredesk key": true, "libredesk agents": false, "libredesk hook": false, "libredesk link": true}
	if d := cmp.Diff(want, ok()); d != "" {
		t.Errorf("at first: %s", d)
	}
	h.desk.Webhook("http://unused.example", "hook secret")
	if code := deliver(h.tool, "hook secret", []byte(`{"event":"webhook.test","payload":{"id":1,"name":"x"},"timestamp":"2026-03-01T12:00:00Z"}`)); code != http.StatusAccepted {
		t.Fatalf("the test delivery was answered with %d", code)
	}
	want["libredesk hook"] = true
	end := time.After(time.Minute)
	for !ok()["libredesk hook"] {
		select {
		case <-time.After(10 * time.Millisecond): // the mark is written behind the answer
		case <-end:
			t.Fatal("the delivery was not marked")
		}
	}
}
