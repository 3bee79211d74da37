package app_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

// line is a wire between a browser and a server that a test can cut.
type line struct {
	net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
	work  sync.WaitGroup
}

func newLine(t *testing.T) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &line{Listener: l, conns: map[net.Conn]struct{}{}}
}

// connect carries everything to a server until the test ends.
func (l *line) connect(t *testing.T, to string) {
	l.to = to
	l.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			l.work.Go(func() { l.carry(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		l.set(true)
		l.work.Wait()
	})
}

func (l *line) carry(c net.Conn) {
	defer c.Close()
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer server.Close()
	l.mu.Lock()
	if l.cut {
		l.mu.Unlock()
		return
	}
	l.conns[c], l.conns[server] = struct{}{}, struct{}{}
	l.mu.Unlock()
	var both sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // ends with either side
		_ = to.Close()
		_ = from.Close()
	}
	both.Go(func() { pass(server, c) })
	pass(c, server)
	both.Wait()
	l.mu.Lock()
	delete(l.conns, c)
	delete(l.conns, server)
	l.mu.Unlock()
}

// set cuts the line, or mends it.
func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	if cut {
		for c := range l.conns {
			_ = c.Close()
		}
	}
}

// widget is an expression for what the customer's chat shows.
func widget(selector string) string {
	return fmt.Sprintf(`document.querySelector("aside-chat")?.shadowRoot?.querySelector(%q)`, selector)
}

func shows(words string) chromedp.Action[chromedp.Void] {
	return chrome.Eventually(fmt.Sprintf(`%s?.innerText.replace(/[\u2068\u2069]/g, "").includes(%q)`, widget(".panel"), words)) // names stand apart, by direction
}

// writes has the customer type into the chat and send.
func writes(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := chromedp.Evaluate[bool](`(`+widget("textarea")+`.focus(), true)`)(ctx, target); err != nil {
			return err
		}
		_, err := chromedp.KeyEvent(text+kb.Enter)(ctx, target)
		return err
	})
}

func key(k string, m chromedp.Modifier) chromedp.Action[chromedp.Void] {
	return chromedp.KeyEvent(k, chromedp.KeyModifiers(m))
}

const (
	question = "How can I track my parcel?"
	problem  = "My parcel is marked as delivered but I have not received it. Can you check order 3348917502?"
)

// TestSideBySide plays one customer on a shop's page and one agent at the desk,
// each in a browser's tab of their own: a sourced answer by the bot, a hand-over,
// an edited suggestion, a cut connection and the end.
func TestSideBySide(t *testing.T) {
	browser := chrome.Start(t)
	wire := newLine(t)
	aside := "http://" + wire.Addr().String()
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Shop</title><body><h1>A shop</h1><script src="%s/widget.js" async></script></body></html>`, aside)
	}))
	t.Cleanup(shop.Close)
	a, cfg := server(t, func(c *app.Config) { c.Knowledge, c.Bot, c.Origins = sample(t), "answer", []string{shop.URL} })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	wire.connect(t, strings.TrimPrefix(a.URL(), "http://"))

	customer := chrome.Tab(t, browser, "WebSocket connection", "Failed to load resource")
	chrome.Run(t, customer, chromedp.EmulateViewport(1100, 800), chromedp.Navigate(shop.URL), chrome.Eventually(widget(".launch")),
		chromedp.Evaluate[chromedp.Void](widget(".launch")+`.click()`), shows("Automated assistant"),
		writes(question), chrome.Eventually(widget(".turn-bot .source")))
	t.Logf("the bot: %s", chrome.Ask[string](t, customer, widget(".turn-bot[data-seq]")+`.innerText`))
	if href := chrome.Ask[string](t, customer, widget("a.source")+`.href`); !strings.HasPrefix(href, "https://help.wrenfell.example/") {
		t.Errorf("the source is %s", href)
	}
	chrome.Run(t, customer, writes(problem), shows("You are in the queue for a person"), chrome.Eventually(`!`+widget("button.person")))
	t.Logf("the hand-over: %s", chrome.Ask[string](t, customer, widget(".log")+`.innerText`))

	agent := seat(t, browser, a, cfg, maya)
	brief := `document.querySelector(".brief")?.innerText`
	chrome.Run(t, agent, chrome.Eventually(`document.querySelector(".queue-note")?.textContent.includes("from the bot")`), chrome.Eventually(brief+`.includes("The bot has said")`),
		chrome.Eventually(`document.querySelector(".turn-bot .turn-sources a")`), key("t", chromedp.ModifierAlt), chrome.Eventually(`document.querySelector(".chat-sub").textContent.includes("with you")`),
		chrome.Eventually(`document.querySelector(".draft .sentence")`))
	t.Logf("the desk: %s\nthe draft: %s", chrome.Ask[string](t, agent, brief), chrome.Ask[string](t, agent, draftText))
	chrome.Run(t, customer, shows("Maya R. is here now."), shows("You are talking with Maya R."))
	// Given back and taken again: the customer is told both, and keeps their place in words.
	chrome.Run(t, agent, key("q", chromedp.ModifierAlt), chrome.Eventually(`document.activeElement.textContent === "Needs a colleague"`), chromedp.KeyEvent(kb.Enter),
		chrome.Eventually(`document.querySelector(".queue-note")?.textContent.includes("given back to the queue")`))
	chrome.Run(t, customer, shows("Waiting for a person"))
	chrome.Run(t, agent, key("t", chromedp.ModifierAlt), chrome.Eventually(`document.querySelector(".chat-sub").textContent.includes("with you")`))
	chrome.Run(t, customer, shows("You are talking with Maya R."))
	chrome.Run(t, agent, key("c", chromedp.ModifierAlt), key("i", chromedp.ModifierAlt), chrome.Eventually(`document.querySelector(".reply-text").value.length > 20`),
		chromedp.KeyEvent(" I am looking it up now. Maya"))
	chrome.Run(t, customer, shows("Maya R. is typing"))
	chrome.Run(t, agent, key(kb.Enter, chromedp.ModifierCtrl), chrome.Eventually(`document.querySelector(".turn-agent:not(.is-pending) .turn-foot")?.textContent.includes("changed")`))
	chrome.Run(t, customer, shows("I am looking it up now. Maya"))

	wire.set(true)
	chrome.Run(t, customer, shows("Reconnecting…"), writes("Thank you, I will wait."), shows("Goes out when the connection is back"))
	chrome.Run(t, agent, chromedp.KeyEvent("It is at your neighbour’s, number 12."), key(kb.Enter, chromedp.ModifierCtrl), chrome.Eventually(`document.querySelectorAll(".turn-agent:not(.is-pending)").length === 2`))
	wire.set(false)
	chrome.Run(t, customer, chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("online"))`), shows("It is at your neighbour’s, number 12."), chrome.Eventually(`!`+widget(".is-waiting")), chrome.Eventually(`!`+widget(".notice")))
	chrome.Run(t, agent, chrome.Eventually(`[...document.querySelectorAll(".turn-customer")].filter((x) => x.textContent.includes("Thank you, I will wait.")).length === 1`),
		key("z", chromedp.ModifierAlt), chrome.Eventually(`document.activeElement.textContent === "Solved"`), chromedp.KeyEvent(kb.Enter), chrome.Eventually(`document.querySelector(".chat-sub").textContent.includes("closed")`))
	chrome.Run(t, customer, shows("This conversation has ended."), chrome.Eventually(widget(".again")))

	said := chrome.Ask[[]string](t, customer, `[...document.querySelector("aside-chat").shadowRoot.querySelectorAll(".turn-customer .said")].map((x) => x.textContent)`)
	if want := []string{question, problem, "Thank you, I will wait."}; !slices.Equal(said, want) {
		t.Errorf("the customer said %q, want %q", said, want)
	}
	if n := chrome.Ask[int](t, customer, `document.querySelector("aside-chat").shadowRoot.querySelectorAll(".turn-agent").length`); n != 2 {
		t.Errorf("the customer sees %d replies of the agent, want 2", n)
	}

	// A new conversation is a new one.
	chrome.Run(t, customer, chromedp.Evaluate[chromedp.Void](widget(".again")+`.click()`), chrome.Eventually(`!`+widget(".turn-customer")), chrome.Eventually(widget("button.person")))
}
