package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/auth/oidc"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/web"
)

const (
	sessionLife = 12 * time.Hour   // a working day; then one signs in again
	bearerLife  = 15 * time.Minute // of the tokens a session gives out
	bearerKept  = bearerLife + auth.Leeway + time.Minute
)

// OIDC is the provider that agents sign in with; without an Issuer there is none.
type OIDC struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	RoleClaim    string
	Roles        string // "support=agent,support-leads=lead"
	Scopes       []string
}

// On reports whether a provider is configured.
func (o OIDC) On() bool { return o.Issuer != "" }

func (c Config) validateSignIn() error {
	o := c.OIDC
	if !o.On() {
		if o.ClientID != "" || o.Roles != "" {
			return errors.New("ASIDE_OIDC_ISSUER is not set, but other ASIDE_OIDC_* variables are: name the provider's address")
		}
		return nil
	}
	var faults []error
	if err := webAddress(o.Issuer); err != nil {
		faults = append(faults, fmt.Errorf("ASIDE_OIDC_ISSUER %w", err))
	}
	if c.URL == "" {
		faults = append(faults, errors.New("ASIDE_URL is not set: the provider sends people back to it, such as https://aside.example.com"))
	} else if err := webAddress(c.URL); err != nil {
		faults = append(faults, fmt.Errorf("--url (ASIDE_URL) %w", err))
	}
	if o.ClientID == "" {
		faults = append(faults, errors.New("ASIDE_OIDC_CLIENT_ID is not set: register Aside with the provider, with the redirect address "+c.callback()))
	}
	if o.Roles == "" {
		faults = append(faults, errors.New("ASIDE_OIDC_ROLES is not set: say who may in, such as support=agent,support-leads=lead, or *=agent for everyone the provider signs in"))
	} else if _, err := oidc.ParseRoles(o.Roles); err != nil {
		faults = append(faults, fmt.Errorf("ASIDE_OIDC_ROLES: %w", err))
	}
	return errors.Join(faults...)
}

// webAddress refuses what is not https, but on this machine http.
func webAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return fmt.Errorf("must be a web address, not %q", s)
	}
	local := u.Hostname() == "localhost" || strings.HasPrefix(u.Hostname(), "127.") || u.Hostname() == "::1"
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return fmt.Errorf("must begin with https://, not %q: http is for this machine only", s)
	}
	return nil
}

func (c Config) callback() string { return strings.TrimSuffix(c.URL, "/") + "/v1/signin/callback" }

func (c Config) provider() (*oidc.Provider, error) {
	roles, err := oidc.ParseRoles(c.OIDC.Roles)
	if err != nil {
		return nil, fmt.Errorf("ASIDE_OIDC_ROLES: %w", err)
	}
	return oidc.New(oidc.Config{Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret,
		RedirectURL: c.callback(), HomeURL: strings.TrimSuffix(c.URL, "/") + "/", Scopes: c.OIDC.Scopes,
		RoleClaim: c.OIDC.RoleClaim, Roles: roles}), nil
}

// signIn implements web.SignIn.
type signIn struct {
	provider *oidc.Provider
	signer   *auth.Signer
	db       *postgres.DB
	secure   bool
}

func (s *signIn) Secure() bool { return s.secure }

func (s *signIn) Begin(ctx context.Context) (location, pending string, err error) {
	location, p, err := s.provider.Begin(ctx)
	return location, p.Encode(), err
}

func (s *signIn) Finish(ctx context.Context, pending, state, code string) (string, time.Duration, error) {
	p, err := oidc.DecodePending(pending)
	if err != nil {
		return "", 0, err
	}
	person, err := s.provider.Finish(ctx, p, state, code)
	if err != nil {
		return "", 0, err
	}
	who := assist.Identity{Subject: person.Subject, Actor: assist.ActorAgent, Name: person.Name, Authority: person.Authority, Session: randomName()}
	kept, err := s.signer.SignSession(who, sessionLife)
	if err != nil {
		return "", 0, err
	}
	row := postgres.Session{ID: who.Session, Subject: who.Subject, Name: who.Name, Authority: who.Authority, IDToken: person.IDToken}
	return kept, sessionLife, s.db.AddSession(ctx, row, sessionLife)
}

func (s *signIn) Token(ctx context.Context, session string) (web.Session, error) {
	who, err := s.signer.VerifySession(session)
	if err != nil {
		return web.Session{}, err
	}
	if err := s.db.SessionGoesOn(ctx, who.Session); err != nil {
		return web.Session{}, err
	}
	life := min(bearerLife, time.Until(who.Expires))
	if life <= 0 {
		return web.Session{}, assist.Errorf(assist.Unauthenticated, "your session is over: sign in again")
	}
	token, err := s.signer.Sign(who, life)
	if err != nil {
		return web.Session{}, err
	}
	return web.Session{Token: token, Sub: who.Subject, Name: who.Name, Role: who.Actor, ExpiresAt: time.Now().Add(life).UTC().Truncate(time.Second)}, nil
}

func (s *signIn) End(ctx context.Context, session string) (string, error) {
	who, err := s.signer.VerifySession(session)
	if err != nil {
		return "", nil // nothing of ours: there is nothing to end
	}
	idToken, err := s.db.EndSession(ctx, who.Subject, who.Session, bearerKept)
	if err != nil {
		return "", err
	}
	return s.provider.EndURL(ctx, idToken), nil
}

// EndSessions ends the sessions of an agent and counts them. Running servers close
// their sockets within five seconds.
func EndSessions(ctx context.Context, db *postgres.DB, by, subject string) (int64, error) {
	return db.EndSessions(ctx, by, subject, bearerKept)
}

// verify believes our own tokens and what a chat tool's server says of its
// agents, unless they were revoked.
func (a *App) verify(token string) (who assist.Identity, err error) {
	if a.contexts != nil && auth.IsContext(token) {
		who, err = a.contexts.Verify(token)
	} else {
		who, err = a.signer.Verify(token)
	}
	if err == nil {
		err = a.revoked.Check(who)
	}
	if err != nil {
		return assist.Identity{}, err
	}
	return who, nil
}

// newSignIn makes the sign-in of cfg; nil when none is configured.
func (a *App) newSignIn() (web.SignIn, error) {
	if !a.cfg.OIDC.On() {
		return nil, nil
	}
	p, err := a.cfg.provider()
	if err != nil {
		return nil, err
	}
	return &signIn{provider: p, signer: a.signer, db: a.db.DB, secure: strings.HasPrefix(a.cfg.URL, "https://")}, nil
}
