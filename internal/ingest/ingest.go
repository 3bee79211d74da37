// Package ingest turns files, folders and web pages into documents and passages. Reading
// and splitting use all cores; writing happens in the order of the files, whole
// documents only. A broken file is reported by name and skipped, and what it
// said before stays. Nothing here trusts a file: size, nesting and encoding are
// bounded, and a parser that panics fails that file alone.
package ingest

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/aside-project/aside/internal/assist"
)

// Store keeps documents. A document is visible whole or not at all.
type Store interface {
	// PutDocuments stores documents with their passages in one transaction,
	// a change per document. The same id is a new revision of the same document:
	// passages whose words did not change keep their id and what belongs to it.
	PutDocuments(ctx context.Context, docs []assist.Document) ([]assist.Change, error)
	// RemoveDocuments ends the validity of the source's documents that are not
	// among keep, and says which.
	RemoveDocuments(ctx context.Context, source string, keep []string) (removed []string, err error)
	// Revisions gives the current revision of every document, by id.
	Revisions(ctx context.Context) (map[string]string, error)
}

// Options say how to read files that do not say it themselves.
type Options struct {
	Audience assist.Audience // of files without one; "": internal
	Language string          // of files without one; "": guessed from the text
	// AllowPrivate lets web addresses lead to hosts that are not public, as on an
	// intranet; a page then reaches whatever this machine reaches.
	AllowPrivate bool
	Warn         func(path, text string) // told of oddities that fail nothing; nil: nobody is. Calls come one at a time

	allow func(netip.AddrPort) error // instead of public, for tests
	pace  rate.Limit                 // requests per second and host; 0: webPace
	// patient multiplies the limits of time by ten, for tests that are not about
	// them: a busy machine must not fail those.
	patient bool
}

// Progress is where a run stands, in files.
type Progress struct {
	Done, Total int
	Path        string // the file just done
}

// Report is what a run did.
type Report struct {
	Documents int       `json:"documents"` // good ones, whether they changed or not
	Passages  int       `json:"passages"`  // of these
	Added     int       `json:"added"`
	Changed   int       `json:"changed"`
	Unchanged int       `json:"unchanged"`
	Removed   int       `json:"removed"`
	Failed    []Failure `json:"failed"` // never nil
}

// Failure is a file that was skipped, and why.
type Failure struct {
	Path  string `json:"path"`
	Error string `json:"error"`
}

const (
	batchDocuments = 100  // per transaction
	batchPassages  = 2000 // about; one document may have more
)

// Run ingests files, folders, web pages and sitemaps into the store. It is idempotent: documents that
// did not change are not sent again, and documents of a given folder or file that
// are gone from it are removed. It returns an error only when the store fails or
// ctx is done; the report then says how far it came. Faults of files are in
// Report.Failed. The progress function may be nil and is called from one
// goroutine.
func Run(ctx context.Context, opt Options, store Store, paths []string, progress func(Progress)) (Report, error) {
	if opt.Audience == "" {
		opt.Audience = assist.AudienceInternal
	}
	if !opt.Audience.Valid() {
		return Report{Failed: []Failure{}}, fmt.Errorf("audience must be %s or %s, not %q", assist.AudiencePublic, assist.AudienceInternal, opt.Audience)
	}
	r := run{reader: newReader(opt), store: store, byID: map[string]string{}, keep: map[string][]string{}, hold: map[string]string{}}
	r.report.Failed = []Failure{}
	defer r.reader.close()
	err := r.run(ctx, paths, progress)
	return r.report, err
}

// run is the state of one Run, owned by its goroutine.
type run struct {
	reader    *reader
	store     Store
	report    Report
	revisions map[string]string
	byID      map[string]string   // path by document id, to find two files with one id
	keep      map[string][]string // ids that still exist, by source
	hold      map[string]string   // source → file because of which nothing of it is removed
	batch     []assist.Document
	passages  int               // in batch
	writing   chan func() error // of the batch being stored: what became of it; nil: none is
}

func (r *run) run(ctx context.Context, paths []string, progress func(Progress)) error {
	files, sources := r.find(ctx, paths)
	var err error
	if r.revisions, err = r.store.Revisions(ctx); err != nil {
		return fmt.Errorf("read what is known already: %w", err)
	}
	defer r.stored() // nobody may be left writing; the first error is told below
	if err := r.each(ctx, files, func(i int, p parsed) error {
		if err := r.take(ctx, files[i], p); err != nil {
			return err
		}
		if progress != nil {
			progress(Progress{Done: i + 1, Total: len(files), Path: files[i].path})
		}
		return nil
	}); err != nil {
		return err
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	if err := r.stored(); err != nil {
		return err
	}
	for _, source := range sources {
		if because := r.hold[source]; because != "" {
			r.warn(because, "could not be read, so nothing gone from "+source+" was removed")
			continue
		}
		removed, err := r.store.RemoveDocuments(ctx, source, r.keep[source])
		if err != nil {
			return fmt.Errorf("remove what is gone from %s: %w", source, err)
		}
		r.report.Removed += len(removed)
	}
	return nil
}

// each parses the files side by side and hands them over one by one, in order.
// A few files beyond the one that is waited for are in memory, no more.
func (r *run) each(ctx context.Context, files []file, take func(int, parsed) error) error {
	workers := runtime.GOMAXPROCS(0)
	group, gctx := errgroup.WithContext(ctx)
	slots := make([]chan parsed, len(files))
	for i := range slots {
		slots[i] = make(chan parsed, 1)
	}
	jobs := make(chan int)
	ahead := make(chan struct{}, 4*workers)
	group.Go(func() error {
		defer close(jobs)
		for i := range files {
			select {
			case ahead <- struct{}{}:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
			select {
			case jobs <- i:
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		}
		return nil
	})
	for range workers {
		group.Go(func() error {
			for i := range jobs {
				slots[i] <- r.reader.parse(gctx, files[i])
			}
			return nil
		})
	}
	group.Go(func() error {
		for i := range files {
			select {
			case p := <-slots[i]:
				if err := take(i, p); err != nil {
					return err
				}
				slots[i] = nil
				<-ahead
			case <-gctx.Done():
				return context.Cause(gctx)
			}
		}
		return nil
	})
	return group.Wait()
}

// take books one parsed file: its documents go to the batch if they changed.
func (r *run) take(ctx context.Context, f file, p parsed) error {
	for _, w := range p.warnings {
		r.warn(f.path, w)
	}
	if p.err != nil {
		r.fail(f, p, p.err)
		return nil
	}
	for _, d := range p.docs {
		if other, twice := r.byID[d.ID]; twice {
			r.fail(f, p, fmt.Errorf("its document id %q is already that of %s: give one of them another id in the front matter", d.ID, other))
			return nil
		}
	}
	for _, d := range p.docs {
		r.byID[d.ID] = f.path
		r.keep[f.source] = append(r.keep[f.source], d.ID)
		r.report.Documents++
		r.report.Passages += len(d.Passages)
		if r.revisions[d.ID] == d.Revision {
			r.report.Unchanged++
			continue
		}
		r.batch = append(r.batch, d)
		if r.passages += len(d.Passages); len(r.batch) >= batchDocuments || r.passages >= batchPassages {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// fail books a file that is skipped. What is known of it stays; if its ids cannot
// be told, all of its source stays.
func (r *run) fail(f file, p parsed, err error) {
	r.report.Failed = append(r.report.Failed, Failure{f.path, err.Error()})
	if f.source == "" {
		return
	}
	if p.unknownIDs {
		r.hold[f.source] = f.path
	}
	r.keep[f.source] = append(r.keep[f.source], p.oldIDs...)
	for id := range r.revisions {
		if strings.HasPrefix(id, f.id+"/") { // rows of a table
			r.keep[f.source] = append(r.keep[f.source], id)
		}
	}
}

// flush has the batch stored while the next one is read: two are in memory at most.
// Batches are stored one after the other.
func (r *run) flush(ctx context.Context) error {
	if err := r.stored(); err != nil || len(r.batch) == 0 {
		return err
	}
	batch := r.batch
	r.batch, r.passages = nil, 0
	writing := make(chan func() error, 1)
	r.writing = writing
	go func() {
		changes, err := r.store.PutDocuments(ctx, batch)
		writing <- func() error { return r.book(batch, changes, err) }
	}()
	return nil
}

// stored waits until the batch that is being stored is, and books it.
func (r *run) stored() error {
	if r.writing == nil {
		return nil
	}
	book := <-r.writing
	r.writing = nil
	return book()
}

// book adds to the report what became of a batch.
func (r *run) book(batch []assist.Document, changes []assist.Change, err error) error {
	if err != nil {
		return fmt.Errorf("store %d documents from %s on: %w", len(batch), batch[0].ID, err)
	}
	if len(changes) != len(batch) {
		return fmt.Errorf("the store answered %d changes to %d documents", len(changes), len(batch))
	}
	for _, c := range changes {
		switch c {
		case assist.Added:
			r.report.Added++
		case assist.Changed:
			r.report.Changed++
		default:
			r.report.Unchanged++
		}
	}
	return nil
}

func (r *run) warn(path, text string) {
	if r.reader.opt.Warn != nil {
		r.reader.opt.Warn(path, text)
	}
}

// find lists the files to read and the sources they come from, in order.
func (r *run) find(ctx context.Context, paths []string) (files []file, sources []string) {
	seen := map[string]bool{}
	for _, path := range paths {
		var found []file
		var source string
		var err error
		if strings.Contains(path, "://") {
			found, source, err = r.reader.web.pages(ctx, path, r.warn)
		} else {
			found, source, err = walk(path, r.warn)
		}
		if err != nil {
			r.report.Failed = append(r.report.Failed, Failure{path, err.Error()})
			if source != "" {
				r.hold[source] = path
			}
		}
		for _, f := range found {
			abs := f.rel
			if f.url == nil {
				abs = filepath.Join(f.dir, f.rel)
			}
			if !seen[abs] {
				seen[abs] = true
				files = append(files, f)
			}
		}
		if source != "" && !slices.Contains(sources, source) {
			sources = append(sources, source)
		}
	}
	return files, sources
}
