package check

import (
	"fmt"
	"strings"

	"github.com/aside-project/aside/internal/lex"
)

// modal is how strongly a verb is said.
type modal uint8

const (
	plainly modal = iota
	may           // may, might, can, could: it is possible
	should
	will // it comes to pass
	must // it is needed
)

func (m modal) String() string { return [...]string{"", "may", "should", "will", "must"}[m] }

// said is a content word as it stands in a text: denied or not, and how
// strongly.
type said struct {
	term       string
	negated    bool
	modal      modal
	start, end int  // byte range from the words that deny or weaken it
	at         int  // byte offset of the word itself
	sentence   int  // counts sentences
	asked      bool // in a question, which says nothing
}

// speak reads a text as its content words, each with the negation and the modal
// verb in front of it. Both reach to the next content word of the clause.
func speak(text, language string) []said {
	words := lex.Words(text)
	out := make([]said, 0, len(words)/2)
	var pending said
	waiting := false
	sentence, last, first := 0, 0, 0
	low, next := "", ""
	if len(words) > 0 {
		next = strings.ToLower(words[0].In(text))
	}
	for i, w := range words {
		if between := text[last:w.Start]; strings.ContainsAny(between, ".,;:!?()\n|") {
			waiting, pending = false, said{}
			if end := strings.IndexAny(between, ".;!?\n|"); end >= 0 {
				sentence++
				for ; first < len(out); first++ {
					out[first].asked = between[end] == '?'
				}
			}
		}
		last = w.End
		before := low
		low, next = next, ""
		if i+1 < len(words) {
			next = strings.ToLower(words[i+1].In(text))
		}
		mark := func() {
			if !waiting {
				pending.start, waiting = w.Start, true
			}
		}
		if m, ok := modals[low]; ok {
			mark()
			pending.modal = m
			pending.negated = pending.negated || low == "cannot" || strings.HasSuffix(low, "n't") || strings.HasSuffix(low, "n’t")
			continue
		}
		if (low == "have" || low == "has" || low == "need" || low == "needs" || low == "required" || low == "ought") && next == "to" {
			mark()
			pending.modal = must
			if low == "ought" {
				pending.modal = should
			}
			continue
		}
		if low == "t" && i > 0 && contracted[before] { // "can t", as careless exports write it
			mark()
			pending.negated = !pending.negated
			continue
		}
		if low == "no" && answered[next] { // "No you must …" answers; "No refunds …" denies, wherever it stands
			continue
		}
		if negations[low] || strings.HasSuffix(low, "n't") || strings.HasSuffix(low, "n’t") {
			mark()
			pending.negated = !pending.negated
			continue
		}
		term := lex.FirstTerm(w.In(text), language)
		if term == "" {
			continue
		}
		if n := len(out); n > 0 && !waiting && isDigits(term) && isDigits(out[n-1].term) && strings.Trim(text[out[n-1].end:w.Start], " -–.()") == "" {
			out[n-1].term += term // 1-800-772-1213 is one word, however it is written
			out[n-1].end = w.End
			continue
		}
		s := said{term: term, start: w.Start, end: w.End, at: w.Start, sentence: sentence}
		if waiting {
			s.negated, s.modal, s.start = pending.negated, pending.modal, pending.start
			if !adverb(low) { // "may also qualify" weakens both
				waiting, pending = false, said{}
			}
		}
		out = append(out, s)
	}
	for ; first < len(out); first++ {
		out[first].asked = strings.ContainsRune(text[last:], '?')
	}
	return out
}

// adverb reports whether a word stands between a modal verb and its own verb.
func adverb(word string) bool {
	return adverbs[word] || len(word) > 5 && strings.HasSuffix(word, "ly")
}

var adverbs = wordSet(`also still already even always ever just only usually often auch noch nur immer aussi encore toujours también siempre`)

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

var modals = map[string]modal{
	"may": may, "might": may, "can": may, "could": may, "cannot": may, "can't": may, "can’t": may, "couldn't": may, "couldn’t": may,
	"should": should, "shouldn't": should, "shouldn’t": should,
	"will": will, "won't": will, "won’t": will, "you'll": will, "you’ll": will, "we'll": will, "we’ll": will, "it'll": will, "they'll": will,
	"must": must, "mustn't": must, "mustn’t": must, "shall": must,
	"kann": may, "können": may, "darf": may, "dürfen": may, "könnte": may, "soll": should, "sollte": should, "sollten": should, "muss": must, "müssen": must, "wird": will, "werden": will,
	"peut": may, "peuvent": may, "pouvez": may, "pourrait": may, "doit": must, "doivent": must, "devez": must, "devrait": should,
	"puede": may, "pueden": may, "podría": may, "debe": must, "deben": must, "debería": should,
}

var contracted = map[string]bool{"can": true, "don": true, "doesn": true, "didn": true, "isn": true, "aren": true, "wasn": true, "weren": true, "won": true, "hasn": true, "haven": true, "couldn": true, "shouldn": true, "wouldn": true}

var answered = map[string]bool{"you": true, "we": true, "it": true, "i": true, "there": true, "they": true, "that": true, "this": true}

var negations = map[string]bool{
	"not": true, "no": true, "never": true, "without": true, "neither": true, "nor": true, "unless": true, "except": true, "none": true, "nothing": true,
	"nicht": true, "kein": true, "keine": true, "keinen": true, "keiner": true, "nie": true, "ohne": true, "ne": true, "pas": true, "jamais": true, "sans": true, "sin": true, "nunca": true, "não": true, "sem": true,
}

// window is how many content words on each side tell two places apart.
const window = 4

// twist finds a word that the draft says the other way round than its source:
// denied where the source affirms, or stronger or weaker than the source says.
type twist struct {
	draft, source said
	negation      bool
}

// reason says a twist in a sentence for the agent.
func (t twist) reason(words string, p *passage) string {
	source := "“" + clip(strings.Join(strings.Fields(p.text[t.source.start:t.source.end]), " "), 60) + "”"
	switch {
	case t.negation && t.draft.negated:
		return fmt.Sprintf("“%s” denies what %s says: %s.", clip(words, 60), name(p.hit), source)
	case t.negation:
		return fmt.Sprintf("“%s” affirms what %s denies: %s.", clip(words, 60), name(p.hit), source)
	case t.draft.modal > t.source.modal:
		return fmt.Sprintf("“%s” is stronger than %s, which says %s.", clip(words, 60), name(p.hit), source)
	}
	return fmt.Sprintf("“%s” is weaker than %s, which says %s.", clip(words, 60), name(p.hit), source)
}

// surroundings is how many content words around a word must be the same for two
// places to be compared.
const surroundings = 1

// twists compares each content word of a sentence with the word that carries it
// in the source. Where the source says it the draft's way at another place that
// is as much alike, nothing is said.
func twists(draft, source []said, pairs []pair) []twist {
	var out []twist
	for _, p := range pairs {
		d, s := draft[p.own], source[p.theirs]
		if s.asked && !d.asked { // "Can I return it?" is answered elsewhere
			continue
		}
		negation := d.negated != s.negated
		if negation && inferred[d.term] {
			continue
		}
		if !negation && (agree(d.modal, s.modal) || d.negated && d.modal == will && s.modal == may) { // "we won't" for "we cannot"
			continue
		}
		likeness := alike(draft, p.own, source, p.theirs)
		if likeness < surroundings {
			continue
		}
		for j, o := range source {
			if o.term == d.term && (!o.asked || d.asked) && o.negated == d.negated && agree(d.modal, o.modal) && alike(draft, p.own, source, j) >= likeness {
				likeness = -1
				break
			}
		}
		if likeness >= surroundings {
			out = append(out, twist{d, s, negation})
		}
	}
	for from := 0; from < len(pairs) && len(out) == 0; {
		to := from
		for to < len(pairs) && draft[pairs[to].own].sentence == draft[pairs[from].own].sentence {
			to++
		}
		if to-from > 1 {
			out = lonely(draft, source, pairs[from:to])
		}
		from = to
	}
	return out
}

// inferred are words whose denial follows from what the customer said of himself
// ("you don't meet the requirements"): no passage can say so.
var inferred = map[string]bool{"meet": true, "fulfil": true, "fulfill": true, "erfüll": true}

// lonely finds a denial in the sentence where the whole stretch of the source
// that carries it denies nothing.
func lonely(draft, source []said, pairs []pair) []twist {
	first, last := len(source), 0
	for _, p := range pairs {
		if source[p.theirs].asked {
			continue
		}
		first, last = min(first, p.theirs), max(last, p.theirs)
	}
	if first == len(source) {
		return nil
	}
	for _, s := range source[max(0, first-window):min(len(source), last+window+1)] {
		if s.negated {
			return nil
		}
	}
	for _, d := range draft {
		if d.negated && !inferred[d.term] && d.sentence == draft[pairs[0].own].sentence {
			return []twist{{d, source[first], true}}
		}
	}
	return nil
}

// agree reports whether a draft may say with modal d what its source says with
// modal s. People write "you can call" for "call"; but where both name a modal,
// they must be about equally strong.
func agree(d, s modal) bool {
	if d == should && s == will { // "you should see it by then"
		return true
	}
	return d == s || d == plainly || s == plainly
}

// alike counts content words that stand around both places.
func alike(a []said, i int, b []said, j int) int {
	n := 0
	for x := max(0, i-window); x <= min(len(a)-1, i+window); x++ {
		if x == i {
			continue
		}
		for y := max(0, j-window); y <= min(len(b)-1, j+window); y++ {
			if y != j && a[x].term == b[y].term {
				n++
				break
			}
		}
	}
	return n
}
