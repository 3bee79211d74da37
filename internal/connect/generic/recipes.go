package generic

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// verifyZendesk checks a webhook of Zendesk: base64 of HMAC-SHA256 over timestamp and
// body with nothing between them. The body of a trigger's webhook is written by
// whoever sets it up: ours (deploy/connect-generic.md has it).
func verifyZendesk(secret string, h http.Header, body []byte, now time.Time) error {
	if secret == "" {
		return assist.Errorf(assist.Unauthenticated, "this webhook has no secret yet: set ASIDE_HOOK_ZENDESK_SECRET to the one that Zendesk shows with it")
	}
	timestamp := h.Get("X-Zendesk-Webhook-Signature-Timestamp")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write(body)
	if !hmac.Equal([]byte(h.Get("X-Zendesk-Webhook-Signature")), []byte(base64.StdEncoding.EncodeToString(mac.Sum(nil)))) {
		return assist.Errorf(assist.Unauthenticated, "the signature does not fit: ASIDE_HOOK_ZENDESK_SECRET must be the secret that Zendesk shows with this webhook")
	}
	at, err := time.Parse(time.RFC3339, timestamp)
	if err != nil {
		return assist.Errorf(assist.Unauthenticated, "X-Zendesk-Webhook-Signature-Timestamp is not a time")
	}
	return fresh(at, now)
}

// verifyIntercom checks a webhook of Intercom: hex of HMAC-SHA1 over the body. It has
// no time in it; what is sent again is the same turn.
func verifyIntercom(secret string, h http.Header, body []byte) error {
	if secret == "" {
		return assist.Errorf(assist.Unauthenticated, "this webhook has no secret yet: set ASIDE_HOOK_INTERCOM_SECRET to the client secret of your Intercom app")
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write(body)
	if !hmac.Equal([]byte(strings.ToLower(h.Get("X-Hub-Signature"))), []byte("sha1="+hex.EncodeToString(mac.Sum(nil)))) {
		return assist.Errorf(assist.Unauthenticated, "the signature does not fit: ASIDE_HOOK_INTERCOM_SECRET must be the client secret of your Intercom app")
	}
	return nil
}

// readIntercom makes turns of a notification of Intercom: of what a customer or an
// admin said, and of a closing. Notes and everything else are of no use here.
func readIntercom(body []byte) ([]Turn, error) {
	type author struct {
		Type string `json:"type"`
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	type part struct {
		ID        string `json:"id"`
		Type      string `json:"part_type"`
		Body      string `json:"body"`
		CreatedAt int64  `json:"created_at"`
		Author    author `json:"author"`
	}
	var n struct {
		Topic string `json:"topic"`
		Data  struct {
			Item struct {
				ID     string `json:"id"`
				Source part   `json:"source"`
				Parts  struct {
					List []part `json:"conversation_parts"`
				} `json:"conversation_parts"`
				CreatedAt int64 `json:"created_at"`
			} `json:"item"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, assist.Wrap(err, assist.Invalid, "the body is not a notification of Intercom")
	}
	item := n.Data.Item
	parts := item.Parts.List
	role := assist.RoleCustomer
	switch n.Topic {
	case "conversation.user.created":
		item.Source.CreatedAt = item.CreatedAt
		parts = []part{item.Source}
	case "conversation.user.replied":
	case "conversation.admin.replied":
		role = assist.RoleAgent
	case "conversation.admin.closed":
		return []Turn{{ID: "closed", Conversation: item.ID, Closed: true}}, nil
	default: // also "ping"
		return nil, nil
	}
	var turns []Turn
	for _, p := range parts {
		text := plainText(p.Body)
		if text == "" || p.Type == "note" {
			continue
		}
		turn := Turn{ID: "part-" + p.ID, Conversation: item.ID, Role: role, Text: text, Name: p.Author.Name}
		if p.Author.Type == "bot" {
			turn.Role = assist.RoleBot
		}
		if role == assist.RoleCustomer {
			turn.Customer = p.Author.ID
		}
		if p.CreatedAt > 0 {
			turn.At = time.Unix(p.CreatedAt, 0).UTC()
		}
		if err := turn.validate(); err != nil {
			return nil, err
		}
		turns = append(turns, turn)
	}
	return turns, nil
}

var (
	lineEnds = regexp.MustCompile(`(?i)<(br|/p|/div|/li)[^<>]*>`)
	marks    = regexp.MustCompile(`<[^<>]*>`)
)

// plainText is what a reader of the HTML sees, near enough for a transcript. It goes
// nowhere as HTML again.
func plainText(s string) string {
	s = html.UnescapeString(marks.ReplaceAllString(lineEnds.ReplaceAllString(s, "\n"), ""))
	s = strings.TrimSpace(strings.ReplaceAll(s, "\x00", ""))
	if r := []rune(s); len(r) > assist.MaxText {
		s = string(r[:assist.MaxText-1]) + "…"
	}
	return s
}
