package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

const (
	maxUnzipped = 64 << 20 // bytes of the parts that are read, together
	maxEntries  = 10_000
	maxDepth    = 200 // of elements
)

// parseDOCX turns a Word document into Markdown and takes it from there:
// headings by their style, paragraphs, lists and tables. Footnotes, comments,
// deleted text, headers and footers are left out. Nothing but the named parts of
// the archive is opened, and nothing outside of it.
func parseDOCX(ctx context.Context, data []byte) ([]assist.Document, []string, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	switch {
	case bytes.HasPrefix(data, []byte{0xd0, 0xcf, 0x11, 0xe0}):
		return nil, nil, errors.New("it is an encrypted or old Word file: save it as .docx without a password")
	case err != nil:
		return nil, nil, errors.New("it is not a whole Word document: it is cut short or damaged")
	case len(archive.File) > maxEntries:
		return nil, nil, fmt.Errorf("it has more than %d parts: that is not a Word document", maxEntries)
	}
	parts := map[string]*zip.File{}
	for _, f := range archive.File {
		if parts[f.Name] != nil {
			return nil, nil, fmt.Errorf("it has the part %s twice", clip(f.Name))
		}
		parts[f.Name] = f
	}
	if parts["word/document.xml"] == nil {
		return nil, nil, errors.New("it is a zip file, but not a Word document")
	}
	w := docx{ctx: ctx, left: maxUnzipped, styles: map[string]docxStyle{}, numbers: map[string]bool{}}
	var title string
	for _, part := range []struct {
		name string
		read func(*xml.Decoder) error
	}{
		{"docProps/core.xml", func(d *xml.Decoder) (err error) { title, err = w.coreTitle(d); return err }},
		{"word/styles.xml", w.readStyles},
		{"word/numbering.xml", w.readNumbering},
		{"word/document.xml", w.readBody},
	} {
		if err := w.part(parts[part.name], part.read); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	var warnings []string
	if w.hidden > 0 {
		warnings = append(warnings, fmt.Sprintf("%d pieces of hidden text were left out", w.hidden))
	}
	body, dropped := visible(strings.TrimSpace(gaping.ReplaceAllString(w.out.String(), "\n\n")) + "\n")
	if dropped > 0 {
		warnings = append(warnings, fmt.Sprintf("%d characters that nobody can see were left out", dropped))
	}
	if strings.TrimSpace(body) == "" {
		return nil, warnings, errors.New("there is no text in it")
	}
	d := assist.Document{Title: w.title}
	if d.Title == "" {
		d.Title = fileTitle(title)
	}
	if err := markdownDocument(ctx, &d, body); err != nil {
		return nil, warnings, err
	}
	return []assist.Document{d}, warnings, nil
}

// docx reads one document.
type docx struct {
	ctx     context.Context
	left    int64                // bytes that may still be unzipped
	styles  map[string]docxStyle // by id
	numbers map[string]bool      // numId/level → counted rather than bulleted
	out     strings.Builder
	title   string // of the paragraph in the style Title
	hidden  int
	counts  map[string]*[9]int // of numbered lists, by numId
	list    bool               // the last paragraph was of a list
}

type docxStyle struct {
	heading int // 1–6; titleLevel; 0: none
	hidden  bool
	based   string
}

const titleLevel = -1

var gaping = regexp.MustCompile(`\n{3,}`)

func (w *docx) part(f *zip.File, read func(*xml.Decoder) error) error {
	if f == nil {
		return nil
	}
	r, err := f.Open()
	if err != nil {
		return errors.New("it is damaged")
	}
	defer r.Close()
	limited := &io.LimitedReader{R: r, N: w.left + 1}
	err = read(xml.NewDecoder(timedInput{w.ctx, limited}))
	if w.left = limited.N - 1; w.left < 0 {
		return fmt.Errorf("it unpacks to more than %d MB", maxUnzipped>>20)
	}
	if errors.Is(err, zip.ErrChecksum) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it is damaged")
	}
	if syntax, ok := errors.AsType[*xml.SyntaxError](err); ok {
		return fmt.Errorf("line %d is not XML", syntax.Line)
	}
	return err
}

// each calls start and end for the elements of a part. An end without start gives
// its name; text comes between.
func each(d *xml.Decoder, start func(xml.StartElement), text func(string), end func(name string)) error {
	depth := 0
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxDepth {
				return fmt.Errorf("it nests more than %d elements", maxDepth)
			}
			start(t)
		case xml.EndElement:
			depth--
			end(t.Name.Local)
		case xml.CharData:
			text(string(t))
		case xml.Directive:
			return errors.New("it has a document type, which Word does not write")
		}
	}
}

// value is an element's attribute, whatever its name space.
func value(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// on reads a switch such as <w:vanish/>, which may say that it is off.
func on(e xml.StartElement) bool {
	v := value(e, "val")
	return v != "0" && v != "false" && v != "off" && v != "none"
}

func (w *docx) coreTitle(d *xml.Decoder) (title string, err error) {
	in := false
	err = each(d, func(e xml.StartElement) { in = e.Name.Local == "title" }, func(s string) {
		if in {
			title += s
		}
	}, func(string) { in = false })
	return title, err
}

var headingStyle = regexp.MustCompile(`(?i)^(?:heading|überschrift|titre|título|titolo|rubrik|kop) ?([1-9])$`)

func (w *docx) readStyles(d *xml.Decoder) error {
	id := ""
	var s docxStyle
	return each(d, func(e xml.StartElement) {
		switch e.Name.Local {
		case "style":
			id, s = value(e, "styleId"), docxStyle{}
		case "name":
			name := value(e, "val")
			if m := headingStyle.FindStringSubmatch(name); m != nil {
				s.heading = min(int(m[1][0]-'0'), 6)
			} else if strings.EqualFold(name, "title") {
				s.heading = titleLevel
			}
		case "basedOn":
			s.based = value(e, "val")
		case "outlineLvl":
			if n, err := strconv.Atoi(value(e, "val")); err == nil && n >= 0 && n < 9 && s.heading == 0 {
				s.heading = min(n+1, 6)
			}
		case "vanish":
			s.hidden = on(e)
		}
	}, func(string) {}, func(name string) {
		if name == "style" && id != "" {
			w.styles[id] = s
			id = ""
		}
	})
}

// heading is the level that a style or one that it is based on gives.
func (w *docx) heading(style string) int {
	for range 10 {
		s, ok := w.styles[style]
		if !ok {
			if m := headingStyle.FindStringSubmatch(style); m != nil {
				return min(int(m[1][0]-'0'), 6)
			}
			return 0
		}
		if s.heading != 0 {
			return s.heading
		}
		style = s.based
	}
	return 0
}

func (w *docx) readNumbering(d *xml.Decoder) error {
	abstract, number, level := "", "", ""
	counted := map[string]bool{} // abstract/level
	return each(d, func(e xml.StartElement) {
		switch e.Name.Local {
		case "abstractNum":
			abstract, number = value(e, "abstractNumId"), ""
		case "lvl":
			level = value(e, "ilvl")
		case "numFmt":
			if f := value(e, "val"); number == "" && f != "bullet" && f != "none" {
				counted[abstract+"/"+level] = true
			}
		case "num":
			number = value(e, "numId")
		case "abstractNumId":
			for l := range 9 {
				key := "/" + strconv.Itoa(l)
				w.numbers[number+key] = counted[value(e, "val")+key]
			}
		}
	}, func(string) {}, func(string) {})
}

// docxTable is a table being read; its cells hold text, also that of tables in them.
type docxTable struct {
	rows [][]string
	cell strings.Builder
	span int
}

// docxParagraph is a paragraph being read.
type docxParagraph struct {
	text   strings.Builder
	style  string
	level  int // of its list, from 0
	number string
	shaded bool
}

// readBody writes the document's text as Markdown.
func (w *docx) readBody(d *xml.Decoder) error {
	var tables []*docxTable
	var paragraphs []*docxParagraph // a text box has its own inside another
	skip, depth := 0, 0             // depth of the element whose content is left out
	inText, inRun, vanished, white, shaded, ground := false, false, false, false, false, false
	cells := 0
	return each(d, func(e xml.StartElement) {
		depth++
		if skip > 0 {
			return
		}
		var p *docxParagraph
		if len(paragraphs) > 0 {
			p = paragraphs[len(paragraphs)-1]
		}
		switch e.Name.Local {
		case "del", "moveFrom", "Fallback", "footnoteReference", "endnoteReference", "instrText", "sectPr", "rPrChange", "pPrChange", "tblPrChange":
			skip = depth
		case "p":
			paragraphs = append(paragraphs, &docxParagraph{})
		case "tbl":
			tables = append(tables, &docxTable{})
		case "tr":
			if n := len(tables); n > 0 {
				tables[n-1].rows = append(tables[n-1].rows, nil)
			}
		case "tc":
			if n := len(tables); n > 0 {
				tables[n-1].cell.Reset()
				tables[n-1].span = 1
				ground = false
			}
		case "gridSpan":
			if v, err := strconv.Atoi(value(e, "val")); err == nil && len(tables) > 0 {
				tables[len(tables)-1].span = min(max(v, 1), 60)
			}
		case "pStyle":
			if p != nil {
				p.style = value(e, "val")
			}
		case "ilvl":
			if v, err := strconv.Atoi(value(e, "val")); err == nil && p != nil {
				p.level = min(max(v, 0), 8)
			}
		case "numId":
			if p != nil {
				p.number = value(e, "val")
			}
		case "r":
			inRun, vanished, white, shaded = true, false, false, false
		case "vanish":
			vanished = vanished || on(e)
		case "rStyle":
			vanished = vanished || w.styles[value(e, "val")].hidden
		case "color":
			c := strings.ToUpper(value(e, "val"))
			white = c == "FFFFFF" || c == "FEFEFE"
		case "shd", "highlight":
			coloured := e.Name.Local == "highlight" || !slices.Contains([]string{"", "FFFFFF", "AUTO"}, strings.ToUpper(value(e, "fill")))
			if inRun {
				shaded = shaded || coloured
			} else if p != nil {
				p.shaded = coloured
			} else {
				ground = coloured // of the cell
			}
		case "sz":
			if n, err := strconv.Atoi(value(e, "val")); err == nil && n <= 2 {
				vanished = true
			}
		case "t":
			inText = true
		case "tab":
			if p != nil && p.text.Len() > 0 {
				p.text.WriteByte(' ')
			}
		case "br", "cr":
			if p != nil {
				p.text.WriteByte(' ')
			}
		case "noBreakHyphen":
			if p != nil {
				p.text.WriteByte('-')
			}
		}
	}, func(s string) {
		if !inText || skip > 0 || len(paragraphs) == 0 {
			return
		}
		p := paragraphs[len(paragraphs)-1]
		if vanished || white && !shaded && !p.shaded && !(ground && len(tables) > 0) {
			w.hidden++
			return
		}
		p.text.WriteString(s)
	}, func(name string) {
		switch depth--; {
		case skip > 0:
			if depth < skip {
				skip = 0
			}
		case name == "t":
			inText = false
		case name == "r":
			inRun = false
		case name == "p" && len(paragraphs) > 0:
			p := paragraphs[len(paragraphs)-1]
			paragraphs = paragraphs[:len(paragraphs)-1]
			if text := strings.Join(strings.Fields(p.text.String()), " "); text != "" {
				if n := len(tables); n > 0 {
					tables[n-1].cell.WriteString(" " + text)
				} else {
					w.paragraph(p, text)
				}
			}
		case name == "tc" && len(tables) > 0:
			t := tables[len(tables)-1]
			if n := len(t.rows); n > 0 {
				for i := range t.span {
					cell := ""
					if i == 0 {
						cell = marks.Replace(strings.TrimSpace(t.cell.String()))
					}
					if cells++; cells <= maxCells {
						t.rows[n-1] = append(t.rows[n-1], cell)
					}
				}
			}
		case name == "tbl" && len(tables) > 0:
			t := tables[len(tables)-1]
			if tables = tables[:len(tables)-1]; len(tables) > 0 {
				for _, row := range t.rows {
					tables[len(tables)-1].cell.WriteString(" " + strings.Join(row, " "))
				}
				return
			}
			w.table(t.rows)
		}
	})
}

// paragraph writes one paragraph.
func (w *docx) paragraph(p *docxParagraph, text string) {
	level := w.heading(p.style)
	switch {
	case level == titleLevel && w.title == "":
		w.title = shorten(text)
		fmt.Fprintf(&w.out, "\n# %s\n\n", marks.Replace(text))
	case level == titleLevel:
		fmt.Fprintf(&w.out, "\n%s\n\n", plain(text))
	case level > 0:
		fmt.Fprintf(&w.out, "\n%s %s\n\n", strings.Repeat("#", level), marks.Replace(text))
	case p.number != "" && p.number != "0" || strings.HasPrefix(p.style, "List"):
		mark := "-"
		if w.numbers[p.number+"/"+strconv.Itoa(p.level)] || strings.HasPrefix(p.style, "ListNumber") {
			mark = w.count(p.number, p.level)
		}
		fmt.Fprintf(&w.out, "%s%s %s\n", strings.Repeat("   ", p.level), mark, marks.Replace(text))
		w.list = true
		return
	default:
		if w.list {
			w.out.WriteString("\n")
		}
		fmt.Fprintf(&w.out, "%s\n\n", plain(text))
	}
	w.list = false
}

// count gives the next number of a list, and begins those inside it anew.
func (w *docx) count(number string, level int) string {
	if w.counts == nil {
		w.counts = map[string]*[9]int{}
	}
	c := w.counts[number]
	if c == nil {
		c = new([9]int)
		w.counts[number] = c
	}
	c[level]++
	clear(c[level+1:])
	return strconv.Itoa(c[level]) + "."
}

// table writes a table; one of a single cell is a box around text.
func (w *docx) table(rows [][]string) {
	width := 0
	for _, row := range rows {
		width = max(width, len(row))
	}
	if width == 0 {
		return
	}
	if w.list {
		w.out.WriteString("\n")
		w.list = false
	}
	if width == 1 {
		for _, row := range rows {
			if len(row) > 0 {
				fmt.Fprintf(&w.out, "%s\n\n", row[0])
			}
		}
		return
	}
	for i := range rows {
		for len(rows[i]) < width && len(rows)*width <= maxCells {
			rows[i] = append(rows[i], "")
		}
	}
	w.out.WriteString("\n" + markdownTable(rows) + "\n")
}
