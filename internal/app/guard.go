package app

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/postgres"
)

// remembered is how long a revocation is kept when nobody knows how long the
// tokens live that it is of.
const remembered = 10 * 365 * 24 * time.Hour

// Revoke makes the tokens worthless that were issued until now. Running servers
// close their sockets within five seconds.
func Revoke(ctx context.Context, db *postgres.DB, by string, kind assist.RevocationKind, value string) error {
	now := time.Now().UTC()
	return db.Revoke(ctx, by, assist.Revocation{Kind: kind, Value: value, Issued: now, Keep: now.Add(remembered)})
}

// guard implements web.Guard.
type guard struct{ a *App }

// EraseConversation implements web.Guard.
func (g guard) EraseConversation(ctx context.Context, who assist.Identity, id string) error {
	e, err := g.a.db.EraseConversation(ctx, who.Subject, id)
	if err != nil {
		return err
	}
	return g.erased(ctx, who, "conversation", e)
}

// EraseCustomer implements web.Guard.
func (g guard) EraseCustomer(ctx context.Context, who assist.Identity, key string) error {
	e, err := g.a.db.EraseCustomer(ctx, who.Subject, key)
	if err != nil {
		return err
	}
	return g.erased(ctx, who, "customer", e)
}

func (g guard) erased(ctx context.Context, who assist.Identity, what string, e postgres.Erased) error {
	g.a.log.Info("erased", "what", what, "by", who.Subject, "conversations", len(e.Conversations), "turns", e.Turns,
		"suggestions", e.Suggestions, "lessons", e.Lessons, "gestures", e.Gestures)
	for _, id := range e.Conversations {
		if err := g.a.chat.Erased(ctx, id); err != nil {
			return fmt.Errorf("forget %s in memory: %w", id, err)
		}
	}
	return nil
}

// Revoke implements web.Guard.
func (g guard) Revoke(ctx context.Context, who assist.Identity, kind assist.RevocationKind, value string) error {
	if err := Revoke(ctx, g.a.db.DB, who.Subject, kind, value); err != nil {
		return err
	}
	g.a.log.Info("revoked", "kind", kind, "value", value, "by", who.Subject)
	all, err := g.a.db.Revocations(ctx)
	if err == nil {
		g.a.revoked.Set(all) // here at once; other processes look for it
	}
	return err
}

// loadRevoked reads the revocations before the first token is looked at.
func (a *App) loadRevoked(ctx context.Context) error {
	if err := a.db.DropRevocations(ctx, time.Now()); err != nil {
		return err
	}
	all, err := a.db.Revocations(ctx)
	if err != nil {
		return err
	}
	a.revoked.Set(all)
	return nil
}

// followGuard learns what other processes, and the command line, revoked and
// erased, until ctx ends.
func (a *App) followGuard(ctx context.Context) {
	seen := time.Now().Add(-time.Minute)
	a.revoked.Follow(ctx, auth.PollEvery, func(ctx context.Context) ([]assist.Revocation, error) {
		all, err := a.db.Revocations(ctx)
		if err != nil {
			return nil, err
		}
		digests, until, err := a.db.ErasedSince(ctx, seen)
		if err != nil {
			return nil, err
		}
		seen = until
		if len(digests) > 0 {
			gone := map[[sha256.Size]byte]bool{}
			for _, d := range digests {
				gone[d] = true
			}
			for _, id := range a.chat.Remembered() {
				if gone[sha256.Sum256([]byte(id))] {
					if err := a.chat.Erased(ctx, id); err != nil {
						return nil, err
					}
				}
			}
		}
		return all, nil
	}, a.log)
}
