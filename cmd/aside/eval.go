package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/eval"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/llm/openai"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/prompts"
)

// evalFlags are what every command that runs suites understands.
type evalFlags struct {
	prompt, prompts, provider, filter, out, record, judge, price, cache string
	budget                                                              float64
	repeat, concurrency                                                 int
	resume, noCache, verbose                                            bool
}

func (f *evalFlags) define(o *options, cfg *app.Config) {
	model(o, cfg)
	o.StringVar(&f.prompt, "prompt", "", "test this `prompt` of ours, such as reply@terse, instead of the suites' own")
	o.StringVar(&f.prompts, "prompts", "", "`folder` of prompt files (default: prompts here, else those built in)")
	o.StringVar(&f.provider, "provider", "", "`who` writes, comma separated: instant, openai[:chat:MODEL], cassette:FILE, hostile[:MOOD], script:FAULT (default: as the suites say)")
	o.StringVar(&f.filter, "filter", "", "only cases whose name or description matches this `pattern`")
	o.IntVar(&f.repeat, "repeat", 0, "ask each case so `many` times (default: as the suites say, else 1)")
	o.IntVar(&f.concurrency, "concurrency", 0, "cases at a time (default: as the suites say, else 4)")
	o.StringVar(&f.out, "out", "", "`folder` for results.jsonl, summary.json, junit.xml, bench.txt and report.html")
	o.BoolVar(&f.resume, "resume", false, "keep what --out holds and run the rest")
	o.StringVar(&f.record, "record", "", "add what the model answers to this cassette `file`")
	o.StringVar(&f.judge, "judge", "", "`provider` of graded assertions that name none")
	o.StringVar(&f.price, "price", "", "`IN,OUT`: dollars per million tokens, for cost")
	o.Float64Var(&f.budget, "max-cost", 0, "stop after so many `dollars`, by --price")
	o.StringVar(&f.cache, "cache-dir", "", "`folder` of the response cache (default: aside/eval in the user's cache folder)")
	o.BoolVar(&f.noCache, "no-cache", false, "ask the model every time")
	o.BoolVar(&f.verbose, "v", false, "print the whole why of each case")
}

// options makes the run's options.
func (f *evalFlags) options(s streams, cfg *app.Config) (o eval.Options, err error) {
	o = eval.Options{
		Files: os.DirFS("/"), Sample: sampleFiles(), Prompt: f.prompt, Repeat: f.repeat, Concurrency: f.concurrency,
		Out: f.out, Resume: f.resume, Judge: f.judge,
	}
	if f.resume && f.out == "" {
		return o, usageError{"--resume needs --out, the folder of the run to go on with"}
	}
	if f.repeat < 0 || f.concurrency < 0 {
		return o, usageError{fmt.Sprintf("--repeat and --concurrency must be 1 or more, not %d", min(f.repeat, f.concurrency))}
	}
	if f.judge != "" {
		if _, err := eval.ParseProvider(f.judge); err != nil {
			return o, usageError{"--judge: " + err.Error()}
		}
	}
	if f.filter != "" {
		if o.Filter, err = regexp.Compile(f.filter); err != nil {
			return o, usageError{fmt.Sprintf("--filter: %v", err)}
		}
	}
	if f.price != "" {
		in, out, ok := strings.Cut(f.price, ",")
		var faults [2]error
		o.PriceIn, faults[0] = strconv.ParseFloat(in, 64)
		o.PriceOut, faults[1] = strconv.ParseFloat(out, 64)
		if err := errors.Join(faults[:]...); err != nil || !ok {
			return o, usageError{fmt.Sprintf("--price must be two numbers such as 0.15,0.60, not %q", f.price)}
		}
	}
	if o.Budget = f.budget; o.Budget > 0 && f.price == "" {
		return o, usageError{"--max-cost needs --price"}
	}
	var ids list
	if err := ids.Set(f.provider); err != nil {
		return o, err
	}
	for _, id := range ids {
		if file, ok := strings.CutPrefix(id, "cassette:"); ok {
			abs, err := filepath.Abs(file)
			if err != nil {
				return o, err
			}
			id = "cassette:" + filepath.ToSlash(strings.TrimPrefix(abs, "/"))
		}
		p, err := eval.ParseProvider(id)
		if err != nil {
			return o, usageError{err.Error()}
		}
		o.Providers = append(o.Providers, p)
	}
	set, err := loadPrompts(f.prompts)
	if err != nil {
		return o, err
	}
	o.Prompts = set
	o.Open = func(baseURL, name string) (llm.ChatModel, error) {
		c := openai.Config{BaseURL: cfg.Model.BaseURL, APIKey: cfg.Model.APIKey, Model: cfg.Model.Model, AllowInsecure: cfg.Model.AllowHTTP, Logger: s.log}
		if baseURL != "" {
			c.BaseURL = baseURL
		}
		if name != "" {
			c.Model = name
		}
		if c.BaseURL == "" || c.Model == "" {
			return nil, errors.New("no model is configured: set ASIDE_LLM_BASE_URL (--llm-url) and ASIDE_LLM_MODEL (--llm-model)")
		}
		return openai.New(c)
	}
	o.Embed = func(name string) (llm.Embedder, error) {
		if name == "" && cfg.Embedder.Model == "" {
			return nil, nil // texts are compared by their terms
		}
		return openai.NewEmbedder(openai.Config{
			BaseURL: cfg.Model.BaseURL, APIKey: cfg.Model.APIKey,
			EmbeddingBaseURL: cfg.Embedder.BaseURL, EmbeddingAPIKey: cfg.Embedder.APIKey, EmbeddingModel: cmp.Or(name, cfg.Embedder.Model),
			AllowInsecure: cfg.Model.AllowHTTP, Logger: s.log,
		})
	}
	if !f.noCache {
		o.Cache = f.cache
		if o.Cache == "" {
			if dir, err := os.UserCacheDir(); err == nil {
				o.Cache = filepath.Join(dir, "aside", "eval")
			}
		}
	}
	if f.record != "" {
		if o.Record, err = eval.Record(f.record); err != nil {
			return o, err
		}
	}
	return o, nil
}

// sampleFiles is the sample company: the files here, for who works on them, else
// those built in.
func sampleFiles() fs.FS {
	if _, err := os.Stat("evals/suites"); err == nil {
		return os.DirFS("evals")
	}
	return evals.Files
}

func loadPrompts(dir string) (*prompt.Set, error) {
	var files fs.FS = prompts.Files
	if dir == "" {
		if _, err := os.Stat("prompts/reply.md"); err == nil {
			dir = "prompts"
		}
	}
	if dir != "" {
		files = os.DirFS(dir)
	}
	set, err := prompt.Load(files)
	if err != nil {
		return nil, usageError{fmt.Sprintf("load prompts of --prompts %s: %v", cmp.Or(dir, "(those built in)"), err)}
	}
	return set, nil
}

// loadSuites reads the named suites: a path, or the name of a shipped one; none
// named is all that ship.
func loadSuites(names []string) (suites []*eval.Suite, err error) {
	shipped := sampleFiles()
	if len(names) == 0 {
		if names, err = suiteNames(shipped); err != nil {
			return nil, err
		}
	}
	var faults []error
	for _, n := range names {
		s, err := loadSuite(shipped, n)
		faults = append(faults, err)
		if err == nil {
			suites = append(suites, s)
		}
	}
	return suites, errors.Join(faults...)
}

// suiteNames are the names of the suites that ship.
func suiteNames(shipped fs.FS) ([]string, error) {
	names, err := fs.Glob(shipped, "suites/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list suites: %w", err)
	}
	for i := range names {
		names[i] = strings.TrimSuffix(filepath.Base(names[i]), ".yaml")
	}
	return names, nil
}

func loadSuite(shipped fs.FS, name string) (*eval.Suite, error) {
	if !strings.ContainsAny(name, "/.") {
		file := "suites/" + name + ".yaml"
		if _, err := fs.Stat(shipped, file); errors.Is(err, fs.ErrNotExist) {
			names, _ := suiteNames(shipped) // best effort: it only helps the reader
			return nil, usageError{fmt.Sprintf("there is no suite %q%s; those that ship are %s; a file of yours is named with its ending", name, meant(name, append(evalNames(), names...)), strings.Join(names, ", "))}
		}
		return eval.Load(shipped, file)
	}
	files, file, err := rooted(name)
	if err != nil {
		return nil, err
	}
	s, err := eval.Load(files, file)
	return s, asTyped(err, file, name)
}

// asTyped names in err a file as it was typed.
func asTyped(err error, file, typed string) error {
	if err == nil {
		return nil
	}
	return usageError{strings.ReplaceAll(err.Error(), file, typed)}
}

// rooted opens a file of the user's such that those it names, above it too, are
// found; one that is not there, or is a folder, is told by the name that was typed.
func rooted(name string) (fs.FS, string, error) {
	if info, err := os.Stat(name); err != nil {
		return nil, "", usageError{err.Error()}
	} else if info.IsDir() {
		return nil, "", usageError{name + " is a folder: name a file in it"}
	}
	abs, err := filepath.Abs(name)
	return os.DirFS("/"), strings.TrimPrefix(filepath.ToSlash(abs), "/"), err
}

// evalNames are the words that may follow `aside eval` in place of a suite.
func evalNames() (names []string) {
	for _, c := range commands() {
		if _, name, ok := strings.Cut(c.name, "eval "); ok {
			names = append(names, name)
		}
	}
	return names
}

func defineEval(o *options, cfg *app.Config) runner {
	var f evalFlags
	f.define(o, cfg)
	against := o.String("against", "", "compare with an earlier `run` (its --out folder) or a git revision's prompts")
	watch := o.Bool("watch", false, "run again whenever a suite, a page or a prompt changes, until Ctrl-C")
	once := func(ctx context.Context, s streams, args []string) error {
		results, err := runSuites(ctx, s, cfg, f, args)
		if err != nil {
			return err
		}
		if *against != "" {
			return compareAgainst(ctx, s, cfg, f, args, *against, results)
		}
		sum := eval.Summarise(results)
		if sum.Cases > 0 && sum.Errors == sum.Cases {
			eval.WriteTable(s.err, results, f.verbose)
			return fmt.Errorf("none of %d cases could be judged", sum.Cases)
		}
		return s.print(sum, func(w io.Writer) { eval.WriteTable(w, results, f.verbose) })
	}
	return func(ctx context.Context, s streams, args []string) error {
		for {
			seen := stamp(f.watched(args))
			err := once(ctx, s, args)
			if !*watch || ctx.Err() != nil {
				return err
			}
			if err != nil { // a suite half written: say so and wait for the rest
				fmt.Fprintln(s.err, assist.Explain(err))
			}
			if !changed(ctx, f.watched(args), seen) {
				return nil
			}
		}
	}
}

// watched names the folders and files a run depends on.
func (f *evalFlags) watched(args []string) []string {
	names := []string{"evals/suites", "evals/knowledge", cmp.Or(f.prompts, "prompts")}
	for _, a := range args {
		if strings.ContainsAny(a, "/.") {
			names = append(names, filepath.Dir(a))
		}
	}
	return names
}

// stamp is what a file system looks like: names, sizes and times.
func stamp(names []string) string {
	var b strings.Builder
	for _, n := range names {
		// What cannot be read does not count: it is missed when it is needed.
		_ = filepath.WalkDir(n, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil {
				fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return b.String()
}

// changed waits until the files look different; false when ctx ends first.
func changed(ctx context.Context, names []string, seen string) bool {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			if stamp(names) != seen {
				return true
			}
		}
	}
}

// runSuites runs and writes the reports. When it is interrupted, what is done is
// reported all the same.
func runSuites(ctx context.Context, s streams, cfg *app.Config, f evalFlags, names []string) ([]eval.Result, error) {
	suites, err := loadSuites(names)
	if err != nil {
		return nil, usageError{err.Error()}
	}
	o, err := f.options(s, cfg)
	if err != nil {
		return nil, err
	}
	if o.Record != nil {
		defer o.Record.Close()
	}
	o.Progress = progress(s)
	results, err := eval.Run(ctx, suites, o)
	if len(results) > 0 {
		if f.out != "" {
			err = errors.Join(err, eval.WriteReports(f.out, results))
		}
	}
	if ctx.Err() != nil || errors.Is(err, eval.ErrBudget) {
		eval.WriteTable(s.err, results, false)
		hint := "give --out DIR next time, and --resume goes on from there"
		if f.out != "" {
			hint = "`--out " + f.out + " --resume` goes on from there"
		}
		return results, fmt.Errorf("stopped after %d results (%v): %s", len(results), err, hint)
	}
	return results, err
}

// progress rewrites one line on a terminal.
func progress(s streams) func(done, total int, r eval.Result) {
	f, ok := s.err.(*os.File)
	if s.json || !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	failed := 0
	return func(done, total int, r eval.Result) {
		if r.Outcome == eval.Failed || r.Outcome == eval.Errored {
			failed++
		}
		fmt.Fprintf(s.err, "\r%d of %d, %d not passed ", done, total, failed)
		if done == total {
			fmt.Fprint(s.err, "\r\033[K")
		}
	}
}

// compareAgainst compares what was just run with an earlier run or revision.
func compareAgainst(ctx context.Context, s streams, cfg *app.Config, f evalFlags, suites []string, against string, results []eval.Result) error {
	before, err := runOf(ctx, s, cfg, f, suites, against)
	if err != nil {
		return err
	}
	return printComparison(s, f, eval.Compare(against, "this run", before, results), before, results)
}

func printComparison(s streams, f evalFlags, c eval.Comparison, before, results []eval.Result) error {
	if f.out != "" {
		if err := eval.WriteComparisonPage(f.out, results, c, before); err != nil {
			return err
		}
	}
	return s.print(c, func(w io.Writer) { eval.WriteComparison(w, c) })
}

// runOf gives the results of a setting: a run's folder, one of our prompts by
// name, or a git revision, whose prompts are run.
func runOf(ctx context.Context, s streams, cfg *app.Config, f evalFlags, suites []string, what string) ([]eval.Result, error) {
	if saved := filepath.Join(what, eval.ResultsFile); exists(saved) {
		return eval.ReadResults(saved)
	}
	f.out, f.resume = "", false
	set, err := loadPrompts(f.prompts)
	if err != nil {
		return nil, err
	}
	if _, err := set.Get(what); err == nil {
		f.prompt = what
		return runSuites(ctx, s, cfg, f, suites)
	}
	dir, err := promptsOf(ctx, what)
	if err != nil {
		return nil, usageError{fmt.Sprintf("%q is neither the folder of a run, nor one of the prompts %s, nor a git revision that has prompts (%v)", what, strings.Join(set.Names(), ", "), err)}
	}
	defer os.RemoveAll(dir)
	f.prompts = dir
	return runSuites(ctx, s, cfg, f, suites)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// promptsOf writes the prompts of a git revision into a folder of its own.
func promptsOf(ctx context.Context, revision string) (dir string, err error) {
	if strings.HasPrefix(revision, "-") {
		return "", errors.New("a revision does not begin with a dash")
	}
	git := func(args ...string) ([]byte, error) {
		out, err := exec.CommandContext(ctx, "git", args...).Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return out, err
	}
	names, err := git("ls-tree", "--name-only", revision, "prompts/")
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "aside-prompts"); err != nil {
		return "", err
	}
	found := false
	for _, name := range strings.Fields(string(names)) {
		if filepath.Ext(name) != ".md" {
			continue
		}
		body, err := git("show", revision+":"+name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), body, 0o644)
		}
		if err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
		found = true
	}
	if !found {
		return "", errors.Join(errors.New("it has no prompts"), os.RemoveAll(dir))
	}
	return dir, nil
}

func defineEvalCompare(o *options, cfg *app.Config) runner {
	var f evalFlags
	f.define(o, cfg)
	return func(ctx context.Context, s streams, args []string) error {
		if len(args) < 2 {
			return usageError{"name two settings to compare: prompts, folders of runs, or git revisions; then suites, if not all"}
		}
		a, err := runOf(ctx, s, cfg, f, args[2:], args[0])
		if err != nil {
			return err
		}
		b, err := runOf(ctx, s, cfg, f, args[2:], args[1])
		if err != nil {
			return err
		}
		return printComparison(s, f, eval.Compare(args[0], args[1], a, b), a, b)
	}
}

// gateError carries the gate's exit code.
type gateError struct{ judgement eval.Judgement }

func (e gateError) Error() string { return "the gate says " + string(e.judgement) }

func (e gateError) code() int {
	if e.judgement == eval.GateRegression {
		return exitRegression
	}
	return exitInconclusive
}

func defineEvalGate(o *options, cfg *app.Config) runner {
	var f evalFlags
	f.define(o, cfg)
	dir := o.String("baseline", "", "`folder` of the baselines (default: evals/"+eval.BaselineDir+", else those built in)")
	update := o.Bool("update", false, "write the run as the new baseline instead of judging it")
	margin := o.Float64("margin", 0.02, "how much a metric may fall, as a `share`, at the lower end of its 95 % interval")
	var margins list
	o.Var(&margins, "margins", "other `margins` for single metrics, such as cites=0.05,tone=0")
	budget := o.Float64("errors", 0.02, "`share` of the cases that may err")
	return func(ctx context.Context, s streams, args []string) error {
		g := eval.GateOptions{Margin: *margin, Margins: map[string]float64{}, Errors: *budget}
		for _, m := range margins {
			name, value, _ := strings.Cut(m, "=")
			share, err := strconv.ParseFloat(value, 64)
			if err != nil || share < 0 {
				return usageError{fmt.Sprintf("--margins: %q is not metric=share", m)}
			}
			g.Margins[name] = share
		}
		results, err := runSuites(ctx, s, cfg, f, args)
		if err != nil {
			return err
		}
		if *update {
			target := *dir
			if target == "" {
				target = "evals/" + eval.BaselineDir
			}
			return eval.WriteBaselines(target, eval.Baselines(results))
		}
		baselines, err := readBaselines(*dir, results)
		if err != nil {
			return err
		}
		report := eval.Gate(results, baselines, g)
		if f.out != "" {
			if err := eval.WriteComparisonPage(f.out, results, report.Comparison, nil); err != nil {
				return err
			}
		}
		if err := s.print(report, func(w io.Writer) { eval.WriteGate(w, report) }); err != nil {
			return err
		}
		if report.Judgement != eval.GatePass {
			return gateError{report.Judgement}
		}
		return nil
	}
}

func readBaselines(dir string, results []eval.Result) (out []eval.Baseline, err error) {
	files, folder := sampleFiles(), eval.BaselineDir
	if dir != "" {
		files, folder = os.DirFS(dir), "."
	}
	seen := map[string]bool{}
	for _, r := range results {
		if seen[r.Suite] {
			continue
		}
		seen[r.Suite] = true
		b, err := eval.ReadBaseline(files, folder, r.Suite)
		if err != nil {
			return nil, err
		}
		if b != nil {
			out = append(out, *b)
		}
	}
	return out, nil
}

func defineEvalImport(*options, *app.Config) runner {
	return func(_ context.Context, s streams, args []string) error {
		if len(args) != 1 {
			return usageError{"name one file, such as promptfooconfig.yaml"}
		}
		abs, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		dir, name := filepath.Split(abs)
		report, err := eval.Import(os.DirFS(dir), name)
		if err != nil {
			return err
		}
		return s.print(report, func(w io.Writer) { eval.WriteImport(w, report) })
	}
}

func defineEvalCalibrate(o *options, cfg *app.Config) runner {
	var f evalFlags
	f.define(o, cfg)
	return func(ctx context.Context, s streams, args []string) error {
		files, name := sampleFiles(), "judge/labelled.jsonl"
		if len(args) == 1 {
			dir, base := filepath.Split(args[0])
			files, name = os.DirFS(filepath.Join(".", dir)), base
			if filepath.IsAbs(dir) {
				files = os.DirFS(dir)
			}
		} else if len(args) > 1 {
			return usageError{"name one file of labelled replies"}
		}
		labels, err := eval.ReadLabelled(files, name)
		if err != nil {
			return usageError{err.Error()}
		}
		run, err := f.options(s, cfg)
		if err != nil {
			return err
		}
		p, err := eval.ParseProvider(cmp.Or(f.judge, "openai"))
		if err != nil {
			return usageError{err.Error()}
		}
		judge, err := p.Open(run.Open)
		if err != nil {
			return err
		}
		if judge == nil {
			return usageError{"instant cannot judge: --judge names a model"}
		}
		words, err := run.Prompts.Get(cmp.Or(f.prompt, "judge"))
		if err != nil {
			return usageError{err.Error()}
		}
		c, err := eval.Calibrate(ctx, judge, words, labels)
		if err != nil {
			return err
		}
		return s.print(c, func(w io.Writer) { eval.WriteCalibration(w, c) })
	}
}
