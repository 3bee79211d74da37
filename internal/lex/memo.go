package lex

import "sync"

// Memo keeps what was found out about the texts that came last, such as a
// passage's terms: found again and again, it is cut once. It may be used from any
// goroutine; values are shared and must not be changed. The zero Memo keeps
// nothing.
type Memo[K comparable, V any] struct {
	mu         sync.Mutex
	most       int // of each half
	young, old map[K]V
}

// NewMemo keeps at least half of most values, those that were asked for last, and
// never more than most.
func NewMemo[K comparable, V any](most int) *Memo[K, V] {
	return &Memo[K, V]{most: max(most/2, 1), young: map[K]V{}}
}

// Of gives what is kept for a key, or makes and keeps it. Two callers may make the
// same at once; one is kept.
func (m *Memo[K, V]) Of(key K, make func() V) V {
	v, known := m.Get(key)
	if !known {
		v = make()
		m.Keep(key, v)
	}
	return v
}

// Get gives what is kept for a key, if anything is.
func (m *Memo[K, V]) Get(key K) (v V, known bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, known = m.young[key]; known {
		return v, true
	}
	if v, known = m.old[key]; known {
		m.keep(key, v)
	}
	return v, known
}

// Keep keeps a value.
func (m *Memo[K, V]) Keep(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(key, v)
}

func (m *Memo[K, V]) keep(key K, v V) {
	if m.most == 0 {
		return
	}
	if _, known := m.young[key]; !known && len(m.young) >= m.most {
		m.old, m.young = m.young, map[K]V{}
	}
	m.young[key] = v
}
