package eval

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
)

// Outcome is what became of a case.
type Outcome string

// The outcomes. A skipped case needs a model and had none.
const (
	Passed  Outcome = "pass"
	Failed  Outcome = "fail"
	Errored Outcome = "error"
	Skipped Outcome = "skip"
)

// Result is one case, written by one provider from one prompt, once. It is a
// line of results.jsonl and holds the whole why.
type Result struct {
	Suite       string             `json:"suite"`
	Case        string             `json:"case"`
	Hash        string             `json:"hash"`    // of what the case asks and expects
	Cluster     string             `json:"cluster"` // results of one cluster are not independent
	Prompt      string             `json:"prompt"`
	Version     string             `json:"prompt_version,omitempty"`
	Provider    string             `json:"provider"`
	Knowledge   string             `json:"knowledge,omitempty"`
	Repeat      int                `json:"repeat,omitempty"`
	Must        bool               `json:"must,omitempty"`
	Outcome     Outcome            `json:"outcome"`
	Score       float64            `json:"score"`
	Cause       Cause              `json:"cause,omitempty"`
	Reason      string             `json:"reason,omitempty"` // of an error or a skip
	Asserts     []AssertResult     `json:"asserts,omitempty"`
	Output      string             `json:"output,omitempty"`
	Turns       []assist.Turn      `json:"turns,omitempty"`
	Suggestion  *assist.Suggestion `json:"suggestion,omitempty"`
	Bot         string             `json:"bot,omitempty"` // what the customer's bot did with it, in words
	LatencyMS   float64            `json:"latency_ms"`
	Tokens      assist.Usage       `json:"tokens,omitzero"`
	Cost        float64            `json:"cost,omitempty"`
	Description string             `json:"description,omitempty"`
	Line        string             `json:"line"` // file:line of the case
}

// AssertResult is one assertion of a result.
type AssertResult struct {
	Type    string   `json:"type"`
	Value   []string `json:"value,omitempty"`
	Metric  string   `json:"metric"`
	Outcome Outcome  `json:"outcome"`
	Score   float64  `json:"score"`
	Weight  float64  `json:"weight"`
	Must    bool     `json:"must,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// key names a result within a run, and over runs.
func (r Result) key() string {
	return fmt.Sprintf("%s|%s|%s|%s|%s|%s|%d", r.Case, r.Hash, r.Prompt, r.Version, r.Provider, r.Knowledge, r.Repeat)
}

// Options say how to run. The zero value runs every case on the suites' own
// providers.
type Options struct {
	Files       fs.FS                           // where cassettes of Providers are read; nil: there are none
	Sample      fs.FS                           // holds the folder "knowledge" of the sample company
	Prompts     *prompt.Set                     // ours; needed where a provider writes
	Prompt      string                          // instead of the suites' own; suites of another prompt are left out; "": all as they are
	Providers   []Provider                      // instead of the suites'; nil: those
	Repeat      int                             // 0: as the suites say, else 1
	Concurrency int                             // 0: as the suites say, else 4
	Filter      *regexp.Regexp                  // only cases whose id or description matches
	Out         string                          // folder for results.jsonl; "": nowhere
	Resume      bool                            // keep what Out holds and run the rest
	Cache       string                          // folder of the response cache; "": none
	Record      *Cassette                       // what openai providers answer is added here
	Judge       string                          // provider of graded assertions that name none; "": openai
	Open        Opener                          // makes the models of openai providers
	Embed       EmbedOpener                     // makes the models of vectors; nil: there are none
	Retrieve    retrieve.Options                // of the search
	PriceIn     float64                         // dollars per million tokens
	PriceOut    float64                         // 0 and 0: not known
	Budget      float64                         // dollars after which nothing more is asked; 0: no end
	Progress    func(done, total int, r Result) // called one at a time; may be nil
}

// ErrBudget ends a run that has spent what it may. Its results are kept.
var ErrBudget = errors.New("the budget is spent")

// job is one result to be made.
type job struct {
	suite    *Suite
	c        Case
	prompt   Prompt
	provider Provider
	repeat   int
}

// Run runs the suites and gives the results in the order of the suites, whatever
// the order they ended in. When ctx ends, what is done is returned with its
// error, and kept in Out.
func Run(ctx context.Context, suites []*Suite, o Options) (results []Result, err error) {
	r := runner{o: o, know: map[string]*Knowledge{}, tapes: map[string]*Cassette{}, models: map[string]llm.ChatModel{}, vectors: map[string]llm.Embedder{}}
	if o.Cache != "" {
		if r.cache, err = openCache(o.Cache); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.cache.Close()) }()
	}
	jobs, err := r.plan(ctx, suites)
	if err != nil {
		return nil, err
	}
	done, sink, err := r.openOut()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sink.close()) }()

	slots := make([]*Result, len(jobs))
	var mu sync.Mutex // guards the sink, finished, spent and the progress
	finished, spent := 0, 0.0
	finish := func(i int, res Result, fresh bool) error {
		mu.Lock()
		defer mu.Unlock()
		slots[i] = &res
		finished++
		spent += res.Cost
		if fresh {
			if err := sink.write(res); err != nil {
				return err
			}
		}
		if o.Progress != nil {
			o.Progress(finished, len(jobs), res)
		}
		if o.Budget > 0 && spent >= o.Budget && finished < len(jobs) {
			return fmt.Errorf("%w: $%.4f after %d of %d results", ErrBudget, spent, finished, len(jobs))
		}
		return nil
	}
	queue := make(chan int)
	var workers sync.WaitGroup
	faults := make(chan error, 1)
	work, stop := context.WithCancel(ctx)
	defer stop()
	for range r.concurrency(suites) {
		workers.Go(func() {
			for i := range queue {
				res := r.start(jobs[i])
				kept, had := done[res.key()]
				if !had {
					res = r.do(work, jobs[i])
					if work.Err() != nil && res.Outcome == Errored {
						continue // stopped in the middle: not a result
					}
				} else {
					res = kept
				}
				if err := finish(i, res, !had); err != nil {
					select {
					case faults <- err:
						stop()
					default:
					}
				}
			}
		})
	}
feed:
	for i := range jobs {
		select {
		case queue <- i:
		case <-work.Done():
			break feed
		}
	}
	close(queue)
	workers.Wait()
	for _, s := range slots {
		if s != nil {
			results = append(results, *s)
		}
	}
	select {
	case err := <-faults:
		return results, err
	default:
	}
	return results, ctx.Err()
}

// runner is what the jobs of one Run share.
type runner struct {
	o     Options
	cache *Cassette

	mu     sync.Mutex
	know   map[string]*Knowledge // by folder
	tapes  map[string]*Cassette  // by file
	models map[string]llm.ChatModel

	vectors map[string]llm.Embedder // by a provider's id
}

func (r *runner) concurrency(suites []*Suite) int {
	n := r.o.Concurrency
	for _, s := range suites {
		if r.o.Concurrency == 0 {
			n = max(n, s.Concurrency)
		}
	}
	return cmp.Or(n, 4)
}

// plan lists the jobs and reads what they need: a fault here is of the set-up,
// and nothing has run.
func (r *runner) plan(ctx context.Context, suites []*Suite) (jobs []job, err error) {
	for _, s := range suites {
		providers := s.Providers
		if len(r.o.Providers) > 0 {
			providers = r.o.Providers
		} else if err := errors.Join(s.foreign...); err != nil {
			return nil, fmt.Errorf("%w\n--provider names another", err)
		}
		prompts := s.Prompts
		if r.o.Prompt != "" && s.ours() {
			if !s.tests(r.o.Prompt) {
				continue // it is about another prompt
			}
			prompts = []Prompt{{Name: r.o.Prompt, Label: r.o.Prompt}}
		}
		for _, p := range prompts {
			if p.Plain() {
				continue
			}
			if err := r.readKnowledge(ctx, s); err != nil {
				return nil, err
			}
			if r.o.Prompts == nil {
				return nil, errors.New("there are no prompts")
			}
			if _, err := r.o.Prompts.Get(p.Name); err != nil {
				return nil, fmt.Errorf("%s: %w", s.File, err)
			}
		}
		for _, c := range s.Cases {
			if f := r.o.Filter; f != nil && !f.MatchString(c.ID) && !f.MatchString(c.Description) {
				continue
			}
			for _, p := range prompts {
				if len(c.Prompts) > 0 && !slices.Contains(c.Prompts, p.Label) && !slices.Contains(c.Prompts, p.Name) {
					continue
				}
				for _, v := range providers {
					if len(c.Providers) > 0 && !slices.Contains(c.Providers, v.ID) && !slices.Contains(c.Providers, v.Label) {
						continue
					}
					for repeat := range cmp.Or(r.o.Repeat, c.Repeat, s.Repeat, 1) {
						jobs = append(jobs, job{s, c, p, v, repeat})
					}
				}
			}
		}
	}
	if len(jobs) == 0 {
		return nil, errors.New("no case is left to run: does --filter match any, and are the suites about the --prompt?")
	}
	return jobs, nil
}

// ours reports whether the suite tests prompts of ours.
func (s *Suite) ours() bool {
	return slices.ContainsFunc(s.Prompts, func(p Prompt) bool { return !p.Plain() })
}

// tests reports whether the suite is about a prompt, in whatever variant.
func (s *Suite) tests(name string) bool {
	base, _, _ := strings.Cut(name, "@")
	return slices.ContainsFunc(s.Prompts, func(p Prompt) bool {
		own, _, _ := strings.Cut(p.Name, "@")
		return own == base
	})
}

func (r *runner) readKnowledge(ctx context.Context, s *Suite) error {
	if _, ok := r.know[s.Knowledge]; ok {
		return nil
	}
	files, dir := s.files, s.Knowledge
	if dir == "" {
		files, dir = r.o.Sample, "knowledge"
	}
	k, err := ReadKnowledge(ctx, files, dir, r.o.Retrieve)
	if err != nil {
		return err
	}
	r.know[s.Knowledge] = k
	return nil
}

// start is the result before anything has run.
func (r *runner) start(j job) Result {
	res := Result{
		Suite: j.suite.Name, Case: j.c.ID, Hash: j.c.Hash(), Cluster: j.c.Cluster, Prompt: j.prompt.Label, Provider: j.provider.Label,
		Repeat: j.repeat, Must: j.c.Must, Turns: j.c.Turns, Description: j.c.Description,
		Line: fmt.Sprintf("%s:%d", j.c.File, j.c.Line),
	}
	if !j.prompt.Plain() {
		res.Knowledge = r.know[j.suite.Knowledge].Version
		if p, err := r.o.Prompts.Get(j.prompt.Name); err == nil && j.provider.ID != "instant" {
			res.Version = p.Version // without a model no prompt is used
		}
	}
	return res
}

func (r *runner) do(ctx context.Context, j job) Result {
	res := r.start(j)
	if j.c.Needs == "model" && j.provider.ID == "instant" {
		res.Outcome, res.Reason = Skipped, "it needs a model"
		return res
	}
	out, know, g, err := r.answer(ctx, j)
	res.Output, res.Suggestion, res.Tokens = out.Text, out.Suggestion, out.Tokens
	if out.Bot != nil {
		res.Bot = "the bot " + decided(*out.Bot)
	}
	res.LatencyMS = math.Round(float64(out.Latency.Microseconds())) / 1000
	out.Priced = r.o.PriceIn+r.o.PriceOut > 0
	out.Cost = (float64(out.Tokens.Prompt)*r.o.PriceIn + float64(out.Tokens.Completion)*r.o.PriceOut) / 1e6
	res.Cost = out.Cost
	if err != nil {
		res.Outcome, res.Reason = Errored, err.Error()
		return res
	}
	s := subject{c: j.c, out: out, know: know, guide: g, judge: func(ctx context.Context, id string, repeat int) (asked, error) {
		id = cmp.Or(id, r.o.Judge, "openai")
		m, err := r.model(Provider{ID: id, Label: id}, repeat)
		return asked{m, r.o.Prompts, id == j.provider.ID || m != nil && out.Suggestion != nil && m.Name() == out.Suggestion.Model}, err
	}, embed: r.embedder}
	res.grade(ctx, j.c, s)
	if res.Outcome == Failed {
		res.Cause = causeOf(j.c, res.Asserts, out, know)
	}
	return res
}

// embedder gives the model of vectors; nil where none is configured and none named.
// Its vectors are not recorded.
func (r *runner) embedder(id string) (llm.Embedder, error) {
	if r.o.Embed == nil {
		if id == "" || id == lexical {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: no embedding server is configured", id)
	}
	if id == lexical {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.vectors[id]; ok {
		return e, nil
	}
	e, err := r.o.Embed(embeddingModel(id))
	if err == nil {
		r.vectors[id] = e
	}
	return e, err
}

// grade holds the answer against the case's assertions.
func (res *Result) grade(ctx context.Context, c Case, s subject) {
	total, weight, bad, must := 0.0, 0.0, false, false
	for i := range c.Asserts {
		a := &c.Asserts[i]
		g := gradeOne(ctx, a, s)
		ar := AssertResult{Type: a.Name(), Value: a.Values, Metric: a.MetricName(), Score: g.Score, Weight: a.Weight, Must: a.Must, Reason: g.Reason, Outcome: Failed}
		switch {
		case g.Err != nil:
			ar.Outcome, ar.Reason = Errored, g.Err.Error()
			if res.Outcome = Errored; res.Reason == "" {
				res.Reason = fmt.Sprintf("%s: %v", a.Name(), g.Err)
			}
		case g.Pass:
			ar.Outcome = Passed
		case a.Weight > 0:
			bad = true
			must = must || a.Must
		}
		total += a.Weight * g.Score
		weight += a.Weight
		res.Asserts = append(res.Asserts, ar)
	}
	if res.Score = 1; weight > 0 {
		res.Score = total / weight
	}
	if res.Outcome == Errored {
		return
	}
	if c.Threshold != nil {
		bad = must || res.Score < *c.Threshold
	}
	if res.Outcome = Passed; bad {
		res.Outcome = Failed
	}
}

// gradeOne grades one assertion; a set is graded by its members.
func gradeOne(ctx context.Context, a *Assertion, s subject) Grade {
	if a.Type != "assert-set" {
		return a.grade(ctx, s)
	}
	total, weight, all := 0.0, 0.0, true
	var reasons []string
	for i := range a.Set {
		g := gradeOne(ctx, &a.Set[i], s)
		if g.Err != nil {
			return g
		}
		if !g.Pass {
			all = false
			reasons = append(reasons, a.Set[i].Name()+": "+g.Reason)
		}
		total += g.Score * a.Set[i].Weight
		weight += a.Set[i].Weight
	}
	score := total / max(weight, 1e-9)
	if a.Threshold != nil {
		all = score >= *a.Threshold
	}
	return Grade{Pass: all, Score: score, Reason: strings.Join(reasons, "; ")}
}

// answer gets what is to be graded, with what it was made from.
func (r *runner) answer(ctx context.Context, j job) (out Output, know *Knowledge, g *guide, err error) {
	if !j.prompt.Plain() {
		know = r.know[j.suite.Knowledge]
		if text := j.c.Vars["document"]; text != "" {
			if know, err = know.with(ctx, text); err != nil {
				return out, know, nil, err
			}
		}
		if g, err = know.guide(j.c.Vars["spent"], j.suite.day(), j.c.order()); err != nil {
			return out, know, nil, err
		}
	}
	if j.c.Fixed != nil {
		out.Text = *j.c.Fixed
		if j.prompt.Plain() {
			_, out.Asked, err = j.messages()
		}
		return out, know, g, err
	}
	m, err := r.model(j.provider, j.repeat)
	if err != nil {
		return out, know, g, err
	}
	if j.prompt.Plain() {
		out, err = r.plain(ctx, j, m)
		return out, know, g, err
	}
	out, err = r.suggest(ctx, j, m, know, g)
	return out, know, g, err
}

func (r *runner) plain(ctx context.Context, j job, m llm.ChatModel) (out Output, err error) {
	if m == nil {
		return out, errors.New("a plain prompt needs a model: instant writes from the knowledge alone")
	}
	req := llm.Request{MaxTokens: j.provider.MaxTokens}
	if j.provider.Temperature != nil {
		req.Temperature = *j.provider.Temperature
	}
	var asking string
	if req.Messages, asking, err = j.messages(); err != nil {
		return out, err
	}
	began := time.Now()
	answer, err := m.Chat(ctx, req, func(string) {})
	out = Output{Text: answer.Text, Asked: asking, Latency: time.Since(began), Tokens: assist.Usage{Prompt: answer.Prompt, Completion: answer.Completion}}
	return out, err
}

// messages fills a plain prompt in; asking is its last message.
func (j job) messages() (out []llm.Message, asking string, err error) {
	for i := 0; i+1 < len(j.prompt.Messages); i += 2 {
		text := j.prompt.Messages[i+1]
		if i == len(j.prompt.Messages)-2 {
			text = j.c.Prefix + text + j.c.Suffix
		}
		if asking, err = fill(text, j.c.Vars); err != nil {
			return nil, "", err
		}
		out = append(out, llm.Message{Role: j.prompt.Messages[i], Content: asking})
	}
	return out, asking, nil
}

// day is the day the cases are asked on.
func (s *Suite) day() time.Time {
	if s.At.IsZero() {
		return time.Now()
	}
	return s.At
}

// bots reports whether a prompt is the customer's bot's: then what the bot would do
// with the draft is graded, not the draft.
func (p Prompt) bots() bool {
	base, _, _ := strings.Cut(p.Name, "@")
	return base == "bot"
}

// suggest asks the production pipeline, on the suite's day.
func (r *runner) suggest(ctx context.Context, j job, m llm.ChatModel, know *Knowledge, g *guide) (out Output, err error) {
	if len(j.c.Turns) == 0 {
		return out, errors.New("the case has neither vars.conversation nor vars.question")
	}
	at := j.suite.day()
	o := suggest.Options{Knowledge: know, Prompts: r.o.Prompts, PromptName: j.prompt.Name, Guide: g, Now: func() time.Time { return at }}
	var w *watched
	if m != nil {
		w = &watched{ChatModel: m}
		o.Model = w
	}
	moment := assist.Moment{
		SuggestionID: "eval", Conversation: j.c.order(), ForSeq: lastCustomer(j.c.Turns), Turns: j.c.Turns,
		Instruction: j.c.Vars["instruction"], Audience: assist.AudienceInternal,
		Agent: assist.Identity{Subject: "eval", Actor: assist.ActorAgent, Name: cmp.Or(j.c.Vars["agent"], "Maya"), Authority: j.c.Vars["role"]},
	}
	if j.prompt.bots() {
		o.BotPrompt = j.prompt.Name
	}
	if j.prompt.bots() || j.c.Vars["audience"] == string(assist.AudiencePublic) {
		moment.Audience = assist.AudiencePublic
	}
	began := time.Now()
	var s assist.Suggestion
	if j.prompt.bots() {
		var d bot.Decision
		s, d = know.askBot(ctx, suggest.New(o), moment, at)
		out.Bot = &d
	} else {
		s = suggest.New(o).Run(ctx, moment, unwatched{})
	}
	out.Suggestion, out.Latency, out.Tokens = &s, time.Since(began), s.Usage
	if s.Draft != nil {
		out.Text = s.Draft.Text
	}
	if d := out.Bot; d != nil {
		out.Text = d.Answer
		s.Draft, s.Verdicts = nil, nil // what is graded is what reaches the customer
		if d.Suggestion != nil {
			s.Draft = d.Suggestion.Draft
		}
	}
	switch {
	case ctx.Err() != nil:
		return out, ctx.Err()
	case w != nil && w.err != nil && j.provider.served():
		return out, fmt.Errorf("the model did not answer: %w", w.err)
	}
	return out, nil
}

func lastCustomer(turns []assist.Turn) int64 {
	for i := len(turns) - 1; i >= 0; i-- {
		if turns[i].Role == assist.RoleCustomer {
			return turns[i].Seq
		}
	}
	return 0
}

type unwatched struct{}

func (unwatched) Passages(assist.Suggestion) {}
func (unwatched) Instant(assist.Suggestion)  {}
func (unwatched) Delta(string)               {}

// model gives a provider's model, with the recording or the cache around it.
func (r *runner) model(p Provider, repeat int) (llm.ChatModel, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if file, ok := strings.CutPrefix(p.ID, "cassette:"); ok {
		tape := r.tapes[file]
		if tape == nil {
			files := p.files
			if files == nil {
				files = r.o.Files
			}
			if files == nil {
				return nil, fmt.Errorf("cassette %s: there are no files here", file)
			}
			var err error
			if tape, err = OpenCassette(files, file); err != nil {
				return nil, err
			}
			r.tapes[file] = tape
		}
		return replay{tape: tape, name: p.Label, repeat: repeat}, nil
	}
	m, opened := r.models[p.ID+p.BaseURL]
	if !opened {
		var err error
		if m, err = p.Open(r.o.Open); err != nil {
			return nil, err
		}
		r.models[p.ID+p.BaseURL] = m
	}
	switch {
	case !strings.HasPrefix(p.ID, "openai"):
		return m, nil
	case r.o.Record != nil:
		return replay{tape: r.o.Record, behind: m, name: m.Name(), repeat: repeat}, nil
	case r.cache != nil:
		return replay{tape: r.cache, behind: m, name: m.Name(), server: p.BaseURL + "|" + m.Name(), repeat: repeat}, nil
	}
	return m, nil
}

// sink is results.jsonl: each result is on disk before the next is counted.
type sink struct{ file *os.File }

func (s sink) write(r Result) error {
	if s.file == nil {
		return nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write result of %s: %w", r.Case, err)
	}
	if _, err := s.file.Write(append(raw, '\n')); err != nil {
		return fmt.Errorf("write result of %s: %w", r.Case, err)
	}
	return nil
}

func (s sink) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// ResultsFile is the name of the results in a run's folder.
const ResultsFile = "results.jsonl"

// openOut opens the run's folder. With Resume it gives what is done: errors are
// tried again.
func (r *runner) openOut() (done map[string]Result, s sink, err error) {
	if r.o.Out == "" {
		return nil, s, nil
	}
	if err := os.MkdirAll(r.o.Out, 0o755); err != nil {
		return nil, s, fmt.Errorf("open the run's folder: %w", err)
	}
	name := filepath.Join(r.o.Out, ResultsFile)
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	done = map[string]Result{}
	if r.o.Resume {
		old, err := ReadResults(name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, s, err
		}
		for _, res := range old {
			if res.Outcome != Errored {
				done[res.key()] = res
			}
		}
		if err := mendLastLine(name); err != nil {
			return nil, s, err
		}
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	s.file, err = os.OpenFile(name, flags, 0o644)
	if err != nil {
		return nil, s, fmt.Errorf("open the run's folder: %w", err)
	}
	return done, s, nil
}

// mendLastLine ends a line that was cut off in the middle.
func mendLastLine(name string) error {
	raw, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (len(raw) == 0 || raw[len(raw)-1] == '\n') {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(raw, '\n'), 0o644)
}

// ReadResults reads results.jsonl. Of two results of one key the later counts; a
// last line that was cut off is left out.
func ReadResults(name string) ([]Result, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	at := map[string]int{}
	var out []Result
	sc := bufio.NewScanner(bytes.NewReader(raw))
	sc.Buffer(nil, 64<<20)
	for sc.Scan() {
		var r Result
		if json.Unmarshal(sc.Bytes(), &r) != nil || r.Case == "" {
			continue
		}
		if i, ok := at[r.key()]; ok {
			out[i] = r
			continue
		}
		at[r.key()] = len(out)
		out = append(out, r)
	}
	return out, sc.Err()
}
