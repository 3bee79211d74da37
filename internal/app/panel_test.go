package app_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

var pictures = flag.String("panel-pictures", "", "folder to put pictures of the panel in")

var axe = flag.String("axe", "", "a file axe.min.js of axe-core: run it over the panel")

// accessible runs axe-core over the panel, when it is given.
func accessible(t *testing.T, tab context.Context) {
	t.Helper()
	if *axe == "" {
		return
	}
	script, err := os.ReadFile(*axe)
	if err != nil {
		t.Fatal(err)
	}
	chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](string(script)), chromedp.Evaluate[chromedp.Void](`window.found = null; axe.run(document.querySelector("aside-panel")).then((r) => { window.found = r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.target.join(" ") + " " + n.failureSummary)); }, (e) => { window.found = [String(e)]; })`), chrome.Eventually(`window.found`))
	for _, line := range chrome.Ask[[]string](t, tab, "window.found") {
		t.Error(line)
	}
}

const panelSecret = "what only the chat tool's server and we know"

// tool is another company's chat tool: pages of another origin, which embed the
// panel. Their policy forbids style elements and all that is not named.
func tool(t *testing.T, aside *string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		if q.Get("token") != "" { // the page itself is strict
			h.Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; script-src 'unsafe-inline' %[1]s; style-src 'unsafe-inline'; connect-src %[1]s ws%[2]s; frame-src %[1]s; img-src data:", *aside, strings.TrimPrefix(*aside, "http")))
		}
		side := fmt.Sprintf(`<script type="module" src="%s/panel.js"></script><aside-panel conversation="%s" token="%s" %s></aside-panel>`, *aside, q.Get("conversation"), q.Get("token"), q.Get("attributes"))
		if q.Get("frame") != "" {
			side = fmt.Sprintf(`<iframe title="Aside" allow="clipboard-write" src="%s/panel#conversation=%s&amp;token=%s"></iframe>`, *aside, q.Get("conversation"), q.Get("token"))
		}
		fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><meta name="color-scheme" content="light dark"><title>Tool</title>
<style>html { font-size: 62.5%% } * { color: maroon; letter-spacing: 1px } body { margin: 0; font: 16px sans-serif; display: grid; grid-template-columns: 1fr min(26rem * 1.6, 100%%); height: 100vh; background: Canvas }
main { padding: 24px; display: grid; align-content: end; gap: 8px } textarea { height: 120px; font: inherit } aside-panel, iframe { border: 0; border-inline-start: 1px solid silver; width: 100%%; height: 100vh }
@media (max-width: 700px) { body { grid-template-columns: 1fr } main { display: none } }</style>
<body><main><h1>Another company’s chat tool</h1><p>Jordan: My zipper broke.</p><textarea id="reply"></textarea><button id="send">Send</button></main>%s
<script>
window.seen = [];
const reply = document.getElementById("reply"), panel = document.querySelector("aside-panel"), frame = document.querySelector("iframe");
const take = (name, d) => {
  window.seen.push(name + " " + JSON.stringify(d));
  if (name === "insert") { reply.value = d.text; reply.dataset.suggestion = d.suggestion_id; }
};
for (const name of ["insert", "sent", "ready", "expired"]) document.addEventListener("aside:" + name, (e) => { if (name === "insert" && !document.body.dataset.deaf) e.preventDefault(); take(name, e.detail); });
addEventListener("message", (e) => { if (e.origin === %q && e.data?.aside) take(e.data.aside, e.data); });
document.getElementById("send").onclick = () => panel ? panel.send(reply.value, reply.dataset.suggestion) : frame.contentWindow.postMessage({ aside: "send", id: "1", text: reply.value, suggestion_id: reply.dataset.suggestion }, %q);
frame?.addEventListener("load", () => frame.contentWindow.postMessage({ aside: "hello" }, "*"));
</script></body></html>`, side, *aside, *aside)
	}))
	t.Cleanup(s.Close)
	return s
}

// embedded is an expression for something within the panel.
func embedded(selector string) string {
	return fmt.Sprintf(`document.querySelector("aside-panel")?.shadowRoot?.querySelector(%q)`, selector)
}

func contexts(t *testing.T, secret string) func(conversation string, ttl time.Duration) string {
	t.Helper()
	c, err := auth.NewContexts([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return func(conversation string, ttl time.Duration) string {
		token, err := c.Sign(assist.Identity{Subject: "ada", Name: "Ada", Conversation: conversation}, ttl)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

func seenEvent(name, words string) chromedp.Action[chromedp.Void] {
	return chrome.Eventually(fmt.Sprintf(`window.seen.some((s) => s.startsWith(%q) && s.includes(%q))`, name+" ", words))
}

func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	if *pictures == "" {
		return
	}
	png, err := chromedp.Run(tab, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPanelInForeignPages(t *testing.T) {
	browser := chrome.Start(t)
	wire := newLine(t)
	aside := strings.Replace("http://"+wire.Addr().String(), "127.0.0.1", "localhost", 1) // another site, not only another origin
	host, stranger := tool(t, &aside), tool(t, &aside)
	model := scripted.Start(t, scripted.Script{})
	a, cfg := server(t, func(c *app.Config) {
		c.PanelSecret, c.Origins = panelSecret, []string{host.URL}
		c.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"}
	})
	wire.connect(t, strings.TrimPrefix(a.URL(), "http://"))
	sign := contexts(t, panelSecret)
	connector := connect(t, a, cfg, assist.Identity{Subject: "tool", Actor: assist.ActorSource})
	ask := func(conversation, id string) {
		connector.send("turn.add", id, conversation, object{"role": "customer", "name": "Jordan", "text": "When does a refund for a broken zipper reach my card?", "external_id": id})
	}
	page := func(at *httptest.Server, conversation, token, more string) string {
		return at.URL + "/?conversation=" + conversation + "&token=" + token + more
	}
	watch := func(conversation string) *client {
		c := connect(t, a, cfg, maya)
		c.send("conversation.open", "o-"+conversation, conversation, object{"after": 0})
		return c
	}

	t.Run("element", func(t *testing.T) {
		tab := chrome.Tab(t, browser, "404")
		chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page(host, "tool-1", sign("tool-1", time.Minute), "")), seenEvent("ready", "tool-1"))
		picture(t, tab, "element-quiet")
		ask("tool-1", "m-1")
		chrome.Run(t, tab, chrome.Eventually(embedded(".standing.is-ready, .standing.is-check")), chrome.Eventually(embedded(".source")+`?.innerText.includes("Returns")`))
		picture(t, tab, "element-light")
		accessible(t, tab)
		chrome.Run(t, tab, chrome.Emulate("dark"))
		picture(t, tab, "element-dark")
		accessible(t, tab)
		chrome.Run(t, tab, chrome.Emulate("light"), chromedp.EmulateViewport(380, 800))
		picture(t, tab, "element-narrow")
		chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800))
		if px := chrome.Ask[string](t, tab, `getComputedStyle(`+embedded(".draft-text")+`).fontSize + " " + getComputedStyle(`+embedded(".draft-text")+`).letterSpacing`); px != "15px normal" {
			t.Errorf("the host's styles reach into the panel: %s", px)
		}
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](embedded(".dock-row .button.accent")+`.click()`), seenEvent("insert", "5 business days"), chrome.Eventually(`document.getElementById("reply").value.includes("5 business days")`))
		log := watch("tool-1")
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](`document.getElementById("send").click()`), seenEvent("sent", "5 business days"))
		if f := log.until("turn.added", `"role":"agent"`); !strings.Contains(string(f.Data), `"author":"ada"`) || !strings.Contains(string(f.Data), `"suggestion_id":"`) {
			t.Errorf("the reply is stored as %s", f.Data)
		}
		chrome.Run(t, tab, chrome.Eventually(embedded(".standing")+`.innerText.includes("You replied")`))
		if n := chrome.Ask[int](t, tab, `window.seen.filter((s) => s.startsWith("sent ")).length`); n != 1 {
			t.Errorf("aside:sent came %d times", n)
		}
		// Why this: asked of the other origin by HTTP.
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](embedded(".why-button")+`.click()`), chrome.Eventually(embedded("dialog.why[open] .prompt")))
		picture(t, tab, "element-why")
		if kept := chrome.Ask[int](t, tab, `localStorage.length + sessionStorage.length + document.cookie.length`); kept != 0 {
			t.Errorf("the panel left %d things in the host's storage", kept)
		}
	})
	t.Run("copied when the host does not care", func(t *testing.T) {
		ask("tool-2", "m-2")
		tab := chrome.Tab(t, browser)
		chrome.Run(t, tab, chromedp.Navigate(page(host, "tool-2", sign("tool-2", time.Minute), "")), chrome.Eventually(embedded(".dock-row .button.accent")),
			chromedp.Evaluate[chromedp.Void](`document.body.dataset.deaf = "1"`), chromedp.Click(chromedp.CSS("h1")),
			chromedp.Evaluate[chromedp.Void](embedded(".dock-row .button.accent")+`.click()`), chrome.Eventually(embedded(".toast p")+`?.innerText.match(/Copied|copy it yourself/)`))
	})
	t.Run("connection lost", func(t *testing.T) {
		ask("tool-3", "m-3")
		tab := chrome.Tab(t, browser, "WebSocket connection", "Failed to load resource", "CORS", "ERR_")
		chrome.Run(t, tab, chromedp.Navigate(page(host, "tool-3", sign("tool-3", time.Minute), "")), chrome.Eventually(embedded(".standing.is-ready, .standing.is-check")))
		wire.set(true)
		chrome.Run(t, tab, chrome.Eventually(embedded(".link-banner")))
		picture(t, tab, "element-lost")
		wire.set(false)
		ask("tool-3", "m-4")
		chrome.Run(t, tab, chrome.Eventually(`!`+embedded(".link-banner")), chrome.Eventually(embedded(".standing.is-ready, .standing.is-check")))
	})
	t.Run("a new token goes on where the old one was", func(t *testing.T) {
		ask("tool-4", "m-5")
		tab := chrome.Tab(t, browser)
		chrome.Run(t, tab, chromedp.Navigate(page(host, "tool-4", sign("tool-4", time.Minute), "")), chrome.Eventually(embedded(".standing.is-ready, .standing.is-check")),
			chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector("aside-panel").token = %q`, sign("tool-4", 2*time.Minute))),
			chrome.Eventually(`window.seen.filter((s) => s.startsWith("ready ")).length === 2`), chrome.Eventually(embedded(".standing.is-ready, .standing.is-check")))
	})
	// Nothing is what these get: no turn, no passage, no word of the customer's.
	nothing := func(t *testing.T, tab context.Context) {
		t.Helper()
		if got := chrome.Ask[string](t, tab, `(document.querySelector("aside-panel")?.shadowRoot?.textContent ?? "")`); strings.Contains(got, "zipper") || strings.Contains(got, "5 business") {
			t.Errorf("it shows %q", got)
		}
		if got := chrome.Ask[[]string](t, tab, `window.seen.filter((s) => !s.startsWith("expired "))`); len(got) > 0 {
			t.Errorf("the host got %v", got)
		}
	}
	ask("tool-5", "m-6")
	t.Run("an origin that is not listed", func(t *testing.T) {
		tab := chrome.Tab(t, browser, "CORS", "Failed to load resource", "net::ERR_FAILED", "Unexpected response code: 403")
		chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page(stranger, "tool-5", sign("tool-5", time.Minute), "")), chrome.Eventually(embedded(".embed-stop:not([hidden])")+`?.innerText.includes("ASIDE_ORIGINS")`))
		picture(t, tab, "element-origin")
		accessible(t, tab)
		nothing(t, tab)
		// Nor when it goes around the element.
		chrome.Run(t, tab, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const ws = new WebSocket(%q, ["aside.v1", "bearer.%s"]); ws.onmessage = () => { window.raw = "message"; }; ws.onclose = () => { window.raw ??= "closed"; }; }`, "ws"+strings.TrimPrefix(aside, "http")+"/v1/ws", sign("tool-5", time.Minute))), chrome.Eventually(`window.raw`))
		if got := chrome.Ask[string](t, tab, `window.raw`); got != "closed" {
			t.Errorf("the socket: %s", got)
		}
	})
	for name, token := range map[string]string{
		"forged":               contexts(t, "a secret that somebody made up for it")("tool-5", time.Minute),
		"expired":              sign("tool-5", -5*time.Minute),
		"another conversation": sign("tool-9", time.Minute),
		"too long":             sign("tool-5", 24*time.Hour),
	} {
		t.Run("context "+name, func(t *testing.T) {
			tab := chrome.Tab(t, browser, "401", "403")
			chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page(host, "tool-5", token, "")), seenEvent("expired", ""), chrome.Eventually(embedded(".embed-stop:not([hidden])")))
			picture(t, tab, "element-"+strings.ReplaceAll(name, " ", "-"))
			nothing(t, tab)
		})
	}
	t.Run("iframe", func(t *testing.T) {
		tab := chrome.Tab(t, browser, "404")
		chrome.Run(t, tab, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(page(host, "tool-6", sign("tool-6", time.Minute), "&frame=1")), seenEvent("ready", "tool-6"))
		ask("tool-6", "m-7")
		log := watch("tool-6")
		log.next(func(f frame) bool { return f.Type == "suggestion.ready" })
		// The frame is another origin's: it is worked by its keys, as a person would.
		inFrame(t, tab, aside, chrome.Eventually(embedded(".dock-row .button.accent")), chromedp.Evaluate[chromedp.Void](embedded(".dock-row .button.accent")+`.click()`))
		picture(t, tab, "iframe")
		chrome.Run(t, tab, seenEvent("insert", "5 business days"), chromedp.Evaluate[chromedp.Void](`document.getElementById("send").click()`), seenEvent("sent", "5 business days"), seenEvent("sending", `"seq":`))
		if f := log.until("turn.added", `"role":"agent"`); !strings.Contains(string(f.Data), `"author":"ada"`) {
			t.Errorf("the reply is stored as %s", f.Data)
		}
	})
	t.Run("iframe in an origin that is not listed", func(t *testing.T) {
		tab := chrome.Tab(t, browser, "frame-ancestors", "Refused to frame", "Framing", "postMessage")
		chrome.Run(t, tab, chromedp.Navigate(page(stranger, "tool-6", sign("tool-6", time.Minute), "&frame=1")), chrome.Eventually(`document.readyState === "complete"`))
		nothing(t, tab)
		res, err := plainClient.Get(aside + "/panel")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if p := res.Header.Get("Content-Security-Policy"); !strings.Contains(p, "frame-ancestors 'self' "+host.URL) || strings.Contains(p, stranger.URL) {
			t.Errorf("the policy is %q", p)
		}
	})
}

// inFrame does things in the tab's frame of another origin.
func inFrame(t *testing.T, tab context.Context, origin string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		targets, err := chromedp.Targets(tab)
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range targets {
			if strings.HasPrefix(info.URL, origin+"/panel") {
				ctx, cancel := chromedp.NewContext(tab, chromedp.WithTargetID(info.TargetID))
				t.Cleanup(cancel) // it closes the page around it as well
				chrome.Run(t, ctx, actions...)
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no frame of %s among %v", origin, targets)
		}
	}
}
