package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/web"
)

// counter is a server that speaks the customer's half of the protocol from a
// script: sessions, conversations with kept events, and what a test says.
type counter struct {
	*httptest.Server

	mu       sync.Mutex
	sessions []sessionAsked
	talks    map[string]*talk // by conversation
	conns    map[*websocket.Conn]*talk
	first    time.Time
	mode     string
	refuse   bool // no new sockets
	limited  bool // no sessions: 429
	badID    bool // identities are not believed
	loseAck  bool // store the next turn, then drop the connection
	expire   bool // close the next socket as one with an old token
}

type sessionAsked struct {
	Identity string `json:"identity"`
	Token    string `json:"token"`
}

type talk struct {
	id, token string
	kept      []json.RawMessage
	turns     map[string]int64 // turn id → seq
	asked     int              // hand-overs asked for
	closed    bool
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{talks: map[string]*talk{}, conns: map[*websocket.Conn]*talk{}, mode: "answer", first: time.Now()}
	mux := http.NewServeMux()
	mux.Handle("/", web.Assets(true))
	mux.HandleFunc("OPTIONS /v1/widget/session", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
	})
	mux.HandleFunc("POST /v1/widget/session", c.session)
	mux.HandleFunc("GET /v1/ws", c.serveWS)
	c.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		c.drop(true)
		c.Close()
	})
	return c
}

func (c *counter) session(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	var asked sessionAsked
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.sessions = append(c.sessions, asked)
	switch {
	case c.limited:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case c.badID && asked.Identity != "":
		w.WriteHeader(http.StatusForbidden)
		writeJSON(w, map[string]string{"detail": "exp is in the past"})
		return
	}
	var at *talk
	for _, x := range c.talks {
		if !x.closed && (x.token == asked.Token || asked.Identity != "" && x.token == "id."+asked.Identity) {
			at = x
		}
	}
	if at == nil {
		n := len(c.talks) + 1
		at = &talk{id: fmt.Sprintf("conv_%d", n), token: fmt.Sprintf("tok%d", n), turns: map[string]int64{}}
		if asked.Identity != "" {
			at.token = "id." + asked.Identity
		}
		c.talks[at.id] = at
	}
	writeJSON(w, map[string]any{"conversation": at.id, "token": at.token, "expires_at": time.Now().Add(time.Hour), "mode": c.mode,
		"name": "Wrenfell", "greeting": "Hello! Ask me anything.", "open": true})
}

func (c *counter) serveWS(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	var at *talk
	for _, x := range c.talks {
		if slices.Contains(websocket.Subprotocols(r), "bearer."+x.token) {
			at = x
		}
	}
	refuse, expire := c.refuse, c.expire
	c.expire = false
	c.mu.Unlock()
	if refuse || at == nil {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	up := websocket.Upgrader{Subprotocols: []string{"aside.v1"}, CheckOrigin: func(*http.Request) bool { return true }}
	s, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer s.Close()
	if expire {
		_ = s.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4401, "the token has expired"), time.Now().Add(time.Second))
		return
	}
	c.mu.Lock()
	c.conns[s] = at
	c.write(s, map[string]any{"type": "welcome", "data": map[string]any{"session": "s", "limits": map[string]int{"text_chars": 8000}}})
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.conns, s)
		c.mu.Unlock()
	}()
	for {
		var f struct {
			Type, ID, Conversation string
			Data                   struct {
				Role       string `json:"role"`
				Text       string `json:"text"`
				ExternalID string `json:"external_id"`
				After      int64  `json:"after"`
			}
		}
		if err := s.ReadJSON(&f); err != nil {
			return
		}
		c.mu.Lock()
		ack := func(seq int64) {
			c.write(s, map[string]any{"type": "ack", "id": f.ID, "conversation": f.Conversation, "data": map[string]any{"seq": seq}})
		}
		switch f.Type {
		case "conversation.open":
			ack(int64(len(at.kept)))
			for _, k := range at.kept[min(f.Data.After, int64(len(at.kept))):] {
				c.write(s, k)
			}
		case "turn.add":
			seq, known := at.turns[f.ID]
			if !known {
				seq = c.keep(at, "turn.added", assist.PublicTurn{Role: "customer", Text: f.Data.Text, ID: f.Data.ExternalID, At: time.Now().UTC().Format(time.RFC3339Nano)})
				at.turns[f.ID] = seq
			}
			if c.loseAck {
				c.loseAck = false
				_ = s.Close()
			} else {
				ack(seq)
			}
		case "handoff.request":
			at.asked++
			if at.asked == 1 {
				c.keep(at, "handoff", map[string]any{"state": "waiting", "ahead": 1, "wait_s": 120})
			}
			ack(int64(len(at.kept)))
		}
		c.mu.Unlock()
	}
}

// write is called with the lock held: one writer at a time.
func (c *counter) write(s *websocket.Conn, v any) {
	_ = s.SetWriteDeadline(time.Now().Add(time.Minute)) // a dead one is noticed by its reader
	_ = s.WriteJSON(v)
}

// keep stores an event and tells who is there; the lock is held.
func (c *counter) keep(at *talk, typ string, data any) int64 {
	seq := int64(len(at.kept) + 1)
	f, err := json.Marshal(map[string]any{"type": typ, "conversation": at.id, "seq": seq, "data": data})
	if err != nil {
		panic(err)
	}
	at.kept = append(at.kept, f)
	for s, x := range c.conns {
		if x == at {
			c.write(s, json.RawMessage(f))
		}
	}
	return seq
}

// happen adds a kept event to the newest conversation.
func (c *counter) happen(typ string, data any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(c.talks[fmt.Sprintf("conv_%d", len(c.talks))], typ, data)
}

func (c *counter) turn(role assist.Role, name, text string, more map[string]any) {
	data := map[string]any{"role": role, "name": name, "text": text, "at": time.Now().UTC()}
	for k, v := range more {
		data[k] = v
	}
	c.happen("turn.added", data)
}

// drop cuts all connections; refuse says whether new ones are turned away.
func (c *counter) drop(refuse bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = refuse
	for s := range c.conns {
		_ = s.UnderlyingConn().Close()
	}
}

func (c *counter) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// said lists the texts of the newest conversation's customer turns.
func (c *counter) said() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, k := range c.talks[fmt.Sprintf("conv_%d", len(c.talks))].kept {
		var f struct {
			Type string
			Data assist.PublicTurn
		}
		if err := json.Unmarshal(k, &f); err == nil && f.Type == "turn.added" && f.Data.Role == assist.RoleCustomer {
			out = append(out, f.Data.Text)
		}
	}
	return out
}

// shop is a page of another site with the widget on it. Its rules are as hostile
// as rules get, and its policy allows Aside and nothing else.
func shop(t *testing.T, c *counter, attributes string) *httptest.Server {
	t.Helper()
	css := `* { color: red !important; font: 40px serif !important; display: inline !important; position: static !important; opacity: 0.3 !important; letter-spacing: 9px !important; box-sizing: content-box !important; }
		button { border: 20px solid red !important; transform: rotate(45deg) !important; } html { font-size: 62.5%; } body { transform: translateX(300px); overflow: hidden; text-align: right; }
		aside-chat { display: none !important; inset: 0 !important; width: 10px !important; visibility: hidden !important; filter: invert(1) !important; }
		.panel, .launch, .said { background: lime !important; } [popover] { display: none !important; }`
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shop.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		fmt.Fprint(w, css)
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		ws := strings.Replace(c.URL, "http", "ws", 1)
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src "+c.URL+"; connect-src "+c.URL+" "+ws+"; require-trusted-types-for 'script'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Shop</title><link rel="stylesheet" href="/shop.css"><body><p class="said panel">A shop</p><button class="launch">Buy</button><script src="%s/widget.js" async %s></script></body></html>`, c.URL, attributes)
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv
}

const (
	root    = `document.querySelector("aside-chat").shadowRoot`
	saidAll = `[...` + root + `.querySelectorAll(".said")].map((x) => x.textContent)`
)

// el is an element of the widget.
func el(selector string) string {
	return fmt.Sprintf(`%s?.querySelector(%q)`, strings.Replace(root, `").`, `")?.`, 1), selector)
}

// press clicks a button of the widget.
func press(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](fmt.Sprintf(`(%s.click(), true)`, el(selector)))(ctx, target)
		return err
	})
}

// see waits until the widget shows the words.
func see(words string) chromedp.Action[chromedp.Void] {
	return chrome.Eventually(fmt.Sprintf(`%s?.innerText.replace(/[\u2068\u2069]/g, "").includes(%q)`, el(".root"), words)) // names stand apart, by direction
}

// openWidget opens a page with the widget and its panel.
func openWidget(t *testing.T, tab context.Context, at string) {
	t.Helper()
	chrome.Run(t, tab, chromedp.Navigate(at), chrome.Eventually(el(".launch")), press(".launch"), chrome.Eventually(el(".panel")+`?.hidden === false`), see("Hello! Ask me anything."))
}

// write types into the box and sends.
func write(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := chromedp.Evaluate[bool](`(`+el("textarea")+`.focus(), true)`)(ctx, target); err != nil {
			return err
		}
		if _, err := chromedp.KeyEvent(text)(ctx, target); err != nil {
			return err
		}
		return enter(ctx, target)
	})
}

// enter presses Enter as a keyboard does: a page that handles the key gets no
// character for it.
func enter(ctx context.Context, target *chromedp.Target) error {
	for _, typ := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: typ, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13}); err != nil {
			return err
		}
	}
	return nil
}

// TestWidgetOnAHostilePage: neither side's styles, keys or policies reach the
// other, and nothing is loaded from elsewhere.
func TestWidgetOnAHostilePage(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	s := shop(t, c, "")
	tab := chrome.Tab(t, browser)
	chrome.Run(t, tab, chromedp.Navigate(s.URL), chrome.Eventually(el(".launch")))
	before := chrome.Ask[string](t, tab, `JSON.stringify([...document.querySelectorAll("p, button")].map((x) => [x.getBoundingClientRect(), getComputedStyle(x).cssText]))`)
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`window.keys = []; document.addEventListener("keydown", (e) => window.keys.push(e.key))`), press(".launch"), see("Hello! Ask me anything."), write("hello?"), see("hello?"))
	if after := chrome.Ask[string](t, tab, `JSON.stringify([...document.querySelectorAll("p, button")].map((x) => [x.getBoundingClientRect(), getComputedStyle(x).cssText]))`); after != before {
		t.Errorf("the shop's own page changed:\n%s\n%s", before, after)
	}
	for expr, want := range map[string]string{
		`getComputedStyle(` + el(".said") + `).color`:                                "rgb(33, 31, 26)",
		`getComputedStyle(` + el(".said") + `).fontSize`:                             "15px",
		`getComputedStyle(` + el(".said") + `).letterSpacing`:                        "normal",
		`getComputedStyle(` + el(".said") + `).textAlign`:                            "start",
		`getComputedStyle(document.querySelector("aside-chat")).opacity`:             "1",
		`getComputedStyle(document.querySelector("aside-chat")).filter`:              "none",
		`getComputedStyle(document.querySelector("aside-chat")).visibility`:          "visible",
		`getComputedStyle(` + el(".panel") + `).position`:                            "fixed",
		`String(innerWidth - ` + el(".launch") + `.getBoundingClientRect().right)`:   "20",
		`String(innerHeight - ` + el(".launch") + `.getBoundingClientRect().bottom)`: "20",
		`String(` + el(".panel") + `.getBoundingClientRect().width)`:                 "392",
		`document.elementFromPoint(innerWidth - 48, innerHeight - 48)?.localName`:    "aside-chat",
		`window.keys.join()`: "",
		`[...new Set(performance.getEntriesByType("resource").map((r) => new URL(r.name).origin))].sort().join()`: strings.Join(slices.Sorted(slices.Values([]string{c.URL, s.URL})), ","),
	} {
		if got := chrome.Ask[string](t, tab, expr); got != want {
			t.Errorf("%s is %q, want %q", expr, got, want)
		}
	}
}

// TestWidgetConversation plays one conversation from the greeting to the end.
func TestWidgetConversation(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	tab := chrome.Tab(t, browser)
	openWidget(t, tab, shop(t, c, "").URL)
	chrome.Run(t, tab, see("Automated assistant"), write("How long do I have?"), chrome.Eventually(el(".turn-customer[data-seq]")))
	c.turn(assist.RoleBot, "", "60 days. <img src=x onerror=alert(1)>", map[string]any{"sources": []map[string]string{
		{"title": "Returns", "url": "https://help.example/returns"}, {"title": "Bad", "url": "javascript:alert(1)"}}})
	chrome.Run(t, tab, see("60 days. <img src=x onerror=alert(1)>"), chrome.Eventually(el(".source")))
	if got := chrome.Ask[string](t, tab, `[...`+root+`.querySelectorAll("a")].map((a) => [a.href, a.rel, a.target].join(" ")).join("\n")`); got != "https://help.example/returns noopener noreferrer nofollow _blank" {
		t.Errorf("links: %s", got)
	}
	if n := chrome.Ask[int](t, tab, root+`.querySelectorAll("img, script").length`); n != 0 {
		t.Errorf("%d elements were made from text", n)
	}
	chrome.Run(t, tab, press("button.person"), see("1 person is ahead of you. It usually takes about 2 minutes."))
	c.happen("handoff", map[string]any{"state": "waiting", "ahead": 0})
	chrome.Run(t, tab, see("You are next."))
	if strings.Contains(chrome.Ask[string](t, tab, root+`.querySelector(".root").innerText`), "about 2 minutes") {
		t.Error("a wait that is not known any more is still told")
	}
	c.happen("handoff", map[string]any{"state": "taken", "to_name": "Maya Roth"})
	c.turn(assist.RoleAgent, "Maya Roth", "Hi! See https://help.example/x, or write.", nil)
	chrome.Run(t, tab, see("Maya Roth is here now."), see("a person from our team"), see("You are talking with Maya Roth"), chrome.Eventually(`[...`+root+`.querySelectorAll(".said a")].map((a) => a.href).join() === "https://help.example/x"`),
		write("Thank you"), chrome.Eventually(el(".turn-customer:not(.is-waiting):last-child")))
	c.mu.Lock()
	c.talks["conv_1"].closed = true
	c.mu.Unlock()
	c.happen("conversation.closed", map[string]any{})
	chrome.Run(t, tab, see("This conversation has ended. Thank you for writing."), chrome.Eventually(el(".write")+`.hidden`), press(".again"), chrome.Eventually(`!`+el(".write")+`.hidden`), write("One more thing"), chrome.Eventually(el(".turn-customer[data-seq]")))
	if got := chrome.Ask[[]string](t, tab, saidAll); !slices.Equal(got, []string{"Hello! Ask me anything.", "One more thing"}) {
		t.Errorf("a new conversation shows %q", got)
	}
	if got := c.said(); !slices.Equal(got, []string{"One more thing"}) {
		t.Errorf("the new conversation has %q", got)
	}
}

// TestWidgetKeyboard: all of it without a mouse.
func TestWidgetKeyboard(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	tab := chrome.Tab(t, browser)
	focused := func(selector string) chromedp.Action[chromedp.Void] {
		return chrome.Eventually(fmt.Sprintf(`%s?.activeElement?.matches(%q)`, root, selector))
	}
	chrome.Run(t, tab, chromedp.Navigate(shop(t, c, "").URL), chrome.Eventually(el(".launch")),
		chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Tab), focused(".launch"), chromedp.KeyEvent(kb.Enter), focused("textarea"), see("Hello! Ask me anything."),
		chromedp.KeyEvent("one"), chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent("two"), chromedp.Func(enter), chrome.Eventually(el(".turn-customer[data-seq]")))
	if got := c.said(); !slices.Equal(got, []string{"one\ntwo"}) {
		t.Errorf("sent %q", got)
	}
	order := ""
	for range 3 {
		chrome.Run(t, tab, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
		order += chrome.Ask[string](t, tab, root+`.activeElement.className`) + " "
	}
	if order != "person scroll round " {
		t.Errorf("backwards from the box Tab goes to %s", order)
	}
	chrome.Run(t, tab, chromedp.KeyEvent(kb.Escape), chrome.Eventually(el(".panel")+`.hidden`), focused(".launch"))
	c.turn(assist.RoleBot, "", "An answer.", nil)
	chrome.Run(t, tab, chrome.Eventually(el(".launch")+`.getAttribute("aria-label") === "Chat with us, 1 new message"`), chromedp.KeyEvent(kb.Enter), focused("textarea"), chromedp.KeyEvent(kb.Escape),
		chrome.Eventually(el(".launch")+`.getAttribute("aria-label") === "Chat with us"`))
}

// TestWidgetReconnects: nothing is lost or said twice, whatever the connection
// does.
func TestWidgetReconnects(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	s := shop(t, c, "")
	tab := chrome.Tab(t, browser, "WebSocket connection", "Failed to load resource")
	openWidget(t, tab, s.URL)
	c.set(func() { c.loseAck = true })
	chrome.Run(t, tab, write("one"), chrome.Eventually(el(".turn-customer[data-seq]")))
	c.drop(true)
	chrome.Run(t, tab, see("Reconnecting…"), write("two"), see("Goes out when the connection is back"))
	c.turn(assist.RoleBot, "", "Said meanwhile.", nil)
	// Not even a reload loses what was written.
	chrome.Run(t, tab, chromedp.Navigate(s.URL), chrome.Eventually(el(".launch")), press(".launch"), chrome.Eventually(el(".panel")), see("two"), write("three"), see("three"))
	c.drop(false)
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("online"))`), chrome.Eventually(root+`.querySelectorAll(".turn-customer[data-seq]").length === 3`), chrome.Eventually(`!`+el(".notice")))
	if got := chrome.Ask[[]string](t, tab, saidAll); !slices.Equal(got, []string{"Hello! Ask me anything.", "one", "Said meanwhile.", "two", "three"}) {
		t.Errorf("the page shows %q", got)
	}
	if got := c.said(); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("the server has %q", got)
	}
	// A token that has had its time is renewed in silence.
	c.set(func() { c.expire = true })
	c.drop(false)
	chrome.Run(t, tab, write("four"), chrome.Eventually(root+`.querySelectorAll(".turn-customer[data-seq]").length === 4`))
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.sessions[len(c.sessions)-1]; last.Token != "tok1" || len(c.talks) != 1 {
		t.Errorf("the session was renewed with %+v; %d conversations", last, len(c.talks))
	}
}

// TestWidgetTabs: two tabs are one customer, also in a new conversation.
func TestWidgetTabs(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	s := shop(t, c, "")
	one, two := chrome.Tab(t, browser), chrome.Tab(t, browser)
	openWidget(t, one, s.URL)
	openWidget(t, two, s.URL)
	chrome.Run(t, one, write("from one"))
	chrome.Run(t, two, see("from one"), write("from two"))
	chrome.Run(t, one, see("from two"))
	c.set(func() { c.talks["conv_1"].closed = true })
	c.happen("conversation.closed", map[string]any{})
	chrome.Run(t, two, see("has ended"))
	chrome.Run(t, one, see("has ended"), press(".again"), chrome.Eventually(`!`+el(".write")+`.hidden`), write("again"))
	chrome.Run(t, two, chrome.Eventually(saidAll+`.join() === "Hello! Ask me anything.,again"`))
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.talks) != 2 {
		t.Errorf("%d conversations, want 2", len(c.talks))
	}
}

// TestWidgetIdentity: whom the host site signed for, and who that never is.
func TestWidgetIdentity(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	dana, sam := "e30.eyJzdWIiOiJkYW5hIn0.s", "e30.eyJzdWIiOiJzYW0ifQ.s" // {"sub":"dana"}, {"sub":"sam"}
	s := shop(t, c, `data-identity="`+dana+`"`)
	tab := chrome.Tab(t, browser, "Failed to load resource")
	openWidget(t, tab, s.URL)
	chrome.Run(t, tab, write("I am Dana"), chrome.Eventually(el(".turn-customer[data-seq]")), chromedp.Evaluate[chromedp.Void](`document.querySelector("aside-chat").identify("`+sam+`")`),
		chrome.Eventually(`!`+saidAll+`.includes("I am Dana")`), see("Hello! Ask me anything."), write("I am Sam"), chrome.Eventually(el(".turn-customer[data-seq]")))
	c.mu.Lock()
	if last := c.sessions[len(c.sessions)-1]; last.Identity != sam || last.Token != "" {
		t.Errorf("Sam's session was asked for with %+v", last)
	}
	c.badID = true
	c.mu.Unlock()
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`document.querySelector("aside-chat").addEventListener("aside:identity-refused", (e) => window.refused = e.detail); document.querySelector("aside-chat").identify("`+dana+`")`),
		chrome.Eventually(`window.refused === "exp is in the past"`), chrome.Eventually(saidAll+`.join() === "Hello! Ask me anything."`), write("Anyone?"), chrome.Eventually(el(".turn-customer[data-seq]")))
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`document.querySelector("aside-chat").identify("")`), write("Still here?"), see("Still here?"))
}

// TestWidgetWithoutStorage: where a browser keeps nothing, the page does.
func TestWidgetWithoutStorage(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	tab := chrome.Tab(t, browser)
	chrome.Run(t, tab, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: `Object.defineProperty(window, "localStorage", { get() { throw new DOMException("blocked", "SecurityError"); } })`})
		return err
	}))
	openWidget(t, tab, shop(t, c, "").URL)
	chrome.Run(t, tab, write("Hello?"), chrome.Eventually(el(".turn-customer[data-seq]")))
	c.drop(false)
	chrome.Run(t, tab, write("Once more"), chrome.Eventually(root+`.querySelectorAll(".turn-customer[data-seq]").length === 2`))
	if got := c.said(); !slices.Equal(got, []string{"Hello?", "Once more"}) {
		t.Errorf("the server has %q", got)
	}
}

// TestWidgetLimited: who is turned away is told so, and let in by itself.
func TestWidgetLimited(t *testing.T) {
	browser := chrome.Start(t)
	c := newCounter(t)
	c.limited = true
	tab := chrome.Tab(t, browser, "429")
	chrome.Run(t, tab, chromedp.Navigate(shop(t, c, "").URL), chrome.Eventually(el(".launch")), press(".launch"), see("Many people are writing right now."), write("Hello?"), see("Goes out when"))
	c.set(func() { c.limited = false })
	chrome.Run(t, tab, chrome.Eventually(el(".turn-customer[data-seq]")))
}

// accessibleWidget lists what a screen reader or a keyboard could not use.
var accessibleWidget = strings.NewReplacer("document.querySelectorAll", "root.querySelectorAll", "document.getElementById", "root.getElementById",
	"document.documentElement.scrollWidth > innerWidth", "document.documentElement.scrollWidth > innerWidth && !root.host", "(() => {", "(() => { const root = "+root+";").Replace(accessible)

// TestWidgetStories opens every state on a desk, on a phone and from right to
// left: none may complain, overflow or leave a control without a name, and a way
// to a person is always there.
func TestWidgetStories(t *testing.T) {
	browser := chrome.Start(t)
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	for _, name := range storyNames(t, browser, srv.URL+"/storybook/widget") {
		t.Run(name, func(t *testing.T) {
			tab := chrome.Tab(t, browser)
			for _, at := range []struct {
				query         string
				width, height int64
			}{{"", 1000, 740}, {"&lang=de", 360, 640}, {"&dir=rtl", 390, 780}, {"&lang=fr&theme=dark", 800, 400}} {
				chrome.Run(t, tab, chromedp.EmulateViewport(at.width, at.height), chromedp.Navigate(srv.URL+"/storybook/widget?state="+url.QueryEscape(name)+at.query), chrome.Eventually("document.body.dataset.ready"))
				for _, wrong := range chrome.Ask[[]string](t, tab, accessibleWidget) {
					t.Errorf("%d×%d%s: %s", at.width, at.height, at.query, wrong)
				}
				if at.query == "" && chrome.Ask[bool](t, tab, `!`+el(".panel")+`.hidden && !`+el(".desk .person, .desk .again")) {
					t.Error("no way to a person, and no word of one")
				}
				if wrong := chrome.Ask[string](t, tab, `[...`+root+`.querySelectorAll(".panel *")].filter((x) => x.checkVisibility() && x.scrollWidth > x.clientWidth + 1 && getComputedStyle(x).overflowX === "visible" && x.clientWidth && !x.closest("svg")).map((x) => x.className || x.localName).join()`); wrong != "" {
					t.Errorf("%d×%d%s: wider than its place: %s", at.width, at.height, at.query, wrong)
				}
			}
		})
	}
}

// TestWidgetContrast computes the contrast of the widget's own colours.
func TestWidgetContrast(t *testing.T) {
	browser := chrome.Start(t)
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	tab := chrome.Tab(t, browser)
	rgb := regexp.MustCompile(`\d+`)
	hex := func(s string) string {
		out := "#"
		for _, n := range rgb.FindAllString(s, 3) {
			var v int
			if _, err := fmt.Sscan(n, &v); err != nil {
				t.Fatal(err)
			}
			out += fmt.Sprintf("%02x", v)
		}
		return out
	}
	for _, theme := range []string{"light", "dark"} {
		chrome.Run(t, tab, chromedp.Navigate(srv.URL+"/storybook/widget?state=taken&theme="+theme), chrome.Eventually("document.body.dataset.ready"))
		for _, pair := range []string{"ink paper", "ink raised", "ink soft", "ink check-soft", "ink stop-soft", "ink-2 paper", "ink-2 raised", "ink-3 paper", "ink-3 raised", "stop paper", "accent-ink accent", "accent soft", "accent paper"} {
			fg, bg, _ := strings.Cut(pair, " ")
			colour := func(name string) string {
				return hex(chrome.Ask[string](t, tab, fmt.Sprintf(`(() => { const x = %s; x.style.color = "var(--%s)"; return getComputedStyle(x).color; })()`, el(".typing"), name)))
			}
			if got := contrast(t, colour(fg), colour(bg)); got < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", theme, fg, bg, got)
			}
		}
	}
}
