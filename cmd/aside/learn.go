package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/retrieve"
)

func defineLearn(o *options, cfg *app.Config) runner {
	database(o, cfg)

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) != 1 {
			return usageError{"name one file of conversations, one JSON object a line"}
		}
		f, err := os.Open(args[0])
		if err != nil {
			return usageError{err.Error()}
		}
		defer f.Close()
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		bar := newProgressLine(s.err)
		report, err := app.LearnFile(ctx, db.DB, retrieve.New(db, nil, retrieve.Options{}), f, func(line int, why string) {
			bar.clear()
			s.log.Warn("a line was skipped", "file", args[0], "line", line, "why", why)
		}, func(done int) { bar.show("learning which passages answered: %d conversations", done) })
		bar.clear()
		if err != nil {
			return err
		}
		steps, err := app.LearnSteps(ctx, db.DB, args[0], s.log, func(done, all int) {
			bar.show("learning the order of steps: %d of %d conversations", done, all)
		})
		bar.clear()
		if err != nil {
			return fmt.Errorf("learn next steps: %w", err)
		}
		report.Steps = steps.Steps
		return s.print(report, func(w io.Writer) {
			fmt.Fprintf(w, "Learned from %d conversations: %d answered questions, %d steps. Lines skipped: %d.\n",
				report.Conversations, report.Questions, report.Steps, report.Skipped)
		})
	}
}
