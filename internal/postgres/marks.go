package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Once implements connect.Marks. It also deletes what is older than 30 days.
func (db *DB) Once(ctx context.Context, tool, key string) (first bool, err error) {
	const sql = `WITH old AS (
			DELETE FROM tool_marks WHERE (tool, key) IN (
				SELECT tool, key FROM tool_marks WHERE at < now() - interval '30 days' ORDER BY at LIMIT 100 FOR UPDATE SKIP LOCKED)
		)
		INSERT INTO tool_marks (tool, key) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	// Not doAgain: when the connection breaks after the commit, nobody was first,
	// which is what was promised: never twice.
	err = db.turns.do(ctx, "mark "+key+" of "+tool, func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, tool, key)
		first = tag.RowsAffected() == 1
		return err
	})
	return first, err
}

// Mark implements connect.Marks.
func (db *DB) Mark(ctx context.Context, tool, key string) error {
	const sql = `INSERT INTO tool_marks (tool, key) VALUES ($1, $2) ON CONFLICT (tool, key) DO UPDATE SET at = now()`
	return db.turns.doAgain(ctx, "mark "+key+" of "+tool, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, tool, key)
		return err
	})
}

// Marked implements connect.Marks.
func (db *DB) Marked(ctx context.Context, tool, key string) (at time.Time, err error) {
	const sql = `SELECT at FROM tool_marks WHERE tool = $1 AND key = $2`
	err = db.turns.doAgain(ctx, "look up mark "+key+" of "+tool, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, sql, tool, key).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			at, err = time.Time{}, nil
		}
		return err
	})
	return at, err
}
