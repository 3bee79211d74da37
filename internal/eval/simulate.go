package eval

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/suggest"
)

// Simulation is a file of scenarios: customers with a goal, who tell what they
// know only when they are asked, and have only so much patience.
type Simulation struct {
	Name        string
	File        string
	Description string
	Knowledge   string
	At          time.Time
	Scenarios   []Scenario
	files       fs.FS
}

// Scenario is one customer and what should come of it.
type Scenario struct {
	Name      string
	Prompt    string // reply, or bot: then the customer's bot answers
	Customer  string
	Role      string // of the agent
	Goal      string
	Manner    string // how a played customer writes
	Opens     string
	Facts     []SimFact
	Says      []string // what a scripted customer goes on with when nothing is asked
	Patience  int      // messages after the first
	Satisfied []string // words the agent must have said for a scripted customer to be satisfied
	Expect    Expectation
	Line      int
}

// SimFact is something the customer knows.
type SimFact struct {
	About string
	Asked []string // words that ask for it; About when there are none
	Say   string
}

// Expectation is how a scenario should end.
type Expectation struct {
	Outcome  SimOutcome
	Messages int // of the customer, at most; 0: any
	Once     bool
	Assert   []Assertion // of the last draft
	Each     []Assertion // of every draft
}

// SimOutcome is how a scenario ended.
type SimOutcome string

// The ends of a scenario.
const (
	SimSatisfied  SimOutcome = "satisfied"
	SimGaveUp     SimOutcome = "gave_up"
	SimHandedOver SimOutcome = "handed_over" // there was no draft: a person must do without
)

const (
	defaultPatience = 6
	maxPatience     = 30
	maxScenarios    = 1000
)

// LoadSimulation reads a file of scenarios. All faults are reported at once, each
// with its file and line.
func LoadSimulation(fsys fs.FS, name string) (*Simulation, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read simulation: %w", err)
	}
	r := &reader{fsys: fsys, file: name, suite: &Suite{Name: suiteName(name), File: name, files: fsys}}
	s := &Simulation{Name: suiteName(name), File: name, files: fsys}
	if root := r.parse(name, raw); root != nil {
		r.simulation(root, s)
	}
	if len(r.faults) == 0 && len(s.Scenarios) == 0 {
		r.faults = append(r.faults, fmt.Errorf("%s: there are no scenarios", name))
	}
	return s, errors.Join(r.faults...)
}

func (r *reader) simulation(n *yaml.Node, s *Simulation) {
	r.fields(n, "the simulation", map[string]func(*yaml.Node){
		"description": func(n *yaml.Node) { s.Description = r.text(n, "description") },
		"knowledge":   func(n *yaml.Node) { s.Knowledge = path.Join(path.Dir(r.file), r.text(n, "knowledge")) },
		"at":          func(n *yaml.Node) { s.At = r.day(n) },
		"scenarios": func(n *yaml.Node) {
			r.each(n, "scenarios", func(n *yaml.Node) {
				if len(s.Scenarios) < maxScenarios {
					s.Scenarios = append(s.Scenarios, r.simScenario(n))
				}
			})
		},
	})
}

func (r *reader) simScenario(n *yaml.Node) Scenario {
	c := Scenario{Prompt: "reply", Patience: defaultPatience, Line: n.Line}
	text := func(to *string, what string) func(*yaml.Node) {
		return func(n *yaml.Node) { *to = r.text(n, what) }
	}
	asserts := func(to *[]Assertion, what string) func(*yaml.Node) {
		return func(n *yaml.Node) {
			r.each(n, what, func(n *yaml.Node) { *to = append(*to, r.assertion(n)) })
		}
	}
	r.fields(n, "a scenario", map[string]func(*yaml.Node){
		"name": text(&c.Name, "name"), "prompt": text(&c.Prompt, "prompt"), "customer": text(&c.Customer, "customer"), "role": text(&c.Role, "role"),
		"goal": text(&c.Goal, "goal"), "manner": text(&c.Manner, "manner"), "opens": text(&c.Opens, "opens"),
		"says":      func(n *yaml.Node) { c.Says = r.texts(n, "says") },
		"patience":  func(n *yaml.Node) { c.Patience = r.count(n, "patience", 1) },
		"satisfied": func(n *yaml.Node) { c.Satisfied = r.texts(n, "satisfied") },
		"facts": func(n *yaml.Node) {
			r.each(n, "facts", func(n *yaml.Node) {
				var f SimFact
				r.fields(n, "a fact", map[string]func(*yaml.Node){
					"about": text(&f.About, "about"), "say": text(&f.Say, "say"),
					"asked": func(n *yaml.Node) { f.Asked = r.texts(n, "asked") },
				})
				if f.About == "" || f.Say == "" {
					r.fault(n, "a fact needs about (what an agent asks for) and say (what the customer knows)")
				}
				if len(f.Asked) == 0 {
					f.Asked = []string{f.About}
				}
				c.Facts = append(c.Facts, f)
			})
		},
		"expect": func(n *yaml.Node) {
			r.fields(n, "expect", map[string]func(*yaml.Node){
				"outcome": func(n *yaml.Node) {
					c.Expect.Outcome = SimOutcome(r.text(n, "outcome"))
					if !slices.Contains([]SimOutcome{SimSatisfied, SimGaveUp, SimHandedOver}, c.Expect.Outcome) {
						r.fault(n, "outcome must be satisfied, gave_up or handed_over, not %q", c.Expect.Outcome)
					}
				},
				"messages": func(n *yaml.Node) { c.Expect.Messages = r.count(n, "messages", 1) },
				"once":     func(n *yaml.Node) { c.Expect.Once = r.yes(n, "once") },
				"assert":   asserts(&c.Expect.Assert, "assert"),
				"each":     asserts(&c.Expect.Each, "each"),
			})
		},
	})
	switch {
	case c.Name == "" || c.Goal == "" || c.Opens == "":
		r.fault(n, "a scenario needs name, goal and opens (the customer's first message)")
	case c.Patience > maxPatience:
		r.fault(n, "patience must be at most %d", maxPatience)
	case c.Expect.Outcome == "":
		r.fault(n, "a scenario needs expect.outcome: satisfied, gave_up or handed_over")
	case c.Expect.Outcome == SimSatisfied && len(c.Satisfied) == 0:
		r.fault(n, "a scenario that should end satisfied needs satisfied: the words an agent must have said")
	}
	return c
}

// SimOptions say how to simulate.
type SimOptions struct {
	Sample   fs.FS // holds the folder "knowledge" of the sample company
	Prompts  *prompt.Set
	Provider Provider      // who writes the drafts
	Customer llm.ChatModel // who plays the customers; nil: as scripted
	Judge    string        // provider of graded assertions that name none
	Open     Opener
	Embed    EmbedOpener // nil: texts are compared by their terms
	Filter   *regexp.Regexp
	Retrieve retrieve.Options
	Progress func(SimResult)
}

// SimResult is how one scenario went.
type SimResult struct {
	Simulation string         `json:"simulation"`
	Scenario   string         `json:"scenario"`
	Pass       bool           `json:"pass"`
	Error      string         `json:"error,omitempty"` // it could not be played: neither pass nor fail
	Outcome    SimOutcome     `json:"outcome,omitempty"`
	Messages   int            `json:"messages"`    // of the customer
	AskedTwice int            `json:"asked_twice"` // facts that were asked for again
	Reasons    []string       `json:"reasons"`     // why it failed
	Asserts    []AssertResult `json:"asserts,omitempty"`
	Turns      []assist.Turn  `json:"turns"`
	Line       string         `json:"line"`
}

// Simulate plays every scenario against the production pipeline, one after the
// other. The agent of a simulation sends each draft as it is, and does the step
// that is due. Nothing is sent or stored anywhere. When ctx ends, what was played
// is returned with its error.
func Simulate(ctx context.Context, sims []*Simulation, o SimOptions) (results []SimResult, err error) {
	r := runner{o: Options{Sample: o.Sample, Prompts: o.Prompts, Open: o.Open, Retrieve: o.Retrieve, Judge: o.Judge, Embed: o.Embed},
		know: map[string]*Knowledge{}, tapes: map[string]*Cassette{}, models: map[string]llm.ChatModel{}, vectors: map[string]llm.Embedder{}}
	model, err := r.model(o.Provider, 0)
	if err != nil {
		return nil, err
	}
	for _, s := range sims {
		suite := &Suite{Name: s.Name, File: s.File, Knowledge: s.Knowledge, At: s.At, files: s.files}
		if err := r.readKnowledge(ctx, suite); err != nil {
			return nil, err
		}
		for _, c := range s.Scenarios {
			if o.Filter != nil && !o.Filter.MatchString(s.Name+"/"+c.Name) {
				continue
			}
			p := play{r: &r, o: o, sim: s, c: c, suite: suite, model: model, know: r.know[s.Knowledge], told: map[int]bool{}}
			res, err := p.run(ctx)
			if ctx.Err() != nil {
				return results, ctx.Err()
			}
			if err != nil {
				res.Error = err.Error()
			}
			results = append(results, res)
			if o.Progress != nil {
				o.Progress(res)
			}
		}
	}
	if len(results) == 0 {
		return nil, errors.New("no scenario is left to play: does the filter match any?")
	}
	return results, nil
}

// play is one scenario under way.
type play struct {
	r     *runner
	o     SimOptions
	sim   *Simulation
	suite *Suite
	c     Scenario
	model llm.ChatModel
	know  *Knowledge

	turns []assist.Turn
	ticks []assist.StepChange
	told  map[int]bool // facts the customer has told
	said  int          // of Says
	res   SimResult
	last  subject // the last draft
}

func (p *play) run(ctx context.Context) (SimResult, error) {
	p.res = SimResult{Simulation: p.sim.Name, Scenario: p.c.Name, Reasons: []string{}, Line: fmt.Sprintf("%s:%d", p.sim.File, p.c.Line)}
	for say := p.c.Opens; p.res.Outcome == ""; {
		p.customer(say)
		reply, ok, err := p.answer(ctx)
		if err != nil {
			return p.done(), err
		}
		if !ok {
			p.res.Outcome = SimHandedOver
			break
		}
		if say, err = p.next(ctx, reply); err != nil {
			return p.done(), err
		}
	}
	p.judge(ctx)
	return p.done(), nil
}

func (p *play) done() SimResult {
	p.res.Turns = p.turns
	p.res.Pass = len(p.res.Reasons) == 0 && p.res.Error == "" && p.res.Outcome != ""
	return p.res
}

func (p *play) add(t assist.Turn) {
	t.Seq = int64(len(p.turns) + 1)
	p.turns = append(p.turns, t)
}

func (p *play) customer(text string) {
	p.res.Messages++
	p.add(assist.Turn{Role: assist.RoleCustomer, Name: p.c.Customer, Text: text})
}

// answer makes the draft and sends it as it is; false when there is none.
func (p *play) answer(ctx context.Context) (reply string, ok bool, err error) {
	c := Case{ID: p.sim.Name + "/" + p.c.Name, Turns: p.turns, Vars: map[string]string{"role": p.c.Role}}
	g, err := p.know.guide("", p.suite.day(), c.order())
	if err != nil {
		return "", false, err
	}
	base, _, _ := strings.Cut(p.c.Prompt, "@")
	at := p.suite.day()
	o := suggest.Options{Knowledge: p.know, Prompts: p.o.Prompts, PromptName: p.c.Prompt, Guide: g, Now: func() time.Time { return at }}
	moment := assist.Moment{SuggestionID: "simulation", Conversation: c.order(), ForSeq: lastCustomer(p.turns), Turns: slices.Clone(p.turns), Steps: slices.Clone(p.ticks),
		Audience: assist.AudienceInternal, Agent: assist.Identity{Subject: "simulation", Actor: assist.ActorAgent, Name: "Maya", Authority: p.c.Role}}
	if base == "bot" {
		moment.Audience, o.BotPrompt = assist.AudiencePublic, p.c.Prompt
	}
	var w *watched
	if p.model != nil {
		w = &watched{ChatModel: p.model}
		o.Model = w
	}
	var s assist.Suggestion
	out := Output{Suggestion: &s}
	if base == "bot" {
		var d bot.Decision
		s, d = p.know.askBot(ctx, suggest.New(o), moment, at)
		out.Bot = &d
	} else {
		s = suggest.New(o).Run(ctx, moment, unwatched{})
	}
	switch {
	case ctx.Err() != nil:
		return "", false, ctx.Err()
	case w != nil && w.err != nil && p.o.Provider.served():
		return "", false, fmt.Errorf("the model did not answer: %w", w.err)
	}
	if s.Draft != nil {
		out.Text = s.Draft.Text
	}
	if out.Bot != nil {
		out.Text = out.Bot.Answer
	}
	p.last = subject{c: c, out: out, know: p.know, guide: g, judge: p.asked, embed: p.r.embedder}
	p.grade(ctx, p.c.Expect.Each, fmt.Sprintf("message %d: ", p.res.Messages))
	switch {
	case s.Question.Quiet != "" && out.Text == "":
		return "", true, nil // a thank you needs no answer
	case out.Text == "" || s.State == assist.SuggestionAbstained:
		return "", false, nil
	}
	role := assist.RoleAgent
	if base == "bot" {
		role = assist.RoleBot
	}
	p.add(assist.Turn{Role: role, Name: "Maya", Text: out.Text})
	p.work(s.Steps)
	return out.Text, true, nil
}

func (p *play) asked(_ context.Context, id string, repeat int) (asked, error) {
	id = cmp.Or(id, p.o.Judge, "openai")
	m, err := p.r.model(Provider{ID: id, Label: id}, repeat)
	return asked{m, p.r.o.Prompts, id == p.o.Provider.ID}, err
}

// work does the step that is due. An action in another system is reported, with
// what the customer has told.
func (p *play) work(steps []assist.NextStep) {
	for _, s := range steps {
		if !s.Current || s.Kind == assist.StepHandOff {
			continue
		}
		if s.Action != "" {
			a := &assist.Action{Name: strings.ReplaceAll(strings.ToLower(s.Action), " ", "-")}
			for i, f := range p.c.Facts {
				if p.told[i] {
					a.Values = append(a.Values, f.Say)
				}
			}
			if len(p.c.Facts) > 0 && len(a.Values) == 0 {
				return // nobody knows yet whose account it is
			}
			p.add(assist.Turn{Role: assist.RoleSystem, Action: a})
		}
		p.ticks = append(p.ticks, assist.StepChange{StepID: s.ID, State: assist.StepDone})
	}
}

// next is the customer's next message, or the end.
func (p *play) next(ctx context.Context, reply string) (say string, err error) {
	if p.o.Customer != nil {
		return p.played(ctx)
	}
	if p.satisfied() {
		p.res.Outcome = SimSatisfied
		return "", nil
	}
	if p.res.Messages > p.c.Patience {
		p.res.Outcome = SimGaveUp
		return "", nil
	}
	var tell []string
	for i, f := range p.c.Facts {
		if !asksFor(reply, f.Asked) {
			continue
		}
		if p.told[i] {
			p.res.AskedTwice++
			tell = append(tell, "i told you already: "+f.Say)
			continue
		}
		p.told[i] = true
		tell = append(tell, f.Say)
	}
	switch {
	case len(tell) > 0:
		return strings.Join(tell, ". "), nil
	case p.said < len(p.c.Says):
		p.said++
		return p.c.Says[p.said-1], nil
	}
	return "ok and what happens now?", nil
}

// satisfied: the agent has said all that this customer came for.
func (p *play) satisfied() bool {
	if len(p.c.Satisfied) == 0 {
		return false
	}
	var b strings.Builder
	for _, t := range p.turns {
		if t.Role == assist.RoleAgent || t.Role == assist.RoleBot {
			b.WriteString(strings.ToLower(t.Text) + "\n")
		}
	}
	return !slices.ContainsFunc(p.c.Satisfied, func(w string) bool { return !strings.Contains(b.String(), strings.ToLower(w)) })
}

var asking = regexp.MustCompile(`(?i)\?|\b(please|may i|could you|can you|tell (me|us)|send (me|us)|i need|we need|ask us|give (me|us)|what is|bitte|veuillez)\b`)

// asksFor reports whether a sentence of a reply asks for something by one of these
// words.
func asksFor(reply string, words []string) bool {
	for _, sp := range lex.Sentences(reply) {
		s := sp.In(reply)
		if !asking.MatchString(s) {
			continue
		}
		low := strings.ToLower(s)
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(low, strings.ToLower(w)) }) {
			return true
		}
	}
	return false
}

// played asks the model that plays the customer.
func (p *play) played(ctx context.Context) (say string, err error) {
	words, err := p.o.Prompts.Get("customer")
	if err != nil {
		return "", err
	}
	left := p.c.Patience + 1 - p.res.Messages
	if left <= 0 {
		p.res.Outcome = SimGaveUp
		return "", nil
	}
	data := prompt.Customer{Goal: p.c.Goal, Manner: p.c.Manner, Left: left}
	for _, f := range p.c.Facts {
		data.Facts = append(data.Facts, prompt.Fact{About: f.About, Say: f.Say})
	}
	for _, t := range p.turns {
		if t.Action == nil { // what agents do elsewhere customers do not see
			data.Turns = append(data.Turns, prompt.Turn{Who: string(t.Role), Text: t.Text})
		}
	}
	rendered, err := words.Render(data)
	if err != nil {
		return "", err
	}
	answer, err := p.o.Customer.Chat(ctx, llm.Request{
		Messages:   []llm.Message{{Role: "system", Content: rendered.System}, {Role: "user", Content: rendered.User}},
		SchemaName: "customer", Schema: rendered.Schema, MaxTokens: rendered.Params.MaxTokens, Temperature: rendered.Params.Temperature,
	}, func(string) {})
	if err != nil {
		return "", fmt.Errorf("the model that plays the customer: %w", err)
	}
	var said struct{ Say, State string }
	from, to := strings.IndexByte(answer.Text, '{'), strings.LastIndexByte(answer.Text, '}')
	if from < 0 || to < from || json.Unmarshal([]byte(answer.Text[from:to+1]), &said) != nil {
		return "", fmt.Errorf("the model that plays the customer cannot be read: %q", clip(answer.Text, 80))
	}
	switch said.State {
	case "satisfied":
		p.res.Outcome = SimSatisfied
	case "gave_up":
		p.res.Outcome = SimGaveUp
	default:
		if strings.TrimSpace(said.Say) == "" {
			return "", errors.New("the model that plays the customer says nothing and does not leave")
		}
	}
	say = clip(said.Say, assist.MaxText)
	if p.res.Outcome != "" && say != "" {
		p.customer(say) // a last word, which nobody answers
	}
	return say, nil
}

// judge holds the end against what was expected.
func (p *play) judge(ctx context.Context) {
	e := p.c.Expect
	fail := func(format string, args ...any) {
		p.res.Reasons = append(p.res.Reasons, fmt.Sprintf(format, args...))
	}
	if p.res.Outcome != e.Outcome {
		fail("it ended %s, not %s", p.res.Outcome, e.Outcome)
	}
	if e.Messages > 0 && p.res.Messages > e.Messages {
		fail("the customer had to write %d messages, at most %d were expected", p.res.Messages, e.Messages)
	}
	if e.Once && p.res.AskedTwice > 0 {
		fail("%d times the customer was asked for what they had told", p.res.AskedTwice)
	}
	p.grade(ctx, e.Assert, "at the end: ")
}

func (p *play) grade(ctx context.Context, asserts []Assertion, where string) {
	for i := range asserts {
		a := &asserts[i]
		g := gradeOne(ctx, a, p.last)
		r := AssertResult{Type: a.Name(), Value: a.Values, Metric: a.MetricName(), Score: g.Score, Weight: a.Weight, Reason: where + g.Reason, Outcome: Passed}
		switch {
		case g.Err != nil:
			r.Outcome, r.Reason = Errored, where+g.Err.Error()
			p.res.Error = cmp.Or(p.res.Error, a.Name()+": "+g.Err.Error())
		case !g.Pass:
			r.Outcome = Failed
			p.res.Reasons = append(p.res.Reasons, fmt.Sprintf("%s%s: %s", where, a.Name(), g.Reason))
		}
		p.res.Asserts = append(p.res.Asserts, r)
	}
}

// WriteSimulation writes scenarios for a terminal, with the transcript of those
// that failed; verbose, of all.
func WriteSimulation(w io.Writer, results []SimResult, verbose bool) {
	passed, failed, errs := 0, 0, 0
	for _, r := range results {
		mark := "PASS "
		switch {
		case r.Error != "":
			mark, errs = "ERROR", errs+1
		case r.Pass:
			passed++
		default:
			mark, failed = "FAIL ", failed+1
		}
		fmt.Fprintf(w, "%s %s/%s  %s after %d messages\n", mark, r.Simulation, r.Scenario, cmp.Or(string(r.Outcome), "not ended"), r.Messages)
		if r.Error != "" {
			fmt.Fprintln(w, "      "+clip(r.Error, 300))
		}
		for _, why := range r.Reasons {
			fmt.Fprintln(w, "      "+clip(why, 300))
		}
		if r.Pass && r.Error == "" && !verbose {
			continue
		}
		for _, t := range r.Turns {
			if t.Action != nil {
				fmt.Fprintf(w, "      · %s %s\n", t.Action.Name, clip(strings.Join(t.Action.Values, " | "), 100))
				continue
			}
			fmt.Fprintf(w, "      %-8s  %s\n", t.Role, clip(t.Text, 400))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d scenarios: %d passed, %d failed, %d could not be played\n", len(results), passed, failed, errs)
}
