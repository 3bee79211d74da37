package eval

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/privacy"
)

// scrub takes out of a conversation what says who somebody is: secrets by their
// form, the names of those who write and who introduce themselves, postal
// addresses, links, and every long number. The same thing gets the same
// placeholder. What it cannot know is a name that nobody announces: whoever
// accepts a case reads it.
type scrub struct {
	mask    privacy.Mask
	names   *regexp.Regexp // nil: none are known
	links   []string       // pages of the knowledge, which may stay
	numbers map[string]string
}

var (
	introduced = []*regexp.Regexp{
		regexp.MustCompile(`(?i)\b(?:my name(?:'s| is)|name's|the name is|mein name ist|ich heiße|ich heisse|je m'appelle|mon nom est)\s+([\p{L}'’-]{2,}(?:\s+\p{Lu}[\p{L}'’-]+){0,2})`),
		regexp.MustCompile(`\b(?:[Ii] am|[Ii]'m|[Tt]his is|[Hh]ere is|[Ii]ch bin|[Hh]ier ist|[Jj]e suis)\s+(\p{Lu}[\p{Ll}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+){0,2})`),
		regexp.MustCompile(`(?:^|[.!?]\s+)(?:[Hh]i|[Hh]ello|[Hh]ey|[Dd]ear|[Hh]allo|[Gg]uten Tag|[Ss]alut|[Bb]onjour|[Tt]hanks|[Tt]hank you|[Ss]orry|[Dd]anke|[Mm]erci),?\s+(?:Mr\.?|Mrs\.?|Ms\.?|Herr|Frau|Madame|Monsieur)?\s*(\p{Lu}[\p{Ll}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)?)`),
		regexp.MustCompile(`(?i)\b(?:mr|mrs|ms|dr|herr|frau|mme|monsieur|madame)\.?\s+(\p{Lu}[\p{L}'’-]+)`),
		regexp.MustCompile(`(?i)(?:regards|cheers|sincerely|grüße|gruß|cordialement)[,!.]?\s+(\p{L}[\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)?)\s*$`),
		regexp.MustCompile(`\n\s*[-–—~]\s?(\p{Lu}[\p{L}'’-]+(?:\s+\p{Lu}[\p{L}'’-]+)?)\s*$`),
	}
	streets = regexp.MustCompile(`(?i)\b\d{1,5}[a-z]?\s+(?:[\p{L}'’.]+\s+){1,4}(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|way|court|ct|place|terrace|square)\b\.?(?:,?\s*(?:apt|apartment|unit|suite|#)\.?\s*\w+)?` +
		`|\b\p{L}+(?:straße|strasse|str\.|weg|platz|allee|gasse|ring)\s+\d+\s?[a-z]?\b` +
		`|\b\d{1,4},?\s+(?:rue|avenue|boulevard|place|chemin|allée|impasse)\s+[\p{L}'’ -]{2,40}`)
	cities  = regexp.MustCompile(`\b\d{5}(?:-\d{4})?\s+\p{Lu}\p{L}+`)
	webpage = regexp.MustCompile(`(?i)\b(?:https?://|www\.)[^\s<>"'()]+`)
	codes   = regexp.MustCompile(`[$€£]?\s?\b[\p{L}]{0,3}-?\d[\d\p{L}-]*\d\b`)
	ordinal = regexp.MustCompile(`^(\p{L}{1,3}-?)\d+$`)
	handle  = regexp.MustCompile(`(^|\s)@[\p{L}\d_.]{3,}`)
)

// notNames are words that stand where a name could.
const notNames = ` sorry afraid happy glad sure not just still very so the a an and but there here you your we our my it its this that all
 again everyone team support customer client sir madam sent sad really wondering trying looking waiting calling writing having
 going unable able interested good fine ok okay great please for to in on at is are was no yes what when where why how
 ich sie wir der die das ein eine nicht noch auch je vous nous le la les un une des pas i hi hello hey thanks `

func isName(low string) bool {
	return len([]rune(low)) >= 2 && !slices.Contains(strings.Fields(notNames), low)
}

// newScrub learns the names of a conversation, then forgets nothing: what was
// introduced once is hidden everywhere.
func newScrub(e Edited) *scrub {
	s := &scrub{numbers: map[string]string{}}
	for _, h := range e.Hits {
		s.links = append(s.links, h.URL)
		s.links = append(s.links, webpage.FindAllString(h.Text, -1)...)
	}
	var names []string
	add := func(full string) {
		for _, part := range strings.FieldsFunc(full, func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' && r != '-' }) {
			if low := strings.ToLower(part); isName(low) && !slices.Contains(names, low) {
				names = append(names, low)
			}
		}
	}
	add(e.Customer)
	add(e.Agent)
	texts := []string{e.Reply}
	if e.Draft != nil {
		texts = append(texts, e.Draft.Text)
	}
	for _, t := range e.Turns {
		add(t.Name)
		texts = append(texts, t.Text)
	}
	for _, text := range texts {
		for _, re := range introduced {
			for _, m := range re.FindAllStringSubmatch(text, -1) {
				add(m[1])
			}
		}
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	for i := range names {
		names[i] = regexp.QuoteMeta(names[i])
	}
	if len(names) > 0 {
		s.names = regexp.MustCompile(`(?i)(^|[^\p{L}])(` + strings.Join(names, "|") + `)(['’]s)?($|[^\p{L}])`)
	}
	return s
}

// text gives a text without what says who somebody is.
func (s *scrub) text(t string) string {
	t = strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(t, "\uFFFD"))
	t = webpage.ReplaceAllStringFunc(t, func(u string) string {
		if slices.Contains(s.links, strings.TrimRight(u, ".,;:!?")) {
			return u
		}
		return "[LINK]"
	})
	t = s.mask.Hide(t)
	t = streets.ReplaceAllString(t, "[ADDRESS]")
	t = cities.ReplaceAllString(t, "[ADDRESS]")
	t = handle.ReplaceAllString(t, "$1[NAME]")
	if s.names != nil {
		for range 2 { // names side by side share the space between them
			t = s.names.ReplaceAllString(t, "$1[NAME]$3$4")
		}
	}
	t = strings.ReplaceAll(t, "{{", "{ {") // a suite's values may be filled in
	return codes.ReplaceAllStringFunc(t, s.number)
}

// number hides what has four digits or more and is no price and no year. An order
// number keeps its form.
func (s *scrub) number(found string) string {
	if strings.ContainsAny(found[:min(3, len(found))], "$€£") {
		return found
	}
	lead := found[:len(found)-len(strings.TrimLeft(found, " "))]
	code := found[len(lead):]
	digits := 0
	for _, r := range code {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	if digits < 4 || len(code) == 4 && (strings.HasPrefix(code, "19") || strings.HasPrefix(code, "20")) || isDay.MatchString(code) {
		return found
	}
	key := strings.ToUpper(code)
	if s.numbers[key] == "" {
		n := len(s.numbers) + 1
		s.numbers[key] = fmt.Sprintf("[NUMBER_%d]", n)
		if m := ordinal.FindStringSubmatch(code); m != nil {
			s.numbers[key] = fmt.Sprintf("%s%06d", m[1], n)
		}
	}
	return lead + s.numbers[key]
}

var isDay = regexp.MustCompile(`^(19|20)\d\d-\d\d-\d\d$`)

// conversation writes turns as a suite has them, without values of actions.
func (s *scrub) conversation(turns []assist.Turn) string {
	var b strings.Builder
	for _, t := range turns {
		if t.Action != nil {
			fmt.Fprintf(&b, "action: %s\n", s.text(t.Action.Name))
			continue
		}
		if text := strings.Join(strings.Fields(s.text(t.Text)), " "); text != "" {
			fmt.Fprintf(&b, "%s: %s\n", t.Role, text)
		}
	}
	return b.String()
}
