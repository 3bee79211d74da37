package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/retrieve"
)

var (
	_ chat.Store     = (*DB)(nil)
	_ chat.Opener    = (*DB)(nil)
	_ retrieve.Index = (*DB)(nil)
)

// Config says where the database is and how much of it to use. Zero values take
// the defaults given here.
type Config struct {
	URL       string // postgres://…, or key=value pairs
	PublicURL string // the same database as another user, for customers' reads; "": URL's user takes the role aside_public
	ReadURL   string // a streaming replica that retrieval reads from while it is not behind; "": URL
	Schema    string // where all tables live, default "aside"; lower-case letters, digits and underscores

	Turns  Pool // conversations; default 8 connections, 5 s a statement
	Search Pool // agents' searches; default 4, 2 s
	Public Pool // customers' reads and searches; default 2, 2 s
	Bot    Pool // the customer bot's searches, and as many for what it writes; default 2, 2 s
	Ingest Pool // knowledge writes and migration; default 2, 2 min

	ReadLag time.Duration // how far behind the replica may be; default 2 s

	Wait   time.Duration // how long a call waits for a free connection; default 2 s
	Logger *slog.Logger  // default: nothing is logged
}

// Pool bounds one group of connections.
type Pool struct {
	Conns   int           // most connections
	Timeout time.Duration // of one statement, enforced by the server and, 500 ms later, here
}

func (p Pool) or(conns int, timeout time.Duration) Pool {
	if p.Conns <= 0 {
		p.Conns = conns
	}
	if p.Timeout <= 0 {
		p.Timeout = timeout
	}
	return p
}

// DB is the database. Its methods may be called from any goroutine.
type DB struct {
	schema     string
	log        *slog.Logger
	settings   *pgx.ConnConfig // for connections outside the pools: migration
	publicRole string          // whom grants are given to
	takesRole  bool            // publicRole is taken by URL's user, not a login of its own

	turns  *pool
	search *pool
	public *pool
	bot    *pool // the bot's reads, as the public role
	speech *pool // the bot's writes: agents never wait for them
	ingest *pool

	replica *replica // nil: there is none
	held    *keeper  // of a small knowledge in memory
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open checks that the database answers and prepares its pools, which connect as
// they are used. Call Migrate before anything else. Errors that the person who
// starts Aside can mend are assist.Invalid (the configuration) or
// assist.Unavailable (the database) and say how; none holds a password.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Schema == "" {
		cfg.Schema = "aside"
	}
	if !schemaName.MatchString(cfg.Schema) {
		return nil, assist.Errorf(assist.Invalid, "--schema (ASIDE_SCHEMA): the schema name %q must be lower-case letters, digits and underscores, at most 63", cfg.Schema)
	}
	if cfg.Wait <= 0 {
		cfg.Wait = 2 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{schema: cfg.Schema, log: cfg.Logger, publicRole: publicRole, takesRole: true}

	settings, err := parseURL("ASIDE_DATABASE_URL", cfg.URL)
	if err != nil {
		return nil, err
	}
	extension, err := findExtension(ctx, settings)
	if err != nil {
		return nil, err
	}
	path := cfg.Schema + ", public"
	if extension != "" && extension != "public" && extension != cfg.Schema {
		path += ", " + pgx.Identifier{extension}.Sanitize()
	}
	prepare := func(s *pgx.ConnConfig) {
		s.RuntimeParams["search_path"] = path
		s.RuntimeParams["jit"] = "off"               // compiling costs more than our statements do
		s.RuntimeParams["synchronous_commit"] = "on" // acknowledged means on disk
		s.RuntimeParams["idle_in_transaction_session_timeout"] = "10000"
		if s.RuntimeParams["application_name"] == "" {
			s.RuntimeParams["application_name"] = "aside"
		}
	}
	prepare(settings)
	db.settings = settings
	db.held = newKeeper(ctx, db)

	public := settings.Copy()
	if cfg.PublicURL != "" {
		if public, err = parseURL("ASIDE_DATABASE_PUBLIC_URL", cfg.PublicURL); err != nil {
			return nil, err
		}
		prepare(public)
		db.publicRole, db.takesRole = public.User, false
	} else {
		public.RuntimeParams["role"] = publicRole
	}

	reading := func(s *pgx.ConnConfig) *pgx.ConnConfig {
		s = s.Copy()
		s.RuntimeParams["default_transaction_read_only"] = "on"
		s.ValidateConnect = nil // a connection that only reads would fail a check for one that can write
		// Which index is best depends on the terms asked for: plan each time.
		s.RuntimeParams["plan_cache_mode"] = "force_custom_plan"
		// Searches read rows here and there, mostly from memory, and many run side
		// by side: more processes for one of them would only make the others wait.
		s.RuntimeParams["random_page_cost"] = "1.1"
		s.RuntimeParams["max_parallel_workers_per_gather"] = "0"
		return s
	}
	for _, p := range []struct {
		name     string
		into     **pool
		settings *pgx.ConnConfig
		size     Pool
		check    func(context.Context, *pgx.Conn) error
	}{
		{"turns", &db.turns, settings, cfg.Turns.or(8, 5*time.Second), nil},
		{"search", &db.search, reading(settings), cfg.Search.or(4, 2*time.Second), nil},
		{"public", &db.public, reading(public), cfg.Public.or(2, 2*time.Second), limited},
		{"bot", &db.bot, reading(public), cfg.Bot.or(2, 2*time.Second), limited},
		{"speech", &db.speech, settings, cfg.Bot.or(2, 5*time.Second), nil},
		{"ingest", &db.ingest, settings, cfg.Ingest.or(2, 2*time.Minute), nil},
	} {
		if *p.into, err = newPool(ctx, p.name, p.settings, p.size, cfg.Wait, db.log, p.check); err != nil {
			db.Stop()
			return nil, err
		}
	}
	if cfg.ReadURL != "" {
		copied, err := parseURL("ASIDE_DATABASE_READ_URL", cfg.ReadURL)
		if err == nil {
			prepare(copied)
			customers := copied.Copy()
			if cfg.PublicURL != "" {
				customers.User, customers.Password = public.User, public.Password
			} else {
				customers.RuntimeParams["role"] = publicRole
			}
			err = db.follow(ctx, cfg, reading(copied), reading(customers))
		}
		if err != nil {
			db.Stop()
			return nil, err
		}
	}
	return db, nil
}

// Stop ends all connections. It waits for statements that are running. (Close
// closes a conversation.)
func (db *DB) Stop() {
	if db.held != nil {
		db.held.stop()
	}
	if db.replica != nil {
		db.replica.end()
	}
	for _, p := range []*pool{db.turns, db.search, db.public, db.bot, db.speech, db.ingest} {
		if p != nil {
			p.conns.Close()
		}
	}
}

// Ping asks whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	return db.turns.do(ctx, "ping", func(ctx context.Context, c *pgx.Conn) error { return c.Ping(ctx) })
}

// parseURL reads a connection URL. The parser's own words are left out of its
// errors: they repeat what they could not read, password and all.
func parseURL(variable, url string) (*pgx.ConnConfig, error) {
	if strings.TrimSpace(url) == "" {
		return nil, assist.Errorf(assist.Invalid, "%s is empty: set it to postgres://user:password@host/database", variable)
	}
	settings, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, assist.Errorf(assist.Invalid, "%s cannot be read: it must look like postgres://user:password@host/database, with special characters in the password written as %%XX", variable)
	}
	if settings.ConnectTimeout <= 0 {
		settings.ConnectTimeout = 5 * time.Second
	}
	// After a failover the old primary may answer first, as a standby.
	if settings.ValidateConnect == nil && len(settings.Fallbacks) > 0 && !strings.Contains(url, "target_session_attrs") {
		settings.ValidateConnect = validatePrimary
	}
	return settings, nil
}

// findExtension connects once, which tells a wrong address or password apart
// from everything later, and says in which schema pgvector is, "" for nowhere.
func findExtension(ctx context.Context, settings *pgx.ConnConfig) (schema string, err error) {
	host := address(settings)
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return "", explainConnect(host, settings.Database, settings.User, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, `SELECT coalesce((SELECT n.nspname FROM pg_extension e
		JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector'), '')`).Scan(&schema)
	if err != nil {
		return "", explain("look for pgvector", err)
	}
	return schema, nil
}

func address(s *pgx.ConnConfig) string {
	if strings.HasPrefix(s.Host, "/") {
		return s.Host
	}
	return s.Host + ":" + strconv.Itoa(int(s.Port))
}

// milliseconds is a server setting's notation.
func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
