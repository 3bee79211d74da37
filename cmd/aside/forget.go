package main

import (
	"context"
	"fmt"
	"io"
	"os/user"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/postgres"
)

func defineForget(o *options, cfg *app.Config) runner {
	database(o, cfg)
	conversation := o.String("conversation", "", "`id` of the conversation to erase")
	customer := o.String("customer", "", "`key` of the customer whose conversations are erased: SOURCE/KEY of a chat tool, site:KEY of your own site")

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 || (*conversation == "") == (*customer == "") {
			return usageError{"name either --conversation ID or --customer KEY"}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		var e postgres.Erased
		if *conversation != "" {
			e, err = db.EraseConversation(ctx, operator(), *conversation)
		} else {
			e, err = db.EraseCustomer(ctx, operator(), *customer)
		}
		if err != nil {
			return err
		}
		return s.print(struct {
			Conversations int `json:"conversations"`
			Turns         int `json:"turns"`
			Suggestions   int `json:"suggestions"`
			Lessons       int `json:"lessons"`
			Gestures      int `json:"gestures"`
		}{len(e.Conversations), e.Turns, e.Suggestions, e.Lessons, e.Gestures}, func(w io.Writer) {
			fmt.Fprintf(w, "Erased: conversations %d, turns %d, suggestions %d, lessons %d, gestures %d. Backups keep them until they are overwritten.\n",
				len(e.Conversations), e.Turns, e.Suggestions, e.Lessons, e.Gestures)
		})
	}
}

// operator names who works at the command line, for the record.
func operator() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "cli:" + u.Username
	}
	return "cli"
}
