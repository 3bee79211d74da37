// Package deliver sends what chat tools should be told: suggestions to a webhook,
// private notes, the bot's answers.
//
// What it promises:
//
//   - What an event asks for is sent at least once, with the same id each time,
//     across restarts and crashes of any process: the log of events is the truth, a
//     cursor says how far it was looked at, and cursor and deliveries move in one
//     commit. Notice only makes it quick.
//   - Of one event and kind there is one delivery, whatever number of processes see it.
//   - Failed ones are tried again with growing pauses until they are of no use any
//     more; then they are dead, kept for 30 days, and Replay sends them anew.
//   - The queue is bounded: beyond Limit, new ones are born dead.
//   - Nothing here waits for a tool but the queue's own goroutines.
package deliver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Pending State = "pending"
	Sent    State = "sent"
	Skipped State = "skipped" // it was not needed any more when its turn came
	Dead    State = "dead"    // given up
)

// New is something to be sent.
type New struct {
	Kind   string        // what it is, in one word
	Key    string        // what it is about: one delivery for each
	Body   any           // as the tool's sender wants it; marshals to JSON
	Within time.Duration // how long it is of use; 0: a day
}

// Delivery is one thing to be sent, as stored.
type Delivery struct {
	ID           string          `json:"id"`
	Tool         string          `json:"tool"`
	Conversation string          `json:"conversation"`
	Kind         string          `json:"kind"`
	State        State           `json:"state"`
	Attempts     int             `json:"attempts"`
	Error        string          `json:"error,omitempty"` // of the last attempt, or why it was skipped
	CreatedAt    time.Time       `json:"created_at"`
	NextAt       time.Time       `json:"next_at,omitzero"` // of the next attempt, while pending
	DoneAt       time.Time       `json:"done_at,omitzero"`
	Body         json.RawMessage `json:"-"` // what customers wrote may be in it
	Answer       string          `json:"-"` // the id that the tool gave it
	Until        time.Time       `json:"-"`
}

// Store keeps deliveries and cursors; postgres.DB is one.
type Store interface {
	// Relay hands the events of a conversation after its cursor, at most limit,
	// to sort, stores what that gives, and moves the cursor, in one transaction.
	// With more than most pending deliveries of the tool, new ones are dead. more
	// says that there are further events.
	Relay(ctx context.Context, tool, conversation string, limit, most int, sort func([]assist.Event) ([]New, error)) (more bool, err error)
	// Behind gives followed conversations of the tool with events after their cursor.
	Behind(ctx context.Context, tool string, limit int) ([]string, error)
	// ClaimDeliveries gives pending deliveries that are due and keeps others from
	// them for lease. ordered: none while an earlier one of its conversation is
	// pending.
	ClaimDeliveries(ctx context.Context, tool string, ordered bool, lease time.Duration, limit int) ([]Delivery, error)
	// SettleDelivery ends an attempt. Pending: the next one is after pause.
	SettleDelivery(ctx context.Context, id string, state State, answer, why string, pause time.Duration) error
	// PruneDeliveries forgets sent ones after a week and dead ones after 30 days.
	PruneDeliveries(ctx context.Context) error
}

// Errors that say how a failed attempt goes on. Others are tried again.
var (
	ErrNever  = errors.New("trying again is of no use")
	ErrNoNeed = errors.New("not needed any more") // skipped
)

// Options are the parts and numbers of a Queue; zero values have a sensible
// meaning.
type Options struct {
	Logger  *slog.Logger  // nil: slog.Default
	Ordered bool          // those of one conversation one after the other
	Limit   int           // pending deliveries; 0: 10,000
	Workers int           // sent at a time; 0: 8
	First   time.Duration // pause after the first failure, doubled each time; 0: 2 s
	Most    time.Duration // the longest pause; 0: 30 min
	Lease   time.Duration // must outlast one attempt; 0: 30 s
	Sweep   time.Duration // how often the database is asked without a reason; 0: 5 s
}

// Queue sends the deliveries of one tool.
type Queue struct {
	tool  string
	store Store
	sort  func(conversation string, events []assist.Event) ([]New, error)
	send  func(context.Context, Delivery) (answer string, err error)
	o     Options

	mu      sync.Mutex
	noticed map[string]struct{} // conversations with new events
	wake    chan struct{}       // capacity 1

	ctx    context.Context
	cancel context.CancelFunc
	slots  chan struct{}
	wg     sync.WaitGroup
}

// NewQueue makes a Queue. sort says what becomes of events; it must be pure. send
// makes one attempt within ctx and gives the id that the tool gave it; its errors'
// words are shown to operators.
func NewQueue(tool string, store Store, sort func(string, []assist.Event) ([]New, error), send func(context.Context, Delivery) (string, error), o Options) *Queue {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limit = cmp.Or(o.Limit, 10000)
	o.Workers = cmp.Or(o.Workers, 8)
	o.First = cmp.Or(o.First, 2*time.Second)
	o.Most = cmp.Or(o.Most, 30*time.Minute)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Sweep = cmp.Or(o.Sweep, 5*time.Second)
	q := &Queue{tool: tool, store: store, sort: sort, send: send, o: o,
		noticed: map[string]struct{}{}, wake: make(chan struct{}, 1), slots: make(chan struct{}, o.Workers)}
	q.ctx, q.cancel = context.WithCancel(context.Background())
	return q
}

// mostNoticed bounds what Notice remembers; the sweep finds the others.
const mostNoticed = 10000

// Notice says that a conversation has new events. It never blocks.
func (q *Queue) Notice(conversation string) {
	q.mu.Lock()
	if len(q.noticed) < mostNoticed {
		q.noticed[conversation] = struct{}{}
	}
	q.mu.Unlock()
	q.Wake()
}

// Wake has the queue look for due deliveries now. It never blocks.
func (q *Queue) Wake() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Start begins to send.
func (q *Queue) Start() { q.wg.Go(q.run) }

// Stop ends attempts at work and waits. What was not sent is sent after the next
// start.
func (q *Queue) Stop() {
	q.cancel()
	q.wg.Wait()
}

func (q *Queue) run() {
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	pruned := time.Time{}
	for {
		swept := false
		select {
		case <-q.ctx.Done():
			return
		case <-q.wake:
		case <-sweep.C:
			swept = true
			sweep.Reset(q.o.Sweep)
		}
		if swept {
			behind, err := q.store.Behind(q.ctx, q.tool, 500)
			q.warn("look for conversations that are behind", err)
			for _, c := range behind {
				q.relay(c)
			}
			if time.Since(pruned) > time.Hour {
				pruned = time.Now()
				q.warn("forget old deliveries", q.store.PruneDeliveries(q.ctx))
			}
		}
		q.mu.Lock()
		noticed := q.noticed
		q.noticed = map[string]struct{}{}
		q.mu.Unlock()
		for c := range noticed {
			q.relay(c)
		}
		q.sendDue()
	}
}

func (q *Queue) warn(what string, err error) {
	if err != nil && q.ctx.Err() == nil {
		q.o.Logger.Warn("deliveries: could not "+what, "tool", q.tool, "error", err)
	}
}

func (q *Queue) relay(conversation string) {
	for more := true; more && q.ctx.Err() == nil; {
		var err error
		more, err = q.store.Relay(q.ctx, q.tool, conversation, 200, q.o.Limit, func(events []assist.Event) ([]New, error) {
			return q.sort(conversation, events)
		})
		if err != nil {
			q.warn("read the log of "+conversation+"; the next sweep does", err)
			return
		}
	}
}

// sendDue hands what is due to workers until nothing is, or all are busy: those
// wake the queue when they are done.
func (q *Queue) sendDue() {
	for q.ctx.Err() == nil {
		free := cap(q.slots) - len(q.slots)
		if free == 0 {
			return
		}
		due, err := q.store.ClaimDeliveries(q.ctx, q.tool, q.o.Ordered, q.o.Lease, free)
		q.warn("look for due deliveries", err)
		if err != nil || len(due) == 0 {
			return
		}
		for _, d := range due {
			q.slots <- struct{}{} // only this goroutine takes slots, and so many are free
			q.wg.Go(func() {
				defer q.Wake()
				defer func() { <-q.slots }()
				q.attempt(d)
			})
		}
	}
}

// attempt sends d once and stores how that ended.
func (q *Queue) attempt(d Delivery) {
	ctx, cancel := context.WithTimeout(q.ctx, q.o.Lease-q.o.Lease/4)
	defer cancel()
	answer, err := q.send(ctx, d)
	state, why, pause := Sent, "", time.Duration(0)
	switch {
	case err == nil:
	case q.ctx.Err() != nil: // cut off by Stop: due again at the next start
		state, why = Pending, "the server was stopping"
	case errors.Is(err, ErrNoNeed):
		state, why = Skipped, err.Error()
	case errors.Is(err, ErrNever):
		state, why = Dead, err.Error()
	default:
		state, why, pause = Pending, err.Error(), q.pause(d.Attempts, err)
		if time.Now().Add(pause).After(d.Until) {
			state = Dead
		}
	}
	if len(why) > 500 {
		why = strings.ToValidUTF8(why[:500], "")
	}
	q.o.Logger.Log(q.ctx, map[bool]slog.Level{true: slog.LevelDebug, false: slog.LevelWarn}[state == Sent || state == Skipped],
		"delivery", "tool", q.tool, "id", d.ID, "kind", d.Kind, "conversation", d.Conversation, "state", state, "attempt", d.Attempts)
	// Not with q.ctx: what was sent should be known as sent.
	settle, done := context.WithTimeout(context.WithoutCancel(q.ctx), 5*time.Second)
	defer done()
	q.warn("store what became of a delivery; it is sent again", q.store.SettleDelivery(settle, d.ID, state, answer, why, pause))
}

// pause grows with the attempts, with a little chance in it so that many failed
// ones do not come back at once.
func (q *Queue) pause(attempts int, err error) time.Duration {
	p := q.o.First
	for n := 1; n < attempts && p < q.o.Most; n++ {
		p *= 2
	}
	p = min(p, q.o.Most)
	p += time.Duration(rand.Int64N(int64(p)/4 + 1))
	var later interface{ After() time.Duration }
	if errors.As(err, &later) {
		p = max(p, min(later.After(), q.o.Most))
	}
	return p
}
