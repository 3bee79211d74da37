package ingest

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// box is an area of a page in points; y grows upwards.
type box struct{ l, b, r, t float64 }

func (b box) grow(by float64) box { return box{b.l - by, b.b - by, b.r + by, b.t + by} }

// pdfWord is a word where it stands on its page.
type pdfWord struct {
	box
	text   string
	bold   bool
	turned bool // it runs up or down the page
}

// pdfPage is what a person can read on a page, in the order of the file.
type pdfPage struct {
	words  []pdfWord
	hidden int // words that were left out
}

// softHyphen is PDFium's word that the hyphen at the end of a line may go.
const softHyphen = '\u2010'

// segment is words on a line with no wide gap between them: a line of a
// column, or a cell of a table.
type segment struct {
	box
	words []string
	size  float64
	bold  bool
}

func (s segment) text() string { return strings.Join(s.words, " ") }

// line is segments side by side.
type line struct {
	box
	segments []segment
	page     int
}

// layout makes Markdown of pages: columns one after the other, headings by their
// size or weight, tables by what stands below each other; lines that repeat from
// page to page and page numbers are dropped, words cut at line ends joined. The
// offsets say where each page's text begins.
func layout(pages []pdfPage) (body string, starts []int) {
	var all [][]segment
	for _, p := range pages {
		all = append(all, segments(p.words))
	}
	dropRunning(all)
	w := writer{vocabulary: vocabulary(all)}
	w.measure(all)
	for i, segs := range all {
		w.page = i
		w.starts = append(w.starts, -1)
		for _, column := range columns(segs, 0) {
			w.column(lineUp(column))
		}
	}
	w.flush()
	end := w.b.Len()
	for i := len(w.starts) - 1; i >= 0; i-- {
		if w.starts[i] < 0 {
			w.starts[i] = end
		}
		end = w.starts[i]
	}
	return w.b.String(), w.starts
}

// segments puts a page's words into lines by where they stand, and cuts the lines
// at wide gaps.
func segments(words []pdfWord) []segment {
	words = upright(words)
	middle := func(b box) float64 { return (b.b + b.t) / 2 }
	slices.SortStableFunc(words, func(a, b pdfWord) int { return cmp.Compare(middle(b.box), middle(a.box)) })
	var rows [][]pdfWord
	var at box
	for _, w := range words {
		m := middle(w.box)
		if n := len(rows); n > 0 && (at.b <= m && m <= at.t-0.2*(at.t-at.b) || w.b <= middle(at) && middle(at) <= w.t && w.t-w.b > at.t-at.b) {
			rows[n-1] = append(rows[n-1], w)
			if w.t-w.b > at.t-at.b {
				at = w.box
			}
			continue
		}
		rows = append(rows, []pdfWord{w})
		at = w.box
	}
	var all []segment
	for _, row := range rows {
		slices.SortStableFunc(row, func(a, b pdfWord) int { return cmp.Compare(a.l, b.l) })
		first := len(all)
		for _, w := range row {
			size := w.t - w.b
			if n := len(all); n > first {
				s := &all[n-1]
				if gap := w.l - s.r; gap < 0.8*min(size, s.size) {
					if gap < 0.08*size && gap > -0.5*size {
						s.words[len(s.words)-1] += w.text // one word in two fonts
					} else {
						s.words = append(s.words, w.text)
					}
					s.box = box{min(s.l, w.l), min(s.b, w.b), max(s.r, w.r), max(s.t, w.t)}
					s.size = max(s.size, size)
					s.bold = s.bold && w.bold
					continue
				}
			}
			all = append(all, segment{box: w.box, words: []string{w.text}, size: size, bold: w.bold})
		}
	}
	return all
}

// upright drops what runs up the margin of a page, but not of a page that is all
// turned. The result is the caller's own.
func upright(words []pdfWord) []pdfWord {
	straight := slices.DeleteFunc(slices.Clone(words), func(w pdfWord) bool { return w.turned })
	if 2*len(straight) < len(words) {
		return slices.Clone(words)
	}
	return straight
}

var (
	digits     = regexp.MustCompile(`\d+`)
	pageNumber = regexp.MustCompile(`(?i)^[-–— ]*(?:page|seite|página|pagina|p\.)? *#(?: *(?:of|/|von|sur|de) *#)?[-–— ]*$`)
)

// dropRunning removes what stands at the top or bottom of at least half of the
// pages, numbers aside, and lone page numbers there.
func dropRunning(pages [][]segment) {
	const edges = 3 // lines looked at, from the top and from the bottom
	key := func(s segment) string {
		return fmt.Sprintf("%s@%.0f", digits.ReplaceAllString(s.text(), "#"), s.b/4)
	}
	at := func(segs []segment) (out map[int]bool) {
		out = map[int]bool{}
		for _, order := range []func(a, b segment) int{
			func(a, b segment) int { return cmp.Compare(b.b, a.b) },
			func(a, b segment) int { return cmp.Compare(a.b, b.b) },
		} {
			index := make([]int, len(segs))
			for i := range index {
				index[i] = i
			}
			slices.SortStableFunc(index, func(i, j int) int { return order(segs[i], segs[j]) })
			lines, last := 0, math.NaN()
			for _, i := range index {
				if !(math.Abs(segs[i].b-last) <= segs[i].size/2) {
					if lines++; lines > edges {
						break
					}
					last = segs[i].b
				}
				out[i] = true
			}
		}
		return out
	}
	seen := map[string]int{}
	for _, segs := range pages {
		once := map[string]bool{}
		for i := range at(segs) {
			once[key(segs[i])] = true
		}
		for k := range once {
			seen[k]++
		}
	}
	for p, segs := range pages {
		edge := at(segs)
		var kept []segment
		for i, s := range segs {
			repeats := len(pages) > 1 && seen[key(s)] >= max(2, (len(pages)+1)/2)
			numbers := pageNumber.MatchString(digits.ReplaceAllString(s.text(), "#"))
			if edge[i] && (repeats && beside(segs, i) < 3 || numbers && beside(segs, i) == 0) {
				continue
			}
			kept = append(kept, s)
		}
		pages[p] = kept
	}
}

// beside counts what stands on the same line: a number in a table's last row is
// not a page number.
func beside(segs []segment, i int) int {
	n := -1
	for _, s := range segs {
		if math.Abs(s.b-segs[i].b) < segs[i].size/2 {
			n++
		}
	}
	return n
}

// columns parts a page where text runs in columns, and gives them in the order
// of reading. What crosses the gap, such as a title, parts the page in height.
func columns(segs []segment, depth int) [][]segment {
	x, ok := gutter(segs)
	if !ok || depth > 4 {
		return [][]segment{segs}
	}
	var out [][]segment
	var left, right []segment
	flush := func() {
		for _, side := range [][]segment{left, right} {
			if len(side) > 0 {
				out = append(out, columns(side, depth+1)...)
			}
		}
		left, right = nil, nil
	}
	for _, s := range segs { // from top to bottom
		switch {
		case s.r <= x:
			left = append(left, s)
		case s.l >= x:
			right = append(right, s)
		default:
			flush()
			out = append(out, []segment{s})
		}
	}
	flush()
	return out
}

// gutter finds the x between two columns of running text.
func gutter(segs []segment) (x float64, ok bool) {
	if len(segs) < 8 || len(segs) > 2000 {
		return 0, false
	}
	fewest, balance := len(segs)/6+1, 0
	for _, c := range segs {
		at := c.r + 1
		cross := 0
		var left, right []segment
		for _, s := range segs {
			switch {
			case s.r <= at:
				left = append(left, s)
			case s.l >= at:
				right = append(right, s)
			default:
				cross++
			}
		}
		even := min(len(left), len(right))
		if cross < fewest || cross == fewest && even > balance {
			if prose(left) && prose(right) {
				x, ok, fewest, balance = at, true, cross, even
			}
		}
	}
	return x, ok
}

// prose reports whether segments look like lines of running text, not cells.
func prose(segs []segment) bool {
	if len(segs) < 4 {
		return false
	}
	l, r := math.Inf(1), math.Inf(-1)
	for _, s := range segs {
		l, r = min(l, s.l), max(r, s.r)
	}
	wide, wordy := 0, 0
	for _, s := range segs {
		if s.r-s.l >= 0.55*(r-l) {
			wide++
		}
		if len(s.words) >= 4 {
			wordy++
		}
	}
	return 2*wide >= len(segs) && 2*wordy >= len(segs)
}

// lineUp joins segments of one column that stand side by side.
func lineUp(segs []segment) []line {
	var lines []line
	for _, s := range segs {
		if n := len(lines); n > 0 {
			at := &lines[n-1]
			if m := (s.b + s.t) / 2; at.b <= m && m <= at.t {
				at.segments = append(at.segments, s)
				at.box = box{min(at.l, s.l), min(at.b, s.b), max(at.r, s.r), max(at.t, s.t)}
				continue
			}
		}
		lines = append(lines, line{box: s.box, segments: []segment{s}})
	}
	for i := range lines {
		slices.SortStableFunc(lines[i].segments, func(a, b segment) int { return cmp.Compare(a.l, b.l) })
	}
	return lines
}

// writer writes lines as Markdown.
type writer struct {
	b          strings.Builder
	starts     []int // offset of each page's text, -1: none yet
	page       int
	vocabulary map[string]bool
	body       float64   // size of most letters
	leading    float64   // usual distance between lines, in sizes
	levels     []float64 // sizes of headings, from the largest
	bolds      bool      // bold lines are headings: there is not much of it

	para   strings.Builder
	prefix string // of the paragraph: "## ", "- " or nothing
	last   line   // of the paragraph
	from   int    // page where it begins
	right  float64
}

// measure finds the sizes of body and headings.
func (w *writer) measure(pages [][]segment) {
	sizes := map[float64]int{}
	var steps []float64
	bold := 0
	for _, segs := range pages {
		lines := lineUp(segs)
		for i, l := range lines {
			for _, s := range l.segments {
				sizes[math.Round(s.size*2)/2] += len(s.text())
				if s.bold {
					bold += len(s.text())
				}
			}
			if i > 0 {
				if step := (lines[i-1].b - l.b) / l.segments[0].size; step > 0.5 && step < 2.5 {
					steps = append(steps, step)
				}
			}
		}
	}
	most := 0
	for size, n := range sizes {
		if n > most || n == most && size < w.body {
			w.body, most = size, n
		}
	}
	// What a tenth of all letters have is no heading's size: notes and abstracts
	// are often set smaller than the text, and there may be many of them.
	total, largest := 0, w.body
	for _, n := range sizes {
		total += n
	}
	w.bolds = 5*bold < total
	for size, n := range sizes {
		if 10*n >= total {
			largest = max(largest, size)
		}
	}
	slices.Sort(steps)
	w.leading = 1.2
	if len(steps) > 0 {
		w.leading = steps[len(steps)/4]
	}
	for size := range sizes {
		if size >= 1.15*largest {
			w.levels = append(w.levels, size)
		}
	}
	slices.SortFunc(w.levels, func(a, b float64) int { return cmp.Compare(b, a) })
}

// level is that of a heading, 0 for other lines.
func (w *writer) level(l line) int {
	if len(l.segments) != 1 {
		return 0
	}
	s := l.segments[0]
	text := s.text()
	if len(s.words) > 15 || strings.HasPrefix(text, "-") || !strings.ContainsFunc(text, unicode.IsLetter) || strings.ContainsRune(".,;:", rune(text[len(text)-1])) {
		return 0
	}
	size := math.Round(s.size*2) / 2
	for i, large := range w.levels {
		if size >= large {
			return min(i+1, 4)
		}
	}
	if w.bolds && s.bold && size >= w.body && len(s.words) <= 10 {
		return min(len(w.levels)+1, 5)
	}
	return 0
}

// column writes one column's lines.
func (w *writer) column(lines []line) {
	w.right = math.Inf(-1)
	for i := range lines {
		lines[i].page = w.page
		w.right = max(w.right, lines[i].r)
	}
	for i := 0; i < len(lines); {
		if n := w.table(lines[i:]); n > 0 {
			i += n
			continue
		}
		w.line(lines[i])
		i++
	}
}

var bullet = regexp.MustCompile(`^(?:[•‣▪◦●○■–·\x{f0b7}\x{f0a7}\x{2212}]|-|\*)\s+`)
var numbered = regexp.MustCompile(`^(?:\d{1,3}|[a-z])[.)]\s`)

func (w *writer) line(l line) {
	var words []string
	for _, s := range l.segments {
		words = append(words, s.words...)
	}
	text := strings.Join(words, " ")
	prefix := ""
	switch level := w.level(l); {
	case level > 0:
		prefix = strings.Repeat("#", level) + " "
	case bullet.MatchString(text):
		prefix, text = "- ", bullet.ReplaceAllString(text, "")
	}
	if w.joins(l, prefix, text) {
		w.join(text)
	} else {
		w.flush()
		w.prefix, w.from = prefix, w.page
		w.para.WriteString(text)
	}
	w.last = l
}

// joins reports whether a line goes on with the paragraph.
func (w *writer) joins(l line, prefix, text string) bool {
	if w.para.Len() == 0 || numbered.MatchString(text) || prefix == "- " {
		return false
	}
	size, before := l.segments[0].size, w.last.segments[0].size
	if math.Abs(size-before) > 0.12*before {
		return false
	}
	if strings.HasPrefix(w.prefix, "#") || prefix != "" {
		return w.prefix == prefix && w.last.page == l.page && w.last.b-l.b < 1.6*size
	}
	so := strings.TrimRight(w.para.String(), `"'”’)`)
	ends := so != "" && strings.ContainsRune(".!?:", rune(so[len(so)-1]))
	step := w.last.b - l.b
	if w.last.page != l.page || step < 0 { // the next column or page
		first, _ := utf8.DecodeRuneInString(text)
		return !ends && (unicode.IsLower(first) || strings.HasSuffix(so, string(softHyphen)) || strings.HasSuffix(so, "-"))
	}
	if step > (w.leading+0.35)*size {
		return false
	}
	return !ends || w.last.r > w.right-0.15*(w.right-w.last.l)
}

// join appends a line, and joins a word that was cut at the end of the last: as
// one word, unless the document writes it with the hyphen elsewhere.
func (w *writer) join(text string) {
	so := w.para.String()
	cut := strings.TrimRight(so, string(softHyphen))
	soft := cut != so
	if !soft && len(so) > 1 && strings.HasSuffix(so, "-") && unicode.IsLetter(rune(so[len(so)-2])) {
		cut = so[:len(so)-1]
	}
	first, _ := utf8.DecodeRuneInString(text)
	if cut == so || !unicode.IsLetter(first) {
		w.para.WriteString(" " + text)
		return
	}
	head := lastWord(cut)
	tail, _, _ := strings.Cut(text, " ")
	tail = strings.TrimRight(tail, ".,;:!?)")
	w.para.Reset()
	w.para.WriteString(cut)
	if !unicode.IsLower(first) || w.vocabulary[strings.ToLower(head+"-"+tail)] && !w.vocabulary[strings.ToLower(head+tail)] {
		w.para.WriteString("-")
	}
	w.para.WriteString(text)
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

// vocabulary is the words of a document that stand whole on a line.
func vocabulary(pages [][]segment) map[string]bool {
	v := map[string]bool{}
	for _, segs := range pages {
		for _, s := range segs {
			for i, word := range s.words {
				if i < len(s.words)-1 {
					v[strings.ToLower(strings.Trim(word, ".,;:!?()\"'"))] = true
				}
			}
		}
	}
	return v
}

// table writes the table that begins with the first line and gives how many lines
// it has, 0 if none begins there.
func (w *writer) table(lines []line) int {
	if len(lines[0].segments) < 2 || len(lines[0].segments) > 20 {
		return 0
	}
	free := gaps(lines[0])
	n, last := 1, 1 // lines, up to the last one with cells side by side
	for n < len(lines) {
		if lines[n-1].b-lines[n].t > 2.5*w.body {
			break
		}
		next := narrow(free, lines[n])
		if len(next) == 0 || len(lines[n].segments) > 1 && len(next) < len(free) && 2*len(next) < len(free) {
			break
		}
		if len(lines[n].segments) > 1 {
			last = n + 1
		}
		free = next
		n++
	}
	if last < 2 {
		return 0
	}
	n, free = last, gaps(lines[0])
	for _, l := range lines[1:n] {
		free = narrow(free, l)
	}
	var rows [][]string
	for _, l := range lines[:n] {
		row := make([]string, len(free)+1)
		for _, s := range l.segments {
			c := 0
			for c < len(free) && s.l >= free[c][1]-0.5 {
				c++
			}
			row[c] = strings.TrimSpace(row[c] + " " + s.text())
		}
		// A line without a first cell goes on with the row above.
		if k := len(rows); k > 0 && row[0] == "" {
			for c := range row {
				rows[k-1][c] = strings.TrimSpace(rows[k-1][c] + " " + row[c])
			}
			continue
		}
		rows = append(rows, row)
	}
	w.flush()
	w.begin(w.page)
	w.b.WriteString(markdownTable(rows))
	w.b.WriteString("\n")
	return n
}

// gaps are the free stretches between a line's segments.
func gaps(l line) (free [][2]float64) {
	for i := 1; i < len(l.segments); i++ {
		free = append(free, [2]float64{l.segments[i-1].r, l.segments[i].l})
	}
	return free
}

// narrow takes what a line covers from the free stretches, and drops those of
// which too little is left.
func narrow(free [][2]float64, l line) (left [][2]float64) {
	for _, g := range free {
		for _, s := range l.segments {
			switch mid := (g[0] + g[1]) / 2; {
			case s.r <= g[0] || s.l >= g[1]:
			case (s.l+s.r)/2 < mid:
				g[0] = max(g[0], s.r)
			default:
				g[1] = min(g[1], s.l)
			}
		}
		if g[1]-g[0] > 2 {
			left = append(left, g)
		}
	}
	return left
}

// markdownTable writes rows as a table, the first as its head.
func markdownTable(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("|")
		for _, cell := range row {
			cell = strings.ReplaceAll(strings.Join(strings.Fields(cell), " "), "|", `\|`)
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
		if i == 0 {
			b.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
	return b.String()
}

// begin notes where a page's text begins.
func (w *writer) begin(page int) {
	if w.starts[page] < 0 {
		w.starts[page] = w.b.Len()
	}
}

// flush writes the paragraph.
func (w *writer) flush() {
	if w.para.Len() == 0 {
		return
	}
	text := strings.ReplaceAll(w.para.String(), string(softHyphen), "-")
	w.para.Reset()
	w.begin(w.from)
	if w.prefix == "" {
		text = plain(text)
	} else {
		text = marks.Replace(text)
	}
	w.b.WriteString(w.prefix + text + "\n\n")
}

var marks = strings.NewReplacer(`\`, `\\`, "*", `\*`, "__", `\_\_`, "[", `\[`, "<", `\<`, "`", "\\`")

// plain escapes what would be Markdown in text that is not. Numbered lines stay
// what they look like.
func plain(text string) string {
	text = marks.Replace(text)
	if text != "" && strings.IndexByte("#>|+-=~", text[0]) >= 0 {
		return `\` + text
	}
	return text
}
