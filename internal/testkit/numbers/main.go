// Command numbers measures what the house promises to hold and prints it as one
// table: `make bench-numbers`, or `bin/numbers NAME…` for some of it. Server,
// database, model and clients share this machine, as the bars say. It takes
// minutes; figures taken while other work runs are worth nothing, so the load is
// printed with them.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aside-project/aside/internal/testkit/load"
)

// figure is one line of the table.
type figure struct {
	what, bar, got string
	note           string
}

// number is a measurement that can run alone.
type number struct {
	name  string
	about string
	run   func(context.Context, *bench) error
}

var numbers = []number{
	{"ingest", "lexical ingest, passages per second", ingestRate},
	{"instant", "turn to passages and instant draft at size, 50 chats", instant},
	{"first-token", "what is added on top of the model's own first token, 50 chats", firstToken},
	{"turns", "turns per second of 200 chats that answer at once, vectors on", turns},
	{"memory", "resident memory at 50k passages and 200 chats", memory},
	{"idle", "resident memory per idle socket", idle},
	{"relay", "relay of a turn to the other side, commit included", relay},
	{"return", "sockets dropped at once and all back", comeBack},
	{"shut-out", "revoked by another process, until the socket is closed", shutOut},
	{"left", "the last viewer leaves, until the model is asked no more", left},
}

// bench is what measurements share.
type bench struct {
	*load.World
	data      string // development data; "": the sample company's words
	questions []string
	scale     float64 // of sizes and times: 1 are those of the bars
	figures   []figure
	out       io.Writer
}

func (b *bench) add(what, bar, note, format string, args ...any) {
	f := figure{what, bar, fmt.Sprintf(format, args...), note}
	b.figures = append(b.figures, f)
	fmt.Fprintf(b.out, "%s: %s   (bar %s; load %s)\n", f.what, f.got, f.bar, uptime())
}

// size scales a number of things, at least 1.
func (b *bench) size(n int) int { return max(1, int(float64(n)*b.scale)) }

// long scales a time, at least two seconds.
func (b *bench) long(d time.Duration) time.Duration {
	return max(2*time.Second, time.Duration(float64(d)*b.scale))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "numbers:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	fs := flag.NewFlagSet("numbers", flag.ContinueOnError)
	binary := fs.String("binary", "bin/aside", "`file` of the server")
	scale := fs.Float64("scale", 1, "`share` of the sizes and times, to try it out")
	debug := fs.String("debug", "", "`host:port` where the server serves profiles, for go tool pprof http://…/debug/pprof/profile")
	fs.Usage = func() {
		fmt.Fprintln(fs.Output(), "Usage: numbers [flags] [NAME…]")
		for _, n := range numbers {
			fmt.Fprintf(fs.Output(), "  %-12s %s\n", n.name, n.about)
		}
		fs.PrintDefaults()
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	var chosen []number
	for _, n := range numbers {
		if fs.NArg() == 0 || slices.Contains(fs.Args(), n.name) {
			chosen = append(chosen, n)
		}
	}
	if len(chosen) < fs.NArg() {
		return fmt.Errorf("%v: numbers -h names those there are", fs.Args())
	}
	if err := load.RaiseFiles(20000); err != nil {
		return err
	}
	b := &bench{data: load.Data(), scale: *scale, out: progress}
	if b.questions, err = load.Questions(b.data); err != nil {
		return err
	}
	if b.World, err = load.Open(ctx, *binary); err != nil {
		return err
	}
	b.Debug = *debug
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	for _, n := range chosen {
		fmt.Fprintf(progress, "— %s\n", n.about)
		if err := n.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	b.print(out)
	return nil
}

func (b *bench) print(w io.Writer) {
	texts := "real questions and pages"
	if b.data == "" {
		texts = "the sample company's words"
	}
	fmt.Fprintf(w, "\n%d CPUs, %s, load %s, %s\n\n", runtime.NumCPU(), time.Now().UTC().Format("2006-01-02 15:04 UTC"), uptime(), texts)
	width := 0
	for _, f := range b.figures {
		width = max(width, len([]rune(f.what)))
	}
	fmt.Fprintf(w, "| %-*s | %-28s | %-34s | peer | |\n|%s|%s|%s|---|---|\n", width, "what", "bar", "here", strings.Repeat("-", width+2), strings.Repeat("-", 30), strings.Repeat("-", 36))
	for _, f := range b.figures {
		fmt.Fprintf(w, "| %-*s | %-28s | %-34s |      | %s |\n", width, f.what, f.bar, f.got, f.note)
	}
}

// uptime is the machine's load; "unknown" where it does not say.
func uptime() string {
	text, err := os.ReadFile("/proc/loadavg")
	f := strings.Fields(string(text))
	if err != nil || len(f) < 2 {
		return "unknown"
	}
	return f[0] + " " + f[1]
}
