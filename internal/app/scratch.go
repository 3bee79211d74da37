package app

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
)

// Scratch is a knowledge base of a measurement's own: a schema of the configured
// database that nothing else sees, gone when it is shut.
type Scratch struct{ *Database }

// OpenScratch makes an empty one. Shut it.
func OpenScratch(ctx context.Context, cfg Config, log *slog.Logger) (*Scratch, error) {
	cfg.Schema = "aside_eval_" + strings.ToLower(rand.Text()[:12])
	db, err := OpenDatabase(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	return &Scratch{db}, nil
}

// Shut drops the schema, also when ctx has ended, and closes the database.
func (s *Scratch) Shut() error {
	return errors.Join(s.DB.Drop(context.Background()), s.Database.Shut())
}
