package suggest

import (
	"strings"

	"github.com/aside-project/aside/internal/lex"
)

// kinds are the sorts of thing a question asks for, and a sentence gives.
type kinds uint16

const (
	aTime    kinds = 1 << iota // how long, when: a duration, a date, an hour
	anAmount                   // how much: money, or that it is free
	aNumber                    // how many, which size: a figure with a unit
	aRuling                    // may I, do you: what can and cannot be
	aWay                       // how do I, what now: what to do
	aPlace                     // where
	aReason                    // why
	aRemedy                    // what is done about trouble: money back, another one, a repair
	allKinds = 8
)

// asker says for one language how questions ask for a kind, and how sentences
// give it.
type asker struct{ asks, gives [allKinds]*lex.Pattern }

// wants are the kinds that a question asks for.
func (a asker) wants(question string) kinds { return match(a.asks, question, ^kinds(0)) }

// has are those of some kinds that a sentence gives.
func (a asker) has(sentence string, some kinds) kinds { return match(a.gives, sentence, some) }

// insists are the kinds that a question names outright.
func (a asker) insists(question string) (k kinds) {
	for kind, re := range insists {
		if re.MatchString(question) {
			k |= kind
		}
	}
	return k
}

var insists = map[kinds]*lex.Pattern{
	aTime:    lex.MustPattern(`(?i)\b(how (long|late|soon|quickly|fast|many (more )?(business |working )?(days|weeks|hours|months))|when (do|does|will|can|is|are|should|would|am)|(un)?till? when|what time|by when|the latest|deadline|last (day|date)|wie lange?|wann|combien de (temps|jours)|quand|cu[aá]ndo|cu[aá]nto tiempo|quel est le délai)(\P{L}|$)`),
	aRemedy:  lex.MustPattern(`(?i)\b((my|our|the) money back|(want|need|give me|demand|expect|i'd like|would like) (\w+ ){0,3}(refund|replacement|compensation|new one)|refund me|make (it|this|that) right|geld zurück|veux (être )?rembours|remboursez|quiero (mi dinero|un reembolso)|devu[eé]lvanme)(\P{L}|$)`),
	anAmount: lex.MustPattern(`(?i)\b(how much (is|are|does|do|will|would|for|to|i|money)|what (does|do|would|will|is) .{0,40}(cost|price|fee|charge)s?|(does|do|will|would|is) (it|that|this|there) (cost|charge|a fee|free)|(have|need) to pay|wie ?viel kostet|was kostet|was kosten|combien (coûte|coute|ça coûte|est-ce)|cu[aá]nto (cuesta|vale))(\P{L}|$)`),
}

// outright reports whether a sentence says in so many words how long something
// takes, or what it costs, when that must be answered.
func outright(must kinds, sentence string) bool {
	return must&aTime != 0 && takes.MatchString(sentence) || must&anAmount != 0 && costs.MatchString(sentence)
}

var (
	takes = lex.MustPattern(`(?i)\b(takes?|lasts?|arrives?|appears?|open|for|valid|dauer[nt]|prend|prennent|dure|tarda|tardan|demora|reserv\w+)\b.{0,40}\d|\d.{0,30}\b(lang|after|nach|après|después)\b`)
	costs = lex.MustPattern(`(?i)\b(costs?|is free|are free|free of|charge[ds]?|fee|worth|kostet|kosten|kostenlos|coûtent?|gratuite?s?|cuestan?|gratis)\b`)
)

func match(patterns [allKinds]*lex.Pattern, text string, some kinds) (k kinds) {
	for i, re := range patterns {
		if re != nil && some&(1<<i) != 0 && re.MatchString(text) {
			k |= 1 << i
		}
	}
	return k
}

const anyMoney = `[$€£¥]\s?\d|\d\s?[$€£¥]|\b\d+([.,]\d+)?\s?(usd|eur|dollars?|euros?|cents?|bucks|pounds|dólares)\b|\d\s?(%|percent|prozent|pour cent|por ciento)`

var askers = map[string]asker{
	"en": {
		asks: patterns(
			`\bhow (long|soon|quick(ly)?|fast|many (more )?(business |working )?(days|weeks|hours|months))|\bwhen\b|\b(by|until|till|up to|since) when\b|\bwhat (time|date|day)|\b(too late|still (return|send|exchange|cancel)|deadline|take (for|so)|how late|this (week|month)|tomorrow|tonight|latest|hours)\b`,
			`\bhow much|\b(costs?|price[ds]?|pricing|fees?|charged?|expensive|cheap(er)?|free|pay(ing)?( for)?|bucks|dollars|spend|worth|rates?)\b|[$€£]`,
			`\bhow (many|big|large|small|heavy|warm|cold|tall|high|wide|deep|thick|often|far|old|hot)|\b(which|what|right) (size|temperature|temp|weight|width|height|length|setting|rating|capacity)|\b(weigh|size|temp|fits?)\b`,
			`\b(can|could|may|might|would|will|do|does|did|is|are|am|should|shall|must|have) (i|we|u|you|it|they|this|that|these|there|my|the|your)\b|\b(possible|allowed|ok(ay)? (to|if|for)|eligible|entitled|still good|too late|covered|any chance|qualif|right\?|need to)`,
			`\bhow (do|can|could|should|would|to|am|does|might)\b|\bwhat (do|should|can|must|am) (i|we)\b|\bwhat (now|next|happens?|steps)\b|\b(instructions|steps|the way to|help me|where do i|fix(ed)?|tell me how|need to (do|know))\b`,
			`\bwhere\b|\bwhich (page|address|place|office|store|form)\b`,
			`\bwhy\b|\bhow come\b|\bwhat('s| is) (the )?(reason|wrong|going on)|\breason\b`,
			`\b(money back|compensat\w+|make (this|it|that) right|what can (you|u) (do|offer)|(what are )?my options|what (can|do) i get|what (are you|will you) .{0,12}do|(brok|rip|tor|crack|damag|defect|fault|leak|shatter|smash|dent|crush|ruin)\w*|fell (apart|off)|came (off|apart)|(wrong|missing) (item|size|colou?r|product|thing|one)|lost|missing|stolen|never (arrived|came|got)|(hasn't|didn't|not|nothing) (arrived|arrive|come|came|here|there)|died|dead|stopped \w+ing)\b`),
		gives: patterns(
			`\b(\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|several|same|next|few) ?(to \d+ |or \d+ |business |working |calendar |full |more )*(minutes?|hours?|days?|weeks?|months?|quarters?|years?)\b|\b\d{1,2}(:\d\d)? ?[ap]\.?m\b|\b(january|february|march|april|may|june|july|august|september|october|november|december) \d|\b(immediately|at any time|when (the|your|you|it|we)|as soon as|until|midnight|once (the|you|your|it|we)|every day|monday|anytime|right away)\b`,
			anyMoney+`|\b(free|no (fee|charge|extra)|costs? nothing|at no cost|for nothing)\b`,
			`\d`,
			`\b(can(not|'t)?|may|must|only|unless|never|always|not|without|need|allowed|eligible|cover(s|ed)?|yes|no|if|accept|required?|qualify|available|possible|normal)\b`,
			`^(please |first |then |simply |just |always |never )?(go|choose|select|sign|log|ask|tell|contact|call|write|send|press|hold|check|wait|measure|wash|dry|clean|open|close|use|pack|hand|print|show|take|put|keep|visit|click|enter|follow|look|order|return|start|replace|remove|apply|submit|fill|do|let|leave|make|turn|try|charge|cancel|add|pick|bring|provide|complete|report|mail|download|create|get|give|set|run|type|fit|see)\b|\byou (can|need|must|should|may|have to|will need)\b|\b(please|by (phone|mail|calling|visiting|clicking))\b`,
			`\b(in your|under|online|at (the|a|any|our|www|https?|your)|page|address|account|section|office|website|located|from our|\S+@\S+|store)\b`,
			`\b(because|since|when|due to|caused?|reason|so that|means?|nearly always|usually|normal|happens|looks like|in order)\b`,
			`\b((we|we'll|we will|you can|you may|you) (then )?((can|choose|send|get|refund|replace|repair|cover|exchange|pay|issue|ship|return)\b.{0,40}\b)?(refund\w*|replace\w*|repair\w*|money back|new (one|item|code)|right item|again|in full|free label|exchange\w*)|(is|are|be|comes?|ships?) (repaired|replaced|refunded|free|covered)|covers? (it|this))\b|^(if|when) [^,]{0,60}\b(damaged|breaks?|broken?|fails?|missing|lost|wrong|defective|torn|leaks?|stops?|not (there|arrived|work))\b`),
	},
	"de": {
		asks: patterns(
			`(?:^|\P{L})(wie lang|wie schnell|wann|bis wann|ab wann|dauert|frist|wie viele (tage|wochen)|zu spät|noch zurück)`,
			`(?:^|\P{L})(wie ?viel|kostet|kosten|kostenlos|preis|gebühr|bezahlen|zahlen|gratis|umsonst|teuer)|[$€]`,
			`(?:^|\P{L})(welche größe|wie (groß|schwer|warm|viele|hoch|weit)|wieviel grad|temperatur)`,
			`(?:^|\P{L})(kann|können|darf|dürfen|ist es|geht|möglich|liefern sie|haben sie|muss|müssen|gibt es|bekomme)`,
			`(?:^|\P{L})(wie (kann|mache|geht|soll|muss|funktioniert|wasche)|was (soll|muss|kann|mache|passiert|tun)|was nun)`,
			`(?:^|\P{L})(wo|wohin)(?:\P{L}|$)`,
			`(?:^|\P{L})(warum|wieso|weshalb)`,
			`kaputt|defekt|beschädigt|gerissen|zerbrochen|undicht|fehlt|falsche\p{L}*|verloren|nicht (angekommen|gekommen|geliefert|da)|geld zurück|welche möglichkeiten|was (tun|machen) sie`),
		gives: patterns(
			`(\d+|ein(en|em|e)?|zwei|drei|vier) ?(bis \d+ )?(werk|arbeits|geschäfts)?(tag|woch|monat|stund|minut|jahr)|\d{1,2} uhr|\d\. (januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember)|sofort|jederzeit|sobald`,
			anyMoney+`|kostenlos|gratis|kostenfrei|umsonst|zahlen sie nichts`,
			`\d`,
			`(?:^|\P{L})(können|kann|dürfen|darf|muss|müssen|nur|nicht|kein\p{L}*|außer|wenn|falls|ja|nein|niemals|möglich)`,
			`(?:^|\P{L})(bitte|wählen|gehen|schreiben|senden|schicken|melden|öffnen|sie (können|müssen)|waschen)`,
			`(?:^|\P{L})(unter|im konto|in ihrem|auf der|adresse|seite|aus unserem)`,
			`(?:^|\P{L})(weil|da |wenn|wegen|grund|damit)`,
			`erstatte\p{L}*|ersatz|ersetzen|reparier\p{L}*|reparatur|geld zurück|noch einmal|schicken wir|wir (schicken|senden)|^(wenn|falls) [^,]{0,60}(kaputt|beschädigt|fehlt|verloren|falsch|defekt)`),
	},
	"fr": {
		asks: patterns(
			`combien de (temps|jours)|quand|délai|dans combien|jusqu'à quand|durée|trop tard|dure|prend`,
			`combien (?:ça |cela )?(co[ûu]te|est|je|dois)|(?:^|\P{L})(prix|tarif|frais|co[ûu]te?|payer|gratuite?|cher|combien)|[$€]`,
			`quelle taille|quelle température|combien de|quel poids`,
			`(?:^|\P{L})(peut|puis-je|peux|pouvez|possible|est-ce que|livrez|avez-vous|ai-je|dois|faut)`,
			`comment|que (dois|faire|faut)|qu'est-ce que je (fais|dois)|quoi faire`,
			`(?:^|\P{L})où(?:\P{L}|$)`,
			`pourquoi`,
			`cassée?|défectueu|abîmé|endommagé|déchiré|écrasé|plié|manque|perdue?|pas (arrivé|reçu)|nouvel(le)? |remboursé`),
		gives: patterns(
			`(\d+|une?|deux|trois) ?(à \d+ )?(jours?|semaines?|mois|heures?|minutes?|ans?)(?:\P{L}|$)|immédiatement|dès que|à tout moment`,
			anyMoney+`|gratuit|sans frais|ne payez rien|offert`,
			`\d`,
			`(?:^|\P{L})(pouvez|peut|ne|n'|pas|seulement|sauf|si|uniquement|oui|non|jamais)`,
			`(?:^|\P{L})(veuillez|choisissez|écrivez|envoyez|allez|vous pouvez|gardez|contactez|ouvrez)`,
			`dans votre|sous|à l'adresse|sur la page|depuis`,
			`parce que|car|lorsque|en raison|quand`,
			`rembours\p{L}+|remplac\p{L}+|répar\p{L}+|nouvel article|nous (envoyons|renvoyons)|renvoyons|^(si|quand) [^,]{0,60}(abîmé|cassé|manque|perdu|défectueux)`),
	},
	"es": {
		asks: patterns(
			`cu[aá]nto tiempo|cu[aá]ndo|plazo|cu[aá]ntos d[ií]as|tarda|hasta cu[aá]ndo|demora`,
			`cu[aá]nto (cuesta|vale|es|pago|tengo)|precio|costo|coste|cuesta|gratis|pagar|tarifa|[$€]`,
			`qu[eé] talla|cu[aá]ntos|temperatura`,
			`(?:^|\P{L})(puedo|pueden|puede|es posible|hay|tienen|env[ií]an|aceptan|debo|tengo que)`,
			`c[oó]mo|qu[eé] (hago|debo|tengo)`,
			`d[oó]nde|ad[oó]nde`,
			`por qu[eé]`,
			`rot[oa]|rompi|defectuos|dañad|perdid|falta|no (ha )?(llegado|llegó|recibido)|dinero de vuelta|mi dinero|otr[oa] nuev`),
		gives: patterns(
			`(\d+|una?|dos|tres) ?(a \d+ )?(d[ií]as?|semanas?|mes(es)?|horas?|minutos?|años?)|inmediat|cuando`,
			anyMoney+`|gratis|gratuit|sin (costo|coste|cargo)`,
			`\d`,
			`(?:^|\P{L})(puede|pueden|no|solo|sólo|nunca|salvo|si|sí|únicamente)`,
			`(?:^|\P{L})(por favor|elija|vaya|escr[ií]ba|env[ií]e|puede)`,
			`en su|dirección|página`,
			`porque|debido|cuando`,
			`reembols\p{L}+|devolvemos|reemplaz\p{L}+|repar\p{L}+|enviamos (otr|de nuevo)|^(si|cuando) [^,]{0,60}(dañad|rot[oa]|falta|perdid|defectuos)`),
	},
}

func patterns(p ...string) (out [allKinds]*lex.Pattern) {
	for i, s := range p {
		out[i] = lex.MustPattern(`(?i)` + s)
	}
	return out
}

// kin are ways in which customers and pages say the same thing; each line is one
// thing. Customers "send back" what pages let them "return".
var kin = kinships(
	"return",
	"refund|reimburse|reimbursement",
	"double|duplicate",
	"exchange|swap|trade",
	"parcel|package|box|shipment|delivery",
	"ship|deliver|mail|send|shipping|delivery",
	"arrive|show up|showed up|turn up|appear|came",
	"defective|defect|broke|broken|faulty|fail|stopped|dead|malfunction|damaged",
	"damaged|damage|crushed|dented|dent|smashed|squashed|bent|ripped open|soaked",
	"claim|warranty|covered",
	"cheaper|less|lower|price|drop|falls|reduced",
	"cost|price|fee|charge|pay",
	"buy|bought|purchase|order|ordered",
	"cancel|call off",
	"installments|instalments",
	"repair|mend|fix|fixed|service",
	"change|correct|edit|update|fix|fixed",
	"address|street|zip|postcode",
	"freeze|froze|frozen",
	"tear|tore|torn|rip|ripped",
	"shrink|shrank|shrunk",
	"steal|stole|stolen",
	"find|found",
	"choose|chose|chosen|pick|select",
	"replace|replacement",
	"person|human|somebody|someone|representative|operator|real person|agent",
	"code|coupon|voucher|promo|promotion",
	"worn|wore|wear|used|use",
	"late|later|delayed|overdue",
	"keep|hold|held|kept|reserve|reserved",
	"weigh|weight|heavy|light",
	"long|longer|tall|length",
	"call|contact|phone|telephone|ring",
	"lost|missing|disappeared|gone|never came|never arrived|never showed up|never got|never received|hasn't arrived|hasn't come|didn't arrive|didn't come|didn't get",
	"delete|erase|remove",
	"sign|login|access",
	"wash|clean|washing machine|launder",
	"dry|dryer|tumble",
	"customs|duties|duty|taxes",
	"standard|normal|regular",
	"fast|express|quick|rush",
	"worth|value",
	"dollars|bucks",
	"gift|present",
	"charged|taken|debited|billed",
	"stock|notify|available",
	"open|hours|reach",
)

// plainly puts what customers say in several words into the one that pages use.
func plainly(text string) string {
	text = strings.ReplaceAll(text, "’", "'")
	for _, w := range ways {
		text = w.said.ReplaceAllString(text, w.means)
	}
	return text
}

var ways = []struct {
	said  *lex.Pattern
	means string
}{
	{lex.MustPattern(`(?i)\b(?:get|got|have|want|need)(?: (?:my|the|our|that))? (shipping|postage|delivery|fees?|deposit)(?: (?:charges?|costs?|fees?|money))? back\b`), "refund $1 charge"},
	{lex.MustPattern(`(?i)\b(\d[\d.,]*) ?(?:dollars?|bucks|usd|euros?|eur)\b`), "$1"}, // what it costs is a figure, whatever the coin
	{lex.MustPattern(`(?i)\b(?:somebody|someone|anybody|anyone|you guys|people|a person)(?: (?:is|are|be))? (?:here|there|around|available|online)\b|\b(?:is|are) (?:somebody|someone|anybody|anyone|you guys|people|a person) (?:here|there|around|available|online)\b`), "person reach hours"},
	{lex.MustPattern(`(?i)\b(get|got|have|want|need)( (all|some|any|half))?( of)?( (my|the|our|that|this|it))?( (money|cash|dollars|payment|shipping|postage|fee|fees|deposit|\d[\d.,]*|\$[\d.,]+))? back\b`), "refund"},
	{lex.MustPattern(`(?i)\b(money back|(see|get|receive|getting|seeing) (the|my|that|our) money)\b`), "refund"},
	{lex.MustPattern(`(?i)\b(not|don't|dont|without|avoid|never) (have to |having to |need to )?pay(ing)?( for)?\b`), "free"},
	{lex.MustPattern(`(?i)\b(send|sent|sending|give|gave|giving|bring|brought|bringing|ship|shipped|shipping|mail|mailed|mailing|take|took|taking|put|go|goes|going)( (it|them|em|this|that|these|those|everything|something|smth|sth|stuff|things?|one|both|all|(my|the|a|an) \w+))?( all)? back\b`), "return"},
	{lex.MustPattern(`(?i)\b(take|took|taking|charge|charged) (the |my |our )?(money|payment|card)\b`), "charged"},
	{lex.MustPattern(`\b(USA?|U\.S\.A?\.?)(\W|$)|\b(usa)\b`), "United States "},
	{lex.MustPattern(`(?i)\b(twice|two times|double charged|double-charged)\b`), "double"},
	{lex.MustPattern(`(?i)\b(log|sign|get|logging|signing|getting) ?(back )?in(to)?\b`), "sign in"},
	{lex.MustPattern(`(?i)\b(sold out|out of stock|get more( in)?|have more( in)?|restock(ed|ing)?)\b`), "back in stock"},
	{lex.MustPattern(`(?i)\bpay(ing)? (it |that |this )?(off |over time|later|monthly|in parts|in pieces)|\bsplit (it|that|this|the|a|up)?\b|\b(a few|several|monthly) payments\b`), "installments "},
	{lex.MustPattern(`(?i)\b(pw|pword|passwrd)\b`), "password"},
	{lex.MustPattern(`(?i)\b(pre-?loved|2nd hand|second ?hand)\b`), "used"},
}

type kinship struct {
	said string   // as customers or pages say it, lower case
	like []string // terms that mean the same
	line int      // from 1; words of one line mean the same
}

func kinships(lines ...string) []kinship {
	var out []kinship
	for n, line := range lines {
		var like []string
		for _, w := range strings.Split(line, "|") {
			if t := lex.Terms(w, "en"); len(t) == 1 {
				like = append(like, t[0])
			}
		}
		for _, w := range strings.Split(line, "|") {
			out = append(out, kinship{" " + w + " ", like, n + 1})
		}
	}
	return out
}
