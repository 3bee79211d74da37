// Command soak loads a server for a long time while its clients' connections are
// cut and its model fails in every way, and judges what is left: `make soak`.
//
//   - Every promise about conversations, by each client's own log (see
//     testkit/invariant), and the player's own: nothing lost, twice or in error.
//   - Memory and goroutines do not climb once conversations end as fast as they
//     begin, and goroutines go home with the clients.
//
// It prints the slopes and ends with 1 when something does not hold.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/replay"
	"github.com/aside-project/aside/internal/testkit/bulk"
	"github.com/aside-project/aside/internal/testkit/invariant"
	"github.com/aside-project/aside/internal/testkit/load"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		stop()
		os.Exit(1)
	}
}

// What counts as climbing, over the second half of a run that is long enough for
// conversations to be forgotten (five minutes after their last word).
const (
	judgedFrom    = 8 * time.Minute // shorter runs print their slopes and are not judged by them
	mostGrowth    = 0.15            // of memory
	mostGoroutine = 30              // more in the end than before the first client
)

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	fs := flag.NewFlagSet("soak", flag.ContinueOnError)
	long := fs.Duration("for", 10*time.Minute, "how long")
	rate := fs.Float64("rate", 40, "turns per second")
	drops := fs.Duration("drop", 300*time.Millisecond, "a connection is cut about every so often")
	binary := fs.String("binary", "bin/aside", "`file` of the server")
	if err := fs.Parse(args); err != nil {
		return err
	}
	w, err := load.Open(ctx, *binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	db, drop, err := w.Database(ctx, "soak")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	data := load.Data()
	text, err := bulk.ReadText(data)
	if err != nil {
		return err
	}
	pages, err := os.MkdirTemp("", "aside-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(pages)
	if err := text.Write(pages, 2000, 1); err != nil {
		return err
	}
	if _, err := ingest.Run(ctx, ingest.Options{}, db, []string{pages}, nil); err != nil {
		return err
	}
	model, stopModel, err := faultyModel()
	if err != nil {
		return err
	}
	defer stopModel()
	s, err := w.Serve(ctx, "soak", "ASIDE_LLM_BASE_URL="+model, "ASIDE_LLM_MODEL=scripted")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	cut, err := newCutter(strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		return err
	}
	defer cut.stop()

	watch := newWatch(s)
	if err := watch.sample(ctx); err != nil {
		return err
	}
	token, err := w.Token(assist.Identity{Subject: "soak", Actor: assist.ActorSource, Name: "soak"})
	if err != nil {
		return err
	}
	chats, stopChats := recordings(data, time.Now().Add(*long))
	defer stopChats()
	var mu sync.Mutex
	var histories []*invariant.History
	ending := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() { cut.every(*drops, ending) })
	helpers.Go(func() { watch.every(ctx, 5*time.Second, ending) })
	fmt.Fprintf(out, "%s at %g turns per second; a connection is cut every %s; one model answer in seven fails; load %s\n", *long, *rate, *drops, uptime())
	report, err := replay.Run(ctx, replay.Options{
		URL: "http://" + cut.address(), Token: token, Rate: *rate, Concurrency: 100, Patience: 2 * time.Minute, Wait: 70 * time.Second, // a model may take a minute to be given up
		Observe: func(conversation string) replay.Observer {
			h := invariant.NewHistory(assist.Identity{Subject: "soak", Actor: assist.ActorSource}, conversation)
			mu.Lock()
			histories = append(histories, h)
			mu.Unlock()
			return h
		},
	}, chats)
	close(ending)
	helpers.Wait()
	if err != nil {
		return err
	}
	faults := slices.Clone(watch.faults)
	if n := report.Lost + report.Duplicated + report.Errors; n > 0 {
		faults = append(faults, fmt.Sprintf("the player counts %d lost, %d duplicated, %d errors: %s", report.Lost, report.Duplicated, report.Errors, strings.Join(report.Notes, "; ")))
	}
	broken, err := settled(ctx, w, histories)
	if err != nil {
		return err
	}
	for _, v := range broken[:min(len(broken), 20)] {
		faults = append(faults, v.String())
	}
	faults = append(faults, watch.judge(ctx, out, *long >= judgedFrom)...)
	fmt.Fprintf(out, "%d conversations, %d turns, %.0f/s, lost %d, duplicated %d, errors %d; %d connections cut; %d broken promises; instant p50 %.1f p95 %.1f ms, ready p95 %.0f ms; load %s\n",
		report.Conversations, report.Acked, report.TurnsPerS, report.Lost, report.Duplicated, report.Errors, cut.cuts.Load(), len(broken), report.Instant.P50, report.Instant.P95, report.Ready.P95, uptime())
	if len(faults) > 0 {
		return fmt.Errorf("%d things do not hold:\n  %s", len(faults), strings.Join(faults, "\n  "))
	}
	fmt.Fprintln(out, "everything holds")
	return nil
}

// settled judges once the last suggestions are done: until then some are under way.
func settled(ctx context.Context, w *load.World, histories []*invariant.History) (broken []invariant.Violation, err error) {
	for range 20 {
		stored, err := invariant.Read(ctx, w.URL, w.Schema("soak"))
		if err != nil {
			return nil, err
		}
		broken = invariant.Check(stored, histories)
		if len(broken) == 0 {
			return nil, nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return broken, nil
}

// faultyModel fails in every way there is, one answer in seven.
func faultyModel() (url string, stop func(), err error) {
	bad := []scripted.Mode{scripted.Busy, scripted.Fail, scripted.Cut, scripted.Reset, scripted.BadEvent, scripted.NoDone,
		scripted.LeftOpen, scripted.BadAnswer, scripted.HTML, scripted.Hostile, scripted.Stall, scripted.Hang}
	pace := func(m scripted.Mode) http.Handler {
		return scripted.New(scripted.Script{Behaviour: scripted.Behaviour{Mode: m, FirstToken: 100 * time.Millisecond, TokensPerSecond: 300}})
	}
	good := pace(scripted.Answer)
	var handlers []http.Handler
	for _, m := range bad {
		handlers = append(handlers, good, good, good, good, good, good, pace(m))
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	var n atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers[int(n.Add(1))%len(handlers)].ServeHTTP(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }() // until Close
	return "http://" + l.Addr().String() + "/v1", func() { server.Close(); <-done }, nil
}

// recordings are conversations without end, until the time comes: real ones where
// there are any, else those of the sample company, each time with a new name.
func recordings(data string, until time.Time) (r io.Reader, stop func()) {
	pr, pw := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		var err error
		for n := 0; err == nil && time.Now().Before(until); n++ {
			err = oneRound(pw, data, n, until)
		}
		pw.CloseWithError(err) // nil: the end
	}()
	return pr, func() { pr.Close(); <-done }
}

func oneRound(w io.Writer, data string, n int, until time.Time) error {
	var f io.ReadCloser
	var err error
	if data == "" {
		f, err = evals.Files.Open("chats/demo.jsonl")
	} else {
		f, err = os.Open(filepath.Join(data, "abcd", "conversations.jsonl"))
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for i := 0; lines.Scan() && time.Now().Before(until); i++ {
		var c struct {
			ID    string          `json:"_id"`
			Turns json.RawMessage `json:"turns"`
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return err
		}
		c.ID = fmt.Sprintf("%d-%d", n, i)
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return lines.Err()
}

// cutter passes connections on, and cuts some.
type cutter struct {
	l    net.Listener
	to   string
	cuts atomic.Int64

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	all   sync.WaitGroup
	ended chan struct{}
}

func newCutter(to string) (*cutter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cutter{l: l, to: to, open: map[net.Conn]struct{}{}, ended: make(chan struct{})}
	go func() { // stop waits for it
		defer close(c.ended)
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.all.Go(func() { c.pass(client) })
		}
	}()
	return c, nil
}

func (c *cutter) address() string { return c.l.Addr().String() }

func (c *cutter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	c.mu.Lock()
	c.open[client] = struct{}{}
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { // waited for below
		defer close(done)
		_, _ = io.Copy(server, client)
		server.Close()
	}()
	_, _ = io.Copy(client, server)
	client.Close()
	<-done
	c.mu.Lock()
	delete(c.open, client)
	c.mu.Unlock()
}

func (c *cutter) every(about time.Duration, ending <-chan struct{}) {
	for {
		select {
		case <-time.After(about/2 + rand.N(about)):
		case <-ending:
			return
		}
		c.mu.Lock()
		for victim := range c.open { // whichever comes first
			_ = victim.(*net.TCPConn).SetLinger(0)
			victim.Close()
			c.cuts.Add(1)
			break
		}
		c.mu.Unlock()
	}
}

func (c *cutter) stop() {
	c.l.Close()
	<-c.ended
	c.mu.Lock()
	for conn := range c.open {
		conn.Close()
	}
	c.mu.Unlock()
	c.all.Wait()
}

// watch samples the server's memory and goroutines.
type watch struct {
	s      *load.Server
	began  time.Time
	at     []float64 // minutes
	rss    []float64 // MiB
	goro   []float64
	faults []string
}

func newWatch(s *load.Server) *watch { return &watch{s: s, began: time.Now()} }

func (w *watch) sample(ctx context.Context) error {
	m, err := w.s.Metrics(ctx)
	if err != nil {
		return fmt.Errorf("the server's metrics: %w", err)
	}
	w.at = append(w.at, time.Since(w.began).Minutes())
	w.rss = append(w.rss, m["process_resident_memory_bytes"]/(1<<20))
	w.goro = append(w.goro, m["go_goroutines"])
	return nil
}

func (w *watch) every(ctx context.Context, d time.Duration, ending <-chan struct{}) {
	for {
		select {
		case <-time.After(d):
		case <-ending:
			return
		}
		if err := w.sample(ctx); err != nil {
			w.faults = append(w.faults, err.Error())
			return
		}
	}
}

// judge prints the slopes of the second half and says what climbs.
func (w *watch) judge(ctx context.Context, out io.Writer, slopes bool) (faults []string) {
	half := len(w.at) / 2
	if len(w.at)-half < 2 {
		return []string{"too short to see a slope"}
	}
	minutes := w.at[len(w.at)-1] - w.at[half]
	rss, goro := slope(w.at[half:], w.rss[half:]), slope(w.at[half:], w.goro[half:])
	before, busy := w.goro[0], slices.Max(w.goro)
	fmt.Fprintf(out, "memory %.0f MiB before, %.0f at most, %.0f at the end, slope %+.2f MiB a minute; goroutines %.0f before, %.0f at most, slope %+.1f a minute (second half, %.1f minutes)\n",
		w.rss[0], slices.Max(w.rss), w.rss[len(w.rss)-1], rss, before, busy, goro, minutes)
	mean := 0.0
	for _, v := range w.rss[half:] {
		mean += v / float64(len(w.rss)-half)
	}
	if slopes && rss*minutes > mostGrowth*mean {
		faults = append(faults, fmt.Sprintf("memory climbs: %.1f MiB in %.1f minutes of %.0f", rss*minutes, minutes, mean))
	}
	if slopes && goro*minutes > 0.3*busy {
		faults = append(faults, fmt.Sprintf("goroutines climb: %.0f in %.1f minutes of %.0f", goro*minutes, minutes, busy))
	}
	for range 30 { // clients have gone; models that hang are given up
		if err := w.sample(ctx); err != nil {
			return append(faults, err.Error())
		}
		if w.goro[len(w.goro)-1] <= before+mostGoroutine {
			break
		}
		time.Sleep(time.Second)
	}
	left := w.goro[len(w.goro)-1]
	fmt.Fprintf(out, "goroutines %.0f after the clients went\n", left)
	if left > before+mostGoroutine {
		faults = append(faults, fmt.Sprintf("%.0f goroutines stay behind", left-before))
	}
	return faults
}

// slope is of the line that fits best.
func slope(x, y []float64) float64 {
	var mx, my float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(y))
	}
	var top, bottom float64
	for i := range x {
		top += (x[i] - mx) * (y[i] - my)
		bottom += (x[i] - mx) * (x[i] - mx)
	}
	if bottom == 0 {
		return 0
	}
	return top / bottom
}

func uptime() string {
	text, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	if err != nil || len(f) < 2 {
		return "unknown"
	}
	return f[0] + " " + f[1]
}
