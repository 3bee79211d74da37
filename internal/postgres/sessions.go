package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Session is one agent's sign-in in one browser.
type Session struct {
	ID        string
	Subject   string
	Name      string
	Authority string
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   *time.Time // nil: it goes on
}

// keptSession is how long an over session stays in the table: who was signed in
// when can be asked for as long.
const keptSession = 90 * 24 * time.Hour

// AddSession stores a new session for as long as it lives, and forgets those that
// were over long ago.
func (db *DB) AddSession(ctx context.Context, s Session, life time.Duration) error {
	const add = `INSERT INTO sessions (id, subject, name, authority, expires_at) VALUES ($1, $2, $3, $4, now() + $5::interval)`
	const forget = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < now() - $1::interval LIMIT 100)`
	return db.turns.do(ctx, "add a session", func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, add, s.ID, s.Subject, s.Name, s.Authority, life); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, forget, keptSession)
		return err
	})
}

// SessionGoesOn says whether a session is neither ended nor over. The error of one
// that is not has the code assist.Unauthenticated.
func (db *DB) SessionGoesOn(ctx context.Context, id string) error {
	const sql = `SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND ended_at IS NULL AND expires_at > now())`
	goesOn := false
	err := db.turns.doAgain(ctx, "look for a session", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql, id).Scan(&goesOn)
	})
	if err == nil && !goesOn {
		return assist.Errorf(assist.Unauthenticated, "your session has ended: sign in again")
	}
	return err
}

// The tokens that an ended session gave out are revoked in the same statement, for
// as long as one of them may live.
const theirTokens = ` AND ended_at IS NULL AND expires_at > now() RETURNING id)
	INSERT INTO revocations (kind, value, issued, keep, by_whom) SELECT 'session', id, now(), now() + $2::interval, $3 FROM ended
	ON CONFLICT DO NOTHING`

// EndSession ends one session, on somebody's word, and revokes its tokens, which
// live as long as given. One that has ended stays so.
func (db *DB) EndSession(ctx context.Context, by, id string, tokens time.Duration) error {
	const sql = `WITH ended AS (UPDATE sessions SET ended_at = now() WHERE id = $1` + theirTokens
	return db.turns.doAgain(ctx, "end a session", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, id, tokens, by)
		return err
	})
}

// EndSessions ends all sessions of an agent as EndSession does, and counts them.
func (db *DB) EndSessions(ctx context.Context, by, subject string, tokens time.Duration) (n int64, err error) {
	const sql = `WITH ended AS (UPDATE sessions SET ended_at = now() WHERE subject = $1` + theirTokens
	err = db.turns.do(ctx, "end the sessions of an agent", func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, subject, tokens, by)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// Sessions lists those that go on, the newest first, at most 1,000.
func (db *DB) Sessions(ctx context.Context) (list []Session, err error) {
	const sql = `SELECT id, subject, name, authority, created_at, expires_at, ended_at FROM sessions
		WHERE ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC, id LIMIT 1000`
	err = db.turns.doAgain(ctx, "list sessions", func(ctx context.Context, conn *pgx.Conn) (err error) {
		list, err = collect(ctx, conn, pgx.RowToStructByPos[Session], sql)
		return err
	})
	return list, err
}
