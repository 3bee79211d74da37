package playbook

import (
	"fmt"
	"regexp"
	"strings"
)

// Ref is a place where a page sends on: "go to step 6", "follow “Missing
// parcel”", "End.".
type Ref struct {
	Kind       RefKind
	If         string // the condition, as written; "": always
	Step       int    // RefStep: index of the step in the page
	Title      string // RefProcedure: what the page calls it
	Link       string // RefProcedure: where its link points, "" without one
	Back       bool   // it comes back afterwards
	Start, End int    // byte range of the sentence in the document's body
	plain      bool   // an unquoted name: it counts only when there is such a page
}

// RefKind says where a Ref leads.
type RefKind string

// The kinds of Ref.
const (
	RefStep      RefKind = "step"
	RefProcedure RefKind = "procedure"
	RefEnd       RefKind = "end"
)

// Problem is a place in a procedure that cannot be followed.
type Problem struct {
	DocumentID string
	Title      string
	Line       int    // of the document's text, from 1
	At         int    // byte offset in the body
	Name, Link string // of the procedure that is not there; it may be another document
	Text       string
}

// The words with which pages send on, in the languages that pages are read in.
var (
	goTo = `(?:go (?:back |on |straight |directly )?to|return to|skip (?:ahead |straight )?to|jump to|move (?:on )?to|proceed (?:to|with|directly to)|continue (?:with|at|from|to)|repeat(?: from)?|resume (?:at|with)|start (?:again|over) (?:at|from|with)` +
		`|weiter (?:mit|bei|zu)|gehe?n? (?:sie )?(?:weiter |zurück )?zu|springen? (?:sie )?zu|fahren sie (?:mit|bei)|zurück zu` +
		`|passer? à|passez à|aller à|allez à|revenir à|revenez à|continue[rz]? (?:avec|à)|retourne[rz] à` +
		`|(?:vaya|vay|ir|pase|pasar|vuelva|volver|continúe|continuar|siga|saltar|salte) (?:al|a la|a|con el|con la|con)` +
		`|(?:vá|ir|passe|passar|volte|voltar|continue|continuar|siga|avance|pule|pular) (?:para o|para a|para|ao|à|a|com o|com a|com))`
	stepWord = `(?:step|schritt|(?:l['’])?étape|paso|passo|etapa)`

	refStep   = regexp.MustCompile(`(?i)(?:^|[^\pL])` + goTo + `\s+(?:the |dem |den |la |le |el )?` + stepWord + `\s+\**([0-9]+(?:\.[0-9]+)*|[a-z])\b`)
	refAction = regexp.MustCompile("(?i)(?:(?:->|→|=>)\\s*(?:then\\s+)?|(?:^|[^\\pL])" + goTo + "\\s+)(?:\\[([^\\]\\n]{2,80})\\](?:[^(\\[]|$)|`([^`\\n]{2,80})`)")
	refNext   = regexp.MustCompile(`(?i)(?:^|[^\pL])` + goTo + `\s+(?:the |dem |den |la |le |el )?(?:next|nächsten|suivante|siguiente|próximo|próxima)\b`)
	// A procedure by name: quoted, linked, in bold, or called a procedure.
	toPage   = `(?:` + goTo + `|follow|see|use|start with|apply|escalate (?:under|via|with)|as (?:described |set out )?in|according to|befolgen sie|folgen sie|siehe|nach|suivez|suivre|voir|siga|seguir|consulte|ver|ver también|veja)`
	refQuote = regexp.MustCompile(`(?i)(?:^|[^\pL])` + toPage + `\s+(?:the |our |to |die |das |den |dem |der |la |le |el |o |a |procedure |page |policy |prozedur |verfahren |procédure |procedimiento |procedimento )*\**(?:["“„«]\s*([^"”“»\n]{2,120}?)\s*["”“»]|['‘]([^'’\n]{2,120})['’]|\[\[([^\]|\n]{2,120})(?:\|[^\]\n]*)?\]\]|\[([^\]\n]{2,120})\]\(([^)\s]+)[^)]*\)|\*\*([^*\n]{2,120})\*\*)`)
	refPlain = regexp.MustCompile(`(?i)(?:^|[^\pL])` + toPage + `\s+(?:the |our |die |das |den |dem |la |le |el |o |a )?([\pL\d][^.,;:()"“”\n]{2,100})`)

	refEnd = regexp.MustCompile(`(?i)^\W*(?:then |and |dann |puis |luego |então )?(?:end|ends|stop|stop here|done|end here|end of (?:the )?procedure|the procedure ends(?: here)?|this ends the procedure|that is all|nothing more to do|ende|fertig|schluss|fin|fin de la procédure|fin del procedimiento|fim|fim do procedimento)\W*$`)
	// "…, and stop." at the end of a sentence.
	refEndTail = regexp.MustCompile(`(?i)(?:,|;|—|–| and| then)\s+(?:stop(?: here)?|end (?:here|the procedure)|the procedure ends)\W*$`)
	comesBack  = regexp.MustCompile(`(?i)\b(?:come back|and return|then return|return here|kommen sie zurück|danach zurück|revenez ici|puis revenez|y vuelva|luego vuelva|e volte|depois volte)\b`)

	ifLead = regexp.MustCompile(`(?i)^\W*((?:only |even |nur |seulement |solo |sólo |só |apenas )?(?:if|when|where|in case|unless|should|provided|wenn|falls|sofern|sobald|si|lorsque|quand|sauf si|cuando|a menos que|se|quando|caso|a menos que)\s.+?)(?:,\s+(?:then |dann |alors |entonces |então )?|:\s+|\s+(?:->|→|=>|–|—)\s+|\s+then\s+)(\S.*)$`)
	ifTail = regexp.MustCompile(`(?i)^(.+?)\s+((?:only )?(?:if|when|unless|wenn|falls|sofern|si|lorsque|cuando|caso|quando)\s.+)$`)
	ifNo   = regexp.MustCompile(`(?i)^\W*((?:otherwise|else|if not|if so|yes|no|sonst|andernfalls|ja|nein|sinon|oui|non|si no|de lo contrario|en caso contrario|sí|senão|caso contrário|sim|não)\b)\W*(.*)$`)
)

// conditionOf parts a sentence into its condition and the rest: "If the batch is
// listed, go to step 6". A table's row is parted by its cells.
func conditionOf(text string) (cond, rest string) {
	text = strings.ReplaceAll(text, "**", "")
	if a, b, ok := strings.Cut(text, "|"); ok {
		return strings.TrimSpace(a), strings.TrimSpace(strings.ReplaceAll(b, "|", ". "))
	}
	if m := ifLead.FindStringSubmatch(text); m != nil {
		return strings.TrimSpace(m[1]), m[2]
	}
	if m := ifNo.FindStringSubmatch(text); m != nil {
		return m[1], m[2]
	}
	return "", text
}

// sentencesOf cuts at full stops and semicolons; the pieces are small and a wrong
// cut costs nothing but a reference.
func sentencesOf(text string) (out [][2]int) {
	start := 0
	for i := 0; i < len(text); i++ {
		end := i + 1
		if !(text[i] == '.' || text[i] == ';' || text[i] == '!' || text[i] == '|') || end < len(text) && text[end] != ' ' && text[end] != '\n' && text[end] != '\r' {
			continue
		}
		if text[i] == '.' && i > start && text[i-1] >= '0' && text[i-1] <= '9' && end < len(text) && i-start < 3 {
			continue // "1. "
		}
		out = append(out, [2]int{start, end})
		start = end
	}
	if start < len(text) {
		out = append(out, [2]int{start, len(text)})
	}
	return out
}

// found is a reference before its target is known.
type found struct {
	Ref
	label  string // of the step
	action string // that the step names
}

// refsIn finds where a piece of a page sends on. at is its place in the body;
// all of a bullet stands under the condition it begins with.
func refsIn(text string, at int, bullet bool) (out []found) {
	under := ""
	for n, span := range sentencesOf(text) {
		s := text[span[0]:span[1]]
		cond, rest := conditionOf(s)
		if strings.Contains(text, "|") && bullet { // a row: its first cell is the condition of all others
			if n == 0 {
				under = strings.Trim(strings.TrimSpace(s), "|* ")
				continue
			}
			cond, rest = "", s
		}
		if cond == "" && bullet {
			cond = under
		} else if n == 0 {
			under = cond
		}
		base := Ref{If: cond, Step: -1, Start: at + span[0], End: at + span[1], Back: comesBack.MatchString(text)}
		if base.If == "" {
			if m := ifTail.FindStringSubmatch(rest); m != nil && (refStep.MatchString(m[1]) || refQuote.MatchString(m[1]) || refPlain.MatchString(m[1])) {
				rest, base.If = m[1], strings.TrimRight(m[2], ". ")
			}
		}
		add := func(kind RefKind, set func(*found)) {
			f := found{Ref: base}
			f.Kind = kind
			set(&f)
			out = append(out, f)
		}
		hit := false
		for _, m := range refStep.FindAllStringSubmatch(rest, -1) {
			add(RefStep, func(f *found) { f.label = strings.ToLower(m[1]) })
			hit = true
		}
		if hit || refNext.MatchString(rest) {
			continue
		}
		for _, m := range refAction.FindAllStringSubmatch(rest, -1) {
			add(RefStep, func(f *found) { f.action = m[1] + m[2] })
			hit = true
		}
		for _, m := range refQuote.FindAllStringSubmatch(rest, -1) {
			add(RefProcedure, func(f *found) {
				f.Title, f.Link = strings.TrimSpace(m[1]+m[2]+m[3]+m[4]+m[6]), m[5]
			})
			hit = true
		}
		switch {
		case hit:
		case refEnd.MatchString(rest) || refEndTail.MatchString(rest):
			add(RefEnd, func(*found) {})
		default:
			for _, m := range refPlain.FindAllStringSubmatch(rest, -1) {
				add(RefProcedure, func(f *found) { f.Title, f.plain = strings.TrimSpace(m[1]), true })
			}
		}
	}
	return out
}

// refer finds the references of all steps and the steps they lead to. What leads
// to no step of the page is a problem.
func (p *Procedure) refer() {
	byLabel, byAction := map[string][]int{}, map[string]int{}
	for i, s := range p.Steps {
		byLabel[s.Label] = append(byLabel[s.Label], i)
		for _, a := range s.Actions {
			if _, ok := byAction[Key(a)]; !ok {
				byAction[Key(a)] = i
			}
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		refs := refsIn(s.Text, s.Start, false)
		var under []stands
		for _, c := range s.Conditions {
			refs = append(refs, conditioned(&under, c)...)
		}
		for _, r := range refs {
			switch {
			case r.label != "":
				at, ok := p.labelled(byLabel[r.label], i, r.label)
				if !ok {
					p.problem(r.Start, fmt.Sprintf("there is no step %s on this page", r.label))
					continue
				}
				r.Step = at
			case r.action != "":
				at, ok := byAction[Key(r.action)]
				if !ok {
					continue // a button that no step names; it is there to be pressed
				}
				r.Step = at
			}
			s.Refs = append(s.Refs, r.Ref)
		}
	}
}

// stands is a condition that bullets below it stand under.
type stands struct {
	depth int
	cond  string
}

// conditioned finds the references of a bullet together with the conditions of
// what it stands under: its parent bullet, or a line such as "**If it is off:**".
func conditioned(under *[]stands, c Condition) []found {
	depth := c.Depth
	if c.prose {
		depth = 0
	}
	for len(*under) > 0 && (*under)[len(*under)-1].depth >= depth {
		*under = (*under)[:len(*under)-1]
	}
	above := ""
	if n := len(*under); n > 0 {
		above = (*under)[n-1].cond
	}
	refs := refsIn(c.Text, c.Start, true)
	for i := range refs {
		switch {
		case refs[i].If == "":
			refs[i].If = above
		case above != "":
			refs[i].If = above + ", " + refs[i].If
		}
	}
	cond, _ := conditionOf(c.Text)
	if plain := strings.TrimRight(strings.ReplaceAll(c.Text, "**", ""), " "); cond == "" && strings.HasSuffix(plain, ":") && ifBegins.MatchString(plain) {
		cond = strings.TrimSuffix(plain, ":")
	}
	if cond != "" {
		if above != "" {
			cond = above + ", " + cond
		}
		*under = append(*under, stands{depth, cond})
	}
	return refs
}

var ifBegins = regexp.MustCompile(`(?i)^\W*(?:only |nur )?(?:if|when|in case|unless|wenn|falls|sofern|si|lorsque|cuando|se|caso|quando|otherwise|sonst|sinon)\b`)

// labelled picks the step that a label means where several lists of a page have
// one: the next of that name, or the last, as the number lies ahead or behind.
func (p *Procedure) labelled(at []int, from int, label string) (int, bool) {
	best, ok := -1, false
	for _, i := range at {
		ahead := len(label) > len(p.Steps[from].Label) || len(label) == len(p.Steps[from].Label) && label > p.Steps[from].Label
		switch {
		case !ok:
		case ahead && best <= from && i > from: // the first ahead
		case !ahead && i <= from: // the last behind
		default:
			continue
		}
		best, ok = i, true
	}
	return best, ok
}

func (p *Procedure) problem(at int, text string) {
	p.problems = append(p.problems, Problem{DocumentID: p.DocumentID, Title: p.Title, Line: 1 + strings.Count(p.Body[:at], "\n"), At: at, Text: text})
}

// resolve finds the procedures that pages refer to by title or link, and says
// which references lead nowhere. A name that is not quoted, linked or in bold may
// be no name at all: it counts only when there is such a page.
func (b *Book) resolve() {
	titles := map[string]int{}
	for i, p := range b.procs {
		for _, t := range []string{p.DocumentID, p.Title} {
			if k := Key(t); k != "" {
				titles[k] = i
			}
		}
	}
	for i := range b.procs {
		p := &b.procs[i]
		b.problems = append(b.problems, p.problems...)
		for j := range p.Steps {
			for k, r := range p.Steps[j].Refs {
				if r.Kind != RefProcedure {
					continue
				}
				to, ok := b.page(titles, r)
				if ok && to != i {
					b.leads[place{i, j, k}] = to
				}
				line := strings.TrimSpace(p.Body[r.Start:r.End])
				if !ok && !r.plain && !strings.Contains(r.Link, "://") && sends.MatchString(line) {
					b.problems = append(b.problems, Problem{DocumentID: p.DocumentID, Title: p.Title, Line: 1 + strings.Count(p.Body[:r.Start], "\n"), At: r.Start,
						Name: r.Title, Link: r.Link, Text: fmt.Sprintf("there is no procedure “%s”", r.Title)})
				}
			}
		}
	}
	b.cycles()
}

// sends are the words that mean a procedure, and not any page to read.
var sends = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:` + goTo + `|follow|befolgen sie|folgen sie|suivez|siga)\s`)

// place is a reference of a step of a procedure.
type place struct{ proc, step, ref int }

// page finds the procedure that a reference means.
func (b *Book) page(titles map[string]int, r Ref) (int, bool) {
	if r.Link != "" {
		link, _, _ := strings.Cut(r.Link, "#")
		link = strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(link, "/"), ".md"), ".html")
		for {
			if i, ok := titles[Key(link)]; ok {
				return i, true
			}
			_, rest, more := strings.Cut(link, "/")
			if !more {
				break
			}
			link = rest
		}
	}
	if i, ok := titles[Key(r.Title)]; ok {
		return i, true
	}
	// "the Missing parcel procedure", "Missing parcel and stop"
	words := strings.Fields(r.Title)
	for n := min(len(words), 12); n > 0; n-- {
		if i, ok := titles[Key(strings.Join(words[:n], " "))]; ok {
			return i, true
		}
	}
	return 0, false
}

// cycles finds pages that send one always back to one another. Following stops
// at a page that was seen before; people are told.
func (b *Book) cycles() {
	always := func(i int) (place, int, bool) {
		for j, s := range b.procs[i].Steps {
			for k, r := range s.Refs {
				at := place{i, j, k}
				if to, ok := b.leads[at]; ok && r.If == "" && !r.Back && sends.MatchString(b.procs[i].Body[r.Start:r.End]) {
					return at, to, true
				}
			}
		}
		return place{}, 0, false
	}
	told := map[int]bool{}
	for i := range b.procs {
		seen := map[int]bool{}
		for at := i; !seen[at]; {
			seen[at] = true
			from, to, ok := always(at)
			if !ok {
				break
			}
			if to == i && !told[i] {
				for x := range seen {
					told[x] = true
				}
				r := b.procs[from.proc].Steps[from.step].Refs[from.ref]
				b.problems = append(b.problems, Problem{DocumentID: b.procs[from.proc].DocumentID, Title: b.procs[from.proc].Title,
					Line: 1 + strings.Count(b.procs[from.proc].Body[:r.Start], "\n"), At: r.Start,
					Text: fmt.Sprintf("this goes in a circle: “%s” leads back here", b.procs[to].Title)})
			}
			at = to
		}
	}
}

// Problems are the places in procedures that cannot be followed: steps and
// procedures that are not there, and circles.
func (b *Book) Problems() []Problem { return b.problems }
