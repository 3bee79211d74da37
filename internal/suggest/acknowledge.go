package suggest

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/playbook"
)

// acknowledge names what happened to the customer, in their own noun, and owns
// it. It says nothing when there is nothing to acknowledge, or when an agent has
// already done so and nothing new went wrong.
func acknowledge(p phrases, q assist.Question, turns []assist.Turn) string {
	now := sinceAgent(turns)
	first := !agentSpoke(turns)
	name := firstName(turns)
	thing, broken := p.trouble(now)
	again := p.again.MatchString(now)
	waited := p.waited.MatchString(now)
	upset := p.upset.MatchString(now) || playbook.Feel(turns[sinceAgentAt(turns):]).Needed()

	var sorry string
	switch {
	case thing != "" && again:
		sorry = fmt.Sprintf(p.sorryThingAgain, thing)
	case thing != "" && waited:
		sorry = fmt.Sprintf(p.sorryThingWait, thing)
	case thing != "":
		sorry = fmt.Sprintf(p.sorryThing, thing)
	case again:
		sorry = p.sorryAgain
	case waited:
		sorry = p.sorryWait
	case upset || broken:
		sorry = p.sorry
	}
	if sorry != "" && !first && apologised(p, turns, thing) {
		sorry = ""
	}
	switch {
	case sorry != "" && first && name != "":
		return fmt.Sprintf(p.hi, name) + sorry
	case sorry != "":
		return upperFirst(sorry)
	case first && name != "" && q.Quiet == "" && p.uneasy.MatchString(now) && !p.slip.MatchString(now):
		return strings.TrimSuffix(fmt.Sprintf(p.hi, name), " ") + p.noted
	case first && name != "" && q.Quiet == "":
		return strings.TrimSuffix(fmt.Sprintf(p.hi, name), " ") + p.happy
	case gaveWhatWasAsked(turns, true):
		if name != "" {
			return fmt.Sprintf(p.thanksName, name)
		}
		return p.thanks
	}
	return ""
}

// sinceAgent is what the customer wrote since an agent last did.
func sinceAgent(turns []assist.Turn) string {
	var parts []string
	for _, t := range turns[sinceAgentAt(turns):] {
		if t.Role == assist.RoleCustomer {
			parts = append(parts, t.Text)
		}
	}
	text := strings.Join(parts, "\n")
	if len(text) > 4000 {
		text = text[len(text)-4000:]
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "’", "'")
}

// sinceAgentAt is where the turns begin that came after the agent's last.
func sinceAgentAt(turns []assist.Turn) int {
	i := len(turns)
	for i > 0 && turns[i-1].Role != assist.RoleAgent {
		i--
	}
	return i
}

func agentSpoke(turns []assist.Turn) bool {
	for _, t := range turns {
		if t.Role == assist.RoleAgent && t.Action == nil {
			return true
		}
	}
	return false
}

// apologised reports whether an agent has said sorry, and since then nothing new
// was named: the thing stands in the apology, or in what came before it.
func apologised(p phrases, turns []assist.Turn, thing string) bool {
	head := ""
	if f := strings.Fields(strings.ToLower(thing)); len(f) > 1 {
		head = f[1] // "the zipper on your jacket"
	}
	var before strings.Builder
	for _, t := range turns {
		before.WriteString(strings.ToLower(t.Text))
		if t.Role == assist.RoleAgent && p.apology.MatchString(t.Text) && strings.Contains(before.String(), head) {
			return true
		}
	}
	return false
}

// gaveWhatWasAsked reports whether the customer answered the agent's last question
// with a fact. With newest an answer does not count any more once something was
// done with it and the customer went on: thanks would come late.
func gaveWhatWasAsked(turns []assist.Turn, newest bool) bool {
	answered, named, wrote, late := false, false, false, false
	for _, t := range slices.Backward(turns) {
		switch {
		case t.Role == assist.RoleCustomer:
			wrote = true
			answered = answered || !late && strings.ContainsAny(t.Text, "0123456789@")
			named = named || !late && introduced.MatchString(t.Text) || !late && len(strings.Fields(t.Text)) <= mostOfName && !strings.Contains(t.Text, "?") && !refused.MatchString(t.Text)
		case t.Role == assist.RoleAgent:
			return answered && strings.Contains(t.Text, "?") || named && nameAsked.MatchString(t.Text)
		default:
			late = late || newest && wrote
		}
	}
	return false
}

// mostOfName is how many words one says a name in: "my name is Ada Lovelace".
const mostOfName = 5

var (
	nameAsked  = lex.MustPattern(`(?i)\b((full|last|first|your) names?|(ihr(en)?|vollständige[rn]?) namen?|votre nom|nom complet|su nombre|nombre completo|seu nome|nome completo)(\P{L}|$)`)
	introduced = lex.MustPattern(`(?i)\b(my name is|my name's|name:|mein name ist|ich heiße|je m'appelle|mon nom est|me llamo|mi nombre es|meu nome é|me chamo)(\P{L}|$)`)
	refused    = lex.MustPattern(`(?i)^\P{L}*(no|nope|not|why|ok(ay)?|yes|sure|one|hold|what|nein|warum|ja|non|oui|pourquoi|sí|não|sim|por)(\P{L}|$)|\b(don't|dont|forgot|second|moment)\b`)
)

// firstName is how to greet the customer: the first word of the name they came
// with, if it looks like one.
func firstName(turns []assist.Turn) string {
	for i := len(turns) - 1; i >= 0; i-- {
		t := turns[i]
		if t.Role != assist.RoleCustomer || t.Name == "" {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSpace(t.Name), " ")
		switch strings.ToLower(name) {
		case "customer", "visitor", "guest", "user", "anonymous", "client", "unknown", "mr", "mrs", "ms", "mr.", "mrs.", "ms.", "dr", "dr.", "kunde", "gast", "cliente", "invité":
			return ""
		}
		if len(name) < 2 || len(name) > 30 || !unicode.IsUpper([]rune(name)[0]) {
			return ""
		}
		for _, r := range name {
			if !unicode.IsLetter(r) && r != '-' && r != '\'' && r != '’' {
				return ""
			}
		}
		return name
	}
	return ""
}

func upperFirst(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}

// phrases are the courteous words of one language. Formats take the customer's
// name or noun.
type phrases struct {
	hi, happy, noted, thanks, thanksName, look  string
	sorry, sorryWait, sorryAgain                string
	sorryThing, sorryThingWait, sorryThingAgain string
	apology, upset, waited, again, wrong        *lex.Pattern
	unreal                                      *lex.Pattern   // only imagined, or over: "what if", "that worked"
	uneasy                                      *lex.Pattern   // something is not as it should be, be it nobody's fault: "locked", "too small"
	slip                                        *lex.Pattern   // the customer's own: "I typed it wrong"
	own                                         *lex.Pattern   // they speak of their own case, not of what holds for all
	things                                      []*lex.Pattern // the noun that something happened to; groups: determiner, noun, …
	yours                                       map[string]string
	skip                                        map[string]bool
}

// trouble finds what something happened to, as the customer calls it, turned to
// them ("my jacket" → "your jacket"); broken says that something did.
func (p phrases) trouble(text string) (thing string, broken bool) {
	broken = p.wrong.MatchString(text)
	if !broken || p.unreal != nil && p.unreal.MatchString(text) || p.slip.MatchString(text) {
		return "", false
	}
	for _, re := range p.things {
		for _, m := range re.FindAllStringSubmatch(text, -1) {
			if thing := p.phrase(m[1:]); thing != "" {
				return thing, true
			}
		}
	}
	return "", true
}

// phrase puts a noun phrase together from determiner and noun pairs, a
// preposition between.
func (p phrases) phrase(parts []string) string {
	var words []string
	for i := 0; i+1 < len(parts); i += 3 {
		det, noun := strings.ToLower(strings.TrimSpace(parts[i])), strings.TrimSpace(parts[i+1])
		if noun == "" {
			break
		}
		if p.skip[strings.ToLower(lastWord(noun))] {
			return ""
		}
		if noun == strings.ToUpper(noun) {
			noun = strings.ToLower(noun) // they were shouting
		}
		if y, ok := p.yours[det]; ok {
			det = y
		}
		words = append(words, strings.TrimSpace(det+" "+noun))
		if i+2 < len(parts) && parts[i+2] != "" {
			words = append(words, strings.ToLower(strings.TrimSpace(parts[i+2])))
		}
	}
	thing := strings.Join(words, " ")
	if len(thing) > 60 {
		return ""
	}
	return thing
}

func lastWord(s string) string {
	f := strings.Fields(s)
	return f[len(f)-1]
}

func phrasesOf(language string) phrases {
	if p, ok := spoken[language]; ok {
		return p
	}
	return spoken["en"]
}

const (
	enNoun  = `(my|our|the|this|that|these|those)[ \t]+((?:(?:new|brand|second|left|right|whole|other|first|last|winter|rain|phone|credit|gift|debit|shoe|blue|red|black|white|green)[ \t]+){0,2}[a-z][a-z-]+)`
	enHas   = `(?:[ \t]+(?:is|was|are|were|has|have|had|just|already|still|never|got|gets|keeps?|came|arrived|been|being|be|completely|totally|now|all|i|you|we|bought|ordered|received|which|that|sent|me|from|yesterday|today|not|isn't|hasn't|didn't|doesn't|won't|don't|can't|wasn't|haven't|to|up|apart|in|with|a|an|the))*`
	enOff   = `(?:[ \t]+(?:is|are|was|were|just|already|keeps?|all|totally|completely))*[ \t]+(?:came|come|comes|coming|fell|fall|falls|falling|fallen|gave|broke|ripped|tore)[ \t]+(?:off|apart|loose|undone|out|up|away)\b`
	enNot   = `(my|our|the|this|that|these|those)[ \t]+((?:[a-z][a-z-]*[ \t]+){0,2}?[a-z][a-z-]+)` + enNever
	enNever = enHas + `[ \t]+(?:never|not|hasn't|hasnt|haven't|didn't|didnt|isn't|isnt|doesn't|doesnt|won't|wont|don't|dont|can't|cant|wasn't)` + enHas + `[ \t]+(?:arriv\w+|come|came|coming|show\w*|turn\w*|work\w*|fit\w*|charg\w+|open|close|load|appear\w*|here|received|delivered)\b`
	enBad   = `(?:[ \t]+(?:broke|broken|breaks|breaking|ripped|torn|tore|cracked|damaged|defective|faulty|stained|scratched|leak(?:s|ing|ed)?|failed|fails|dead|died|missing|lost|stolen|late|delayed|wrong|ruined|shrunk|shrank|stuck|stopped|fell|peel(?:s|ing|ed)|smashed|bent|snapped|shattered|burst|melted|frayed|crushed|squashed|soaked|hole))\b`
)

// spoken holds what can be said without a model. A language that is missing
// falls back to English, like the passages it would stand beside.
var spoken = map[string]phrases{
	"en": {
		hi: "Hi %s, ", happy: " I'm happy to help.", noted: " thank you for telling us.", thanks: "Thank you.", thanksName: "Thank you, %s.",
		look:  "I'll look into this and tell you exactly what I find.",
		sorry: "I'm sorry about that.", sorryWait: "I'm sorry about the wait.", sorryAgain: "I'm sorry that you had to write to us more than once.",
		sorryThing: "I'm sorry about %s.", sorryThingWait: "I'm sorry about %s, and about the wait.", sorryThingAgain: "I'm sorry about %s, and that you had to write to us more than once.",
		apology: lex.MustPattern(`(?i)\b(sorry|apolog)`),
		uneasy:  lex.MustPattern(`(?i)\b(locked|blocked|declin\w+|reject\w+|smells?|dangerous|(isn't|isnt|not|nothing|nowhere|aren't) (here|there|in (the|my|it)|to be (found|seen))|too (small|big|large|tight|short|long|narrow|wide|loose|low|high|late)|(supposed|meant) to|should have|(can't|cant|cannot|couldn't|unable to) (log|sign|get|access|find|use|open|pay|enter|see|reach)\w*|won't let|(doesn't|does not|doesnt|dosnt|didn't|won't|not|stopped|keeps?) \w+ing|error|lawyer|money back|complain\w*|problems?|issues?|trouble|instead of|what happened|don't understand|confus\w+)\b`),
		slip:    lex.MustPattern(`(?i)\b(i|we) (\w+ ){0,2}?(typed|entered|put|wrote|spelled|misspelled|picked|chose|ordered|selected|clicked|bought|gave|used|made|forgot)\b[^.!?\n]{0,40}\b(wrong|old|mistake|typo|by accident|accidentally|incorrect|too (often|many times))\b|\bi (mis|forgot|lost (my|the) (password|username|code|link|label|receipt))\w*|\bby (mistake|accident)\b|\bmy (own )?(fault|mistake|bad)\b`),
		own:     lex.MustPattern(`(?i)\b(my|mine|our|ours|i'm|im|i've|ive|i am|i was|i have|i had|i'd like|i want|i need|i \w+ed|i (bought|paid|got|sent|put|lost|forgot|found|gave|took|went|chose)|i (just|already|still|only|never|recently|accidentally|didn't|did not|haven't|can't|cannot|couldn't|wasn't)|(me|we|us) (\w+ ){0,2}(twice|the|an?|my)|charge[ds]? me|sent me|told me|refund me|help me|order (number|id)?\W{0,3}[a-z]{0,3}-?\d{4,})\b|(?:^|[.!?,\n])\s*((just|only|already) )?(paid|ordered|bought|got|received|returned|sent|lost|forgot|tried|waiting|need|want|put)\b`),
		unreal:  lex.MustPattern(`(?i)\b(nothing('s| is| was)? wrong|(not|isn't|aren't|wasn't) (broken|damaged|defective|faulty)|what if|what happens (if|when)|in case|suppose|if (my|the|it|an?|something)\b|that worked|works now|is working now|never ?mind|do you (have|sell|carry))`),
		upset:   lex.MustPattern(`(?i)\b(angry|furious|upset|ridiculous|unacceptable|terrible|awful|horrible|worst|disappointed|disappointing|frustrat\w*|annoy\w*|fed up|sick of|disgust\w*|joke|useless|outrageous|scam|ripped off|nightmare|a mess)\b`),
		waited:  lex.MustPattern(`(?i)\b(still waiting|been waiting|waiting (for|since)|waited|still (haven't|have not|hasn't|has not|nothing|no)|weeks ago|taking (so|too) long|how much longer|(is|are|was|were|arrived|came|days|weeks|hours) late\b)`),
		again:   lex.MustPattern(`(?i)\b((second|third|fourth|fifth|2nd|3rd|4th|\d+th) (time|message|email|chat)|already (wrote|told|asked|contacted|called|explained)|no(body| one) (has )?(answered|replied|responded|helped|called)|keep (asking|writing|calling)|(twice|three times) already)`),
		wrong:   lex.MustPattern(`(?i)\b(broke|broken|breaks|ripped|torn|tore|cracked|damaged|defective|faulty|stain\w*|scratch\w*|leak\w*|fail(s|ed)|dead|died|missing|lost|stolen|(is|are|was|were|been|arrived|came|days?|weeks?|hours?|so|too|again|always|very|it's|its) (late|delayed)|(late|delayed) (orders?|packages?|parcels?|delivery|deliveries|shipments?|arrival)|wrong|ruined|shrunk|stuck|stopped|never (arrived|came|got|received|showed)|(hasn't|hasnt|has not|didn't|didnt|did not|haven't|not) (yet )?(arrived?|appear(ed)?|come|shown|show up|turned up|received)|(doesn't|does not|won't|isn't|not) (work|fit|turn|load|open)\w*|charged (me )?(twice|double)|double.charged|overcharged|fell|peel\w*|smashed|hole|(came|come|coming|fall(s|ing)?|gave) (off|apart|loose|undone|up|out)|snapped|shattered|burst|melted|crushed|bent|not here|(nothing|isn't|isnt|not|no package|no parcel) (is )?(here|there)|declined|declining|keeps? (declining|failing|crashing|rejecting)|rejected|(says|said|marked|marked as|shows) delivered|unusable|smells? (of|like))\b`),
		things: []*lex.Pattern{
			lex.MustPattern(`(?i)` + enNoun + `([ \t]+(?:on|of|in|for|from))[ \t]+` + enNoun + enHas + enBad),
			lex.MustPattern(`(?i)` + enNoun + `([ \t]+(?:on|of|in|for|from))[ \t]+` + enNoun + enOff),
			lex.MustPattern(`(?i)` + enNoun + `([ \t]+(?:on|of|in|for|from))[ \t]+` + enNoun + enNever),
			lex.MustPattern(`(?i)` + enNot),
			lex.MustPattern(`(?i)` + enNoun + enHas + enBad),
			lex.MustPattern(`(?i)` + enNoun + enOff),
			lex.MustPattern(`(?i)\b(brand[ -]new)[ \t]+([a-z][a-z-]+)(?:` + enHas + enBad + `|` + enOff + `)`),
			lex.MustPattern(`(?i)\b(?:a|an|the)()\s+(hole|stain|scratch|crack|leak)([ \t]+(?:on|in))[ \t]+` + enNoun),
			lex.MustPattern(`(?i)\b(?:lost|broke|ripped|tore|cracked|damaged|dropped|stole)[ \t]+(my|our)[ \t]+([a-z][a-z-]+)`),
			lex.MustPattern(`(?i)\b()((?:broken|damaged|defective|faulty|missing|wrong|late|torn|cracked)[ \t]+(?:items?|products?|parts?|size|sizes|colou?r|orders?|package|parcel|delivery|address|charges?|amount|price|shoes?|boots?|jacket|shirt|jeans))\b`),
		},
		yours: map[string]string{"my": "your", "our": "your", "brand new": "your new", "brand-new": "your new", "this": "the", "that": "the", "these": "the", "those": "the", "": "the"},
		skip: map[string]bool{"time": true, "thing": true, "things": true, "day": true, "one": true, "it": true, "is": true, "was": true, "i": true, "way": true, "problem": true, "issue": true, "same": true, "has": true, "have": true, "are": true,
			"person": true, "people": true, "guy": true, "company": true, "and": true, "or": true, "in": true, "on": true, "of": true, "for": true, "to": true, "week": true, "month": true, "just": true, "still": true, "you": true, "we": true, "not": true, "never": true, "all": true, "answer": true, "am": true, "what": true, "will": true, "can": true, "cannot": true, "with": true, "did": true, "does": true, "do": true, "the": true, "a": true, "an": true, "might": true, "may": true, "could": true, "would": true, "should": true, "be": true, "seems": true, "seem": true, "looks": true, "look": true, "get": true, "gets": true, "got": true, "if": true, "when": true, "that": true, "this": true, "stuff": true, "something": true, "anything": true, "everything": true, "but": true, "my": true, "your": true, "from": true, "again": true, "here": true, "there": true, "were": true, "had": true, "also": true, "only": true, "really": true, "wrong": true, "lost": true, "so": true, "because": true, "since": true, "then": true, "which": true, "who": true, "where": true, "no": true, "info": true},
	},
	"de": {
		hi: "Hallo %s, ", happy: " ich helfe Ihnen gern.", noted: " danke, dass Sie uns Bescheid geben.", thanks: "Danke.", thanksName: "Danke, %s.",
		look:  "Ich sehe mir das an und sage Ihnen genau, was ich herausfinde.",
		sorry: "das tut mir leid.", sorryWait: "die Wartezeit tut mir leid.", sorryAgain: "es tut mir leid, dass Sie uns mehrmals schreiben mussten.",
		sorryThing: "das mit %s tut mir leid.", sorryThingWait: "das mit %s und die Wartezeit tun mir leid.", sorryThingAgain: "das mit %s tut mir leid, und dass Sie uns mehrmals schreiben mussten.",
		uneasy:  lex.MustPattern(`(?i)(gesperrt|abgelehnt|riecht|gefährlich|nicht (da|hier|möglich|angezeigt)|nichts (da|hier)|zu (klein|groß|eng|weit|kurz|lang|spät)|sollte|hätte|kann (mich )?nicht|lässt sich nicht|problem|fehler|anwalt|geld zurück|beschwer|verstehe nicht)`),
		slip:    lex.MustPattern(`(?i)(habe ich|ich habe)[^.!?\n]{0,50}(falsch\p{L}* (eingegeben|getippt|bestellt|ausgewählt)|vertippt|versehentlich|aus versehen|verlegt|vergessen)|mein(e)? (eigene\p{L}* )?(fehler|schuld)`),
		own:     lex.MustPattern(`(?i)(?:^|\P{L})(mein\p{L}*|unser\p{L}*|ich (habe|hab|hatte|möchte|will|brauche|bin|warte|finde)|habe ich|mir|mich|wir (haben|sind|warten))(\P{L}|$)`),
		apology: lex.MustPattern(`(?i)(tut mir leid|entschuldig)`),
		upset:   lex.MustPattern(`(?i)(wütend|sauer|verärgert|unverschämt|frechheit|enttäusch|unmöglich|schrecklich|katastrophe|ärger)`),
		waited:  lex.MustPattern(`(?i)(warte (noch|seit|schon|immer)|immer noch (nicht|kein)|seit wochen)`),
		again:   lex.MustPattern(`(?i)(zum (zweiten|dritten|vierten) mal|schon (wieder|mehrmals|zweimal|dreimal)|niemand (hat )?(geantwortet|antwortet))`),
		wrong:   lex.MustPattern(`(?i)(kaputt|defekt|beschädigt|gerissen|zerbrochen|fehlt|falsch|verloren|nicht (angekommen|gekommen|geliefert|da)|funktioniert nicht|geht nicht|verspätet|fleck|verbogen|zerdrückt|undicht|gestohlen|doppelt (abgebucht|berechnet|bezahlt))`),
		things: []*lex.Pattern{
			lex.MustPattern(`(?i)\b(meiner|mein|meine|meinem|meinen|der|die|das)\s+(\p{L}+)\s+(?:ist|war|sind|ging|hat|wurde)(?:\s+\p{L}+)*?\s+(?:kaputt|defekt|beschädigt|gerissen|zerbrochen|falsch|verloren|gekommen|angekommen|geliefert)`),
		},
		yours: map[string]string{"meine": "Ihrer", "mein": "Ihrem", "meiner": "Ihrer", "meinem": "Ihrem", "meinen": "Ihrem", "der": "dem", "die": "der", "das": "dem"},
	},
	"fr": {
		hi: "Bonjour %s, ", happy: " je vais vous aider avec plaisir.", noted: " merci de nous l'avoir signalé.", thanks: "Merci.", thanksName: "Merci, %s.",
		look:  "Je regarde cela et je vous dis exactement ce que je trouve.",
		sorry: "je suis désolé pour ce désagrément.", sorryWait: "je suis désolé pour l'attente.", sorryAgain: "je suis désolé que vous ayez dû nous écrire plusieurs fois.",
		sorryThing: "je suis désolé pour %s.", sorryThingWait: "je suis désolé pour %s et pour l'attente.", sorryThingAgain: "je suis désolé pour %s, et que vous ayez dû nous écrire plusieurs fois.",
		uneasy:  lex.MustPattern(`(?i)(bloqué|refusé|sent (le|mauvais)|dangereu|pas (là|ici|possible)|rien (reçu|ici|là)|trop (petit|grand|serré|large|court|long|tard)|devait|aurait dû|(peux|puis|arrive|arrivons) pas|problème|erreur|avocat|rembours|plainte|comprends pas|tordu|plié|écrasé)`),
		slip:    lex.MustPattern(`(?i)(j'ai|je me suis)[^.!?\n]{0,50}(trompée?|par erreur|oublié|égaré|mal (tapé|saisi|choisi))|(ma|mon) (propre )?(faute|erreur)`),
		own:     lex.MustPattern(`(?i)(?:^|\P{L})(mon|ma|mes|notre|nos|j'ai|j'avais|je n'ai|je (voudrais|veux|suis|dois|n'arrive)|m'a|m'avez|m'ont|nous avons)(\P{L}|$)`),
		apology: lex.MustPattern(`(?i)(désolé|excuse)`),
		upset:   lex.MustPattern(`(?i)(furieu|énerv|inadmissible|inacceptable|honte|déçu|scandal|ras le bol|en colère)`),
		waited:  lex.MustPattern(`(?i)(j'attends|toujours (pas|rien)|depuis des semaines)`),
		again:   lex.MustPattern(`(?i)((deuxième|troisième|quatrième) (fois|message)|personne (ne |n')?(m')?(a )?répond)`),
		wrong:   lex.MustPattern(`(?i)(cassée?|défectueu|abîmé|endommagé|déchiré|manqu|perdue?|pas (arrivé|reçu)|ne (fonctionne|marche) (pas|plus)|en retard|tache|écrasé|plié|tordu|trouée?|volé|débitée? deux fois|fuit)`),
		things: []*lex.Pattern{
			lex.MustPattern(`(?i)\b(mon|ma|mes|le|la|les)\s+(\p{L}+)\s+(?:est|a été|sont|s'est|n'est)(?:\s+\p{L}+)*?\s+(?:cassée?s?|défectueu\p{L}+|abîmée?s?|endommagée?s?|déchirée?s?|perdue?s?|arrivée?s?)`),
		},
		yours: map[string]string{"mon": "votre", "ma": "votre", "mes": "vos"},
	},
	"es": {
		hi: "Hola, %s: ", happy: " con gusto le ayudo.", noted: " gracias por avisarnos.", thanks: "Gracias.", thanksName: "Gracias, %s.",
		look:  "Me ocupo de revisarlo y le digo exactamente lo que encuentre.",
		sorry: "siento mucho lo ocurrido.", sorryWait: "siento mucho la espera.", sorryAgain: "siento mucho que haya tenido que escribirnos varias veces.",
		sorryThing: "siento mucho lo de %s.", sorryThingWait: "siento mucho lo de %s, y la espera.", sorryThingAgain: "siento mucho lo de %s, y que haya tenido que escribirnos varias veces.",
		uneasy:  lex.MustPattern(`(?i)(bloquead|rechazad|huele|peligros|no (está|aparece|hay|veo|puedo|podemos|deja)|nada (aquí|ahí)|demasiado|muy (pequeñ|grande|apretad|larg|cort)|debía|debería|problema|error|abogado|reclam|devuelv\w+ (mi|el) dinero|no entiendo|doblad|aplastad)`),
		slip:    lex.MustPattern(`(?i)(me equivoqu|por error|sin querer|olvid(é|ado)|puse mal|escribí mal|mi (propi[oa] )?(culpa|error))`),
		own:     lex.MustPattern(`(?i)(?:^|\P{L})(mi|mis|nuestr\p{L}+|he|compré|pedí|recibí|pagué|quiero|quisiera|necesito|estoy|tengo|me (llegó|cobr\p{L}+|envi\p{L}+)|hemos)(\P{L}|$)`),
		apology: lex.MustPattern(`(?i)(siento|lament|disculp|perdón)`),
		upset:   lex.MustPattern(`(?i)(furios|enfadad|enojad|inaceptable|vergüenza|decepcion|indignad|pésim|harto|harta)`),
		waited:  lex.MustPattern(`(?i)(sigo esperando|llevo .* esperando|todavía no|aún no|hace semanas)`),
		again:   lex.MustPattern(`(?i)((segunda|tercera|cuarta) vez|nadie (me )?(ha )?(respond|contest))`),
		wrong:   lex.MustPattern(`(?i)(rot[oa]|rompi|defectuos|dañad|falta\b|perdid|no (ha )?(llegado|llegó|recibido)|no funciona|equivocad|mancha|retras|doblad|aplastad|agujer|robad|cobr\p{L}+ dos veces)`),
		things: []*lex.Pattern{
			lex.MustPattern(`(?i)\b(mi|mis|el|la|los|las)\s+(\p{L}+)\s+(?:se |ha |está |estaba |llegó |vino |no )+(?:\p{L}+\s+)*?(?:rot[oa]s?|rompió|rompieron|defectuos\p{L}+|dañad\p{L}+|perdid\p{L}+|llegado|llegó|recibido|funciona)`),
		},
		yours: map[string]string{"mi": "su", "mis": "sus"},
	},
	"pt": {
		hi: "Olá, %s, ", happy: " com prazer vou ajudar.", noted: " obrigado por nos avisar.", thanks: "Obrigado.", thanksName: "Obrigado, %s.",
		look:  "Vou verificar e digo exatamente o que encontrar.",
		sorry: "sinto muito pelo ocorrido.", sorryWait: "sinto muito pela espera.", sorryAgain: "sinto muito que tenha precisado escrever mais de uma vez.",
		sorryThing: "sinto muito pelo problema com %s.", sorryThingWait: "sinto muito pelo problema com %s e pela espera.", sorryThingAgain: "sinto muito pelo problema com %s, e que tenha precisado escrever mais de uma vez.",
		uneasy:  lex.MustPattern(`(?i)(bloquead|recusad|cheira|cheiro|perigos|não (está|aparece|há|vejo|consigo|posso|deixa)|nada (aqui|lá)|muito (pequen|grande|apertad|larg|curt|long)|deveria|devia|problema|erro|advogado|reclam|dinheiro de volta|não entendo|amassad|tort[oa])`),
		slip:    lex.MustPattern(`(?i)(me enganei|por engano|sem querer|esqueci|digitei errad|escolhi errad|(meu|minha) (próprio |própria )?(erro|culpa))`),
		own:     lex.MustPattern(`(?i)(?:^|\P{L})(meu|minha|meus|minhas|noss[oa]s?|comprei|pedi|recebi|paguei|quero|gostaria|preciso|estou|tenho|me (cobr\p{L}+|envi\p{L}+)|temos)(\P{L}|$)`),
		apology: lex.MustPattern(`(?i)(sinto muito|lament|desculp)`),
		upset:   lex.MustPattern(`(?i)(furios|irritad|inaceitável|absurd|vergonha|decepcion|péssim|cansad[oa] d)`),
		waited:  lex.MustPattern(`(?i)(estou esperando|ainda não|até agora|há semanas)`),
		again:   lex.MustPattern(`(?i)((segunda|terceira|quarta) vez|ninguém (me )?respond)`),
		wrong:   lex.MustPattern(`(?i)(quebr|defeit|danificad|rasg|falta\b|perdid|não (chegou|recebi|funciona)|errad|mancha|atras|amassad|tort[oa]|furad|roubad|cobr\p{L}+ duas vezes)`),
		things: []*lex.Pattern{
			lex.MustPattern(`(?i)\b(minha|meu|minhas|meus|a|o|as|os)\s+(\p{L}+)\s+(?:não |se |está |estava |veio |chegou )*(?:quebr\p{L}+|defeituos\p{L}+|danificad\p{L}+|rasg\p{L}+|perdid\p{L}+|chegou|funciona)`),
		},
		yours: map[string]string{"minha": "a sua", "meu": "o seu", "minhas": "as suas", "meus": "os seus"},
	},
}
