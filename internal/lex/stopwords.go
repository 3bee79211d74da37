package lex

import "strings"

// stopWords are words that say nothing about what a text is about. The lists are
// short on purpose: a rare word is never in them, and a common one that is
// missing costs little, for its idf is low.
var stopWords = map[string]map[string]bool{
	"en": set(`a about after again all also am an and any are aren't as at be because been before being both but by
		can can't cannot could couldn't did didn't do does doesn't doing don't down each else ever few for from further get
		gets getting got had hadn't has hasn't have haven't having he he's her here hers him his how how's i i'd i'll i'm
		i've if in into is isn't it it's its itself just let let's me more most my myself no nor not now of off on once only
		or other our ours out over own so some such than that that's the their theirs them then there there's these they
		they're they've this those through to too under until up upon us very was wasn't we we'd we'll we're we've were
		weren't what what's when where which while who whom whose why will with won't would wouldn't you you'd you'll you're
		you've your yours yourself im ive dont doesnt didnt cant wont isnt thats whats ill id youre u ur`),
	"de": set(`aber alle allem allen aller alles als also am an auch auf aus bei beim bin bis bist da damit dann das dass
		daß dein deine dem den denn der des dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine
		einem einen einer eines er es etwas euch euer für fuer ganz habe haben hat hatte hatten hier hin ich ihm ihn ihnen
		ihr ihre ihrem ihren ihrer im in ins ist jede jedem jeden jeder jedes kann kannst können koennen könnte man mein
		meine meinem meinen meiner mich mir mit muss müssen nach nicht noch nun nur ob oder ohne schon sehr sein seine
		seinem seinen seiner sich sie sind so soll sollte sondern über ueber um und uns unser unsere unter vom von vor war
		waren warum was weil welche welcher wenn wer werde werden wie wieder will wir wird wo wurde wurden zu zum zur`),
	"fr": set(`à a ai ainsi alors as au aucun aussi autre aux avec avez avoir avons c ce ceci cela ces cet cette chez ci
		comme comment d dans de depuis des donc dont du elle elles en encore es est et étaient était été être eu eux fait
		faut ici il ils j je jusqu l la le les leur leurs lors lui m ma mais me même mes moi mon n ne ni nos notre nous on
		ont ou où par parce pas peu peut peux plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans
		se ses si son sont sous suis sur t ta te tes toi ton tous tout toute toutes très tu un une vos votre vous y
		c'est j'ai n'est qu'il d'un d'une s'il`),
	"es": set(`a al algo alguna alguno algunos ante antes aquí así aun aunque cada como cómo con cual cuál cuando cuándo de
		del desde donde dónde dos e el él ella ellas ellos en entre era es esa esas ese eso esos esta está están estar este
		esto estos estoy fue ha hace han hasta hay he la las le les lo los más me mi mí mis muy nada ni no nos nosotros o
		os otra otro para pero por porque que qué quien quién se ser si sin sobre son soy su sus también tan te tengo ti
		tiene tienen todo todos tu tú un una uno unos usted ustedes y ya yo`),
	"pt": set(`a ao aos aquela aquele aqui as até com como da das de dela dele deles depois do dos e é ela elas ele eles em
		entre era essa esse esta está estão estar este estes estou eu foi foram há isso isto já lá lhe mais mas me mesmo meu
		meus minha minhas muito na não nao nas nem no nos nós o os ou para pela pelas pelo pelos pode por porque qual quando que
		quem se sem ser seu seus só sua suas são também te tem tenho ter teu tu tua um uma você vocês à às num numa`),
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}
