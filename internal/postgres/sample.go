package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

var (
	_ retrieve.Sampler = (*DB)(nil)
	_ retrieve.Sampler = Customers{}
)

// Sample implements retrieve.Sampler: n places are spread over the row ids, and
// the first current passage from each place on is taken. It costs n look-ups in an
// index, however many passages there are.
func (db *DB) Sample(ctx context.Context, scope retrieve.Scope, n int) (found []assist.Hit, err error) {
	passages, _, _ := tables(scope)
	sql := `SELECT ` + hitColumns + `, 0::float8
		FROM (SELECT DISTINCT c.row_id
		      FROM (SELECT min(row_id) AS low, greatest(max(row_id) - min(row_id) + 1, $4)::float8 / $4 AS step FROM ` + passages + `) r
		      CROSS JOIN generate_series(0, $4 - 1) AS i
		      CROSS JOIN LATERAL (SELECT p.row_id FROM ` + passages + ` p WHERE p.row_id >= r.low + floor(i * r.step)::bigint AND ` + visible + `
		                          ORDER BY p.row_id LIMIT 1) c) s
		JOIN ` + passages + ` p ON p.row_id = s.row_id JOIN documents d ON d.id = p.document_id
		ORDER BY p.id`
	err = db.reader(scope).doAgain(ctx, "sample the knowledge", func(ctx context.Context, conn *pgx.Conn) (err error) {
		found, err = collect(ctx, conn, scanHit, sql, filter(scope, n)...)
		return err
	})
	return found, err
}

// Sample implements retrieve.Sampler.
func (c Customers) Sample(ctx context.Context, s retrieve.Scope, n int) ([]assist.Hit, error) {
	return c.view().Sample(ctx, publicly(s), n)
}
