// Package auth signs and verifies the tokens that say who is speaking.
//
// A token is a JWT signed with HMAC-SHA256 and nothing else: the algorithm is
// pinned, key ids are ignored, issuer and audience must both be "aside" and an
// expiry is required. What a token allows is decided per message by those who
// take an assist.Identity; this package only says whether to believe it.
package auth

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aside-project/aside/internal/assist"
)

const (
	// Name is the issuer and the audience of every token.
	Name = "aside"
	// sessionAudience is the audience of what a browser keeps to get tokens with.
	sessionAudience = "aside-session"
	// MinSecret is the least length of a signing secret, in bytes.
	MinSecret = 32
	// MaxToken is the greatest length of a token, in bytes.
	MaxToken = 4096
	// Leeway is how far clocks may differ between who signs and who verifies.
	Leeway = 60 * time.Second
)

// Signer signs with one secret and verifies with that and the retired ones. It
// is safe for concurrent use.
type Signer struct {
	secret []byte
	keys   jwt.VerificationKeySet
	now    func() time.Time
}

// NewSigner makes a Signer. Tokens signed with a retired secret are believed
// until they expire: to rotate, make the new secret the first and keep the old
// one here for as long as its tokens live.
func NewSigner(secret []byte, retired ...[]byte) (*Signer, error) {
	s := &Signer{secret: append([]byte(nil), secret...), now: time.Now}
	for i, k := range append([][]byte{s.secret}, retired...) {
		if len(k) < MinSecret {
			return nil, fmt.Errorf("token secret %d is %d bytes long, at least %d are needed: make one with `openssl rand -hex 32`", i+1, len(k), MinSecret)
		}
		s.keys.Keys = append(s.keys.Keys, append([]byte(nil), k...))
	}
	return s, nil
}

type claims struct {
	Role         assist.Actor `json:"role"`
	Name         string       `json:"name,omitempty"`
	Conversation string       `json:"conversation,omitempty"`
	Authority    string       `json:"authority,omitempty"` // agents: agent, senior or lead
	Session      string       `json:"sid,omitempty"`       // agents who signed in
	jwt.RegisteredClaims
}

// Sign makes a token for id that lives for ttl, with an id of its own unless
// id.Token gives it one. Expires and Issued of id are ignored.
func (s *Signer) Sign(id assist.Identity, ttl time.Duration) (string, error) {
	return s.sign(id, ttl, Name)
}

// SignSession makes what a browser keeps of somebody who signed in: it is good
// for VerifySession and nothing else.
func (s *Signer) SignSession(id assist.Identity, ttl time.Duration) (string, error) {
	return s.sign(id, ttl, sessionAudience)
}

// VerifySession is Verify for what SignSession made.
func (s *Signer) VerifySession(token string) (assist.Identity, error) {
	return s.verify(token, Leeway, sessionAudience)
}

func (s *Signer) sign(id assist.Identity, ttl time.Duration, audience string) (string, error) {
	if ttl <= 0 {
		return "", assist.Errorf(assist.Invalid, "a token's lifetime must be positive, not %s", ttl)
	}
	if err := check(id); err != nil {
		return "", err
	}
	now := s.now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Role: id.Actor, Name: id.Name, Conversation: id.Conversation, Authority: id.Authority, Session: id.Session,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: Name, Audience: jwt.ClaimStrings{audience}, Subject: id.Subject,
			ID: cmp.Or(id.Token, strings.ToLower(rand.Text())), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
		},
	}).SignedString(s.secret)
	if err != nil {
		return "", fmt.Errorf("sign token for %s: %w", id.Subject, err)
	}
	if len(token) > MaxToken {
		return "", assist.Errorf(assist.Invalid, "the token would be longer than %d bytes: shorten its name or subject", MaxToken)
	}
	return token, nil
}

// Verify gives the identity a token stands for. Every error has the code
// assist.Unauthenticated.
func (s *Signer) Verify(token string) (assist.Identity, error) {
	return s.verify(token, Leeway, Name)
}

// VerifyLate is Verify for a token that may have expired as long as late ago: to
// give its holder a new one, and for nothing else.
func (s *Signer) VerifyLate(token string, late time.Duration) (assist.Identity, error) {
	return s.verify(token, Leeway+late, Name)
}

func (s *Signer) verify(token string, leeway time.Duration, audience string) (assist.Identity, error) {
	if token == "" {
		return assist.Identity{}, missing()
	}
	if len(token) > MaxToken {
		return assist.Identity{}, assist.Errorf(assist.Unauthenticated, "the token is malformed: it is longer than %d bytes", MaxToken)
	}
	var c claims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.keys, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(Name), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(s.now), jwt.WithStrictDecoding())
	if err != nil {
		return assist.Identity{}, explain(err)
	}
	id := assist.Identity{Subject: c.Subject, Actor: c.Role, Name: c.Name, Conversation: c.Conversation, Authority: c.Authority, Session: c.Session, Expires: c.ExpiresAt.Time, Token: c.ID}
	if c.IssuedAt != nil {
		id.Issued = c.IssuedAt.Time
	}
	if err := check(id); err != nil {
		return assist.Identity{}, assist.Wrap(err, assist.Unauthenticated, "the token is not usable: %s", assist.MessageOf(err))
	}
	return id, nil
}

// check says whether an identity is complete and within limits.
func check(id assist.Identity) error {
	if id.Subject == "" {
		return assist.Errorf(assist.Invalid, "sub is missing: it must name who is speaking")
	}
	if !id.Actor.Valid() {
		return assist.Errorf(assist.Invalid, "role must be agent, customer, source or maintainer")
	}
	if err := assist.CheckText("sub", id.Subject, assist.MaxID); err != nil {
		return err
	}
	if err := assist.CheckText("name", id.Name, assist.MaxName); err != nil {
		return err
	}
	if err := assist.CheckText("jti", id.Token, assist.MaxID); err != nil {
		return err
	}
	if id.Actor == assist.ActorCustomer && id.Conversation == "" {
		return assist.Errorf(assist.Invalid, "conversation is missing: a customer's token must name the one conversation it is for")
	}
	switch id.Authority {
	case "", "agent", "senior", "lead":
	default:
		return assist.Errorf(assist.Invalid, "authority must be agent, senior or lead")
	}
	if id.Authority != "" && id.Actor != assist.ActorAgent {
		return assist.Errorf(assist.Invalid, "authority is for agents only")
	}
	if id.Session != "" && id.Actor != assist.ActorAgent {
		return assist.Errorf(assist.Invalid, "sid is for agents only")
	}
	if err := assist.CheckText("sid", id.Session, assist.MaxID); err != nil {
		return err
	}
	if id.Conversation != "" {
		return assist.CheckConversationID(id.Conversation)
	}
	return nil
}

// explain puts a refusal in words its holder can act on; the cause is for the
// log. The order matters: an error can be of several kinds at once.
func explain(err error) error {
	refuse := func(words string) error { return assist.Wrap(err, assist.Unauthenticated, "%s", words) }
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse("the token is malformed: it must be a JWT as this server signs them")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse("the token was not signed by this server")
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidAudience):
		return refuse("the token is for another service: its issuer and audience must be \"aside\"")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse("the token has expired: get a new one")
	case errors.Is(err, jwt.ErrTokenNotValidYet), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return refuse("the token is not valid yet: check the clock of the server that signed it")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refuse("the token is incomplete: it must have exp, iss and aud")
	}
	return refuse("the token is malformed: it must be a JWT as this server signs them")
}

func missing() error {
	return assist.Errorf(assist.Unauthenticated,
		"no token: send it as \"Authorization: Bearer TOKEN\", or over WebSocket as the subprotocols \"aside.v1, bearer.TOKEN\"")
}
