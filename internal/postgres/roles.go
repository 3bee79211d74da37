package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
)

// publicRole is whom customers' reads run as. It cannot log in; the main user
// takes it when a connection of the public pool starts.
const publicRole = "aside_public"

// publicGrants is everything a customer-facing connection may read. Row-level
// security limits the rows, except in tables named …_public, which cannot hold
// others; what is not listed is closed.
var publicGrants = []string{
	`conversations (id, status, customer_name, agent_name, last_seq, created_at, updated_at)`,
	`turns (conversation_id, seq, role, name, text, at, external_id, sources)`,
	`events (conversation_id, seq, type, public_data)`,
	`documents (id, title, kind, audience, collection, language, url, valid_from, valid_to, revision, body, updated_at)`,
	`passages`,
	`passages_public`,
	`lexicon (id, term, df_public, asked_public)`,
	`knowledge_stats (version, passages_public, questions_public, learned)`,
	`vector_models`,
	`passage_vectors`,
	`passage_vectors_public`,
	`learned`,
	`learned_public`,
	`posting_blocks (block, upto, over, listed_at)`,
	`postings_public`,
	`posting_places_public`,
}

// ensureRole makes the public role if need be and lets the main user take it.
// Roles belong to the whole server: another database's Aside may be doing the
// same right now.
func (db *DB) ensureRole(ctx context.Context, c *pgx.Conn) error {
	if !db.takesRole {
		return nil
	}
	var exists bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, publicRole).Scan(&exists); err != nil {
		return explain("look for role "+publicRole, err)
	}
	if !exists {
		_, err := c.Exec(ctx, `CREATE ROLE `+publicRole+` NOLOGIN`)
		if err != nil && !violates(err, duplicateObject, "") && !violates(err, uniqueViolation, "") {
			return db.noRole(c, err)
		}
	}
	if canTakeRole(ctx, c) == nil {
		return nil
	}
	_, granted := c.Exec(ctx, `GRANT `+publicRole+` TO CURRENT_USER`)
	if err := canTakeRole(ctx, c); err != nil { // another may have granted it in the same moment
		if granted != nil {
			err = granted
		}
		return db.noRole(c, err)
	}
	return nil
}

func canTakeRole(ctx context.Context, c *pgx.Conn) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SET LOCAL ROLE `+publicRole)
		return err
	})
}

func (db *DB) noRole(c *pgx.Conn, cause error) error {
	user := pgx.Identifier{c.Config().User}.Sanitize()
	return assist.Wrap(cause, assist.Unavailable,
		"customers' reads need a database role that cannot see internal knowledge, and user %s may not create one. "+
			"Either let an administrator run: CREATE ROLE %s NOLOGIN; GRANT %s TO %s; "+
			"or set ASIDE_DATABASE_PUBLIC_URL to log in to the same database as another, ordinary user",
		user, publicRole, publicRole, user)
}

// grant gives the public role exactly publicGrants in this schema.
func (db *DB) grant(ctx context.Context, c *pgx.Conn) error {
	role, schema := pgx.Identifier{db.publicRole}.Sanitize(), pgx.Identifier{db.schema}.Sanitize()
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		statements := []string{
			`REVOKE ALL ON ALL TABLES IN SCHEMA ` + schema + ` FROM ` + role + `, PUBLIC`,
			`GRANT USAGE ON SCHEMA ` + schema + ` TO ` + role,
		}
		for _, g := range publicGrants {
			statements = append(statements, grantSelect(g, schema, role))
		}
		for _, s := range statements {
			if _, err := tx.Exec(ctx, s); err != nil {
				return explain(fmt.Sprintf("give %s its rights", db.publicRole), err)
			}
		}
		return nil
	})
}

func grantSelect(what, schema, role string) string {
	var table, columns string
	if _, err := fmt.Sscanf(what, "%s", &table); err == nil {
		columns = what[len(table):]
	}
	return `GRANT SELECT` + columns + ` ON ` + schema + `.` + table + ` TO ` + role
}

// limited refuses a connection for customers that row-level security does not
// limit: a superuser, the tables' owner, a role with BYPASSRLS.
func limited(ctx context.Context, c *pgx.Conn) error {
	const sql = `SELECT current_user, row_security_active('passages') AND row_security_active('documents')
		AND row_security_active('conversations') AND row_security_active('turns') AND row_security_active('events') AND row_security_active('passage_vectors') AND row_security_active('learned')`
	var user string
	var active bool
	if err := c.QueryRow(ctx, sql).Scan(&user, &active); err != nil {
		return err
	}
	if !active {
		return assist.Errorf(assist.Unavailable, "customers' reads are refused: database user %q reads past row-level security; "+
			"set ASIDE_DATABASE_PUBLIC_URL to an ordinary user that does not own the tables", user)
	}
	return nil
}
