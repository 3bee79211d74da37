package ingest

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"github.com/aside-project/aside/internal/assist"
)

// maxNesting is how many quotes and lists may begin on one line. The Markdown
// parser's time grows with the square of it.
const maxNesting = 40

func parseMarkdown(ctx context.Context, _ file, text string) ([]assist.Document, []string, error) {
	d, body, warnings, err := frontMatter(text)
	if err != nil {
		return nil, warnings, err
	}
	if err := markdownDocument(ctx, &d, body); err != nil {
		return nil, warnings, err
	}
	return []assist.Document{d}, warnings, nil
}

// markdownDocument sets body, title and passages from Markdown.
func markdownDocument(ctx context.Context, d *assist.Document, body string) error {
	sections, title, err := sections(ctx, body)
	if err != nil {
		return err
	}
	if d.Title == "" {
		d.Title = title
	}
	d.Body = body
	d.Passages = split(body, sections, d.Title)
	return nil
}

// section is the text under one heading, and the blocks it is made of.
type section struct {
	headings []string // from the outermost
	heading  block    // zero for what stands before the first heading
	blocks   []block
	parent   bool // its sub-sections say what it holds
}

// block is a paragraph, list, table or the like: a byte range of the body that
// ends where the next block begins.
type block struct {
	kind       blockKind
	start, end int
	items      []block // of a list
}

type blockKind int

const (
	blockText blockKind = iota
	blockList
	blockTable
	blockCode
)

// sections finds the headings and blocks of a Markdown text, and its first heading
// of level 1, which is the title of a page that has no other.
func sections(ctx context.Context, body string) (all []section, title string, err error) {
	if line := nestedLine(body); line > 0 {
		return nil, "", fmt.Errorf("line %d nests more than %d quotes or lists", line, maxNesting)
	}
	source := []byte(body)
	// Without paragraph transformers: only link definitions are one, and its time
	// grows with the square of their number. readable drops them.
	root := parser.NewParser(parser.WithBlockParsers(parser.DefaultBlockParsers()...)).Parse(&timedReader{Reader: text.NewReader(source), ctx: ctx})
	all = []section{{}}
	var levels []int // of the headings above
	var path []string
	var last *block
	for n := root.FirstChild(); n != nil; n = n.NextSibling() {
		start := lineStart(body, n.Pos())
		if last != nil {
			last.end = start
		} else {
			start = 0
		}
		if h, ok := n.(*ast.Heading); ok {
			words := headingText(h, source)
			for len(levels) > 0 && levels[len(levels)-1] >= h.Level {
				levels, path = levels[:len(levels)-1], path[:len(path)-1]
			}
			if title == "" && h.Level == 1 {
				title = words
			}
			levels, path = append(levels, h.Level), append(path, words)
			all[len(all)-1].parent = len(path) > len(all[len(all)-1].headings)
			all = append(all, section{headings: append([]string(nil), path...), heading: block{start: start}})
			last = &all[len(all)-1].heading
			continue
		}
		b := block{start: start}
		switch n.Kind() {
		case ast.KindList:
			b.kind = blockList
			for item := n.FirstChild(); item != nil; item = item.NextSibling() {
				at := lineStart(body, item.Pos())
				if k := len(b.items); k > 0 {
					if at <= b.items[k-1].start {
						continue // two on a line, as in "- - a"
					}
					b.items[k-1].end = at
				}
				b.items = append(b.items, block{start: at})
			}
		case ast.KindFencedCodeBlock, ast.KindCodeBlock:
			b.kind = blockCode
		case ast.KindParagraph:
			if strings.HasPrefix(strings.TrimSpace(body[start:]), "|") {
				b.kind = blockTable
			}
		}
		s := &all[len(all)-1]
		s.blocks = append(s.blocks, b)
		last = &s.blocks[len(s.blocks)-1]
	}
	if last == nil {
		return []section{{blocks: []block{{end: len(body)}}}}, "", nil
	}
	last.end = len(body)
	for i := range all {
		for j := range all[i].blocks {
			if b := &all[i].blocks[j]; len(b.items) > 0 {
				b.items[0].start = b.start
				b.items[len(b.items)-1].end = b.end
			}
		}
	}
	return all, title, nil
}

// nestedLine is the first line that begins with too many quotes and lists, 0 if
// none does.
func nestedLine(body string) int {
	n := 0
	for line := range strings.Lines(body) {
		n++
		depth, i := 0, 0
	scan:
		for ; i < len(line); i++ {
			switch c := line[i]; {
			case c == ' ' || c == '\t' || '0' <= c && c <= '9':
			case c == '>':
				depth++
			case strings.IndexByte("-*+.)", c) >= 0:
				if i+1 < len(line) && (line[i+1] == ' ' || line[i+1] == '\t') {
					depth++
				}
			default:
				break scan
			}
		}
		if depth > maxNesting || depth > 0 && i > 4*maxNesting { // by its indent
			return n
		}
	}
	return 0
}

func lineStart(body string, at int) int {
	at = min(max(at, 0), len(body))
	return strings.LastIndexByte(body[:at], '\n') + 1
}

func headingText(h *ast.Heading, source []byte) string {
	return shorten(readable(string(h.Lines().Value(source))))
}

var (
	image    = regexp.MustCompile(`!\[([^\]\n]*)\]\([^()\n]*\)`)
	link     = regexp.MustCompile(`\\?\[([^\]\n]+)\]\(<?([^()\s>]+)>?(?: "[^"\n]*")?\)`)
	strong   = regexp.MustCompile(`\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*|\b__([^\s_](?:[^_\n]*[^\s_])?)__\b`)
	emphasis = regexp.MustCompile(`\*([^\s*](?:[^*\n]*[^\s*])?)\*`)
	comment  = regexp.MustCompile(`(?s)<!--.*?-->`)
	escape   = regexp.MustCompile(`\\([!-/:-@\[-` + "`" + `{}~])`) // not \\|, which is no border of a cell
	defined  = regexp.MustCompile(`(?m)^ {0,3}\[[^\]\n]+\]:[ \t]+\S+(?:[ \t]+["'(][^\n]*)?$`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} `)
)

// readable is Markdown as a person reads it aloud: without emphasis, with a
// link's address behind its words, because an address in an answer must be found
// in a passage. Lists and tables stay as they are.
func readable(s string) string {
	if strings.ContainsAny(s, "*_[<\\#") {
		s = comment.ReplaceAllString(s, "")
		s = defined.ReplaceAllString(s, "")
		s = image.ReplaceAllString(s, "$1")
		s = link.ReplaceAllStringFunc(s, func(l string) string {
			if l[0] == '\\' {
				return l
			}
			m := link.FindStringSubmatch(l)
			if m[1] == m[2] || strings.HasPrefix(m[2], "#") {
				return m[1]
			}
			return m[1] + " (" + m[2] + ")"
		})
		s = strong.ReplaceAllString(s, "$1$2")
		s = emphasis.ReplaceAllString(s, "$1")
		s = escape.ReplaceAllString(s, "$1")
		s = heading.ReplaceAllString(s, "")
	}
	return strings.TrimSpace(s)
}

var (
	numberedStep = regexp.MustCompile(`(?m)^[ \t]*\d{1,3}[.)][ \t]`)
	button       = regexp.MustCompile(`\[[A-Z][^\]\n]{1,60}\](?:[^(\[:]|$)`)
)

// guessKind takes numbered steps with [Buttons] for a procedure.
func guessKind(body string) assist.Kind {
	if len(numberedStep.FindAllStringIndex(body, 2)) == 2 && button.MatchString(body) {
		return assist.KindProcedure
	}
	return assist.KindPolicy
}

// timedReader ends a parse when its time is over. The parser takes no context and
// asks its reader all the time.
type timedReader struct {
	text.Reader
	ctx   context.Context
	asked int
}

func (r *timedReader) PeekLine() ([]byte, text.Segment) {
	if r.asked++; r.asked%64 == 0 {
		mustGoOn(r.ctx)
	}
	return r.Reader.PeekLine()
}

// mustGoOn panics with errTooLong when the time is over. It is for callbacks of
// parsers that know no other way out; safely recovers it.
func mustGoOn(ctx context.Context) {
	if ctx.Err() != nil {
		panic(context.Cause(ctx))
	}
}
