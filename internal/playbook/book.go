package playbook

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// Book is the procedures there are, made ready to choose from. It does not
// change; make a new one when the knowledge does.
type Book struct {
	procs    []Procedure
	buttons  [][]button // per procedure, in the order of the page
	index    map[string]int
	terms    map[string][]posting
	long     []float64 // length of each page in terms
	average  float64
	purpose  map[string][]posting // terms of titles and of what stands before the first step: what a page is for
	amends   []amend              // bullets that say what to give when somebody was let down
	beyond   [][]label            // per procedure, the actions of the pages that it sends on to
	leads    map[place]int        // references to other procedures
	problems []Problem
}

// amend is a bullet with its place.
type amend struct {
	proc *Procedure
	step Step
	text string
}

// label is an action's name, made ready to compare.
type label struct {
	name  string
	key   string
	words []string
	kind  string // of a report that says the kind of an action and what of: "query" of "query:weather"
}

func labelOf(name string) label {
	l := label{name: name, key: Key(name), words: nameWords(name)}
	if kind, what, ok := strings.Cut(name, ":"); ok && what != "" && !strings.ContainsAny(name, " /") {
		l.kind = strings.ToLower(kind)
	}
	return l
}

// same is Same, without taking the names apart each time.
func (a label) same(b label) bool {
	if a.key == b.key {
		return true
	}
	if (a.kind == "") != (b.kind == "") { // "query:weather" is the step "query_check" of the page it is done on
		return len(a.words) > 0 && len(b.words) > 0 && a.words[0] == b.words[0]
	}
	x, y := a.words, b.words
	if len(x) > len(y) {
		x, y = y, x
	}
	for _, w := range x {
		if !slices.Contains(y, w) {
			return false
		}
	}
	return len(x) > 0
}

// button is an action a page names.
type button struct {
	label
	step  int // index of the step
	level int // 0: it heads the step, 1: the step names it too, 2: a bullet does
	terms map[string]bool
	then  []int // steps that its step sends on to, whatever the condition
	bye   bool  // it says goodbye
	loops bool  // its page says after each step which comes next, so that steps may come again
}

type posting struct {
	proc  int
	count float64
}

// NewBook makes a book.
func NewBook(procs []Procedure) *Book {
	b := &Book{procs: procs, index: map[string]int{}, terms: map[string][]posting{}, leads: map[place]int{}, purpose: map[string][]posting{}}
	for i, p := range procs {
		b.index[p.DocumentID] = i
		for _, s := range p.Steps {
			for _, c := range s.Conditions {
				if suits(c.Text, Mood{Broken: []string{""}, Contact: 3}) > 0 {
					b.amends = append(b.amends, amend{&b.procs[i], s, c.Text})
				}
			}
		}
		b.buttons = append(b.buttons, buttonsOf(p))
		count := map[string]float64{}
		n := 0.0
		for _, t := range lex.Terms(p.Title, "en") {
			count[meaning(t)] += 3
			n += 3
		}
		for _, t := range lex.Terms(p.Body, "en") {
			count[meaning(t)]++
			n++
		}
		b.long = append(b.long, n)
		b.average += n / float64(len(procs))
		for t, c := range count {
			b.terms[t] = append(b.terms[t], posting{i, c})
		}
		for t, c := range purposeOf(p) {
			b.purpose[t] = append(b.purpose[t], posting{i, c})
		}
	}
	b.resolve()
	b.beyond = make([][]label, len(procs))
	for at, to := range b.leads {
		for _, x := range b.buttons[to] {
			b.beyond[at.proc] = append(b.beyond[at.proc], x.label)
		}
	}
	return b
}

// Procedure gives a procedure of the book by its document.
func (b *Book) Procedure(document string) (Procedure, bool) {
	i, ok := b.index[document]
	if !ok {
		return Procedure{}, false
	}
	return b.procs[i], true
}

// Len is how many procedures there are.
func (b *Book) Len() int { return len(b.procs) }

func buttonsOf(p Procedure) []button {
	var out []button
	at := map[string]int{}
	g := pathsOf(p)
	add := func(name string, step, level int, terms map[string]bool) {
		l := labelOf(name)
		if i, ok := at[l.key]; ok {
			out[i].level = min(out[i].level, level)
			return
		}
		at[l.key] = len(out)
		b := button{label: l, step: step, level: level, terms: terms}
		if step >= 0 {
			b.then, b.loops = g.then[step], g.all
		}
		out = append(out, b)
	}
	for i, s := range p.Steps {
		if g.outcome[i] {
			continue // what comes out of the step before, not a thing to do
		}
		terms := map[string]bool{}
		text := s.Text
		for _, c := range s.Conditions {
			text += " " + c.Text
		}
		for _, t := range lex.Terms(text, "en") {
			terms[t] = true
		}
		for j, a := range s.Actions {
			add(a, i, min(j, 1), terms)
		}
		for _, c := range s.Conditions {
			for _, a := range actions(c.Text) {
				add(a, i, 2, terms)
			}
		}
	}
	for _, r := range p.Replies {
		terms := map[string]bool{}
		for _, t := range lex.Terms(r.Text, "en") {
			terms[t] = true
		}
		add(r.Name, -1, 2, terms)
		if i := at[Key(r.Name)]; out[i].step < 0 {
			out[i].bye = farewell.MatchString(r.Text)
		}
	}
	return out
}

// farewell finds a goodbye: what is said, or the words to say it.
var farewell = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:goodbye|good bye|bye|farewell|auf wiedersehen|tschüss|au revoir|adiós|hasta luego|adeus|até logo)(?:[^\pL]|$)`)

// paths are the ways through a page that says after each step which comes next.
type paths struct {
	then    [][]int // by step: where it sends on to
	all     bool    // most steps say so
	outcome []bool  // it names what may come out of a step before it: "`yes`: Yes -> then `book`"
}

// outcomes is how many ways on from one step are looked at.
const outcomes = 3

// pathsOf reads them. On a page that sends on from most steps, a step that nobody
// sends to and that has no sentence of its own is an outcome: its target follows the
// step before that sends nowhere.
func pathsOf(p Procedure) paths {
	g := paths{then: make([][]int, len(p.Steps)), outcome: make([]bool, len(p.Steps))}
	sends, sent := 0, make([]bool, len(p.Steps))
	for i, s := range p.Steps {
		for _, r := range s.Refs {
			if r.Kind == RefStep && r.Step < len(sent) {
				g.then[i] = append(g.then[i], r.Step)
				sent[r.Step] = true
			}
		}
		if len(g.then[i]) > 0 {
			sends++
		}
	}
	if 2*sends < len(p.Steps) {
		return g
	}
	g.all = true
	for i, s := range p.Steps {
		g.outcome[i] = i > 0 && !sent[i] && len(g.then[i]) > 0 && wordless(s)
	}
	for i := range p.Steps {
		if len(g.then[i]) > 0 {
			continue
		}
		for j, n := i+1, 0; j < len(p.Steps) && n < outcomes; j++ {
			if g.outcome[j] && !p.answers(g, j, i) {
				g.then[i] = append(g.then[i], g.then[j]...)
				n++
			}
		}
	}
	return g
}

// answers reports whether an outcome is the contrary of one before a step, and so
// comes out of an earlier one: "unavailable" after "available", "query_failure" after
// "query_success", "no" after "yes".
func (p Procedure) answers(g paths, outcome, step int) bool {
	name := p.Steps[outcome].Actions[0]
	words := nameWords(name)
	for i := range step {
		if !g.outcome[i] {
			continue
		}
		other := p.Steps[i].Actions[0]
		same := nameWords(other)
		if strings.HasSuffix(Key(name), Key(other)) || len(words) > 1 && len(same) > 1 && words[0] == same[0] || Key(name) == contrary[Key(other)] {
			return true
		}
	}
	return false
}

var contrary = map[string]string{"yes": "no", "ja": "nein", "oui": "non", "sí": "no", "si": "no", "sim": "não"}

// wordless reports whether a step is only a name.
func wordless(s Step) bool {
	if len(s.Actions) != 1 {
		return false
	}
	_, text, _ := strings.Cut(s.Text, ":")
	text, _, _ = strings.Cut(text, "->")
	return len(strings.Fields(text)) <= 2 && !strings.ContainsAny(text, ".?!")
}

// purposeOf counts the terms with which a page says what it is for. Sentences
// that send elsewhere name what it is not for.
func purposeOf(p Procedure) map[string]float64 {
	count := map[string]float64{}
	for _, t := range lex.Terms(p.Title, "en") {
		count[meaning(t)] = 2
	}
	if len(p.Steps) == 0 {
		return count
	}
	lead := p.Body[:p.Steps[0].Start]
	for _, at := range sentencesOf(lead) {
		s := lead[at[0]:at[1]]
		if !slices.ContainsFunc(refsIn(s, 0, false), func(f found) bool { return !f.plain }) {
			for _, t := range lex.Terms(s, "en") {
				count[meaning(t)]++
			}
		}
	}
	return count
}

// meaning is the word that stands for all that mean the same to customers and pages.
func meaning(term string) string {
	if m, ok := alike[term]; ok {
		return m
	}
	return term
}

var alike = func() map[string]string {
	m := map[string]string{}
	for _, line := range []string{"parcel package"} {
		words := lex.Terms(line, "en")
		for _, w := range words {
			m[w] = words[0]
		}
	}
	return m
}()

// meanings are the terms by what they mean, each once.
func meanings(terms map[string]bool) map[string]bool {
	out := make(map[string]bool, len(terms))
	for t := range terms {
		out[meaning(t)] = true
	}
	return out
}

// meant scores the pages by how much of what the customer said first is what
// they are for. Unlike similar, it is near zero when no page is.
func (b *Book) meant(s scene) []float64 {
	scores := make([]float64, len(b.procs))
	n := float64(len(b.procs))
	for t := range meanings(s.opening) {
		ps := b.purpose[t]
		idf := math.Log(1 + (n-float64(len(ps))+0.5)/(float64(len(ps))+0.5))
		for _, p := range ps {
			scores[p.proc] += idf * min(p.count, 3) / 1.5
		}
	}
	return scores
}

// clearlyMeant is the score from which a page is followed though nothing of it was found
// for the question.
const clearlyMeant = 2

// Meant gives the procedures that are clearly for what the customer said first, the
// best as 1.
func (b *Book) Meant(turns []assist.Turn) map[string]float64 {
	scores := b.meant(see(turns))
	top := slices.Max(append(scores, 0))
	if top < clearlyMeant {
		return nil
	}
	out := map[string]float64{}
	for i, s := range scores {
		if s >= clearlyMeant && s >= 0.75*top {
			out[b.procs[i].DocumentID] = s / top
		}
	}
	return out
}

// similar scores the pages by how much of what was said they speak of (BM25).
func (b *Book) similar(s scene) []float64 {
	scores := make([]float64, len(b.procs))
	n := float64(len(b.procs))
	opening := meanings(s.opening)
	for t := range meanings(s.topic) {
		ps := b.terms[t]
		if len(ps) == 0 {
			continue
		}
		idf := math.Log(1 + (n-float64(len(ps))+0.5)/(float64(len(ps))+0.5))
		weight := 0.6
		if opening[t] {
			weight = 1
		}
		for _, p := range ps {
			scores[p.proc] += weight * idf * p.count * 2 / (p.count + 1*(0.4+0.6*b.long[p.proc]/b.average))
		}
	}
	return scores
}

// Same reports whether two systems mean one action: "pull-up-account" and "Pull
// up Account", or the words of one name among those of the other ("notify-team",
// "Notify Internal Team").
func Same(a, b string) bool { return labelOf(a).same(labelOf(b)) }

func nameWords(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !lexLetter(r) })
}

func lexLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127
}

// Documents gives the ids of the procedures' documents.
func (b *Book) Documents() []string {
	out := make([]string, 0, len(b.procs))
	for _, p := range b.procs {
		out = append(out, p.DocumentID)
	}
	return out
}
