package measure

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// Knowledge is a knowledge base of the measurement's own.
type Knowledge interface {
	retrieve.Index
	retrieve.Learner
	PutDocuments(ctx context.Context, docs []assist.Document) ([]assist.Change, error)
}

// RetrievalReport says how well passages were found. Recall is the share of a
// query's right passages among the first k, in the mean over queries.
type RetrievalReport struct {
	Queries  int     `json:"queries"`
	Recall1  float64 `json:"recall@1"`
	Recall5  float64 `json:"recall@5"`
	Recall10 float64 `json:"recall@10"`
	MRR10    float64 `json:"mrr@10"`
	NDCG10   float64 `json:"ndcg@10"`
	P50      float64 `json:"p50_ms"` // of listening and search
	P95      float64 `json:"p95_ms"`

	Quiet int `json:"-"` // queries at which the service would have stayed quiet
}

// Corpus is what a measurement searches.
type Corpus struct {
	Documents []assist.Document // to put in; nil: the knowledge is there already
	ByPage    bool              // qrels name documents, without the ending of their file, not passages
	Folder    string            // that the pages were ingested from: their ids begin with its name
}

// Put stores the documents in few, large steps.
func (c Corpus) Put(ctx context.Context, k Knowledge) error {
	for part := range slices.Chunk(c.Documents, 2000) {
		if _, err := k.PutDocuments(ctx, part); err != nil {
			return fmt.Errorf("put the corpus: %w", err)
		}
	}
	return nil
}

// Retrieval searches for every query that has qrels and compares what is found.
// Each is searched for, also where the service would stay quiet because the
// customer's last message asks nothing: the qrels say that something is open.
func Retrieval(ctx context.Context, k Knowledge, c Corpus, queries []Query, right Qrels) (RetrievalReport, error) {
	r := retrieve.New(k, nil, retrieve.Options{})
	queries = slices.DeleteFunc(slices.Clone(queries), func(q Query) bool { return len(right[q.ID]) == 0 })
	if len(queries) == 0 {
		return RetrievalReport{}, fmt.Errorf("none of the queries has an answer in the qrels: do the two files belong together?")
	}
	found := make([]RetrievalReport, len(queries))
	took := make([]float64, len(queries))
	err := each(ctx, len(queries), func(ctx context.Context, i int) error {
		began := time.Now()
		question := retrieve.Listen(queries[i].Turns())
		quiet := question.Quiet != ""
		question.Quiet = ""
		scope := retrieve.Scope{Audience: assist.AudienceInternal, K: 10}
		if c.ByPage {
			scope.K = 30 // several passages of a page
		}
		res, err := r.Search(ctx, scope, question)
		if err != nil {
			return fmt.Errorf("query %s: %w", queries[i].ID, err)
		}
		took[i] = float64(time.Since(began).Microseconds()) / 1000
		found[i] = compare(c.ids(res.Hits), right[queries[i].ID])
		if quiet {
			found[i].Quiet = 1
		}
		return nil
	})
	if err != nil {
		return RetrievalReport{}, err
	}
	var sum RetrievalReport
	n := float64(len(found))
	for _, f := range found {
		sum.Quiet += f.Quiet
		sum.Recall1 += f.Recall1 / n
		sum.Recall5 += f.Recall5 / n
		sum.Recall10 += f.Recall10 / n
		sum.MRR10 += f.MRR10 / n
		sum.NDCG10 += f.NDCG10 / n
	}
	slices.Sort(took)
	return RetrievalReport{Queries: len(found), Quiet: sum.Quiet, Recall1: round(sum.Recall1), Recall5: round(sum.Recall5), Recall10: round(sum.Recall10),
		MRR10: round(sum.MRR10), NDCG10: round(sum.NDCG10), P50: quantile(took, 0.5), P95: quantile(took, 0.95)}, nil
}

// Learn teaches the knowledge that each query was answered by the passages of
// its qrels, as a sent reply that cites them does.
func Learn(ctx context.Context, k Knowledge, c Corpus, queries []Query, right Qrels) error {
	r := retrieve.New(k, nil, retrieve.Options{})
	lessons := make([]retrieve.Lesson, len(queries))
	err := each(ctx, len(queries), func(ctx context.Context, i int) error {
		q := queries[i]
		var grounds []retrieve.Ground
		for _, id := range slices.Sorted(maps.Keys(right[q.ID])) {
			if c.ByPage {
				var err error
				if id, err = c.bestPassage(ctx, r, q, id); err != nil {
					return err
				}
			}
			if id != "" {
				grounds = append(grounds, retrieve.Ground{Passage: id, Weight: 1})
			}
		}
		turns := q.Turns()
		lessons[i] = retrieve.NewLesson("eval-"+q.ID, int64(len(turns))+1, turns, grounds)
		return nil
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(lessons, 1000) {
		if _, err := k.Learn(ctx, part); err != nil {
			return fmt.Errorf("learn: %w", err)
		}
	}
	return nil
}

// bestPassage is the passage of a page that an agent would most likely cite: the
// one found first, else the page's first.
func (c Corpus) bestPassage(ctx context.Context, r *retrieve.Retriever, q Query, page string) (string, error) {
	question := retrieve.Listen(q.Turns())
	question.Quiet = ""
	res, err := r.Search(ctx, retrieve.Scope{Audience: assist.AudienceInternal, K: 30}, question)
	if err != nil {
		return "", fmt.Errorf("query %s: %w", q.ID, err)
	}
	for _, h := range res.Hits {
		if c.page(h.DocumentID) == page {
			return h.ID, nil
		}
	}
	for _, d := range c.Documents {
		if c.page(d.ID) == page && len(d.Passages) > 0 {
			return d.Passages[0].ID, nil
		}
	}
	return "", nil
}

// ids are what qrels call the hits, the first time each, in order.
func (c Corpus) ids(hits []assist.Hit) []string {
	var ids []string
	for _, h := range hits {
		id := h.ID
		if c.ByPage {
			id = c.page(h.DocumentID)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// pageID is what a page is called, whether by its file or by the qrels: without
// the ending, and with "--" for the slash that a file's name cannot have.
func pageID(document string) string {
	for _, ending := range []string{".md", ".markdown", ".html", ".txt"} {
		document = strings.TrimSuffix(document, ending)
	}
	return strings.ReplaceAll(document, "/", "--")
}

// page is pageID of a document of the corpus.
func (c Corpus) page(document string) string {
	return pageID(strings.TrimPrefix(document, c.Folder+"/"))
}

// ByPage gives the qrels with the names of pages.
func (q Qrels) ByPage() Qrels {
	out := make(Qrels, len(q))
	for query, ids := range q {
		out[query] = map[string]bool{}
		for id := range ids {
			out[query][pageID(id)] = true
		}
	}
	return out
}

// compare scores one ranking.
func compare(ids []string, right map[string]bool) (r RetrievalReport) {
	var dcg, ideal float64
	n := float64(len(right))
	for i, id := range ids[:min(10, len(ids))] {
		if !right[id] {
			continue
		}
		if r.MRR10 == 0 {
			r.MRR10 = 1 / float64(i+1)
		}
		dcg += 1 / math.Log2(float64(i)+2)
		if i < 1 {
			r.Recall1 += 1 / n
		}
		if i < 5 {
			r.Recall5 += 1 / n
		}
		r.Recall10 += 1 / n
	}
	for i := range min(len(right), 10) {
		ideal += 1 / math.Log2(float64(i)+2)
	}
	r.NDCG10 = dcg / ideal
	return r
}

// each calls f for 0 to n-1, as many at a time as there are processors.
func each(ctx context.Context, n int, f func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(runtime.GOMAXPROCS(0), 2))
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return f(ctx, i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return nil
}

func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func round(x float64) float64 { return math.Round(x*10000) / 10000 }
