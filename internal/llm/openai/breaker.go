package openai

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/llm"
)

// breaker stops calls to a server that fails, so that nobody waits for it. It
// opens when breakAfter of the last breakWindow calls failed; then one call per
// probeEvery goes through, and the first that works closes it.
//
// A call failed when the server gave nothing, were it only because it is too busy
// and stayed so over all tries: asking on would keep it busy, so it is left alone
// for as long as it asked. An answer cut in the middle, a refusal or a caller who
// left say nothing about the next call.
type breaker struct {
	now func() time.Time

	mu     sync.Mutex
	last   [breakWindow]bool // ring: true is a failure
	next   int
	failed int
	open   bool
	probe  time.Time // when open: the earliest next call
	pause  time.Duration
	why    *fault // what callers are told while it is open
}

const (
	breakWindow = 10
	breakAfter  = 5
	probeEvery  = 5 * time.Second
	leastPause  = time.Second
)

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now} }

// allow says whether a call may go out now.
func (b *breaker) allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return nil
	}
	now := b.now()
	if now.Before(b.probe) {
		return b.why
	}
	b.probe = now.Add(b.pause)
	return nil
}

// record takes a call's result; it reports whether the breaker opened or closed
// by it.
func (b *breaker) record(err error) (changed bool) {
	worked := err == nil || errors.Is(err, llm.ErrTooLong) || errors.Is(err, llm.ErrRejected)
	failed := errors.Is(err, llm.ErrDown) || errors.Is(err, llm.ErrRateLimited) || errors.Is(err, llm.ErrFirstToken) || errors.Is(err, llm.ErrNotAModel)
	if !worked && !failed {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if failed {
		b.because(err)
	}
	if b.open {
		if worked {
			b.open, b.failed, b.last = false, 0, [breakWindow]bool{}
		}
		return worked
	}
	if b.last[b.next] {
		b.failed--
	}
	b.last[b.next] = failed
	b.next = (b.next + 1) % breakWindow
	if failed {
		b.failed++
	}
	if b.failed >= breakAfter {
		b.open, b.probe = true, b.now().Add(b.pause)
	}
	return b.open
}

// because notes what callers are told and how long the server is left alone: as
// long as it asked when it is busy.
func (b *breaker) because(err error) {
	b.pause, b.why = probeEvery, &fault{kind: llm.ErrDown, why: "it failed so often that it is left alone for some seconds"}
	var f *fault
	if errors.Is(err, llm.ErrRateLimited) && errors.As(err, &f) {
		b.pause = max(cmp.Or(f.after, probeEvery), leastPause)
		b.why = &fault{kind: llm.ErrRateLimited, why: "it was busy so often that it is left alone for some seconds"}
	}
}

// closed reports whether calls go through as usual.
func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.open
}
