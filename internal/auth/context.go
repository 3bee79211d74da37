package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aside-project/aside/internal/assist"
)

const (
	// PanelAudience is the audience of a chat tool's word for one of its agents.
	PanelAudience = "aside-panel"
	// MaxContextTTL is how long such a word may hold.
	MaxContextTTL = time.Hour
)

// Contexts verifies what a chat tool says of its agents: a JWT, HMAC-SHA256 with a
// secret that only the tool's server and this one know, for one agent in one
// conversation and for an hour at most. With that secret nobody can be anything
// else, nor anywhere else.
type Contexts struct {
	secret []byte
	now    func() time.Time
}

// NewContexts makes a Contexts.
func NewContexts(secret []byte) (*Contexts, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("the panel's secret is %d bytes long, at least %d are needed: make one with `openssl rand -hex 32`", len(secret), MinSecret)
	}
	return &Contexts{append([]byte(nil), secret...), time.Now}, nil
}

type contextClaims struct {
	Name         string `json:"name,omitempty"`
	Conversation string `json:"conversation"`
	Authority    string `json:"authority,omitempty"`
	jwt.RegisteredClaims
}

// Sign makes a context as a chat tool's server does; for tests and examples.
func (c *Contexts) Sign(who assist.Identity, ttl time.Duration) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, contextClaims{
		Name: who.Name, Conversation: who.Conversation, Authority: who.Authority,
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: who.Subject, Audience: jwt.ClaimStrings{PanelAudience}, ExpiresAt: jwt.NewNumericDate(c.now().Add(ttl)),
		},
	}).SignedString(c.secret)
	if err != nil {
		return "", fmt.Errorf("sign a context for %s: %w", who.Subject, err)
	}
	return token, nil
}

// IsContext reports whether a token says it is a context. It believes nothing.
func IsContext(token string) bool {
	if len(token) > MaxToken {
		return false
	}
	var c contextClaims
	_, _, err := jwt.NewParser().ParseUnverified(token, &c)
	return err == nil && slices.Contains(c.Audience, PanelAudience)
}

// Verify gives the agent a context stands for, confined to its conversation.
// Every error has the code assist.Unauthenticated.
func (c *Contexts) Verify(token string) (assist.Identity, error) {
	if len(token) > MaxToken {
		return assist.Identity{}, assist.Errorf(assist.Unauthenticated, "the context is longer than %d bytes", MaxToken)
	}
	var claims contextClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return c.secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(PanelAudience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(Leeway), jwt.WithTimeFunc(c.now), jwt.WithStrictDecoding())
	refuse := func(words string) (assist.Identity, error) {
		return assist.Identity{}, assist.Wrap(err, assist.Unauthenticated, "%s", words)
	}
	switch {
	case err == nil:
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse("the context's signature does not hold: sign it with HS256 and the secret of ASIDE_PANEL_SECRET")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse("the context has expired: get a new one")
	default:
		return refuse("the context is not usable: it must be a JWT with sub, conversation, exp and aud \"" + PanelAudience + "\"")
	}
	if claims.ExpiresAt.Sub(c.now()) > MaxContextTTL+Leeway {
		return refuse("the context's exp is more than an hour away: sign a new one for each page")
	}
	if claims.Conversation == "" {
		return refuse("the context names no conversation: it is for one, and only that one")
	}
	id := assist.Identity{Subject: claims.Subject, Actor: assist.ActorAgent, Name: claims.Name,
		Conversation: claims.Conversation, Authority: claims.Authority, Expires: claims.ExpiresAt.Time}
	if err := check(id); err != nil {
		return assist.Identity{}, assist.Wrap(err, assist.Unauthenticated, "the context is not usable: %s", assist.MessageOf(err))
	}
	return id, nil
}
