package eval

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/prompts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func promptSet(t testing.TB) *prompt.Set {
	t.Helper()
	set, err := prompt.Load(prompts.Files)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func shipped(t testing.TB, names ...string) (suites []*Suite) {
	t.Helper()
	if len(names) == 0 {
		files, err := fs.Glob(evals.Files, "suites/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			names = append(names, suiteName(f))
		}
	}
	for _, n := range names {
		s, err := Load(evals.Files, "suites/"+n+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		suites = append(suites, s)
	}
	return suites
}

func baselines(t testing.TB, suites []*Suite) (out []Baseline) {
	t.Helper()
	for _, s := range suites {
		b, err := ReadBaseline(evals.Files, BaselineDir, s.Name)
		if err != nil || b == nil {
			t.Fatalf("baseline of %s: %v, %v; `aside eval gate --update` writes it", s.Name, b, err)
		}
		out = append(out, *b)
	}
	return out
}

func suiteOf(t testing.TB, yaml string) []*Suite {
	t.Helper()
	s, err := Load(fstest.MapFS{"s.yaml": {Data: []byte(yaml)}}, "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return []*Suite{s}
}

// TestShipped is the gate of this repository: every shipped suite runs without a
// model, loses nothing against the baseline, and gives the same result whatever
// the order the cases end in.
func TestShipped(t *testing.T) {
	suites := shipped(t)
	if testing.Short() {
		suites = shipped(t, "answers", "leaks", "recovery")
	}
	cases := 0
	for _, s := range suites {
		cases += len(s.Cases)
	}
	if cases < 150 && !testing.Short() {
		t.Errorf("%d cases ship, want at least 150", cases)
	}
	var first []byte
	for _, workers := range []int{1, 8} {
		results, err := Run(t.Context(), suites, Options{Sample: evals.Files, Prompts: promptSet(t), Concurrency: workers})
		if err != nil {
			t.Fatal(err)
		}
		for i := range results {
			results[i].LatencyMS = 0
		}
		raw, err := json.Marshal(results)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = raw
		} else if string(first) != string(raw) {
			t.Errorf("two runs of the same files differ: %s", firstDifference(first, raw))
		}
		g := Gate(results, baselines(t, suites), GateOptions{})
		if s := Summarise(results); g.Judgement != GatePass || s.Errors > 0 {
			t.Errorf("gate says %s, %d errors:\n%s\nIf the change is meant, `aside eval gate --update` writes the new baseline.", g.Judgement, s.Errors, strings.Join(g.Reasons, "\n"))
		}
	}
}

func firstDifference(a, b []byte) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%.300q against %.300q", a[max(0, i-150):], b[max(0, i-150):])
		}
	}
	return "one is longer"
}

// TestGateCatches: a worse search makes the gate fail.
func TestGateCatches(t *testing.T) {
	suites := shipped(t, "answers", "citations", "multi-turn", "languages")
	o := Options{Sample: evals.Files, Prompts: promptSet(t), Retrieve: retrieve.Options{Budget: 1, WeakBelow: 0.9}}
	results, err := Run(t.Context(), suites, o)
	if err != nil {
		t.Fatal(err)
	}
	if g := Gate(results, baselines(t, suites), GateOptions{}); g.Judgement != GateRegression {
		t.Errorf("a search by the rarest word alone: the gate says %s", g.Judgement)
	}
}

// obedient answers as its prompt tells it to: with the quote when the prompt asks
// for citations, without when somebody took that out.
func obedient(r llm.Request) []string {
	system, user := r.Messages[0].Content, r.Messages[1].Content
	m := regexp.MustCompile(`<<< text [0-9a-f]+\n([^\n]*)`).FindStringSubmatch(user)
	if m == nil {
		return []string{`{"sentences":[],"abstain":"nothing"}`}
	}
	quote, _, _ := strings.Cut(m[1], ". ")
	quote = strings.TrimSuffix(quote, ".")
	citations := []any{}
	if strings.Contains(system, "citations") {
		citations = append(citations, map[string]any{"passage": 1, "quote": quote})
	}
	raw, err := json.Marshal(map[string]any{
		"sentences": []any{map[string]any{"text": quote + ".", "citations": citations}},
		"abstain":   nil, "asks": nil, "anticipates": nil, "next_steps": []any{}, "options": []any{},
	})
	if err != nil {
		panic(err)
	}
	return []string{string(raw)}
}

// TestGateOfPrompts: a worse prompt makes the gate fail, one in other words that
// says the same does not.
func TestGateOfPrompts(t *testing.T) {
	files := fstest.MapFS{}
	names, err := fs.Glob(prompts.Files, "*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		raw, err := fs.ReadFile(prompts.Files, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: raw}
	}
	text := string(files["reply.md"].Data)
	at := strings.Index(text, `{{define "system" -}}`)
	if at < 0 {
		t.Fatal("the prompt has no system part")
	}
	head, body := text[:at], text[at:]
	files["reply@worse.md"] = &fstest.MapFile{Data: []byte(head + strings.ReplaceAll(body, "citations", "footnotes"))}
	files["reply@reworded.md"] = &fstest.MapFile{Data: []byte(head + strings.ReplaceAll(body, "customer", "client"))}
	set, err := prompt.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	suites := shipped(t, "citations", "multi-turn", "languages")
	run := func(name string) []Result {
		results, err := Run(t.Context(), suites, Options{
			Sample: evals.Files, Prompts: set, Prompt: name, Providers: []Provider{{ID: "openai:chat:obedient", Label: "obedient"}},
			Open: func(string, string) (llm.ChatModel, error) {
				return &llm.Script{Answer: obedient, Label: "obedient"}, nil
			},
			Filter: regexp.MustCompile(`^(citations|multi-turn|languages)/`), Judge: "openai:chat:obedient",
		})
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	base := Baselines(run("reply"))
	if g := Gate(run("reply@reworded"), base, GateOptions{}); g.Judgement != GatePass {
		t.Errorf("the same in other words: the gate says %s\n%s", g.Judgement, strings.Join(g.Reasons, "\n"))
	}
	if g := Gate(run("reply@worse"), base, GateOptions{}); g.Judgement != GateRegression {
		t.Errorf("a prompt that asks for no citations: the gate says %s", g.Judgement)
	}
}

func TestPlainPrompts(t *testing.T) {
	results, err := Run(t.Context(), suiteOf(t, `
prompts: ["Say {{word}} to {{name}}", '[{"role":"system","content":"Be {{word}}"},{"role":"user","content":"{{name}}"}]']
providers: [echo]
tests:
  - vars: {word: "{{name}}", name: Bob}
    assert: [{type: icontains, value: bob}, {type: not-contains, value: Bob Bob}, {type: latency, threshold: 60000}, {type: cost, threshold: 1}]
  - vars: {word: x, name: y}
    providerOutput: recorded
    assert: [{type: equals, value: recorded}]
  - vars: {word: x}
    assert: [{type: contains, value: x}]
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, fmt.Sprintf("%s %s", r.Outcome, r.Output))
	}
	want := []string{"pass Say {{name}} to Bob", "pass [\n  {\n    \"role\": \"system\",\n    \"content\": \"Be {{name}}\"\n  },\n  {\n    \"role\": \"user\",\n    \"content\": \"Bob\"\n  }\n]", "pass recorded", "pass recorded", "error ", "error "}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !strings.Contains(results[4].Reason, "{{name}} has no value") {
		t.Errorf("%q", results[4].Reason)
	}
}

// TestOutcomes: threshold, must, errors and skips.
func TestOutcomes(t *testing.T) {
	results, err := Run(t.Context(), suiteOf(t, `
prompts: ["a b"]
providers: [echo]
tests:
  - {description: half is enough, threshold: 0.5, assert: [{type: contains, value: a}, {type: contains, value: z}]}
  - {description: half but must, threshold: 0.5, assert: [{type: contains, value: a}, {type: contains, value: z, must: true}]}
  - {description: weighted out, threshold: 0.5, assert: [{type: contains, value: a}, {type: contains, value: z, weight: 3}]}
  - {description: only reported, assert: [{type: contains, value: z, weight: 0}]}
  - {description: nothing asserted}
  - {description: judge down, assert: [{type: contains, value: z}, {type: llm-rubric, value: x, provider: "openai:chat:j"}]}
  - {description: about a suggestion, assert: [{type: grounded}]}
`), Options{Prompts: promptSet(t), Open: func(string, string) (llm.ChatModel, error) { return &llm.Script{Err: llm.ErrDown}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	var got []Outcome
	for _, r := range results {
		got = append(got, r.Outcome)
	}
	if d := cmp.Diff([]Outcome{Passed, Failed, Failed, Passed, Passed, Errored, Errored}, got); d != "" {
		t.Error(d)
	}
	if s := Summarise(results); s.Cases != 7 || s.Passed != 3 || s.Failed != 2 || s.Errors != 2 || s.Metrics["pass"] != 0.6 {
		t.Errorf("%+v", s)
	}
	if r := results[5].Reason; !strings.Contains(r, "judge") || !strings.Contains(r, "does not answer") {
		t.Errorf("a judge that is down: %q", r)
	}
}

// TestPromptInstead: a prompt stands in for its own kind only; a suite of the bot
// does not run with a variant of the reply, and is graded as the bot's.
func TestPromptInstead(t *testing.T) {
	suites := append(suiteOf(t, "tests: [{vars: {question: how do i wash the heron hoody}}]"),
		suiteOf(t, "prompts: [bot]\ntests: [{vars: {question: how do i wash the heron hoody}}]")...)
	suites[1].Name = "bots"
	for name, want := range map[string][]string{"": {"reply ", "bot bot"}, "reply": {"reply "}, "bot": {"bot bot"}} {
		results, err := Run(t.Context(), suites, Options{Sample: evals.Files, Prompts: promptSet(t), Prompt: name})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range results {
			got = append(got, r.Prompt+" "+map[bool]string{true: "bot"}[r.Bot != ""])
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("--prompt %q: %s", name, d)
		}
	}
	if _, err := Run(t.Context(), suites[1:], Options{Sample: evals.Files, Prompts: promptSet(t), Prompt: "reply"}); err == nil || !strings.Contains(err.Error(), "no case is left") {
		t.Errorf("only suites of another prompt: %v", err)
	}
}

// TestJudgeTimesOut: a judge that does not answer in time is an error of the case,
// whatever its other assertions say: neither a failure of the answer nor a pass.
func TestJudgeTimesOut(t *testing.T) {
	results, err := Run(t.Context(), suiteOf(t, `
prompts: ["a b"]
providers: [echo]
tests:
  - {description: right, assert: [{type: contains, value: a}, {type: llm-rubric, value: x, provider: "openai:chat:j"}]}
  - {description: wrong, assert: [{type: contains, value: z}, {type: llm-rubric, value: x, provider: "openai:chat:j"}]}
  - {description: weighs nothing, assert: [{type: contains, value: a}, {type: llm-rubric, value: x, weight: 0, provider: "openai:chat:j"}]}
  - {description: without, assert: [{type: contains, value: a}]}
`), Options{Prompts: promptSet(t), Open: func(string, string) (llm.ChatModel, error) {
		return &llm.Script{Err: llm.ErrFirstToken, Label: "slow"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results[:3] {
		if r.Outcome != Errored || !strings.Contains(r.Reason, "judge slow") || r.Cause != "" {
			t.Errorf("%s: %s %q %q", r.Description, r.Outcome, r.Reason, r.Cause)
		}
	}
	if s := Summarise(results); s.Errors != 3 || s.Failed != 0 || s.Passed != 1 || s.Metrics["pass"] != 1 || s.Metrics["contains"] != 1 {
		t.Errorf("%+v", s)
	}
}

const three = `
prompts: ["{{n}}"]
providers: ["openai:chat:m"]
tests: [{vars: {n: [one, two, three, four, five, six]}, assert: [{type: contains, value: "{{n}}"}]}]
`

func mirror(count *int) Opener {
	return func(string, string) (llm.ChatModel, error) {
		return &llm.Script{Label: "m", Answer: func(r llm.Request) []string {
			*count++
			return []string{r.Messages[0].Content}
		}}, nil
	}
}

// TestResume: what was done when the run was stopped is kept, and the rest is run.
func TestResume(t *testing.T) {
	out := t.TempDir()
	calls := 0
	ctx, stop := context.WithCancel(t.Context())
	o := Options{Out: out, Open: mirror(&calls), Concurrency: 1, Progress: func(done, _ int, _ Result) {
		if done == 2 {
			stop()
		}
	}}
	results, err := Run(ctx, suiteOf(t, three), o)
	if !errors.Is(err, context.Canceled) || len(results) != 2 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	name := filepath.Join(out, ResultsFile)
	if f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0); err != nil {
		t.Fatal(err)
	} else if _, err := f.WriteString(`{"suite":"s","case":"cut o`); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	was := calls
	o.Resume, o.Progress = true, nil
	results, err = Run(t.Context(), suiteOf(t, three), o)
	if err != nil || len(results) != 6 || calls-was != 4 {
		t.Errorf("%d results, %d more calls, %v", len(results), calls-was, err)
	}
	saved, err := ReadResults(name)
	if err != nil || len(saved) != 6 {
		t.Errorf("%d results on disk, %v", len(saved), err)
	}
	for i, want := range []string{"one", "two", "three", "four", "five", "six"} {
		if results[i].Output != want || results[i].Outcome != Passed {
			t.Errorf("result %d is %q, %s", i, results[i].Output, results[i].Outcome)
		}
	}
}

// TestBudget: a run that has spent what it may stops, and says so.
func TestBudget(t *testing.T) {
	calls := 0
	results, err := Run(t.Context(), suiteOf(t, three), Options{Open: mirror(&calls), Concurrency: 1, PriceOut: 1e6, PriceIn: 1e6, Budget: 2})
	if !errors.Is(err, ErrBudget) || len(results) == 0 || len(results) == 6 {
		t.Errorf("%d results, %v", len(results), err)
	}
}

// TestCassette: recorded answers are played, a missing one is an error, and the
// repeat is part of the key.
func TestCassette(t *testing.T) {
	dir := t.TempDir()
	calls := 0
	tape, err := Record(filepath.Join(dir, "t.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), suiteOf(t, three), Options{Open: mirror(&calls), Record: tape, Repeat: 2, Concurrency: 1})
	if err != nil || tape.Close() != nil || len(results) != 12 || calls != 12 {
		t.Fatalf("%d results, %d calls, %v", len(results), calls, err)
	}
	play := func(repeat int, yaml string) []Result {
		t.Helper()
		results, err := Run(t.Context(), suiteOf(t, yaml), Options{
			Files: os.DirFS(dir), Repeat: repeat, Providers: []Provider{{ID: "cassette:t.jsonl", Label: "tape"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return results
	}
	if s := Summarise(play(2, three)); s.Passed != 12 || s.Metrics["pass_every_time"] != 1 {
		t.Errorf("%+v", s)
	}
	for _, r := range slices.Concat(play(3, three)[2:3], play(1, strings.Replace(three, "{{n}}\"]", "other {{n}}\"]", 1))[:1]) {
		if r.Outcome != Errored || !strings.Contains(r.Reason, "not in the recording") {
			t.Errorf("%+v", r)
		}
	}
}

// TestOwnFiles: a suite's knowledge and cassettes stand beside it.
func TestOwnFiles(t *testing.T) {
	fsys := fstest.MapFS{
		"d/s.yaml": {Data: []byte(`
at: 2026-11-20
knowledge: pages
providers: [instant, "cassette:t.jsonl"]
tests: [{vars: {question: how tall is the blue giraffe}, providers: [instant], assert: [{type: contains, value: 5 meters}, {type: cites, value: giraffe}]}, {vars: {question: how tall is the blue giraffe}, providers: ["cassette:t.jsonl"]}]
`)},
		"d/pages/giraffe.md": {Data: []byte("---\ntitle: Giraffe\naudience: public\n---\n## Height\n\nThe blue giraffe is 5 meters tall.\n")},
		"d/t.jsonl":          {Data: []byte("")},
	}
	s, err := Load(fsys, "d/s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), []*Suite{s}, Options{Prompts: promptSet(t)})
	if err != nil || len(results) != 2 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	if r := results[0]; r.Outcome != Passed {
		t.Errorf("%s %s %+v", r.Outcome, r.Output, r.Asserts)
	}
	if r := results[1]; r.Outcome != Errored || !strings.Contains(r.Reason, "not in the recording") {
		t.Errorf("%s %s", r.Outcome, r.Reason)
	}
}

func TestCassetteKeys(t *testing.T) {
	for _, key := range []string{"sk-proj-abcdefghijklmnopqrst", "ghp_abcdefghijklmnopqrstuvwx", "AKIAABCDEFGHIJKLMNOP", "-----BEGIN PRIVATE KEY-----"} {
		_, err := OpenCassette(fstest.MapFS{"t.jsonl": {Data: []byte("{\"key\":\"a\",\"text\":\"ok\"}\n{\"key\":\"b\",\"text\":\"" + key + "\"}\n")}}, "t.jsonl")
		if err == nil || !strings.Contains(err.Error(), "t.jsonl:2:") || strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestCache: the same request is asked once, a second repeat again.
func TestCache(t *testing.T) {
	calls := 0
	o := Options{Open: mirror(&calls), Cache: t.TempDir(), Concurrency: 1}
	for range 2 {
		if _, err := Run(t.Context(), suiteOf(t, three), o); err != nil {
			t.Fatal(err)
		}
	}
	if calls != 6 {
		t.Errorf("%d calls, want 6", calls)
	}
	o.Repeat = 2
	if _, err := Run(t.Context(), suiteOf(t, three), o); err != nil || calls != 12 {
		t.Errorf("%d calls, %v, want 12", calls, err)
	}
}

// TestServerFaults: a server that does not answer is an error, a scripted fault a
// thing to be judged.
func TestServerFaults(t *testing.T) {
	suite := suiteOf(t, "at: 2026-11-20\ntests: [{vars: {question: how long does a card refund take}, assert: [{type: state, value: failed}]}]")
	for id, want := range map[string]Outcome{"openai:chat:x": Errored, "script:down": Passed} {
		results, err := Run(t.Context(), suite, Options{
			Sample: evals.Files, Prompts: promptSet(t), Providers: []Provider{{ID: id, Label: id}},
			Open: func(string, string) (llm.ChatModel, error) { return &llm.Script{Err: llm.ErrDown}, nil },
		})
		if err != nil || results[0].Outcome != want {
			t.Errorf("%s: %v, %s %s", id, err, results[0].Outcome, results[0].Reason)
		}
	}
}

func TestCauses(t *testing.T) {
	suite := suiteOf(t, `
at: 2026-11-20
tests:
  - {description: "should have kept silent", vars: {question: how long does a card refund take}, assert: [{type: abstains}]}
  - {description: "not in the knowledge", vars: {question: how long does a card refund take}, assert: [{type: contains, value: zebra crossing}]}
  - {description: "not retrieved", vars: {question: how long does a card refund take}, assert: [{type: cites, value: pipit-stove}]}
  - {description: "retrieved, not used", vars: {question: how long does a card refund take}, assert: [{type: contains-all, value: ["trace takes up to 5"]}]}
  - {description: "used, contradicted", vars: {question: how long does a card refund take}, assert: [{type: not-contains, value: "5 business days"}]}
  - {description: "tone or form", vars: {question: how long does a card refund take}, assert: [{type: word-count, value: 1}]}
`)
	results, err := Run(t.Context(), suite, Options{Sample: evals.Files, Prompts: promptSet(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if string(r.Cause) != r.Description {
			t.Errorf("%s: the cause is %q\n%s", r.Description, r.Cause, r.Output)
		}
	}
}

// BenchmarkPlain is a suite of plain prompts and a model that answers at once.
func BenchmarkPlain(b *testing.B) {
	var yaml strings.Builder
	yaml.WriteString("prompts: ['Answer {{q}}']\nproviders: [echo]\ntests:\n")
	for i := range 200 {
		fmt.Fprintf(&yaml, "  - {vars: {q: 'case %d'}, assert: [{type: contains, value: case}, {type: icontains, value: ANSWER}, {type: regex, value: '\\d+'}]}\n", i)
	}
	fsys := fstest.MapFS{"s.yaml": {Data: []byte(yaml.String())}}
	b.ReportAllocs()
	for b.Loop() {
		s, err := Load(fsys, "s.yaml")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Run(b.Context(), []*Suite{s}, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
