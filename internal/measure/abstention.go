package measure

import (
	"context"
	"fmt"
	"slices"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// AbstentionReport says how well questions that nothing answers are told from
// those that something does.
type AbstentionReport struct {
	Answerable      int     `json:"answerable"`
	Unanswerable    int     `json:"unanswerable"`
	Answered        int     `json:"answered"`         // answerable ones that were answered
	RightPage       int     `json:"right_page"`       // of those, from a right page first; 0 without qrels
	WronglyAnswered int     `json:"wrongly_answered"` // unanswerable ones that were answered
	HandedOver      int     `json:"handed_over"`      // all others: abstained or stayed quiet
	AUROC           float64 `json:"auroc"`            // of the evidence

	Curve []AbstentionPoint `json:"curve,omitempty"`
}

// AbstentionPoint is what a threshold would do.
type AbstentionPoint struct {
	Threshold       float64 `json:"threshold"`
	Answered        float64 `json:"answered"`         // share of the answerable
	WronglyAnswered float64 `json:"wrongly_answered"` // share of the unanswerable
}

// AbstentionOptions say how to measure.
type AbstentionOptions struct {
	Threshold float64 // evidence below which to abstain; 0: the shipped one
	Curve     bool
}

// Abstention searches for every query that says whether it is answerable. Where
// the service would stay quiet it hands over, but the evidence counts all the same.
func Abstention(ctx context.Context, k Knowledge, c Corpus, queries []Query, right Qrels, opt AbstentionOptions) (r AbstentionReport, err error) {
	retriever := retrieve.New(k, nil, retrieve.Options{WeakBelow: opt.Threshold})
	queries = slices.DeleteFunc(slices.Clone(queries), func(q Query) bool { return q.Answerable == nil })
	type outcome struct {
		evidence float64
		answered bool
		right    bool
	}
	outcomes := make([]outcome, len(queries))
	err = each(ctx, len(queries), func(ctx context.Context, i int) error {
		question := retrieve.Listen(queries[i].Turns())
		quiet := question.Quiet != ""
		question.Quiet = ""
		res, err := retriever.Search(ctx, retrieve.Scope{Audience: assist.AudienceInternal, K: 10}, question)
		if err != nil {
			return fmt.Errorf("query %s: %w", queries[i].ID, err)
		}
		ids := c.ids(res.Hits)
		outcomes[i] = outcome{evidence: res.Evidence, answered: !quiet && !res.Weak,
			right: len(ids) > 0 && right[queries[i].ID][ids[0]]}
		return nil
	})
	if err != nil {
		return r, err
	}
	var yes, no []float64
	for i, o := range outcomes {
		switch {
		case *queries[i].Answerable:
			yes = append(yes, o.evidence)
			if o.answered {
				r.Answered++
				if o.right {
					r.RightPage++
				}
			}
		default:
			no = append(no, o.evidence)
			if o.answered {
				r.WronglyAnswered++
			}
		}
	}
	r.Answerable, r.Unanswerable = len(yes), len(no)
	if len(yes) == 0 || len(no) == 0 {
		return r, fmt.Errorf("%d answerable and %d unanswerable queries: both are needed", len(yes), len(no))
	}
	r.HandedOver = len(outcomes) - r.Answered - r.WronglyAnswered
	slices.Sort(yes)
	slices.Sort(no)
	r.AUROC = round(auroc(yes, no))
	if opt.Curve {
		for t := 0.05; t < 0.96; t += 0.05 {
			r.Curve = append(r.Curve, AbstentionPoint{Threshold: round(t), Answered: round(above(yes, t)), WronglyAnswered: round(above(no, t))})
		}
	}
	return r, nil
}

// auroc is the chance that one of yes is above one of no; both are sorted.
func auroc(yes, no []float64) float64 {
	wins := 0.0
	for _, y := range yes {
		below, _ := slices.BinarySearch(no, y)
		same := below
		for same < len(no) && no[same] == y {
			same++
		}
		wins += float64(below) + float64(same-below)/2
	}
	return wins / float64(len(yes)) / float64(len(no))
}

// above is the share of sorted that is at least t.
func above(sorted []float64, t float64) float64 {
	i, _ := slices.BinarySearch(sorted, t)
	return float64(len(sorted)-i) / float64(len(sorted))
}

// Withdrawal is a line of an abstention file: without these documents those
// queries have no answer.
type Withdrawal struct {
	Drop         []string `json:"drop_documents"`
	Unanswerable []string `json:"unanswerable_queries"`
}

// Withdraw takes documents out of the corpus, by id or by the page that the
// metadata names, and marks the queries that lose their answer.
func Withdraw(file string, docs []assist.Document, queries []Query) ([]assist.Document, []Query, error) {
	drop, without := map[string]bool{}, map[string]bool{}
	err := readLines(file, func(_ int, w Withdrawal) error {
		for _, d := range w.Drop {
			drop[d] = true
		}
		for _, q := range w.Unanswerable {
			without[q] = true
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	docs = slices.DeleteFunc(slices.Clone(docs), func(d assist.Document) bool { return drop[d.ID] || drop[d.Path] })
	queries = slices.Clone(queries)
	no := false
	for i := range queries {
		if without[queries[i].ID] {
			queries[i].Answerable = &no
		}
	}
	return docs, queries, nil
}
