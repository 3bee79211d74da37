package oidc

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How a whole sign-in goes, and goes wrong, is tested in internal/app with a
// provider of the test's own.

func TestRoles(t *testing.T) {
	roles, err := ParseRoles("support=agent, support-leads=lead ,seniors=senior")
	if err != nil {
		t.Fatal(err)
	}
	open, err := ParseRoles("*=agent,leads=lead")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		roles  map[string]string
		name   string
		claims string
		want   string
	}{
		{roles, "groups", `{"groups":["sales","support"]}`, "agent"},
		{roles, "groups", `{"groups":["support","support-leads","seniors"]}`, "lead"},
		{roles, "groups", `{"groups":"seniors"}`, "senior"},
		{roles, "groups", `{"groups":["Support"]}`, ""},
		{roles, "groups", `{"groups":["*"]}`, ""},
		{roles, "groups", `{"groups":[7,{"x":1},null]}`, ""},
		{roles, "groups", `{"groups":{"support":true}}`, ""},
		{roles, "groups", `{}`, ""},
		{roles, "realm_access.roles", `{"realm_access":{"roles":["support"]}}`, "agent"},
		{roles, "realm_access.roles", `{"realm_access":"support"}`, ""},
		{roles, "https://shop.example/roles", `{"https://shop.example/roles":["support"]}`, "agent"}, // dots that lead nowhere
		{open, "groups", `{}`, "agent"},
		{open, "groups", `{"groups":["leads"]}`, "lead"},
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(tc.claims), &claims); err != nil {
			t.Fatal(err)
		}
		if got := authority(tc.roles, values(claims, tc.name)); got != tc.want {
			t.Errorf("%s of %s: %q, want %q", tc.name, tc.claims, got, tc.want)
		}
	}
	for _, bad := range []string{"", "support", "support=", "=agent", "support=owner", "support=agent,,"} {
		if got, err := ParseRoles(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
}

func TestPending(t *testing.T) {
	p := Pending{"state", "nonce", "verifier"}
	if got, err := DecodePending(p.Encode()); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "x", "e30", Pending{State: "s"}.Encode()} {
		if _, err := DecodePending(bad); assist.CodeOf(err) != assist.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestProviderDown: a server starts without its provider, and says so to whoever
// signs in; another try asks again.
func TestProviderDown(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	p := New(Config{Issuer: s.URL, ClientID: "c"})
	for range 2 {
		if _, _, err := p.Begin(context.Background()); assist.CodeOf(err) != assist.Unavailable {
			t.Errorf("%v", err)
		}
	}
	if p.EndURL(context.Background(), "") != "" || !slices.Contains(p.cfg.Scopes, "openid") {
		t.Errorf("%+v", p.cfg)
	}
}
