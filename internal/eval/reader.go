package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Load reads a suite file of fsys. Other files it names are looked for beside
// it. All faults are reported at once, each with its file and line.
func Load(fsys fs.FS, name string) (*Suite, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read suite: %w", err)
	}
	r := &reader{fsys: fsys, file: name, suite: &Suite{Name: suiteName(name), File: name, files: fsys}}
	root := r.parse(name, raw)
	if root != nil {
		r.top(root)
	}
	if len(r.faults) == 0 && len(r.suite.Cases) == 0 {
		r.faults = append(r.faults, fmt.Errorf("%s: there are no tests", name))
	}
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	r.suite.name()
	return r.suite, nil
}

// reader walks the YAML of one suite and gathers faults.
type reader struct {
	fsys   fs.FS
	file   string // being read now
	suite  *Suite
	faults []error
	open   int // files that are being read, each named by the one before
}

// The limits of a suite.
const (
	maxFaults = 50
	maxOpen   = 5
	maxCases  = 50000
)

func (r *reader) fault(n *yaml.Node, format string, args ...any) {
	if len(r.faults) < maxFaults {
		r.faults = append(r.faults, fmt.Errorf("%s:%d: %s", r.file, n.Line, fmt.Sprintf(format, args...)))
	}
}

func (r *reader) parse(name string, raw []byte) *yaml.Node {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		r.faults = append(r.faults, fmt.Errorf("%s: %w", name, err))
		return nil
	}
	if line := itself(&doc, nil); line > 0 {
		r.faults = append(r.faults, fmt.Errorf("%s:%d: an alias stands within what it stands for", name, line))
		return nil
	}
	if len(doc.Content) == 0 {
		r.faults = append(r.faults, fmt.Errorf("%s: the file is empty", name))
		return nil
	}
	return doc.Content[0]
}

// itself gives the line of an alias that leads to itself, 0 if there is none.
func itself(n *yaml.Node, within []*yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		if slices.Contains(within, n.Alias) {
			return n.Line
		}
		return 0 // its nodes are walked where they stand
	}
	for _, c := range n.Content {
		if line := itself(c, append(within, n)); line > 0 {
			return line
		}
	}
	return 0
}

// deep follows an alias to what it stands for.
func deep(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// entries gives the keys and values of a mapping, with what "<<" merges in put
// first, so that the mapping's own keys come after it.
func entries(n *yaml.Node) (out []*yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := deep(n.Content[i+1]); n.Content[i].Tag == "!!merge" && v.Kind == yaml.MappingNode {
			out = append(entries(v), out...)
		} else {
			out = append(out, n.Content[i], n.Content[i+1])
		}
	}
	return out
}

// fields calls a function for each key of a mapping; a key without one is a
// fault that lists what is understood.
func (r *reader) fields(n *yaml.Node, what string, known map[string]func(*yaml.Node)) {
	n = deep(n)
	if n.Kind != yaml.MappingNode {
		r.fault(n, "%s must be a mapping of keys to values", what)
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], deep(n.Content[i+1])
		if k.Tag == "!!merge" {
			r.fields(v, what, known)
			continue
		}
		if seen[k.Value] {
			r.fault(k, "%s has the key %q twice", what, k.Value)
			continue
		}
		seen[k.Value] = true
		if f, ok := known[k.Value]; ok {
			f(v)
			continue
		}
		if why, ok := refused[k.Value]; ok {
			r.fault(k, "%s: %q is not supported: %s", what, k.Value, why)
			continue
		}
		r.fault(k, "%s has an unknown key %q; known are %s", what, k.Value, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
}

// refused says why a key of promptfoo's is not here.
var refused = map[string]string{
	"redteam":                "run `aside eval attacks` instead",
	"transform":              "it is code; suites hold no code",
	"postprocess":            "it is code; suites hold no code",
	"contextTransform":       "it is code; suites hold no code",
	"assertScoringFunction":  "it is code; suites hold no code",
	"extensions":             "they are code; suites hold no code",
	"nunjucksFilters":        "values are never read as templates",
	"derivedMetrics":         "they are code; read the metrics from --json",
	"sharing":                "nothing is sent anywhere",
	"tracing":                "nothing is sent anywhere",
	"env":                    "settings come from the environment itself",
	"outputPath":             "use --out DIR",
	"commandLineOptions":     "use the flags",
	"storeOutputAs":          "cases do not depend on each other",
	"apiKey":                 "keys do not belong in files: set ASIDE_LLM_API_KEY",
	"disableDefaultAsserts":  "write the test without defaultTest",
	"assertionTemplates":     "use YAML anchors",
	"disableConversationVar": "there is no _conversation variable",
}

func (r *reader) text(n *yaml.Node, what string) string {
	n = deep(n)
	if n.Kind != yaml.ScalarNode {
		r.fault(n, "%s must be a text", what)
		return ""
	}
	if n.Tag == "!!null" {
		return ""
	}
	if name, ok := strings.CutPrefix(n.Value, "file://"); ok {
		body, _ := r.ref(n, name)
		return strings.TrimSpace(string(body))
	}
	return n.Value
}

func (r *reader) number(n *yaml.Node, what string) *float64 {
	f, err := strconv.ParseFloat(deep(n).Value, 64)
	if err != nil || f != f {
		r.fault(n, "%s must be a number, not %q", what, deep(n).Value)
		return nil
	}
	return &f
}

func (r *reader) count(n *yaml.Node, what string, least int) int {
	i, err := strconv.Atoi(deep(n).Value)
	if err != nil || i < least {
		r.fault(n, "%s must be a whole number of at least %d, not %q", what, least, deep(n).Value)
		return 0
	}
	return i
}

func (r *reader) yes(n *yaml.Node, what string) bool {
	b, err := strconv.ParseBool(deep(n).Value)
	if err != nil {
		r.fault(n, "%s must be true or false, not %q", what, deep(n).Value)
	}
	return b
}

// texts reads one text or a list of them.
func (r *reader) texts(n *yaml.Node, what string) []string {
	n = deep(n)
	if n.Kind != yaml.SequenceNode {
		return []string{r.text(n, what)}
	}
	var out []string
	for _, c := range n.Content {
		out = append(out, r.text(c, what))
	}
	return out
}

func (r *reader) each(n *yaml.Node, what string, f func(*yaml.Node)) {
	n = deep(n)
	if n.Kind != yaml.SequenceNode {
		r.fault(n, "%s must be a list", what)
		return
	}
	for _, c := range n.Content {
		f(deep(c))
	}
}

// ref reads a file named relative to the one being read.
func (r *reader) ref(n *yaml.Node, name string) (body []byte, resolved string) {
	resolved = path.Join(path.Dir(r.file), name)
	body, err := fs.ReadFile(r.fsys, resolved)
	if err != nil {
		r.fault(n, "file://%s: %v", name, err)
	}
	return body, resolved
}

// within reads with another file as the current one. Files that name each other
// in a circle are not followed.
func (r *reader) within(file string, f func()) {
	if r.open == maxOpen {
		r.faults = append(r.faults, fmt.Errorf("%s: files name each other %d deep", file, maxOpen))
		return
	}
	r.open++
	defer func() { r.open-- }()
	old := r.file
	r.file = file
	f()
	r.file = old
}

func (r *reader) top(n *yaml.Node) {
	s := r.suite
	var tests, scenarios []*yaml.Node
	base := draftCase{}
	ignore := func(*yaml.Node) {}
	providers := func(n *yaml.Node) { s.Providers = r.providers(n) }
	r.fields(n, "the suite", map[string]func(*yaml.Node){
		"$schema":     ignore,
		"tags":        ignore,
		"metadata":    ignore,
		"description": func(n *yaml.Node) { s.Description = r.text(n, "description") },
		"knowledge":   func(n *yaml.Node) { s.Knowledge = path.Join(path.Dir(r.file), r.text(n, "knowledge")) },
		"at":          func(n *yaml.Node) { s.At = r.day(n) },
		"prompts":     func(n *yaml.Node) { s.Prompts = r.prompts(n) },
		"providers":   providers,
		"targets":     providers,
		"defaultTest": func(n *yaml.Node) {
			if name, ok := strings.CutPrefix(n.Value, "file://"); ok && n.Kind == yaml.ScalarNode {
				body, file := r.ref(n, name)
				if root := r.parse(file, body); root != nil {
					r.within(file, func() { base = r.test(root, draftCase{}) })
				}
				return
			}
			base = r.test(n, draftCase{})
		},
		"tests":     func(n *yaml.Node) { tests = append(tests, n) },
		"scenarios": func(n *yaml.Node) { scenarios = append(scenarios, n) },
		"evaluateOptions": func(n *yaml.Node) {
			r.fields(n, "evaluateOptions", map[string]func(*yaml.Node){
				"maxConcurrency": func(n *yaml.Node) { s.Concurrency = r.count(n, "maxConcurrency", 1) },
				"repeat":         func(n *yaml.Node) { s.Repeat = r.count(n, "repeat", 1) },
				"cache":          ignore, "showProgressBar": ignore,
			})
		},
	})
	if len(s.Prompts) == 0 {
		s.Prompts = []Prompt{{Name: "reply", Label: "reply"}}
	}
	if len(s.Providers) == 0 && len(s.foreign) == 0 {
		s.Providers = []Provider{{ID: "instant", Label: "instant"}}
	}
	for _, n := range tests {
		r.tests(n, base)
	}
	for _, n := range scenarios {
		r.each(n, "scenarios", func(n *yaml.Node) { r.scenario(n, base) })
	}
}

func (r *reader) day(n *yaml.Node) time.Time {
	t, err := time.Parse(time.DateOnly, n.Value)
	if err != nil {
		r.fault(n, "at must be a day such as 2026-11-22, not %q", n.Value)
	}
	return t.Add(12 * time.Hour)
}

var promptName = regexp.MustCompile(`^[a-z][a-z0-9_-]*(@[a-z0-9_.-]+)?$`)

func (r *reader) prompts(n *yaml.Node) (out []Prompt) {
	switch n.Kind {
	case yaml.ScalarNode:
		return r.prompt(n, "")
	case yaml.MappingNode: // path → label
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, r.prompt(n.Content[i], n.Content[i+1].Value)...)
		}
		return out
	}
	r.each(n, "prompts", func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			out = append(out, r.prompt(n, "")...)
			return
		}
		var id *yaml.Node
		var label string
		set := func(n *yaml.Node) { id = n }
		r.fields(n, "a prompt", map[string]func(*yaml.Node){
			"id": set, "raw": set, "label": func(n *yaml.Node) { label = r.text(n, "label") },
		})
		if id != nil {
			out = append(out, r.prompt(id, label)...)
		}
	})
	return out
}

var promptFile = regexp.MustCompile(`^[^\s{}]+\.(txt|json|md)$`)

func (r *reader) prompt(n *yaml.Node, label string) []Prompt {
	text := n.Value
	name, isFile := strings.CutPrefix(text, "file://")
	isFile = isFile || promptFile.MatchString(text)
	if !isFile {
		if promptName.MatchString(text) {
			return []Prompt{{Name: text, Label: orElse(label, text)}}
		}
		return []Prompt{r.plain(n, text, orElse(label, clip(text, 40)))}
	}
	body, _ := r.ref(n, name)
	label = orElse(label, name)
	switch path.Ext(name) {
	case ".json":
		return []Prompt{r.plain(n, string(body), label)}
	case ".txt", ".md":
		var out []Prompt
		parts := regexp.MustCompile(`(?m)^---[ \t]*$`).Split(string(body), -1)
		for i, p := range parts {
			l := label
			if len(parts) > 1 {
				l = fmt.Sprintf("%s#%d", label, i+1)
			}
			out = append(out, r.plain(n, strings.TrimSpace(p), l))
		}
		return out
	}
	r.fault(n, "prompt file %s: only .txt, .md and .json (chat messages) are read", name)
	return nil
}

// plain reads a text prompt; one that is a JSON list of messages becomes those.
func (r *reader) plain(n *yaml.Node, text, label string) Prompt {
	p := Prompt{Label: label}
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		var messages []struct{ Role, Content string }
		if err := json.Unmarshal([]byte(text), &messages); err == nil {
			for _, m := range messages {
				if m.Role != "system" && m.Role != "user" && m.Role != "assistant" {
					r.fault(n, "prompt %s: a message has the role %q; known are system, user, assistant", label, m.Role)
				}
				p.Messages = append(p.Messages, m.Role, m.Content)
			}
			return p
		}
	}
	if strings.Contains(text, "{%") || strings.Contains(text, "{#") {
		r.fault(n, "prompt %s: {%% … %%} and {# … #} are template code; only {{name}} is filled in", label)
	}
	for _, m := range regexp.MustCompile(`\{\{([^}]*)\}\}`).FindAllStringSubmatch(text, -1) {
		if !hole.MatchString(m[0]) {
			r.fault(n, "prompt %s: {{%s}} is template code; only {{name}} is filled in", label, m[1])
		}
	}
	p.Messages = []string{"user", text}
	return p
}

func (r *reader) providers(n *yaml.Node) (out []Provider) {
	one := func(n *yaml.Node) {
		var p Provider
		if n.Kind == yaml.ScalarNode {
			p.ID = n.Value
		} else {
			r.fields(n, "a provider", map[string]func(*yaml.Node){
				"id":    func(n *yaml.Node) { p.ID = r.text(n, "id") },
				"label": func(n *yaml.Node) { p.Label = r.text(n, "label") },
				"config": func(n *yaml.Node) {
					r.fields(n, "config", map[string]func(*yaml.Node){
						"temperature": func(n *yaml.Node) { p.Temperature = r.number(n, "temperature") },
						"max_tokens":  func(n *yaml.Node) { p.MaxTokens = r.count(n, "max_tokens", 1) },
						"apiBaseUrl":  func(n *yaml.Node) { p.BaseURL = r.text(n, "apiBaseUrl") },
					})
				},
			})
		}
		if err := p.check(); err != nil {
			r.suite.foreign = append(r.suite.foreign, fmt.Errorf("%s:%d: %w", r.file, n.Line, err))
			return
		}
		p.Label = orElse(p.Label, p.ID)
		if file, ok := strings.CutPrefix(p.ID, "cassette:"); ok {
			p.ID, p.files = "cassette:"+path.Join(path.Dir(r.file), file), r.fsys
		}
		out = append(out, p)
	}
	if n.Kind == yaml.ScalarNode {
		one(n)
		return out
	}
	r.each(n, "providers", one)
	return out
}

// draftCase is a test before its lists are spread and its texts are read.
type draftCase struct {
	Case
	vars  []variable
	whole bool // lists are not spread: joined instead
}

type variable struct {
	name   string
	values []string
	line   int
}

func (r *reader) tests(n *yaml.Node, base draftCase) {
	n = deep(n)
	if n.Kind == yaml.ScalarNode {
		r.testFiles(n, base)
		return
	}
	r.each(n, "tests", func(n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			r.testFiles(n, base)
			return
		}
		r.add(n, r.test(n, base))
	})
}

func (r *reader) scenario(n *yaml.Node, base draftCase) {
	var rows, tests *yaml.Node
	description := ""
	r.fields(n, "a scenario", map[string]func(*yaml.Node){
		"description": func(n *yaml.Node) { description = r.text(n, "description") },
		"config":      func(n *yaml.Node) { rows = n },
		"tests":       func(n *yaml.Node) { tests = n },
	})
	if rows == nil || tests == nil {
		r.fault(n, "a scenario needs config (the rows) and tests")
		return
	}
	r.each(rows, "config", func(row *yaml.Node) {
		mixed := r.test(row, base)
		if mixed.Description == "" {
			mixed.Description = description
		}
		r.tests(tests, mixed)
	})
}

// test reads one test upon what it inherits.
func (r *reader) test(n *yaml.Node, base draftCase) draftCase {
	c := base
	c.Line, c.File = n.Line, r.file
	c.vars = slices.Clone(base.vars)
	c.Metadata = maps.Clone(base.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	filter := func(to *[]string, what string) func(*yaml.Node) {
		return func(n *yaml.Node) { *to = r.texts(n, what) }
	}
	r.fields(n, "a test", map[string]func(*yaml.Node){
		"description": func(n *yaml.Node) { c.Description = r.text(n, "description") },
		"vars":        func(n *yaml.Node) { c.vars = r.variables(n, c.vars) },
		"assert": func(n *yaml.Node) {
			c.Asserts = slices.Clone(base.Asserts)
			r.each(n, "assert", func(n *yaml.Node) { c.Asserts = append(c.Asserts, r.assertion(n)) })
		},
		"metadata": func(n *yaml.Node) {
			if n.Kind != yaml.MappingNode {
				r.fault(n, "metadata must be a mapping")
				return
			}
			for i := 0; i+1 < len(n.Content); i += 2 {
				c.Metadata[n.Content[i].Value] = strings.Join(r.texts(n.Content[i+1], "metadata"), ", ")
			}
		},
		"threshold":      func(n *yaml.Node) { c.Threshold = r.number(n, "threshold") },
		"must":           func(n *yaml.Node) { c.Must = r.yes(n, "must") },
		"prompts":        filter(&c.Prompts, "prompts"),
		"provider":       filter(&c.Providers, "provider"),
		"providers":      filter(&c.Providers, "providers"),
		"providerOutput": func(n *yaml.Node) { t := r.text(n, "providerOutput"); c.Fixed = &t },
		"options": func(n *yaml.Node) {
			r.fields(n, "options", map[string]func(*yaml.Node){
				"provider":            func(n *yaml.Node) { c.Judge, c.Embedder = r.graders(n) },
				"prefix":              func(n *yaml.Node) { c.Prefix = r.text(n, "prefix") },
				"suffix":              func(n *yaml.Node) { c.Suffix = r.text(n, "suffix") },
				"repeat":              func(n *yaml.Node) { c.Repeat = r.count(n, "repeat", 1) },
				"disableVarExpansion": func(n *yaml.Node) { c.whole = r.yes(n, "disableVarExpansion") },
			})
		},
	})
	return c
}

// graders reads who grades: a judge, a model of vectors, or {text, embedding}.
func (r *reader) graders(n *yaml.Node) (judge, embedder string) {
	n = deep(n)
	if n.Kind == yaml.MappingNode {
		r.fields(n, "provider", map[string]func(*yaml.Node){
			"id":   func(n *yaml.Node) { judge, embedder = r.graders(n) },
			"text": func(n *yaml.Node) { judge, _ = r.graders(n) },
			"embedding": func(n *yaml.Node) {
				if _, embedder = r.graders(n); embedder == "" {
					r.fault(n, "embedding must be openai:embedding:MODEL or lexical, not %q", n.Value)
				}
			},
		})
		return judge, embedder
	}
	id := r.text(n, "provider")
	if embeds(id) {
		return "", id
	}
	if err := (Provider{ID: id}).check(); err != nil {
		r.fault(n, "%v", err)
	}
	return id, ""
}

func (r *reader) variables(n *yaml.Node, base []variable) []variable {
	if n.Kind != yaml.MappingNode {
		r.fault(n, "vars must be a mapping of names to values")
		return base
	}
	out := slices.Clone(base)
	all := entries(n)
	for i := 0; i+1 < len(all); i += 2 {
		k, v := all[i], deep(all[i+1])
		if v.Kind == yaml.MappingNode {
			r.fault(v, "vars.%s is a mapping; a variable is a text, a number or a list of them", k.Value)
			continue
		}
		x := variable{k.Value, r.texts(v, "vars."+k.Value), k.Line}
		if at := slices.IndexFunc(out, func(o variable) bool { return o.name == k.Value }); at >= 0 {
			out[at] = x
		} else {
			out = append(out, x)
		}
	}
	return out
}

// add spreads lists into one case per combination and appends them.
func (r *reader) add(n *yaml.Node, c draftCase) {
	if (c.Prefix != "" || c.Suffix != "") && r.aside() {
		r.fault(n, "prefix and suffix are of plain prompts; ours have variants")
	}
	combos := []map[string]string{{}}
	for _, v := range c.vars {
		if c.whole && len(v.values) > 1 {
			v.values = []string{strings.Join(v.values, ",")}
		}
		var next []map[string]string
		for _, m := range combos {
			for _, value := range v.values {
				m := maps.Clone(m)
				m[v.name] = value
				next = append(next, m)
			}
		}
		if combos = next; len(r.suite.Cases)+len(combos) > maxCases {
			r.fault(n, "there are more than %d cases: do lists in vars multiply?", maxCases)
			return
		}
	}
	for _, vars := range combos {
		one := c.Case
		one.Vars = vars
		one.Asserts = r.filled(n, c.Asserts, vars)
		if d, err := fill(c.Description, vars); err == nil {
			one.Description = d
		}
		one.Context = c.context(vars)
		r.transcript(n, &one)
		r.needs(one)
		r.suite.Cases = append(r.suite.Cases, one)
	}
}

// context is what answers were to stand on: a list is one passage each where lists
// are not spread.
func (c draftCase) context(vars map[string]string) []string {
	at := slices.IndexFunc(c.vars, func(v variable) bool { return v.name == "context" })
	switch {
	case at < 0:
		return nil
	case c.whole:
		return slices.DeleteFunc(slices.Clone(c.vars[at].values), func(s string) bool { return s == "" })
	case vars["context"] == "":
		return nil
	}
	return []string{vars["context"]}
}

// needs finds assertions that a plain prompt's case does not hold enough for; ours
// have their passages and their question.
func (r *reader) needs(c Case) {
	if r.aside() || len(r.faults) >= maxFaults {
		return
	}
	var walk func([]Assertion)
	walk = func(as []Assertion) {
		for _, a := range as {
			walk(a.Set)
			if a.Type != "context-relevance" && a.Type != "context-faithfulness" {
				continue
			}
			if len(c.Context) == 0 {
				r.faults = append(r.faults, fmt.Errorf("%s:%d: %s: it needs vars.context, the passages that the answer was to stand on", a.File, a.Line, a.Name()))
			}
			if c.Vars["query"] == "" {
				r.faults = append(r.faults, fmt.Errorf("%s:%d: %s: it needs vars.query, what was asked", a.File, a.Line, a.Name()))
			}
		}
	}
	walk(c.Asserts)
}

func (r *reader) transcript(n *yaml.Node, c *Case) {
	text := c.Vars["conversation"]
	if text == "" && c.Vars["question"] != "" {
		text = "customer: " + strings.ReplaceAll(c.Vars["question"], "\n", " ")
	}
	if text == "" || !speaker.MatchString(strings.TrimSpace(strings.SplitN(strings.TrimSpace(text), "\n", 2)[0])) && c.Vars["conversation"] == "" {
		return
	}
	turns, err := parseConversation(text, c.Vars["customer"])
	if err != nil {
		if !r.aside() {
			return // a variable of a plain prompt that happens to bear this name
		}
		r.fault(n, "vars.conversation: %v", err)
	}
	if upto := c.Vars["upto"]; upto != "" {
		k, err := strconv.Atoi(upto)
		if err != nil || k < 1 || k > len(turns) {
			r.fault(n, "vars.upto must be a turn from 1 to %d, not %q", len(turns), upto)
			return
		}
		turns = turns[:k]
	}
	c.Turns = turns
}

// aside reports whether the suite tests prompts of ours.
func (r *reader) aside() bool {
	return slices.ContainsFunc(r.suite.Prompts, func(p Prompt) bool { return !p.Plain() })
}

// filled puts the case's variables into the assertions' values.
func (r *reader) filled(n *yaml.Node, as []Assertion, vars map[string]string) []Assertion {
	out := slices.Clone(as)
	for i := range out {
		a := &out[i]
		a.Values = slices.Clone(a.Values)
		for j, v := range a.Values {
			if strings.Contains(v, "{{") {
				text, err := fill(v, vars)
				if err != nil {
					r.fault(n, "%s: %v", a.Name(), err)
				}
				a.Values[j] = text
			}
		}
		a.Set = r.filled(n, a.Set, vars)
	}
	return out
}

func (r *reader) assertion(n *yaml.Node) Assertion {
	a := Assertion{Weight: 1, File: r.file, Line: n.Line}
	var value *yaml.Node
	r.fields(n, "an assertion", map[string]func(*yaml.Node){
		"type":      func(n *yaml.Node) { a.Type = r.text(n, "type") },
		"value":     func(n *yaml.Node) { value = n },
		"threshold": func(n *yaml.Node) { a.Threshold = r.number(n, "threshold") },
		"weight": func(n *yaml.Node) {
			if w := r.number(n, "weight"); w != nil {
				if a.Weight = *w; *w < 0 {
					r.fault(n, "weight must not be negative")
				}
			}
		},
		"metric":   func(n *yaml.Node) { a.Metric = r.text(n, "metric") },
		"must":     func(n *yaml.Node) { a.Must = r.yes(n, "must") },
		"provider": func(n *yaml.Node) { a.Judge, a.Embedder = r.graders(n) },
		"repeats":  func(n *yaml.Node) { a.Repeats = r.count(n, "repeats", 1) },
		"assert": func(n *yaml.Node) {
			r.each(n, "assert", func(n *yaml.Node) { a.Set = append(a.Set, r.assertion(n)) })
		},
	})
	if value != nil {
		r.assertValue(value, &a)
	}
	r.check(n, &a)
	return a
}

// assertValue keeps a value as texts, a mapping as JSON.
func (r *reader) assertValue(n *yaml.Node, a *Assertion) {
	if n.Kind == yaml.MappingNode {
		var v any
		if err := n.Decode(&v); err != nil {
			r.fault(n, "value: %v", err)
			return
		}
		raw, err := json.Marshal(v)
		if err != nil {
			r.fault(n, "value: %v", err)
		}
		a.Schema = string(raw)
		return
	}
	a.Values = r.texts(n, "value")
}

// check finishes an assertion: its kind must exist and understand its value.
func (r *reader) check(n *yaml.Node, a *Assertion) {
	if rest, ok := strings.CutPrefix(a.Type, "not-"); ok {
		a.Type, a.Not = rest, true
	}
	if a.Type == "" {
		r.fault(n, "an assertion has no type")
		return
	}
	a.Type = orElse(aliases[a.Type], a.Type)
	if why, ok := unsupported[a.Type]; ok {
		r.fault(n, "the assertion %q is not supported: %s", a.Type, why)
		return
	}
	if a.Embedder != "" && a.Judge == "" && a.Type != "similar" && a.Type != "answer-relevance" {
		r.fault(n, "%s: its provider %s gives vectors, and it asks a judge", a.Name(), a.Embedder)
	}
	if a.Judge != "" && a.Type == "similar" {
		r.fault(n, "similar: its provider must be openai:embedding:MODEL or lexical, not %q", a.Judge)
	}
	k, ok := kinds()[a.Type]
	if !ok {
		r.fault(n, "there is no assertion %q; known are %s", a.Name(), strings.Join(Kinds(), ", "))
		return
	}
	if k.valid != nil {
		if err := k.valid(a); err != nil {
			r.fault(n, "%s: %v", a.Name(), err)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// clip shortens a text for display, whole characters only, and drops what would
// steer a terminal.
func clip(s string, limit int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, strings.Join(strings.Fields(s), " "))
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}
