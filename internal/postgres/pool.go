package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"github.com/aside-project/aside/internal/assist"
)

var validatePrimary = pgconn.ValidateConnectTargetSessionAttrsReadWrite

// pool is a bounded group of connections whose statements end by themselves.
type pool struct {
	name    string
	conns   *pgxpool.Pool
	wait    time.Duration
	timeout time.Duration
	log     *slog.Logger
}

func newPool(ctx context.Context, name string, settings *pgx.ConnConfig, size Pool, wait time.Duration, log *slog.Logger,
	check func(context.Context, *pgx.Conn) error) (*pool, error) {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, fmt.Errorf("prepare pool %s: %w", name, err)
	}
	cfg.ConnConfig = settings.Copy()
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(size.Timeout)
	cfg.MaxConns = int32(size.Conns)
	cfg.MaxConnIdleTime = 5 * time.Minute
	cfg.MaxConnLifetimeJitter = 5 * time.Minute
	cfg.PingTimeout = 2 * time.Second
	cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if err := pgxvector.RegisterTypes(ctx, c); err != nil {
			var pg *pgconn.PgError
			if errors.As(err, &pg) || brokenConnection(err) {
				return err
			}
			return assist.Wrap(err, assist.Unavailable, "the database has no pgvector yet; start Aside once so that it can migrate")
		}
		if check != nil {
			return check(ctx, c)
		}
		return nil
	}
	conns, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("prepare pool %s: %w", name, err)
	}
	return &pool{name: name, conns: conns, wait: wait, timeout: size.Timeout, log: log}, nil
}

// runner is do or doAgain.
type runner func(ctx context.Context, op string, f func(context.Context, *pgx.Conn) error) error

// do runs f with a connection. ctx ends the wait for one; f's own context ends
// only after the time limit. Errors are explained.
func (p *pool) do(ctx context.Context, op string, f func(context.Context, *pgx.Conn) error) error {
	_, err := p.try(ctx, f)
	return explain(op, err)
}

// doAgain is do for work that may safely happen twice: when the connection broke
// it runs f once more.
func (p *pool) doAgain(ctx context.Context, op string, f func(context.Context, *pgx.Conn) error) error {
	broken, err := p.try(ctx, f)
	if broken {
		p.log.Warn("connection to the database broke; trying once more", "pool", p.name, "op", op, "error", err)
		_, err = p.try(ctx, f)
	}
	return explain(op, err)
}

// try is one run of f. broken: the connection failed and nobody knows whether the
// work was done.
func (p *pool) try(ctx context.Context, f func(context.Context, *pgx.Conn) error) (broken bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	waiting, stop := context.WithTimeout(ctx, p.wait)
	defer stop()
	conn, err := p.conns.Acquire(waiting)
	if err != nil {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return false, assist.Wrap(err, assist.Unavailable, "the database is too busy right now (no connection free for %s); try again", p.wait)
		}
		return false, err
	}
	defer conn.Release()
	working, stop := context.WithTimeout(context.WithoutCancel(ctx), p.timeout+500*time.Millisecond)
	defer stop()
	err = f(working, conn.Conn())
	if err == nil {
		return false, nil
	}
	if working.Err() != nil {
		return false, err // it had its time; once more would take as long
	}
	// A server that went away or became a standby takes the idle connections
	// with it: do not meet them one by one.
	broken = conn.Conn().IsClosed() || brokenConnection(err)
	if broken || violates(err, readOnly, "") {
		p.conns.Reset()
	}
	return broken, err
}
