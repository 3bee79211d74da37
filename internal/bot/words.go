package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/aside-project/aside/internal/lex"
)

// phrases are the bot's own words in one language. They claim nothing that could
// be untrue: no times, no promises but that a person follows.
type phrases struct {
	greet, greetName string // the second has the bot's name
	thanks, bye, ok  string
	isBot            string
	asked            string // a person was asked for
	cannot           string // no answer of its own
	account          string // somebody must look it up
	upset            string
	busy             string // a limit, a fault, or the bot is off
	next             string // what happens now
	away, awayUntil  string // what happens when people are away; the second has the time
	days             [7]string
}

var phrasebook = map[string]phrases{
	"en": {
		greet: "Hello! I'm an automated assistant. Ask me anything, or say that you would like to talk to a person.", greetName: "Hello! I'm %s, an automated assistant. Ask me anything, or say that you would like to talk to a person.",
		thanks: "You're welcome!", bye: "Goodbye!", ok: "All right. Just write if there is anything else.",
		isBot:   "I'm an automated assistant, not a person. I answer simple questions from our public pages, and you can talk to a person at any time: just say so.",
		asked:   "Of course. I'm passing you to a person.",
		cannot:  "I can't answer that reliably, so I'm passing you to a person.",
		account: "Somebody has to look that up for you, so I'm passing you to a person.",
		upset:   "I'm sorry about this. I'm passing you to a person who can look into it.",
		busy:    "I'm passing you to a person.",
		next:    "They can see everything written here, so you don't have to repeat it.",
		away:    "Our team is away at the moment. Leave your message here and a person will answer it when they are back.", awayUntil: "Our team is away until %s. Leave your message here and a person will answer it then.",
		days: [7]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	},
	"de": {
		greet: "Hallo! Ich bin ein automatischer Assistent. Fragen Sie mich etwas, oder sagen Sie, dass Sie mit einem Menschen sprechen möchten.", greetName: "Hallo! Ich bin %s, ein automatischer Assistent. Fragen Sie mich etwas, oder sagen Sie, dass Sie mit einem Menschen sprechen möchten.",
		thanks: "Gern geschehen!", bye: "Auf Wiedersehen!", ok: "In Ordnung. Schreiben Sie einfach, wenn noch etwas ist.",
		isBot:   "Ich bin ein automatischer Assistent, kein Mensch. Ich beantworte einfache Fragen aus unseren öffentlichen Seiten. Mit einem Menschen können Sie jederzeit sprechen: Sagen Sie es einfach.",
		asked:   "Natürlich. Ich gebe Sie an einen Menschen weiter.",
		cannot:  "Das kann ich nicht verlässlich beantworten. Ich gebe Sie an einen Menschen weiter.",
		account: "Das muss jemand für Sie nachsehen. Ich gebe Sie an einen Menschen weiter.",
		upset:   "Das tut mir leid. Ich gebe Sie an einen Menschen weiter, der sich das ansehen kann.",
		busy:    "Ich gebe Sie an einen Menschen weiter.",
		next:    "Alles, was hier steht, ist dort zu sehen; Sie müssen nichts wiederholen.",
		away:    "Unser Team ist gerade nicht da. Hinterlassen Sie hier Ihre Nachricht; ein Mensch antwortet, sobald wieder jemand da ist.", awayUntil: "Unser Team ist bis %s nicht da. Hinterlassen Sie hier Ihre Nachricht; dann antwortet Ihnen ein Mensch.",
		days: [7]string{"Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"},
	},
	"fr": {
		greet: "Bonjour ! Je suis un assistant automatique. Posez-moi votre question, ou dites que vous souhaitez parler à une personne.", greetName: "Bonjour ! Je suis %s, un assistant automatique. Posez-moi votre question, ou dites que vous souhaitez parler à une personne.",
		thanks: "Avec plaisir !", bye: "Au revoir !", ok: "Très bien. Écrivez-moi s'il y a autre chose.",
		isBot:   "Je suis un assistant automatique, pas une personne. Je réponds aux questions simples à partir de nos pages publiques, et vous pouvez parler à une personne à tout moment : dites-le simplement.",
		asked:   "Bien sûr. Je vous passe une personne.",
		cannot:  "Je ne peux pas y répondre avec certitude. Je vous passe une personne.",
		account: "Quelqu'un doit le vérifier pour vous. Je vous passe une personne.",
		upset:   "Je suis désolé. Je vous passe une personne qui pourra s'en occuper.",
		busy:    "Je vous passe une personne.",
		next:    "Elle voit tout ce qui est écrit ici ; vous n'avez rien à répéter.",
		away:    "Notre équipe est absente en ce moment. Laissez votre message ici ; une personne y répondra à son retour.", awayUntil: "Notre équipe est absente jusqu'à %s. Laissez votre message ici ; une personne y répondra alors.",
		days: [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"},
	},
	"es": {
		greet: "¡Hola! Soy un asistente automático. Pregúnteme lo que quiera, o diga que prefiere hablar con una persona.", greetName: "¡Hola! Soy %s, un asistente automático. Pregúnteme lo que quiera, o diga que prefiere hablar con una persona.",
		thanks: "¡De nada!", bye: "¡Hasta luego!", ok: "De acuerdo. Escriba si necesita algo más.",
		isBot:   "Soy un asistente automático, no una persona. Respondo preguntas sencillas con nuestras páginas públicas, y puede hablar con una persona en cualquier momento: solo dígalo.",
		asked:   "Por supuesto. Le paso con una persona.",
		cannot:  "No puedo responder eso con seguridad. Le paso con una persona.",
		account: "Alguien tiene que consultarlo por usted. Le paso con una persona.",
		upset:   "Lo siento mucho. Le paso con una persona que pueda ocuparse.",
		busy:    "Le paso con una persona.",
		next:    "Puede ver todo lo escrito aquí, así que no tiene que repetirlo.",
		away:    "Nuestro equipo no está en este momento. Deje aquí su mensaje y una persona le responderá cuando vuelva.", awayUntil: "Nuestro equipo no está hasta el %s. Deje aquí su mensaje y una persona le responderá entonces.",
		days: [7]string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
	},
	"pt": {
		greet: "Olá! Sou um assistente automático. Pergunte o que quiser, ou diga que prefere falar com uma pessoa.", greetName: "Olá! Sou %s, um assistente automático. Pergunte o que quiser, ou diga que prefere falar com uma pessoa.",
		thanks: "De nada!", bye: "Até logo!", ok: "Está bem. Escreva se precisar de mais alguma coisa.",
		isBot:   "Sou um assistente automático, não uma pessoa. Respondo a perguntas simples com as nossas páginas públicas, e pode falar com uma pessoa a qualquer momento: basta dizer.",
		asked:   "Claro. Vou passar a conversa a uma pessoa.",
		cannot:  "Não consigo responder a isso com segurança. Vou passar a conversa a uma pessoa.",
		account: "Alguém tem de verificar isso por si. Vou passar a conversa a uma pessoa.",
		upset:   "Lamento muito. Vou passar a conversa a uma pessoa que possa tratar disso.",
		busy:    "Vou passar a conversa a uma pessoa.",
		next:    "Ela vê tudo o que foi escrito aqui; não precisa de repetir.",
		away:    "A nossa equipa não está neste momento. Deixe aqui a sua mensagem e uma pessoa responderá quando voltar.", awayUntil: "A nossa equipa não está até %s. Deixe aqui a sua mensagem e uma pessoa responderá nessa altura.",
		days: [7]string{"domingo", "segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado"},
	},
	"it": {
		greet: "Buongiorno! Sono un assistente automatico. Mi faccia una domanda, oppure dica che preferisce parlare con una persona.", greetName: "Buongiorno! Sono %s, un assistente automatico. Mi faccia una domanda, oppure dica che preferisce parlare con una persona.",
		thanks: "Prego!", bye: "Arrivederci!", ok: "Va bene. Scriva pure se serve altro.",
		isBot:   "Sono un assistente automatico, non una persona. Rispondo a domande semplici dalle nostre pagine pubbliche, e può parlare con una persona in qualsiasi momento: basta dirlo.",
		asked:   "Certo. La passo a una persona.",
		cannot:  "Non posso rispondere con certezza. La passo a una persona.",
		account: "Qualcuno deve verificarlo per Lei. La passo a una persona.",
		upset:   "Mi dispiace. La passo a una persona che può occuparsene.",
		busy:    "La passo a una persona.",
		next:    "Può vedere tutto ciò che è scritto qui: non deve ripetere nulla.",
		away:    "Il nostro team al momento non c'è. Lasci qui il Suo messaggio e una persona risponderà al ritorno.", awayUntil: "Il nostro team non c'è fino a %s. Lasci qui il Suo messaggio e una persona risponderà allora.",
		days: [7]string{"domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"},
	},
	"nl": {
		greet: "Hallo! Ik ben een automatische assistent. Stel gerust uw vraag, of zeg dat u een mens wilt spreken.", greetName: "Hallo! Ik ben %s, een automatische assistent. Stel gerust uw vraag, of zeg dat u een mens wilt spreken.",
		thanks: "Graag gedaan!", bye: "Tot ziens!", ok: "Prima. Schrijf gerust als er nog iets is.",
		isBot:   "Ik ben een automatische assistent, geen mens. Ik beantwoord eenvoudige vragen uit onze openbare pagina's, en u kunt altijd een mens spreken: zeg het gewoon.",
		asked:   "Natuurlijk. Ik geef u door aan een medewerker.",
		cannot:  "Dat kan ik niet met zekerheid beantwoorden. Ik geef u door aan een medewerker.",
		account: "Iemand moet dat voor u nakijken. Ik geef u door aan een medewerker.",
		upset:   "Het spijt me. Ik geef u door aan een medewerker die ernaar kan kijken.",
		busy:    "Ik geef u door aan een medewerker.",
		next:    "Die ziet alles wat hier staat; u hoeft niets te herhalen.",
		away:    "Ons team is er op dit moment niet. Laat hier uw bericht achter; een medewerker antwoordt zodra er weer iemand is.", awayUntil: "Ons team is er niet tot %s. Laat hier uw bericht achter; dan antwoordt een medewerker u.",
		days: [7]string{"zondag", "maandag", "dinsdag", "woensdag", "donderdag", "vrijdag", "zaterdag"},
	},
}

// spoken are the languages of the phrasebook, the first for everybody else.
var spoken = []string{"en", "de", "fr", "es", "pt", "it", "nl"}

// italian and dutch are words that tell these two from the languages that lex
// knows.
var (
	italian = wordSet("ciao buongiorno buonasera grazie vorrei voglio posso parlare con una persona qualcuno operatore il mio ordine dove come quando non sono perché perche è e reso rimborso spedizione pacco aiuto aspettare che di della per favore prego quanto quanti giorni ho mi umano vero scusi essere")
	dutch   = wordSet("hallo hoi goedemorgen goedemiddag goedendag dank bedankt dankjewel wil ik graag met iemand spreken praten mens medewerker waar is mijn bestelling hoe lang wanneer niet een het de en van voor kan kunt u je jullie retourneren terugsturen levering pakket hulp alstublieft alsjeblieft nog geen echt persoon doorverbinden")
)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// languageOf guesses the language of a customer's text among those the bot
// speaks.
func (s Settings) languageOf(text string) string {
	allowed := s.Languages
	if len(allowed) == 0 {
		allowed = spoken
	}
	guess := guessLanguage(text)
	if slices.Contains(allowed, guess) {
		return guess
	}
	return allowed[0]
}

func guessLanguage(text string) string {
	guess := lex.Language(text)
	total, it, nl := 0, 0, 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		total++
		if italian[w] {
			it++
		}
		if dutch[w] {
			nl++
		}
	}
	switch best := max(it, nl); {
	case best*2 < total || total == 0:
		return guess
	case it > nl && it > lexScore(text, guess):
		return "it"
	case nl > it && nl > lexScore(text, guess):
		return "nl"
	}
	return guess
}

// lexScore counts the words of a text that are small words of a language.
func lexScore(text, language string) int {
	n := 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if len(lex.Terms(w, language)) == 0 {
			n++
		}
	}
	return n
}

// goodbye is what the customer hears at a hand-over: that it happens, and what
// happens next.
func (p phrases) goodbye(why string, open bool, opensAt time.Time, away string) string {
	switch {
	case open:
		return why + " " + p.next
	case away != "":
		return away
	case opensAt.IsZero():
		return p.away
	}
	return fmt.Sprintf(p.awayUntil, p.days[opensAt.Weekday()]+" "+opensAt.Format("2006-01-02 15:04 MST"))
}
