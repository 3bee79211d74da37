package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

func defineToken(o *options, cfg *app.Config) runner {
	signing(o, cfg)
	role := o.String("role", "agent", "`role` of the bearer: agent, customer, source, maintainer")
	name := o.String("name", "", "display `name`")
	subject := o.String("sub", "", "stable `id` of the bearer (default: made from the name, or random)")
	conversation := o.String("conversation", "", "`id` of the only conversation a customer, or an agent in a chat tool, may touch")
	authority := o.String("authority", "", "`what` an agent may give without asking: agent, senior or lead (default agent)")
	ttl := o.Duration("ttl", 12*time.Hour, "how long the token is good for")

	return func(_ context.Context, s streams, args []string) error {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		}
		id := assist.Identity{Subject: *subject, Actor: assist.Actor(*role), Name: *name, Conversation: *conversation, Authority: *authority}
		if !id.Actor.Valid() {
			return usageError{fmt.Sprintf("--role must be agent, customer, source or maintainer, not %q", *role)}
		}
		if id.Actor == assist.ActorCustomer && id.Conversation == "" {
			return usageError{"a customer's token needs --conversation: it opens that one and no other"}
		}
		if *ttl <= 0 {
			return usageError{"--ttl must be longer than nothing"}
		}
		if id.Subject == "" {
			id.Subject = strings.ReplaceAll(strings.ToLower(*name), " ", ".")
		}
		if id.Subject == "" {
			id.Subject = *role + "-" + strings.ToLower(rand.Text()[:8])
		}
		noteNewSecret(s, *cfg)
		signer, err := cfg.Signer()
		if err != nil {
			return err
		}
		token, err := signer.Sign(id, *ttl)
		if assist.CodeOf(err) == assist.Invalid {
			return usageError{assist.MessageOf(err)}
		}
		if err != nil {
			return err
		}
		return s.print(struct {
			Token string `json:"token"`
		}{token}, func(w io.Writer) { fmt.Fprintln(w, token) })
	}
}

// noteNewSecret warns that no server knows what is signed now, unless it starts later.
func noteNewSecret(s streams, cfg app.Config) {
	if !cfg.HasSecret() {
		fmt.Fprintf(s.err, "There was no secret in %s, so one is made: a server that runs with another --data-dir (ASIDE_DATA_DIR) or ASIDE_SECRET refuses what it signs.\n", cfg.DataDir)
	}
}
