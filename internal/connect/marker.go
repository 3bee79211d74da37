package connect

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const markEvery = 10 * time.Second

// Marker sets a tool's marks behind the answers to its deliveries: each mark every
// ten seconds at most, so that a flood costs the database nothing. One that is not
// written is missed by `aside doctor` only.
type Marker struct {
	tool  string
	marks Marks // nil: nothing is kept
	now   func() time.Time
	log   *slog.Logger

	mu     sync.Mutex
	last   map[string]time.Time
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// NewMarker makes the marker of a tool. Stop it.
func NewMarker(tool string, marks Marks, now func() time.Time, log *slog.Logger) *Marker {
	m := &Marker{tool: tool, marks: marks, now: now, log: log, last: map[string]time.Time{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// Mark has key marked, unless it was a moment ago. It does not block.
func (m *Marker) Mark(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if m.marks == nil || m.ctx.Err() != nil || now.Sub(m.last[key]) < markEvery {
		return
	}
	m.last[key] = now
	m.wg.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, 5*time.Second)
		defer cancel()
		if err := m.marks.Mark(ctx, m.tool, key); err != nil && m.ctx.Err() == nil {
			m.log.Debug("a delivery was not marked for the doctor", "tool", m.tool, "error", err)
		}
	})
}

// Stop gives up what is being written, and waits.
func (m *Marker) Stop() {
	m.mu.Lock() // so that none begins after the wait did
	m.cancel()
	m.mu.Unlock()
	m.wg.Wait()
}
