package measure_test

import (
	"cmp"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/measure"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/bulk"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

var (
	sizes    = flag.String("size", "", "measure search and ingest with so many passages, such as \"10k 100k\"")
	sizeFile = flag.String("size-write", "", "with one size: write the pages below this `folder` and do nothing else")
)

// TestSize prints what search and ingest take with so many passages, as a table
// and as lines for benchstat; `make bench-size` runs it. Pages are files, ingested
// as aside ingest does; questions are those of real chats, heard as live ones are.
func TestSize(t *testing.T) {
	if *sizes == "" {
		t.Skip("it takes minutes: make bench-size")
	}
	dev := filepath.Join(testkit.Dir(t), "dev")
	text, err := bulk.ReadText(dev)
	if err != nil {
		t.Fatal(err)
	}
	if *sizeFile != "" {
		n, err := parseSize(*sizes)
		if err == nil {
			err = text.Write(*sizeFile, n, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	var table, lines strings.Builder
	fmt.Fprintf(&table, "%-9s %12s %8s   %-8s %8s %8s %8s %8s\n", "passages", "ingest/s", "RSS MB", "role", "p50 ms", "p95 ms", "max ms", "same 10")
	for _, size := range strings.Fields(*sizes) {
		n, err := parseSize(size)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(size, func(t *testing.T) { measureSize(t, dev, text, size, n, &table, &lines) })
	}
	fmt.Printf("\n%s\n%s\n", &table, &lines)
}

func parseSize(s string) (int, error) {
	number, unit := s, 1
	switch {
	case strings.HasSuffix(s, "k"):
		number, unit = s[:len(s)-1], 1000
	case strings.HasSuffix(s, "M"):
		number, unit = s[:len(s)-1], 1_000_000
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("size %q: must be a number such as 10k, 100k or 1M", s)
	}
	return n * unit, nil
}

func measureSize(t *testing.T, dev string, text *bulk.Text, size string, n int, table, lines *strings.Builder) {
	dir := t.TempDir()
	if err := text.Write(dir, n, 1); err != nil {
		t.Fatal(err)
	}
	// The exact search that the real one is held against reads every passage.
	slow := postgres.Pool{Conns: 2, Timeout: time.Minute}
	db := testdb.OpenWith(t, postgres.Config{Search: slow, Public: slow})
	began := time.Now()
	report, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{dir}, nil)
	if err != nil || len(report.Failed) > 0 {
		t.Fatal(err, report.Failed)
	}
	if err := db.FinishPassages(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	rate := float64(report.Passages) / took.Seconds()
	t.Logf("%d passages in %s: %.0f/s", report.Passages, took.Round(time.Second), rate)

	questions := heard(t, dev)
	for _, role := range []struct {
		name     string
		audience assist.Audience
	}{{"agent", assist.AudienceInternal}, {"customer", assist.AudiencePublic}} {
		s := searchSize(t, db, questions, role.audience, n)
		debug.FreeOSMemory()
		rss := residentMB(t)
		fmt.Fprintf(table, "%-9d %12.0f %8.0f   %-8s %8.1f %8.1f %8.1f %8.3f\n", report.Passages, rate, rss, role.name, s.p50, s.p95, s.most, s.same)
		fmt.Fprintf(lines, "BenchmarkSearchAtSize/passages=%s/role=%s %d %.0f ns/op %.2f p50-ms %.2f p95-ms %.4f same10 %.1f rss-MB\n",
			size, role.name, len(questions), s.mean*1e6, s.p50, s.p95, s.same, rss)
	}
	fmt.Fprintf(lines, "BenchmarkIngestAtSize/passages=%s %d %.0f ns/op %.0f passages/s\n", size, report.Passages, 1e9/rate, rate)
}

// heard gives the questions of real chats, half of them of either set.
func heard(t *testing.T, dev string) (questions []assist.Question) {
	for _, set := range []string{"abcd", "doc2dial"} {
		queries, err := measure.ReadQueries(filepath.Join(dev, set, "queries-test.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		const each = 200
		for i := range each {
			q := retrieve.Listen(queries[i*len(queries)/each].Turns())
			q.Quiet = ""
			questions = append(questions, q)
		}
	}
	return questions
}

type sizeFigures struct{ p50, p95, most, mean, same float64 } // times in ms

// searchSize times each question alone, once the pages that searches need are in
// memory, and compares the first ten with those of a search without a budget.
func searchSize(t *testing.T, db *postgres.DB, questions []assist.Question, audience assist.Audience, n int) (s sizeFigures) {
	scope := retrieve.Scope{Audience: audience, K: 10}
	find := func(r *retrieve.Retriever, q assist.Question) []assist.Hit {
		res, err := r.Search(t.Context(), scope, q)
		if err != nil {
			t.Fatal(err)
		}
		return res.Hits
	}
	real := retrieve.New(db, nil, retrieve.Options{})
	exact := retrieve.New(db, nil, retrieve.Options{Budget: math.MaxInt32})
	found := make([][]assist.Hit, len(questions))
	for _, q := range questions {
		find(real, q)
	}
	var took []float64
	for i, q := range questions {
		began := time.Now()
		found[i] = find(real, q)
		ms := float64(time.Since(began).Microseconds()) / 1000
		took = append(took, ms)
		s.mean += ms / float64(len(questions))
	}
	slices.Sort(took)
	s.p50, s.p95, s.most = took[len(took)/2], took[len(took)*95/100], took[len(took)-1]
	compared := 0
	for i := 0; i < len(questions); i += max(1, n/250_000) {
		best := find(exact, questions[i])
		if len(best) == 0 {
			continue
		}
		same := 0
		for _, h := range best {
			if slices.ContainsFunc(found[i], func(f assist.Hit) bool { return f.ID == h.ID }) {
				same++
			}
		}
		s.same += float64(same) / float64(len(best))
		compared++
	}
	s.same /= float64(cmp.Or(compared, 1))
	return s
}

// residentMB is the memory of this process, which ingested and searched; 0 where
// the system does not say.
func residentMB(t *testing.T) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmRSS: %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	t.Error("no VmRSS in /proc/self/status")
	return 0
}
