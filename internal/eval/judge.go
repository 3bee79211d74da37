package eval

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
)

// asked is a judge that can be asked: who, in which words, and whether it judges
// its own answers.
type asked struct {
	model   llm.ChatModel
	prompts *prompt.Set
	self    bool
}

const defaultRepeats = 3

// opinion is what a judge says once.
type opinion struct {
	pass   bool
	score  float64 // 0 to 1
	reason string
}

// scored is an opinion that passes at the threshold.
func (a *Assertion) scored(score, threshold float64, format string, args ...any) opinion {
	if a.Threshold != nil {
		threshold = *a.Threshold
	}
	return opinion{score >= threshold, score, fmt.Sprintf(format, args...)}
}

// graded asks a judge, by name, several times, and reports how often it agreed
// with itself: most of its opinions must pass, and their mean must reach the
// threshold if there is one. An answer that cannot be read is repaired once, then
// it is an error: neither a pass nor a fail. A judge of its own answers is named as
// such.
func graded(ctx context.Context, a *Assertion, s subject, ask func(context.Context, asked) (opinion, error)) Grade {
	repeats := cmp.Or(a.Repeats, defaultRepeats)
	var pass int
	var total float64
	var last, name string
	var self bool
	for i := range repeats {
		j, err := s.judge(ctx, orElse(a.Judge, s.c.Judge), i)
		if err != nil {
			return Grade{Err: fmt.Errorf("judge: %w", err)}
		}
		if j.model == nil {
			return Grade{Err: errors.New("judge: instant cannot judge, it writes from the knowledge alone: --judge names a model")}
		}
		name, self = j.model.Name(), j.self
		o, err := ask(ctx, j)
		if err != nil {
			return Grade{Err: fmt.Errorf("judge %s: %w", name, err)}
		}
		if o.pass {
			pass++
		}
		total += o.score
		last = o.reason
	}
	mean := total / float64(repeats)
	ok := 2*pass > repeats
	if a.Threshold != nil {
		ok = ok && mean >= *a.Threshold
	}
	agree := float64(max(pass, repeats-pass)) / float64(repeats)
	g := Grade{Pass: ok, Score: math.Round(mean*1e6) / 1e6, Reason: fmt.Sprintf("%s (judge %s, %d of %d say pass, agreement %.2f)", last, name, pass, repeats, agree)}
	if self {
		g.Reason += "; the judge judged its own answer"
	}
	return g
}

// rubric holds an answer against a criterion in words.
func rubric(ctx context.Context, a *Assertion, s subject) Grade {
	if s.out.Text == "" {
		return failed("there is no answer to judge")
	}
	return graded(ctx, a, s, func(ctx context.Context, j asked) (opinion, error) {
		p, err := j.prompt("judge")
		if err != nil {
			return opinion{}, err
		}
		v, err := judgeReply(ctx, j.model, p, a.value(), s.c.Turns, s.out.Text)
		if err != nil {
			return opinion{}, err
		}
		return opinion{*v.Pass, *v.Score, v.Reason}, nil
	})
}

// prompt gives the words of a question to the judge.
func (j asked) prompt(name string) (*prompt.Prompt, error) {
	if j.prompts == nil {
		return nil, fmt.Errorf("there is no prompt %q", name)
	}
	return j.prompts.Get(name)
}

// verdict is what a judge answers to the prompt "judge".
type verdict struct {
	Reason string   `json:"reason"`
	Pass   *bool    `json:"pass"`
	Score  *float64 `json:"score"`
}

func (v verdict) check() error {
	if v.Pass == nil || v.Score == nil || *v.Score < 0 || *v.Score > 1 || math.IsNaN(*v.Score) {
		return errors.New("it lacks pass, or a score from 0 to 1")
	}
	return nil
}

// judgeReply asks about one reply in the words of a prompt "judge".
func judgeReply(ctx context.Context, model llm.ChatModel, p *prompt.Prompt, criterion string, turns []assist.Turn, reply string) (verdict, error) {
	data := prompt.Judge{Criterion: criterion, Reply: reply}
	for _, t := range turns {
		text := t.Text
		if t.Action != nil {
			text = strings.Join(append([]string{t.Action.Name}, t.Action.Values...), ", ")
		}
		data.Turns = append(data.Turns, prompt.Turn{Who: string(t.Role), Text: text})
	}
	return ask(ctx, model, p, data, verdict.check)
}

// ask asks a judge and reads its answer, a JSON object. One that cannot be read, or
// does not hold what was asked for, is asked for again once.
func ask[T any](ctx context.Context, model llm.ChatModel, p *prompt.Prompt, data any, check func(T) error) (T, error) {
	var none T
	r, err := p.Render(data)
	if err != nil {
		return none, err
	}
	messages := []llm.Message{{Role: "system", Content: r.System}, {Role: "user", Content: r.User}}
	for try := 0; ; try++ {
		answer, err := model.Chat(ctx, llm.Request{
			Messages: messages, SchemaName: "verdict", Schema: r.Schema, MaxTokens: r.Params.MaxTokens, Temperature: r.Params.Temperature,
		}, func(string) {})
		if err != nil {
			return none, err
		}
		v, err := readAnswer(answer.Text, check)
		if err == nil || try == 1 {
			return v, err
		}
		messages = append(messages, llm.Message{Role: "assistant", Content: clip(answer.Text, 2000)},
			llm.Message{Role: "user", Content: "That was not the JSON object. Answer with it alone."})
	}
}

func readAnswer[T any](text string, check func(T) error) (v T, err error) {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return v, fmt.Errorf("its answer cannot be read: %q", clip(text, 80))
	}
	if err := json.Unmarshal([]byte(text[from:to+1]), &v); err != nil {
		return v, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if err := check(v); err != nil {
		return v, fmt.Errorf("its answer cannot be read: %w: %q", err, clip(text, 80))
	}
	return v, nil
}
