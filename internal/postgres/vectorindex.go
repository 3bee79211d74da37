package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

const (
	// indexFrom is how many vectors of a model and an audience are worth an index:
	// fewer are compared faster than an index is walked, and miss nothing.
	indexFrom = 10_000

	// searchWidth is how many near vectors a search in an index keeps in view.
	// pgvector's own 40 loses one of seven passages of the first five.
	searchWidth = 100
)

// FinishVectors is to be called when every passage has a vector of the model. It
// makes the indexes that are due, which may take minutes and disturbs nobody, and
// then lets searches use the model. Of several nodes one works; to the others it
// is done, and they find the model when it is.
func (db *DB) FinishVectors(ctx context.Context, model string) error {
	const choose = `UPDATE vector_models m SET chosen = nextval('vector_models_chosen')
		WHERE m.name = $1 AND m.missing = 0 AND (m.chosen IS NULL OR m.chosen < (SELECT max(chosen) FROM vector_models))`
	const version = `UPDATE knowledge_stats SET version = version + 1`
	if err := db.indexVectors(ctx, model); err != nil {
		return fmt.Errorf("index the vectors of %s: %w", model, err)
	}
	return db.write(ctx, "choose vectors of "+model, func(ctx context.Context, w *writer) error {
		done, err := w.tx.Exec(ctx, choose, model)
		if err != nil || done.RowsAffected() == 0 {
			return err
		}
		db.log.Info("searches use vectors of another model", "model", model)
		_, err = w.tx.Exec(ctx, version)
		return err
	})
}

// indexVectors makes an index of the model's vectors in each table that has
// enough of them.
func (db *DB) indexVectors(ctx context.Context, model string) error {
	const due = `SELECT m.id, m.dimension, e.extversion, coalesce((SELECT array_agg(t.name ORDER BY t.name)
		FROM (VALUES ('passage_vectors_public'), ('passage_vectors_internal')) AS t(name)
		WHERE (SELECT count(*) FROM passage_vectors v WHERE v.model_id = m.id AND v.tableoid = to_regclass(t.name)) > $2
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indexrelid = to_regclass(t.name || '_m' || m.id) AND i.indisvalid)), '{}')
		FROM vector_models m, pg_extension e WHERE m.name = $1 AND e.extname = 'vector'`
	var id, dim int
	var extension string
	var tables []string
	err := db.ingest.doAgain(ctx, "look at vectors of "+model, func(ctx context.Context, c *pgx.Conn) error {
		err := c.QueryRow(ctx, due, model, indexFrom).Scan(&id, &dim, &extension, &tables)
		if err == pgx.ErrNoRows {
			return nil
		}
		return err
	})
	if err != nil || len(tables) == 0 {
		return err
	}
	// A connection of its own: an index may take longer than any statement may.
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which lets go of the lock
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('aside vectors ' || $1, 0))`, db.schema).Scan(&mine); err != nil || !mine {
		return explain("lock the vectors", err)
	}
	if !atLeast(extension, 0, 8, 6) { // which mended indexes built by several processes
		if _, err := conn.Exec(ctx, `SET max_parallel_maintenance_workers = 0`); err != nil {
			return explain("prepare an index", err)
		}
	}
	for _, table := range tables {
		name := fmt.Sprintf("%s_m%d", table, id)
		for _, sql := range []string{
			`DROP INDEX CONCURRENTLY IF EXISTS ` + name, // one that was broken off
			fmt.Sprintf(`CREATE INDEX CONCURRENTLY %s ON %s USING hnsw ((vector::halfvec(%d)) halfvec_cosine_ops) WHERE model_id = %d`, name, table, dim, id),
			`ANALYZE ` + table,
		} {
			if _, err := conn.Exec(ctx, sql); err != nil {
				return explain("make index "+name, err)
			}
		}
		db.log.Info("indexed vectors", "model", model, "index", name)
	}
	return nil
}

// DenseRecall says which share of the k nearest passages searches by vector find,
// over so many questions, which are vectors of the knowledge itself.
func (db *DB) DenseRecall(ctx context.Context, scope retrieve.Scope, model string, questions int) (recall float64, err error) {
	_, _, vectors := tables(scope)
	sample := `SELECT v.vector::real[] FROM ` + vectors + ` v JOIN vector_models m ON m.id = v.model_id
		WHERE m.name = $1 ORDER BY hashtext(v.passage_id) LIMIT $2`
	var asked [][]float32
	err = db.reader(scope).doAgain(ctx, "sample vectors of "+model, func(ctx context.Context, c *pgx.Conn) (err error) {
		asked, err = collect(ctx, c, pgx.RowTo[[]float32], sample, model, questions)
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(asked) == 0 {
		return 0, assist.Errorf(assist.NotFound, "the knowledge has no vectors of %q", model)
	}
	for _, vector := range asked {
		found, err := db.Dense(ctx, scope, model, vector)
		if err != nil {
			return 0, err
		}
		exact, err := db.exactDense(ctx, scope, model, vector)
		if err != nil {
			return 0, err
		}
		near := map[string]bool{}
		for _, h := range found {
			near[h.ID] = true
		}
		same := 0
		for _, h := range exact {
			if near[h.ID] {
				same++
			}
		}
		recall += float64(same) / float64(max(len(exact), 1)) / float64(len(asked))
	}
	return recall, nil
}

// atLeast compares an extension's version, such as "0.8.0", with another.
func atLeast(version string, want ...int) bool {
	parts := strings.Split(version, ".")
	for i, w := range want {
		n := 0
		if i < len(parts) {
			n, _ = strconv.Atoi(parts[i]) // "0-dev" counts as 0
		}
		if n != w {
			return n > w
		}
	}
	return true
}
