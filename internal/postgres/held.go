package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgvector/pgvector-go"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// Agents' searches in a knowledge of up to heldMost passages are answered from a
// copy in memory: the same passages, weights and vectors, ranked by the same sums,
// for a hundredth of the processor time. The database remains the truth. Every
// search begins with its lexicon, which tells the version of the knowledge; while
// the copy is not of that version, searches go to the database, and a new copy is
// read behind them. Nothing that was committed is missed, by whatever process.
//
// Only agents' searches, which may see everything: what customers may see is
// decided by the database each time. What was learned is not held either: it
// changes with every reply, and may be erased.
const (
	heldMost  = 10_000   // passages; as many as are always ranked exactly
	heldBytes = 32 << 20 // of vectors; more stay in the database
	heldAfter = 4        // searches of a version before it is worth a copy
	heldPause = time.Second
	heldFor   = time.Minute // bound of reading a copy
)

// held is one version of the knowledge. It never changes.
type held struct {
	version int64
	from    time.Time // of the database; the past before it is not here
	learned bool      // something had been learned: terms says nothing of that

	hits      []assist.Hit // by id, as the database sorts them, then by row
	validFrom []int64      // in microseconds
	validTo   []int64
	at        map[string][]int32 // by id
	terms     map[string]retrieve.TermStat
	postings  map[int32][]heldPosting

	model   string // whose vectors these are; "": there are none, or too many
	dim     int
	of      []int32   // whose passage each vector is
	vectors []float32 // one after the other, of unit length
}

type heldPosting struct {
	passage int32
	weight  float32
}

// keeper has the copy made and made anew.
type keeper struct {
	db   *DB
	log  *slog.Logger
	now  atomic.Pointer[held]
	seen atomic.Int64 // the version of the last lexicon

	ctx    context.Context
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	reading bool
	asked   int       // searches since the copy was last right
	next    time.Time // not before then
	tooMuch int64     // a version that is too large
}

func newKeeper(ctx context.Context, db *DB) *keeper {
	k := &keeper{db: db, log: db.log}
	k.ctx, k.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return k
}

// stop waits for a copy that is being read.
func (k *keeper) stop() {
	k.mu.Lock()
	k.stopped = true
	k.mu.Unlock()
	k.cancel()
	k.work.Wait()
}

// saw notes the version of a lexicon, and has a copy of it made where it is worth
// one.
func (k *keeper) saw(l retrieve.Lexicon) {
	k.seen.Store(l.Version)
	h := k.now.Load()
	if h != nil && h.version == l.Version {
		return
	}
	if l.Passages > heldMost && h != nil {
		k.now.CompareAndSwap(h, nil)
	}
	if l.Passages == 0 || l.Passages > heldMost {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stopped || k.reading || k.tooMuch == l.Version {
		return
	}
	if k.asked++; k.asked < heldAfter || time.Now().Before(k.next) {
		return
	}
	k.reading = true
	k.work.Go(func() { k.read(k.ctx) })
}

func (k *keeper) read(ctx context.Context) {
	began := time.Now()
	h, version, err := k.db.readHeld(ctx)
	took := time.Since(began)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reading, k.asked = false, 0
	k.next = time.Now().Add(max(heldPause, 20*took)) // while much is ingested, not all the time
	switch {
	case err != nil && ctx.Err() == nil:
		k.log.Warn("the knowledge was not read into memory; searches go to the database", "error", err)
	case err != nil:
	case h == nil:
		k.tooMuch = version
	default:
		k.now.Store(h)
		k.log.Debug("the knowledge was read into memory", "version", version, "passages", len(h.hits), "vectors", len(h.of), "took", took)
	}
}

// heldFor gives the copy that a search may be answered from, nil if there is none.
func (db *DB) heldFor(s retrieve.Scope) *held {
	if db.held == nil || db.replica != nil || s.Audience != assist.AudienceInternal || len(s.Collections) > 0 || s.Language != "" {
		return nil
	}
	h := db.held.now.Load()
	if h == nil || h.version != db.held.seen.Load() || !s.At.IsZero() && s.At.Before(h.from) {
		return nil
	}
	return h
}

// holds says whether the lexicon of a scope decides about the copy.
func (db *DB) holds(s retrieve.Scope) bool {
	return db.held != nil && db.replica == nil && s.Audience == assist.AudienceInternal
}

// readHeld reads a copy; nil where there is too much.
func (db *DB) readHeld(ctx context.Context) (h *held, version int64, err error) {
	const stats = `SELECT s.version, s.passages, s.learned > 0, now(), coalesce(m.id, 0), coalesce(m.name, ''), coalesce(m.dimension, 0)
		FROM knowledge_stats s LEFT JOIN (SELECT id, name, dimension FROM vector_models WHERE chosen > 0 ORDER BY chosen DESC LIMIT 1) m ON true`
	ctx, stop := context.WithTimeout(ctx, heldFor)
	defer stop()
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return nil, 0, explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := pgxvector.RegisterTypes(ctx, conn); err != nil {
		return nil, 0, err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return nil, 0, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // it only read
	h = &held{at: map[string][]int32{}, terms: map[string]retrieve.TermStat{}, postings: map[int32][]heldPosting{}}
	var passages, model int
	if err := tx.QueryRow(ctx, stats).Scan(&h.version, &passages, &h.learned, &h.from, &model, &h.model, &h.dim); err != nil {
		return nil, 0, err
	}
	if passages > heldMost {
		return nil, h.version, nil
	}
	if err := h.readPassages(ctx, tx); err != nil {
		return nil, 0, fmt.Errorf("read passages: %w", err)
	}
	if len(h.hits) > 2*heldMost { // many that are yet to come
		return nil, h.version, nil
	}
	if err := h.readTerms(ctx, tx); err != nil {
		return nil, 0, fmt.Errorf("read the lexicon: %w", err)
	}
	if len(h.hits)*h.dim*4 > heldBytes {
		h.model = ""
	}
	if h.model != "" {
		if err := h.readVectors(ctx, tx, model); err != nil {
			return nil, 0, fmt.Errorf("read vectors of %s: %w", h.model, err)
		}
	}
	return h, h.version, nil
}

// whenLearned is the copy once something was learned: its terms do not tell that.
func (h *held) whenLearned() *held {
	other := *h
	other.learned = true
	return &other
}

func (h *held) readPassages(ctx context.Context, tx pgx.Tx) error {
	const sql = `SELECT ` + hitColumns + `, p.valid_from, p.valid_to, p.weights FROM passages p JOIN documents d ON d.id = p.document_id
		WHERE p.valid_to > now() ORDER BY p.id, p.row_id LIMIT $1`
	rows, err := tx.Query(ctx, sql, 2*heldMost+1)
	if err != nil {
		return err
	}
	once := map[string]string{} // what passages of a document share
	one := func(s *string) {
		if was, known := once[*s]; known {
			*s = was
		} else {
			once[*s] = *s
		}
	}
	var p assist.Hit
	var from, to pgtype.Timestamptz
	var weights pgvector.SparseVector
	_, err = pgx.ForEachRow(rows, []any{&p.ID, &p.DocumentID, &p.Heading, &p.Text, &p.Start, &p.End,
		&p.Title, &p.Kind, &p.Audience, &p.URL, &p.Section, &p.Revision, &p.UpdatedAt, &from, &to, &weights}, func() error {
		p.UpdatedAt = p.UpdatedAt.UTC()
		for _, s := range []*string{&p.DocumentID, &p.Heading, &p.Title, (*string)(&p.Kind), (*string)(&p.Audience), &p.URL, &p.Section, &p.Revision} {
			one(s)
		}
		i := int32(len(h.hits))
		h.hits = append(h.hits, p)
		h.at[p.ID] = append(h.at[p.ID], i)
		h.validFrom, h.validTo = append(h.validFrom, micros(from)), append(h.validTo, micros(to))
		values := weights.Values()
		for n, index := range weights.Indices() {
			h.postings[index+1] = append(h.postings[index+1], heldPosting{i, values[n]})
		}
		return nil
	})
	return err
}

func micros(t pgtype.Timestamptz) int64 {
	switch t.InfinityModifier {
	case pgtype.Infinity:
		return math.MaxInt64
	case pgtype.NegativeInfinity:
		return math.MinInt64
	}
	return t.Time.UnixMicro()
}

func (h *held) readTerms(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, `SELECT term, id, df FROM lexicon WHERE df > 0`)
	if err != nil {
		return err
	}
	var term string
	var s retrieve.TermStat
	_, err = pgx.ForEachRow(rows, []any{&term, &s.ID, &s.DF}, func() error { h.terms[term] = s; return nil })
	return err
}

func (h *held) readVectors(ctx context.Context, tx pgx.Tx, model int) error {
	rows, err := tx.Query(ctx, `SELECT passage_id, vector::real[] FROM passage_vectors WHERE model_id = $1`, model)
	if err != nil {
		return err
	}
	var id string
	var v []float32
	var all [][]float32
	_, err = pgx.ForEachRow(rows, []any{&id, &v}, func() error {
		for _, i := range h.at[id] {
			if len(v) == h.dim {
				h.of, all = append(h.of, i), append(all, unit(v))
			}
		}
		return nil
	})
	h.vectors = make([]float32, 0, len(all)*h.dim)
	for _, v := range all {
		h.vectors = append(h.vectors, v...)
	}
	return err
}

// unit gives a vector of length 1 in its direction.
func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	u := make([]float32, len(v))
	for i, x := range v {
		u[i] = float32(float64(x) / math.Sqrt(sum))
	}
	return u
}

// lexicon gives those of the terms that are known.
func (h *held) lexicon(terms []string) map[string]retrieve.TermStat {
	found := make(map[string]retrieve.TermStat, len(terms))
	for _, t := range terms {
		if s, known := h.terms[t]; known {
			found[t] = s
		}
	}
	return found
}

// instant is a scope's time in microseconds.
func (h *held) instant(s retrieve.Scope) int64 {
	at := s.At
	if at.IsZero() {
		at = time.Now()
		if at.Before(h.from) {
			at = h.from // this clock is behind the database's
		}
	}
	return at.UnixMicro()
}

func (h *held) valid(i int32, at int64) bool { return h.validFrom[i] <= at && at < h.validTo[i] }

// remembered is what was learned of a passage, as far as a question shares words
// with it.
type remembered struct {
	evidence, learned float64
	candidate         bool // one of the question's candidates is among the words
}

// lexical is Lexical.
func (h *held) lexical(s retrieve.Scope, q retrieve.LexicalQuery, memories map[string]remembered) []assist.Hit {
	sums := make([]float32, len(h.hits))
	looked := make([]bool, len(h.hits))
	for _, term := range q.Candidates {
		for _, p := range h.postings[term] {
			looked[p.passage] = true
		}
	}
	terms := make([]int32, 0, len(q.Weights))
	for term := range q.Weights {
		terms = append(terms, term)
	}
	slices.Sort(terms) // added up as the database does, to the same bits
	for _, term := range terms {
		weight := q.Weights[term]
		for _, p := range h.postings[term] {
			sums[p.passage] += weight * p.weight
		}
	}
	var scores []float64 // where something was learned
	if memories != nil {
		scores = make([]float64, len(h.hits))
		for id, m := range memories {
			for _, i := range h.at[id] {
				looked[i] = looked[i] || m.candidate
				scores[i] = q.Score(0, m.learned, m.evidence)
			}
		}
	}
	at, k := h.instant(s), hits(s)
	best := newBest(k)
	for i, l := range looked {
		if !l {
			continue
		}
		score := float64(sums[i])
		if scores != nil {
			score += scores[i]
		}
		if best.takes(score) && h.valid(int32(i), at) {
			best.add(int32(i), score)
		}
	}
	return h.found(best.ranked(), func(hit *assist.Hit, rank int, score float64) {
		hit.Ranks = assist.Ranks{Lexical: rank, LexicalScore: score}
	})
}

// dense is Dense, of all vectors.
func (h *held) dense(s retrieve.Scope, vector []float32) []assist.Hit {
	asked := unit(halves(vector))
	at := h.instant(s)
	best := newBest(hits(s))
	rest := h.vectors
	for _, i := range h.of {
		score := float64(dot(asked, rest[:len(asked)]))
		rest = rest[len(asked):]
		if best.takes(score) && h.valid(i, at) {
			best.add(i, score)
		}
	}
	return h.found(best.ranked(), func(hit *assist.Hit, rank int, score float64) {
		hit.Ranks = assist.Ranks{Dense: rank, DenseScore: score}
	})
}

func (h *held) found(ranked []scored, mark func(*assist.Hit, int, float64)) []assist.Hit {
	if len(ranked) == 0 {
		return nil
	}
	found := make([]assist.Hit, len(ranked))
	for n, r := range ranked {
		found[n] = h.hits[r.passage]
		found[n].Score = r.score
		mark(&found[n], n+1, r.score)
	}
	return found
}

// halves gives a vector as the database compares it: in half precision.
func halves(v []float32) []float32 {
	h := make([]float32, len(v))
	for i, x := range v {
		if math.Abs(float64(x)) < 1.0/(1<<14) { // too small for eleven bits
			h[i] = float32(math.RoundToEven(float64(x)*(1<<24)) / (1 << 24))
			continue
		}
		bits := math.Float32bits(x)
		bits += 1<<12 - 1 + bits>>13&1 // to even
		h[i] = math.Float32frombits(bits &^ (1<<13 - 1))
	}
	return h
}
