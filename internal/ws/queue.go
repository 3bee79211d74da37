package ws

import (
	"sync"

	"github.com/aside-project/aside/internal/assist"
)

// item is one thing for the writer: a frame as it is, an event of a conversation,
// or the opening of one.
type item struct {
	frame []byte
	view  *view
	event assist.Event
	open  *opening
}

func (i item) size() int { return len(i.frame) + len(i.event.Data) + len(i.event.Public) + 64 }

// outbox is what waits for the writer, bounded in bytes.
type outbox struct {
	limit  int
	signal chan struct{} // of one: there is something

	mu    sync.Mutex
	items []item
	bytes int
}

// put adds an item and never blocks. It reports whether the reader keeps up: what
// is lossy is dropped silently when half is full, anything else must fit.
func (o *outbox) put(i item, lossy bool) (fits bool) {
	n := i.size()
	o.mu.Lock()
	defer o.mu.Unlock()
	if lossy && o.bytes+n > o.limit/2 {
		return true
	}
	// One item alone always fits: a suggestion may be larger than a small limit.
	if o.bytes > 0 && o.bytes+n > o.limit {
		return false
	}
	o.items = append(o.items, i)
	o.bytes += n
	select {
	case o.signal <- struct{}{}:
	default:
	}
	return true
}

// next takes the oldest item.
func (o *outbox) next() (item, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
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
