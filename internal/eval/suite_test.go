package eval

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/llm"
)

const good = `
description: A suite
at: 2026-11-20
prompts: [reply, "Answer {{question}}", file://p.txt]
providers:
  - instant
  - {id: "openai:chat:small", label: small, config: {temperature: 0, max_tokens: 50}}
defaultTest:
  vars: {tone: calm}
  assert: [{type: tone}]
tests:
  - description: one
    vars: {question: "where is {{it}} {% x %}", colour: [red, blue]}
    assert: [{type: contains, value: "{{colour}}", weight: 2, metric: colours}]
  - file://more.csv
  - more.jsonl
scenarios:
  - description: places
    config: [{vars: {place: UK}}, {vars: {place: DE}}]
    tests: [{vars: {question: "to {{place}}?"}, assert: [{type: icontains, value: "{{place}}"}]}]
`

func files() fstest.MapFS {
	return fstest.MapFS{
		"d/s.yaml":     {Data: []byte(good)},
		"d/p.txt":      {Data: []byte("First {{question}}\n---\nSecond {{question}}")},
		"d/more.csv":   {Data: []byte("question,__expected,__expected2,__description,__metadata:topic\nhow,icontains: yes,contains-any(0.5): a; b,row,money\nwhy,exactly this,,,\n")},
		"d/more.jsonl": {Data: []byte("{\"description\":\"line\",\"vars\":{\"question\":\"q\"},\"assert\":[{\"type\":\"abstains\"}]}\n\n")},
	}
}

func TestLoad(t *testing.T) {
	s, err := Load(files(), "d/s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range s.Cases {
		line := c.ID
		for _, a := range c.Asserts {
			line += " " + a.Name() + "=" + strings.Join(a.Values, "/")
		}
		got = append(got, line)
	}
	want := []string{
		"s/one tone= contains=red", "s/one-2 tone= contains=blue",
		"s/row tone= icontains=yes contains-any=a; b", "s/case-4 tone= equals=exactly this",
		"s/line tone= abstains=",
		"s/places tone= icontains=UK", "s/places-2 tone= icontains=DE",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c := s.Cases[0]; c.Vars["tone"] != "calm" || c.Turns[0].Text != "where is {{it}} {% x %}" || c.Asserts[1].Weight != 2 || c.Asserts[1].MetricName() != "colours" {
		t.Errorf("%+v", c)
	}
	if c := s.Cases[2]; c.Metadata["topic"] != "money" || *c.Asserts[2].Threshold != 0.5 {
		t.Errorf("%+v", c)
	}
	if len(s.Prompts) != 4 || !s.Prompts[1].Plain() || s.Prompts[3].Messages[1] != "Second {{question}}" || s.Prompts[3].Label != "p.txt#2" {
		t.Errorf("%+v", s.Prompts)
	}
	if s.At.Format("2006-01-02") != "2026-11-20" || s.Providers[1].Label != "small" {
		t.Errorf("%+v", s)
	}
}

// TestFaults: anything unknown fails, with its file and line, and all at once.
func TestFaults(t *testing.T) {
	for _, tt := range []struct{ yaml, want string }{
		{"tests:\n  - vars: {question: x}\n    asserts: []\n", `s.yaml:3: a test has an unknown key "asserts"; known are assert,`},
		{"tests:\n  - assert: [{type: containz, value: x}]\n", `s.yaml:2: there is no assertion "containz"; known are`},
		{"tests:\n  - assert:\n    - {type: javascript, value: x}\n", `s.yaml:3: the assertion "javascript" is not supported: suites hold no code`},
		{"tests:\n  - assert: [{type: similar, value: x, provider: instant}]\n", "s.yaml:2: similar: its provider must be openai:embedding:MODEL or lexical, not \"instant\""},
		{"tests:\n  - assert: [{type: similar}]\n", "s.yaml:2: similar: it needs a value"},
		{"tests:\n  - assert: [{type: 'similar:dot', value: x}]\n", "s.yaml:2: the assertion \"similar:dot\" is not supported: use similar"},
		{"tests:\n  - assert:\n    - {type: context-recall}\n", "s.yaml:3: context-recall: it needs a value"},
		{"tests:\n  - assert: [{type: factuality, value: x, provider: lexical}]\n", "s.yaml:2: factuality: its provider lexical gives vectors"},
		{"tests:\n  - assert: [{type: answer-relevance, provider: {text: instant, embedding: echo}}]\n", "s.yaml:2: embedding must be openai:embedding:MODEL"},
		{"prompts: ['{{q}} x']\ntests:\n  - vars: {q: a}\n    assert:\n    - {type: context-faithfulness}\n", "s.yaml:5: context-faithfulness: it needs vars.context"},
		{"prompts: ['{{q}} x']\ntests:\n  - vars: {q: a, context: b}\n    assert:\n    - {type: not-context-relevance}\n", "s.yaml:5: not-context-relevance: it needs vars.query"},
		{"tests:\n  - assert: [{type: regex, value: '('}]\n", "s.yaml:2: regex: the pattern"},
		{"tests:\n  - assert: [{type: contains}]\n", "s.yaml:2: contains: it needs a value"},
		{"tests:\n  - assert: [{type: latency}]\n", "it needs a threshold"},
		{"tests:\n  - assert: [{type: abstains, weight: -1}]\n", "weight must not be negative"},
		{"redteam: {}\ntests: []\n", `s.yaml:1: the suite: "redteam" is not supported: run`},
		{"tests:\n  - vars: {a: {b: c}}\n", "s.yaml:2: vars.a is a mapping"},
		{"tests: nowhere.csv\n", "s.yaml:1: tests: there is no file nowhere.csv"},
		{"tests: t.csv\n", "t.csv:2: there is no assertion \"foo\""},
		{"tests: u.csv\n", `u.csv:1: the column "__what" is not supported`},
		{"tests: v.jsonl\n", `v.jsonl:2: a test has an unknown key "nope"`},
		{"prompts: ['{% if x %}']\ntests: []\n", "s.yaml:1: prompt"},
		{"prompts: ['{{ x | upper }}']\ntests: []\n", "is template code"},
		{"providers: [{id: openai, config: {apiKey: sk}}]\ntests: []\n", "keys do not belong in files"},
		{"tests:\n  - vars: {conversation: 'who: hi'}\n", "does not begin with"},
		{"tests:\n  - vars: {question: hi, upto: 3}\n", "vars.upto must be a turn from 1 to 1"},
		{"at: tomorrow\ntests: []\n", "at must be a day"},
		{"description: x\n", "there are no tests"},
		{"tests:\n  - assert: [{type: contains, value: '{{nobody}}'}]\n", "{{nobody}} has no value"},
		{"tests:\n\t- x\n", "s.yaml: yaml"},
		{"tests:\n  - &a {<<: *a}\n", "s.yaml:2: an alias stands within"},
		{"tests: loop.yaml\n", "loop.yaml: files name each other"},
		{"", "the file is empty"},
	} {
		fsys := fstest.MapFS{
			"s.yaml": {Data: []byte(tt.yaml)}, "t.csv": {Data: []byte("q,__expected\na,foo: bar\n")},
			"u.csv": {Data: []byte("q,__what\na,b\n")}, "loop.yaml": {Data: []byte("- loop.yaml\n")}, "v.jsonl": {Data: []byte("{\"vars\":{}}\n{\"nope\":1}\n")},
		}
		if _, err := Load(fsys, "s.yaml"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q:\n%v\nwant %q", tt.yaml, err, tt.want)
		}
	}
}

func TestImport(t *testing.T) {
	rep, err := Import(fstest.MapFS{"p.yaml": {Data: []byte(`
prompts: ["Hi {{name}}"]
providers: ["openai:gpt-x"]
tests:
  - vars: {name: Bob}
    assert: [{type: contains, value: Bob}, {type: javascript, value: "1"}]
outputPath: x.json
`)}}, "p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if rep.Cases != 1 || rep.Asserts["contains"] != 1 || len(rep.Dropped) != 2 || !strings.HasPrefix(rep.Dropped[0], "p.yaml:7: ") {
		t.Errorf("%+v", rep)
	}
}

// TestPromptfoo: a suite as promptfoo's users write it runs as it is; a provider
// that is not to be had here is named, and another can be given.
func TestPromptfoo(t *testing.T) {
	suites := suiteOf(t, `
# yaml-language-server: $schema=https://promptfoo.example/config-schema.json
description: My first eval
prompts:
  - 'Convert this English to {{language}}: {{input}}'
  - id: 'Translate to {{language}}: {{input}}'
    label: short
providers:
  - openai:gpt-small
  - id: anthropic:messages:large
    label: other
    config:
      max_tokens: 1024
defaultTest:
  assert:
    - type: latency
      threshold: 60000
tests:
  - vars:
      language: French
      input: Hello world
    assert:
      - type: contains
        value: 'Bonjour le monde'
  - description: several languages
    vars:
      language: [German, Italian]
      input: I'm hungry
    assert:
      - type: not-icontains
        value: bonjour
      - type: icontains-any
        value: ['{{language}}', 'x']
        weight: 2
        metric: language
  - vars: {language: Pirate, input: 'Where is the library?'}
    threshold: 0.5
    assert: [{type: icontains, value: arr}, {type: regex, value: '(?i)library'}, {type: is-json}, {type: starts-with, value: Tran}]
`)
	if _, err := Run(t.Context(), suites, Options{}); err == nil || !strings.Contains(err.Error(), `s.yaml:10: there is no provider "anthropic:messages:large"`) {
		t.Errorf("a provider of another kind: %v", err)
	}
	results, err := Run(t.Context(), suites, Options{
		Providers: []Provider{{ID: "openai:gpt-small", Label: "gpt"}},
		Open: func(_, model string) (llm.ChatModel, error) {
			return &llm.Script{Label: model, Answer: func(r llm.Request) []string {
				text := r.Messages[0].Content
				if strings.Contains(text, "French") {
					text = "Bonjour le monde"
				}
				return []string{text}
			}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		got = append(got, r.Prompt+" "+string(r.Outcome))
	}
	long := "Convert this English to {{language}}: {{…"
	want := []string{long + " pass", "short pass", long + " pass", "short pass", long + " pass", "short pass", long + " fail", "short pass"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestPromptfooFile: a suite folder in the style of promptfoo's documentation, with
// deterministic assertions only, runs unchanged; promptfoo 0.123 itself gives the
// same result for each of these cases.
func TestPromptfooFile(t *testing.T) {
	s, err := Load(os.DirFS("testdata/promptfoo"), "promptfooconfig.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), []*Suite{s}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]int{}
	for _, r := range results {
		cases[r.Description]++
		want := Passed
		if r.Prompt == "chat" && strings.HasPrefix(r.Description, "inline") {
			want = Failed // a chat is echoed as JSON, in which the customer's JSON is a text
		}
		if r.Outcome != want {
			t.Errorf("%s with %s: %s %+v", r.Case, r.Prompt, r.Outcome, r.Asserts)
		}
	}
	want := map[string]int{"inline, with most of the assertions": 3, "a list of values is a test each": 6, "weighted, with a threshold": 3,
		"a cell of two lines": 3, "a distance": 3, "from a file": 3, "a line": 3, "languages": 6}
	if d := cmp.Diff(want, cases); d != "" {
		t.Error(d)
	}
	rep, err := Import(os.DirFS("testdata/promptfoo"), "promptfooconfig.yaml")
	if err != nil || len(rep.Dropped) != 0 || rep.Cases != 10 || rep.Prompts != 3 {
		t.Errorf("%+v, %v", rep, err)
	}
	// What is graded needs a judge to run: make agree-promptfoo.
	rep, err = Import(os.DirFS("testdata/promptfoo-graded"), "promptfooconfig.yaml")
	if err != nil || len(rep.Dropped) != 0 || rep.Cases != 8 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// TestCSV: a fault names the line its row begins on, a threshold may stand in a
// column of its own, and prefix and suffix go around the prompt.
func TestCSV(t *testing.T) {
	fsys := fstest.MapFS{
		"s.yaml": {Data: []byte("prompts: ['{{q}}']\nproviders: [echo]\ntests: t.csv\n")},
		"t.csv":  {Data: []byte("q,__expected1,__expected2,__prefix,__suffix,__config:__expected2:threshold\n\"two\nlines\",contains: lines,\"levenshtein: x\",<<,>>,50\n")},
		"b.yaml": {Data: []byte("prompts: ['{{q}}']\ntests: b.csv\n")},
		"b.csv":  {Data: []byte("q,__expected\n\"two\nlines\",contains: a\nx,foo: bar\n")},
		"p.yaml": {Data: []byte("tests:\n  - {vars: {question: x}, options: {prefix: y}}\n")},
	}
	s, err := Load(fsys, "s.yaml")
	if err != nil {
		t.Fatal(err)
	}
	results, err := Run(t.Context(), []*Suite{s}, Options{})
	if err != nil || len(results) != 1 || results[0].Outcome != Passed || results[0].Output != "<<two\nlines>>" {
		t.Errorf("%+v, %v", results, err)
	}
	for name, want := range map[string]string{"b.yaml": `b.csv:4: there is no assertion "foo"`, "p.yaml": "p.yaml:2: prefix and suffix are of plain prompts"} {
		if _, err := Load(fsys, name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("tests:\n  - &a {vars: {<<: *a}}\n"))
	f.Add([]byte("tests:\n  - &a {<<: *a}\n"))
	f.Add([]byte("tests: [[[[1]]]]\nprompts: {a: b}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		fsys := files()
		fsys["d/s.yaml"] = &fstest.MapFile{Data: raw}
		s, err := Load(fsys, "d/s.yaml")
		if (s == nil) == (err == nil) {
			t.Errorf("suite %v, error %v", s, err)
		}
	})
}
