package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
)

func defineIngest(o *options, cfg *app.Config) runner {
	database(o, cfg)
	embedder(o, cfg)
	audience := o.String("audience", "internal", "`audience` of files that do not say: public or internal")
	language := o.String("language", "", "`language` of files that do not say, such as en or de; guessed from the text if not given")
	private := o.Bool("allow-private", false, "read web addresses of this machine and of private networks too")

	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) == 0 {
			return usageError{"name the files or folders to read, or the address of a page or a sitemap.xml"}
		}
		if !assist.Audience(*audience).Valid() {
			return usageError{fmt.Sprintf("--audience must be public or internal, not %q", *audience)}
		}
		db, err := app.OpenDatabase(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		if err := app.PutAuthority(ctx, db.DB, args); err != nil {
			return err
		}
		if err := app.PutBotSettings(ctx, db.DB, args); err != nil {
			return err
		}
		line := newProgressLine(s.err)
		report, err := ingest.Run(ctx, ingest.Options{
			Audience: assist.Audience(*audience), Language: *language, AllowPrivate: *private,
			Warn: func(path, text string) { s.log.Warn("oddity in a document", "path", path, "what", text) },
		}, db.DB, args, func(p ingest.Progress) {
			line.show("%d of %d  %s", p.Done, p.Total, p.Path)
		})
		line.clear()
		if err != nil {
			return err
		}
		if err := db.FinishPassages(ctx); err != nil {
			return err
		}
		if err := app.WarnProcedures(ctx, db.DB, s.log); err != nil {
			return err
		}
		if err := s.print(report, func(w io.Writer) { printIngest(w, report) }); err != nil {
			return err
		}
		if len(report.Failed) > 0 {
			if report.Documents == 0 {
				return errors.New("nothing could be read")
			}
			return fmt.Errorf("%d of %d documents could not be read; the rest is in", len(report.Failed), report.Documents+len(report.Failed))
		}
		return nil
	}
}

func printIngest(w io.Writer, r ingest.Report) {
	fmt.Fprintf(w, "%d documents, %d passages: %d added, %d changed, %d unchanged, %d removed\n",
		r.Documents, r.Passages, r.Added, r.Changed, r.Unchanged, r.Removed)
	if r.Documents+r.Removed+len(r.Failed) == 0 {
		fmt.Fprintln(w, "There is no document: files ending in .md, .html, .txt, .csv, .pdf or .docx are read.")
	}
	for _, f := range r.Failed {
		fmt.Fprintf(w, "not read: %s: %s\n", f.Path, f.Error)
	}
}

// progressLine rewrites one line of a terminal; elsewhere it stays quiet.
type progressLine struct {
	w     io.Writer
	width int
}

func newProgressLine(w io.Writer) progressLine {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progressLine{}
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width < 20 {
		width = 80
	}
	return progressLine{w, width}
}

func (p progressLine) show(format string, args ...any) {
	if p.w == nil {
		return
	}
	line := []rune(fmt.Sprintf(format, args...))
	if len(line) > p.width-1 {
		line = append(line[:p.width-2], '…')
	}
	fmt.Fprintf(p.w, "\r%s%s", string(line), strings.Repeat(" ", p.width-1-len(line)))
}

func (p progressLine) clear() {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width-1))
	}
}

// shut closes the database a command opened and keeps the first error.
func shut(db interface{ Shut() error }, err *error) {
	if serr := db.Shut(); serr != nil && *err == nil {
		*err = serr
	}
}
