package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/measure"
)

func defineEvalPromises(o *options, _ *app.Config) runner {
	cases := o.String("cases", "", "JSONL `file` of labelled drafts")

	return func(_ context.Context, s streams, args []string) error {
		if *cases == "" || len(args) > 0 {
			return usageError{"give the labelled drafts with --cases FILE, and nothing else"}
		}
		r, err := measure.Promises(*cases)
		if err != nil {
			return err
		}
		return s.print(r, func(w io.Writer) { printPromises(w, r) })
	}
}

func printPromises(w io.Writer, r measure.PromiseResult) {
	for _, c := range r.Wrong {
		what := "missed"
		if !c.Missed {
			what = fmt.Sprintf("false alarm (%s)", strings.Join(c.Words, ", "))
		}
		fmt.Fprintf(w, "%s  %s  %s\n    %s\n", c.ID, what, c.How, c.Draft)
	}
	fmt.Fprintf(w, "%d cases: %d caught, %d missed, %d false alarms; recall %.3f, precision %.3f\n", r.Cases, r.Caught, r.Missed, r.FalseAlarms, r.Recall, r.Precision)
}
