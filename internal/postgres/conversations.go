package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

const previewLength = 140 // characters

// conversationColumns are what scanConversation takes, of a table or query
// called c.
const conversationColumns = `c.id, c.status, c.customer_name, c.agent, c.agent_name, c.last_seq, c.last_role, c.preview,
	c.waiting_since, c.created_at, c.updated_at, c.handoff, c.resolution, c.fresh_seq`

func scanConversation(row pgx.CollectableRow) (assist.Conversation, error) {
	var c assist.Conversation
	var waiting *time.Time
	var handoff []byte
	err := row.Scan(&c.ID, &c.Status, &c.CustomerName, &c.Agent, &c.AgentName, &c.LastSeq, &c.LastRole, &c.Preview,
		&waiting, &c.CreatedAt, &c.UpdatedAt, &handoff, &c.Resolution, &c.FreshSeq)
	if err != nil {
		return c, err
	}
	if waiting != nil {
		c.WaitingSince = waiting.UTC()
	}
	c.CreatedAt, c.UpdatedAt = c.CreatedAt.UTC(), c.UpdatedAt.UTC()
	if handoff != nil {
		if err := json.Unmarshal(handoff, &c.Handoff); err != nil {
			return c, fmt.Errorf("handoff of conversation %s: %w", c.ID, err)
		}
	}
	return c, nil
}

func noConversation(id string) error {
	return assist.Errorf(assist.NotFound, "there is no conversation %q", id)
}

// Conversation implements chat.Store.
func (db *DB) Conversation(ctx context.Context, id string) (c assist.Conversation, err error) {
	const sql = `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.id = $1`
	err = db.turns.doAgain(ctx, "load conversation "+id, func(ctx context.Context, conn *pgx.Conn) error {
		found, err := collect(ctx, conn, scanConversation, sql, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noConversation(id)
		}
		c = found[0]
		return nil
	})
	return c, err
}

// Queue implements chat.Store: those who wait come first, longest first, then
// the others by when something last happened. A limit of 0 or less means 100.
func (db *DB) Queue(ctx context.Context, limit int) (queue []assist.Conversation, err error) {
	const sql = `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.status <> 'closed' AND c.last_seq > 0
		ORDER BY c.waiting_since, c.updated_at, c.id LIMIT $1`
	if limit <= 0 {
		limit = 100
	}
	err = db.turns.doAgain(ctx, "list the queue", func(ctx context.Context, conn *pgx.Conn) (err error) {
		queue, err = collect(ctx, conn, scanConversation, sql, limit)
		return err
	})
	return queue, err
}

// Orphans implements chat.Store. Rows another node is looking at are skipped.
func (db *DB) Orphans(ctx context.Context, run chat.Lease, limit int) (orphans []chat.Orphan, err error) {
	const sql = `UPDATE conversations c SET run_owner = $1, run_until = now() + $2::interval
		FROM (SELECT id FROM conversations WHERE run_seq IS NOT NULL AND run_until < now()
		      ORDER BY run_until LIMIT $3 FOR UPDATE SKIP LOCKED) late
		WHERE c.id = late.id RETURNING c.id, c.run_seq`
	if run.Owner == "" || run.For <= 0 {
		return nil, assist.Errorf(assist.Invalid, "a lease needs an owner and a duration")
	}
	err = db.turns.do(ctx, "find orphans", func(ctx context.Context, conn *pgx.Conn) (err error) {
		orphans, err = collect(ctx, conn, pgx.RowToStructByPos[chat.Orphan], sql, run.Owner, run.For, limit)
		return err
	})
	return orphans, err
}

// TakeHandoff implements chat.Store: the agent has the conversation from now on,
// whoever had it before. Taking what one took already changes nothing and gives the
// event of that time.
func (db *DB) TakeHandoff(ctx context.Context, by assist.Identity, conversation string) (e assist.Event, err error) {
	const last = `SELECT seq, data FROM events WHERE conversation_id = $1 AND type = 'handoff' ORDER BY seq DESC LIMIT 1`
	if by.Actor != assist.ActorAgent {
		return e, assist.Errorf(assist.Forbidden, "only agents take conversations")
	}
	_, err = db.change(ctx, db.turns.do, "take conversation", conversation, func(ctx context.Context, c *change) error {
		if c.Status == assist.StatusClosed {
			return assist.Errorf(assist.Conflict, "conversation %q is closed; it opens again when the customer writes", conversation)
		}
		if c.Status == assist.StatusOpen && c.Agent == by.Subject && c.Handoff != nil && c.Handoff.To == by.Subject {
			e = assist.HandedOver(conversation, 0, *c.Handoff)
			return c.tx.QueryRow(ctx, last, conversation).Scan(&e.Seq, &e.Data)
		}
		h := assist.Handoff{Code: assist.HandoffTaken, Reason: "An agent took it.", From: c.Agent, To: by.Subject, ToName: by.Name, At: c.now}
		if asked := c.Handoff; asked != nil && asked.To == "" { // somebody handed it over, and said why
			h.Code, h.Reason, h.Summary, h.Tried, h.From = asked.Code, asked.Reason, asked.Summary, asked.Tried, asked.From
		} else if c.Status == assist.StatusBot {
			h.From = assist.FromBot
			c.write(keepHandover, conversation, c.LastSeq+1, h.Code)
		}
		c.write(takenHandover, conversation)
		c.Status, c.Agent, c.AgentName, c.Handoff = assist.StatusOpen, by.Subject, by.Name, &h
		c.endRun = c.endRun || c.Handoff.Code == assist.HandoffTaken && h.From == assist.FromBot // the bot's
		e = assist.HandedOver(conversation, c.next(), h)
		c.event(e, "")
		return nil
	})
	return e, err
}

// Close implements chat.Store. Closing what is closed already changes nothing
// and gives the event of the first time.
func (db *DB) Close(ctx context.Context, by assist.Identity, conversation, resolution string) (e assist.Event, err error) {
	const last = `SELECT seq, data FROM events WHERE conversation_id = $1 AND type = 'conversation.closed' ORDER BY seq DESC LIMIT 1`
	if by.Actor != assist.ActorAgent && by.Actor != assist.ActorSource {
		return e, assist.Errorf(assist.Forbidden, "only agents and sources close conversations")
	}
	if err := assist.CheckText("resolution", resolution, assist.MaxText); err != nil {
		return e, err
	}
	_, err = db.change(ctx, db.turns.do, "close conversation", conversation, func(ctx context.Context, c *change) error {
		if c.Status == assist.StatusClosed {
			e = assist.Closed(conversation, 0, c.Resolution, by.Subject)
			return c.tx.QueryRow(ctx, last, conversation).Scan(&e.Seq, &e.Data)
		}
		c.Status, c.Resolution, c.WaitingSince, c.endRun = assist.StatusClosed, resolution, time.Time{}, true
		e = assist.Closed(conversation, c.next(), resolution, by.Subject)
		c.event(e, "")
		return nil
	})
	return e, err
}

// change is a conversation held by its row lock: its fields may be changed, and
// are written with the queued statements and the commit.
type change struct {
	assist.Conversation
	now    time.Time // of the database
	endRun bool      // whatever suggestion is being made is not needed any more
	tx     *pgx.Conn // in the transaction
	writes pgx.Batch
	after  []statement // behind the conversation's own row
}

type statement struct {
	sql  string
	args []any
}

// next gives out the next sequence number.
func (c *change) next() int64 {
	c.LastSeq++
	return c.LastSeq
}

// write queues a statement.
func (c *change) write(sql string, args ...any) { c.writes.Queue(sql, args...) }

// event queues the keeping of e. A turn's event holds no copy of the turn.
func (c *change) event(e assist.Event, ref string) {
	const sql = `INSERT INTO events (conversation_id, seq, type, ref, data, public_data) VALUES ($1, $2, $3, $4, $5, $6)`
	var data, public []byte
	if e.Type != assist.EventTurnAdded {
		data, public = e.Data, e.Public
	}
	c.write(sql, e.Conversation, e.Seq, e.Type, ref, data, public)
}

// botTurn queues a turn of the bot's and gives its event. The key makes it the
// only one of its kind.
func (c *change) botTurn(r assist.BotReply, key, suggestion string) (assist.Turn, assist.Event) {
	const sql = `INSERT INTO turns (conversation_id, seq, role, author, client_key, name, text, at, suggestion_id, sources)
		VALUES ($1, $2, 'bot', 'bot', $3, $4, $5, $6, $7, $8)`
	t := assist.Turn{Seq: c.next(), Role: assist.RoleBot, Author: assist.FromBot, Name: r.Name, Text: r.Text, At: c.now, SuggestionID: suggestion, Sources: r.Sources}
	var sources []byte
	if len(t.Sources) > 0 {
		sources = encode(t.Sources)
	}
	c.write(sql, c.ID, t.Seq, "bot:"+key, t.Name, t.Text, t.At, t.SuggestionID, sources)
	c.LastRole, c.Preview = t.Role, preview(t.Text)
	e := assist.TurnAdded(c.ID, t)
	c.event(e, "")
	return t, e
}

// change locks a conversation, lets f decide, and writes what it decided; it
// gives the conversation as it is then. Two round trips, and one for each question
// of f's own; those of look are asked with the lock, behind it. Turns and
// suggestions, which come in crowds, take one. run is the pool's do, or doAgain
// when f finds its own repeats.
func (db *DB) change(ctx context.Context, run runner, op, conversation string, f func(context.Context, *change) error, look ...func(*pgx.Batch)) (assist.Conversation, error) {
	const lock = `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.id = $1 FOR UPDATE`
	const store = `UPDATE conversations SET status = $2, agent = $3, agent_name = $4, last_seq = $5, last_role = $6, preview = $7,
		waiting_since = $8, handoff = $9, resolution = $10, updated_at = $11,
		run_seq = CASE WHEN $12 THEN NULL ELSE run_seq END WHERE id = $1`
	var now assist.Conversation
	err := run(ctx, op+" "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		defer rollBack(ctx, conn)
		c := &change{tx: conn}
		var found []assist.Conversation
		var b pgx.Batch
		b.Queue(`BEGIN`)
		b.Queue(lock, conversation).Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, scanConversation)
			return err
		})
		b.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&c.now) })
		for _, l := range look {
			l(&b)
		}
		if err := conn.SendBatch(ctx, &b).Close(); err != nil {
			return err
		}
		if len(found) == 0 {
			return noConversation(conversation)
		}
		c.Conversation, c.now = found[0], c.now.UTC()
		if err := f(ctx, c); err != nil {
			return err
		}
		if c.LastSeq > found[0].LastSeq {
			c.UpdatedAt = c.now
			var handoff []byte
			if c.Handoff != nil {
				handoff = encode(c.Handoff)
			}
			c.write(store, c.ID, c.Status, c.Agent, c.AgentName, c.LastSeq, c.LastRole, c.Preview,
				orNull(c.WaitingSince), handoff, c.Resolution, c.now, c.endRun)
			for _, s := range c.after {
				c.write(s.sql, s.args...)
			}
		} else {
			c.writes = pgx.Batch{}
		}
		c.writes.Queue(`COMMIT`).Exec(func(done pgconn.CommandTag) error {
			if done.String() != "COMMIT" {
				return pgx.ErrTxCommitRollback
			}
			return nil
		})
		if err := conn.SendBatch(ctx, &c.writes).Close(); err != nil {
			return err
		}
		now = c.Conversation
		return nil
	})
	return now, err
}

// rollBack ends a transaction that is still open because something failed in it. A
// connection that cannot even do that is not used again.
func rollBack(ctx context.Context, conn *pgx.Conn) {
	if !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		_, _ = conn.Exec(ctx, `ROLLBACK`)
	}
}

// querier is a connection or a transaction.
type querier interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
}

// collect runs a query and gathers its rows.
func collect[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func one[T any](ctx context.Context, q querier, scan pgx.RowToFunc[T], sql string, args ...any) (T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		var none T
		return none, err
	}
	return pgx.CollectExactlyOneRow(rows, scan)
}

// preview is the beginning of a text on one line.
func preview(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= previewLength {
		return text
	}
	return string([]rune(text)[:previewLength-1]) + "…"
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("postgres: encode %T: %v", v, err)) // our own types, which can be encoded
	}
	return b
}

// orNull gives NULL for a zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
