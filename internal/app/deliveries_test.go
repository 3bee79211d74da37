package app_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/connect/chatwoot"
	"github.com/aside-project/aside/internal/connect/generic"
	"github.com/aside-project/aside/internal/testkit/chrome"
)

// TestDeliveryIsSentAgainFromThePage is a turn that comes in signed, a suggestion that
// its receiver refuses for good, and the button that sends it anew.
func TestDeliveryIsSentAgainFromThePage(t *testing.T) {
	browser := chrome.Start(t)
	const hookSecret = "a secret that both sides know"
	var refuse atomic.Bool
	refuse.Store(true)
	ids := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Contains(body, []byte(`"type":"suggestion"`)) || !bytes.Contains(body, []byte("refunded in full")) {
			t.Errorf("received %s, %v", body, err)
		}
		if refuse.Load() {
			w.WriteHeader(http.StatusGone)
		}
		ids <- r.Header.Get(generic.HeaderDelivery)
	}))
	defer receiver.Close()
	a, _ := server(t, func(c *app.Config) {
		c.Dev, c.Hook = true, generic.Config{Secret: hookSecret, URL: receiver.URL}
		c.Chatwoot = chatwoot.Config{URL: receiver.URL, Account: 1, Secret: "x"}
	})
	body := `{"id":"m1","conversation":"c1","role":"customer","text":"The zipper of my jacket broke after a month. Is it refunded in full?"}`
	stamp := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(hookSecret))
	fmt.Fprint(mac, stamp+"."+body)
	req, err := http.NewRequest("POST", a.URL()+"/v1/hooks/generic", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(generic.HeaderTimestamp, stamp)
	req.Header.Set(generic.HeaderSignature, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	posted, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	posted.Body.Close()
	if posted.StatusCode != 200 && posted.StatusCode != 503 { // 503: not stored yet, but taken
		t.Fatalf("answered %d", posted.StatusCode)
	}
	first := await(t, ids)
	tab := chrome.Tab(t, browser)
	row := `document.querySelector('tr[data-id="` + first + `"]')`
	chrome.Run(t, tab, chromedp.Navigate(a.URL()+"/deliveries"), chrome.Eventually(row+`?.textContent.includes("given up")`))
	if !chrome.Ask[bool](t, tab, row+`.textContent.includes("answered 410")`) {
		t.Error("the page does not say why")
	}
	refuse.Store(false)
	chrome.Ask[bool](t, tab, `(`+row+`.querySelector("button").click(), true)`)
	if again := await(t, ids); again != first {
		t.Errorf("sent anew as %s, before as %s", again, first)
	}
	chrome.Run(t, tab, chrome.Eventually(row+`?.textContent.includes("sent")`))

	// The pages of a connected tool are served, and only it may frame its own.
	res, err := http.Get(a.URL() + "/connect/chatwoot")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.HasSuffix(csp, "frame-ancestors "+receiver.URL) {
		t.Errorf("the dashboard app: %d, %q", res.StatusCode, csp)
	}
}

func await(t *testing.T, ids <-chan string) string {
	t.Helper()
	select {
	case id := <-ids:
		return id
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered")
		return ""
	}
}
