package app_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

// sample writes the sample company's knowledge into a folder.
func sample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := fs.WalkDir(evals.Files, "knowledge", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(evals.Files, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "knowledge")
}

// seat opens the console in a tab of its own as an agent.
func seat(t *testing.T, browser context.Context, a *app.App, cfg app.Config, who assist.Identity) context.Context {
	t.Helper()
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(who, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	ctx := chrome.Tab(t, browser, "401") // before the token is there
	chrome.Run(t, ctx, chromedp.EmulateViewport(1440, 1400), chromedp.Navigate(a.URL()+"/"), chrome.Eventually(`document.body`))
	chrome.Ask[bool](t, ctx, fmt.Sprintf(`(sessionStorage.setItem("aside.token", JSON.stringify(%q)), true)`, token))
	chrome.Run(t, ctx, chromedp.Navigate(a.URL()+"/"), chrome.Eventually(`document.querySelector(".queue-row")`),
		chromedp.Click(chromedp.CSS(".queue-row")), chrome.Eventually(`document.querySelector(".turn-customer")`))
	return ctx
}

const (
	stepTexts   = `[...document.querySelectorAll(".step .step-text")].map((x) => x.textContent).join("\n")`
	optionTexts = `[...document.querySelectorAll(".option")].map((x) => x.textContent).join("\n")`
	draftText   = `(document.querySelector(".draft")?.textContent ?? "")`
)

// TestAngryReturn plays one angry return through the real console: recovery
// order, options, a gesture within the limit and one beyond it, a step ticked,
// and a colleague who takes over with everything in place.
func TestAngryReturn(t *testing.T) {
	browser := chrome.Start(t)
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	const conversation = "conv_angry"
	customer := connect(t, a, cfg, dana(conversation))
	customer.send("turn.add", "1", conversation, map[string]string{"role": "customer",
		"text": "This is ridiculous. The zipper of my jacket broke after one wear, I want to return it, and you promised a refund by Monday. This is the second time I'm writing!"})

	tab := seat(t, browser, a, cfg, maya)
	chrome.Run(t, tab, chrome.Eventually(stepTexts+`.includes("say sorry once")`), chrome.Eventually(`document.querySelectorAll(".option").length >= 2`))
	steps := strings.Split(chrome.Ask[string](t, tab, stepTexts), "\n")
	if len(steps) != 4 || !strings.HasPrefix(steps[0], "Name what we said and did not keep") || !strings.HasPrefix(steps[2], "After the fix, offer: $25") ||
		!strings.HasPrefix(steps[3], "Set a follow-up for ") {
		t.Errorf("recovery order:\n%s", strings.Join(steps, "\n"))
	}
	if why := chrome.Ask[string](t, tab, `document.querySelector(".step-why")?.textContent ?? ""`); !strings.Contains(why, "ridiculous") {
		t.Errorf("the reason on the step: %q", why)
	}
	t.Logf("options:\n%s", chrome.Ask[string](t, tab, optionTexts))

	within := `[...document.querySelectorAll(".option")].find((x) => x.textContent.startsWith("$25"))`
	beyond := `[...document.querySelectorAll(".option")].find((x) => x.textContent.startsWith("More than $25"))`
	if chrome.Ask[bool](t, tab, within+`.textContent.includes("needs")`) || !chrome.Ask[bool](t, tab, beyond+`.textContent.includes("your lead")`) {
		t.Errorf("whose authority:\n%s", chrome.Ask[string](t, tab, optionTexts))
	}
	chrome.Ask[bool](t, tab, `(`+within+`.click(), true)`)
	chrome.Run(t, tab, chrome.Eventually(draftText+`.includes("$25")`))
	chrome.Ask[bool](t, tab, `(`+beyond+`.click(), true)`)
	chrome.Run(t, tab, chrome.Eventually(draftText+`.includes("check with a colleague")`), chrome.Eventually(stepTexts+`.includes("Ask your lead for: More than $25")`))
	if chrome.Ask[bool](t, tab, draftText+`.includes("$25")`) {
		t.Errorf("an amount is named that the lead must decide: %s", chrome.Ask[string](t, tab, draftText))
	}
	chrome.Ask[bool](t, tab, `(document.querySelectorAll(".step input")[1].click(), true)`)
	chrome.Run(t, tab, chrome.Eventually(`document.querySelectorAll(".step.is-done").length === 1`))

	colleague := seat(t, browser, a, cfg, assist.Identity{Subject: "tom", Actor: assist.ActorAgent, Name: "Tom B.", Authority: "senior"})
	chrome.Run(t, colleague, chrome.Eventually(`document.querySelectorAll(".step.is-done").length === 1`), chrome.Eventually(stepTexts+`.includes("Ask your lead for")`))
	tom := connect(t, a, cfg, assist.Identity{Subject: "tom", Actor: assist.ActorAgent, Name: "Tom B.", Authority: "senior"})
	tom.send("conversation.open", "o", conversation, map[string]int{"after": 0})
	tom.send("handoff.take", "h", conversation, map[string]string{})
	// Not the first connection: nobody has answered its pings while the pages were looked at, which can take longer than it lives.
	again := connect(t, a, cfg, dana(conversation))
	again.send("turn.add", "2", conversation, map[string]string{"role": "customer", "text": "Hello? This is still unacceptable. I want to return my jacket."})
	chrome.Run(t, colleague, chrome.Eventually(`document.querySelectorAll(".turn-customer").length === 2`),
		chrome.Eventually(stepTexts+`.includes("After the fix, offer")`), chrome.Eventually(`document.querySelectorAll(".step.is-done").length === 1`),
		chrome.Eventually(optionTexts+`.includes("More than $75")`)) // a senior's limit, less nothing: what is held for this chat is its own
}
