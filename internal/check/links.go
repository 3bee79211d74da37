package check

import (
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
)

// Links finds what must never reach a customer unless it is known: links that
// stand neither in the knowledge nor in the transcript; and Markdown images,
// HTML and hidden characters, which never may.
func Links(draft assist.Draft, hits []assist.Hit, turns []assist.Turn) []assist.Verdict {
	return reading(hits, turns).linked(draft)
}

func (r *Reading) linked(draft assist.Draft) []assist.Verdict {
	var verdicts []assist.Verdict
	at := starts(draft)
	for i, s := range draft.Sentences {
		verdicts = append(verdicts, links(s.Text, i, at[i], r.links())...)
	}
	return verdicts
}

// LinkCheck finds foreign links in pieces of one text as they come, with the
// knowledge and transcript read once.
type LinkCheck struct{ known func() map[string]bool }

// NewLinkCheck reads what links are known, when the first one is met.
func NewLinkCheck(hits []assist.Hit, turns []assist.Turn) LinkCheck {
	return LinkCheck{knownLinks(hits, turns)}
}

// In gives the verdicts on a piece of text; their ranges are within it.
func (c LinkCheck) In(text string) []assist.Verdict { return links(text, 0, 0, c.known) }

func links(text string, sentence, offset int, known func() map[string]bool) []assist.Verdict {
	var verdicts []assist.Verdict
	block := func(start, end int, format string) {
		words := text[start:end]
		shown := strings.Map(func(r rune) rune {
			if hidden(r) {
				return '·'
			}
			return r
		}, clip(words, 80))
		verdicts = append(verdicts, assist.Verdict{
			Check: checkLinks, Outcome: assist.Block, Sentence: sentence, Words: words,
			Start: offset + start, End: offset + end, Reason: fmt.Sprintf(format, shown),
		})
	}
	for _, a := range addresses(text) {
		word := text[a.start:a.end]
		if !a.mail && !known()[linkKey(word)] {
			block(a.start, a.end, "The link %s is in no source and nobody wrote it in this chat.")
		}
	}
	for i, r := range text {
		switch {
		case r == '!' && strings.HasPrefix(text[i:], "!["):
			end := i + 2
			if j := strings.IndexAny(text[i:], ")\n"); j > 0 {
				end = i + j + 1
			}
			block(i, min(end, len(text)), "%s is an image: a reply never holds one.")
		case r == '<' && i+1 < len(text) && (text[i+1] == '/' || text[i+1] == '!' || isLetterAt(text, i+1)):
			end := len(text)
			if j := strings.IndexAny(text[i:], ">\n"); j > 0 {
				end = i + j + 1
			}
			block(i, min(end, i+200, len(text)), "%s is HTML: a reply is plain text.")
		case hidden(r):
			block(i, i+utf8.RuneLen(r), "There is a hidden character here (%s).")
		}
	}
	sortVerdicts(verdicts)
	return verdicts
}

// hidden characters change how text looks or reads without being seen.
func hidden(r rune) bool {
	switch {
	case r == '\u200d': // joins emoji
		return false
	case r == '\n', r == '\t', r == '\r':
		return false
	case r >= 0xe0000 && r <= 0xe007f: // tags
		return true
	}
	return unicode.Is(unicode.Cf, r) && r != '\u00ad' || unicode.IsControl(r)
}

// knownLinks are those of the knowledge and of the transcript. They are read when
// they are asked for first: most texts hold no link.
func knownLinks(hits []assist.Hit, turns []assist.Turn) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		known := map[string]bool{}
		add := func(text string) {
			for _, a := range addresses(text) {
				known[linkKey(text[a.start:a.end])] = true
			}
		}
		for _, h := range hits {
			add(h.Text)
			if h.URL != "" {
				known[linkKey(h.URL)] = true
			}
		}
		for _, t := range turns {
			add(t.Text)
		}
		return known
	})
}

// linkKey is the same for the same address: the scheme, "www.", the case of the
// host and a last slash do not matter; everything else does.
func linkKey(link string) string {
	lower := strings.ToLower(link)
	for _, p := range []string{"https://", "http://", "//"} {
		if strings.HasPrefix(lower, p) {
			link = link[len(p):]
			break
		}
	}
	host, rest := link, ""
	if i := strings.IndexAny(link, "/?#"); i >= 0 {
		host, rest = link[:i], link[i:]
	}
	return strings.TrimPrefix(strings.ToLower(host), "www.") + strings.TrimRight(rest, "/")
}

type address struct {
	start, end int
	mail       bool
}

// addresses finds links and mail addresses, also bare ones ("shop.example/a").
func addresses(text string) []address {
	var found []address
	for end := 0; ; {
		next := strings.IndexAny(text[end:], ".:@")
		if next < 0 {
			return found
		}
		i := end + next
		for i > end {
			r, size := utf8.DecodeLastRuneInString(text[end:i])
			if separates(r) {
				break
			}
			i -= size
		}
		for end += next; end < len(text); {
			r, size := utf8.DecodeRuneInString(text[end:])
			if separates(r) {
				break
			}
			end += size
		}
		start, stop := i, end
		for stop > start && strings.IndexByte(".,;:!?*_~…", text[stop-1]) >= 0 {
			stop--
		}
		word := text[start:stop]
		switch {
		case !strings.ContainsAny(word, ".:@"):
		case isMail(word):
			found = append(found, address{start, stop, true})
		case isLink(word):
			found = append(found, address{start, stop, false})
		}
	}
}

func separates(r rune) bool {
	if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
		return false
	}
	return unicode.IsSpace(r) || strings.ContainsRune("()<>[]{}\"'`|“”‘’«»", r) || r == ',' || r == ';'
}

func isMail(w string) bool {
	w = strings.TrimPrefix(strings.ToLower(w), "mailto:")
	user, host, ok := strings.Cut(w, "@")
	return ok && user != "" && strings.Contains(strings.Trim(host, "."), ".") && !strings.Contains(host, "/")
}

func isLink(w string) bool {
	low := strings.ToLower(w)
	if strings.Contains(low, "://") || strings.HasPrefix(low, "www.") || strings.HasPrefix(low, "javascript:") || strings.HasPrefix(low, "data:") || strings.HasPrefix(low, "vbscript:") {
		return true
	}
	low = strings.TrimLeft(low, "/")
	host := low
	path := false
	if i := strings.IndexAny(low, "/?#:"); i >= 0 {
		host, path = low[:i], low[i] == '/'
	}
	if strings.Contains(host, "@") {
		return false
	}
	dot := strings.LastIndexByte(host, '.')
	if dot <= 0 || dot == len(host)-1 {
		return false
	}
	for _, c := range host {
		if c != '.' && c != '-' && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	top := host[dot+1:]
	if topLevel[top] || strings.HasPrefix(top, "xn--") {
		return true
	}
	if !path || len(top) < 2 || strings.ContainsAny(top, "0123456789") || len(low) == len(host)+1 {
		return false
	}
	return utf8.RuneCountInString(host[:dot]) >= 2
}

// topLevel names the domains that make a word without a scheme a link.
var topLevel = map[string]bool{
	"com": true, "org": true, "net": true, "edu": true, "gov": true, "io": true, "co": true, "ai": true, "app": true, "dev": true, "biz": true, "info": true,
	"example": true, "test": true, "help": true, "shop": true, "store": true, "online": true, "site": true, "xyz": true, "top": true, "ly": true, "gg": true,
	"de": true, "fr": true, "es": true, "pt": true, "uk": true, "eu": true, "us": true, "ca": true, "au": true, "br": true, "ru": true, "cn": true, "in": true,
	"nl": true, "ch": true, "pl": true, "mx": true, "jp": true, "tk": true, "zip": true, "click": true, "link": true, "live": true,
}
