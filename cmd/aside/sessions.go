package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aside-project/aside/internal/app"
)

// sessionLine is one session as `aside sessions --json` prints it.
type sessionLine struct {
	Subject   string    `json:"sub"`
	Name      string    `json:"name"`
	Authority string    `json:"authority"`
	Since     time.Time `json:"since"`
	ExpiresAt time.Time `json:"expires_at"`
}

func defineSessions(o *options, cfg *app.Config) runner {
	database(o, cfg)
	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q: `aside sessions end SUBJECT` ends some", args[0])}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		list, err := db.Sessions(ctx)
		if err != nil {
			return err
		}
		lines := make([]sessionLine, len(list))
		for i, x := range list {
			lines[i] = sessionLine{x.Subject, x.Name, x.Authority, x.CreatedAt, x.ExpiresAt}
		}
		return s.print(struct {
			Sessions []sessionLine `json:"sessions"`
		}{lines}, func(w io.Writer) {
			for _, l := range lines {
				fmt.Fprintf(w, "%-36s  %-24s  %-6s  since %s\n", l.Subject, l.Name, l.Authority, l.Since.Format(time.DateTime))
			}
			if len(lines) == 0 {
				fmt.Fprintln(w, "Nobody is signed in.")
			}
		})
	}
}

func defineSessionsEnd(o *options, cfg *app.Config) runner {
	database(o, cfg)
	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) != 1 {
			return usageError{"name the subject of one agent; `aside sessions` lists them"}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		n, err := app.EndSessions(ctx, db.DB, operator(), args[0])
		if err != nil {
			return err
		}
		return s.print(struct {
			Ended int64 `json:"ended"`
		}{n}, func(w io.Writer) {
			if n == 0 {
				fmt.Fprintf(w, "%q is not signed in; `aside sessions` lists who is.\n", args[0])
				return
			}
			fmt.Fprintf(w, "Sessions ended: %d; their open connections close within 5 seconds.\n", n)
		})
	}
}
