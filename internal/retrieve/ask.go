package retrieve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/llm"
)

// asker gets the vectors of questions from one embedding model and keeps them. A
// model that did not answer in time is left alone for a while, longer each time,
// so that one which hangs delays one search in a minute, not all of them. What is
// kept is given all the while.
type asker struct {
	embedder llm.Embedder
	patience time.Duration // how long a search waits
	vectors  *vectorCache

	mu     sync.Mutex
	alone  time.Time // until then nobody asks; zero: it works
	failed int       // times in a row
	last   time.Time // when it failed last
}

const (
	leaveAlone   = time.Second // after the first failure, doubled by each that follows
	leaveLongest = time.Minute

	prefetchTimeout = 5 * time.Second
)

var errLeftAlone = errors.New("it did not answer in time and is left alone for now")

func newAsker(e llm.Embedder, opt Options) *asker {
	return &asker{embedder: e, patience: opt.EmbedTimeout, vectors: newVectorCache(opt.CacheSize)}
}

// ask waits no longer than the timeout.
func (a *asker) ask(ctx context.Context, text string, timeout time.Duration) ([]float32, error) {
	if v, ok := a.vectors.get(text); ok {
		return v, nil
	}
	if !a.may() {
		return nil, errLeftAlone
	}
	asking, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	vectors, err := a.embedder.Embed(asking, []string{text})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nobody waits any more, which says nothing of the model
	}
	if err == nil && (len(vectors) != 1 || len(vectors[0]) == 0) {
		err = fmt.Errorf("%d vectors for one text", len(vectors))
	}
	if asking.Err() != nil && err != nil {
		err = asking.Err()
	}
	a.learn(began, err == nil && time.Since(began) <= a.patience)
	if err != nil {
		return nil, err
	}
	a.vectors.put(text, vectors[0])
	return vectors[0], nil
}

// may says whether to ask now. Of those who come when it was left alone long
// enough, one may.
func (a *asker) may() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed == 0 {
		return true
	}
	if time.Now().Before(a.alone) {
		return false
	}
	a.alone = time.Now().Add(leaveLongest) // until learn says
	return true
}

// learn notes how a call went that began then. Calls that ran side by side fail
// together and count as one.
func (a *asker) learn(began time.Time, works bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if works {
		a.failed = 0
		return
	}
	if a.failed > 0 && began.Before(a.last) {
		return
	}
	a.last = time.Now()
	a.alone = a.last.Add(min(leaveAlone<<min(a.failed, 6), leaveLongest))
	a.failed++
}
