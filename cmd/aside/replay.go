package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/replay"
)

func defineReplay(o *options, cfg *app.Config) runner {
	signing(o, cfg)
	r := replay.Options{}
	o.StringVar(&r.URL, "url", "http://"+cfg.Listen, "`URL` of the running server")
	o.fromEnv("url", "ASIDE_URL")
	o.StringVar(&r.Token, "token", "", "`token` of role source (default: signed with this machine's secret)")
	o.IntVar(&r.Limit, "limit", 0, "at most this `many` conversations")
	o.IntVar(&r.Concurrency, "concurrency", 10, "`conversations` at a time")
	o.Float64Var(&r.Rate, "rate", 0, "`turns` per second over all conversations, timed from the intended send (default: each conversation sends its next turn on the ack of the last)")
	o.StringVar(&r.Run, "run", "", "`name` of this run; the same name goes on with a run that was broken off (default: a new one)")

	return func(ctx context.Context, s streams, args []string) error {
		if len(args) != 1 {
			return usageError{"name one file of recorded conversations"}
		}
		switch {
		case r.Limit < 0:
			return usageError{fmt.Sprintf("--limit must be 0 (all) or more, not %d", r.Limit)}
		case r.Concurrency < 1:
			return usageError{fmt.Sprintf("--concurrency must be 1 or more, not %d", r.Concurrency)}
		case !(r.Rate >= 0 && r.Rate <= 1e6):
			return usageError{fmt.Sprintf("--rate must be 0 (as fast as answers come) to 1000000 turns per second, not %g", r.Rate)}
		}
		f, err := os.Open(args[0])
		if err != nil {
			return usageError{err.Error()}
		}
		defer f.Close()
		if r.Token == "" {
			noteNewSecret(s, *cfg)
			signer, err := cfg.Signer()
			if err != nil {
				return err
			}
			if r.Token, err = signer.Sign(assist.Identity{Subject: "replay", Actor: assist.ActorSource, Name: "replay"}, 12*time.Hour); err != nil {
				return err
			}
		}
		line := newProgressLine(s.err)
		r.Progress = func(p replay.Report) {
			line.show("%d conversations, %d turns acknowledged", p.Conversations, p.Acked)
		}
		report, err := replay.Run(ctx, r, f)
		line.clear()
		for _, n := range report.Notes {
			s.log.Info(n)
		}
		if err != nil {
			return err
		}
		if report.Conversations == 0 && report.Errors == 0 {
			return fmt.Errorf("%s holds no conversation with turns: it needs one JSON object a line, {\"_id\": …, \"turns\": [{\"role\", \"text\"}]}", args[0])
		}
		if err := s.print(report, func(w io.Writer) { printReplay(w, report) }); err != nil {
			return err
		}
		if report.Lost+report.Duplicated+report.Errors > 0 {
			return fmt.Errorf("%d turns lost, %d duplicated, %d errors", report.Lost, report.Duplicated, report.Errors)
		}
		return nil
	}
}

func printReplay(w io.Writer, r replay.Report) {
	fmt.Fprintf(w, "%d conversations, %d turns sent, %d acknowledged; lost %d, duplicated %d, errors %d; %.0f turns per second\n\n%-12s %8s %8s %8s %8s\n",
		r.Conversations, r.Turns, r.Acked, r.Lost, r.Duplicated, r.Errors, r.TurnsPerS, "ms from send", "p50", "p95", "p99", "n")
	for _, l := range []struct {
		name string
		replay.Percentiles
	}{{"passages", r.Passages}, {"instant", r.Instant}, {"first token", r.FirstToken}, {"ready", r.Ready}} {
		fmt.Fprintf(w, "%-12s %8.1f %8.1f %8.1f %8d\n", l.name, l.P50, l.P95, l.P99, l.N)
	}
}
