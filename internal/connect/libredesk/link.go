package libredesk

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

const (
	// panelFor is how long a panel opened from Libredesk stays signed in; then its
	// button is pressed again.
	panelFor = time.Hour
	// skew is how far the two clocks may differ.
	skew = time.Minute
	// maxLink is how long a link's token may live: longer ones are not ours.
	maxLink = 24 * time.Hour
)

// linkToken is what Libredesk seals into a context link.
type linkToken struct {
	AgentID      int64  `json:"agent_id"`
	AgentEmail   string `json:"agent_email"`
	Conversation string `json:"conversation_uuid"`
	Issued       int64  `json:"iat"`
	Expires      int64  `json:"exp"`
}

// SignOn implements connect.SignOn: it says who opened a context link, for which
// conversation. The link is
//
//	https://aside.example/panel?tool=libredesk&c={{conversation_uuid}}&t={{token}}
//
// and t is base64(nonce of 12 bytes ‖ AES-256-GCM of JSON), sealed with the link's
// secret. Whoever holds the link within its expiry is believed, so the identity is
// for that one conversation and for an hour. Every refusal reads the same.
func (c *Connector) SignOn(q url.Values) (assist.Identity, error) {
	if c.cfg.LinkSecret == "" {
		return assist.Identity{}, assist.Errorf(assist.Unavailable, "sign-on from Libredesk is not set up here: ASIDE_LIBREDESK_LINK_SECRET is missing")
	}
	t, ok := open(c.cfg.LinkSecret, q.Get("t"))
	if !ok || q.Has("c") && q.Get("c") != t.Conversation {
		return assist.Identity{}, assist.Errorf(assist.Unauthenticated, "this link was not made by your Libredesk: press its button again")
	}
	now := c.o.Now()
	issued, expires := time.Unix(t.Issued, 0), time.Unix(t.Expires, 0)
	if now.After(expires.Add(skew)) || issued.After(now.Add(skew)) || expires.Sub(issued) > maxLink {
		return assist.Identity{}, assist.Errorf(assist.Unauthenticated, "this link has expired: press its button in Libredesk again")
	}
	who := c.agent(t.AgentID)
	if who.Name == "" {
		who.Name = clip(strings.ToValidUTF8(t.AgentEmail, ""), assist.MaxName)
	}
	who.Conversation, who.Expires = prefix+t.Conversation, now.Add(panelFor)
	return who, nil
}

// open unseals a link's token. A "+" that a browser made a space is one again.
func open(secret, token string) (t linkToken, ok bool) {
	if len(token) > 4096 {
		return t, false
	}
	sealed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(token, " ", "+"))
	if err != nil {
		return t, false
	}
	block, err := aes.NewCipher([]byte(secret))
	if err != nil {
		return t, false
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil || len(sealed) < gcm.NonceSize() {
		return t, false
	}
	plain, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	if err != nil || json.Unmarshal(plain, &t) != nil {
		return t, false
	}
	return t, t.AgentID > 0 && validID(t.Conversation)
}
