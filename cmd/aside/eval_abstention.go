package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/measure"
)

func defineEvalAbstention(o *options, cfg *app.Config) runner {
	database(o, cfg)
	var data evalData
	data.define(o)
	o.StringVar(&data.withdraw, "withdraw", "", "`file` of documents to leave out and the questions that then have no answer")
	var opt measure.AbstentionOptions
	o.Float64Var(&opt.Threshold, "threshold", 0, "evidence `below` which to abstain, 0 to 1; without it the one the bot ships with")
	o.BoolVar(&opt.Curve, "curve", false, "also say what other thresholds would do")

	var write string
	o.StringVar(&write, "write", "", "`file` for the threshold that answers most while at most one in twenty questions without an answer gets one; the bot follows threshold.json beside bot.yaml")

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("%q is not understood here: all files are given as flags", args[0])}
		}
		if err := data.check(false); err != nil {
			return err
		}
		if opt.Threshold < 0 || opt.Threshold > 1 {
			return usageError{fmt.Sprintf("--threshold must be 0 to 1, not %g", opt.Threshold)}
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
		report, err := measure.Abstention(ctx, db, corpus, queries, right, opt)
		if err != nil {
			return err
		}
		if write != "" {
			if err := measure.WriteCalibration(write, report); err != nil {
				return fmt.Errorf("write the threshold: %w", err)
			}
		}
		return s.print(report, func(w io.Writer) {
			fmt.Fprintf(w, "%d answerable: %d answered, %d of them from the right page\n%d unanswerable: %d wrongly answered\n%d handed over  auroc %.3f\n",
				report.Answerable, report.Answered, report.RightPage, report.Unanswerable, report.WronglyAnswered, report.HandedOver, report.AUROC)
			for _, p := range report.Curve {
				fmt.Fprintf(w, "from %.2f: %.3f of the answerable answered, %.3f of those from the right page, %.3f of the others answered\n", p.Threshold, p.Answered, p.RightPage, p.WronglyAnswered)
			}
			p := report.Calibrated
			fmt.Fprintf(w, "best threshold %.2f: %.3f of the answerable answered, %.3f of those from the right page, %.3f of the others answered\n", p.Threshold, p.Answered, p.RightPage, p.WronglyAnswered)
		})
	}
}
