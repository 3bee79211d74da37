package postgres_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestSessions(t *testing.T) {
	db, ctx := testdb.Open(t), t.Context()
	for id, life := range map[string]time.Duration{"one": time.Hour, "two": time.Hour, "over": -time.Second} {
		if err := db.AddSession(ctx, postgres.Session{ID: id, Subject: "ada", Name: "Ada", Authority: "lead", IDToken: "the ID token of " + id}, life); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.AddSession(ctx, postgres.Session{ID: "other", Subject: "bo"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	goesOn := func(want map[string]bool) {
		t.Helper()
		for id, on := range want {
			err := db.SessionGoesOn(ctx, id)
			if (err == nil) != on || err != nil && assist.CodeOf(err) != assist.Unauthenticated {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
	goesOn(map[string]bool{"one": true, "two": true, "other": true, "over": false, "unknown": false})
	if hint, err := db.EndSession(ctx, "ada", "one", time.Hour); err != nil || hint != "the ID token of one" {
		t.Errorf("%q, %v", hint, err)
	}
	if hint, err := db.EndSession(ctx, "ada", "one", time.Hour); err != nil || hint != "" {
		t.Fatal(err)
	}
	goesOn(map[string]bool{"one": false, "two": true, "other": true})
	if n, err := db.EndSessions(ctx, "m1", "ada", time.Hour); n != 1 || err != nil {
		t.Errorf("ended %d, %v", n, err)
	}
	goesOn(map[string]bool{"two": false, "other": true})
	list, err := db.Sessions(ctx)
	if err != nil || len(list) != 1 || list[0].Subject != "bo" {
		t.Errorf("%+v, %v", list, err)
	}
	revoked := func() map[string]bool {
		t.Helper()
		all, err := db.Revocations(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, r := range all {
			got[string(r.Kind)+" "+r.Value] = true
		}
		return got
	}
	if d := cmp.Diff(map[string]bool{"session one": true, "session two": true}, revoked()); d != "" {
		t.Error(d)
	}
	// Who is revoked gets no new tokens from a session either.
	now := time.Now().UTC()
	if err := db.Revoke(ctx, "m1", assist.Revocation{Kind: assist.RevokeSubject, Value: "bo", Issued: now, Keep: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	goesOn(map[string]bool{"other": false})
	if d := cmp.Diff(map[string]bool{"session one": true, "session two": true, "subject bo": true}, revoked()); d != "" {
		t.Error(d)
	}
}
