package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	gocmp "github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(closing{m}) }

// pdfs reads the PDFs of all tests: with the race detector, starting it is most of
// the work.
var pdfs pdfReader

type closing struct{ m *testing.M }

func (c closing) Run() int {
	defer pdfs.close()
	return c.m.Run()
}

// memory is a store that remembers documents, and what it was sent.
type memory struct {
	docs map[string]assist.Document
	sent int
	err  error
}

func newMemory() *memory { return &memory{docs: map[string]assist.Document{}} }

func (m *memory) PutDocuments(ctx context.Context, docs []assist.Document) ([]assist.Change, error) {
	if m.err != nil {
		return nil, m.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var changes []assist.Change
	for _, d := range docs {
		_, known := m.docs[d.ID]
		change := assist.Added
		if known {
			change = assist.Changed
		}
		m.docs[d.ID] = d
		m.sent++
		changes = append(changes, change)
	}
	return changes, nil
}

func (m *memory) RemoveDocuments(_ context.Context, source string, keep []string) (removed []string, err error) {
	for id, d := range m.docs {
		if d.Source == source && !slices.Contains(keep, id) {
			removed = append(removed, id)
			delete(m.docs, id)
		}
	}
	return removed, nil
}

func (m *memory) Revisions(context.Context) (map[string]string, error) {
	revisions := map[string]string{}
	for id, d := range m.docs {
		revisions[id] = d.Revision
	}
	return revisions, nil
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func ingest(t *testing.T, store Store, paths ...string) Report {
	t.Helper()
	r, err := Run(t.Context(), Options{patient: true}, store, paths, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFormats(t *testing.T) {
	day := func(s string) *time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return &d
	}
	type passage struct{ Heading, Text string }
	for _, c := range []struct {
		name, text string
		want       assist.Document // without hashes
		passages   []passage
	}{
		{
			name: "returns.md",
			text: "---\nid: ret\ntitle: Returns\naudience: public\nkind: policy\nvalid_from: 2026-01-01\nvalid_to: 2026-12-31\ncollection: shop\nlanguage: en-GB\nurl: https://shop.example/returns\n---\n# Returns\n\nSend it **back** within [30 days](https://shop.example/r).\n\n## Defective items\n\n- We pay the post.\n- Always.\n",
			want: assist.Document{ID: "ret", Title: "Returns", Kind: assist.KindPolicy, Audience: assist.AudiencePublic, Collection: "shop", Language: "en",
				URL: "https://shop.example/returns", ValidFrom: day("2026-01-01"), ValidTo: day("2026-12-31")},
			passages: []passage{{"", "Send it back within 30 days (https://shop.example/r)."}, {"Defective items", "- We pay the post.\n- Always."}},
		},
		{
			name:     "steps.md",
			text:     "# Reset\r\n\r\n1. Ask.\r\n2. Click [Pull up Account].\r\n",
			want:     assist.Document{ID: "shop/steps", Title: "Reset", Kind: assist.KindProcedure, Audience: assist.AudienceInternal, Language: "en"},
			passages: []passage{{"", "1. Ask.\n2. Click [Pull up Account]."}},
		},
		{
			name:     "a/other-title.md",
			text:     "---\ntitle: Front\n---\n# Inside\n\nText.\n\n## Deep\n",
			want:     assist.Document{ID: "shop/a/other-title", Title: "Front", Kind: assist.KindPolicy, Audience: assist.AudienceInternal, Language: "en"},
			passages: []passage{{"Inside", "Text."}, {"Inside › Deep", "Deep"}},
		},
		{
			name:     "page.html",
			text:     "<html lang=de><head><title>Umtausch</title><style>p{}</style></head><body><nav>Menu</nav><main><h1>Umtausch</h1><p>Bis zu <b>30</b> Tage.<script>alert(1)</script></p><table><tr><th>Land</th><th>Preis</th></tr><tr><td>DE</td><td>5 €</td></tr></table></main><footer>f</footer></body></html>",
			want:     assist.Document{ID: "shop/page", Title: "Umtausch", Kind: assist.KindPolicy, Audience: assist.AudienceInternal, Language: "de"},
			passages: []passage{{"", "Bis zu 30 Tage.\n\n| Land | Preis |\n|------|-------|\n| DE   | 5 €   |"}},
		},
		{
			name:     "note.txt",
			text:     "Opening hours\n\nWe are open from 9 to 5.\n",
			want:     assist.Document{ID: "shop/note", Title: "Opening hours", Kind: assist.KindPolicy, Audience: assist.AudienceInternal, Language: "en"},
			passages: []passage{{"", "Opening hours\n\nWe are open from 9 to 5."}},
		},
		{
			name:     "faq.csv",
			text:     "\ufeffQuestion,Answer,audience,id\n\"Can I pay, later?\",Yes with Klarna.,public,later\n",
			want:     assist.Document{ID: "later", Title: "Can I pay, later?", Kind: assist.KindFAQ, Audience: assist.AudiencePublic, Language: "en"},
			passages: []passage{{"", "Yes with Klarna."}},
		},
		{
			name:     "faq2.csv",
			text:     "question;answer;title\nWhere?;Here, there;Places\n",
			want:     assist.Document{ID: "shop/faq2/8f3c", Title: "Places", Kind: assist.KindFAQ, Audience: assist.AudienceInternal, Language: "en"},
			passages: []passage{{"Where?", "Here, there"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "shop")
			write(t, dir, map[string]string{c.name: c.text})
			store := newMemory()
			if r := ingest(t, store, dir); r.Added != 1 || len(r.Failed) > 0 {
				t.Fatalf("report %+v", r)
			}
			for _, d := range store.docs {
				var passages []passage
				for _, p := range d.Passages {
					passages = append(passages, passage{p.Heading, p.Text})
					if p.Start < 0 || p.End > len(d.Body) || p.Start >= p.End || !strings.HasPrefix(p.ID, d.ID+"#") || p.DocumentID != d.ID || len(p.Terms) == 0 {
						t.Errorf("passage %+v", p)
					}
				}
				if diff := gocmp.Diff(c.passages, passages); diff != "" {
					t.Errorf("passages -want +got\n%s", diff)
				}
				if strings.HasPrefix(c.want.ID, "shop/faq2/") && strings.HasPrefix(d.ID, "shop/faq2/") {
					c.want.ID = d.ID
				}
				d.Passages, d.Body, d.Revision, d.Source, d.Path = nil, "", "", "", ""
				if diff := gocmp.Diff(c.want, d); diff != "" {
					t.Errorf("document -want +got\n%s", diff)
				}
			}
		})
	}
}

func TestBadFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.md", "", "empty"},
		{"a.md", " \n\n", "empty"},
		{"a.md", "---\ntitle: x\n", "never closed"},
		{"a.md", "---\ntitle: [x\n---\ntext", "line 2"},
		{"a.md", "---\ntitle: x\n- y\n---\ntext", "line 3"},
		{"a.md", "---\na: &a [1,1]\ntitle: *a\n---\ntext", "title must be a single value"},
		{"a.md", "---\naudience: pubic\n---\ntext", `line 2: audience must be public or internal, not "pubic"`},
		{"a.md", "---\nkind: faqs\n---\ntext", "kind must be"},
		{"a.md", "---\nvalid_to: soon\n---\ntext", "valid_to must be a date"},
		{"a.md", "---\nvalid_from: 2026-02-01\nvalid_to: 2026-01-01\n---\ntext", "after valid_from"},
		{"a.md", "---\nurl: javascript:alert(1)\n---\ntext", "url must begin"},
		{"a.md", "---\nlanguage: english\n---\ntext", "language must be"},
		{"a.md", "---\nid: \"a\\x01\"\n---\ntext", "control character"},
		{"a.md", "---\ntitle: x\ntitle: y\n---\ntext", "title"},
		{"a.md", "---\ntitle: x\n---\n", "no text"},
		{"a.md", strings.Repeat(">", 100000), "nests more than"},
		{"a.md", strings.Repeat("1. ", 100000), "nests more than"},
		{"a.md", nested(1500), "nests more than"},
		{"a.md", "a\nb\x00c", "line 2 has a NUL byte"},
		{"a.md", "a\nb\xffc", "line 2 is not UTF-8"},
		{"a.txt", "\xff\xfea\x00", "UTF-16"},
		{"a.html", "<script>x</script>", "no text"},
		{"a.html", strings.Repeat("<div>", 100000), "HTML"},
		{"a.html", strings.Repeat("<ul><li>", 20) + "x", "nests more than"},
		{"a.html", "<table><tr>" + strings.Repeat("<td>x", 2000) + strings.Repeat("<tr><td>y", 500) + "</table>", "not a page"},
		{"a.csv", "a,b\n1,2\n", "must name the columns question and answer"},
		{"a.csv", "question,answer\nq,a\nq2\n", "row on line 3 has not as many columns"},
		{"a.csv", "question,answer\nq,\n", "row on line 2: the answer is empty"},
		{"a.csv", "question,answer\n,a\n", "row on line 2: the question is empty"},
		{"a.csv", "question,answer\nq,\"a\nb\"x\n", "row on line 2 has a stray quote"},
		{"a.csv", "question,answer\nq,a\nq,b\n", "already on line 2"},
		{"a.csv", "question,answer,audience\nq,a,all\n", "row on line 2: audience must be"},
		{"a.csv", "question,answer\n", "no row"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{c.name: c.text, "good.md": "Good text."})
		r := ingest(t, newMemory(), dir)
		if len(r.Failed) != 1 || r.Failed[0].Path != filepath.Join(dir, c.name) || !strings.Contains(r.Failed[0].Error, c.want) || r.Documents != 1 {
			t.Errorf("%s %.40q: %+v, want %q", c.name, c.text, r, c.want)
		}
	}
}

func TestPaths(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"kb/a.md": "A text.", "kb/.hidden/b.md": "B", "kb/.c.md": "C", "kb/photo.png": "x", "kb/sub/d.txt": "D text.",
		"one/e.md": "E text.", "one/f.odt": "x"})
	if err := os.Symlink(filepath.Join(dir, "kb"), filepath.Join(dir, "kb", "loop")); err != nil {
		t.Fatal(err)
	}
	var warned []string
	r, err := Run(t.Context(), Options{patient: true, Audience: assist.AudiencePublic, Warn: func(p, _ string) { warned = append(warned, filepath.Base(p)) }}, newMemory(),
		[]string{filepath.Join(dir, "kb"), filepath.Join(dir, "one", "e.md"), filepath.Join(dir, "one", "f.odt"), filepath.Join(dir, "none"), "ftp://shop.example/"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Documents != 3 || r.Passages != 3 || r.Added != 3 {
		t.Errorf("report %+v", r)
	}
	if d := gocmp.Diff([]string{"loop"}, warned); d != "" {
		t.Errorf("warned of %s", d)
	}
	var failed []string
	for _, f := range r.Failed {
		failed = append(failed, filepath.Base(f.Path)+": "+f.Error)
	}
	want := []string{"f.odt: this format is not supported: give " + formatNames, "none: there is no such file or folder", "shop.example: addresses must begin with https:// or http://, not ftp"}
	if d := gocmp.Diff(want, failed); d != "" {
		t.Errorf("failed -want +got\n%s", d)
	}
}

func TestAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kb")
	front := func(id, text string) string { return "---\nid: " + id + "\n---\n" + text }
	write(t, dir, map[string]string{"a.md": "A.", "b.md": front("bee", "B."), "c.md": "C.", "q.csv": "question,answer\nq,a\n"})
	store := newMemory()
	first := ingest(t, store, dir)
	if want := (Report{Documents: 4, Passages: 4, Added: 4, Failed: []Failure{}}); gocmp.Diff(want, first) != "" {
		t.Errorf("first %+v", first)
	}
	if again := ingest(t, store, dir); again.Unchanged != 4 || store.sent != 4 {
		t.Errorf("again %+v, sent %d", again, store.sent)
	}
	// One changes, one breaks, the table breaks, one goes.
	write(t, dir, map[string]string{"a.md": "A, and more.", "b.md": "---\nid: bee\naudience: x\n---\nB.", "q.csv": "question,answer\nq\n"})
	if err := os.Remove(filepath.Join(dir, "c.md")); err != nil {
		t.Fatal(err)
	}
	third := ingest(t, store, dir)
	if third.Changed != 1 || third.Removed != 1 || len(third.Failed) != 2 || len(store.docs) != 3 || store.docs["bee"].ID == "" {
		t.Errorf("third %+v, store has %d", third, len(store.docs))
	}
	// Two files with one id: the second fails, with both names.
	write(t, dir, map[string]string{"b.md": front("bee", "B."), "z.md": front("bee", "Z."), "q.csv": "question,answer\nq,a\n"})
	fourth := ingest(t, store, dir)
	if len(fourth.Failed) != 1 || !strings.HasSuffix(fourth.Failed[0].Path, "z.md") || !strings.Contains(fourth.Failed[0].Error, "b.md") {
		t.Errorf("fourth %+v", fourth)
	}
}

func TestStops(t *testing.T) {
	dir := t.TempDir()
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("%03d.md", i)] = "Some text."
	}
	write(t, dir, files)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Run(ctx, Options{}, newMemory(), []string{dir}, func(p Progress) {
		if p.Total != 300 {
			t.Errorf("progress %+v", p)
		}
		if p.Done == 120 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	down := errors.New("down")
	if _, err := Run(t.Context(), Options{}, &memory{docs: map[string]assist.Document{}, err: down}, []string{dir}, nil); !errors.Is(err, down) {
		t.Errorf("store down: %v", err)
	}
}

func TestSplit(t *testing.T) {
	sentence := "This sentence has exactly eight words in it. "
	item := "- an item of about ten words that says little\n"
	for _, c := range []struct {
		name, body string
		want       int // passages
		most       int // words in one
	}{
		{"short paragraphs are joined", strings.Repeat("A short paragraph here.\n\n", 20), 1, 120},
		{"a long paragraph is cut at sentences", strings.Repeat(sentence, 60), 4, 120},
		{"a list stays whole", "Intro:\n\n" + strings.Repeat(item, 15), 1, 180},
		{"a long list is cut between items", strings.Repeat(item, 60), 5, 120},
		{"a tail joins", strings.Repeat(sentence, 14) + "\n\nA tail of few words stays with it.", 1, 140},
		{"one giant word", strings.Repeat("x", 1<<20), 437, 1},
		{"one giant line", strings.Repeat("word ", 1<<18), 2185, 120},
		{"code", "```\n" + strings.Repeat("a line of some code here\n", 100) + "```\n", 5, 180},
	} {
		s, _, err := sections(t.Context(), c.body)
		if err != nil {
			t.Fatal(err)
		}
		passages := split(c.body, s, "")
		if len(passages) != c.want {
			t.Errorf("%s: %d passages, want %d", c.name, len(passages), c.want)
		}
		for _, p := range passages {
			if n := len(strings.Fields(p.Text)); n > c.most {
				t.Errorf("%s: a passage of %d words", c.name, n)
			}
		}
		lossless(t, c.body, passages)
	}
}

// nested is a list in a list in a list …
func nested(depth int) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "%s- item\n", strings.Repeat("  ", i))
	}
	return b.String()
}

func TestTableKeepsHead(t *testing.T) {
	head := "| item | price |\n|---|---|\n"
	body := head + strings.Repeat("| a thing with some words to its name | 5 |\n", 60)
	s, _, err := sections(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	passages := split(body, s, "")
	if len(passages) < 3 {
		t.Fatalf("%d passages", len(passages))
	}
	for _, p := range passages {
		if !strings.HasPrefix(p.Text, head) {
			t.Errorf("no head: %q", p.Text)
		}
	}
}

// lossless holds that passages are in order, in bounds and leave out no letter
// but those of headings.
func lossless(t *testing.T, body string, passages []assist.Passage) {
	t.Helper()
	at := 0
	for _, p := range passages {
		if p.Start < at || p.End <= p.Start || p.End > len(body) {
			t.Fatalf("passage %d–%d after %d in %d bytes", p.Start, p.End, at, len(body))
		}
		gap := body[at:p.Start]
		if strings.ContainsFunc(gap, unicode.IsLetter) && !strings.ContainsAny(gap, "#=-[<!\\*_") && at > 0 {
			t.Fatalf("lost %q", gap)
		}
		at = p.End
	}
	if tail := body[at:]; strings.ContainsFunc(tail, unicode.IsLetter) && !strings.ContainsAny(tail, "#=-[<!\\*_") {
		t.Fatalf("lost %q at the end", tail)
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"", "---\na: b\n---\n# T\n\ntext", "---\n", "# A\nB\n===\n- c\n  - d\n\n> e\n\n```\nf\n```\n| g |\n|---|\n| h |", "a\n\n[x]: y\n\n***", "1. a\n2) b\n\n\tc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := decode([]byte(text)); err != nil {
			return
		}
		docs, _, err := parseMarkdown(t.Context(), file{}, text)
		if err != nil {
			return
		}
		lossless(t, docs[0].Body, docs[0].Passages)
		if docs, _, err = parseText(t.Context(), file{}, text); err == nil {
			lossless(t, docs[0].Body, docs[0].Passages)
		}
	})
}

func TestRealDocuments(t *testing.T) {
	dev := filepath.Join(testkit.Dir(t), "dev")
	for _, c := range []struct {
		dir  string
		docs int
	}{{"tau-knowledge/documents", 698}, {"abcd/policies", 41}} {
		r := ingest(t, newMemory(), filepath.Join(dev, c.dir))
		t.Logf("%s: %d documents, %d passages", c.dir, r.Documents, r.Passages)
		if r.Added != c.docs || len(r.Failed) > 0 {
			t.Errorf("%s: %+v", c.dir, r)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	dir := filepath.Join(testkit.Dir(b), "dev", "tau-knowledge", "documents")
	passages := 0
	for b.Loop() {
		r, err := Run(b.Context(), Options{}, newMemory(), []string{dir}, nil)
		if err != nil {
			b.Fatal(err)
		}
		passages += r.Passages
	}
	b.ReportMetric(float64(passages)/b.Elapsed().Seconds(), "passages/s")
}

// BenchmarkFormats parses one fixture of each format, again and again.
func BenchmarkFormats(b *testing.B) {
	for _, name := range []string{"handbook.pdf", "refund.docx", "shop.html", "lists.md"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(filepath.Ext(name)[1:], func(b *testing.B) {
			r := reader{opt: Options{Audience: assist.AudienceInternal, patient: true}, pdf: &pdfReader{}}
			defer r.close()
			passages := 0
			one := func() {
				p := r.document(b.Context(), file{id: "x"}, filepath.Ext(name), data)
				if p.err != nil {
					b.Fatal(p.err)
				}
				passages += len(p.docs[0].Passages)
			}
			one() // the first PDF starts its reader
			passages = 0
			for b.Loop() {
				one()
			}
			b.ReportMetric(float64(passages)/b.Elapsed().Seconds(), "passages/s")
		})
	}
}
