package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/measure"
)

func defineEvalNextSteps(o *options, _ *app.Config) runner {
	var in measure.StepsInput
	o.StringVar(&in.Policies, "policies", "", "`folder` of procedures in Markdown")
	o.StringVar(&in.Conversations, "conversations", "", "conversations, JSONL `file`")
	o.StringVar(&in.Points, "points", "", "what the agents did next, JSONL `file`")
	o.StringVar(&in.LearnConversations, "learn-conversations", "", "conversations to learn from first, JSONL `file`")
	o.StringVar(&in.LearnPoints, "learn-points", "", "which procedure those followed, JSONL `file`")
	missed := o.Bool("missed", false, "list the points at which another button was first, on standard error")

	return func(_ context.Context, s streams, args []string) error {
		switch {
		case len(args) > 0:
			return usageError{fmt.Sprintf("it takes flags only, but was given %q", args[0])}
		case in.Policies == "" || in.Conversations == "" || in.Points == "":
			return usageError{"--policies, --conversations and --points are needed"}
		case in.LearnPoints != "" && in.LearnConversations == "":
			return usageError{"--learn-points needs --learn-conversations"}
		}
		r, err := measure.NextSteps(in)
		if err != nil {
			return err
		}
		if *missed {
			for _, line := range r.Missed {
				fmt.Fprintln(s.err, line)
			}
		}
		return s.print(r, func(w io.Writer) {
			fmt.Fprintf(w, "%d points at which the agent pressed a button, %d in all; learned from %d conversations\n", r.Points, r.AllPoints, r.Learned)
			fmt.Fprintf(w, "right button first %.3f, in the first three %.3f; right procedure %.3f\n", r.Hit1, r.Hit3, r.PolicyAccuracy)
			fmt.Fprintf(w, "right kind %.3f (press %.3f, say %.3f, end %.3f); %.2f ms, p95 %.2f ms\n", r.KindAccuracy, r.KindPress, r.KindSay, r.KindEnd, r.P50, r.P95)
		})
	}
}
