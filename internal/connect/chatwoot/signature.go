package chatwoot

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// window is how far a delivery's timestamp may be from now: Chatwoot makes a new
// one for each attempt.
const window = 5 * time.Minute

// sign gives the value of X-Chatwoot-Signature.
func sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// verify says whether a delivery comes from Chatwoot. tail is what its path has
// behind the hook's name: versions before 4.11.2 (the bot's: 4.13.0) sign nothing,
// there the configured path secret must stand at its end. A signature that is there
// and can be checked must hold in any case.
func verify(secret, pathSecret, tail string, h http.Header, body []byte, now time.Time) error {
	known := pathSecret != "" && subtle.ConstantTimeCompare([]byte(tail), []byte(pathSecret)) == 1
	if tail != "" && !known {
		return assist.Errorf(assist.Unauthenticated, "the address of this webhook is not the configured one")
	}
	signature, timestamp := h.Get("X-Chatwoot-Signature"), h.Get("X-Chatwoot-Timestamp")
	switch {
	case secret == "" && known, signature == "" && known:
		return nil
	case secret == "":
		return assist.Errorf(assist.Unauthenticated, "no secret is configured for this webhook: set ASIDE_CHATWOOT_SECRET (the bot's: ASIDE_CHATWOOT_BOT_SECRET) to the one that Chatwoot shows with it")
	case signature == "":
		return assist.Errorf(assist.Unauthenticated, "the delivery is not signed: Chatwoot before 4.11.2 needs ASIDE_CHATWOOT_PATH_SECRET and an address that ends in it")
	}
	if !hmac.Equal([]byte(strings.ToLower(signature)), []byte(sign(secret, timestamp, body))) {
		return assist.Errorf(assist.Unauthenticated, "the signature does not fit: the configured secret must be the one that Chatwoot shows with this webhook")
	}
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return assist.Errorf(assist.Unauthenticated, "X-Chatwoot-Timestamp is not in Unix seconds")
	}
	if off := now.Sub(time.Unix(seconds, 0)); off > window || off < -window {
		return assist.Errorf(assist.Unauthenticated, "the delivery is more than 5 minutes old, or the clocks differ")
	}
	return nil
}
