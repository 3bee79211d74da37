package ingest

import (
	"errors"
	"fmt"
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
func parseHTML(_ file, text string) ([]assist.Document, []string, error) {
	root, err := html.Parse(strings.NewReader(text))
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
	page := look(root, &d)
	markdown, err := converter.NewConverter(converter.WithPlugins(base.NewBasePlugin(), commonmark.NewCommonmarkPlugin(), table.NewTablePlugin())).ConvertNode(page)
	if err != nil {
		return nil, nil, fmt.Errorf("it could not be turned into text: %w", err)
	}
	body := strings.TrimSpace(string(markdown)) + "\n"
	if body == "\n" {
		return nil, nil, errors.New("there is no text on the page")
	}
	if err := markdownDocument(&d, body); err != nil {
		return nil, nil, err
	}
	return []assist.Document{d}, nil, nil
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

// look reads title and language, drops what is not the page's text, and gives
// the part to convert: the only <main> or <article>, else everything.
func look(root *html.Node, d *assist.Document) *html.Node {
	var mains, articles, drop []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.CommentNode {
			drop = append(drop, n)
		}
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Html:
			for _, a := range n.Attr {
				if a.Key == "lang" && d.Language == "" && set(d, "language", a.Val) != nil {
					d.Language = "" // not worth failing for
				}
			}
		case atom.Title:
			if n.FirstChild != nil && d.Title == "" && (n.Parent == nil || n.Parent.DataAtom == atom.Head) {
				d.Title = strings.Join(strings.Fields(n.FirstChild.Data), " ")
			}
		case atom.Main:
			mains = append(mains, n)
		case atom.Article:
			articles = append(articles, n)
		case atom.Script, atom.Style, atom.Nav, atom.Footer, atom.Aside, atom.Noscript, atom.Template, atom.Iframe, atom.Form,
			atom.Svg, atom.Button, atom.Object, atom.Embed, atom.Canvas, atom.Video, atom.Audio, atom.Head, atom.Dialog:
			drop = append(drop, n)
		}
		for _, a := range n.Attr {
			if a.Key == "hidden" || a.Key == "aria-hidden" && a.Val == "true" {
				drop = append(drop, n)
				break
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
		return mains[0]
	case len(articles) == 1:
		return articles[0]
	}
	return root
}
