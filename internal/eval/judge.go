package eval

import (
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
	model  llm.ChatModel
	prompt *prompt.Prompt
	self   bool
}

const defaultRepeats = 3

type verdict struct {
	Reason string   `json:"reason"`
	Pass   *bool    `json:"pass"`
	Score  *float64 `json:"score"`
}

// rubric asks a judge, by name, several times, and reports how often it agreed
// with itself. An answer that cannot be read is repaired once, then it is an
// error: neither a pass nor a fail. A judge of its own answers is named as such.
func rubric(ctx context.Context, a *Assertion, s subject) Grade {
	if s.out.Text == "" {
		return failed("there is no answer to judge")
	}
	repeats := a.Repeats
	if repeats == 0 {
		repeats = defaultRepeats
	}
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
		v, err := j.verdict(ctx, a.value(), s.c.Turns, s.out.Text)
		if err != nil {
			return Grade{Err: fmt.Errorf("judge %s: %w", name, err)}
		}
		if *v.Pass {
			pass++
		}
		total += *v.Score
		last = v.Reason
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

// verdict asks the judge about one reply. An answer that cannot be read is asked
// for again once.
func (j asked) verdict(ctx context.Context, criterion string, turns []assist.Turn, reply string) (verdict, error) {
	data := prompt.Judge{Criterion: criterion, Reply: reply}
	for _, t := range turns {
		text := t.Text
		if t.Action != nil {
			text = strings.Join(append([]string{t.Action.Name}, t.Action.Values...), ", ")
		}
		data.Turns = append(data.Turns, prompt.Turn{Who: string(t.Role), Text: text})
	}
	if j.prompt == nil {
		return verdict{}, errors.New(`there is no prompt "judge"`)
	}
	r, err := j.prompt.Render(data)
	if err != nil {
		return verdict{}, err
	}
	messages := []llm.Message{{Role: "system", Content: r.System}, {Role: "user", Content: r.User}}
	for try := 0; ; try++ {
		answer, err := j.model.Chat(ctx, llm.Request{
			Messages: messages, SchemaName: "verdict", Schema: r.Schema, MaxTokens: r.Params.MaxTokens, Temperature: r.Params.Temperature,
		}, func(string) {})
		if err != nil {
			return verdict{}, err
		}
		v, err := readVerdict(answer.Text)
		if err == nil || try == 1 {
			return v, err
		}
		messages = append(messages, llm.Message{Role: "assistant", Content: clip(answer.Text, 2000)},
			llm.Message{Role: "user", Content: "That was not the JSON object. Answer with it alone."})
	}
}

func readVerdict(text string) (v verdict, err error) {
	from, to := strings.IndexByte(text, '{'), strings.LastIndexByte(text, '}')
	if from < 0 || to < from {
		return v, fmt.Errorf("its answer cannot be read: %q", clip(text, 80))
	}
	if err := json.Unmarshal([]byte(text[from:to+1]), &v); err != nil {
		return v, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if v.Pass == nil || v.Score == nil || *v.Score < 0 || *v.Score > 1 || math.IsNaN(*v.Score) {
		return v, fmt.Errorf("its answer lacks pass, or a score from 0 to 1: %q", clip(text, 80))
	}
	return v, nil
}
