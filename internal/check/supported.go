package check

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// How much of a sentence's content its passages must carry, in the sentence's own
// order and close together: a page about the same things has the words too, but
// scattered. A passage on what the chat is about needs to carry less than one on
// something else: near twins among the pages of other products say much the
// same. Chosen on real dialogues; see TestFaithfulness.
const (
	enough  = 0.84
	topical = 0.60 // what a passage gains whose title was wholly said in the chat
	related = 0.20 // what it gains when it has every word of the chat
	untold  = 0.26 // what it gains when there is no chat
	little  = 0.18 // what every passage gains
	least   = 0.50 // what any passage must carry
	spread  = 2    // how many words of the passage may stand for one of the sentence
	slack   = 6
)

// Supported looks at each sentence that claims something: it needs a citation,
// what it cites must carry its words, and must say them the same way: what the
// passage denies may not be affirmed, and "may" is not "will".
func Supported(draft assist.Draft, hits []assist.Hit, turns []assist.Turn) []assist.Verdict {
	return reading(hits, turns).supported(draft)
}

func (r *Reading) supported(draft assist.Draft) []assist.Verdict {
	judge := r.bearer(cmp.Or(lex.Language(draft.Text), "en"))
	var verdicts []assist.Verdict
	at := starts(draft)
	for i, s := range draft.Sentences {
		if strings.TrimSpace(s.Text) == "" || len(s.Citations) == 0 && courteous(draft.Origin, s) {
			continue
		}
		verdict := func(start, end int, reason string) {
			verdicts = append(verdicts, assist.Verdict{
				Check: checkSupported, Outcome: assist.Warn, Sentence: i,
				Words: s.Text[start:end], Start: at[i] + start, End: at[i] + end, Reason: reason,
			})
		}
		if len(s.Citations) == 0 {
			verdict(0, len(s.Text), "No source carries this sentence.")
			continue
		}
		c := judge.claimed(s)
		if missing, ok := judge.carried(c); !ok {
			h := judge.passages[s.Citations[0].PassageID].hit
			verdict(0, len(s.Text), fmt.Sprintf("%s does not say this: nothing in it carries %s.", name(h), missing))
			continue
		}
		if w, p := c.twisted(); p != nil {
			words := s.Text[w.draft.start:w.draft.end]
			verdict(w.draft.start, w.draft.end, w.reason(words, p))
		}
	}
	return verdicts
}

// bearer holds sentences against the passages they cite. Each passage is read
// once.
type bearer struct {
	passages map[string]*source
	turns    []assist.Turn
	language string
	read     map[string]*passage
	echoed   map[string]bool // what was said in the chat
}

// passage is a cited passage, read.
type passage struct {
	hit  *assist.Hit
	text string
	said []said
	fit  float64 // how much it is about the chat; below 0: not yet known
}

func (b *bearer) passage(id string) *passage {
	p, ok := b.read[id]
	if !ok {
		p = &passage{hit: b.passages[id].hit, fit: -1, text: b.passages[id].text}
		p.said = speak(p.text, b.language)
		b.read[id] = p
	}
	return p
}

// claimed is a sentence beside the passages that it cites.
type claimed struct {
	text  string
	own   []said
	cited []*passage
	pairs [][]pair // with each of them
}

func (b *bearer) claimed(s assist.Sentence) claimed {
	c := claimed{text: s.Text, own: speak(s.Text, b.language)}
	for _, id := range cited(s.Citations) {
		p := b.passage(id)
		c.cited = append(c.cited, p)
		c.pairs = append(c.pairs, p.align(c.own))
	}
	return c
}

// carried says whether the passages a sentence cites carry its content, and if
// not, which of its words they lack.
func (b *bearer) carried(c claimed) (string, bool) {
	if b.echoed == nil {
		b.echoed = termSet(spoken(b.turns), b.language)
	}
	held := make([]bool, len(c.own))
	fit := 0.0
	for i, p := range c.cited {
		fit = max(fit, b.fit(p))
		for _, pair := range c.pairs[i] {
			held[pair.own] = true
		}
	}
	values := Values(c.text)
	total, found := 0.0, 0.0
	var missing []string
	for i, w := range c.own {
		switch {
		case held[i]:
			total++
			found++
		case fillers[strings.ToLower(c.text[w.at:w.end])] || within(values, w):
		default:
			total++
			if word := "“" + c.text[w.at:w.end] + "”"; !b.echoed[w.term] && !slices.Contains(missing, word) && len(missing) < 3 {
				missing = append(missing, word)
			}
		}
	}
	if found >= max(enough-fit, least)*total {
		return "", true
	}
	if missing == nil { // all of it was said in the chat
		return "this", false
	}
	return strings.Join(missing, ", "), false
}

// fit is how much a passage is about what the chat is about.
func (b *bearer) fit(p *passage) float64 {
	if len(b.echoed) == 0 {
		return untold
	}
	share := func(n int, of map[string]bool) float64 { return float64(n) / float64(max(len(of), 1)) }
	if p.fit < 0 {
		titled := termSet(p.hit.Title+"\n"+p.hit.Heading, b.language)
		named := 0
		for term := range titled {
			if b.echoed[term] {
				named++
			}
		}
		met := make(map[string]bool, len(b.echoed)) // of what was said in the chat
		for _, w := range p.said {
			if b.echoed[w.term] {
				met[w.term] = true
			}
		}
		p.fit = max(little, topical*share(named, titled)+related*share(len(met), b.echoed))
	}
	return p.fit
}

// twisted gives the first word that a sentence says otherwise than the passage
// that carries it.
func (c claimed) twisted() (twist, *passage) {
	for i, p := range c.cited {
		if ts := twists(c.own, p.said, c.pairs[i]); len(ts) > 0 {
			return ts[0], p
		}
	}
	return twist{}, nil
}

// within reports whether a word belongs to an amount, a duration or a date: that
// is judged by its value, "14 days" for "two weeks", in promises.
func within(values []Value, w said) bool {
	for _, v := range values {
		switch v.Kind {
		case Money, Percent, Duration, Date, Time:
			if w.at >= v.Start && w.at < v.End {
				return true
			}
		}
	}
	return false
}

// fillers are words that claim nothing: a passage need not carry them.
var fillers = wordSet(`yes no ok okay sure well absolutely definitely certainly totally correct correctly right exactly great good perfect
	congratulations sorry unfortunately fortunately afraid actually basically generally normally usually simply please thanks thank hello hi
	case cases situation scenario way ways thing things part example instance question questions answer answers given based previously mentioned
	like want wants know see look help helps make makes sure let lets think say says said tell means mean happen happens happy glad sounds
	still already even really quite first finally also another other depending since though however therefore indeed
	ja nein klar gern gerne leider natürlich genau oui non bien sûr parfait malheureusement sí no claro perfecto lamentablemente sim não`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

func cited(cs []assist.Citation) []string {
	var ids []string
	for _, c := range cs {
		if !slices.Contains(ids, c.PassageID) {
			ids = append(ids, c.PassageID)
		}
	}
	return ids
}

// pair is a content word of a sentence and the one in a passage that carries it.
type pair struct{ own, theirs int }

// align finds the words of a text in the passage, sentence by sentence: in the
// same order and within one stretch, the stretch that has most of them.
func (p *passage) align(own []said) []pair {
	var out []pair
	for from := 0; from < len(own); {
		to := from + 1
		for to < len(own) && (own[to].sentence == own[from].sentence || to-from < fewWords || len(own)-to < fewWords) {
			to++
		}
		for _, q := range p.alignOne(own[from:to]) {
			out = append(out, pair{q.own + from, q.theirs})
		}
		from = to
	}
	return out
}

// fewWords are too few for a sentence to be looked up alone.
const fewWords = 4

func (p *passage) alignOne(own []said) []pair {
	size := spread*len(own) + slack
	step := max(1, size/4)
	// Words as numbers: those of own by where they stand first, -1 for all others.
	number := make(map[string]int32, len(own))
	ours := make([]int32, len(own))
	for i, w := range own {
		if _, known := number[w.term]; !known {
			number[w.term] = int32(i)
		}
		ours[i] = number[w.term]
	}
	theirs := make([]int32, len(p.said))
	for i, w := range p.said {
		if n, known := number[w.term]; known {
			theirs[i] = n
		} else {
			theirs[i] = -1
		}
	}
	table := make([]uint32, (len(own)+1)*(min(size, len(theirs))+1))
	var best []pair
	for i := 0; i == 0 || i+size-step < len(theirs); i += step {
		stretch := theirs[i:min(len(theirs), i+size)]
		upper := 0
		for _, n := range stretch {
			if n >= 0 {
				upper++
			}
		}
		if upper <= len(best) {
			continue
		}
		if pairs := inOrder(ours, stretch, table, len(best)); pairs != nil {
			best = pairs
			for k := range best {
				best[k].theirs += i
			}
		}
	}
	return best
}

// inOrder gives a longest common subsequence; nil where it is not longer than
// some length. The table has room for one more of each.
func inOrder(a, b []int32, table []uint32, than int) []pair {
	width := len(b) + 1
	clear(table[len(a)*width : (len(a)+1)*width])
	for i := len(a) - 1; i >= 0; i-- {
		row, below := table[i*width:(i+1)*width], table[(i+1)*width:(i+2)*width]
		row[len(b)] = 0
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				row[j] = below[j+1] + 1
			} else {
				row[j] = max(below[j], row[j+1])
			}
		}
	}
	if int(table[0]) <= than {
		return nil
	}
	out := make([]pair, 0, table[0])
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out = append(out, pair{i, j})
			i, j = i+1, j+1
		case table[(i+1)*width+j] >= table[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return out
}

func termSet(text, language string) map[string]bool {
	set := map[string]bool{}
	for _, t := range lex.Terms(text, language) {
		set[t] = true
	}
	return set
}

// spoken is what people wrote in a chat.
func spoken(turns []assist.Turn) string {
	var b strings.Builder
	for _, t := range turns {
		b.WriteString(t.Text)
		b.WriteByte('\n')
		if t.Action != nil {
			for _, v := range t.Action.Values {
				b.WriteString(v)
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

// Courtesy reports whether a sentence greets, thanks, shows sympathy, says that
// one will look, or asks the customer something, and claims nothing: every
// clause of it must be such words, and none may hold an amount or a commitment.
func Courtesy(sentence string) bool {
	s := strings.ToLower(strings.TrimSpace(sentence))
	if s == "" {
		return true
	}
	if len(s) > 400 || claim.MatchString(s) {
		return false
	}
	for _, v := range Values(s) {
		switch v.Kind {
		case Number, Time:
		default:
			return false
		}
	}
	if strings.HasSuffix(s, "?") {
		return !leading.MatchString(s)
	}
	for i, clause := range clauses.Split(s, -1) {
		clause = strings.Trim(clause, " .!…–—-")
		if clause == "" || opener.MatchString(clause) || len(strings.Fields(clause)) <= 2 && i > 0 {
			continue
		}
		if i == 0 && len(strings.Fields(clause)) <= 2 && !strings.ContainsAny(clause, "0123456789") && greeting.MatchString(clause) {
			continue
		}
		if i > 0 && goesOn.MatchString(clause) {
			continue
		}
		return false
	}
	return true
}

// The words that courtesy begins with, and those that make a claim of it.
var (
	clauses  = regexp.MustCompile(`[,;:.!?]+\s+|\s+[–—-]+\s+|\s+(?:but|so|und|et|y|e)\s+`)
	greeting = regexp.MustCompile(`^(hi|hello|hey|hallo|bonjour|salut|hola|ol[áa]|thanks|danke|merci|gracias|obrigad[oa]|sorry|entschuldigung)\b`)
	opener   = regexp.MustCompile(`^(?:and |then )?(?:` + strings.Join([]string{
		`hi\b`, `hello\b`, `hey\b`, `good (morning|afternoon|evening)`, `dear\b`, `welcome\b`, `thanks?\b`, `thank you\b`, `many thanks`, `sure\b`, `of course`, `certainly`, `absolutely`,
		`i('|’)?m (so |very |really |truly )?(sorry|glad|happy)`, `i am (so |very |really |truly )?(sorry|glad|happy)`, `we('|’)?re (so |very )?sorry`, `sorry\b`, `my apologies`, `i apologi[sz]e`, `please accept`,
		`i (can |completely |fully |do )*(understand|see why|hear you)`, `that (sounds|must be|must have been|is frustrating|'s frustrating|’s frustrating)`, `how frustrating`,
		`happy to help`, `glad to help`, `good question`, `great question`, `let me (take care|look|check|see|find|help|get)`, `i('|’)ll (take care of|look into|check|find out|help|take a look|stay with)`, `i will (take care of|look into|check|find out|help|take a look|stay with)`, `allow me`,
		`one moment`, `just a moment`, `bear with me`, `give me a (moment|minute|second)`, `please let me know`, `let me know`, `feel free`, `please bear`, `take care`, `have a (nice|great|good|lovely)`, `you('|’)re welcome`, `no problem`,
		`(guten|schönen) (tag|morgen|abend)`, `hallo\b`, `danke\b`, `vielen dank`, `es tut mir leid`, `tut mir (sehr )?leid`, `das tut mir (sehr )?leid`, `ich verstehe`, `ich (kümmere mich|schaue|sehe|prüfe)`, `gern`, `einen moment`, `ich entschuldige`,
		`bonjour\b`, `merci\b`, `je suis (vraiment |sincèrement )?désolée?`, `je (vous )?comprends`, `je m('|’)en occupe`, `je (regarde|vérifie)`, `avec plaisir`, `un instant`, `toutes mes excuses`,
		`hola\b`, `gracias\b`, `muchas gracias`, `lo siento`, `siento mucho`, `(lo )?entiendo`, `me ocupo`, `(déjeme|permítame)`, `con gusto`, `un momento`, `buen(os|as)\b`,
		`ol[áa]\b`, `obrigad[oa]\b`, `muito obrigad`, `sinto muito`, `lamento\b`, `(eu )?entendo`, `vou (verificar|tratar|cuidar)`, `com prazer`, `bom dia`, `boa (tarde|noite)`,
	}, "|") + `)`)
	goesOn  = regexp.MustCompile(`^(and |or )?(that you|about|for (the|your|you)|with (the|your|this|that)|to hear|i know|i('|’)?m sorry|that it|especially|as well)`)
	claim   = regexp.MustCompile(`\b(refund(ed|ing)?|replac(e|ed|ement|ing)|approved?|waive[ds]?|credited|compensat\w*|entitled|eligible|reimburs\w*|discount\w*|you('|’)ll (get|receive|have)|you will (get|receive|have)|you can|you may|we('|’)ll|we will|i('|’)ll (send|give|add|issue|cancel|apply|credit)|i will (send|give|add|issue|cancel|apply|credit)|erstatt\w*|gutschrift|rembours\w*|reembols\w*)\b`)
	leading = regexp.MustCompile(`\b(did you know|you know that|isn('|’)t it|right\?|aren('|’)t you)`)
)
