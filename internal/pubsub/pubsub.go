// Package pubsub fans events out to whoever watches a topic, in this process.
//
// Publish never blocks and never waits for a subscriber: each is handed the
// event in the publisher's goroutine and must take it without blocking. Events
// of one publisher reach a subscriber in the order they were published; across
// publishers there is no order. A bus is a hint, never the truth: what must not
// be missed carries a sequence number, and a subscriber that sees a gap reads
// the log.
package pubsub

import "sync"

// Bus fans out values of one type.
type Bus[T any] struct {
	mu     sync.RWMutex
	topics map[string]map[*subscription[T]]struct{}
}

type subscription[T any] struct{ take func(T) }

// New makes an empty bus.
func New[T any]() *Bus[T] {
	return &Bus[T]{topics: map[string]map[*subscription[T]]struct{}{}}
}

// Subscribe hands every later event on topic to take, which must not block, call
// back into the bus or panic. After cancel has returned, take is not called
// again; cancel must not be called from within take.
func (b *Bus[T]) Subscribe(topic string, take func(T)) (cancel func()) {
	s := &subscription[T]{take: take}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.topics[topic] == nil {
		b.topics[topic] = map[*subscription[T]]struct{}{}
	}
	b.topics[topic][s] = struct{}{}
	var once sync.Once
	return func() { once.Do(func() { b.remove(topic, s) }) }
}

func (b *Bus[T]) remove(topic string, s *subscription[T]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.topics[topic], s)
	if len(b.topics[topic]) == 0 {
		delete(b.topics, topic)
	}
}

// Publish hands v to all who watch topic now.
func (b *Bus[T]) Publish(topic string, v T) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for s := range b.topics[topic] {
		s.take(v)
	}
}

// Watchers counts the subscriptions of a topic.
func (b *Bus[T]) Watchers(topic string) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.topics[topic])
}
