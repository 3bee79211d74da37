package ingest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

const (
	maxFile = 20 << 20 // bytes
	maxName = 200      // bytes of a document's id, title or collection
)

// file is one file to read.
type file struct {
	path   string // as the user knows it, for messages
	source string // absolute path of the folder or file that was given
	dir    string // absolute folder that rel starts from
	rel    string
	id     string   // of its document, unless its front matter says another
	url    *url.URL // of a page; nil for a file
}

// parsed is what a file gave.
type parsed struct {
	docs     []assist.Document
	warnings []string
	err      error
	// For a failed file: the ids it may have had before, and whether there may
	// be others that nobody can tell now.
	oldIDs     []string
	unknownIDs bool
}

// format makes documents from a file's text. The fields id, title, language and
// audience that it leaves empty get their defaults. It stops with the context.
type format func(ctx context.Context, f file, text string) (docs []assist.Document, warnings []string, err error)

var formats = map[string]format{
	".md": parseMarkdown, ".markdown": parseMarkdown,
	".html": parseHTML, ".htm": parseHTML,
	".txt": parseText, ".text": parseText,
	".csv": parseCSV,
}

const formatNames = ".md, .html, .txt, .csv, .pdf or .docx"

// known reports whether files with this ending are read.
func known(name string) bool {
	ext := strings.ToLower(filepath.Ext(name))
	return formats[ext] != nil || ext == ".pdf" || ext == ".docx"
}

// timeLimit is how long one file may take. Parsers ask the clock as they go.
// A machine with other work to do needs its time for a thousand pages; a hostile
// page of a PDF is stopped after pageLimit.
const (
	timeLimit = time.Minute
	pageLimit = 10 * time.Second
)

var (
	errTooLong     = fmt.Errorf("it takes longer than %v to read: split it", timeLimit)
	errPageTooLong = fmt.Errorf("a page takes longer than %v to read", pageLimit)
)

// reader reads files of all formats.
type reader struct {
	opt Options
	as  string // id of the one document, whatever it says itself; "": its own
	pdf *pdfReader
	web *web // nil: no addresses are read
}

func newReader(opt Options) *reader {
	allow, pace := public, opt.pace
	if opt.AllowPrivate {
		allow = func(netip.AddrPort) error { return nil }
	}
	if opt.allow != nil {
		allow = opt.allow
	}
	if pace == 0 {
		pace = webPace
	}
	return &reader{opt: opt, pdf: &pdfReader{}, web: newWeb(allow, pace, opt.AllowPrivate)}
}

func (r *reader) close() {
	r.pdf.close()
	if r.web != nil {
		r.web.close()
	}
}

// walk lists the files of a folder, or the one file. Hidden files and folders,
// symbolic links inside a folder (they may lead in circles, or out of it) and
// files of other formats are left out; only a file given by name is an error.
func walk(path string, warn func(path, text string)) (files []file, source string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, "", err
	}
	info, err := os.Stat(abs)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", errors.New("there is no such file or folder")
	case err != nil:
		return nil, "", plainError(err)
	}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, "", errors.New("it is neither a file nor a folder")
		}
		if !known(abs) {
			return nil, "", errors.New("this format is not supported: give " + formatNames)
		}
		dir, name := filepath.Split(abs)
		f := newFile(path, abs, filepath.Clean(dir), name)
		return []file{f}, abs, nil
	}
	var faults error
	err = filepath.WalkDir(abs, func(p string, d fs.DirEntry, err error) error {
		rel, rerr := filepath.Rel(abs, p)
		shown := filepath.Join(path, rel)
		switch {
		case err != nil:
			if faults == nil {
				faults = fmt.Errorf("read %s: %w", shown, plainError(err))
			}
			return fs.SkipDir
		case rerr != nil:
			return rerr
		case rel != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.Type()&fs.ModeSymlink != 0:
			warn(shown, "symbolic links are not followed")
		case d.Type().IsRegular() && known(p):
			files = append(files, newFile(shown, abs, abs, rel))
		}
		return nil
	})
	return files, abs, errors.Join(err, faults)
}

func newFile(path, source, dir, rel string) file {
	name := filepath.ToSlash(strings.TrimSuffix(rel, filepath.Ext(rel)))
	return file{path: path, source: source, dir: dir, rel: filepath.ToSlash(rel), id: filepath.Base(dir) + "/" + name}
}

// plainError drops the path that os errors repeat.
func plainError(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// parse reads and parses one file.
func (r *reader) parse(ctx context.Context, f file) (p parsed) {
	p.oldIDs = []string{f.id}
	p.unknownIDs = true // until it is read
	if f.url != nil {
		p.unknownIDs = false // pages over the web have the id of their address
		at, ext, data, err := r.web.fetch(ctx, f.url)
		if err != nil {
			p.err = err
			return p
		}
		f.url = at
		return r.document(ctx, f, ext, data)
	}
	data, err := read(filepath.Join(f.dir, filepath.FromSlash(f.rel)))
	if err != nil {
		p.err = err
		return p
	}
	return r.document(ctx, f, strings.ToLower(filepath.Ext(f.rel)), data)
}

// document parses a file's bytes. A panic in a parser is that file's fault, as
// is taking too long.
func (r *reader) document(ctx context.Context, f file, ext string, data []byte) (p parsed) {
	p.oldIDs = []string{f.id}
	if ext == ".pdf" {
		r.pdf.mu.Lock()
		defer r.pdf.mu.Unlock()
		if p.err = r.pdf.open(); p.err != nil { // which may take long, and is not the file's fault
			return p
		}
	}
	fileTime, pageTime := timeLimit, pageLimit
	if r.opt.patient {
		fileTime, pageTime = 10*timeLimit, 10*pageLimit
	}
	ctx, cancel := context.WithTimeoutCause(ctx, fileTime, errTooLong)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			p.docs, p.err = nil, fmt.Errorf("it could not be parsed: %.200s", fmt.Sprint(v))
			if ctx.Err() != nil {
				p.err = context.Cause(ctx)
			}
		}
	}()
	switch ext {
	case ".pdf":
		p.docs, p.warnings, p.err = r.pdf.document(ctx, pageTime, data)
	case ".docx":
		p.docs, p.warnings, p.err = parseDOCX(ctx, data)
	default:
		text, err := decode(data)
		if err != nil {
			p.unknownIDs, p.err = true, err
			return p
		}
		text, dropped := visible(text)
		p.unknownIDs = ext == ".csv" && hasColumn(text, "id")
		if id := claimedID(text); id != "" {
			p.oldIDs = append(p.oldIDs, id)
		}
		p.docs, p.warnings, p.err = formats[ext](ctx, f, text)
		if dropped > 0 {
			p.warnings = append(p.warnings, fmt.Sprintf("%d characters that nobody can see were left out", dropped))
		}
	}
	for i := range p.docs {
		if r.as != "" {
			p.docs[i].ID = r.as
		}
		if f.url != nil {
			ofPage(&p.docs[i], f)
		}
		if p.err == nil {
			p.err = finish(&p.docs[i], f, r.opt)
		}
	}
	if p.err != nil {
		p.docs = nil
	}
	return p
}

// ofPage gives a document from the web the id and the address of its page. What
// the page says of them counts only for an address of the same host: a page must
// not take the place of another, or send readers elsewhere.
func ofPage(d *assist.Document, f file) {
	d.ID = f.id
	if u, err := url.Parse(d.URL); err != nil || d.URL == "" || !strings.EqualFold(u.Host, f.url.Host) {
		d.URL = f.url.String()
	}
}

// read gives a file's bytes.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plainError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, plainError(err)
	}
	return data, checkSize(data)
}

func checkSize(data []byte) error {
	if len(data) > maxFile {
		return fmt.Errorf("it is larger than %d MB: split it", maxFile>>20)
	}
	if len(data) == 0 {
		return errors.New("it is empty")
	}
	return nil
}

// decode gives a file's text with line ends as \n.
func decode(data []byte) (string, error) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return "", errors.New("it is UTF-16 text: save it as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return "", fmt.Errorf("line %d has a NUL byte: this is not a text file", 1+bytes.Count(data[:i], []byte("\n")))
	}
	if !utf8.Valid(data) {
		i := 0
		for i < len(data) {
			r, n := utf8.DecodeRune(data[i:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			i += n
		}
		return "", fmt.Errorf("line %d is not UTF-8: save the file as UTF-8", 1+bytes.Count(data[:i], []byte("\n")))
	}
	text := strings.ReplaceAll(strings.ReplaceAll(string(data), "\r\n", "\n"), "\r", "\n")
	if strings.TrimSpace(text) == "" {
		return "", errors.New("it is empty")
	}
	return text, nil
}

// finish fills in what the file did not say, and the passages' ids and terms.
func finish(d *assist.Document, f file, opt Options) error {
	d.Source, d.Path = f.source, f.rel
	if d.ID == "" {
		d.ID = f.id
	}
	if d.Title == "" {
		base := filepath.Base(f.id)
		d.Title = strings.TrimSpace(strings.NewReplacer("-", " ", "_", " ").Replace(base))
	}
	d.Title = shorten(d.Title)
	if err := checkName("id", d.ID); err != nil {
		return err
	}
	if err := checkName("collection", d.Collection); err != nil {
		return err
	}
	if d.Audience == "" {
		d.Audience = opt.Audience
	}
	if d.Language == "" {
		d.Language = opt.Language
	}
	if d.Language == "" {
		d.Language = lex.Language(d.Title + "\n" + d.Body)
	}
	if d.Kind == "" {
		d.Kind = guessKind(d.Body)
	}
	if len(d.Passages) == 0 {
		return errors.New("there is no text in it")
	}
	index(d)
	d.Revision = revision(*d)
	return nil
}

func checkName(field, s string) error {
	if len(s) > maxName {
		return fmt.Errorf("%s is longer than %d bytes", field, maxName)
	}
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%s contains a control character", field)
		}
	}
	return nil
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "") + "…"
	}
	return s
}

// revision is a hash over everything a reader of the document could notice.
// Passages are in it by way of the body, from which they are made, and of
// splitVersion, which changes when they would be made otherwise.
func revision(d assist.Document) string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	fields, err := json.Marshal([]string{splitVersion, d.ID, d.Title, string(d.Kind), string(d.Audience), d.Collection, d.Language, d.URL,
		at(d.ValidFrom), at(d.ValidTo), d.Source, d.Path, d.Body})
	if err != nil {
		panic(err) // strings always marshal
	}
	sum := sha256.Sum256(fields)
	return hex.EncodeToString(sum[:8])
}
