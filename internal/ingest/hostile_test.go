package ingest

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// word makes a .docx of a body.
func word(t testing.TB, body string, more ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"word/document.xml": "<w:document><w:body>" + body + "</w:body></w:document>"} {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range more {
		if _, err := z.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pdf makes a PDF of objects, numbered from 1; the first is the catalogue.
func pdf(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n")
	var at []int
	for i, o := range objects {
		at = append(at, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, n := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", n)
	}
	fmt.Fprintf(&b, "trailer\n<< /Root 1 0 R /Size %d >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}

func stream(dict, content string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(content), content)
}

const helvetica = "/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"

// laughs is a PDF of a few kilobytes that shows its text a hundred million times:
// each form draws the next one many times.
func laughs() []byte {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> " + helvetica + " >> >>", stream("", "/X Do")}
	const levels = 8
	for i := range levels {
		if i == levels-1 {
			objects = append(objects, stream("/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << "+helvetica+" >>", "BT /F 12 Tf 20 20 Td (ha) Tj ET"))
			break
		}
		objects = append(objects, stream(fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 600 800] /Resources << /XObject << /X %d 0 R >> >>", 6+i), strings.Repeat("/X Do ", 15)))
	}
	return pdf(objects...)
}

func TestHostile(t *testing.T) {
	para := func(s string) string { return "<w:p><w:r><w:t>" + s + "</w:t></w:r></w:p>" }
	parts := make([]string, maxEntries+1)
	for i := range parts {
		parts[i] = fmt.Sprint(i)
	}
	good := word(t, para("A good text."))
	readable, err := os.ReadFile("testdata/shipping.pdf")
	if err != nil {
		t.Fatal(err)
	}
	r := reader{opt: Options{patient: true}, pdf: &pdfs}
	for _, c := range []struct {
		name, ext string
		data      []byte
		want      string
	}{
		{"zip bomb", ".docx", word(t, para(strings.Repeat("a ", maxUnzipped/2+1))), "unpacks to more than 64 MB"},
		{"many parts", ".docx", word(t, para("x"), parts...), "more than 10000 parts"},
		{"a part twice", ".docx", word(t, para("x"), "word/document.xml"), "twice"},
		{"deep", ".docx", word(t, strings.Repeat("<w:p>", 1000)), "nests more than 200 elements"},
		{"cut short", ".docx", good[:len(good)-30], "cut short"},
		{"no text", ".docx", word(t, "<w:p/>"), "no text"},
		{"not XML", ".docx", word(t, "<w:p></w:q x=>"), "is not XML"},
		{"wide table", ".docx", word(t, "<w:tbl>"+strings.Repeat("<w:tr>"+strings.Repeat("<w:tc>"+para("x")+"</w:tc>", 500)+"</w:tr>", 600)+"</w:tbl>"), ""},
		{"not a PDF", ".pdf", []byte("hello"), "cut short or damaged"},
		{"PDF without pages", ".pdf", pdf("<< /Type /Catalog >>"), "no text"},
		{"pages in a circle", ".pdf", pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 100000 >>"), ""},
		{"many pages", ".pdf", pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 100000 >>", "<< /Type /Page /Parent 2 0 R >>"), ""},
		{"a good PDF after them", ".pdf", readable, ""},
		{"50 MB", ".pdf", nil, "larger than 20 MB"},
		{"50 MB", ".docx", nil, "larger than 20 MB"},
		{"50 MB", ".md", nil, "larger than 20 MB"},
	} {
		t.Run(c.name+c.ext, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file"+c.ext)
			if c.data == nil {
				c.data = bytes.Repeat([]byte("Words and words. "), 50<<20/17)
			}
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			p := r.parse(t.Context(), newFile(path, path, filepath.Dir(path), "file"+c.ext))
			if c.want == "" && c.name == "a good PDF after them" && len(p.docs) != 1 {
				t.Errorf("%v", p.err)
			}
			if c.want != "" && (p.err == nil || !strings.Contains(p.err.Error(), c.want)) {
				t.Errorf("%v, want %s", p.err, c.want)
			}
		})
	}
}

// TestStopped holds that parsers stop when a file's time is over: each of these
// would take far longer than the second it gets.
func TestStopped(t *testing.T) {
	r := reader{opt: Options{patient: true}, pdf: &pdfs}
	if p := r.document(t.Context(), file{id: "x"}, ".pdf", laughs()[:40]); p.err == nil { // starts the PDF reader
		t.Error("half a PDF was read")
	}
	over := errors.New("over")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, over)
	defer cancel()
	if p := r.document(ctx, file{id: "x"}, ".pdf", laughs()); !errors.Is(p.err, over) {
		t.Errorf("PDF: %v", p.err)
	}
	done, stop := context.WithCancelCause(t.Context())
	stop(over)
	for ext, text := range map[string]string{
		".md":   strings.Repeat("# A\n\ntext\n\n", 1000),
		".html": strings.Repeat("<p>a", 1000),
		".csv":  "question,answer\n" + strings.Repeat("a,b\n", 10),
		".docx": string(word(t, "<w:p/>")),
	} {
		if p := r.document(done, file{id: "x"}, ext, []byte(text)); !errors.Is(p.err, over) {
			t.Errorf("%s: %v", ext, p.err)
		}
	}
}

// TestSlow holds inputs that took minutes, or grew with the square of their size,
// to ten times the time limit.
func TestSlow(t *testing.T) {
	numbered := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	r := reader{opt: Options{patient: true}, pdf: &pdfs}
	r.opt.Audience = "internal"
	for _, c := range []struct{ name, ext, text string }{
		{"link definitions", ".md", numbered(100_000, "[a%d]: http://x/%[1]d\n") + "\nWords."},
		{"comments", ".md", "a\n\n" + strings.Repeat("<!-- ", 300_000)},
		{"sentences on one line", ".txt", strings.Repeat("a. ", 1_000_000)},
		{"a long table", ".md", "| a | b |\n|---|---|\n" + numbered(50_000, "| a%d | b |\n")},
		{"rows", ".csv", "question,answer\n" + numbered(100_000, "q%d,a\n")},
		{"open tags", ".html", strings.Repeat("<p><b>x", 50_000)},
	} {
		if p := r.document(t.Context(), file{id: "x"}, c.ext, []byte(c.text)); p.err != nil {
			t.Errorf("%s: %v", c.name, p.err)
		}
	}
}

func FuzzDOCX(f *testing.F) {
	if data, err := os.ReadFile("testdata/refund.docx"); err == nil {
		f.Add(data)
	}
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, _, err := parseDOCX(t.Context(), data)
		if err == nil {
			lossless(t, docs[0].Body, docs[0].Passages)
		}
	})
}

// FuzzDOCXBody goes past the zip format, which a fuzzer seldom keeps whole.
func FuzzDOCXBody(f *testing.F) {
	f.Add("<w:p><w:pPr><w:pStyle w:val='Heading1'/></w:pPr><w:r><w:t>a</w:t></w:r></w:p>")
	f.Add("<w:tbl><w:tr><w:tc><w:tcPr><w:gridSpan w:val='3'/></w:tcPr><w:p><w:r><w:t>a|b</w:t></w:r></w:p></w:tc></w:tr></w:tbl>")
	f.Add("<w:p><w:pPr><w:numPr><w:ilvl w:val='8'/><w:numId w:val='1'/></w:numPr></w:pPr><w:r><w:rPr><w:vanish/></w:rPr><w:t>a</w:t></w:r><w:del><w:r/></w:del></w:p>")
	f.Fuzz(func(t *testing.T, body string) {
		docs, _, err := parseDOCX(t.Context(), word(t, body))
		if err == nil {
			lossless(t, docs[0].Body, docs[0].Passages)
		}
	})
}

func FuzzHTML(f *testing.F) {
	page, err := os.ReadFile("testdata/shop.html")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(page))
	f.Add("<table><tr><td>a<table><td>b</table><p hidden>c<a href='//x'>d")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := decode([]byte(text)); err != nil {
			return
		}
		docs, _, err := parseHTML(t.Context(), file{}, text)
		if err == nil {
			lossless(t, docs[0].Body, docs[0].Passages)
		}
	})
}

// FuzzLayout lays out words wherever they stand.
func FuzzLayout(f *testing.F) {
	f.Add([]byte("one two 12 three-\nfour"), []byte{10, 20, 30, 40, 50, 60, 70})
	f.Fuzz(func(t *testing.T, text, places []byte) {
		var p pdfPage
		for i, word := range bytes.Fields(text) {
			word, _ := visible(string(bytes.ToValidUTF8(word, nil)))
			if word == "" || len(places) < 2 {
				continue
			}
			x, y, size := float64(places[i%len(places)])*2, float64(places[(i*7+1)%len(places)])*3, 6+float64(places[(i*3)%len(places)]%12)
			p.words = append(p.words, pdfWord{box: box{x, y, x + size*float64(len(word))/2, y + size}, text: word, bold: i%5 == 0})
		}
		body, starts := layout([]pdfPage{p, p})
		if len(starts) != 2 || starts[0] > starts[1] || starts[1] > len(body) {
			t.Fatalf("starts %v in %d bytes", starts, len(body))
		}
	})
}
