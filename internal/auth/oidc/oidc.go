// Package oidc signs agents in with a company's own provider: OpenID Connect,
// authorization code with PKCE, state and nonce. It is the only importer of
// go-oidc and oauth2.
//
// It keeps no state: what a sign-in must remember between its two requests is a
// Pending, which the caller keeps in the browser's cookie. The provider is asked
// for its addresses and keys when somebody first signs in, so a server starts
// while the provider is down; every call to it has a deadline.
package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/aside-project/aside/internal/assist"
)

const (
	patience = 10 * time.Second // for each call to the provider
	rest     = 2 * time.Second  // after it could not be reached: who waited is told the same
)

// Config says which provider, and who of its people may in.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret string // "": a public client; PKCE guards it either way
	RedirectURL  string // ours, as it is registered with the provider
	HomeURL      string // where the provider sends people after signing out
	Scopes       []string
	RoleClaim    string // a claim of the ID token; "realm.roles" is one inside another
	// Roles gives a value of the claim its authority: agent, senior or lead. "*" is
	// everyone the provider signs in. Who has none may not in.
	Roles map[string]string
}

// Person is somebody who signed in.
type Person struct {
	Subject, Name, Authority string
	IDToken                  string // as the provider sent it: EndURL takes it
}

// Pending is what one sign-in remembers until the browser comes back.
type Pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Encode gives it as a cookie's value.
func (p Pending) Encode() string {
	b, _ := json.Marshal(p) // strings only: cannot fail
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodePending reads what Encode wrote.
func DecodePending(s string) (p Pending, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil || p.State == "" || p.Nonce == "" || p.Verifier == "" {
		return Pending{}, assist.Wrap(err, assist.Invalid, "this sign-in was not begun in this browser, or too long ago: begin again")
	}
	return p, nil
}

// Provider is one provider. It is safe for concurrent use.
type Provider struct {
	cfg    Config
	client *http.Client

	mu     sync.Mutex
	known  *known
	failed error // why it could not be reached, at `at`
	at     time.Time
}

type known struct {
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
	oauth    oauth2.Config
	end      string // where one signs out; "": nowhere
}

// New makes a Provider. Nothing is asked yet.
func New(c Config) *Provider {
	c.RoleClaim = cmp.Or(c.RoleClaim, "groups")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{oidc.ScopeOpenID, "profile", "email"}
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true} // asked seldom: nothing of it stays open
	return &Provider{cfg: c, client: &http.Client{Timeout: patience, Transport: t}}
}

// discover asks the provider once; a failure is asked again after a rest.
func (p *Provider) discover(ctx context.Context) (*known, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil {
		return p.known, nil
	}
	if p.failed != nil && time.Since(p.at) < rest {
		return nil, p.failed
	}
	// The keys are fetched later with this context: it must outlive the request.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		p.failed = assist.Wrap(err, assist.Unavailable, "the sign-in provider cannot be reached at the moment; try again")
		p.at = time.Now()
		return nil, p.failed
	}
	var more struct {
		End string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return nil, assist.Wrap(err, assist.Unavailable, "the sign-in provider's description cannot be read")
	}
	p.known = &known{
		provider: provider,
		verifier: provider.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}),
		oauth: oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: provider.Endpoint(),
			RedirectURL: p.cfg.RedirectURL, Scopes: p.cfg.Scopes},
		end: more.End,
	}
	return p.known, nil
}

// Check says whether the provider answers; for the doctor.
func (p *Provider) Check(ctx context.Context) error {
	_, err := p.discover(ctx)
	return err
}

// Begin gives where to send the browser, and what to remember until it is back.
func (p *Provider) Begin(ctx context.Context) (location string, pending Pending, err error) {
	k, err := p.discover(ctx)
	if err != nil {
		return "", Pending{}, err
	}
	pending = Pending{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return k.oauth.AuthCodeURL(pending.State, oidc.Nonce(pending.Nonce), oauth2.S256ChallengeOption(pending.Verifier)), pending, nil
}

// Finish trades the code for who it is. Errors: Invalid when the browser's answer
// does not belong to this sign-in, Unauthenticated when the provider's word does
// not hold, Forbidden when the person has no role here.
func (p *Provider) Finish(ctx context.Context, pending Pending, state, code string) (Person, error) {
	if subtle.ConstantTimeCompare([]byte(state), []byte(pending.State)) != 1 {
		return Person{}, assist.Errorf(assist.Invalid, "this sign-in was not begun in this browser: begin again")
	}
	k, err := p.discover(ctx)
	if err != nil {
		return Person{}, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), patience)
	defer cancel()
	token, err := k.oauth.Exchange(ctx, code, oauth2.VerifierOption(pending.Verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) {
			return Person{}, assist.Wrap(err, assist.Unauthenticated, "the provider did not accept the sign-in: begin again")
		}
		return Person{}, assist.Wrap(err, assist.Unavailable, "the sign-in provider cannot be reached at the moment; try again")
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return Person{}, assist.Errorf(assist.Unauthenticated, "the provider sent no ID token: does the client have the scope openid?")
	}
	id, err := k.verifier.Verify(ctx, raw)
	if err != nil {
		return Person{}, assist.Wrap(err, assist.Unauthenticated, "the provider's ID token does not hold")
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(pending.Nonce)) != 1 {
		return Person{}, assist.Errorf(assist.Unauthenticated, "the provider's ID token is for another sign-in: begin again")
	}
	who, err := p.person(id)
	if err != nil {
		return Person{}, err
	}
	who.IDToken = raw
	return who, nil
}

func (p *Provider) person(id *oidc.IDToken) (Person, error) {
	var names struct {
		Name  string `json:"name"`
		User  string `json:"preferred_username"`
		Email string `json:"email"`
	}
	claims := map[string]any{} // the shape of a role claim is the provider's
	if err := errors.Join(id.Claims(&names), id.Claims(&claims)); err != nil {
		return Person{}, assist.Wrap(err, assist.Unauthenticated, "the provider's ID token cannot be read")
	}
	who := Person{Subject: id.Subject, Name: cmp.Or(names.Name, names.User, names.Email)}
	if runes := []rune(who.Name); len(runes) > assist.MaxName {
		who.Name = string(runes[:assist.MaxName])
	}
	who.Authority = authority(p.cfg.Roles, values(claims, p.cfg.RoleClaim))
	if who.Authority == "" {
		return Person{}, assist.Errorf(assist.Forbidden, "you are signed in, but not as an agent here: whoever runs Aside can give you a role (ASIDE_OIDC_ROLES)")
	}
	return who, nil
}

// values gives a claim's values: a string, or a list of them. A name with dots
// that is no claim itself leads into claims.
func values(claims map[string]any, name string) []string {
	v, ok := claims[name]
	if outer, rest, cut := strings.Cut(name, "."); !ok && cut {
		inner, _ := claims[outer].(map[string]any) // none: nothing is in it
		return values(inner, rest)
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// ranks are the authorities, the greatest last.
var ranks = []string{"", "agent", "senior", "lead"}

// authority is the greatest that one of the values has.
func authority(roles map[string]string, values []string) string {
	best := roles["*"]
	for _, v := range values {
		if a := roles[v]; v != "*" && slices.Index(ranks, a) > slices.Index(ranks, best) {
			best = a
		}
	}
	return best
}

// ParseRoles reads "support=agent,support-leads=lead,*=agent".
func ParseRoles(s string) (map[string]string, error) {
	roles := map[string]string{}
	for part := range strings.SplitSeq(s, ",") {
		value, role, ok := strings.Cut(strings.TrimSpace(part), "=")
		value, role = strings.TrimSpace(value), strings.TrimSpace(role)
		if !ok || value == "" || !slices.Contains(ranks[1:], role) {
			return nil, fmt.Errorf("%q must be VALUE=agent, VALUE=senior or VALUE=lead", part)
		}
		roles[value] = role
	}
	return roles, nil
}

// maxHint is the longest ID token that is put into an address, in bytes: servers
// refuse addresses that are much longer than this.
const maxHint = 4096

// EndURL is where the browser ends its session at the provider; "" when the
// provider has no such place, or is not reachable: ours is ended anyway. With the
// idToken of that session the provider need not ask which one is meant; it may be "".
func (p *Provider) EndURL(ctx context.Context, idToken string) string {
	k, err := p.discover(ctx)
	if err != nil || k.end == "" {
		return ""
	}
	u, err := url.Parse(k.end)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	q := u.Query()
	q.Set("client_id", p.cfg.ClientID)
	if idToken != "" && len(idToken) <= maxHint {
		q.Set("id_token_hint", idToken)
	}
	q.Set("post_logout_redirect_uri", p.cfg.HomeURL)
	u.RawQuery = q.Encode()
	return u.String()
}
