package lex

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/french"
	"github.com/blevesearch/snowballstem/german"
	"github.com/blevesearch/snowballstem/portuguese"
	"github.com/blevesearch/snowballstem/spanish"
	"golang.org/x/text/unicode/norm"
)

// maxTerm is the longest term in bytes; longer words are cut. Nobody searches by
// the rest of a base64 blob, and the lexicon must not store it.
const maxTerm = 48

// Terms gives the search terms of a text in order, repeats included: folded,
// without the language's stop words, stemmed. Languages other than en, de, fr,
// es and pt keep all their words, unstemmed.
//
//	"Don't e-mail the refunds: $1,360.00 by 2FA" → email mail refund 1360 2fa
func Terms(text, language string) []string {
	c := cutter{language: language, stop: stopWords[language], stem: stemmers[language]}
	c.terms = make([]string, 0, len(text)/8+1)
	for i := 0; i < len(text); {
		first, ok := nextWord(text, i)
		if !ok {
			break
		}
		i = first.End
		last := first
		for { // a-b-c, up to the first part that is not tied on by a hyphen
			if last.End+1 >= len(text) || text[last.End] != '-' {
				break
			}
			next, ok := nextWord(text, last.End+1)
			if !ok || next.Start != last.End+1 || next.End-first.Start > maxTerm {
				break
			}
			last = next
		}
		if last == first {
			c.word(first.In(text))
			continue
		}
		i = last.End
		c.compound(text[first.Start:last.End])
	}
	return c.terms
}

// FirstTerm gives the first term of a text, such as a word; "" where it has none.
func FirstTerm(text, language string) string {
	c := cutter{language: language, stop: stopWords[language], stem: stemmers[language]}
	if word, _ := nextWord(text, 0); len(text) > 0 && word == (Span{0, len(text)}) {
		if t, known := c.term(text); known {
			return cut(t)
		}
	}
	if all := Terms(text, language); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Distinct leaves the first of each term, in place.
func Distinct(terms []string) []string {
	const few = 40 // up to which looking through them is quicker than a map
	if len(terms) <= few {
		kept := terms[:0]
		for _, t := range terms {
			if !slices.Contains(kept, t) {
				kept = append(kept, t)
			}
		}
		clear(terms[len(kept):])
		return kept
	}
	seen := make(map[string]bool, len(terms))
	return slices.DeleteFunc(terms, func(t string) bool {
		again := seen[t]
		seen[t] = true
		return again
	})
}

// cutter makes the terms of one text.
type cutter struct {
	language string
	stop     map[string]bool
	stem     func(*snowballstem.Env) bool
	env      *snowballstem.Env
	terms    []string
}

// compound adds the terms of words tied by hyphens. People write e-mail, email,
// log-in and login as they like: where one of two parts is so short that it says
// nothing alone, the pair is one term, beside its long part.
func (c *cutter) compound(s string) {
	left, right, _ := strings.Cut(s, "-")
	if !strings.ContainsAny(s, "0123456789") && !strings.Contains(right, "-") &&
		min(utf8.RuneCountInString(left), utf8.RuneCountInString(right)) <= 2 {
		c.word(left + right)
		for _, part := range []string{left, right} {
			if utf8.RuneCountInString(part) > 3 {
				c.word(part)
			}
		}
		return
	}
	for part := range strings.SplitSeq(s, "-") {
		c.word(part)
	}
}

// word adds the term of one word, or its terms where the script has no spaces.
func (c *cutter) word(w string) {
	if t, known := c.term(w); known {
		c.add(t)
	} else {
		c.bigrams(w)
	}
}

// term gives the term of one word, "" where it has none; it is not known where the
// script has no spaces.
func (c *cutter) term(w string) (t string, known bool) {
	if isDigit(rune(w[0])) && isNumber(w) {
		return number(w), true
	}
	ascii, fold := true, false
	for i := 0; i < len(w); i++ {
		ascii = ascii && w[i] < utf8.RuneSelf
		fold = fold || 'A' <= w[i] && w[i] <= 'Z'
	}
	switch {
	case !ascii:
		if unspaced(w) {
			return "", false
		}
		w = strings.ToLower(norm.NFKC.String(w))
		w = strings.ReplaceAll(w, "’", "'")
	case fold:
		w = strings.ToLower(w)
	}
	if at := strings.IndexByte(w, '\''); at >= 0 {
		if c.stop[w] {
			return "", true
		}
		w = c.apostrophe(w, at)
	}
	if c.stop[w] || w == "" {
		return "", true
	}
	if c.stem != nil {
		w = c.stemmed(w)
	}
	if !ascii {
		w = plain(w)
	}
	return w, true
}

// apostrophe leaves the part of a word that carries its meaning: article of
// l'article, customer of customer's, geht of geht's.
func (c *cutter) apostrophe(w string, at int) string {
	head, tail := w[:at], w[at+1:]
	if utf8.RuneCountInString(tail) > utf8.RuneCountInString(head) && (c.language == "fr" || len(head) <= 2) {
		return strings.ReplaceAll(tail, "'", "")
	}
	if len(tail) <= 2 {
		return head
	}
	return strings.ReplaceAll(w, "'", "")
}

func (c *cutter) stemmed(w string) string {
	if len(w) > maxTerm {
		w = cut(w)
	}
	if c.language == "de" {
		w = umlauts.Replace(w)
	}
	if c.env == nil {
		c.env = snowballstem.NewEnv(w)
	} else {
		c.env.SetCurrent(w)
	}
	c.stem(c.env)
	if s := c.env.Current(); s != "" {
		return s
	}
	return w
}

// bigrams adds each two neighbouring characters: Chinese, Japanese and Thai do
// not part words by spaces, and pairs are how they are searched without a
// dictionary.
func (c *cutter) bigrams(w string) {
	w = strings.ToLower(norm.NFKC.String(w))
	prev := -1
	for i, r := range w {
		if prev >= 0 {
			c.add(w[prev : i+utf8.RuneLen(r)])
		}
		prev = i
	}
	if prev == 0 {
		c.add(w)
	}
}

func (c *cutter) add(term string) {
	if term != "" {
		c.terms = append(c.terms, cut(term))
	}
}

// cut shortens a term to maxTerm bytes of whole characters.
func cut(s string) string {
	if len(s) <= maxTerm {
		return s
	}
	end := maxTerm
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// unspaced reports whether the word is of a script written without spaces.
func unspaced(w string) bool {
	for _, r := range w {
		if r > 0xe00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai) {
			return true
		}
	}
	return false
}

// plain drops accents, after stemming, which needs them: people leave them out.
func plain(w string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(w) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'ß':
			b.WriteString("ss")
		case r == 'œ':
			b.WriteString("oe")
		case r == 'æ':
			b.WriteString("ae")
		case r == 'ø':
			b.WriteByte('o')
		case r == 'ł':
			b.WriteByte('l')
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// umlauts reads ae, oe and ue as the umlauts they stand for. It hits "neue" as
// well, alike on both sides, which does no harm.
var umlauts = strings.NewReplacer("qu", "qu", "ae", "ä", "oe", "ö", "ue", "ü")

var stemmers = map[string]func(*snowballstem.Env) bool{
	"en": english.Stem,
	"de": german.Stem,
	"fr": french.Stem,
	"es": spanish.Stem,
	"pt": portuguese.Stem,
}

func isNumber(w string) bool {
	for i := 0; i < len(w); i++ {
		if !isDigit(rune(w[i])) && w[i] != '.' && w[i] != ',' {
			return false
		}
	}
	return true
}

// number writes an amount one way: 1,360.00, 1.360 and 1360 are all 1360, and
// 5,90 is 5.9. A version or date such as 1.2.3 or 22.11.2026 stays as it is.
func number(w string) string {
	last := strings.LastIndexAny(w, ".,")
	if last < 0 {
		return w
	}
	whole, fraction := w[:last], w[last+1:]
	groups := strings.FieldsFunc(whole, func(r rune) bool { return r == '.' || r == ',' })
	for _, g := range groups[1:] {
		if len(g) != 3 {
			return w
		}
	}
	if len(groups[0]) > 3 && len(groups) > 1 {
		return w
	}
	digits := strings.Join(groups, "")
	if len(fraction) == 3 && len(groups[0]) <= 3 && groups[0] != "0" {
		return digits + fraction
	}
	if fraction = strings.TrimRight(fraction, "0"); fraction == "" {
		return digits
	}
	return digits + "." + fraction
}
