package web_test

import (
	"context"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/web"
)

var (
	screenshots    = flag.String("screenshots", "", `take screenshots of this URL into -screenshots-dir; "storybook" takes every story`)
	screenshotsDir = flag.String("screenshots-dir", "../../deploy/screenshots", "where screenshots go")
)

// shot is how a screenshot is taken.
type shot struct {
	suffix        string
	width, height int64
	dark          bool
}

var shots = []shot{{"light", 1440, 900, false}, {"dark", 1440, 900, true}, {"narrow", 420, 900, false}}

// panelShots have every state of the panel on one picture, in both themes.
var panelShots = []shot{{"all", 1640, 9700, false}}

var widgetShots = []shot{{"light", 1200, 760, false}, {"dark", 1200, 760, true}, {"phone", 390, 780, false}}

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
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(s.width, s.height), chrome.Emulate(scheme), chromedp.Navigate(url), chrome.Eventually(ready)); err != nil {
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
// A live console is photographed with its first conversation open, and the widget
// on the sample company's page with a first question answered.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots given")
	}
	browser := chrome.Start(t)
	if *screenshots != "storybook" {
		tab := chrome.Tab(t, browser)
		open := `(() => {
			const row = document.querySelector(".queue-row");
			if (row && !document.querySelector(".queue-row.is-open")) row.click();
			return document.querySelector(".turn") && document.querySelector(".draft .sentence, .nothing, .panel-quiet");
		})()`
		if err := takeScreenshots(tab, *screenshotsDir, "console", *screenshots, open, shots); err != nil {
			t.Fatal(err)
		}
		asked := `(() => {
			const chat = document.querySelector("aside-chat"), root = chat?.shadowRoot;
			if (!root) return false;
			chat.open();
			const box = root.querySelector("textarea");
			if (root.querySelector(".log[aria-live=polite]") && !root.querySelector(".turn-customer")) {
				box.value = "How can I track my parcel?";
				root.querySelector(".send").click();
				box.blur();
			}
			return root.querySelector(".source");
		})()`
		if err := takeScreenshots(chrome.Tab(t, browser), *screenshotsDir, "widget", *screenshots+"demo", asked, widgetShots); err != nil {
			t.Fatal(err)
		}
		return
	}
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	only := os.Getenv("STORY")
	for _, name := range storyNames(t, browser, srv.URL+"/storybook") {
		if only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			u := srv.URL + "/storybook?state=" + url.QueryEscape(name)
			if err := takeScreenshots(chrome.Tab(t, browser), *screenshotsDir, name, u, "document.body.dataset.ready", shots); err != nil {
				t.Fatal(err)
			}
			if err := takeScreenshots(chrome.Tab(t, browser), *screenshotsDir, name+"-aside", u+"&view=aside", "document.body.dataset.ready", shots[2:]); err != nil {
				t.Fatal(err)
			}
		})
	}
	if only == "" || strings.Contains(","+only+",", ",panel,") {
		if err := takeScreenshots(chrome.Tab(t, browser), *screenshotsDir, "panel", srv.URL+"/storybook/panel", "document.body.dataset.ready", panelShots); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range storyNames(t, browser, srv.URL+"/storybook/widget") {
		if only != "" && !strings.Contains(","+only+",", ",widget-"+name+",") {
			continue
		}
		t.Run("widget-"+name, func(t *testing.T) {
			u := srv.URL + "/storybook/widget?state=" + url.QueryEscape(name) + os.Getenv("STORY_QUERY")
			if err := takeScreenshots(chrome.Tab(t, browser), *screenshotsDir, "widget-"+name, u, "document.body.dataset.ready", widgetShots); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func storyNames(t *testing.T, browser context.Context, list string) []string {
	t.Helper()
	tab := chrome.Tab(t, browser)
	chrome.Run(t, tab, chromedp.Navigate(list), chrome.Eventually(`document.querySelector("main li a")`))
	names := chrome.Ask[[]string](t, tab, `[...document.querySelectorAll("main li a")].map((a) => a.textContent)`)
	if len(names) < 20 {
		t.Fatalf("the storybook lists only %d stories", len(names))
	}
	return names
}
