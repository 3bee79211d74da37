// Command aside is the whole product in one binary: the server, and the commands
// that feed it, ask it and measure it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

// command is one word after `aside`.
type command struct {
	name, args, about string
	// define adds the command's flags and returns what runs it with the
	// arguments that are not flags.
	define func(*options, *app.Config) runner
}

type runner func(ctx context.Context, io streams, args []string) error

type streams struct {
	out, err io.Writer
	log      *slog.Logger
	json     bool
}

// print writes v as the one JSON object of --json, or calls text.
func (s streams) print(v any, text func(io.Writer)) error {
	if !s.json {
		text(s.out)
		return nil
	}
	return json.NewEncoder(s.out).Encode(v)
}

// commands in the order a newcomer meets them.
func commands() []command {
	return []command{
		{"up", "", "Start everything on this machine: private Postgres, sample company, console, demo chats.", defineUp},
		{"serve", "", "Serve in production; needs ASIDE_DATABASE_URL and ASIDE_SECRET.", defineServe},
		{"ingest", "PATH…", "Read files, folders, web pages and sitemaps (Markdown, HTML, text, CSV, PDF, DOCX) into the knowledge.", defineIngest},
		{"learn", "FILE.jsonl", "Learn from past chats which passages answer which questions, and in which order steps are taken.", defineLearn},
		{"search", "TEXT", "Find passages, as a suggestion would.", defineSearch},
		{"replay", "FILE.jsonl", "Play recorded conversations into a running server and measure.", defineReplay},
		{"eval", "[SUITE…]", "Run evaluation suites and say what failed, and why.", defineEval},
		{"eval compare", "A B [SUITE…]", "Compare two prompts, runs or revisions on the same cases.", defineEvalCompare},
		{"eval gate", "[SUITE…]", "Hold a run against the committed baseline: the step for CI.", defineEvalGate},
		{"eval import", "FILE", "Say what of a promptfoo suite carries over.", defineEvalImport},
		{"eval calibrate", "[FILE.jsonl]", "Hold a judge against replies that people have judged.", defineEvalCalibrate},
		{"eval simulate", "[FILE…]", "Play customers with a goal against the pipeline, message by message.", defineEvalSimulate},
		{"eval outcomes", "", "Say what agents made of the drafts of each prompt and variant.", defineEvalOutcomes},
		{"eval harvest", "", "Make candidate cases of what agents changed in drafts.", defineEvalHarvest},
		{"eval retrieval", "", "Measure how well the passages of a data set are found.", defineEvalRetrieval},
		{"eval abstention", "", "Measure how well questions that nothing answers are told.", defineEvalAbstention},
		{"eval nextsteps", "", "Measure how often the offered next steps are what agents did.", defineEvalNextSteps},
		{"eval attacks", "", "Attack the customer bot with a hostile model, and count what came out.", defineEvalAttacks},
		{"eval promises", "", "Measure the promise check on labelled drafts.", defineEvalPromises},
		{"token", "", "Sign a token for development.", defineToken},
		{"token revoke", "[TOKEN]", "Make tokens worthless: all of a subject, or one. Open sockets close within five seconds.", defineTokenRevoke},
		{"sessions", "", "List the agents who are signed in.", defineSessions},
		{"sessions end", "SUBJECT", "End every session of an agent, at once and everywhere.", defineSessionsEnd},
		{"forget", "", "Erase a conversation, or a customer's, with all that was learned from it.", defineForget},
		{"vectors", "", "List the embedding models that the knowledge has vectors of.", defineVectors},
		{"vectors prune", "[MODEL…]", "Delete the vectors of models that served earlier, or of those named; never of the one that serves.", defineVectorsPrune},
		{"ready", "", "Ask the server of this machine whether it can serve: the health check of a container.", defineReady},
		{"doctor", "", "Say what is configured, reachable, missing, and what mends it.", defineDoctor},
	}
}

// Exit codes of the protocol.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2

	exitRegression   = 100 // eval gate
	exitInconclusive = 101
)

// usageError is a wrong use of the command line, with words that help.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in.
func run(ctx context.Context, args []string, env func(string) string, out, errw io.Writer) int {
	if len(args) == 0 {
		overview(errw)
		return exitUsage
	}
	switch args[0] {
	case "help", "-h", "--help", "-help":
		if len(args) == 1 {
			overview(out)
			return exitOK
		}
		args = append(slices.Clone(args[1:]), "-h")
	}
	if c, rest, ok := find(args); ok {
		return c.run(ctx, rest, env, out, errw)
	}
	fmt.Fprintf(errw, "aside: there is no command %q%s\n`aside help` lists them.\n", args[0], meant(args[0], commandNames()))
	return exitUsage
}

// find gives the command of a line; a name of two words, such as "eval
// retrieval", goes before one of one.
func find(args []string) (c command, rest []string, ok bool) {
	for n := min(2, len(args)); n > 0; n-- {
		name := strings.Join(args[:n], " ")
		for _, c := range commands() {
			if c.name == name {
				return c, args[n:], true
			}
		}
	}
	return c, nil, false
}

// commandNames are the first words of the commands.
func commandNames() (names []string) {
	for _, c := range commands() {
		name, _, _ := strings.Cut(c.name, " ")
		names = append(names, name)
	}
	return slices.Compact(names)
}

func (c command) run(ctx context.Context, args []string, env func(string) string, out, errw io.Writer) int {
	cfg := app.Default()
	if c.name != "up" && c.name != "serve" {
		cfg.LogLevel = "warn" // what a command has to say is its output
	}
	opts := newOptions(c.name, env)
	s := streams{out: out, err: errw}
	opts.BoolVar(&s.json, "json", false, "print exactly one JSON object on standard output")
	opts.StringVar(&cfg.LogLevel, "log-level", cfg.LogLevel, "`level` of the log on standard error: debug, info, warn, error")
	opts.fromEnv("log-level", "ASIDE_LOG_LEVEL")
	opts.StringVar(&cfg.LogFormat, "log-format", cfg.LogFormat, "`format` of the log: text or json")
	opts.fromEnv("log-format", "ASIDE_LOG_FORMAT")
	work := c.define(opts, &cfg)

	rest, err := opts.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(out, "%s\n\nUsage: aside %s\n", c.about, joined(c.name, "[flags]", c.args))
		opts.help(out)
		return exitOK
	}
	if err == nil {
		err = asUsage(cfg.Validate())
	}
	if err == nil {
		s.log = app.NewLogger(errw, cfg)
		err = work(ctx, s, rest)
	}
	if err == nil || errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitOK
	}
	var judged interface{ code() int }
	if errors.As(err, &judged) {
		return judged.code()
	}
	fmt.Fprintf(errw, "aside %s: %s\n", c.name, assist.Explain(err))
	var usage usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(errw, "`aside %s -h` shows what it understands.\n", c.name)
		return exitUsage
	}
	return exitFailed
}

func asUsage(err error) error {
	if err != nil {
		return usageError{err.Error()}
	}
	return nil
}

func overview(w io.Writer) {
	fmt.Fprint(w, "Aside listens to support chats and whispers the reply to the agent: cited, checked, with the next steps.\n\nUsage: aside COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-27s  %s\n", joined(c.name, c.args), c.about)
	}
	fmt.Fprint(w, "\n`aside COMMAND -h` shows a command's flags and the ASIDE_* variables behind them.\nStart with `aside up`.\n")
}

func joined(parts ...string) string {
	out := ""
	for _, p := range parts {
		if p == "" {
			continue
		}
		if out != "" {
			out += " "
		}
		out += p
	}
	return out
}
