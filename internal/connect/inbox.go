package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Delivery is one thing a chat tool told us, to be worked on behind the handler.
type Delivery struct {
	Conversation string
	// ID and At place it among the deliveries of its conversation: those with an
	// ID by it, those without before the first whose At is later.
	ID int64
	At time.Time
	// Do does it; it may be called again when it fails with assist.Unavailable
	// or an error that has no code, so doing it twice must be the same as once.
	Do func(context.Context) error
}

// InboxOptions are the parts and numbers of an Inbox; zero values have a sensible
// meaning.
type InboxOptions struct {
	Logger  *slog.Logger                         // nil: slog.Default
	Limit   int                                  // deliveries held at a time; 0: 10,000
	Hold    time.Duration                        // how long each waits for those that belong before it; 0: not at all
	Workers int                                  // conversations worked on at a time; 0: 16
	GiveUp  time.Duration                        // how long a failing one is tried; 0: 30 s
	Lost    func(conversation string, err error) // called with each that was given up; must not block
}

// Inbox holds deliveries in memory and works them off: those of one conversation
// one after the other in their order, conversations beside each other. Put never
// waits. It refuses when the limit is reached, and while the store is failing:
// what is held then is tried again with growing pauses, and given up after a
// while. A crash loses what is held, which is why the answer to a delivery is
// "taken", and why connectors read the tool's record after a start.
type Inbox struct {
	o      InboxOptions
	slots  chan struct{}
	base   context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	lanes    map[string]*lane
	held     int
	down     bool // the last thing tried failed for want of the store
	stopping chan struct{}
	stopped  bool
	wg       sync.WaitGroup
}

// lane is a conversation with deliveries; it has one goroutine, and goes with its
// last delivery.
type lane struct {
	waiting []*parcel
	more    chan struct{} // something was added; capacity 1
}

type parcel struct {
	Delivery
	due  time.Time
	done chan error
}

// NewInbox makes an Inbox.
func NewInbox(o InboxOptions) *Inbox {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Limit = cmp.Or(o.Limit, 10000)
	o.Workers = cmp.Or(o.Workers, 16)
	o.GiveUp = cmp.Or(o.GiveUp, 30*time.Second)
	i := &Inbox{o: o, slots: make(chan struct{}, o.Workers), lanes: map[string]*lane{}, stopping: make(chan struct{})}
	i.base, i.cancel = context.WithCancel(context.Background())
	return i
}

// Put takes a delivery. done gives how it ended, once. Its error is
// assist.Unavailable: the delivery was not taken and will not be done.
func (i *Inbox) Put(d Delivery) (done <-chan error, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.stopped:
		return nil, assist.Errorf(assist.Unavailable, "the server is stopping: send it again")
	case i.down:
		return nil, assist.Errorf(assist.Unavailable, "the store cannot be reached: send it again later")
	case i.held >= i.o.Limit:
		return nil, assist.Errorf(assist.Unavailable, "%d deliveries wait already: send it again later", i.held)
	}
	i.held++
	p := &parcel{Delivery: d, due: time.Now().Add(i.o.Hold), done: make(chan error, 1)}
	l := i.lanes[d.Conversation]
	if l == nil {
		l = &lane{more: make(chan struct{}, 1)}
		i.lanes[d.Conversation] = l
		i.wg.Go(func() { i.work(d.Conversation, l) })
	}
	l.waiting = append(l.waiting, p)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return p.done, nil
}

// Held is how many deliveries wait or are worked on.
func (i *Inbox) Held() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.held
}

// Stop takes no more, does what is held without waiting for order any longer, and
// gives up what is left when ctx ends.
func (i *Inbox) Stop(ctx context.Context) error {
	i.mu.Lock()
	if !i.stopped {
		i.stopped = true
		close(i.stopping)
	}
	i.mu.Unlock()
	done := make(chan struct{})
	go func() { i.wg.Wait(); close(done) }() // waited for below
	select {
	case <-done:
	case <-ctx.Done():
	}
	i.cancel()
	<-done
	return nil
}

func (i *Inbox) work(conversation string, l *lane) {
	for {
		batch, wait := i.next(conversation, l)
		if batch == nil && wait == 0 {
			return
		}
		if wait > 0 {
			t := time.NewTimer(wait)
			select {
			case <-t.C:
			case <-l.more:
			case <-i.stopping:
			}
			t.Stop()
			continue
		}
		i.slots <- struct{}{}
		for _, p := range batch {
			i.do(p)
		}
		<-i.slots
	}
}

// next gives what is due with all that belongs before it, or how long to wait;
// neither means that the lane is at its end, and gone.
func (i *Inbox) next(conversation string, l *lane) ([]*parcel, time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(l.waiting) == 0 {
		delete(i.lanes, conversation)
		return nil, 0
	}
	now := time.Now()
	l.waiting = arrange(l.waiting)
	last, soonest := -1, time.Duration(0)
	for n, p := range l.waiting {
		if i.stopped || !p.due.After(now) {
			last = n
		} else if left := p.due.Sub(now); soonest == 0 || left < soonest {
			soonest = left
		}
	}
	if last < 0 {
		return nil, soonest
	}
	batch := slices.Clone(l.waiting[:last+1])
	l.waiting = slices.Delete(l.waiting, 0, last+1)
	return batch, 0
}

// arrange puts deliveries in the tool's order.
func arrange(ps []*parcel) []*parcel {
	var byID, byTime, out []*parcel
	for _, p := range ps {
		if p.ID != 0 {
			byID = append(byID, p)
		} else {
			byTime = append(byTime, p)
		}
	}
	slices.SortStableFunc(byID, func(a, b *parcel) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(byTime, func(a, b *parcel) int { return a.At.Compare(b.At) })
	for _, p := range byID {
		for len(byTime) > 0 && byTime[0].At.Before(p.At) {
			out, byTime = append(out, byTime[0]), byTime[1:]
		}
		out = append(out, p)
	}
	return append(out, byTime...)
}

// do does one delivery, again while the store fails.
func (i *Inbox) do(p *parcel) {
	began := time.Now()
	err := i.try(p)
	for pause := 100 * time.Millisecond; worthTrying(err) && i.base.Err() == nil && time.Since(began) < i.o.GiveUp; pause = min(2*pause, 5*time.Second) {
		i.setDown(true)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-i.base.Done():
		}
		t.Stop()
		if i.base.Err() == nil {
			err = i.try(p)
		}
	}
	i.mu.Lock()
	i.held--
	i.down = false // it works again, or nobody tries it any more: the next delivery does
	i.mu.Unlock()
	if err != nil {
		i.o.Logger.Warn("a delivery was not worked in", "conversation", p.Conversation, "error", err)
		if i.o.Lost != nil {
			i.o.Lost(p.Conversation, err)
		}
	}
	p.done <- err
}

// try does a delivery once. One that panics is given up: the tool's other chats go on.
func (i *Inbox) try(p *parcel) (err error) {
	defer func() {
		if v := recover(); v != nil {
			i.o.Logger.Error("a delivery panicked", "conversation", p.Conversation, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: it panicked", ErrGiveUp)
		}
	}()
	return p.Do(i.base)
}

func (i *Inbox) setDown(down bool) {
	i.mu.Lock()
	i.down = down
	i.mu.Unlock()
}

// worthTrying says whether an error may be gone in a moment: everything but what
// was wrong with the delivery itself.
func worthTrying(err error) bool {
	switch assist.CodeOf(err) {
	case assist.Unavailable, assist.Internal:
		return !errors.Is(err, ErrGiveUp)
	}
	return false
}

// ErrGiveUp in the chain of an error says that trying again is of no use.
var ErrGiveUp = errors.New("trying again is of no use")
