// Package bulk makes knowledge bases of any size out of real text, for
// measurements at size. Pages are made of shuffled sentences, each page's from one
// real collection, so that terms occur about as often, and together with such
// others, as they do there. The same seed gives the same pages.
package bulk

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/lex"
)

// Text is the real text that pages are made of.
type Text struct {
	collections []collection
	sentences   int
}

type collection struct {
	name              string
	titles, sentences []string
}

// sets are the development data whose passages are prose.
var sets = []string{"tau-knowledge", "doc2dial", "feedbackqa", "mtrag-un", "dstc11", "dstc10-spoken", "abcd", "stackfaq"}

// ReadText reads the data sets in a folder, or, where it is "", the knowledge of
// the sample company, which is small: its words recur too often for figures.
func ReadText(dev string) (*Text, error) {
	t := &Text{}
	if dev == "" {
		c := collection{name: "company"}
		err := fs.WalkDir(evals.Files, "knowledge", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".md" {
				return err
			}
			content, err := fs.ReadFile(evals.Files, path)
			if err == nil {
				_, body, _ := strings.Cut(strings.TrimPrefix(string(content), "---\n"), "\n---\n")
				c.add(strings.TrimSuffix(filepath.Base(path), ".md"), body)
			}
			return err
		})
		t.keep(c)
		return t, err
	}
	for _, set := range sets {
		c := collection{name: set}
		if err := c.read(filepath.Join(dev, set, "corpus.jsonl")); err != nil {
			return nil, err
		}
		t.keep(c)
	}
	return t, nil
}

func (t *Text) keep(c collection) {
	if len(c.sentences) > 0 {
		t.collections = append(t.collections, c)
		t.sentences += len(c.sentences)
	}
}

func (c *collection) read(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var p struct{ Title, Text string }
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		c.add(p.Title, p.Text)
	}
	return lines.Err()
}

func (c *collection) add(title, text string) {
	if title = plain(title); len(title) > 2 && len(title) < 100 {
		c.titles = append(c.titles, title)
	}
	for _, s := range lex.Sentences(text) {
		if s := plain(text[s.Start:s.End]); len(s) > 20 && len(s) < 600 {
			c.sentences = append(c.sentences, s)
		}
	}
}

// plain is text on one line that Markdown reads as words.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("#*_`|<>[]{}\\~", r) {
			return ' '
		}
		return r
	}, s)
	return strings.TrimLeft(strings.Join(strings.Fields(s), " "), "-+=0123456789.) ")
}

const (
	Sections     = 20  // of a page, each of which becomes a passage
	sectionWords = 110 // at least this many less one sentence: two do not fit one passage
	internalOf   = 10  // one page of so many is internal
)

// Write writes pages of about so many passages below dir, a thousand files a
// folder. Nine of ten are public.
func (t *Text) Write(dir string, passages int, seed uint64) error {
	if t.sentences == 0 {
		return fmt.Errorf("there is no text to make pages of")
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for page := range (passages + Sections - 1) / Sections {
		folder := filepath.Join(dir, fmt.Sprintf("%04d", page/1000))
		if page%1000 == 0 {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		file := filepath.Join(folder, fmt.Sprintf("page-%06d.md", page))
		if err := os.WriteFile(file, t.page(random, page, min(Sections, passages-page*Sections)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Edit puts a sentence into a tenth of the pages below dir, into another tenth each
// round.
func (t *Text) Edit(dir string, round int) error {
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.md"))
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(round), 2))
	for i := round % 10; i < len(files); i += 10 {
		page, err := os.ReadFile(files[i])
		if err != nil {
			return err
		}
		c := t.collections[random.IntN(len(t.collections))]
		head, body, _ := strings.Cut(string(page), "\n## ")
		title, text, _ := strings.Cut(body, "\n\n")
		edited := head + "\n## " + title + "\n\n" + c.sentences[random.IntN(len(c.sentences))] + " " + text
		if err := os.WriteFile(files[i], []byte(edited), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (t *Text) page(random *rand.Rand, n, sections int) []byte {
	// A collection by how much it holds.
	at := random.IntN(t.sentences)
	c := t.collections[0]
	for _, c = range t.collections {
		if at -= len(c.sentences); at < 0 {
			break
		}
	}
	audience := "public"
	if n%internalOf == internalOf-1 {
		audience = "internal"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "---\ntitle: %q\naudience: %s\nlanguage: en\ncollection: %s\n---\n", c.title(random), audience, c.name)
	for range sections {
		fmt.Fprintf(&b, "\n## %s\n\n", c.title(random))
		for words := 0; words < sectionWords-25; {
			s := c.sentences[random.IntN(len(c.sentences))]
			words += strings.Count(s, " ") + 1
			b.WriteString(s)
			b.WriteByte(' ')
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func (c collection) title(random *rand.Rand) string {
	if len(c.titles) == 0 {
		return "Page"
	}
	return c.titles[random.IntN(len(c.titles))]
}
