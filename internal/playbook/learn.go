package playbook

import (
	"hash/fnv"
	"slices"

	"github.com/aside-project/aside/internal/assist"
)

// Past is a conversation to learn from.
type Past struct {
	Turns     []assist.Turn
	Procedure string // the document that was followed, "" when nobody said: then it is inferred
	Ended     bool   // it ended after the last turn
}

// Learned says what was learned.
type Learned struct {
	Conversations int // that taught something
	Steps         int // actions, replies and ends
	Skipped       int // conversations that nothing could be learned from
}

// How learning goes.
const (
	epochs    = 4
	rate      = 0.35
	rareWord  = 3    // a word of fewer conversations is not kept: it may be a name
	dropped   = 0.25 // share of examples that must do without what is known of their own procedure, so that a new one does well too
	sureShare = 0.5  // an inferred procedure needs this share
)

// Learn learns order and choice from past conversations: which procedure words
// and actions speak for, which action follows which, and when agents press, say
// and end. It goes over them a few times; the same input gives the same weights.
func (w *Weights) Learn(b *Book, past []Past) Learned {
	var out Learned
	usable := past[:0:0]
	for _, p := range past {
		if p.Procedure == "" {
			p.Procedure = w.infer(b, p.Turns)
		}
		if len(p.Turns) == 0 {
			out.Skipped++
			continue
		}
		usable = append(usable, p)
		out.Conversations++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countWords(b, usable)
	t := trainer{w: w, b: b, rows: map[string][]int32{}, followed: map[int]bool{}}
	for _, p := range usable {
		t.meet(p)
	}
	for _, p := range usable {
		out.Steps += t.gather(p)
	}
	t.train(epochs, rate)
	return out
}

// infer gives the procedure that a whole conversation speaks for, "" when that
// is not clear.
func (w *Weights) infer(b *Book, turns []assist.Turn) string {
	f := w.Forecast(b, turns, Clues{})
	if len(f.Procedures) == 0 || f.Procedures[0].Share < sureShare {
		return ""
	}
	return f.Procedures[0].DocumentID
}

// countWords makes the words that may be learned: those of several
// conversations. Words of the pages may be learned anyway.
func (w *Weights) countWords(b *Book, past []Past) {
	count := map[string]int{}
	for _, p := range past {
		seen := map[string]bool{}
		for i := range p.Turns {
			s := see(p.Turns[i : i+1])
			for _, x := range s.last {
				seen[x[2:]] = true
			}
			for t := range s.topic {
				seen[t] = true
			}
		}
		for t := range seen {
			count[t]++
		}
	}
	for t, n := range count {
		if n >= rareWord && w.ids["v|"+t] == 0 {
			id := w.id("v|" + t)
			w.w[id] = 1
			w.moved[id] = 1
		}
	}
}

// may reports whether a word may be learned.
func (w *Weights) may(b *Book, t string) bool {
	if len(b.terms[t]) > 0 {
		return true
	}
	id, ok := w.ids["v|"+t]
	return ok && w.w[id] > 0
}

// trainer holds the examples of one learning.
type trainer struct {
	w        *Weights
	b        *Book
	rows     map[string][]int32 // word → its feature for each procedure
	followed map[int]bool       // procedures that some conversation followed
	chosen   int                // choices taken of the conversation in hand
	choices  []choiceExample
	presses  []pressExample
	moves    []moveExample
}

type choiceExample struct {
	topic []string
	fixed [][]feature // per procedure, without words
	gold  int
}

type pressExample struct {
	own   [][]feature // per candidate, with what is known of this procedure itself
	text  [][]feature // without
	right []bool
}

type moveExample struct {
	scene scene
	proc  string
	move  Move
}

// meet notes the actions that a procedure's page does not name.
func (t *trainer) meet(p Past) {
	proc, known := t.b.index[p.Procedure]
	if !known {
		return
	}
	t.followed[proc] = true
	id := t.w.id("n|" + p.Procedure)
	t.w.w[id]++
	t.w.moved[id]++
	for _, turn := range p.Turns {
		if a := turn.Action; a != nil && a.Name != "" && !slices.ContainsFunc(t.b.buttons[proc], func(x button) bool { return x.same(labelOf(a.Name)) }) {
			t.w.met(p.Procedure, a.Name)
		}
	}
}

// gather takes the examples out of one conversation: one for every action and
// every turn of an agent.
func (t *trainer) gather(p Past) int {
	t.chosen = 0
	steps := 0
	for i := 0; i <= len(p.Turns); i++ {
		steps += t.gatherAt(p, i)
	}
	return steps
}

// gatherAt takes the example of one turn, which is the end when it is past the
// last.
func (t *trainer) gatherAt(p Past, i int) int {
	proc, known := t.b.index[p.Procedure]
	move, act := MoveEnd, ""
	switch {
	case i == len(p.Turns):
		if !p.Ended {
			return 0
		}
	default:
		turn := p.Turns[i]
		if turn.Action != nil {
			act = turn.Action.Name
		}
		switch {
		case turn.Role == assist.RoleAgent:
			move = MoveSay
		case act != "":
			move = MovePress
		default:
			return 0
		}
	}
	s := t.scene(p.Turns[:i])
	t.moves = append(t.moves, moveExample{s, p.Procedure, move})
	if !known {
		return 1
	}
	if act != "" {
		t.presses = append(t.presses, t.press(s, proc, act))
	}
	if act != "" && t.chosen < 5 || move == MoveEnd || i > 2 && t.chosen == 0 {
		t.chosen++
		t.choices = append(t.choices, t.choice(s, proc))
	}
	return 1
}

// scene sees a transcript through the words that may be learned.
func (t *trainer) scene(turns []assist.Turn) scene {
	s := see(turns)
	may := func(x string) bool { return !t.w.may(t.b, x[2:]) }
	s.words = slices.DeleteFunc(s.words, may)
	s.last = slices.DeleteFunc(s.last, may)
	for _, m := range []map[string]bool{s.topic, s.opening} {
		for x := range m {
			if !t.w.may(t.b, x) {
				delete(m, x)
			}
		}
	}
	return s
}

func (t *trainer) choice(s scene, gold int) choiceExample {
	e := choiceExample{gold: gold}
	for x := range s.topic {
		e.topic = append(e.topic, x)
	}
	slices.Sort(e.topic)
	sim := t.b.similar(s)
	top := slices.Max(append([]float64{1e-9}, sim...))
	meant := t.b.meant(s)
	most := slices.Max(append([]float64{0}, meant...))
	c := &collector{w: t.w, learn: true}
	for p := range t.b.procs {
		t.w.procedureFeatures(c, t.b, p, s, sim[p]/top, meant[p]/(most+2.5), Clues{})
		e.fixed = append(e.fixed, c.take())
	}
	return e
}

// press takes apart what spoke for each button that could have been pressed.
func (t *trainer) press(s scene, proc int, act string) pressExample {
	buttons := t.w.candidates(t.b, proc)
	order := orderOf(buttons, s)
	pressed := labelOf(act)
	c := &collector{w: t.w, learn: true}
	e := pressExample{make([][]feature, len(buttons)), make([][]feature, len(buttons)), make([]bool, len(buttons))}
	for i := range buttons {
		text := buttonFeatures(c, t.b.procs[proc].DocumentID, buttons, i, order, s, true)
		e.own[i] = slices.Clip(c.take())
		e.text[i] = e.own[i][:text]
		e.right[i] = buttons[i].same(pressed)
	}
	return e
}

// train goes over all examples a few times: first which procedure and which
// button, then, knowing the button, when to press one at all.
func (t *trainer) train(epochs int, rate float64) {
	for epoch := range epochs {
		t.trainChoices(epoch, rate)
		for i, e := range t.presses {
			cands := e.own
			if drop(epoch, i, 0) {
				cands = e.text
			}
			t.w.step(cands, e.right, rate)
		}
	}
	t.presses, t.choices = nil, nil
	moved := make([][][]feature, len(t.moves))
	c, read := &collector{w: t.w, learn: true}, &collector{w: t.w}
	for i, e := range t.moves {
		var likely []Likely
		if _, known := t.b.index[e.proc]; known {
			likely = []Likely{{e.proc, 1}}
		}
		buttons := t.w.press(read, t.b, e.scene, likely)
		for _, m := range moves {
			moveFeatures(c, m, e.scene, buttons)
			moved[i] = append(moved[i], slices.Clip(c.take()))
		}
		t.moves[i].scene = scene{}
	}
	for range epochs {
		for i, e := range t.moves {
			right := make([]bool, len(moves))
			right[slices.Index(moves, e.move)] = true
			t.w.step(moved[i], right, rate)
		}
	}
}

func (t *trainer) trainChoices(epoch int, rate float64) {
	var cands [][]feature
	var right []bool
	for i, e := range t.choices {
		cands, right = cands[:0], right[:0]
		for p, fs := range e.fixed {
			if !t.followed[p] {
				continue // not followed yet: that is no reason against it
			}
			if !drop(epoch, i, p) {
				fs = append(make([]feature, 0, len(fs)+len(e.topic)), fs...)
				for _, x := range e.topic {
					fs = append(fs, feature{t.row(x)[p], 1})
				}
			}
			cands = append(cands, fs)
			right = append(right, p == e.gold)
		}
		t.w.step(cands, right, rate)
	}
}

func (t *trainer) row(word string) []int32 {
	if r, ok := t.rows[word]; ok {
		return r
	}
	r := make([]int32, len(t.b.procs))
	for p := range r {
		r[p] = t.w.id("pt|" + t.b.procs[p].DocumentID + "|" + word)
	}
	t.rows[word] = r
	return r
}

// drop picks the examples that must do without; the same each time.
func drop(a, b, c int) bool {
	h := fnv.New32a()
	h.Write([]byte{byte(a), byte(b), byte(b >> 8), byte(b >> 16), byte(c), byte(c >> 8)})
	return float64(h.Sum32()%1000) < dropped*1000
}

// followRate is how far one observed step moves the weights: less than in a
// learning from many, for it is seen once and in the order things happen.
const followRate = 0.1

// FollowEnd learns from the end of a running conversation: its last turn was the
// last there was to say or do.
func (w *Weights) FollowEnd(b *Book, turns []assist.Turn) { w.followAt(b, turns, len(turns)) }

// Follow learns from the last turn of a running conversation: the action that
// was just reported, or the reply that was just sent. What it takes is bounded
// by one transcript; words that are not known yet are not kept.
func (w *Weights) Follow(b *Book, turns []assist.Turn) { w.followAt(b, turns, len(turns)-1) }

// followAt takes the example of one turn, the end being past the last.
func (w *Weights) followAt(b *Book, turns []assist.Turn, at int) {
	if len(turns) == 0 || b.Len() == 0 {
		return
	}
	p := Past{Turns: turns, Procedure: w.infer(b, turns), Ended: true}
	w.mu.Lock()
	defer w.mu.Unlock()
	t := trainer{w: w, b: b, rows: map[string][]int32{}, followed: map[int]bool{}}
	t.meet(Past{Turns: turns[min(at, len(turns)):], Procedure: p.Procedure})
	for i := range b.procs {
		t.followed[i] = w.w[w.id("n|"+b.procs[i].DocumentID)] > 0
	}
	if i, ok := b.index[p.Procedure]; ok {
		t.followed[i] = true
	}
	t.gatherAt(p, at)
	t.train(1, followRate)
}
