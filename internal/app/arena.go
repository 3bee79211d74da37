package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
	"github.com/aside-project/aside/prompts"
)

// arenaSchema keeps the attack measurement away from the live data.
const arenaSchema = "aside_eval_attacks"

// MeasureAttacks runs the attacks of a file on the customer bot, over the sample
// company in a schema of its own: what hides internal pages is the same database
// role as in production.
func MeasureAttacks(ctx context.Context, cfg Config, log *slog.Logger, file, benign string) (r measure.AttackResult, err error) {
	cfg.Schema = arenaSchema
	db, err := OpenDatabase(ctx, cfg, log)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, db.Shut()) }()
	dir, err := cfg.writeSample()
	if err != nil {
		return r, err
	}
	if _, err := ingest.Run(ctx, ingest.Options{}, db.DB, []string{dir}, nil); err != nil {
		return r, fmt.Errorf("ingest %s: %w", dir, err)
	}
	set, err := prompt.Load(prompts.Files)
	if err != nil {
		return r, err
	}
	knowledge := suggestKnowledge{retrieve.New(db.DB, nil, retrieve.Options{}), db.DB}
	return measure.Attacks(ctx, file, benign, measure.Arena{
		Put:    func(ctx context.Context, docs []measure.ArenaDocument) error { return putArena(ctx, db, docs) },
		Remove: func(ctx context.Context, ids []string) error { return removeArena(ctx, db, ids) },
		Suggester: func(m llm.ChatModel) *suggest.Suggester {
			// The model is told to be hostile: warnings about it would only drown the result.
			return suggest.New(suggest.Options{Knowledge: knowledge, Prompts: set, Model: m, Logger: slog.New(slog.DiscardHandler)})
		},
	})
}

func putArena(ctx context.Context, db *Database, docs []measure.ArenaDocument) error {
	const batch = 100
	var parsed []assist.Document
	flush := func() error {
		_, err := db.PutDocuments(ctx, parsed)
		parsed = parsed[:0]
		return err
	}
	for _, d := range docs {
		doc, err := ingest.Parse(ctx, d.ID, "text/markdown", []byte(d.Text), ingest.Options{})
		if err != nil {
			return fmt.Errorf("page %s: %w", d.ID, err)
		}
		doc.Title, doc.Audience, doc.Kind = d.Title, d.Audience, assist.KindFAQ
		parsed = append(parsed, doc)
		if len(parsed) == batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func removeArena(ctx context.Context, db *Database, ids []string) error {
	revisions, err := db.Revisions(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if _, there := revisions[id]; !there {
			continue
		}
		if err := db.DeleteDocument(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
