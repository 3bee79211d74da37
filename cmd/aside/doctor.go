package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aside-project/aside/internal/app"
)

func defineDoctor(o *options, cfg *app.Config) runner {
	serving(o, cfg)
	o.StringVar(&cfg.Seal, "seal", "", "`head` of a seal of the record that you kept elsewhere: is it still one of them?")
	return func(ctx context.Context, s streams, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		}
		checks := app.Examine(ctx, *cfg, s.log)
		if err := s.print(struct {
			Checks []app.Check `json:"checks"`
		}{checks}, func(w io.Writer) { printChecks(w, checks) }); err != nil {
			return err
		}
		for _, c := range checks {
			if !c.OK {
				return errors.New("not everything is in order")
			}
		}
		return nil
	}
}

func printChecks(w io.Writer, checks []app.Check) {
	for _, c := range checks {
		mark := "ok "
		if !c.OK {
			mark = "NO "
		}
		fmt.Fprintf(w, "%s  %-16s  %s\n", mark, c.Name, c.Detail)
		if c.Fix != "" {
			fmt.Fprintf(w, "%24s→ %s\n", "", c.Fix)
		}
	}
}
