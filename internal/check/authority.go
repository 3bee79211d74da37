package check

import (
	"fmt"
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
}

// Authority finds gestures offered beyond what the agent may give: a sentence
// that names the gesture and an amount larger than what is left. A gesture with
// nothing left is marked by its name.
func Authority(text string, limits []Limit) []assist.Verdict {
	if len(limits) == 0 {
		return nil
	}
	language := "en"
	names := make([][]string, len(limits))
	for i, l := range limits {
		names[i] = distinct(lex.Terms(l.Gesture, language))
	}
	var verdicts []assist.Verdict
	for n, span := range lex.Sentences(text) {
		sentence := span.In(text)
		terms := termSet(sentence, language)
		values := Values(sentence)
		for i, l := range limits {
			if !allOf(names[i], terms) {
				continue
			}
			for _, v := range values {
				amount, ok := l.amount(v)
				if !ok || amount <= l.Left {
					continue
				}
				verdicts = append(verdicts, assist.Verdict{
					Check: checkAuthority, Outcome: assist.Warn, Sentence: n,
					Words: sentence[v.Start:v.End], Start: span.Start + v.Start, End: span.Start + v.End,
					Reason: l.reason(clip(sentence[v.Start:v.End], 40)),
				})
			}
		}
	}
	return verdicts
}

func allOf(terms []string, set map[string]bool) bool {
	for _, t := range terms {
		if !set[t] {
			return false
		}
	}
	return len(terms) > 0
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
	}
	when := ""
	if l.Period != "" {
		when = " " + l.Period
	}
	if l.Left <= 0 {
		return fmt.Sprintf("%s: you have no %s left to give%s. Ask your lead.", words, strings.ToLower(l.Gesture), when)
	}
	return fmt.Sprintf("%s is more %s than the %s you may give%s. Ask your lead.", words, strings.ToLower(l.Gesture), strings.TrimSpace(left), when)
}
