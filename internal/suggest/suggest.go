// Package suggest is the pipeline from a moment of a conversation to a
// suggestion: question → passages → steps → instant draft → model draft →
// checks. Live, replay, bot and eval all call the same Run.
//
// Run owns at most one goroutine, the model call, and has waited for it when it
// returns. What needs no stored turn, up to the passages, Ahead does while the
// turn is being stored. The model is asked as soon as the passages and steps are known; the
// instant draft is made while the model thinks. The watcher is called one call
// at a time and in order (Passages, Instant, Delta …) whatever the model's pace,
// and never after Run has returned. Nothing is stored here, and nothing the
// model says is believed: its citations, amounts and links are checked like
// anybody's.
package suggest

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/privacy"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
)

// Knowledge is where passages and whole documents come from, read with the
// scope's eyes.
type Knowledge interface {
	Search(ctx context.Context, scope retrieve.Scope, q assist.Question) (retrieve.Result, error)
	// Document gives a whole document, nil if it is not visible.
	Document(ctx context.Context, scope retrieve.Scope, id string) (*assist.Document, error)
}

// Options are what a Suggester is made of.
type Options struct {
	Knowledge  Knowledge
	Model      llm.ChatModel // nil: instant drafts only
	Prompts    *prompt.Set   // needed with a Model
	PromptName string        // for agents; "": reply
	BotPrompt  string        // for customers; "": bot, or PromptName where there is none
	Rollout    prompt.Rollout
	Logger     *slog.Logger // nil: silent
	Guide      Guide        // nil: steps in the order of the page that was found
	Now        func() time.Time

	// FirstTokenTimeout bounds the wait for a model that accepted the call and
	// says nothing; 0: as long as the model itself allows.
	FirstTokenTimeout time.Duration
}

// Suggester makes suggestions. Between runs it keeps only what was read of passages;
// runs may go side by side.
type Suggester struct {
	opt    Options
	reader *reader
}

// New makes a Suggester.
func New(opt Options) *Suggester {
	if opt.PromptName == "" {
		opt.PromptName = "reply"
	}
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Suggester{opt: opt, reader: newReader()}
}

// Run makes the suggestion for a moment and returns it in a final state. A quiet
// question, a greeting say, needs none: Question.Quiet says why, the watcher
// hears nothing. Whatever happens to the model, passages, steps and instant
// draft stand. When ctx ends Run returns at once, superseded.
func (s *Suggester) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	r := s.begin(m)
	return r.rest(ctx, w, r.look(ctx))
}

// Ahead looks for what the last turn of a moment asks while that is still being
// stored, and gives the rest of Run, to be called once it is: with the moment as it
// is then. Where that has other words than the one looked at, or the search failed,
// the rest is all of Run. Until then nobody is shown anything and no model writes.
func (s *Suggester) Ahead(ctx context.Context, m assist.Moment) (rest func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion) {
	r := s.begin(m)
	err := r.look(ctx)
	return func(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
		if err != nil || !r.becomes(m) {
			return s.Run(ctx, m, w)
		}
		return r.rest(ctx, w, nil)
	}
}

// look finds out what is asked, and the passages for it.
func (r *run) look(ctx context.Context) error {
	r.Question = question(r.told)
	if r.Question.Quiet != "" {
		return nil
	}
	return r.search(ctx)
}

// becomes gives a run that looked ahead its moment, if it is that one: the same but
// for what storing its last turn has settled.
func (r *run) becomes(m assist.Moment) bool {
	last := len(m.Turns) - 1
	if last < 0 || last != len(r.m.Turns)-1 || m.Conversation != r.m.Conversation || m.Audience != r.m.Audience || m.Instruction != r.m.Instruction {
		return false
	}
	for i, t := range m.Turns {
		was := r.m.Turns[i]
		if t.Role != was.Role || t.Text != was.Text || t.Name != was.Name || i < last && t.Seq != was.Seq || i == last && t.Action != nil {
			return false
		}
	}
	told := r.told.Turns
	told[last].Seq, told[last].At = m.Turns[last].Seq, m.Turns[last].At
	r.m, r.told = m, m
	r.told.Turns = told
	r.ID, r.ForSeq = m.SuggestionID, m.ForSeq
	return true
}

// rest is Run from the passages on; err says why there are none.
func (r *run) rest(ctx context.Context, w assist.Watcher, err error) assist.Suggestion {
	m := r.m
	if r.Question.Quiet != "" {
		return r.abstain("There is nothing to answer: " + r.Question.Quiet + ".")
	}
	if err != nil {
		return r.failSearch(ctx, err)
	}
	w.Passages(assist.Suggestion{ID: r.ID, Conversation: r.Conversation, ForSeq: r.ForSeq, Question: r.Question, Hits: r.Hits})
	if r.weak {
		if playbook.Feel(m.Turns).Needed() {
			r.guided(ctx) // nothing answers it, and still there is something to do
			if r.sorry() {
				w.Instant(r.Suggestion)
				return r.finish(ctx, outcome{skipped: true, reason: "Nothing in the knowledge answers this."})
			}
		}
		return r.abstain("Nothing in the knowledge answers this.")
	}
	r.nextSteps(ctx)
	if ctx.Err() != nil {
		return r.supersede()
	}
	written := r.startWriting(ctx, w)
	r.instantDraft(ctx)
	written.open(func() {
		if r.Instant != nil {
			w.Instant(r.Suggestion)
		}
	})
	return r.finish(ctx, written.wait())
}

// run is one suggestion in the making.
type run struct {
	assist.Suggestion
	s       *Suggester
	m       assist.Moment
	told    assist.Moment // m as models and vectors may see it
	mask    *privacy.Mask
	began   time.Time
	weak    bool
	scope   retrieve.Scope
	instant check.Report
	read    check.Reading  // for both drafts
	near    *retrieve.Near // what was found by vector
	upset   bool           // recovery comes first
	chosen  *assist.Option // the way the agent decided for
	limits  []check.Limit  // what this agent may still give
}

func (s *Suggester) begin(m assist.Moment) *run {
	now := s.opt.Now()
	told, mask := masked(m)
	return &run{
		s: s, m: m, told: told, mask: mask, began: now,
		scope: retrieve.Scope{Audience: m.Audience, At: now},
		Suggestion: assist.Suggestion{
			ID: m.SuggestionID, Conversation: m.Conversation, ForSeq: m.ForSeq, Instruction: m.Instruction,
			State: assist.SuggestionDrafting, CreatedAt: now,
		},
	}
}

// question is what the customer needs now. An agent who asks for something gets
// it also when the customer only said thanks: then the agent's words are looked
// up.
func question(m assist.Moment) assist.Question {
	q := retrieve.Listen(m.Turns)
	if m.Instruction == "" || isOption(m.Instruction) && q.Quiet == "" {
		return q
	}
	if q.Quiet != "" {
		q.Quiet = ""
		if q.Text == "" {
			q.Text = m.Instruction
		}
		for _, t := range lex.Terms(m.Instruction, q.Language) {
			q.Terms = append(q.Terms, assist.Term{Text: t, Weight: 1})
		}
	}
	return q
}

func (r *run) search(ctx context.Context) error {
	found, err := r.s.opt.Knowledge.Search(ctx, r.scope, r.Question)
	if err != nil {
		return err
	}
	r.Hits, r.KnowledgeVersion, r.weak = found.Hits, found.KnowledgeVersion, found.Weak || len(found.Hits) == 0
	r.near = found.Near
	r.Evidence = math.Round(found.Evidence*1000) / 1000
	if len(found.Searched) > 0 {
		r.Question.Terms = found.Searched // without what was said before, where the customer has turned from it
	}
	r.Timings.Passages = r.since()
	return nil
}

// Finding the procedure.
const (
	maxProcedures = 3   // documents that are opened
	relevant      = 0.5 // share of the best hit's score that a procedure, or a passage to speak from, needs
)

// nextSteps finds the procedure among the documents that were hit, best first;
// one in which an agent has ticked a step goes before the others.
func (r *run) nextSteps(ctx context.Context) {
	if r.guided(ctx) {
		return
	}
	var ids []string
	seen := map[string]bool{}
	for _, h := range r.Hits {
		procedure := h.Kind == assist.KindProcedure || h.Kind == assist.KindPolicy
		if procedure && !seen[h.DocumentID] && h.Score >= relevant*r.Hits[0].Score {
			seen[h.DocumentID] = true
			ids = append(ids, h.DocumentID)
		}
	}
	for i := len(r.m.Steps) - 1; i >= 0; i-- {
		if id := stepDocument(r.m.Steps[i].StepID); seen[id] {
			ids = append([]string{id}, ids...)
			break
		}
	}
	for i, id := range ids {
		if i == maxProcedures {
			return
		}
		p, ok, err := r.procedure(ctx, id)
		if err != nil {
			if ctx.Err() == nil {
				r.s.opt.Logger.Warn("read procedure", "suggestion", r.ID, "document", id, "error", err)
			}
			return
		}
		if ok {
			r.Steps = playbook.Next(p, r.m.Turns, r.m.Steps)
			return
		}
	}
}

// procedure reads a document that was found as a procedure, if it is one. What it
// was read as stands for as long as the knowledge has the same version.
func (r *run) procedure(ctx context.Context, id string) (playbook.Procedure, bool, error) {
	key := procedureKey{id, r.KnowledgeVersion, r.scope.Audience}
	if p, known := r.s.reader.procedures.Get(key); known {
		return p.Procedure, p.is, nil
	}
	doc, err := r.s.opt.Knowledge.Document(ctx, r.scope, id)
	if err != nil || doc == nil {
		return playbook.Procedure{}, false, err
	}
	var p readProcedure
	p.Procedure, p.is = playbook.Parse(*doc)
	if !p.is {
		p.Procedure = playbook.Procedure{}
	}
	if key.version > 0 { // else nothing tells when it changes
		r.s.reader.procedures.Keep(key, p)
	}
	return p.Procedure, p.is, nil
}

// stepDocument gives the document of a step id, which may itself hold slashes.
func stepDocument(stepID string) string { return stepID[:max(strings.LastIndexByte(stepID, '/'), 0)] }

// instantDraft writes and checks the draft that needs no model, unless ctx ends
// while it searches: nobody would see it.
func (r *run) instantDraft(ctx context.Context) {
	asked := wishes(r.Question)
	from := r.quotable(ctx, asked)
	if ctx.Err() != nil {
		return
	}
	answer := r.s.reader.answers(asked, r.Question.Language, r.m.Turns, from, r.Evidence)
	r.cite(answer, from)
	r.instant = check.All(r.input(compose(r.Question, r.m, answer, r.Steps, r.chosen)))
	d := r.instant.Draft
	r.Instant = &d
	if len(r.Steps) == 0 && !cites(d) {
		r.instant.Standing = assist.StandingNoSource // only "I'll look into this"
	}
	r.use(r.instant)
	r.Timings.Instant = r.since()
}

// input is all that a draft is held against.
func (r *run) input(d assist.Draft) check.Input {
	return check.Input{Draft: d, Hits: r.Hits, Turns: r.m.Turns, Limits: r.limits, Read: &r.read}
}

// sorry drafts what can be said to an upset customer when no page answers; false:
// there is nothing to say.
func (r *run) sorry() bool {
	if acknowledge(phrasesOf(r.Question.Language), r.Question, r.m.Turns) == "" {
		return false
	}
	r.instant = check.All(r.input(compose(r.Question, r.m, nil, r.Steps, r.chosen)))
	r.instant.Standing = assist.StandingNoSource
	d := r.instant.Draft
	r.Instant = &d
	r.use(r.instant)
	r.Timings.Instant = r.since()
	return true
}

func cites(d assist.Draft) bool {
	return slices.ContainsFunc(d.Sentences, func(s assist.Sentence) bool { return len(s.Citations) > 0 })
}

// use makes a checked draft the suggestion's.
func (r *run) use(report check.Report) {
	d := report.Draft
	r.Draft, r.Verdicts, r.Standing, r.CheckCount, r.Dropped = &d, report.Verdicts, report.Standing, report.CheckCount, report.Dropped
}

// finish turns what the model wrote, or did not, into the final state.
func (r *run) finish(ctx context.Context, out outcome) assist.Suggestion {
	r.Timings.FirstToken = out.firstToken
	r.Prompt, r.Model, r.Usage = out.prompt, out.model, out.usage
	switch {
	case ctx.Err() != nil:
		return r.supersede()
	case out.skipped:
		r.Reason = out.reason
		return r.end(assist.SuggestionReady)
	case out.err != nil:
		r.Reason = out.reason
		r.s.opt.Logger.Warn("write with model", "suggestion", r.ID, "model", out.model, "error", out.err)
		return r.end(assist.SuggestionFailed)
	}
	out.reply = out.reply.restored(r.mask)
	if out.reply.Abstain != "" {
		r.Draft, r.Verdicts, r.CheckCount, r.Dropped = nil, nil, 0, 0
		return r.abstain("The passages do not answer this: " + out.reply.Abstain)
	}
	report, left := r.disarm(out.reply.draft(r.Hits))
	if len(report.Draft.Sentences) == 0 {
		r.Reason = "Every sentence the model wrote held a foreign link or markup, and was left out." + stands
		r.s.opt.Logger.Warn("leave out the model's draft", "suggestion", r.ID, "model", out.model, "sentences", left)
		return r.end(assist.SuggestionFailed)
	}
	r.use(report)
	r.Steps = out.reply.steps(r.Steps, r.Hits, r.ID)
	if len(r.Options) == 0 {
		r.Options = out.reply.options(r.Hits, r.ID)
	}
	r.Anticipates = out.reply.anticipates(r.Hits, r.m.Turns)
	return r.end(assist.SuggestionReady)
}

// disarm checks the model's draft and leaves out sentences that hold a link
// nobody gave, an image, markup or hidden characters: such words are never put
// in front of somebody to send. A verdict says so.
func (r *run) disarm(draft assist.Draft) (report check.Report, left int) {
	in := r.input(draft)
	report = check.All(in)
	armed := map[int]bool{}
	for _, v := range report.Verdicts {
		if v.Check == check.LinksName {
			armed[v.Sentence] = true
		}
	}
	if len(armed) == 0 {
		return report, 0
	}
	var kept []assist.Sentence
	for i, s := range draft.Sentences {
		if !armed[i] {
			kept = append(kept, s)
		}
	}
	in.Draft = assist.NewDraft(draft.Origin, kept)
	dropped := report.Dropped
	report = check.All(in)
	report.Dropped = dropped
	report.CheckCount++
	if report.Standing == assist.StandingReady {
		report.Standing = assist.StandingCheck
	}
	report.Verdicts = append(report.Verdicts, assist.Verdict{
		Check: check.LinksName, Outcome: assist.Warn, Sentence: -1,
		Reason: "The model wrote a foreign link or markup; the sentence was left out.",
	})
	return report, len(armed)
}

func (r *run) failSearch(ctx context.Context, err error) assist.Suggestion {
	if ctx.Err() != nil {
		return r.supersede()
	}
	r.s.opt.Logger.Error("search passages", "suggestion", r.ID, "error", err)
	r.Standing = assist.StandingNoSource
	r.Reason = "The knowledge could not be searched just now. Answer from what you know, or ask again in a moment."
	var known *assist.Error
	if errors.As(err, &known) {
		r.Reason = known.Message
	}
	return r.end(assist.SuggestionFailed)
}

func (r *run) abstain(reason string) assist.Suggestion {
	r.Standing, r.Reason = assist.StandingNoSource, reason
	return r.end(assist.SuggestionAbstained)
}

func (r *run) supersede() assist.Suggestion { return r.end(assist.SuggestionSuperseded) }

func (r *run) end(state assist.SuggestionState) assist.Suggestion {
	r.State = state
	r.Timings.Ready = r.since()
	return r.Suggestion
}

// since is milliseconds from the start of the run.
func (r *run) since() float64 {
	return float64(r.s.opt.Now().Sub(r.began).Microseconds()) / 1000
}
