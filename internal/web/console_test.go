package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/web"
)

// desk is a server with one conversation that speaks the protocol from a script:
// it stores replies by their id, replays kept events, and does what a test says.
type desk struct {
	*httptest.Server

	mu       sync.Mutex
	news     chan struct{} // closed and replaced when a frame comes in
	conns    map[*websocket.Conn]bool
	kept     []json.RawMessage // frames with a sequence number, in order
	got      []clientFrame
	replies  map[string]int64 // reply id → seq
	reject   *assist.Error    // what replies are refused with, if anything
	refuse   bool             // no new connections
	loseAck  bool             // store the next reply, then drop the connection
	changed  bool             // the first source has, since it was cited
	session  bool             // development session
	ends     time.Time        // of the session's tokens, where one signed in
	expired  bool             // the token is not valid any more
	customer string
}

type clientFrame struct {
	Type, ID, Conversation string
	Data                   struct {
		Text         string `json:"text"`
		SuggestionID string `json:"suggestion_id"`
		After        *int64 `json:"after"`
		StepID       string `json:"step_id"`
		State        string `json:"state"`
		Verdict      string `json:"verdict"`
		Reason       string `json:"reason"`
		Instruction  string `json:"instruction"`
		Resolution   string `json:"resolution"`
	}
}

const (
	conversation = "conv_1"
	other        = "conv_2"                                                             // has nothing in it
	agentToken   = "e30.eyJzdWIiOiJtYXlhIiwicm9sZSI6ImFnZW50IiwibmFtZSI6Ik1heWEifQ.sig" // {"sub":"maya","role":"agent","name":"Maya"}
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{news: make(chan struct{}), conns: map[*websocket.Conn]bool{}, replies: map[string]int64{}, session: true, customer: "Dana"}
	mux := http.NewServeMux()
	mux.Handle("/", web.Assets(true))
	mux.HandleFunc("GET /v1/session", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		session := d.session
		d.mu.Unlock()
		if !session {
			http.Error(w, `{"status":401}`, http.StatusUnauthorized)
			return
		}
		d.mu.Lock()
		ends := d.ends
		d.mu.Unlock()
		if !ends.IsZero() { // signed in with a provider
			writeJSON(w, map[string]any{"token": agentToken, "sub": "maya", "name": "Maya", "role": "agent", "dev": false, "expires_at": ends})
			return
		}
		writeJSON(w, map[string]any{"token": agentToken, "sub": "maya", "name": "Maya", "role": "agent", "dev": true})
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		expired := d.expired
		d.mu.Unlock()
		if expired {
			http.Error(w, `{"status":401}`, http.StatusUnauthorized)
			return
		}
		writeJSON(w, map[string]any{"model": map[string]string{"name": "m", "state": "ready"}, "embedder": map[string]string{"state": "ready"}, "knowledge": map[string]int{"documents": 3}})
	})
	mux.HandleFunc("POST /v1/search", func(w http.ResponseWriter, r *http.Request) {
		var q web.SearchQuery
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.Header.Get("Authorization") != "Bearer "+agentToken {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		found := web.SearchResult{Hits: []web.SearchHit{}}
		if q.Text == "goodwill" {
			found.Hits = append(found.Hits, web.SearchHit{PassageID: "p2", DocumentID: "goodwill", Title: "Goodwill", Audience: assist.AudienceInternal, Quote: "Agents may add $25.", Text: "Agents may add $25."})
		}
		writeJSON(w, found)
	})
	mux.HandleFunc("GET /v1/suggestions/{id}", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+agentToken {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		s := suggestion(r.PathValue("id"), 1)
		s.Prompt = &assist.PromptRef{Name: "reply", Version: "v1", Text: "the whole prompt"}
		d.mu.Lock()
		s.Hits[0].OutOfDate = d.changed
		d.mu.Unlock()
		writeJSON(w, s)
	})
	mux.HandleFunc("GET /v1/ws", d.serveWS)
	d.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		d.drop(true)
		d.Close()
	})
	d.turn(assist.RoleCustomer, "The zipper broke after one wear. I want my money back.")
	return d
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that has gone shows in the test
}

func (d *desk) serveWS(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	refuse := d.refuse
	d.mu.Unlock()
	if refuse {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	if !strings.Contains(r.Header.Get("Sec-WebSocket-Protocol"), "bearer."+agentToken) {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"aside.v1"}}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	d.mu.Lock()
	d.conns[c] = true
	d.write(c, map[string]any{"type": "welcome", "data": map[string]any{"session": "s", "server_time": time.Now(), "limits": map[string]int{"text_chars": 8000}}})
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		delete(d.conns, c)
		d.mu.Unlock()
		_ = c.Close()
	}()
	for {
		var f clientFrame
		if err := c.ReadJSON(&f); err != nil {
			return
		}
		d.handle(c, f)
	}
}

// write is called with the lock held: one writer at a time. A dead connection is
// noticed by its reader.
func (d *desk) write(c *websocket.Conn, v any) {
	_ = c.SetWriteDeadline(time.Now().Add(time.Minute))
	_ = c.WriteJSON(v)
}

func (d *desk) handle(c *websocket.Conn, f clientFrame) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, f)
	close(d.news)
	d.news = make(chan struct{})
	ack := func(data any) {
		if f.ID != "" {
			d.write(c, map[string]any{"type": "ack", "id": f.ID, "conversation": f.Conversation, "data": data})
		}
	}
	if f.Conversation == other {
		ack(map[string]any{"seq": 0})
		return
	}
	switch f.Type {
	case "queue.open":
		ack(map[string]any{"conversations": []assist.Conversation{{ID: other, Status: assist.StatusOpen, CustomerName: "Another", Agent: "maya", CreatedAt: time.Now(), UpdatedAt: time.Now()}, {ID: conversation, Status: assist.StatusOpen, CustomerName: d.customer, Agent: "maya", AgentName: "Maya",
			LastSeq: int64(len(d.kept)), LastRole: assist.RoleCustomer, Preview: "The zipper broke", WaitingSince: time.Now(), CreatedAt: time.Now(), UpdatedAt: time.Now()}}})
	case "conversation.open":
		ack(map[string]any{"seq": len(d.kept), "status": "open"})
		for _, k := range d.kept[min(*f.Data.After, int64(len(d.kept))):] {
			d.write(c, k)
		}
	case "reply.send":
		if d.reject != nil {
			d.write(c, map[string]any{"type": "error", "id": f.ID, "error": map[string]any{"code": d.reject.Code, "message": d.reject.Message}})
			return
		}
		seq, known := d.replies[f.ID]
		if !known {
			seq = int64(len(d.kept) + 1)
			d.replies[f.ID] = seq
			d.keep("turn.added", assist.Turn{Seq: seq, Role: assist.RoleAgent, Author: "maya", Name: "Maya", Text: f.Data.Text, At: time.Now(), SuggestionID: f.Data.SuggestionID})
		}
		if d.loseAck {
			d.loseAck = false
			_ = c.Close()
			return
		}
		ack(map[string]any{"seq": seq})
	case "draft.check":
		verdicts := []assist.Verdict{}
		if i := strings.Index(f.Data.Text, "$40"); i >= 0 {
			verdicts = append(verdicts, assist.Verdict{Check: "authority", Outcome: assist.Warn, Sentence: -1, Words: "$40", Start: i, End: i + 3, Reason: "$40 is more than you may give."})
		}
		ack(map[string]any{"verdicts": verdicts})
	case "step.set":
		d.keep("step.changed", assist.StepChange{StepID: f.Data.StepID, State: assist.StepState(f.Data.State), By: "maya"})
		ack(map[string]any{})
	default:
		ack(map[string]any{})
	}
}

// keep stores an event and tells all; the lock is held.
func (d *desk) keep(typ string, data any) {
	f, err := json.Marshal(map[string]any{"type": typ, "conversation": conversation, "seq": len(d.kept) + 1, "data": data})
	if err != nil {
		panic(err)
	}
	d.kept = append(d.kept, f)
	for c := range d.conns {
		d.write(c, json.RawMessage(f))
	}
}

func (d *desk) emitKept(typ string, data any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keep(typ, data)
}

// emit tells all of something that is not kept.
func (d *desk) emit(typ string, data any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		d.write(c, map[string]any{"type": typ, "conversation": conversation, "data": data})
	}
}

func (d *desk) turn(role assist.Role, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keep("turn.added", assist.Turn{Seq: int64(len(d.kept) + 1), Role: role, Name: d.customer, Text: text, At: time.Now()})
}

// drop ends all connections, and refuses new ones or not.
func (d *desk) drop(refuse bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = refuse
	for c := range d.conns {
		_ = c.Close()
	}
}

func (d *desk) accept() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = false
}

func (d *desk) received(typ string) []clientFrame {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []clientFrame
	for _, f := range d.got {
		if f.Type == typ {
			out = append(out, f)
		}
	}
	return out
}

// waitFor waits until the server has got n frames of a type.
func (d *desk) waitFor(t *testing.T, typ string, n int) []clientFrame {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		d.mu.Lock()
		news := d.news
		d.mu.Unlock()
		got := d.received(typ)
		if len(got) >= n {
			return got
		}
		select {
		case <-news:
		case <-deadline:
			t.Fatalf("the server got %d of %d %s frames", len(got), n, typ)
		}
	}
}

func suggestion(id string, forSeq int64) assist.Suggestion {
	hits := []assist.Hit{
		{Passage: assist.Passage{ID: "p1", DocumentID: "returns", Heading: "Defective items", Text: "Gear is used. A product that fails within 90 days is refunded in full."}, Title: "Refund policy", Kind: assist.KindPolicy, Audience: assist.AudiencePublic, URL: "https://help.example.com/r", UpdatedAt: time.Now(), Quote: "A product that fails within 90 days is refunded in full."},
		{Passage: assist.Passage{ID: "p2", DocumentID: "goodwill", Text: "Agents may add $25."}, Title: "Goodwill", Kind: assist.KindPolicy, Audience: assist.AudienceInternal, UpdatedAt: time.Now(), Quote: "Agents may add $25."},
	}
	draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{
		{Text: "I’m sorry about your jacket.", Courtesy: true},
		{Text: "You get it refunded in full.", Citations: []assist.Citation{{PassageID: "p1", Quote: hits[0].Quote}}},
	})
	instant := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: hits[0].Quote, Citations: []assist.Citation{{PassageID: "p1", Quote: hits[0].Quote}}}})
	return assist.Suggestion{ID: id, Conversation: conversation, ForSeq: forSeq, State: assist.SuggestionReady, Standing: assist.StandingReady,
		Question: assist.Question{Text: "I want my money back.", Terms: []assist.Term{{Text: "refund", Weight: 1}}}, Hits: hits, Draft: &draft, Instant: &instant,
		Steps:   []assist.NextStep{{ID: "returns/1", Kind: assist.StepDo, Text: "Validate the purchase", State: assist.StepTodo, Current: true, Policy: assist.PolicyRef{Title: "Returns"}}},
		Options: []assist.Option{{ID: "refund", Title: "Refund", Cost: "$129", Authority: "you"}},
		Model:   "m", Timings: assist.Timings{Passages: 5, Instant: 20, Ready: 900}, CreatedAt: time.Now()}
}

// begin emits a suggestion up to its instant draft.
func (d *desk) begin(s assist.Suggestion) {
	d.emit("suggestion.started", map[string]any{"suggestion_id": s.ID, "for_seq": s.ForSeq})
	d.emit("suggestion.passages", map[string]any{"suggestion_id": s.ID, "for_seq": s.ForSeq, "question": s.Question, "hits": s.Hits})
	d.emit("suggestion.instant", map[string]any{"suggestion_id": s.ID, "for_seq": s.ForSeq, "draft": s.Instant, "steps": s.Steps, "options": s.Options, "verdicts": s.Verdicts, "standing": "ready"})
}

func alt(key string) chromedp.Action[chromedp.Void] {
	return chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierAlt))
}

func ctrl(key string) chromedp.Action[chromedp.Void] {
	return chromedp.KeyEvent(key, chromedp.KeyModifiers(chromedp.ModifierCtrl))
}

func click(css string) chromedp.Action[chromedp.Void] { return chromedp.Click(chromedp.CSS(css)) }

const (
	reply   = `document.querySelector(".reply-text").value`
	said    = `[...document.querySelectorAll(".turn-agent .turn-text")].map((x) => x.textContent)`
	atWork  = `document.querySelector(".turn-customer")`
	isReady = `document.querySelector(".standing.is-ready")`
)

// openDesk opens the console and its conversation with the keyboard alone.
func openDesk(t *testing.T, browser context.Context, d *desk, expected ...string) context.Context {
	t.Helper()
	tab := chrome.Tab(t, browser, expected...)
	chrome.Run(t, tab, chromedp.Navigate(d.URL), chrome.Eventually(`document.querySelector(".queue-row")`), alt("j"), chrome.Eventually(atWork))
	return tab
}

func TestConsole(t *testing.T) {
	browser := chrome.Start(t)

	t.Run("what was handed over, given back and closed by keyboard", func(t *testing.T) {
		d := newDesk(t)
		d.emitKept("handoff", map[string]any{"reason_code": "rephrased", "reason": "asked the same again", "from": "bot", "at": time.Now(),
			"summary": "Wants the money back.", "tried": []string{"Refunds take five days."}})
		tab := openDesk(t, browser, d)
		focused := func(label string) chromedp.Action[chromedp.Void] {
			return chrome.Eventually(`document.activeElement?.textContent === ` + strconv.Quote(label))
		}
		brief := `document.querySelector(".brief")?.innerText`
		chrome.Run(t, tab, chrome.Eventually(brief+`.includes("had to ask again")`), chrome.Eventually(brief+`.includes("Wants the money back.")`), chrome.Eventually(brief+`.includes("Refunds take five days.")`),
			// A reply makes room: the words before the hand-over fold, and come back by key.
			alt("c"), chromedp.KeyEvent("Hi"), ctrl(kb.Enter), chrome.Eventually(`!`+brief+`.includes("Wants the money back.")`), alt("v"), chrome.Eventually(brief+`.includes("Wants the money back.")`),
			alt("z"), focused("Solved"), chromedp.KeyEvent(kb.Escape), chrome.Eventually(`document.activeElement === document.querySelector(".reply-text")`),
			alt("q"), focused("Needs a colleague"), chromedp.KeyEvent(kb.Enter))
		if got := d.waitFor(t, "handoff.return", 1)[0]; got.Data.Reason != "Needs a colleague" {
			t.Errorf("given back with %+v", got)
		}
		chrome.Run(t, tab, alt("z"), focused("Solved"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
		if got := d.waitFor(t, "conversation.close", 1)[0]; got.Data.Resolution != "Passed on" {
			t.Errorf("closed with %+v", got)
		}
	})

	t.Run("two hundred wait, and the window does not scroll", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		d.emitKept("suggestion.ready", suggestion("s1", 1))
		for i := range 200 {
			c := assist.Conversation{ID: fmt.Sprint("w", i), CustomerName: "Visitor", LastSeq: 1, LastRole: assist.RoleCustomer, Preview: "Hello?",
				WaitingSince: time.Now(), CreatedAt: time.Now(), UpdatedAt: time.Now(), Status: assist.StatusWaiting}
			if i%2 == 0 {
				c.Status, c.Agent = assist.StatusOpen, "maya"
			}
			d.emit("queue.changed", c)
		}
		chrome.Run(t, tab, chrome.Eventually(`document.querySelectorAll(".queue-row").length === 202`), chrome.Eventually(isReady),
			chrome.Eventually(`document.querySelector(".top .pill").textContent === "201 waiting"`), chrome.Eventually(`document.title === "(201) Aside"`))
		for _, size := range [][2]int64{{1400, 900}, {1024, 600}, {800, 700}, {390, 600}, {320, 568}} {
			chrome.Run(t, tab, chromedp.EmulateViewport(size[0], size[1]),
				chrome.Eventually(`innerWidth === `+fmt.Sprint(size[0])+` && document.documentElement.scrollHeight === innerHeight && document.documentElement.scrollWidth === innerWidth`))
		}
		// Who walks down by keyboard sees where they are.
		chrome.Run(t, tab, chromedp.EmulateViewport(1400, 900), chrome.Eventually(`innerWidth === 1400`), chromedp.Evaluate[chromedp.Void](`document.querySelectorAll(".queue-row")[60].click()`), alt("j"),
			chrome.Eventually(`(() => { const r = document.querySelector(".queue-row.is-open"); return [...document.querySelectorAll(".queue-row")].indexOf(r) === 61 && r.getBoundingClientRect().top < innerHeight; })()`))
	})

	t.Run("the focus is not lost", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		d.emitKept("suggestion.ready", suggestion("s1", 1))
		focused := func(css string) chromedp.Action[chromedp.Void] {
			return chrome.Eventually(`document.activeElement.matches(` + strconv.Quote(css) + `)`)
		}
		// Who asks for a change can ask for the next one.
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("a"), focused(".ask-input"), chromedp.KeyEvent("shorter"), chromedp.KeyEvent(kb.Enter))
		d.waitFor(t, "suggestion.request", 1)
		d.emit("suggestion.started", map[string]any{"suggestion_id": "s2", "for_seq": 1})
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".source.is-skeleton")`), focused(".ask-input"))
		// What is pressed and goes away leaves it near by.
		d.emitKept("suggestion.ready", suggestion("s2", 1))
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("n"), focused(".step input"), chromedp.Evaluate[chromedp.Void](`document.querySelector(".step-skip").focus()`), chromedp.KeyEvent(kb.Enter),
			chrome.Eventually(`!document.querySelector(".step-skip")`), focused(".panel-scroll"))
		chrome.Run(t, tab, alt("c"), chromedp.KeyEvent("Hello"), chromedp.Evaluate[chromedp.Void](`document.querySelector(".send").focus()`), chromedp.KeyEvent(kb.Enter))
		d.waitFor(t, "reply.send", 1)
		chrome.Run(t, tab, focused(".reply-text"))
	})

	t.Run("what one has is not taken again", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, alt("t"), alt("c"), chromedp.KeyEvent("Hello"), ctrl(kb.Enter))
		d.waitFor(t, "reply.send", 1)
		if got := d.received("handoff.take"); len(got) > 0 {
			t.Errorf("taken: %+v", got)
		}
		// Who takes from the bot reads once what the bot said.
		handoff := map[string]any{"reason_code": "rephrased", "from": "bot", "at": time.Now(), "summary": "Wants the money back."}
		d.emitKept("handoff", handoff)
		handoff["to"], handoff["to_name"] = "maya", "Maya"
		d.emitKept("handoff", handoff)
		chrome.Run(t, tab, chrome.Eventually(`[...document.querySelectorAll(".log .note")].some((x) => x.textContent.startsWith("Taken by you"))`))
		if got := chrome.Ask[string](t, tab, `document.querySelector(".log").innerText`); strings.Contains(got, "Wants the money back.") {
			t.Errorf("said again below: %q", got)
		}
	})

	t.Run("a colleague answers while one writes", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, alt("c"), chromedp.KeyEvent("Let me"))
		d.waitFor(t, "typing", 1)
		d.emitKept("turn.added", assist.Turn{Seq: 2, Role: assist.RoleAgent, Author: "ben", Name: "Ben", Text: "It is refunded.", At: time.Now()})
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".banner[role=alert]")?.textContent.includes("Ben has answered while you were writing")`), chrome.Eventually(reply+` === "Let me"`),
			chromedp.KeyEvent(kb.Backspace+kb.Backspace+kb.Backspace+kb.Backspace+kb.Backspace+kb.Backspace), chrome.Eventually(`!document.querySelector(".banner[role=alert]")`),
			chromedp.KeyEvent("More"), chrome.Eventually(reply+` === "More"`))
		if chrome.Ask[bool](t, tab, `Boolean(document.querySelector(".banner[role=alert]"))`) {
			t.Error("what one writes after it is no surprise")
		}
	})

	t.Run("the browser's undo knows whose words they are", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		d.emitKept("suggestion.ready", suggestion("s1", 1))
		undo := chromedp.Evaluate[chromedp.Void](`document.execCommand("undo")`)
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("c"), chromedp.KeyEvent("Hello"), alt("i"), chrome.Eventually(reply+`.includes("refunded in full")`), undo, chrome.Eventually(reply+` === "Hello"`), ctrl(kb.Enter))
		if got := d.waitFor(t, "reply.send", 1)[0]; got.Data.SuggestionID != "" {
			t.Errorf("the agent's own words were sent as %+v", got.Data)
		}
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".folded .button")`), chromedp.Evaluate[chromedp.Void](`document.querySelector(".folded .button").click()`), chrome.Eventually(reply+`.includes("refunded in full")`),
			alt("u"), chrome.Eventually(reply+` === ""`), undo, chrome.Eventually(reply+`.includes("refunded in full")`), ctrl(kb.Enter))
		if got := d.waitFor(t, "reply.send", 2)[1]; got.Data.SuggestionID != "s1" {
			t.Errorf("the draft's words were sent as %+v", got.Data)
		}
	})

	t.Run("agents search their pages", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		nothing := suggestion("s1", 1)
		nothing.State, nothing.Draft, nothing.Instant, nothing.Reason, nothing.Question.Language = assist.SuggestionAbstained, nil, nil, "", "fr"
		d.emitKept("suggestion.abstained", nothing)
		find := `document.querySelector(".found")`
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".nothing-buttons")`), alt("c"), alt("h"), chrome.Eventually(`document.activeElement.matches(".find-input")`),
			chromedp.KeyEvent("nothing"), chromedp.KeyEvent(kb.Enter), chrome.Eventually(find+`.innerText.includes("Nothing found for “nothing”")`),
			chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`), chromedp.KeyEvent("goodwill"), chromedp.KeyEvent(kb.Enter), chrome.Eventually(find+`.querySelector(".source.is-internal")`))
		// A newer suggestion takes nothing of it away, and internal words ask first.
		d.emitKept("suggestion.ready", suggestion("s2", 1))
		chrome.Run(t, tab, chrome.Eventually(isReady), chromedp.Evaluate[chromedp.Void](find+`.querySelector(".source-toggle").click()`), chrome.Eventually(find+`.querySelector(".source .link")`),
			chromedp.Evaluate[chromedp.Void](find+`.querySelector(".source .link").click()`), chrome.Eventually(`document.querySelector(".banner.is-internal")?.textContent.includes("Goodwill")`), chrome.Eventually(reply+` === ""`),
			alt("i"), chrome.Eventually(reply+` === "Agents may add $25."`),
			alt("h"), chromedp.KeyEvent(kb.Escape), chrome.Eventually(`!`+find+` && document.activeElement.matches(".reply-text")`), ctrl(kb.Enter))
		if got := d.waitFor(t, "reply.send", 1)[0]; got.Data.SuggestionID != "" {
			t.Errorf("a sentence that the agent looked up was sent as %+v", got.Data)
		}
	})

	t.Run("pages are searched with no conversation open", func(t *testing.T) {
		d := newDesk(t)
		tab := chrome.Tab(t, browser)
		chrome.Run(t, tab, chromedp.Navigate(d.URL), chrome.Eventually(`document.querySelector(".queue-row")`), alt("h"), chrome.Eventually(`document.activeElement.matches(".find-input")`),
			chromedp.KeyEvent("goodwill"), chromedp.KeyEvent(kb.Enter), chrome.Eventually(`document.querySelector(".found .source-toggle")`),
			chromedp.Evaluate[chromedp.Void](`document.querySelector(".found .source-toggle").click()`), chrome.Eventually(`document.querySelector(".found .source-meta")`))
		if chrome.Ask[bool](t, tab, `Boolean(document.querySelector(".found .source .link"))`) {
			t.Error("there is nothing to insert into")
		}
		// It belongs to what one looks at: another conversation begins without it.
		chrome.Run(t, tab, alt("j"), chrome.Eventually(atWork), chrome.Eventually(`document.querySelector(".found .source")`), alt("j"), chrome.Eventually(`!document.querySelector(".found")`))
	})

	t.Run("where nothing answers, the customer is asked in their language", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		nothing := suggestion("s1", 1)
		nothing.State, nothing.Draft, nothing.Instant, nothing.Question.Language = assist.SuggestionAbstained, nil, nil, "fr"
		d.emitKept("suggestion.abstained", nothing)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".nothing-buttons")`), click(".nothing-buttons .button"), chrome.Eventually(reply+`.startsWith("Pouvez-vous")`), ctrl(kb.Enter))
		if got := d.waitFor(t, "reply.send", 1)[0]; got.Data.SuggestionID != "" {
			t.Errorf("sent as %+v", got.Data)
		}
	})

	t.Run("a reply by keyboard alone", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		d.begin(s)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelectorAll(".source").length === 2 && document.querySelector(".draft .sentence")`))
		if name := chrome.Ask[string](t, tab, `document.querySelector(".cite").getAttribute("aria-label")`); name != "Source 1: Refund policy, section Defective items" {
			t.Errorf("the citation button is named %q", name)
		}
		d.emit("suggestion.delta", map[string]any{"suggestion_id": "s1", "text": "I’m sorry about"})
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".is-streaming .draft-text")?.textContent.startsWith("I’m sorry about")`))
		if live := chrome.Ask[string](t, tab, `document.getElementById("announce").textContent`); live != "" {
			t.Errorf("announced while drafting: %q", live)
		}
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(isReady), chrome.Eventually(`document.getElementById("announce").textContent === "Draft ready, 2 sources"`))
		if on := chrome.Ask[string](t, tab, `document.activeElement.localName`); on != "body" {
			t.Errorf("focus moved by itself to %s", on)
		}
		chrome.Run(t, tab, alt("c"), chrome.Eventually(`document.querySelector(".banner kbd").textContent === "Tab"`), chromedp.KeyEvent(kb.Tab),
			chrome.Eventually(reply+` === "I’m sorry about your jacket. You get it refunded in full."`),
			chromedp.KeyEvent(" And $40."), chrome.Eventually(`document.querySelector(".mirror mark")?.textContent === "$40"`),
			chrome.Eventually(`document.querySelector(".reply-note").textContent.includes("more than you may give")`),
			ctrl(kb.Enter), chrome.Eventually(`document.querySelectorAll(".turn-agent:not(.is-pending)").length === 1`), chrome.Eventually(reply+` === ""`))
		got := d.waitFor(t, "reply.send", 1)
		if len(got) != 1 || got[0].Data.SuggestionID != "s1" || got[0].Data.Text != "I’m sorry about your jacket. You get it refunded in full. And $40." {
			t.Errorf("sent %+v", got)
		}
		d.emitKept("suggestion.outcome", assist.SuggestionOutcome{SuggestionID: "s1", State: assist.SuggestionEdited, ReplySeq: 3, EditDistance: 9})
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".turn-foot")?.textContent.includes("9 characters changed")`))
	})

	t.Run("the checklist by keys", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		s.Steps = append(s.Steps,
			assist.NextStep{ID: "returns/2", Kind: assist.StepAsk, Text: "Ask for a photo", State: assist.StepImpossible, Why: "“I cannot send a photo”", Policy: assist.PolicyRef{Title: "Returns"}},
			assist.NextStep{ID: "returns/3", Kind: assist.StepDo, Text: "Send the label", State: assist.StepTodo, Policy: assist.PolicyRef{Title: "Returns"}})
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(isReady), chrome.Eventually(`document.querySelector(".step.is-impossible .step-why")?.textContent.includes("I cannot send a photo")`),
			chrome.Eventually(`document.querySelector(".step.is-impossible .step-state")?.textContent.includes("ruled out")`), alt("x"))
		if got := d.waitFor(t, "step.set", 1)[0]; got.Data.StepID != "returns/1" || got.Data.State != "done" {
			t.Errorf("the current step ticked: %+v", got.Data)
		}
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".step.is-current .step-text")?.textContent === "Send the label"`), alt("n"), chromedp.KeyEvent("s"))
		if got := d.waitFor(t, "step.set", 2)[1]; got.Data.StepID != "returns/3" || got.Data.State != "skipped" {
			t.Errorf("skipped by its key: %+v", got.Data)
		}
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".step.is-skipped .step-state")?.textContent.includes("skipped")`), chromedp.KeyEvent(kb.ArrowUp),
			chrome.Eventually(`document.activeElement.closest(".step")?.querySelector(".step-text").textContent === "Ask for a photo"`))
	})

	t.Run("steps, marks, ways and why", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		d.emitKept("suggestion.ready", suggestion("s1", 1))
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("n"), chromedp.KeyEvent(" "), chrome.Eventually(`document.querySelector(".step.is-done")`))
		if got := d.waitFor(t, "step.set", 1)[0]; got.Data.StepID != "returns/1" || got.Data.State != "done" {
			t.Errorf("step.set %+v", got.Data)
		}
		chrome.Run(t, tab, alt("b"), chrome.Eventually(`document.querySelectorAll(".panel-dock .chip").length === 5`), click(".panel-dock .chip:nth-child(2)"))
		if got := d.waitFor(t, "suggestion.feedback", 2)[1]; got.Data.Verdict != "bad" || got.Data.Reason != "outdated" {
			t.Errorf("suggestion.feedback %+v", got.Data)
		}
		chrome.Run(t, tab, alt("1"))
		if got := d.waitFor(t, "suggestion.request", 1)[0]; got.Data.Instruction != "refund" {
			t.Errorf("suggestion.request %+v", got.Data)
		}
		chrome.Run(t, tab, alt("w"), chrome.Eventually(`document.querySelector("dialog.why .prompt pre")?.textContent === "the whole prompt"`), chromedp.KeyEvent(kb.Escape), chrome.Eventually(`!document.querySelector("dialog[open]")`))
	})

	t.Run("own words come back", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		d.emitKept("suggestion.ready", suggestion("s1", 1))
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("c"), chromedp.KeyEvent("Hello Dana."), alt("i"), chrome.Eventually(reply+`.endsWith("Hello Dana. I’m sorry about your jacket. You get it refunded in full.")`),
			alt("u"), chrome.Eventually(reply+` === "Hello Dana."`),
			alt("l"), chromedp.KeyEvent(kb.Enter), chrome.Eventually(reply+` === "Hello Dana. I’m sorry about your jacket."`),
			ctrl("z"), chrome.Eventually(reply+` === "Hello Dana."`),
			alt("r"), chrome.Eventually(reply+` === "I’m sorry about your jacket. You get it refunded in full."`),
			click(".own-words"), chrome.Eventually(reply+` === "Hello Dana."`))
		// A reload keeps the words, which are nobody else's.
		chrome.Run(t, tab, chromedp.Reload(), chrome.Eventually(atWork), chrome.Eventually(reply+` === "Hello Dana."`))
	})

	t.Run("an internal source asks first", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		s.Draft.Sentences[1].Citations[0].PassageID = "p2"
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(isReady), alt("i"), chrome.Eventually(`document.querySelector(".banner.is-internal")`), chrome.Eventually(reply+` === ""`),
			alt("i"), chrome.Eventually(reply+`.startsWith("I’m sorry")`), chrome.Eventually(`!document.querySelector(".banner.is-internal")`))
	})

	t.Run("internal words ask first, and are named", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		s.Verdicts = []assist.Verdict{{Check: "audience", Outcome: assist.Warn, Sentence: 1, Words: "refunded in full", Start: 36, End: 52, Reason: "refunded in full stands only in “Runbook”, which is internal."}}
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".draft .sentence")`), alt("i"), chrome.Eventually(`document.querySelector(".banner.is-internal")?.textContent.includes("stands only in “Runbook”")`), chrome.Eventually(reply+` === ""`),
			chromedp.KeyEvent(kb.Escape), chrome.Eventually(`!document.querySelector(".banner.is-internal")`), chrome.Eventually(reply+` === ""`),
			alt("i"), alt("i"), chrome.Eventually(reply+`.startsWith("I’m sorry")`))
	})

	t.Run("marks follow the words, and undo takes back no more than was typed", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, alt("c"), chromedp.KeyEvent("Take $40 "), chrome.Eventually(`document.querySelector(".mirror mark")?.textContent === "$40"`), chrome.Eventually(reply+` === "Take $40 "`),
			chromedp.Evaluate[chromedp.Void](`document.execCommand("insertText", false, "today")`), chrome.Eventually(reply+` === "Take $40 today"`), chrome.Eventually(`document.querySelector(".mirror mark")?.textContent === "$40"`))
		d.waitFor(t, "draft.check", 2)
		for range 12 { // back to nothing: a mark is never a step of its own
			if chrome.Ask[string](t, tab, reply) == "" {
				break
			}
			chrome.Run(t, tab, ctrl("z"))
		}
		chrome.Run(t, tab, chrome.Eventually(reply+` === ""`), chrome.Eventually(`!document.querySelector(".mirror mark")`), chrome.Eventually(`!document.querySelector(".reply-note.is-warn")`))
	})

	t.Run("a citation leads to its words, also when the page has changed", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(isReady), click(".draft .cite"), chrome.Eventually(`document.querySelector(".source.is-aimed mark")?.textContent === "`+s.Hits[0].Quote+`"`),
			chrome.Eventually(`document.querySelector(".source.is-aimed .passage").textContent.startsWith("Gear is used.")`))
		if chrome.Ask[bool](t, tab, `Boolean(document.querySelector(".source .tag.is-stale"))`) {
			t.Error("a source that has not changed is marked out of date")
		}
		d.mu.Lock()
		d.changed = true
		d.mu.Unlock()
		chrome.Run(t, tab, click(".draft .cite"), chrome.Eventually(`document.querySelector(".source.is-aimed .tag.is-stale")?.textContent.includes("out of date")`),
			chrome.Eventually(`document.querySelector(".source.is-aimed mark")?.textContent === "`+s.Hits[0].Quote+`"`))
	})

	t.Run("nothing changes under the agent's hands", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		s := suggestion("s1", 1)
		d.begin(s)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".draft .sentence")`), alt("c"), chromedp.KeyEvent("Hi"))
		d.emit("suggestion.delta", map[string]any{"suggestion_id": "s1", "text": "Other words"})
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".panel-banner")?.textContent.includes("written draft is ready")`))
		if text := chrome.Ask[string](t, tab, `document.querySelector(".draft .sentence").textContent`); text != s.Instant.Text {
			t.Errorf("the card changed to %q", text)
		}
		d.turn(assist.RoleCustomer, "In blue, please.")
		d.emit("suggestion.superseded", map[string]any{"suggestion_id": "s1", "by_seq": 3})
		next := suggestion("s2", 3)
		next.Question.Text = "In blue, please."
		d.begin(next)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".panel-banner")?.textContent.includes("newer suggestion")`))
		if q := chrome.Ask[string](t, tab, `document.querySelector(".asked").textContent`); q != "I want my money back." {
			t.Errorf("the card is now for %q", q)
		}
		chrome.Run(t, tab, alt("o"), chrome.Eventually(`document.querySelector(".asked").textContent === "In blue, please."`), chrome.Eventually(reply+` === "Hi"`))
	})

	t.Run("a lost connection resumes", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d, "WebSocket connection to")
		d.drop(true)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".link-banner .countdown")?.textContent.match(/Trying again in \d+ s|Connecting/)`),
			alt("c"), chromedp.KeyEvent("One moment."), ctrl(kb.Enter), chrome.Eventually(`document.querySelector("[data-pending=sending]")`))
		d.turn(assist.RoleCustomer, "Hello? Anybody?")
		d.mu.Lock()
		d.loseAck = true
		d.mu.Unlock()
		d.accept()
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`document.querySelector(".link-banner .button:not(:disabled)")?.click()`),
			chrome.Eventually(`!document.querySelector(".link-banner") && !document.querySelector("[data-pending]")`), chrome.Eventually(`document.querySelectorAll(".turn-customer").length === 2`))
		sends := d.waitFor(t, "reply.send", 2)
		if sends[0].ID != sends[1].ID {
			t.Errorf("the retry had another id: %s, %s", sends[0].ID, sends[1].ID)
		}
		if list := chrome.Ask[[]string](t, tab, said); len(list) != 1 || list[0] != "One moment." {
			t.Errorf("the transcript has %q", list)
		}
		for i, f := range d.received("conversation.open") {
			if want := []int64{0, 1}[min(i, 1)]; i < 2 && *f.Data.After != want {
				t.Errorf("conversation.open %d after %d, want %d", i, *f.Data.After, want)
			}
		}
	})

	t.Run("a refused reply stays, with the reason", func(t *testing.T) {
		d := newDesk(t)
		d.reject = assist.Errorf(assist.Forbidden, "take it first")
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, alt("c"), chromedp.KeyEvent("Hello"), ctrl(kb.Enter), chrome.Eventually(`document.querySelector("[data-pending=failed] .turn-foot")?.textContent.includes("take it first")`))
		d.mu.Lock()
		d.reject = nil
		d.mu.Unlock()
		chrome.Run(t, tab, click("[data-pending=failed] .link"), chrome.Eventually(`document.querySelectorAll(".turn-agent:not(.is-pending)").length === 1 && !document.querySelector("[data-pending]")`))
		if got := d.waitFor(t, "reply.send", 2); got[0].ID != got[1].ID {
			t.Errorf("tried again with another id: %s, %s", got[0].ID, got[1].ID)
		}
	})

	t.Run("drafts stay with their conversation", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, alt("c"), chromedp.KeyEvent("For Dana"), alt("j"), chrome.Eventually(`document.querySelector("h1").textContent === "Another"`), chrome.Eventually(reply+` === ""`),
			alt("c"), chromedp.KeyEvent("For another"), alt("k"), chrome.Eventually(reply+` === "For Dana"`), alt("j"), chrome.Eventually(reply+` === "For another"`),
			chromedp.Reload(), chrome.Eventually(reply+` === "For another"`), chrome.Eventually(`document.querySelector(".queue-row")`), alt("k"), chrome.Eventually(reply+` === "For Dana"`))
		if n := len(d.received("reply.send")); n != 0 {
			t.Errorf("%d replies were sent without being asked for", n)
		}
	})

	t.Run("reading further up stays there", func(t *testing.T) {
		d := newDesk(t)
		for i := range 40 {
			d.turn(assist.RoleCustomer, fmt.Sprintf("line %d", i))
		}
		tab := openDesk(t, browser, d)
		const scroll = `document.querySelector(".transcript-scroll")`
		chrome.Run(t, tab, chrome.Eventually(`document.querySelectorAll(".turn").length === 41`), chrome.Eventually(scroll+`.scrollHeight - `+scroll+`.scrollTop - `+scroll+`.clientHeight < 2`),
			chromedp.Evaluate[chromedp.Void](scroll+`.scrollTop = 0; requestAnimationFrame(() => requestAnimationFrame(() => { window.scrolled = true; }))`),
			chrome.Eventually(`window.scrolled`)) // and the page has been told
		d.turn(assist.RoleCustomer, "news")
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".jump-button")?.textContent === "1 new message"`))
		if top := chrome.Ask[float64](t, tab, scroll+`.scrollTop`); top != 0 {
			t.Errorf("scrolled to %v", top)
		}
		chrome.Run(t, tab, alt("y"), chrome.Eventually(`!document.querySelector(".jump-button") && `+scroll+`.scrollHeight - `+scroll+`.scrollTop - `+scroll+`.clientHeight < 2`))
	})

	t.Run("a pasted token that ended makes nobody else of its bearer", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d, "WebSocket connection to", "401")
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`sessionStorage.setItem("aside.token", JSON.stringify("`+agentToken+`"))`), chromedp.Reload(), chrome.Eventually(atWork), alt("c"), chromedp.KeyEvent("Not to lose"))
		d.mu.Lock()
		d.expired = true // there is a session of the development all the same
		d.mu.Unlock()
		d.drop(true)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".form-error")?.textContent.includes("what you wrote is still here")`), chrome.Eventually(`document.activeElement.id === "token"`))
		d.mu.Lock()
		d.expired, d.refuse = false, false
		d.mu.Unlock()
		chrome.Run(t, tab, chromedp.SendKeys(chromedp.CSS("#token"), agentToken+kb.Enter), chrome.Eventually(reply+` === "Not to lose"`))
	})

	t.Run("a refused token asks for another", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d, "WebSocket connection to", "401")
		d.mu.Lock()
		d.expired = true
		d.session = false
		d.mu.Unlock()
		d.drop(true)
		chrome.Run(t, tab, chrome.Eventually(`document.querySelector(".form-error")?.textContent.includes("not valid any more")`))
	})

	t.Run("hostile text is text", func(t *testing.T) {
		const evil = `<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><a href="javascript:window.pwned=1">x</a>"'><svg onload=window.pwned=1>`
		d := newDesk(t)
		d.customer = evil
		tab := chrome.Tab(t, browser)
		var mu sync.Mutex
		var away []string
		if err := chromedp.Listen(tab, func(ev any) {
			if r, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(r.Request.URL, d.URL) && !strings.HasPrefix(r.Request.URL, "data:") {
				mu.Lock()
				away = append(away, r.Request.URL)
				mu.Unlock()
			}
		}); err != nil {
			t.Fatal(err)
		}
		d.turn(assist.RoleCustomer, evil)
		s := suggestion("s1", 2)
		s.Question.Text, s.Model, s.Anticipates = evil, evil, evil
		for i := range s.Hits {
			s.Hits[i].Title, s.Hits[i].Heading, s.Hits[i].Text, s.Hits[i].Quote, s.Hits[i].URL = evil, evil, "before "+evil+" after", evil, "javascript:window.pwned=1"
		}
		s.Draft.Sentences[0].Text = evil
		*s.Draft = assist.NewDraft(assist.OriginModel, s.Draft.Sentences)
		s.Verdicts = []assist.Verdict{{Check: "links", Outcome: assist.Block, Words: "<script>", Start: strings.Index(evil, "<script>"), End: strings.Index(evil, "<script>") + 8, Reason: evil}}
		s.Standing, s.CheckCount = assist.StandingCheck, 1
		s.Options[0].Title, s.Steps[0].Text, s.Steps[0].Policy.Quote = evil, evil, evil
		d.emitKept("suggestion.ready", s)
		chrome.Run(t, tab, chromedp.Navigate(d.URL), chrome.Eventually(`document.querySelector(".queue-row")`), alt("j"), chrome.Eventually(`document.querySelector(".standing.is-check")`),
			click(".source-toggle"), chrome.Eventually(`document.querySelector(".passage.is-open")`), alt("w"), chrome.Eventually(`document.querySelector("dialog.why[open] .prompt")`))
		if got := chrome.Ask[[]string](t, tab, `[document.querySelector("h1").textContent, document.querySelector(".sentence").textContent, document.querySelector(".source mark").textContent, document.querySelector(".draft mark").textContent]`); fmt.Sprint(got) != fmt.Sprint([]string{evil, evil, evil, "<script>"}) {
			t.Errorf("shown as %q", got)
		}
		if chrome.Ask[bool](t, tab, `"pwned" in window || Boolean(document.querySelector("#app img, #app script, a[href^=javascript]"))`) {
			t.Error("hostile text became markup")
		}
		mu.Lock()
		defer mu.Unlock()
		if len(away) > 0 {
			t.Errorf("asked other sites: %v", away)
		}
	})

	t.Run("signing in", func(t *testing.T) {
		d := newDesk(t)
		d.session = false
		tab := chrome.Tab(t, browser, "401")
		chrome.Run(t, tab, chromedp.Navigate(d.URL), chrome.Eventually(`document.querySelector("#token")`), chrome.Eventually(`document.querySelector(".command").textContent === "aside token --role agent"`),
			chromedp.SendKeys(chromedp.CSS("#token"), "nonsense"+kb.Enter), chrome.Eventually(`document.querySelector(".form-error")?.textContent.includes("not a token")`),
			chromedp.Evaluate[chromedp.Void](`document.querySelector("#token").value = ""`),
			chromedp.SendKeys(chromedp.CSS("#token"), agentToken+kb.Enter), chrome.Eventually(`document.querySelector(".queue-row")`))
	})

	t.Run("a token is followed by another before it ends", func(t *testing.T) {
		d := newDesk(t)
		d.ends = time.Now().Add(100 * time.Second) // sooner than the desk waits
		tab := openDesk(t, browser, d)
		d.waitFor(t, "queue.open", 3) // one on each connection
		d.mu.Lock()
		d.ends = time.Now().Add(time.Hour)
		d.mu.Unlock()
		// Nothing of it is seen, and nothing is lost.
		d.turn(assist.RoleCustomer, "Are you still there?")
		chrome.Run(t, tab, chrome.Eventually(`[...document.querySelectorAll(".turn-text")].at(-1).textContent === "Are you still there?"`))
		if chrome.Ask[bool](t, tab, `Boolean(document.querySelector(".link-banner"))`) {
			t.Error("the desk speaks of a lost connection")
		}
	})

	t.Run("keys can be changed", func(t *testing.T) {
		d := newDesk(t)
		tab := openDesk(t, browser, d)
		chrome.Run(t, tab, chromedp.KeyEvent("?"), chrome.Eventually(`document.querySelector("dialog.keys-dialog[open]")`),
			click(`.key-button[aria-label^="Go to the reply box"]`), alt("j"), chrome.Eventually(`document.querySelector(".dialog-said").textContent.includes("already")`),
			alt("m"), chrome.Eventually(`[...document.querySelectorAll(".key-button")].some((b) => b.textContent === "Alt M")`),
			chromedp.KeyEvent(kb.Escape), chrome.Eventually(`!document.querySelector("dialog[open]")`), alt("m"), chrome.Eventually(`document.activeElement.matches(".reply-text")`),
			chromedp.Evaluate[chromedp.Void](`localStorage.clear()`))
	})
}
