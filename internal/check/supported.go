package check

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// How much of a sentence's content its passages must carry. Words that were said
// in the chat count less: naming the jacket is listening, not a claim. Measured
// on real replies; see TestFaithfulness.
const (
	enough = 0.5
	echo   = 0.5
)

// Supported looks at each sentence that claims something: it needs a citation,
// and what it cites must carry its words.
func Supported(draft assist.Draft, hits []assist.Hit, turns []assist.Turn) []assist.Verdict {
	passages := byID(hits)
	terms := map[string]map[string]bool{} // of a passage
	language := lex.Language(draft.Text)
	var echoed map[string]bool
	var verdicts []assist.Verdict
	at := starts(draft)
	for i, s := range draft.Sentences {
		if strings.TrimSpace(s.Text) == "" || len(s.Citations) == 0 && courteous(draft.Origin, s) {
			continue
		}
		reason := ""
		if len(s.Citations) == 0 {
			reason = "No source carries this sentence."
		} else {
			if echoed == nil {
				echoed = termSet(spoken(turns), language)
			}
			missing, ok := carried(s, language, passages, terms, echoed)
			if !ok {
				h := passages[s.Citations[0].PassageID]
				reason = fmt.Sprintf("%s does not say this: nothing in it carries %s.", name(h), missing)
			}
		}
		if reason != "" {
			verdicts = append(verdicts, assist.Verdict{
				Check: checkSupported, Outcome: assist.Warn, Sentence: i,
				Words: s.Text, Start: at[i], End: at[i] + len(s.Text), Reason: reason,
			})
		}
	}
	return verdicts
}

// carried says whether the passages a sentence cites carry its content, and if
// not, which of its words they lack.
func carried(s assist.Sentence, language string, passages map[string]*assist.Hit, terms map[string]map[string]bool, echoed map[string]bool) (string, bool) {
	own, found := 0.0, 0.0
	var missing []string
	seen := map[string]bool{}
	for _, w := range lex.Words(s.Text) {
		word := w.In(s.Text)
		for _, term := range lex.Terms(word, language) {
			if seen[term] {
				continue
			}
			seen[term] = true
			switch {
			case inPassages(term, language, s.Citations, passages, terms):
				own++
				found++
			case echoed[term]:
				own += echo
			default:
				own++
				missing = append(missing, "“"+word+"”")
			}
		}
	}
	if own == 0 || found >= enough*own {
		return "", true
	}
	if len(missing) > 3 {
		missing = missing[:3]
	}
	return strings.Join(missing, ", "), false
}

func inPassages(term, language string, cs []assist.Citation, passages map[string]*assist.Hit, terms map[string]map[string]bool) bool {
	for _, c := range cs {
		set, ok := terms[c.PassageID]
		if !ok {
			h := passages[c.PassageID]
			set = termSet(h.Title+"\n"+h.Heading+"\n"+h.Text, language)
			terms[c.PassageID] = set
		}
		if set[term] {
			return true
		}
	}
	return false
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
