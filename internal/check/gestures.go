package check

import (
	"slices"

	"github.com/aside-project/aside/internal/lex"
)

// named is a way to name a gesture: most of these terms, in a language.
type named struct {
	language string
	terms    []string
}

// termsBy are a sentence's terms as each language cuts them.
type termsBy map[string]map[string]bool

func spokenTerms(sentence, language string) termsBy {
	t := termsBy{"en": termSet(sentence, "en")}
	if language != "" && language != "en" {
		t[language] = termSet(sentence, language)
	}
	return t
}

// name reports whether the sentence names the gesture so.
func (t termsBy) name(n named) bool { return mostOf(n.terms, t[n.language]) }

// names are the ways to name the gesture in English, and in one more language: by
// the title that the house gives it there, else by the words that shops use.
func (l Limit) names(language string) []named {
	out := []named{{"en", l.terms(l.Gesture, "en")}}
	if language == "" || language == "en" {
		return out
	}
	if title := l.Titles[language]; title != "" {
		return append(out, named{language, l.terms(title, language)})
	}
	for _, g := range gestureWords {
		if !mostOf(lex.Terms(g.english, "en"), termSet(l.Gesture, "en")) {
			continue
		}
		for _, words := range g.others[language] {
			out = append(out, named{language, distinct(lex.Terms(words, language))})
		}
		break
	}
	return out
}

// terms gives the words that a sentence must have most of to name the gesture.
func (l Limit) terms(title, language string) []string {
	words := distinct(lex.Terms(title, language))
	if l.Unit == Percent { // people write "15%"
		words = slices.DeleteFunc(words, func(w string) bool { return w == "percent" })
	}
	return words
}

// gestureWords are what shops call the gestures that most of them have, the more
// particular first. An amount in a gesture's unit must stand beside them.
var gestureWords = []struct {
	english string
	others  map[string][]string
}{
	{"store credit", map[string][]string{
		"de": {"Guthaben", "Gutschrift", "Gutschein"}, "fr": {"bon d'achat", "crédit boutique", "crédit magasin"},
		"es": {"crédito de la tienda", "saldo", "vale"}, "pt": {"crédito na loja", "vale", "saldo"}}},
	{"refund shipping", map[string][]string{
		"de": {"Versandkosten", "Versand erstatten", "Porto"}, "fr": {"frais de livraison", "frais de port", "frais d'expédition"},
		"es": {"gastos de envío", "reembolso envío"}, "pt": {"frete", "custos de envio", "portes"}}},
	{"shipping replacement", map[string][]string{
		"de": {"Ersatz Express", "Ersatz Expressversand", "Ersatz Nacht"}, "fr": {"remplacement express", "échange express"},
		"es": {"reemplazo urgente", "reemplazo exprés"}, "pt": {"substituição expressa", "substituição urgente"}}},
	{"keep item", map[string][]string{
		"de": {"Artikel behalten", "dürfen behalten"}, "fr": {"garder article", "conserver article"}, "es": {"quedarse artículo", "conservar artículo"}, "pt": {"ficar artigo", "manter artigo"}}},
	{"repair", map[string][]string{
		"de": {"Reparatur"}, "fr": {"réparation"}, "es": {"reparación"}, "pt": {"reparação", "conserto"}}},
	{"percent next order", map[string][]string{
		"de": {"Rabatt", "Nachlass"}, "fr": {"remise", "réduction"}, "es": {"descuento"}, "pt": {"desconto"}}},
	{"discount", map[string][]string{
		"de": {"Rabatt", "Nachlass"}, "fr": {"remise", "réduction"}, "es": {"descuento"}, "pt": {"desconto"}}},
}
