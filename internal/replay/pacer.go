package replay

import (
	"context"
	"slices"
	"sync"
	"time"
)

// pacer hands out the times at which turns are to be sent, one every 1/rate
// seconds, to the conversations that have turns left, in turn. It never waits
// for one of them: a seat's channel has room for all its turns. While nobody has
// a turn to send there is no schedule, and none is caught up later.
type pacer struct {
	every time.Duration
	wake  chan struct{} // somebody sat down; capacity 1

	mu    sync.Mutex
	seats []*seat
	next  int
}

type seat struct {
	left  int
	slots chan time.Time
}

func newPacer(rate float64) *pacer {
	return &pacer{every: time.Duration(float64(time.Second) / rate), wake: make(chan struct{}, 1)}
}

// join takes part with n turns.
func (p *pacer) join(n int) *seat {
	s := &seat{left: n, slots: make(chan time.Time, n)}
	p.mu.Lock()
	p.seats = append(p.seats, s)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return s
}

// leave gives up the turns that are left.
func (p *pacer) leave(s *seat) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(slices.Index(p.seats, s))
}

func (p *pacer) remove(i int) {
	if i < 0 {
		return
	}
	p.seats = slices.Delete(p.seats, i, i+1)
	if i < p.next {
		p.next--
	}
}

// give hands one slot to whose turn it is; false when nobody is there.
func (p *pacer) give(due time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seats) == 0 {
		return false
	}
	p.next %= len(p.seats)
	s := p.seats[p.next]
	s.slots <- due // has room
	s.left--
	p.next++
	if s.left == 0 {
		p.remove(p.next - 1)
	}
	return true
}

func (p *pacer) run(ctx context.Context, finished <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		case <-finished:
			return
		}
		if p.give(due) {
			due = due.Add(p.every)
			timer.Reset(time.Until(due))
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		case <-finished:
			return
		}
		due = time.Now()
		timer.Reset(0)
	}
}
