package eval

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
)

func judgePrompt(t testing.TB) *prompt.Prompt {
	t.Helper()
	p, err := promptSet(t).Get("judge")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// judgedReply takes the reply out of what a judge is asked.
func judgedReply(r llm.Request) string {
	_, fenced, _ := strings.Cut(r.Messages[1].Content, "<<< reply ")
	code, rest, _ := strings.Cut(fenced, "\n")
	reply, _, _ := strings.Cut(rest, "\n>>> "+code)
	return reply
}

func TestCalibrate(t *testing.T) {
	labels, err := ReadLabelled(evals.Files, "judge/labelled.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	byReply := map[string]bool{}
	passes := 0
	for _, l := range labels {
		byReply[l.Reply] = *l.Pass
		if *l.Pass {
			passes++
		}
	}
	if passes*3 < len(labels) || passes*3 > 2*len(labels) {
		t.Errorf("%d of %d pass: the file leans one way", passes, len(labels))
	}
	judge := func(say func(reply string, label bool) string) llm.ChatModel {
		return &llm.Script{Label: "j", Answer: func(r llm.Request) []string {
			reply := judgedReply(r)
			return []string{say(reply, byReply[reply])}
		}}
	}
	answer := func(pass bool) string { return fmt.Sprintf(`{"reason":"","pass":%v,"score":1}`, pass) }
	for _, tt := range []struct {
		name  string
		judge llm.ChatModel
		kappa func(float64) bool
		gate  bool
	}{
		{"as people", judge(func(_ string, l bool) string { return answer(l) }), func(k float64) bool { return k == 1 }, true},
		{"always yes", judge(func(string, bool) string { return answer(true) }), func(k float64) bool { return k == 0 }, false},
		{"the contrary", judge(func(_ string, l bool) string { return answer(!l) }), func(k float64) bool { return k < -0.5 }, false},
		{"likes it long", judge(func(r string, _ bool) string { return answer(len(r) > 100) }), func(k float64) bool { return k < KappaBar }, false},
	} {
		c, err := Calibrate(t.Context(), tt.judge, judgePrompt(t), labels)
		if err != nil || !tt.kappa(c.Kappa) || c.MayGate != tt.gate {
			t.Errorf("%s: %+v, %v", tt.name, c, err)
		}
	}
	if c, err := Calibrate(t.Context(), judge(func(string, bool) string { return "hm" }), judgePrompt(t), labels); err == nil || c.Errors != len(labels) {
		t.Errorf("a judge that cannot be read: %+v, %v", c, err)
	}
	if _, err := ReadLabelled(fstest.MapFS{"l": {Data: []byte("{\"criterion\":\"x\",\"reply\":\"y\"}\n")}}, "l"); err == nil || !strings.Contains(err.Error(), "l:1: ") {
		t.Errorf("a line without a label: %v", err)
	}
}
