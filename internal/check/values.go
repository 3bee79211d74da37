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
}

// Values finds the facts of a text, in order. It reads the text once, word by
// word; "two weeks" and "14 days" get the same key, and so do "$2,000", "2000
// dollars" and "2k dollars". Business days are not days.
func Values(text string) []Value {
	r := valueReader{text: text, toks: tokens(text)}
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
	i      int
	values []Value
}

// at gives the token k after the current one, an empty one past the end.
func (r *valueReader) at(k int) token {
	if i := r.i + k; i >= 0 && i < len(r.toks) {
		return r.toks[i]
	}
	return token{kind: tokSymbol, start: len(r.text), end: len(r.text)}
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
	if cur, ok := currencies[t.low]; ok && r.at(1).kind == tokNumber && !adjacentWord(t.low) {
		return r.money(cur, 1)
	}
	return r.date() || r.absolute() || r.commitment() || r.quantity()
}

// money reads "$ 2,000", "$5-10", with the currency before the number.
func (r *valueReader) money(cur string, at int) bool {
	n := r.at(at)
	r.take(Money, num(n.n*scale(r.at(at+1)))+" "+cur, at+1+extra(scale(r.at(at+1))))
	if isRange(r.at(0)) && r.at(1).kind == tokNumber && currencies[r.at(2).low] == "" {
		r.i++
		r.take(Money, num(r.at(0).n)+" "+cur, 1)
	}
	return true
}

func extra(scale float64) int {
	if scale != 1 {
		return 1
	}
	return 0
}

func scale(t token) float64 {
	switch t.low {
	case "thousand":
		return 1e3
	case "million":
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
		unit := r.at(at)
		if unit.low == "%" || unit.low == "percent" || unit.low == "pct" || unit.low == "prozent" {
			return Percent, num, at + 1
		}
		if unit.low == "per" && r.at(at+1).low == "cent" {
			return Percent, num, at + 2
		}
		if cur, ok := currencies[unit.low]; ok {
			return Money, func(f float64) string { return num(f) + " " + cur }, at + 1
		}
		if unit.low == "business" || unit.low == "working" || unit.low == "bank" {
			if u := strings.TrimSuffix(strings.TrimSuffix(r.at(at+1).low, "s"), "-"); u == "day" {
				return Duration, func(f float64) string { return num(f) + " business days" }, at + 2
			}
		}
		if unit.low == "calendar" {
			at++
			unit = r.at(at)
		}
		if u, ok := units[unit.low]; ok {
			return Duration, func(f float64) string { return num(f*u.n) + " " + u.of }, at + 1
		}
		return "", nil, 0
	}
	if ranged {
		if kind, key, end := try(highUsed); kind != "" {
			first := key(n)
			start, stop := r.at(0).start, r.at(end-1).end
			r.values = append(r.values, Value{kind, string(kind) + ":" + first, start, stop})
			if n != high {
				r.values = append(r.values, Value{kind, string(kind) + ":" + key(high), start, stop})
			}
			r.i += end
			return true
		}
	}
	if kind, key, end := try(used); kind != "" {
		return r.take(kind, key(n), end)
	}
	if words {
		return false // "one of them", "a customer"
	}
	if r.listMark() {
		return false
	}
	return r.take(Number, num(n), used)
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

// number reads digits, "twenty", "thirty-five", "a" and "half a" before a unit,
// with a "k" or "thousand" behind.
func (r *valueReader) number(at int) (n float64, used int, ok bool) {
	t := r.at(at)
	if t.kind == tokNumber {
		if s := scale(r.at(at + 1)); s != 1 {
			return t.n * s, 2, true
		}
		// "thirty (30) days" and "5 (five) days" say it twice
		return t.n, 1, true
	}
	if t.kind != tokWord {
		return 0, 0, false
	}
	if t.low == "half" && (r.at(at+1).low == "a" || r.at(at+1).low == "an") {
		return 0.5, 2, true
	}
	n, ok = numberWords[t.low]
	if !ok {
		return 0, 0, false
	}
	used = 1
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
	switch next := r.at(at + used); next.low {
	case "hundred":
		n, used = n*100, used+1
	case "thousand":
		n, used = n*1000, used+1
	}
	if r.at(at+used).low == "(" && r.at(at+used+1).kind == tokNumber && r.at(at+used+1).n == n && r.at(at+used+2).low == ")" {
		used += 3
	}
	return n, used, true
}

// phone reads a phone number: at least seven digits in groups, or after a plus.
func (r *valueReader) phone() bool {
	var digits strings.Builder
	k, groups := 0, 0
	plus := r.at(0).low == "+"
	for {
		t := r.at(k)
		if k > 0 && t.start-r.at(k-1).end > 1 {
			break
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
		if t.kind == tokSymbol && (t.low == "-" || t.low == "(" || t.low == ")" || t.low == "/" || t.low == "+" && k == 0) {
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
		return num(a.n) + "-" + num(b.n), 5 // as written: 11/12 is ambiguous, so it must be written alike
	}
	return "", 0
}

func (r *valueReader) date() bool {
	if key, n := r.numericDate(); n > 0 {
		return r.take(Date, key, n)
	}
	t := r.at(0)
	if m, ok := months[t.low]; ok {
		k := 1
		if r.at(k).low == "." {
			k++
		}
		if d := r.at(k); d.kind == tokNumber && d.n >= 1 && d.n <= 31 && d.n == math.Trunc(d.n) {
			return r.take(Date, num(float64(m))+"-"+num(d.n), k+1+r.year(k+1))
		}
		return false
	}
	if t.kind == tokNumber && t.n >= 1 && t.n <= 31 && t.n == math.Trunc(t.n) {
		k := 1
		for r.at(k).low == "." || r.at(k).low == "of" || r.at(k).low == "de" {
			k++
		}
		if m, ok := months[r.at(k).low]; ok && len(r.at(k).low) > 2 {
			return r.take(Date, num(float64(m))+"-"+num(t.n), k+1+r.year(k+1))
		}
	}
	if weekdays[t.low] {
		return r.take(Date, strings.TrimSuffix(t.low, "s"), 1)
	}
	if t.low == "tomorrow" || t.low == "tonight" {
		return r.take(Date, t.low, 1)
	}
	return false
}

// year counts the tokens of ", 2026" behind a date. The year is not part of the
// key: "29 November" and "29 November 2026" are the same promise.
func (r *valueReader) year(at int) int {
	k := 0
	if r.at(at).low == "," {
		k = 1
	}
	if y := r.at(at + k); y.kind == tokNumber && y.n >= 1900 && y.n < 2200 {
		return k + 1
	}
	return 0
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

func (r *valueReader) absolute() bool {
	t := r.at(0)
	switch t.low {
	case "free":
		if p := r.at(-1).low; p == "feel" || p == "-" && r.at(-2).kind == tokWord || r.at(1).low == "to" {
			return false
		}
		return r.take(Absolute, "free", 1)
	case "complimentary", "kostenlos", "kostenlose", "kostenfrei", "gratis", "gratuit", "gratuite", "gratuito", "gratuita":
		return r.take(Absolute, "free", 1)
	case "no":
		if n := r.at(1).low; n == "charge" || n == "cost" || n == "fee" || n == "fees" {
			return r.take(Absolute, "free", 2)
		}
		if n := r.at(1).low; n == "extra" || n == "additional" {
			return r.take(Absolute, "free", 3)
		}
	case "guarantee", "guaranteed", "guarantees", "guaranteeing", "promise", "promised", "promises", "garantie", "garantieren", "garantiert", "garantiza", "garantizamos", "garantimos":
		return r.take(Absolute, "guarantee", 1)
	case "always", "immer", "toujours", "siempre", "sempre":
		return r.take(Absolute, "always", 1)
	case "never", "nie", "niemals", "jamais", "nunca":
		return r.take(Absolute, "never", 1)
	case "full":
		if n := r.at(1).low; n == "refund" || n == "refunds" || n == "reimbursement" || n == "credit" {
			return r.take(Absolute, "full refund", 2)
		}
	case "refund", "refunded", "refunds", "reimbursed", "credited":
		if r.at(1).low == "in" && r.at(2).low == "full" {
			return r.take(Absolute, "full refund", 3)
		}
	case "fully", "completely":
		if n := r.at(1).low; n == "refunded" || n == "reimbursed" || n == "credited" {
			return r.take(Absolute, "full refund", 2)
		}
	case "unlimited":
		return r.take(Absolute, "unlimited", 1)
	}
	return false
}

// commitment reads "I have approved", "I've already refunded", "we waived", "I
// will refund", "I'll send": something done or to be done in somebody's name.
func (r *valueReader) commitment() bool {
	t := r.at(0)
	k := 1
	switch t.low {
	case "i", "we":
		switch n := r.at(1).low; n {
		case "have", "will", "shall", "can", "may":
			if n == "can" || n == "may" {
				return false
			}
			k = 2
		}
	case "i've", "we've", "i’ve", "we’ve", "i'll", "we'll", "i’ll", "we’ll", "i'm", "we're", "i’m", "we’re":
	default:
		return false
	}
	for r.at(k).low == "already" || r.at(k).low == "just" || r.at(k).low == "now" || r.at(k).low == "also" || r.at(k).low == "personally" {
		k++
	}
	root, ok := deeds[r.at(k).low]
	if !ok {
		return false
	}
	return r.take(Commitment, root, k+1)
}

// deeds are the verbs that commit a company, by their root.
var deeds = map[string]string{
	"approve": "approve", "approved": "approve", "approving": "approve",
	"refund": "refund", "refunded": "refund", "refunding": "refund", "reimburse": "refund", "reimbursed": "refund",
	"waive": "waive", "waived": "waive", "waiving": "waive",
	"credit": "credit", "credited": "credit", "crediting": "credit",
	"cancel": "cancel", "cancelled": "cancel", "canceled": "cancel", "cancelling": "cancel",
	"issue": "issue", "issued": "issue", "issuing": "issue",
	"compensate": "compensate", "compensated": "compensate",
	"upgrade": "upgrade", "upgraded": "upgrade",
	"ship": "ship", "shipped": "ship", "replace": "replace", "replaced": "replace", "replacing": "replace",
	"reverse": "reverse", "reversed": "reverse", "extend": "extend", "extended": "extend",
	"applied": "apply", "removed": "remove", "processed": "process",
}

var currencies = map[string]string{
	"$": "usd", "usd": "usd", "dollar": "usd", "dollars": "usd", "bucks": "usd",
	"€": "eur", "eur": "eur", "euro": "eur", "euros": "eur",
	"£": "gbp", "gbp": "gbp", "pound": "gbp", "pounds": "gbp",
	"cent": "cent", "cents": "cent", "¥": "jpy", "yen": "jpy", "₹": "inr", "rupees": "inr",
	"chf": "chf", "franken": "chf", "reais": "brl", "pesos": "peso", "cad": "cad", "aud": "aud",
}

// adjacentWord: currency words that stand before a number only by accident
// ("dollars 5").
func adjacentWord(w string) bool { return len(w) > 3 }

type unit struct {
	n  float64
	of string
}

var units = map[string]unit{
	"second": {1. / 60, "minutes"}, "seconds": {1. / 60, "minutes"}, "sec": {1. / 60, "minutes"},
	"minute": {1, "minutes"}, "minutes": {1, "minutes"}, "min": {1, "minutes"}, "mins": {1, "minutes"}, "minuten": {1, "minutes"}, "minutos": {1, "minutes"},
	"hour": {60, "minutes"}, "hours": {60, "minutes"}, "hr": {60, "minutes"}, "hrs": {60, "minutes"}, "stunde": {60, "minutes"}, "stunden": {60, "minutes"}, "heures": {60, "minutes"}, "heure": {60, "minutes"}, "horas": {60, "minutes"}, "hora": {60, "minutes"},
	"day": {1440, "minutes"}, "days": {1440, "minutes"}, "tag": {1440, "minutes"}, "tage": {1440, "minutes"}, "tagen": {1440, "minutes"}, "jour": {1440, "minutes"}, "jours": {1440, "minutes"}, "día": {1440, "minutes"}, "días": {1440, "minutes"}, "dia": {1440, "minutes"}, "dias": {1440, "minutes"},
	"week": {10080, "minutes"}, "weeks": {10080, "minutes"}, "woche": {10080, "minutes"}, "wochen": {10080, "minutes"}, "semaine": {10080, "minutes"}, "semaines": {10080, "minutes"}, "semana": {10080, "minutes"}, "semanas": {10080, "minutes"},
	"fortnight": {20160, "minutes"},
	"month":     {1, "months"}, "months": {1, "months"}, "monat": {1, "months"}, "monate": {1, "months"}, "monaten": {1, "months"}, "mois": {1, "months"}, "mes": {1, "months"}, "meses": {1, "months"}, "mês": {1, "months"},
	"year": {12, "months"}, "years": {12, "months"}, "yr": {12, "months"}, "jahr": {12, "months"}, "jahre": {12, "months"}, "jahren": {12, "months"}, "an": {12, "months"}, "ans": {12, "months"}, "año": {12, "months"}, "años": {12, "months"}, "ano": {12, "months"}, "anos": {12, "months"},
	"werktag": {1, "business days"}, "werktage": {1, "business days"}, "werktagen": {1, "business days"}, "arbeitstage": {1, "business days"}, "arbeitstagen": {1, "business days"},
}

var numberWords = map[string]float64{
	"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
	"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
	"ein": 1, "eine": 1, "einen": 1, "einer": 1, "einem": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "sieben": 7, "acht": 8, "neun": 9, "zehn": 10, "vierzehn": 14, "dreißig": 30,
	"un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5, "dix": 10, "quatorze": 14, "trente": 30,
	"una": 1, "dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "diez": 10, "treinta": 30, "um": 1, "uma": 1, "dois": 2, "duas": 2, "três": 3, "quatro": 4, "dez": 10, "trinta": 30,
}

var months = map[string]int{
	"january": 1, "jan": 1, "february": 2, "feb": 2, "march": 3, "april": 4, "apr": 4, "may": 5, "june": 6, "jun": 6, "july": 7, "jul": 7,
	"august": 8, "aug": 8, "september": 9, "sept": 9, "sep": 9, "october": 10, "oct": 10, "november": 11, "nov": 11, "december": 12, "dec": 12,
	"januar": 1, "februar": 2, "märz": 3, "mai": 5, "juni": 6, "juli": 7, "oktober": 10, "dezember": 12,
	"janvier": 1, "février": 2, "mars": 3, "avril": 4, "juin": 6, "juillet": 7, "août": 8, "septembre": 9, "octobre": 10, "novembre": 11, "décembre": 12,
	"enero": 1, "febrero": 2, "marzo": 3, "abril": 4, "mayo": 5, "junio": 6, "julio": 7, "agosto": 8, "septiembre": 9, "octubre": 10, "noviembre": 11, "diciembre": 12,
	"janeiro": 1, "fevereiro": 2, "março": 3, "maio": 5, "junho": 6, "julho": 7, "setembro": 9, "outubro": 10, "novembro": 11, "dezembro": 12,
}

var weekdays = map[string]bool{
	"monday": true, "tuesday": true, "wednesday": true, "thursday": true, "friday": true, "saturday": true, "sunday": true,
	"mondays": true, "tuesdays": true, "wednesdays": true, "thursdays": true, "fridays": true, "saturdays": true, "sundays": true,
	"montag": true, "dienstag": true, "mittwoch": true, "donnerstag": true, "freitag": true, "samstag": true, "sonntag": true,
}

func isRange(t token) bool {
	return t.low == "-" || t.low == "to" || t.low == "or" || t.low == "and" || t.low == "bis" || t.low == "à"
}

// num writes a number the same way whatever its form: 10, 10.0 and 1e1 are "10".
func num(f float64) string { return strconv.FormatFloat(math.Round(f*1e4)/1e4, 'f', -1, 64) }

// tokens cuts a text into words, numbers and single signs. Links and addresses
// are one token each.
func tokens(text string) []token {
	skips := addresses(text)
	toks := make([]token, 0, len(text)/4)
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

// parseNumber reads 2,000 · 1.5 · 1.000,50 · 2k · 3rd.
func parseNumber(s string) float64 {
	mult := 1.0
	if strings.HasSuffix(strings.ToLower(s), "k") {
		mult = 1000
	}
	s = strings.TrimRight(s, "kKsthnrd")
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
	case strings.Count(s, ".") > 1: // 1.000.000
		s = strings.ReplaceAll(s, ".", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return math.NaN()
	}
	return f * mult
}
