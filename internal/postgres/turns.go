package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

const turnColumns = `t.seq, t.role, t.author, t.name, t.text, t.at, t.external_id, t.action, t.suggestion_id, t.sources`

func scanTurn(row pgx.CollectableRow) (assist.Turn, error) {
	var t assist.Turn
	var action, sources []byte
	if err := row.Scan(&t.Seq, &t.Role, &t.Author, &t.Name, &t.Text, &t.At, &t.ExternalID, &action, &t.SuggestionID, &sources); err != nil {
		return t, err
	}
	t.At = t.At.UTC()
	return t, errors.Join(decodeAction(&t, action), decodeSources(&t, sources))
}

func decodeSources(t *assist.Turn, sources []byte) error {
	if sources == nil {
		return nil
	}
	if err := json.Unmarshal(sources, &t.Sources); err != nil {
		return fmt.Errorf("sources of turn %d: %w", t.Seq, err)
	}
	return nil
}

func decodeAction(t *assist.Turn, action []byte) error {
	if action == nil {
		return nil
	}
	if err := json.Unmarshal(action, &t.Action); err != nil {
		return fmt.Errorf("action of turn %d: %w", t.Seq, err)
	}
	return nil
}

// addTurn makes or locks the conversation, takes the next sequence number under
// that lock, and stores turn and event with it. A turn that is there already
// fails turns_once and undoes all of it, the number too.
//
// $1 conversation · $2 role · $3 text · $4 name · $5 at or NULL · $6 author ·
// $7 key · $8 external id · $9 action · $10 preview · $11 lease owner or NULL ·
// $12 lease duration · $13 what the chat tool calls the customer · $14 whether the
// bot has what nobody has yet
const addTurn = `
WITH c AS (
	INSERT INTO conversations AS c (id, status, customer_name, agent_name, last_seq, last_role, preview, waiting_since,
	                                run_seq, run_owner, run_until, customer)
	VALUES ($1, CASE WHEN $2::text = 'agent' THEN 'open' WHEN $14::boolean THEN 'bot' ELSE 'waiting' END,
	        CASE $2 WHEN 'customer' THEN $4::text ELSE '' END, CASE $2 WHEN 'agent' THEN $4 ELSE '' END,
	        1, $2, $10, CASE $2 WHEN 'customer' THEN now() END,
	        CASE WHEN $11::text IS NOT NULL THEN 1 END, $11, now() + $12::interval, $13)
	ON CONFLICT (id) DO UPDATE SET
		last_seq = c.last_seq + 1, last_role = excluded.last_role, preview = excluded.preview, updated_at = now(),
		status = CASE WHEN $2 = 'customer' AND (c.status = 'closed' OR c.last_seq = 0) THEN CASE WHEN $14 THEN 'bot' ELSE 'waiting' END
		              WHEN $2 = 'agent' AND c.status IN ('bot', 'waiting') THEN 'open'
		              ELSE c.status END,
		episode = c.episode + CASE WHEN $2 = 'customer' AND c.status = 'closed' THEN 1 ELSE 0 END,
		fresh_seq = CASE WHEN $2 = 'customer' AND c.status = 'closed' THEN c.last_seq ELSE c.fresh_seq END,
		handoff = CASE WHEN $2 = 'customer' AND c.status = 'closed' THEN NULL ELSE c.handoff END,
		resolution = CASE WHEN $2 = 'customer' THEN '' ELSE c.resolution END,
		customer_name = CASE WHEN excluded.customer_name <> '' THEN excluded.customer_name ELSE c.customer_name END,
		customer = CASE WHEN excluded.customer <> '' THEN excluded.customer ELSE c.customer END,
		agent = CASE WHEN $2 = 'customer' AND c.status = 'closed' THEN '' ELSE c.agent END,
		agent_name = CASE WHEN $2 = 'customer' AND c.status = 'closed' THEN ''
		                  WHEN c.agent = '' AND excluded.agent_name <> '' THEN excluded.agent_name
		                  ELSE c.agent_name END,
		waiting_since = CASE WHEN $2 = 'customer' THEN coalesce(c.waiting_since, now())
		                     WHEN $2 = 'agent' OR ($2 = 'bot' AND c.status = 'bot') THEN NULL
		                     ELSE c.waiting_since END,
		run_seq = CASE WHEN $11 IS NOT NULL THEN c.last_seq + 1
		               WHEN $2 IN ('agent', 'bot') THEN NULL -- answered: nobody needs that suggestion
		               ELSE c.run_seq END,
		run_owner = coalesce($11, c.run_owner),
		run_until = coalesce(excluded.run_until, c.run_until)
	RETURNING c.*
), t AS (
	INSERT INTO turns (conversation_id, seq, role, text, name, at, author, client_key, external_id, action)
	SELECT c.id, c.last_seq, $2, $3, $4, coalesce($5::timestamptz, now()), $6, $7, $8, $9 FROM c
), e AS (
	INSERT INTO events (conversation_id, seq, type) SELECT c.id, c.last_seq, 'turn.added' FROM c
)
SELECT ` + conversationColumns + ` FROM c`

// AddTurn implements chat.Store, in one round trip unless the turn is there
// already. Turns of the role agent come from sources only: an agent's own words
// go through SendReply.
func (db *DB) AddTurn(ctx context.Context, by assist.Identity, n assist.NewTurn, run chat.Lease) (s chat.Stored, err error) {
	if err := n.Validate(); err != nil {
		return s, err
	}
	if !by.MayRead(n.Conversation) || by.Actor == assist.ActorCustomer && n.Role != assist.RoleCustomer ||
		by.Actor == assist.ActorAgent && n.Role != assist.RoleSystem {
		return s, assist.Errorf(assist.Forbidden, "a %s may not add a turn as %s to conversation %q", by.Actor, n.Role, n.Conversation)
	}
	t := assist.Turn{Role: n.Role, Author: by.Subject, Name: n.Name, Text: n.Text, ExternalID: n.ExternalID, Action: n.Action}
	if by.Actor != assist.ActorSource {
		t.Name = by.Name
	}
	shown := n.Text
	var action []byte
	if n.Action != nil {
		action = encode(n.Action)
		if strings.TrimSpace(shown) == "" {
			shown = n.Action.Name
		}
	}
	at := orNull(n.At)
	var owner *string
	var lease *time.Duration
	if run.Owner != "" && run.For > 0 {
		owner, lease = &run.Owner, &run.For
	}
	customer := ""
	if by.Actor == assist.ActorSource && n.Customer != "" {
		customer = by.Subject + "/" + n.Customer
	}
	key := storedKey(by, n.Key())
	op := "add turn to conversation " + n.Conversation
	err = db.turns.doAgain(ctx, op, func(ctx context.Context, conn *pgx.Conn) error {
		found, err := collect(ctx, conn, scanConversation, addTurn, n.Conversation, n.Role, n.Text, t.Name, at, by.Subject, key,
			n.ExternalID, action, preview(shown), owner, lease, customer, n.Bot)
		if violates(err, uniqueViolation, "turns_once") {
			s, err = storedTurn(ctx, conn, n.Conversation, by.Subject, key, func(was assist.Turn) bool {
				return was.Role == n.Role && was.Text == n.Text && sameAction(was.Action, n.Action)
			})
			return err
		}
		if err != nil {
			return err
		}
		t.Seq, t.At = found[0].LastSeq, found[0].UpdatedAt // the database's now(), as in the insert
		if at != nil {
			t.At = at.UTC().Truncate(time.Microsecond)
		}
		s = chat.Stored{Turn: t, Conversation: found[0], Events: []assist.Event{assist.TurnAdded(n.Conversation, t)}}
		return nil
	})
	return s, err
}

// storedKey tells apart keys of senders that are called alike but are not the
// same: a customer and a source, say.
func storedKey(by assist.Identity, key string) string { return string(by.Actor) + ":" + key }

// turnByKey finds what an author stored with a key.
const turnByKey = `SELECT ` + turnColumns + ` FROM turns t WHERE t.conversation_id = $1 AND t.author = $2 AND t.client_key = $3`

// storedTurn answers a repeat: the turn that is there, if it is the one that was
// meant.
func storedTurn(ctx context.Context, q querier, conversation, author, key string, same func(assist.Turn) bool) (s chat.Stored, err error) {
	const conv = `SELECT ` + conversationColumns + ` FROM conversations c WHERE c.id = $1`
	turns, err := collect(ctx, q, scanTurn, turnByKey, conversation, author, key)
	if err != nil {
		return s, err
	}
	if s, err = repeated(turns, key, same); err != nil || !s.Repeat {
		return s, err
	}
	s.Conversation, err = one(ctx, q, scanConversation, conv, conversation)
	return s, err
}

// repeated is the answer to a repeat, given the turns that turnByKey found.
func repeated(turns []assist.Turn, key string, same func(assist.Turn) bool) (s chat.Stored, err error) {
	switch {
	case len(turns) == 0:
		return s, nil
	case !same(turns[0]):
		_, id, _ := strings.Cut(key, ":")
		return s, assist.Errorf(assist.Conflict, "id %s was already used for something else in this conversation; give every message its own id", id[2:])
	}
	return chat.Stored{Turn: turns[0], Repeat: true}, nil
}

func sameAction(a, b *assist.Action) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && slices.Equal(a.Values, b.Values)
}

// SendReply implements chat.Store. A suggestion that is not stored, or not of this
// conversation, is forgotten rather than the agent's words held up. A reply that
// names none dismisses the conversation's newest suggestion if that is ready. The
// first reply decides what became of a suggestion: a second one that came from it,
// a colleague's at the same moment say, is stored as that and changes nothing.
func (db *DB) SendReply(ctx context.Context, by assist.Identity, r assist.NewReply) (chat.Stored, error) {
	var s chat.Stored
	const insert = `INSERT INTO turns (conversation_id, seq, role, author, client_key, name, text, at, suggestion_id)
		VALUES ($1, $2, 'agent', $3, $4, $5, $6, $7, $8)`
	if by.Actor != assist.ActorAgent {
		return s, assist.Errorf(assist.Forbidden, "only agents send replies")
	}
	if err := r.Validate(); err != nil {
		return s, err
	}
	key := storedKey(by, r.Key())
	var before []assist.Turn
	var used *used
	look := func(b *pgx.Batch) {
		before, used = nil, nil
		b.Queue(turnByKey, r.Conversation, by.Subject, key).Query(func(rows pgx.Rows) (err error) {
			before, err = pgx.CollectRows(rows, scanTurn)
			return err
		})
		queueUsed(b, r, &used)
	}
	now, err := db.change(ctx, db.turns.doAgain, "send reply to conversation", r.Conversation, func(ctx context.Context, c *change) (err error) {
		s, err = repeated(before, key, func(was assist.Turn) bool {
			return was.Role == assist.RoleAgent && was.Text == r.Text && (was.SuggestionID == r.SuggestionID || was.SuggestionID == "")
		})
		if err != nil || s.Repeat {
			return err
		}
		t := assist.Turn{Seq: c.next(), Role: assist.RoleAgent, Author: by.Subject, Name: by.Name, Text: r.Text, At: c.now}
		if used != nil && used.id == r.SuggestionID {
			t.SuggestionID = r.SuggestionID
		}
		c.write(insert, r.Conversation, t.Seq, t.Author, key, t.Name, t.Text, t.At, t.SuggestionID)
		events := []assist.Event{assist.TurnAdded(r.Conversation, t)}
		c.event(events[0], "")
		if used != nil && !used.over {
			o := used.outcome(r.Text, r.SuggestionID != "")
			o.ReplySeq, o.By = t.Seq, by.Subject
			e := assist.NewEvent(assist.EventSuggestionOutcome, r.Conversation, c.next(), o)
			c.event(e, o.SuggestionID)
			c.write(setOutcome, r.Conversation, o.SuggestionID, o.State, o.ReplySeq, o.EditDistance)
			events = append(events, e)
		}
		if c.Status == assist.StatusBot || c.Status == assist.StatusWaiting || c.Status == assist.StatusOpen && c.Agent == "" {
			c.Status, c.Agent, c.AgentName = assist.StatusOpen, by.Subject, by.Name
			c.write(takenHandover, r.Conversation)
		}
		c.LastRole, c.Preview, c.WaitingSince, c.endRun = t.Role, preview(t.Text), time.Time{}, true
		s = chat.Stored{Turn: t, Events: events}
		return nil
	}, look)
	if err != nil {
		return chat.Stored{}, err
	}
	s.Conversation = now
	return s, nil
}

// Transcript implements chat.Store. A limit of 0 or less means all turns.
func (db *DB) Transcript(ctx context.Context, conversation string, limit int) (turns []assist.Turn, steps []assist.StepChange, err error) {
	const last = `SELECT * FROM (SELECT ` + turnColumns + ` FROM turns t WHERE t.conversation_id = $1 ORDER BY t.seq DESC LIMIT $2) t ORDER BY t.seq`
	const ticks = `SELECT e.data FROM events e WHERE e.conversation_id = $1 AND e.type = 'step.changed' ORDER BY e.seq`
	var most *int
	if limit > 0 {
		most = &limit
	}
	err = db.turns.doAgain(ctx, "load transcript of "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		turns, steps = nil, nil
		var b pgx.Batch
		b.Queue(last, conversation, most).Query(func(rows pgx.Rows) (err error) {
			turns, err = pgx.CollectRows(rows, scanTurn)
			return err
		})
		b.Queue(ticks, conversation).Query(func(rows pgx.Rows) (err error) {
			steps, err = pgx.CollectRows(rows, scanJSON[assist.StepChange])
			return err
		})
		return conn.SendBatch(ctx, &b).Close()
	})
	return turns, steps, err
}

func scanJSON[T any](row pgx.CollectableRow) (v T, err error) {
	var data []byte
	if err := row.Scan(&data); err != nil {
		return v, err
	}
	return v, json.Unmarshal(data, &v)
}
