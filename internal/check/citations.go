package check

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
)

// Citations keeps the citations whose quote stands in the passage they name, and
// sets their quote and byte range to the passage's own. All others are dropped
// and counted. A sentence that loses its last citation gets a verdict.
func Citations(draft assist.Draft, hits []assist.Hit) (assist.Draft, []assist.Verdict, int) {
	passages := byID(hits)
	var verdicts []assist.Verdict
	dropped := 0
	sentences := make([]assist.Sentence, len(draft.Sentences))
	copy(sentences, draft.Sentences)
	draft = assist.NewDraft(draft.Origin, sentences)
	at := starts(draft)
	for i := range sentences {
		s := &sentences[i]
		claimed := s.Citations
		s.Citations = nil
		reason := ""
		for _, c := range claimed {
			h, known := passages[c.PassageID]
			if !known {
				dropped++
				reason = "This sentence cites a passage that was not among the sources."
				continue
			}
			start, end, found := Find(h.Text, c.Quote)
			if !found {
				dropped++
				reason = fmt.Sprintf("The words this sentence quotes do not stand in %s.", name(h))
				continue
			}
			kept := assist.Citation{PassageID: h.ID, Quote: h.Text[start:end], Start: start, End: end}
			if !contains(s.Citations, kept) {
				s.Citations = append(s.Citations, kept)
			}
		}
		if len(s.Citations) == 0 && reason != "" {
			verdicts = append(verdicts, assist.Verdict{
				Check: checkCitations, Outcome: assist.Warn, Sentence: i,
				Words: s.Text, Start: at[i], End: at[i] + len(s.Text), Reason: reason,
			})
		}
	}
	return draft, verdicts, dropped
}

func contains(cs []assist.Citation, c assist.Citation) bool {
	for _, o := range cs {
		if o == c {
			return true
		}
	}
	return false
}

// Find finds the exact words of quote in text and gives their byte range there.
// Only white space and typographic quotation marks may differ. The match begins
// and ends between words: "for $5" is not in "for $50". A quote that is not valid
// UTF-8 has no words: its first byte could stand in the middle of a character.
func Find(text, quote string) (start, end int, ok bool) {
	needle, _ := plain(quote, false)
	needle = strings.TrimSpace(needle)
	if !utf8.ValidString(needle) || !strings.ContainsFunc(needle, wordRune) {
		return 0, 0, false
	}
	hay, at := plain(text, true)
	for from := 0; ; {
		i := strings.Index(hay[from:], needle)
		if i < 0 {
			return 0, 0, false
		}
		i += from
		j := i + len(needle)
		if betweenWords(hay, i) && betweenWords(hay, j) {
			return int(at[i]), int(at[j-1]) + lastRune(text, int(at[j-1])), true
		}
		_, size := utf8.DecodeRuneInString(hay[i:])
		from = i + size
	}
}

func lastRune(text string, at int) int {
	_, size := utf8.DecodeRuneInString(text[at:])
	return size
}

// plain folds white space to one blank and quotation marks to ' and ". at gives,
// for each byte of the result, the byte in s that its character begins at.
func plain(s string, offsets bool) (string, []int32) {
	var b strings.Builder
	b.Grow(len(s))
	var at []int32
	if offsets {
		at = make([]int32, 0, len(s))
	}
	blank := false
	for i, r := range s {
		switch {
		case unicode.IsSpace(r):
			if blank {
				continue
			}
			r = ' '
		case strings.ContainsRune("‘’‚‛′", r):
			r = '\''
		case strings.ContainsRune("“”„‟″«»", r):
			r = '"'
		}
		blank = r == ' '
		n := b.Len()
		if r == utf8.RuneError && s[i] >= utf8.RuneSelf {
			_, size := utf8.DecodeRuneInString(s[i:])
			b.WriteString(s[i : i+size]) // a broken byte stays what it is
		} else {
			b.WriteRune(r)
		}
		for ; offsets && n < b.Len(); n++ {
			at = append(at, int32(i))
		}
	}
	return b.String(), at
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// betweenWords reports whether position i of s does not cut a word or a number.
func betweenWords(s string, i int) bool {
	if i <= 0 || i >= len(s) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	after, size := utf8.DecodeRuneInString(s[i:])
	if wordRune(before) && wordRune(after) {
		return false
	}
	point := func(r rune) bool { return r == '.' || r == ',' }
	if unicode.IsDigit(before) && point(after) && i+size < len(s) {
		next, _ := utf8.DecodeRuneInString(s[i+size:])
		return !unicode.IsDigit(next)
	}
	if point(before) && unicode.IsDigit(after) && i >= 2 {
		prev, _ := utf8.DecodeLastRuneInString(s[:i-1])
		return !unicode.IsDigit(prev)
	}
	return true
}
