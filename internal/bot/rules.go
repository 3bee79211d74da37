package bot

import (
	"regexp"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// accountSpecific finds the number or address by which only somebody with the
// customer's record can answer; "" when there is none. What an order's page says
// of every order ("where is my order?") is no such thing.
func accountSpecific(text string) string {
	return ofOneCustomer.FindString(fold(text))
}

var ofOneCustomer = regexp.MustCompile(`\b(orders?|order id|parcel|package|shipment|tracking|invoice|ticket|booking|reservation|account|customer|case|claim|reference|ref|card|contract|` +
	`bestellung|bestellnummer|auftrag|auftragsnummer|rechnung|sendung|sendungsnummer|kundennummer|vertrag|paket|` +
	`commande|facture|colis|suivi|dossier|contrat|` +
	`pedido|factura|paquete|envio|seguimiento|cuenta|encomenda|fatura|entrega|conta|` +
	`ordine|fattura|pacco|spedizione|conto|bestelling|bestelnummer|factuur|pakket|zending|klantnummer)\W{1,3}((number|numbers|num|no|nr|nummer|numero|num[ea]r[ao]?|id|code|is|ist|es|e|lautet|n|is|de|met) ?\W{0,3}){0,3}#?[a-z]{0,4}-?\d{3,}[\d-]*\b|` +
	`(^|\s)#\s?[a-z]{0,3}-?\d{3,}\b|\b\d{8,}\b|\b[a-z]{2,4}-?\d{6,}\b|[\w.+-]+@[\w-]+\.[a-z]{2,}`)

// dissatisfied reports whether a customer says that the answer was no help.
func dissatisfied(text string) bool { return noHelp.MatchString(fold(text)) }

var noHelp = regexp.MustCompile(`\b(that|this|it)('s| is|s| was)? (not|n't|no) (what|it|my question|helpful|the answer|right|help)|\b(did|does|do|has|have)(n'?t| not) (help|answer|work|solve|understand)|\b(not|un) ?helpful\b|\bwrong answer\b|\byou('re| are)? (not|n't) (answering|listening|understanding|helping)|\bi (mean|meant) |\bno,? (i (asked|meant|mean|said)|that)|\bas i (said|asked|wrote)\b|\bthat('s| is) not what i\b|\byou didn'?t (answer|understand)\b|\bi already (read|know|tried) (that|this|it)\b|` +
	`\b(hilft|half|beantwortet|stimmt) (mir |das |meine frage )*nicht\b|\bdas (war|ist) nicht (meine|die|was)|\bich meine?\b|\bfalsche antwort\b|` +
	`\b(ca|cela|ceci) (ne )?(m')?(aide )?(pas|repond)|\bce n'est pas (ce que|ma question|ca)|\bje veux dire\b|` +
	`\bno (me )?(ayuda|sirve|responde)|\beso no (es|me)|\bquiero decir\b|` +
	`\bnao (me )?(ajuda|ajudou|serve|responde)|\bnao (e|foi) (isso|o que)|\bquero dizer\b|` +
	`\bnon (mi )?(aiuta|serve|risponde)|\bnon e (quello|la)|\bvoglio dire\b|` +
	`\b(helpt|klopt) (me |mij )?niet\b|\bdat is niet (wat|mijn)|\bik bedoel\b`)

// said is what the customer wrote between two answers of the bot.
type said struct {
	text  string
	terms map[string]bool
}

// bursts gathers what the customer asked, oldest first; the last is now.
func bursts(turns []assist.Turn, language string) []said {
	var all []said
	open := false
	for _, t := range turns {
		switch t.Role {
		case assist.RoleBot:
			open = false
		case assist.RoleCustomer:
			if !open {
				all = append(all, said{})
				open = true
			}
			b := &all[len(all)-1]
			b.text = strings.TrimSpace(b.text + "\n" + t.Text)
		}
	}
	for i := range all {
		all[i].terms = map[string]bool{}
		for _, t := range lex.Terms(all[i].text, language) {
			all[i].terms[t] = true
		}
	}
	return all
}

// enoughRephrased is how often the same may be asked anew before a person is
// needed.
const enoughRephrased = 2

// rephrased reports whether the customer now asks the same for the third time,
// or says for the second time that the answer was no help.
func rephrased(all []said) bool {
	n, now := 0, false
	for i := 1; i < len(all); i++ {
		now = dissatisfied(all[i].text)
		for j := range i {
			now = now || alike(all[i].terms, all[j].terms)
		}
		if now {
			n++
		}
	}
	return now && n >= enoughRephrased
}

// alikeShare is the part of the shorter question's words that the other must
// have. Chosen on rephrased pairs by hand: two thirds keeps "how long do refunds
// take" apart from "how long does shipping take".
const alikeShare = 0.66

func alike(a, b map[string]bool) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) == 0 || len(a) == 1 && len(b) > 2 {
		return false
	}
	n := 0
	for t := range a {
		if b[t] {
			n++
		}
	}
	return float64(n) >= alikeShare*float64(len(a))
}

// aloneTerms is how many words of its own make a question understood without
// what was said before.
const aloneTerms = 3

// pointers are words that mean something said before.
var pointers = wordSet("it that this they them those these one ones there then es das dies diese sie dort ca cela celui celle eso esto ese esta isso isto esse quello questo dat deze die")

// standsAlone reports whether a question needs nothing of what was said before.
func standsAlone(text, language string) bool {
	for _, w := range lex.Words(fold(text)) {
		if pointers[w.In(fold(text))] {
			return false
		}
	}
	return len(lex.Terms(text, language)) >= aloneTerms
}

// lastBurst is what the customer wrote since anybody answered.
func lastBurst(turns []assist.Turn) []assist.Turn {
	i := len(turns)
	for i > 0 && turns[i-1].Role == assist.RoleCustomer {
		i--
	}
	return turns[i:]
}
