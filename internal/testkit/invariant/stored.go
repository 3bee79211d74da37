package invariant

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Stored is what the database holds, by conversation.
type Stored map[string]*Conversation

// Conversation is one of them. Turns, events and suggestions are in the order of
// seq.
type Conversation struct {
	LastSeq     int64
	RunSeq      int64 // the lease that is open; 0: none
	RunOwner    string
	Turns       []Turn
	Events      []Event
	Suggestions []Suggestion
}

// Turn is a stored turn. Key has the author's actor in front.
type Turn struct {
	Seq               int64
	Author, Key, Text string
	Role              assist.Role
	SuggestionID      string
}

// Event is an entry of the log.
type Event struct {
	Seq     int64
	Type    assist.EventType
	Ref     string
	Outcome assist.SuggestionState // of a suggestion.outcome that says what became of it
	Public  bool                   // the customer is shown it
}

// Suggestion is a stored suggestion.
type Suggestion struct {
	ID       string
	ForSeq   int64
	State    assist.SuggestionState
	EventSeq int64
	Model    string // that answered; "": none did
	Reason   string // why it failed, or was written without a model
}

// Read reads the database once, in one snapshot, by a connection of its own.
func Read(ctx context.Context, url, schema string) (Stored, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to judge %s: %w", schema, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s := Stored{}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		return s.read(ctx, tx, schema)
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", schema, err)
	}
	return s, nil
}

func (s Stored) read(ctx context.Context, tx pgx.Tx, schema string) error {
	if _, err := tx.Exec(ctx, `SELECT set_config('search_path', $1, true)`, schema); err != nil {
		return err
	}
	var id string
	var c Conversation
	err := each(ctx, tx, `SELECT id, last_seq, coalesce(run_seq, 0), coalesce(run_owner, '') FROM conversations`,
		[]any{&id, &c.LastSeq, &c.RunSeq, &c.RunOwner}, func() error {
			made := c
			s[id] = &made
			return nil
		})
	if err != nil {
		return err
	}
	var t Turn
	err = each(ctx, tx, `SELECT conversation_id, seq, author, client_key, text, role, suggestion_id FROM turns ORDER BY conversation_id, seq`,
		[]any{&id, &t.Seq, &t.Author, &t.Key, &t.Text, &t.Role, &t.SuggestionID}, func() error {
			s[id].Turns = append(s[id].Turns, t)
			return nil
		})
	if err != nil {
		return err
	}
	var e Event
	var data []byte
	err = each(ctx, tx, `SELECT e.conversation_id, e.seq, e.type, e.ref, CASE e.type WHEN 'suggestion.outcome' THEN e.data END,
			e.public_data IS NOT NULL OR e.type = 'turn.added' AND t.action IS NULL
		FROM events e LEFT JOIN turns t ON e.type = 'turn.added' AND t.conversation_id = e.conversation_id AND t.seq = e.seq
		ORDER BY e.conversation_id, e.seq`,
		[]any{&id, &e.Seq, &e.Type, &e.Ref, &data, &e.Public}, func() error {
			e.Outcome = ""
			if data != nil {
				var o assist.SuggestionOutcome
				if err := json.Unmarshal(data, &o); err != nil {
					return fmt.Errorf("outcome at seq %d of %s: %w", e.Seq, id, err)
				}
				e.Outcome = o.State
			}
			s[id].Events = append(s[id].Events, e)
			return nil
		})
	if err != nil {
		return err
	}
	var g Suggestion
	return each(ctx, tx, `SELECT conversation_id, id, for_seq, state, event_seq, coalesce(body ->> 'model', ''), coalesce(body ->> 'reason', '') FROM suggestions ORDER BY conversation_id, for_seq, created_at, id`,
		[]any{&id, &g.ID, &g.ForSeq, &g.State, &g.EventSeq, &g.Model, &g.Reason}, func() error {
			s[id].Suggestions = append(s[id].Suggestions, g)
			return nil
		})
}

func each(ctx context.Context, tx pgx.Tx, sql string, into []any, f func() error) error {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, into, f)
	return err
}
