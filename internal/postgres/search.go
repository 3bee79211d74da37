package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

const (
	defaultHits = 8
	mostHits    = 1000
)

// reader is the pool whose role sees what the scope's audience may see. The
// queries do not filter by audience: the database does.
func (db *DB) reader(s retrieve.Scope) reads {
	r := reads{primary: db.public, replica: db.replica}
	if s.Audience == assist.AudienceInternal {
		r.primary = db.search
	}
	if r.replica != nil {
		r.copy = r.replica.pools[r.primary.name]
	}
	return r
}

// tables are those that the scope's audience reads: everyone's, or the public
// part by its own name. Through the whole tables the public role would see the
// same rows, but could not use their indexes on terms and vectors: the database
// must hide rows before it applies an operator that might tell of them.
func tables(s retrieve.Scope) (passages, learned, vectors string) {
	if s.Audience == assist.AudienceInternal {
		return "passages", "learned", "passage_vectors"
	}
	return "passages_public", "learned_public", "passage_vectors_public"
}

// visible is the scope's filter on passages p; its parameters come from filter.
const visible = `p.valid_from <= coalesce($1, now()) AND p.valid_to > coalesce($1, now())
	AND ($2::text[] IS NULL OR p.collection = ANY($2)) AND ($3::text = '' OR p.language = $3)`

func filter(s retrieve.Scope, more ...any) []any {
	collections := s.Collections
	if len(collections) == 0 {
		collections = nil // NULL: all
	}
	return append([]any{orNull(s.At), collections, s.Language}, more...)
}

func hits(s retrieve.Scope) int {
	if s.K <= 0 {
		return defaultHits
	}
	return min(s.K, mostHits)
}

// Lexicon implements retrieve.Index. Its counts are of current passages, also
// when the scope asks about the past.
func (db *DB) Lexicon(ctx context.Context, scope retrieve.Scope, terms []string) (retrieve.Lexicon, error) {
	// The public role may not read the columns that count internal passages.
	stats, df := `SELECT version, passages, questions, learned FROM knowledge_stats`, `SELECT term, id, df, asked FROM lexicon WHERE term = ANY($1) AND (df > 0 OR asked > 0)`
	if scope.Audience != assist.AudienceInternal {
		stats, df = `SELECT version, passages_public, questions_public, learned FROM knowledge_stats`, `SELECT term, id, df_public, asked_public FROM lexicon WHERE term = ANY($1)`
	}
	const dense = `SELECT name FROM vector_models WHERE chosen > 0 ORDER BY chosen DESC LIMIT 1`
	if l, ok, err := db.heldLexicon(ctx, scope, terms); ok || err != nil {
		return l, err
	}
	var l retrieve.Lexicon
	err := db.reader(scope).doAgain(ctx, "look up terms", func(ctx context.Context, conn *pgx.Conn) error {
		l = retrieve.Lexicon{Terms: make(map[string]retrieve.TermStat, len(terms))}
		var b pgx.Batch
		b.Queue(stats).QueryRow(func(row pgx.Row) error { return row.Scan(&l.Version, &l.Passages, &l.Questions, &l.Learned) })
		b.Queue(df, terms).Query(func(rows pgx.Rows) error {
			var term string
			var s retrieve.TermStat
			_, err := pgx.ForEachRow(rows, []any{&term, &s.ID, &s.DF, &s.Asked}, func() error { l.Terms[term] = s; return nil })
			return err
		})
		b.Queue(dense).Query(func(rows pgx.Rows) error {
			names, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if len(names) > 0 {
				l.DenseName = names[0]
			}
			return err
		})
		return conn.SendBatch(ctx, &b).Close()
	})
	if l.Passages == 0 {
		l.DenseName = ""
	}
	if err == nil && db.holds(scope) {
		db.held.saw(l)
	}
	return l, err
}

// heldLexicon is Lexicon from memory, as long as the copy is of the version that
// the database tells, and nothing was learned; false where it is not.
func (db *DB) heldLexicon(ctx context.Context, scope retrieve.Scope, terms []string) (l retrieve.Lexicon, ok bool, err error) {
	const sql = `SELECT version, passages, questions, learned, coalesce((SELECT name FROM vector_models WHERE chosen > 0 ORDER BY chosen DESC LIMIT 1), '')
		FROM knowledge_stats`
	if !db.holds(scope) {
		return l, false, nil
	}
	h := db.held.now.Load()
	if h == nil || h.learned || h.version != db.held.seen.Load() {
		return l, false, nil
	}
	err = db.reader(scope).doAgain(ctx, "look up terms", func(ctx context.Context, conn *pgx.Conn) error {
		return conn.QueryRow(ctx, sql).Scan(&l.Version, &l.Passages, &l.Questions, &l.Learned, &l.DenseName)
	})
	if err != nil {
		return l, false, err
	}
	if l.Learned > 0 || l.Questions > 0 {
		db.held.now.CompareAndSwap(h, h.whenLearned())
		return l, false, nil
	}
	if l.Version != h.version {
		return l, false, nil
	}
	l.Terms = h.lexicon(terms)
	return l, true, nil
}

// hitColumns are what scanHit takes, of a passage p and its document d.
const hitColumns = passageColumns + `, d.title, d.kind, p.audience, d.url, p.collection, coalesce(p.revision, d.revision), d.updated_at`

// itsDocument joins the document of each passage found. The planner takes twenty
// passages for thousands, and would read all documents: it may not look inside.
const itsDocument = `CROSS JOIN LATERAL (SELECT x.title, x.kind, x.url, x.revision, x.updated_at FROM documents x WHERE x.id = p.document_id LIMIT 1) d`

func scanHit(row pgx.CollectableRow) (h assist.Hit, err error) {
	err = row.Scan(&h.ID, &h.DocumentID, &h.Heading, &h.Text, &h.Start, &h.End,
		&h.Title, &h.Kind, &h.Audience, &h.URL, &h.Section, &h.Revision, &h.UpdatedAt, &h.Score)
	h.UpdatedAt = h.UpdatedAt.UTC()
	return h, err
}

// Lexical implements retrieve.Index. Passages with a candidate term come from
// the indexes on terms; the inner products rank them, all of them: exact as long
// as the candidates hold all of the question's terms. Quote is left to the
// caller.
func (db *DB) Lexical(ctx context.Context, scope retrieve.Scope, q retrieve.LexicalQuery) (found []assist.Hit, err error) {
	if len(q.Candidates) == 0 && len(q.Learned.Candidates) == 0 {
		return nil, nil
	}
	if max(len(q.Weights), len(q.Learned.Weights)) > maxTerms {
		return nil, assist.Errorf(assist.Invalid, "the question has more than %d terms", maxTerms)
	}
	if h := db.heldFor(scope); h != nil {
		memories, err := db.memories(ctx, scope, q.Learned)
		if err != nil {
			return nil, err
		}
		return h.lexical(scope, q, memories), nil
	}
	err = db.reader(scope).doAgain(ctx, "search by terms", func(ctx context.Context, conn *pgx.Conn) (err error) {
		if len(q.Wide) > 0 {
			var listed bool
			if found, listed, err = db.byLists(ctx, conn, scope, q); err != nil || listed {
				return err
			}
		}
		sql, args := lexicalSQL(scope, q)
		found, err = collect(ctx, conn, scanHit, sql, args...)
		return err
	})
	for i := range found {
		found[i].Ranks = assist.Ranks{Lexical: i + 1, LexicalScore: found[i].Score}
	}
	return found, err
}

// memories gives what was learned of passages that share a word with the question,
// by id; nil where nothing was asked for.
func (db *DB) memories(ctx context.Context, scope retrieve.Scope, q retrieve.LearnedQuery) (memories map[string]remembered, err error) {
	if len(q.Candidates) == 0 {
		return nil, nil
	}
	const sql = `SELECT passage_id, evidence, -(weights <#> $1), terms && $3::int[] FROM learned WHERE terms && $2::int[]`
	ids := make([]int32, 0, len(q.Weights))
	for id := range q.Weights {
		ids = append(ids, id)
	}
	err = db.reader(scope).doAgain(ctx, "search what was learned", func(ctx context.Context, conn *pgx.Conn) error {
		memories = map[string]remembered{}
		rows, err := conn.Query(ctx, sql, sparse(q.Weights), ids, q.Candidates)
		if err != nil {
			return err
		}
		var id string
		var m remembered
		_, err = pgx.ForEachRow(rows, []any{&id, &m.evidence, &m.learned, &m.candidate}, func() error { memories[id] = m; return nil })
		return err
	})
	return memories, err
}

func lexicalSQL(scope retrieve.Scope, q retrieve.LexicalQuery) (sql string, args []any) {
	passages, learnings, _ := tables(scope)
	args = filter(scope, sparse(q.Weights), orEmpty(q.Candidates), hits(scope))
	if len(q.Learned.Candidates) == 0 {
		return `SELECT ` + hitColumns + `, -c.distance
		FROM (SELECT p.row_id, p.weights <#> $4 AS distance FROM ` + passages + ` p
		      WHERE p.terms && $5::int[] AND ` + visible + `
		      ORDER BY p.weights <#> $4, p.id LIMIT $6) c
		JOIN ` + passages + ` p ON p.row_id = c.row_id ` + itsDocument + `
		ORDER BY c.distance, p.id`, args
	}
	// As retrieve.LexicalQuery.Score: $9 mass of the words, $10 of what was
	// learned, $11 trust, $12 half, $13 power. Each half uses its own index; an OR
	// of the two could use neither.
	const score = `-(p.weights <#> $4) + coalesce($9::float8 * $11::float8 * l.evidence / (l.evidence + $12::float8)
		* power(greatest(-(l.weights <#> $7), 0) / $10::float8, $13::float8), 0)`
	return `SELECT ` + hitColumns + `, c.score
		FROM (SELECT p.row_id, p.id, ` + score + ` AS score
		      FROM ` + passages + ` p LEFT JOIN ` + learnings + ` l ON l.passage_id = p.id WHERE p.terms && $5::int[] AND ` + visible + `
		      UNION ALL
		      SELECT p.row_id, p.id, ` + score + `
		      FROM ` + learnings + ` l JOIN ` + passages + ` p ON p.id = l.passage_id WHERE l.terms && $8::int[] AND NOT p.terms && $5::int[] AND ` + visible + `
		      ORDER BY score DESC, id LIMIT $6) c
		JOIN ` + passages + ` p ON p.row_id = c.row_id ` + itsDocument + `
		ORDER BY c.score DESC, p.id`, append(args, sparse(q.Learned.Weights), q.Learned.Candidates, q.Mass, q.Learned.Mass,
			retrieve.LearnedTrust, retrieve.LearnedHalf, retrieve.LearnedPower)
}

// byLists searches by the lists of terms; false where there are none. It reads more
// passages when too many of the best turn out not to be for this scope.
func (db *DB) byLists(ctx context.Context, conn *pgx.Conn, scope retrieve.Scope, q retrieve.LexicalQuery) (found []assist.Hit, listed bool, err error) {
	n := max(reread, 10*hits(scope))
	if !scope.At.IsZero() {
		n *= pastReread
	}
	for ; ; n *= 8 {
		lists, ok, err := db.listed(ctx, conn, scope, q, n)
		if err != nil || !ok {
			return nil, false, err
		}
		sql, args := listedSQL(scope, q, lists)
		found, err = collect(ctx, conn, scanHit, sql, args...)
		if err != nil || lists.all || len(found) == hits(scope) {
			return found, true, err
		}
	}
}

// listedSQL ranks the rows that the lists found best, and what they do not know.
func listedSQL(scope retrieve.Scope, q retrieve.LexicalQuery, lists postings) (sql string, args []any) {
	passages, learnings, _ := tables(scope)
	args = append(filter(scope, sparse(q.Weights), orEmpty(q.Candidates), hits(scope)), lists.best, lists.last)
	if len(q.Learned.Candidates) == 0 {
		return `SELECT ` + hitColumns + `, -c.distance
		FROM (SELECT p.row_id, p.id, p.weights <#> $4 AS distance FROM ` + passages + ` p WHERE p.row_id = ANY($7) AND ` + visible + `
		      UNION ALL
		      SELECT p.row_id, p.id, p.weights <#> $4 FROM ` + passages + ` p WHERE p.row_id > $8 AND p.terms && $5::int[] AND ` + visible + `
		      ORDER BY distance, id LIMIT $6) c
		JOIN ` + passages + ` p ON p.row_id = c.row_id ` + itsDocument + `
		ORDER BY c.distance, p.id`, args
	}
	// As in lexicalSQL: $11 mass of the words, $12 of what was learned.
	const score = `-(p.weights <#> $4) + coalesce($11::float8 * $13::float8 * l.evidence / (l.evidence + $14::float8)
		* power(greatest(-(l.weights <#> $9), 0) / $12::float8, $15::float8), 0)`
	from := ` AS score FROM ` + passages + ` p LEFT JOIN ` + learnings + ` l ON l.passage_id = p.id WHERE `
	return `SELECT ` + hitColumns + `, c.score
		FROM (SELECT p.row_id, p.id, ` + score + from + `p.row_id = ANY($7) AND ` + visible + `
		      UNION ALL
		      SELECT p.row_id, p.id, ` + score + from + `p.row_id > $8 AND p.terms && $5::int[] AND ` + visible + `
		      UNION ALL
		      SELECT p.row_id, p.id, ` + score + `
		      FROM ` + learnings + ` l JOIN ` + passages + ` p ON p.id = l.passage_id WHERE l.terms && $10::int[]
		      AND NOT p.row_id = ANY($7) AND NOT (p.row_id > $8 AND p.terms && $5::int[]) AND ` + visible + `
		      ORDER BY score DESC, id LIMIT $6) c
		JOIN ` + passages + ` p ON p.row_id = c.row_id ` + itsDocument + `
		ORDER BY c.score DESC, p.id`, append(args, sparse(q.Learned.Weights), q.Learned.Candidates, q.Mass, q.Learned.Mass,
			retrieve.LearnedTrust, retrieve.LearnedHalf, retrieve.LearnedPower)
}

// Document implements retrieve.Index. A document is visible when one of its
// passages is; those valid at the scope's time come with it. The body is that of
// the current revision, which passages of the past do not point into.
func (db *DB) Document(ctx context.Context, scope retrieve.Scope, id string) (d *assist.Document, err error) {
	const document = `SELECT ` + documentColumns + ` FROM documents d WHERE d.id = $1`
	const passages = `SELECT ` + passageColumns + ` FROM passages p WHERE p.document_id = $4 AND ` + visible + ` ORDER BY p.start_byte, p.row_id`
	err = db.reader(scope).doAgain(ctx, "load document "+id, func(ctx context.Context, conn *pgx.Conn) error {
		d = nil
		var b pgx.Batch
		b.Queue(document, id).Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d assist.Document, err error) {
				err = row.Scan(documentFields(&d)...)
				return d, err
			})
			if len(found) > 0 {
				d = &found[0]
			}
			return err
		})
		b.Queue(passages, filter(retrieve.Scope{At: scope.At}, id)...).Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, scanPassage)
			if d != nil {
				d.Passages = found
			}
			return err
		})
		return conn.SendBatch(ctx, &b).Close()
	})
	if err != nil || d == nil || len(d.Passages) == 0 {
		return nil, err
	}
	return d, nil
}
