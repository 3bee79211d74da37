package check

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind says what sort of fact a value is.
type Kind string

// The kinds of values.
const (
	Money      Kind = "money"
	Percent    Kind = "percent"
	Duration   Kind = "duration"
	Date       Kind = "date"
	Time       Kind = "time"
	Number     Kind = "number"
	Absolute   Kind = "absolute"   // free, guarantee, always, never
	Commitment Kind = "commitment" // "I have approved …"
	Email      Kind = "email"
	Phone      Kind = "phone"
)

// Value is a fact in a text that must come from somewhere.
type Value struct {
	Kind       Kind
	Key        string // the same for the same value, however it is written
	Start, End int    // byte range of its words

	year    int    // of a date that names one
	swapped string // the key of a date in digits read the other way round: 11/12 is written by both halves of the world
	ordinal bool   // "14th"
	rule    bool   // a commitment that states what is always done: "we refund", not "I have refunded"
}

// Rule reports whether a commitment only states what is always done.
func (v Value) Rule() bool { return v.rule }

// Values finds the facts of a text, in order. It reads the text once, word by
// word; "two weeks" and "14 days" get the same key, and so do "$2,000", "2000
// dollars" and "2k dollars". Business days are not days.
func Values(text string) []Value {
	r := valueReader{text: text, toks: tokens(text), end: token{kind: tokSymbol, start: len(text), end: len(text)}}
	for r.i < len(r.toks) {
		if !r.value() {
			r.i++
		}
	}
	return r.values
}

type tokenKind uint8

const (
	tokWord tokenKind = iota
	tokNumber
	tokSymbol
	tokSkip // a link or an address: read elsewhere, never taken apart
)

type token struct {
	kind       tokenKind
	start, end int
	low        string  // lower-case text
	n          float64 // of a number
}

type valueReader struct {
	text   string
	toks   []token
	end    token // past the last
	i      int
	values []Value
}

// at gives the token k after the current one, an empty one past the end.
func (r *valueReader) at(k int) *token {
	if i := r.i + k; i >= 0 && i < len(r.toks) {
		return &r.toks[i]
	}
	return &r.end
}

// take records a value made of the next n tokens and moves past them.
func (r *valueReader) take(kind Kind, key string, n int) bool {
	r.values = append(r.values, Value{Kind: kind, Key: string(kind) + ":" + key, Start: r.at(0).start, End: r.at(n - 1).end})
	r.i += n
	return true
}

func (r *valueReader) value() bool {
	t := r.at(0)
	switch t.kind {
	case tokSkip:
		if strings.Contains(t.low, "@") {
			return r.take(Email, strings.TrimPrefix(t.low, "mailto:"), 1)
		}
		return false
	case tokSymbol:
		if cur, ok := currencies[t.low]; ok && r.at(1).kind == tokNumber {
			return r.money(cur, 1)
		}
		if t.low == "+" && r.at(1).kind == tokNumber {
			return r.phone()
		}
		if t.low == "(" && r.at(1).kind == tokNumber {
			return r.phone()
		}
		return false
	case tokNumber:
		return r.phone() || r.date() || r.clock() || r.quantity()
	}
	if cur, ok := currencies[t.low]; ok && !adjacentWord(t.low) {
		if r.at(1).kind == tokNumber {
			return r.money(cur, 1)
		}
		if r.at(1).low == "." && r.at(2).kind == tokNumber { // "Rs. 500"
			return r.money(cur, 2)
		}
	}
	if prefix := t.low; r.at(1).low == "$" && r.at(2).kind == tokNumber && r.at(1).start == t.end {
		if cur, ok := dollars[prefix]; ok { // "US$5"
			return r.money(cur, 2)
		}
	}
	return r.date() || r.deadline() || r.share() || r.absolute() || r.commitment() || r.quantity()
}

// money reads "$ 2,000", "$5-10", with the currency before the number.
func (r *valueReader) money(cur string, at int) bool {
	if n, used := r.grouped(at); used > 1 {
		return r.take(Money, num(n)+" "+cur, at+used)
	}
	n := r.at(at)
	if m := r.at(at + 1); m.start == n.end && (m.low == "m" || m.low == "mn" || m.low == "bn") || m.low == "mn" || m.low == "bn" {
		by := 1e6
		if m.low == "bn" {
			by = 1e9
		}
		return r.take(Money, num(n.n*by)+" "+cur, at+2)
	}
	r.take(Money, num(n.n*scale(r.at(at+1)))+" "+cur, at+1+extra(scale(r.at(at+1))))
	if isRange(r.at(0)) && r.at(1).kind == tokNumber && !r.counted(2) {
		r.i++
		r.take(Money, num(r.at(0).n*scale(r.at(1)))+" "+cur, 1+extra(scale(r.at(1))))
	}
	return true
}

// grouped reads 10 000 and 1 234,56: groups of three digits with blanks between,
// none of them a number of its own.
func (r *valueReader) grouped(at int) (n float64, used int) {
	t := r.at(at)
	if t.kind != tokNumber || len(t.low) > 3 || t.low[0] == '0' || strings.ContainsAny(t.low, ".,k") {
		return 0, 0
	}
	n, used = t.n, 1
	for {
		last, g := r.at(at+used-1), r.at(at+used)
		whole, _, decimals := strings.Cut(strings.ReplaceAll(g.low, ",", "."), ".")
		if g.kind != tokNumber || g.start != last.end+1 || r.text[last.end] != ' ' || len(whole) != 3 || strings.Trim(whole, "0123456789") != "" {
			return n, used
		}
		f, err := strconv.ParseFloat(strings.ReplaceAll(g.low, ",", "."), 64)
		if err != nil {
			return n, used
		}
		n, used = n*1000+f, used+1
		if decimals {
			return n, used
		}
	}
}

// counted reports whether the token k says what the number before it counts.
func (r *valueReader) counted(k int) bool {
	if r.at(k).low == "-" {
		k++
	}
	low := r.at(k).low
	_, duration := units[low]
	return currencies[low] != "" || duration || percentSigns[low] || businessWords[low] || low == "per" && r.at(k+1).low == "cent"
}

func extra(scale float64) int {
	if scale != 1 {
		return 1
	}
	return 0
}

func scale(t *token) float64 {
	switch t.low {
	case "thousand", "tausend", "mille", "mil":
		return 1e3
	case "million", "millions", "mio", "millionen", "millones", "milhões":
		return 1e6
	}
	return 1
}

// quantity reads a number, in digits or words, with what it counts: money,
// percent, a duration, or nothing known.
func (r *valueReader) quantity() bool {
	n, used, ok := r.number(0)
	if !ok {
		return false
	}
	words := r.at(0).kind == tokWord
	high, highUsed := 0.0, 0
	ranged := false
	if isRange(r.at(used)) {
		if h, u, ok := r.number(used + 1); ok {
			high, highUsed, ranged = h, used+1+u, true
		}
	}
	try := func(at int) (Kind, func(float64) string, int) {
		if at > 0 && r.at(at).low == "-" { // "14-day"
			at++
		}
		if (r.at(at).low == "," || r.at(at).low == ".") && r.at(at+1).low == "-" { // "20,- €"
			at += 2
		}
		unit := r.at(at)
		if nations[unit.low] && currencies[r.at(at+1).low] != "" { // "20 US dollars"
			cur := currencies[r.at(at+1).low]
			if of := dollars[nationOf[unit.low]]; cur == "usd" && of != "" {
				cur = of
			}
			return Money, func(f float64) string { return num(f) + " " + cur }, at + 2
		}
		if unit.low == "grand" {
			return Money, func(f float64) string { return num(f*1000) + " usd" }, at + 1
		}
		if percentSigns[unit.low] {
			return Percent, num, at + 1
		}
		if next := r.at(at + 1).low; unit.low == "per" && next == "cent" || unit.low == "pour" && next == "cent" || unit.low == "por" && (next == "ciento" || next == "cento") || unit.low == "percentage" && strings.HasPrefix(next, "point") {
			return Percent, num, at + 2
		}
		if cur, ok := currencies[unit.low]; ok && !r.opensAmount(at) {
			return Money, func(f float64) string { return num(f) + " " + cur }, at + 1
		}
		if businessWords[unit.low] {
			if r.at(at+1).low == "-" {
				at++
			}
			switch r.at(at + 1).low {
			case "day", "days":
				return Duration, func(f float64) string { return num(f) + " business days" }, at + 2
			case "hour", "hours":
				return Duration, func(f float64) string { return num(f) + " business hours" }, at + 2
			}
		}
		for unit.low == "calendar" || unit.low == "full" || unit.low == "consecutive" || unit.low == "whole" {
			at++
			unit = r.at(at)
		}
		if u, ok := units[unit.low]; ok {
			at++
			if businessAfter[r.at(at).low] && u.of == "minutes" && u.n == 1440 { // "5 jours ouvrés"
				return Duration, func(f float64) string { return num(f) + " business days" }, at + 1
			}
			if u.n == 60 && unit.low == "h" && r.at(at-2).kind == tokNumber && r.at(at).kind == tokNumber && r.at(at).start == unit.end && r.at(at).n < 60 { // "1h30"
				minutes := r.at(at).n
				return Duration, func(f float64) string { return num(f*60+minutes) + " minutes" }, at + 1
			}
			half := 0.0
			if r.at(at).low == "and" && r.at(at+1).low == "a" && r.at(at+2).low == "half" { // "a year and a half"
				half, at = 0.5, at+3
			}
			return Duration, func(f float64) string { return num((f+half)*u.n) + " " + u.of }, at
		}
		return "", nil, 0
	}
	if ranged {
		if kind, key, end := try(highUsed); kind != "" {
			start, stop := r.at(0).start, r.at(end-1).end
			if kind == Percent {
				n, high = r.decimal(0, n), r.decimal(used+1, high)
			}
			r.values = append(r.values, Value{Kind: kind, Key: string(kind) + ":" + key(n), Start: start, End: stop})
			if n != high {
				r.values = append(r.values, Value{Kind: kind, Key: string(kind) + ":" + key(high), Start: start, End: stop})
			}
			r.i += end
			return true
		}
	}
	if cur, ok := currencies[r.at(used+1).low]; ok && isRange(r.at(used)) && !words && r.at(used+2).kind == tokNumber && (r.at(-1).low == "between" || r.at(-1).low == "from") { // "between 55 and $100"
		return r.take(Money, num(n)+" "+cur, used)
	}
	if kind, key, end := try(used); kind != "" {
		if kind == Percent {
			n = r.decimal(0, n)
		}
		return r.take(kind, key(n), end)
	}
	if words && (n < 2 || !r.countsThings(used)) {
		return false // "one of them", "a customer"
	}
	if r.listMark() {
		return false
	}
	ordinal := strings.HasSuffix(r.at(0).low, "th") || strings.HasSuffix(r.at(0).low, "st") || strings.HasSuffix(r.at(0).low, "nd") || strings.HasSuffix(r.at(0).low, "rd")
	r.take(Number, num(n), used)
	r.values[len(r.values)-1].ordinal = ordinal && !words
	return true
}

// listMark reports whether the number only counts a list's items: "1. Open …".
func (r *valueReader) listMark() bool {
	t, next := r.at(0), r.at(1)
	if next.low != "." && next.low != ")" || next.start != t.end || t.n > 20 {
		return false
	}
	line := strings.LastIndexByte(r.text[:t.start], '\n') + 1
	return strings.TrimLeft(r.text[line:t.start], " \t*-(") == ""
}

// opensAmount reports whether the currency at k belongs to the number behind it:
// in "beyond 2  USD 4.00" and "5 $4" it does.
func (r *valueReader) opensAmount(k int) bool {
	before, cur, after := r.at(k-1), r.at(k), r.at(k+1)
	if after.kind != tokNumber || len(cur.low) > 3 {
		return false
	}
	if before.kind != tokNumber {
		return true
	}
	left, right := cur.start-before.end, after.start-cur.end
	return right < left || right == left && left > 0 && strings.Contains(after.low, ".") && !strings.Contains(before.low, ".")
}

// decimal reads a percentage, where 4.125 is not four thousand.
func (r *valueReader) decimal(k int, n float64) float64 {
	if t := r.at(k); t.kind == tokNumber && strings.Count(t.low, ".") == 1 && !strings.Contains(t.low, ",") {
		if f, err := strconv.ParseFloat(t.low, 64); err == nil {
			return f
		}
	}
	return n
}

// countsThings reports whether the number word in front of token k counts
// something that is promised: not "these two", "two of them" or "one thing".
func (r *valueReader) countsThings(k int) bool {
	switch r.at(-1).low {
	case "these", "those", "the", "or", "either", "all", "other", "another", "my", "your", "our", "last", "les", "des", "los", "las", "die", "den":
		return false
	}
	next := r.at(k)
	if next.kind != tokWord {
		return false
	}
	switch next.low {
	case "of", "to", "or", "and", "more", "other", "others", "thing", "things", "way", "ways", "option", "options", "question", "questions", "choices", "possibilities", "steps", "reasons", "quick", "a", "is", "are", "et", "und", "y", "ou", "oder", "o", "von", "de":
		return false
	}
	return true
}

// number reads digits, "twenty", "thirty-five", "a" and "half a" before a unit,
// with a "k" or "thousand" behind.
func (r *valueReader) number(at int) (n float64, used int, ok bool) {
	t := r.at(at)
	if t.kind == tokNumber {
		if s := scale(r.at(at + 1)); s != 1 {
			return t.n * s, 2, true
		}
		// "5 (five) days" says it twice
		if r.at(at+1).low == "(" && r.at(at+3).low == ")" {
			if n, ok := numberWords[r.at(at+2).low]; ok && n == t.n {
				return t.n, 4, true
			}
		}
		n, used = t.n, 1
		if g, u := r.grouped(at); u > 1 && currencies[r.at(at+u).low] != "" {
			return g, u, true
		}
		if f, u := r.fraction(at); u > 0 && units[r.at(at+u).low].n > 0 { // "1/2 hour"
			return f, u, true
		}
		if f, u := r.fraction(at + 1); u > 0 && r.at(at+1).start == t.end+1 { // "2 1/2 hours"
			return n + f, 1 + u, true
		}
		if r.at(at+1).low == "dozen" {
			return n * 12, 2, true
		}
		if r.at(at+1).low == "½" {
			return n + 0.5, 2, true
		}
		if r.at(at+1).low == "and" && r.at(at+2).low == "a" && r.at(at+3).low == "half" {
			return n + 0.5, 4, true
		}
		return n, used, true
	}
	if t.low == "½" {
		return 0.5, 1, true
	}
	if t.kind != tokWord {
		return 0, 0, false
	}
	if t.low == "half" && (r.at(at+1).low == "a" || r.at(at+1).low == "an") {
		if s := scale(r.at(at + 2)); s != 1 { // "half a million"
			return 0.5 * s, 3, true
		}
		if r.at(at+2).low == "dozen" {
			return 6, 3, true
		}
		return 0.5, 2, true
	}
	if q := r.at(at); (q.low == "quarter" || q.low == "quarters") && r.at(at+1).low == "of" && r.at(at+2).low == "an" && r.at(at+3).low == "hour" {
		return 0.25, 3, true
	}
	if (t.low == "a" || t.low == "three") && strings.HasPrefix(r.at(at+1).low, "quarter") && r.at(at+2).low == "of" && r.at(at+3).low == "an" && r.at(at+4).low == "hour" {
		return numberWords[t.low] / 4, 4, true
	}
	if t.low == "a" && r.at(at+1).low == "dozen" {
		return 12, 2, true
	}
	if t.low == "half" || t.low == "halbe" || t.low == "halben" || t.low == "media" || t.low == "demi" {
		if _, ok := units[r.at(at+1).low]; ok { // "half hour", "eine halbe Stunde"
			return 0.5, 1, true
		}
	}
	if (t.low == "a" || t.low == "eine" || t.low == "une") && units[r.at(at+2).low].n > 0 {
		switch r.at(at + 1).low {
		case "half", "halbe", "demi":
			return 0.5, 2, true
		}
	}
	if t.low == "a" && r.at(at+1).low == "couple" && r.at(at+2).low == "of" {
		return 2, 3, true
	}
	n, ok = numberWords[t.low]
	if !ok {
		if n, ok = german(t.low); !ok {
			return 0, 0, false
		}
	}
	used = 1
	if r.at(at+1).low == "dozen" {
		return n * 12, 2, true
	}
	if n >= 20 && n < 100 {
		next := at + 1
		if r.at(next).low == "-" {
			next++
		}
		if ones, ok := numberWords[r.at(next).low]; ok && ones >= 1 && ones < 10 && len(r.at(next).low) > 2 {
			n += ones
			used = next - at + 1
		}
	}
	if next := r.at(at + used).low; next == "hundred" || next == "hundert" {
		n, used = n*100, used+1
	}
	if n >= 100 {
		if m, u := r.tens(at + used); u > 0 { // "one hundred and fifty"
			n, used = n+m, used+u
		}
	}
	if s := scale(r.at(at + used)); s != 1 {
		n, used = n*s, used+1
		if h, ok := numberWords[r.at(at+used).low]; ok && h >= 1 && h < 10 && r.at(at+used+1).low == "hundred" { // "two thousand five hundred"
			n, used = n+h*100, used+2
		}
		if m, u := r.tens(at + used); u > 0 {
			n, used = n+m, used+u
		}
	}
	if r.at(at+used).low == "and" && r.at(at+used+1).low == "a" && r.at(at+used+2).low == "half" {
		n, used = n+0.5, used+3
	}
	if r.at(at+used).low == "(" && r.at(at+used+1).kind == tokNumber && r.at(at+used+1).n == n && r.at(at+used+2).low == ")" {
		used += 3
	}
	return n, used, true
}

// fraction reads 1/2, 3/4.
func (r *valueReader) fraction(at int) (f float64, used int) {
	a, sign, b := r.at(at), r.at(at+1), r.at(at+2)
	if a.kind != tokNumber || b.kind != tokNumber || sign.low != "/" || sign.start != a.end || b.start != sign.end {
		return 0, 0
	}
	if a.n < 1 || a.n >= b.n || b.n > 8 {
		return 0, 0
	}
	return a.n / b.n, 3
}

// tens reads "and fifty", "and twenty-five", "seventy-five" behind a hundred.
func (r *valueReader) tens(at int) (n float64, used int) {
	k := at
	if r.at(k).low == "and" {
		k++
	}
	n, ok := numberWords[r.at(k).low]
	if !ok || n < 1 || n >= 100 || len(r.at(k).low) < 3 {
		return 0, 0
	}
	k++
	if n >= 20 {
		next := k
		if r.at(next).low == "-" {
			next++
		}
		if ones, ok := numberWords[r.at(next).low]; ok && ones >= 1 && ones < 10 && len(r.at(next).low) > 2 {
			n, k = n+ones, next+1
		}
	}
	return n, k - at
}

// german reads numbers in one word: "achtundvierzig".
func german(word string) (float64, bool) {
	ones, tens, ok := strings.Cut(word, "und")
	if !ok || ones == "" {
		return 0, false
	}
	a, b := numberWords[ones], numberWords[tens]
	return a + b, a >= 1 && a < 10 && b >= 20 && b < 100
}

// maxPhoneTokens is more than fifteen digits and the signs between them are.
const maxPhoneTokens = 64

// phone reads a phone number: at least seven digits in groups, or after a plus.
func (r *valueReader) phone() bool {
	var digits strings.Builder
	k, groups := 0, 0
	plus := r.at(0).low == "+" || r.at(0).low == "(" && r.at(2).low == ")" && len(r.at(1).low) > 1
	for {
		t := r.at(k)
		if k > 0 && t.start-r.at(k-1).end > 1 {
			break
		}
		if k > maxPhoneTokens { // no phone number; each number of a long list would read the whole list
			return false
		}
		if t.kind == tokNumber && !strings.ContainsAny(t.low, ",k") {
			for _, c := range t.low {
				if c >= '0' && c <= '9' {
					digits.WriteRune(c)
				}
			}
			groups++
			if strings.Contains(t.low, ".") {
				groups++
			}
			k++
			continue
		}
		if t.kind == tokSymbol && (t.low == "-" || t.low == "(" || t.low == ")" || t.low == "/" && !r.spaced(k) || t.low == "+" && k == 0) {
			k++
			continue
		}
		break
	}
	for k > 0 && r.at(k-1).kind != tokNumber {
		k--
	}
	d := digits.String()
	switch {
	case len(d) < 7 || len(d) > 15:
		return false
	case !plus && groups < 3 && !(groups == 2 && len(d) == 7 && strings.Contains(r.text[r.at(0).start:r.at(k-1).end], "-")):
		return false
	case !plus && groups == 3 && len(d) == 8 && r.isDate():
		return false
	}
	return r.take(Phone, d, k)
}

// spaced reports whether there is white space around a sign: "120 / 90 / 60" is
// no phone number.
func (r *valueReader) spaced(k int) bool {
	return r.at(k-1).end < r.at(k).start || r.at(k).end < r.at(k+1).start
}

// isDate reports whether 2026-11-29 or 11/29/2026 stands here.
func (r *valueReader) isDate() bool {
	_, n := r.numericDate()
	return n > 0
}

func (r *valueReader) numericDate() (key string, n int) {
	a, s1, b, s2, c := r.at(0), r.at(1), r.at(2), r.at(3), r.at(4)
	if a.kind != tokNumber || b.kind != tokNumber || c.kind != tokNumber || s1.low != s2.low || s1.low != "-" && s1.low != "/" {
		return "", 0
	}
	switch {
	case a.n >= 1900 && a.n < 2200 && b.n >= 1 && b.n <= 12 && c.n >= 1 && c.n <= 31:
		return num(b.n) + "-" + num(c.n), 5
	case c.n >= 1900 && c.n < 2200 && a.n >= 1 && a.n <= 31 && b.n >= 1 && b.n <= 31:
		if a.n > 12 {
			return num(b.n) + "-" + num(a.n), 5
		}
		return num(a.n) + "-" + num(b.n), 5 // as written: see Value.swapped
	}
	return "", 0
}

func (r *valueReader) date() bool {
	if key, n := r.numericDate(); n > 0 {
		year := int(max(r.at(0).n, r.at(4).n))
		a, b := r.at(0).n, r.at(2).n
		r.take(Date, key, n)
		if a <= 12 && b <= 12 {
			r.values[len(r.values)-1].swapped = string(Date) + ":" + num(b) + "-" + num(a)
		}
		return r.inYear(year)
	}
	t := r.at(0)
	if d, m, y, ok := pointed(t); ok { // "12.11.2026"
		return r.take(Date, num(m)+"-"+num(d), 1) && r.inYear(y)
	}
	if m, ok := months[t.low]; ok {
		k := 1
		if r.at(k).low == "." {
			k++
		}
		if r.at(k).low == "the" {
			k++
		}
		if d := r.at(k); dayOfMonth(d) && !(r.at(k+1).low == "%" || r.at(k+1).low == ":") {
			year, n := r.year(k + 1)
			return r.take(Date, num(float64(m))+"-"+num(d.n), k+1+n) && r.inYear(year)
		}
		if year, n := r.year(k); n > 0 {
			return r.take(Date, num(float64(m)), k+n) && r.inYear(year)
		}
		if beforeMonth[r.at(-1).low] && len(t.low) > 2 && unicode.IsUpper(rune(r.text[t.start])) { // "by December"
			return r.take(Date, num(float64(m)), 1)
		}
		return false
	}
	if dayOfMonth(t) {
		k := 1
		for r.at(k).low == "." || r.at(k).low == "-" && r.at(k).start == r.at(k-1).end || r.at(k).low == "of" || r.at(k).low == "de" || r.at(k).low == "er" {
			k++
		}
		if m, ok := months[r.at(k).low]; ok && len(r.at(k).low) > 2 {
			year, n := r.year(k + 1)
			return r.take(Date, num(float64(m))+"-"+num(t.n), k+1+n) && r.inYear(year)
		}
	}
	if day, ok := weekdays[t.low]; ok {
		return r.take(Date, day, 1)
	}
	return false
}

// pointed reads 12.11.2026: day, month, year.
func pointed(t *token) (day, month float64, year int, ok bool) {
	if t.kind != tokNumber {
		return 0, 0, 0, false
	}
	p := strings.Split(t.low, ".")
	if len(p) != 3 || len(p[2]) != 4 {
		return 0, 0, 0, false
	}
	d, err1 := strconv.Atoi(p[0])
	m, err2 := strconv.Atoi(p[1])
	y, err3 := strconv.Atoi(p[2])
	ok = err1 == nil && err2 == nil && err3 == nil && d >= 1 && d <= 31 && m >= 1 && m <= 12 && y >= 1900 && y < 2200
	return float64(d), float64(m), y, ok
}

func dayOfMonth(t *token) bool {
	return t.kind == tokNumber && t.n >= 1 && t.n <= 31 && t.n == math.Trunc(t.n)
}

// inYear sets the year of the date just taken.
func (r *valueReader) inYear(year int) bool {
	r.values[len(r.values)-1].year = year
	return true
}

// year reads ", 2026" behind a date and counts its tokens.
func (r *valueReader) year(at int) (year, n int) {
	k := 0
	if l := r.at(at).low; l == "," || l == "de" || l == "of" || l == "-" {
		k = 1
	}
	if y := r.at(at + k); y.kind == tokNumber && y.n >= 1900 && y.n < 2200 && len(y.low) == 4 {
		return int(y.n), k + 1
	}
	return 0, 0
}

// deadline reads "tomorrow", "by tonight", "next week", "end of the month",
// "next business day", "overnight".
func (r *valueReader) deadline() bool {
	t := r.at(0)
	switch t.low {
	case "tomorrow", "demain", "mañana", "amanhã":
		return r.take(Date, "tomorrow", 1)
	case "tonight", "overnight":
		return r.take(Date, t.low, 1)
	case "today", "midnight", "noon":
		if before := r.at(-1).low; before == "by" || before == "until" || before == "before" || before == "later" {
			return r.take(Date, t.low, 1)
		}
	case "morgen":
		if p := r.at(-1).low; p != "guten" && p != "schönen" {
			return r.take(Date, "tomorrow", 1)
		}
	case "next", "same", "following":
		k := 1
		business := businessWords[r.at(k).low]
		if business {
			k++
		} else if r.at(k).low == "-" {
			k++
		}
		switch u := r.at(k).low; {
		case u == "day" && business && t.low == "same":
			return r.take(Date, "same day", k+1)
		case u == "day" && business:
			return r.take(Duration, "1 business days", k+1)
		case u == "day" && t.low == "same":
			return r.take(Date, "same day", k+1)
		case u == "day":
			return r.take(Duration, "1440 minutes", k+1)
		case t.low == "next" && (u == "week" || u == "month" || u == "year" || u == "quarter"):
			return r.take(Date, "next "+u, k+1)
		}
	case "end", "close":
		k := 1
		if r.at(k).low != "of" {
			return false
		}
		k++
		if l := r.at(k).low; l == "the" || l == "this" {
			k++
		}
		switch u := r.at(k).low; u {
		case "day", "today", "business", "week", "month", "year", "quarter":
			if b := r.at(-1).low; b != "by" && b != "before" && b != "until" && !(b == "the" && r.at(-2).low == "by") {
				return false
			}
			if u == "today" || u == "business" {
				u = "day"
			}
			return r.take(Date, "end of "+u, k+1)
		}
	case "hours", "days", "minutes", "weeks":
		if r.at(-1).low == "within" { // "within hours"
			return r.take(Duration, "some "+t.low, 1)
		}
	case "few", "several":
		u := r.at(1).low
		before := r.at(-1).low
		if before == "a" {
			before = r.at(-2).low
		}
		if units[u].n > 0 && (before == "within" || before == "in") { // "in a few days"
			return r.take(Duration, "some "+u, 2)
		}
	case "within":
		if u := r.at(2).low; (r.at(1).low == "the" || r.at(1).low == "this") && units[u].n > 0 { // "within the hour"
			return r.take(Duration, num(units[u].n)+" "+units[u].of, 3)
		}
	case "cob", "eod":
		return r.take(Date, "end of day", 1)
	case "this", "coming":
		switch u := r.at(1).low; u {
		case "week", "weekend", "month", "afternoon", "evening":
			switch r.at(-1).low {
			case "by", "before", "until", "later", "within", "still":
				return r.take(Date, "this "+u, 2)
			}
		}
	case "weekend":
		if b := r.at(-2).low; r.at(-1).low == "the" && (b == "by" || b == "before") {
			return r.take(Date, "this weekend", 1)
		}
	}
	return false
}

// share reads "half the fee", "half price", "twice the points", "double points",
// "3x".
func (r *valueReader) share() bool {
	t := r.at(0)
	next := r.at(1)
	switch t.low {
	case "half":
		switch next.low {
		case "price", "off", "of", "the", "your":
			return r.take(Percent, "50", 2)
		}
	case "quarter", "third":
		if r.at(2).low == "an" {
			return false // of an hour: a duration
		}
		if r.at(-1).low == "a" && next.low == "of" && (r.at(2).low == "the" || r.at(2).low == "your") {
			return r.take(Percent, map[string]string{"quarter": "25", "third": "33"}[t.low], 2)
		}
	case "twice", "double", "doubled", "doppelt", "doppelte", "doppelten":
		if next.low == "check" || next.low == "-" || next.low == "click" || r.at(-1).low == "to" {
			return false
		}
		return r.take(Number, "2", 1)
	case "triple":
		return r.take(Number, "3", 1)
	}
	return false
}

func (r *valueReader) clock() bool {
	h := r.at(0)
	if h.n < 0 || h.n > 24 || h.n != math.Trunc(h.n) {
		return false
	}
	minute, k := 0.0, 1
	if r.at(1).low == ":" && r.at(2).kind == tokNumber && r.at(2).n < 60 && r.at(2).end-r.at(2).start == 2 {
		minute, k = r.at(2).n, 3
	}
	half := ""
	switch r.at(k).low {
	case "am", "pm":
		half = r.at(k).low
		k++
	case "a", "p":
		if r.at(k+1).low == "." && r.at(k+2).low == "m" {
			half = r.at(k).low + "m"
			k += 3
		}
	}
	if k == 1 || h.n > 12 && half != "" {
		return false
	}
	hour := math.Mod(h.n, 24)
	switch {
	case half == "pm" && hour < 12:
		hour += 12
	case half == "am" && hour == 12:
		hour = 0
	}
	return r.take(Time, num(hour*60+minute), k)
}

func isRange(t *token) bool {
	switch t.low {
	case "-", "/", "to", "or", "and", "through", "bis", "und", "oder", "à", "et", "ou", "a", "y", "o", "e":
		return true
	}
	return false
}

// num writes a number the same way whatever its form: 10, 10.0 and 1e1 are "10".
func num(f float64) string { return strconv.FormatFloat(math.Round(f*1e4)/1e4, 'f', -1, 64) }

// tokens cuts a text into words, numbers and single signs. Links and addresses
// are one token each.
func tokens(text string) []token {
	skips := addresses(text)
	toks := make([]token, 0, len(text)/5+4)
	for i := 0; i < len(text); {
		if len(skips) > 0 && i == skips[0].start {
			toks = append(toks, token{kind: tokSkip, start: i, end: skips[0].end, low: strings.ToLower(text[i:skips[0].end])})
			i = skips[0].end
			skips = skips[1:]
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case unicode.IsSpace(r):
			i += size
		case r == '.' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9' && i > 0 && currencies[lastSign(text[:i])] != "": // "$.99"
			end := numberEnd(text, i+1)
			low := text[i:end]
			toks = append(toks, token{kind: tokNumber, start: i, end: end, low: low, n: parseNumber(low)})
			i = end
		case r >= '0' && r <= '9':
			end := numberEnd(text, i)
			low := text[i:end]
			toks = append(toks, token{kind: tokNumber, start: i, end: end, low: low, n: parseNumber(low)})
			i = end
		case unicode.IsLetter(r):
			end := i + size
			for end < len(text) {
				r, size := utf8.DecodeRuneInString(text[end:])
				if !unicode.IsLetter(r) && !unicode.IsMark(r) && !((r == '\'' || r == '’') && end+size < len(text) && isLetterAt(text, end+size)) {
					break
				}
				end += size
			}
			toks = append(toks, token{kind: tokWord, start: i, end: end, low: strings.ToLower(text[i:end])})
			i = end
		default:
			low := text[i : i+size]
			if r == '–' || r == '—' || r == '‑' || r == '−' || r == '‐' {
				low = "-"
			}
			toks = append(toks, token{kind: tokSymbol, start: i, end: i + size, low: low})
			i += size
		}
	}
	return toks
}

func lastSign(s string) string {
	_, size := utf8.DecodeLastRuneInString(s)
	return s[len(s)-size:]
}

func isLetterAt(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return unicode.IsLetter(r)
}

// numberEnd finds the end of a number: digits with points and commas between,
// and a "k" or an ordinal's letters behind.
func numberEnd(s string, i int) int {
	for i < len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			i++
			continue
		}
		if (s[i] == '.' || s[i] == ',') && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9' {
			i++
			continue
		}
		if n := groupGap(s, i); n > 0 {
			i += n
			continue
		}
		break
	}
	if i < len(s) && (s[i] == 'k' || s[i] == 'K') && (i+1 == len(s) || !isLetterAt(s, i+1)) {
		return i + 1
	}
	for _, suffix := range []string{"st", "nd", "rd", "th"} {
		if strings.HasPrefix(s[i:], suffix) && (i+2 == len(s) || !isLetterAt(s, i+2)) {
			return i + 2
		}
	}
	return i
}

// groupGap is the size of a sign that stands between groups of three digits:
// ’ and narrow or unbreakable blanks.
func groupGap(s string, i int) int {
	if i >= len(s) || s[i] != '\'' && s[i] < utf8.RuneSelf {
		return 0
	}
	switch r, n := utf8.DecodeRuneInString(s[i:]); r {
	case '\'', '’', '\u00a0', '\u202f', '\u2009':
		for k := range 3 {
			if j := i + n + k; j >= len(s) || s[j] < '0' || s[j] > '9' {
				return 0
			}
		}
		if j := i + n + 3; j < len(s) && s[j] >= '0' && s[j] <= '9' {
			return 0
		}
		return n
	}
	return 0
}

// parseNumber reads 2,000 · 2’000 · 2 000 · 1.5 · 1.000,50 · 2k · 3rd.
func parseNumber(s string) float64 {
	mult := 1.0
	if strings.HasSuffix(strings.ToLower(s), "k") {
		mult = 1000
	}
	s = strings.TrimRight(s, "kKsthnrd")
	s = strings.Map(func(r rune) rune {
		if r == '\'' || r == '’' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	comma, point := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	switch {
	case comma >= 0 && point > comma: // 1,000.50
		s = strings.ReplaceAll(s, ",", "")
	case point >= 0 && comma > point: // 1.000,50
		s = strings.ReplaceAll(strings.ReplaceAll(s, ".", ""), ",", ".")
	case comma >= 0 && len(s)-comma == 4: // 2,000
		s = strings.ReplaceAll(s, ",", "")
	case comma >= 0: // 2,5
		s = strings.Replace(s, ",", ".", 1)
	case strings.Count(s, ".") > 1 || point > 0 && len(s)-point == 4 && s[0] != '0': // 1.000.000, 1.500
		s = strings.ReplaceAll(s, ".", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return math.NaN()
	}
	return f * mult
}
