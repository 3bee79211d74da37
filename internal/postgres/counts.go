package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Counts is how much knowledge there is now.
type Counts struct {
	Documents int
	Passages  int
	Version   int64 // changes with every change of any passage
}

// Counts counts current documents and passages.
func (db *DB) Counts(ctx context.Context) (c Counts, err error) {
	const sql = `SELECT (SELECT count(*) FROM documents WHERE removed_at IS NULL), passages, version FROM knowledge_stats`
	err = db.search.doAgain(ctx, "count the knowledge", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(&c.Documents, &c.Passages, &c.Version)
	})
	return c, err
}

// Sources lists what current documents were ingested from.
func (db *DB) Sources(ctx context.Context) (sources []string, err error) {
	const sql = `SELECT DISTINCT source FROM documents WHERE removed_at IS NULL ORDER BY source`
	err = db.ingest.doAgain(ctx, "list sources", func(ctx context.Context, conn *pgx.Conn) (err error) {
		sources, err = collect(ctx, conn, pgx.RowTo[string], sql)
		return err
	})
	return sources, err
}
