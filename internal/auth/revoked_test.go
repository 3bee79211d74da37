package auth

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

func TestRevoked(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 0, 0, 5e8, time.UTC)
	var r Revoked
	before := assist.Identity{Subject: "ada", Token: "t1", Issued: at.Add(-time.Hour)}
	if err := r.Check(before); err != nil {
		t.Errorf("nothing was revoked: %v", err)
	}
	r.Set([]assist.Revocation{
		{Kind: assist.RevokeSubject, Value: "ada", Issued: at},
		{Kind: assist.RevokeSubject, Value: "ada", Issued: at.Add(-2 * time.Hour)},
		{Kind: assist.RevokeToken, Value: "t9", Issued: at},
		{Kind: assist.RevokeSession, Value: "s3", Issued: at},
	})
	for _, c := range []struct {
		name string
		who  assist.Identity
		want bool
	}{
		{"issued before", before, true},
		{"issued in that second", assist.Identity{Subject: "ada", Issued: at.Truncate(time.Second)}, true},
		{"does not say when it was issued", assist.Identity{Subject: "ada"}, true},
		{"issued after", assist.Identity{Subject: "ada", Issued: at.Add(time.Second)}, false},
		{"somebody else", assist.Identity{Subject: "bob", Issued: before.Issued}, false},
		{"the token", assist.Identity{Subject: "bob", Token: "t9", Issued: before.Issued}, true},
		{"a token without an id", assist.Identity{Subject: "bob", Issued: before.Issued}, false},
		{"a subject called as the token", assist.Identity{Subject: "t9", Issued: before.Issued}, false},
		{"a token of the session", assist.Identity{Subject: "bob", Session: "s3", Issued: before.Issued}, true},
		{"one that the session gave out while it was ended", assist.Identity{Subject: "bob", Session: "s3", Issued: at.Add(time.Second)}, true},
		{"another session", assist.Identity{Subject: "bob", Session: "s4", Issued: before.Issued}, false},
		{"a subject called as the session", assist.Identity{Subject: "s3", Token: "s3", Issued: before.Issued}, false},
		{"a token called as the subject", assist.Identity{Subject: "bob", Token: "ada", Issued: before.Issued}, false},
	} {
		err := r.Check(c.who)
		if (err != nil) != c.want || err != nil && assist.CodeOf(err) != assist.Unauthenticated {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	r.Set(nil)
	if err := r.Check(before); err != nil {
		t.Errorf("taken back: %v", err)
	}
}

// TestFollow holds that what is known stays in force while nothing can be read.
func TestFollow(t *testing.T) {
	var r Revoked
	ctx, stop := context.WithCancel(t.Context())
	reads := 0
	r.Follow(ctx, time.Millisecond, func(context.Context) ([]assist.Revocation, error) {
		switch reads++; reads {
		case 1:
			return []assist.Revocation{{Kind: assist.RevokeSubject, Value: "ada", Issued: time.Now()}}, nil
		case 4:
			stop()
		}
		return nil, errors.New("no database")
	}, slog.New(slog.DiscardHandler))
	if r.Check(assist.Identity{Subject: "ada"}) == nil {
		t.Error("a failed read took a revocation back")
	}
}

// TestTokensHaveIDs holds that each token can be revoked alone.
func TestTokensHaveIDs(t *testing.T) {
	s, err := NewSigner([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		token, err := s.Sign(assist.Identity{Subject: "ada", Actor: assist.ActorAgent}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		who, err := s.Verify(token)
		if err != nil || who.Token == "" || seen[who.Token] || time.Since(who.Issued) > time.Minute {
			t.Errorf("%+v %v", who, err)
		}
		seen[who.Token] = true
	}
}
