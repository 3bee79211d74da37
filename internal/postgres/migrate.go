package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/migrations"
)

const versionTable = "aside_migrations"

// Migrate brings the schema up to date, making it, pgvector and the public role
// as needed. Several nodes may call it at once: one works, the others wait.
func (db *DB) Migrate(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	defer stop()
	conn, err := pgx.ConnectConfig(ctx, db.settings)
	if err != nil {
		return explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) // which lets go of the locks

	if err := db.prepareDatabase(ctx, conn); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended('aside migrate ' || $1, 0))`, db.schema); err != nil {
		return explain("wait for another migration", err)
	}
	if err := db.createSchema(ctx, conn); err != nil {
		return err
	}
	if err := db.runMigrations(ctx); err != nil {
		return err
	}
	return db.grant(ctx, conn)
}

// prepareDatabase makes what all schemas of a database share, one node at a time.
func (db *DB) prepareDatabase(ctx context.Context, c *pgx.Conn) error {
	const lock, unlock = `SELECT pg_advisory_lock(hashtextextended('aside database', 0))`, `SELECT pg_advisory_unlock(hashtextextended('aside database', 0))`
	if _, err := c.Exec(ctx, lock); err != nil {
		return explain("wait for another migration", err)
	}
	if err := db.createExtension(ctx, c); err != nil {
		return err
	}
	if err := db.ensureRole(ctx, c); err != nil {
		return err
	}
	_, err := c.Exec(ctx, unlock)
	return explain("let others migrate", err)
}

func (db *DB) createExtension(ctx context.Context, c *pgx.Conn) error {
	var installed, available bool
	err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector'),
		EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')`).Scan(&installed, &available)
	switch {
	case err != nil:
		return explain("look for pgvector", err)
	case !installed && !available:
		return assist.Errorf(assist.Unavailable, "the database server at %s has no pgvector: install it there "+
			"(Debian and Ubuntu: apt-get install postgresql-NN-pgvector with the server's version for NN), then start again", address(db.settings))
	case !installed:
		// In public, not in the first schema of the path: other schemas of this
		// database use it too.
		if _, err := c.Exec(ctx, `CREATE EXTENSION IF NOT EXISTS vector SCHEMA public`); err != nil {
			return assist.Wrap(err, assist.Unavailable, "pgvector is not switched on in database %q and user %q may not do it; "+
				"let an administrator run there: CREATE EXTENSION vector", db.settings.Database, db.settings.User)
		}
	}
	var usable bool
	if err := c.QueryRow(ctx, `SELECT to_regtype('sparsevec') IS NOT NULL AND to_regtype('halfvec') IS NOT NULL`).Scan(&usable); err != nil {
		return explain("look at pgvector", err)
	}
	if !usable {
		return assist.Errorf(assist.Unavailable, "the pgvector of database %q is older than 0.7: install a newer one on the server, then run there: ALTER EXTENSION vector UPDATE", db.settings.Database)
	}
	return nil
}

func (db *DB) createSchema(ctx context.Context, c *pgx.Conn) error {
	var exists bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, db.schema).Scan(&exists); err != nil {
		return explain("look for schema "+db.schema, err)
	}
	if exists {
		return nil
	}
	if _, err := c.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{db.schema}.Sanitize()); err != nil {
		return assist.Wrap(err, assist.Unavailable, "user %q may not create schema %q in database %q; let an administrator run there: CREATE SCHEMA %s AUTHORIZATION %s",
			db.settings.User, db.schema, db.settings.Database, db.schema, pgx.Identifier{db.settings.User}.Sanitize())
	}
	return nil
}

func (db *DB) runMigrations(ctx context.Context) (err error) {
	sql := stdlib.OpenDB(*db.settings)
	defer func() { err = errors.Join(err, sql.Close()) }()
	// The provider's own lock is one for all schemas and polls every 5 s; ours is
	// held by now.
	provider, err := goose.NewProvider(goose.DialectPostgres, sql, migrations.Files,
		goose.WithTableName(db.schema+"."+versionTable), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()),
		goose.WithAllowOutofOrder(true)) // numbers are given out before changes land
	if err != nil {
		return explain("read migrations", err)
	}
	done, err := provider.Up(ctx)
	if err != nil {
		return explain("migrate schema "+db.schema, err)
	}
	if len(done) > 0 {
		db.log.Info("migrated", "schema", db.schema, "version", done[len(done)-1].Source.Version, "steps", len(done))
	}
	return nil
}

// Drop removes the schema with everything in it. It is for schemas that tests
// and evals made for themselves, and refuses the default one.
func (db *DB) Drop(ctx context.Context) error {
	if db.schema == "aside" || db.schema == "public" {
		return assist.Errorf(assist.Forbidden, "schema %q holds live data and is not dropped", db.schema)
	}
	if db.held != nil {
		db.held.stop() // it reads table after table, as the drop takes them
	}
	// Whoever else still reads may hold one table and wait for another. PostgreSQL
	// then ends one of the two.
	var err error
	for range 10 {
		err = db.ingest.do(ctx, "drop schema "+db.schema, func(ctx context.Context, c *pgx.Conn) error {
			_, err := c.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{db.schema}.Sanitize()+` CASCADE`)
			return err
		})
		if !violates(err, deadlock, "") {
			break
		}
	}
	return err
}
