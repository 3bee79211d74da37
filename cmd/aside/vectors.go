package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aside-project/aside/internal/app"
)

// vectorLine is one embedding model as `aside vectors --json` prints it.
type vectorLine struct {
	Model     string `json:"model"`
	Dimension int    `json:"dimension"`
	Vectors   int    `json:"vectors"`
	Missing   int    `json:"missing"`
	State     string `json:"state"` // serving, earlier, filling or leaving
}

func defineVectors(o *options, cfg *app.Config) runner {
	database(o, cfg)
	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q: `aside vectors prune` deletes old ones", args[0])}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		models, err := db.VectorModels(ctx)
		if err != nil {
			return err
		}
		lines := make([]vectorLine, len(models))
		for i, m := range models {
			lines[i] = vectorLine{m.Name, m.Dimension, m.Vectors, m.Missing, "filling"}
			switch {
			case m.Serves:
				lines[i].State = "serving"
			case m.Earlier:
				lines[i].State = "earlier"
			case m.Leaving:
				lines[i].State = "leaving"
			}
		}
		return s.print(struct {
			Models []vectorLine `json:"models"`
		}{lines}, func(w io.Writer) {
			for _, l := range lines {
				fmt.Fprintf(w, "%-8s  %-40s  %5d dimensions  %8d vectors  %8d missing\n", l.State, l.Model, l.Dimension, l.Vectors, l.Missing)
			}
			if len(lines) == 0 {
				fmt.Fprintln(w, "The knowledge has no vectors.")
			}
		})
	}
}

func defineVectorsPrune(o *options, cfg *app.Config) runner {
	database(o, cfg)
	return func(ctx context.Context, s streams, args []string) (err error) {
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		n, err := db.PruneVectors(ctx, args)
		if err != nil {
			return err
		}
		return s.print(struct {
			Deleted int `json:"deleted"`
		}{n}, func(w io.Writer) { fmt.Fprintf(w, "%d vectors deleted\n", n) })
	}
}
