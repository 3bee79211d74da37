package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// What nodes ask to learn what the others have written, where nobody tells them.
// Each is one statement by primary keys, or over tables of one row.

const mostHeads = 5000 // asked for at once

// Heads gives the last seq of conversations that are there, by id.
func (db *DB) Heads(ctx context.Context, ids []string) (heads map[string]int64, err error) {
	const sql = `SELECT id, last_seq FROM conversations WHERE id = ANY($1)`
	heads = make(map[string]int64, len(ids))
	for len(ids) > 0 {
		some := ids[:min(len(ids), mostHeads)]
		ids = ids[len(some):]
		err = db.turns.doAgain(ctx, "look at the heads of conversations", func(ctx context.Context, conn *pgx.Conn) error {
			rows, err := conn.Query(ctx, sql, some)
			if err != nil {
				return err
			}
			var id string
			var head int64
			_, err = pgx.ForEachRow(rows, []any{&id, &head}, func() error { heads[id] = head; return nil })
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return heads, nil
}

// Marks say whether what nodes keep copies of has changed.
type Marks struct {
	Knowledge int64     // version
	Steps     int64     // version of what was learned
	Authority time.Time // when the limits were ingested; zero: never
	Roles     time.Time // when an agent's role was last seen to change; zero: never
}

// Marks gives them as they are now.
func (db *DB) Marks(ctx context.Context) (m Marks, err error) {
	const sql = `SELECT (SELECT version FROM knowledge_stats), (SELECT version FROM step_version),
		coalesce((SELECT updated_at FROM authority), 'epoch'), coalesce((SELECT max(seen_at) FROM agent_roles), 'epoch')`
	err = db.turns.doAgain(ctx, "look for what other nodes changed", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(&m.Knowledge, &m.Steps, &m.Authority, &m.Roles)
	})
	return m, err
}

// RolesSince gives the roles of agents that were seen to change at that time or
// after it.
func (db *DB) RolesSince(ctx context.Context, since time.Time) (roles map[string]string, err error) {
	const sql = `SELECT agent, role FROM agent_roles WHERE seen_at >= $1`
	err = db.turns.doAgain(ctx, "load agents' changed roles", func(ctx context.Context, conn *pgx.Conn) error {
		roles = map[string]string{}
		rows, err := conn.Query(ctx, sql, since)
		if err != nil {
			return err
		}
		var agent, role string
		_, err = pgx.ForEachRow(rows, []any{&agent, &role}, func() error { roles[agent] = role; return nil })
		return err
	})
	return roles, err
}

// QueueChanges gives conversations that are open and changed after since, oldest
// change first, and those of known that are closed; and the time of the database,
// for the next call. The zero time means the last ten seconds.
func (db *DB) QueueChanges(ctx context.Context, since time.Time, known []string, limit int) (changed []assist.Conversation, now time.Time, err error) {
	const sql = `(SELECT ` + conversationColumns + ` FROM conversations c
			WHERE c.status <> 'closed' AND c.updated_at > coalesce($1, now() - interval '10 s') ORDER BY c.updated_at LIMIT $3)
		UNION ALL SELECT ` + conversationColumns + ` FROM conversations c WHERE c.id = ANY($2) AND c.status = 'closed'`
	err = db.turns.doAgain(ctx, "look for changes of the queue", func(ctx context.Context, conn *pgx.Conn) (err error) {
		if err := conn.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return err
		}
		changed, err = collect(ctx, conn, scanConversation, sql, orNull(since), known, limit)
		return err
	})
	return changed, now, err
}

// Alone runs f while no other process does anything alone under that name, and
// reports whether it did. The lock is a connection's, which ends with the process.
func (db *DB) Alone(ctx context.Context, name string, f func(context.Context) error) (alone bool, err error) {
	const lock = `SELECT pg_try_advisory_lock(hashtextextended('aside ' || $1 || ' ' || $2, 0))`
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return false, explain("find out whether another node is at "+name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, lock, db.schema, name).Scan(&alone); err != nil || !alone {
		return false, explain("find out whether another node is at "+name, err)
	}
	return true, f(ctx)
}
