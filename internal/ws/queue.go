package ws

import (
	"sync"

	"github.com/aside-project/aside/internal/assist"
)

// item is one thing for the writer: a frame as it is, an event of a conversation,
// the opening of one, or a ping.
type item struct {
	frame []byte
	view  *view
	event assist.Event
	open  *opening
	ping  bool
}

func (i item) size() int { return len(i.frame) + len(i.event.Data) + len(i.event.Public) + 64 }

// outbox is what waits for the writer, bounded in bytes. There is a writer only
// while something waits: whoever puts the first thing starts it, and it ends when
// nothing is left. The writer of a closing connection is the last.
type outbox struct {
	limit int
	start func() // starts the writer

	mu      sync.Mutex
	items   []item
	bytes   int
	writing bool // there is a writer
	closing bool // nothing more is taken in
}

// put adds an item and never blocks. It reports whether the reader keeps up: what
// is lossy is dropped silently when half is full, anything else must fit.
func (o *outbox) put(i item, lossy bool) (fits bool) {
	n := i.size()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || lossy && o.bytes+n > o.limit/2 {
		return true
	}
	// One item alone always fits: a suggestion may be larger than a small limit.
	if o.bytes > 0 && o.bytes+n > o.limit {
		return false
	}
	o.items = append(o.items, i)
	o.bytes += n
	o.ensureWriter()
	return true
}

// close makes the writer say goodbye after what it is writing now.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closing {
		o.closing = true
		o.ensureWriter()
	}
}

func (o *outbox) ensureWriter() {
	if !o.writing {
		o.writing = true
		o.start()
	}
}

// next takes the oldest item for the writer, which ends when there is none, or
// says goodbye when the connection is closing.
func (o *outbox) next() (i item, ok, closing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return item{}, false, true
	}
	if i, ok = o.pop(); !ok {
		o.writing = false
	}
	return i, ok, false
}

// rest takes what was not written before the connection closed.
func (o *outbox) rest() []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	items := o.items
	o.items, o.bytes = nil, 0
	return items
}

func (o *outbox) pop() (item, bool) {
	if len(o.items) == 0 {
		o.items = nil // an idle connection keeps nothing
		return item{}, false
	}
	i := o.items[0]
	o.items[0] = item{}
	o.items = o.items[1:]
	o.bytes -= i.size()
	return i, true
}

// lossy reports whether an event may be dropped for a slow reader.
func lossy(t assist.EventType) bool {
	switch t {
	case assist.EventSuggestionDelta, assist.EventTyping, assist.EventPresence:
		return true
	}
	return false
}
