// Package idp is a small OpenID Connect provider for tests: authorization code with
// PKCE, one person who is signed in already, and switches for what a provider may
// do wrong.
package idp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Client is how Aside is registered.
const (
	ClientID     = "aside-desk"
	ClientSecret = "of the desk"
)

// Provider is a running provider.
type Provider struct {
	*httptest.Server
	key, stranger *rsa.PrivateKey

	mu    sync.Mutex
	codes map[string]grant

	// Person is who comes back: the claims of the ID token beside the usual ones.
	Person map[string]any
	// Twist changes the ID token's claims before they are signed.
	Twist func(jwt.MapClaims)
	// Forge signs with a key that nobody knows.
	Forge bool
	// Refuse has the person press "no".
	Refuse bool
}

type grant struct{ nonce, challenge, redirect string }

// Start starts a provider that ends with the test.
func Start(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{codes: map[string]grant{}, Person: map[string]any{"sub": "u-17", "name": "Maya R.", "groups": []string{"support"}}}
	for _, key := range []**rsa.PrivateKey{&p.key, &p.stranger} {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		*key = k
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	mux.HandleFunc("GET /end", p.end)
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

// Set changes the switches between two sign-ins.
func (p *Provider) Set(change func(*Provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

func (p *Provider) describe(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token",
		"jwks_uri": p.URL + "/keys", "end_session_endpoint": p.URL + "/end",
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
		"n": base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	answer := url.Values{"state": {q.Get("state")}}
	if p.Refuse {
		answer.Set("error", "access_denied")
	} else {
		code := rand.Text()
		p.codes[code] = grant{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
		answer.Set("code", code)
	}
	back.RawQuery = answer.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// end signs out whom the hint names; like many providers it asks back without one,
// and believes no token that it did not make.
func (p *Provider) end(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	t, err := jwt.Parse(q.Get("id_token_hint"), func(*jwt.Token) (any, error) { return &p.key.PublicKey, nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()) // it may have expired long ago
	if err != nil || t.Claims.(jwt.MapClaims)["aud"] != q.Get("client_id") {
		http.Error(w, "Do you want to sign out?", http.StatusOK)
		return
	}
	http.Redirect(w, r, q.Get("post_logout_redirect_uri"), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code")) // good once
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if !ok || id != ClientID || secret != url.QueryEscape(ClientSecret) && secret != ClientSecret ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge || r.PostFormValue("redirect_uri") != g.redirect {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": "invalid_grant"})
		return
	}
	now := time.Now()
	claims := jwt.MapClaims{"iss": p.URL, "aud": ClientID, "exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "nonce": g.nonce}
	for k, v := range p.Person {
		claims[k] = v
	}
	if p.Twist != nil {
		p.Twist(claims)
	}
	key := p.key
	if p.Forge {
		key = p.stranger
	}
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	t.Header["kid"] = "one"
	signed, err := t.SignedString(key)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"access_token": "nothing", "token_type": "Bearer", "expires_in": 60, "id_token": signed})
}
