package lex

import (
	"cmp"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Pattern is a regular expression that most texts do not match, such as a list of
// phrases. It knows words of which every match holds one: a text without them is
// told apart in a tenth of the time. It matches what the expression matches.
type Pattern struct {
	*regexp.Regexp
	needs []string // in lower case; empty: nothing is known
	plain needles  // those that a text of plain ASCII can hold
	other *needles // plain ASCII pieces of needs, for other texts; nil: nothing is known
	oneOf string   // the pattern is one of these bytes, such as a digit; "": it is not
}

// MustPattern compiles an expression. It panics where that is malformed.
func MustPattern(expr string) *Pattern {
	p := &Pattern{Regexp: regexp.MustCompile(expr)}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		panic("lex: " + err.Error()) // it was compiled
	}
	if n := len(tree.Rune); tree.Op == syntax.OpCharClass && n > 0 && tree.Rune[n-1] < utf8.RuneSelf {
		for i := 0; i < len(tree.Rune); i += 2 {
			for r := tree.Rune[i]; r <= tree.Rune[i+1]; r++ {
				p.oneOf += string(r)
			}
		}
	}
	p.needs = needs(tree)
	pieces := make([]string, len(p.needs))
	for i, s := range p.needs {
		if pieces[i] = plainPiece(s); pieces[i] == s {
			p.plain.add(s)
		}
	}
	if pieces = worth(pieces); pieces != nil {
		p.other = &needles{}
		for _, s := range pieces {
			p.other.add(s)
		}
	}
	return p
}

// MatchString says whether the text holds a match.
func (p *Pattern) MatchString(text string) bool {
	if p.oneOf != "" {
		return strings.ContainsAny(text, p.oneOf)
	}
	return p.may(text) && p.Regexp.MatchString(text)
}

// FindStringIndex gives the first match, nil if there is none.
func (p *Pattern) FindStringIndex(text string) []int {
	if !p.may(text) {
		return nil
	}
	return p.Regexp.FindStringIndex(text)
}

// FindAllStringIndex gives up to n matches, all of them for n < 0.
func (p *Pattern) FindAllStringIndex(text string, n int) [][]int {
	if !p.may(text) {
		return nil
	}
	return p.Regexp.FindAllStringIndex(text, n)
}

// FindAllStringSubmatch gives up to n matches with their groups, all for n < 0.
func (p *Pattern) FindAllStringSubmatch(text string, n int) [][]string {
	if !p.may(text) {
		return nil
	}
	return p.Regexp.FindAllStringSubmatch(text, n)
}

// ReplaceAllString replaces each match.
func (p *Pattern) ReplaceAllString(text, by string) string {
	if !p.may(text) {
		return text
	}
	return p.Regexp.ReplaceAllString(text, by)
}

// may says whether a text can hold a match.
func (p *Pattern) may(text string) bool {
	if len(p.needs) == 0 {
		return true
	}
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			// The long s and the sign of Kelvin are the only other cases of plain letters.
			return p.other == nil || p.other.in(text) || strings.ContainsAny(text[i:], "\u017f\u212a")
		}
	}
	return p.plain.in(text)
}

// needles are strings of two and more plain ASCII letters in lower case that are
// looked for all at once.
type needles struct {
	all   []string
	pairs [1 << 10 / 64]uint64 // a bit for each two bytes that one begins with
}

// pair is the bit of two bytes, the same for both cases of letters.
func pair(a, b byte) (word, bit int) { return int(a & 31 >> 1), int(a&1<<5 | b&31) }

func (n *needles) add(s string) {
	word, bit := pair(s[0], s[1])
	n.pairs[word] |= 1 << bit
	n.all = append(n.all, s)
}

// in reports whether a text holds one of them, in any case.
func (n *needles) in(text string) bool {
	for i := 1; i < len(text); i++ {
		if word, bit := pair(text[i-1], text[i]); n.pairs[word]>>bit&1 != 0 {
			for _, s := range n.all {
				if begins(text[i-1:], s) {
					return true
				}
			}
		}
	}
	return false
}

// begins reports whether a text begins with a needle, in any case.
func begins(text, needle string) bool {
	if len(text) < len(needle) {
		return false
	}
	for i := 0; i < len(needle); i++ {
		c := text[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != needle[i] {
			return false
		}
	}
	return true
}

// plainPiece is the longest piece of plain ASCII in a string.
func plainPiece(s string) (longest string) {
	for piece := range strings.FieldsFuncSeq(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if len(piece) > len(longest) {
			longest = piece
		}
	}
	return longest
}

const (
	mostExact   = 64 // strings that a part of an expression is taken to stand for
	shortestOne = 2  // bytes of a string worth looking for
)

// needs gives strings of which every match holds one; nil where there are none
// worth looking for.
func needs(re *syntax.Regexp) []string {
	if all := exact(re); all != nil {
		return worth(all)
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpPlus:
		return needs(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needs(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			of := needs(sub)
			if of == nil {
				return nil
			}
			all = append(all, of...)
		}
		return worth(all)
	case syntax.OpConcat:
		var best []string
		better := func(s []string) {
			if s = worth(s); s != nil && (best == nil || shortest(s) > shortest(best) || shortest(s) == shortest(best) && len(s) < len(best)) {
				best = s
			}
		}
		run := []string{""}
		for _, sub := range re.Sub {
			of := exact(sub)
			if of != nil && len(run)*len(of) <= mostExact {
				run = cross(run, of)
				continue
			}
			better(run)
			if run = []string{""}; of != nil {
				run = of
			} else {
				better(needs(sub))
			}
		}
		better(run)
		return best
	}
	return nil
}

// exact gives all strings that an expression matches, in lower case; nil where
// they are too many.
func exact(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return []string{""}
	case syntax.OpLiteral:
		return []string{strings.ToLower(string(re.Rune))}
	case syntax.OpCharClass:
		var all []string
		for i := 0; i < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if len(all) > 8 {
					return nil
				}
				all = append(all, string(unicode.ToLower(r)))
			}
		}
		slices.Sort(all)
		return slices.Compact(all)
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpQuest:
		if of := exact(re.Sub[0]); of != nil {
			return append(of, "")
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			of := exact(sub)
			if of == nil || len(all)+len(of) > mostExact {
				return nil
			}
			all = append(all, of...)
		}
		return all
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range re.Sub {
			of := exact(sub)
			if of == nil || len(all)*len(of) > mostExact {
				return nil
			}
			all = cross(all, of)
		}
		return all
	}
	return nil
}

func cross(heads, tails []string) []string {
	all := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, h+t)
		}
	}
	return all
}

// worth leaves out strings that hold another one; nil where one is too short to
// tell anything.
func worth(all []string) []string {
	if len(all) == 0 || shortest(all) < shortestOne {
		return nil
	}
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	var kept []string
	for _, s := range all {
		if !slices.ContainsFunc(kept, func(k string) bool { return strings.Contains(s, k) }) {
			kept = append(kept, s)
		}
	}
	return kept
}

func shortest(all []string) int {
	n := math.MaxInt
	for _, s := range all {
		n = min(n, len(s))
	}
	return n
}
