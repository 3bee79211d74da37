package ws

import "sync"

const (
	maxWorkers = 16 // conversations of one connection worked on at a time
	maxWaiting = 64 // frames of one connection taken from the socket and not yet done
)

// lanes works on the frames of one connection: those of a conversation one after
// the other, those of different conversations side by side. There is a goroutine
// only where there is work.
type lanes struct {
	room    chan struct{}
	workers chan struct{}
	wg      sync.WaitGroup

	mu    sync.Mutex
	queue map[string][]func() // by conversation; a key means that a worker is at it
}

func newLanes() *lanes {
	return &lanes{room: make(chan struct{}, maxWaiting), workers: make(chan struct{}, maxWorkers)}
}

// do hands over work for a conversation. It blocks while too much waits, which
// holds back the sender and nobody else.
func (l *lanes) do(conversation string, work func()) {
	l.room <- struct{}{}
	l.mu.Lock()
	if q, busy := l.queue[conversation]; busy {
		l.queue[conversation] = append(q, work)
		l.mu.Unlock()
		return
	}
	if l.queue == nil {
		l.queue = map[string][]func(){}
	}
	l.queue[conversation] = nil
	l.mu.Unlock()
	l.workers <- struct{}{}
	l.wg.Go(func() {
		defer func() { <-l.workers }()
		for work != nil {
			work()
			<-l.room
			work = l.next(conversation)
		}
	})
}

func (l *lanes) next(conversation string) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queue[conversation]
	if len(q) == 0 {
		delete(l.queue, conversation)
		if len(l.queue) == 0 {
			l.queue = nil // an idle connection keeps nothing
		}
		return nil
	}
	l.queue[conversation] = q[1:]
	return q[0]
}

func (l *lanes) wait() { l.wg.Wait() }
