package postgres

import (
	"context"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// Info is what doctor says about a database.
type Info struct {
	Server         string // PostgreSQL's version: "15.18"
	Vector         string // pgvector's, "" when it is not there
	OldVector      bool   // older than 0.8.6: known faults in HNSW indexes
	MayCreateRoles bool
	PublicUser     string // whom customers' reads run as; "" when they cannot
	PublicError    string // why not, in words a user can act on
	Migration      int64  // last one applied, 0 before the first
	Passages       int    // current ones
}

// Info looks at everything that can be wrong with the database. It opens a
// connection of the public role to see whether the database limits it.
func (db *DB) Info(ctx context.Context) (Info, error) {
	const server = `SELECT split_part(current_setting('server_version'), ' ', 1),
		coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), ''),
		(SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user),
		to_regclass($1 || '.` + versionTable + `') IS NOT NULL`
	const state = `SELECT (SELECT max(version_id) FROM ` + versionTable + `), (SELECT passages FROM knowledge_stats)`
	var info Info
	conn, err := pgx.ConnectConfig(ctx, db.settings) // not of a pool, which needs pgvector to be there
	if err != nil {
		return info, explainConnect(address(db.settings), db.settings.Database, db.settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var migrated bool
	if err := conn.QueryRow(ctx, server, db.schema).Scan(&info.Server, &info.Vector, &info.MayCreateRoles, &migrated); err != nil {
		return info, explain("look at the database", err)
	}
	info.OldVector = info.Vector != "" && olderThan(info.Vector, 0, 8, 6)
	if !migrated {
		info.PublicError = "not migrated yet: start Aside once"
		return info, nil
	}
	if err := conn.QueryRow(ctx, state).Scan(&info.Migration, &info.Passages); err != nil {
		return info, explain("look at the database", err)
	}
	err = db.public.do(ctx, "connect as the public role", func(ctx context.Context, c *pgx.Conn) error {
		if err := limited(ctx, c); err != nil {
			return err
		}
		return c.QueryRow(ctx, `SELECT current_user`).Scan(&info.PublicUser)
	})
	if err != nil {
		info.PublicUser, info.PublicError = "", assist.MessageOf(err)
	}
	return info, nil
}

// olderThan compares a version such as 0.8.0 with the given numbers.
func olderThan(version string, than ...int) bool {
	parts := strings.Split(version, ".")
	for i, n := range than {
		have := 0
		if i < len(parts) {
			have, _ = strconv.Atoi(parts[i]) // a suffix counts as 0
		}
		if have != n {
			return have < n
		}
	}
	return false
}
