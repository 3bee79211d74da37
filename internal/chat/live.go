package chat

import (
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// live is what this process keeps of a conversation while it is being held.
type live struct {
	id      string
	commit  chan struct{} // of one: held from before a write until its events are published
	quit    func()        // ends the subscription to what other nodes do
	users   int           // guarded by Service.mu
	touched time.Time     // guarded by Service.mu

	mu       sync.Mutex // guards what follows; never held while waiting for anything
	log      transcript
	waiting  bool // a worker stands in line for pending
	pending  *run
	running  *run
	bot      *run               // the bot's, from the customer's turn to its answer
	latest   *assist.Suggestion // as far as it is known; never changed, only replaced
	people   bool               // the bot does not have it, as the store said last
	customer time.Time          // when the customer's last turn was stored
	viewers  int                // who look at it through this process, customers aside
	left     *run               // the last run, when it ended because everybody had left
	typed    time.Time          // when the customer last typed something not yet sent
}

// upTo gives the turns up to the newest one, nil when they are not all known here.
func (l *live) upTo(newest assist.Turn) []assist.Turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	turns, _ := l.log.view()
	if !l.log.whole || len(turns) == 0 || turns[len(turns)-1].Seq != newest.Seq {
		return nil
	}
	return turns
}

// transcript is the cached end of a conversation. It is whole only while every
// event since it was read came from this process; what others write is told by
// the bus, or seen by the gap in seq at the next write here.
type transcript struct {
	turns   []assist.Turn // only appended to, so that a run may keep a slice of it
	steps   []assist.StepChange
	last    int64 // seq of the newest event known here
	whole   bool
	changes int // how often something was applied or doubted
}

// apply takes a committed event in; turn is its turn, if it has one.
func (t *transcript) apply(e assist.Event, turn *assist.Turn, limit int) {
	if e.Seq <= t.last {
		return
	}
	t.changes++
	switch {
	case e.Seq == 1:
		t.whole = true // the conversation begins here
	case e.Seq != t.last+1:
		t.whole = false // somebody else wrote in between
	}
	t.last = e.Seq
	if !t.whole {
		t.turns, t.steps = nil, nil
		return
	}
	if turn != nil {
		t.turns = newest(append(t.turns, *turn), limit)
	}
	if e.Type == assist.EventStepChanged {
		var c assist.StepChange
		if err := json.Unmarshal(e.Data, &c); err != nil {
			t.whole = false
			return
		}
		t.steps = newest(append(t.steps, c), limit)
	}
}

// doubt makes the next reader load the transcript again.
func (t *transcript) doubt() {
	t.changes++
	t.whole = false
}

// load takes in what was read from the store when changes was its value.
func (t *transcript) load(turns []assist.Turn, steps []assist.StepChange, changes int) {
	if t.changes == changes {
		t.turns, t.steps, t.whole = turns, steps, true
	}
}

// view gives slices that later appends do not touch.
func (t *transcript) view() ([]assist.Turn, []assist.StepChange) {
	return slices.Clip(t.turns), slices.Clip(t.steps)
}

func newest[T any](s []T, limit int) []T { return s[max(0, len(s)-limit):] }
