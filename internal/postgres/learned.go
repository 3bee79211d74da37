package postgres

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pgvector/pgvector-go"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

var (
	_ retrieve.Learner  = (*DB)(nil)
	_ retrieve.Recaller = (*DB)(nil)
)

// learnedDrift is how far the average length of what was learned may move before
// all learned weights are made again. It grows by use, so this happens ever more
// rarely.
const learnedDrift = 0.1

// maxLessons bounds one transaction.
const maxLessons = 5000

// memory is what was learned of one passage.
type memory struct {
	audience string
	evidence float64
	sums     map[int32]float64
}

func (m *memory) length() (sum float64) {
	for _, s := range m.sums {
		sum += s
	}
	return sum
}

// weigh makes the learned side of BM25 for an average length: as bag.weigh, with
// b = 1, so that much-asked passages gain nothing by being much asked alone.
func (m *memory) weigh(average float64) (terms []int32, sums []float32, weights pgvector.SparseVector) {
	for id := range m.sums {
		terms = append(terms, id)
	}
	slices.Sort(terms)
	if len(terms) > maxTerms { // keep what was said most
		slices.SortFunc(terms, func(a, b int32) int {
			return int(math.Copysign(1, m.sums[b]-m.sums[a]))
		})
		terms = terms[:maxTerms]
		slices.Sort(terms)
	}
	norm := retrieve.LearnedK
	if average > 0 {
		norm *= m.length() / average
	}
	byID := make(map[int32]float32, len(terms))
	for _, id := range terms {
		s := m.sums[id]
		sums = append(sums, float32(s))
		byID[id] = float32(s * (retrieve.LearnedK + 1) / (s + norm))
	}
	return terms, sums, sparse(byID)
}

// Learn implements retrieve.Learner.
func (db *DB) Learn(ctx context.Context, lessons []retrieve.Lesson) (added int, err error) {
	if len(lessons) > maxLessons {
		return 0, assist.Errorf(assist.Invalid, "%d lessons at once: %d are the most", len(lessons), maxLessons)
	}
	lessons = slices.DeleteFunc(slices.Clone(lessons), func(l retrieve.Lesson) bool {
		return len(l.Terms) == 0 || len(l.Grounds) == 0 || l.Conversation == ""
	})
	if len(lessons) == 0 {
		return 0, nil
	}
	err = db.write(ctx, "learn", func(ctx context.Context, w *writer) error {
		added = 0
		ids, err := w.lessonTerms(ctx, lessons)
		if err != nil {
			return err
		}
		audiences, err := w.audiences(ctx, lessons)
		if err != nil {
			return err
		}
		changes := newTeaching()
		var batch pgx.Batch
		for _, l := range lessons {
			s, ok := newStoredLesson(l, ids, audiences)
			if !ok {
				continue
			}
			const insert = `INSERT INTO lessons (conversation_id, seq, passages, trust, terms, sums, at)
				SELECT $1, $2, $3, $4, $5, $6, coalesce($7, now())
				WHERE NOT EXISTS (SELECT FROM erasures WHERE digest = sha256(convert_to($1, 'UTF8'))) ON CONFLICT DO NOTHING`
			batch.Queue(insert, l.Conversation, l.Seq, s.Passages, s.Trust, s.Terms, s.Sums, orNull(l.At)).Exec(func(tag pgconn.CommandTag) error {
				if tag.RowsAffected() > 0 {
					added++
					changes.add(s, audiences, 1)
				}
				return nil
			})
		}
		if err := w.tx.SendBatch(ctx, &batch).Close(); err != nil || added == 0 {
			return err
		}
		return w.teach(ctx, changes, audiences)
	})
	return added, err
}

// Recall implements retrieve.Recaller.
func (db *DB) Recall(ctx context.Context, scope retrieve.Scope, passage string, terms []int32) (memory retrieve.Memory, err error) {
	const sql = `SELECT l.evidence, coalesce(a.term, 0), coalesce(a.sum, 0) FROM learned l
		LEFT JOIN LATERAL unnest(l.terms, l.sums) AS a(term, sum) ON a.term = ANY($2::int[]) WHERE l.passage_id = $1`
	err = db.reader(scope).doAgain(ctx, "recall questions", func(ctx context.Context, conn *pgx.Conn) error {
		memory = retrieve.Memory{Asked: map[int32]float64{}}
		rows, err := conn.Query(ctx, sql, passage, orEmpty(terms))
		if err != nil {
			return err
		}
		var term int32
		var sum float64
		_, err = pgx.ForEachRow(rows, []any{&memory.Evidence, &term, &sum}, func() error {
			if sum > 0 {
				memory.Asked[term] = sum
			}
			return nil
		})
		return err
	})
	return memory, err
}

// Forget implements retrieve.Learner.
func (db *DB) Forget(ctx context.Context, conversation string) error {
	return db.write(ctx, "forget what was learned from conversation "+conversation, func(ctx context.Context, w *writer) error {
		_, err := w.unlearn(ctx, conversation)
		return err
	})
}

// storedLesson is a lesson as it is kept.
type storedLesson struct {
	Passages []string
	Trust    []float32
	Terms    []int32
	Sums     []float32
}

func newStoredLesson(l retrieve.Lesson, ids map[string]int32, audiences map[string]string) (s storedLesson, ok bool) {
	for _, g := range l.Grounds {
		if audiences[g.Passage] != "" && g.Weight > 0 && !slices.Contains(s.Passages, g.Passage) {
			s.Passages = append(s.Passages, g.Passage)
			s.Trust = append(s.Trust, float32(min(g.Weight, 1)))
		}
	}
	for _, t := range l.Terms {
		if id := ids[t.Text]; id > 0 && t.Weight > 0 && !slices.Contains(s.Terms, id) {
			s.Terms = append(s.Terms, id)
			s.Sums = append(s.Sums, float32(t.Weight))
		}
	}
	return s, len(s.Passages) > 0 && len(s.Terms) > 0
}

// teaching is what lessons change, by passage and by term.
type teaching struct {
	evidence                   map[string]float64
	sums                       map[string]map[int32]float64
	asked, askedPublic         map[int32]float64
	questions, questionsPublic float64
}

func newTeaching() *teaching {
	return &teaching{evidence: map[string]float64{}, sums: map[string]map[int32]float64{}, asked: map[int32]float64{}, askedPublic: map[int32]float64{}}
}

// add counts a lesson in (sign 1) or out (-1).
func (t *teaching) add(l storedLesson, audiences map[string]string, sign float64) {
	var most, public float64
	for i, p := range l.Passages {
		trust := float64(l.Trust[i])
		most = max(most, trust)
		if audiences[p] == string(assist.AudiencePublic) {
			public = max(public, trust)
		}
		if t.sums[p] == nil {
			t.sums[p] = map[int32]float64{}
		}
		t.evidence[p] += sign * trust
		for j, id := range l.Terms {
			t.sums[p][id] += sign * trust * float64(l.Sums[j])
		}
	}
	t.questions += sign * most
	t.questionsPublic += sign * public
	for _, id := range l.Terms {
		t.asked[id] += sign * most
		if public > 0 {
			t.askedPublic[id] += sign * public
		}
	}
}

// teach changes the learned vectors of the passages, and the figures about all.
func (w *writer) teach(ctx context.Context, t *teaching, audiences map[string]string) error {
	const load = `SELECT passage_id, evidence, terms, sums FROM learned WHERE passage_id = ANY($1) ORDER BY passage_id`
	const asked = `UPDATE lexicon l SET asked = greatest(l.asked + x.n, 0), asked_public = greatest(l.asked_public + x.public, 0)
		FROM unnest($1::int[], $2::real[], $3::real[]) AS x(id, n, public) WHERE l.id = x.id`
	const stats = `UPDATE knowledge_stats SET questions = greatest(questions + $1, 0), questions_public = greatest(questions_public + $2, 0),
			learned = learned + $3, learned_length = greatest(learned_length + $4, 0)
		RETURNING learned, learned_length, learned_average`
	var ids []string
	for p := range t.evidence {
		ids = append(ids, p)
	}
	slices.Sort(ids)
	memories := map[string]*memory{}
	rows, err := w.tx.Query(ctx, load, ids)
	if err != nil {
		return err
	}
	var id string
	var evidence float64
	var terms []int32
	var sums []float32
	if _, err := pgx.ForEachRow(rows, []any{&id, &evidence, &terms, &sums}, func() error {
		m := &memory{evidence: evidence, sums: make(map[int32]float64, len(terms))}
		for i, term := range terms {
			m.sums[term] = float64(sums[i])
		}
		memories[id] = m
		return nil
	}); err != nil {
		return err
	}
	passages, length := -len(memories), 0.0
	var emptied []string
	for _, p := range ids {
		m := memories[p]
		if m == nil {
			m = &memory{sums: map[int32]float64{}}
			memories[p] = m
		}
		length -= m.length()
		m.audience = audiences[p]
		if m.audience == "" {
			m.audience = string(assist.AudienceInternal)
		}
		m.evidence += t.evidence[p]
		for term, s := range t.sums[p] {
			if m.sums[term] += s; m.sums[term] < 1e-4 {
				delete(m.sums, term)
			}
		}
		if m.evidence < 1e-4 || len(m.sums) == 0 {
			emptied = append(emptied, p)
			delete(memories, p)
			continue
		}
		length += m.length()
	}
	passages += len(memories)

	var said []int32
	var n, public []float32
	for term := range t.asked {
		said = append(said, term)
	}
	slices.Sort(said)
	for _, term := range said {
		n, public = append(n, float32(t.asked[term])), append(public, float32(t.askedPublic[term]))
	}
	if _, err := w.tx.Exec(ctx, asked, said, n, public); err != nil {
		return err
	}
	var count int
	var total, average float64
	if err := w.tx.QueryRow(ctx, stats, t.questions, t.questionsPublic, passages, length).Scan(&count, &total, &average); err != nil {
		return err
	}
	if len(emptied) > 0 {
		if _, err := w.tx.Exec(ctx, `DELETE FROM learned WHERE passage_id = ANY($1)`, emptied); err != nil {
			return err
		}
	}
	if now := total / float64(max(count, 1)); math.Abs(now-average) > learnedDrift*average {
		average = now
		if err := w.relearn(ctx, average); err != nil {
			return err
		}
	}
	return w.putLearned(ctx, memories, average)
}

func (w *writer) putLearned(ctx context.Context, memories map[string]*memory, average float64) error {
	const upsert = `INSERT INTO learned AS l (passage_id, audience, evidence, length, terms, sums, weights) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (passage_id, audience) DO UPDATE SET (evidence, length, terms, sums, weights)
		= ROW (excluded.evidence, excluded.length, excluded.terms, excluded.sums, excluded.weights)`
	const elsewhere = `DELETE FROM learned WHERE passage_id = $1 AND audience <> $2`
	var batch pgx.Batch
	for p, m := range memories {
		terms, sums, weights := m.weigh(average)
		batch.Queue(elsewhere, p, m.audience)
		batch.Queue(upsert, p, m.audience, m.evidence, m.length(), terms, sums, weights)
	}
	return w.tx.SendBatch(ctx, &batch).Close()
}

// relearn weighs everything learned for a new average length.
func (w *writer) relearn(ctx context.Context, average float64) error {
	const page = `SELECT passage_id, terms, sums FROM learned WHERE passage_id > $1 ORDER BY passage_id LIMIT 1000`
	const update = `UPDATE learned l SET weights = x.weights FROM unnest($1::text[], $2::sparsevec[]) AS x(passage_id, weights) WHERE l.passage_id = x.passage_id`
	if _, err := w.tx.Exec(ctx, `UPDATE knowledge_stats SET learned_average = $1`, average); err != nil {
		return err
	}
	for last := ""; ; {
		rows, err := w.tx.Query(ctx, page, last)
		if err != nil {
			return err
		}
		var ids []string
		var weights []pgvector.SparseVector
		var terms []int32
		var sums []float32
		if _, err := pgx.ForEachRow(rows, []any{&last, &terms, &sums}, func() error {
			m := memory{sums: make(map[int32]float64, len(terms))}
			for i, t := range terms {
				m.sums[t] = float64(sums[i])
			}
			_, _, made := m.weigh(average)
			ids, weights = append(ids, last), append(weights, made)
			return nil
		}); err != nil {
			return err
		}
		if len(ids) == 0 {
			return nil
		}
		if _, err := w.tx.Exec(ctx, update, ids, weights); err != nil {
			return err
		}
	}
}

// lessonTerms takes out of the lessons what may be a name, and gives the ids of
// the terms that remain, new ones for new terms.
func (w *writer) lessonTerms(ctx context.Context, lessons []retrieve.Lesson) (map[string]int32, error) {
	const used = `SELECT term FROM lexicon WHERE term = ANY($1) AND df > 0`
	var doubtful []string
	for _, l := range lessons {
		for _, t := range l.Terms {
			if l.Doubtful[t.Text] && assist.CheckText("term", t.Text, maxTermBytes) == nil {
				doubtful = append(doubtful, t.Text)
			}
		}
	}
	known, err := collect(ctx, w.tx, pgx.RowTo[string], used, doubtful)
	if err != nil {
		return nil, err
	}
	ok := make(map[string]bool, len(known))
	for _, term := range known {
		ok[term] = true
	}
	docs := []assist.Document{{}}
	for i, l := range lessons {
		lessons[i].Terms = slices.DeleteFunc(slices.Clone(l.Terms), func(t assist.Term) bool { return l.Doubtful[t.Text] && !ok[t.Text] })
		docs[0].Passages = append(docs[0].Passages, assist.Passage{Terms: lessons[i].Terms})
	}
	return w.termIDs(ctx, docs)
}

// audiences gives the audience of each current passage that the lessons name.
func (w *writer) audiences(ctx context.Context, lessons []retrieve.Lesson) (map[string]string, error) {
	var ids []string
	for _, l := range lessons {
		for _, g := range l.Grounds {
			if !strings.ContainsRune(g.Passage, 0) {
				ids = append(ids, g.Passage)
			}
		}
	}
	return w.audiencesOf(ctx, ids)
}

func (w *writer) audiencesOf(ctx context.Context, passages []string) (map[string]string, error) {
	const sql = `SELECT id, audience FROM passages WHERE id = ANY($1) AND current`
	rows, err := w.tx.Query(ctx, sql, passages)
	if err != nil {
		return nil, err
	}
	audiences := map[string]string{}
	var id, audience string
	_, err = pgx.ForEachRow(rows, []any{&id, &audience}, func() error {
		audiences[id] = audience
		return nil
	})
	return audiences, err
}
