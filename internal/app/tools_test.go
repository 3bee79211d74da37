package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect/libredesk"
	"github.com/aside-project/aside/internal/testkit/fakedesk"
)

const (
	deskChat   = "0b54c9de-0000-4000-8000-0000000000aa"
	linkSecret = "0123456789abcdef0123456789abcdef"
)

// TestLibredesk is a whole server beside a Libredesk: a customer's message there
// becomes a suggestion, the suggestion a private note, and an agent's press of
// send a message in the agent's own name.
func TestLibredesk(t *testing.T) {
	desk := fakedesk.New(t, fakedesk.Agent{ID: 1, Name: "Aside", Key: "own:secret"}, fakedesk.Agent{ID: 2, Name: "Wren", Key: "wren:secret"})
	a, cfg := server(t, func(c *app.Config) {
		c.Libredesk = libredesk.Config{URL: desk.URL, WebhookSecret: "hook secret", Key: "own:secret", Keys: "wren:secret", Notes: true, Typing: true, LinkSecret: linkSecret}
	})
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	res, err := http.Post(a.URL()+"/v1/hooks/libredesk", "application/json", strings.NewReader(`{"event":"webhook.test"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an unsigned delivery was answered with %d", res.StatusCode)
	}
	desk.Webhook(a.URL()+"/v1/hooks/libredesk", "hook secret")
	desk.Write(deskChat, "The zipper of my jacket broke after 60 days. Can I have my money back?")
	note := func() (found fakedesk.Message, n int) {
		for _, m := range desk.Messages(deskChat) {
			if m.Private && m.Type == "outgoing" {
				found, n = m, n+1
			}
		}
		return found, n
	}
	desk.Wait("the note", func() bool { _, n := note(); return n == 1 })
	if m, _ := note(); m.Author != 1 || !strings.Contains(m.Text, "refunded in full") || !strings.Contains(m.HTML, "<p><strong>Suggested reply</strong>") {
		t.Errorf("the note: %+v", m)
	}

	conversation := "libredesk:" + deskChat
	wren := dial(t, a, pressLink(t, a, desk, conversation))
	if f := wren.send("conversation.open", "x", "libredesk:another", map[string]int{"after": 0}); f.Error == nil {
		t.Error("the token of one conversation opens another")
	}
	wren.send("conversation.open", "o", conversation, map[string]int{"after": 0})
	ready := wren.until("suggestion.ready", "refunded in full")
	if len(ready.Data) == 0 {
		t.Error("no suggestion")
	}
	nobody := connect(t, a, cfg, maya) // an agent who has no key
	if f := nobody.send("reply.send", "m1", conversation, map[string]string{"text": "Hello"}); f.Error == nil || f.Error.Code != assist.Forbidden {
		t.Errorf("an agent without a key was answered %+v", f)
	}
	for range 2 {
		if f := wren.send("reply.send", "r1", conversation, map[string]string{"text": "Yes, we refund it in full."}); f.Error != nil {
			t.Fatalf("the reply was refused: %+v", f.Error)
		}
	}
	desk.Write(deskChat, "Wonderful, thank you!")
	wren.until("turn.added", "Wonderful")
	said := 0
	for _, m := range desk.Messages(deskChat) {
		if m.Type == "outgoing" && !m.Private {
			said++
			if m.Author != 2 || m.Text != "Yes, we refund it in full." {
				t.Errorf("said to the customer: %+v", m)
			}
		}
	}
	if said != 1 {
		t.Errorf("%d messages to the customer, want the one that was sent", said)
	}
	replies := 0
	for _, f := range wren.seen {
		if f.Type == "turn.added" && strings.Contains(string(f.Data), "Yes, we refund it in full.") {
			replies++
		}
	}
	if replies != 1 {
		t.Errorf("the reply is %d turns", replies)
	}

	// The doctor of the same configuration sees that deliveries come.
	end := time.After(time.Minute)
	for {
		var hook app.Check
		bad := ""
		for _, c := range app.Examine(t.Context(), cfg, quiet()) {
			if strings.HasPrefix(c.Name, "libredesk") && !c.OK {
				bad += c.Name + ": " + c.Detail + "; "
			}
			if c.Name == "libredesk hook" {
				hook = c
			}
		}
		if bad == "" && strings.Contains(hook.Detail, "last delivery") {
			break
		}
		select {
		case <-time.After(50 * time.Millisecond): // marks are written behind the answer
		case <-end:
			t.Fatalf("the doctor says %s", bad)
		}
	}
}

// pressLink follows the context link as a browser does, to a token for the panel.
func pressLink(t *testing.T, a *app.App, desk *fakedesk.Desk, conversation string) (token string) {
	t.Helper()
	q := url.Values{"tool": {"libredesk"}, "c": {deskChat}, "t": {desk.LinkToken(linkSecret, deskChat, 2)}}
	get := func(q url.Values) url.Values {
		c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.Get(a.URL() + "/panel?" + q.Encode())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		to, err := res.Location()
		if err != nil {
			t.Fatal(err)
		}
		fragment, err := url.ParseQuery(to.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		return fragment
	}
	good := get(q)
	if good.Get("conversation") != conversation || good.Get("token") == "" {
		t.Fatalf("the link led to %v", good)
	}
	q.Set("t", desk.LinkToken("another secret of 32 characters!", deskChat, 2))
	if forged := get(q); forged.Has("token") || forged.Get("error") == "" {
		t.Errorf("a forged link led to %v", forged)
	}
	return good.Get("token")
}
