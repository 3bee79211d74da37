package postgres_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func TestOpenSaysWhatToDo(t *testing.T) {
	server, err := pgx.ParseConfig(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := func(database string) string {
		return fmt.Sprintf("host=%s port=%d user=%s password=s3cret dbname=%s", server.Host, server.Port, server.User, database)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // a port where nobody answers any more
	if err != nil {
		t.Fatal(err)
	}
	port := silent.Addr().(*net.TCPAddr).Port
	silent.Close()
	for name, c := range map[string]struct {
		cfg   postgres.Config
		code  assist.Code
		words []string
	}{
		"empty":            {postgres.Config{}, assist.Invalid, []string{"ASIDE_DATABASE_URL is empty"}},
		"unreadable":       {postgres.Config{URL: "postgres://aside:s3cret@host:port/%zz"}, assist.Invalid, []string{"ASIDE_DATABASE_URL cannot be read"}},
		"schema":           {postgres.Config{URL: elsewhere("x"), Schema: `a"; DROP`}, assist.Invalid, []string{"schema name"}},
		"nobody there":     {postgres.Config{URL: fmt.Sprintf("postgres://aside:s3cret@127.0.0.1:%d/aside", port)}, assist.Unavailable, []string{fmt.Sprint("127.0.0.1:", port), "is it running", "ASIDE_DATABASE_URL"}},
		"no such socket":   {postgres.Config{URL: "host=" + filepath.Join(t.TempDir(), "none") + " password=s3cret"}, assist.Unavailable, []string{"is it running"}},
		"no such database": {postgres.Config{URL: elsewhere("aside_test_none")}, assist.Unavailable, []string{"createdb aside_test_none"}},
		"no such user":     {postgres.Config{URL: strings.Replace(elsewhere("aside_test_none"), "user="+server.User, "user=aside_test_nobody", 1)}, assist.Unavailable, []string{"aside_test_nobody"}},
	} {
		db, err := postgres.Open(t.Context(), c.cfg)
		if err == nil {
			db.Stop()
			t.Errorf("%s: opened", name)
			continue
		}
		if name == "no such user" && strings.Contains(err.Error(), "3D000") {
			continue // the server asks nobody for a password and looks for the database first
		}
		wantCode(t, err, c.code, c.words...)
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

func TestMigrate(t *testing.T) {
	db := testdb.Open(t)
	var wg sync.WaitGroup
	for range 4 { // nodes that start together, once more
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	put(t, db, document("d", assist.AudiencePublic, "some words"))
	info, err := db.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Migration < 2 || info.Passages != 1 || info.PublicUser != "aside_public" || info.PublicError != "" || info.Server == "" || info.Vector == "" {
		t.Errorf("%+v", info)
	}
}

func TestFirstMigrationTogether(t *testing.T) {
	cfg := postgres.Config{URL: testdb.URL(t), Schema: "aside_test_" + strings.ToLower(rand.Text()[:12])}
	var wg sync.WaitGroup
	for i := range 4 {
		db, err := postgres.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Stop)
		if i == 0 {
			_, err := db.Queue(t.Context(), 0)
			wantCode(t, err, assist.Unavailable, "migrate")
			if info, err := db.Info(t.Context()); err != nil || info.PublicError == "" {
				t.Errorf("%+v, %v", info, err)
			}
			t.Cleanup(func() {
				if err := db.Drop(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Go(func() {
			if err := db.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A user who may not create roles is told what to do, and a second user that
// row-level security does not limit is refused.
func TestPublicURL(t *testing.T) {
	base := testdb.URL(t)
	main := testdb.Open(t)
	suffix := strings.ToLower(rand.Text()[:10])
	owner, visitor := "aside_test_owner_"+suffix, "aside_test_visitor_"+suffix
	exec := func(sql string) {
		t.Helper()
		if _, err := main.Query(context.Background(), "ingest", sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	as := func(user string) string {
		c, err := pgx.ParseConfig(base)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("host=%s port=%d user=%s password=pw dbname=%s", c.Host, c.Port, user, c.Database)
	}
	for _, role := range []string{owner, visitor} {
		exec(`CREATE ROLE ` + role + ` LOGIN PASSWORD 'pw'`)
		t.Cleanup(func() { exec(`DROP OWNED BY ` + role); exec(`DROP ROLE ` + role) })
	}
	schema := "aside_test_" + suffix
	exec(`CREATE SCHEMA ` + schema + ` AUTHORIZATION ` + owner)

	open := func(public string) *postgres.DB {
		t.Helper()
		db, err := postgres.Open(t.Context(), postgres.Config{URL: as(owner), PublicURL: public, Schema: schema})
		if err != nil {
			t.Skipf("the test server does not let %s in: %v", owner, err)
		}
		t.Cleanup(db.Stop)
		return db
	}
	err := open("").Migrate(t.Context())
	wantCode(t, err, assist.Unavailable, "ASIDE_DATABASE_PUBLIC_URL", "GRANT aside_public TO")

	db := open(as(visitor))
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, db, document("open", assist.AudiencePublic, "words"), document("closed", "", "words"))
	if hits := search(t, db, inside, "words"); len(hits) != 2 {
		t.Errorf("inside: %v", ids(hits))
	}
	outside := inside
	outside.Audience = assist.AudiencePublic
	if hits := search(t, db, outside, "words"); len(hits) != 1 {
		t.Errorf("outside: %v", ids(hits))
	}
	if info, err := db.Info(t.Context()); err != nil || info.PublicUser != visitor || info.MayCreateRoles {
		t.Errorf("%+v, %v", info, err)
	}

	mistaken := open(as(owner))
	_, err = mistaken.Events(t.Context(), customer("c1"), "c1", 0, 0)
	wantCode(t, err, assist.Unavailable, "row-level security")
	if info, err := mistaken.Info(t.Context()); err != nil || info.PublicUser != "" || !strings.Contains(info.PublicError, "row-level security") {
		t.Errorf("%+v, %v", info, err)
	}
}

// The answer to a commit is lost: the write is tried again and answers what was
// stored, once.
func TestAmbiguousCommit(t *testing.T) {
	server, err := pgx.ParseConfig(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var r relay
	db := testdb.OpenWith(t, postgres.Config{URL: r.serve(t, server), Turns: postgres.Pool{Conns: 2}})
	add(t, db, source, turn("c1", "warm", assist.RoleCustomer, "up"))
	const n = 20
	statement, transaction := "SELECT 1", "COMMIT"
	for i := range n {
		r.cut.Store(&statement)
		s, err := db.AddTurn(t.Context(), source, turn("c1", fmt.Sprint(i), assist.RoleCustomer, "hello"), chat.Lease{})
		if err != nil || s.Turn.Seq != int64(i+2) {
			t.Fatalf("%d: %+v, %v", i, s.Turn, err)
		}
		if r.cut.Load() != nil {
			t.Fatal("the relay cut nothing: this test tests nothing")
		}
	}
	r.cut.Store(&transaction)
	s, err := db.SendReply(t.Context(), ann, assist.NewReply{Conversation: "c1", ClientID: "r", Text: "yes"})
	if err != nil || s.Turn.Seq != n+2 || r.cut.Load() != nil {
		t.Errorf("%+v, %v", s, err)
	}
	turns, _, err := db.Transcript(t.Context(), "c1", 0)
	if err != nil || len(turns) != n+2 {
		t.Errorf("%d turns, %v", len(turns), err)
	}
	checkLog(t, db, "c1")
}

// The server ends a connection, as when it restarts: the next call works.
func TestConnectionLost(t *testing.T) {
	db := testdb.OpenWith(t, postgres.Config{Turns: postgres.Pool{Conns: 1}})
	add(t, db, source, turn("c1", "0", assist.RoleCustomer, "hello"))
	for i := range 3 {
		backend, err := db.Query(t.Context(), "turns", `SELECT pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Query(t.Context(), "ingest", `SELECT pg_terminate_backend($1, 5000)`, backend[0][0]); err != nil {
			t.Fatal(err)
		}
		if s := add(t, db, source, turn("c1", fmt.Sprint("x", i), assist.RoleCustomer, "again")); s.Turn.Seq != int64(i+2) {
			t.Errorf("seq %d", s.Turn.Seq)
		}
	}
}

// When every connection is taken, callers hear so soon.
func TestPoolExhausted(t *testing.T) {
	db := testdb.OpenWith(t, postgres.Config{Turns: postgres.Pool{Conns: 1, Timeout: 30 * time.Second}, Wait: 5 * time.Second})
	if _, err := db.Lexicon(t.Context(), inside, nil); err != nil { // is connected from now on
		t.Fatal(err)
	}
	release := db.Hold(t, "turns")
	_, err := db.Queue(t.Context(), 0)
	wantCode(t, err, assist.Unavailable, "too busy")
	if _, err := db.Lexicon(t.Context(), inside, nil); err != nil {
		t.Errorf("searches wait for turns: %v", err)
	}
	release()
	if _, err := db.Queue(t.Context(), 0); err != nil {
		t.Error(err)
	}
}

// Over TCP, where the driver asks for TLS first and then for a primary, every
// pool connects, those that only read as well.
func TestOverTCP(t *testing.T) {
	server, err := pgx.ParseConfig(testdb.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	var r relay
	db := testdb.OpenWith(t, postgres.Config{URL: strings.Replace(r.serve(t, server), "sslmode=disable", "sslmode=prefer", 1)})
	put(t, db, document("a", assist.AudiencePublic, "Refunds take five days."))
	for _, audience := range []assist.Audience{assist.AudienceInternal, assist.AudiencePublic} {
		got, err := db.Lexicon(t.Context(), retrieve.Scope{Audience: audience}, []string{"refunds"})
		if err != nil || got.Passages != 1 {
			t.Errorf("as %s: %+v, %v", audience, got, err)
		}
	}
	if info, err := db.Info(t.Context()); err != nil || info.PublicUser == "" {
		t.Errorf("%+v, %v", info, err)
	}
}
