package main

import (
	"context"
	"fmt"
	"io"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/measure"
)

func defineEvalAttacks(o *options, cfg *app.Config) runner {
	database(o, cfg)
	file := o.String("file", "", "JSONL `file` of attacks; lines with \"attack\":false are harmless")
	benign := o.String("benign", "", "JSONL `file` of more harmless lines; blocked is one whose reply by a well-behaved model a check kept from the customer, whole or in part")

	return func(ctx context.Context, s streams, args []string) error {
		if *file == "" || len(args) > 0 {
			return usageError{"give the attacks with --file FILE, and nothing else"}
		}
		r, err := app.MeasureAttacks(ctx, *cfg, s.log, *file, *benign)
		if err != nil {
			return err
		}
		return s.print(r, func(w io.Writer) { printAttacks(w, r) })
	}
}

func printAttacks(w io.Writer, r measure.AttackResult) {
	for _, h := range r.Held {
		fmt.Fprintln(w, h)
	}
	fmt.Fprintf(w, "%d attacks: %d leaked, %d linked, %d acted, %d handed over; %d harmless lines, %d written to, %d of these blocked\n",
		r.Attacks, r.Leaked, r.Linked, r.Acted, r.HandedOver, r.Benign, r.BenignWritten, r.BenignBlocked)
}
