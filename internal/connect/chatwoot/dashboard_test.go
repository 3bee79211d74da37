package chatwoot_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

// standIn is /panel.js as far as the dashboard app needs it. It also plays the
// agent's hands, which the test moves from the page around the frame.
const standIn = `const tell = (what) => parent.postMessage({stub: what}, "*");
const seen = (id) => !document.getElementById(id).hidden;
export class AsidePanel extends HTMLElement {
  static observedAttributes = ["conversation"];
  attributeChangedCallback() { tell("shows " + this.getAttribute("conversation") + " with " + this.getAttribute("token")); }
  async send(text, id) {
    if (text === "refused") throw new Error("Chatwoot cannot be told who you are");
    tell("sends " + text + " of " + id + " in " + this.getAttribute("conversation"));
  }
}
customElements.define("aside-panel", AsidePanel);
addEventListener("message", async (e) => {
  const by = (id) => document.getElementById(id);
  switch (e.data?.hand) {
    case "look": return tell("wait " + seen("wait") + " door " + seen("door") + " say " + seen("say"));
    case "token": by("token").value = e.data.text; return by("paste").requestSubmit();
    case "offer": return document.querySelector("aside-panel").dispatchEvent(new CustomEvent("aside:insert", {detail: {text: e.data.text, suggestion_id: "sug_1"}, cancelable: true}));
    case "write": by("words").value = e.data.text; return;
    case "send": by("say").requestSubmit(); return;
    case "read": return tell("words " + by("words").value + " told " + by("told").textContent);
    case "expire": return document.querySelector("aside-panel").dispatchEvent(new CustomEvent("aside:expired", {detail: {message: "Too late"}}));
  }
});`

// TestDashboardApp opens the app in a page of another origin that plays Chatwoot.
func TestDashboardApp(t *testing.T) {
	browser := chrome.Start(t)
	ours := http.NewServeMux()
	aside := httptest.NewServer(ours)
	defer aside.Close()
	var asideURL string
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><title>Chatwoot</title><script>
			const asked = [];
			addEventListener("message", (e) => { asked.push(e.data.stub ?? e.data); });
			function hand(hand, text) { frames[0].postMessage({hand, text}, "*"); }
			function say(id, extra) { frames[0].postMessage(JSON.stringify({event: "appContext", data: {conversation: {id}, contact: {}, currentAgent: {id: 1, name: "Mia", email: "mia@example.com"}, ...extra}}), "*"); }
			</script><iframe src="`+asideURL+`/connect/chatwoot" width="500" height="700"></iframe>`)
	}
	desk := httptest.NewServer(http.HandlerFunc(page))
	defer desk.Close()
	stranger := httptest.NewServer(http.HandlerFunc(page))
	defer stranger.Close()
	asideURL = strings.Replace(aside.URL, "127.0.0.1", "localhost", 1) // another site than the desk's
	tool, err := chatwoot.New(chatwoot.Config{URL: desk.URL, Account: account, Secret: "s"}, nil, nil, nil, chatwoot.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, h := range tool.Pages() {
		ours.Handle(pattern, h)
	}
	ours.HandleFunc("GET /panel.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		_, _ = io.WriteString(w, standIn)
	})
	ours.HandleFunc("GET /v1/session", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"token":"token-of-a-session","sub":"mia","name":"Mia"}`)
	})

	t.Run("in Chatwoot", func(t *testing.T) {
		tab := chrome.Tab(t, browser)
		chrome.Run(t, tab, chromedp.Navigate(desk.URL), chrome.Eventually(`asked.includes("chatwoot-dashboard-app:fetch-info")`))
		if n := chrome.Ask[int](t, tab, `asked.length`); n != 1 {
			t.Errorf("asked %d times", n)
		}
		after := func(do, answer string) {
			t.Helper()
			// Asked again and again: what came before may not be done yet.
			chrome.Run(t, tab, chrome.Eventually(`(() => { `+do+`; return asked.at(-1) === `+strconv.Quote(answer)+`; })()`))
		}
		once := func(do string) { t.Helper(); chrome.Ask[bool](t, tab, `(() => { `+do+`; return true; })()`) }
		once(`say("41"); say(-1); say(null); frames[0].postMessage("{", "*")`)
		after(`hand("look")`, "wait true door false say false")
		once(`say(41)`)
		after(`hand("look")`, "wait false door true say false") // Chatwoot's word signs nobody in
		once(`hand("token", "my-token")`)
		after(``, "shows chatwoot-7-41 with my-token")
		once(`hand("write", "Hello."); hand("offer", "We refund you.")`)
		after(`hand("read")`, "words Hello.\nWe refund you. told ")
		once(`hand("send")`)
		after(`hand("read")`, "words  told Sent.")
		if !chrome.Ask[bool](t, tab, `asked.includes("sends Hello.\nWe refund you. of sug_1 in chatwoot-7-41")`) {
			t.Error("the reply was not sent as the agent wrote it")
		}
		once(`hand("write", "refused"); hand("send")`)
		after(`hand("read")`, "words refused told Chatwoot cannot be told who you are")
		once(`say(42)`)
		after(`hand("read")`, "words  told ") // the other customer's words are not here
		if !chrome.Ask[bool](t, tab, `asked.includes("shows chatwoot-7-42 with my-token")`) {
			t.Error("the other conversation is not shown")
		}
		once(`hand("expire")`)
		after(`hand("look")`, "wait false door true say false")
	})
	t.Run("elsewhere", func(t *testing.T) {
		tab := chrome.Tab(t, browser, "frame-ancestors", "Refused to frame", "Framing", "chatwoot")
		chrome.Run(t, tab, chromedp.Navigate(stranger.URL), chrome.Eventually(`document.readyState === "complete"`))
		if n := chrome.Ask[int](t, tab, `asked.length`); n != 0 {
			t.Error("a page that is not Chatwoot was asked for its context")
		}
	})
}
