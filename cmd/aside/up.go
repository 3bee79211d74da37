package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

func defineUp(o *options, cfg *app.Config) runner {
	serving(o, cfg)
	o.StringVar(&cfg.Knowledge, "knowledge", "", "`folder` to ingest instead of the sample company")
	o.fromEnv("knowledge", "ASIDE_KNOWLEDGE")
	noDemo := o.Bool("no-demo", false, "do not play the recorded customers")

	return func(ctx context.Context, s streams, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		}
		if cfg.Knowledge != "" {
			if _, err := os.Stat(cfg.Knowledge); err != nil {
				return usageError{fmt.Sprintf("--knowledge (ASIDE_KNOWLEDGE): %v", err)}
			}
		}
		cfg.Dev = true
		cfg.Demo = !*noDemo
		return serve(ctx, s, *cfg)
	}
}

func defineServe(o *options, cfg *app.Config) runner {
	serving(o, cfg)
	return func(ctx context.Context, s streams, args []string) error {
		switch {
		case len(args) > 0:
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		case cfg.Database == "":
			return usageError{"ASIDE_DATABASE_URL is not set: serve needs a database of its own; `aside up` brings one"}
		case cfg.Secret == "":
			return usageError{"ASIDE_SECRET is not set: it signs the tokens of agents and customers; `openssl rand -hex 32` makes one"}
		}
		return serve(ctx, s, *cfg)
	}
}

// serve runs the server until ctx ends or it fails.
func serve(ctx context.Context, s streams, cfg app.Config) (err error) {
	start := time.Now()
	a, err := app.New(ctx, cfg, s.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Stop(context.WithoutCancel(ctx))) }()
	if err := a.Start(); err != nil {
		return err
	}
	if cfg.Dev {
		sample, err := a.LoadKnowledge(ctx)
		if err != nil {
			return err
		}
		if cfg.Demo && sample {
			if err := a.Demo(ctx); err != nil {
				return err
			}
		}
	}
	if err := announce(s, a, cfg, time.Since(start)); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.err, "Stopping; press Ctrl-C again to stop at once.")
		return nil
	case err := <-a.Failed():
		return assist.Wrap(err, assist.Unavailable, "the server stopped by itself")
	}
}

// announce says where everything is.
func announce(s streams, a *app.App, cfg app.Config, took time.Duration) error {
	return s.print(struct {
		Console string  `json:"console"`
		ReadyS  float64 `json:"ready_s"`
	}{a.URL() + "/", took.Seconds()}, func(w io.Writer) {
		fmt.Fprintf(w, "\n  Aside is ready in %.1f s\n\n  console   %s/\n", took.Seconds(), a.URL())
		if !cfg.Dev {
			fmt.Fprintf(w, "  sign-in   %s\n", signInWords(cfg))
		}
		fmt.Fprintf(w, "  API docs  %s/docs\n", a.URL())
		if cfg.Dev {
			fmt.Fprintf(w, "  shop      %s/demo  (the customer's side)\n", a.URL())
		}
		if !cfg.Model.On() {
			fmt.Fprintln(w, "  model     none: drafts come from the knowledge alone (ASIDE_LLM_BASE_URL, ASIDE_LLM_MODEL)")
		} else {
			fmt.Fprintf(w, "  model     %s\n", cfg.Model.Model)
		}
		fmt.Fprint(w, "\n  Ctrl-C stops everything.\n\n")
	})
}

// signInWords says how agents get in.
func signInWords(cfg app.Config) string {
	if cfg.OIDC.On() {
		return "with " + cfg.OIDC.Issuer
	}
	return "by pasted tokens (aside token) only: set ASIDE_OIDC_ISSUER, ASIDE_OIDC_CLIENT_ID, ASIDE_OIDC_ROLES and ASIDE_URL for your company's accounts"
}
