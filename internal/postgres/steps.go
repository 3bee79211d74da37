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
		WHERE customer = $1 AND gesture = $2 AND period = $3 AND (given OR at > now() - interval '1 day')`
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

// SpentGestures gives what a customer was given, or is being held for them in
// other conversations, by gesture and period.
func (db *DB) SpentGestures(ctx context.Context, customer, conversation string) (spent map[[2]string]int64, err error) {
	const sql = `SELECT gesture, period, sum(amount)::bigint FROM gestures
		WHERE customer = $1 AND (given OR conversation_id <> $2 AND at > now() - interval '1 day') GROUP BY gesture, period`
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

// AddStepWeights adds what was learned to what is known.
func (db *DB) AddStepWeights(ctx context.Context, changes map[string]float64) error {
	const sql = `INSERT INTO step_weights AS w (feature, weight) SELECT * FROM unnest($1::text[], $2::float8[]) AS n(feature, weight) ORDER BY 1
		ON CONFLICT (feature) DO UPDATE SET weight = w.weight + excluded.weight`
	const batch = 5000
	features, weights := make([]string, 0, len(changes)), make([]float64, 0, len(changes))
	for f, w := range changes {
		features, weights = append(features, storable(f)), append(weights, w)
	}
	return db.ingest.do(ctx, "store learned steps", func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for i := 0; i < len(features); i += batch {
				end := min(i+batch, len(features))
				if _, err := tx.Exec(ctx, sql, features[i:end], weights[i:end]); err != nil {
					return err
				}
			}
			return nil
		})
	})
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
