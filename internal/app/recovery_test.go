package app_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
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

func chromium(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no Chromium in PATH: the console's tests need one in CI")
		}
		t.Skip("no Chromium in PATH")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1440, 1400))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, closeBrowser := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		closeBrowser()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
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
	tab, closeTab := chromedp.NewContext(browser)
	if err := chromedp.Do(tab); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	ctx, cancel := context.WithTimeout(tab, 90*time.Second)
	t.Cleanup(func() { cancel(); closeTab() })
	do(t, ctx, chromedp.Navigate(a.URL()+"/"), until(`document.body`))
	evaluate[bool](t, ctx, fmt.Sprintf(`(sessionStorage.setItem("aside.token", JSON.stringify(%q)), true)`, token))
	do(t, ctx, chromedp.Navigate(a.URL()+"/"), until(`document.querySelector(".queue-row")`),
		chromedp.Click(chromedp.CSS(".queue-row")), until(`document.querySelector(".turn-customer")`))
	return ctx
}

func do(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		body, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // best effort: the test fails anyway
		t.Fatalf("%v\nthe page says: %.3000s", err, body)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, expr string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expr))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expr, err)
	}
	return v
}

func until(expr string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		poll := chromedp.Poll[bool]("Boolean("+expr+")", chromedp.WithPollingInterval(30*time.Millisecond), chromedp.WithPollingTimeout(15*time.Second))
		if _, err := poll(ctx, target); err != nil {
			return fmt.Errorf("waiting for %s: %w", expr, err)
		}
		return nil
	})
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
	browser := chromium(t)
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	const conversation = "conv_angry"
	customer := connect(t, a, cfg, dana(conversation))
	customer.send("turn.add", "1", conversation, map[string]string{"role": "customer",
		"text": "This is ridiculous. The zipper of my jacket broke after one wear, I want to return it, and you promised a refund by Monday. This is the second time I'm writing!"})

	tab := seat(t, browser, a, cfg, maya)
	do(t, tab, until(stepTexts+`.includes("say sorry once")`), until(`document.querySelectorAll(".option").length >= 2`))
	steps := strings.Split(evaluate[string](t, tab, stepTexts), "\n")
	if len(steps) != 4 || !strings.HasPrefix(steps[0], "Name what we said and did not keep") || !strings.HasPrefix(steps[2], "After the fix, offer: $25") ||
		!strings.HasPrefix(steps[3], "Set a follow-up for ") {
		t.Errorf("recovery order:\n%s", strings.Join(steps, "\n"))
	}
	if why := evaluate[string](t, tab, `document.querySelector(".step-why")?.textContent ?? ""`); !strings.Contains(why, "ridiculous") {
		t.Errorf("the reason on the step: %q", why)
	}
	t.Logf("options:\n%s", evaluate[string](t, tab, optionTexts))

	within := `[...document.querySelectorAll(".option")].find((x) => x.textContent.startsWith("$25"))`
	beyond := `[...document.querySelectorAll(".option")].find((x) => x.textContent.startsWith("More than $25"))`
	if evaluate[bool](t, tab, within+`.textContent.includes("needs")`) || !evaluate[bool](t, tab, beyond+`.textContent.includes("your lead")`) {
		t.Errorf("whose authority:\n%s", evaluate[string](t, tab, optionTexts))
	}
	evaluate[bool](t, tab, `(`+within+`.click(), true)`)
	do(t, tab, until(draftText+`.includes("$25")`))
	evaluate[bool](t, tab, `(`+beyond+`.click(), true)`)
	do(t, tab, until(draftText+`.includes("check with a colleague")`), until(stepTexts+`.includes("Ask your lead for: More than $25")`))
	if evaluate[bool](t, tab, draftText+`.includes("$25")`) {
		t.Errorf("an amount is named that the lead must decide: %s", evaluate[string](t, tab, draftText))
	}
	evaluate[bool](t, tab, `(document.querySelectorAll(".step input")[1].click(), true)`)
	do(t, tab, until(`document.querySelectorAll(".step.is-done").length === 1`))

	colleague := seat(t, browser, a, cfg, assist.Identity{Subject: "tom", Actor: assist.ActorAgent, Name: "Tom B.", Authority: "senior"})
	do(t, colleague, until(`document.querySelectorAll(".step.is-done").length === 1`), until(stepTexts+`.includes("Ask your lead for")`))
	tom := connect(t, a, cfg, assist.Identity{Subject: "tom", Actor: assist.ActorAgent, Name: "Tom B.", Authority: "senior"})
	tom.send("conversation.open", "o", conversation, map[string]int{"after": 0})
	tom.send("handoff.take", "h", conversation, map[string]string{})
	customer.send("turn.add", "2", conversation, map[string]string{"role": "customer", "text": "Hello? This is still unacceptable. I want to return my jacket."})
	do(t, colleague, until(`document.querySelectorAll(".turn-customer").length === 2`),
		until(stepTexts+`.includes("After the fix, offer")`), until(`document.querySelectorAll(".step.is-done").length === 1`),
		until(optionTexts+`.includes("More than $75")`)) // a senior's limit, less nothing: what is held for this chat is its own
}
