package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/eval"
	"github.com/aside-project/aside/internal/postgres"
)

// age is a flag such as 36h or 7d.
type age time.Duration

func (a *age) String() string {
	if d := time.Duration(*a); d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return time.Duration(*a).String()
}

func (a *age) Set(s string) error {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not a number of days such as 7d", s)
		}
		*a = age(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time such as 7d or 36h", s)
	}
	*a = age(d)
	return nil
}

// fromCompany are the flags of what reads the database of a running company.
func fromCompany(o *options, cfg *app.Config, limit int) (since *age, most *int) {
	database(o, cfg)
	since = new(age)
	*since = age(7 * 24 * time.Hour)
	o.Var(since, "since", "`how` far back, such as 7d or 36h")
	return since, o.Int("limit", limit, "at most so `many` suggestions")
}

func defineEvalOutcomes(o *options, cfg *app.Config) runner {
	since, limit := fromCompany(o, cfg, 200_000)
	return func(ctx context.Context, s streams, args []string) (err error) {
		if len(args) > 0 {
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		}
		if *limit < 1 {
			return usageError{fmt.Sprintf("--limit must be 1 or more, not %d", *limit)}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		rows, err := db.Outcomes(ctx, time.Now().Add(-time.Duration(*since)), *limit)
		if err != nil {
			return err
		}
		used := make([]eval.Used, len(rows))
		for i, r := range rows {
			used[i] = eval.Used{Conversation: r.Conversation, Prompt: r.Prompt, Version: r.Version, Origin: r.Origin,
				State: r.State, EditDistance: r.EditDistance, Verdict: r.Verdict}
		}
		report := struct {
			Since    time.Time             `json:"since"`
			Outcomes []eval.VariantOutcome `json:"outcomes"`
		}{time.Now().Add(-time.Duration(*since)).UTC().Truncate(time.Second), eval.Outcomes(used)}
		return s.print(report, func(w io.Writer) { eval.WriteOutcomes(w, report.Outcomes) })
	}
}

func defineEvalHarvest(o *options, cfg *app.Config) runner {
	since, limit := fromCompany(o, cfg, 500)
	out := o.String("out", "", "suite `file` that accepted cases are added to")
	all := o.Bool("accept-all", false, "accept every candidate without asking; read them before you commit them")
	return func(ctx context.Context, s streams, args []string) (err error) {
		switch {
		case len(args) > 0:
			return usageError{fmt.Sprintf("it takes no arguments, but was given %q", args[0])}
		case *all && *out == "":
			return usageError{"--accept-all needs --out, the suite to add to"}
		}
		if *limit < 1 {
			return usageError{fmt.Sprintf("--limit must be 1 or more, not %d", *limit)}
		}
		db, err := app.OpenExisting(ctx, *cfg, s.log)
		if err != nil {
			return err
		}
		defer shut(db, &err)
		rows, err := db.Edits(ctx, time.Now().Add(-time.Duration(*since)), *limit)
		if err != nil {
			return err
		}
		harvest := eval.HarvestEdits(ctx, edited(rows))
		accepted := harvest.Candidates
		if *out != "" && !*all {
			if s.json || !term.IsTerminal(int(os.Stdin.Fd())) {
				return usageError{"nobody is here to accept candidates: use a terminal, or --accept-all"}
			}
			if accepted, err = reviewOnTerminal(s.out, harvest.Candidates); err != nil {
				return err
			}
		}
		added := 0
		if *out != "" {
			if added, err = appendSuite(*out, accepted); err != nil {
				return err
			}
		}
		report := struct {
			eval.Harvest
			Added int    `json:"added"`
			Out   string `json:"out,omitempty"`
		}{harvest, added, *out}
		return s.print(report, func(w io.Writer) {
			if *out == "" {
				for _, c := range harvest.Candidates {
					eval.WriteCandidate(w, c)
					fmt.Fprintln(w)
				}
			}
			fmt.Fprintf(w, "%d edits: %d candidates, %d more like them, %d with nothing to learn, %d left out because something private may be in them\n",
				harvest.Edits, len(harvest.Candidates), harvest.Alike, harvest.Trivial, harvest.Unsafe)
			switch {
			case *out != "":
				fmt.Fprintf(w, "%d cases were added to %s: read them, then `aside eval %s`\n", added, *out, *out)
			case len(harvest.Candidates) > 0:
				fmt.Fprintln(w, "--out evals/suites/harvested.yaml asks for each with one key, and adds what you accept.")
			}
		})
	}
}

func edited(rows []postgres.Edit) []eval.Edited {
	out := make([]eval.Edited, len(rows))
	for i, r := range rows {
		out[i] = eval.Edited{Suggestion: r.Outcome.Suggestion, Customer: r.Customer, Agent: r.Agent, Turns: r.Turns,
			Draft: r.Draft, Hits: r.Hits, Reply: r.Reply, Reason: r.Outcome.Reason, At: r.Outcome.At}
	}
	return out
}

// appendSuite adds cases to a suite file, and writes it only when the whole reads.
func appendSuite(name string, candidates []eval.Candidate) (added int, err error) {
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("add to the suite: %w", err)
	}
	text, added, err := eval.Append(string(old), candidates)
	if err != nil || added == 0 {
		return 0, err
	}
	tmp := name + ".new.yaml"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		return 0, fmt.Errorf("add to the suite: %w", err)
	}
	defer func() { err = errors.Join(err, removed(tmp)) }()
	if _, err := eval.Load(os.DirFS(filepath.Dir(tmp)), filepath.Base(tmp)); err != nil {
		return 0, fmt.Errorf("%s must end with its list of tests, to be added to: %w", name, err)
	}
	return added, os.Rename(tmp, name)
}

func removed(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func reviewOnTerminal(w io.Writer, candidates []eval.Candidate) ([]eval.Candidate, error) {
	fd := int(os.Stdin.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("read single keys: %w", err)
	}
	defer func() { _ = term.Restore(fd, old) }() // the terminal is gone, or it works
	return review(rawLines{w}, bufio.NewReader(os.Stdin), candidates)
}

// rawLines writes for a terminal that does not return the carriage by itself.
type rawLines struct{ io.Writer }

func (r rawLines) Write(p []byte) (int, error) {
	_, err := io.WriteString(r.Writer, strings.ReplaceAll(string(p), "\n", "\r\n"))
	return len(p), err
}

// review shows candidate after candidate and takes one key for each: a accepts, s
// skips, q ends. What was accepted until then stays accepted.
func review(w io.Writer, keys io.ByteReader, candidates []eval.Candidate) (accepted []eval.Candidate, err error) {
	for i, c := range candidates {
		fmt.Fprintf(w, "\n%d of %d  ", i+1, len(candidates))
		eval.WriteCandidate(w, c)
		fmt.Fprint(w, "  a accept · s skip · q quit ")
	key:
		for {
			k, err := keys.ReadByte()
			if err == io.EOF {
				return accepted, nil
			}
			if err != nil {
				return accepted, err
			}
			switch k {
			case 'a', 'A', 'y', 'Y':
				accepted = append(accepted, c)
				fmt.Fprintln(w, "→ accepted")
				break key
			case 's', 'S', 'n', 'N', ' ':
				fmt.Fprintln(w, "→ skipped")
				break key
			case 'q', 'Q', 3, 4, 27: // Ctrl-C, Ctrl-D and Esc arrive as keys here
				fmt.Fprintln(w, "→ done")
				return accepted, nil
			}
		}
	}
	return accepted, nil
}
