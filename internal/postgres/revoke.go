package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Revoke keeps a revocation for all processes. That of a subject also ends their
// sessions, which would give them new tokens.
func (db *DB) Revoke(ctx context.Context, by string, r assist.Revocation) error {
	const sql = `WITH ended AS (UPDATE sessions SET ended_at = now(), id_token = '' WHERE $1 = 'subject' AND subject = $2 AND ended_at IS NULL)
		INSERT INTO revocations AS r (kind, value, issued, keep, by_whom) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (kind, value) DO UPDATE SET issued = greatest(r.issued, excluded.issued), keep = greatest(r.keep, excluded.keep),
			by_whom = excluded.by_whom, at = now()`
	if err := r.Validate(); err != nil {
		return err
	}
	return db.turns.doAgain(ctx, "revoke tokens", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, r.Kind, r.Value, r.Issued, r.Keep, by)
		return err
	})
}

// maxRevocations bounds what a process keeps in memory.
const maxRevocations = 100_000

// Revocations gives those in force, newest first, and forgets those that no token
// is old enough for any more.
func (db *DB) Revocations(ctx context.Context) (all []assist.Revocation, err error) {
	const sql = `SELECT kind, value, issued, keep FROM revocations WHERE keep > now() ORDER BY at DESC LIMIT $1`
	err = db.turns.doAgain(ctx, "read the revocations", func(ctx context.Context, conn *pgx.Conn) (err error) {
		all, err = collect(ctx, conn, pgx.RowToStructByPos[assist.Revocation], sql, maxRevocations)
		return err
	})
	if err == nil && len(all) == maxRevocations {
		err = assist.Errorf(assist.Unavailable, "more than %d revocations are in force: change ASIDE_SECRET instead", maxRevocations)
	}
	return all, err
}

// DropRevocations deletes those that no token is old enough for.
func (db *DB) DropRevocations(ctx context.Context, before time.Time) error {
	return db.turns.doAgain(ctx, "drop old revocations", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DELETE FROM revocations WHERE keep < $1`, before)
		return err
	})
}
