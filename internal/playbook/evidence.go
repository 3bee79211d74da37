package playbook

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// evidence is what a transcript says that conditions of a page can be held
// against. It sees words: it says yes or no only when the very words of the
// condition were said, or a length of time that decides it; else it does not know.
type evidence struct {
	language  string
	sentences []sentence // newest first
	actions   []label
}

// sentence is one thing that was said.
type sentence struct {
	words   string // as said
	low     string
	terms   []string
	negated bool
	asks    bool // a question or a what-if: it states nothing
	by      assist.Role
	reply   string   // what the agent had asked before, for a customer's sentence
	asked   []string // its terms
}

// finding is what evidence says of a condition: 1 yes, -1 no, 0 unknown.
type finding struct {
	says  int
	words string // that say so
}

const maxSentences = 60

func evidenceOf(turns []assist.Turn, language string) evidence {
	e := evidence{language: language}
	for i := len(turns) - 1; i >= 0 && len(e.sentences) < maxSentences; i-- {
		t := turns[i]
		if t.Action != nil && t.Action.Name != "" {
			e.actions = append(e.actions, labelOf(t.Action.Name))
		}
		if t.Role != assist.RoleCustomer && t.Role != assist.RoleAgent || t.Text == "" {
			continue
		}
		asked := ""
		for j := i - 1; j >= 0 && t.Role == assist.RoleCustomer; j-- {
			if turns[j].Role == assist.RoleAgent && turns[j].Text != "" {
				asked = turns[j].Text
				break
			}
			if turns[j].Role == assist.RoleCustomer {
				continue
			}
		}
		var terms []string
		if strings.Contains(asked, "?") {
			terms = lex.Terms(asked, language)
		}
		spans := lex.Sentences(t.Text)
		for k := len(spans) - 1; k >= 0; k-- {
			words := spans[k].In(t.Text)
			low := strings.ToLower(strings.ReplaceAll(words, "’", "'"))
			e.sentences = append(e.sentences, sentence{words: words, low: low, terms: lex.Terms(words, language), negated: negation.MatchString(low),
				asks: strings.Contains(words, "?") || whatIf.MatchString(low), by: t.Role, reply: asked, asked: terms})
		}
	}
	return e
}

var (
	negation = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:not|no|never|without|none|cannot|nothing|neither|nobody|\w+n't|nicht|kein\w*|nie|ohne|ne|n'\pL+|pas|jamais|sans|aucune?|nunca|sin|ningun\w*|ningún|não|nem|nenhum\w*|sem)(?:[^\pL]|$)`)
	whatIf   = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:if|whether|would|could|what happens|suppose|wenn|falls|ob|würde|si|est-ce que|serait|caso|seria)(?:[^\pL]|$)`)

	spanOfTime = regexp.MustCompile(`(?i)(?:^|[^\pL\d])(\d{1,4}|an?|one|two|three|four|five|six|seven|eight|nine|ten|twelve|a couple(?: of)?|a few|several|last|this|` +
		`ein(?:e[mnr]?)?|zwei|drei|vier|fünf|sechs|letzte[nr]?|une?|deux|trois|quatre|cinq|six|dos|tres|cuatro|cinco|seis|um|uma|dois|duas|três|quatro)` +
		`\s*-?\s*(?:business |working |calendar )?(hour|day|week|month|year|stunde|tag|woche|monat|jahr|heure|jour|semaine|mois|an|année|hora|día|dia|semana|mes|mês|año|ano)(?:e?s|e?n|e)?(?:[^\pL]|$)`)
	nearDay = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:today|yesterday|gestern|heute|hier|aujourd'hui|ayer|hoy|ontem|hoje)(?:[^\pL]|$)`)
	more    = regexp.MustCompile(`(?i)(?:more than|over|older than|longer than|later than|after|beyond|past|exceed\w*|at least|älter als|mehr als|länger als|über|nach|plus de|après|más de|después de|mais de|há mais de|depois de)\s*$`)
	less    = regexp.MustCompile(`(?i)(?:less than|under|within|up to|fewer than|at most|no more than|not more than|in the last|during the first|innerhalb(?: von)?|weniger als|jünger als|moins de|dans les|sous|menos de|dentro de|en los|em até|até)\s*$`)
	// words of one matter: when something was bought, and when it came, are near.
	timeAnchor = regexp.MustCompile(`(?i)\b(?:ago|old|since|bought|buy|purchas\w*|order\w*|deliver\w*|arriv\w*|receiv\w*|got|came|wait\w*|open\w*|ship\w*|vor|seit|alt|gekauft|bestellt|geliefert|gekommen|erhalten|kauf\w*|liefer\w*|warte\w*|il y a|depuis|acheté\w*|commandé\w*|reçu\w*|livr\w*|achat|hace|desde|compr\w*|pedid\w*|recib\w*|llegó|entreg\w*|há|recebi\w*|cheg\w*)`)
	actedOn    = regexp.MustCompile(`\[([^\]\n]{2,80})\]`)
)

var numbers = map[string]float64{"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12,
	"ein": 1, "eine": 1, "einem": 1, "einen": 1, "einer": 1, "zwei": 2, "drei": 3, "vier": 4, "fünf": 5, "sechs": 6, "un": 1, "une": 1, "deux": 2, "trois": 3, "quatre": 4, "cinq": 5,
	"dos": 2, "tres": 3, "cuatro": 4, "cinco": 5, "seis": 6, "um": 1, "uma": 1, "dois": 2, "duas": 2, "três": 3, "quatro": 4}

var unitDays = map[string]float64{"hour": 1. / 24, "day": 1, "week": 7, "month": 30, "year": 365, "stunde": 1. / 24, "tag": 1, "woche": 7, "monat": 30, "jahr": 365,
	"heure": 1. / 24, "jour": 1, "semaine": 7, "mois": 30, "an": 365, "année": 365, "hora": 1. / 24, "día": 1, "dia": 1, "semana": 7, "mes": 30, "mês": 30, "año": 365, "ano": 365}

// days reads lengths of time out of a text: from … to, in days, and where the
// words stand. "Last month" is anything from two weeks to two months.
func days(low string) (out []struct{ from, to, at float64 }) {
	for _, m := range spanOfTime.FindAllStringSubmatchIndex(low, -1) {
		word := low[m[2]:m[3]]
		unit := unitDays[low[m[4]:m[5]]]
		from, to := 0.0, 0.0
		switch n, err := strconv.ParseFloat(word, 64); {
		case err == nil:
			from, to = n*unit, n*unit
			if unit >= 30 {
				from, to = n*unit*0.95, n*unit*1.05
			}
		case strings.HasPrefix(word, "a couple"):
			from, to = 1.5*unit, 3*unit
		case word == "a few" || word == "several":
			from, to = 2*unit, 10*unit
		case word == "last" || strings.HasPrefix(word, "letzte"):
			from, to = unit/30, 2*unit
		case word == "this":
			from, to = 0, unit
		case numbers[word] > 0:
			from, to = numbers[word]*unit*0.9, numbers[word]*unit*1.1
		default:
			continue
		}
		out = append(out, struct{ from, to, at float64 }{from, to, float64(m[2])})
	}
	if m := nearDay.FindStringIndex(low); m != nil {
		out = append(out, struct{ from, to, at float64 }{0, 1, float64(m[0])})
	}
	return out
}

// of says whether a condition holds.
func (e evidence) of(cond string) finding {
	low := strings.ToLower(strings.ReplaceAll(cond, "’", "'"))
	flip := 1
	if strings.HasPrefix(low, "unless") || strings.HasPrefix(low, "a menos que") || strings.HasPrefix(low, "sauf si") {
		flip = -1
	}
	if m := actedOn.FindStringSubmatch(cond); m != nil {
		name := labelOf(m[1])
		if slices.ContainsFunc(e.actions, func(a label) bool { return a.same(name) }) && !negation.MatchString(low) {
			return finding{flip, "[" + m[1] + "]"}
		}
	}
	f := e.time(low)
	if f.says == 0 {
		f = e.said(low)
	}
	f.says *= flip
	return f
}

// time holds a length of time in a condition against what was said.
func (e evidence) time(low string) finding {
	spans := days(low)
	if len(spans) != 1 || !timeAnchor.MatchString(low) {
		return finding{}
	}
	limit := spans[0].to
	before := low[:int(spans[0].at)]
	way := 0
	switch {
	case more.MatchString(before):
		way = 1
	case less.MatchString(before):
		way = -1
	default:
		return finding{}
	}
	if negation.MatchString(before) && !strings.Contains(before, "no more than") && !strings.Contains(before, "not more than") {
		way = -way
	}
	for _, s := range e.sentences {
		if s.asks || !timeAnchor.MatchString(s.low) {
			continue
		}
		for _, d := range days(s.low) {
			switch {
			case d.from > limit:
				return finding{way, s.words}
			case d.to < limit:
				return finding{-way, s.words}
			}
		}
	}
	return finding{}
}

// said holds the words of a condition against what was said: all of its content
// words in one statement, with or without a "not".
func (e evidence) said(low string) finding {
	var terms []string
	for _, t := range lex.Terms(low, e.language) {
		if !askTerms[t] && !slices.Contains(terms, t) {
			terms = append(terms, t)
		}
	}
	if len(terms) < 2 {
		return finding{}
	}
	negated := negation.MatchString(low)
	for _, s := range e.sentences {
		if s.asks {
			continue
		}
		n := 0
		for _, t := range terms {
			if slices.Contains(s.terms, t) {
				n++
			}
		}
		if n < int(math.Ceil(float64(len(terms))*0.8)) || n < 2 {
			continue
		}
		if negated == s.negated {
			return finding{1, s.words}
		}
		if n == len(terms) {
			return finding{-1, s.words}
		}
	}
	return finding{}
}

var (
	refusal = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:(?:i|we) (?:really )?(?:can't|cannot|can not|won't|will not|don't (?:want|wish|have|know|remember|feel comfortable)|do not (?:want|wish|have|know|remember)|would(?: rather|n't)|refuse|decline|lost|threw|no longer have|never (?:got|had|received))|i'd rather not|(?:i'm|i am) not (?:going to|willing|able|comfortable)|there (?:is|was) no|there's no|not (?:giving|sharing|sending)|don't have|` +
		`(?:ich|wir) (?:kann|können|will|wollen|möchte|möchten|habe|haben|gebe|geben|weiß|finde)[^.!?]{0,40}(?:nicht|kein\w*|verloren|weggeworfen)|(?:kann|will|möchte|habe) ich[^.!?]{0,40}(?:nicht|kein\w*)|` +
		`je (?:ne |n')(?:peux|veux|souhaite|ai|connais|trouve|donne)[^.!?]{0,20}(?:pas|plus)|je refuse|j'ai (?:perdu|jeté)|no (?:puedo|quiero|tengo|deseo|recuerdo|encuentro|voy a)|(?:lo |la )?(?:perdí|tiré)|me niego|prefiero no|não (?:posso|quero|tenho|vou|sei|consigo|lembro|encontro)|perdi|joguei fora|prefiro não)(?:[^\pL]|$)`)
	bareNo = regexp.MustCompile(`(?i)^\W*(?:no|nope|nein|non|não|no,? (?:sorry|thanks|thank you)|sorry,? no|i'd rather not|rather not|lieber nicht|je préfère pas|mejor no|melhor não)\b`)
	orWord = regexp.MustCompile(`(?i)\s+(?:or|oder|ou|o)\s+|,\s+`)
)

// refused says whether the customer will not or cannot give what a step asks
// for, and with which words. Of "the name or the order number" both must be
// refused.
func (e evidence) refused(s Step) (words string, ok bool) {
	if s.Kind != assist.StepAsk && !askFor.MatchString(s.Text) {
		return "", false
	}
	clause := mainClause(s.Text)
	if i := strings.IndexAny(clause, ".;:("); i > 0 {
		clause = clause[:i]
	}
	any := false
	for _, part := range orWord.Split(clause, -1) {
		terms := slices.DeleteFunc(lex.Terms(part, e.language), func(t string) bool { return askTerms[t] })
		if len(terms) == 0 {
			continue
		}
		w := e.refusedThing(terms)
		if w == "" {
			return "", false
		}
		words, any = w, true
	}
	return words, any
}

var (
	askFor   = regexp.MustCompile(`(?i)^\W*(?:\[[^\]]*\]\W*)?(?:ask|get|request|collect|bitten sie|fragen sie|erfragen|demandez|demander|pida|pedir|solicite|peça|pergunte|pregunte)\b`)
	askTerms = map[string]bool{"ask": true, "get": true, "request": true, "collect": true, "custom": true, "customer": true, "one": true, "user": true, "them": true, "need": true, "please": true, "pleas": true,
		"bitt": true, "frag": true, "erfrag": true, "kund": true, "demand": true, "client": true, "pid": true, "ped": true, "solicit": true, "pec": true, "pergunt": true, "pregunt": true}
)

// answered reports whether an agent asked for what a step asks for, and the
// customer said something to it.
func (e evidence) answered(s Step) bool {
	if s.Kind != assist.StepAsk && !askFor.MatchString(s.Text) || len(s.Actions) > 0 {
		return false
	}
	clause := mainClause(s.Text)
	if i := strings.IndexAny(clause, ".:;("); i > 0 {
		clause = clause[:i]
	}
	terms := slices.DeleteFunc(lex.Terms(clause, e.language), func(t string) bool { return askTerms[t] })
	for _, said := range e.sentences {
		if said.by != assist.RoleCustomer || !strings.Contains(said.reply, "?") {
			continue
		}
		n := 0
		for _, t := range terms {
			if slices.Contains(said.asked, t) {
				n++
			}
		}
		if n > 0 && n*3 >= len(terms)*2 {
			return true
		}
	}
	return false
}

// refusedThing finds the customer's newest word on a thing: "" when they gave it,
// or said nothing.
func (e evidence) refusedThing(terms []string) string {
	about := func(have []string) bool {
		n := 0
		for _, t := range terms {
			if slices.Contains(have, t) {
				n++
			}
		}
		return n > 0 && n*2 >= len(terms)
	}
	for _, s := range e.sentences {
		if s.by != assist.RoleCustomer {
			continue
		}
		if !about(s.terms) && !about(s.asked) {
			continue
		}
		no := refusal.MatchString(s.low)
		if no && about(s.terms) {
			return s.words
		}
		if s.reply != "" && about(s.asked) {
			if (bareNo.MatchString(s.low) || no && len(s.terms) <= 3) && strings.Contains(s.reply, "?") {
				return s.words
			}
			return "" // they answered
		}
	}
	return ""
}
