// Package lex cuts text the same way for everyone: words to terms (folded,
// without stop words, stemmed), text to sentences. Passages and questions must
// be cut alike or they never meet, and a draft's sentences must be those the
// checks look at. Everything here is a pure function and safe for any input,
// valid UTF-8 or not. A change to Terms means that documents must be ingested
// again.
package lex

import (
	"iter"
	"unicode"
	"unicode/utf8"
)

// Span is a byte range of a text.
type Span struct{ Start, End int }

// In gives the span's words.
func (s Span) In(text string) string { return text[s.Start:s.End] }

// Words finds the words and numbers of a text, in order, as they stand there.
// An apostrophe inside a word ("don't") and a point or comma inside a number
// ("1,360.50") belong to it; a hyphen parts words.
func Words(text string) []Span {
	spans := make([]Span, 0, len(text)/6+1)
	for s := range EachWord(text) {
		spans = append(spans, s)
	}
	return spans
}

// EachWord is Words one by one.
func EachWord(text string) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for i := 0; i < len(text); {
			s, ok := nextWord(text, i)
			if !ok || !yield(s) {
				break
			}
			i = s.End
		}
	}
}

// nextWord finds the first word that starts at byte i or later.
func nextWord(text string, i int) (Span, bool) {
	r, n := rune(0), 0
	for ; i < len(text); i += n {
		if r, n = runeAt(text, i); isWordRune(r) {
			break
		}
	}
	if i >= len(text) {
		return Span{}, false
	}
	s := Span{Start: i}
	for {
		prev := r
		i += n
		if i >= len(text) {
			break
		}
		if r, n = runeAt(text, i); isWordRune(r) || isMark(r) {
			continue
		}
		if i+n < len(text) && joins(prev, r) {
			// prev and r decide what may stand on the other side.
			if next, m := runeAt(text, i+n); joined(prev, next) {
				i += n
				r, n = next, m
				continue
			}
		}
		break
	}
	s.End = i
	return s, true
}

// joins reports whether r can stand inside a word after prev.
func joins(prev, r rune) bool {
	switch r {
	case '\'', '’':
		return unicode.IsLetter(prev)
	case '.', ',':
		return isDigit(prev)
	}
	return false
}

// joined reports whether next may follow a joining mark that came after prev.
func joined(prev, next rune) bool {
	if isDigit(prev) {
		return isDigit(next)
	}
	return unicode.IsLetter(next)
}

func runeAt(text string, i int) (rune, int) {
	if b := text[i]; b < utf8.RuneSelf {
		return rune(b), 1
	}
	return utf8.DecodeRuneInString(text[i:])
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || isDigit(r)
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// isMark reports whether r is an accent or vowel sign that belongs to the letter
// before it.
func isMark(r rune) bool { return r >= utf8.RuneSelf && unicode.IsMark(r) }
