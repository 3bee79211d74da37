package playbook

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// wording is what is said in one language beside the pages' own words.
type wording struct {
	ownPromise, ownAgain, own, fix string
	offer, lead, followUp, listen  string // with %s for what, for whom, for when
	askTheir                       string
	tooMuch, tooMuchUsed           string // amount, limit, period[, given]
	notYours, notAGesture          string
	yourLimit, moreThan, over      string
	periods                        map[Period]string
	days                           [7]string // from Sunday
	months                         [12]string
	date                           string               // weekday, day, month
	facts                          map[string][2]string // to the agent ("their …"), to the customer ("your …")
	question, or                   string
}

// wordsOf gives the wording of a language; English stands in for one that is
// missing.
func wordsOf(language string) wording {
	if w, ok := wordings[language]; ok {
		return w
	}
	return wordings["en"]
}

var wordings = map[string]wording{
	"en": {
		ownPromise: "Name what we said and did not keep, say sorry once, and that you will take care of it.",
		ownAgain:   "Name what happened and that they had to write again, say sorry once, and that you will take care of it.",
		own:        "Name what happened in their own words, say sorry once, and that you will take care of it.",
		fix:        "Fix it now, or give the day and time on which you will have the answer.",
		offer:      "After the fix, offer: %s.", lead: "Ask your lead for: %s. %s", followUp: "Set a follow-up for %s and write whether it is done.",
		listen: "Nothing to do but listen: ask whether all is well, or say goodbye.", askTheir: "Ask for their %s. ",
		tooMuch: "%s is more than your limit of %s per %s.", tooMuchUsed: "%s would be more than your limit of %s per %s: %s was given already.",
		notYours: "%s is not yours to give.", notAGesture: "This is not a gesture that anybody may give.",
		yourLimit: "Your limit is %s per %s.", moreThan: "More than %s", over: "over %s",
		periods: map[Period]string{PeriodOrder: "order", PeriodQuarter: "quarter", PeriodYear: "year"},
		days:    [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
		months:  [12]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
		date:    "%s %d %s",
		facts: map[string][2]string{"email": {"email address", "email address"}, "order": {"order number", "order number"}, "zip": {"ZIP code", "ZIP code"},
			"phone": {"phone number", "phone number"}, "name": {"name", "name"}, "photo": {"photo", "photo"}},
		question: "Could you give me your %s, please?", or: " or ",
	},
	"de": {
		ownPromise: "Benennen Sie, was wir zugesagt und nicht gehalten haben, entschuldigen Sie sich einmal, und sagen Sie, dass Sie sich darum kümmern.",
		ownAgain:   "Benennen Sie, was passiert ist und dass erneut geschrieben werden musste, entschuldigen Sie sich einmal, und sagen Sie, dass Sie sich darum kümmern.",
		own:        "Benennen Sie mit den Worten des Kunden, was passiert ist, entschuldigen Sie sich einmal, und sagen Sie, dass Sie sich darum kümmern.",
		fix:        "Lösen Sie es jetzt, oder nennen Sie Tag und Uhrzeit, wann die Antwort da ist.",
		offer:      "Nach der Lösung anbieten: %s.", lead: "Fragen Sie Ihre Teamleitung nach: %s. %s", followUp: "Wiedervorlage für %s anlegen und schreiben, ob es erledigt ist.",
		listen: "Nichts weiter zu tun als zuzuhören: Fragen Sie, ob alles in Ordnung ist, oder verabschieden Sie sich.", askTheir: "Zu erfragen: %s. ",
		tooMuch: "%s ist mehr als Ihr Rahmen von %s pro %s.", tooMuchUsed: "%s wäre mehr als Ihr Rahmen von %s pro %s: %s wurde schon gegeben.",
		notYours: "%s dürfen Sie nicht selbst gewähren.", notAGesture: "Das darf niemand als Geste gewähren.",
		yourLimit: "Ihr Rahmen ist %s pro %s.", moreThan: "Mehr als %s", over: "über %s",
		periods: map[Period]string{PeriodOrder: "Bestellung", PeriodQuarter: "Quartal", PeriodYear: "Jahr"},
		days:    [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
		months:  [12]string{"Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November", "Dezember"},
		date:    "%s, %d. %s",
		facts: map[string][2]string{"email": {"E-Mail-Adresse", "Ihre E-Mail-Adresse"}, "order": {"Bestellnummer", "Ihre Bestellnummer"}, "zip": {"Postleitzahl", "Ihre Postleitzahl"},
			"phone": {"Telefonnummer", "Ihre Telefonnummer"}, "name": {"Name", "Ihren Namen"}, "photo": {"Foto", "ein Foto"}},
		question: "Könnten Sie mir bitte %s schicken?", or: " oder ",
	},
	"fr": {
		ownPromise: "Nommez ce que nous avions promis et n'avons pas tenu, excusez-vous une fois, et dites que vous vous en occupez.",
		ownAgain:   "Nommez ce qui s'est passé et le fait qu'il a fallu réécrire, excusez-vous une fois, et dites que vous vous en occupez.",
		own:        "Nommez avec les mots du client ce qui s'est passé, excusez-vous une fois, et dites que vous vous en occupez.",
		fix:        "Réglez-le maintenant, ou donnez le jour et l'heure de la réponse.",
		offer:      "Une fois le problème réglé, proposez : %s.", lead: "Demandez à votre responsable : %s. %s", followUp: "Planifiez un suivi pour le %s et écrivez si c'est fait.",
		listen: "Rien d'autre à faire qu'écouter : demandez si tout va bien, ou dites au revoir.", askTheir: "À demander : %s. ",
		tooMuch: "%s dépasse votre limite de %s par %s.", tooMuchUsed: "%s dépasserait votre limite de %s par %s : %s a déjà été accordé.",
		notYours: "%s : ce n'est pas à vous de l'accorder.", notAGesture: "Personne ne peut accorder ce geste.",
		yourLimit: "Votre limite est de %s par %s.", moreThan: "Plus de %s", over: "plus de %s",
		periods: map[Period]string{PeriodOrder: "commande", PeriodQuarter: "trimestre", PeriodYear: "an"},
		days:    [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
		months:  [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
		date:    "%s %d %s",
		facts: map[string][2]string{"email": {"adresse e-mail", "votre adresse e-mail"}, "order": {"numéro de commande", "votre numéro de commande"}, "zip": {"code postal", "votre code postal"},
			"phone": {"numéro de téléphone", "votre numéro de téléphone"}, "name": {"nom", "votre nom"}, "photo": {"photo", "une photo"}},
		question: "Pourriez-vous me donner %s, s'il vous plaît ?", or: " ou ",
	},
	"es": {
		ownPromise: "Nombre lo que prometimos y no cumplimos, discúlpese una vez y diga que se ocupa de ello.",
		ownAgain:   "Nombre lo que pasó y que tuvo que volver a escribir, discúlpese una vez y diga que se ocupa de ello.",
		own:        "Nombre con las palabras del cliente lo que pasó, discúlpese una vez y diga que se ocupa de ello.",
		fix:        "Resuélvalo ahora, o dé el día y la hora en que tendrá la respuesta.",
		offer:      "Después de resolverlo, ofrezca: %s.", lead: "Pida a su responsable: %s. %s", followUp: "Programe un seguimiento para el %s y escriba si está hecho.",
		listen: "Nada más que escuchar: pregunte si todo está bien, o despídase.", askTheir: "Pida: %s. ",
		tooMuch: "%s es más que su límite de %s por %s.", tooMuchUsed: "%s superaría su límite de %s por %s: ya se dio %s.",
		notYours: "%s: no le corresponde concederlo.", notAGesture: "Nadie puede conceder este gesto.",
		yourLimit: "Su límite es %s por %s.", moreThan: "Más de %s", over: "más de %s",
		periods: map[Period]string{PeriodOrder: "pedido", PeriodQuarter: "trimestre", PeriodYear: "año"},
		days:    [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
		months:  [12]string{"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"},
		date:    "%s %d de %s",
		facts: map[string][2]string{"email": {"correo electrónico", "su correo electrónico"}, "order": {"número de pedido", "su número de pedido"}, "zip": {"código postal", "su código postal"},
			"phone": {"número de teléfono", "su número de teléfono"}, "name": {"nombre", "su nombre"}, "photo": {"foto", "una foto"}},
		question: "¿Podría darme %s, por favor?", or: " o ",
	},
	"pt": {
		ownPromise: "Diga o que prometemos e não cumprimos, peça desculpa uma vez e diga que vai cuidar disso.",
		ownAgain:   "Diga o que aconteceu e que foi preciso escrever de novo, peça desculpa uma vez e diga que vai cuidar disso.",
		own:        "Diga com as palavras do cliente o que aconteceu, peça desculpa uma vez e diga que vai cuidar disso.",
		fix:        "Resolva agora, ou diga o dia e a hora em que terá a resposta.",
		offer:      "Depois de resolver, ofereça: %s.", lead: "Peça ao seu responsável: %s. %s", followUp: "Marque um acompanhamento para %s e escreva se está resolvido.",
		listen: "Nada a fazer senão ouvir: pergunte se está tudo bem, ou despeça-se.", askTheir: "Peça: %s. ",
		tooMuch: "%s é mais do que o seu limite de %s por %s.", tooMuchUsed: "%s passaria o seu limite de %s por %s: já foi dado %s.",
		notYours: "%s: não cabe a você conceder.", notAGesture: "Ninguém pode conceder este gesto.",
		yourLimit: "O seu limite é %s por %s.", moreThan: "Mais de %s", over: "mais de %s",
		periods: map[Period]string{PeriodOrder: "pedido", PeriodQuarter: "trimestre", PeriodYear: "ano"},
		days:    [7]string{"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"},
		months:  [12]string{"janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro", "novembro", "dezembro"},
		date:    "%s, %d de %s",
		facts: map[string][2]string{"email": {"e-mail", "o seu e-mail"}, "order": {"número do pedido", "o número do seu pedido"}, "zip": {"código postal", "o seu código postal"},
			"phone": {"número de telefone", "o seu número de telefone"}, "name": {"nome", "o seu nome"}, "photo": {"foto", "uma foto"}},
		question: "Poderia me dar %s, por favor?", or: " ou ",
	},
}

func (w wording) day(t time.Time) string {
	return fmt.Sprintf(w.date, w.days[t.Weekday()], t.Day(), w.months[t.Month()-1])
}

// fact is something a step may need of the customer.
type fact struct {
	id    string
	asked *regexp.Regexp // how pages name it
	given *regexp.Regexp // how it looks when a customer has given it; nil: it cannot be seen, and is never taken for missing
}

var facts = []fact{
	{"email", regexp.MustCompile(`(?i)\be-?mail\b|\bmail-?adresse\b|adresse (?:e-?mail|électronique)|correo electrónico|courriel`), regexp.MustCompile(`\S@\S`)},
	{"order", regexp.MustCompile(`(?i)\border (?:number|id)\b|\b(?:bestell|auftrags)nummer\b|numéro de (?:la )?commande|número (?:de|del|do) pedido`), regexp.MustCompile(`(?i)\b[a-z]{0,4}[-#]?\d{4,}\b`)},
	{"zip", regexp.MustCompile(`(?i)\b(?:zip|postal|post) ?code\b|\bpostleitzahl\b|\bPLZ\b|code postal|código postal|\bCEP\b`), regexp.MustCompile(`\b\d{5}\b|\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b|\b\d{4}-\d{3}\b`)},
	{"phone", regexp.MustCompile(`(?i)\bphone number\b|\b(?:telefon|handy)nummer\b|numéro de (?:téléphone|portable)|número de (?:teléfono|telefone|celular)`), regexp.MustCompile(`\+?\d[\d ()-]{7,}\d`)},
	{"name", regexp.MustCompile(`(?i)\b(?:full |last )?names?\b|\bnamen?\b|\bnom\b|\bnombre\b|\bnome\b`), nil},
	{"photo", regexp.MustCompile(`(?i)\b(?:photo|picture|foto|fotografía|fotografia)s?\b`), nil},
}

// needed are the words with which a page says that the customer must be asked.
var needed = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:ask|get|collect|need|request|fragen|erfragen|bitten|benötigen|brauchen|demande[rz]|demandez|besoin|pida|pedir|solicit\w+|necesit\w+|peça|pergunt\w+|precis\w+)(?:[^\pL]|$)`)

func factsOf(text string) (found []fact) {
	if !needed.MatchString(text) {
		return nil
	}
	for _, f := range facts {
		if f.asked.MatchString(text) {
			found = append(found, f)
		}
	}
	return found
}

// QuestionIn is Question in the customer's language. English takes the step's
// own words; in other languages only what is known by name can be asked for.
func QuestionIn(s assist.NextStep, language string) string {
	if language == "" || language == "en" {
		return Question(s)
	}
	w, ok := wordings[language]
	if !ok || s.Kind != assist.StepAsk {
		return ""
	}
	clause := s.Text
	if i := strings.IndexAny(clause, ".;"); i > 0 {
		clause = clause[:i]
	}
	if strings.HasPrefix(s.Text, strings.SplitN(w.askTheir, "%s", 2)[0]) {
		clause = s.Policy.Quote
	}
	var things []string
	for _, f := range facts {
		if f.asked.MatchString(clause) {
			things = append(things, w.facts[f.id][1])
		}
	}
	if len(things) == 0 || len(things) > 3 {
		return ""
	}
	return fmt.Sprintf(w.question, strings.Join(things, w.or))
}
