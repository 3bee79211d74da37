package web_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/web"
)

var (
	screenshots    = flag.String("screenshots", "", `take screenshots of this URL into -screenshots-dir; "storybook" takes every story`)
	screenshotsDir = flag.String("screenshots-dir", "../../deploy/screenshots", "where screenshots go")
)

// startBrowser starts a headless Chromium for one test and its subtests. It
// skips when there is none, except in CI, where that is a failure.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "headless-shell"} {
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
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=UTC", "LANG=en_GB.UTF-8"),
		chromedp.WSURLReadTimeout(time.Minute), chromedp.WindowSize(1440, 900))
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

// complaints collects what a page says went wrong: uncaught exceptions, console
// errors, policy violations.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) add(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, s)
}

func (c *complaints) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.list...)
}

// newTab opens a tab that lives as long as the test and no longer than a minute,
// and fails the test for whatever the page complains of. Lines that contain one
// of the expected strings are fine.
func newTab(t *testing.T, browser context.Context, expected ...string) context.Context {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser)
	if err := chromedp.Do(tab); err != nil { // not below the timeout: it would end the tab
		t.Fatalf("open a tab: %v", err)
	}
	ctx, cancel := context.WithTimeout(tab, time.Minute)
	var said complaints
	err := chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			text := ev.ExceptionDetails.Text
			if e := ev.ExceptionDetails.Exception; e != nil {
				text += " " + e.Description
			}
			said.add("exception: " + text)
		case *runtime.EventConsoleAPICalled:
			if ev.Type == "error" || ev.Type == "assert" {
				for _, a := range ev.Args {
					said.add("console: " + string(a.Value) + a.Description)
				}
			}
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.EntryLevelError {
				said.add("log: " + ev.Entry.Text + " " + ev.Entry.URL)
			}
		}
	})
	if err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	t.Cleanup(func() {
		cancel()
		closeTab()
	complaint:
		for _, line := range said.all() {
			for _, ok := range expected {
				if strings.Contains(line, ok) {
					continue complaint
				}
			}
			t.Errorf("the page complained: %s", line)
		}
	})
	return ctx
}

func run(t *testing.T, ctx context.Context, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, actions...); err != nil {
		body, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")) // best effort: the test fails anyway
		t.Fatalf("%v\nthe page begins: %.300q", err, body)
	}
}

// eventually waits until the expression is true in the page.
func eventually(expr string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		poll := chromedp.Poll[bool]("Boolean("+expr+")", chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(10*time.Second))
		if _, err := poll(ctx, target); err != nil {
			return fmt.Errorf("waiting for %s: %w", expr, err)
		}
		return nil
	})
}

// emulate sets what the page is told of the agent's wishes.
func emulate(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}

// ask evaluates an expression in the page.
func ask[T any](t *testing.T, ctx context.Context, expr string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expr))
	if err != nil {
		t.Fatalf("evaluate %s: %v", expr, err)
	}
	return v
}

// shot is how a screenshot is taken.
type shot struct {
	suffix        string
	width, height int64
	dark          bool
}

var shots = []shot{{"light", 1440, 900, false}, {"dark", 1440, 900, true}, {"narrow", 420, 900, false}}

// takeScreenshots writes NAME-light.png, NAME-dark.png and NAME-narrow.png of a
// page: a story of the storybook or a live console. ready is an expression that
// becomes true when there is something to see.
func takeScreenshots(ctx context.Context, dir, name, url, ready string, which []shot) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	for _, s := range which {
		scheme := "light"
		if s.dark {
			scheme = "dark"
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, s.height), emulate(scheme), chromedp.Navigate(url), eventually(ready)); err != nil {
			return fmt.Errorf("open %s for screenshot %s: %w", url, s.suffix, err)
		}
		png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			return fmt.Errorf("screenshot %s of %s: %w", s.suffix, url, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-"+s.suffix+".png"), png, 0o644); err != nil {
			return fmt.Errorf("write screenshot: %w", err)
		}
	}
	return nil
}

// TestScreenshots takes pictures when asked to:
//
//	go test ./internal/web -run Screenshots -screenshots storybook
//	go test ./internal/web -run Screenshots -screenshots http://127.0.0.1:8080/
//
// A live console is photographed with its first conversation open.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots given")
	}
	browser := startBrowser(t)
	if *screenshots != "storybook" {
		tab := newTab(t, browser)
		open := `(() => {
			const row = document.querySelector(".queue-row");
			if (row && !document.querySelector(".queue-row.is-open")) row.click();
			return document.querySelector(".turn") && document.querySelector(".draft .sentence, .nothing, .panel-quiet");
		})()`
		if err := takeScreenshots(tab, *screenshotsDir, "console", *screenshots, open, shots); err != nil {
			t.Fatal(err)
		}
		return
	}
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	only := os.Getenv("STORY")
	for _, name := range storyNames(t, browser, srv.URL) {
		if only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := srv.URL + "/storybook?state=" + url.QueryEscape(name)
			if err := takeScreenshots(newTab(t, browser), *screenshotsDir, name, u, "document.body.dataset.ready", shots); err != nil {
				t.Fatal(err)
			}
			if err := takeScreenshots(newTab(t, browser), *screenshotsDir, name+"-aside", u+"&view=aside", "document.body.dataset.ready", shots[2:]); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func storyNames(t *testing.T, browser context.Context, base string) []string {
	t.Helper()
	tab := newTab(t, browser)
	run(t, tab, chromedp.Navigate(base+"/storybook"), eventually(`document.querySelector(".stories a")`))
	names := ask[[]string](t, tab, `[...document.querySelectorAll(".stories a")].map((a) => a.textContent)`)
	if len(names) < 20 {
		t.Fatalf("the storybook lists only %d stories", len(names))
	}
	return names
}
