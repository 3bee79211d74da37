// Package pubsub fans events out to whoever watches a topic: in this process, and
// over NATS to the other nodes.
//
// Publish never blocks and never waits for a subscriber: each one of this process
// is handed the event in the publisher's goroutine and must take it without
// blocking; what goes to other nodes waits in a bounded queue. Events of one
// publisher reach a subscriber in the order they were published; across
// publishers there is no order.
//
// A bus is a hint, never the truth: within a process nothing is lost, between
// nodes everything may be (a node that does not keep up, a cut, a restart), and
// nothing is sent again. What must not be missed carries a sequence number, and
// whoever sees a gap, or is told of one by Receive, reads the log.
//
// How far it goes: a node subscribes only to what it watches, so an event costs
// one message to each node where somebody looks at that conversation, which is
// one or two however many nodes there are. 10,000 agents and 100,000 chats a day
// are, at the busiest (ten times the mean), 12 chats a second that begin, some
// 120 turns and 120 suggestions a second and, with drafts streamed in 50 pieces,
// 6,000 messages a second of 0.3 KB: 2 MB/s, where one NATS server carries
// hundreds of thousands of messages and 100 MB/s. A million chats a day is ten
// times that, still one NATS cluster of three. Presence is the exception: every
// node hears all of it, 10,000 agents who open a conversation each 30 s are 330
// small messages a second to each node.
package pubsub

import "sync"

// Bus fans out values of one type within this process.
type Bus[T any] struct {
	here      topics[T]
	elsewhere topics[T]
}

// topics are the subscriptions of one kind.
type topics[T any] struct {
	mu   sync.RWMutex
	subs map[string]map[*subscription[T]]struct{}
}

type subscription[T any] struct{ take func(T) }

// New makes an empty bus.
func New[T any]() *Bus[T] {
	b := &Bus[T]{}
	b.here.subs = map[string]map[*subscription[T]]struct{}{}
	b.elsewhere.subs = map[string]map[*subscription[T]]struct{}{}
	return b
}

// Subscribe hands every later event on topic to take, which must not block, call
// back into the bus or panic. After cancel has returned, take is not called
// again; cancel must not be called from within take.
func (b *Bus[T]) Subscribe(topic string, take func(T)) (cancel func()) {
	return b.here.add(topic, take)
}

// Elsewhere is Subscribe for only those events that another process published, or
// that Receive was given. Its take may publish.
func (b *Bus[T]) Elsewhere(topic string, take func(T)) (cancel func()) {
	return b.elsewhere.add(topic, take)
}

// Publish hands v to all who watch topic now.
func (b *Bus[T]) Publish(topic string, v T) { b.here.hand(topic, v) }

// Receive hands v to all who watch topic in this process, as though another one
// had published it.
func (b *Bus[T]) Receive(topic string, v T) {
	b.here.hand(topic, v)
	b.elsewhere.hand(topic, v)
}

// Watchers counts the subscriptions of a topic, those of Elsewhere left out.
func (b *Bus[T]) Watchers(topic string) int {
	b.here.mu.RLock()
	defer b.here.mu.RUnlock()
	return len(b.here.subs[topic])
}

// Topics lists what is watched by Subscribe, in no order.
func (b *Bus[T]) Topics() []string {
	b.here.mu.RLock()
	defer b.here.mu.RUnlock()
	all := make([]string, 0, len(b.here.subs))
	for topic := range b.here.subs {
		all = append(all, topic)
	}
	return all
}

// Up says that others can be reached: nobody else is there to be missed.
func (b *Bus[T]) Up() bool { return true }

func (t *topics[T]) add(topic string, take func(T)) (cancel func()) {
	s := &subscription[T]{take: take}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subs[topic] == nil {
		t.subs[topic] = map[*subscription[T]]struct{}{}
	}
	t.subs[topic][s] = struct{}{}
	var once sync.Once
	return func() { once.Do(func() { t.remove(topic, s) }) }
}

func (t *topics[T]) remove(topic string, s *subscription[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs[topic], s)
	if len(t.subs[topic]) == 0 {
		delete(t.subs, topic)
	}
}

func (t *topics[T]) hand(topic string, v T) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for s := range t.subs[topic] {
		s.take(v)
	}
}
