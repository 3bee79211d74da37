package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/eval"
)

func TestReview(t *testing.T) {
	three := []eval.Candidate{{Suggestion: "a"}, {Suggestion: "b"}, {Suggestion: "c"}}
	for keys, want := range map[string]string{"asa": "ac", "xyn": "a", "aq": "a", "aa\x03": "ab", "": "", "nnn": "", "aaaaa": "abc"} {
		var out bytes.Buffer
		got, err := review(rawLines{&out}, strings.NewReader(keys), three)
		var ids string
		for _, c := range got {
			ids += c.Suggestion
		}
		if ids != want || err != nil {
			t.Errorf("%q accepts %q, want %q, %v", keys, ids, want, err)
		}
		if strings.Contains(strings.ReplaceAll(out.String(), "\r\n", ""), "\n") {
			t.Errorf("a raw terminal gets %q", out.String())
		}
	}
}

func TestAppendSuite(t *testing.T) {
	workdir(t, map[string]string{"other.yaml": "tests:\n  - {vars: {question: a}}\ndescription: ends with something else\n"})
	c := []eval.Candidate{{Suggestion: "s1", Description: "fact: x", Conversation: "customer: hi\n", Assert: []eval.HarvestAssert{{Type: "icontains", Value: "60 days"}}}}
	for i, want := range []int{1, 0} {
		if added, err := appendSuite("h.yaml", c); added != want || err != nil {
			t.Errorf("time %d: %d added, %v", i+1, added, err)
		}
	}
	before, err := os.ReadFile("other.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendSuite("other.yaml", c); err == nil || !strings.Contains(err.Error(), "must end with its list of tests") {
		t.Errorf("%v", err)
	}
	after, err := os.ReadFile("other.yaml")
	if err != nil || !bytes.Equal(before, after) || exists("other.yaml.new.yaml") || exists("h.yaml.new.yaml") {
		t.Errorf("the file was changed, or another left behind: %v", err)
	}
	if code, out, errs := aside(t, nil, "eval", "h.yaml", "--no-cache", "--json"); code != exitOK || !strings.Contains(out, `"cases":1`) {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestAge(t *testing.T) {
	for text, want := range map[string]time.Duration{"7d": 168 * time.Hour, "36h": 36 * time.Hour, "0d": 0, "-1h": 0, "soon": 0} {
		var a age
		err := a.Set(text)
		if time.Duration(a) != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %v, %v", text, a.String(), err)
		}
	}
}

func TestEvalSimulate(t *testing.T) {
	workdir(t, map[string]string{
		"s.yaml":     "scenarios:\n  - {name: a, goal: g, opens: how do i wash the heron hoody, patience: 1, satisfied: [wash], expect: {outcome: satisfied}}\n",
		"worse.yaml": "scenarios:\n  - {name: a, goal: g, opens: how do i wash the heron hoody, satisfied: [wash], expect: {outcome: handed_over}}\n",
		"bad.yaml":   "scenarios:\n  - {name: a}\n",
	})
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"s.yaml"}, exitOK, "1 passed"},
		{[]string{"s.yaml", "--provider", "script:down", "--json"}, exitOK, `"passed":1`},
		{[]string{"bad.yaml"}, exitUsage, "bad.yaml:2:"},
		{[]string{"s.yaml", "--customer", "instant"}, exitUsage, "cannot play"},
		{[]string{"s.yaml", "--provider", "openai"}, exitFailed, "ASIDE_LLM_BASE_URL"},
		{[]string{"worse.yaml"}, exitRegression, "ended satisfied, not handed_over"},
	} {
		code, out, errs := aside(t, nil, append([]string{"eval", "simulate"}, tt.args...)...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", tt.args, code, tt.code, tt.want, out, errs)
		}
	}
}
