package pubsub

import (
	"fmt"
	"sync"
	"testing"
)

func TestTopicsAreApart(t *testing.T) {
	b := New[int]()
	var one, two []int
	defer b.Subscribe("one", func(v int) { one = append(one, v) })()
	defer b.Subscribe("two", func(v int) { two = append(two, v) })()
	for i := range 3 {
		b.Publish("one", i)
	}
	b.Publish("nobody", 9)
	if fmt.Sprint(one, two) != "[0 1 2] []" {
		t.Errorf("got %v and %v", one, two)
	}
}

func TestCancelIsFinal(t *testing.T) {
	b := New[int]()
	n := 0
	cancel := b.Subscribe("x", func(int) { n++ })
	other := b.Subscribe("x", func(int) {})
	b.Publish("x", 1)
	cancel()
	cancel() // again does no harm
	b.Publish("x", 2)
	if n != 1 || b.Watchers("x") != 1 {
		t.Errorf("taken %d times, %d watchers", n, b.Watchers("x"))
	}
	other()
	if len(b.here.subs) != 0 {
		t.Errorf("%d topics are kept without watchers", len(b.here.subs))
	}
}

// Each publisher's values arrive in its order, whoever comes and goes.
func TestOrderPerPublisher(t *testing.T) {
	type value struct{ publisher, n int }
	b := New[value]()
	const publishers, each = 8, 500
	var mu sync.Mutex
	last := make([]int, publishers)
	cancel := b.Subscribe("x", func(v value) {
		mu.Lock()
		defer mu.Unlock()
		if v.n != last[v.publisher]+1 {
			t.Errorf("publisher %d: %d follows %d", v.publisher, v.n, last[v.publisher])
		}
		last[v.publisher] = v.n
	})
	defer cancel()
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for n := range each {
				b.Publish("x", value{p, n + 1})
			}
		})
		wg.Go(func() {
			for range each {
				b.Subscribe("x", func(value) {})()
			}
		})
	}
	wg.Wait()
	for p, n := range last {
		if n != each {
			t.Errorf("publisher %d: %d of %d arrived", p, n, each)
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 100} {
		b.Run(fmt.Sprintf("watchers=%d", n), func(b *testing.B) {
			bus := New[int]()
			sum := 0
			for range n {
				defer bus.Subscribe("x", func(v int) { sum += v })()
			}
			for b.Loop() {
				bus.Publish("x", 1)
			}
		})
	}
}
