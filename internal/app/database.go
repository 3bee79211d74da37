package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/postgres/local"
)

// Database is an open, migrated database: the configured one, or the private
// cluster of the data directory, started when it was not running.
type Database struct {
	*postgres.DB
	cluster *local.Cluster // nil for a configured database
}

// OpenExisting is OpenDatabase for those who need what is stored: where no private
// cluster was ever made, it makes none and says so.
func OpenExisting(ctx context.Context, cfg Config, log *slog.Logger) (*Database, error) {
	if cfg.Database == "" && !local.Made(cfg.DataDir) {
		return nil, assist.Errorf(assist.NotFound, "%s", noCluster(cfg.DataDir))
	}
	return OpenDatabase(ctx, cfg, log)
}

func noCluster(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return fmt.Sprintf("there is no database in %s: --data-dir (ASIDE_DATA_DIR) names the folder of the one you mean; `aside up` and `aside ingest PATH` make a new one", dir)
}

// OpenDatabase opens and migrates the database of cfg, and makes the private
// cluster when there is none. Shut it.
func OpenDatabase(ctx context.Context, cfg Config, log *slog.Logger) (*Database, error) {
	d := &Database{}
	url := cfg.Database
	if url == "" {
		cluster, err := local.Start(ctx, local.Options{Dir: cfg.DataDir, Logger: log})
		if err != nil {
			return nil, err
		}
		d.cluster, url = cluster, cluster.URL("aside")
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: url, PublicURL: cfg.Public, ReadURL: cfg.Read, Schema: cfg.Schema, Logger: log})
	if err != nil {
		return nil, errors.Join(err, d.stopCluster())
	}
	d.DB = db
	if err := db.Migrate(ctx); err != nil {
		return nil, errors.Join(err, d.Shut())
	}
	return d, nil
}

// Shut closes the connections and stops the private cluster when nobody else
// uses it.
func (d *Database) Shut() error {
	d.DB.Stop()
	return d.stopCluster()
}

func (d *Database) stopCluster() error {
	if d.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := d.cluster.Stop(ctx); err != nil {
		return fmt.Errorf("stop the private Postgres: %w", err)
	}
	return nil
}
