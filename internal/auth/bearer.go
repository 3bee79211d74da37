package auth

import (
	"net/http"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Bearer finds the token of a request: in the Authorization header or, for
// browsers, which cannot set headers on a WebSocket, among the subprotocols as
// "aside.v1, bearer.TOKEN". It never looks at the URL, which ends up in logs. A
// request that brings two different tokens is refused.
func Bearer(r *http.Request) (string, error) {
	found := ""
	take := func(token string) error {
		switch {
		case token == "":
			return missing()
		case found != "" && found != token:
			return assist.Errorf(assist.Unauthenticated, "the request brings two different tokens: send one")
		}
		found = token
		return nil
	}
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, _ := strings.Cut(strings.TrimSpace(h), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", assist.Errorf(assist.Unauthenticated, "the Authorization header must be \"Bearer TOKEN\"")
		}
		if err := take(strings.TrimSpace(token)); err != nil {
			return "", err
		}
	}
	for _, h := range r.Header.Values("Sec-WebSocket-Protocol") {
		for _, p := range strings.Split(h, ",") {
			if token, ok := strings.CutPrefix(strings.TrimSpace(p), "bearer."); ok {
				if err := take(token); err != nil {
					return "", err
				}
			}
		}
	}
	if found == "" {
		return "", missing()
	}
	return found, nil
}
