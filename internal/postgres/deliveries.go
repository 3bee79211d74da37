package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/connect/deliver"
)

var _ deliver.Store = (*DB)(nil)

// relayReader is as whom the log is read for chat tools.
var relayReader = assist.Identity{Actor: assist.ActorAgent, Subject: "deliveries"}

const insertDelivery = `INSERT INTO deliveries (id, tool, conversation_id, kind, key, body, state, held, error, until, done_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + $10::interval, CASE WHEN $7 = 'dead' THEN now() END) ON CONFLICT (tool, conversation_id, key) DO NOTHING`

// Relay implements deliver.Store. The cursor's lock decides between processes.
// Events are read outside of the transaction, before it: they do not change.
func (db *DB) Relay(ctx context.Context, tool, conversation string, limit, most int, sort func([]assist.Event) ([]deliver.New, error)) (more bool, err error) {
	const follow = `INSERT INTO tool_chats (conversation_id, tool) VALUES ($1, $2) ON CONFLICT DO NOTHING`
	const cursor = `SELECT seq FROM tool_chats WHERE conversation_id = $1 FOR UPDATE`
	const waiting = `SELECT count(*) FROM (SELECT FROM deliveries WHERE tool = $1 AND state = 'pending' LIMIT $2) d`
	const move = `UPDATE tool_chats SET seq = $2, touched_at = now() WHERE conversation_id = $1`
	from, err := db.relayed(ctx, conversation)
	if err != nil {
		return false, err
	}
	events, err := db.Events(ctx, relayReader, conversation, from, limit)
	if err != nil || len(events) == 0 {
		return false, err
	}
	fresh, err := sort(events)
	if err != nil {
		return false, err
	}
	to := events[len(events)-1].Seq
	err = db.turns.doAgain(ctx, "relay "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, follow, conversation, tool); err != nil {
				return err
			}
			var at int64
			if err := tx.QueryRow(ctx, cursor, conversation).Scan(&at); err != nil {
				return err
			}
			if at != from {
				return nil // another process did
			}
			var pending int
			if len(fresh) > 0 {
				if err := tx.QueryRow(ctx, waiting, tool, most).Scan(&pending); err != nil {
					return err
				}
			}
			for _, n := range fresh {
				state, why := deliver.Pending, ""
				if pending++; pending > most {
					state, why = deliver.Dead, "too many deliveries were waiting"
				}
				if err := insertOne(ctx, tx, tool, conversation, n, state, why, false); err != nil {
					return err
				}
			}
			_, err := tx.Exec(ctx, move, conversation, to)
			return err
		})
	})
	return len(events) == limit, err
}

// execer is a connection or a transaction.
type execer interface {
	Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
}

func insertOne(ctx context.Context, q execer, tool, conversation string, n deliver.New, state deliver.State, why string, held bool) error {
	body, err := json.Marshal(n.Body)
	if err != nil {
		return fmt.Errorf("body of a delivery: %w", err)
	}
	within := n.Within
	if within <= 0 {
		within = 24 * time.Hour
	}
	_, err = q.Exec(ctx, insertDelivery, "dlv_"+strings.ToLower(rand.Text()), tool, conversation, n.Kind, n.Key, body, state, held, why, within)
	return err
}

// relayed is how far a conversation's log was looked at.
func (db *DB) relayed(ctx context.Context, conversation string) (seq int64, err error) {
	err = db.turns.doAgain(ctx, "load the cursor of "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT seq FROM tool_chats WHERE conversation_id = $1`, conversation).Scan(&seq)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return seq, err
}

// Behind implements deliver.Store. What was not touched for two days is left: its
// suggestions are of no use any more.
func (db *DB) Behind(ctx context.Context, tool string, limit int) (ids []string, err error) {
	const sql = `SELECT c.id FROM tool_chats x JOIN conversations c ON c.id = x.conversation_id
		WHERE x.tool = $1 AND x.touched_at > now() - interval '2 days' AND c.last_seq > x.seq LIMIT $2`
	err = db.turns.doAgain(ctx, "look for conversations behind", func(ctx context.Context, conn *pgx.Conn) (err error) {
		ids, err = collect(ctx, conn, pgx.RowTo[string], sql, tool, limit)
		return err
	})
	return ids, err
}

const deliveryColumns = `id, tool, conversation_id, kind, state, attempts, error, created_at, next_at, done_at, body, answer, until`

func scanDelivery(row pgx.CollectableRow) (d deliver.Delivery, err error) {
	var done *time.Time
	var body []byte
	err = row.Scan(&d.ID, &d.Tool, &d.Conversation, &d.Kind, &d.State, &d.Attempts, &d.Error, &d.CreatedAt, &d.NextAt, &done, &body, &d.Answer, &d.Until)
	d.Body, d.CreatedAt, d.NextAt = body, d.CreatedAt.UTC(), d.NextAt.UTC()
	if done != nil {
		d.DoneAt = done.UTC()
	}
	if d.State != deliver.Pending {
		d.NextAt = time.Time{}
	}
	return d, err
}

// ClaimDeliveries implements deliver.Store.
func (db *DB) ClaimDeliveries(ctx context.Context, tool string, ordered bool, lease time.Duration, limit int) (due []deliver.Delivery, err error) {
	const sql = `WITH due AS (
			SELECT n FROM deliveries d WHERE tool = $1 AND state = 'pending' AND NOT held AND next_at <= now()
			AND (NOT $2 OR NOT EXISTS (SELECT FROM deliveries e WHERE e.tool = d.tool AND e.conversation_id = d.conversation_id
			                           AND e.state = 'pending' AND NOT e.held AND e.n < d.n))
			ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED
		)
		UPDATE deliveries d SET attempts = attempts + 1, next_at = now() + $3::interval FROM due WHERE d.n = due.n
		RETURNING d.id, d.tool, d.conversation_id, d.kind, d.state, d.attempts, d.error, d.created_at, d.next_at, d.done_at, d.body, d.answer, d.until`
	err = db.turns.do(ctx, "claim deliveries", func(ctx context.Context, conn *pgx.Conn) (err error) {
		due, err = collect(ctx, conn, scanDelivery, sql, tool, ordered, lease, limit)
		return err
	})
	return due, err
}

// SettleDelivery implements deliver.Store. One that was confirmed meanwhile stays
// so.
func (db *DB) SettleDelivery(ctx context.Context, id string, state deliver.State, answer, why string, pause time.Duration) error {
	const sql = `UPDATE deliveries SET state = $2, answer = CASE WHEN $3 <> '' THEN $3 ELSE answer END, error = $4,
		next_at = now() + $5::interval, done_at = CASE WHEN $2 <> 'pending' THEN now() END WHERE id = $1 AND state = 'pending'`
	return db.turns.doAgain(ctx, "settle delivery "+id, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, id, state, answer, why, pause)
		return err
	})
}

// Deliver stores a delivery that no event asks for; the same key once.
func (db *DB) Deliver(ctx context.Context, tool, conversation string, n deliver.New) error {
	return db.turns.doAgain(ctx, "deliver to "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		return insertOne(ctx, conn, tool, conversation, n, deliver.Pending, "", false)
	})
}

// ReplayDelivery sends a delivery anew that is not pending, with the same id. What
// customers read is not sent twice.
func (db *DB) ReplayDelivery(ctx context.Context, id string) (d deliver.Delivery, err error) {
	const sql = `UPDATE deliveries SET state = 'pending', error = '', attempts = 0, next_at = now(), done_at = NULL,
		until = now() + greatest(until - created_at, interval '1 hour')
		WHERE id = $1 AND state <> 'pending' AND NOT held AND NOT (kind = 'answer' AND state = 'sent') RETURNING ` + deliveryColumns
	const found = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE id = $1`
	err = db.turns.do(ctx, "replay delivery "+id, func(ctx context.Context, conn *pgx.Conn) error {
		ds, err := collect(ctx, conn, scanDelivery, sql, id)
		if err == nil && len(ds) == 0 {
			if ds, err = collect(ctx, conn, scanDelivery, found, id); err == nil && len(ds) == 0 {
				return assist.Errorf(assist.NotFound, "there is no delivery %q; sent ones are kept for a week", id)
			}
			if err == nil && ds[0].State != deliver.Pending {
				return assist.Errorf(assist.Conflict, "this was said to a customer, who would read it twice; an agent's reply is sent again by that agent only")
			}
		}
		if err != nil {
			return err
		}
		d = ds[0]
		return nil
	})
	return d, err
}

// Deliveries lists deliveries, newest first; state "" means all.
func (db *DB) Deliveries(ctx context.Context, state deliver.State, limit int) (list []deliver.Delivery, err error) {
	const sql = `SELECT ` + deliveryColumns + ` FROM deliveries WHERE $1 = '' OR state = $1 ORDER BY n DESC LIMIT $2`
	err = db.turns.doAgain(ctx, "list deliveries", func(ctx context.Context, conn *pgx.Conn) (err error) {
		list, err = collect(ctx, conn, scanDelivery, sql, state, limit)
		return err
	})
	return list, err
}

// CountDead counts the deliveries of a tool that were given up; of all for "".
func (db *DB) CountDead(ctx context.Context, tool string) (n int, err error) {
	err = db.turns.doAgain(ctx, "count dead deliveries", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT count(*) FROM deliveries WHERE state = 'dead' AND (tool = $1 OR $1 = '')`, tool).Scan(&n)
	})
	return n, err
}

// PruneDeliveries implements deliver.Store.
func (db *DB) PruneDeliveries(ctx context.Context) error {
	return db.turns.doAgain(ctx, "forget old deliveries", func(ctx context.Context, conn *pgx.Conn) error {
		var b pgx.Batch
		b.Queue(`DELETE FROM deliveries WHERE state IN ('sent', 'skipped') AND done_at < now() - interval '7 days'`)
		b.Queue(`DELETE FROM deliveries WHERE state = 'dead' AND done_at < now() - interval '30 days'`)
		b.Queue(`DELETE FROM deliveries WHERE held AND created_at < now() - interval '7 days'`)
		b.Queue(`DELETE FROM tool_messages WHERE at < now() - interval '60 days'`)
		b.Queue(`DELETE FROM tool_chats x WHERE touched_at < now() - interval '60 days'`)
		return conn.SendBatch(ctx, &b).Close()
	})
}

// BeginHeld stores a delivery that its own request sends, and says how one with
// the same key stands: a first try, one that may have been sent before, or one
// that was.
func (db *DB) BeginHeld(ctx context.Context, tool, conversation string, n deliver.New) (d deliver.Delivery, err error) {
	const begin = `UPDATE deliveries SET attempts = attempts + 1 WHERE tool = $1 AND conversation_id = $2 AND key = $3 RETURNING ` + deliveryColumns
	err = db.turns.do(ctx, "begin to send in "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		if err := insertOne(ctx, conn, tool, conversation, n, deliver.Pending, "", true); err != nil {
			return err
		}
		ds, err := collect(ctx, conn, scanDelivery, begin, tool, conversation, n.Key)
		if err != nil {
			return err
		}
		if len(ds) == 0 {
			return errors.New("a delivery that was just stored is not there")
		}
		d = ds[0]
		return nil
	})
	return d, err
}

// ForgetHeld takes a delivery back that surely was not sent.
func (db *DB) ForgetHeld(ctx context.Context, id string) error {
	return db.turns.doAgain(ctx, "take back delivery "+id, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `DELETE FROM deliveries WHERE id = $1 AND held AND state = 'pending'`, id)
		return err
	})
}

// Echoed says whether a message that came back from a tool is one that we sent
// there: by the id that the tool gave it, or by its words (body's "text") when that
// is not known yet, which then counts as known. A message counts once.
func (db *DB) Echoed(ctx context.Context, tool, conversation, id, text string) (ours bool, err error) {
	const known = `SELECT EXISTS (SELECT FROM deliveries WHERE tool = $1 AND conversation_id = $2 AND answer = $3)`
	const found = `UPDATE deliveries SET answer = $3, state = 'sent', done_at = now(), error = ''
		WHERE n = (SELECT n FROM deliveries WHERE tool = $1 AND conversation_id = $2 AND answer = '' AND state IN ('pending', 'dead') AND attempts > 0
		           AND btrim(body->>'text', E' \n\r\t') = btrim($4, E' \n\r\t') AND created_at > now() - interval '1 hour' ORDER BY n LIMIT 1 FOR UPDATE)`
	err = db.turns.do(ctx, "look for an echo in "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		if err := conn.QueryRow(ctx, known, tool, conversation, id).Scan(&ours); err != nil || ours {
			return err
		}
		tag, err := conn.Exec(ctx, found, tool, conversation, id, text)
		if err != nil || tag.RowsAffected() == 1 {
			ours = err == nil
			return err
		}
		// Its sender may have stored the id since the first look.
		return conn.QueryRow(ctx, known, tool, conversation, id).Scan(&ours)
	})
	return ours, err
}

// ToolChat gives what a tool last said of a conversation: its status and the newest
// of its messages; zero values when it said nothing.
func (db *DB) ToolChat(ctx context.Context, conversation string) (status string, lastID int64, err error) {
	const sql = `SELECT status, last_id FROM tool_chats WHERE conversation_id = $1`
	err = db.turns.doAgain(ctx, "load the tool's word on "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, sql, conversation).Scan(&status, &lastID)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return status, lastID, err
}

// FollowChat says that a conversation lives in a tool, and keeps the newest of what
// the tool said of it: its status if at is later than that of the last, and its
// newest message. It gives the status before.
func (db *DB) FollowChat(ctx context.Context, tool, conversation, status string, at time.Time, lastID int64) (before string, err error) {
	const sql = `WITH was AS (SELECT status FROM tool_chats WHERE conversation_id = $2)
		INSERT INTO tool_chats AS x (conversation_id, tool, status, status_at, last_id)
		VALUES ($2, $1, $3, CASE WHEN $3 = '' THEN '-infinity' ELSE coalesce($4::timestamptz, '-infinity') END, $5)
		ON CONFLICT (conversation_id) DO UPDATE SET touched_at = now(), last_id = greatest(x.last_id, excluded.last_id),
			status = CASE WHEN $3 <> '' AND ($4 IS NULL OR $4 >= x.status_at) THEN $3 ELSE x.status END,
			status_at = greatest(x.status_at, excluded.status_at)
		RETURNING coalesce((SELECT status FROM was), '')`
	err = db.turns.doAgain(ctx, "follow "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql, tool, conversation, status, orNull(at), lastID).Scan(&before)
	})
	return before, err
}

// TakenAs keeps as whom a tool's message is taken in, the first time, and gives
// that ever after.
func (db *DB) TakenAs(ctx context.Context, tool, message string, asCustomer bool) (first bool, err error) {
	const sql = `INSERT INTO tool_messages AS m (tool, message_id, as_customer) VALUES ($1, $2, $3)
		ON CONFLICT (tool, message_id) DO UPDATE SET as_customer = m.as_customer RETURNING as_customer`
	err = db.turns.doAgain(ctx, "take in message "+message, func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql, tool, message, asCustomer).Scan(&first)
	})
	return first, err
}
