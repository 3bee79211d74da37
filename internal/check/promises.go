package check

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// Promises looks for facts that nobody vouches for: each amount, percentage,
// duration, date, quantity, absolute word, commitment, address and phone number
// of a sentence must stand in a passage that the sentence cites, or in the
// transcript.
func Promises(draft assist.Draft, hits []assist.Hit, turns []assist.Turn) []assist.Verdict {
	return reading(hits, turns).promises(draft)
}

func (r *Reading) promises(draft assist.Draft) []assist.Verdict {
	var verdicts []assist.Verdict
	at := starts(draft)
	for i, s := range draft.Sentences {
		values := Values(s.Text)
		if len(values) == 0 {
			continue
		}
		all := r.passages()
		verdicts = append(verdicts, judge(s.Text, values, i, at[i], r.transcript().with(all.cited(s.Citations)), all)...)
	}
	return verdicts
}

// allowed leaves out that nobody vouches for an amount where it is a gesture that
// this agent may give: their own word is enough. What is said to be done already
// still needs somebody who did it.
func allowed(verdicts []assist.Verdict, text string, limits []Limit) []assist.Verdict {
	if len(limits) == 0 || !slices.ContainsFunc(verdicts, func(v assist.Verdict) bool { return v.Check == checkPromises }) {
		return verdicts
	}
	mine := map[int]bool{}
	for _, v := range Values(text) {
		mine[v.Start] = offered(text, v, limits) && !doneAlready(text, v)
	}
	return slices.DeleteFunc(verdicts, func(v assist.Verdict) bool { return v.Check == checkPromises && mine[v.Start] })
}

var done = regexp.MustCompile(`(?i)\b(I|we)(['’]ve| have| just| already)\b|\b(has|have|was|were|is|are) (already |just |now )?(been )?(added|applied|booked|credited|given|granted|issued|put|refunded|sent)\b`)

// doneAlready reports whether a value's sentence speaks of what was done.
func doneAlready(text string, v Value) bool {
	for _, span := range lex.Sentences(text) {
		if v.Start >= span.Start && v.Start < span.End {
			return done.MatchString(span.In(text))
		}
	}
	return false
}

func promises(text string, sentence, offset int, from, elsewhere *sources) []assist.Verdict {
	return judge(text, Values(text), sentence, offset, from, elsewhere)
}

func judge(text string, values []Value, sentence, offset int, from, elsewhere *sources) []assist.Verdict {
	var verdicts []assist.Verdict
	if len(values) == 0 {
		return nil
	}
	language := cmp.Or(lex.Language(text), "en")
	spans := lex.Sentences(text)
	for n, v := range values {
		c := stated{Value: v, text: text, language: language}
		for len(spans) > 1 && spans[0].End <= v.Start {
			spans = spans[1:]
		}
		if len(spans) > 0 {
			c.sentence = spans[0]
		}
		if from.has(v) && from.about(c) {
			if said := from.beside(c); said != "" {
				words := text[v.Start:v.End]
				verdicts = append(verdicts, assist.Verdict{
					Check: checkPromises, Outcome: assist.Warn, Sentence: sentence,
					Words: words, Start: offset + v.Start, End: offset + v.End,
					Reason: fmt.Sprintf("%s stands in the source for something else; of this it says %s.", clip(words, 60), said),
				})
			}
			continue
		}
		if n > 0 && values[n-1].Start == v.Start && len(verdicts) > 0 && verdicts[len(verdicts)-1].Start == offset+v.Start {
			continue
		}
		words := text[v.Start:v.End]
		outcome := assist.Warn
		if v.Kind == Email || v.Kind == Phone {
			outcome = assist.Block
		}
		verdicts = append(verdicts, assist.Verdict{
			Check: checkPromises, Outcome: outcome, Sentence: sentence,
			Words: words, Start: offset + v.Start, End: offset + v.End,
			Reason: reason(v, clip(words, 60), from, elsewhere),
		})
	}
	return verdicts
}

func reason(v Value, words string, from, elsewhere *sources) string {
	if elsewhere != nil {
		if h := elsewhere.holder(v); h != nil {
			if v.Kind == Absolute || v.Kind == Commitment {
				words = "“" + words + "”"
			}
			return fmt.Sprintf("%s stands in %s, which this sentence does not cite.", words, name(h))
		}
	}
	switch v.Kind {
	case Absolute:
		return fmt.Sprintf("“%s” is in no source: policy may have exceptions.", words)
	case Commitment:
		return fmt.Sprintf("“%s” commits you: no source and nothing in this chat says it is so.", words)
	case Email:
		return fmt.Sprintf("The address %s is in no source and nobody wrote it in this chat.", words)
	case Phone:
		return fmt.Sprintf("The phone number %s is in no source and nobody wrote it in this chat.", words)
	}
	if near := from.nearest(v); near != "" {
		return fmt.Sprintf("%s is in no source and nobody wrote it in this chat; the source says %s.", words, near)
	}
	return fmt.Sprintf("%s is in no source and nobody wrote it in this chat.", words)
}

// sources are texts that vouch for facts. Each is read once, when first asked.
type sources struct{ texts []*source }

type source struct {
	hit      *assist.Hit // nil: the transcript
	customer bool        // what the customer wrote vouches for amounts, never for what we promise
	text     string
	values   []Value
	keys     map[string]bool
	nums     map[string]bool   // every number, whatever it counts
	days     map[string]bool   // of the dates
	roots    map[string]bool   // the deeds it names; nil: not yet known
	lines    map[string][]line // by language
	read     bool
}

func (s *sources) addHits(hits []assist.Hit) {
	for i := range hits {
		h := &hits[i]
		s.texts = append(s.texts, &source{hit: h, text: h.Title + "\n" + h.Heading + "\n" + h.Text})
	}
}

func (s *sources) byID() map[string]*source {
	m := make(map[string]*source, len(s.texts))
	for _, t := range s.texts {
		m[t.hit.ID] = t
	}
	return m
}

// addTurns adds the transcript as two sources: what the customer wrote, and what
// our side wrote and did.
func (s *sources) addTurns(turns []assist.Turn) {
	var ours, theirs []assist.Turn
	for _, t := range turns {
		if t.Role == assist.RoleCustomer {
			theirs = append(theirs, t)
		} else {
			ours = append(ours, t)
		}
	}
	s.texts = append(s.texts, &source{text: spoken(ours) + actions(ours)}, &source{text: spoken(theirs), customer: true})
}

// actions names what was done in other systems: that was really done.
func actions(turns []assist.Turn) string {
	var b strings.Builder
	for _, t := range turns {
		if t.Action == nil {
			continue
		}
		for _, w := range strings.FieldsFunc(t.Action.Name, func(r rune) bool { return !wordRune(r) }) {
			if root, ok := deeds[strings.ToLower(w)]; ok {
				fmt.Fprintf(&b, "We have %s.\n", participle[root])
			}
		}
	}
	return b.String()
}

var participle = participles()

func participles() map[string]string {
	of := map[string]string{"pay": "paid"}
	for word, root := range deeds {
		if strings.HasSuffix(word, "ed") && (of[root] == "" || word < of[root]) {
			of[root] = word
		}
	}
	return of
}

// cited gives the sources that citations name.
func (s *sources) cited(cs []assist.Citation) []*source {
	var texts []*source
	for _, t := range s.texts {
		if slices.ContainsFunc(cs, func(c assist.Citation) bool { return c.PassageID == t.hit.ID }) {
			texts = append(texts, t)
		}
	}
	return texts
}

func (s *sources) with(texts []*source) *sources {
	return &sources{slices.Concat(s.texts, texts)}
}

func (s *sources) has(v Value) bool { return s.find(v) != nil }

func (s *sources) holder(v Value) *assist.Hit {
	if f := s.find(v); f != nil {
		return f.hit
	}
	return nil
}

func (s *sources) find(v Value) *source {
	for _, t := range s.texts {
		t.once()
		if t.holds(v) {
			return t
		}
	}
	return nil
}

// nearest gives the source's own words when it has exactly one value of the
// same kind: then that is what was meant.
func (s *sources) nearest(v Value) string {
	words := ""
	for _, t := range s.texts {
		if t.hit == nil {
			continue
		}
		t.once()
		for _, o := range t.values {
			if o.Kind != v.Kind || v.Kind == Number {
				continue
			}
			if words != "" && words != t.text[o.Start:o.End] {
				return ""
			}
			words = t.text[o.Start:o.End]
		}
	}
	return clip(words, 40)
}

func (t *source) once() {
	if t.read {
		return
	}
	t.read = true
	t.values = Values(t.text)
	t.keys = make(map[string]bool, len(t.values))
	t.nums = make(map[string]bool)
	t.days = make(map[string]bool)
	for _, v := range t.values {
		t.keys[v.Key] = true
		if i := strings.LastIndexByte(v.Key, '-'); v.Kind == Date && i > 0 {
			t.days[v.Key[i+1:]] = true
		}
		if n, ok := amount(v); ok {
			t.nums[n] = true
		}
		if v.Kind == Number || v.Kind == Phone {
			_, n, _ := strings.Cut(v.Key, ":")
			t.nums[n] = true
		}
	}
}

// names reports whether the source names a deed, whoever does it.
func (t *source) names(deed string) bool {
	if t.roots == nil {
		t.roots = map[string]bool{}
		for w := range lex.EachWord(t.text) {
			if root, ok := deeds[strings.ToLower(w.In(t.text))]; ok {
				t.roots[root] = true
			}
		}
	}
	return t.roots[deed]
}

// holds reports whether the source has the value. A bare number is held by the
// same number of anything; an amount is held by the bare number in the
// transcript ("refund me the 25"); a month by any day in it; what we always do
// by a passage that names the deed.
func (t *source) holds(v Value) bool {
	_, key, _ := strings.Cut(v.Key, ":")
	switch v.Kind {
	case Commitment:
		return !t.customer && (t.keys[v.Key] || v.rule && t.hit != nil && t.names(strings.TrimPrefix(key, ruleMark)))
	case Absolute:
		return !t.customer && (t.keys[v.Key] || key == "money back" && t.names("refund"))
	case Date:
		return t.holdsDate(v, key)
	}
	if t.keys[v.Key] {
		return true
	}
	switch v.Kind {
	case Number:
		return t.nums[key] || v.ordinal && t.days[key]
	case Money:
		n, _ := amount(v)
		if t.hit == nil && t.keys["number:"+n] {
			return true
		}
		if cents, ok := strings.CutSuffix(key, " cent"); ok {
			if f, err := strconv.ParseFloat(cents, 64); err == nil {
				return t.keys["money:"+num(f/100)+" usd"] || t.keys["money:"+num(f/100)+" eur"] || t.keys["money:"+num(f/100)+" gbp"]
			}
		}
		if f, err := strconv.ParseFloat(n, 64); err == nil && f < 10 && (strings.HasSuffix(key, " usd") || strings.HasSuffix(key, " eur") || strings.HasSuffix(key, " gbp")) {
			return t.keys["money:"+num(f*100)+" cent"]
		}
	case Phone:
		return t.nums[key] || t.dials(key)
	}
	return false
}

// dials reports whether the source has the number with another way to write the
// country.
func (t *source) dials(digits string) bool {
	const local = 9
	for _, v := range t.values {
		_, own, _ := strings.Cut(v.Key, ":")
		if v.Kind == Phone && len(own) >= local && len(digits) >= local && (strings.HasSuffix(own, digits) || strings.HasSuffix(digits, own)) {
			return true
		}
	}
	return false
}

// holdsDate compares days, and years where both name one.
func (t *source) holdsDate(v Value, key string) bool {
	month := !strings.Contains(key, "-")
	for _, o := range t.values {
		if o.Kind != Date || v.year != 0 && o.year != 0 && v.year != o.year {
			continue
		}
		if o.Key == v.Key || o.Key == v.swapped || o.swapped == v.Key || month && strings.HasPrefix(o.Key, v.Key+"-") {
			return true
		}
	}
	return false
}

// amount gives the number of a money, percent or duration value as written in
// its key.
func amount(v Value) (n string, ok bool) {
	switch v.Kind {
	case Money, Percent, Duration:
		_, key, _ := strings.Cut(v.Key, ":")
		n, _, _ = strings.Cut(key, " ")
		return n, true
	}
	return "", false
}
