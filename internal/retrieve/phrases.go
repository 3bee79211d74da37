package retrieve

import (
	"strings"
	"unicode"
)

// phrases says what a courtesy does, by its words in en, de, fr and es (and a
// little pt). A word that can also be part of a question is not here.
var phrases = func() map[string]speech {
	m := map[string]speech{}
	for _, list := range []struct {
		kind  speech
		words string
	}{
		{greets, "hi hello hey hiya heya howdy ho hallo moin servus guten tag morgen abend grüß grüezi bonjour bonsoir salut coucou hola buenos buenas días dias tardes noches olá oi morning afternoon evening greetings anybody anyone jemand quelqu'un alguien"},
		{thanks, "thanks thank thx tks ty tysm cheers danke dank dankeschön vielen merci gracias obrigado obrigada appreciate appreciated awesome perfect excellent wonderful amazing prima super toll perfekt parfait génial perfecto genial perfeito"},
		{leaves, "bye goodbye cya later tschüss tschüs tschau ciao wiedersehen adieu revoir adiós adios tchau"},
		{agrees, "ok okay okey okie k kk alright right understood gotcha cool fine great good nice verstanden gut klar einverstanden alles d'accord daccord entendu bien vale entendido bueno acuerdo certo"},
		{waits, "moment sec second seconds minute augenblick sekunde instant momento segundo minuto"},
		{answers, "yes yeah yep yup ya yea ye no nope nah sure correct indeed exactly absolutely definitely certainly ja nein doch genau richtig stimmt " +
			"oui non exact exactement sí si correcto exacto claro sim não"},
	} {
		for w := range strings.FieldsSeq(list.words) {
			m[w] = list.kind
		}
	}
	return m
}()

// fillers carry no need of their own in any of the languages.
var fillers = wordSet(`a about all also am an and any are as at back be been but by can't did didn't do does doesn't don't for from have haven't
	hold i i'd i'll i'm i've if in is isn't it it's just let lot me much my myself never not now of oh on one or please pls really so some sir ma'am
	still that that's the their them then there they this to too up very was we well what will with won't would you you're your yourself um uh hmm hm lol haha
	give all's everything nothing else more only help helped helping helpful day have wait know think guess want
	ich bin ist das der die ein eine einen es ihnen ihr dir mir so und schön schönen sehr noch nicht habe für wunderbar bitte war kurz
	je suis c'est est le la les un une et pas très beaucoup vous votre de pour s'il plaît bonne journée tout non plus attendez
	yo es el los una y muy mucho muchas mucha todo eso de por favor su espere un no ya lo al usted está nada más mas e muito tudo
	o os da do em`)

// identityWords name what identifies a customer or an order.
var identityWords = wordSet(`name names username user email mail e-mail id ids phone number address account order zip zipcode postcode code pin
	kundennummer bestellnummer nummer adresse konto telefonnummer heiße heisse
	nom numéro commande adresse compte téléphone appelle
	nombre número numero pedido dirección cuenta teléfono telefono llamo correo
	last first full`)

// boilerplate are words that agents use around what they say.
var boilerplate = wordSet(`how can may i help helping assist assisting assistance you your today with welcome contact contacting contacted reaching
	reach calling service support customer happy glad sorry inconvenience apologize apologies apologise moment check checking look looking
	let see will be right back while patience patient anything something further other issue issues here for us team my name is
	could hear great wonderful pleasure problem worries course sure do try best understand frustrating frustration
	kann ihnen helfen weiterhelfen gerne tun willkommen geduld hilfe entschuldigung leid
	comment puis-je puis aider bienvenue patienter désolé désolée plaisir
	puedo ayudar ayudarle ayudarte bienvenido siento paciencia cómo como en qué gusto`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// identityAsked reports whether the agent asked who the customer is or which
// order it is about.
func identityAsked(asked string) bool {
	lower := strings.ToLower(asked)
	for _, w := range []string{"your name", "full name", "last name", "first name", "account id", "order id", "order number", "user name", "username",
		"email", "e-mail", "phone number", "zip code", "your address", "shipping address", "membership", "member level", "pin number", "security question",
		"date of birth", "ihr name", "ihren namen", "bestellnummer", "kundennummer", "adresse", "geburtsdatum",
		"votre nom", "numéro de", "su nombre", "nombre completo", "número de", "correo"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// anythingElse reports whether the agent asked if there is more to do.
func anythingElse(asked string) bool {
	lower := strings.ToLower(asked)
	for _, w := range []string{"anything else", "something else", "any other question", "anything more", "else i can", "further assistance",
		"sonst noch", "noch etwas", "noch weitere", "weitere fragen", "autre chose", "d'autres questions", "algo más", "alguna otra", "mais alguma"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// turnsAway reports whether somebody says that they turn to another topic.
func turnsAway(text string) bool {
	lower := strings.ReplaceAll(strings.ToLower(text), "’", "'")
	for _, w := range []string{"different thing", "different question", "different topic", "another question", "another thing", "another topic", "another issue",
		"other question", "other thing", "something else", "unrelated", "new question", "new topic", "on another note", "on a different note", "change of topic", "separate question", "separately",
		"andere frage", "anderen frage", "anderes thema", "was anderes", "etwas anderes", "neue frage", "andere sache",
		"autre question", "autre chose", "autre sujet", "rien à voir", "nouvelle question",
		"otra pregunta", "otra cosa", "otro tema", "cambiando de tema", "nueva pregunta",
		"outra pergunta", "outra coisa", "outro assunto", "mudando de assunto"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}

// pointsBack reports whether a turn leans on what was said before: then the topic
// goes on.
func pointsBack(text string) bool {
	for w := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' }) {
		if backward[w] {
			return true
		}
	}
	return false
}

var backward = wordSet(`it its it's this that that's these those they them same one ones there
	es sie ihn ihm das dies diese diesen dieser dieses dasselbe dafür damit davon
	ça cela ce cette ces celui celle celui-ci le même la même y en
	lo eso esa ese esto esta este esos esas mismo misma ello
	isso isto esse essa este esta mesmo mesma ele ela`)

var introductions = []string{"my name is ", "my name's ", "name is ", "this is ", "ich heiße ", "ich heisse ", "mein name ist ",
	"je m'appelle ", "mon nom est ", "me llamo ", "mi nombre es "}

// introduces reports whether somebody says their name, and it alone.
func introduces(text string) bool {
	lower := strings.ToLower(text)
	for _, w := range introductions {
		if _, name, ok := strings.Cut(lower, w); ok && name != "" {
			return true
		}
	}
	return false
}

// problem reports whether a short answer tells of trouble all the same.
func problem(text string) bool {
	lower := strings.ToLower(text)
	for _, w := range []string{"don't know", "dont know", "don't have", "dont have", "forgot", "can't", "cannot", "lost", "wrong", "why", "instead",
		"weiß nicht", "vergessen", "falsch", "warum", "oublié", "pourquoi", "je n'ai pas", "olvid", "no tengo", "no sé", "por qué"} {
		if strings.Contains(lower, w) {
			return true
		}
	}
	return false
}
