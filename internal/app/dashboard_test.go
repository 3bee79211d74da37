package app_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

// TestDashboardAppHasTheRealPanel opens the tab that Chatwoot shows, signs in, and
// inserts the suggestion of the conversation that the page around it names. For once
// that page is of our own origin, so that the test can reach into the frame.
func TestDashboardAppHasTheRealPanel(t *testing.T) {
	browser := chrome.Start(t)
	address := testkit.Address(t)
	a, _ := server(t, func(c *app.Config) {
		c.Dev, c.Listen = true, address
		c.Chatwoot = chatwoot.Config{URL: "http://" + address, Account: 7, Secret: "x", PathSecret: strings.Repeat("p", 24)}
	})
	tab := chrome.Tab(t, browser, "404", "favicon")
	const inside = `document.querySelector("iframe").contentDocument`
	const panel = inside + `.querySelector("aside-panel")?.shadowRoot`
	chrome.Run(t, tab, chromedp.Navigate(a.URL()+"/healthz"), chrome.Eventually(`document.readyState === "complete"`))
	do := func(js string) { t.Helper(); chrome.Ask[bool](t, tab, `(() => { `+js+`; return true; })()`) }
	do(`fetch("/v1/hooks/chatwoot/` + strings.Repeat("p", 24) + `", {method: "POST", body: JSON.stringify({event: "message_created", id: 9, content: "The zipper of my jacket broke after a month. Is it refunded in full?",
		message_type: "incoming", private: false, created_at: Math.floor(Date.now() / 1000), account: {id: 7}, sender: {id: 5, name: "Rosa"}, conversation: {id: 41, status: "open"}})});
		const f = document.createElement("iframe"); f.src = "/connect/chatwoot"; f.style = "position:fixed;inset:0;width:100%;height:100%;border:0;background:white"; document.body.replaceChildren(f);
		addEventListener("message", (e) => { if (e.data === "chatwoot-dashboard-app:fetch-info") f.contentWindow.postMessage(JSON.stringify({event: "appContext", data: {conversation: {id: 41}}}), "*"); })`)
	chrome.Run(t, tab, chrome.Eventually(inside+`?.getElementById("door")?.hidden === false`))
	do(`fetch("/v1/session").then((r) => r.json()).then((s) => { ` + inside + `.getElementById("token").value = s.token; ` + inside + `.getElementById("paste").requestSubmit(); })`)
	chrome.Run(t, tab, chrome.Eventually(panel+`?.textContent.includes("refunded in full")`))
	chrome.Run(t, tab, chrome.Eventually(panel+`?.querySelector(".dock-row .button.accent")`))
	do(panel + `.querySelector(".dock-row .button.accent").click()`)
	chrome.Run(t, tab, chrome.Eventually(inside+`.getElementById("words").value.includes("refunded in full")`))
	picture(t, tab, "chatwoot-tab")
}
