package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/web"
)

// defineReady is the health check of containers that hold nothing but the binary.
func defineReady(o *options, cfg *app.Config) runner {
	o.StringVar(&cfg.Listen, "listen", cfg.Listen, "`host:port` the server listens on")
	o.fromEnv("listen", "ASIDE_LISTEN")
	return func(ctx context.Context, s streams, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		}
		host, port, err := net.SplitHostPort(cfg.Listen)
		if err != nil {
			return usageError{err.Error()}
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req) // no proxy: it is this machine
		if err != nil {
			return fmt.Errorf("nothing answers at %s: is the server running, and is that its --listen (ASIDE_LISTEN)? (%w)", req.URL.Host, errors.Unwrap(err))
		}
		defer res.Body.Close()
		var state struct {
			Ready bool       `json:"ready"`
			Parts []web.Part `json:"parts"`
		}
		if err := json.NewDecoder(io.LimitReader(res.Body, 1<<16)).Decode(&state); err != nil {
			return fmt.Errorf("%s is not Aside: %w", req.URL.Host, err)
		}
		if err := s.print(state, func(w io.Writer) {
			for _, p := range state.Parts {
				state := "ok"
				if !p.OK {
					state = "missing"
				} else if p.Degraded {
					state = "degraded"
				}
				fmt.Fprintf(w, "%-12s %-8s %s\n", p.Name, state, p.Detail)
			}
		}); err != nil {
			return err
		}
		if !state.Ready {
			return fmt.Errorf("the server at %s cannot serve at the moment", req.URL.Host)
		}
		return nil
	}
}
