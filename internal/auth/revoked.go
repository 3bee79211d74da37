package auth

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// PollEvery is how often a process looks for new revocations. With the two
// seconds after which every socket is asked again it keeps the promise of five.
const PollEvery = 2 * time.Second

// Revoked is the process's copy of what was revoked: all that shuts somebody out
// whose token has not expired, also the end of a session. It answers from memory, at
// any rate, from any goroutine.
type Revoked struct {
	now atomic.Pointer[map[named]time.Time] // up to when issued
}

type named struct {
	kind  assist.RevocationKind
	value string
}

// Set puts revocations in the place of the ones before.
func (r *Revoked) Set(all []assist.Revocation) {
	m := make(map[named]time.Time, len(all))
	for _, v := range all {
		if k := (named{v.Kind, v.Value}); v.Issued.After(m[k]) {
			m[k] = v.Issued
		}
	}
	r.now.Store(&m)
}

// Check says why an identity's token is no longer good, as assist.Unauthenticated.
func (r *Revoked) Check(who assist.Identity) error {
	m := r.now.Load()
	if m == nil || len(*m) == 0 {
		return nil
	}
	if _, ended := (*m)[named{assist.RevokeSession, who.Session}]; ended && who.Session != "" {
		return assist.Errorf(assist.Unauthenticated, "your session has ended: sign in again")
	}
	for _, k := range []named{{assist.RevokeSubject, who.Subject}, {assist.RevokeToken, who.Token}} {
		// Tokens say their time in whole seconds.
		if until, is := (*m)[k]; is && k.value != "" && !who.Issued.After(until) {
			return assist.Errorf(assist.Unauthenticated, "the token was revoked: sign in again")
		}
	}
	return nil
}

// Follow reads the revocations now and then until ctx ends. While they cannot be
// read, those that are known stay in force, and the log says that new ones do not
// arrive.
func (r *Revoked) Follow(ctx context.Context, every time.Duration, read func(context.Context) ([]assist.Revocation, error), log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		all, err := read(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			r.Set(all)
		case !failing:
			log.Error("revoked tokens could not be read: those revoked from now on are believed until this is mended", "error", err)
		}
		failing = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
