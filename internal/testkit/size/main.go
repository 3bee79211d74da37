// Command size measures search and ingest in knowledge bases of given sizes, made
// of real text, and prints a table and lines for benchstat: `make bench-size`.
// Pages are files, ingested as aside ingest does into a private PostgreSQL that
// syncs everything to disk; questions are those of real chats, heard as live ones
// are. Times on the clock mean something on a quiet machine only, so the load and
// processor times are printed with them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/testkit/bulk"
	"github.com/aside-project/aside/internal/testkit/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

// bench is what the measurements of a size share.
type bench struct {
	*load.World
	data               string // development data
	text               *bulk.Text
	questions, vectors int // vectors: passages up to which they are measured too
	edits              int
	out                io.Writer

	table, memory, lines strings.Builder
}

func run(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("size", flag.ContinueOnError)
	binary := f.String("binary", "bin/aside", "aside, for the memory of its server")
	in := f.String("in", "", "measure only, in the data `directory` of an earlier aside up or aside ingest")
	pages := f.String("pages", "", "write the pages of one size below this `folder`, and do nothing else")
	vectors := f.Int("vectors", 100_000, "measure vectors too, up to so many `passages`: an index takes minutes")
	questions := f.Int("questions", 400, "how many `questions` are asked; a tenth to a quarter of them are also searched for exactly")
	edits := f.Int("edits", 0, "then ingest so many `times` again, each time with a sentence more in a tenth of the pages, and measure anew")
	if err := f.Parse(args); err != nil {
		return err
	}
	b := &bench{data: load.Data(), questions: *questions, vectors: *vectors, edits: *edits, out: out}
	if b.data == "" {
		return errors.New("there is no development data: ASIDE_DATA names its folder")
	}
	sizes := strings.Fields(strings.Join(f.Args(), " "))
	var passages []int
	for _, s := range sizes {
		n, err := parseSize(s)
		if err != nil {
			return err
		}
		passages = append(passages, n)
	}
	var err error
	if *in == "" {
		b.say("reading the text that pages are made of")
		if b.text, err = bulk.ReadText(b.data); err != nil {
			return err
		}
	}
	switch {
	case *pages != "" && len(passages) == 1:
		return b.text.Write(*pages, passages[0], 1)
	case *pages != "":
		return errors.New("--pages wants one size")
	case *in != "":
		if b.World, err = load.OpenKept(ctx, *binary, *in); err != nil {
			return err
		}
		err = b.measure(ctx, "kept", "kept")
		err = errors.Join(err, b.Close())
	default:
		for i, n := range passages {
			if err = b.made(ctx, *binary, sizes[i], n); err != nil {
				break
			}
		}
	}
	b.print()
	return err
}

func parseSize(s string) (int, error) {
	number, unit := s, 1
	switch {
	case strings.HasSuffix(s, "k"):
		number, unit = s[:len(s)-1], 1000
	case strings.HasSuffix(s, "M"):
		number, unit = s[:len(s)-1], 1_000_000
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("size %q: must be a number such as 10k, 100k or 1000000", s)
	}
	return n * unit, nil
}

// say tells how far it is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.out, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

// made measures a knowledge of so many passages from nothing.
func (b *bench) made(ctx context.Context, binary, size string, n int) (err error) {
	dir, err := os.MkdirTemp("", "aside-pages-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b.say("%s: writing pages", size)
	if err := b.text.Write(dir, n, 1); err != nil {
		return err
	}
	if b.World, err = load.Open(ctx, binary); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	db, drop, err := b.Database(ctx, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if err := b.ingest(ctx, db, size, dir); err != nil {
		return err
	}
	if err := b.measure(ctx, size, size); err != nil || b.edits == 0 {
		return err
	}
	b.say("%s: editing", size)
	for round := range b.edits {
		if err := b.text.Edit(dir, round); err != nil {
			return err
		}
		if _, err := ingest.Run(ctx, ingest.Options{}, db, []string{dir}, nil); err != nil {
			return err
		}
		if err := db.FinishPassages(ctx); err != nil {
			return err
		}
	}
	return b.measure(ctx, size, size+"-edited")
}

func (b *bench) ingest(ctx context.Context, db *postgres.DB, size, dir string) error {
	before, err := b.CPU(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	told := began
	report, err := ingest.Run(ctx, ingest.Options{}, db, []string{dir}, func(p ingest.Progress) {
		if time.Since(told) > 10*time.Second {
			told = time.Now()
			b.say("%s: %d of %d pages, %.0f passages/s", size, p.Done, p.Total, float64(p.Done*bulk.Sections)/time.Since(began).Seconds())
		}
	})
	if err != nil {
		return err
	}
	if len(report.Failed) > 0 {
		return fmt.Errorf("%s: %s", filepath.Base(report.Failed[0].Path), report.Failed[0].Error)
	}
	if err := db.FinishPassages(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	after, err := b.CPU(ctx)
	if err != nil {
		return err
	}
	used := after.Minus(before)
	rate := float64(report.Passages) / took.Seconds()
	b.say("%s: %d passages in %s: %.0f/s, load %s; %s", size, report.Passages, took.Round(time.Second), rate, loadAverage(), used.Per(report.Passages))
	fmt.Fprintf(&b.memory, "%-8s ingested %d passages at %.0f/s (%.0f for each second of processor time), lists of terms included\n", size,
		report.Passages, rate, float64(report.Passages)/(used.Database+used.Here).Seconds())
	fmt.Fprintf(&b.lines, "BenchmarkIngestAtSize/passages=%s %d %.0f ns/op %.0f passages/s\n", size, report.Passages, 1e9/rate, rate)
	return nil
}

func (b *bench) print() {
	fmt.Fprintf(b.out, `
searches   each question alone, once its pages are in memory; times in ms, cpu is of database and search together
%-10s %-32s %5s %7s %7s %7s %7s %9s %6s
%s
same 10: of the ten best of a search that reads every passage the scope lets through, the share that was found; that
search is exact BM25. What is found is ranked exactly, too: only which passages are read is decided by lists. fewer:
questions that got fewer passages than exist for them.

%s
%s
`, "size", "who, and filter", "n", "p50", "p95", "max", "cpu", "same 10", "fewer", &b.table, &b.memory, &b.lines)
}

// loadAverage is that of the last minute.
func loadAverage() string {
	s, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(s), " ")
	return first
}
