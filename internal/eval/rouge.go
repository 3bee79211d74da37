package eval

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// rouge is promptfoo's rouge-n: how many words the answer and the value share, each
// as often as it stands in both, as the harmonic mean of what that is of either.
func rouge(a *Assertion, t string) Grade {
	threshold := similarThreshold
	if a.Threshold != nil {
		threshold = *a.Threshold
	}
	score := rougeScore(t, a.value())
	g := passIf(score >= threshold, "its words are %.2f like the value's; %.2f is asked for", score, threshold)
	g.Score = score
	return g
}

func rougeScore(candidate, reference string) float64 {
	got, want := treebank(strings.ToLower(candidate)), treebank(strings.ToLower(reference))
	if len(got) == 0 || len(want) == 0 {
		return 0
	}
	left := map[string]int{}
	for _, w := range want {
		left[w]++
	}
	shared := 0
	for _, w := range got {
		if left[w] > 0 {
			left[w]--
			shared++
		}
	}
	return 2 * float64(shared) / float64(len(got)+len(want))
}

var (
	quotes      = regexp.MustCompile("``|''|\"")
	ellipsis    = regexp.MustCompile(`\.{3}`)
	marks       = regexp.MustCompile(`[;@#$%&?!\][(){}<>]|--`)
	lastStop    = regexp.MustCompile(`([^.])(\.)([\])}>'\s]*)$`)
	initials    = regexp.MustCompile(`\b[A-Za-z]\.[A-Za-z]$`)
	apostrophe  = regexp.MustCompile(`([^'])' `)
	possessive  = regexp.MustCompile(`'([sSmMdD]) `)
	contraction = regexp.MustCompile(`('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) `)
	joined      = regexp.MustCompile(`(?i)(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n)|(wan)(na)|('t)(is)|('t)(was)`)
)

// treebank cuts a text to words as the Penn Treebank does, the way promptfoo's
// library does it, so that scores are the same.
func treebank(text string) []string {
	text = strings.Join(strings.Fields(text), " ")
	if text == "" {
		return nil
	}
	text = ellipsis.ReplaceAllString(opened(text), " ... ")
	text = spaced(text)
	if m := lastStop.FindStringSubmatchIndex(text); m != nil && !initials.MatchString(text[:m[3]]) {
		text = text[:m[3]] + " ." + text[m[6]:m[7]] + " "
	}
	text = " " + marks.ReplaceAllString(text, " $0 ") + " "
	text = apostrophe.ReplaceAllString(text, "$1 ' ")
	text = possessive.ReplaceAllString(text, " '$1 ")
	text = contraction.ReplaceAllString(text, " $1 ")
	return strings.Fields(parted(text))
}

// opened tells quotation marks that open from those that close.
func opened(text string) string {
	var b strings.Builder
	open, from := false, 0
	for _, m := range quotes.FindAllStringIndex(text, -1) {
		b.WriteString(text[from:m[0]])
		from = m[1]
		before, _ := utf8.DecodeLastRuneInString(text[:m[0]])
		mark := text[m[0]:m[1]]
		can := m[0] == 0 || unicode.IsSpace(before) || unicode.IsPunct(before) && !strings.ContainsRune(".!?", before) || before == '<'
		if m[1] == len(text) && m[0] > 0 && !unicode.IsSpace(before) && !unicode.Is(unicode.Ps, before) && before != '<' {
			can = false
		}
		if open = mark == "``" || !open && can && mark == `"`; open {
			b.WriteString(" `` ")
		} else {
			b.WriteString(" '' ")
		}
	}
	return b.String() + text[from:]
}

// spaced puts spaces around commas and colons that do not stand in a number.
func spaced(text string) string {
	var b strings.Builder
	for i, c := range text {
		next, _ := utf8.DecodeRuneInString(text[i+1:])
		if (c == ':' || c == ',') && !unicode.IsDigit(next) {
			b.WriteString(" " + string(c) + " ")
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// parted cuts words that are two: "cannot" is "can not".
func parted(text string) string {
	inWord := func(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) }
	var b strings.Builder
	from := 0
	for _, m := range joined.FindAllStringSubmatchIndex(text, -1) {
		before, _ := utf8.DecodeLastRuneInString(text[:m[0]])
		after, _ := utf8.DecodeRuneInString(text[m[1]:])
		if inWord(before) || inWord(after) {
			continue
		}
		for g := 2; g+3 < len(m); g += 4 {
			if m[g] < 0 {
				continue
			}
			b.WriteString(text[from:m[0]] + " " + text[m[g]:m[g+1]] + " " + text[m[g+2]:m[g+3]] + " ")
			from = m[1]
		}
	}
	return b.String() + text[from:]
}
