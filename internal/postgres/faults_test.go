package postgres_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

func parse(t *testing.T, url string) *pgx.ConnConfig {
	t.Helper()
	c, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func p95(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)*95/100].Round(10 * time.Microsecond)
}

// F12: a thousand writes, of which a fifth lose the answer to their commit, from
// callers who try again until they have an answer. There is a row for every key,
// at the seq that was acknowledged, and no other.
func TestAmbiguousCommits(t *testing.T) {
	writes := 1000
	if testing.Short() {
		writes = 200
	}
	var r relay
	db := testdb.OpenWith(t, postgres.Config{URL: r.serve(t, parse(t, testdb.URL(t))), Turns: postgres.Pool{Conns: 4}})
	tag := "SELECT 1"
	var cuts atomic.Int64
	acked := make([]int64, writes)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < writes; i += 8 {
				if i%5 == 0 && r.cut.CompareAndSwap(nil, &tag) {
					cuts.Add(1)
				}
				n := turn(fmt.Sprint("c", i%20), fmt.Sprint(i), assist.RoleCustomer, "hello")
				for try := 0; ; try++ {
					s, err := db.AddTurn(t.Context(), source, n, chat.Lease{})
					if err == nil {
						acked[i] = s.Turn.Seq
						break
					}
					if assist.CodeOf(err) != assist.Unavailable || try == 20 {
						t.Errorf("write %d: %v", i, err)
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if cuts.Load() < int64(writes)/20 {
		t.Errorf("only %d answers were cut: this test tests little", cuts.Load())
	}
	rows := 0
	for c := range 20 {
		id := fmt.Sprint("c", c)
		checkLog(t, db, id)
		events, err := db.Events(t.Context(), ann, id, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		rows += len(events)
		seen := map[int64]bool{}
		for i := c; i < writes; i += 20 {
			if seen[acked[i]] || acked[i] < 1 || acked[i] > int64(len(events)) {
				t.Errorf("write %d was acked with seq %d of %d", i, acked[i], len(events))
			}
			seen[acked[i]] = true
		}
	}
	if rows != writes {
		t.Errorf("%d rows for %d keys", rows, writes)
	}
	t.Logf("%d writes, %d answers cut", writes, cuts.Load())
}

// F13: the database is slow. Searches give up before turns do; who finds no free
// connection hears so soon; nothing piles up; no turn is acknowledged that is not
// stored; and when it is over it is over.
func TestSlowDatabase(t *testing.T) {
	var r relay
	db := testdb.OpenWith(t, postgres.Config{URL: r.serve(t, parse(t, testdb.URL(t))), Wait: 8 * time.Second,
		Turns: postgres.Pool{Conns: 2}, Search: postgres.Pool{Conns: 2, Timeout: 250 * time.Millisecond}})
	add(t, db, source, turn("c0", "warm", assist.RoleCustomer, "up"))
	until(t, time.Minute, func() bool { _, err := db.Lexicon(t.Context(), inside, []string{"up"}); return err == nil })
	before := runtime.NumGoroutine()
	r.delay.Store(int64(900 * time.Millisecond)) // more than a search has, less than a turn
	const callers = 60
	var stored, busy atomic.Int64
	var waited [callers]time.Duration
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			began := time.Now()
			_, err := db.AddTurn(t.Context(), source, turn(fmt.Sprint("c", i), "1", assist.RoleCustomer, "hello"), chat.Lease{})
			switch {
			case err == nil:
				stored.Add(1)
			case assist.CodeOf(err) == assist.Unavailable:
				busy.Add(1)
				waited[i] = time.Since(began)
			default:
				t.Errorf("turn %d: %v", i, err)
			}
		})
	}
	if _, err := db.Lexicon(t.Context(), inside, []string{"up"}); assist.CodeOf(err) != assist.Unavailable {
		t.Errorf("the search went on: %v", err)
	}
	wg.Wait()
	if stored.Load() == 0 || busy.Load() == 0 {
		t.Errorf("%d turns stored, %d refused: a slow database should show both", stored.Load(), busy.Load())
	}
	r.delay.Store(0)
	counts := 0
	for i := range callers {
		var c assist.Conversation
		until(t, time.Minute, func() (known bool) {
			var err error
			c, err = db.Conversation(t.Context(), fmt.Sprint("c", i))
			return err == nil || assist.CodeOf(err) == assist.NotFound
		})
		if c.LastSeq > 0 && i > 0 || c.LastSeq > 1 {
			counts++
		}
	}
	if counts < int(stored.Load()) {
		t.Errorf("%d turns were acknowledged and %d are there", stored.Load(), counts)
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before+8 && time.Now().Before(end); {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+8 {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
	t.Logf("%d turns stored, %d refused after at most %s", stored.Load(), busy.Load(), slices.Max(waited[:]).Round(time.Millisecond))
}

// F14: every connection for searching is held; turns flow.
func TestTurnsFlowWhileSearchesAreStuck(t *testing.T) {
	db := testdb.OpenWith(t, postgres.Config{Search: postgres.Pool{Conns: 2}, Wait: 8 * time.Second})
	defer db.Hold(t, "search")()
	defer db.Hold(t, "search")()
	if _, err := db.Lexicon(t.Context(), inside, nil); assist.CodeOf(err) != assist.Unavailable {
		t.Fatalf("a search found a connection: %v", err)
	}
	var took []time.Duration
	for i := range 200 {
		began := time.Now()
		add(t, db, source, turn("c1", fmt.Sprint(i), assist.RoleCustomer, "hello"))
		took = append(took, time.Since(began))
	}
	t.Logf("p95 of 200 turns while all searches are stuck: %s", p95(took))
}

// F15: agents cancel suggestions all day. However many callers go away, there are
// never more server processes than the pools have connections.
func TestCancelStorm(t *testing.T) {
	cancels := 3000
	if testing.Short() {
		cancels = 500
	}
	name := "storm_" + strings.ToLower(t.Name())
	u := testdb.URL(t)
	separator := "?"
	if strings.Contains(u, "?") {
		separator = "&"
	}
	const conns = 4 + 3
	db := testdb.OpenWith(t, postgres.Config{URL: u + separator + "application_name=" + name,
		Turns: postgres.Pool{Conns: 4}, Search: postgres.Pool{Conns: 3}})
	watch, err := pgx.Connect(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close(context.Background())
	var left atomic.Int64
	left.Store(int64(cancels))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := left.Add(-1); i >= 0; i = left.Add(-1) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%7)*500*time.Microsecond)
				if i%2 == 0 {
					_, _ = db.Lexicon(ctx, inside, []string{"jacket"}) // what becomes of it is not the point
				} else {
					_, _ = db.AddTurn(ctx, source, turn(fmt.Sprint("c", i%50), fmt.Sprint(i), assist.RoleCustomer, "hello"), chat.Lease{})
				}
				cancel()
			}
		})
	}
	most, n := 0, 0
	for left.Load() > 0 {
		if err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		most = max(most, n)
	}
	wg.Wait()
	if most > conns+2 {
		t.Errorf("%d server processes for %d connections", most, conns)
	}
	for c := range 50 {
		if _, err := db.Conversation(t.Context(), fmt.Sprint("c", c)); err == nil {
			checkLog(t, db, fmt.Sprint("c", c))
		}
	}
	t.Logf("%d cancels, at most %d server processes of %d", cancels, most, conns)
}

// F11: the node we are connected to becomes read-only and stays so, while another
// one takes the writes. We say so, let go of it, and go on with the other.
func TestReadOnlyNode(t *testing.T) {
	const schema = "aside_test_readonly"
	old := testdb.Own(t, false)
	heir := testdb.OpenWith(t, postgres.Config{Schema: schema})
	var r relay
	db := testdb.OpenWith(t, postgres.Config{URL: r.serve(t, parse(t, old.URL())), Schema: schema, Turns: postgres.Pool{Conns: 3}})
	add(t, db, source, turn("c1", "1", assist.RoleCustomer, "hello"))
	for _, sql := range []string{`ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`} {
		if err := old.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	for i := 0; err == nil && i < 1000; i++ { // until the server has read its settings
		_, err = db.AddTurn(t.Context(), source, turn("c1", fmt.Sprint("x", i), assist.RoleCustomer, "hello"), chat.Lease{})
	}
	wantCode(t, err, assist.Unavailable, "read-only")
	if _, err := db.Conversation(t.Context(), "c1"); err != nil {
		t.Errorf("reading: %v", err)
	}
	r.node.Store(parse(t, testdb.URL(t)))
	_, err = db.AddTurn(t.Context(), source, turn("c2", "1", assist.RoleCustomer, "hello"), chat.Lease{})
	if err != nil { // the connection that the read above took
		wantCode(t, err, assist.Unavailable, "read-only")
		add(t, db, source, turn("c2", "1", assist.RoleCustomer, "hello"))
	}
	if c, err := heir.Conversation(t.Context(), "c2"); err != nil || c.LastSeq != 1 {
		t.Errorf("the other node has %+v, %v", c, err)
	}
	for _, sql := range []string{`ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`} {
		if err := old.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	r.node.Store(parse(t, old.URL()))
}

// F16: the disk of the tables is full. A turn is refused in plain words, nothing
// that was acknowledged is missing, what is there can be read, and once there is
// room everything goes on by itself.
func TestDiskFull(t *testing.T) {
	server := testdb.Own(t, false)
	disk := filepath.Join(server.Dir, "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := mountTmpfs(disk, "size=24m"); err != nil {
		t.Skipf("no file system of 24 MiB can be mounted here: %v", err)
	}
	unmount := sync.OnceFunc(func() {
		if err := unmountTmpfs(disk); err != nil {
			t.Errorf("unmount %s: %v", disk, err)
		}
	})
	t.Cleanup(func() { // the server first
		server.Crash(t)
		unmount()
	})
	owner, err := os.Stat(server.Data())
	if err != nil {
		t.Fatal(err)
	}
	stat := owner.Sys().(*syscall.Stat_t)
	space := filepath.Join(disk, "space")
	if err := os.Mkdir(space, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{disk, space} {
		if err := os.Chown(dir, int(stat.Uid), int(stat.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{`CREATE TABLESPACE small LOCATION '` + space + `'`, `ALTER DATABASE aside SET default_tablespace = small`} {
		if err := server.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	db, err := postgres.Open(t.Context(), postgres.Config{URL: server.URL(), Schema: "aside_full"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Stop)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	filler := filepath.Join(disk, "filler")
	acked := 5
	for i := range acked {
		add(t, db, source, turn("c1", fmt.Sprint(i), assist.RoleCustomer, noise(i)))
	}
	fill(t, filler)
	for err = error(nil); err == nil && acked < 5000; {
		if _, err = db.AddTurn(t.Context(), source, turn("c1", fmt.Sprint(acked), assist.RoleCustomer, noise(acked)), chat.Lease{}); err == nil {
			acked++
		}
	}
	wantCode(t, err, assist.Unavailable, "disk is full")
	turns, _, err := db.Transcript(t.Context(), "c1", 0)
	if err != nil || len(turns) != acked {
		t.Errorf("%d turns acknowledged, %d there, %v", acked, len(turns), err)
	}
	checkAll(t, db, "c1", acked)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if s := add(t, db, source, turn("c1", fmt.Sprint(acked), assist.RoleCustomer, noise(acked))); s.Turn.Seq != int64(acked+1) {
		t.Errorf("seq %d after %d", s.Turn.Seq, acked)
	}
	t.Logf("refused after %d turns, went on when there was room", acked)
}

// checkAll holds the log of a long conversation against what was acknowledged.
func checkAll(t *testing.T, db *postgres.DB, conversation string, acked int) {
	t.Helper()
	c, err := db.Conversation(t.Context(), conversation)
	if err != nil || c.LastSeq != int64(acked) {
		t.Errorf("last seq %d of %d, %v", c.LastSeq, acked, err)
	}
}

// fill writes a file until nothing more fits.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for size := len(block); size > 0; {
		if _, err := f.Write(block[:size]); err != nil {
			size /= 2
		}
	}
}

// noise is a text that does not compress.
func noise(seed int) string {
	var b strings.Builder
	for x := uint64(seed + 1); b.Len() < 7000; {
		x = x*6364136223846793005 + 1442695040888963407
		fmt.Fprintf(&b, "%x ", x)
	}
	return b.String()
}
