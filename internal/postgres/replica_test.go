package postgres_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/postgres/local"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestReplica reads from a real streaming replica, and from the primary while the
// replica is behind, away or no replica.
func TestReplica(t *testing.T) {
	if testing.Short() {
		t.Skip("it makes two clusters")
	}
	dir, err := os.MkdirTemp("", "aside-replica-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	start := func(name string, follow *local.Cluster) *local.Cluster {
		t.Helper()
		c, err := local.Start(t.Context(), local.Options{Dir: filepath.Join(dir, name), Fast: true, Follow: follow})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := c.Stop(context.Background()); err != nil {
				t.Errorf("stop %s: %v", name, err)
			}
		})
		return c
	}
	if _, err := local.Find(); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	primary := start("primary", nil)
	standby := start("standby", primary)
	db := testdb.OpenWith(t, postgres.Config{URL: primary.URL("aside"), ReadURL: standby.URL("aside"), ReadLag: time.Second})
	onReplica := func(want bool) {
		t.Helper()
		until(t, time.Minute, func() bool { return db.ReadsReplica() == want })
	}
	search := func(scope retrieve.Scope, reader interface {
		Lexicon(context.Context, retrieve.Scope, []string) (retrieve.Lexicon, error)
	}) (version int64) {
		t.Helper()
		l, err := reader.Lexicon(t.Context(), scope, []string{"refund"})
		if err != nil {
			t.Fatal(err)
		}
		return l.Version
	}
	put := func(id string) {
		t.Helper()
		if _, err := db.PutDocuments(t.Context(), []assist.Document{document(id, assist.AudiencePublic, "Refunds take five days, says "+id+".")}); err != nil {
			t.Fatal(err)
		}
	}
	for _, scope := range []retrieve.Scope{{Audience: assist.AudienceInternal}, {Audience: assist.AudiencePublic}} {
		onReplica(true)
		put("first " + string(scope.Audience))
		now := search(scope, db.Primary())
		until(t, time.Minute, func() bool { return search(scope, db) == now })
	}
	if got, want := search(retrieve.Scope{}, db.Customers()), search(retrieve.Scope{}, db.Primary()); got != want {
		t.Errorf("the bot reads version %d, the primary has %d", got, want)
	}

	// It falls behind: replay is paused while the primary goes on.
	conn, err := pgx.Connect(t.Context(), standby.URL("aside"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	ask := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	ask(`SELECT pg_wal_replay_pause()`)
	scope := retrieve.Scope{Audience: assist.AudienceInternal}
	paused := time.Now()
	put("second")
	fresh := search(scope, db.Primary())
	onReplica(false)
	t.Logf("a replica that stood still was left after %s", time.Since(paused).Round(time.Millisecond))
	if got := search(scope, db); got != fresh {
		t.Errorf("read version %d, want the primary's %d", got, fresh)
	}
	// An examination has little time, which a busy machine may use up: then there is another.
	examine := func(db *postgres.DB, why, mend string) {
		t.Helper()
		var got postgres.Replica
		defer func() {
			if t.Failed() {
				t.Logf("the replica, examined: %+v; want %q, and how to mend it: %q", got, why, mend)
			}
		}()
		until(t, time.Minute, func() bool {
			got = db.ExamineReplica(t.Context())
			return got.On && !got.Serves && got.Why == why && strings.Contains(got.Mend, mend)
		})
	}
	examined := func(why, mend string) { t.Helper(); examine(db, why, mend) }
	examined("it is more than 1s behind", "pg_stat_replication")
	until(t, time.Minute, func() bool { return db.Replica() == postgres.Replica{On: true, Why: "it is behind"} })
	ask(`SELECT pg_wal_replay_resume()`)
	onReplica(true)
	if got := search(scope, db); got != fresh {
		t.Errorf("caught up, but read version %d, want %d", got, fresh)
	}

	// It goes away in the middle: nobody notices.
	conn.Close(context.Background())
	if err := standby.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := search(scope, db); got != fresh {
		t.Errorf("without it, read version %d, want %d", got, fresh)
	}
	onReplica(false)
	examined("it does not answer", "ASIDE_DATABASE_READ_URL")
	put("third")
	if got := search(scope, db); got <= fresh {
		t.Errorf("without it, read version %d, want a newer one than %d", got, fresh)
	}
	start("standby", primary)
	onReplica(true)
	until(t, time.Minute, func() bool { return db.ExamineReplica(t.Context()) == postgres.Replica{On: true, Serves: true} })

	// A primary in its place is not used: it may have gone its own way. Nor is one
	// of another database, which the doctor tells apart.
	for _, c := range []struct{ url, why string }{{primary.URL("aside"), "it is no standby"}, {testdb.URL(t), "it is a copy of another database"}} {
		other, err := postgres.Open(t.Context(), postgres.Config{URL: primary.URL("aside"), ReadURL: c.url})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Stop()
		examine(other, c.why, "ASIDE_DATABASE_READ_URL")
		if other.ReadsReplica() {
			t.Error("a primary is read as a replica")
		}
	}
	if got := (db.Primary().ExamineReplica(t.Context())); got != (postgres.Replica{}) {
		t.Errorf("without a replica: %+v", got)
	}
}

// until waits for something that happens elsewhere and tells nobody.
func until(t *testing.T, most time.Duration, done func() bool) {
	t.Helper()
	late := time.After(most)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("it did not happen within %s", most)
		}
	}
}
