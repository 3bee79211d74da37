package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Set names one data set of the quality table and the files that it has.
type Set struct {
	Name       string
	Abstention bool // it has unanswerable queries, or documents to withdraw
}

// Sets are those that the table of evals/quality.txt is made of. The first ten,
// which have a half to learn from, make its mean.
var Sets = []Set{
	{"abcd", false}, {"star", false}, {"doc2dial", true}, {"dstc11", false}, {"banking77", true}, {"feedbackqa", true},
	{"stackfaq", true}, {"mtrag-un", true}, {"clinc150", true}, {"hint3-sofmattress", true},
	{"dstc10-spoken", false}, {"hint3-powerplay11", true},
}

// QualityRow is one set measured before and after learning.
type QualityRow struct {
	Set              string
	Plain, Learned   RetrievalReport
	CanLearn         bool
	AUROC, AUROCLate float64 // of abstention before and after learning; 0: not measured
}

// Quality measures one set in the folder of data sets. fresh gives an empty
// knowledge base and what to do when it is not needed any more.
func Quality(ctx context.Context, dir string, s Set, fresh func() (Knowledge, func() error, error)) (row QualityRow, err error) {
	row.Set = s.Name
	file := func(name string) string { return filepath.Join(dir, s.Name, name) }
	split := "-test"
	if _, err := os.Stat(file("qrels-test.tsv")); err != nil {
		split = ""
	}
	row.CanLearn = split != ""
	docs, err := ReadCorpus(file("corpus.jsonl"))
	if err != nil {
		return row, err
	}
	queries, right, err := readBoth(file("queries"+split+".jsonl"), file("qrels"+split+".tsv"))
	if err != nil {
		return row, err
	}
	var past []Query
	var answered Qrels
	if row.CanLearn {
		if past, answered, err = readBoth(file("queries-learn.jsonl"), file("qrels-learn.tsv")); err != nil {
			return row, err
		}
	}
	err = with(fresh, func(k Knowledge) error {
		c := Corpus{Documents: docs}
		if err := c.Put(ctx, k); err != nil {
			return err
		}
		if row.Plain, err = Retrieval(ctx, k, c, queries, right); err != nil || !row.CanLearn {
			return err
		}
		if err := Learn(ctx, k, c, past, answered); err != nil {
			return err
		}
		row.Learned, err = Retrieval(ctx, k, c, queries, right)
		return err
	})
	if err != nil || !s.Abstention {
		return row, err
	}
	all, err := ReadQueries(file("queries.jsonl"))
	if err != nil {
		return row, err
	}
	if withdraw := file("abstention.jsonl"); exists(withdraw) {
		if docs, all, err = Withdraw(withdraw, docs, all); err != nil {
			return row, err
		}
	}
	return row, with(fresh, func(k Knowledge) error {
		c := Corpus{Documents: docs}
		if err := c.Put(ctx, k); err != nil {
			return err
		}
		report, err := Abstention(ctx, k, c, all, nil, AbstentionOptions{})
		if row.AUROC = report.AUROC; err != nil || !row.CanLearn {
			return err
		}
		past, rest := parted(all, past)
		if err := Learn(ctx, k, c, past, answered); err != nil {
			return err
		}
		report, err = Abstention(ctx, k, c, rest, nil, AbstentionOptions{})
		row.AUROCLate = report.AUROC
		return err
	})
}

// parted gives the answerable queries that are among the past ones, and all that
// are not.
func parted(all, past []Query) (learned, rest []Query) {
	known := map[string]bool{}
	for _, q := range past {
		known[q.ID] = true
	}
	for _, q := range all {
		switch answerable := q.Answerable != nil && *q.Answerable; {
		case known[q.ID] && answerable:
			learned = append(learned, q)
		case !known[q.ID] || !answerable:
			rest = append(rest, q)
		}
	}
	return learned, rest
}

func readBoth(queries, qrels string) ([]Query, Qrels, error) {
	q, err := ReadQueries(queries)
	if err != nil {
		return nil, nil, err
	}
	r, err := ReadQrels(qrels)
	return q, r, err
}

func with(fresh func() (Knowledge, func() error, error), do func(Knowledge) error) error {
	k, end, err := fresh()
	if err != nil {
		return err
	}
	err = do(k)
	if eerr := end(); err == nil {
		err = eerr
	}
	return err
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// QualityTable prints rows as evals/quality.txt keeps them: three digits, so that
// noise does not show, and no times.
func QualityTable(rows []QualityRow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-18s %5s  %-41s %-41s %s\n", "", "", "before learning", "after learning from the -learn half", "abstention AUROC")
	fmt.Fprintf(&b, "%-18s %5s  %7s %7s %7s %7s %8s  %7s %7s %7s %7s %8s  %7s %7s\n", "set", "n",
		"R@1", "R@5", "R@10", "MRR@10", "nDCG@10", "R@1", "R@5", "R@10", "MRR@10", "nDCG@10", "before", "after")
	var plain, learned RetrievalReport
	n := 0.0
	for _, r := range rows {
		fmt.Fprintf(&b, "%-18s %5d  %s  %s  %s %s\n", r.Set, r.Plain.Queries, cells(r.Plain, true), cells(r.Learned, r.CanLearn), cell(r.AUROC), cell(r.AUROCLate))
		if r.CanLearn {
			n++
			plain, learned = plain.plus(r.Plain), learned.plus(r.Learned)
		}
	}
	if n > 0 {
		fmt.Fprintf(&b, "%-18s %5s  %s  %s\n", fmt.Sprintf("mean of %.0f", n), "", cells(plain.over(n), true), cells(learned.over(n), true))
	}
	return b.String()
}

func cells(r RetrievalReport, measured bool) string {
	if !measured {
		return fmt.Sprintf("%7s %7s %7s %7s %8s", "–", "–", "–", "–", "–")
	}
	return fmt.Sprintf("%7.3f %7.3f %7.3f %7.3f %8.3f", r.Recall1, r.Recall5, r.Recall10, r.MRR10, r.NDCG10)
}

func cell(x float64) string {
	if x == 0 {
		return fmt.Sprintf("%7s", "–")
	}
	return fmt.Sprintf("%7.3f", x)
}

func (r RetrievalReport) plus(o RetrievalReport) RetrievalReport {
	return RetrievalReport{Recall1: r.Recall1 + o.Recall1, Recall5: r.Recall5 + o.Recall5, Recall10: r.Recall10 + o.Recall10,
		MRR10: r.MRR10 + o.MRR10, NDCG10: r.NDCG10 + o.NDCG10}
}

func (r RetrievalReport) over(n float64) RetrievalReport {
	return RetrievalReport{Recall1: r.Recall1 / n, Recall5: r.Recall5 / n, Recall10: r.Recall10 / n, MRR10: r.MRR10 / n, NDCG10: r.NDCG10 / n}
}
