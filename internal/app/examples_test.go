package app_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

const examples = "../../deploy/examples"

// TestExamples runs the example clients against a real server: they are what
// people start from.
func TestExamples(t *testing.T) {
	files := http.FileServer(http.Dir(filepath.Join(examples, "js")))
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			w.Header().Set("Content-Type", "text/javascript")
			files.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>Example</title>`)
	}))
	t.Cleanup(host.Close)
	a, cfg := server(t, func(c *app.Config) { c.Origins = []string{host.URL} })
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
	agent := sign(maya)
	env := append(os.Environ(), "ASIDE_SERVER="+a.URL(), "ASIDE_SOURCE_TOKEN="+sign(source), "ASIDE_AGENT_TOKEN="+agent)
	const text = "When does a refund for a broken zipper reach my card?"
	check := func(t *testing.T, conversation, out string) {
		t.Helper()
		if !strings.Contains(out, "5 business days") || !strings.HasSuffix(strings.TrimSpace(out), "sent") {
			t.Errorf("it says %q", out)
		}
		log := connect(t, a, cfg, maya)
		log.send("conversation.open", "o", conversation, object{"after": 0})
		if f := log.until("turn.added", `"role":"agent"`); !strings.Contains(string(f.Data), `"suggestion_id":"`) {
			t.Errorf("the reply is stored as %s", f.Data)
		}
	}
	t.Run("go", func(t *testing.T) {
		bin := filepath.Join(t.TempDir(), "client")
		if out, err := exec.Command("go", "build", "-o", bin, examples+"/go").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		cmd := exec.CommandContext(t.Context(), bin, "example-go", text)
		cmd.Env, cmd.Stdin = env, strings.NewReader("It takes 5 business days.\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		check(t, "example-go", string(out))
	})
	t.Run("node", func(t *testing.T) {
		node, err := exec.LookPath("node")
		if err != nil {
			t.Skip("no node in PATH; the browser runs the same file")
		}
		args := []string{examples + "/js/client.mjs", "example-node", text}
		if err := exec.Command(node, "--eval", "WebSocket").Run(); err != nil {
			args = append([]string{"--experimental-websocket"}, args...) // before 22
		}
		cmd := exec.CommandContext(t.Context(), node, args...)
		cmd.Env = append(env, "NODE_NO_WARNINGS=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		check(t, "example-node", string(out))
	})
	t.Run("browser", func(t *testing.T) {
		tab := chrome.Tab(t, chrome.Start(t))
		connect(t, a, cfg, source).send("turn.add", "1", "example-page", object{"role": "customer", "text": text})
		chrome.Run(t, tab, chromedp.Navigate(host.URL+"/"), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`import("/client.mjs").then(({ Aside, suggestion }) => {
			window.told = "";
			const aside = new Aside({ server: %q, token: %q, conversation: "example-page", onEvent: async (event) => {
				const s = suggestion(event, 1);
				if (!s) return;
				await aside.reply(s.draft.text, s.id);
				window.told = s.draft.text + " sent";
			} });
			aside.connect();
		})`, a.URL(), agent)), chrome.Eventually(`window.told`))
		check(t, "example-page", chrome.Ask[string](t, tab, `window.told`))
	})
}

// TestExamplesAreShort: nobody reads a long example.
func TestExamplesAreShort(t *testing.T) {
	for _, f := range []string{"go/main.go", "js/client.mjs"} {
		b, err := os.ReadFile(filepath.Join(examples, f))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		for l := range strings.Lines(string(b)) {
			if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "//") {
				lines++
			}
		}
		if lines > 115 {
			t.Errorf("%s has %d lines of code", f, lines)
		}
		t.Logf("%s: %d lines of code", f, lines)
	}
}
