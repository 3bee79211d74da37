package check

import (
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// runLength is how many content words in a row make a quotation of an internal
// passage; small words between them may differ.
const (
	runLength = 5
	smallWord = 3 // letters of a word that does not count
)

// Audience finds what only an internal passage could have told: its wording, its
// amounts, dates and addresses, its codes and names. What the agent may give out
// of it, within limits, may be said.
func Audience(draft assist.Draft, hits []assist.Hit, turns []assist.Turn, limits ...Limit) []assist.Verdict {
	return reading(hits, turns).audience(draft, limits)
}

func (r *Reading) audience(draft assist.Draft, limits []Limit) []assist.Verdict {
	return r.insider(draft.Text, limits).in(draft)
}

// insider does so for any text.
func (r *Reading) insider(text string, limits []Limit) runVerdicts {
	if !slices.ContainsFunc(r.hits, internal) {
		return nil
	}
	return internalFacts(text, internalRuns(text, r.internalRuns()), r.everything(), limits)
}

func internal(h assist.Hit) bool { return h.Audience != assist.AudiencePublic }

// internalFacts adds values, addresses and codes that stand in an internal
// passage and nowhere the customer could have read them, each once.
func internalFacts(text string, verdicts runVerdicts, read *sources, limits []Limit) runVerdicts {
	var inside, outside sources
	for _, t := range read.texts {
		if t.hit != nil && internal(*t.hit) {
			inside.texts = append(inside.texts, t)
		} else {
			outside.texts = append(outside.texts, t)
		}
	}
	mark := func(start, end int, h *assist.Hit) {
		words := text[start:end]
		for _, v := range verdicts {
			if start < v.End && v.Start < end || v.Words == words {
				return
			}
		}
		verdicts = append(verdicts, assist.Verdict{
			Check: checkAudience, Outcome: assist.Warn, Sentence: -1, Words: words, Start: start, End: end,
			Reason: fmt.Sprintf("%s stands only in %s, which is internal: say it only if the customer may know.", clip(words, 60), name(h)),
		})
	}
	for _, c := range codes(text) {
		if h := inside.spells(c.In(text)); h != nil && outside.spells(c.In(text)) == nil && !outside.turned(c.In(text)) {
			mark(c.Start, c.End, h)
		}
	}
	for _, v := range Values(text) {
		switch v.Kind {
		case Number:
			if v.End-v.Start < codeLength {
				continue
			}
		case Absolute, Commitment, Time:
			continue
		}
		if h := inside.holder(v); h != nil && !outside.has(v) && !offered(text, v, limits) {
			mark(v.Start, v.End, h)
		}
	}
	return verdicts
}

// offered reports whether a value is what this agent may give of the gesture
// that its sentence names.
func offered(text string, v Value, limits []Limit) bool {
	for _, span := range lex.Sentences(text) {
		if v.Start < span.Start || v.Start >= span.End {
			continue
		}
		spoken := lex.Language(text)
		terms := spokenTerms(span.In(text), spoken)
		for _, l := range limits {
			if amount, ok := l.amount(v); ok && amount <= l.Left && slices.ContainsFunc(l.names(spoken), terms.name) {
				return true
			}
		}
	}
	return false
}

// codeLength is how many characters a code has at least.
const codeLength = 4

// codes finds links, mail addresses, and words that look like a code or the name
// of a system: with a letter and a digit, with an underscore, or with a capital
// inside.
func codes(text string) []lex.Span {
	var found []lex.Span
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		if separates(r) {
			i += size
			continue
		}
		end := i
		for end < len(text) {
			r, size := utf8.DecodeRuneInString(text[end:])
			if separates(r) {
				break
			}
			end += size
		}
		word := strings.TrimRight(text[i:end], ".,;:!?*~…")
		if isLink(word) || isMail(word) || coded(word) {
			found = append(found, lex.Span{Start: i, End: i + len(word)})
		}
		i = end
	}
	return found
}

func coded(word string) bool {
	if len(word) < codeLength {
		return false
	}
	letters, digits, lower, inner := false, false, false, false
	for _, r := range word {
		switch {
		case unicode.IsDigit(r):
			digits = true
		case unicode.IsUpper(r):
			inner = inner || lower
			letters = true
		case unicode.IsLetter(r):
			lower, letters = true, true
		case r == '_':
			inner = true
		case r != '-' && r != '/' && r != '.' && r != '#':
			return false
		}
	}
	return letters && (digits || inner) && !ordinary.MatchString(word)
}

// ordinary are words with a digit that are no codes: "14-day", "2nd", "5pm", "$20".
var ordinary = regexp.MustCompile(`(?i)^[0-9.,]+(-?[a-z]{1,2}|-(day|days|week|weeks|month|months|year|years|hour|hours|minute|minutes|digit|star|step|inch|tage|jours|días))$`)

// spells gives the passage that holds a word exactly, whatever its case.
func (s *sources) spells(word string) *assist.Hit {
	for _, t := range s.texts {
		if t.hit != nil && holdsWord(t.text, word) {
			return t.hit
		}
	}
	return nil
}

// turned reports whether somebody wrote the word in the chat.
func (s *sources) turned(word string) bool {
	return slices.ContainsFunc(s.texts, func(t *source) bool { return t.hit == nil && holdsWord(t.text, word) })
}

func holdsWord(text, word string) bool {
	text, word = strings.ToLower(text), strings.ToLower(word)
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		if betweenWords(text, i) && betweenWords(text, i+len(word)) {
			return true
		}
		from = i + 1
	}
}

type runVerdicts []assist.Verdict

// in gives each verdict the sentence that it begins in.
func (vs runVerdicts) in(d assist.Draft) []assist.Verdict {
	at := starts(d)
	for i := range vs {
		for n, s := range at {
			if vs[i].Start >= s {
				vs[i].Sentence = n
			}
		}
	}
	return vs
}

type runs struct {
	seed maphash.Seed
	of   map[uint64]*assist.Hit
}

func newRuns(hits []assist.Hit, turns []assist.Turn) runs {
	r := runs{seed: maphash.MakeSeed(), of: map[uint64]*assist.Hit{}}
	for i := range hits {
		if internal(hits[i]) {
			r.each(hits[i].Text, func(hash uint64, _ int, _ int) { r.of[hash] = &hits[i] })
		}
	}
	forget := func(hash uint64, _ int, _ int) { delete(r.of, hash) }
	for _, h := range hits {
		if !internal(h) {
			r.each(h.Text, forget)
		}
	}
	for _, t := range turns {
		if t.Role != assist.RoleSystem {
			r.each(t.Text, forget)
		}
	}
	return r
}

// each gives every run of content words of a text by its hash and byte range.
func (r runs) each(text string, f func(hash uint64, start, end int)) {
	const times = 0x9e3779b97f4a7c15 // odd, so that nothing is lost
	var last [runLength]struct {
		hash  uint64
		start int
	}
	n := 0
	for w := range lex.EachWord(text) {
		word := w.In(text)
		if len(word) <= smallWord && !strings.ContainsAny(word, "0123456789") {
			continue
		}
		last[n%runLength].hash, last[n%runLength].start = maphash.String(r.seed, strings.ToLower(word)), w.Start
		if n++; n < runLength {
			continue
		}
		hash := uint64(0)
		for i := range runLength {
			hash = hash*times + last[(n+i)%runLength].hash
		}
		f(hash, last[n%runLength].start, w.End)
	}
}

func internalRuns(text string, inside runs) runVerdicts {
	if len(inside.of) == 0 {
		return nil
	}
	var verdicts runVerdicts
	inside.each(text, func(hash uint64, start, end int) {
		h := inside.of[hash]
		if h == nil {
			return
		}
		if n := len(verdicts); n > 0 && start <= verdicts[n-1].End { // goes on
			last := &verdicts[n-1]
			last.End = end
			last.Words = text[last.Start:end]
			return
		}
		verdicts = append(verdicts, assist.Verdict{
			Check: checkAudience, Outcome: assist.Warn, Sentence: -1, Words: text[start:end], Start: start, End: end,
			Reason: fmt.Sprintf("These words stand in %s, which is internal: say it in your own words.", name(h)),
		})
	})
	return verdicts
}
