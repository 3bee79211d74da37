package suggest

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// weights of what speaks for a sentence. They were chosen on questions and pages
// of other companies (see measure.Sentences), not on the sample company.
type weighing struct {
	heading   float64 // of a question's word that stands only in the passage's heading or title
	first     float64 // how much each sentence of a passage loses to the one before
	neighbour float64 // … only in the sentence before or after
	kin       float64 // of a word that means the same
	kind      float64 // gain of a sentence that gives the kind of thing asked for
	soft      float64 // … of one that rules, tells a way, a place or a reason
	outright  float64 // gain of one that says how long it takes, or what it costs, when that was asked
	noKind    float64 // what is left of one that does not
	unasked   float64 // what is left of a price nobody asked for
	there     float64 // gain of one about the customer's country
	elsewhere float64 // what is left of one about another country
	passage   float64 // how much the passage's rank counts, 0 to 1
	length    float64 // how much a long sentence loses
	context   float64 // of the customer's words outside the question asked, at least
	beside    float64 // … at most
	short     float64 // what each word of the question takes from them
	history   float64 // of words of earlier turns
	insisted  float64 // what is left of a sentence that does not give what is plainly asked for
	more      float64 // share of the best that a further sentence must reach
	nextto    float64 // … that stands next to the best and brings nothing new
	dependent float64 // what is left of a sentence that leans on the one before
	idf       float64 // how much more a rare word counts: an exponent
	light     float64 // of a word that is in every chat
	product   float64 // of the name of the product that is spoken of: it says where to look, not what for
	quotable  float64 // share of the best score that a passage to quote needs
}

var weighs = weighing{
	heading: 0.4, first: 0.03, neighbour: 0.15, kin: 0.7, kind: 0.4, soft: 0.1, noKind: 0.9, outright: 1.2, elsewhere: 0.25, unasked: 0.92, there: 1.3, passage: 0.6, length: 0.35,
	context: 0.3, beside: 0.7, short: 0.15, history: 0.3, insisted: 0.6, more: 0.5, nextto: 0.65, dependent: 0.9, idf: 0.25, light: 0.3, product: 0.4, quotable: 0.4,
}

// candidate is a sentence of a passage that could be said.
type candidate struct {
	hit, at  int // of the hits; of the passage's sentences
	span     lex.Span
	words    string // as it would be said
	terms    []string
	unique   []string // terms once each
	has      kinds
	heading  []string // terms of the passage's heading and title
	leans    bool     // it makes no sense without the sentence before
	aside    bool     // so short that it only says something with the one before
	limits   bool     // it limits what the sentence before says
	places   map[string]bool
	before   *candidate // its neighbours in the passage, also unspeakable ones
	after    *candidate
	strength float64
	carried  float64         // share of what the customer asks that stands in it or above it
	speaksOf map[string]bool // the question's words that stand in it
}

// wish is one question of the customer's, with what speaks of it.
type wish struct {
	text    string
	wants   kinds
	asked   map[string]float64 // the customer's words now, in the words of pages
	must    kinds              // of these, what an answer cannot do without
	weight  map[string]float64
	meaning map[string]int // words that mean the same share a number; 0: its own
	places  map[string]bool
	region  map[string]bool // the terms under which pages speak of those places
	yesNo   bool
	asks    bool // it is a question, and no statement
	related bool // it has words that the customer did not use
}

// sayings is what was read of a passage: its sentences as they could be said, in
// the order they stand there. What each gives is found out as it is asked for.
type sayings struct {
	heading []string // terms of heading and title
	all     []saying

	mu     sync.Mutex
	tested kinds   // of these it is known which sentence gives them
	gives  []kinds // by sentence
}

// saying is one sentence of a passage.
type saying struct {
	span   lex.Span
	words  string
	terms  []string
	unique []string
	leans  bool
	aside  bool
	limits bool
	places map[string]bool
}

// sayingsKey says of what sayings are: passages are compared by all of their words,
// so that what is kept can never be another revision's.
type sayingsKey struct {
	language, title, heading, text string
	withPlaces                     bool
}

func newSayings(k sayingsKey) *sayings {
	above := k.title + "\n" + k.heading
	s := &sayings{heading: lex.Terms(above, k.language)}
	var where map[string]bool
	if k.withPlaces {
		where = places(above)
	}
	for _, span := range lex.Sentences(k.text) {
		text := span.In(k.text)
		c := saying{span: span, words: speakable(text)}
		c.terms = lex.Terms(text, k.language)
		c.unique = unique(c.terms)
		c.leans, c.limits = leans.MatchString(c.words) || inside.MatchString(c.words), limits.MatchString(c.words)
		c.aside = len(strings.Fields(c.words)) < 4 && !strings.ContainsAny(c.words, "0123456789")
		if k.withPlaces {
			if c.places = places(text); len(c.places) == 0 {
				c.places = where
			}
		}
		s.all = append(s.all, c)
	}
	s.gives = make([]kinds, len(s.all))
	return s
}

// give says which of some kinds each sentence gives.
func (s *sayings) give(asks asker, some kinds) []kinds {
	s.mu.Lock()
	defer s.mu.Unlock()
	if fresh := some &^ s.tested; fresh != 0 {
		now := slices.Clone(s.gives) // the old ones are still being read
		for i, c := range s.all {
			now[i] |= asks.has(c.words, fresh)
		}
		s.gives, s.tested = now, s.tested|some
	}
	return s.gives
}

// candidates cuts passages into sentences, in order, and tells which give some of
// the kinds.
func (r *reader) candidates(language string, hits []assist.Hit, withPlaces bool, some kinds) []*candidate {
	all := make([]*candidate, 0, 8*len(hits))
	asks := askers[language]
	for i, h := range hits {
		key := sayingsKey{language, h.Title, h.Heading, h.Text, withPlaces}
		read := r.sayings.Of(key, func() *sayings { return newSayings(key) })
		gives := read.give(asks, some)
		own := make([]candidate, len(read.all))
		for at := range own {
			s, c := &read.all[at], &own[at]
			*c = candidate{hit: i, at: at, span: s.span, words: s.words, terms: s.terms, unique: s.unique, has: gives[at] & some, heading: read.heading,
				leans: s.leans, aside: s.aside, limits: s.limits, places: s.places}
			if at > 0 {
				c.before, own[at-1].after = &own[at-1], c
			}
			all = append(all, c)
		}
	}
	return all
}

var (
	// leans finds sentences that begin by pointing back.
	leans = lex.MustPattern(`(?i)^(it|its|they|their|them|this|that|these|those|there|here|such|otherwise|then|in that case|instead|both|the (same|latter|former|change|work|link|amount)|later|also|you can (then|also)|` +
		`er|es|sie (ist|sind|wird|werden|gilt|muss|kann)|dies\p{L}*|das|dann|sonst|andernfalls|` +
		`elle|elles|il (est|sera|doit)|ils|cela|ce|ces|sinon|ensuite|` +
		`esto|esta|este|estos|estas|eso|si no|entonces)(\P{L}|$)`)
	// inside finds those that point back further on.
	inside = lex.MustPattern(`(?i)\b(this|these|those) (number|link|page|code|address|addresses|amount|case|cases|form|limit|day|days|e-mail|email|label|fee|time)\b`)
	// limits finds sentences that take something back.
	limits = lex.MustPattern(`(?i)^(unless|however|but|except|only|not|never|otherwise|if not|it (does|is|can) ?not|it (doesn't|isn't|can't)|they (do|are|can) ?not|this (does|is) not|` +
		`außer|jedoch|aber|nur|nicht|sonst|sauf|cependant|mais|toutefois|sinon|salvo|pero|sin embargo)(\P{L}|$)|(?i)\b(does not apply|do not apply|is not included|are not covered|is not refunded)\b`)
	// pointing finds questions about what was spoken of before.
	pointing = lex.MustPattern(`(?i)\b(that|this|it|they|them|those|these)( (cost|back|take|work|go|cover\w*|mean|happen|apply|include\w*|free|possible))?\s*(\?|,|or|$)`)
	yesNo    = lex.MustPattern(`(?i)^(yes|no|ja|nein|oui|non|sí|no)[,.;:!]`)
	polar    = lex.MustPattern(`(?i)(^|[,.;:!?(\n-]|\b(and|so|but|or|then|hi|hello|hey|also|please|und|et|y) )\s*(can|could|may|do|does|did|is|are|am|will|would|should|must|has|have|any|kann|können|darf|ist|sind|gibt|haben|liefern|muss|peut|puis|pouvez|est|avez|livrez|puedo|pueden|hay|es)\b`)
	asks     = map[string]*lex.Pattern{
		"en": lex.MustPattern(`(?i)\?|\b(how|when|where|why|what|which|who|can|could|may|do you|does|is it|is there|are there|will|would)\b`),
		"de": lex.MustPattern(`(?i)\?|(?:^|\P{L})(wie|wann|wo|was|welche\p{L}*|wer|warum|kann|darf|können)\P{L}`),
		"fr": lex.MustPattern(`(?i)\?|(?:^|\P{L})(combien|quand|comment|où|quel\p{L}*|pourquoi|est-ce|puis-je)\P{L}`),
		"es": lex.MustPattern(`(?i)\?|(?:^|\P{L})(cu[aá]nto|cu[aá]ndo|c[oó]mo|d[oó]nde|qu[eé]|puedo)\P{L}`),
	}
)

// toldAmount is money that the customer names: it asks for no amount.
var toldAmount = lex.MustPattern(`(?i)[$€£]\s?\d[\d.,]*|\b\d[\d.,]*\s?([$€£]|dollars?\b|bucks\b|usd\b|euros?\b|eur\b)`)

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
		if isAsking(part, q.Language) && len(lex.Terms(part, q.Language)) > 0 {
			parts = append(parts, split(part, q.Language)...)
		}
	}
	if len(parts) > 3 {
		parts = parts[len(parts)-3:]
	}
	if len(parts) == 0 {
		parts = []string{q.Text}
	}
	where := places(q.Text)
	english := q.Language == "en" || q.Language == ""
	plain := func(text string) string {
		if english {
			return plainly(text)
		}
		return text
	}
	now := map[string]bool{} // said in this turn
	for _, t := range lex.Terms(plain(q.Text), q.Language) {
		now[t] = true
		whole[t] = max(whole[t], 1)
	}
	gone := map[string]bool{} // put in other words
	for _, t := range lex.Terms(q.Text, q.Language) {
		gone[t] = !now[t]
	}
	var out []wish
	for _, part := range parts {
		own, told := map[string]bool{}, 0
		for _, t := range lex.Terms(plain(part), q.Language) {
			if !own[t] && !light[t] {
				told++
			}
			own[t] = true
		}
		w := wish{text: part, wants: askers[q.Language].wants(toldAmount.ReplaceAllString(part, " ")), must: askers[q.Language].insists(part),
			asked: map[string]float64{}, weight: map[string]float64{}, meaning: map[string]int{}, places: where, yesNo: polar.MatchString(part), asks: isAsking(part, q.Language)}
		beside := min(weighs.beside, max(weighs.context, 1-weighs.short*float64(max(told-1, 0)))) // a short question needs what was said with it
		for t, x := range whole {
			switch {
			case own[t]:
			case now[t]:
				x *= beside
			case told <= 1 || english && pointing.MatchString(part):
				x *= weighs.beside // "what does that cost": what was spoken of is meant
			default:
				x *= weighs.history
			}
			if light[t] || gone[t] || isFigure(t) {
				x *= weighs.light
			}
			w.weight[t] = x
			if now[t] && !gone[t] {
				w.asked[t] = x
			}
		}
		if english {
			w.relate(plain(part), 1)
			w.relate(plain(q.Text), beside)
			w.region = map[string]bool{}
			for _, t := range lex.Terms(regions(where), "en") {
				w.region[t] = true
				if w.weight[t] == 0 {
					w.weight[t], w.related = weighs.kin/2, true
				}
			}
		}
		out = append(out, w)
	}
	return out
}

// isFigure reports whether a term is a bare number: it says how things stand with
// the customer, seldom what a page is about.
func isFigure(term string) bool { return strings.Trim(term, "0123456789.,") == "" }

// light are terms that stand in every chat, whatever it is about.
var light = func() map[string]bool {
	m := map[string]bool{}
	for _, language := range []struct{ name, words string }{
		{"en", "one two three nothing everything someone somebody nobody anyone em mine lot bit yet already sure maybe anyway instead left guess think thought trying able need want like know tell thing things go going come see look say said said day today yesterday tomorrow now week monday time really actually please thanks thank help hi hello hey quick q question theres ok yes ever even still back make made give guys guy new anything something put take would right way good try tried use"},
		{"de", "bitte danke hallo kostet wieviel lange brauche möchte heute gestern morgen tag eigentlich gerne wohl machen gehen"},
		{"fr", "merci bonjour combien coûte coûter voudrais aujourd'hui hier demain jour faire besoin"},
		{"es", "gracias hola cuánto cuesta quiero hoy ayer mañana día hacer necesito"},
	} {
		for _, t := range lex.Terms(language.words, language.name) {
			m[t] = true
		}
	}
	return m
}()

func isAsking(text, language string) bool {
	re := asks[language]
	if re == nil {
		re = asks["en"]
	}
	return re.MatchString(text)
}

// split parts "how long does it take, and can it go to my new card?" in two where
// both halves ask.
func split(question, language string) []string {
	for _, at := range joint.FindAllStringIndex(question, -1) {
		if first := question[:at[0]]; isAsking(first, language) && len(strings.Fields(first)) > 2 {
			return append([]string{first}, split(question[at[0]+1:], language)...)
		}
	}
	return []string{question}
}

var joint = lex.MustPattern(`(?i),? (and|und|et|y|or|oder|ou) (also )?(how|when|where|why|what|which|who|can|could|do|does|is|are|will|would|am|wie|wann|wo|was|welche|kann|darf|combien|quand|comment|où|quel|est-ce|qu'est|puis|cuánto|cuándo|cómo|puedo)\b`)

// relate adds the words that mean what the text says. All words of one meaning
// count once.
func (w *wish) relate(text string, share float64) {
	low := " " + strings.Join(strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(text, "’", "'")), func(r rune) bool {
		return r == ' ' || strings.ContainsRune(".,;:!?()\"\n\t", r)
	}), " ") + " "
	for _, k := range kin {
		if !strings.Contains(low, k.said) {
			continue
		}
		for _, t := range k.like {
			if w.weight[t] == 0 {
				w.related = true
			}
			if x := share * weighs.kin; x > w.weight[t] {
				w.weight[t] = x
			}
			if w.meaning[t] == 0 {
				w.meaning[t] = k.line
			}
		}
	}
}

// quotable are the passages to answer from: those that were found, and those that
// are found when each question is asked alone, in the words of pages too; with
// scores as shares of the best of their search. Internal passages and procedures
// never lend their words.
func (r *run) quotable(ctx context.Context, asked []wish) []assist.Hit {
	var out []assist.Hit
	at := map[string]int{}
	add := func(hits []assist.Hit) {
		top := 0.0
		for _, h := range hits {
			if speaks(h) {
				top = max(top, h.Score)
			}
		}
		for _, h := range hits {
			if !speaks(h) || h.Score < weighs.quotable*top {
				continue
			}
			h.Score /= top
			if i, known := at[h.ID]; known {
				out[i].Score = max(out[i].Score, h.Score)
				continue
			}
			at[h.ID] = len(out)
			out = append(out, h)
		}
	}
	add(r.Hits)
	for _, w := range asked {
		if len(asked) == 1 && !w.related {
			continue // the same search again
		}
		q := r.Question
		q.Terms = w.terms()
		scope := r.scope
		scope.K, scope.Unjudged, scope.Near = closer, true, r.near
		found, err := r.s.opt.Knowledge.Search(ctx, scope, q)
		if err != nil {
			if ctx.Err() == nil {
				r.s.opt.Logger.Warn("search for a question", "suggestion", r.ID, "error", err)
			}
			break // what was found first must do
		}
		add(found.Hits)
	}
	return out
}

const closer = 10 // passages looked at for each question alone

func speaks(h assist.Hit) bool {
	return h.Audience == assist.AudiencePublic && h.Kind != assist.KindProcedure && h.Score > 0
}

// cite adds the passages that a draft stands on and that were found later.
func (r *run) cite(sentences []assist.Sentence, from []assist.Hit) {
	for _, s := range sentences {
		for _, c := range s.Citations {
			if slices.ContainsFunc(r.Hits, func(h assist.Hit) bool { return h.ID == c.PassageID }) {
				continue
			}
			if i := slices.IndexFunc(from, func(h assist.Hit) bool { return h.ID == c.PassageID }); i >= 0 {
				h := from[i]
				h.Score = r.Hits[len(r.Hits)-1].Score // scores of two searches do not compare
				r.Hits = append(slices.Clip(r.Hits), h)
			}
		}
	}
}

// carried is the share of the question's own words that a sentence and its heading
// hold. A word that stands nowhere in the knowledge counts as well: it is what
// tells a question that nothing answers.
func (w wish) carried(inIt map[string]bool, heading []string) float64 {
	above := map[string]bool{}
	for _, t := range heading {
		above[t] = true
	}
	held := map[int]bool{}
	for _, terms := range []map[string]bool{inIt, above} {
		for t := range terms {
			held[w.meaning[t]] = true
		}
	}
	all, got := 0.0, 0.0
	for t, x := range w.asked {
		all += x
		if m := w.meaning[t]; inIt[t] || m > 0 && held[m] {
			got += x
		} else if above[t] {
			got += x * 0.8
		}
	}
	if all == 0 {
		return 1
	}
	return got / all
}

// named are the products that the customer speaks of: pages with a word in their
// title that is in no other product's. What was named last counts.
func (w wish) named(hits []assist.Hit) map[string]bool {
	titles := map[string]map[string]bool{} // word to pages
	for _, h := range hits {
		if h.Kind == assist.KindProduct {
			for _, t := range lex.Terms(h.Title, "en") {
				if titles[t] == nil {
					titles[t] = map[string]bool{}
				}
				titles[t][h.DocumentID] = true
			}
		}
	}
	best := 0.0
	named := map[string]bool{}
	for t, pages := range titles {
		x := w.weight[t]
		if len(pages) > 1 || x == 0 || isFigure(t) || x < best {
			continue
		}
		if x > best {
			best = x
			clear(named)
		}
		maps.Copy(named, pages)
	}
	return named
}

// unknown is the share of the question's own words that stand in none of the
// passages.
func (w wish) unknown(idf map[string]float64, headings map[string]bool) float64 {
	known := map[int]bool{}
	for t, m := range w.meaning {
		if idf[t] > 0 || headings[t] {
			known[m] = true
		}
	}
	all, missing := 0.0, 0.0
	for t, x := range w.asked {
		all += x
		if m := w.meaning[t]; idf[t] == 0 && !headings[t] && (m == 0 || !known[m]) {
			missing += x
		}
	}
	return missing / max(all, 1e-9)
}

// beyond reports whether the passages do not speak of what is asked: most words of
// a short question stand nowhere in them, or next to nothing of what was told
// stands in the best sentence.
func (w wish) beyond(best *candidate, idf map[string]float64, headings map[string]bool) bool {
	if heaviest := slices.Max(append(slices.Collect(maps.Values(w.asked)), 0)); heaviest <= weighs.light {
		return false // it says nothing by itself, such as "thanks!", and something is wanted all the same
	}
	if w.asks {
		return w.must&best.has == 0 && len(w.asked) <= longStory && w.unknown(idf, headings) >= mostly && best.carried < hardly
	}
	return best.carried < barely
}

// When nothing is said of a passage.
const (
	longStory = 8   // words from which on many have nothing to do with what is asked
	mostly    = 0.5 // share of a question's words
	hardly    = 0.4 // share of a question's words that the best sentence must hold then
	barely    = 0.3 // share of a statement's words
)

// news is what share of what a sentence says of the question was not said before.
func (w wish) news(c *candidate, idf map[string]float64, known map[string]bool, given kinds) float64 {
	if w.must&c.has&^given != 0 {
		return 1 // what was asked for was not given yet
	}
	all, fresh := 0.0, 0.0
	for t := range c.speaksOf {
		all += w.weight[t] * idf[t]
		if !known[t] && (w.meaning[t] == 0 || !known[meant(w.meaning[t])]) {
			fresh += w.weight[t] * idf[t]
		}
	}
	return fresh / max(all, 1e-9)
}

// know notes what a sentence says of the question.
func (w wish) know(c *candidate, known map[string]bool) {
	for t := range c.speaksOf {
		known[t] = true
		if w.meaning[t] > 0 {
			known[meant(w.meaning[t])] = true
		}
	}
}

func meant(meaning int) string { return "\x00" + strconv.Itoa(meaning) }

// terms are the question's words as a search takes them, the heaviest first.
func (w wish) terms() []assist.Term {
	out := make([]assist.Term, 0, len(w.weight))
	for t, x := range w.weight {
		out = append(out, assist.Term{Text: t, Weight: x})
	}
	slices.SortFunc(out, func(a, b assist.Term) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Text, b.Text))
	})
	return out
}

// rarity gives how much a term tells among the candidates.
func rarity(all []*candidate) map[string]float64 {
	df := make(map[string]float64, 8*len(all))
	for _, c := range all {
		for _, t := range c.unique {
			df[t]++
		}
	}
	n := float64(len(all))
	for t, d := range df {
		df[t] = math.Pow(math.Log(1+n/(d+0.5)), weighs.idf)
	}
	return df
}

func unique(terms []string) []string { return lex.Distinct(slices.Clone(terms)) }

// product are the words of the named products' titles.
func (w wish) product(hits []assist.Hit, named map[string]bool) map[string]bool {
	names := map[string]bool{}
	for _, h := range hits {
		if h.Kind == assist.KindProduct && named[h.DocumentID] {
			for _, t := range lex.Terms(h.Title, "en") {
				names[t] = true
			}
		}
	}
	return names
}

// weigh scores every candidate for one wish, best first; those that cannot be
// said are left out.
func (w wish) weigh(all []*candidate, hits []assist.Hit, idf map[string]float64) []*candidate {
	length := 0.0
	for _, c := range all {
		length += float64(len(c.terms)) / float64(len(all))
	}
	named := w.named(hits)
	product := w.product(hits, named)
	var ranked []*candidate
	for _, c := range all {
		if c.words == "" || c.aside {
			continue
		}
		sum, met, meant := 0.0, map[string]bool{}, map[int]bool{}
		add := func(terms []string, share float64) {
			for _, t := range terms {
				if m := w.meaning[t]; met[t] || w.weight[t] == 0 || m > 0 && meant[m] {
					continue
				} else if m > 0 {
					meant[m] = true
				}
				met[t] = true
				x := share * w.weight[t] * idf[t]
				if product[t] {
					x *= weighs.product
				}
				sum += x
			}
		}
		add(c.terms, 1)
		if hits[c.hit].Kind == assist.KindProduct {
			for _, t := range unique(c.heading) {
				if met[t] && !product[t] {
					sum -= (1 - weighs.heading) / 2 * w.weight[t] * idf[t] // every sentence of the page is about it
				}
			}
		}
		inIt := maps.Clone(met)
		for _, t := range c.heading {
			if w.region[t] {
				add([]string{t}, 0.7) // a sentence under "Canada" is about Canada
			}
		}
		add(c.heading, weighs.heading)
		if sum == 0 {
			continue // nothing of the question stands in it, or above it
		}
		if c.before != nil {
			add(c.before.terms, weighs.neighbour)
		}
		if c.after != nil {
			add(c.after.terms, weighs.neighbour)
		}
		s := sum / (1 - weighs.length + weighs.length*float64(len(c.terms))/max(length, 1))
		if w.wants != 0 {
			if plain := w.wants & (aTime | anAmount | aNumber); plain != 0 {
				if given := ones(plain & c.has); w.must != 0 && w.must&c.has == 0 {
					s *= weighs.insisted
				} else if given == 0 {
					s *= weighs.noKind
				} else {
					s *= 1 + weighs.kind*given/ones(plain)
				}
			}
			if w.wants&c.has&^(aTime|anAmount|aNumber) != 0 {
				s *= 1 + weighs.soft
			}
		}
		if len(named) > 0 && hits[c.hit].Kind == assist.KindProduct && !named[hits[c.hit].DocumentID] {
			s *= weighs.elsewhere // what is true of one product is not of another
		}
		if elsewhere(w.places, c.places) {
			s *= weighs.elsewhere
		}
		if c.has&anAmount != 0 && w.wants&anAmount == 0 {
			s *= weighs.unasked
		}
		if len(w.places) > 0 && len(c.places) > 0 && !elsewhere(w.places, c.places) {
			s *= weighs.there
		}
		if c.leans {
			s *= weighs.dependent
		}
		if yesNo.MatchString(c.words) && !w.yesNo {
			s *= weighs.insisted
		}
		if outright(w.must, c.words) {
			s *= weighs.outright
		}
		s *= 1 - min(weighs.first*float64(c.at), 0.3)
		s *= 1 - weighs.passage + weighs.passage*hits[c.hit].Score
		copied := *c
		copied.carried = w.carried(inIt, c.heading)
		copied.speaksOf = inIt
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
