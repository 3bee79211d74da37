package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/aside-project/aside/internal/assist"
)

// MaxGuestTTL is how long a host's word for a customer may hold.
const MaxGuestTTL = 24 * time.Hour

// Guest is a customer whom the host's site vouches for.
type Guest struct {
	Subject string // the host's own id of the customer
	Name    string
}

// Guests verifies what a host's site says of its customers: JWTs signed with
// HMAC-SHA256 and a secret that only the host and this server know. It is another
// secret than the server's own: with it nobody can sign in as anything.
type Guests struct {
	secret []byte
	now    func() time.Time
}

// NewGuests makes a Guests.
func NewGuests(secret []byte) (*Guests, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("the widget's secret is %d bytes long, at least %d are needed: make one with `openssl rand -hex 32`", len(secret), MinSecret)
	}
	return &Guests{append([]byte(nil), secret...), time.Now}, nil
}

// Sign makes a token as a host's site does; for tests and demonstrations.
func (g *Guests) Sign(who Guest, ttl time.Duration) (string, error) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, guestClaims{Name: who.Name, RegisteredClaims: jwt.RegisteredClaims{
		Subject: who.Subject, ExpiresAt: jwt.NewNumericDate(g.now().Add(ttl))}}).SignedString(g.secret)
	if err != nil {
		return "", fmt.Errorf("sign for guest %s: %w", who.Subject, err)
	}
	return token, nil
}

type guestClaims struct {
	Name string `json:"name,omitempty"`
	jwt.RegisteredClaims
}

// Verify gives the customer a token stands for. Every error has the code
// assist.Forbidden and says which part is wrong.
func (g *Guests) Verify(token string) (Guest, error) {
	if len(token) > MaxToken {
		return Guest{}, assist.Errorf(assist.Forbidden, "identity is longer than %d bytes", MaxToken)
	}
	var c guestClaims
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return g.secret, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithLeeway(Leeway),
		jwt.WithTimeFunc(g.now), jwt.WithStrictDecoding())
	refuse := func(words string) (Guest, error) { return Guest{}, assist.Wrap(err, assist.Forbidden, "%s", words) }
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuse("identity is malformed: it must be a JWT signed with HS256")
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuse("identity's signature does not hold: sign it with HS256 and the secret of ASIDE_WIDGET_SECRET")
	case errors.Is(err, jwt.ErrTokenExpired):
		return refuse("identity's exp is over: sign a new one for each page")
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return refuse("identity has no exp: say until when it holds, in seconds since 1970")
	case err != nil:
		return refuse("identity is not usable: it must have sub and exp, and name if you like")
	}
	switch {
	case c.Subject == "":
		return refuse("identity has no sub: it must be your own id of the customer")
	case assist.CheckText("sub", c.Subject, assist.MaxID/2) != nil || len(c.Subject) > assist.MaxID/2:
		return refuse(fmt.Sprintf("identity's sub is longer than %d bytes or not plain text", assist.MaxID/2))
	case assist.CheckText("name", c.Name, assist.MaxName) != nil:
		return refuse(fmt.Sprintf("identity's name is longer than %d characters or not plain text", assist.MaxName))
	case c.ExpiresAt.Sub(g.now()) > MaxGuestTTL+Leeway:
		return refuse("identity's exp is more than a day away: sign a new one for each page")
	}
	return Guest{c.Subject, c.Name}, nil
}
