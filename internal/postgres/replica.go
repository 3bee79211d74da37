package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/aside-project/aside/internal/assist"
)

const (
	lookEvery = 250 * time.Millisecond // at how far the replica is
	lookFor   = time.Second            // bound of one look
)

// replica is a streaming copy of the database that retrieval reads from. A look
// at both sides, four times a second, says whether it has everything that the
// primary had Config.ReadLag ago; while it has not, while it does not answer, and
// when it is no standby (any more), retrieval reads from the primary. A statement
// that fails there for the replica's own reasons is run on the primary.
//
// While the primary cannot be asked nothing new can be committed through this
// process, and what was last found stands.
type replica struct {
	pools map[string]*pool // by the name of the primary's
	lag   time.Duration
	log   *slog.Logger
	fresh atomic.Bool
	why   atomic.Value // string: why it is not fresh

	cancel context.CancelFunc
	looker sync.WaitGroup
}

// follow opens the replica and begins to look at it. It may be away.
func (db *DB) follow(ctx context.Context, cfg Config, agents, customers *pgx.ConnConfig) error {
	r := &replica{pools: map[string]*pool{}, lag: cfg.ReadLag, log: db.log}
	if r.lag <= 0 {
		r.lag = 2 * time.Second
	}
	db.replica = r
	ctx, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, p := range []struct {
		name     string
		settings *pgx.ConnConfig
		size     Pool
		check    func(context.Context, *pgx.Conn) error
	}{
		{"search", agents, cfg.Search.or(4, 2*time.Second), nil},
		{"public", customers, cfg.Public.or(2, 2*time.Second), limited},
		{"bot", customers, cfg.Bot.or(2, 2*time.Second), limited},
		{"look", agents, Pool{Conns: 1, Timeout: lookFor}, nil},
	} {
		made, err := newPool(ctx, p.name+" of the replica", p.settings, p.size, cfg.Wait, db.log, p.check)
		if err != nil {
			return err
		}
		r.pools[p.name] = made
	}
	r.looker.Go(func() { r.look(ctx, db.turns) })
	return nil
}

func (r *replica) end() {
	r.cancel()
	r.looker.Wait()
	for _, p := range r.pools {
		p.conns.Close()
	}
}

// sample is how far the primary was at a time.
type sample struct {
	at       time.Time
	position int64 // bytes of its log
}

func (r *replica) look(ctx context.Context, primary *pool) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var samples []sample
	for {
		samples = r.lookOnce(ctx, primary, samples)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// lookOnce judges the replica and gives the samples that still count.
func (r *replica) lookOnce(ctx context.Context, primary *pool, samples []sample) []sample {
	samples, fresh, why, err := r.examine(ctx, primary, samples)
	if fresh || why != "" {
		r.judge(fresh, why, err)
	}
	return samples
}

// Why a replica is not read from.
const (
	replicaSilent = "it does not answer"
	replicaLeads  = "it is no standby"
	replicaBehind = "it is behind"
)

// examine looks at both sides once. Without a verdict, because the primary was
// silent, why is empty.
func (r *replica) examine(ctx context.Context, primary *pool, samples []sample) (_ []sample, fresh bool, why string, err error) {
	const ahead = `SELECT (pg_current_wal_lsn() - '0/0')::bigint`
	const behind = `SELECT pg_is_in_recovery(), coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() END - '0/0', 0)::bigint`
	ctx, stop := context.WithTimeout(ctx, lookFor)
	defer stop()
	s := sample{at: time.Now()}
	_, err = primary.try(ctx, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, ahead).Scan(&s.position) })
	known := err == nil
	if known {
		samples = append(samples, s)
	}
	var standby bool
	var position int64
	_, err = r.pools["look"].try(ctx, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, behind).Scan(&standby, &position)
	})
	switch {
	case err != nil:
		return samples, false, replicaSilent, err
	case !standby:
		return samples, false, replicaLeads, nil
	case !known:
		return samples, false, "", nil
	}
	now := time.Now()
	for len(samples) > 1 && samples[1].position <= position { // the newest that it has reached comes first
		samples = samples[1:]
	}
	fresh = len(samples) > 0 && samples[0].position <= position && now.Sub(samples[0].at) <= r.lag
	for len(samples) > 1 && now.Sub(samples[0].at) > r.lag { // too old to count, whatever it reaches
		samples = samples[1:]
	}
	if !fresh {
		why = replicaBehind
	}
	return samples, fresh, why, nil
}

func (r *replica) judge(fresh bool, why string, err error) {
	r.why.Store(why)
	if was := r.fresh.Swap(fresh); was != fresh {
		if fresh {
			r.log.Info("retrieval reads from the replica")
		} else {
			r.log.Warn("retrieval reads from the primary and not from the replica", "why", why, "error", err)
		}
	}
}

// failed reports whether an error is the replica's own affair, so that the primary
// may do better.
func (r *replica) failed(broken bool, err error) bool {
	var pg *pgconn.PgError
	switch {
	case broken:
		r.judge(false, "its connection broke", err)
		return true
	case errors.As(err, &pg):
		// What a standby says when what it replays is in the way of a query, or has
		// not come yet.
		return pg.Code == "40001" || pg.Code == deadlock || pg.Code == undefinedTable || pg.Code == "42703" || pg.Code[:2] == "53"
	}
	return assist.CodeOf(err) == assist.Unavailable || brokenConnection(err)
}

// reads is where a search reads: the replica, while it is good enough, else the
// primary.
type reads struct {
	primary *pool
	copy    *pool
	replica *replica // nil: there is none
}

func (r reads) doAgain(ctx context.Context, op string, f func(context.Context, *pgx.Conn) error) error {
	if r.replica == nil || r.copy == nil || !r.replica.fresh.Load() {
		return r.primary.doAgain(ctx, op, f)
	}
	broken, err := r.copy.try(ctx, f)
	if err != nil && ctx.Err() == nil && r.replica.failed(broken, err) {
		return r.primary.doAgain(ctx, op, f)
	}
	return explain(op, err)
}

// Replica is what is known of the read replica.
type Replica struct {
	On     bool   // one is configured
	Serves bool   // retrieval reads from it; from the primary otherwise
	Why    string // it does not serve
	Mend   string // what to do about it; ExamineReplica alone says
}

// Replica tells it from memory.
func (db *DB) Replica() Replica {
	if db.replica == nil {
		return Replica{}
	}
	now := Replica{On: true, Serves: db.replica.fresh.Load()}
	if !now.Serves {
		why, _ := db.replica.why.Load().(string)
		now.Why = cmp.Or(why, "nobody has looked at it yet")
	}
	return now
}

// ExamineReplica looks at the replica until it is good enough to be read from or
// the bound on its lag has passed, and says what to do if it is not.
func (db *DB) ExamineReplica(ctx context.Context) Replica {
	if db.replica == nil {
		return Replica{}
	}
	ctx, stop := context.WithTimeout(ctx, db.replica.lag+lookFor)
	defer stop()
	if own, err := db.sameSystem(ctx); err == nil && !own {
		return Replica{On: true, Why: "it is a copy of another database", Mend: "set ASIDE_DATABASE_READ_URL to a streaming replica of ASIDE_DATABASE_URL, or unset it"}
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var samples []sample
	for {
		var fresh bool
		var why string
		samples, fresh, why, _ = db.replica.examine(ctx, db.turns, samples)
		switch {
		case fresh:
			return Replica{On: true, Serves: true}
		case why == replicaLeads:
			return Replica{On: true, Why: why, Mend: "set ASIDE_DATABASE_READ_URL to a streaming replica of ASIDE_DATABASE_URL, or unset it"}
		case why == replicaSilent && ctx.Err() == nil: // not merely cut off by the end of this examination
			return Replica{On: true, Why: why, Mend: "start it, then check ASIDE_DATABASE_READ_URL; its user is that of ASIDE_DATABASE_URL"}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Replica{On: true, Why: fmt.Sprintf("it is more than %s behind", db.replica.lag),
				Mend: "look at replay_lag in pg_stat_replication on the primary: the replica must keep up, or be replaced"}
		}
	}
}

// sameSystem reports whether the replica was copied from this database's cluster.
func (db *DB) sameSystem(ctx context.Context) (bool, error) {
	const sql = `SELECT system_identifier FROM pg_control_system()`
	var ids [2]int64
	for i, p := range []*pool{db.turns, db.replica.pools["look"]} {
		if _, err := p.try(ctx, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, sql).Scan(&ids[i]) }); err != nil {
			return false, err
		}
	}
	return ids[0] == ids[1], nil
}

// Primary is the same database without its replica, for who must read what was
// just written. It shares the connections; Stop the first one.
func (db *DB) Primary() *DB {
	p := *db
	p.replica = nil
	return &p
}
