package postgres

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
)

const (
	// alike is the share of their words that an old and a new passage of a document
	// must have in common for the new one to be the old one edited.
	alike = 0.5
	// inherited is how much of the trust in what was learned outlives an edit: the
	// passage may not answer the same questions any more.
	inherited = 0.5
)

// inherit lets edited passages keep, at a discount, what was learned of their
// former words. The lessons say so too, so that forgetting still finds all of it.
func (w *writer) inherit(ctx context.Context, rows []passage, was map[string]stored) error {
	const old = `SELECT DISTINCT ON (p.id) p.id, p.document_id, p.terms FROM passages p JOIN learned l ON l.passage_id = p.id
		WHERE p.document_id = ANY($1) AND p.id = ANY($2) AND NOT p.current ORDER BY p.id, p.row_id DESC`
	now := map[string]bool{}
	for _, p := range rows {
		now[p.ID] = true
	}
	var documents, ended []string
	before := map[string]bool{}
	for _, s := range was {
		for _, id := range s.Passages {
			before[id] = true
			if !now[id] {
				ended = append(ended, id)
			}
		}
		documents = append(documents, s.ID)
	}
	if len(ended) == 0 {
		return nil
	}
	type gone struct {
		ID, Document string
		Terms        []int32
	}
	left, err := collect(ctx, w.tx, pgx.RowToStructByPos[gone], old, documents, ended)
	if err != nil {
		return err
	}
	heirs := map[string]string{} // id of the old passage → of the new one
	trust := map[string]float32{}
	audiences := map[string]string{}
	for _, g := range left {
		best := alike
		for _, p := range rows {
			if p.doc.ID != g.Document || before[p.ID] {
				continue
			}
			if share := overlap(g.Terms, p.bag.ids); share >= best {
				best = share
				heirs[g.ID], trust[g.ID] = p.ID, float32(inherited*share)
				audiences[p.ID] = string(p.doc.Audience)
			}
		}
	}
	if len(heirs) == 0 {
		return nil
	}
	return w.bequeath(ctx, heirs, trust, audiences)
}

// bequeath adds the heirs to the lessons of the passages they follow.
func (w *writer) bequeath(ctx context.Context, heirs map[string]string, trust map[string]float32, audiences map[string]string) error {
	const lessons = `SELECT conversation_id, seq, passages, trust, terms, sums FROM lessons WHERE passages && $1::text[]`
	const update = `UPDATE lessons SET passages = $3, trust = $4 WHERE conversation_id = $1 AND seq = $2`
	var from []string
	for id := range heirs {
		from = append(from, id)
	}
	type kept struct {
		Conversation string
		Seq          int64
		Passages     []string
		Trust        []float32
		Terms        []int32
		Sums         []float32
	}
	found, err := collect(ctx, w.tx, pgx.RowToStructByPos[kept], lessons, from)
	if err != nil {
		return err
	}
	changes := newTeaching()
	var batch pgx.Batch
	for _, l := range found {
		more := storedLesson{Terms: l.Terms, Sums: l.Sums}
		for i, id := range l.Passages {
			heir := heirs[id]
			if heir == "" || slices.Contains(l.Passages, heir) || slices.Contains(more.Passages, heir) {
				continue
			}
			more.Passages = append(more.Passages, heir)
			more.Trust = append(more.Trust, l.Trust[i]*trust[id])
		}
		if len(more.Passages) == 0 {
			continue
		}
		changes.add(more, audiences, 1)
		batch.Queue(update, l.Conversation, l.Seq, append(l.Passages, more.Passages...), append(l.Trust, more.Trust...))
	}
	if batch.Len() == 0 {
		return nil
	}
	if err := w.tx.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	// The questions are the same as before, only their passages are more.
	changes.questions, changes.questionsPublic = 0, 0
	clear(changes.asked)
	clear(changes.askedPublic)
	return w.teach(ctx, changes, audiences)
}

// overlap is the share of two sets of ascending ids that both have.
func overlap(a, b []int32) float64 {
	common := 0
	for _, id := range a {
		if _, ok := slices.BinarySearch(b, id); ok {
			common++
		}
	}
	if all := len(a) + len(b) - common; all > 0 {
		return float64(common) / float64(all)
	}
	return 0
}
