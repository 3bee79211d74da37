package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/aside-project/aside/internal/assist"
)

// parseHTML turns a page into Markdown and takes it from there. What surrounds
// the text of a page, and what is not text, is dropped.
func parseHTML(ctx context.Context, f file, text string) ([]assist.Document, []string, error) {
	root, err := html.Parse(timedInput{ctx, strings.NewReader(text)})
	if err != nil {
		return nil, nil, fmt.Errorf("it is not readable HTML: %w", err)
	}
	if boxes(root) > maxBoxes {
		return nil, nil, fmt.Errorf("it nests more than %d lists, quotes or tables", maxBoxes)
	}
	if rows, columns := grid(root); rows*columns > maxCells {
		return nil, nil, fmt.Errorf("its tables have %d rows and up to %d columns: that is data, not a page", rows, columns)
	}
	var d assist.Document
	page, hidden := look(root, f.url, &d)
	var warnings []string
	if hidden > 0 {
		warnings = append(warnings, fmt.Sprintf("%d parts of the page that nobody can see were left out", hidden))
	}
	mustGoOn(ctx)
	c := converter.NewConverter(converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin()))
	c.Register.Renderer(func(converter.Context, converter.Writer, *html.Node) converter.RenderStatus {
		mustGoOn(ctx)
		return converter.RenderTryNext
	}, converter.PriorityEarly)
	markdown, err := c.ConvertNode(page)
	if err != nil {
		return nil, warnings, fmt.Errorf("it could not be turned into text: %w", err)
	}
	body := blankLine.ReplaceAllString(strings.TrimSpace(string(markdown)), "") + "\n"
	if body == "\n" {
		return nil, warnings, errors.New("there is no text on the page")
	}
	if err := markdownDocument(ctx, &d, body); err != nil {
		return nil, warnings, err
	}
	return []assist.Document{d}, warnings, nil
}

// timedInput ends the parsing of a page when its time is over.
type timedInput struct {
	ctx context.Context
	r   io.Reader
}

func (t timedInput) Read(p []byte) (int, error) {
	if t.ctx.Err() != nil {
		return 0, context.Cause(t.ctx)
	}
	return t.r.Read(p)
}

// maxBoxes is how deep lists, quotes and tables may nest: the converter rewrites
// what is inside at each level.
const maxBoxes = 12

// maxCells bounds a page's tables: the converter fills up every row to the width
// of the widest.
const maxCells = 200_000

// grid counts the rows of all tables and the columns of the widest.
func grid(root *html.Node) (rows, columns int) {
	for n := range root.Descendants() {
		if n.DataAtom == atom.Tr {
			rows++
			width := 0
			for c := range n.ChildNodes() {
				if c.Type == html.ElementNode {
					width++
				}
			}
			columns = max(columns, width)
		}
		for _, a := range n.Attr {
			if a.Key == "colspan" || a.Key == "rowspan" {
				if span, err := strconv.Atoi(a.Val); err == nil {
					columns = max(columns, min(span, maxCells))
				}
			}
		}
	}
	return rows, columns
}

// boxes is the depth of lists, quotes and tables in a tree. The parser bounds the
// depth of the tree itself.
func boxes(n *html.Node) int {
	most := 0
	for c := range n.ChildNodes() {
		most = max(most, boxes(c))
	}
	switch n.DataAtom {
	case atom.Ul, atom.Ol, atom.Blockquote, atom.Table:
		return most + 1
	}
	return most
}

// look reads title, language and address, drops what is not the page's text, and
// gives the part to convert: the only <main> or <article>, else everything. It
// says how many parts with text were hidden from people.
func look(root *html.Node, base *url.URL, d *assist.Document) (page *html.Node, hidden int) {
	var mains, articles, drop []*html.Node
	sheet := hiding(root)
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			drop = append(drop, n)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Html:
			if lang := attribute(n, "lang"); d.Language == "" && set(d, "language", lang) != nil {
				d.Language = "" // not worth failing for
			}
		case atom.Title:
			if n.FirstChild != nil && d.Title == "" && (n.Parent == nil || n.Parent.DataAtom == atom.Head) {
				d.Title = strings.Join(strings.Fields(n.FirstChild.Data), " ")
			}
		case atom.Link:
			if d.URL == "" && strings.EqualFold(attribute(n, "rel"), "canonical") {
				_ = set(d, "url", attribute(n, "href")) // a relative one says nothing; not worth failing for
			}
		case atom.A:
			address(n, base)
		case atom.Main:
			mains = append(mains, n)
		case atom.Article:
			articles = append(articles, n)
		case atom.Script, atom.Style, atom.Nav, atom.Footer, atom.Aside, atom.Noscript, atom.Template, atom.Iframe, atom.Form,
			atom.Svg, atom.Button, atom.Object, atom.Embed, atom.Canvas, atom.Video, atom.Audio, atom.Head, atom.Dialog:
			drop = append(drop, n)
			continue
		case atom.Header:
			if n.Parent != nil && n.Parent.DataAtom == atom.Body {
				drop = append(drop, n) // the site's; an article's own has its title
				continue
			}
		}
		if attribute(n, "aria-hidden") == "true" || banner.MatchString(attribute(n, "id")+" "+attribute(n, "class")) && n.DataAtom != atom.Body && n.DataAtom != atom.Html || roles[attribute(n, "role")] {
			drop = append(drop, n)
			continue
		}
		if unseenElement(n, sheet) {
			drop = append(drop, n)
			if hasText(n) {
				hidden++
			}
		}
	}
	for _, n := range drop {
		if n.Parent != nil {
			n.Parent.RemoveChild(n)
		}
	}
	switch {
	case len(mains) == 1:
		return mains[0], hidden
	case len(articles) == 1:
		return articles[0], hidden
	}
	return root, hidden
}

// address makes a link's address absolute where it can be, and drops one that
// leads to no page.
func address(n *html.Node, base *url.URL) {
	for i, a := range n.Attr {
		if a.Key != "href" {
			continue
		}
		u, err := url.Parse(strings.TrimSpace(a.Val))
		if err == nil && base != nil && !strings.HasPrefix(a.Val, "#") {
			u = base.ResolveReference(u)
			n.Attr[i].Val = u.String()
		}
		if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "tel" {
			n.DataAtom, n.Data = atom.Span, "span"
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasText(n *html.Node) bool {
	for c := range n.Descendants() {
		if c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
			return true
		}
	}
	return false
}

var (
	banner = regexp.MustCompile(`(?i)(?:^|[\s_-])(?:cookie|consent|gdpr|breadcrumbs?|skip-link)(?:$|[\s_-]|s\b|banner|bar|notice)`)
	roles  = map[string]bool{"navigation": true, "banner": true, "contentinfo": true, "search": true, "dialog": true, "alertdialog": true}

	gone      = regexp.MustCompile(`(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0*\.?0*\s*(?:;|!|$)|font-size\s*:\s*0*(?:\.0+)?(?:px|pt|em|rem|%)?\s*(?:;|!|$)|(?:left|top|text-indent)\s*:\s*-\d{4,}|clip\s*:\s*rect\(\s*0)`)
	whiteText = regexp.MustCompile(`(?:^|;)\s*color\s*:\s*(?:white|#fff(?:fff)?|rgb\(\s*255\s*,\s*255\s*,\s*255\s*\)|transparent)\s*(?:;|!|$)`)
	ground    = regexp.MustCompile(`(?:^|;)\s*background(?:-color|-image)?\s*:\s*(?:[^;]*)`)
	cssRule   = regexp.MustCompile(`([^{}]+)\{([^{}]*)\}`)
	blankLine = regexp.MustCompile(`(?m)^[ \t]+$`)
	simpleCSS = regexp.MustCompile(`^[.#][A-Za-z][\w-]*$`)
)

// hiding is the simple selectors (.class or #id) that a page's own style sheets
// hide. Rules inside @media and the like are for some screens only.
func hiding(root *html.Node) map[string]bool {
	sheet := map[string]bool{}
	for n := range root.Descendants() {
		if n.DataAtom != atom.Style || n.FirstChild == nil || strings.Contains(n.FirstChild.Data, "@media") {
			continue
		}
		for _, m := range cssRule.FindAllStringSubmatch(n.FirstChild.Data, 2000) {
			style := strings.ToLower(m[2])
			if !gone.MatchString(style) && !white(style) {
				continue
			}
			for s := range strings.SplitSeq(m[1], ",") {
				if s = strings.TrimSpace(s); simpleCSS.MatchString(s) {
					sheet[s] = true
				}
			}
		}
	}
	return sheet
}

// white reports whether a style makes its text white and leaves the ground as it
// is, or white as well.
func white(style string) bool {
	if !whiteText.MatchString(style) {
		return false
	}
	g := ground.FindString(style)
	return g == "" || strings.Contains(g, "white") || strings.Contains(g, "#fff")
}

// unseenElement reports whether an element is hidden by itself: its attributes,
// or the page's style sheets.
func unseenElement(n *html.Node, sheet map[string]bool) bool {
	for _, a := range n.Attr {
		switch a.Key {
		case "hidden":
			return true
		case "style":
			style := strings.ToLower(a.Val)
			if gone.MatchString(style) {
				return true
			}
			if white(style) {
				for p := n.Parent; p != nil; p = p.Parent {
					if ground.MatchString(strings.ToLower(attribute(p, "style"))) || attribute(p, "bgcolor") != "" {
						return false
					}
				}
				return true
			}
		case "class":
			for c := range strings.FieldsSeq(a.Val) {
				if sheet["."+c] {
					return true
				}
			}
		case "id":
			if sheet["#"+a.Val] {
				return true
			}
		}
	}
	return false
}
