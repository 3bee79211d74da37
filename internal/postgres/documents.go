package postgres

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgvector/pgvector-go"

	"github.com/aside-project/aside/internal/assist"
)

// PutDocuments implements ingest.Store. What was said with which words when is
// kept: a passage that a new revision does not have any more stays for questions
// about the past, until the new revision's own valid_from where that changed,
// else until now. Documents without an audience are internal.
func (db *DB) PutDocuments(ctx context.Context, docs []assist.Document) ([]assist.Change, error) {
	docs, err := checkDocuments(docs)
	if err != nil || len(docs) == 0 {
		return nil, err
	}
	var changes []assist.Change
	err = db.write(ctx, "put documents", func(ctx context.Context, w *writer) (err error) {
		changes, err = w.put(ctx, docs)
		return err
	})
	if err != nil {
		return nil, err
	}
	db.analyze(ctx)
	if err := db.listFull(ctx); err != nil && ctx.Err() == nil {
		db.log.Warn("searches are slower until the lists of terms are made", "err", err)
	}
	return changes, nil
}

// analyze gives the planner statistics of tables of passages that have grown to
// twice what it knows: the database's own housekeeping comes a minute later, and
// until then searches would be planned for a small table.
func (db *DB) analyze(ctx context.Context) {
	const grown = `SELECT t.name FROM knowledge_stats s,
		LATERAL (VALUES ('passages_public', s.passages_public), ('passages_internal', s.passages - s.passages_public)) AS t(name, passages)
		JOIN pg_class c ON c.oid = to_regclass(t.name) WHERE t.passages > 1000 AND t.passages > 2 * c.reltuples`
	err := db.ingest.do(ctx, "analyze passages", func(ctx context.Context, conn *pgx.Conn) error {
		tables, err := collect(ctx, conn, pgx.RowTo[string], grown)
		for _, t := range tables {
			if err == nil {
				_, err = conn.Exec(ctx, `ANALYZE `+t)
			}
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		db.log.Warn("the planner keeps its old statistics for now", "err", err)
	}
}

// checkDocuments refuses what cannot be stored, naming the document, and fills
// in what may be left out.
func checkDocuments(docs []assist.Document) ([]assist.Document, error) {
	docs = slices.Clone(docs)
	seen := map[string]bool{}
	for i := range docs {
		d := &docs[i]
		if d.ID == "" || len(d.ID) > 4*assist.MaxID {
			return nil, assist.Errorf(assist.Invalid, "document %q: its id must have 1 to %d bytes", d.Path, 4*assist.MaxID)
		}
		if seen[d.ID] {
			return nil, assist.Errorf(assist.Invalid, "document %q is given twice", d.ID)
		}
		seen[d.ID] = true
		d.Audience = cmp.Or(d.Audience, assist.AudienceInternal)
		d.Kind = cmp.Or(d.Kind, assist.KindFAQ)
		d.Language = cmp.Or(d.Language, "en")
		if !d.Audience.Valid() || !d.Kind.Valid() {
			return nil, assist.Errorf(assist.Invalid, "document %q: audience must be public or internal, kind policy, product, faq or procedure", d.ID)
		}
		texts := []struct{ name, text string }{{"id", d.ID}, {"title", d.Title}, {"collection", d.Collection}, {"language", d.Language},
			{"url", d.URL}, {"source", d.Source}, {"path", d.Path}, {"revision", d.Revision}, {"text", d.Body}}
		for _, p := range d.Passages {
			if p.ID == "" {
				return nil, assist.Errorf(assist.Invalid, "document %q has a passage without id", d.ID)
			}
			if len(p.Terms) > maxTerms {
				return nil, assist.Errorf(assist.Invalid, "document %q has a passage of more than %d words; split it", d.ID, maxTerms)
			}
			texts = append(texts, struct{ name, text string }{"passage", p.ID + p.Heading + p.Text})
		}
		for _, t := range texts {
			if err := assist.CheckText(t.name, t.text, math.MaxInt); err != nil {
				return nil, assist.Wrap(err, assist.Invalid, "document %q: its %s", d.ID, assist.MessageOf(err))
			}
		}
	}
	return docs, nil
}

// RemoveDocuments implements ingest.Store.
func (db *DB) RemoveDocuments(ctx context.Context, source string, keep []string) (removed []string, err error) {
	const sql = `SELECT id FROM documents WHERE source = $1 AND removed_at IS NULL AND id <> ALL(coalesce($2::text[], '{}')) ORDER BY id`
	err = db.write(ctx, "remove documents of "+source, func(ctx context.Context, w *writer) (err error) {
		if removed, err = collect(ctx, w.tx, pgx.RowTo[string], sql, source, keep); err != nil {
			return err
		}
		return w.remove(ctx, removed)
	})
	return removed, err
}

// DeleteDocument ends the validity of one document now.
func (db *DB) DeleteDocument(ctx context.Context, id string) error {
	const sql = `SELECT id FROM documents WHERE id = $1 AND removed_at IS NULL`
	return db.write(ctx, "delete document "+id, func(ctx context.Context, w *writer) error {
		found, err := collect(ctx, w.tx, pgx.RowTo[string], sql, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noDocument(id)
		}
		return w.remove(ctx, found)
	})
}

// Revisions implements ingest.Store.
func (db *DB) Revisions(ctx context.Context) (map[string]string, error) {
	var revisions map[string]string
	err := db.ingest.doAgain(ctx, "list revisions", func(ctx context.Context, conn *pgx.Conn) error {
		revisions = map[string]string{}
		rows, err := conn.Query(ctx, `SELECT id, revision FROM documents WHERE removed_at IS NULL`)
		if err != nil {
			return err
		}
		var id, revision string
		_, err = pgx.ForEachRow(rows, []any{&id, &revision}, func() error {
			revisions[id] = revision
			return nil
		})
		return err
	})
	return revisions, err
}

// DocumentByID gives a current document whatever its audience, with the passages
// of its current revision; assist.NotFound when there is none. It is for those
// who maintain knowledge.
func (db *DB) DocumentByID(ctx context.Context, id string) (*assist.Document, error) {
	const document = `SELECT ` + documentColumns + `, d.source, d.path FROM documents d WHERE d.id = $1 AND d.removed_at IS NULL`
	const passages = `SELECT ` + passageColumns + ` FROM passages p WHERE p.document_id = $1 AND p.current ORDER BY p.start_byte, p.row_id`
	var d *assist.Document
	err := db.ingest.doAgain(ctx, "load document "+id, func(ctx context.Context, conn *pgx.Conn) error {
		found, err := collect(ctx, conn, func(row pgx.CollectableRow) (assist.Document, error) {
			var d assist.Document
			err := row.Scan(append(documentFields(&d), &d.Source, &d.Path)...)
			return d, err
		}, document, id)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return noDocument(id)
		}
		d = &found[0]
		d.Passages, err = collect(ctx, conn, scanPassage, passages, id)
		return err
	})
	return d, err
}

func noDocument(id string) error {
	return assist.Errorf(assist.NotFound, "there is no document %q", id)
}

// documentColumns are what the public role may read of a document d.
const documentColumns = `d.id, d.title, d.kind, d.audience, d.collection, d.language, d.url, d.valid_from, d.valid_to, d.revision, d.body, d.updated_at`

func documentFields(d *assist.Document) []any {
	return []any{&d.ID, &d.Title, &d.Kind, &d.Audience, &d.Collection, &d.Language, &d.URL, &d.ValidFrom, &d.ValidTo, &d.Revision, &d.Body, &d.UpdatedAt}
}

const passageColumns = `p.id, p.document_id, p.heading, p.text, p.start_byte, p.end_byte`

func scanPassage(row pgx.CollectableRow) (p assist.Passage, err error) {
	err = row.Scan(&p.ID, &p.DocumentID, &p.Heading, &p.Text, &p.Start, &p.End)
	return p, err
}

// writer is the one transaction that writes knowledge.
type writer struct {
	tx  pgx.Tx
	now time.Time // of the database, after the wait for other writers
}

// write runs f as the only writer of this schema's knowledge. Doing it twice is
// harmless, so a broken connection is tried again.
func (db *DB) write(ctx context.Context, op string, f func(context.Context, *writer) error) error {
	return db.ingest.doAgain(ctx, op, func(ctx context.Context, conn *pgx.Conn) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			w := &writer{tx: tx}
			if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('aside knowledge ' || $1, 0))`, db.schema); err != nil {
				return err
			}
			if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&w.now); err != nil {
				return err
			}
			return f(ctx, w)
		})
	})
}

// stored is what is known of a document that is there already.
type stored struct {
	ID        string
	Revision  string
	ValidFrom *time.Time
	Removed   bool
	Passages  []string // ids of its current passages
}

func (w *writer) put(ctx context.Context, docs []assist.Document) ([]assist.Change, error) {
	was, err := w.stored(ctx, docs)
	if err != nil {
		return nil, err
	}
	changes := make([]assist.Change, len(docs))
	var changed []assist.Document
	var ids []string
	for i, d := range docs {
		old, known := was[d.ID]
		switch {
		case !known || old.Removed:
			changes[i] = assist.Added
		case old.Revision == d.Revision:
			changes[i] = assist.Unchanged
			continue
		default:
			changes[i] = assist.Changed
		}
		changed = append(changed, d)
		ids = append(ids, d.ID)
	}
	if len(changed) == 0 {
		return changes, nil
	}
	lexicon, err := w.termIDs(ctx, changed)
	if err != nil {
		return nil, err
	}
	// Count the documents out, change them, count them in again.
	before, err := w.count(ctx, ids, -1)
	if err != nil {
		return nil, err
	}
	rows, added, err := arrange(changed, lexicon)
	if err != nil {
		return nil, err
	}
	average, err := w.reweigh(ctx, before.plus(added))
	if err != nil {
		return nil, err
	}
	if err := w.storeDocuments(ctx, changed, was, w.now); err != nil {
		return nil, err
	}
	if err := w.storePassages(ctx, rows, was, w.now, average); err != nil {
		return nil, err
	}
	if err := w.inherit(ctx, rows, was); err != nil {
		return nil, err
	}
	if err := w.hide(ctx, ids); err != nil {
		return nil, err
	}
	if _, err := w.count(ctx, ids, +1); err != nil {
		return nil, err
	}
	return changes, w.finish(ctx)
}

func (w *writer) stored(ctx context.Context, docs []assist.Document) (map[string]stored, error) {
	const sql = `SELECT d.id, d.revision, d.valid_from, d.removed_at IS NOT NULL,
		array(SELECT p.id FROM passages p WHERE p.document_id = d.id AND p.current) FROM documents d WHERE d.id = ANY($1)`
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.ID
	}
	found, err := collect(ctx, w.tx, pgx.RowToStructByPos[stored], sql, ids)
	was := make(map[string]stored, len(found))
	for _, s := range found {
		was[s.ID] = s
	}
	return was, err
}

// termIDs gives the ids of all terms of the documents, new ones for new terms.
func (w *writer) termIDs(ctx context.Context, docs []assist.Document) (map[string]int32, error) {
	const known = `SELECT term, id FROM lexicon WHERE term = ANY($1)`
	const add = `INSERT INTO lexicon (term) SELECT unnest($1::text[]) RETURNING term, id`
	ids := map[string]int32{}
	for _, d := range docs {
		for _, p := range d.Passages {
			for _, t := range p.Terms {
				if t.Text != "" && len(t.Text) <= maxTermBytes && assist.CheckText("term", t.Text, maxTermBytes) == nil {
					ids[t.Text] = 0
				}
			}
		}
	}
	terms := make([]string, 0, len(ids))
	for t := range ids {
		terms = append(terms, t)
	}
	slices.Sort(terms) // ids in the same order every time
	for _, sql := range []string{known, add} {
		rows, err := w.tx.Query(ctx, sql, terms)
		if err != nil {
			return nil, err
		}
		var term string
		var id int32
		if _, err := pgx.ForEachRow(rows, []any{&term, &id}, func() error { ids[term] = id; return nil }); err != nil {
			return nil, err
		}
		terms = slices.DeleteFunc(terms, func(t string) bool { return ids[t] != 0 })
	}
	return ids, nil
}

// passage is a passage about to be stored.
type passage struct {
	assist.Passage
	doc *assist.Document
	bag bag
}

// totals are the figures BM25 needs of all current passages.
type totals struct {
	passages int
	length   int64
	weighed  float64 // average length that weights were made with
}

func (t totals) plus(o totals) totals {
	return totals{t.passages + o.passages, t.length + o.length, t.weighed}
}

// arrange makes rows of the documents' passages. Of passages with the same words
// in one document, which have the same id, the first counts.
func arrange(docs []assist.Document, lexicon map[string]int32) (rows []passage, sum totals, err error) {
	owner := map[string]string{}
	for i := range docs {
		for _, p := range docs[i].Passages {
			if of, seen := owner[p.ID]; seen && of != docs[i].ID {
				return nil, sum, assist.Errorf(assist.Invalid, "documents %q and %q have a passage with the same id", of, docs[i].ID)
			} else if seen {
				continue
			}
			owner[p.ID] = docs[i].ID
			g := newBag(p.Terms, lexicon)
			rows = append(rows, passage{p, &docs[i], g})
			sum.passages++
			sum.length += int64(g.length)
		}
	}
	return rows, sum, nil
}

// count adds (sign 1) or takes away (-1) what the current passages of the
// documents contribute to lexicon, totals and the vectors that models lack, and
// gives the totals then.
func (w *writer) count(ctx context.Context, documents []string, sign int) (t totals, err error) {
	const terms = `UPDATE lexicon l SET df = l.df + $2 * x.n, df_public = l.df_public + $2 * x.public
		FROM (SELECT t, count(*)::int AS n, (count(*) FILTER (WHERE p.audience = 'public'))::int AS public
		      FROM passages p, unnest(p.terms) t WHERE p.document_id = ANY($1) AND p.current GROUP BY t) x
		WHERE l.id = x.t`
	const stats = `UPDATE knowledge_stats s SET passages = s.passages + $2 * x.n, passages_public = s.passages_public + $2 * x.public,
			total_length = s.total_length + $2 * x.length
		FROM (SELECT count(*)::int AS n, (count(*) FILTER (WHERE p.audience = 'public'))::int AS public, coalesce(sum(p.length), 0) AS length
		      FROM passages p WHERE p.document_id = ANY($1) AND p.current) x
		RETURNING s.passages, s.total_length, s.weighed_average`
	const missing = `UPDATE vector_models m SET missing = m.missing + $2 * (SELECT count(*)::int FROM passages p
		WHERE p.document_id = ANY($1) AND p.current AND NOT EXISTS (SELECT FROM passage_vectors v WHERE v.model_id = m.id AND v.passage_id = p.id))`
	for _, sql := range []string{terms, missing} {
		if _, err := w.tx.Exec(ctx, sql, documents, int32(sign)); err != nil {
			return t, err
		}
	}
	err = w.tx.QueryRow(ctx, stats, documents, int32(sign)).Scan(&t.passages, &t.length, &t.weighed)
	return t, err
}

// reweigh gives the average length to weigh new passages with. When the true
// average has drifted from it, everything stored is weighed again first, so that
// all weights always belong to one average.
func (w *writer) reweigh(ctx context.Context, t totals) (average float64, err error) {
	const page = `SELECT row_id, terms, counts, length FROM passages WHERE row_id > $1 ORDER BY row_id LIMIT 2000`
	const update = `UPDATE passages p SET weights = x.weights
		FROM unnest($1::bigint[], $2::sparsevec[]) AS x(row_id, weights) WHERE p.row_id = x.row_id`
	if t.passages == 0 || t.length == 0 {
		return t.weighed, nil
	}
	average = float64(t.length) / float64(t.passages)
	if math.Abs(average-t.weighed) <= drift*t.weighed {
		return t.weighed, nil
	}
	if _, err := w.tx.Exec(ctx, `UPDATE knowledge_stats SET weighed_average = $1`, average); err != nil {
		return 0, err
	}
	for last := int64(0); ; {
		rows, err := w.tx.Query(ctx, page, last)
		if err != nil {
			return 0, err
		}
		var ids []int64
		var weights []pgvector.SparseVector
		var g bag
		if _, err := pgx.ForEachRow(rows, []any{&last, &g.ids, &g.counts, &g.length}, func() error {
			ids = append(ids, last)
			weights = append(weights, g.weigh(average))
			return nil
		}); err != nil {
			return 0, err
		}
		if len(ids) == 0 {
			return average, nil
		}
		if _, err := w.tx.Exec(ctx, update, ids, weights); err != nil {
			return 0, err
		}
	}
}

func (w *writer) storeDocuments(ctx context.Context, docs []assist.Document, was map[string]stored, now time.Time) error {
	const upsert = `INSERT INTO documents AS d (id, title, kind, audience, collection, language, url, valid_from, valid_to, source, path, revision, body, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (id) DO UPDATE SET (title, kind, audience, collection, language, url, valid_from, valid_to, source, path, revision, body, updated_at, removed_at)
		= ROW (excluded.title, excluded.kind, excluded.audience, excluded.collection, excluded.language, excluded.url, excluded.valid_from,
		       excluded.valid_to, excluded.source, excluded.path, excluded.revision, excluded.body, excluded.updated_at, NULL)`
	const end = `UPDATE passages SET current = false, valid_to = greatest(valid_from, least(valid_to, $3)), revision = $4
		WHERE document_id = $1 AND current AND id <> ALL($2)`
	var batch pgx.Batch
	for _, d := range docs {
		batch.Queue(upsert, d.ID, d.Title, d.Kind, d.Audience, d.Collection, d.Language, d.URL, d.ValidFrom, d.ValidTo,
			d.Source, d.Path, d.Revision, d.Body, now)
		if old, known := was[d.ID]; known {
			keep := make([]string, len(d.Passages))
			for i, p := range d.Passages {
				keep[i] = p.ID
			}
			batch.Queue(end, d.ID, keep, changeover(d, old, now), old.Revision)
		}
	}
	return w.tx.SendBatch(ctx, &batch).Close()
}

// changeover is when a new revision takes over from the one before.
func changeover(d assist.Document, old stored, now time.Time) time.Time {
	if d.ValidFrom != nil && (old.ValidFrom == nil || !d.ValidFrom.Equal(*old.ValidFrom)) {
		return *d.ValidFrom
	}
	return now
}

// storePassages updates the passages that were there with the same words, which
// keep the beginning of their validity, and their row where no search can tell
// them from before; and copies in the others.
func (w *writer) storePassages(ctx context.Context, rows []passage, was map[string]stored, now time.Time, average float64) error {
	// Most passages of an edited page only stand elsewhere now.
	const same = `(audience, collection, language, valid_to, length, terms, counts) = ($2::text, $3::text, $4::text, $5::timestamptz, $10::int, $11::int[], $12::smallint[])`
	const shift = `UPDATE passages SET heading = $6, text = $7, start_byte = $8, end_byte = $9
		WHERE id = $1 AND current AND ` + same + ` AND (heading, text, start_byte, end_byte) <> ($6::text, $7::text, $8::int, $9::int)`
	// A new row number: the lists of terms know the passage as it was before.
	const update = `UPDATE passages SET row_id = DEFAULT, audience = $2, collection = $3, language = $4, valid_to = $5, heading = $6, text = $7,
			start_byte = $8, end_byte = $9, length = $10, terms = $11, counts = $12, weights = $13
		WHERE id = $1 AND current AND NOT ` + same
	columns := []string{"id", "document_id", "audience", "collection", "language", "valid_from", "valid_to", "heading", "text",
		"start_byte", "end_byte", "length", "terms", "counts", "weights"}
	kept := map[string]string{} // id → its document
	for _, s := range was {
		for _, id := range s.Passages {
			kept[id] = s.ID
		}
	}
	// The index that holds this is one per audience.
	const taken = `SELECT id FROM passages WHERE current AND id = ANY($1) LIMIT 1`
	var updates pgx.Batch
	var added [][]any
	var ids []string
	for _, p := range rows {
		d := p.doc
		to := moment(d.ValidTo, pgtype.Infinity)
		terms, counts := orEmpty(p.bag.ids), orEmpty(p.bag.counts)
		weights := p.bag.weigh(average)
		if kept[p.ID] == d.ID {
			updates.Queue(shift, p.ID, d.Audience, d.Collection, d.Language, to, p.Heading, p.Text, p.Start, p.End, p.bag.length, terms, counts)
			updates.Queue(update, p.ID, d.Audience, d.Collection, d.Language, to, p.Heading, p.Text, p.Start, p.End, p.bag.length, terms, counts, weights)
			continue
		}
		from := moment(d.ValidFrom, pgtype.NegativeInfinity)
		if old, known := was[d.ID]; known {
			t := changeover(*d, old, now)
			from = moment(&t, 0)
		}
		ids = append(ids, p.ID)
		added = append(added, []any{p.ID, d.ID, string(d.Audience), d.Collection, d.Language, from, to, p.Heading, p.Text,
			p.Start, p.End, p.bag.length, terms, counts, weights})
	}
	if updates.Len() > 0 {
		if err := w.tx.SendBatch(ctx, &updates).Close(); err != nil {
			return err
		}
	}
	others, err := collect(ctx, w.tx, pgx.RowTo[string], taken, ids)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return assist.Errorf(assist.Invalid, "passage %q is already another document's", others[0])
	}
	_, err = w.tx.CopyFrom(ctx, pgx.Identifier{"passages"}, columns, pgx.CopyFromRows(added))
	return err
}

// hide closes earlier words of documents that are internal now, and brings
// vectors in line: who marks a document internal means all of it.
func (w *writer) hide(ctx context.Context, documents []string) error {
	const earlier = `UPDATE passages p SET audience = 'internal' FROM documents d
		WHERE d.id = p.document_id AND p.document_id = ANY($1) AND NOT p.current AND d.audience = 'internal' AND p.audience <> 'internal'`
	const vectors = `UPDATE passage_vectors v SET audience = p.audience FROM passages p
		WHERE p.id = v.passage_id AND p.document_id = ANY($1) AND p.current AND v.audience <> p.audience`
	const gone = `UPDATE passage_vectors v SET audience = 'internal' FROM passages p
		WHERE p.id = v.passage_id AND p.document_id = ANY($1) AND NOT p.current AND p.audience = 'internal' AND v.audience <> 'internal'
		AND NOT EXISTS (SELECT FROM passages c WHERE c.id = v.passage_id AND c.current)`
	const learned = `UPDATE learned l SET audience = p.audience FROM passages p
		WHERE p.id = l.passage_id AND p.document_id = ANY($1) AND p.current AND l.audience <> p.audience`
	const unlearned = `UPDATE learned l SET audience = 'internal' FROM passages p
		WHERE p.id = l.passage_id AND p.document_id = ANY($1) AND NOT p.current AND p.audience = 'internal' AND l.audience <> 'internal'
		AND NOT EXISTS (SELECT FROM passages c WHERE c.id = l.passage_id AND c.current)`
	var batch pgx.Batch
	for _, sql := range []string{earlier, vectors, gone, learned, unlearned} {
		batch.Queue(sql, documents)
	}
	return w.tx.SendBatch(ctx, &batch).Close()
}

func (w *writer) remove(ctx context.Context, documents []string) error {
	const passages = `UPDATE passages p SET current = false, valid_to = greatest(p.valid_from, least(p.valid_to, $2)), revision = d.revision
		FROM documents d WHERE d.id = p.document_id AND p.document_id = ANY($1) AND p.current`
	const rows = `UPDATE documents SET removed_at = $2 WHERE id = ANY($1)`
	if len(documents) == 0 {
		return nil
	}
	left, err := w.count(ctx, documents, -1)
	if err != nil {
		return err
	}
	for _, sql := range []string{passages, rows} {
		if _, err := w.tx.Exec(ctx, sql, documents, w.now); err != nil {
			return err
		}
	}
	if _, err := w.reweigh(ctx, left); err != nil {
		return err
	}
	return w.finish(ctx)
}

// finish gives the knowledge a new version.
func (w *writer) finish(ctx context.Context) error {
	_, err := w.tx.Exec(ctx, `UPDATE knowledge_stats SET version = version + 1`)
	return err
}

// moment is a bound of a validity; without a time it is the given infinity.
func moment(t *time.Time, otherwise pgtype.InfinityModifier) pgtype.Timestamptz {
	if t == nil {
		return pgtype.Timestamptz{InfinityModifier: otherwise, Valid: true}
	}
	return pgtype.Timestamptz{Time: *t, Valid: true}
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
