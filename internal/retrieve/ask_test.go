package retrieve_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

func withVectors(model string) *memindex.Index {
	x := memindex.New(shop())
	x.DenseName, x.Vectors = model, map[string][]float32{}
	for _, d := range shop() {
		for _, p := range d.Passages {
			x.Vectors[p.ID] = vector(p.Text)
		}
	}
	return x
}

// An embedder that hangs delays the searches that are under way once, and then
// none: words alone answer at once until it has answered again.
func TestHungEmbedderDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &embedder{}
		r := retrieve.New(withVectors("test-embedder"), e, retrieve.Options{})
		n := 0
		asked := func(text string) (retrieve.Result, time.Duration) {
			began := time.Now()
			res, err := r.Search(t.Context(), retrieve.Scope{}, assist.Question{Text: text})
			if err != nil || len(res.Hits) == 0 {
				t.Errorf("%d hits, %v", len(res.Hits), err)
			}
			return res, time.Since(began)
		}
		another := func() (retrieve.Result, time.Duration) {
			n++
			return asked(fmt.Sprint("express shipping ", n))
		}
		if res, _ := asked("known shipping"); res.Dense == "" {
			t.Fatal(res.DenseOff)
		}
		e.block = true
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if _, took := asked(fmt.Sprint("shipping beside ", i)); took > 150*time.Millisecond {
					t.Errorf("a search waited %s", took)
				}
			})
		}
		wg.Wait()
		for range 100 {
			if res, took := another(); took != 0 || res.DenseOff == "" {
				t.Fatalf("waited %s for an embedder that hangs; %q", took, res.DenseOff)
			}
		}
		if res, took := asked("known shipping"); took != 0 || res.Dense == "" {
			t.Errorf("a vector that is kept was not used: %q", res.DenseOff)
		}
		// It is tried again, ever more rarely.
		delayed := 0
		for began := time.Now(); time.Since(began) < 5*time.Minute; time.Sleep(100 * time.Millisecond) {
			if _, took := another(); took > 0 {
				delayed++
			}
		}
		if delayed < 5 || delayed > 12 {
			t.Errorf("%d searches delayed in five minutes", delayed)
		}
		e.block = false
		time.Sleep(time.Minute)
		for range 2 {
			if res, _ := another(); res.Dense == "" {
				t.Errorf("it works again but is not asked: %q", res.DenseOff)
			}
		}
	})
}

// While the vectors of a new model are being made, questions are asked of the one
// whose vectors are there, and then of the new one.
func TestEarlierModelServes(t *testing.T) {
	x := withVectors("old")
	older, newer := &embedder{}, &embedder{}
	made := 0
	r := retrieve.New(x, newer, retrieve.Options{Earlier: func(model string) llm.Embedder {
		made++
		if model != "old" {
			t.Errorf("asked for an embedder of %q", model)
		}
		return named{older, model}
	}})
	for range 3 {
		res := search(t, r, retrieve.Scope{}, "Where is my parcel?") // no word in common
		if res.Dense != "old" || len(res.Hits) == 0 || res.Hits[0].ID != "shipping#0" {
			t.Errorf("%q %v %s", res.Dense, ids(res.Hits), res.DenseOff)
		}
	}
	if older.calls != 1 || made != 1 {
		t.Errorf("%d calls of %d embedders for one text", older.calls, made)
	}
	x.DenseName = "test-embedder"
	if res := search(t, r, retrieve.Scope{}, "Where is my parcel?"); res.Dense != "test-embedder" {
		t.Errorf("%q %s", res.Dense, res.DenseOff)
	}
}

type named struct {
	*embedder
	name string
}

func (n named) Name() string { return n.name }
