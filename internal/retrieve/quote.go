package retrieve

import (
	"strings"
	"unicode/utf8"
)

const (
	maxQuote     = 500 // bytes; a longer quote is not read
	maxSentences = 3
)

// quote gives the one to three neighbouring sentences of a text that answer
// best: those with most of the question's weight. It is a byte-exact piece of
// the text. A neighbour joins only if it brings something new.
func quote(p *page, idf map[string]float64) string {
	text := p.key.text
	spans, terms, lengths := p.cut()
	if len(spans) == 0 {
		return ""
	}
	best, most := 0, -1.0
	for i, s := range spans {
		sentence := s.In(text)
		score := told(terms[i], idf, nil)
		if lengths[i] < 3 || strings.HasSuffix(sentence, "?") || strings.HasSuffix(sentence, ":") {
			score /= 2 // a heading or a question is not the answer
		}
		if score > most {
			best, most = i, score
		}
	}
	covered := map[string]bool{}
	first := gain(terms[best], idf, covered)
	from, to := best, best
	for to-from+1 < maxSentences {
		before, after := 0.0, 0.0
		if from > 0 && spans[to].End-spans[from-1].Start <= maxQuote {
			before = told(terms[from-1], idf, covered)
		}
		if to+1 < len(spans) && spans[to+1].End-spans[from].Start <= maxQuote {
			after = told(terms[to+1], idf, covered)
		}
		if max(before, after) <= first/3 {
			break
		}
		if after >= before {
			to++
			gain(terms[to], idf, covered)
		} else {
			from--
			gain(terms[from], idf, covered)
		}
	}
	return clip(text[spans[from].Start:spans[to].End])
}

// gain adds up what the terms say that is not covered yet, and covers them.
func gain(terms []string, idf map[string]float64, covered map[string]bool) float64 {
	sum := told(terms, idf, covered)
	for _, t := range terms {
		covered[t] = true
	}
	return sum
}

// told adds up what terms, each there once, say that is not covered.
func told(terms []string, idf map[string]float64, covered map[string]bool) float64 {
	sum := 0.0
	for _, t := range terms {
		if !covered[t] {
			sum += idf[t]
		}
	}
	return sum
}

// news is told for terms with repeats.
func news(terms []string, idf map[string]float64, covered map[string]bool) float64 {
	sum := 0.0
	met := map[string]bool{}
	for _, t := range terms {
		if !covered[t] && !met[t] {
			met[t] = true
			sum += idf[t]
		}
	}
	return sum
}

// clip shortens a giant "sentence", such as a table row, at a space.
func clip(s string) string {
	if len(s) <= maxQuote {
		return s
	}
	if at := strings.LastIndexAny(s[:maxQuote], " \n\t"); at > 0 {
		return s[:at]
	}
	end := maxQuote
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
