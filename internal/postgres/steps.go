package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Claim is a gesture that an agent wants to give a customer.
type Claim struct {
	Customer     string
	Conversation string
	Gesture      string
	Period       string
	Amount       int64 // hundredths of the gesture's unit, above 0
	Limit        int64 // of this agent, for the period
	By           string
	Given        bool // it was given already: it counts whatever the limit
}

// HoldGesture sets a claim aside, or says false when it does not fit under the
// limit together with what all agents gave or hold. Claims on one customer go
// one after the other. A conversation's later claim on the same gesture replaces
// its earlier one, unless that was given: then they add up.
func (db *DB) HoldGesture(ctx context.Context, c Claim) (ok bool, err error) {
	const lock = `SELECT pg_advisory_xact_lock(hashtextextended('aside gesture ' || $1, 0))`
	const used = `SELECT coalesce(sum(amount) FILTER (WHERE conversation_id <> $4 OR given), 0)::bigint FROM gestures
		WHERE customer IN ($1, 'conversation ' || $4) AND gesture = $2 AND period = $3 AND (given OR at > now() - interval '1 day')`
	const hold = `INSERT INTO gestures AS g (customer, gesture, period, conversation_id, amount, given, by_agent) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (customer, gesture, period, conversation_id) DO UPDATE SET
			amount = CASE WHEN g.given THEN g.amount + excluded.amount ELSE excluded.amount END,
			given = g.given OR excluded.given, by_agent = excluded.by_agent, at = now()`
	if c.Customer == "" || c.Gesture == "" || c.Period == "" || c.Amount <= 0 {
		return false, assist.Errorf(assist.Invalid, "a gesture needs a customer, a name, a period and an amount above 0")
	}
	err = db.turns.do(ctx, "hold a gesture for conversation "+c.Conversation, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lock, c.Customer); err != nil {
				return err
			}
			var sum int64
			if err := tx.QueryRow(ctx, used, c.Customer, c.Gesture, c.Period, c.Conversation).Scan(&sum); err != nil {
				return err
			}
			if ok = c.Given || sum+c.Amount <= c.Limit; !ok {
				return nil
			}
			_, err := tx.Exec(ctx, hold, c.Customer, c.Gesture, c.Period, c.Conversation, c.Amount, c.Given, c.By)
			return err
		})
	})
	return ok && err == nil, err
}

// SpentGestures gives what a conversation's customer was given, or is being held
// for them in other conversations, by gesture and period. customer is who that is
// where the chat tool does not say, see CustomerOf.
func (db *DB) SpentGestures(ctx context.Context, customer, conversation string) (spent map[[2]string]int64, err error) {
	const sql = `SELECT gesture, period, sum(amount)::bigint FROM gestures
		WHERE customer IN (coalesce((` + namedCustomer + `$2), $1), 'conversation ' || $2) AND (given OR conversation_id <> $2 AND at > now() - interval '1 day') GROUP BY gesture, period`
	err = db.turns.doAgain(ctx, "read a customer's gestures", func(ctx context.Context, conn *pgx.Conn) error {
		spent = map[[2]string]int64{}
		rows, err := conn.Query(ctx, sql, customer, conversation)
		if err != nil {
			return err
		}
		var key [2]string
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&key[0], &key[1], &n}, func() error { spent[key] = n; return nil })
		return err
	})
	return spent, err
}

// namedCustomer is under what name gestures are counted where the chat tool says
// who a conversation's customer is.
const namedCustomer = `SELECT 'at ' || customer FROM conversations WHERE customer <> '' AND id = `

// CustomerOf gives under what name the gestures of a conversation's customer are
// counted, "" when the chat tool does not say who that is, or there is no such
// conversation.
func (db *DB) CustomerOf(ctx context.Context, conversation string) (customer string, err error) {
	err = db.turns.doAgain(ctx, "read the customer of conversation "+conversation, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, namedCustomer+`$1`, conversation).Scan(&customer)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return customer, err
}

// PutAgentRole remembers what an agent may give.
func (db *DB) PutAgentRole(ctx context.Context, agent, role string) error {
	const sql = `INSERT INTO agent_roles (agent, role) VALUES ($1, $2) ON CONFLICT (agent) DO UPDATE SET role = excluded.role, seen_at = now()`
	return db.turns.doAgain(ctx, "remember an agent's role", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, agent, role)
		return err
	})
}

// AgentRoles gives the roles of the agents that were seen last, at most limit.
func (db *DB) AgentRoles(ctx context.Context, limit int) (roles map[string]string, err error) {
	const sql = `SELECT agent, role FROM agent_roles WHERE seen_at > now() - interval '30 days' ORDER BY seen_at DESC LIMIT $1`
	err = db.turns.doAgain(ctx, "load agents' roles", func(ctx context.Context, conn *pgx.Conn) error {
		roles = map[string]string{}
		rows, err := conn.Query(ctx, sql, limit)
		if err != nil {
			return err
		}
		var agent, role string
		_, err = pgx.ForEachRow(rows, []any{&agent, &role}, func() error { roles[agent] = role; return nil })
		return err
	})
	return roles, err
}

// NewStepLessons gives the digests that nothing was learned from yet.
func (db *DB) NewStepLessons(ctx context.Context, digests [][]byte) (fresh [][]byte, err error) {
	const sql = `SELECT d FROM unnest($1::bytea[]) AS n(d) WHERE NOT EXISTS (SELECT FROM step_lessons l WHERE l.digest = n.d)`
	err = db.ingest.doAgain(ctx, "look up what steps were learned from", func(ctx context.Context, conn *pgx.Conn) (err error) {
		fresh, err = collect(ctx, conn, pgx.RowTo[[]byte], sql, digests)
		return err
	})
	return fresh, err
}

// StepVersion says how often steps were learned: another number means that what
// is known has changed.
func (db *DB) StepVersion(ctx context.Context) (version int64, err error) {
	err = db.ingest.doAgain(ctx, "read the version of learned steps", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, `SELECT version FROM step_version`).Scan(&version)
	})
	return version, err
}

// AddStepWeights adds what was learned to what is known, notes the conversations
// that taught it, and gives the new version.
func (db *DB) AddStepWeights(ctx context.Context, changes map[string]float64, lessons [][]byte) (version int64, err error) {
	const sql = `INSERT INTO step_weights AS w (feature, weight) SELECT * FROM unnest($1::text[], $2::float8[]) AS n(feature, weight) ORDER BY 1
		ON CONFLICT (feature) DO UPDATE SET weight = w.weight + excluded.weight`
	const batch = 5000
	features, weights := make([]string, 0, len(changes)), make([]float64, 0, len(changes))
	for f, w := range changes {
		features, weights = append(features, storable(f)), append(weights, w)
	}
	err = db.ingest.do(ctx, "store learned steps", func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for i := 0; i < len(features); i += batch {
				end := min(i+batch, len(features))
				if _, err := tx.Exec(ctx, sql, features[i:end], weights[i:end]); err != nil {
					return err
				}
			}
			if _, err := tx.Exec(ctx, `INSERT INTO step_lessons (digest) SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING`, lessons); err != nil {
				return err
			}
			return tx.QueryRow(ctx, `UPDATE step_version SET version = version + 1 RETURNING version`).Scan(&version)
		})
	})
	return version, err
}

// StepWeights gives all that was learned.
func (db *DB) StepWeights(ctx context.Context) (all map[string]float64, err error) {
	err = db.ingest.doAgain(ctx, "load learned steps", func(ctx context.Context, conn *pgx.Conn) error {
		all = map[string]float64{}
		rows, err := conn.Query(ctx, `SELECT feature, weight FROM step_weights`)
		if err != nil {
			return err
		}
		var f string
		var w float64
		_, err = pgx.ForEachRow(rows, []any{&f, &w}, func() error { all[f] = w; return nil })
		return err
	})
	return all, err
}

// PutAuthority stores authority.yaml, which the caller has found valid.
func (db *DB) PutAuthority(ctx context.Context, body, source string) error {
	const sql = `INSERT INTO authority (body, source) VALUES ($1, $2)
		ON CONFLICT (one_row) DO UPDATE SET body = excluded.body, source = excluded.source, updated_at = now()`
	return db.ingest.doAgain(ctx, "store authority", func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, body, source)
		return err
	})
}

// Authority gives authority.yaml, "" when none was ingested.
func (db *DB) Authority(ctx context.Context) (body string, err error) {
	err = db.search.doAgain(ctx, "load authority", func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT body FROM authority`).Scan(&body)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return body, err
}

// HasDocument reports whether there is a document of this title or id, now.
func (db *DB) HasDocument(ctx context.Context, name string) (has bool, err error) {
	const sql = `SELECT EXISTS (SELECT FROM documents WHERE removed_at IS NULL AND (id = $1 OR lower(title) = lower($1)))`
	err = db.search.doAgain(ctx, "look for a document by its name", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql, name).Scan(&has)
	})
	return has, err
}

// DocumentFile gives where a document was ingested from: the source, and the
// path in it.
func (db *DB) DocumentFile(ctx context.Context, id string) (source, path string, err error) {
	err = db.ingest.doAgain(ctx, "look for the file of document "+id, func(ctx context.Context, conn *pgx.Conn) error {
		err := conn.QueryRow(ctx, `SELECT source, path FROM documents WHERE id = $1`, id).Scan(&source, &path)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return source, path, err
}

// ProcedureIDs lists current documents that may hold procedures.
func (db *DB) ProcedureIDs(ctx context.Context, limit int) (ids []string, err error) {
	const sql = `SELECT id FROM documents WHERE removed_at IS NULL AND kind IN ('procedure', 'policy')
		AND (valid_from IS NULL OR valid_from <= now()) AND (valid_to IS NULL OR valid_to > now()) ORDER BY kind DESC, id LIMIT $1`
	err = db.search.doAgain(ctx, "list procedures", func(ctx context.Context, conn *pgx.Conn) (err error) {
		ids, err = collect(ctx, conn, pgx.RowTo[string], sql, limit)
		return err
	})
	return ids, err
}
