package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aside-project/aside/internal/assist"
)

func TestContexts(t *testing.T) {
	c, err := NewContexts(secret)
	if err != nil {
		t.Fatal(err)
	}
	c.now = func() time.Time { return now }
	ada := assist.Identity{Subject: "ada", Name: "Ada", Conversation: "conv_1", Authority: "senior"}
	good, err := c.Sign(ada, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Verify(good)
	if err != nil || got.Actor != assist.ActorAgent || got.Conversation != "conv_1" || got.Authority != "senior" || !got.MayRead("conv_1") || got.MayRead("conv_2") {
		t.Fatalf("%+v, %v", got, err)
	}
	if !IsContext(good) {
		t.Error("a context is not known as one")
	}
	forge := func(key []byte, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"sub": "ada", "conversation": "conv_1", "aud": PanelAudience, "exp": now.Add(time.Minute).Unix()}
		change(claims)
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	keep := func(jwt.MapClaims) {}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "ada", "conversation": "conv_1", "aud": PanelAudience, "exp": now.Add(time.Minute).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ token, words string }{
		"forged":                {forge(other, keep), "signature"},
		"unsigned":              {none, "signature"},
		"expired":               {forge(secret, func(c jwt.MapClaims) { c["exp"] = now.Add(-2 * time.Minute).Unix() }), "expired"},
		"for ever":              {forge(secret, func(c jwt.MapClaims) { delete(c, "exp") }), "exp"},
		"for a day":             {forge(secret, func(c jwt.MapClaims) { c["exp"] = now.Add(24 * time.Hour).Unix() }), "an hour"},
		"of the server":         {forge(secret, func(c jwt.MapClaims) { c["aud"] = Name }), "aud"},
		"no conversation":       {forge(secret, func(c jwt.MapClaims) { delete(c, "conversation") }), "conversation"},
		"no agent":              {forge(secret, func(c jwt.MapClaims) { delete(c, "sub") }), "sub"},
		"made-up authority":     {forge(secret, func(c jwt.MapClaims) { c["authority"] = "owner" }), "authority"},
		"another conversation!": {good[:strings.LastIndex(good, ".")] + "." + strings.Repeat("A", 43), "signature"},
		"garbage":               {"x.y.z", "JWT"},
	} {
		if id, err := c.Verify(tc.token); assist.CodeOf(err) != assist.Unauthenticated || !strings.Contains(assist.MessageOf(err), tc.words) || id != (assist.Identity{}) {
			t.Errorf("%s: %+v, %v", name, id, err)
		}
	}
	// A context is nothing to the server's own signer, even of the same secret.
	if _, err := newSigner(t, secret).Verify(good); err == nil {
		t.Error("the signer takes a context for a token")
	}
	if _, err := NewContexts([]byte("short")); err == nil {
		t.Error("a short secret was accepted")
	}
}

// TestSessionsAreNoBearers: what lies in the cookie opens nothing by itself.
func TestSessionsAreNoBearers(t *testing.T) {
	s := newSigner(t, secret)
	ada := assist.Identity{Subject: "ada", Actor: assist.ActorAgent, Session: "s1"}
	session, err := s.SignSession(ada, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(session); err == nil {
		t.Error("a session is taken for a token")
	}
	if got, err := s.VerifySession(session); err != nil || got.Session != "s1" {
		t.Errorf("%+v, %v", got, err)
	}
	token, err := s.Sign(ada, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.VerifySession(token); err == nil {
		t.Error("a token is taken for a session")
	}
	if got, err := s.Verify(token); err != nil || got.Session != "s1" {
		t.Errorf("%+v, %v", got, err)
	}
}
