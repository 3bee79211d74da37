package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// In a large knowledge lists of where terms stand take the place of the indexes on
// terms. They come in blocks of rows: a block's list of a term has for each of its
// rows the place in the block and the term's weight there. A search adds up the
// lists of its terms, block by block, and reads only the passages with the best
// sums, where an index would make it read every candidate. What ranks is the
// passage itself, so lists may be old; rows after them are looked at one by one.
const (
	listFrom = 2000             // passages that are worth lists
	unlistAt = listFrom * 3 / 4 // passages that are not any more

	blockRows = 1 << 15

	// restTail is how many rows may stand after the lists: each is looked at by
	// every search. While much is being ingested it is up to a block.
	restTail = 1000

	// stalePart of the passages that the lists know may be gone before their blocks
	// are made anew: they take the places of others.
	stalePart = 10

	// spareBlocks beside twice as many as would do may have what is valid now. Where
	// pages are edited every day their passages move on to new rows and leave old
	// blocks nearly empty; those of more blocks are moved together.
	spareBlocks = 2

	// overFrom is how many rows of the past are left where they are, as a block
	// that only questions about the past read.
	overFrom = blockRows / 4

	postingSize = 4 // bytes: place, weight
	placeSize   = 2
	weightUnit  = 10_000

	// reread is how many passages with the best sums are read and ranked truly, at
	// least. The sums leave out terms that are everywhere (retrieve.WideBudget), which
	// is what costs accuracy: of real questions to 200,000 passages all of the best
	// ten were among the best 300 sums of all terms.
	reread = 300

	// pastReread times as many are read by a question about the past: the lists do
	// not say what was valid when, and passages that replace one another are alike.
	pastReread = 4
)

// FinishPassages is to be called when much has been ingested, and now and then: it
// brings the lists of terms up to date where they are due, which may take a minute
// and disturbs nobody. Of several nodes one works; to the others it is done.
// Ingesting does the same as it goes, a block at a time.
func (db *DB) FinishPassages(ctx context.Context) error {
	var l listing
	err := db.ingest.doAgain(ctx, "look at the lists of terms", func(ctx context.Context, c *pgx.Conn) (err error) {
		l, err = one(ctx, c, pgx.RowToStructByPos[listing], lookAtLists, listFrom)
		return err
	})
	switch {
	case err != nil:
		return err
	case l.Passages < unlistAt && l.Blocks > 0:
		return explain("do without lists of terms", db.listing(ctx, db.unlist))
	case l.Passages > listFrom && (l.Tail > restTail || l.Blocks == 0 || l.stale() || l.sparse() || l.Indexed):
		return explain("list where terms stand", db.listing(ctx, db.list))
	}
	return nil
}

// listFull lists the blocks that an ingest has filled.
func (db *DB) listFull(ctx context.Context) error {
	const due = `SELECT s.passages > $1 AND (SELECT max(row_id) + 1 FROM passages) / $2 > (SELECT coalesce(max(upto), 0) + 1 FROM posting_blocks) / $2 FROM knowledge_stats s`
	var isDue bool
	err := db.ingest.doAgain(ctx, "look for full blocks", func(ctx context.Context, c *pgx.Conn) (err error) {
		isDue, err = one(ctx, c, pgx.RowTo[bool], due, listFrom, blockRows)
		return err
	})
	if err != nil || !isDue {
		return err
	}
	return explain("list full blocks", db.listing(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if err := db.listTail(ctx, conn, false); err != nil {
			return err
		}
		return dropTermIndexes(ctx, conn)
	}))
}

// listing does work on the lists unless somebody else is at it, by a connection of
// its own: it may take longer than any statement may.
func (db *DB) listing(ctx context.Context, work func(context.Context, *pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which lets go of the locks
	var mine bool
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(hashtextextended('aside postings ' || $1, 0))`, db.schema).Scan(&mine); err != nil || !mine {
		return err
	}
	began := time.Now()
	if err := work(ctx, conn); err != nil {
		return err
	}
	db.log.Info("worked on the lists of terms", "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// listing is how far the lists are.
type listing struct {
	Passages int   // current ones
	Last     int64 // row ever written
	Listed   int   // passages that were current when their block was made
	Tail     int   // rows after the lists, as far as anybody wants to know
	Current  int   // of these
	Aged     bool  // a block was made with another average length
	Indexed  bool  // there is an index on terms
	Blocks   int
	Live     int // blocks with something that is valid now, or is going to be
}

// many passages that the lists know are gone.
func (l listing) many() bool {
	return l.Listed-(l.Passages-l.Current) > max(listFrom, l.Passages)/stalePart
}

func (l listing) stale() bool { return l.Aged || l.many() }

// sparse: searches go through more blocks than what is valid now is worth.
func (l listing) sparse() bool { return l.Live > spareBlocks+2*l.Passages/blockRows }

const lookAtLists = `SELECT s.passages, coalesce((SELECT max(row_id) FROM passages), 0), b.listed, t.n, t.current,
		b.oldest <> s.weighed_average OR b.newest <> s.weighed_average,
		to_regclass('passages_public_terms') IS NOT NULL OR to_regclass('passages_internal_terms') IS NOT NULL, b.n, b.live
	FROM knowledge_stats s,
	LATERAL (SELECT coalesce(max(upto), 0) AS upto, coalesce(sum(current), 0)::int AS listed, count(*)::int AS n, (count(*) FILTER (WHERE NOT over))::int AS live,
		coalesce(min(average), s.weighed_average) AS oldest, coalesce(max(average), s.weighed_average) AS newest FROM posting_blocks) b,
	LATERAL (SELECT count(*)::int AS n, (count(*) FILTER (WHERE x.current))::int AS current
		FROM (SELECT p.current FROM passages p WHERE p.row_id > b.upto AND (s.passages > $1 OR b.n > 0) ORDER BY p.row_id LIMIT 100000) x) t`

// list brings the lists up to date and does without the indexes on terms.
func (db *DB) list(ctx context.Context, conn *pgx.Conn) error {
	const stale = `SELECT b.block FROM posting_blocks b, knowledge_stats s WHERE b.average <> s.weighed_average
		OR $1 AND b.current - (SELECT count(*) FROM passages p WHERE p.current AND p.row_id >= b.block::bigint * $2 AND p.row_id <= b.upto) > b.current / $3
		ORDER BY b.block`
	if err := db.listTail(ctx, conn, true); err != nil {
		return err
	}
	if err := db.compact(ctx, conn); err != nil {
		return err
	}
	l, err := one(ctx, conn, pgx.RowToStructByPos[listing], lookAtLists, listFrom)
	if err != nil {
		return err
	}
	if l.stale() {
		blocks, err := collect(ctx, conn, pgx.RowTo[int64], stale, l.many(), blockRows, stalePart)
		if err != nil {
			return err
		}
		for _, block := range blocks {
			if err := db.makeBlock(ctx, conn, block); err != nil {
				return err
			}
		}
	}
	return dropTermIndexes(ctx, conn)
}

// listTail lists rows after the lists: all but a few, or those of full blocks only.
func (db *DB) listTail(ctx context.Context, conn *pgx.Conn, all bool) error {
	const next = `SELECT coalesce(min(row_id), 0) FROM passages WHERE row_id > (SELECT coalesce(max(upto), 0) FROM posting_blocks)`
	for {
		l, err := one(ctx, conn, pgx.RowToStructByPos[listing], lookAtLists, listFrom)
		if err != nil {
			return err
		}
		row, err := one(ctx, conn, pgx.RowTo[int64], next)
		if err != nil {
			return err
		}
		block := row / blockRows
		if full := (l.Last+1)/blockRows > block; row == 0 || !full && (!all || l.Blocks > 0 && l.Tail <= restTail) {
			return nil
		}
		if err := db.makeBlock(ctx, conn, block); err != nil {
			return err
		}
	}
}

func dropTermIndexes(ctx context.Context, conn *pgx.Conn) error {
	for _, part := range audiences {
		if _, err := conn.Exec(ctx, `DROP INDEX CONCURRENTLY IF EXISTS passages_`+part+`_terms`); err != nil {
			return err
		}
	}
	return nil
}

// unlist brings the indexes back, and then takes the lists away.
func (db *DB) unlist(ctx context.Context, conn *pgx.Conn) error {
	const broken = `SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid)`
	for _, part := range audiences {
		index := `passages_` + part + `_terms`
		half, err := one(ctx, conn, pgx.RowTo[bool], broken, index)
		if err != nil {
			return err
		}
		if half { // it was broken off
			if _, err := conn.Exec(ctx, `DROP INDEX CONCURRENTLY `+index); err != nil {
				return err
			}
		}
		// No pending list: a search right after an ingest must not pay for it.
		if _, err := conn.Exec(ctx, `CREATE INDEX CONCURRENTLY IF NOT EXISTS `+index+` ON passages_`+part+` USING gin (terms) WITH (fastupdate = off)`); err != nil {
			return err
		}
	}
	_, err := conn.Exec(ctx, `DELETE FROM posting_blocks; DELETE FROM postings_public; DELETE FROM postings_internal;
		DELETE FROM posting_places_public; DELETE FROM posting_places_internal`) // one transaction
	return err
}

var audiences = []string{string(assist.AudiencePublic), string(assist.AudienceInternal)}

// makeBlock lists the rows of a block as they are now. Searches see the lists of
// before or these, never a part.
func (db *DB) makeBlock(ctx context.Context, conn *pgx.Conn, block int64) error {
	// Rows get their number before their transaction ends: while nobody writes, all
	// up to the last one are seen.
	const still, goOn = `SELECT pg_advisory_lock(hashtextextended('aside knowledge ' || $1, 0))`, `SELECT pg_advisory_unlock(hashtextextended('aside knowledge ' || $1, 0))`
	if _, err := conn.Exec(ctx, still, db.schema); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // nothing to undo once it is committed
	average, last, err := extent(ctx, tx)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, goOn, db.schema); err != nil {
		return err
	}
	if err := listBlock(ctx, tx, block, last, average); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// extent is what lists are made with: the average length of passages, and the last
// row there is.
func extent(ctx context.Context, tx pgx.Tx) (average float64, last int64, err error) {
	err = tx.QueryRow(ctx, `SELECT weighed_average, coalesce((SELECT max(row_id) FROM passages), 0) FROM knowledge_stats`).Scan(&average, &last)
	return average, last, err
}

// compact moves what is valid now, or is going to be, out of the blocks that have
// least of it to new rows, until there are not too many blocks any more. A block
// each time is the work of a moment, during which nobody ingests.
func (db *DB) compact(ctx context.Context, conn *pgx.Conn) error {
	const sparsest = `SELECT b.block, x.past FROM posting_blocks b,
		LATERAL (SELECT count(*)::int AS n, (count(*) FILTER (WHERE p.valid_to <= now()))::int AS past
			FROM passages p WHERE p.row_id >= b.block::bigint * $1 AND p.row_id <= b.upto) x
		WHERE NOT b.over AND b.block < (SELECT max(block) FROM posting_blocks) ORDER BY x.n - x.past, b.block LIMIT 1`
	for {
		l, err := one(ctx, conn, pgx.RowToStructByPos[listing], lookAtLists, listFrom)
		if err != nil || !l.sparse() {
			return err
		}
		var block int64
		var past int
		if err := conn.QueryRow(ctx, sparsest, blockRows).Scan(&block, &past); err != nil {
			return err
		}
		if err := db.moveOut(ctx, conn, block, past < overFrom); err != nil {
			return err
		}
	}
}

// moveOut gives rows of a block new numbers and lists them there: those of the past
// too, or all but those. Searches see all of it or nothing.
func (db *DB) moveOut(ctx context.Context, conn *pgx.Conn, block int64, past bool) error {
	const still = `SELECT pg_advisory_xact_lock(hashtextextended('aside knowledge ' || $1, 0))`
	const listed = `SELECT coalesce(max(upto), 0) FROM posting_blocks`
	const move = `UPDATE passages SET row_id = DEFAULT WHERE row_id >= $1 AND row_id < $2 AND ($3 OR valid_to > now())`
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, still, db.schema); err != nil {
			return err
		}
		upto, err := one(ctx, tx, pgx.RowTo[int64], listed)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, move, block*blockRows, (block+1)*blockRows, past); err != nil {
			return err
		}
		average, last, err := extent(ctx, tx)
		if err != nil {
			return err
		}
		for b := (upto + 1) / blockRows; b <= last/blockRows; b++ {
			if err := listBlock(ctx, tx, b, last, average); err != nil {
				return err
			}
		}
		return listBlock(ctx, tx, block, last, average)
	})
}

// listBlock lists the rows of a block up to the last there is. A block without any
// is forgotten.
func listBlock(ctx context.Context, tx pgx.Tx, block, last int64, average float64) error {
	const put = `INSERT INTO posting_blocks (block, upto, current, average, over, listed_at) VALUES ($1, $2, $3, $4, $5, now())
		ON CONFLICT (block) DO UPDATE SET (upto, current, average, over, listed_at) = ROW (excluded.upto, excluded.current, excluded.average, excluded.over, excluded.listed_at)`
	upto := min(last, (block+1)*blockRows-1)
	var sum rowCount
	for _, part := range audiences {
		n, err := listRows(ctx, tx, part, block, upto, average)
		if err != nil {
			return err
		}
		sum.all, sum.current, sum.past = sum.all+n.all, sum.current+n.current, sum.past+n.past
	}
	if sum.all == 0 {
		_, err := tx.Exec(ctx, `DELETE FROM posting_blocks WHERE block = $1`, block)
		return err
	}
	_, err := tx.Exec(ctx, put, block, upto, sum.current, average, sum.past == sum.all)
	return err
}

// rowCount counts rows of a block: all, those of current passages, and those whose
// validity has ended.
type rowCount struct{ all, current, past int }

// listRows lists a block's rows of one audience, and counts them.
func listRows(ctx context.Context, tx pgx.Tx, part string, block, upto int64, average float64) (n rowCount, err error) {
	sql := `SELECT row_id, terms, counts, length, collection, language, current, valid_to <= now() FROM passages_` + part + ` WHERE row_id >= $1 AND row_id <= $2 ORDER BY row_id`
	type place struct{ what, name string }
	lists, places := map[int32][]byte{}, map[place][]byte{}
	rows, err := tx.Query(ctx, sql, block*blockRows, upto)
	if err != nil {
		return n, err
	}
	var row int64
	var g bag
	var collection, language string
	var isCurrent, past bool
	if _, err := pgx.ForEachRow(rows, []any{&row, &g.ids, &g.counts, &g.length, &collection, &language, &isCurrent, &past}, func() error {
		at := uint16(row - block*blockRows)
		norm := g.norm(average)
		for i, id := range g.ids {
			weight := uint16(min(math.Round(weightUnit*saturate(g.counts[i], norm)), math.MaxUint16))
			lists[id] = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(lists[id], at), weight)
		}
		in := []place{{"collection", collection}, {"language", language}}
		n.all++
		if past {
			n.past++
			in = append(in, place{"past", ""})
		}
		for _, p := range in {
			places[p] = binary.BigEndian.AppendUint16(places[p], at)
		}
		if isCurrent {
			n.current++
		}
		return nil
	}); err != nil {
		return n, err
	}
	for _, table := range []string{`postings_`, `posting_places_`} {
		if _, err := tx.Exec(ctx, `DELETE FROM `+table+part+` WHERE block = $1`, block); err != nil {
			return n, err
		}
	}
	terms := make([]int32, 0, len(lists))
	for id := range lists {
		terms = append(terms, id)
	}
	slices.Sort(terms)
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"postings_" + part}, []string{"block", "term", "list"}, pgx.CopyFromSlice(len(terms), func(i int) ([]any, error) {
		return []any{int32(block), terms[i], lists[terms[i]]}, nil
	})); err != nil {
		return n, err
	}
	var of [][]any
	for p, list := range places {
		of = append(of, []any{int32(block), p.what, p.name, list})
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"posting_places_" + part}, []string{"block", "what", "name", "list"}, pgx.CopyFromRows(of))
	return n, err
}

// postings is what the lists say of a question.
type postings struct {
	last int64   // the last row that they know
	best []int64 // rows with the best sums
	all  bool    // no other row that the scope lets through has a term
}

// listed asks the lists for n rows; false where there are none.
func (db *DB) listed(ctx context.Context, conn *pgx.Conn, scope retrieve.Scope, q retrieve.LexicalQuery, n int) (p postings, ok bool, err error) {
	parts := audiences[:1]
	if scope.Audience == assist.AudienceInternal {
		parts = audiences
	}
	// A row of each block at least, but of those that are over only where a time before
	// they were listed is asked for. All in one statement, which sees one state.
	const asOfNow = `coalesce($4::timestamptz >= b.listed_at, true)`
	sql := `SELECT b.block, (SELECT max(upto) FROM posting_blocks), x.what, x.term, x.list FROM posting_blocks b LEFT JOIN LATERAL (`
	for i, part := range parts {
		if i > 0 {
			sql += ` UNION ALL `
		}
		sql += `SELECT 0 AS what, l.term, l.list FROM postings_` + part + ` l WHERE l.block = b.block AND l.term = ANY($1::int[])
			UNION ALL SELECT 1, 0, l.list FROM posting_places_` + part + ` l WHERE l.block = b.block AND l.what = 'past' AND ` + asOfNow + `
			UNION ALL SELECT 2, 0, l.list FROM posting_places_` + part + ` l WHERE l.block = b.block AND l.what = 'collection' AND l.name = ANY($2::text[])
			UNION ALL SELECT 2, 0, l.list FROM posting_places_` + part + ` l WHERE l.block = b.block AND l.what = 'language' AND l.name = $3::text AND $3 <> ''`
	}
	sql += `) x ON true WHERE NOT (b.over AND ` + asOfNow + `) ORDER BY b.block`
	rows, err := conn.Query(ctx, sql, q.Wide, orEmpty(scope.Collections), scope.Language, orNull(scope.At))
	if err != nil {
		return p, false, err
	}
	sum := adder{n: n, top: make([]summed, 0, 2*n)}
	if len(scope.Collections) > 0 {
		sum.needs++
	}
	if scope.Language != "" {
		sum.needs++
	}
	var block int64
	var what, term pgtype.Int4
	var raw pgtype.DriverBytes
	if _, err := pgx.ForEachRow(rows, []any{&block, &p.last, &what, &term, &raw}, func() error {
		ok = true
		sum.turn(block * blockRows)
		switch {
		case !what.Valid:
		case what.Int32 == 0:
			sum.add(raw, q.Weights[term.Int32]/weightUnit)
		case what.Int32 == 1:
			sum.exclude(raw)
		default:
			sum.include(raw)
		}
		return nil
	}); err != nil || !ok {
		return p, false, err
	}
	p.best, p.all = sum.best()
	return p, true, nil
}

// adder adds up lists, block by block, and keeps the rows with the best sums. It
// needs the same memory however large the knowledge is.
type adder struct {
	n     int  // rows to keep
	needs int8 // how many times a row must be included

	first    int64 // row of the block
	sums     [blockRows]float32
	included [blockRows]int8
	top      []summed
	bar      float32 // the n-th best sum, once there are so many
	more     bool    // there are other rows
}

type summed struct {
	row int64
	sum float32
}

// add adds a list's weights.
func (a *adder) add(list []byte, weight float32) {
	for ; len(list) >= postingSize; list = list[postingSize:] {
		a.sums[binary.BigEndian.Uint16(list)%blockRows] += weight * float32(binary.BigEndian.Uint16(list[2:]))
	}
}

// include counts the rows of a list as included once more.
func (a *adder) include(list []byte) {
	for ; len(list) >= placeSize; list = list[placeSize:] {
		a.included[binary.BigEndian.Uint16(list)%blockRows]++
	}
}

func (a *adder) exclude(list []byte) {
	for ; len(list) >= placeSize; list = list[placeSize:] {
		a.included[binary.BigEndian.Uint16(list)%blockRows] = math.MinInt8
	}
}

// turn goes on to the block that begins with a row, if it is not there.
func (a *adder) turn(first int64) {
	if first == a.first {
		return
	}
	for i, s := range &a.sums {
		if s <= 0 || a.included[i] < a.needs {
			continue
		}
		if s <= a.bar {
			a.more = true
			continue
		}
		if a.top = append(a.top, summed{a.first + int64(i), s}); len(a.top) == cap(a.top) {
			a.cut()
		}
	}
	clear(a.sums[:])
	clear(a.included[:])
	a.first = first
}

// cut sorts, and keeps the n best.
func (a *adder) cut() {
	slices.SortFunc(a.top, func(x, y summed) int { return cmp.Or(cmp.Compare(y.sum, x.sum), cmp.Compare(x.row, y.row)) })
	if len(a.top) < a.n {
		return
	}
	a.more = a.more || len(a.top) > a.n
	a.top = a.top[:a.n]
	a.bar = a.top[a.n-1].sum
}

// best ends the last block, and gives the rows with the best sums; all says that
// there are no others.
func (a *adder) best() (rows []int64, all bool) {
	a.turn(-1)
	a.cut()
	rows = make([]int64, len(a.top))
	for i, t := range a.top {
		rows[i] = t.row
	}
	return rows, !a.more
}
