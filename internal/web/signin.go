package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// SignIn signs agents in with the company's provider.
type SignIn interface {
	// Begin gives where to send the browser, and what it is to keep until it is back.
	Begin(ctx context.Context) (location, pending string, err error)
	// Finish trades the provider's answer for a session, which the browser keeps.
	Finish(ctx context.Context, pending, state, code string) (session string, life time.Duration, err error)
	// Token gives a short token to whoever has a session that goes on.
	Token(ctx context.Context, session string) (Session, error)
	// End ends a session and gives where the provider ends its own, "" for nowhere.
	End(ctx context.Context, session string) (location string, err error)
	// Secure says whether browsers reach this server by https.
	Secure() bool
}

const (
	pendingCookie = "aside-signin"
	sessionCookie = "aside-session"
	pendingLife   = 10 * time.Minute
	// signInHeader tells the console where one signs in.
	signInHeader = "Aside-Sign-In"
	signInPath   = "/v1/signin"
)

// cookie makes one that no script and no other site gets at. Over https its name
// says that nobody but this host can have set it.
func (s *server) cookie(name, value string, life time.Duration, site http.SameSite) *http.Cookie {
	return &http.Cookie{Name: s.cookieName(name), Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true, Secure: s.SignIn.Secure(), SameSite: site}
}

func (s *server) cookieName(name string) string {
	if s.SignIn.Secure() {
		return "__Host-" + name
	}
	return name
}

func (s *server) cookieOf(r *http.Request, name string) string {
	if s.SignIn == nil {
		return ""
	}
	if c, err := r.Cookie(s.cookieName(name)); err == nil {
		return c.Value
	}
	return ""
}

func (s *server) noSignIn() error {
	if s.SignIn == nil {
		return assist.Errorf(assist.NotFound, "nobody signs in here with a provider: ASIDE_OIDC_ISSUER is not set")
	}
	return nil
}

// signIn sends the browser to the provider.
func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := s.noSignIn(); err != nil {
		return err
	}
	location, pending, err := s.SignIn.Begin(r.Context())
	if err != nil {
		return s.signInFailed(w, r, err)
	}
	http.SetCookie(w, s.cookie(pendingCookie, pending, pendingLife, http.SameSiteLaxMode)) // it comes back from another site
	redirect(w, location)
	return nil
}

// signInCallback is where the provider sends the browser back to.
func (s *server) signInCallback(w http.ResponseWriter, r *http.Request) error {
	if err := s.noSignIn(); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(pendingCookie, "", -time.Second, http.SameSiteLaxMode)) // good once
	q := r.URL.Query()
	if q.Get("error") != "" {
		return s.signInFailed(w, r, assist.Errorf(assist.Forbidden, "the provider did not sign you in: %.100q", q.Get("error")))
	}
	session, life, err := s.SignIn.Finish(r.Context(), s.cookieOf(r, pendingCookie), q.Get("state"), q.Get("code"))
	if err != nil {
		return s.signInFailed(w, r, err)
	}
	http.SetCookie(w, s.cookie(sessionCookie, session, life, http.SameSiteStrictMode))
	redirect(w, "/")
	return nil
}

// signInFailed shows the person why, on the page they began from.
func (s *server) signInFailed(w http.ResponseWriter, r *http.Request, err error) error {
	s.Logger.Warn("sign-in failed", "code", assist.CodeOf(err), "err", err)
	words := assist.MessageOf(err)
	redirect(w, "/#sign-in="+url.QueryEscape(words))
	return nil
}

// redirect is http.Redirect without a body, never kept, and without telling
// anyone where from: the address holds the provider's code.
func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// endSession signs out, here and at the provider.
func (s *server) endSession(w http.ResponseWriter, r *http.Request) error {
	if err := s.noSignIn(); err != nil {
		return err
	}
	if foreign(r) {
		return assist.Errorf(assist.Forbidden, "another site may not sign you out")
	}
	location := ""
	if session := s.cookieOf(r, sessionCookie); session != "" {
		var err error
		if location, err = s.SignIn.End(r.Context(), session); err != nil {
			return err
		}
	}
	http.SetCookie(w, s.cookie(sessionCookie, "", -time.Second, http.SameSiteStrictMode))
	if !strings.HasPrefix(location, "https://") && !strings.HasPrefix(location, "http://") {
		location = ""
	}
	return writeJSON(w, http.StatusOK, SignedOut{Location: location})
}

// SignedOut is the answer of DELETE /v1/session.
type SignedOut struct {
	Location string `json:"location"` // where the provider ends its own session; "": nowhere
}

// signedIn gives a token to a browser that keeps a session; ok is false when it
// keeps none.
func (s *server) signedIn(w http.ResponseWriter, r *http.Request) (ok bool, err error) {
	if s.SignIn == nil {
		return false, nil
	}
	w.Header().Set(signInHeader, signInPath)
	kept := s.cookieOf(r, sessionCookie)
	if kept == "" || foreign(r) {
		return false, nil
	}
	session, err := s.SignIn.Token(r.Context(), kept)
	if err != nil {
		if assist.CodeOf(err) == assist.Unauthenticated {
			http.SetCookie(w, s.cookie(sessionCookie, "", -time.Second, http.SameSiteStrictMode))
		}
		return false, err
	}
	w.Header().Set("Cache-Control", "no-store")
	return true, writeJSON(w, http.StatusOK, session)
}
