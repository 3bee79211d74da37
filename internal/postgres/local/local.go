// Package local runs a private PostgreSQL cluster from the server programs
// installed on the machine: the embedded default, for one machine and no setup.
//
// What it promises:
//
//   - The cluster is private. It listens on a unix socket in a directory only
//     its owner can enter, never on TCP, and it is never the system's own cluster.
//   - The server never runs as root. Started by root it runs as the user
//     "postgres", else "nobody", and where that user cannot reach the directory
//     the cluster lives under /var/lib/aside and Dir keeps a pointer to it.
//   - Several processes may use one cluster. The first starts it, the others
//     join it, the last to stop stops it. Starting and stopping are serialised by
//     a file lock, so nobody joins a server that is about to stop.
//   - The server outlives a killed user. It is detached (own session, output to
//     postgres.log), and the next Start joins it at once.
//   - Whatever a crash left behind (a half-made cluster, a stale postmaster.pid,
//     dead sockets, a reused process id) is mended by the next Start. Whether a
//     data directory is free is for PostgreSQL to judge; nothing of it is deleted here.
//
// Start and Stop block and start no goroutines. Linux and macOS only.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Names inside a cluster: its superuser, and the database that exists after the first Start.
const (
	superuser = "aside"
	database  = "aside"
)

// Options says where the cluster lives and how careful it is.
type Options struct {
	Dir    string       // the cluster's directory; made when missing, shared by all its users
	Logger *slog.Logger // nil discards
	Fast   bool         // for tests: nothing is synced to disk, so a power cut may lose the cluster
	Follow *Cluster     // makes a new cluster a streaming replica of this running one; one that is there stays what it is

	fallback string // tests: in place of fallbackHome
}

// Cluster is one use of a running cluster, until Stop.
type Cluster struct {
	dir     string // Options.Dir, resolved; holds the locks, the log and perhaps the pointer
	place   place
	fast    bool
	follow  *Cluster // Options.Follow
	log     *slog.Logger
	socket  string // the directory of the server's socket
	started bool

	mu    sync.Mutex
	users *os.File // holds the shared lock; nil once stopped
}

// Start joins the cluster in o.Dir when it runs, and otherwise creates it if need be and starts it.
// It returns when the server answers, when ctx ends, or after two minutes.
//
// Errors for the user to act on: [NotInstalledError], [VersionError], [ServerError].
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Dir == "" {
		return nil, errors.New("start the private database: no data directory is named")
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if o.fallback == "" {
		o.fallback = fallbackHome
	}
	c, err := start(ctx, o, log)
	if err != nil {
		return nil, fmt.Errorf("start the private database in %s: %w", o.Dir, err)
	}
	return c, nil
}

func start(ctx context.Context, o Options, log *slog.Logger) (_ *Cluster, err error) {
	begun := time.Now()
	dir, err := makeHome(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("the folder cannot be made (%w): name another with --data-dir (ASIDE_DATA_DIR)", err)
	}
	starting, err := lockFile(ctx, filepath.Join(dir, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer unlock(starting)
	users, err := lockFile(ctx, filepath.Join(dir, "users.lock"), syscall.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unlock(users)
		}
	}()

	where, err := settle(dir, o.fallback, log)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, place: where, fast: o.Fast, follow: o.Follow, log: log, users: users}
	if err := c.ensureRunning(ctx); err != nil {
		return nil, err
	}
	log.Info("private database ready", "dir", c.place.data, "started", c.started, "took", time.Since(begun).Round(time.Millisecond))
	return c, nil
}

// URL is the connection string of a database of the cluster, for its superuser.
func (c *Cluster) URL(database string) string {
	query := url.Values{"host": {c.socket}, "port": {port}}.Encode()
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(superuser),
		Path:     "/" + database,
		RawQuery: strings.ReplaceAll(query, "+", "%20"), // libpq reads + as itself
	}
	return u.String()
}

// Started says whether this use started the server; false means it joined a running one.
func (c *Cluster) Started() bool { return c.started }

// Stop ends this use. The server is stopped only when nobody else uses it: open
// connections are cut and what is committed is kept. Close connection pools first.
// Calling Stop again does nothing. When ctx ends early, the server is stopped without a
// last checkpoint, or left running for the next Start to join if its turn has not come.
func (c *Cluster) Stop(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		return nil
	}
	users := c.users
	c.users = nil
	defer unlock(users)

	starting, err := lockFile(ctx, filepath.Join(c.dir, "start.lock"), syscall.LOCK_EX)
	if err != nil {
		return fmt.Errorf("stop the private database in %s: %w", c.dir, err)
	}
	defer unlock(starting)
	switch last, err := tryLock(users, syscall.LOCK_EX); {
	case err != nil:
		return fmt.Errorf("stop the private database in %s: %w", c.dir, err)
	case !last:
		c.log.Debug("private database left running for its other users", "dir", c.place.data)
		return nil
	}
	if err := c.shutdown(ctx); err != nil {
		return fmt.Errorf("stop the private database in %s: %w", c.dir, err)
	}
	return nil
}
