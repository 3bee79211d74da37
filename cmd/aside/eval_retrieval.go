package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/measure"
)

// evalData are the files that a measurement of retrieval reads.
type evalData struct {
	corpus, policies, queries, qrels, learnQueries, learnQrels, withdraw string
}

func (d *evalData) define(o *options) {
	o.StringVar(&d.corpus, "corpus", "", "`file` of passages, one JSON object a line: _id, title, text")
	o.StringVar(&d.policies, "policies", "", "`folder` of documents to ingest instead of --corpus; qrels then name pages without their ending")
	o.StringVar(&d.queries, "queries", "", "`file` of questions: _id, text, history, answerable")
	o.StringVar(&d.qrels, "qrels", "", "`file` of query-id, corpus-id, score, parted by tabs")
	o.StringVar(&d.learnQueries, "learn-queries", "", "`file` of questions that were answered before")
	o.StringVar(&d.learnQrels, "learn-qrels", "", "`file` of the passages they were answered from")
}

func (d *evalData) check(needQrels bool) error {
	switch {
	case (d.corpus == "") == (d.policies == ""):
		return usageError{"give --corpus FILE or --policies DIR"}
	case d.queries == "":
		return usageError{"--queries is missing: the file of questions"}
	case needQrels && d.qrels == "":
		return usageError{"--qrels is missing: the file that says which passages are right"}
	case (d.learnQueries == "") != (d.learnQrels == ""):
		return usageError{"--learn-queries and --learn-qrels go together"}
	}
	return nil
}

// load fills a scratch knowledge base with the corpus and what was answered
// before, and gives the questions.
func (d *evalData) load(ctx context.Context, db *app.Scratch) (c measure.Corpus, queries []measure.Query, right measure.Qrels, err error) {
	if queries, err = measure.ReadQueries(d.queries); err != nil {
		return c, nil, nil, err
	}
	if d.qrels != "" {
		if right, err = measure.ReadQrels(d.qrels); err != nil {
			return c, nil, nil, err
		}
	}
	if d.policies != "" {
		report, err := ingest.Run(ctx, ingest.Options{}, db.DB, []string{d.policies}, nil)
		if err == nil && len(report.Failed) > 0 {
			err = fmt.Errorf("%s: %s", report.Failed[0].Path, report.Failed[0].Error)
		}
		if err != nil {
			return c, nil, nil, err
		}
		folder, err := filepath.Abs(d.policies)
		if err != nil {
			return c, nil, nil, err
		}
		c.ByPage, c.Folder, right = true, filepath.Base(folder), right.ByPage()
	} else {
		if c.Documents, err = measure.ReadCorpus(d.corpus); err != nil {
			return c, nil, nil, err
		}
		if d.withdraw != "" {
			if c.Documents, queries, err = measure.Withdraw(d.withdraw, c.Documents, queries); err != nil {
				return c, nil, nil, err
			}
		}
		if err := c.Put(ctx, db); err != nil {
			return c, nil, nil, err
		}
	}
	if d.learnQueries == "" {
		return c, queries, right, nil
	}
	past, err := measure.ReadQueries(d.learnQueries)
	if err != nil {
		return c, nil, nil, err
	}
	answered, err := measure.ReadQrels(d.learnQrels)
	if err != nil {
		return c, nil, nil, err
	}
	if c.ByPage {
		answered = answered.ByPage()
	}
	return c, queries, right, measure.Learn(ctx, db, c, past, answered)
}

func defineEvalRetrieval(o *options, cfg *app.Config) runner {
	database(o, cfg)
	var data evalData
	data.define(o)

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("%q is not understood here: all files are given as flags", args[0])}
		}
		if err := data.check(true); err != nil {
			return err
		}
		db, err := app.OpenScratch(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		corpus, queries, right, err := data.load(ctx, db)
		if err != nil {
			return err
		}
		report, err := measure.Retrieval(ctx, db, corpus, queries, right)
		if err != nil {
			return err
		}
		return s.print(report, func(w io.Writer) {
			fmt.Fprintf(w, "%d queries (at %d of them the service stays quiet unless asked)\nrecall@1 %.3f  recall@5 %.3f  recall@10 %.3f  mrr@10 %.3f  ndcg@10 %.3f\np50 %.1f ms  p95 %.1f ms\n",
				report.Queries, report.Quiet, report.Recall1, report.Recall5, report.Recall10, report.MRR10, report.NDCG10, report.P50, report.P95)
		})
	}
}
