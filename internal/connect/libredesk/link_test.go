package libredesk

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

const linkSecret = "0123456789abcdef0123456789abcdef"

func query(t testing.TB, link string) url.Values {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// linked is a connector that signs agents on, at a time that can be set.
func linked(t testing.TB, at *time.Time) *Connector {
	t.Helper()
	now := func() time.Time { return *at }
	c, err := New(Config{URL: "https://desk.example", WebhookSecret: "s", LinkSecret: linkSecret}, Options{Marks: newMarks(now), Logger: quiet(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// seal makes a token as Libredesk does.
func seal(t testing.TB, secret string, v any) string {
	t.Helper()
	plain, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("123456789012")
	return base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil))
}

func TestSignOn(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := linked(t, &at)
	good := linkToken{AgentID: 7, AgentEmail: "wren@shop.example", Conversation: "0b54c9de-0000-4000-8000-000000000001", Issued: at.Unix(), Expires: at.Unix() + 300}
	token := func(secret string, change func(*linkToken)) url.Values {
		l := good
		if change != nil {
			change(&l)
		}
		return url.Values{"t": {seal(t, secret, l)}, "c": {l.Conversation}}
	}
	who, err := c.SignOn(token(linkSecret, nil))
	if err != nil || who.Subject != "libredesk:agent:7" || who.Conversation != "libredesk:"+good.Conversation || who.Actor != assist.ActorAgent {
		t.Fatalf("a good link gave %+v, %v", who, err)
	}
	if left := who.Expires.Sub(at); left <= 0 || left > time.Hour {
		t.Errorf("signed on for %s", left)
	}
	other := token(linkSecret, nil)
	other.Set("c", "another-conversation")
	broken := token(linkSecret, nil)
	broken.Set("t", "A"+broken.Get("t")[1:])
	for name, q := range map[string]url.Values{
		"sealed with another secret": token("another secret of 32 characters!", nil),
		"expired":                    token(linkSecret, func(l *linkToken) { l.Issued -= 1000; l.Expires -= 1000 }),
		"from the future":            token(linkSecret, func(l *linkToken) { l.Issued += 1000; l.Expires += 1000 }),
		"that never expires":         token(linkSecret, func(l *linkToken) { l.Expires += 1 << 30 }),
		"without an expiry":          token(linkSecret, func(l *linkToken) { l.Expires = 0 }),
		"of nobody":                  token(linkSecret, func(l *linkToken) { l.AgentID = 0 }),
		"for no conversation":        token(linkSecret, func(l *linkToken) { l.Conversation = "" }),
		"for another conversation":   other,
		"with a changed nonce":       broken,
		"empty":                      {},
		"not base64":                 {"t": {"***"}},
		"too short":                  {"t": {"AAAA"}},
	} {
		if who, err := c.SignOn(q); assist.CodeOf(err) != assist.Unauthenticated || who != (assist.Identity{}) {
			t.Errorf("a link %s gave %+v, %v", name, who, err)
		}
	}
}
