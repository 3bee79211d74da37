package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/aside-project/aside/internal/assist"
)

// SQLSTATEs that mean something to us.
const (
	uniqueViolation     = "23505"
	foreignKeyViolation = "23503"
	duplicateObject     = "42710"
	notPermitted        = "42501"
	undefinedTable      = "42P01"
	deadlock            = "40P01"
	readOnly            = "25006"
	adminShutdown       = "57P01"
)

// explain turns an error of the database into one whose message a user can act
// on. Our own errors pass through; what is nobody's fault but ours stays plain
// and becomes assist.Internal at the edge.
func explain(op string, err error) error {
	var ours *assist.Error
	var pg *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return fmt.Errorf("%s: %w", op, err)
	case errors.As(err, &pg):
		return explainState(op, pg)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", op, err)
	case brokenConnection(err):
		return assist.Wrap(fmt.Errorf("%s: %w", op, err), assist.Unavailable, "the database does not answer right now; try again")
	}
	return fmt.Errorf("%s: %w", op, err)
}

func explainState(op string, pg *pgconn.PgError) error {
	cause := fmt.Errorf("%s: %w", op, pg)
	unavailable := func(message string) error { return assist.Wrap(cause, assist.Unavailable, "%s", message) }
	switch pg.Code {
	case "22021", "22P05":
		return assist.Wrap(cause, assist.Invalid, "the text contains a character that cannot be stored (NUL or invalid UTF-8); remove it and send it again")
	case "57014", "55P03":
		return unavailable("the database took too long; try again")
	case "40001", deadlock:
		return unavailable("the database was busy with the same data; try again")
	case "53100":
		return unavailable("the database's disk is full; free space there and try again")
	case "53300":
		return unavailable("the database has no connection left; raise its max_connections or run fewer nodes")
	case readOnly:
		return unavailable("the database is read-only right now (a standby, or switching over); try again")
	case undefinedTable:
		return unavailable("the database has no tables of this version yet; start Aside once so that it can migrate")
	}
	switch pg.Code[:2] {
	case "08", "28", "3D", "53", "57", "58":
		return unavailable("the database does not answer right now; try again")
	}
	return cause
}

// brokenConnection reports whether the connection, not the statement, failed, so
// that nobody knows whether the statement happened.
func brokenConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == adminShutdown || pg.Code == "57P02" || pg.Code == "57P03" || pg.Code[:2] == "08"
	}
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err)
}

// violates reports whether err is of the given SQLSTATE and, when constraint is
// not empty, about that constraint.
func violates(err error, code, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == code && (constraint == "" || pg.ConstraintName == constraint)
}

// explainConnect is explain for the first connection to a server at host: the
// person who started Aside reads it.
func explainConnect(host, database, user string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == "3D000":
			return assist.Wrap(err, assist.Unavailable, "the server at %s has no database %q; create it with: createdb %s", host, database, database)
		case pg.Code[:2] == "28":
			return assist.Wrap(err, assist.Unavailable, "the database at %s refuses user %q: check user and password in ASIDE_DATABASE_URL", host, user)
		case pg.Code == "57P03":
			return assist.Wrap(err, assist.Unavailable, "the database at %s is starting up or shutting down; try again in a moment", host)
		case pg.Code == "53300":
			return assist.Wrap(err, assist.Unavailable, "the database at %s has no connection left: raise its max_connections or run fewer nodes", host)
		}
	}
	return assist.Wrap(err, assist.Unavailable, "the database at %s does not answer: is it running, and is it the one ASIDE_DATABASE_URL should name?", host)
}
