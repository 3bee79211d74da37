package chatwoot_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/connect/deliver"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/pubsub"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// house is Aside with Chatwoot connected, as app wires it.
type house struct {
	*chatwoot.Tool
	db    *postgres.DB
	chats *chat.Service
	bus   *bus
}

// bus tells the tool of the events of its conversations, and the test that something
// happened.
type bus struct {
	*pubsub.Bus[assist.Event]
	mu   sync.Mutex
	tool *chatwoot.Tool
}

func (b *bus) Publish(topic string, e assist.Event) {
	b.Bus.Publish(topic, e)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tool != nil && topic == e.Conversation && b.tool.Owns(e.Conversation) {
		b.tool.Saw(e)
	}
}

// suggester drafts the same reply for everything; a hanging one never does.
type suggester struct{ hang bool }

func (s suggester) Run(ctx context.Context, m assist.Moment, _ assist.Watcher) assist.Suggestion {
	g := assist.Suggestion{ID: m.SuggestionID, Conversation: m.Conversation, ForSeq: m.ForSeq, State: assist.SuggestionSuperseded, CreatedAt: time.Now()}
	if s.hang {
		<-ctx.Done()
		return g
	}
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: "DRAFT: we refund {{contact.email}} [now](mention://user/1)."}})
	g.State, g.Draft = assist.SuggestionReady, &d
	return g
}

// bot answers everything but what has "person" in it.
type bot struct{ serves bool }

func (b bot) Serves() bool    { return b.serves }
func (b bot) Announces() bool { return false }
func (b bot) Reply(_ context.Context, m assist.Moment) assist.BotReply {
	last := m.Turns[len(m.Turns)-1].Text
	if strings.Contains(last, "person") {
		return b.Farewell(m, assist.HandoffAsked)
	}
	return assist.BotReply{Text: fmt.Sprintf("BOT: %d said, last %q", len(m.Turns), last), Name: "Aside",
		Sources: []assist.Source{{Title: "Returns", URL: "https://shop.example/returns"}}}
}
func (b bot) Farewell(_ assist.Moment, code assist.HandoffCode) assist.BotReply {
	return assist.BotReply{Text: "BOT: a person comes", Handoff: &assist.Handoff{Code: code, Reason: "They asked for a person.", From: assist.FromBot}}
}

func config(d *desk) chatwoot.Config {
	return chatwoot.Config{URL: d.server.URL, Account: account, Secret: hookSecret, PathSecret: pathSecret, Token: userToken,
		BotToken: botToken, BotSecret: botSecret, Agents: "# who may send\nmia " + miaToken, Notes: true}
}

func open(t testing.TB, cfg chatwoot.Config, s chat.Suggester, hold time.Duration) *house {
	t.Helper()
	return connectTo(t, testdb.Open(t), cfg, s, hold)
}

func connectTo(t testing.TB, db *postgres.DB, cfg chatwoot.Config, s chat.Suggester, hold time.Duration) *house {
	t.Helper()
	return openWith(t, db, cfg, s, hold, bot{serves: true})
}

func openWith(t testing.TB, db *postgres.DB, cfg chatwoot.Config, s chat.Suggester, hold time.Duration, answering bot) *house {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b := &bus{Bus: pubsub.New[assist.Event]()}
	h := &house{db: db, bus: b}
	h.chats = chat.New(db, s, b, chat.Options{Logger: log, Bot: answering, BotPause: 20 * time.Millisecond, BurstPause: 20 * time.Millisecond})
	tool, err := chatwoot.New(cfg, h.chats, db, db, chatwoot.Options{Logger: log, Hold: hold,
		Queue: deliver.Options{First: 10 * time.Millisecond, Most: 50 * time.Millisecond, Sweep: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	h.Tool, b.tool = tool, tool
	h.chats.Start()
	tool.Start()
	t.Cleanup(func() { h.stop(t) })
	return h
}

func (h *house) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := h.Tool.Stop(ctx); err != nil {
		t.Error(err)
	}
	h.chats.Stop(ctx)
}

var (
	reporter = assist.Identity{Subject: "chatwoot", Actor: assist.ActorSource}
	mia      = assist.Identity{Subject: "mia", Actor: assist.ActorAgent, Name: "Mia"}
)

// transcript is who said what, without what only we would know.
func (h *house) transcript(t testing.TB, conversation string) (lines []string) {
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

// until waits for something that others do; what says what is missing.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // polls a database that others write; there is no event to wait for
	}
}

const theirs = "chatwoot-7-41"

var user = map[string]any{"id": 2, "name": "Mia", "type": "user"}

func TestForgedReplayedAndForeign(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	d.say(firstDisplay, 0, "Hello?", false, contact)
	s := d.take()[0]
	cfg := config(d)
	cfg.BotToken = ""
	h := open(t, cfg, nil, time.Millisecond)
	now := time.Now()
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		at     time.Time
		status int
	}{
		{"forged", func(r *http.Request) { r.Header.Set("X-Chatwoot-Signature", "sha256="+strings.Repeat("0", 64)) }, now, 401},
		{"another body", func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(string(s.body), "Hello", "Howdy", 1)))
		}, now, 401},
		{"another time", func(r *http.Request) { r.Header.Set("X-Chatwoot-Timestamp", fmt.Sprint(now.Unix()+1)) }, now, 401},
		{"replayed later", nil, now.Add(-6 * time.Minute), 401},
		{"from the future", nil, now.Add(6 * time.Minute), 401},
		{"not signed", func(r *http.Request) { r.Header.Del("X-Chatwoot-Signature") }, now, 401},
		{"not signed, wrong path", func(r *http.Request) { r.Header.Del("X-Chatwoot-Signature"); r.URL.Path += "/guess" }, now, 401},
		{"signed, wrong path", func(r *http.Request) { r.URL.Path += "/guess" }, now, 401},
		{"the bot's path with the account's secret", func(r *http.Request) { r.URL.Path = botHookPath }, now, 401},
		{"not signed, secret path", func(r *http.Request) { r.Header.Del("X-Chatwoot-Signature"); r.URL.Path += "/" + pathSecret }, now, 202},
		{"forged, secret path", func(r *http.Request) {
			r.Header.Set("X-Chatwoot-Signature", "sha256=00")
			r.URL.Path += "/" + pathSecret
		}, now, 401},
		{"signed", nil, now, 202},
		{"signed, 4 minutes late", nil, now.Add(-4 * time.Minute), 202},
	} {
		r := request(s, c.at)
		if c.change != nil {
			c.change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status {
			t.Errorf("%s: answered %d %s, want %d", c.name, w.Code, w.Body, c.status)
		}
	}
	until(t, "the message", func() bool { return len(h.transcript(t, theirs)) == 1 })
	for _, body := range []string{`{"event":"message_created","account":{"id":8},"id":1,"conversation":{"id":1}}`, `{"event":"message_created"}`, `nothing`, "\xff", `{"event":"contact_created"}`} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(sending{id: "x", body: []byte(body)}, now))
		if want := strings.Contains(body, "contact_created"); want != (w.Code == 202) {
			t.Errorf("%q: answered %d", body, w.Code)
		}
	}
}

// TestAnyOrderAnyNumber delivers one conversation shuffled and duplicated in many
// ways: the transcript is the same, without notes, activities and templates.
func TestAnyOrderAnyNumber(t *testing.T) {
	d := newDesk(t)
	cfg := config(d)
	cfg.Token, cfg.BotToken, cfg.Notes = "", "", false
	db := testdb.Open(t)
	ways, most := 1000, 100 // most at a time: an inbox holds 10,000
	if testing.Short() {
		ways = 5
	}
	var h *house
	want := []string{"customer: My zipper broke", "customer: [image]", "agent: Let me look", "agent: From my phone", "customer: Thank you", "agent: Refunded"}
	for seed := range uint64(ways) {
		if seed%uint64(most) == 0 {
			if h != nil {
				h.stop(t) // works off what is held, in order: the clock is inbox's own test
			}
			h = connectTo(t, db, cfg, nil, time.Hour)
		}
		display := int64(100 + seed)
		d.begin(display, "open")
		d.say(display, 0, "My zipper broke", false, contact)
		d.say(display, 3, "We are usually back in an hour", false, nil)
		pictured(d, display)
		d.say(display, 2, "Mia joined", false, nil)
		d.say(display, 1, "a note for us", true, user)
		d.say(display, 1, "Let me look", false, user)
		d.say(display, 1, "From my phone", false, nil)
		d.say(display, 0, "Thank you", false, contact)
		d.say(display, 1, "Refunded", false, user)
		d.become(display, "resolved")
		all := slices.DeleteFunc(d.take(), func(s sending) bool { return s.bot })
		r := rand.New(rand.NewPCG(seed, 9))
		for range 5 {
			all = append(all, all[r.IntN(len(all))])
		}
		r.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
		for _, s := range all {
			if code := d.deliver(h, s); code != 202 {
				t.Fatalf("seed %d: delivery %s: answered %d", seed, s.id, code)
			}
		}
	}
	h.stop(t)
	for seed := range uint64(ways) {
		id := fmt.Sprintf("chatwoot-7-%d", 100+seed)
		if c, err := h.db.Conversation(t.Context(), id); err != nil || c.Status != assist.StatusClosed {
			t.Errorf("seed %d: %s is %s: %v", seed, id, c.Status, err)
		}
		if diff := cmp.Diff(want, h.transcript(t, id)); diff != "" {
			t.Errorf("seed %d: %s", seed, diff)
		}
	}
}

// pictured is a message without words.
func pictured(d *desk, display int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.add(display, 0, "", false, contact, "")
	for i := len(d.out) - 2; i < len(d.out); i++ {
		d.out[i].body = []byte(strings.Replace(string(d.out[i].body), `"content":""`, `"content":null,"attachments":[{"file_type":"image"}]`, 1))
	}
}

func posted(d *desk, display int64, token string) (texts []string) {
	_, all := d.of(display)
	for _, m := range all {
		if m.Token == token {
			texts = append(texts, fmt.Sprintf("private=%v %s", m.Private, m.Content))
		}
	}
	return texts
}

// TestSuggestionIsANoteAndNothingElse is the whole way of a customer's message, and
// of the agent's reply.
func TestSuggestionIsANoteAndNothingElse(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	h := open(t, config(d), suggester{}, 5*time.Millisecond)
	d.pump(h)
	d.say(firstDisplay, 0, "Where is my refund?", false, contact)
	until(t, "a note", func() bool { return len(posted(d, firstDisplay, botToken)) > 0 })
	notes := posted(d, firstDisplay, botToken)
	if len(notes) != 1 || !strings.HasPrefix(notes[0], "private=true **Aside suggests**") || !strings.Contains(notes[0], "DRAFT") {
		t.Fatalf("posted %q", notes)
	}
	for _, bad := range []string{"{{", "{%", "mention:"} {
		if strings.Contains(notes[0], bad) {
			t.Errorf("the note has %q in it: %s", bad, notes[0])
		}
	}
	// The agent asks for another draft: there is no second note.
	if _, err := h.chats.RequestSuggestion(t.Context(), mia, theirs, "shorter"); err != nil {
		t.Fatal(err)
	}
	reply := assist.NewReply{Conversation: theirs, ClientID: "r1", Text: "It arrives on Friday."}
	for range 2 { // pressed twice
		if err := h.Reply(t.Context(), mia, reply); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.chats.Send(t.Context(), mia, reply); err != nil {
			t.Fatal(err)
		}
	}
	if got := posted(d, firstDisplay, miaToken); !slices.Equal(got, []string{"private=false It arrives on Friday."}) {
		t.Errorf("sent as Mia: %q", got)
	}
	d.say(firstDisplay, 0, "Great", false, contact) // behind the echo of the reply
	until(t, "the last message", func() bool { return slices.Contains(h.transcript(t, theirs), "customer: Great") })
	want := []string{"customer: Where is my refund?", "agent: It arrives on Friday.", "customer: Great"}
	if diff := cmp.Diff(want, h.transcript(t, theirs)); diff != "" {
		t.Errorf("notes and echoes are no turns: %s", diff)
	}
	until(t, "the second note", func() bool { return len(posted(d, firstDisplay, botToken)) == 2 })
	_, all := d.of(firstDisplay)
	for _, m := range all {
		if strings.Contains(m.Content, "DRAFT") && !m.Private {
			t.Errorf("a draft went to the customer: %q", m.Content)
		}
	}
}

func TestReplyNeedsTheAgentsOwnToken(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	h := open(t, config(d), nil, 5*time.Millisecond)
	d.pump(h)
	tom := assist.Identity{Subject: "tom", Actor: assist.ActorAgent, Name: "Tom"}
	reply := assist.NewReply{Conversation: theirs, ClientID: "r1", Text: "On its way."}
	if err := h.Reply(t.Context(), tom, reply); assist.CodeOf(err) != assist.Forbidden {
		t.Errorf("an agent without a token: %v", err)
	}
	if err := h.Reply(t.Context(), reporter, reply); assist.CodeOf(err) != assist.Forbidden {
		t.Errorf("a source: %v", err)
	}
	// Refused surely: it may be tried again at once. Done but not told: it is looked for.
	d.mu.Lock()
	d.fail = func(call string) int {
		if strings.HasPrefix(call, "POST") {
			return 422
		}
		return 0
	}
	d.mu.Unlock()
	if err := h.Reply(t.Context(), mia, reply); err == nil {
		t.Error("refused, and no error")
	}
	d.mu.Lock()
	d.fail = nil
	d.swallow = func(string) bool { return true }
	d.mu.Unlock()
	if err := h.Reply(t.Context(), mia, reply); assist.CodeOf(err) != assist.Unavailable {
		t.Errorf("done but not told: %v", err)
	}
	if err := h.Reply(t.Context(), mia, reply); err != nil {
		t.Errorf("tried again: %v", err)
	}
	if got := posted(d, firstDisplay, miaToken); len(got) != 1 {
		t.Errorf("said %q, want it once", got)
	}
	reply.Text = "Something else."
	if err := h.Reply(t.Context(), mia, reply); assist.CodeOf(err) != assist.Conflict {
		t.Errorf("the same id for other words: %v", err)
	}
}

func TestBotAnswersWhilePendingAndHandsOverOnce(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "pending")
	h := open(t, config(d), suggester{}, 5*time.Millisecond)
	d.pump(h)
	d.say(firstDisplay, 0, "Do you ship to Norway?", false, contact)
	until(t, "the bot's answer", func() bool { return len(posted(d, firstDisplay, botToken)) == 1 })
	if got := posted(d, firstDisplay, botToken)[0]; !strings.HasPrefix(got, "private=false BOT: 1 said") || !strings.Contains(got, "[Returns](https://shop.example/returns)") {
		t.Errorf("answered %q", got)
	}
	d.say(firstDisplay, 0, "I want a person", false, contact)
	until(t, "the hand-over", func() bool { s, _ := d.of(firstDisplay); return s == "open" })
	until(t, "goodbye, reason and the agents' suggestion", func() bool { return len(posted(d, firstDisplay, botToken)) == 4 })
	got := posted(d, firstDisplay, botToken)
	if got[1] != "private=false BOT: a person comes" {
		t.Errorf("goodbye: %q", got[1])
	}
	for _, note := range got[2:] {
		if !strings.HasPrefix(note, "private=true ") {
			t.Errorf("after the hand-over the bot said %q", note)
		}
	}
	d.say(firstDisplay, 0, "Hello? A person?", false, contact)
	until(t, "a note for the new message", func() bool { return len(posted(d, firstDisplay, botToken)) == 5 })
	if opened := opens(d); opened != 1 {
		t.Errorf("opened %d times, want once", opened)
	}
	// Resolved, and the customer comes back: Chatwoot says pending again, and the bot
	// knows nothing of before.
	d.become(firstDisplay, "resolved")
	until(t, "the closing", func() bool {
		c, err := h.db.Conversation(t.Context(), theirs)
		return err == nil && c.Status == assist.StatusClosed
	})
	d.become(firstDisplay, "pending")
	d.say(firstDisplay, 0, "Another question", false, contact)
	until(t, "the bot's answer", func() bool { return len(posted(d, firstDisplay, botToken)) == 6 })
	if got := posted(d, firstDisplay, botToken)[5]; !strings.HasPrefix(got, "private=false BOT: 1 said") {
		t.Errorf("in a new context: %q", got)
	}
	d.say(firstDisplay, 0, "A person again", false, contact)
	until(t, "the second hand-over", func() bool { return opens(d) == 2 })
	want := []string{"customer", "bot", "customer", "bot", "customer", "customer", "bot", "customer", "bot"}
	var roles []string
	for _, line := range h.transcript(t, theirs) {
		role, _, _ := strings.Cut(line, ":")
		roles = append(roles, role)
	}
	if diff := cmp.Diff(want, roles); diff != "" {
		t.Errorf("each message is one turn, whatever webhooks brought it: %s", diff)
	}
}

func opens(d *desk) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.calls {
		if strings.HasSuffix(c, "/toggle_status as "+botToken) {
			n++
		}
	}
	return n
}

// A person opens the conversation while the bot has it: it never speaks again.
func TestBotIsSilentOnceAPersonIsThere(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "pending")
	h := open(t, config(d), suggester{}, 5*time.Millisecond)
	d.pump(h)
	d.say(firstDisplay, 0, "First", false, contact)
	until(t, "the bot's answer", func() bool { return len(posted(d, firstDisplay, botToken)) == 1 })
	d.become(firstDisplay, "open")
	until(t, "people have it", func() bool {
		c, err := h.db.Conversation(t.Context(), theirs)
		return err == nil && c.Status == assist.StatusOpen
	})
	d.say(firstDisplay, 0, "Second", false, contact)
	d.say(firstDisplay, 1, "I am here", false, user)
	until(t, "what they said", func() bool { return len(h.transcript(t, theirs)) == 4 })
	all, err := h.db.Deliveries(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	if all = slices.DeleteFunc(all, func(d deliver.Delivery) bool { return d.Kind != "answer" }); len(all) != 1 {
		t.Errorf("%d deliveries to the customer, want the one answer", len(all))
	}
}

// A bot that is switched off keeps nobody waiting.
func TestBotThatIsOffOpens(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "pending")
	h := openWith(t, testdb.Open(t), config(d), suggester{}, 5*time.Millisecond, bot{serves: false})
	d.pump(h)
	d.say(firstDisplay, 0, "Do you ship to Norway?", false, contact)
	until(t, "people have it", func() bool { s, _ := d.of(firstDisplay); return s == "open" })
	for _, p := range posted(d, firstDisplay, botToken) {
		if !strings.HasPrefix(p, "private=true") {
			t.Errorf("the bot that is off said %q", p)
		}
	}
}

// Chatwoot opens the conversation itself when the bot's hook fails thrice.
func TestFullInboxAsksTheBotsJobToTryAgain(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "pending")
	d.say(firstDisplay, 0, "First", false, contact)
	h := open(t, config(d), nil, time.Millisecond)
	h.stop(t)
	for _, s := range d.take() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(s, time.Now()))
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
			t.Errorf("bot=%v: answered %d, want 429 with Retry-After", s.bot, w.Code)
		}
	}
}

func TestWhatWasMissedIsRead(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	d.begin(firstDisplay+1, "pending") // of another bot, for all we know
	d.say(firstDisplay, 0, "One", false, contact)
	d.say(firstDisplay, 1, "Two", false, user)
	d.say(firstDisplay, 1, "a note", true, user)
	d.say(firstDisplay+1, 0, "Not for us", false, contact)
	d.take() // nothing of it is delivered
	h := open(t, config(d), nil, 5*time.Millisecond)
	until(t, "the record", func() bool { return len(h.transcript(t, theirs)) == 2 })
	if diff := cmp.Diff([]string{"customer: One", "agent: Two"}, h.transcript(t, theirs)); diff != "" {
		t.Error(diff)
	}
	if lines := h.transcript(t, "chatwoot-7-42"); len(lines) != 0 {
		t.Errorf("another bot's conversation: %q", lines)
	}
}

// The process dies after the bot's answer is stored and before it is sent.
func TestAnswerSurvivesARestart(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "pending")
	d.fail = func(call string) int {
		if strings.HasPrefix(call, "POST") {
			return 503
		}
		return 0
	}
	db := testdb.Open(t)
	first := connectTo(t, db, config(d), suggester{}, 5*time.Millisecond)
	d.say(firstDisplay, 0, "Do you ship to Norway?", false, contact)
	for _, s := range d.take() {
		d.deliver(first, s)
	}
	until(t, "the answer is stored", func() bool { return len(first.transcript(t, theirs)) == 2 })
	first.stop(t)
	d.mu.Lock()
	d.fail = nil
	d.mu.Unlock()
	second := connectTo(t, db, config(d), suggester{}, 5*time.Millisecond)
	d.pump(second)
	until(t, "the answer is sent", func() bool { return len(posted(d, firstDisplay, botToken)) == 1 })
}

func TestChecks(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	h := open(t, config(d), nil, 5*time.Millisecond)
	want := map[string]bool{"chatwoot": true, "chatwoot token": true, "chatwoot webhook": true, "chatwoot notes": true, "chatwoot bot": false, "chatwoot agents": true, "chatwoot delivery": false}
	look := func() {
		t.Helper()
		got := map[string]bool{}
		for _, c := range h.Checks(t.Context()) {
			got[c.Name] = c.OK
			if !c.OK && c.Fix == "" || strings.Contains(c.Detail, miaToken) {
				t.Errorf("%+v", c)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	look()
	d.say(firstDisplay, 0, "Hello", false, contact)
	for n, s := range d.take() { // to the account's webhook, and to the bot's
		name, key := "chatwoot delivery", "delivery"
		if n == 1 {
			name, key = "chatwoot bot", "delivery to the bot"
		}
		d.deliver(h, s)
		until(t, "the mark "+key, func() bool {
			at, err := h.db.Marked(t.Context(), "chatwoot", key)
			return err == nil && !at.IsZero()
		})
		want[name] = true
		look()
	}
}

// TestMissedWhileDown: what came while Aside was down is read soon after its start,
// also when somebody read the record a moment before.
func TestMissedWhileDown(t *testing.T) {
	d := newDesk(t)
	d.begin(firstDisplay, "open")
	d.say(firstDisplay, 0, "Is anybody there?", false, contact)
	d.take() // nobody was
	db := testdb.Open(t)
	slot := time.Now().UnixNano() / int64(5*time.Minute)
	for _, s := range []int64{slot, slot + 1} {
		if _, err := db.Once(t.Context(), "chatwoot", fmt.Sprintf("reconcile:%d", s)); err != nil {
			t.Fatal(err)
		}
	}
	h := connectTo(t, db, config(d), suggester{}, 5*time.Millisecond)
	until(t, "what was missed", func() bool {
		_, err := h.db.Conversation(t.Context(), theirs)
		return err == nil && slices.Contains(h.transcript(t, theirs), "customer: Is anybody there?")
	})
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  chatwoot.Config
		want string
	}{
		{chatwoot.Config{}, ""},
		{chatwoot.Config{URL: "https://desk.example", Account: 1, Secret: "s"}, ""},
		{chatwoot.Config{Secret: "s"}, "ASIDE_CHATWOOT_URL"},
		{chatwoot.Config{URL: "https://desk.example", Secret: "s"}, "ASIDE_CHATWOOT_ACCOUNT"},
		{chatwoot.Config{URL: "https://desk.example", Account: 1}, "ASIDE_CHATWOOT_SECRET"},
		{chatwoot.Config{URL: "https://desk.example", Account: 1, PathSecret: "short"}, "ASIDE_CHATWOOT_PATH_SECRET"},
		{chatwoot.Config{URL: "https://desk.example", Account: 1, Secret: "s", BotToken: "b"}, "ASIDE_CHATWOOT_BOT_SECRET"},
		{chatwoot.Config{URL: "https://desk.example", Account: 1, Secret: "s", Notes: true}, "ASIDE_CHATWOOT_NOTES"},
		{chatwoot.Config{URL: "https://desk.example", Account: 1, Secret: "s", Agents: "mia"}, "line 1"},
	} {
		err := c.cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}

// BenchmarkHook measures how long Chatwoot waits for an answer while every model hangs.
func BenchmarkHook(b *testing.B) {
	h := open(b, chatwoot.Config{URL: "http://127.0.0.1:1", Account: account, Secret: hookSecret}, suggester{hang: true}, 0)
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		body := fmt.Sprintf(`{"event":"message_created","id":%d,"content":"Where is my refund?","message_type":"incoming","private":false,"created_at":%d,"account":{"id":7},"conversation":{"id":%d,"status":"open"}}`,
			n, time.Now().Unix(), n%50+1)
		r, w := request(sending{body: []byte(body)}, time.Now()), httptest.NewRecorder()
		began := time.Now()
		h.ServeHTTP(w, r)
		took = append(took, time.Since(began))
		if w.Code != 202 && w.Code != 429 {
			b.Fatalf("answered %d", w.Code)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}
