package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/enums"
	pdferrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"golang.org/x/sync/errgroup"

	"github.com/aside-project/aside/internal/assist"
)

const (
	maxPages     = 3000
	pdfMemory    = 256 << 20 // bytes that a PDF may make PDFium use
	maxPageChars = 200_000
	maxPageAreas = 5000 // painted areas that are looked at on one page
)

// pdfReader reads PDFs with PDFium compiled to WebAssembly: a hostile file meets
// no files, no network, a bound on memory, and is stopped in time. Making it
// takes about a second, so it is made when the first PDF comes. Files take turns,
// so that memory has one bound: hold mu and open, before the file's time begins to run.
type pdfReader struct {
	mu   sync.Mutex
	pool pdfium.Pool
	err  error
}

func (r *pdfReader) open() error {
	if r.pool != nil || r.err != nil {
		return r.err
	}
	r.pool, r.err = webassembly.Init(webassembly.Config{
		MaxIdle: 1, MaxTotal: 1,
		RuntimeConfig: wazero.NewRuntimeConfig().WithMemoryLimitPages(pdfMemory >> 16).WithCloseOnContextDone(true),
		FSConfig:      wazero.NewFSConfig(), // no file system; the default would be all of it
		Stdout:        io.Discard, Stderr: io.Discard,
	})
	if r.err != nil {
		r.err = fmt.Errorf("start the PDF reader: %w", r.err)
	}
	return r.err
}

func (r *pdfReader) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pool != nil {
		_ = r.pool.Close() // only ever fails when closed already
		r.pool = nil
	}
}

// document reads a PDF, no page for longer than pageTime; mu is held. Its body is Markdown made of the pages' layout.
func (r *pdfReader) document(ctx context.Context, pageTime time.Duration, data []byte) ([]assist.Document, []string, error) {
	pages, title, err := r.pages(ctx, pageTime, data)
	if err != nil {
		return nil, nil, err
	}
	words, hidden := 0, 0
	for _, p := range pages {
		words += len(p.words)
		hidden += p.hidden
	}
	var warnings []string
	if hidden > 0 {
		warnings = append(warnings, fmt.Sprintf("%d words that nobody can see on the page were left out", hidden))
	}
	if words == 0 {
		return nil, warnings, errors.New("it has no text: run OCR on it")
	}
	body, starts := layout(pages)
	body, dropped := visible(body)
	if dropped > 0 { // layout cleans words, so this is a fault of ours
		return nil, warnings, errors.New("it has characters that cannot be read")
	}
	d := assist.Document{Title: title}
	if err := markdownDocument(ctx, &d, body); err != nil {
		return nil, warnings, err
	}
	for i := range d.Passages {
		p := &d.Passages[i]
		page := 1
		for page < len(starts) && starts[page] <= p.Start {
			page++
		}
		p.Heading = strings.TrimPrefix(fmt.Sprintf("%s%s%s%d", p.Heading, headingMark, pageMark, page), headingMark)
	}
	return []assist.Document{d}, warnings, nil
}

// pageMark begins the last part of a PDF passage's heading. It says where to
// look; it is not part of what the passage is about.
const pageMark = "page "

// pageless is a heading without its page.
func pageless(heading string) string {
	head, last := "", heading
	if i := strings.LastIndex(heading, headingMark); i >= 0 {
		head, last = heading[:i], heading[i+len(headingMark):]
	}
	if n, ok := strings.CutPrefix(last, pageMark); ok && strings.Trim(n, "0123456789") == "" {
		return head
	}
	return heading
}

// pages extracts the words of all pages, and the title the file gives itself.
func (r *pdfReader) pages(ctx context.Context, pageTime time.Duration, data []byte) (pages []pdfPage, title string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	instance, err := r.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("start the PDF reader: %w", err)
	}
	module, err := pdfModule(instance)
	if err != nil {
		return nil, "", errors.Join(err, instance.Close())
	}
	stall := time.AfterFunc(pageTime, func() { cancel(errPageTooLong) })
	defer stall.Stop()
	// Closing the module ends a call that runs in it. Nothing of a file is left
	// for the next one: each has a module of its own.
	var group errgroup.Group
	done := make(chan struct{})
	group.Go(func() error {
		select {
		case <-ctx.Done():
			return module.CloseWithExitCode(context.WithoutCancel(ctx), 1)
		case <-done:
			return nil
		}
	})
	func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("it could not be parsed: %.200s", fmt.Sprint(v))
			}
		}()
		pages, title, err = readPDF(ctx, instance, data, func() { stall.Reset(pageTime) })
	}()
	kerr := group.Wait()
	cerr := instance.Close()
	switch {
	case ctx.Err() != nil:
		return nil, "", context.Cause(ctx)
	case kerr != nil:
		err = errors.Join(err, kerr)
	case cerr != nil && err == nil:
		err = fmt.Errorf("close the PDF reader: %w", cerr)
	}
	return pages, title, err
}

// pdfModule is the WebAssembly module behind an instance. The library's own Kill
// takes no effect in v1.17.2 (it uses its pool after setting it to nil), and its
// context is not ours, so there is no other way to stop a call. A test holds that
// this one works.
func pdfModule(in pdfium.Pdfium) (api.Module, error) {
	v := reflect.ValueOf(in.GetImplementation())
	if v.Kind() == reflect.Pointer && v.Elem().Kind() == reflect.Struct {
		if f := v.Elem().FieldByName("Module"); f.IsValid() {
			if m, ok := f.Interface().(api.Module); ok {
				return m, nil
			}
		}
	}
	return nil, errors.New("the PDF reader cannot be stopped: its library changed")
}

// readPDF calls next before each page.
func readPDF(ctx context.Context, in pdfium.Pdfium, data []byte, next func()) ([]pdfPage, string, error) {
	doc, err := in.OpenDocument(&requests.OpenDocument{File: &data})
	switch {
	case errors.Is(err, pdferrors.ErrPassword), errors.Is(err, pdferrors.ErrSecurity):
		return nil, "", errors.New("it is encrypted: save it without a password")
	case err != nil:
		return nil, "", errors.New("it is not a whole PDF: it is cut short or damaged")
	}
	count, err := in.FPDF_GetPageCount(&requests.FPDF_GetPageCount{Document: doc.Document})
	if err != nil {
		return nil, "", fmt.Errorf("count its pages: %w", err)
	}
	if count.PageCount > maxPages {
		return nil, "", fmt.Errorf("it has %d pages, more than %d: split it", count.PageCount, maxPages)
	}
	pages := make([]pdfPage, 0, count.PageCount)
	for i := range count.PageCount {
		if err := ctx.Err(); err != nil {
			return nil, "", err
		}
		next()
		page, err := readPage(in, doc.Document, i)
		if err != nil {
			return nil, "", fmt.Errorf("page %d: %w", i+1, err)
		}
		pages = append(pages, page)
	}
	title := ""
	if meta, err := in.FPDF_GetMetaText(&requests.FPDF_GetMetaText{Document: doc.Document, Tag: "Title"}); err == nil {
		title = fileTitle(meta.Value)
	}
	return pages, title, nil
}

// fileTitle is a title from a file's properties, unless a program put a file
// name there.
func fileTitle(s string) string {
	s, _ = visible(strings.TrimSpace(s))
	low := strings.ToLower(s)
	for _, ext := range []string{".doc", ".docx", ".pdf", ".html", ".htm", ".txt", ".ps", ".dvi", ".ms", ".odt", ".indd"} {
		if strings.HasSuffix(low, ext) {
			return ""
		}
	}
	if strings.HasPrefix(low, "microsoft word - ") || strings.HasPrefix(low, "untitled") {
		return ""
	}
	return shorten(s)
}

func readPage(in pdfium.Pdfium, doc references.FPDF_DOCUMENT, index int) (pdfPage, error) {
	var p pdfPage
	loaded, err := in.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: doc, Index: index})
	if err != nil {
		return p, errors.New("it is damaged")
	}
	ref := requests.Page{ByReference: &loaded.Page}
	text, err := in.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: ref})
	if err != nil {
		return p, errors.New("its text is damaged")
	}
	count, err := in.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: text.TextPage})
	if err != nil {
		return p, err
	}
	if count.Count > maxPageChars {
		return p, fmt.Errorf("it has more than %d characters", maxPageChars)
	}
	edge := box{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)}
	if b, err := in.FPDF_GetPageBoundingBox(&requests.FPDF_GetPageBoundingBox{Page: ref}); err == nil {
		edge = box{float64(b.Rect.Left), float64(b.Rect.Bottom), float64(b.Rect.Right), float64(b.Rect.Top)}.grow(2)
	}
	g := glyphs{in: in, page: ref, text: text.TextPage, edge: edge}
	var run []rune
	start := 0
	flush := func(end int) error {
		if len(run) == 0 {
			return nil
		}
		word, dropped := visible(string(run))
		run = run[:0]
		p.hidden += min(dropped, 1)
		if word == "" {
			return nil
		}
		w, seen, err := g.word(start, end-1)
		if err != nil {
			return err
		}
		if !seen {
			p.hidden++
			return nil
		}
		w.text = word
		p.words = append(p.words, w)
		return nil
	}
	for i := range count.Count {
		c, err := in.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: text.TextPage, Index: i})
		if err != nil {
			return p, err
		}
		switch r := rune(c.Unicode); {
		case r == 2 || r == 0xfffe: // PDFium's mark of a hyphen at the end of a line
			run = append(run, softHyphen)
			if err := flush(i); err != nil {
				return p, err
			}
		case r <= ' ' || r == 0xa0 || r == 0x7f:
			if err := flush(i); err != nil {
				return p, err
			}
		default:
			if len(run) == 0 {
				start = i
			}
			run = append(run, r)
		}
	}
	if err := flush(count.Count); err != nil {
		return p, err
	}
	if _, err := in.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: text.TextPage}); err != nil {
		return p, err
	}
	_, err = in.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
	return p, err
}

var boldFont = regexp.MustCompile(`(?i)bold|black|heavy|demi|-medi$|cmbx`)

// glyphs looks at the letters of one page.
type glyphs struct {
	in    pdfium.Pdfium
	page  requests.Page
	text  references.FPDF_TEXTPAGE
	edge  box
	areas []box // painted in a colour; nil until asked for
}

// word measures the letters from first to last, and tells whether a person can
// see them: on the page, not tiny, not white on white.
func (g *glyphs) word(first, last int) (w pdfWord, seen bool, err error) {
	for _, i := range []int{first, last} {
		b, err := g.in.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: g.text, Index: i})
		if err != nil {
			if i == last && w.box != (box{}) {
				break
			}
			return w, false, nil // no place on the page
		}
		c := box{float64(b.Rect.Left), float64(b.Rect.Bottom), float64(b.Rect.Right), float64(b.Rect.Top)}
		if w.box == (box{}) {
			w.box = c
		}
		w.box = box{min(w.l, c.l), min(w.b, c.b), max(w.r, c.r), max(w.t, c.t)}
	}
	// The box is as high as the font's tallest letter, far more than a line.
	if size, err := g.in.FPDFText_GetFontSize(&requests.FPDFText_GetFontSize{TextPage: g.text, Index: first}); err == nil {
		if m, err := g.in.FPDFText_GetMatrix(&requests.FPDFText_GetMatrix{TextPage: g.text, Index: first}); err == nil {
			w.turned = math.Abs(float64(m.Matrix.B)) > math.Abs(float64(m.Matrix.A))
			em := size.FontSize * math.Hypot(float64(m.Matrix.C), float64(m.Matrix.D))
			if middle := (w.b + w.t) / 2; em > 0 && !w.turned {
				w.b, w.t = middle-em/2, middle+em/2
			}
		}
	}
	if w.t-w.b < 1 || w.r < g.edge.l || w.l > g.edge.r || w.t < g.edge.b || w.b > g.edge.t {
		return w, false, nil
	}
	// By its name: the weight that PDFium guesses is high for ordinary fonts too.
	if s, err := g.in.FPDFText_GetFontInfo(&requests.FPDFText_GetFontInfo{TextPage: g.text, Index: first}); err == nil {
		w.bold = boldFont.MatchString(s.FontName)
	}
	if c, err := g.in.FPDFText_GetFillColor(&requests.FPDFText_GetFillColor{TextPage: g.text, Index: first}); err == nil {
		if c.A < 8 || c.R > 245 && c.G > 245 && c.B > 245 && !g.painted(w.box) {
			return w, false, nil
		}
	}
	return w, true, nil
}

// painted reports whether something coloured is below the box.
func (g *glyphs) painted(b box) bool {
	if g.areas == nil {
		g.areas = []box{}
		n, err := g.in.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: g.page})
		if err != nil {
			return false
		}
		for i := range min(n.Count, maxPageAreas) {
			o, err := g.in.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: g.page, Index: i})
			if err != nil {
				continue
			}
			kind, err := g.in.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: o.PageObject})
			if err != nil || kind.Type == enums.FPDF_PAGEOBJ_TEXT {
				continue
			}
			if kind.Type == enums.FPDF_PAGEOBJ_PATH {
				mode, err := g.in.FPDFPath_GetDrawMode(&requests.FPDFPath_GetDrawMode{PageObject: o.PageObject})
				c, cerr := g.in.FPDFPageObj_GetFillColor(&requests.FPDFPageObj_GetFillColor{PageObject: o.PageObject})
				if err != nil || cerr != nil || mode.FillMode == enums.FPDF_FILLMODE_NONE || c.FillColor.R > 245 && c.FillColor.G > 245 && c.FillColor.B > 245 {
					continue
				}
			}
			at, err := g.in.FPDFPageObj_GetBounds(&requests.FPDFPageObj_GetBounds{PageObject: o.PageObject})
			if err != nil {
				continue
			}
			g.areas = append(g.areas, box{float64(at.Left), float64(at.Bottom), float64(at.Right), float64(at.Top)})
		}
	}
	x, y := (b.l+b.r)/2, (b.b+b.t)/2
	for _, a := range g.areas {
		if a.l <= x && x <= a.r && a.b <= y && y <= a.t {
			return true
		}
	}
	return false
}
