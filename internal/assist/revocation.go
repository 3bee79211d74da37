package assist

import "time"

// RevocationKind says what a revocation names.
type RevocationKind string

// A revocation is of all tokens of a subject, of the one token with an id, or of
// those that a session gave out.
const (
	RevokeSubject RevocationKind = "subject"
	RevokeToken   RevocationKind = "token"
	RevokeSession RevocationKind = "session"
)

// Revocation makes tokens that were issued up to a moment worth nothing, though
// they have not expired. Tokens that are issued later are good, but for those of a
// session: whoever must not come back is not given one.
type Revocation struct {
	Kind   RevocationKind
	Value  string    // the subject, the token's id or the session's
	Issued time.Time // tokens issued then or before, and those that do not say when
	Keep   time.Time // until when it is remembered: when the last such token expires
}

// Validate checks a revocation that somebody asked for.
func (r Revocation) Validate() error {
	if r.Kind != RevokeSubject && r.Kind != RevokeToken && r.Kind != RevokeSession {
		return Errorf(Invalid, "a revocation is of a subject, a token or a session, not %.40q", r.Kind)
	}
	if r.Value == "" {
		return Errorf(Invalid, "name the %s that is revoked", r.Kind)
	}
	if r.Issued.IsZero() || !r.Keep.After(r.Issued) {
		return Errorf(Invalid, "a revocation needs the time up to which tokens are revoked, and for how long that is remembered")
	}
	return CheckText(string(r.Kind), r.Value, MaxID)
}
