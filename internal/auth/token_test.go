package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	other  = []byte("another-secret-another-secret-!!")
	now    = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
)

func newSigner(t testing.TB, keys ...[]byte) *Signer {
	t.Helper()
	s, err := NewSigner(keys[0], keys[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return now }
	return s
}

func TestSignVerify(t *testing.T) {
	s := newSigner(t, secret)
	for _, id := range []assist.Identity{
		{Subject: "a1", Actor: assist.ActorAgent, Name: "Ada"},
		{Subject: "c1", Actor: assist.ActorCustomer, Conversation: "conv_1"},
		{Subject: "tool", Actor: assist.ActorSource},
		{Subject: "m1", Actor: assist.ActorMaintainer},
	} {
		token, err := s.Sign(id, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Verify(token)
		if err != nil {
			t.Fatal(err)
		}
		got.Expires, got.Issued = got.Expires.UTC(), got.Issued.UTC()
		id.Expires, id.Issued, id.Token = now.Add(time.Hour), now, got.Token // an id of its own
		if d := cmp.Diff(id, got); d != "" {
			t.Error(d)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	s := newSigner(t, secret)
	for name, id := range map[string]assist.Identity{
		"no subject":               {Actor: assist.ActorAgent},
		"no such role":             {Subject: "x", Actor: "root"},
		"customer without a chat":  {Subject: "x", Actor: assist.ActorCustomer},
		"control in conversation":  {Subject: "x", Actor: assist.ActorCustomer, Conversation: "a\nb"},
		"name longer than allowed": {Subject: "x", Actor: assist.ActorAgent, Name: strings.Repeat("n", assist.MaxName+1)},
	} {
		if _, err := s.Sign(id, time.Hour); assist.CodeOf(err) != assist.Invalid {
			t.Errorf("%s: got %v, want invalid", name, err)
		}
	}
	if _, err := s.Sign(assist.Identity{Subject: "x", Actor: assist.ActorAgent}, 0); err == nil {
		t.Error("a lifetime of 0 was accepted")
	}
}

func TestShortSecretRefused(t *testing.T) {
	if _, err := NewSigner(secret[:31]); err == nil {
		t.Error("a secret of 31 bytes was accepted")
	}
	if _, err := NewSigner(secret, []byte("short")); err == nil {
		t.Error("a short retired secret was accepted")
	}
}

func TestRotation(t *testing.T) {
	id := assist.Identity{Subject: "a1", Actor: assist.ActorAgent}
	old, err := newSigner(t, other).Sign(id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	rotated := newSigner(t, secret, other)
	if _, err := rotated.Verify(old); err != nil {
		t.Errorf("a token of the retired secret: %v", err)
	}
	fresh, err := rotated.Sign(id, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSigner(t, other).Verify(fresh); err == nil {
		t.Error("the rotated signer still signs with the retired secret")
	}
}

// TestForged holds the table of threat T5: none of these may be believed.
func TestForged(t *testing.T) {
	s := newSigner(t, secret)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := func() jwt.MapClaims {
		return jwt.MapClaims{"iss": "aside", "aud": "aside", "sub": "a1", "role": "agent", "exp": now.Add(time.Hour).Unix()}
	}
	sign := func(m jwt.SigningMethod, key any, header map[string]any, edit func(jwt.MapClaims)) string {
		c := good()
		if edit != nil {
			edit(c)
		}
		tok := jwt.NewWithClaims(m, c)
		for k, v := range header {
			tok.Header[k] = v
		}
		out, err := tok.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	hs := func(edit func(jwt.MapClaims)) string { return sign(jwt.SigningMethodHS256, secret, nil, edit) }
	if _, err := s.Verify(hs(nil)); err != nil {
		t.Fatalf("the token all forgeries start from is refused: %v", err)
	}
	raw := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	valid := hs(nil)
	parts := strings.Split(valid, ".")

	const unsigned, foreign, malformed = "not signed by this server", "another service", "malformed"
	for _, tc := range []struct{ name, token, words string }{
		{"empty", "", "no token"},
		{"garbage", "garbage", malformed},
		{"two parts", parts[0] + "." + parts[1], malformed},
		{"five parts", valid + ".x.y", malformed},
		{"huge", valid + strings.Repeat("A", MaxToken), "longer than 4096 bytes"},
		{"claims are not JSON", parts[0] + "." + raw("{") + "." + parts[2], malformed},
		{"alg none", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil), unsigned},
		{"alg nOnE", raw(`{"alg":"nOnE","typ":"JWT"}`) + "." + parts[1] + ".", unsigned},
		{"signature removed", parts[0] + "." + parts[1] + ".", unsigned},
		{"signature of other claims", parts[0] + "." + strings.Split(hs(func(c jwt.MapClaims) { c["sub"] = "root" }), ".")[1] + "." + parts[2], unsigned},
		{"alg HS384", sign(jwt.SigningMethodHS384, secret, nil, nil), unsigned},
		{"alg HS512", sign(jwt.SigningMethodHS512, secret, nil, nil), unsigned},
		{"alg RS256", sign(jwt.SigningMethodRS256, rsaKey, nil, nil), unsigned},
		{"RS256 header over an HMAC", sign(jwt.SigningMethodHS256, secret, map[string]any{"alg": "RS256"}, nil), unsigned},
		{"another secret", sign(jwt.SigningMethodHS256, other, nil, nil), unsigned},
		{"another secret, kid names a file", sign(jwt.SigningMethodHS256, []byte(""), map[string]any{"kid": "/dev/null"}, nil), unsigned},
		{"another secret, its own jwk", sign(jwt.SigningMethodHS256, other, map[string]any{"jwk": map[string]string{"kty": "oct", "k": raw(string(other))}}, nil), unsigned},
		{"no issuer", hs(func(c jwt.MapClaims) { delete(c, "iss") }), ""},
		{"foreign issuer", hs(func(c jwt.MapClaims) { c["iss"] = "evil" }), foreign},
		{"no audience", hs(func(c jwt.MapClaims) { delete(c, "aud") }), ""},
		{"foreign audience", hs(func(c jwt.MapClaims) { c["aud"] = []string{"shop", "forum"} }), foreign},
		{"expired", hs(func(c jwt.MapClaims) { c["exp"] = now.Add(-Leeway - time.Second).Unix() }), "expired"},
		{"no exp", hs(func(c jwt.MapClaims) { delete(c, "exp") }), "incomplete"},
		{"exp is words", hs(func(c jwt.MapClaims) { c["exp"] = "tomorrow" }), malformed},
		{"nbf in the future", hs(func(c jwt.MapClaims) { c["nbf"] = now.Add(time.Hour).Unix() }), "not valid yet"},
		{"no subject", hs(func(c jwt.MapClaims) { delete(c, "sub") }), "sub is missing"},
		{"no role", hs(func(c jwt.MapClaims) { delete(c, "role") }), "role must be"},
		{"unknown role", hs(func(c jwt.MapClaims) { c["role"] = "admin" }), "role must be"},
		{"role is a list", hs(func(c jwt.MapClaims) { c["role"] = []string{"agent"} }), malformed},
		{"customer without a conversation", hs(func(c jwt.MapClaims) { c["role"] = "customer" }), "conversation is missing"},
		{"NUL in the subject", hs(func(c jwt.MapClaims) { c["sub"] = "a\x00b" }), "NUL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := s.Verify(tc.token)
			if assist.CodeOf(err) != assist.Unauthenticated {
				t.Fatalf("got %+v, %v; want unauthenticated", id, err)
			}
			if words := assist.MessageOf(err); !strings.Contains(words, tc.words) {
				t.Errorf("the words are %q, want %q among them", words, tc.words)
			}
			if id != (assist.Identity{}) {
				t.Errorf("a refused token still gave %+v", id)
			}
		})
	}
}

func TestLeeway(t *testing.T) {
	s := newSigner(t, secret)
	token, err := s.Sign(assist.Identity{Subject: "a", Actor: assist.ActorAgent}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return now.Add(time.Minute + Leeway - time.Second) }
	if _, err := s.Verify(token); err != nil {
		t.Errorf("within the leeway: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	s := newSigner(f, secret)
	// With an id of its own the token would differ between the fuzzing processes.
	token, err := s.Sign(assist.Identity{Subject: "a", Actor: assist.ActorAgent, Token: "one"}, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, in string) {
		id, err := s.Verify(in)
		if err == nil && in != token {
			t.Fatalf("believed %q as %+v", in, id)
		}
		if err != nil && assist.CodeOf(err) != assist.Unauthenticated {
			t.Fatalf("%q: %v", in, err)
		}
	})
}

func TestAuthority(t *testing.T) {
	s, err := NewSigner([]byte("a secret of tests, long enough to sign with"))
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"", "agent", "senior", "lead"} {
		token, err := s.Sign(assist.Identity{Subject: "a", Actor: assist.ActorAgent, Authority: role}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Verify(token); err != nil || got.Authority != role {
			t.Errorf("%q came back as %q, %v", role, got.Authority, err)
		}
	}
	for _, id := range []assist.Identity{
		{Subject: "a", Actor: assist.ActorAgent, Authority: "chief"},
		{Subject: "a", Actor: assist.ActorCustomer, Conversation: "c", Authority: "lead"},
		{Subject: "a", Actor: assist.ActorSource, Authority: "lead"},
	} {
		if _, err := s.Sign(id, time.Hour); assist.CodeOf(err) != assist.Invalid {
			t.Errorf("%+v was signed: %v", id, err)
		}
	}
}
