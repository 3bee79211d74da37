package web_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/testkit/chrome"
	"github.com/aside-project/aside/internal/web"
)

func TestAssets(t *testing.T) {
	for _, tt := range []struct {
		path, contentType string
		production        int
	}{
		{"/", "text/html; charset=utf-8", 200},
		{"/assets/app.js", "text/javascript; charset=utf-8", 200},
		{"/assets/console.css", "text/css; charset=utf-8", 200},
		{"/assets/icon.svg", "image/svg+xml", 200},
		{"/widget", "text/html; charset=utf-8", 200},
		{"/widget.js", "text/javascript; charset=utf-8", 200},
		{"/assets/widget/chat.js", "text/javascript; charset=utf-8", 200},
		{"/panel.js", "text/javascript; charset=utf-8", 200},
		{"/assets/embed/panel.js", "text/javascript; charset=utf-8", 200},
		{"/demo", "text/html; charset=utf-8", 404},
		{"/assets/demo.css", "text/css; charset=utf-8", 404},
		{"/storybook", "text/html; charset=utf-8", 404},
		{"/storybook/widget", "text/html; charset=utf-8", 404},
		{"/storybook/panel", "text/html; charset=utf-8", 404},
		{"/assets/storybook.js", "text/javascript; charset=utf-8", 404},
		{"/assets/fixtures/stories.js", "text/javascript; charset=utf-8", 404},
		{"/assets/", "", 404},
		{"/assets/../assets.go", "", 404},
		{"/other", "", 404},
	} {
		get := func(h http.Handler, etag string) *http.Response {
			req := httptest.NewRequest("GET", "http://x/", nil)
			req.URL.Path = tt.path
			if etag != "" {
				req.Header.Set("If-None-Match", etag)
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			return rec.Result()
		}
		if got := get(web.Assets(false), "").StatusCode; got != tt.production && (got < 300 || got > 399) {
			t.Errorf("%s in production: status %d, want %d", tt.path, got, tt.production)
		}
		if tt.contentType == "" {
			continue
		}
		res := get(web.Assets(true), "")
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 || len(body) == 0 {
			t.Fatalf("%s: status %d, %d bytes, %v", tt.path, res.StatusCode, len(body), err)
		}
		for name, want := range map[string]string{"Content-Type": tt.contentType, "Content-Security-Policy": web.ConsolePolicy, "X-Content-Type-Options": "nosniff",
			"Cache-Control": map[bool]string{true: "public, max-age=300", false: "no-cache"}[tt.path == "/widget.js"], "Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", tt.path, name, got, want)
			}
		}
		if again := get(web.Assets(true), res.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked again with its ETag: status %d, want 304", tt.path, again.StatusCode)
		}
	}
}

// TestPagesNameTheirModules: a browser asks for all of a page's modules at once.
func TestPagesNameTheirModules(t *testing.T) {
	h := web.Assets(false)
	get := func(path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		return rec
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`rel="modulepreload" href="([^"]+)"`).FindAllStringSubmatch(get("/").Body.String(), -1) {
		named[m[1]] = true
		if code := get(m[1]).Code; code != http.StatusOK {
			t.Errorf("%s: status %d", m[1], code)
		}
	}
	for _, deep := range []string{"/assets/desk.js", "/assets/select.js", "/assets/memory.js"} {
		if !named[deep] {
			t.Errorf("%s is not named: %v", deep, named)
		}
	}
}

// TestWidgetIsSmall holds what a shop's page pays: one script until somebody
// reaches for the button, the rest then.
func TestWidgetIsSmall(t *testing.T) {
	h := web.Assets(false)
	transferred := func(path string) int {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Accept-Encoding", "br, gzip")
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		z, err := gzip.NewReader(bytes.NewReader(rec.Body.Bytes()))
		if err != nil || rec.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %v, %v", path, err, rec.Header())
		}
		plain, err := io.ReadAll(z)
		if err != nil || len(plain) < rec.Body.Len() {
			t.Fatalf("%s: %d bytes from %d, %v", path, len(plain), rec.Body.Len(), err)
		}
		return rec.Body.Len()
	}
	if n := transferred("/widget.js"); n > 3500 {
		t.Errorf("widget.js is %d bytes on the wire, at most 3500 are wanted", n)
	}
	sum := 0
	for _, name := range []string{"dom.js", "socket.js", "widget/chat.js", "widget/state.js", "widget/style.js", "widget/talk.js", "widget/words.js"} {
		sum += transferred("/assets/" + name)
	}
	if sum > 28_000 {
		t.Errorf("the open chat is %d bytes on the wire, at most 28000 are wanted", sum)
	}
	t.Logf("the open chat is %d bytes on the wire", sum)
}

// TestNoMarkupFromData holds the rule that keeps text text.
func TestNoMarkupFromData(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function|setAttribute\("(style|on)|https?://[a-z]`)
	var files []string
	for _, pattern := range []string{"assets/*.*", "assets/widget/*.*", "assets/embed/*.*", "../connect/chatwoot/dashboard/*.*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(body), "\n") {
			if strings.Contains(line, "www.w3.org/2000/svg") {
				continue // the name of SVG, never fetched
			}
			if m := forbidden.FindString(line); m != "" {
				t.Errorf("%s:%d: %s", name, i+1, m)
			}
		}
	}
}

// TestContrast computes the contrast of text on the surfaces it stands on.
func TestContrast(t *testing.T) {
	css, err := os.ReadFile("assets/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, ok := strings.Cut(string(css), "@media")
	if !ok {
		t.Fatal("tokens.css has no dark theme")
	}
	media, attribute, ok := strings.Cut(dark, `:root[data-theme="dark"], :host([theme="dark"]) {`)
	if !ok {
		t.Fatal("tokens.css has no chosen dark theme")
	}
	colour := regexp.MustCompile(`--([a-z0-9-]+):\s*(#[0-9a-f]{6});`)
	read := func(s string) map[string]string {
		m := map[string]string{}
		for _, f := range colour.FindAllStringSubmatch(s, -1) {
			m[f[1]] = f[2]
		}
		return m
	}
	if a, b := read(media), read(attribute); fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("the two dark themes differ:\n%v\n%v", a, b)
	}
	for name, theme := range map[string]map[string]string{"light": read(light), "dark": read(attribute)} {
		for _, pair := range []string{
			"ink paper", "ink surface", "ink raised", "ink accent-soft", "ink check-soft", "ink internal-soft", "ink stop-soft", "ink highlight",
			"ink-2 paper", "ink-2 surface", "ink-2 raised", "ink-2 sunken", "ink-2 internal-soft", "ink-2 accent-soft",
			"ink-3 paper", "ink-3 surface", "ink-3 raised", "ink-3 accent-soft", "ink-3 internal-soft",
			"accent paper", "accent raised", "accent accent-soft", "accent-ink accent",
			"check paper", "check raised", "check check-soft", "internal paper", "internal raised", "internal internal-soft", "stop surface", "stop raised", "stop stop-soft",
		} {
			fg, bg, _ := strings.Cut(pair, " ")
			if theme[fg] == "" || theme[bg] == "" {
				t.Fatalf("%s: no colour for %s", name, pair)
			}
			if c := contrast(t, theme[fg], theme[bg]); c < 4.5 {
				t.Errorf("%s: %s on %s has contrast %.2f, want 4.5", name, fg, bg, c)
			}
		}
	}
}

// contrast is that of WCAG 2.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(hex string) float64 {
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a)+0.05, luminance(b)+0.05
	return max(x, y) / min(x, y)
}

// TestModules runs the tests of the pure modules in testdata in the browser.
func TestModules(t *testing.T) {
	browser := chrome.Start(t)
	mux := http.NewServeMux()
	mux.Handle("/", web.Assets(true))
	mux.Handle("/testdata/", http.StripPrefix("/testdata/", http.FileServer(http.Dir("testdata"))))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	tab := chrome.Tab(t, browser)
	chrome.Run(t, tab, chromedp.Navigate(srv.URL+"/storybook"),
		chromedp.Evaluate[chromedp.Void](`Promise.all([import("/testdata/store_test.js"), import("/testdata/widget_test.js")]).then((all) => {
			window.results = Object.fromEntries(all.flatMap((tests) => Object.entries(tests)).map(([name, test]) => {
				try { test(); return [name, ""]; } catch (err) { return [name, String(err.stack)]; }
			}));
		}, (err) => { window.results = { load: String(err.stack) }; }) && undefined`),
		chrome.Eventually(`window.results`))
	results := chrome.Ask[map[string]string](t, tab, "window.results")
	if len(results) < 18 {
		t.Errorf("only %d tests ran", len(results))
	}
	for name, failure := range results {
		t.Run(name, func(t *testing.T) {
			if failure != "" {
				t.Error(failure)
			}
		})
	}
}

// accessible lists what a screen reader or a keyboard could not use.
const accessible = `(() => {
	const wrong = [], visible = (el) => el.checkVisibility();
	const name = (el) => (el.getAttribute("aria-label") || (el.getAttribute("aria-labelledby") && document.getElementById(el.getAttribute("aria-labelledby"))?.textContent) || [...(el.labels ?? [])].map((l) => l.textContent).join(" ") || el.textContent).trim();
	const say = (el, what) => wrong.push(what + ": " + el.outerHTML.slice(0, 160));
	for (const el of document.querySelectorAll("button, a, [role=button], input, textarea, summary")) if (visible(el) && !name(el)) say(el, "no name");
	for (const el of document.querySelectorAll("img")) if (!el.hasAttribute("alt")) say(el, "no alt");
	for (const el of document.querySelectorAll("svg")) if (el.getAttribute("aria-hidden") !== "true") say(el, "picture read aloud");
	for (const el of document.querySelectorAll("dialog, section[aria-label], nav, aside, [role=region], [role=group], [role=search]")) if (visible(el) && !el.getAttribute("aria-label") && !el.getAttribute("aria-labelledby")) say(el, "landmark without a name");
	for (const el of document.querySelectorAll("[aria-describedby], [aria-labelledby]")) for (const a of ["aria-describedby", "aria-labelledby"]) if (visible(el) && el.getAttribute(a) && !document.getElementById(el.getAttribute(a))) say(el, a + " points nowhere");
	const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
	for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push("id twice: " + id);
	for (const el of document.querySelectorAll("button button, button a, a button, label button, [role=button] button")) say(el, "a control in a control");
	if ([...document.querySelectorAll("main")].filter(visible).length !== Number(Boolean(document.querySelector("#app")))) wrong.push("one main landmark is needed");
	if (document.documentElement.scrollWidth > innerWidth) wrong.push("the page scrolls sideways: " + document.documentElement.scrollWidth + " > " + innerWidth);
	for (const el of document.querySelectorAll("button, input, textarea, summary")) {
		const r = el.getBoundingClientRect();
		if (visible(el) && r.width && (r.left < -1 || r.right > innerWidth + 1)) say(el, "outside the window");
	}
	return wrong;
})()`

// TestStories opens every story wide, narrow and zoomed: none may complain,
// overflow or leave a control without a name.
func TestStories(t *testing.T) {
	browser := chrome.Start(t)
	srv := httptest.NewServer(web.Assets(true))
	defer srv.Close()
	for _, name := range storyNames(t, browser, srv.URL+"/storybook") {
		t.Run(name, func(t *testing.T) {
			tab := chrome.Tab(t, browser)
			chrome.Run(t, tab, chromedp.Navigate(srv.URL+"/storybook?state="+name), chrome.Eventually("document.body.dataset.ready"))
			for _, at := range []struct {
				view          string
				width, height int64
			}{{"Chat", 1440, 900}, {"Aside", 1000, 700}, {"Aside", 720, 450}, {"Queue", 360, 740}, {"Chat", 360, 740}, {"Aside", 360, 740}} {
				chrome.Run(t, tab, chromedp.EmulateViewport(at.width, at.height),
					chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll(".tab")].find((x) => x.textContent.startsWith("`+at.view+`"))?.click()`),
					chrome.Eventually(`document.querySelector(".sign-in") || document.querySelector(".tab.is-on").textContent.startsWith("`+at.view+`")`))
				for _, wrong := range chrome.Ask[[]string](t, tab, accessible) {
					t.Errorf("%d×%d %s: %s", at.width, at.height, at.view, wrong)
				}
			}
		})
	}
}
