package check

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

const checkAuthority = "authority"

// Limit is how much of one gesture the agent may still give this customer
// without asking anybody. Whoever knows the limits of roles makes these.
type Limit struct {
	Gesture  string // its title: "Store credit"
	Unit     Kind   // Money, Percent, or Number for how many times
	Currency string // of Money, as in Values' keys: usd, eur; "" for any
	Left     float64
	Period   string // in words: "this quarter"; "" when it does not matter
	Barred   bool   // this role may not give it at all; Left is 0
}

// Authority finds gestures offered beyond what the agent may give: a sentence
// that names the gesture and an amount larger than what is left. A gesture with
// nothing left is marked where it is offered, also without an amount. What a
// public passage grants for the same thing is policy, not a gesture.
func Authority(text string, limits []Limit, hits []assist.Hit) []assist.Verdict {
	if len(limits) == 0 {
		return nil
	}
	const language = "en" // titles of gestures are written in it
	names := make([][]string, len(limits))
	for i, l := range limits {
		names[i] = l.name(language)
	}
	var public sources
	for _, h := range hits {
		if h.Audience == assist.AudiencePublic {
			public.addHits([]assist.Hit{h})
		}
	}
	var verdicts []assist.Verdict
	for n, span := range lex.Sentences(text) {
		sentence := span.In(text)
		terms := termSet(sentence, language)
		var values []Value
		for i, l := range limits {
			if !mostOf(names[i], terms) {
				continue
			}
			mark := func(start, end int, words string) {
				verdicts = append(verdicts, assist.Verdict{
					Check: checkAuthority, Outcome: assist.Warn, Sentence: n,
					Words: sentence[start:end], Start: span.Start + start, End: span.Start + end,
					Reason: l.reason(words),
				})
			}
			if values == nil {
				values = Values(sentence)
			}
			amounts := 0
			for _, v := range values {
				amount, ok := l.amount(v)
				if !ok {
					continue
				}
				amounts++
				if amount > l.Left && !public.grant(v, names[i], language) {
					mark(v.Start, v.End, clip(sentence[v.Start:v.End], 40))
				}
			}
			if at := offering.FindStringIndex(sentence); amounts == 0 && l.Left <= 0 && at != nil && !refusal.MatchString(sentence) {
				mark(at[0], at[1], "“"+sentence[at[0]:at[1]]+"”")
			}
		}
	}
	return verdicts
}

// The words an agent offers with, and those that make a refusal of it.
var (
	offering = lex.MustPattern(`(?i)\b(I|we)(['’](ll|ve|d like to|m)| will| can| have| would like to| am| are|['’]re)( also| just| now| already)? (give|giving|given|gave|add|added|adding|offer|offered|offering|send|sent|sending|refund|refunded|refunding|book|booked|booking|upgrade|upgraded|upgrading|grant|granted|granting|credit|credited|issue|issued|arrange|arranged|put|take|taken|waive|waived)\b`)
	refusal  = lex.MustPattern(`(?i)\b(can ?not|can['’]t|not|won['’]t|unable|unfortunately|ask(ed)? my|check(ed)? with|lead|supervisor|colleague)\b`)
)

// name gives the words that a sentence must have most of to name the gesture.
func (l Limit) name(language string) []string {
	words := distinct(lex.Terms(l.Gesture, language))
	if l.Unit == Percent { // people write "15%"
		words = slices.DeleteFunc(words, func(w string) bool { return w == "percent" })
	}
	return words
}

// mostOf reports whether a set holds all of up to two terms, two thirds of more.
func mostOf(terms []string, set map[string]bool) bool {
	n := 0
	for _, t := range terms {
		if set[t] {
			n++
		}
	}
	if len(terms) <= 2 {
		return n == len(terms) && n > 0
	}
	return 3*n >= 2*len(terms)
}

// grant reports whether a line of the sources says this value of that thing.
func (s *sources) grant(v Value, name []string, language string) bool {
	for _, t := range s.texts {
		t.once()
		if !t.keys[v.Key] {
			continue
		}
		title := termSet(t.hit.Title+" "+t.hit.Heading, language)
		for _, l := range t.statements(language) {
			if holds, _ := t.inLine(l, v); !holds {
				continue
			}
			all := maps.Clone(title)
			maps.Copy(all, l.terms)
			if mostOf(name, all) {
				return true
			}
		}
	}
	return false
}

// amount gives how much of the limit's unit a value is.
func (l Limit) amount(v Value) (float64, bool) {
	if v.Kind != l.Unit {
		return 0, false
	}
	_, key, _ := strings.Cut(v.Key, ":")
	n, currency, _ := strings.Cut(key, " ")
	if l.Currency != "" && currency != "" && currency != strings.ToLower(l.Currency) {
		return 0, false
	}
	f, err := strconv.ParseFloat(n, 64)
	return f, err == nil
}

func (l Limit) reason(words string) string {
	left := num(l.Left)
	switch l.Unit {
	case Money:
		left += " " + strings.ToUpper(l.Currency)
	case Percent:
		left += " %"
	case Number:
		if l.Left == 1 {
			left = "one"
		}
	}
	when := ""
	if l.Period != "" {
		when = " " + l.Period
	}
	if l.Barred {
		return fmt.Sprintf("%s: %s is not yours to give. Ask your lead.", words, strings.ToLower(l.Gesture))
	}
	if l.Left <= 0 {
		return fmt.Sprintf("%s: you have no %s left to give%s. Ask your lead.", words, strings.ToLower(l.Gesture), when)
	}
	return fmt.Sprintf("%s is more %s than the %s you may give%s. Ask your lead.", words, strings.ToLower(l.Gesture), strings.TrimSpace(left), when)
}
