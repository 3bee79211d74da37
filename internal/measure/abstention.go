package measure

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
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

	Calibrated AbstentionPoint   `json:"calibrated"` // the threshold that answers most within MostWrong
	Curve      []AbstentionPoint `json:"curve,omitempty"`
}

// AbstentionPoint is what a threshold would do.
type AbstentionPoint struct {
	Threshold       float64 `json:"threshold"`
	Answered        float64 `json:"answered"`         // share of the answerable
	RightPage       float64 `json:"right_page"`       // share of those answered from a right page; 0 without qrels
	WronglyAnswered float64 `json:"wrongly_answered"` // share of the unanswerable
}

// MostWrong is the share of unanswerable questions that a calibrated threshold
// lets through at most.
const MostWrong = 0.05

// AbstentionOptions say how to measure.
type AbstentionOptions struct {
	Threshold float64 // evidence below which to abstain; 0: retrieve.DefaultAnswerFrom
	Curve     bool
}

// Abstention searches for every query that says whether it is answerable. Where
// the service would stay quiet it hands over, but the evidence counts all the same.
func Abstention(ctx context.Context, k Knowledge, c Corpus, queries []Query, right Qrels, opt AbstentionOptions) (r AbstentionReport, err error) {
	retriever := retrieve.New(k, nil, retrieve.Options{})
	threshold := cmp.Or(opt.Threshold, retrieve.DefaultAnswerFrom)
	queries = slices.DeleteFunc(slices.Clone(queries), func(q Query) bool { return q.Answerable == nil })
	outcomes := make([]abstention, len(queries))
	err = each(ctx, len(queries), func(ctx context.Context, i int) error {
		question := retrieve.Listen(queries[i].Turns())
		quiet := question.Quiet != ""
		question.Quiet = ""
		res, err := retriever.Search(ctx, retrieve.Scope{Audience: assist.AudienceInternal, K: 10}, question)
		if err != nil {
			return fmt.Errorf("query %s: %w", queries[i].ID, err)
		}
		ids := c.ids(res.Hits)
		outcomes[i] = abstention{answerable: *queries[i].Answerable, evidence: res.Evidence, quiet: quiet,
			answered: !quiet && len(ids) > 0 && res.Evidence >= threshold, right: len(ids) > 0 && right[queries[i].ID][ids[0]]}
		return nil
	})
	if err != nil {
		return r, err
	}
	var yes, no []float64
	for _, o := range outcomes {
		switch {
		case o.answerable:
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
	if r.Calibrated = calibrate(outcomes, MostWrong); opt.Curve {
		for n := 1; n < 20; n++ {
			r.Curve = append(r.Curve, pointAt(outcomes, float64(n)/20))
		}
	}
	return r, nil
}

// abstention is what became of one question.
type abstention struct {
	answerable, quiet, answered, right bool
	evidence                           float64
}

// pointAt says what a threshold would do.
func pointAt(outcomes []abstention, threshold float64) AbstentionPoint {
	var yes, no, answered, right, wrong float64
	for _, o := range outcomes {
		passes := !o.quiet && o.evidence >= threshold
		switch {
		case !o.answerable:
			no++
			if passes {
				wrong++
			}
		default:
			yes++
			if passes {
				answered++
			}
			if passes && o.right {
				right++
			}
		}
	}
	return AbstentionPoint{Threshold: threshold, Answered: round(answered / max(yes, 1)),
		RightPage: round(right / max(answered, 1)), WronglyAnswered: round(wrong / max(no, 1))}
}

// calibrate finds, in steps of a hundredth, the lowest threshold from which on no
// more than the given share of the unanswerable questions is answered.
func calibrate(outcomes []abstention, most float64) AbstentionPoint {
	best := pointAt(outcomes, 1)
	for n := 99; n > 0; n-- {
		p := pointAt(outcomes, float64(n)/100)
		if p.WronglyAnswered > most {
			break
		}
		best = p
	}
	return best
}

// Calibration is a threshold found on a company's own questions, as a file keeps
// it: bot.ThresholdFile where the bot is to follow it.
type Calibration struct {
	AbstentionPoint
	Answerable   int `json:"answerable"` // questions that it was found on
	Unanswerable int `json:"unanswerable"`
}

// fewest questions of either kind that a threshold may be found on: with fewer,
// one question more or less moves the share by more than it may be.
const fewest = 20

// WriteCalibration writes the report's calibrated threshold into a file.
func WriteCalibration(file string, r AbstentionReport) error {
	if min(r.Answerable, r.Unanswerable) < fewest {
		return fmt.Errorf("%d answerable and %d unanswerable questions are too few for a threshold: at least %d of each are needed", r.Answerable, r.Unanswerable, fewest)
	}
	data, err := json.MarshalIndent(Calibration{r.Calibrated, r.Answerable, r.Unanswerable}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
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
