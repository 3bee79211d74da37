package check

import (
	"strings"

	"github.com/aside-project/aside/internal/lex"
)

// How alike two statements must be for their values to be compared: share of the
// draft's terms that the source's line has, and how much better that line fits
// than the best line that holds the draft's value.
const (
	sameStatement = 0.8
	clearlyBetter = 0.25
	enoughTerms   = 3
	sameSubject   = 0.3 // share of a clause's terms that make it about the same thing
)

// line is one statement of a source that states values.
type line struct {
	terms  map[string]bool
	values []Value
}

// stated is a value in its sentence.
type stated struct {
	Value
	text     string
	sentence lex.Span
	language string
}

// beside looks for a value that the sources do hold, but for something else: a
// line that says the draft's words with another value of the same kind, while
// the value itself stands only in lines about other things. It gives the words
// of the other value, or "".
func (s *sources) beside(v stated) string {
	switch v.Kind {
	case Money, Percent, Duration:
	default:
		return ""
	}
	rivals := false
	for _, t := range s.texts {
		t.once()
		if t.hit == nil && t.holds(v.Value) {
			return "" // somebody said so in the chat
		}
		for _, o := range t.values {
			rivals = rivals || t.hit != nil && o.Kind == v.Kind && o.Key != v.Key
		}
	}
	if !rivals {
		return ""
	}
	terms := v.statement()
	if len(terms) < enoughTerms {
		return ""
	}
	with, without, said := 0.0, 0.0, ""
	for _, t := range s.texts {
		if t.hit == nil {
			continue
		}
		for _, l := range t.statements(v.language) {
			holds, other := t.inLine(l, v.Value)
			if !holds && other == "" {
				continue
			}
			found := 0
			for _, term := range terms {
				if l.terms[term] {
					found++
				}
			}
			share := float64(found) / float64(len(terms))
			switch {
			case holds:
				with = max(with, share)
			case share > without:
				without, said = share, other
			}
		}
	}
	if without >= sameStatement && without-with >= clearlyBetter {
		return clip(said, 40)
	}
	return ""
}

// about reports whether a source that holds an absolute word or a finished deed
// says it of the same thing: "free" in a passage about withdrawals does not make
// "it is completely free" true, and a passage cannot know what was approved
// today. Other kinds of values are not asked.
func (s *sources) about(v stated) bool {
	need := 0.0
	switch {
	case v.Kind == Absolute && v.Key != "absolute:full refund" && v.Key != "absolute:guarantee":
		need = sameSubject
	case v.Kind == Commitment && !v.rule:
		need = sameStatement
	default:
		return true
	}
	terms := v.clause()
	if v.Kind == Absolute && len(terms) == 0 {
		return true
	}
	for _, t := range s.texts {
		if t.once(); !t.holds(v.Value) {
			continue
		}
		if t.hit == nil {
			return true
		}
		title := termSet(t.hit.Title+" "+t.hit.Heading, v.language)
		for _, l := range t.statements(v.language) {
			if holds, _ := t.inLine(l, v.Value); !holds && v.Kind == Commitment {
				continue
			} else if !holds && !l.derives(v.Value) {
				continue
			}
			found := 0
			for _, term := range terms {
				if l.terms[term] || v.Kind == Absolute && title[term] {
					found++
				}
			}
			if len(terms) == 0 || float64(found) >= need*float64(len(terms)) {
				return true
			}
		}
	}
	return false
}

// derives reports whether a line vouches for an absolute value in other words:
// "money back" where it refunds.
func (l line) derives(v Value) bool {
	return v.Key == "absolute:money back" && l.terms["refund"]
}

// clause gives the terms around a value, up to the next punctuation on both
// sides, without the value's own words.
func (v stated) clause() []string {
	text := v.text
	const stops = ".,:;!?()\n"
	start := strings.LastIndexAny(text[:v.Start], stops) + 1
	end := len(text)
	if i := strings.IndexAny(text[v.End:], stops); i >= 0 {
		end = v.End + i
	}
	return distinct(lex.Terms(text[start:v.Start]+" "+text[v.End:end], v.language))
}

// statement gives the terms of the sentence up to the value; of the whole
// sentence when the value stands near its beginning.
func (v stated) statement() []string {
	before := v.text[v.sentence.Start:max(v.Start, v.sentence.Start)]
	terms := distinct(lex.Terms(before, v.language))
	if len(terms) < enoughTerms && v.End < v.sentence.End {
		terms = distinct(lex.Terms(before+" "+v.text[v.End:v.sentence.End], v.language))
	}
	return terms
}

func distinct(terms []string) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range terms {
		if !seen[t] && !strings.ContainsAny(t, "0123456789") {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}

// statements cuts the source at line breaks and sentence ends, and keeps the
// lines that state a value.
func (t *source) statements(language string) []line {
	lines, known := t.lines[language]
	if known {
		return lines
	}
	at, next := 0, 0
	for _, row := range strings.SplitAfter(t.text, "\n") {
		if next == len(t.values) {
			break
		}
		if t.values[next].Start < at+len(row) {
			for _, s := range lex.Sentences(row) {
				var l line
				for ; next < len(t.values) && t.values[next].Start < at+s.End; next++ {
					l.values = append(l.values, t.values[next])
				}
				if l.values == nil {
					continue
				}
				l.terms = termSet(row[s.Start:s.End], language)
				lines = append(lines, l)
			}
		}
		at += len(row)
	}
	if t.lines == nil {
		t.lines = map[string][]line{}
	}
	t.lines[language] = lines
	return lines
}

// inLine reports whether the line holds the value, and if not, the words of its
// last other value of that kind.
func (t *source) inLine(l line, v Value) (holds bool, other string) {
	for _, o := range l.values {
		switch {
		case o.Key == v.Key:
			return true, ""
		case o.Kind == v.Kind:
			other = t.text[o.Start:o.End]
		}
	}
	return false, other
}
