package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// VectorModel is an embedding model that the knowledge has vectors of.
type VectorModel struct {
	Name      string
	Dimension int
	Vectors   int  // of passages of every revision
	Missing   int  // current passages without one
	Serves    bool // searches use it
	Earlier   bool // it served before the one that serves now
	Leaving   bool // it is being removed
}

// prunedPrefix begins the names of models that are being removed: under its own
// name a model may be made anew meanwhile.
const prunedPrefix = "being removed: "

// pruneBatch is how many vectors one transaction deletes.
const pruneBatch = 5000

// VectorModels lists the embedding models, the one that serves first.
func (db *DB) VectorModels(ctx context.Context) (models []VectorModel, err error) {
	const sql = `SELECT m.name, m.dimension, (SELECT count(*)::int FROM passage_vectors v WHERE v.model_id = m.id), greatest(m.missing, 0),
			coalesce(m.chosen = n.chosen, false), coalesce(m.chosen < n.chosen, false), starts_with(m.name, $1)
		FROM vector_models m, (SELECT max(chosen) AS chosen FROM vector_models) n ORDER BY m.chosen DESC NULLS LAST, m.id`
	err = db.ingest.doAgain(ctx, "list embedding models", func(ctx context.Context, conn *pgx.Conn) (err error) {
		models, err = collect(ctx, conn, pgx.RowToStructByPos[VectorModel], sql, prunedPrefix)
		return err
	})
	return models, err
}

// PruneVectors deletes the vectors of the named models, or, where none is named,
// of all that served before the one that serves now, and gives how many it
// deleted. The one that serves is never touched; one that is still being made is
// only when it is named. It may be broken off and called again; searches and
// ingests go on meanwhile.
func (db *DB) PruneVectors(ctx context.Context, models []string) (deleted int, err error) {
	const leave = `UPDATE vector_models SET name = $2 || id || ' ' || name, chosen = NULL WHERE NOT starts_with(name, $2)
		AND CASE WHEN cardinality($1::text[]) = 0 THEN chosen < (SELECT max(chosen) FROM vector_models) ELSE name = ANY($1) END`
	const serving = `SELECT name FROM vector_models WHERE chosen > 0 ORDER BY chosen DESC LIMIT 1`
	const known = `SELECT x FROM unnest($1::text[]) x WHERE NOT EXISTS (SELECT FROM vector_models WHERE name = x) LIMIT 1`
	const leaving = `SELECT id FROM vector_models WHERE starts_with(name, $1) ORDER BY id`
	models = orEmpty(models)
	var ids []int
	if err := db.write(ctx, "let embedding models go", func(ctx context.Context, w *writer) error {
		serves, err := collect(ctx, w.tx, pgx.RowTo[string], serving)
		if err != nil {
			return err
		}
		unknown, err := collect(ctx, w.tx, pgx.RowTo[string], known, models)
		if err != nil {
			return err
		}
		for _, name := range models {
			if len(serves) > 0 && name == serves[0] {
				return assist.Errorf(assist.Conflict, "searches use the vectors of %q: let another model take over first", name)
			}
		}
		if len(unknown) > 0 {
			return assist.Errorf(assist.NotFound, "there are no vectors of %q; `aside vectors` lists the models", unknown[0])
		}
		if _, err := w.tx.Exec(ctx, leave, models, prunedPrefix); err != nil {
			return err
		}
		ids, err = collect(ctx, w.tx, pgx.RowTo[int], leaving, prunedPrefix)
		return err
	}); err != nil {
		return 0, err
	}
	for _, id := range ids {
		n, err := db.removeModel(ctx, id)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

// removeModel deletes a model that nothing uses any more: its indexes, its vectors
// some thousand at a time, and at last its name.
func (db *DB) removeModel(ctx context.Context, id int) (deleted int, err error) {
	// A connection of its own: to drop an index beside searches waits for them.
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return 0, explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, part := range audiences {
		if _, err := conn.Exec(ctx, fmt.Sprintf(`DROP INDEX CONCURRENTLY IF EXISTS passage_vectors_%s_m%d`, part, id)); err != nil {
			return deleted, explain("drop the index of an old model", err)
		}
		some := `DELETE FROM passage_vectors_` + part + ` WHERE ctid = ANY(ARRAY(SELECT ctid FROM passage_vectors_` + part + ` WHERE model_id = $1 LIMIT $2))`
		for n := int64(1); n > 0; {
			tag, err := conn.Exec(ctx, some, id, pruneBatch)
			if err != nil {
				return deleted, explain("delete vectors of an old model", err)
			}
			n = tag.RowsAffected()
			deleted += int(n)
		}
	}
	_, err = conn.Exec(ctx, `DELETE FROM vector_models WHERE id = $1`, id)
	return deleted, explain("forget an old model", err)
}
