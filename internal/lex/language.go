package lex

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

// languageBytes is how much of a text Language looks at.
const languageBytes = 4000

// Language guesses the language of a text by its stop words and letters: one of
// en, de, fr, es, pt, or of the scripts' main languages zh, ja, ko, ru, ar, th,
// el, he. It answers "en" when nothing speaks for another, so that a name or an
// order number does not change the language of a conversation.
func Language(text string) string {
	if len(text) > languageBytes {
		text = text[:languageBytes]
	}
	var score [len(languages)]int // in sixtieths of a word
	other, latin := map[string]int{}, 0
	lower := strings.ToLower(text)
	for i := 0; i < len(lower); {
		s, ok := nextWord(lower, i)
		if !ok {
			break
		}
		i = s.End
		w := s.In(lower)
		if at := strings.IndexAny(w, "'’"); at > 0 && wordLanguages[w] == 0 {
			w = w[:at] // l'article, geht's
		}
		if in := wordLanguages[w]; in != 0 {
			share := 60 / bits.OnesCount8(in)
			for l := range score {
				if in&(1<<l) != 0 {
					score[l] += share
				}
			}
		}
		for _, r := range w {
			if r < utf8.RuneSelf {
				latin++
				continue
			}
			if in := letterLanguages[r]; in != 0 {
				for l := range score {
					if in&(1<<l) != 0 {
						score[l] += 40 / bits.OnesCount8(in)
					}
				}
			}
			for _, s := range scripts {
				if unicode.Is(s.table, r) {
					other[s.language]++
				}
			}
		}
	}
	best, most := "", 0
	for _, s := range scripts {
		if other[s.language] > most {
			best, most = s.language, other[s.language]
		}
	}
	if best == "zh" && other["ja"] > 0 {
		best = "ja"
	}
	if most > latin {
		return best
	}
	winner := 0 // en
	for l := range score {
		if score[l] > score[winner] && score[l] >= 40 {
			winner = l
		}
	}
	return languages[winner]
}

var languages = [...]string{"en", "de", "fr", "es", "pt"}

var scripts = []struct {
	language string
	table    *unicode.RangeTable
}{
	{"zh", unicode.Han}, {"ja", unicode.Hiragana}, {"ja", unicode.Katakana}, {"ko", unicode.Hangul},
	{"ru", unicode.Cyrillic}, {"ar", unicode.Arabic}, {"th", unicode.Thai}, {"el", unicode.Greek}, {"he", unicode.Hebrew},
}

// wordLanguages says in which languages a word is a sign: a bit per language.
var wordLanguages = func() map[string]uint8 {
	m := map[string]uint8{}
	for l, name := range languages {
		for w := range stopWords[name] {
			m[w] |= 1 << l
		}
		for w := range strings.FieldsSeq(signs[name]) {
			m[w] |= 1 << l
		}
	}
	return m
}()

// letterLanguages says which languages a letter is a sign of.
var letterLanguages = func() map[rune]uint8 {
	m := map[rune]uint8{}
	for l, letters := range []string{"", "äöüß", "àâçèêëîïùûœ", "ñ", "ãõçâê"} {
		for _, r := range letters {
			m[r] |= 1 << l
		}
	}
	return m
}()

// signs are words of a support chat that are not stop words but tell the
// language of a short message.
var signs = map[string]string{
	"en": "hi hello hey please thanks thank order refund return help need want yes my",
	"de": "hallo guten tag moin danke bitte bestellung rückgabe rueckgabe hilfe brauche möchte moechte ja nein grüße",
	"fr": "bonjour bonsoir salut merci s'il plaît plait commande remboursement retour aide besoin voudrais oui svp livraison",
	"es": "hola buenos buenas gracias favor pedido reembolso devolución devolucion ayuda necesito quiero sí puedo",
	"pt": "olá ola oi obrigado obrigada encomenda reembolso devolução devolucao ajuda preciso quero sim não nao posso",
}
