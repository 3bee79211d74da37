package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/retrieve"
)

// Customers is the knowledge as the customer's bot may read it: through
// connections of its own, all of which run as the public role, whatever audience
// a scope asks for.
func (db *DB) Customers() Customers { return Customers{db} }

// Customers is a retrieve.Index that cannot read internal rows.
type Customers struct{ db *DB }

var (
	_ retrieve.Index    = Customers{}
	_ retrieve.Recaller = Customers{}
)

// view is the database with the bot's pool in the place of both that read
// knowledge, and none that could do anything else.
func (c Customers) view() *DB {
	return &DB{schema: c.db.schema, log: c.db.log, search: c.db.bot, public: c.db.bot, replica: c.db.replica}
}

// Lexicon implements retrieve.Index.
func (c Customers) Lexicon(ctx context.Context, s retrieve.Scope, terms []string) (retrieve.Lexicon, error) {
	return c.view().Lexicon(ctx, publicly(s), terms)
}

// Lexical implements retrieve.Index.
func (c Customers) Lexical(ctx context.Context, s retrieve.Scope, q retrieve.LexicalQuery) ([]assist.Hit, error) {
	return c.view().Lexical(ctx, publicly(s), q)
}

// Dense implements retrieve.Index.
func (c Customers) Dense(ctx context.Context, s retrieve.Scope, model string, vector []float32) ([]assist.Hit, error) {
	return c.view().Dense(ctx, publicly(s), model, vector)
}

// Recall implements retrieve.Recaller.
func (c Customers) Recall(ctx context.Context, s retrieve.Scope, passage string, terms []int32) (retrieve.Memory, error) {
	return c.view().Recall(ctx, publicly(s), passage, terms)
}

// Document implements retrieve.Index.
func (c Customers) Document(ctx context.Context, s retrieve.Scope, id string) (*assist.Document, error) {
	return c.view().Document(ctx, publicly(s), id)
}

func publicly(s retrieve.Scope) retrieve.Scope {
	s.Audience = assist.AudiencePublic
	return s
}

const (
	// keepHandover fails when the episode has one: $1 conversation · $2 seq · $3 code
	keepHandover  = `INSERT INTO handovers (conversation_id, episode, seq, code) SELECT id, episode, $2, $3 FROM conversations WHERE id = $1`
	takenHandover = `UPDATE handovers h SET taken_at = now() FROM conversations c
		WHERE c.id = $1 AND h.conversation_id = c.id AND h.episode = c.episode AND h.taken_at IS NULL`
)

// AddAnswer implements chat.Store. The conversation's lock decides between the
// bot and a person who writes at the same moment.
func (db *DB) AddAnswer(ctx context.Context, a assist.NewAnswer) (s chat.Stored, err error) {
	const keep = `INSERT INTO suggestions (conversation_id, id, for_seq, state, body, prompt_text, created_at, reply_seq)
		VALUES ($1, $2, $3, 'accepted', $4, $5, $6, $7)`
	if err := assist.CheckBody("text", a.Text); err != nil {
		return s, err
	}
	now, err := db.change(ctx, db.speech.doAgain, "add an answer of the bot to", a.Conversation, func(ctx context.Context, c *change) error {
		s = chat.Stored{}
		key := fmt.Sprintf("answer-%d", a.ForSeq)
		if s, err = storedTurn(ctx, c.tx, c.ID, assist.FromBot, "bot:"+key, func(assist.Turn) bool { return true }); err != nil || s.Repeat {
			return err
		}
		fits, err := c.botMay(ctx, a.ForSeq)
		if err != nil || !fits {
			s.Dropped = true
			return err
		}
		id := ""
		if a.Suggestion != nil {
			id = a.Suggestion.ID
		}
		t, e := c.botTurn(a.BotReply, key, id)
		if g := a.Suggestion; g != nil {
			g, prompt := withoutPrompt(*g)
			c.write(keep, c.ID, g.ID, a.ForSeq, encode(g), prompt, g.CreatedAt, t.Seq)
		}
		c.WaitingSince, c.endRun = time.Time{}, true
		s = chat.Stored{Turn: t, Events: []assist.Event{e}}
		return nil
	})
	s.Conversation = now
	return s, err
}

// botMay reports whether the bot still has the conversation and seq is still the
// customer's last turn.
func (c *change) botMay(ctx context.Context, seq int64) (bool, error) {
	const last = `SELECT coalesce(max(seq), 0) FROM turns WHERE conversation_id = $1 AND role = 'customer'`
	if c.Status != assist.StatusBot {
		return false, nil
	}
	var newest int64
	err := c.tx.QueryRow(ctx, last, c.ID).Scan(&newest)
	return newest == seq, err
}

// HandOver implements chat.Store.
func (db *DB) HandOver(ctx context.Context, by assist.Identity, n assist.NewHandoff, run chat.Lease) (s chat.Stored, err error) {
	const open = `INSERT INTO conversations (id, status, customer_name) VALUES ($1, CASE WHEN $2 THEN 'bot' ELSE 'waiting' END, $3) ON CONFLICT DO NOTHING`
	const reopen = `UPDATE conversations SET episode = episode + 1, fresh_seq = last_seq WHERE id = $1`
	const lease = `UPDATE conversations SET run_seq = $2, run_owner = $3, run_until = now() + $4::interval WHERE id = $1`
	const earlier = `SELECT h.seq FROM handovers h JOIN conversations c ON c.id = h.conversation_id AND c.episode = h.episode WHERE c.id = $1`
	customer := by.Actor == assist.ActorCustomer
	if n.Handoff == nil || customer && !by.MayRead(n.Conversation) {
		return s, assist.Errorf(assist.Forbidden, "this token may not hand over conversation %q", n.Conversation)
	}
	if customer {
		err := db.speech.doAgain(ctx, "open conversation "+n.Conversation, func(ctx context.Context, conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, open, n.Conversation, n.Bot, by.Name)
			return err
		})
		if err != nil {
			return s, err
		}
	}
	now, err := db.change(ctx, db.speech.doAgain, "hand over", n.Conversation, func(ctx context.Context, c *change) error {
		s = chat.Stored{Dropped: true}
		switch c.Status {
		case assist.StatusClosed:
			if n.ForSeq != 0 {
				return nil
			}
			if _, err := c.tx.Exec(ctx, reopen, c.ID); err != nil { // the customer is back
				return err
			}
			c.Agent, c.AgentName, c.Resolution, c.Handoff = "", "", "", nil
		case assist.StatusOpen:
			return nil
		}
		err := c.tx.QueryRow(ctx, earlier, c.ID).Scan(&s.HandedSeq)
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if n.ForSeq != 0 {
			if fits, err := c.botMay(ctx, n.ForSeq); err != nil || !fits {
				return err
			}
		}
		s = chat.Stored{}
		if n.Text != "" {
			t, e := c.botTurn(n.BotReply, fmt.Sprintf("goodbye-%d", c.LastSeq), "")
			s.Turn, s.Events = t, append(s.Events, e)
		}
		h := *n.Handoff
		h.At = c.now
		if c.WaitingSince.IsZero() {
			c.WaitingSince = c.now
		}
		if err := c.wait(ctx, &h); err != nil {
			return err
		}
		c.endRun = c.Status == assist.StatusBot // the bot's run; the agents' own goes on
		c.Status, c.Handoff = assist.StatusWaiting, &h
		e := assist.HandedOver(c.ID, c.next(), h)
		c.event(e, "")
		c.write(keepHandover, c.ID, e.Seq, h.Code)
		if run.Owner != "" && n.ForSeq != 0 {
			c.after = append(c.after, statement{lease, []any{c.ID, n.ForSeq, run.Owner, run.For}})
		}
		s.Events, s.HandedSeq = append(s.Events, e), e.Seq
		return nil
	})
	s.Conversation = now
	return s, err
}

// enoughWaits is how many waits of the last day make a typical one.
const enoughWaits = 5

// wait fills in what can be said of how long a person takes.
func (c *change) wait(ctx context.Context, h *assist.Handoff) error {
	const sql = `SELECT
		(SELECT count(*) FROM conversations WHERE status = 'waiting' AND id <> $1 AND last_seq > 0 AND waiting_since < $2),
		(SELECT coalesce(CASE WHEN count(*) >= $3 THEN percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM taken_at - at)) END, 0)
		 FROM (SELECT at, taken_at FROM handovers WHERE taken_at > now() - interval '1 day' ORDER BY taken_at DESC LIMIT 50) w)`
	if !h.Wait.OpensAt.IsZero() {
		return nil
	}
	var ahead int
	var seconds float64
	if err := c.tx.QueryRow(ctx, sql, c.ID, c.WaitingSince, enoughWaits).Scan(&ahead, &seconds); err != nil {
		return err
	}
	h.Wait.Ahead = &ahead
	h.Wait.Typical = time.Duration(seconds * float64(time.Second)).Round(10 * time.Second)
	return nil
}

// ReturnHandoff implements chat.Store: back to the queue.
func (db *DB) ReturnHandoff(ctx context.Context, by assist.Identity, conversation, reason string) (e assist.Event, err error) {
	if by.Actor != assist.ActorAgent {
		return e, assist.Errorf(assist.Forbidden, "only agents give conversations back")
	}
	_, err = db.change(ctx, db.turns.do, "return conversation", conversation, func(ctx context.Context, c *change) error {
		if c.Status != assist.StatusOpen {
			return assist.Errorf(assist.Conflict, "conversation %q is %s: only one that an agent has can be given back", conversation, c.Status)
		}
		h := assist.Handoff{Code: assist.HandoffReturned, Reason: reason, From: by.Subject, At: c.now}
		if h.Reason == "" {
			h.Reason = "An agent gave it back."
		}
		if was := c.Handoff; was != nil {
			h.Summary, h.Tried = was.Summary, was.Tried
		}
		c.Status, c.Agent, c.AgentName, c.Handoff = assist.StatusWaiting, "", "", &h
		if c.WaitingSince.IsZero() {
			c.WaitingSince = c.now
		}
		if err := c.wait(ctx, &h); err != nil {
			return err
		}
		e = assist.HandedOver(conversation, c.next(), h)
		c.event(e, "")
		return nil
	})
	return e, err
}

// CustomerConversation gives the open conversation of a customer whom the host's
// site vouched for, and begins one when there is none: the same on every tab and
// device, also when two ask at once. fresh is the id a new one gets.
func (db *DB) CustomerConversation(ctx context.Context, customer, name, fresh string) (id string, err error) {
	const lock = `SELECT pg_advisory_xact_lock(hashtextextended('aside customer ' || $1, 0))`
	const find = `SELECT id FROM conversations WHERE customer = $1 AND status <> 'closed' ORDER BY created_at DESC LIMIT 1`
	const open = `INSERT INTO conversations (id, status, customer, customer_name) VALUES ($1, 'waiting', $2, $3)`
	err = db.speech.do(ctx, "find a customer's conversation", func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lock, customer); err != nil {
				return err
			}
			err := tx.QueryRow(ctx, find, customer).Scan(&id)
			if !errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			id = fresh
			_, err = tx.Exec(ctx, open, id, customer, name)
			return err
		})
	})
	return id, err
}

// PutBotSettings stores bot.yaml, which the caller has found valid.
func (db *DB) PutBotSettings(ctx context.Context, body, source string) error {
	const sql = `INSERT INTO bot_settings (body, source) VALUES ($1, $2)
		ON CONFLICT (one_row) DO UPDATE SET body = excluded.body, source = excluded.source, updated_at = now()`
	return db.ingest.doAgain(ctx, "store the bot's settings", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, body, source)
		return err
	})
}

// BotSettings gives bot.yaml, "" when none was ingested.
func (db *DB) BotSettings(ctx context.Context) (body string, err error) {
	err = db.search.doAgain(ctx, "load the bot's settings", func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT body FROM bot_settings`).Scan(&body)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return body, err
}

// BotCount is one of the bot's limits: at most Most answers a day for Key.
type BotCount struct {
	Scope, Key string
	Most       int
}

// CountBot counts one answer for each of the limits, or for none when one is
// used up: then it gives that one's scope.
func (db *DB) CountBot(ctx context.Context, day time.Time, limits []BotCount) (full string, err error) {
	const sql = `INSERT INTO bot_counts AS b (day, scope, key, n) SELECT $1, $2, $3, 1 WHERE $4 > 0
		ON CONFLICT (day, scope, key) DO UPDATE SET n = b.n + 1 WHERE b.n < $4`
	err = db.speech.do(ctx, "count an answer of the bot", func(ctx context.Context, conn *pgx.Conn) error {
		full = ""
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for _, l := range limits { // always in the same order, so that two never wait for each other
				tag, err := tx.Exec(ctx, sql, day, l.Scope, l.Key, l.Most)
				if err != nil {
					return err
				}
				if tag.RowsAffected() == 0 {
					full = l.Scope
					return errFull
				}
			}
			return nil
		})
		if errors.Is(err, errFull) {
			return nil
		}
		return err
	})
	return full, err
}

var errFull = errors.New("the limit is used up")

// ReserveTokens sets tokens of a day's allowance aside, false when they do not
// fit any more. A process that dies leaves what it reserved spent.
func (db *DB) ReserveTokens(ctx context.Context, day time.Time, tokens, most int64) (ok bool, err error) {
	const sql = `INSERT INTO bot_tokens AS b (day, reserved) SELECT $1, $2 WHERE $2 <= $3::bigint
		ON CONFLICT (day) DO UPDATE SET reserved = b.reserved + $2 WHERE b.spent + b.reserved + $2 <= $3`
	err = db.speech.do(ctx, "reserve tokens", func(ctx context.Context, conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, day, tokens, most)
		ok = err == nil && tag.RowsAffected() == 1
		return err
	})
	return ok, err
}

// SettleTokens turns a reservation into what was really spent.
func (db *DB) SettleTokens(ctx context.Context, day time.Time, reserved, spent int64) error {
	const sql = `UPDATE bot_tokens SET reserved = reserved - $2, spent = spent + $3 WHERE day = $1`
	return db.speech.do(ctx, "settle tokens", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, day, reserved, spent)
		return err
	})
}

// TokensSpent gives what a day's bot spent, and what is set aside.
func (db *DB) TokensSpent(ctx context.Context, day time.Time) (spent, reserved int64, err error) {
	err = db.speech.doAgain(ctx, "read the tokens spent", func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT spent, reserved FROM bot_tokens WHERE day = $1`, day).Scan(&spent, &reserved)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return spent, reserved, err
}

// BotBacklog counts conversations by status; "unanswered" are those the bot has
// and still owes an answer.
func (db *DB) BotBacklog(ctx context.Context) (counts map[string]int64, err error) {
	const sql = `SELECT CASE WHEN status = 'bot' AND run_seq IS NOT NULL THEN 'unanswered' ELSE status END, count(*) FROM conversations WHERE last_seq > 0 GROUP BY 1`
	err = db.speech.doAgain(ctx, "count the bot's conversations", func(ctx context.Context, conn *pgx.Conn) error {
		counts = map[string]int64{}
		rows, err := conn.Query(ctx, sql)
		if err != nil {
			return err
		}
		var status string
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&status, &n}, func() error { counts[status] = n; return nil })
		return err
	})
	return counts, err
}

// withoutPrompt takes the prompt's text out of a suggestion, storable.
func withoutPrompt(g assist.Suggestion) (assist.Suggestion, string) {
	if g.Prompt == nil {
		return g, ""
	}
	p := *g.Prompt
	text := strings.Clone(storable(p.Text))
	p.Text = ""
	g.Prompt = &p
	return g, text
}
