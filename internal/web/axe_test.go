package web_test

import (
	"flag"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/web"
)

var axe = flag.String("axe", "", "a file axe.min.js of axe-core: run it over every story")

// TestAxe runs axe-core over every state of the console and the widget when it is
// given (`npm pack axe-core` fetches it):
//
//	go test ./internal/web -run Axe -axe /tmp/package/axe.min.js
func TestAxe(t *testing.T) {
	if *axe == "" {
		t.Skip("no -axe given")
	}
	script, err := os.ReadFile(*axe)
	if err != nil {
		t.Fatal(err)
	}
	browser := chrome.Start(t)
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	for _, list := range []string{"/storybook/widget", "/storybook/panel", "/storybook"} {
		for _, name := range storyNames(t, browser, srv.URL+list) {
			t.Run(list+"/"+name, func(t *testing.T) {
				tab := chrome.Tab(t, browser)
				for _, theme := range []string{"light", "dark"} {
					chrome.Run(t, tab, chrome.Emulate(theme), chromedp.Navigate(srv.URL+list+"?state="+url.QueryEscape(name)+"&theme="+theme), chrome.Eventually("document.body.dataset.ready"),
						chromedp.Evaluate[chromedp.Void](string(script)),
						chromedp.Evaluate[chromedp.Void](`axe.run(document.querySelector("aside-chat") ?? document).then((r) => { window.found = r.violations.flatMap((v) => v.nodes.map((n) => theme + v.id + ": " + n.target.join(" ") + " " + n.failureSummary)); }, (e) => { window.found = [String(e)]; }); const theme = "`+theme+` "`),
						chrome.Eventually(`window.found`))
					for _, line := range chrome.Ask[[]string](t, tab, "window.found") {
						t.Error(line)
					}
				}
			})
		}
	}
}
