package retrieve

import (
	"container/list"
	"sync"
)

// vectorCache keeps the vectors of the questions asked last.
type vectorCache struct {
	mu     sync.Mutex
	size   int
	order  *list.List // of *cached, latest first
	byText map[string]*list.Element
}

type cached struct {
	text   string
	vector []float32
}

func newVectorCache(size int) *vectorCache {
	return &vectorCache{size: size, order: list.New(), byText: map[string]*list.Element{}}
}

func (c *vectorCache) get(text string) ([]float32, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byText[text]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).vector, true
}

func (c *vectorCache) put(text string, vector []float32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byText[text]; ok {
		e.Value.(*cached).vector = vector
		c.order.MoveToFront(e)
		return
	}
	c.byText[text] = c.order.PushFront(&cached{text, vector})
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byText, oldest.Value.(*cached).text)
	}
}
