package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
)

// addSuggestion stores a suggestion under its conversation's lock, with its
// event when $8 is not empty, and ends the lease of its turn.
//
// It gives no row when the conversation is not there, or when an event is wanted
// and the right to it is gone: the lease of $12, or that nobody has spoken since
// $13. Only a statement that begins under the conversation's lock can rely on the
// latter. A lease that another holds is not ended.
//
// $1 conversation · $2 id · $3 for seq · $4 state · $5 body · $6 prompt text ·
// $7 created at · $8 event type or ” · $9 prompt's name · $10 its version · $11 origin of the draft ·
// $12 owner of the lease or NULL for anybody · $13 the last seq that is known or NULL
const addSuggestion = `
WITH c AS (
	UPDATE conversations SET last_seq = last_seq + CASE $8::text WHEN '' THEN 0 ELSE 1 END,
		run_seq = CASE WHEN run_seq < $3 OR run_seq = $3 AND run_owner = coalesce($12, run_owner) THEN NULL ELSE run_seq END
	WHERE id = $1 AND ($8 = '' OR $12::text IS NULL OR run_seq = $3 AND run_owner = $12)
		AND ($8 = '' OR $13::bigint IS NULL OR NOT EXISTS (SELECT FROM turns t WHERE t.conversation_id = $1 AND t.seq > $13 AND t.role <> 'system'))
	RETURNING id, last_seq
), s AS (
	INSERT INTO suggestions (conversation_id, id, for_seq, state, body, prompt_text, created_at, event_seq, prompt, prompt_version, origin)
	SELECT c.id, $2, $3, $4, $5, $6, $7, CASE $8 WHEN '' THEN 0 ELSE c.last_seq END, $9, $10, $11 FROM c
), e AS (
	INSERT INTO events (conversation_id, seq, type, ref) SELECT c.id, c.last_seq, $8, $2 FROM c WHERE $8 <> ''
)
SELECT last_seq FROM c`

// AddSuggestion implements chat.Store, in one round trip unless the suggestion
// is there already. For a superseded one the event is the zero Event. The event
// does not carry the prompt's text; the stored suggestion does.
func (db *DB) AddSuggestion(ctx context.Context, s assist.Suggestion) (e assist.Event, err error) {
	e, late, err := db.addSuggestion(ctx, s, nil, nil)
	if err == nil && late {
		return e, noConversation(s.Conversation)
	}
	return e, err
}

// Finish implements chat.Leaser.
func (db *DB) Finish(ctx context.Context, s assist.Suggestion, c chat.Claim) (e assist.Event, late bool, err error) {
	if c.Owner != "" {
		return db.addSuggestion(ctx, s, &c.Owner, nil)
	}
	return db.addSuggestion(ctx, s, nil, &c.Seen)
}

// addSuggestion reports late when its statement gave no row and the suggestion is
// not there.
func (db *DB) addSuggestion(ctx context.Context, s assist.Suggestion, owner *string, seen *int64) (e assist.Event, late bool, err error) {
	const stored = `SELECT s.for_seq, s.event_seq, s.body, coalesce(e.type, '') FROM suggestions s
		LEFT JOIN events e ON e.conversation_id = s.conversation_id AND e.seq = s.event_seq
		WHERE s.conversation_id = $1 AND s.id = $2`
	if err := assist.CheckConversationID(s.Conversation); err != nil {
		return e, false, err
	}
	var prompt, name, version string
	if s.Prompt != nil {
		p := *s.Prompt
		prompt, name, version = storable(p.Text), p.Name, p.Version
		p.Text = ""
		s.Prompt = &p
	}
	var origin assist.Origin
	if s.Draft != nil {
		origin = s.Draft.Origin
	}
	if s.CreatedAt.IsZero() {
		s.CreatedAt = time.Now().UTC()
	}
	var kind assist.EventType
	switch s.State {
	case assist.SuggestionReady, assist.SuggestionAbstained, assist.SuggestionFailed:
		kind = assist.SuggestionDone(0, s).Type
	case assist.SuggestionSuperseded:
	default:
		return e, false, assist.Errorf(assist.Invalid, "suggestion %s is %s: only finished ones are stored", s.ID, s.State)
	}
	body := encode(s)
	op := "add suggestion " + s.ID + " to conversation " + s.Conversation
	err = db.turns.doAgain(ctx, op, func(ctx context.Context, conn *pgx.Conn) error {
		e, late = assist.Event{}, false
		seq, err := insertSuggestion(ctx, conn, seen != nil && kind != "", s.Conversation, s.ID, s.ForSeq, s.State, body, prompt, s.CreatedAt, kind,
			name, version, origin, owner, seen)
		if err == pgx.ErrNoRows || violates(err, uniqueViolation, "suggestions_pkey") {
			var forSeq int64
			err = conn.QueryRow(ctx, stored, s.Conversation, s.ID).Scan(&forSeq, &seq, &body, &kind)
			if err == pgx.ErrNoRows {
				late = true
				return nil
			}
			if err == nil && forSeq != s.ForSeq {
				return assist.Errorf(assist.Conflict, "suggestion %s is already stored for turn %d", s.ID, forSeq)
			}
		}
		if err == nil && kind != "" && seq > 0 {
			e = assist.Event{Type: kind, Conversation: s.Conversation, Seq: seq, Data: body}
		}
		return err
	})
	return e, late, err
}

// insertSuggestion runs addSuggestion, when locked under the conversation's lock,
// and gives the seq of the event.
func insertSuggestion(ctx context.Context, conn *pgx.Conn, locked bool, args ...any) (seq int64, err error) {
	if !locked {
		err = conn.QueryRow(ctx, addSuggestion, args...).Scan(&seq)
		return seq, err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM conversations WHERE id = $1 FOR UPDATE`, args[0]); err != nil {
			return err
		}
		return tx.QueryRow(ctx, addSuggestion, args...).Scan(&seq)
	})
	return seq, err
}

// storable takes out what a text column cannot hold. The prompt may repeat what
// a hostile document or model wrote.
func storable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Suggestion implements chat.Store: as it was finished, with what became of it
// as its state and the prompt's text.
func (db *DB) Suggestion(ctx context.Context, id string) (s assist.Suggestion, err error) {
	const sql = `SELECT body, state, prompt_text FROM suggestions WHERE id = $1 ORDER BY created_at LIMIT 1`
	err = db.turns.doAgain(ctx, "load suggestion "+id, func(ctx context.Context, conn *pgx.Conn) error {
		var body []byte
		var state assist.SuggestionState
		var prompt string
		err := conn.QueryRow(ctx, sql, id).Scan(&body, &state, &prompt)
		if err == pgx.ErrNoRows {
			return noSuggestion(id)
		}
		if err != nil {
			return err
		}
		s = assist.Suggestion{}
		if err := json.Unmarshal(body, &s); err != nil {
			return fmt.Errorf("read body: %w", err)
		}
		s.State = state
		if s.Prompt != nil {
			s.Prompt.Text = prompt
		}
		return markOutOfDate(ctx, conn, s.Hits)
	})
	return s, err
}

// markOutOfDate marks the hits whose document has another revision today, or is
// gone. The hits keep the text and the revision that were cited.
func markOutOfDate(ctx context.Context, conn *pgx.Conn, hits []assist.Hit) error {
	if len(hits) == 0 {
		return nil
	}
	ids := make([]string, 0, len(hits))
	for _, h := range hits {
		ids = append(ids, h.DocumentID)
	}
	rows, err := conn.Query(ctx, `SELECT id, revision FROM documents WHERE id = ANY($1) AND removed_at IS NULL`, ids)
	if err != nil {
		return err
	}
	var id, revision string
	current := map[string]string{}
	if _, err := pgx.ForEachRow(rows, []any{&id, &revision}, func() error { current[id] = revision; return nil }); err != nil {
		return err
	}
	for i := range hits {
		hits[i].OutOfDate = current[hits[i].DocumentID] != hits[i].Revision
	}
	return nil
}

func noSuggestion(id string) error {
	return assist.Errorf(assist.NotFound, "there is no suggestion %q in this conversation", id)
}

// setOutcome keeps what became of a suggestion.
const setOutcome = `UPDATE suggestions SET state = $3, reply_seq = $4, edit_distance = $5 WHERE conversation_id = $1 AND id = $2`

// used is a suggestion that a reply follows or ignores.
type used struct {
	id     string
	over   bool     // an earlier reply said what became of it
	drafts []string // its draft and its instant draft, if it has them
}

// queueUsed asks for the suggestion a reply names, or the newest one when it names
// none and that is ready; nil when there is nothing to say about any.
func queueUsed(b *pgx.Batch, r assist.NewReply, found **used) {
	const named = `SELECT id, body, reply_seq > 0 FROM suggestions WHERE conversation_id = $1 AND id = $2`
	// One that was not wanted is dismissed, whatever it said.
	const newest = `SELECT id, '{}', false FROM (SELECT id, state FROM suggestions WHERE conversation_id = $1
		ORDER BY for_seq DESC, created_at DESC LIMIT 1) s WHERE state = 'ready' AND $2 = ''`
	sql := named
	if r.SuggestionID == "" {
		sql = newest
	}
	b.Queue(sql, r.Conversation, r.SuggestionID).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, scanUsed)
		if len(all) > 0 {
			*found = all[0]
		}
		return err
	})
}

func scanUsed(row pgx.CollectableRow) (*used, error) {
	var u used
	var body []byte
	if err := row.Scan(&u.id, &body, &u.over); err != nil {
		return nil, err
	}
	var s struct{ Draft, Instant *assist.Draft }
	if err := json.Unmarshal(body, &s); err != nil {
		return nil, fmt.Errorf("read suggestion %s: %w", u.id, err)
	}
	for _, d := range []*assist.Draft{s.Draft, s.Instant} {
		if d != nil {
			u.drafts = append(u.drafts, d.Text)
		}
	}
	return &u, nil
}

// outcome says what a reply made of the suggestion: accepted when it is one of
// its drafts but for spaces, else edited, by as many characters as the nearer
// draft is away; dismissed when the reply did not want it.
func (u *used) outcome(reply string, wanted bool) assist.SuggestionOutcome {
	o := assist.SuggestionOutcome{SuggestionID: u.id, State: assist.SuggestionDismissed}
	if !wanted {
		return o
	}
	o.State = assist.SuggestionEdited
	reply = foldSpace(reply)
	o.EditDistance = editDistance(reply, "")
	for _, d := range u.drafts {
		o.EditDistance = min(o.EditDistance, editDistance(reply, foldSpace(d)))
	}
	if o.EditDistance == 0 {
		o.State = assist.SuggestionAccepted
	}
	return o
}

func foldSpace(s string) string { return strings.Join(strings.Fields(s), " ") }

// SetFeedback implements chat.Store. The last mark counts.
func (db *DB) SetFeedback(ctx context.Context, by assist.Identity, conversation string, f assist.Feedback) (e assist.Event, err error) {
	const mark = `UPDATE suggestions SET verdict = $3, verdict_reason = $4, verdict_by = $5 WHERE conversation_id = $1 AND id = $2`
	if by.Actor != assist.ActorAgent {
		return e, assist.Errorf(assist.Forbidden, "only agents mark suggestions")
	}
	if err := f.Validate(); err != nil {
		return e, err
	}
	_, err = db.change(ctx, db.turns.do, "mark a suggestion of conversation", conversation, func(ctx context.Context, c *change) error {
		tag, err := c.tx.Exec(ctx, mark, conversation, f.SuggestionID, f.Verdict, f.Reason, by.Subject)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return noSuggestion(f.SuggestionID)
		}
		e = assist.NewEvent(assist.EventSuggestionOutcome, conversation, c.next(),
			assist.SuggestionOutcome{SuggestionID: f.SuggestionID, Verdict: f.Verdict, Reason: f.Reason, By: by.Subject})
		c.event(e, f.SuggestionID)
		return nil
	})
	return e, err
}

// SetStep implements chat.Store.
func (db *DB) SetStep(ctx context.Context, by assist.Identity, conversation string, s assist.StepChange) (e assist.Event, err error) {
	if by.Actor != assist.ActorAgent {
		return e, assist.Errorf(assist.Forbidden, "only agents tick steps")
	}
	if s.StepID == "" || !s.State.Valid() {
		return e, assist.Errorf(assist.Invalid, "a step needs step_id, and state todo, done or skipped")
	}
	if err := assist.CheckText("step_id", s.StepID, 2*assist.MaxID); err != nil {
		return e, err
	}
	s.By = by.Subject
	_, err = db.change(ctx, db.turns.do, "tick a step of conversation", conversation, func(ctx context.Context, c *change) error {
		e = assist.NewEvent(assist.EventStepChanged, conversation, c.next(), s)
		c.event(e, s.StepID)
		return nil
	})
	return e, err
}

// AddGap implements chat.Store.
func (db *DB) AddGap(ctx context.Context, g assist.Gap) error {
	const sql = `INSERT INTO gaps (conversation_id, for_seq, question, nearest, at)
		VALUES ($1, $2, $3, coalesce($4::text[], '{}'), coalesce($5, now())) ON CONFLICT DO NOTHING`
	return db.turns.doAgain(ctx, "add gap of conversation "+g.Conversation, func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, g.Conversation, g.ForSeq, g.Question, g.Nearest, orNull(g.At))
		if violates(err, foreignKeyViolation, "") {
			return noConversation(g.Conversation)
		}
		return err
	})
}
