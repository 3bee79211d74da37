package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/retrieve"
)

// LoadKnowledge ingests the configured folder, else the sample company into a
// knowledge base that is empty or holds nothing else: somebody's own documents
// are never mixed with ours. It reports whether the sample company is there.
func (a *App) LoadKnowledge(ctx context.Context) (sample bool, err error) {
	dir := a.cfg.Knowledge
	if dir == "" {
		if dir, err = a.cfg.writeSample(); err != nil {
			return false, err
		}
		if sample, err = a.onlyFrom(ctx, dir); err != nil || !sample {
			return false, err
		}
	}
	if err := PutAuthority(ctx, a.db.DB, []string{dir}); err != nil {
		return sample, err
	}
	if err := PutBotSettings(ctx, a.db.DB, []string{dir}); err != nil {
		return sample, err
	}
	if err := a.settleBot(ctx); err != nil {
		return sample, err
	}
	report, err := ingest.Run(ctx, ingest.Options{Warn: func(path, text string) { a.log.Warn("oddity in a document", "path", path, "what", text) }}, a.db.DB, []string{dir}, nil)
	if err != nil {
		return sample, fmt.Errorf("ingest %s: %w", dir, err)
	}
	for _, f := range report.Failed {
		a.log.Warn("a document was not read", "path", f.Path, "err", f.Error)
	}
	if err := WarnProcedures(ctx, a.db.DB, a.log); err != nil {
		a.log.Warn("the procedures were not looked over", "err", err)
	}
	a.log.Info("knowledge loaded", "documents", report.Documents, "passages", report.Passages, "added", report.Added, "changed", report.Changed)
	return sample, nil
}

// onlyFrom reports whether every document came from dir, or there is none.
func (a *App) onlyFrom(ctx context.Context, dir string) (bool, error) {
	sources, err := a.db.Sources(ctx)
	if err != nil {
		return false, err
	}
	for _, s := range sources {
		if s != dir {
			return false, nil
		}
	}
	return true, nil
}

// writeSample writes the sample company's knowledge into the data directory,
// where a curious newcomer can read and change it, and gives its path. Files
// that are there already stay as they are.
func (c Config) writeSample() (string, error) {
	dir, err := filepath.Abs(filepath.Join(c.DataDir, "sample"))
	if err != nil {
		return "", err
	}
	err = fs.WalkDir(evals.Files, "knowledge", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, filepath.FromSlash(name))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		body, err := fs.ReadFile(evals.Files, name)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = f.Write(body)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return "", fmt.Errorf("write the sample knowledge to %s: %w", dir, err)
	}
	return filepath.Join(dir, "knowledge"), nil
}

// OpenKnowledge makes the knowledge of an open database for the command line,
// with the configured embedder.
func OpenKnowledge(db *Database, cfg Config, log *slog.Logger) (*Knowledge, error) {
	a := &App{cfg: cfg, log: log}
	if err := a.connectModels(); err != nil {
		return nil, err
	}
	var embedder llm.Embedder
	if a.embedder != nil {
		embedder = privateEmbedder{a.embedder}
	}
	return NewKnowledge(db.DB, retrieve.New(db.DB, embedder, retrieve.Options{})), nil
}
