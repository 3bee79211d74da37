package suggest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/privacy"
)

// outcome is what became of the model's draft.
type outcome struct {
	skipped    bool   // there is no model, or it may not be called: not a failure
	reason     string // in plain words, for the agent
	err        error  // for the log
	reply      reply
	prompt     *assist.PromptRef
	model      string
	usage      assist.Usage
	firstToken float64 // milliseconds from the start of the run
}

// writing is a model call under way. Its deltas are held back until open, so
// that the watcher sees the instant draft first.
type writing struct {
	done chan outcome

	mu      sync.Mutex
	watcher assist.Watcher
	opened  bool
	held    strings.Builder
}

// startWriting asks the model, after the hold. It returns at once.
func (r *run) startWriting(ctx context.Context, w assist.Watcher) *writing {
	wr := &writing{done: make(chan outcome, 1), watcher: w}
	switch {
	case r.s.opt.Model == nil:
		wr.done <- outcome{skipped: true}
		return wr
	case r.m.SkipModel != "":
		wr.done <- outcome{skipped: true, reason: r.m.SkipModel}
		return wr
	}
	job := writeJob{s: r.s, m: r.told, turns: r.m.Turns, mask: r.mask, began: r.began, question: r.Question, hits: r.Hits, steps: r.Steps, options: r.Options}
	go func() {
		var out outcome
		defer func() {
			if p := recover(); p != nil { // what a model wrote must not end the process
				out = out.failed(fmt.Errorf("the draft's writer panicked: %v\n%s", p, debug.Stack()))
			}
			wr.done <- out
		}()
		out = job.write(ctx, wr.delta)
	}()
	return wr
}

// delta shows a piece of the draft, or keeps it until the instant draft is out.
func (wr *writing) delta(text string) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	if wr.opened {
		wr.watcher.Delta(text)
		return
	}
	wr.held.WriteString(text)
}

// open shows the instant draft, then what the model wrote meanwhile, and lets
// the rest through.
func (wr *writing) open(instant func()) {
	wr.mu.Lock()
	defer wr.mu.Unlock()
	instant()
	if wr.held.Len() > 0 {
		wr.watcher.Delta(wr.held.String())
		wr.held.Reset()
	}
	wr.opened = true
}

// wait waits for the model call to end. A call ends as soon as its context does,
// so this is no longer than the run may take.
func (wr *writing) wait() outcome { return <-wr.done }

// writeJob is all that the model call may look at.
type writeJob struct {
	s        *Suggester
	m        assist.Moment // masked
	turns    []assist.Turn // as they are: what the model writes is held against them
	mask     *privacy.Mask
	began    time.Time
	question assist.Question
	hits     []assist.Hit
	steps    []assist.NextStep
	options  []assist.Option
}

func (j writeJob) write(ctx context.Context, show func(string)) (out outcome) {
	model := j.s.opt.Model
	out.model = model.Name()
	if !holdFor(ctx, j.m.Hold) {
		return out
	}
	p, err := j.s.opt.Prompts.Get(j.s.promptName(j.m))
	if err != nil {
		return out.failed(err)
	}
	rendered, err := p.Render(promptData(j.m, j.question, j.hits, j.steps, j.options))
	if err != nil {
		return out.failed(err)
	}
	out.prompt = &assist.PromptRef{Name: rendered.Name, Version: rendered.Version, Text: rendered.System + "\n\n" + rendered.User}

	call, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	tooLate := func() bool { return false }
	if limit := j.s.opt.FirstTokenTimeout; limit > 0 {
		timer := time.AfterFunc(limit, func() { cancel(llm.ErrFirstToken) })
		defer timer.Stop()
		tooLate = timer.Stop
	}
	screen := screen{links: check.NewLinkCheck(j.hits, j.turns), mask: j.mask, show: show}
	var text extractor
	response, err := model.Chat(call, llm.Request{
		Messages:   []llm.Message{{Role: "system", Content: rendered.System}, {Role: "user", Content: rendered.User}},
		SchemaName: "reply", Schema: rendered.Schema, MaxTokens: rendered.Params.MaxTokens, Temperature: rendered.Params.Temperature,
		Key: j.m.Conversation,
	}, func(piece string) {
		if out.firstToken == 0 && piece != "" {
			tooLate()
			out.firstToken = max(float64(j.s.opt.Now().Sub(j.began).Microseconds())/1000, 0.001)
		}
		shown, ok := text.write(piece)
		screen.write(shown)
		if !ok {
			cancel(llm.ErrTooLong)
		}
	})
	if response.Model != "" {
		out.model = response.Model
	}
	out.usage = assist.Usage{Prompt: response.Prompt, Completion: response.Completion}
	if cause := context.Cause(call); cause != nil && ctx.Err() == nil {
		err = errors.Join(cause, err)
	}
	if err == nil && len(response.Text) > maxAnswer {
		err = llm.ErrTooLong
	}
	if err != nil {
		return out.failed(err)
	}
	screen.end()
	out.reply, err = parseReply(response.Text, response.Format)
	if err != nil {
		return out.failed(err)
	}
	return out
}

// promptName says which prompt, in which variant, a conversation is written with.
func (s *Suggester) promptName(m assist.Moment) string {
	name := s.opt.PromptName
	if m.Audience == assist.AudiencePublic {
		switch {
		case s.opt.BotPrompt != "":
			name = s.opt.BotPrompt
		case s.opt.Prompts.Has("bot"):
			name = "bot"
		}
	}
	return s.opt.Rollout.Pick(name, m.Conversation)
}

// holdFor waits before the model is asked, unless ctx ends first.
func holdFor(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (o outcome) failed(err error) outcome {
	o.err, o.reason = err, plainReason(err)
	return o
}

const stands = " The passages and the instant draft stand."

// plainReason says in an agent's words why there is no written draft.
func plainReason(err error) string {
	switch {
	case errors.Is(err, llm.ErrTooLong):
		return "The model's answer was longer than allowed and was thrown away." + stands
	case errors.Is(err, llm.ErrFirstToken):
		return "The model did not start to answer in time." + stands
	case errors.Is(err, llm.ErrStalled):
		return "The model stopped in the middle of its answer." + stands
	case errors.Is(err, llm.ErrCut):
		return "The model's answer was cut off." + stands
	case errors.Is(err, llm.ErrRateLimited):
		return "The model's server asks to slow down." + stands
	case errors.Is(err, llm.ErrDown):
		return "The model's server does not answer." + stands
	case errors.Is(err, llm.ErrRejected):
		return "The model's server refused the request; whoever runs Aside can see why in the log." + stands
	case errors.Is(err, llm.ErrNotAModel):
		return "The configured address is not a model's server; whoever runs Aside can see more in the log." + stands
	case errors.Is(err, errMalformed):
		return "The model's answer could not be read." + stands
	}
	return "The model could not write a draft." + stands
}

var errMalformed = errors.New("the model's answer does not have the form that was asked for")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// screen lets whole words of the model's draft through to the watcher, but no
// link that is not known, no image, no markup, no [n]: what streams is not yet
// checked, and must be harmless all the same.
type screen struct {
	links check.LinkCheck
	mask  *privacy.Mask
	show  func(string)
	rest  string // a word that has not ended
}

// maxWord is how long a word may get before it is shown in pieces.
const maxWord = 2048

func (s *screen) write(text string) {
	if text == "" {
		return
	}
	s.rest += text
	end := strings.LastIndexAny(s.rest, " \n\t") + 1
	if end == 0 && len(s.rest) > maxWord {
		end = len(s.rest)
	}
	if end == 0 {
		return
	}
	words := s.rest[:end]
	s.rest = s.rest[end:]
	s.out(words)
}

func (s *screen) end() {
	if s.rest != "" {
		s.out(s.rest)
		s.rest = ""
	}
}

func (s *screen) out(words string) {
	words = s.mask.Restore(mark.ReplaceAllString(words, ""))
	var b strings.Builder
	at := 0
	for _, v := range s.links.In(words) {
		if v.Start < at {
			continue
		}
		b.WriteString(words[at:v.Start])
		b.WriteString("…")
		at = v.End
	}
	b.WriteString(words[at:])
	if b.Len() > 0 {
		s.show(b.String())
	}
}
