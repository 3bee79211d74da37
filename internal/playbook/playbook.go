// Package playbook reads procedures out of Markdown and says what an agent
// should do next.
//
// A procedure is a page with numbered steps. [Bracketed Names] are actions in
// other systems; bullets below a step are its conditions and alternatives. Words
// are kept as written, with the byte range they came from, so that a step can be
// followed to its sentence. Everything here is a pure function: progress is read
// from the transcript and from what agents ticked, never stored here.
package playbook

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
)

// Procedure is a page of numbered steps.
type Procedure struct {
	DocumentID string
	Title      string
	Body       string // the whole page, as written
	Steps      []Step
}

// Step is one numbered item of a procedure.
type Step struct {
	ID         string // document id, "/", step number; "/2.1" is step 1 of the page's second list
	Text       string // the item's first paragraph, as written
	Start, End int    // byte range of Text in the document's body
	Kind       assist.StepKind
	Actions    []string    // bracketed names in Text, in order, without repeats
	Conditions []Condition // bullets below, in order
	PassageID  string      // the document's passage that Text begins in, if it has passages
}

// Condition is a bullet below a step: a condition, an alternative, a detail.
type Condition struct {
	Text       string // as written, without the bullet
	Start, End int    // byte range of Text in the document's body
	Depth      int    // 1: directly below the step
}

// Parse reads the numbered steps of a page. It says false when there are none:
// then the page is not a procedure, whatever its kind.
func Parse(doc assist.Document) (Procedure, bool) {
	p := Procedure{DocumentID: doc.ID, Title: doc.Title, Body: doc.Body}
	r := reader{doc: doc.ID, used: map[string]bool{}}
	for start := 0; start < len(doc.Body); {
		end := start + strings.IndexByte(doc.Body[start:], '\n')
		if end < start {
			end = len(doc.Body)
		}
		r.line(doc.Body, start, end)
		start = end + 1
	}
	for i := range r.steps {
		s := &r.steps[i]
		s.Actions = actions(s.Text)
		s.Kind = kindOf(s.Text)
		for _, psg := range doc.Passages {
			if psg.Start <= s.Start && s.Start < psg.End {
				s.PassageID = psg.ID
				break
			}
		}
	}
	p.Steps = r.steps
	return p, len(p.Steps) > 0
}

// reader goes through a page line by line.
type reader struct {
	doc     string
	used    map[string]bool
	steps   []Step
	fenced  bool // inside a code block
	inList  bool // the last item can still be continued
	list    int  // which numbered list, 1 = first
	next    int  // number of the next item of this list
	indents []int
	open    openText
	indent  int // of the list's numbers
}

// openText is what a continuation line would belong to.
type openText int

const (
	openNone openText = iota
	openStep
	openCondition
)

func (r *reader) line(body string, start, end int) {
	raw := body[start:end]
	text := strings.TrimSpace(raw)
	if strings.HasPrefix(text, "```") || strings.HasPrefix(text, "~~~") {
		r.fenced = !r.fenced
		r.open = openNone
		return
	}
	if r.fenced {
		return
	}
	if text == "" {
		r.open = openNone
		return
	}
	textStart := start + strings.Index(raw, text)
	textEnd := textStart + len(text)
	indent := columns(raw)

	if number, mark, ok := numbered(text); ok && (indent <= 3 || r.inList && indent <= r.indent+1) {
		if textStart+mark >= textEnd {
			return // a bare number
		}
		r.step(number, indent, Step{Text: text[mark:], Start: textStart + mark, End: textEnd})
		return
	}
	if !r.inList {
		return
	}
	if mark, ok := bullet(text); ok && indent > r.indent {
		s := &r.steps[len(r.steps)-1]
		s.Conditions = append(s.Conditions, Condition{
			Text: text[mark:], Start: textStart + mark, End: textEnd, Depth: r.depth(indent),
		})
		r.open = openCondition
		return
	}
	s := &r.steps[len(r.steps)-1]
	switch {
	case strings.HasPrefix(text, "#") || indent <= r.indent && r.open == openNone:
		r.inList = false // a heading, or a paragraph after the list
	case r.open == openStep:
		s.End = textEnd
		s.Text = body[s.Start:s.End]
	case r.open == openCondition:
		c := &s.Conditions[len(s.Conditions)-1]
		c.End = textEnd
		c.Text = body[c.Start:c.End]
	default: // a paragraph, or a lettered item, inside the step
		mark, _ := numberedAny(text)
		s.Conditions = append(s.Conditions, Condition{
			Text: text[mark:], Start: textStart + mark, End: textEnd, Depth: r.depth(indent),
		})
		r.open = openCondition
	}
}

// step adds an item. Markdown counts items by itself, so "1. 1. 1." is 1, 2, 3;
// a list that goes on after a paragraph goes on counting, and one that starts
// again has the list's number in its ids.
func (r *reader) step(number, indent int, s Step) {
	if !r.inList && (r.list == 0 || number != r.next) {
		r.next = number
		r.list++
	}
	if number > r.next {
		r.next = number
	}
	id := r.doc + "/" + strconv.Itoa(r.next)
	if r.used[id] {
		id = r.doc + "/" + strconv.Itoa(r.list) + "." + strconv.Itoa(r.next)
	}
	for r.used[id] {
		r.next++
		id = r.doc + "/" + strconv.Itoa(r.list) + "." + strconv.Itoa(r.next)
	}
	r.used[id] = true
	s.ID = id
	r.steps = append(r.steps, s)
	r.next++
	r.inList, r.indent, r.indents, r.open = true, indent, nil, openStep
}

// depth turns a bullet's indentation into how deep it is below its step.
func (r *reader) depth(indent int) int {
	for len(r.indents) > 0 && r.indents[len(r.indents)-1] > indent {
		r.indents = r.indents[:len(r.indents)-1]
	}
	if len(r.indents) == 0 || r.indents[len(r.indents)-1] < indent {
		r.indents = append(r.indents, indent)
	}
	return len(r.indents)
}

func columns(line string) int {
	n := 0
	for _, c := range line {
		switch c {
		case ' ':
			n++
		case '\t':
			n += 4
		default:
			return n
		}
	}
	return n
}

// numbered reads "12. " or "12) " and gives the number and where the text starts.
func numbered(text string) (number, mark int, ok bool) {
	i := 0
	for i < len(text) && i < 4 && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	if i == 0 || i == len(text) || text[i] != '.' && text[i] != ')' {
		return 0, 0, false
	}
	number, err := strconv.Atoi(text[:i])
	if err != nil {
		return 0, 0, false
	}
	i++
	if i < len(text) && text[i] != ' ' && text[i] != '\t' {
		return 0, 0, false
	}
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	return number, i, true
}

// numberedAny is numbered for items inside a step: "a) ", "2. ".
func numberedAny(text string) (mark int, ok bool) {
	if _, mark, ok := numbered(text); ok {
		return mark, true
	}
	if len(text) > 3 && text[0] >= 'a' && text[0] <= 'z' && (text[1] == '.' || text[1] == ')') && text[2] == ' ' {
		return 3, true
	}
	return 0, false
}

func bullet(text string) (mark int, ok bool) {
	if len(text) > 2 && strings.IndexByte("-*+", text[0]) >= 0 && text[1] == ' ' {
		return len(text) - len(strings.TrimLeft(text[1:], " \t")), true
	}
	return 0, false
}

// quotedName is the other way to name an action: `its_name`: what it says.
func quotedName(text string) (string, bool) {
	if !strings.HasPrefix(text, "`") {
		return "", false
	}
	name, rest, ok := strings.Cut(text[1:], "`")
	if !ok || !strings.HasPrefix(rest, ":") || len(name) < 2 || len(name) > 80 || strings.ContainsAny(name, " <>[]") {
		return "", false
	}
	return name, true
}

// actions finds the [Bracketed Names] of a step. Links, footnotes and check
// boxes are not actions.
func actions(text string) []string {
	var names []string
	seen := map[string]bool{}
	if name, ok := quotedName(text); ok {
		seen[Key(name)] = true
		names = append(names, name)
	}
	for i := 0; i < len(text); i++ {
		if text[i] != '[' {
			continue
		}
		end := strings.IndexByte(text[i:], ']')
		if end < 0 {
			break
		}
		name := strings.Join(strings.Fields(text[i+1:i+end]), " ")
		i += end
		link := i+1 < len(text) && (text[i+1] == '(' || text[i+1] == '[')
		if link || len(name) < 2 || len(name) > 80 || name[0] == '^' || seen[Key(name)] {
			continue
		}
		seen[Key(name)] = true
		names = append(names, name)
	}
	return names
}

// Key is the name of an action as two systems can agree on it: "pull-up-account"
// and "Pull up Account" are the same.
func Key(action string) string {
	var b strings.Builder
	for _, r := range action {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
