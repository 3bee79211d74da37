package suggest

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// weights of what speaks for a sentence. They were chosen on questions and pages
// of other companies (see measure.Sentences), not on the sample company.
type weighing struct {
	heading    float64 // of a question's word that stands only in the passage's heading or title
	neighbour  float64 // … only in the sentence before or after
	kin        float64 // of a word that means the same
	kind       float64 // gain of a sentence that gives the kind of thing asked for
	noKind     float64 // what is left of one that does not
	elsewhere  float64 // what is left of one about another country
	passage    float64 // how much the passage's rank counts, 0 to 1
	length     float64 // how much a long sentence loses
	context    float64 // of the customer's words outside the question asked
	more       float64 // share of the best that a further sentence must reach
	dependent  float64 // what is left of a sentence that leans on the one before
	otherPages float64 // what is left for pages below the best
}

var weighs = weighing{
	heading: 0.4, neighbour: 0.15, kin: 0.7, kind: 0.5, noKind: 0.85, elsewhere: 0.25, passage: 0.6, length: 0.25,
	context: 0.5, more: 0.6, dependent: 0.9, otherPages: 1,
}

// candidate is a sentence of a passage that could be said.
type candidate struct {
	hit, at  int // of the hits; of the passage's sentences
	span     lex.Span
	words    string // as it would be said
	terms    []string
	has      kinds
	heading  []string // terms of the passage's heading and title
	leans    bool     // it makes no sense without the sentence before
	limits   bool     // it limits what the sentence before says
	places   map[string]bool
	before   *candidate // its neighbours in the passage, also unspeakable ones
	after    *candidate
	strength float64
}

// wish is one question of the customer's, with what speaks of it.
type wish struct {
	text   string
	wants  kinds
	weight map[string]float64
	places map[string]bool
	yesNo  bool
}

// sentencesOf cuts the passages that may be quoted to a customer into candidates,
// in order. Internal passages and procedures never lend their words.
func candidates(q assist.Question, hits []assist.Hit, withPlaces bool) []*candidate {
	var all []*candidate
	asks := askers[q.Language]
	for i, h := range hits {
		if h.Audience != assist.AudiencePublic || h.Kind == assist.KindProcedure {
			continue
		}
		context := h.Title + "\n" + h.Heading
		heading := lex.Terms(context, q.Language)
		var where map[string]bool
		if withPlaces {
			where = places(context)
		}
		var before *candidate
		for at, span := range lex.Sentences(h.Text) {
			text := span.In(h.Text)
			c := &candidate{hit: i, at: at, span: span, words: speakable(text), heading: heading, before: before}
			if before != nil {
				before.after = c
			}
			before = c
			c.terms = lex.Terms(text, q.Language)
			c.has = asks.has(c.words)
			c.leans, c.limits = leans.MatchString(c.words), limits.MatchString(c.words)
			if withPlaces {
				if c.places = places(text); len(c.places) == 0 {
					c.places = where
				}
			}
			all = append(all, c)
		}
	}
	return all
}

var (
	// leans finds sentences that begin by pointing back.
	leans = regexp.MustCompile(`(?i)^(it|its|they|their|them|this|that|these|those|there|here|such|otherwise|then|in that case|instead|both|the (same|latter|former|change|work|link|amount)|later|also|you can (then|also)|` +
		`er|es|sie (ist|sind|wird|werden|gilt|muss|kann)|dies\p{L}*|das|dann|sonst|andernfalls|` +
		`elle|elles|il (est|sera|doit)|ils|cela|ce|ces|sinon|ensuite|` +
		`esto|esta|este|estos|estas|eso|si no|entonces)(\P{L}|$)`)
	// limits finds sentences that take something back.
	limits = regexp.MustCompile(`(?i)^(unless|however|but|except|only|not|never|otherwise|if not|it (does|is|can) ?not|it (doesn't|isn't|can't)|they (do|are|can) ?not|this (does|is) not|` +
		`außer|jedoch|aber|nur|nicht|sonst|sauf|cependant|mais|toutefois|sinon|salvo|pero|sin embargo)(\P{L}|$)|(?i)\b(does not apply|do not apply|is not included|are not covered|is not refunded)\b`)
	yesNo  = regexp.MustCompile(`(?i)^(yes|no|ja|nein|oui|non|sí|no)[,.;:!]`)
	polar  = regexp.MustCompile(`(?i)(^|[,.;:!?(\n-]|\b(and|so|but|or|then|hi|hello|hey|also|please|und|et|y) )\s*(can|could|may|do|does|did|is|are|am|will|would|should|must|has|have|any|kann|können|darf|ist|sind|gibt|haben|liefern|muss|peut|puis|pouvez|est|avez|livrez|puedo|pueden|hay|es)\b`)
	asking = regexp.MustCompile(`(?i)\?|\b(how|when|where|why|what|which|who|can|could|may|do you|does|is it|is there|are there|will|would)\b|(wie|wann|wo|was|welche|wer|kann|darf|combien|quand|comment|où|quel|cuánto|cuándo|cómo|dónde|puedo)\P{L}`)
)

// wishes parts what the customer wrote last into the questions in it, at most
// three: what else was said is context to each.
func wishes(q assist.Question) []wish {
	whole := map[string]float64{}
	for _, t := range q.Terms {
		whole[t.Text] = t.Weight
	}
	var parts []string
	for _, span := range lex.Sentences(q.Text) {
		part := span.In(q.Text)
		if asking.MatchString(part) && len(lex.Terms(part, q.Language)) > 0 {
			parts = append(parts, split(part)...)
		}
	}
	if len(parts) > 3 {
		parts = parts[len(parts)-3:]
	}
	if len(parts) == 0 {
		parts = []string{q.Text}
	}
	where := places(q.Text)
	var out []wish
	for _, part := range parts {
		own := map[string]bool{}
		for _, t := range lex.Terms(part, q.Language) {
			own[t] = true
		}
		w := wish{text: part, wants: askers[q.Language].wants(part), weight: map[string]float64{}, places: where, yesNo: polar.MatchString(part)}
		for t, x := range whole {
			if !own[t] {
				x *= weighs.context
			}
			w.weight[t] = x
		}
		if q.Language == "en" || q.Language == "" {
			relate(w.weight, part, 1)
			relate(w.weight, q.Text, weighs.context)
		}
		out = append(out, w)
	}
	return out
}

// split parts "how long does it take, and can it go to my new card?" in two where
// both halves ask.
func split(question string) []string {
	for _, at := range joint.FindAllStringIndex(question, -1) {
		if first := question[:at[0]]; asking.MatchString(first) && len(strings.Fields(first)) > 2 {
			return append([]string{first}, split(question[at[0]+1:])...)
		}
	}
	return []string{question}
}

var joint = regexp.MustCompile(`(?i),? (and|und|et|y|or|oder|ou) (also )?(how|when|where|why|what|which|who|can|could|do|does|is|are|will|would|am|wie|wann|wo|was|welche|kann|darf|combien|quand|comment|où|quel|est-ce|qu'est|puis|cuánto|cuándo|cómo|puedo)\b`)

// relate adds the words that mean what the text says.
func relate(weight map[string]float64, text string, share float64) {
	low := " " + strings.Join(strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(text, "’", "'")), func(r rune) bool {
		return r == ' ' || strings.ContainsRune(".,;:!?()\"\n\t", r)
	}), " ") + " "
	for _, k := range kin {
		if !strings.Contains(low, k.said) {
			continue
		}
		for _, t := range k.like {
			weight[t] = max(weight[t], share*weighs.kin)
		}
	}
}

// rarity gives how much a term tells among the candidates.
func rarity(all []*candidate) map[string]float64 {
	df := map[string]float64{}
	for _, c := range all {
		for _, t := range unique(c.terms) {
			df[t]++
		}
	}
	n := float64(len(all))
	for t, d := range df {
		df[t] = math.Log(1 + n/(d+0.5))
	}
	return df
}

func unique(terms []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(slices.Clone(terms), func(t string) bool {
		if seen[t] {
			return true
		}
		seen[t] = true
		return false
	})
}

// weigh scores every candidate for one wish, best first; those that cannot be
// said are left out.
func (w wish) weigh(all []*candidate, hits []assist.Hit, idf map[string]float64, top float64) []*candidate {
	length := 0.0
	for _, c := range all {
		length += float64(len(c.terms)) / float64(len(all))
	}
	var ranked []*candidate
	for _, c := range all {
		if c.words == "" {
			continue
		}
		sum, met := 0.0, map[string]bool{}
		add := func(terms []string, share float64) {
			for _, t := range terms {
				if !met[t] && w.weight[t] > 0 {
					met[t] = true
					sum += share * w.weight[t] * idf[t]
				}
			}
		}
		add(c.terms, 1)
		own := sum
		add(c.heading, weighs.heading)
		if c.before != nil {
			add(c.before.terms, weighs.neighbour)
		}
		if c.after != nil {
			add(c.after.terms, weighs.neighbour)
		}
		if own == 0 && (w.wants == 0 || c.has&w.wants == 0) {
			continue // nothing of the question stands in it
		}
		s := sum / (1 - weighs.length + weighs.length*float64(len(c.terms))/max(length, 1))
		if w.wants != 0 {
			asked, given := ones(w.wants), ones(w.wants&c.has)
			if given == 0 {
				s *= weighs.noKind
			} else {
				s *= 1 + weighs.kind*given/asked
			}
		}
		if elsewhere(w.places, c.places) {
			s *= weighs.elsewhere
		}
		if c.leans {
			s *= weighs.dependent
		}
		if yesNo.MatchString(c.words) && !w.yesNo {
			s *= weighs.noKind
		}
		s *= 1 - weighs.passage + weighs.passage*hits[c.hit].Score/top
		copied := *c
		copied.strength = s
		ranked = append(ranked, &copied)
	}
	slices.SortStableFunc(ranked, func(a, b *candidate) int { return cmp.Compare(b.strength, a.strength) })
	return ranked
}

func ones(k kinds) (n float64) {
	for ; k != 0; k &= k - 1 {
		n++
	}
	return n
}
