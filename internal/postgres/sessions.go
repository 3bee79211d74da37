package postgres

import (
	"context"
	"errors"
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
	IDToken   string     // the provider's; kept until the session is over, and not listed
}

// keptSession is how long an over session stays in the table: who was signed in
// when can be asked for as long.
const keptSession = 90 * 24 * time.Hour

// AddSession stores a new session for as long as it lives, and forgets those that
// were over long ago.
func (db *DB) AddSession(ctx context.Context, s Session, life time.Duration) error {
	const add = `INSERT INTO sessions (id, subject, name, authority, expires_at, id_token) VALUES ($1, $2, $3, $4, now() + $5::interval, $6)`
	const over = `UPDATE sessions SET id_token = '' WHERE expires_at < now() AND id_token <> ''`
	const forget = `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < now() - $1::interval LIMIT 100)`
	return db.turns.do(ctx, "add a session", func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, add, s.ID, s.Subject, s.Name, s.Authority, life, s.IDToken); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, over); err != nil {
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

// EndSession ends one session, on somebody's word, revokes the tokens it gave out,
// which live as long as given, and gives the ID token it began with, "" when that
// was given before. One that has ended stays so.
func (db *DB) EndSession(ctx context.Context, by, id string, tokens time.Duration) (idToken string, err error) {
	const sql = `WITH was AS (SELECT id, id_token, ended_at FROM sessions WHERE id = $1 FOR UPDATE),
		ended AS (UPDATE sessions s SET ended_at = coalesce(s.ended_at, now()), id_token = '' FROM was WHERE s.id = was.id),
		revoked AS (INSERT INTO revocations (kind, value, issued, keep, by_whom)
			SELECT 'session', id, now(), now() + $2::interval, $3 FROM was WHERE ended_at IS NULL ON CONFLICT DO NOTHING)
		SELECT id_token FROM was`
	err = db.turns.doAgain(ctx, "end a session", func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, sql, id, tokens, by).Scan(&idToken)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // forgotten long ago
		}
		return err
	})
	return idToken, err
}

// EndSessions ends all sessions of an agent as EndSession does, and counts them.
func (db *DB) EndSessions(ctx context.Context, by, subject string, tokens time.Duration) (n int64, err error) {
	const sql = `WITH ended AS (UPDATE sessions SET ended_at = now(), id_token = '' WHERE subject = $1 AND ended_at IS NULL AND expires_at > now() RETURNING id)
		INSERT INTO revocations (kind, value, issued, keep, by_whom) SELECT 'session', id, now(), now() + $2::interval, $3 FROM ended ON CONFLICT DO NOTHING`
	err = db.turns.do(ctx, "end the sessions of an agent", func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, subject, tokens, by)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// Sessions lists those that go on, the newest first, at most 1,000.
func (db *DB) Sessions(ctx context.Context) (list []Session, err error) {
	const sql = `SELECT id, subject, name, authority, created_at, expires_at, ended_at, '' FROM sessions
		WHERE ended_at IS NULL AND expires_at > now() ORDER BY created_at DESC, id LIMIT 1000`
	err = db.turns.doAgain(ctx, "list sessions", func(ctx context.Context, conn *pgx.Conn) (err error) {
		list, err = collect(ctx, conn, pgx.RowToStructByPos[Session], sql)
		return err
	})
	return list, err
}
