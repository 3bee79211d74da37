package playbook

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// shipped is what is believed before anything was learned: that agents follow
// the page, that a page which names what was done is the page they follow, and
// that pages are about what they speak of.
var shipped = map[string]float64{
	"p:sim": 9, "p:for": 5, "p:best": 0.3, "p:unnamed": -2.0, "p:named": 0.5, "p:hit": 6, "p:ticked": 8,
	"b:order|0": 2.2, "b:order|1": 1.0, "b:order|2": 0.2, "b:order|3": -0.4,
	"b:before|0": -0.6, "b:before|1": -1.0, "b:level|1": -0.8, "b:level|2": -1.4, "b:foreign": -1.5,
	"b:done": -2.5, "b:then": 2.5, "b:last": -1, "b:said": 1.5, "b:bye": 4,
	"m:say": 0.9, "m:end": -2.2, "m:press|f|number|c": 0.8, "m:press|f|email|c": 0.9, "m:press|f|short|c": 0.2, "m:press|sure": 0.3,
	"m:press|said|": -0.9, "m:end|l|c:bye": 7, "m:end|l|a:bye": 5, "m:end|l|c:goodbye": 7, "m:end|l|c:thanks": 1, "m:end|l|c:thank": 1, "m:end|l|a:day": 2,
	"m:end|said|aca": 0.5, "m:end|said|aac": -0.2, "m:press|l|a:moment": 1.5, "m:press|l|a:check": 1,
}

// Move is what an agent does next, whatever the words.
type Move string

// The moves.
const (
	MovePress Move = "press" // do something in another system
	MoveSay   Move = "say"   // write to the customer
	MoveEnd   Move = "end"   // there is nothing left to do but listen
)

var moves = []Move{MovePress, MoveSay, MoveEnd}

// Forecast is what an agent is likely to do next.
type Forecast struct {
	Procedures []Likely   // most likely first, at most considered
	Buttons    []Press    // over those procedures together, most likely first
	Moves      [3]float64 // shares of press, say, end
	scene      scene
}

// Move is the likeliest.
func (f Forecast) Move() Move {
	best := 0
	for i := range f.Moves {
		if f.Moves[i] > f.Moves[best] {
			best = i
		}
	}
	return moves[best]
}

// Likely is a procedure with its share of likelihood.
type Likely struct {
	DocumentID string
	Share      float64
}

// Press is an action with its share of likelihood.
type Press struct {
	Name       string
	DocumentID string // the procedure that speaks most for it
	Step       int    // index in that procedure, -1: the page does not name it
	Share      float64
}

// considered is how many procedures a forecast looks at together, and how small
// a share is too small.
const (
	considered = 5
	negligible = 0.02
)

// Clues are what else speaks for a procedure than the words.
type Clues struct {
	Hits   map[string]float64 // documents that were found for the question, 1 the best
	Ticked string             // the document an agent last ticked a step of
	Not    map[string]bool    // documents that are not to be followed now
	Only   bool               // choose among Hits and Ticked, when there are any
}

// Forecast says what an agent is likely to do next: which procedure the words
// and the actions speak for, and which of its steps follows this state.
func (w *Weights) Forecast(b *Book, turns []assist.Turn, clues Clues) Forecast {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := see(turns)
	c := &collector{w: w}
	f := Forecast{scene: s}
	f.Procedures = w.choose(c, b, s, clues)
	f.Buttons = w.press(c, b, s, f.Procedures)
	scores := make([]float64, len(moves))
	for i, m := range moves {
		moveFeatures(c, m, s, f.Buttons)
		scores[i] = w.score(c.take())
	}
	softmax(scores)
	copy(f.Moves[:], scores)
	return f
}

func (w *Weights) choose(c *collector, b *Book, s scene, clues Clues) []Likely {
	sim := b.similar(s)
	top := slices.Max(append([]float64{1e-9}, sim...))
	meant := b.meant(s)
	most := slices.Max(append([]float64{0}, meant...))
	var scores []float64
	procs := eligible(b, sim, clues)
	for _, p := range procs {
		id := b.procs[p].DocumentID
		w.procedureFeatures(c, b, p, s, sim[p]/top, meant[p]/(most+2.5), clues)
		for t := range s.topic {
			c.add(1, "pt", id, t)
		}
		fs := c.take()
		scores = append(scores, w.score(fs))
	}
	softmax(scores)
	var out []Likely
	for i, p := range procs {
		out = append(out, Likely{b.procs[p].DocumentID, scores[i]})
	}
	slices.SortStableFunc(out, func(a, b Likely) int { return cmp.Compare(b.Share, a.Share) })
	for i := range out {
		if i == considered || i > 0 && out[i].Share < negligible {
			return out[:i]
		}
	}
	return out
}

// weighed is how many procedures are weighed by their words; in a larger book
// those that speak least of the transcript are left out, which bounds the time.
const weighed = 64

// eligible are the procedures to choose from.
func eligible(b *Book, sim []float64, clues Clues) []int {
	some := clues.Only && (len(clues.Hits) > 0 || clues.Ticked != "")
	var out []int
	for p := range b.procs {
		id := b.procs[p].DocumentID
		clue := clues.Hits[id] > 0 || clues.Ticked == id && id != ""
		if !clues.Not[id] && (clue || !some) {
			out = append(out, p)
		}
	}
	if len(out) > weighed {
		slices.SortStableFunc(out, func(x, y int) int {
			return cmp.Compare(sim[y]+1000*clues.Hits[b.procs[y].DocumentID], sim[x]+1000*clues.Hits[b.procs[x].DocumentID])
		})
		out = out[:weighed]
	}
	return out
}

// procedureFeatures are the reasons for a procedure, but for the words learned.
func (w *Weights) procedureFeatures(c *collector, b *Book, p int, s scene, sim, meant float64, clues Clues) {
	id := b.procs[p].DocumentID
	c.add(sim, "p:sim")
	if sim == 1 {
		c.add(1, "p:best")
	}
	c.add(meant, "p:for")
	c.add(clues.Hits[id], "p:hit")
	if clues.Ticked == id {
		c.add(1, "p:ticked")
	}
	for name := range s.done {
		switch {
		case slices.ContainsFunc(b.buttons[p], func(x button) bool { return x.same(s.names[name]) }):
			c.add(1, "p:named")
		case slices.ContainsFunc(b.beyond[p], func(l label) bool { return l.same(s.names[name]) }):
			// done on a page that this one sends to
		case !slices.ContainsFunc(w.foreign[id], func(l label) bool { return l.key == name }):
			c.add(1, "p:unnamed")
		}
	}
}

// candidates are the actions of a procedure: those its page names, and those
// that agents were seen to do in it.
func (w *Weights) candidates(b *Book, p int) []button {
	out := slices.Clone(b.buttons[p])
	for _, l := range w.foreign[b.procs[p].DocumentID] {
		if !slices.ContainsFunc(out, func(x button) bool { return x.same(l) }) {
			out = append(out, button{label: l, step: -1})
		}
	}
	return out
}

func (w *Weights) press(c *collector, b *Book, s scene, likely []Likely) []Press {
	var out []Press
	at := map[string]int{}
	best := map[string]float64{}
	for _, l := range likely {
		p := b.index[l.DocumentID]
		cands := w.candidates(b, p)
		if len(cands) == 0 {
			continue
		}
		scores := make([]float64, len(cands))
		order := orderOf(cands, s)
		for i := range cands {
			buttonFeatures(c, l.DocumentID, cands, i, order, s, true)
			scores[i] = w.score(c.take())
		}
		softmax(scores)
		for i, cand := range cands {
			share := scores[i] * l.Share
			j, ok := at[cand.key]
			if !ok {
				j = len(out)
				at[cand.key] = j
				out = append(out, Press{Name: cand.name})
			}
			out[j].Share += share
			if share > best[cand.key] {
				best[cand.key] = share
				out[j].DocumentID, out[j].Step = l.DocumentID, cand.step
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Press) int { return cmp.Compare(b.Share, a.Share) })
	return out
}

// order is where the work stands on a page.
type order struct {
	done     []bool // per candidate
	furthest int    // step of the last button done, -1: none
	rank     []int  // per candidate: 0 is the first that is not done after furthest; negative before it
	last     string // key of the last action as the page calls it
	last2    string
	then     []int // steps that the last button's step sends on to
}

func orderOf(cands []button, s scene) order {
	o := order{done: make([]bool, len(cands)), rank: make([]int, len(cands)), furthest: -1}
	canon := func(act string) string {
		for _, c := range cands {
			if c.same(s.names[act]) {
				return c.key
			}
		}
		return act
	}
	if n := len(s.acts); n > 0 {
		o.last = canon(s.acts[n-1])
		if n > 1 {
			o.last2 = canon(s.acts[n-2])
		}
	}
	before := -1
	for _, act := range s.acts {
		one := -1 // a report that fits several is one of them: that which was due, or again the last, or the first not done yet
		for i, c := range cands {
			if !c.same(s.names[act]) {
				continue
			}
			if c.loops && slices.Contains(o.then, c.step) {
				one = i
				break
			}
			if one < 0 || c.loops && i == before || !(c.loops && one == before) && o.done[one] && !o.done[i] {
				one = i
			}
		}
		before = one
		if one >= 0 {
			o.done[one] = true
			o.then = cands[one].then
			if c := cands[one]; c.level < 2 && c.step > o.furthest {
				o.furthest = c.step
			}
		}
	}
	ahead, behind := 0, 0
	step := -1
	for i, c := range cands {
		if c.step <= o.furthest || o.done[i] || c.step < 0 {
			continue
		}
		if step >= 0 && c.step != step {
			ahead++
		}
		step = c.step
		o.rank[i] = ahead
	}
	for i := len(cands) - 1; i >= 0; i-- {
		if c := cands[i]; c.step >= 0 && c.step <= o.furthest && !o.done[i] {
			behind++
			o.rank[i] = -behind
		}
	}
	return o
}

// buttonFeatures are the reasons for one action of a procedure. own says whether
// to use what was learned of this very procedure; the reasons before those are
// counted in text.
func buttonFeatures(c *collector, doc string, cands []button, i int, o order, s scene, own bool) (text int) {
	b := cands[i]
	due := slices.Index(o.then, b.step)
	switch {
	case b.step < 0:
		c.add(1, "b:foreign")
	case b.level == 0 && due >= 0 && (b.loops || !o.done[i]): // it may come again
		c.add(1, "b:order", depth(due, 3))
	case o.done[i]:
		c.add(1, "b:done")
		if b.key == o.last {
			c.add(1, "b:last")
		}
	case o.rank[i] >= 0:
		c.add(1, "b:order", depth(o.rank[i], 3))
	default:
		c.add(1, "b:before", depth(-o.rank[i]-1, 1))
	}
	if b.level == 0 && b.step >= 0 && due >= 0 {
		c.add(1, "b:then")
	}
	if b.level > 0 {
		c.add(1, "b:level", depth(b.level, 2))
	}
	if b.bye && s.leaves {
		c.add(1, "b:bye")
	}
	if n := len(s.words); n > 0 && b.step >= 0 {
		shared := 0
		for _, w := range s.words {
			if b.terms[w[2:]] {
				shared++
			}
		}
		c.add(float64(shared)/math.Sqrt(float64(n)*float64(len(b.terms)+4)), "b:said")
	}
	done := depth(min(s.done[b.key], 2), 2)
	c.add(1, "g", b.key, o.last)
	c.add(1, "g2", b.key, o.last2, o.last)
	c.add(1, "gd", b.key, done)
	for _, w := range s.words {
		c.add(0.3, "gw", b.key, w)
	}
	for _, f := range s.facts {
		c.add(0.5, "gf", b.key, f)
	}
	for _, w := range s.last {
		c.add(0.2, "gl", b.key, w)
	}
	text = len(c.out)
	if !own {
		return text
	}
	c.add(1, "o", doc, b.key, o.last)
	c.add(1, "o2", doc, b.key, o.last2, o.last)
	c.add(1, "od", doc, b.key, done)
	c.add(0.5, "on", doc, b.key, depth(len(s.acts), 5))
	for _, w := range s.words {
		c.add(0.3, "ow", doc, b.key, w)
	}
	for t := range s.opening {
		c.add(0.15, "ot", doc, b.key, t)
	}
	return text
}

// moveFeatures are the reasons to press, to say, or to end.
func moveFeatures(c *collector, m Move, s scene, buttons []Press) {
	k := "m:" + string(m)
	c.add(1, k)
	said := strings.Join(s.said[:min(3, len(s.said))], "")
	c.add(1, k, "said", said)
	c.add(1, k, "since", depth(len(s.said), 8))
	last := ""
	if n := len(s.acts); n > 0 {
		last = s.acts[n-1]
	}
	first := ""
	if len(s.said) > 0 {
		first = s.said[0]
	}
	c.add(1, k, "act", last, first)
	c.add(0.5, k, "act", last, said)
	c.add(0.5, k, "acts", depth(len(s.acts), 6), first)
	c.add(0.5, k, "turns", depth(s.turns/4, 8), first)
	for _, f := range s.facts {
		c.add(1, k, "f", f, first)
	}
	if s.asked {
		c.add(1, k, "asked", said)
	}
	for _, w := range s.last {
		c.add(0.5, k, "l", w)
	}
	for i, w := range s.last {
		if i+1 < len(s.last) {
			c.add(0.5, k, "ll", w, s.last[i+1][2:])
		}
	}
	for _, w := range s.words {
		c.add(0.2, k, "w", w)
		if len(buttons) > 0 {
			c.add(0.2, k, "bw", Key(buttons[0].Name), w)
		}
	}
	if len(buttons) > 0 {
		b := buttons[0]
		c.add(b.Share, k, "sure")
		c.add(1, k, "b", Key(b.Name), said)
		c.add(1, k, "b", Key(b.Name), last, first)
		for _, f := range s.facts {
			c.add(1, k, "bf", Key(b.Name), f, first)
		}
		c.add(1, k, "ba", Key(b.Name), depth(len(s.said), 6))
	}
}
