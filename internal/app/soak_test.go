package app_test

import (
	"bufio"
	"flag"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/bulk"
	"github.com/aside-project/aside/internal/testkit/load"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

var soakFor = flag.Duration("soak", 0, "how long the server is held under load, cut lines and crashes of PostgreSQL")

// What counts as climbing, over the second half of a soak that is long enough for
// conversations to be forgotten (five minutes after their last word).
const (
	soakPages     = 2000
	soakRate      = 100 // turns per second
	soakCuts      = 300 * time.Millisecond
	soakCrashes   = 30 * time.Second
	soakSamples   = 5 * time.Second
	judgedFrom    = 8 * time.Minute // shorter soaks print their slopes and are not judged by them
	mostGrowth    = 0.15            // of memory
	mostGathering = 0.3             // of goroutines
	mostResting   = 60              // goroutines once everybody has gone
)

// TestSoak holds one server process under load for as long as asked: 2,000 pages,
// conversations at 100 turns a second whose connections are cut, agents who click,
// a model that fails in every way, and PostgreSQL crashing twice a minute. What is
// left is judged as after a kill, and memory and goroutines must not climb.
func TestSoak(t *testing.T) {
	if *soakFor == 0 {
		t.Skip("make soak runs it")
	}
	db := testdb.Own(t, true)
	var line *balancer
	c := unleashThrough(t, "soak", db.URL(), int(soakFor.Seconds()*soakRate/chaosTurns)+1, soakRate, func(cfg app.Config) string {
		manyPages(t, cfg)
		line = balance(t, []string{cfg.Listen})
		return line.listener.Addr().String()
	})
	c.enough() // that many conversations take as long as was asked
	if _, ok := c.nextServed(time.Now()); !ok {
		t.Fatalf("nothing was served: %v", c.err)
	}
	var minutes, memory, goroutines []float64
	sample := func(began time.Time) {
		if m, ok := c.gauge("process_resident_memory_bytes"); ok {
			g, _ := c.gauge("go_goroutines")
			minutes, memory, goroutines = append(minutes, time.Since(began).Minutes()), append(memory, m/(1<<20)), append(goroutines, g)
		}
	}
	began := time.Now()
	sampled, crashed, cuts := began, began, 0
	var back []time.Duration
	for c.lull(soakCuts/2, 3*soakCuts/2) {
		if line.cut() {
			cuts++
		}
		if time.Since(sampled) > soakSamples {
			sample(began)
			sampled = time.Now()
		}
		if time.Since(crashed) > soakCrashes {
			db.Crash(t)
			db.Start(t)
			crashed = time.Now()
			back = append(back, c.firstTurn(crashed))
		}
	}
	long := time.Since(began)
	c.judge()
	resting := c.rest(mostResting)
	c.stop()
	t.Logf("%s; %d lines cut; %d crashes, back after: %s; %.0f goroutines once everybody had gone", long.Round(time.Second), cuts, len(back), spread(back), resting)
	if resting > mostResting {
		t.Errorf("%.0f goroutines stay behind, more than %d", resting, mostResting)
	}
	for _, s := range []struct {
		what   string
		values []float64
		most   float64
	}{{"resident memory, MiB", memory, mostGrowth}, {"goroutines", goroutines, mostGathering}} {
		half := len(s.values) / 2 // the first half warms caches
		if len(s.values)-half < 2 {
			continue
		}
		climb := slope(minutes[half:], s.values[half:])
		t.Logf("%s: %.0f at first, %.0f at the end, at most %.0f, slope %+.2f a minute in the second half",
			s.what, s.values[0], s.values[len(s.values)-1], slices.Max(s.values), climb)
		if grown := climb * (minutes[len(minutes)-1] - minutes[half]); long >= judgedFrom && grown > s.most*slices.Max(s.values) {
			t.Errorf("%s: they climb by %.1f in the second half, of %.0f", s.what, grown, slices.Max(s.values))
		}
	}
}

// manyPages gives a server as many pages as a company has.
func manyPages(t *testing.T, cfg app.Config) {
	t.Helper()
	db := testdb.OpenWith(t, postgres.Config{URL: cfg.Database, Schema: cfg.Schema})
	text, err := bulk.ReadText(load.Data())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := text.Write(dir, soakPages, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{dir}, nil); err != nil {
		t.Fatal(err)
	}
}

// rest waits until the server has few goroutines, or for half a minute: models
// that hang are given up first.
func (c *chaos) rest(few float64) (goroutines float64) {
	late := time.After(30 * time.Second)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if g, ok := c.gauge("go_goroutines"); ok {
			if goroutines = g; g <= few {
				return g
			}
		}
		select {
		case <-tick.C:
		case <-late:
			return goroutines
		}
	}
}

// gauge reads one number of the server's metrics.
func (c *chaos) gauge(name string) (float64, bool) {
	client := http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	res, err := client.Get("http://" + c.cfg.Listen + "/metrics")
	if err != nil {
		return 0, false
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(value, 64)
			return v, err == nil
		}
	}
	return 0, false
}

// slope is that of the line nearest to the points.
func slope(x, y []float64) float64 {
	var sx, sy, sxx, sxy, n float64
	for i := range x {
		sx, sy, sxx, sxy, n = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i], n+1
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

func TestSlope(t *testing.T) {
	if s := slope([]float64{0, 1, 2, 3}, []float64{5, 7, 9, 11}); s < 1.999 || s > 2.001 {
		t.Errorf("slope %g, want 2", s)
	}
	if s := slope([]float64{1, 1}, []float64{2, 3}); s != 0 {
		t.Errorf("slope without time: %g", s)
	}
}
