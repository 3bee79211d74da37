package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// maxDimension is that of a half-precision vector that still fits a page, which
// an exact scan needs.
const maxDimension = 4000

// PutVectors stores the named model's vectors of passages, replacing those that
// are there. Passages that are gone meanwhile are left out. A model has one
// dimension for good: a changed one needs a new name.
func (db *DB) PutVectors(ctx context.Context, model string, dim int, ids []string, vectors [][]float32) error {
	const register = `INSERT INTO vector_models (name, dimension, missing) SELECT $1, $2, passages FROM knowledge_stats
		ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id, dimension`
	// The outer select sees the table as it was before. Counting what is new is
	// exact, as this is the only writer.
	const put = `WITH stored AS (
			INSERT INTO passage_vectors (model_id, passage_id, audience, vector)
			SELECT $1, p.id, p.audience, x.vector FROM unnest($2::text[], $3::halfvec[]) AS x(id, vector)
			JOIN passages p ON p.id = x.id AND p.current
			ON CONFLICT (model_id, passage_id, audience) DO UPDATE SET vector = excluded.vector
			RETURNING passage_id)
		UPDATE vector_models SET missing = missing - (SELECT count(*) FROM stored s WHERE NOT EXISTS
			(SELECT FROM passage_vectors v WHERE v.model_id = $1 AND v.passage_id = s.passage_id)) WHERE id = $1`
	const version = `UPDATE knowledge_stats SET version = version + 1`
	if model == "" || dim < 1 || dim > maxDimension {
		return assist.Errorf(assist.Invalid, "embedding model %q: vectors must have 1 to %d dimensions, not %d; choose a smaller output dimension", model, maxDimension, dim)
	}
	if len(ids) != len(vectors) {
		return assist.Errorf(assist.Invalid, "embedding model %q gave %d vectors for %d passages", model, len(vectors), len(ids))
	}
	halves := make([]pgvector.HalfVector, len(vectors))
	for i, v := range vectors {
		if err := checkVector(model, dim, v); err != nil {
			return err
		}
		halves[i] = pgvector.NewHalfVector(v)
	}
	return db.write(ctx, "put vectors of "+model, func(ctx context.Context, w *writer) error {
		var id, known int
		if err := w.tx.QueryRow(ctx, register, model, dim).Scan(&id, &known); err != nil {
			return err
		}
		if known != dim {
			return assist.Errorf(assist.Invalid, "embedding model %q has %d dimensions here, not %d; give the new one another name", model, known, dim)
		}
		if _, err := w.tx.Exec(ctx, put, id, ids, halves); err != nil {
			return err
		}
		_, err := w.tx.Exec(ctx, version)
		return err
	})
}

// checkVector refuses what has no direction or does not fit half precision.
func checkVector(model string, dim int, v []float32) error {
	if len(v) != dim {
		return assist.Errorf(assist.Invalid, "embedding model %q gave a vector of %d dimensions instead of %d", model, len(v), dim)
	}
	zero := true
	for _, x := range v {
		zero = zero && x == 0
		if !(math.Abs(float64(x)) <= 65504) {
			return assist.Errorf(assist.Invalid, "embedding model %q gave a vector with the value %v", model, x)
		}
	}
	if zero {
		return assist.Errorf(assist.Invalid, "embedding model %q gave a vector of zeros", model)
	}
	return nil
}

// MissingVectors gives ids and texts of up to limit current passages that the
// model has no vector for.
func (db *DB) MissingVectors(ctx context.Context, model string, limit int) (ids, texts []string, err error) {
	const sql = `SELECT p.id, concat_ws(E'\n', nullif(d.title, ''), nullif(p.heading, ''), p.text)
		FROM passages p JOIN documents d ON d.id = p.document_id
		WHERE p.current AND NOT EXISTS (SELECT FROM passage_vectors v JOIN vector_models m ON m.id = v.model_id
			WHERE m.name = $1 AND v.passage_id = p.id)
		ORDER BY p.row_id LIMIT $2`
	err = db.ingest.doAgain(ctx, "find passages without vectors of "+model, func(ctx context.Context, conn *pgx.Conn) error {
		ids, texts = nil, nil
		rows, err := conn.Query(ctx, sql, model, limit)
		if err != nil {
			return err
		}
		var id, text string
		_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error {
			ids, texts = append(ids, id), append(texts, text)
			return nil
		})
		return err
	})
	return ids, texts, err
}

// Dense implements retrieve.Index. Few vectors are all compared; many are found by
// their index, see FinishVectors. Where filters leave fewer than were asked for
// of what the index came upon, all are compared after all.
func (db *DB) Dense(ctx context.Context, scope retrieve.Scope, model string, vector []float32) (found []assist.Hit, err error) {
	const known = `SELECT m.id, m.dimension, e.extversion FROM vector_models m, pg_extension e WHERE m.name = $1 AND e.extname = 'vector'`
	if h := db.heldFor(scope); h != nil && h.model == model {
		if err := checkVector(model, h.dim, vector); err != nil {
			return nil, err
		}
		return h.dense(scope, vector), nil
	}
	err = db.reader(scope).doAgain(ctx, "search by vector of "+model, func(ctx context.Context, conn *pgx.Conn) error {
		found = nil
		var id, dim int
		var version string
		err := conn.QueryRow(ctx, known, model).Scan(&id, &dim, &version)
		if err == pgx.ErrNoRows {
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkVector(model, dim, vector); err != nil {
			return err
		}
		args := filter(scope, pgvector.NewHalfVector(vector), id, hits(scope))
		by := indexed(dim)
		for _, sql := range []struct {
			text string
			args []any
		}{{nearSQL(scope, by), append(slices.Clip(args), near(scope))}, {denseSQL(scope, by), args}, {denseSQL(scope, "v.vector"), args}} {
			var b pgx.Batch
			b.Queue(`SELECT set_config('hnsw.ef_search', $1, true)`, strconv.Itoa(min(max(searchWidth, near(scope)), 1000)))
			if atLeast(version, 0, 8, 0) {
				b.Queue(`SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true)`)
			}
			b.Queue(sql.text, sql.args...).Query(func(rows pgx.Rows) (err error) {
				found, err = pgx.CollectRows(rows, scanHit)
				return err
			})
			if err := conn.SendBatch(ctx, &b).Close(); err != nil || len(found) == hits(scope) {
				return err
			}
		}
		return nil
	})
	for i := range found {
		found[i].Ranks = assist.Ranks{Dense: i + 1, DenseScore: found[i].Score}
	}
	return found, err
}

// exactDense is Dense without an index, for DenseRecall.
func (db *DB) exactDense(ctx context.Context, scope retrieve.Scope, model string, vector []float32) (found []assist.Hit, err error) {
	const known = `SELECT id FROM vector_models WHERE name = $1`
	err = db.reader(scope).doAgain(ctx, "compare all vectors of "+model, func(ctx context.Context, conn *pgx.Conn) error {
		var id int
		if err := conn.QueryRow(ctx, known, model).Scan(&id); err != nil {
			return err
		}
		found, err = collect(ctx, conn, scanHit, denseSQL(scope, "v.vector"), filter(scope, pgvector.NewHalfVector(vector), id, hits(scope))...)
		return err
	})
	return found, err
}

// nearSQL is denseSQL among the $7 nearest vectors, seen or not: to look up the
// passage of each vector takes ten times as long as to compare it. When it finds
// less than it should, the scope leaves much out, and denseSQL looks further: as
// far as an index goes, then at all.
func nearSQL(scope retrieve.Scope, expression string) string {
	passages, _, vectors := tables(scope)
	return `SELECT ` + hitColumns + `, 1 - n.distance
		FROM (SELECT v.passage_id, ` + expression + ` <=> $4 AS distance FROM ` + vectors + ` v
		      WHERE v.model_id = $5 ORDER BY ` + expression + ` <=> $4 LIMIT $7) n
		JOIN ` + passages + ` p ON p.id = n.passage_id JOIN documents d ON d.id = p.document_id
		WHERE ` + visible + ` ORDER BY n.distance, p.id LIMIT $6`
}

// near is how many vectors nearSQL looks at: some passages are not to be seen.
func near(s retrieve.Scope) int { return 2*hits(s) + 20 }

// denseSQL ranks by an expression on vectors v. Only one that is that of an index
// can use it; v.vector compares all.
func denseSQL(scope retrieve.Scope, expression string) string {
	passages, _, vectors := tables(scope)
	return `SELECT ` + hitColumns + `, 1 - c.distance
		FROM (SELECT p.row_id, ` + expression + ` <=> $4 AS distance FROM ` + vectors + ` v JOIN ` + passages + ` p ON p.id = v.passage_id
		      WHERE v.model_id = $5 AND ` + visible + `
		      ORDER BY ` + expression + ` <=> $4 LIMIT $6) c
		JOIN ` + passages + ` p ON p.row_id = c.row_id ` + itsDocument + `
		ORDER BY c.distance, p.id`
}

// indexed is what the indexes of models with so many dimensions are made on.
func indexed(dim int) string { return fmt.Sprintf("(v.vector::halfvec(%d))", dim) }
