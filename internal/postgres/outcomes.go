package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Outcome is what became of one suggestion, with the prompt that wrote it.
type Outcome struct {
	Conversation string
	Suggestion   string
	Prompt       string // name and variant; "": no model was asked
	Version      string
	Origin       assist.Origin          // who wrote the draft that was shown last
	State        assist.SuggestionState // ready: nobody answered yet, or not with this one in sight
	EditDistance int                    // characters, of an edited one
	Verdict      string                 // good, bad, ""
	Reason       string                 // of the verdict
	At           time.Time
}

// Outcomes gives what became of the suggestions since a time, oldest first, at
// most limit of them. Superseded ones were never answered and are left out. For
// maintainers only: it reads every conversation.
func (db *DB) Outcomes(ctx context.Context, since time.Time, limit int) (out []Outcome, err error) {
	const sql = `SELECT conversation_id, id, prompt, prompt_version, origin, state, edit_distance, verdict, verdict_reason, created_at
		FROM suggestions WHERE created_at >= $1 AND state <> 'superseded' ORDER BY created_at, conversation_id, id LIMIT $2`
	err = db.turns.doAgain(ctx, "read outcomes", func(ctx context.Context, conn *pgx.Conn) error {
		out, err = collect(ctx, conn, func(row pgx.CollectableRow) (o Outcome, err error) {
			err = row.Scan(&o.Conversation, &o.Suggestion, &o.Prompt, &o.Version, &o.Origin, &o.State, &o.EditDistance, &o.Verdict, &o.Reason, &o.At)
			o.At = o.At.UTC()
			return o, err
		}, sql, since, limit)
		return err
	})
	return out, err
}

// Edit is a draft that an agent changed or did not want, with what was sent.
type Edit struct {
	Outcome  Outcome
	Customer string        // the customer's name, as far as it is known
	Agent    string        // the name of who sent the reply
	Draft    *assist.Draft // the draft at the end, else the instant one; nil: there was none
	Hits     []assist.Hit
	Turns    []assist.Turn // up to the turn that was answered, the last editTurns of them
	Reply    string
}

const editTurns = 40

// Edits gives the suggestions since a time whose reply was another text, oldest
// first, at most limit of them. For maintainers only. What customers wrote stands
// in it as they wrote it: who shows or keeps it hides what is private.
func (db *DB) Edits(ctx context.Context, since time.Time, limit int) (out []Edit, err error) {
	const edits = `SELECT s.conversation_id, s.id, s.prompt, s.prompt_version, s.origin, s.state, s.edit_distance, s.verdict,
			s.verdict_reason, s.created_at, s.body, s.for_seq, c.customer_name, t.name, t.text
		FROM suggestions s JOIN conversations c ON c.id = s.conversation_id
		JOIN turns t ON t.conversation_id = s.conversation_id AND t.seq = s.reply_seq
		WHERE s.created_at >= $1 AND s.state IN ('edited', 'dismissed') ORDER BY s.created_at, s.conversation_id, s.id LIMIT $2`
	const turns = `SELECT * FROM (SELECT ` + turnColumns + ` FROM turns t WHERE t.conversation_id = $1 AND t.seq <= $2
		ORDER BY t.seq DESC LIMIT $3) t ORDER BY t.seq`
	type row struct {
		Edit
		forSeq int64
	}
	var rows []row
	err = db.turns.doAgain(ctx, "read edits", func(ctx context.Context, conn *pgx.Conn) error {
		rows, err = collect(ctx, conn, func(r pgx.CollectableRow) (e row, err error) {
			var body []byte
			o := &e.Outcome
			if err := r.Scan(&o.Conversation, &o.Suggestion, &o.Prompt, &o.Version, &o.Origin, &o.State, &o.EditDistance, &o.Verdict,
				&o.Reason, &o.At, &body, &e.forSeq, &e.Customer, &e.Agent, &e.Reply); err != nil {
				return e, err
			}
			o.At = o.At.UTC()
			var s struct {
				Draft, Instant *assist.Draft
				Hits           []assist.Hit
			}
			if err := json.Unmarshal(body, &s); err != nil {
				return e, fmt.Errorf("read suggestion %s: %w", o.Suggestion, err)
			}
			if e.Draft, e.Hits = s.Draft, s.Hits; e.Draft == nil {
				e.Draft = s.Instant
			}
			return e, nil
		}, edits, since, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		err := db.turns.doAgain(ctx, "load the turns of "+r.Outcome.Conversation, func(ctx context.Context, conn *pgx.Conn) error {
			r.Turns, err = collect(ctx, conn, scanTurn, turns, r.Outcome.Conversation, r.forSeq, editTurns)
			return err
		})
		if err != nil {
			return nil, err
		}
		out = append(out, r.Edit)
	}
	return out, nil
}
