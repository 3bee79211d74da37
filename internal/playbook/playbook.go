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
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
)

// Procedure is a page of numbered steps.
type Procedure struct {
	DocumentID string
	Title      string
	Language   string
	Body       string // the whole page, as written
	Steps      []Step
	Replies    []Reply // what may be said at any time, beside the steps
	problems   []Problem
}

// Reply is a named bullet outside the steps: "- `goodbye`: Thank you and goodbye."
type Reply struct{ Name, Text string }

// Step is one numbered item of a procedure.
type Step struct {
	ID         string // document id, "/", step number; "/2.1" is step 1 of the page's second list
	Label      string // how other steps call it: "6", "c"
	Text       string // the item's first paragraph, as written
	Start, End int    // byte range of Text in the document's body
	Kind       assist.StepKind
	Actions    []string    // bracketed names in Text, in order, without repeats
	Conditions []Condition // bullets below, in order
	Refs       []Ref       // where the step and its bullets send on
	headed     bool        // its text is a heading
	PassageID  string      // the document's passage that Text begins in, if it has passages
}

// Condition is a bullet below a step: a condition, an alternative, a detail.
type Condition struct {
	Text       string // as written, without the bullet
	Start, End int    // byte range of Text in the document's body
	Depth      int    // 1: directly below the step
	prose      bool   // a paragraph, not a bullet
}

// Parse reads the steps of a page: numbered items, or, where a page has none,
// what else people write steps as. It says false when there are none: then the
// page is not a procedure, whatever its kind.
func Parse(doc assist.Document) (Procedure, bool) {
	p := Procedure{DocumentID: doc.ID, Title: doc.Title, Language: cmp.Or(doc.Language, "en"), Body: doc.Body}
	r := reader{}
	for _, style := range styles {
		if style == headingNumbers && doc.Kind != assist.KindProcedure {
			continue
		}
		r = reader{doc: doc.ID, style: style, used: map[string]bool{}}
		r.read(doc.Body)
		if len(r.steps) > 1 || (style == items || style == marginItems && doc.Kind != assist.KindProcedure) && len(r.steps) > 0 {
			break
		}
		r.steps = nil
	}
	for i := range r.steps {
		s := &r.steps[i]
		s.Actions = actions(s.Text)
		for _, c := range s.Conditions { // a heading's button stands in the paragraph below it
			if len(s.Actions) == 0 && c.prose {
				if cond, _ := conditionOf(c.Text); cond == "" {
					s.Actions = actions(c.Text)
				}
			}
		}
		s.Kind = kindOf(s.Text)
		for _, psg := range doc.Passages {
			if psg.Start <= s.Start && s.Start < psg.End {
				s.PassageID = psg.ID
				break
			}
		}
	}
	p.Steps, p.Replies = r.steps, r.replies
	p.refer()
	return p, len(p.Steps) > 0
}

// style is how a page writes its steps.
type style int

// The styles, in the order in which they are tried: the first that finds steps
// is the page's.
const (
	stepWords      style = iota // "## Step 3: Verify", "**Step 3.** Verify"
	marginItems                 // "3. Verify", "**3. Verify**", at the margin
	headingNumbers              // "## 3. Verify", procedures only: chapters of a policy are numbered too
	items                       // "   3. Verify"
	letters                     // "c) Verify"
	rows                        // "| 3 | Verify |" under "| Step | … |"
	boxes                       // "- [ ] Verify"
)

var styles = []style{stepWords, marginItems, headingNumbers, items, letters, rows, boxes}

// reader goes through a page line by line.
type reader struct {
	doc       string
	style     style
	table     []string // the header of the table that is being read
	used      map[string]bool
	steps     []Step
	replies   []Reply
	level     int // of the headings that are steps, 0: none are
	bare      int // a step whose text is still to come, 0: none
	bareLabel string
	fenced    bool // inside a code block
	inList    bool // the last item can still be continued
	list      int  // which numbered list, 1 = first
	next      int  // number of the next item of this list
	indents   []int
	open      openText
	indent    int // of the list's numbers
}

// openText is what a continuation line would belong to.
type openText int

const (
	openNone openText = iota
	openStep
	openCondition
)

func (r *reader) read(body string) {
	for start := 0; start < len(body); {
		end := start + strings.IndexByte(body[start:], '\n')
		if end < start {
			end = len(body)
		}
		r.line(body, start, end)
		start = end + 1
	}
}

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
		r.table = nil
		return
	}
	textStart := start + strings.Index(raw, text)
	textEnd := textStart + len(text)
	indent := columns(raw)

	if strings.HasPrefix(text, "|") {
		r.row(body, text, textStart)
		return
	}
	r.table = nil
	if number, label, mark, ok := r.marked(text, indent); ok {
		if textStart+mark >= textEnd {
			if r.style == stepWords || r.style == headingNumbers {
				r.bare, r.bareLabel, r.inList = number, label, false // its text stands below
			}
			return // a bare number
		}
		r.step(number, label, indent, Step{Text: text[mark:], Start: textStart + mark, End: textEnd})
		return
	}
	if r.bare > 0 && !strings.HasPrefix(text, "#") {
		mark, _ := bullet(text)
		r.step(r.bare, r.bareLabel, indent, Step{Text: text[mark:], Start: textStart + mark, End: textEnd})
		return
	}
	if !r.inList {
		if mark, ok := bullet(text); ok {
			if name, ok := quotedName(text[mark:]); ok {
				_, words, _ := strings.Cut(text[mark:], ":")
				r.replies = append(r.replies, Reply{name, strings.TrimSpace(words)})
			}
		}
		return
	}
	s := &r.steps[len(r.steps)-1]
	heads := r.style == stepWords || r.style == headingNumbers // steps end at the next heading, not at a paragraph
	if mark, ok := bullet(text); ok && (indent > r.indent || heads) {
		r.condition(text[mark:], textStart+mark, textEnd, indent+1, false)
		return
	}
	if heads && strings.HasPrefix(text, "#") && (r.level == 0 || level(text) > r.level) && r.level > 0 {
		mark := len(text) - len(strings.TrimLeft(text, "# "))
		r.condition(text[mark:], textStart+mark, textEnd, indent, true) // a heading inside the step
		r.open = openNone
		return
	}
	mark, sub := numberedAny(text)
	switch {
	case strings.HasPrefix(text, "#"):
		r.inList = false
	case sub && (heads || indent <= r.indent && subNumber.MatchString(text)): // "2.1 Ask …" below "2. …"
		r.condition(text[mark:], textStart+mark, textEnd, indent+1, false)
	case !heads && indent <= r.indent && r.open == openNone:
		r.inList = false // a paragraph after the list
	case r.open == openStep && !(heads && s.headed):
		s.End = textEnd
		s.Text = body[s.Start:s.End]
	case r.open == openCondition && !sub:
		c := &s.Conditions[len(s.Conditions)-1]
		c.End = textEnd
		c.Text = body[c.Start:c.End]
	default: // a paragraph, or a lettered item, inside the step
		r.condition(text[mark:], textStart+mark, textEnd, indent+1, !sub)
	}
}

func (r *reader) condition(text string, start, end, indent int, prose bool) {
	if text == "" {
		return
	}
	s := &r.steps[len(r.steps)-1]
	s.Conditions = append(s.Conditions, Condition{Text: text, Start: start, End: end, Depth: r.depth(indent), prose: prose})
	r.open = openCondition
}

var (
	stepHead  = regexp.MustCompile(`(?i)^(#{1,6}\s+)?(?:\*\*|__)?(?:step|schritt|étape|paso|passo|etapa)\s+(?:(\d{1,3}(?:\.\d{1,2})*)|([a-z]))\b\s*(?:\*\*|__)?\s*(?:[:.)–—-]+\s*)?(?:\*\*|__)?\s*`)
	numHead   = regexp.MustCompile(`^(#{1,6}\s+)(?:\*\*)?(\d{1,3})[.):]?\s+(?:\*\*)?`)
	boxMark   = regexp.MustCompile(`^[-*+]\s+\[[ xX]?\]\s+`)
	letterTop = regexp.MustCompile(`^(?:\*\*)?\(?([a-zA-Z])[.)]\s+(?:\*\*)?`)
	subNumber = regexp.MustCompile(`^\d{1,3}(?:\.\d{1,3})+[.)]?\s+`)
	stepCell  = regexp.MustCompile(`(?i)^\W*(?:step|steps|no\.?|nr\.?|#|number|schritt|étape|paso|passo|etapa|n[.º°]?)?\W*$`)
	cellMark  = regexp.MustCompile(`(?i)^\W*(?:step |schritt |étape |paso |passo )?(\d{1,3})\W*$`)
	tableRule = regexp.MustCompile(`^[|:\- ]+$`)
)

func level(heading string) int { return len(heading) - len(strings.TrimLeft(heading, "#")) }

// marked reads the number in front of a step, in the page's style: the number,
// how others call the step, and where its text starts.
func (r *reader) marked(text string, indent int) (number int, label string, mark int, ok bool) {
	switch r.style {
	case stepWords:
		m := stepHead.FindStringSubmatch(text)
		if m == nil || m[1] == "" && !strings.HasPrefix(text, "**") && !strings.HasPrefix(text, "__") && !stepColon.MatchString(text) {
			return 0, "", 0, false // "Step 3 is only for …" is prose
		}
		if l := level(text); r.level == 0 || l < r.level {
			r.level = l
		}
		return r.count(m[2], m[3]), strings.ToLower(m[2] + m[3]), len(m[0]), true
	case headingNumbers:
		m := numHead.FindStringSubmatch(text)
		if m == nil || r.level > 0 && level(text) != r.level {
			return 0, "", 0, false
		}
		r.level = level(text)
		return r.count(m[2], ""), m[2], len(m[0]), true
	case items, marginItems:
		if r.style == marginItems && len(r.steps) == 0 && indent > 1 {
			return 0, "", 0, false
		}
		bold := 0
		if strings.HasPrefix(text, "**") {
			bold = 2
		}
		n, at, is := numbered(text[bold:])
		if bold > 0 && is && strings.HasPrefix(text[bold+at:], "**") { // "**3.** Verify"
			at += len(text[bold+at:]) - len(strings.TrimLeft(text[bold+at:], "* "))
		}
		if is && (indent <= 3 || r.inList && indent <= r.indent+1) {
			return n, strconv.Itoa(n), bold + at, true
		}
	case letters:
		m := letterTop.FindStringSubmatch(text)
		if m == nil || indent > 3 {
			return 0, "", 0, false
		}
		n := int(strings.ToLower(m[1])[0]-'a') + 1
		if n != 1 && (len(r.steps) == 0 || n != r.next) {
			return 0, "", 0, false // "I. think", the end of an address
		}
		return n, strings.ToLower(m[1]), len(m[0]), true
	case boxes:
		if m := boxMark.FindString(text); m != "" && indent <= 1 {
			n := len(r.steps) + 1
			return n, strconv.Itoa(n), len(m), true
		}
	}
	return 0, "", 0, false
}

// stepColon is a step in running text: "Step 3: Verify".
var stepColon = regexp.MustCompile(`(?i)^(?:step|schritt|étape|paso|passo|etapa)\s+\w{1,3}\s*[:.)–—-]\s*\S`)

func (r *reader) count(digits, letter string) int {
	if digits == "" {
		return int(strings.ToLower(letter)[0]-'a') + 1
	}
	digits, _, _ = strings.Cut(digits, ".")
	n, _ := strconv.Atoi(digits) // at most three digits
	return max(n, 1)
}

// row reads a row of a table: a step, where the table is one of steps, else a
// condition of the step above it.
func (r *reader) row(body, text string, at int) {
	inner := strings.Trim(text, "| \t")
	start := at + strings.Index(text, inner)
	if tableRule.MatchString(text) || inner == "" {
		return
	}
	cells := strings.Split(inner, "|")
	if r.table == nil {
		r.table = cells
		return
	}
	if r.style == rows {
		if m := cellMark.FindStringSubmatch(cells[0]); m != nil && len(cells) > 1 && stepCell.MatchString(r.table[0]) {
			n, _ := strconv.Atoi(m[1])
			from := start + len(cells[0]) + 1
			for i, cell := range cells[1:] {
				words := strings.TrimSpace(cell)
				to := from + strings.Index(cell, words)
				switch {
				case words == "":
				case i == 0:
					r.step(n, m[1], 0, Step{Text: words, Start: to, End: to + len(words)})
				case len(r.steps) > 0:
					r.condition(words, to, to+len(words), 1, true)
				}
				from += len(cell) + 1
			}
			r.open = openNone
			return
		}
	}
	if r.inList && len(cells) > 1 {
		r.condition(inner, start, start+len(inner), r.indent+1, false)
		r.open = openNone
	}
}

// step adds an item. Markdown counts items by itself, so "1. 1. 1." is 1, 2, 3;
// a list that goes on after a paragraph goes on counting, and one that starts
// again has the list's number in its ids.
func (r *reader) step(number int, label string, indent int, s Step) {
	r.bare = 0
	s.Label, s.headed = label, r.level > 0
	if !r.inList && (r.list == 0 || number != r.next) {
		r.next = number
		r.list++
	}
	if number > r.next {
		r.next = number
	}
	if r.style == items || r.style == marginItems { // Markdown counts by itself
		s.Label = strconv.Itoa(r.next)
	}
	id := r.doc + "/" + strconv.Itoa(r.next)
	if strings.Contains(label, ".") {
		id = r.doc + "/" + label // "2.1.3": the page counts by itself
	}
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
	if m := subNumber.FindString(text); m != "" {
		return len(m), true
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
