package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/web"
)

func defineSearch(o *options, cfg *app.Config) runner {
	database(o, cfg)
	embedder(o, cfg)
	k := o.Int("k", 10, "how `many` passages, 1 to 50")
	audience := o.String("audience", "internal", "`whose` eyes to search with: public or internal")
	at := o.String("at", "", "the knowledge as of this `date`, such as 2026-03-31")
	collection := o.String("collection", "", "only this `collection`")

	return func(ctx context.Context, s streams, args []string) (err error) {
		q := web.SearchQuery{
			Text: strings.Join(args, " "), K: *k, Audience: assist.Audience(*audience), At: *at, Collection: *collection,
		}
		if err := assist.CheckBody("the text to search", q.Text); err != nil {
			return usageError{assist.MessageOf(err)}
		}
		if !q.Audience.Valid() {
			return usageError{fmt.Sprintf("--audience must be public or internal, not %q", *audience)}
		}
		if q.K < 1 || q.K > 50 {
			return usageError{fmt.Sprintf("--k must be 1 to 50, not %d", q.K)}
		}
		if q.At != "" {
			if _, err := app.ParseDate(q.At); err != nil {
				return usageError{"--at: " + assist.MessageOf(err)}
			}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		knowledge, err := app.OpenKnowledge(db, *cfg, s.log)
		if err != nil {
			return err
		}
		result, err := knowledge.Search(ctx, q)
		if err != nil {
			return err
		}
		return s.print(result, func(w io.Writer) { printSearch(w, result) })
	}
}

func printSearch(w io.Writer, r web.SearchResult) {
	if len(r.Hits) == 0 {
		fmt.Fprintln(w, "Nothing found. `aside ingest PATH` brings documents in.")
		return
	}
	for i, h := range r.Hits {
		title := h.Title
		if h.Heading != "" && h.Heading != h.Title {
			title += " › " + h.Heading
		}
		fmt.Fprintf(w, "%2d  %s  [%s]  %.2f\n    %s\n    %s\n", i+1, title, h.Audience, h.Score, strings.Join(strings.Fields(h.Quote), " "), h.PassageID)
	}
	fmt.Fprintf(w, "%.1f ms\n", r.TookMS)
}
