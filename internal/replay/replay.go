// Package replay plays recorded conversations into a running server over its
// real WebSocket, as a chat tool's connector would, measures how fast the agent
// is helped, and checks that what was acknowledged is stored.
//
// Each conversation has a socket of its own. When it drops, the player connects
// again (with backoff), resumes after the last event it saw and sends what was
// not acknowledged with the same ids; it gives a conversation up when nothing
// comes for Options.Patience. At the end every conversation is read back on a
// fresh socket.
//
// In a run without Rate each conversation sends its next turn on the ack of the
// last: as fast as the server allows. With Rate turns are sent at fixed times
// whether or not the server keeps up, and times count from when a turn should
// have been sent, so that a stalled server cannot hide behind a stalled client.
//
// Times are exact: every sample is kept, 8 bytes each. All else that is held
// grows with the conversations at hand, not with the file.
package replay

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to play and how.
type Options struct {
	URL         string        // http(s):// or ws(s)://; without a path: /v1/ws
	Token       string        // of a source
	Limit       int           // conversations; 0: all
	Concurrency int           // conversations that send at a time; 0: 8
	Rate        float64       // turns per second over all of them; 0: each on the ack of its last
	Run         string        // first part of all ids; the same name resumes a run; empty: a new one
	Wait        time.Duration // at the end of a conversation, for its last suggestion; 0: 10 s
	Quiet       time.Duration // of it, for that suggestion to begin: a "thanks" gets none; 0: 2 s
	Ack         time.Duration // after which a socket without an ack is dropped and the turn sent again; 0: 10 s
	Patience    time.Duration // without anything from the server, until a conversation is given up; 0: 60 s
	Progress    func(Report)  // called about twice a second, without times; nil: never
	Logger      *slog.Logger  // nil: none

	// Observe gives who is told what the player of a conversation does and sees,
	// in that order, from the player's goroutine; nil: nobody.
	Observe func(conversation string) Observer
}

// Observer keeps a player's own log.
type Observer interface {
	Opened(after int64)                               // the conversation was opened on a new connection
	Turn(key, text string)                            // a turn is being sent, maybe again; key as assist.NewTurn.Key
	OK(key string, seq int64)                         // it was acknowledged
	Fail(key string)                                  // it was refused for good
	Saw(kind string, seq int64, data json.RawMessage) // an event came
	SawAll()                                          // the last opening read the conversation to its end
}

type nobody struct{}

func (nobody) Opened(int64)                       {}
func (nobody) Turn(string, string)                {}
func (nobody) OK(string, int64)                   {}
func (nobody) Fail(string)                        {}
func (nobody) Saw(string, int64, json.RawMessage) {}
func (nobody) SawAll()                            {}

// Report is what was seen. Times are milliseconds from a turn's (intended) send.
type Report struct {
	Conversations int `json:"conversations"` // finished
	Turns         int `json:"turns"`         // sent, each counted once
	Acked         int `json:"acked"`
	Lost          int `json:"lost"`       // acked, but not stored at the acked seq
	Duplicated    int `json:"duplicated"` // stored once more under another seq
	// Errors are error frames, gaps in the seq of stored events, and
	// conversations given up. A dropped socket alone is none.
	Errors     int         `json:"errors"`
	TurnsPerS  float64     `json:"turns_per_s"` // acked, from the first send to the last ack
	Passages   Percentiles `json:"passages_ms"`
	Instant    Percentiles `json:"instant_ms"`
	FirstToken Percentiles `json:"first_token_ms"`
	Ready      Percentiles `json:"ready_ms"` // ready, abstained or failed

	Run   string   `json:"-"` // to resume with
	Notes []string `json:"-"` // the first twenty things worth saying
}

// Percentiles of n samples, by nearest rank. Without samples all are 0.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	N   int     `json:"n"`
}

const maxNotes = 20

// Run plays the conversations of r. It returns what was seen also beside an
// error: a bad line of the file, a refused token, a server that cannot be
// reached at all, or the end of ctx. Losses are in the report, not an error.
func Run(ctx context.Context, o Options, r io.Reader) (Report, error) {
	if o.Concurrency <= 0 {
		o.Concurrency = 8
	}
	setDefault(&o.Wait, 10*time.Second)
	setDefault(&o.Quiet, 2*time.Second)
	setDefault(&o.Ack, 10*time.Second)
	setDefault(&o.Patience, 60*time.Second)
	if o.Run == "" {
		o.Run = "replay-" + strings.ToLower(rand.Text()[:10])
	}
	if o.Observe == nil {
		o.Observe = func(string) Observer { return nobody{} }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Rate < 0 || math.IsNaN(o.Rate) || o.Rate > 1e6 {
		return Report{}, fmt.Errorf("rate %v is not between 0 and 1,000,000 turns per second", o.Rate)
	}
	address, err := socketURL(o.URL)
	if err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	run := &run{Options: o, address: address, tally: &tally{report: Report{Run: o.Run}}, stop: cancel}

	var helpers sync.WaitGroup
	finished := make(chan struct{})
	if o.Progress != nil {
		helpers.Go(func() { run.tally.tell(finished, o.Progress) })
	}
	if o.Rate > 0 {
		run.pacer = newPacer(o.Rate)
		helpers.Go(func() { run.pacer.run(ctx, finished) })
	}
	err = run.playAll(ctx, r)
	close(finished)
	helpers.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return run.tally.final(), err
}

func setDefault(d *time.Duration, v time.Duration) {
	if *d <= 0 {
		*d = v
	}
}

// socketURL makes the WebSocket's address from what a person would type.
func socketURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("the server's address %q is not a URL: write it like http://127.0.0.1:7400", s)
	}
	switch u.Scheme {
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	case "ws", "wss":
	default:
		return "", fmt.Errorf("the server's address %q does not begin with http:// or ws://: write it like http://127.0.0.1:7400", s)
	}
	if u.Host == "" {
		return "", fmt.Errorf("the server's address %q names no host: write it like http://127.0.0.1:7400", s)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/ws"
	}
	return u.String(), nil
}

// run is one Run.
type run struct {
	Options
	address string
	tally   *tally
	pacer   *pacer       // nil: without rate
	reached atomic.Int64 // when a player last got a connection, in Unix nanoseconds
	stop    context.CancelCauseFunc
}

// playAll starts a player per conversation and waits for all. A player holds a
// place among the senders until its last suggestion is there, or, with a rate,
// until its last turn is sent: those who only wait must not hold the schedule up.
// The second bound is for all sockets.
func (r *run) playAll(ctx context.Context, file io.Reader) error {
	senders := make(chan struct{}, r.Concurrency)
	open := make(chan struct{}, 4*r.Concurrency)
	var players sync.WaitGroup
	defer players.Wait()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	for n, played := 1, 0; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		if r.Limit > 0 && played == r.Limit {
			return nil
		}
		script, notes, err := parse(lines.Bytes(), r.Run)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		for _, note := range notes {
			r.tally.note("line %d: %s", n, note)
		}
		if len(script.turns) == 0 {
			r.tally.note("line %d: no turns to play", n)
			continue
		}
		played++
		for _, places := range []chan struct{}{open, senders} {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p := newPlayer(r, script, sync.OnceFunc(func() { <-senders }))
		players.Go(func() {
			defer func() { <-open }()
			defer p.sentAll()
			p.play(ctx)
		})
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("a line of the file is longer than %d MiB: one conversation per line", maxLine>>20)
	} else if err != nil {
		return fmt.Errorf("read conversations: %w", err)
	}
	return nil
}

// tally is the report under way.
type tally struct {
	mu      sync.Mutex
	report  Report
	samples [4][]float64 // passages, instant, first token, ready
	first   time.Time    // send
	last    time.Time    // ack
}

func (t *tally) add(f func(*Report)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.report)
}

// sending counts a turn sent for the first time.
func (t *tally) sending(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Turns++
	if t.first.IsZero() {
		t.first = at
	}
}

// acked counts a turn acknowledged for the first time.
func (t *tally) acked(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Acked++
	t.last = at
}

func (t *tally) note(format string, args ...any) {
	t.add(func(r *Report) {
		if len(r.Notes) < maxNotes {
			r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
		}
	})
}

// wrong counts an error and says what it was.
func (t *tally) wrong(format string, args ...any) {
	t.add(func(r *Report) { r.Errors++ })
	t.note(format, args...)
}

func (t *tally) sample(kind int, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.samples[kind] = append(t.samples[kind], float64(d)/float64(time.Millisecond))
}

func (t *tally) final() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	for i, p := range []*Percentiles{&r.Passages, &r.Instant, &r.FirstToken, &r.Ready} {
		*p = percentiles(t.samples[i])
	}
	if took := t.last.Sub(t.first).Seconds(); took > 0 {
		r.TurnsPerS = math.Round(float64(r.Acked)/took*10) / 10
	}
	return r
}

func (t *tally) tell(finished <-chan struct{}, progress func(Report)) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.mu.Lock()
			r := t.report
			r.Notes = slices.Clone(r.Notes)
			t.mu.Unlock()
			progress(r)
		case <-finished:
			return
		}
	}
}

// percentiles sorts its samples. Results are rounded to microseconds.
func percentiles(samples []float64) Percentiles {
	if len(samples) == 0 {
		return Percentiles{}
	}
	slices.Sort(samples)
	rank := func(p float64) float64 {
		v := samples[max(int(math.Ceil(p*float64(len(samples))))-1, 0)]
		return math.Round(v*1000) / 1000
	}
	return Percentiles{P50: rank(0.50), P95: rank(0.95), P99: rank(0.99), N: len(samples)}
}
