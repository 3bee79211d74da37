package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/eval"
)

const plainSuite = `
prompts: ["Hello {{name}}"]
providers: [echo]
tests: [{vars: {name: [a1, b2, c3, d4, e5]}, assert: [{type: contains, value: "{{name}}"}, {type: starts-with, value: Hello}]}]
`

// workdir makes a folder with the files and goes there.
func workdir(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, body := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEval(t *testing.T) {
	workdir(t, map[string]string{"s.yaml": plainSuite})
	env := map[string]string{}
	code, out, errs := aside(t, env, "eval", "s.yaml", "--json", "--out", "run", "--no-cache")
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); code != exitOK || err != nil {
		t.Fatalf("%d %v\n%s%s", code, err, out, errs)
	}
	if got["cases"] != 5.0 || got["passed"] != 5.0 || got["failed"] != 0.0 || got["errors"] != 0.0 || got["metrics"].(map[string]any)["contains"] != 1.0 {
		t.Errorf("%v", got)
	}
	for _, name := range []string{"results.jsonl", "summary.json", "junit.xml", "bench.txt", "report.html"} {
		if !exists(filepath.Join("run", name)) {
			t.Errorf("there is no %s", name)
		}
	}
	code, out, errs = aside(t, env, "eval", "s.yaml", "--no-cache", "--filter", "nothing-like-it")
	if code != exitFailed || !strings.Contains(errs, "filter") {
		t.Errorf("%d %s%s", code, out, errs)
	}
	code, out, errs = aside(t, env, "eval", "s.yaml", "--no-cache", "--against", "run", "--json")
	if code != exitOK || !strings.Contains(out, `"verdict":"no difference shown"`) {
		t.Errorf("%d %s%s", code, out, errs)
	}
}

func TestEvalGate(t *testing.T) {
	workdir(t, map[string]string{
		"s.yaml": plainSuite,
		// The same cases with a prompt that leaves the name out.
		"worse/s.yaml": strings.Replace(plainSuite, "Hello {{name}}", "Hello you", 1),
		"must/s.yaml":  strings.Replace(strings.Replace(plainSuite, "Hello {{name}}", "Hello you", 1), "[{vars", "[{must: true, vars", 1),
	})
	env := map[string]string{}
	for _, tt := range []struct {
		args []string
		code int
	}{
		{[]string{"s.yaml"}, exitInconclusive}, // no baseline yet
		{[]string{"s.yaml", "--update"}, exitOK},
		{[]string{"s.yaml"}, exitOK},
		{[]string{"worse/s.yaml"}, exitRegression},
		{[]string{"must/s.yaml"}, exitRegression},
	} {
		code, out, errs := aside(t, env, append([]string{"eval", "gate", "--no-cache", "--baseline", "base"}, tt.args...)...)
		if code != tt.code {
			t.Errorf("%v: exit %d, want %d\n%s%s", tt.args, code, tt.code, out, errs)
		}
	}
}

func TestEvalUsage(t *testing.T) {
	workdir(t, map[string]string{
		"s.yaml":     plainSuite,
		"bad.yaml":   "tests:\n  - assert: [{type: nonsense}]\n",
		"foo.yaml":   strings.Replace(plainSuite, "starts-with", "javascript", 1),
		"model.yaml": strings.Replace(plainSuite, "echo", "openai", 1),
	})
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"eval", "nowhere"}, exitUsage, "nowhere"},
		{[]string{"eval", "retreival"}, exitUsage, `there is no suite "retreival"; did you mean retrieval?`},
		{[]string{"eval", "./nowhere.yaml"}, exitUsage, "stat ./nowhere.yaml: no such file"},
		{[]string{"eval", "./bad.yaml"}, exitUsage, "aside eval: ./bad.yaml:2:"},
		{[]string{"eval", "./"}, exitUsage, "./ is a folder"},
		{[]string{"eval", "s.yaml", "--concurrency", "-1"}, exitUsage, "--concurrency must be 1 or more"},
		{[]string{"eval", "s.yaml", "--repeat", "-1"}, exitUsage, "--repeat and --concurrency must be 1 or more"},
		{[]string{"eval", "s.yaml", "--judge", "magic"}, exitUsage, `--judge: there is no provider "magic"`},
		{[]string{"eval", "s.yaml", "--prompts", "nowhere"}, exitUsage, "--prompts nowhere"},
		{[]string{"eval", "simulate", "nowhere"}, exitUsage, `there are no scenarios "nowhere"; those that ship are`},
		{[]string{"eval", "gate", "s.yaml", "--no-cache", "--baseline", "nowhere"}, exitInconclusive, "stands in a baseline: --update writes one"},
		{[]string{"eval", "bad.yaml"}, exitUsage, `bad.yaml:2: there is no assertion "nonsense"`},
		{[]string{"eval", "s.yaml", "--resume"}, exitUsage, "--resume needs --out"},
		{[]string{"eval", "s.yaml", "--filter", "("}, exitUsage, "--filter"},
		{[]string{"eval", "s.yaml", "--provider", "magic"}, exitUsage, `there is no provider "magic"`},
		{[]string{"eval", "s.yaml", "--price", "cheap"}, exitUsage, "--price"},
		{[]string{"eval", "model.yaml", "--no-cache"}, exitFailed, "ASIDE_LLM_BASE_URL"},
		{[]string{"eval", "compare", "reply"}, exitUsage, "two settings"},
		{[]string{"eval", "compare", "reply", "no-such-thing", "s.yaml"}, exitUsage, "neither the folder of a run"},
		{[]string{"eval", "gate", "--margins", "x"}, exitUsage, "metric=share"},
		{[]string{"eval", "calibrate", "none.jsonl"}, exitUsage, "none.jsonl"},
		{[]string{"eval", "calibrate"}, exitFailed, "ASIDE_LLM_BASE_URL"},
		{[]string{"eval", "calibrate", "--judge", "instant"}, exitUsage, "cannot judge"},
		{[]string{"eval", "import"}, exitUsage, "name one file"},
		{[]string{"eval", "import", "foo.yaml"}, exitOK, "javascript"},
	} {
		code, out, errs := aside(t, map[string]string{}, tt.args...)
		if code != tt.code || !strings.Contains(out+errs, tt.want) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", tt.args, code, tt.code, tt.want, out, errs)
		}
	}
}

// TestEvalShipped: the suites that are built in run without files, key or
// database.
func TestEvalShipped(t *testing.T) {
	workdir(t, nil)
	code, out, errs := aside(t, map[string]string{}, "eval", "leaks", "--no-cache", "--json")
	var got eval.Summary
	if err := json.Unmarshal([]byte(out), &got); code != exitOK || err != nil || got.Cases < 10 || got.Failed != 0 {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
}
