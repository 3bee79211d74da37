package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Erased counts what an erasure took away.
type Erased struct {
	Conversations []string // their ids
	Turns         int
	Suggestions   int
	Lessons       int // replies that were learned from
	Gestures      int
}

// erasing lets rows of the record be deleted, until the transaction ends.
const erasing = `SELECT set_config('aside.erasing', 'yes', true)`

// EraseConversation takes a conversation out of the database, whole or not at all:
// its log, turns, suggestions with their prompts, gaps and hand-overs, what was
// learned from it and what was given in it. What stays is that something was
// erased, when and on whose word. assist.NotFound says that there was nothing.
func (db *DB) EraseConversation(ctx context.Context, by, conversation string) (e Erased, err error) {
	err = db.write(ctx, "erase conversation "+conversation, func(ctx context.Context, w *writer) error {
		e = Erased{}
		if _, err := w.tx.Exec(ctx, erasing); err != nil {
			return err
		}
		return w.erase(ctx, &e, by, conversation)
	})
	if err == nil && len(e.Conversations) == 0 && e.Lessons == 0 && e.Gestures == 0 {
		return e, noConversation(conversation)
	}
	return e, err
}

// EraseCustomer does the same for all conversations of a customer, named as the
// chat tool or the host's site names them ("source/key", "site:key"), and for all
// that the customer was given.
func (db *DB) EraseCustomer(ctx context.Context, by, customer string) (e Erased, err error) {
	const theirs = `SELECT id FROM conversations WHERE customer = $1
		UNION SELECT conversation_id FROM turns WHERE role = 'customer' AND author = $1
		UNION SELECT conversation_id FROM gestures WHERE customer = $1 ORDER BY 1`
	if customer == "" {
		return e, assist.Errorf(assist.Invalid, "name the customer: an empty name would be everybody whom nobody named")
	}
	err = db.write(ctx, "erase a customer", func(ctx context.Context, w *writer) error {
		e = Erased{}
		if _, err := w.tx.Exec(ctx, erasing); err != nil {
			return err
		}
		ids, err := collect(ctx, w.tx, pgx.RowTo[string], theirs, customer)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := w.erase(ctx, &e, by, id); err != nil {
				return err
			}
		}
		tag, err := w.tx.Exec(ctx, `DELETE FROM gestures WHERE customer = $1`, customer)
		e.Gestures += int(tag.RowsAffected())
		return err
	})
	if err == nil && len(e.Conversations) == 0 && e.Gestures == 0 {
		return e, assist.Errorf(assist.NotFound, "nothing is stored of a customer with that key; a source's customers are \"SOURCE/KEY\", those of your own site \"site:KEY\"")
	}
	return e, err
}

func (w *writer) erase(ctx context.Context, e *Erased, by, conversation string) error {
	const lock = `SELECT id FROM conversations WHERE id = $1 FOR UPDATE`
	const count = `SELECT (SELECT count(*) FROM turns WHERE conversation_id = $1), (SELECT count(*) FROM suggestions WHERE conversation_id = $1)`
	const note = `INSERT INTO erasures AS e (digest, by_whom, at, turns, suggestions, lessons)
		VALUES ($1, $2, clock_timestamp(), $3, $4, $5)
		ON CONFLICT (digest) DO UPDATE SET by_whom = excluded.by_whom, at = excluded.at, turns = e.turns + excluded.turns,
			suggestions = e.suggestions + excluded.suggestions, lessons = e.lessons + excluded.lessons`
	found, err := collect(ctx, w.tx, pgx.RowTo[string], lock, conversation)
	if err != nil {
		return err
	}
	var turns, suggestions int
	if err := w.tx.QueryRow(ctx, count, conversation).Scan(&turns, &suggestions); err != nil {
		return err
	}
	lessons, err := w.unlearn(ctx, conversation)
	if err != nil {
		return err
	}
	gestures, err := w.tx.Exec(ctx, `DELETE FROM gestures WHERE conversation_id = $1`, conversation)
	if err != nil {
		return err
	}
	if _, err := w.tx.Exec(ctx, `DELETE FROM conversations WHERE id = $1`, conversation); err != nil { // takes all its tables along
		return err
	}
	if len(found) > 0 || lessons > 0 || gestures.RowsAffected() > 0 {
		digest := sha256.Sum256([]byte(conversation))
		if _, err := w.tx.Exec(ctx, note, digest[:], by, turns, suggestions, lessons); err != nil {
			return err
		}
	}
	e.Conversations = append(e.Conversations, found...)
	e.Turns, e.Suggestions, e.Lessons, e.Gestures = e.Turns+turns, e.Suggestions+suggestions, e.Lessons+lessons, e.Gestures+int(gestures.RowsAffected())
	return nil
}

// unlearn takes what was learned from a conversation out of the sums, and words
// that nothing else has out of the lexicon. It gives the number of lessons.
func (w *writer) unlearn(ctx context.Context, conversation string) (int, error) {
	const sql = `DELETE FROM lessons WHERE conversation_id = $1 RETURNING passages, trust, terms, sums`
	const words = `DELETE FROM lexicon l WHERE l.id = ANY($1) AND l.df = 0
		AND NOT EXISTS (SELECT FROM passages p WHERE p.terms @> ARRAY[l.id])
		AND NOT EXISTS (SELECT FROM learned x WHERE x.terms @> ARRAY[l.id])
		AND NOT EXISTS (SELECT FROM lessons x WHERE x.terms @> ARRAY[l.id])`
	gone, err := collect(ctx, w.tx, pgx.RowToStructByPos[storedLesson], sql, conversation)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	var passages []string
	var terms []int32
	for _, l := range gone {
		passages, terms = append(passages, l.Passages...), append(terms, l.Terms...)
	}
	audiences, err := w.audiencesOf(ctx, passages)
	if err != nil {
		return 0, err
	}
	changes := newTeaching()
	for _, l := range gone {
		changes.add(l, audiences, -1)
	}
	if err := w.teach(ctx, changes, audiences); err != nil {
		return 0, err
	}
	_, err = w.tx.Exec(ctx, words, terms)
	return len(gone), err
}

// ErasedSince gives the SHA-256 of the ids of the conversations that were erased
// after a moment, and the moment to ask with next. Erasures happen one after the
// other, so that none is missed.
func (db *DB) ErasedSince(ctx context.Context, after time.Time) (digests [][sha256.Size]byte, until time.Time, err error) {
	const sql = `SELECT digest, at FROM erasures WHERE at > $1 ORDER BY at`
	until = after
	err = db.turns.doAgain(ctx, "look for erasures", func(ctx context.Context, conn *pgx.Conn) error {
		digests = nil
		rows, err := conn.Query(ctx, sql, after)
		if err != nil {
			return err
		}
		var d []byte
		_, err = pgx.ForEachRow(rows, []any{&d, &until}, func() error {
			digests = append(digests, [sha256.Size]byte(d))
			return nil
		})
		return err
	})
	return digests, until, err
}

// Record says how much of who did what is kept, and whether it is whole.
type Record struct {
	Replies  int // sent by agents
	Used     int // … on a suggestion
	Erasures int
	Revoked  int      // in force
	Looked   int      // conversations, the last ones written to, that were looked through
	Broken   []string // those of them that lack something, at most ten
}

const recordLooked = 10_000 // conversations

// Record counts the record and looks through it: a conversation's log has every seq
// up to the last, each turn in it is there, and so is each suggestion that a reply
// stands on. A row that somebody took out behind Aside's back leaves a gap.
func (db *DB) Record(ctx context.Context) (r Record, err error) {
	const count = `SELECT count(*) FILTER (WHERE role = 'agent'), count(*) FILTER (WHERE role = 'agent' AND suggestion_id <> ''),
		(SELECT count(*) FROM erasures), (SELECT count(*) FROM revocations WHERE keep > now()) FROM turns`
	const look = `WITH looked AS (SELECT id, last_seq FROM conversations ORDER BY updated_at DESC LIMIT $1)
		SELECT id, NOT (e.events = last_seq AND e.first = least(last_seq, 1) AND e.last = last_seq AND e.turns = t.turns AND e.turns = t.told AND t.missing = 0)
		FROM looked,
		LATERAL (SELECT count(*) AS events, coalesce(min(seq), 0) AS first, coalesce(max(seq), 0) AS last, count(*) FILTER (WHERE type = 'turn.added') AS turns
			FROM events WHERE conversation_id = looked.id) e,
		LATERAL (SELECT count(*) AS turns, count(x.seq) AS told, count(*) FILTER (WHERE t.role = 'agent' AND t.suggestion_id <> '' AND s.id IS NULL) AS missing
			FROM turns t LEFT JOIN events x ON x.conversation_id = t.conversation_id AND x.seq = t.seq AND x.type = 'turn.added'
			LEFT JOIN suggestions s ON s.conversation_id = t.conversation_id AND s.id = t.suggestion_id
			WHERE t.conversation_id = looked.id) t`
	err = db.ingest.doAgain(ctx, "look through the record", func(ctx context.Context, conn *pgx.Conn) error {
		r = Record{}
		if err := conn.QueryRow(ctx, count).Scan(&r.Replies, &r.Used, &r.Erasures, &r.Revoked); err != nil {
			return err
		}
		rows, err := conn.Query(ctx, look, recordLooked)
		if err != nil {
			return err
		}
		var id string
		var broken bool
		_, err = pgx.ForEachRow(rows, []any{&id, &broken}, func() error {
			r.Looked++
			if broken && len(r.Broken) < 10 {
				r.Broken = append(r.Broken, id)
			}
			return nil
		})
		return err
	})
	return r, err
}
