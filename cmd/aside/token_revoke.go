package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

func defineTokenRevoke(o *options, cfg *app.Config) runner {
	signing(o, cfg)
	database(o, cfg)
	subject := o.String("sub", "", "`subject` all of whose tokens until now are revoked")
	id := o.String("id", "", "`jti` of the one token that is revoked")

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) == 1 && *subject == "" && *id == "" {
			signer, err := cfg.Signer()
			if err != nil {
				return err
			}
			who, err := signer.VerifyLate(args[0], time.Hour)
			if err != nil {
				return err
			}
			if who.Token == "" {
				return usageError{fmt.Sprintf("that token has no jti; revoke all of its subject's with --sub %s", who.Subject)}
			}
			*id, args = who.Token, nil
		}
		if len(args) > 0 || (*subject == "") == (*id == "") {
			return usageError{"name either --sub SUBJECT, --id JTI or the token itself"}
		}
		kind, value := assist.RevokeSubject, *subject
		if value == "" {
			kind, value = assist.RevokeToken, *id
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		if err := app.Revoke(ctx, db.DB, operator(), kind, value); err != nil {
			return err
		}
		return s.print(struct {
			Kind  assist.RevocationKind `json:"kind"`
			Value string                `json:"value"`
		}{kind, value}, func(w io.Writer) {
			fmt.Fprintf(w, "Revoked: tokens of %s %s that were issued until now.\n", kind, value)
		})
	}
}
