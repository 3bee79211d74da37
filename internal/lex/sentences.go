package lex

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// wrapWidth is the least length in bytes of a line that may go on in the next:
// a shorter line ends because its writer ended it.
const wrapWidth = 40

// Sentences cuts a text at sentence ends, list items, headings, table rows and
// blank lines. The spans are trimmed of spaces and of the markers of lists and
// headings, do not overlap, are in order and never empty. Points in
// abbreviations ("e.g.", "Dr.", "No. 5"), numbers and links end nothing.
func Sentences(text string) []Span {
	var spans []Span
	start, line := 0, 0 // where the open sentence and the current line begin
	flush := func(end int) {
		if s := trim(text, start, end); s.End > s.Start {
			spans = append(spans, s)
		}
		start = end
	}
	for i := 0; i < len(text); {
		r, n := runeAt(text, i)
		switch r {
		case '\n':
			if breaksLine(text, line, i) {
				flush(i)
			}
			i++
			line = i
			continue
		case '。', '！', '？':
			flush(closers(text, i+n))
		case '.', '!', '?', '…':
			end := i + n
			for end < len(text) && (text[end] == '.' || text[end] == '!' || text[end] == '?') {
				end++
			}
			after := closers(text, end)
			if endsSentence(text, start, i, end, after) {
				flush(after)
			}
			i = after
			continue
		}
		i += n
	}
	flush(len(text))
	return spans
}

// breaksLine reports whether the newline at nl, which ends the line that begins
// at line, also ends a sentence.
func breaksLine(text string, line, nl int) bool {
	this, next := strings.TrimSpace(text[line:nl]), text[nl+1:]
	if end := strings.IndexByte(next, '\n'); end >= 0 {
		next = next[:end]
	}
	next = strings.TrimSpace(next)
	switch {
	case this == "" || next == "":
		return true
	case this[0] == '#' || this[0] == '|' || nl-line < wrapWidth || strings.HasSuffix(this, ":"):
		return true
	case next[0] == '|' || next[0] == '#' || next[0] == '>':
		return true
	}
	return marker(next) > 0
}

// endsSentence reports whether the point, exclamation or question mark at i,
// whose run ends at end and whose closing quotes end at after, ends the sentence
// that begins at start.
func endsSentence(text string, start, i, end, after int) bool {
	if after < len(text) {
		if r, _ := utf8.DecodeRuneInString(text[after:]); !unicode.IsSpace(r) {
			return false // inside a number, a link or a file name
		}
	}
	next := strings.TrimLeft(text[after:], " \t\r\u00a0\u202f")
	following, _ := utf8.DecodeRuneInString(next)
	if after > end && unicode.IsLower(following) {
		return false // "Where is it?" she wrote
	}
	if text[i] != '.' || end-i > 1 {
		// "hm... I see" goes on, "What?! no" does not.
		return !(end-i > 2 || text[i] == 0xe2) || !unicode.IsLower(following)
	}
	word := lastToken(text[start:i])
	if word == "" || next == "" {
		return next == "" || strings.TrimSpace(text[start:i]) != ""
	}
	if strings.TrimSpace(text[start:i]) == word && len(word) <= 3 && isNumber(word) {
		return false // "1." begins a list item
	}
	lower := strings.ToLower(word)
	switch abbreviations[lower] {
	case always:
		return false
	case beforeNumber:
		return !unicode.IsDigit(following) && !(len(word) == 1 && unicode.IsLower(following)) // p. 5, p. ej.
	case unlessCapital:
		return unicode.IsUpper(following)
	case beforeStarter:
		return starter(next)
	case ofTime:
		return unicode.IsUpper(following) && !tellsTime(next)
	}
	if r, n := utf8.DecodeRuneInString(word); n == len(word) && unicode.IsLetter(r) {
		if unicode.IsUpper(r) && r != 'I' || spaced(text[start:i-n], next) {
			return false // an initial, or a part of "z. B."
		}
	}
	if strings.Contains(word, ".") && len(word) <= 6 && !isNumber(word) {
		return unicode.IsUpper(following) && !ofState[firstWord(next)] // a.k.a., U.S. Customs
	}
	if len(word) <= 2 && isNumber(word) {
		// am 5. Mai, vom 24. bis 26.
		return !unicode.IsLower(following) && !germanMonths[firstWord(next)]
	}
	return true
}

// spaced reports whether a single letter with a point stands between others of
// its kind: "z. B.", "i. d. R.", "p. ej.".
func spaced(before, next string) bool {
	if r, n := utf8.DecodeRuneInString(next); unicode.IsLetter(r) && strings.HasPrefix(next[n:], ".") {
		return true
	}
	before = strings.TrimRight(before, " \u00a0\u202f")
	if !strings.HasSuffix(before, ".") {
		return false
	}
	r, n := utf8.DecodeRuneInString(lastToken(before[:len(before)-1]))
	return unicode.IsLetter(r) && n == len(lastToken(before[:len(before)-1]))
}

// firstWord is the first word of s without the marks around it.
func firstWord(s string) string {
	word, ok := nextWord(s, 0)
	if !ok {
		return ""
	}
	return word.In(s)
}

// starter reports whether s begins as sentences do, with a small word and a
// capital: "The", "We", "Please". A name does not.
func starter(s string) bool {
	word := firstWord(s)
	r, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsUpper(r) || word == "" {
		return r == '\n' || s == ""
	}
	lower := strings.ToLower(word)
	return lower == "please" || stopWords["en"][lower] || stopWords["de"][lower] || stopWords["fr"][lower] || stopWords["es"][lower]
}

// tellsTime reports whether s goes on telling a time of day: "Pacific time",
// "PST", "Monday to Friday".
func tellsTime(s string) bool {
	word := firstWord(s)
	return timeWords[word] || len(word) >= 2 && len(word) <= 4 && word == strings.ToUpper(word)
}

// lastToken is the run of letters, digits and inner points that ends s.
func lastToken(s string) string {
	i := len(s)
	for i > 0 && len(s)-i < 24 {
		r, n := utf8.DecodeLastRuneInString(s[:i])
		if !isWordRune(r) && r != '.' {
			break
		}
		i -= n
	}
	return strings.TrimLeft(s[i:], ".")
}

// closers skips the quotes, brackets and emphasis that close a sentence.
func closers(text string, i int) int {
	for i < len(text) {
		r, n := runeAt(text, i)
		if unicode.IsSpace(r) && strings.HasPrefix(text[i+n:], "»") {
			i += n // « Bonjour. »
			continue
		}
		if !strings.ContainsRune("\"')]*_”’»", r) {
			break
		}
		i += n
	}
	return i
}

// trim cuts spaces and the markers of lists, quotes and headings off a span.
func trim(text string, start, end int) Span {
	for {
		s := text[start:end]
		t := strings.TrimLeftFunc(s, unicode.IsSpace)
		t = t[marker(t):]
		start += len(s) - len(t)
		if len(s) == len(t) {
			break
		}
	}
	end = start + len(strings.TrimRightFunc(text[start:end], unicode.IsSpace))
	return Span{start, end}
}

// marker is the length of the list, quote or heading marker that begins s, with
// the space after it; 0 if there is none.
func marker(s string) int {
	n := 0
	switch {
	case s == "":
		return 0
	case s[0] == '#':
		for n < len(s) && s[n] == '#' {
			n++
		}
	case s[0] == '-' || s[0] == '*' || s[0] == '+' || s[0] == '>':
		n = 1
	case strings.HasPrefix(s, "•"):
		n = len("•")
	default:
		for n < len(s) && n < 3 && isDigit(rune(s[n])) {
			n++
		}
		if n == 0 || n == len(s) || s[n] != '.' && s[n] != ')' {
			return 0
		}
		n++
	}
	if n < len(s) && s[n] != ' ' && s[n] != '\t' && s[n] != '\n' {
		return 0
	}
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		n++
	}
	return n
}

// How the point of an abbreviation may end a sentence.
const (
	_             = iota
	always        // never: something always follows
	beforeNumber  // only when no number follows: "No. 5", but "No. I said so"
	unlessCapital // when a capital follows: "… Inc. The"
	beforeStarter // when a sentence plainly begins: "12 Main St. We", but "Main St. Bakery"
	ofTime        // when a capital follows that tells no time: "11 a.m. Pacific"
)

var abbreviations = func() map[string]int {
	m := map[string]int{}
	add := func(how int, words string) {
		for w := range strings.FieldsSeq(words) {
			m[w] = how
		}
	}
	add(always, "e.g i.e eg ie dr mr mrs ms prof vs mt messrs approx resp incl excl "+
		"z.b d.h u.a bzw ca ggf evtl inkl zzgl str hr fr "+
		"mme mlle env c.-à-d ex "+
		"sr sra srta ud uds ej p.ej d.ª dña exmo")
	add(beforeNumber, "no nos nr nrs art fig sec ch pp pg vol ext tel abs núm num pág p n")
	add(beforeStarter, "st ave blvd rd jr")
	add(ofTime, "a.m p.m")
	add(unlessCapital, "min max hrs mon tue tues thu thur thurs fri etc inc ltd co corp dept est usw jan feb mar apr jun jul aug sep sept oct nov dec")
	return m
}()

var timeWords = set("Pacific Eastern Central Mountain Atlantic Greenwich Coordinated Universal London Berlin Paris Monday Tuesday Wednesday " +
	"Thursday Friday Saturday Sunday Mondays Fridays Saturdays Sundays")

// ofState are words that "U.S." goes before.
var ofState = set("Postal Mail Customs Department Government Citizenship Treasury Army Navy Air Armed Embassy Bank Code Virgin House Senate Supreme")

var germanMonths = set("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
