package playbook

import (
	"math"
	"slices"
	"strings"
	"sync"
)

// Weights are what was learned: named features and how much each speaks for the
// choice it stands for. The zero weight is "nothing known", so a new procedure
// is judged by its text alone. They are safe for concurrent use.
type Weights struct {
	mu      sync.RWMutex
	ids     map[string]int32
	names   []string
	w       []float64
	g       []float64 // squared gradients so far, for the step size
	moved   map[int32]float64
	foreign map[string][]label // actions done in a procedure whose page does not name them
}

// NewWeights makes weights that know only what is shipped: how far to trust the
// order of a page's text.
func NewWeights() *Weights {
	w := &Weights{ids: map[string]int32{}, moved: map[int32]float64{}, foreign: map[string][]label{}}
	for name, v := range shipped {
		w.w[w.id(name)] = v
	}
	return w
}

// Load adds learned changes by feature name, as Take gave them.
func (w *Weights) Load(changes map[string]float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, v := range changes {
		w.w[w.id(name)] += v
		if doc, act, ok := seenName(name); ok {
			w.meet(doc, act)
		}
	}
}

// Replace takes all that is stored now, with what this process learned and has
// not stored yet on top.
func (w *Weights) Replace(stored map[string]float64) {
	fresh := NewWeights()
	fresh.Load(stored)
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, by := range w.moved {
		name := w.names[id]
		at := fresh.id(name)
		fresh.w[at] += by
		fresh.moved[at] = by
		if doc, act, ok := seenName(name); ok {
			fresh.meet(doc, act)
		}
	}
	for name, id := range fresh.ids { // how far each has been moved in this process slows its next steps
		if was, ok := w.ids[name]; ok {
			fresh.g[id] = w.g[was]
		}
	}
	w.ids, w.names, w.w, w.g, w.moved, w.foreign = fresh.ids, fresh.names, fresh.w, fresh.g, fresh.moved, fresh.foreign
}

// PutBack takes back what Take gave and could not be stored.
func (w *Weights) PutBack(changes map[string]float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, by := range changes {
		w.moved[w.id(name)] += by
	}
}

// met counts an action that was done in a procedure.
func (w *Weights) met(doc, action string) {
	id := w.id("seen|" + doc + "|" + action)
	w.w[id]++
	w.moved[id]++
	w.meet(doc, action)
}

func (w *Weights) meet(doc, action string) {
	if !slices.ContainsFunc(w.foreign[doc], func(l label) bool { return l.name == action }) {
		w.foreign[doc] = append(w.foreign[doc], labelOf(action))
		slices.SortFunc(w.foreign[doc], func(a, b label) int { return strings.Compare(a.name, b.name) })
	}
}

func seenName(name string) (doc, action string, ok bool) {
	rest, ok := strings.CutPrefix(name, "seen|")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "|")
}

// Take gives what was learned since the last Take, by feature name; changes of
// several processes add up.
func (w *Weights) Take() map[string]float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make(map[string]float64, len(w.moved))
	for id, v := range w.moved {
		if math.Abs(v) > 1e-4 {
			out[w.names[id]] = v
		}
	}
	w.moved = map[int32]float64{}
	return out
}

// Len is how many features have a weight.
func (w *Weights) Len() int {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.w)
}

// id gives the place of a feature, making it. The lock must be held for writing.
func (w *Weights) id(name string) int32 {
	if id, ok := w.ids[name]; ok {
		return id
	}
	id := int32(len(w.w))
	w.ids[name] = id
	w.names = append(w.names, name)
	w.w = append(w.w, 0)
	w.g = append(w.g, 0)
	return id
}

// feature is one reason for a choice.
type feature struct {
	id int32
	x  float32
}

// collector gathers the features of one candidate. With learn set, features that
// are not known yet get a place; otherwise they weigh nothing and are left out.
type collector struct {
	w     *Weights
	learn bool
	buf   []byte
	out   []feature
}

func (c *collector) add(x float64, parts ...string) {
	c.buf = c.buf[:0]
	for i, p := range parts {
		if i > 0 {
			c.buf = append(c.buf, '|')
		}
		c.buf = append(c.buf, p...)
	}
	id, ok := c.w.ids[string(c.buf)]
	if !ok {
		if !c.learn {
			return
		}
		id = c.w.id(string(c.buf))
	}
	c.out = append(c.out, feature{id, float32(x)})
}

// take gives what was gathered, and begins anew.
func (c *collector) take() []feature {
	out := c.out
	c.out = nil
	return out
}

// score of a candidate's features. The lock must be held.
func (w *Weights) score(fs []feature) float64 {
	s := 0.0
	for _, f := range fs {
		s += w.w[f.id] * float64(f.x)
	}
	return s
}

// softmax turns scores into shares, in place.
func softmax(scores []float64) {
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, s)
	}
	sum := 0.0
	for i, s := range scores {
		scores[i] = math.Exp(s - top)
		sum += scores[i]
	}
	for i := range scores {
		scores[i] /= sum
	}
}

// step moves the weights towards the candidates that were right. The lock must
// be held for writing.
func (w *Weights) step(candidates [][]feature, right []bool, rate float64) {
	scores := make([]float64, len(candidates))
	for i, c := range candidates {
		scores[i] = w.score(c)
	}
	softmax(scores)
	good := 0.0
	for i, ok := range right {
		if ok {
			good += scores[i]
		}
	}
	if good == 0 {
		return
	}
	for i, c := range candidates {
		want := 0.0
		if right[i] {
			want = scores[i] / good
		}
		d := want - scores[i]
		if math.Abs(d) < 1e-3 {
			continue
		}
		for _, f := range c {
			g := d * float64(f.x)
			w.g[f.id] += g * g
			by := rate * g / (1 + math.Sqrt(w.g[f.id]))
			w.w[f.id] += by
			w.moved[f.id] += by
		}
	}
}
