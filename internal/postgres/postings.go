package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

const (
	// listFrom is how many passages are worth lists, and how many may come after
	// them before they are made anew; of a larger knowledge a twentieth may.
	listFrom = 20_000
	tailPart = 20

	postingSize = 6 // bytes: row, weight
	weightUnit  = 10_000

	// reread is how many passages with the best sums are read and ranked truly. The
	// sums leave out the terms that are everywhere: of real questions to 100,000
	// passages 0.99 of the best ten are among the best 300 sums.
	reread = 300

	blockRows = 1 << 14 // rows whose sums are kept at a time
)

// FinishPassages is to be called when much has been ingested, and now and then: it
// makes the lists of terms anew where they are due, which may take a minute and
// disturbs nobody. Of several nodes one works; to the others it is done.
func (db *DB) FinishPassages(ctx context.Context) error {
	const due = `SELECT s.passages > $1 AND (p.last_row IS NULL OR
		(SELECT count(*) FROM passages x WHERE x.current AND x.row_id > p.last_row) > greatest($1, s.passages / $2))
		FROM knowledge_stats s LEFT JOIN postings_state p ON true`
	var isDue bool
	err := db.ingest.doAgain(ctx, "look at the lists of terms", func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, due, listFrom, tailPart).Scan(&isDue)
	})
	if err != nil || !isDue {
		return err
	}
	// A connection of its own: this may take longer than any statement may.
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which lets go of the locks
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('aside postings ' || $1, 0))`, db.schema).Scan(&mine); err != nil || !mine {
		return explain("lock the lists of terms", err)
	}
	return explain("make the lists of terms", db.makeLists(ctx, conn))
}

func (db *DB) makeLists(ctx context.Context, conn *pgx.Conn) error {
	// Rows get their number before their transaction ends: while nobody writes, all
	// up to the last one are seen.
	const still, goOn = `SELECT pg_advisory_lock(hashtextextended('aside knowledge ' || $1, 0))`, `SELECT pg_advisory_unlock(hashtextextended('aside knowledge ' || $1, 0))`
	const state = `SELECT coalesce((SELECT max(row_id) FROM passages), 0), s.passages, s.weighed_average,
		coalesce((SELECT build FROM postings_state), 0) FROM knowledge_stats s`
	const fill = ` (build, term, list)
		SELECT $1, x.term, string_agg(int4send(x.row) || int2send(x.weight), ''::bytea ORDER BY x.row) FROM (
			SELECT t.term, p.row_id::int4 AS row,
				least(round($6::float8 * t.n * ($3::float8 + 1) / (t.n + $3::float8 * (1 - $4::float8 + $4::float8 * p.length / $5::float8))), 32767)::int2 AS weight
			FROM `
	const from = ` p, unnest(p.terms, p.counts) AS t(term, n) WHERE p.valid_to > now() AND p.row_id <= $2) x
		GROUP BY x.term HAVING count(*) <= $7`
	const count = `INSERT INTO postings_state AS s (build, last_row, passages) VALUES ($1, $2, $3)
		ON CONFLICT (one_row) DO UPDATE SET build = excluded.build, last_row = excluded.last_row, passages = excluded.passages`
	if _, err := conn.Exec(ctx, still, db.schema); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // nothing to undo once it is committed
	var last int64
	var passages, build int
	var average float64
	if err := tx.QueryRow(ctx, state).Scan(&last, &passages, &average, &build); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, goOn, db.schema); err != nil {
		return err
	}
	if last > math.MaxInt32 || average <= 0 {
		return nil // more rows than the lists can name were ever written: the indexes must do
	}
	if _, err := tx.Exec(ctx, `SET LOCAL work_mem = '256MB'`); err != nil {
		return err
	}
	build++
	for _, part := range []string{"public", "internal"} {
		sql := `INSERT INTO postings_` + part + fill + `passages_` + part + from
		if _, err := tx.Exec(ctx, sql, build, last, k1, b, average, weightUnit, 2*retrieve.WideBudget(passages)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM postings_`+part+` WHERE build <> $1`, build); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, count, build, last, passages); err != nil {
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	db.log.Info("listed where terms stand", "passages", passages, "build", build)
	return nil
}

// postings is what the lists say of a question.
type postings struct {
	last int64   // the last row that they know
	best []int64 // rows with the best sums
}

// listed asks the lists; false where there are none, or too much came after them.
func (db *DB) listed(ctx context.Context, conn *pgx.Conn, scope retrieve.Scope, q retrieve.LexicalQuery) (p postings, ok bool, err error) {
	sql := `SELECT s.last_row, l.term, l.list FROM postings_state s JOIN postings_public l ON l.build = s.build AND l.term = ANY($1)`
	if scope.Audience == assist.AudienceInternal {
		sql += ` UNION ALL SELECT s.last_row, l.term, l.list FROM postings_state s JOIN postings_internal l ON l.build = s.build AND l.term = ANY($1)`
	}
	rows, err := conn.Query(ctx, sql, q.Wide)
	if err != nil {
		return p, false, err
	}
	var lists []list
	var term int32
	var raw []byte
	_, err = pgx.ForEachRow(rows, []any{&p.last, &term, &raw}, func() error {
		lists = append(lists, list{slices.Clone(raw), q.Weights[term] / weightUnit})
		return nil
	})
	if err != nil || len(lists) == 0 {
		return p, false, err
	}
	p.best = best(lists, max(reread, 15*hits(scope)))
	return p, true, nil
}

// list is the passages of one term, by row, and what the term weighs in the
// question.
type list struct {
	raw    []byte
	weight float32
}

// best gives the rows with the largest sums, at most n. It goes through all lists
// side by side, block by block of rows, so that it needs the same memory however
// large the knowledge is.
func best(lists []list, n int) []int64 {
	var sums [blockRows]float32
	top := make([]summed, 0, 2*n)
	bar := float32(0)
	for {
		first := uint32(math.MaxUint32)
		for _, l := range lists {
			if len(l.raw) >= postingSize {
				first = min(first, binary.BigEndian.Uint32(l.raw))
			}
		}
		if first == math.MaxUint32 {
			break
		}
		start := first - first%blockRows
		end := uint64(start) + blockRows
		for i := range lists {
			lists[i].raw = addUp(&sums, lists[i], end)
		}
		for i, s := range sums {
			if s <= bar {
				continue
			}
			if top = append(top, summed{int64(start) + int64(i), s}); len(top) == cap(top) {
				top, bar = cut(top, n)
			}
		}
		clear(sums[:])
	}
	top, _ = cut(top, n)
	rows := make([]int64, len(top))
	for i, t := range top {
		rows[i] = t.row
	}
	return rows
}

// addUp adds a list's weights up to a row to the block's sums, and gives the rest
// of the list.
func addUp(sums *[blockRows]float32, l list, end uint64) []byte {
	raw := l.raw
	for len(raw) >= postingSize {
		row := binary.BigEndian.Uint32(raw)
		if uint64(row) >= end {
			break
		}
		sums[row%blockRows] += l.weight * float32(binary.BigEndian.Uint16(raw[4:]))
		raw = raw[postingSize:]
	}
	return raw
}

type summed struct {
	row int64
	sum float32
}

// cut keeps the n largest sums, and gives the least of them once there are n.
func cut(top []summed, n int) ([]summed, float32) {
	if len(top) <= n {
		return top, 0
	}
	slices.SortFunc(top, func(a, b summed) int { return cmp.Or(cmp.Compare(b.sum, a.sum), cmp.Compare(a.row, b.row)) })
	return top[:n], top[n-1].sum
}
