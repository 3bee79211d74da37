package retrieve

import (
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/lex"
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

// sayings are courtesies of several words, each of which may mean something else
// alone: "that worked", "thanks for the quick reply". Thanks for something that
// went wrong are none.
var sayings = []struct {
	kind speech
	said *lex.Pattern
}{
	{done, saying(
		`(that|this|it)('s| is| was|'ll be| will be| would be|'d be)( about| pretty much)? (all|everything|it)( (i|we) (need\w*|want\w*|have|had|was (looking|asking) for|wanted to know))?( (for )?(now|today|then))?`,
		`(that|it|this) (has |did |just |now |all |actually |seems to have )*(worked|helped|helps|fixed it|solved it|did it|does it|did the trick|answers? (it|that|my questions?)|answered (it|that|my questions?))( (now|perfectly|fine|great|again))?`,
		`(it|everything|that)('s| is) (now )?(working|fixed|solved|sorted|resolved)( (now|again|fine|perfectly))*`,
		`(it|everything) (now )?works( (now|again|fine|perfectly))*|(that|this) works (now|again|perfectly)|problem (is )?solved`,
		`(i'm|i am|we're) all (set|good|sorted)|all (set|sorted)|(no|don't have any) (more|other|further) questions?|nothing else( for now| today)?`,
		`never ?mind|das (war|wäre|ist) (schon )?(alles|es)|das war's( schon)?|mehr (brauche|wollte) ich nicht`,
		`(das|es|jetzt) (hat )?(jetzt )?(geklappt|geholfen|funktioniert|klappt|geht)( jetzt| wieder)?|keine weiteren fragen|hat sich erledigt`,
		`c'est (bon|tout|réglé|parfait)( pour (moi|l'instant|aujourd'hui))?|ce sera tout|ça (a )?(marche|marché|fonctionne|fonctionné)( maintenant)?`,
		`plus de questions?|pas d'autres? questions?|eso (es|sería|era) todo( por (ahora|hoy))?|nada más`,
		`(ya )?(funciona|funcionó|está resuelto|quedó resuelto)( ya)?|no tengo más preguntas|é (só|tudo)( isso)?( por (agora|hoje))?|(era )?só isso`,
		`(já )?(funcionou|está resolvido|deu certo)|não tenho mais (dúvidas|perguntas)`,
	)},
	{thanks, saying(
		`(thanks|thank (you|u)|thx|ty|cheers)( so much| very much| a lot| again)? (for|about) ((all|the|your|that|this|of|quick|fast|great|kind|prompt|amazing|wonderful|good|so|my|it|with|me|us|things|everything) ?)*(help\w* (me|us) (to |with )?(troubleshoot|figure|find|fix|sort|solve|understand|get)( \w+){1,3}|help\w*|info|information|time|assistance|support|answer\w*|clarif\w+|clear\w+( (it|that|this|things) up| up)?|updat\w+|patience|understanding|response|reply|replying|service|explanation|explain\w+|link|heads up|advice|tips?|checking|confirm\w+|looking into (it|this|that)|looking|sort\w+|fix\w+|letting me know|getting back( to me)?|everything|that|it|kindness|effort|work)( (that|this|it|me|us|out|up|with that|with this|for me|today))*`,
		`(you|you've|you have|u)( guys)?( were| are| been|'re)+ (a |so |very |such |really |of |most )*((great|big|huge|real|wonderful) )?(help|helpful|kind|awesome|amazing|the best)`,
		`(you've|you have) been (a |so |very |such |really |of |most )*((great|big|huge|real|wonderful) )?(help|helpful|kind|great|awesome|amazing)`,
		`good to know|(that's|that is|that was|it was) (so |very |really |super )?(helpful|good to know|great to (hear|know)|all i needed)`,
		`glad to hear (it|that)`,
		`danke (\p{L}+ )?für (die|ihre|deine|alles)( (schnelle|gute|nette|tolle))?( (hilfe|auskunft|antwort|info|information|mühe|geduld|unterstützung))?`,
		`gut zu wissen|das hilft( mir)?( (sehr|weiter))?|sie haben mir sehr geholfen`,
		`merci (beaucoup |bien )?(pour|de) (votre|l'|la|les|ton|tout)\s?(aide|info\p{L}*|réponse|temps|patience|votre aide)?|bon à savoir`,
		`ça m'aide( beaucoup)?|(muchas )?gracias por (la|su|tu|todo|el)( (ayuda|información|info|respuesta|atención|tiempo|paciencia))?|bueno saberlo`,
		`es bueno saberlo|(muito )?obrigad[oa] (pela|pelo|por)( (sua|seu|tudo))?( (ajuda|informação|resposta|atenção|tempo|paciência))?|bom saber`,
	)},
	{leaves, saying(
		`(have|enjoy) (a|an|your|the) ((very|really) )?((good|great|nice|wonderful|lovely|blessed|pleasant|awesome|fantastic|amazing|rest of (your|the)) )*(day|one|evening|night|weekend|week|time|afternoon|morning)( too| ahead| as well)?`,
		`(please )?(stay|be|keep) (safe|well|healthy)( and (stay |be )?(safe|well|healthy))?|take (good )?care|see you( (soon|later|around))?`,
		`(you|same to you)( too| as well)|good ?night|talk (to you )?(soon|later)|(einen )?schön\p{L}* (tag|abend|wochenende|feierabend)( noch)?`,
		`bis (bald|dann|später)|machen sie's gut|ebenso|gleichfalls|(bonne|belle) (journée|soirée|fin de journée|nuit)|bon week-end|à (bientôt|plus)`,
		`(que )?(tenga|pase|ten) (un )?(buen|lindo|feliz) (día|fin de semana)|hasta (luego|pronto|la vista|mañana)|cuídese|cuídate|igualmente`,
		`tenha um (bom|ótimo) (dia|fim de semana)|até (logo|mais|breve|já)|igualmente`,
	)},
	{waits, saying(
		`(i'll|i will|i'm going to|let me|going to|will) (just |now |go )*(try|check|look|see|test|restart)( (it|that|this))?( (out|now|again|first|and|then))*`,
		`(i'll|i will|will) (and )?let (you|u) know( (then|soon|if (it|that) works))?|(i'm |i am )?trying (it|that|this)( (now|again))*`,
		`(hold|hang) on|give me (a|one) (sec\w*|min\w*|moment)|brb|bear with me`,
		`(ich )?(probiere|versuche|teste|schaue) (ich )?(es|das)?( (mal|kurz|gleich|jetzt|aus|nach))*|(ich )?melde mich( (dann|gleich))?`,
		`(je vais|j') ?(essayer|essaie|vérifier|vérifie)( (ça|cela))?( maintenant)?|je vous tiens au courant`,
		`(voy a|lo) (probar|intentar|intento|pruebo|revisar|reviso)(lo)?( ahora)?|le aviso|vou (tentar|testar|verificar|ver)( (isso|agora))*|já volto`,
		`aviso (você|depois)`,
	)},
	{agrees, saying(
		`i (see|understand|get it)|got (it|you|that)|makes sense|sounds (good|great|fine|perfect|like a plan)|no (problem|worries|prob|rush|big deal)`,
		`not a problem|will do|fair enough`,
		`that('s| is) (fine|ok|okay|good|great|perfect|awesome|alright|cool|wonderful|correct|right)( (with|for|by) me)?|(that|it) works( for me)?`,
		`go ahead|take your time|of course|you're welcome|my pleasure|(ich )?versteh\p{L}*|alles klar|passt( so| für mich)?|geht klar|kein problem`,
		`einverstanden|je (vois|comprends)|pas de (souci|problème)|ça me va|très bien|ya veo|(lo )?entiendo|sin problema|no hay problema|está bien`,
		`entendi|tudo bem|sem problemas?|combinado|está bem`,
	)},
}

// saying is any of these expressions as words of their own.
func saying(ways ...string) *lex.Pattern {
	return lex.MustPattern(`(?i)(?:^|\P{L})(` + strings.Join(ways, "|") + `)(\P{L}|$)`)
}

// fillers carry no need of their own in any of the languages.
var fillers = wordSet(`a about all also am an and any are as at back be been but by can't did didn't do does doesn't don't for from have haven't
	hold i i'd i'll i'm i've if in is isn't it it's just let lot me much my myself never not now of oh on one or please pls really so some sir ma'am
	still that that's the their them then there they this to too up very was were we well what will with won't would you you're your yourself um uh hmm hm lol haha
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
