package ws

import (
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Close codes: 4000 to 4099 mean reconnect and resume, 4400 to 4499 do not.
const (
	goingAway       = 4001
	slow            = 4002
	idle            = 4003
	malformed       = 4400
	unauthenticated = 4401
	forbidden       = 4403
	tooLarge        = 4413
	rateExceeded    = 4429
)

func closeCode(err error) int {
	if assist.CodeOf(err) == assist.Forbidden {
		return forbidden
	}
	return unauthenticated
}

// reason fits words into a close frame, which holds 123 bytes.
func reason(words string) string {
	if len(words) > 123 {
		words = strings.ToValidUTF8(words[:120], "") + "…"
	}
	return words
}
