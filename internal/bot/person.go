package bot

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// asksForPerson reports whether a customer asks for a person, in any of the
// languages and with a slip of the finger. The button always works; this is for
// those who write. When in doubt it says yes: who is handed over by mistake talks
// to a person, who is not handed over is trapped.
func asksForPerson(text string) bool {
	low := fold(text)
	words := strings.FieldsFunc(low, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || len(words) > 400 || asksWhetherBot(text) {
		return false
	}
	if idioms.MatchString(low) {
		return true
	}
	plain := notAPerson.ReplaceAllString(low, " ")
	words = strings.FieldsFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	nouns := make([]kindOfPerson, len(words))
	some := false
	for i, w := range words {
		nouns[i] = personWord(w)
		some = some || nouns[i] != nobody
	}
	if !some || unwanted.MatchString(low) {
		return false
	}
	return bare(words, nouns) || spokenTo(words, nouns) || wanted(words, nouns)
}

// fold lowers a text, takes accents off and makes apostrophes plain.
func fold(text string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(strings.ReplaceAll(text, "’", "'"))) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

type kindOfPerson int

const (
	nobody  kindOfPerson = iota
	anybody              // somebody, people: asked for only together with a verb of talking
	somebody
)

var (
	people = wordSet(`agent agents human humans representative representatives rep operator advisor adviser manager supervisor csr teamlead
		mensch menschen mitarbeiter mitarbeiterin mitarbeitern berater beraterin sachbearbeiter ansprechpartner kundenberater vorgesetzten vorgesetzter
		humain humaine conseiller conseillere operateur operatrice responsable interlocuteur
		humano humana agente agentes asesor asesora operador operadora representante atendente encargado
		umano umana operatore consulente addetto responsabile
		medewerker medewerkers mens mensen adviseur`)
	peopleIfTalked = wordSet(`person people someone somebody anyone anybody staff employee colleague team service support helpdesk personne quelqu persona personas alguien
		pessoa alguem qualcuno persona iemand persoon jemand jemanden jemandem person personen kundendienst kundenservice support kollege kollegen
		conseil lead boss chef`)
	// bareToo may stand alone: "a person please", "jemanden!"
	bareToo = wordSet(`person people someone somebody personne quelqu persona alguien pessoa alguem qualcuno iemand persoon jemand jemanden jemandem helpdesk kundendienst kundenservice support staff service`)
	talking = wordSet(`talk talking speak speaking chat chatting connect connected transfer transferred escalate forward redirect through handover
		sprechen spreche reden rede verbinden verbinde verbunden weiterleiten durchstellen weitergeben chatten
		parler parle discuter passer passez transferer transferez joindre echanger
		hablar hablo comunicar comunicarme comuniqueme pasar paseme pasame transferir transfiera conectar charlar
		falar falo conversar passar transfira encaminhar
		parlare parlo passarmi passare passatemi trasferire trasferitemi
		spreken praten doorverbinden doorverbonden`)
	wanting = wordSet(`want need give get gimme wanna like prefer have find call bring
		will mochte moechte brauche geben gib holen hatte wunsche
		veux voudrais besoin souhaite donnez aimerais
		quiero necesito quisiera deme dame prefiero
		quero preciso gostaria queria prefiro
		voglio vorrei bisogno preferisco datemi mi serve
		wil graag geef heb nodig`)
	really   = wordSet(`real echt live actual living proper genuine echten echter echte richtigen vrai vraie veritable real verdadero verdadera reale vero vera verdadeira vivo carne`)
	softener = wordSet(`a an the please pls plz now just me to i with can could would your some not bot one more let hey hi hello ok okay yes no customer bitte einen eine ein ich mit dem der den jetzt und
		un une s il vous plait te svp le la un una por favor el con ya uma um com o per favore con una een alstublieft alsjeblieft met de asap immediately right thanks thank you`)

	idioms = regexp.MustCompile(`\b(escalate (this|it|me|my)|live (agent|chat|person|support|human)|speak (to|with) (a |the )?(manager|supervisor)|call me( back)?\b|(customer|client) (service|support|care)\W*$|` +
		`(no|not|stop|hate|don'?t want|do not want|sick of|tired of|enough of|useless|stupid|dumb) (\w+ ){0,4}(bots?|robots?|chatbots?|machines?|ai)|` +
		`(kein|keinen|keinem|nicht) (\w+ ){0,3}(bots?|roboter\w*|chatbots?|maschinen?|computer)|` +
		`(pas|plus|marre) (\w+ |d'|de ){0,4}(robots?|bots?|machines?)|(no|harto|nada) (\w+ ){0,4}(robots?|bots?|maquinas?)|(nao|chega) (\w+ ){0,4}(robos?|bots?|maquinas?)|` +
		`(non|basta) (\w+ ){0,4}(robot|bot|macchin\w+)|(geen|niet) (\w+ ){0,4}(robots?|bots?|machines?|computers?)|` +
		`etre humain|service client\W*$|atencion al cliente\W*$|servicio al cliente\W*$|servizio clienti\W*$|klantenservice\W*$|atendimento (humano|ao cliente)|ser humano|essere umano|menschlichen? \w+)`)
	// notAPerson are persons and agents that nobody can be handed to.
	notAPerson = regexp.MustCompile(`\b(travel|estate|insurance|booking|cleaning|shipping|delivery|user|letting|ticket) agents?\b|\b(in|per|each|other|another|third|delivery|first) person\b|\b(delivery|sales|support|service) (people|staff)\b|\bsomeone else'?s?\b|\bpor persona\b|\bper persona\b|\bpar personne\b|\bpro person\b|\bpor pessoa\b|\bper persoon\b|\ben personne\b|\ben persona\b|\bhuman (hair|resources|error|rights)\b|\bpersonne ne\b|\b(the|your) (support|service) (page|number|hours)\b`)
	unwanted   = regexp.MustCompile(`\b(don'?t|do not|no) (need|want) (to (talk|speak) (to|with) )?(a|an|any|to)? ?(person|human|agent|one|anyone|representative)\b|\bkeinen (menschen|mitarbeiter)\b.{0,10}(notig|brauche)|\bbrauche keinen (menschen|mitarbeiter)\b`)

	botAsked = regexp.MustCompile(`\b(are|r) (you|u) (a |an |the |really |actually |even )*(bot|robot|human|real|person|machine|ai|chatbot|automated|computer|alive)\b|\bis (this|that|it) (a |an |just )*(bot|robot|human|real person|machine|ai|chatbot|computer|automated)\W*(\?|or\b)|\bam i (talking|speaking|chatting|writing) (to|with) (a |an )*(bot|robot|human|person|real|machine|ai|chatbot|computer)\b|` +
		`\b(bist du|sind sie|ist das|spreche ich mit|rede ich mit) (ein|einem|eine|ein echter|wirklich ein)? ?(bot|roboter|mensch|menschen|echt|maschine|ki|computer)\b|` +
		`\b(etes-vous|es-tu|vous etes|tu es|c'est|est-ce) (un |une |vraiment un )?(robot|bot|humain|machine|vraie personne|ia)\b|` +
		`\b(eres|es usted|es esto|estoy hablando con) (un |una )?(robot|bot|human[oa]|persona real|maquina|ia)\b|` +
		`\b(voce e|tu es|es) (um |uma )?(robo|bot|human[oa]|maquina|pessoa real)\b|\b(sei|lei e|e) (un |una )(robot|bot|uman[oa]|macchina|persona vera)\b|` +
		`\b(ben je|bent u|is dit) (een )?(robot|bot|mens|echt|machine|computer)\b`)
)

// asksWhetherBot reports whether a customer asks who they are talking to.
func asksWhetherBot(text string) bool {
	return strings.Contains(text, "?") && botAsked.MatchString(fold(text))
}

func personWord(w string) kindOfPerson {
	switch {
	case people[w]:
		return somebody
	case peopleIfTalked[w]:
		return anybody
	}
	if len(w) < 5 {
		return nobody
	}
	for known := range people {
		if slip(w, known) {
			return somebody
		}
	}
	for _, known := range []string{"person", "people", "someone", "somebody", "jemanden", "personne", "persona", "alguien", "pessoa", "qualcuno", "iemand"} {
		if slip(w, known) {
			return anybody
		}
	}
	return nobody
}

// slip reports whether w is a word with a letter too few, too many, wrong or
// swapped; long words may have two.
func slip(w, word string) bool {
	if len(word) < 5 || w[0] != word[0] {
		return false
	}
	most := 1
	if len(word) >= 9 {
		most = 2
	}
	return distance(w, word, most) <= most
}

// distance counts insertions, deletions, changes and swaps of neighbours; more
// than most comes back as most+1.
func distance(a, b string, most int) int {
	if max(len(a), len(b))-min(len(a), len(b)) > most {
		return most + 1
	}
	var rows [3][]int
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
	}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, now := rows[(i-1)%3], rows[i%3], rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
	}
	return min(rows[(len(a)+1)%3][len(b)], most+1)
}

// bare is a message of hardly more than a person: "agent", "a real person please".
func bare(words []string, nouns []kindOfPerson) bool {
	named := false
	for i, w := range words {
		switch {
		case nouns[i] == somebody || bareToo[w] || nouns[i] == anybody && len(words) <= 2:
			named = true
		case !softener[w] && !really[w] && !wanting[w] && !talking[w]:
			return false
		}
	}
	return named && len(words) <= 10
}

// spokenTo is a verb of talking with a person near it, on either side.
func spokenTo(words []string, nouns []kindOfPerson) bool {
	for i, w := range words {
		if !talking[w] && !slices.ContainsFunc([]string{"speak", "talk", "transfer", "connect"}, func(v string) bool { return w[0] == v[0] && len(w) >= 4 && distance(w, v, 1) == 1 && !ordinary[w] }) {
			continue
		}
		for j := max(0, i-5); j < min(len(words), i+7); j++ {
			if nouns[j] != nobody {
				return true
			}
		}
	}
	return false
}

// ordinary words look like a slip of a verb of talking and are none.
var ordinary = wordSet("talks tall tale talc take tank task transfers connects speaks speck sneak")

// wanted is a person whom somebody wants or needs: right behind the verb, or
// called real.
func wanted(words []string, nouns []kindOfPerson) bool {
	for j := range words {
		if nouns[j] == nobody {
			continue
		}
		if j > 0 && really[words[j-1]] || j+1 < len(words) && (words[j+1] == "real" || words[j+1] == "vera" || words[j+1] == "vero" || words[j+1] == "reale") {
			return true
		}
		if nouns[j] != somebody {
			continue
		}
		for i := max(0, j-4); i < j; i++ {
			if wanting[words[i]] && !slices.ContainsFunc(words[i+1:j], func(w string) bool { return !softener[w] && !really[w] && !wanting[w] }) {
				return true
			}
		}
		if slices.ContainsFunc(words[:j], func(w string) bool { return wanting[w] }) && len(words) <= 6 {
			return true
		}
	}
	return false
}
