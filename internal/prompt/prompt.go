// Package prompt turns the files of prompts/ into what a model is told.
//
// Everything about a prompt is checked when it is loaded: the front matter, the
// declared inputs against the Go type that fills them, every field the template
// uses against the declared inputs. An error names file and line. Rendering is
// deterministic: the same files and data give the same bytes.
//
// Text from outside (customers, passages, names) goes through {{fence}}: it is
// put between two lines that carry a code which does not occur in any text of
// the rendering, so that no text can close its own fence.
package prompt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"
)

// Reply is what the prompts "reply" and "bot" and their variants are filled with.
type Reply struct {
	Language    string
	Customer    string
	Agent       string
	Instruction string
	Omitted     int // older turns left out
	Passages    []Passage
	Steps       []Step
	Options     []Option
	Turns       []Turn
}

// Passage is a numbered source. Its id stays with us.
type Passage struct {
	Number   int
	Title    string
	Internal bool
	Text     string
}

// Step is a step of the procedure in hand.
type Step struct {
	Text    string
	Kind    string
	State   string
	Current bool
}

// Option is a way that policy allows, with whose say it needs.
type Option struct {
	Title  string
	Detail string
	Cost   string
	Lead   bool // beyond what this agent may give
}

// Turn is one turn of the chat.
type Turn struct {
	Who  string // Customer, Agent, Bot, or what happened; ours, not theirs
	Text string
}

// Summary is what the prompt "summary" is filled with.
type Summary struct {
	Language string
	Reason   string
	Omitted  int // older turns left out
	Turns    []Turn
}

// Judge is what the prompt "judge" is filled with.
type Judge struct {
	Criterion string
	Reply     string
	Turns     []Turn
}

// Sentences is what the prompt "judge-sentences" is filled with. Without a context
// the sentences are judged by the question.
type Sentences struct {
	Question  string
	Context   string
	Sentences []Sentence
}

// Sentence is one to be judged, numbered from 1.
type Sentence struct {
	Number int
	Text   string
}

// Facts is what the prompt "judge-facts" is filled with.
type Facts struct {
	Question string
	Expert   string
	Reply    string
}

// Question is what the prompt "judge-question" is filled with.
type Question struct{ Reply string }

// Customer is what the prompt "customer" is filled with.
type Customer struct {
	Goal   string
	Manner string
	Left   int
	Facts  []Fact
	Turns  []Turn
}

// Fact is what a played customer tells when asked for it.
type Fact struct{ About, Say string }

// inputs says which type fills which prompt.
func inputs() map[string]reflect.Type {
	return map[string]reflect.Type{
		"reply": reflect.TypeFor[Reply](), "bot": reflect.TypeFor[Reply](), "summary": reflect.TypeFor[Summary](),
		"judge": reflect.TypeFor[Judge](), "customer": reflect.TypeFor[Customer](),
		"judge-sentences": reflect.TypeFor[Sentences](), "judge-facts": reflect.TypeFor[Facts](), "judge-question": reflect.TypeFor[Question](),
	}
}

// Params are the model parameters of a prompt.
type Params struct {
	Temperature float64 `yaml:"temperature"`
	MaxTokens   int     `yaml:"max_tokens"`
}

// Rendered is a prompt filled in.
type Rendered struct {
	Name    string // "reply", "reply@short"
	Version string // hash of the files it was rendered from
	System  string // the stable part
	User    string // the data
	Schema  json.RawMessage
	Params  Params
}

// Set is all prompts, parsed and checked. It is read only and safe to share.
type Set struct{ prompts map[string]*Prompt }

// Prompt is one prompt file.
type Prompt struct {
	Name        string
	Description string
	Version     string
	Schema      json.RawMessage
	Params      Params
	input       reflect.Type
	tmpl        *template.Template
}

// Load parses and checks every prompt of a folder. It reports all faults at
// once.
func Load(fsys fs.FS) (*Set, error) { return load(fsys, inputs()) }

func load(fsys fs.FS, types map[string]reflect.Type) (*Set, error) {
	names, err := fs.Glob(fsys, "*.md")
	if err != nil {
		return nil, fmt.Errorf("list prompts: %w", err)
	}
	if len(names) == 0 {
		return nil, errors.New("there are no prompts: expected files named *.md")
	}
	var files []*file
	var faults []error
	for _, n := range names {
		raw, err := fs.ReadFile(fsys, n)
		if err != nil {
			return nil, fmt.Errorf("read prompt %s: %w", n, err)
		}
		f, err := parseFile(n, raw)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		files = append(files, f)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	partials := map[string]*file{}
	for _, f := range files {
		if f.head.Partial {
			partials[f.name] = f
		}
	}
	set := &Set{prompts: map[string]*Prompt{}}
	for _, f := range files {
		if f.head.Partial {
			continue
		}
		base, _, _ := strings.Cut(f.name, "@")
		typ, known := types[base]
		if !known {
			faults = append(faults, fmt.Errorf("%s: nothing fills a prompt named %q: name it for what it is for, or say partial: true", f.path, base))
			continue
		}
		p, err := build(f, partials, typ)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		set.prompts[f.name] = p
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return set, nil
}

// Get gives a prompt by name ("reply") or name and variant ("reply@short").
func (s *Set) Get(name string) (*Prompt, error) {
	if p, ok := s.prompts[name]; ok {
		return p, nil
	}
	return nil, fmt.Errorf("there is no prompt %q; there are: %s", name, strings.Join(s.Names(), ", "))
}

// Has reports whether there is a prompt of this name.
func (s *Set) Has(name string) bool { return s.prompts[name] != nil }

// Names lists the prompts in order.
func (s *Set) Names() []string {
	var names []string
	for n := range s.prompts {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Render fills a prompt. data must be of the type the prompt was checked
// against when it was loaded.
func (p *Prompt) Render(data any) (Rendered, error) {
	v := reflect.ValueOf(data)
	if !v.IsValid() || v.Type() != p.input {
		return Rendered{}, fmt.Errorf("render prompt %s: it is filled with %v, not %T", p.Name, p.input, data)
	}
	code := fenceCode(v)
	t, err := p.tmpl.Clone()
	if err != nil {
		return Rendered{}, fmt.Errorf("render prompt %s: %w", p.Name, err)
	}
	t.Funcs(template.FuncMap{"fence": func(name, text string) string { return fence(name, text, code) }})
	out := Rendered{Name: p.Name, Version: p.Version, Schema: p.Schema, Params: p.Params}
	for _, part := range []struct {
		name string
		to   *string
	}{{"system", &out.System}, {"user", &out.User}} {
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, part.name, data); err != nil {
			return Rendered{}, fmt.Errorf("render prompt %s: %w", p.Name, err)
		}
		*part.to = strings.TrimSpace(b.String())
	}
	return out, nil
}

// file is a parsed prompt file.
type file struct {
	path string // reply@short.md
	name string // reply@short
	raw  []byte
	head head
	body string // with as many empty lines in front as the front matter has, so that line numbers are the file's
}

type head struct {
	Partial     bool      `yaml:"partial"`
	Description string    `yaml:"description"`
	Model       Params    `yaml:"model"`
	Input       yaml.Node `yaml:"input"`
	Output      yaml.Node `yaml:"output"`
}

func parseFile(name string, raw []byte) (*file, error) {
	f := &file{path: name, name: strings.TrimSuffix(path.Base(name), ".md"), raw: raw}
	text := strings.ReplaceAll(string(raw), "\r\n", "\n")
	rest, ok := strings.CutPrefix(text, "---\n")
	if !ok {
		return nil, fmt.Errorf("%s:1: front matter is missing: begin the file with a line of three dashes", name)
	}
	front, body, ok := strings.Cut(rest, "\n---\n")
	if !ok {
		return nil, fmt.Errorf("%s:1: front matter does not end: close it with a line of three dashes", name)
	}
	dec := yaml.NewDecoder(strings.NewReader("\n" + front)) // the first line is the dashes
	dec.KnownFields(true)
	if err := dec.Decode(&f.head); err != nil {
		return nil, fmt.Errorf("%s: front matter: %w", name, err)
	}
	if strings.TrimSpace(f.head.Description) == "" {
		return nil, fmt.Errorf("%s: description is missing: say in a sentence what the prompt is for", name)
	}
	lines := strings.Count(front, "\n") + 3
	f.body = strings.Repeat("\n", lines) + body
	return f, nil
}

func build(f *file, partials map[string]*file, typ reflect.Type) (*Prompt, error) {
	p := &Prompt{Name: f.name, Description: strings.TrimSpace(f.head.Description), Params: f.head.Model, input: typ}
	if p.Params.Temperature < 0 || p.Params.Temperature > 2 || p.Params.MaxTokens < 0 {
		return nil, fmt.Errorf("%s: model: temperature must be 0 to 2, max_tokens not negative", f.path)
	}
	declared, err := declare(f.path, &f.head.Input, typ)
	if err != nil {
		return nil, err
	}
	if f.head.Output.Kind != 0 {
		var b bytes.Buffer
		if err := writeJSON(&b, &f.head.Output); err != nil {
			return nil, fmt.Errorf("%s: output: %w", f.path, err)
		}
		p.Schema = b.Bytes()
	}
	// fence is only a name here: Render puts the real one in.
	p.tmpl = template.New(f.name).Option("missingkey=error").Funcs(template.FuncMap{"fence": func(string, string) string { return "" }})
	used := []*file{f}
	for i := 0; i < len(used); i++ {
		u := used[i]
		t := p.tmpl
		if i > 0 {
			t = p.tmpl.New(u.name)
		}
		if _, err := t.Parse(u.body); err != nil {
			return nil, fmt.Errorf("%s: %w", u.path, err)
		}
		trimFront(t)
		for _, name := range included(p.tmpl, f.name) {
			if partial, ok := partials[name]; ok && !slices.Contains(used, partial) {
				used = append(used, partial)
			}
		}
	}
	for _, part := range []string{"system", "user"} {
		if p.tmpl.Lookup(part) == nil {
			return nil, fmt.Errorf("%s: it needs {{define %q}} … {{end}}", f.path, part)
		}
	}
	paths := map[string]string{}
	for _, u := range used {
		paths[u.name] = u.path
	}
	if err := checkFields(p.tmpl, declared, paths); err != nil {
		return nil, err
	}
	p.Version = version(used)
	return p, nil
}

// version is a short hash over every file a prompt is rendered from.
func version(files []*file) string {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%s %d\n", f.path, len(f.raw))
		h.Write(f.raw)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// writeJSON writes YAML as JSON and keeps the order of keys: a model answers in
// the order of its schema, and what is shown first must come first.
func writeJSON(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Kind {
	case yaml.MappingNode:
		b.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b.WriteByte(',')
			}
			key, err := json.Marshal(n.Content[i].Value)
			if err != nil {
				return err
			}
			b.Write(key)
			b.WriteByte(':')
			if err := writeJSON(b, n.Content[i+1]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, c := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeJSON(b, c); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case yaml.ScalarNode:
		var v any
		if err := n.Decode(&v); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		if s, ok := v.(string); ok {
			v = strings.TrimSpace(s)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
		b.Write(raw)
	default:
		return fmt.Errorf("line %d: anchors and aliases are not understood here", n.Line)
	}
	return nil
}
