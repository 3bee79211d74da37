package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

const mostEvents = 1000 // given at once

// agentEvents joins the log with the turns and suggestions it refers to.
const agentEvents = `
SELECT e.seq, e.type, coalesce(e.data, s.body), e.public_data,
       coalesce(t.role, ''), coalesce(t.author, ''), coalesce(t.name, ''), coalesce(t.text, ''), t.at,
       coalesce(t.external_id, ''), t.action, coalesce(t.suggestion_id, ''), t.sources
FROM events e
LEFT JOIN turns t ON e.type = 'turn.added' AND t.conversation_id = e.conversation_id AND t.seq = e.seq
LEFT JOIN suggestions s ON e.data IS NULL AND e.type <> 'turn.added' AND s.conversation_id = e.conversation_id AND s.id = e.ref
WHERE e.conversation_id = $1 AND e.seq > $2
ORDER BY e.seq LIMIT $3`

// customerEvents is what a customer is given. It runs as the public role, whose
// policies read aside.conversation and leave out actions and everything that is
// for agents, whatever this query says.
const customerEvents = `
SELECT e.seq, e.type, e.public_data, coalesce(t.role, ''), coalesce(t.name, ''), coalesce(t.text, ''), t.at, coalesce(t.external_id, ''), t.sources
FROM events e
LEFT JOIN turns t ON e.type = 'turn.added' AND t.conversation_id = e.conversation_id AND t.seq = e.seq
WHERE e.conversation_id = $1 AND e.seq > $2 AND (e.type <> 'turn.added' OR t.seq IS NOT NULL)
ORDER BY e.seq LIMIT $3`

// asCustomer says in a batch, which is one transaction, whose conversation is read.
// A log is always read alike: planning it each time, as searches need, would cost
// more than reading it.
const asCustomer = `SELECT set_config('aside.conversation', $1, true), set_config('plan_cache_mode', 'auto', true)`

// Events implements chat.Store. A customer's events have Public only, and gaps
// where things happened that are not for them. A limit of 0 or less, or more
// than 1,000, means 1,000.
func (db *DB) Events(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) (events []assist.Event, err error) {
	if !who.MayRead(conversation) {
		return nil, assist.Errorf(assist.Forbidden, "this token may not read conversation %q", conversation)
	}
	if limit <= 0 || limit > mostEvents {
		limit = mostEvents
	}
	op := "load events of conversation " + conversation
	if who.Actor != assist.ActorCustomer {
		err = db.turns.doAgain(ctx, op, func(ctx context.Context, conn *pgx.Conn) (err error) {
			events, err = collect(ctx, conn, agentEvent(conversation), agentEvents, conversation, after, limit)
			return err
		})
		return events, err
	}
	err = db.public.doAgain(ctx, op, func(ctx context.Context, conn *pgx.Conn) error {
		// One batch is one transaction: the setting ends with it.
		var b pgx.Batch
		b.Queue(asCustomer, conversation)
		b.Queue(customerEvents, conversation, after, limit).Query(func(rows pgx.Rows) (err error) {
			events, err = pgx.CollectRows(rows, customerEvent(conversation))
			return err
		})
		return conn.SendBatch(ctx, &b).Close()
	})
	return events, err
}

// Open implements chat.Opener. A customer's is read as the public role, whose
// policies leave one conversation to be seen, and of it what is theirs.
func (db *DB) Open(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) (c assist.Conversation, events []assist.Event, err error) {
	const whole = `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.id = $1`
	const theirs = `SELECT id, status, customer_name, agent_name, last_seq, created_at, updated_at FROM conversations WHERE id = $1`
	if !who.MayRead(conversation) {
		return c, nil, assist.Errorf(assist.Forbidden, "this token may not read conversation %q", conversation)
	}
	if limit <= 0 || limit > mostEvents {
		limit = mostEvents
	}
	pool, sql, scan, log, event := db.turns, whole, scanConversation, agentEvents, agentEvent(conversation)
	customer := who.Actor == assist.ActorCustomer
	if customer {
		pool, sql, scan, log, event = db.public, theirs, scanCustomers, customerEvents, customerEvent(conversation)
	}
	err = pool.doAgain(ctx, "open conversation "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		var found []assist.Conversation
		var b pgx.Batch // is one transaction
		if customer {
			b.Queue(asCustomer, conversation)
		}
		b.Queue(sql, conversation).Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, scan)
			return err
		})
		b.Queue(log, conversation, after, limit).Query(func(rows pgx.Rows) (err error) {
			events, err = pgx.CollectRows(rows, event)
			return err
		})
		if err := conn.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		if len(found) == 0 {
			return noConversation(conversation)
		}
		c = found[0]
		return nil
	})
	return c, events, err
}

// scanCustomers reads what a customer is told of their conversation.
func scanCustomers(row pgx.CollectableRow) (c assist.Conversation, err error) {
	err = row.Scan(&c.ID, &c.Status, &c.CustomerName, &c.AgentName, &c.LastSeq, &c.CreatedAt, &c.UpdatedAt)
	c.CreatedAt, c.UpdatedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	return c, err
}

func agentEvent(conversation string) pgx.RowToFunc[assist.Event] {
	return func(row pgx.CollectableRow) (assist.Event, error) {
		e := assist.Event{Conversation: conversation}
		var t assist.Turn
		var at *time.Time
		var data, public, action, sources []byte
		err := row.Scan(&e.Seq, &e.Type, &data, &public, &t.Role, &t.Author, &t.Name, &t.Text, &at, &t.ExternalID, &action, &t.SuggestionID, &sources)
		if err != nil {
			return e, err
		}
		if e.Type != assist.EventTurnAdded {
			e.Data, e.Public = data, public
			return e, nil
		}
		if at == nil {
			return e, fmt.Errorf("event %d has no turn", e.Seq)
		}
		t.Seq, t.At = e.Seq, at.UTC()
		if err := errors.Join(decodeAction(&t, action), decodeSources(&t, sources)); err != nil {
			return e, err
		}
		return assist.TurnAdded(conversation, t), nil
	}
}

func customerEvent(conversation string) pgx.RowToFunc[assist.Event] {
	return func(row pgx.CollectableRow) (assist.Event, error) {
		e := assist.Event{Conversation: conversation}
		var t assist.Turn
		var at *time.Time
		var public, sources []byte
		if err := row.Scan(&e.Seq, &e.Type, &public, &t.Role, &t.Name, &t.Text, &at, &t.ExternalID, &sources); err != nil {
			return e, err
		}
		if err := decodeSources(&t, sources); err != nil {
			return e, err
		}
		e.Public = public
		if at != nil {
			t.Seq, t.At = e.Seq, at.UTC()
			e.Public = assist.TurnAdded(conversation, t).Public
		}
		return e, nil
	}
}
