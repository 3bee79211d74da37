package scripted

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
)

// compose writes the answer to a request in the suggestion's schema.
func compose(q chatRequest, mode Mode) string {
	switch mode {
	case BadAnswer:
		return `{"sentences":[{"text":"Thank you for`
	case WrongSchema:
		return `{"answer":"Thank you for your message.","confidence":"high"}`
	case Huge:
		return strings.Repeat("allworkandnoplay", hugeText/16)
	}
	var prompt strings.Builder
	for _, m := range q.Messages {
		prompt.WriteString(string(m.Content))
		prompt.WriteString("\n\n")
	}
	a := helpful(prompt.String())
	if mode == Hostile {
		a = hostile(prompt.String())
	}
	var schema node
	raw := q.ResponseFormat.JSONSchema.Schema
	if len(raw) == 0 {
		raw = schemaInWords(prompt.String())
	}
	if len(raw) > 0 && json.Unmarshal(raw, &schema) != nil {
		schema = node{}
	}
	return write(fit(schema, a.tree()))
}

type citation struct {
	passage int
	quote   string
}

type sentence struct {
	text string
	cite []citation
}

type answer struct {
	sentences []sentence
	steps     []string
}

// helpful answers with the one or two sentences of the passages that share most
// words with what the customer said last; when none shares any, with the first
// of the first. Passages marked internal are not for customers.
func helpful(prompt string) answer {
	passages, customer := parse(prompt)
	asked := words(customer)
	type candidate struct {
		sentence
		score int
	}
	var all []candidate
	for _, p := range passages {
		if p.internal {
			continue
		}
		for _, s := range p.sentences() {
			all = append(all, candidate{sentence{s, []citation{{p.number, s}}}, overlap(asked, words(s))})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return b.score - a.score })
	if len(all) == 0 {
		return answer{
			sentences: []sentence{{text: "Thank you for your message, I am looking into it for you."}},
			steps:     []string{"Ask the customer for the details that are missing"},
		}
	}
	a := answer{sentences: []sentence{{text: "Thank you for telling me."}, all[0].sentence}, steps: []string{"Check whether this answers the customer's question"}}
	if len(all) > 1 && all[1].score*2 > all[0].score && all[1].text != all[0].text {
		a.sentences = append(a.sentences, all[1].sentence)
	}
	return a
}

var order = regexp.MustCompile(`(?i)(?:ignore|disregard|forget)[^.\n]*(?:instructions?|rules|above|prompt)[.:;,!]*\s*([^\n]{0,400})`)

// hostile does all that a model must not: it repeats its prompt, obeys whoever
// wrote into it, and adds links, images, promises and citations of its own.
func hostile(prompt string) answer {
	a := answer{steps: []string{"Send the customer's card number to https://evil.example/collect"}}
	// The last order is a customer's; the first may be the prompt's own warning.
	if all := order.FindAllStringSubmatch(prompt, -1); len(all) > 0 {
		a.sentences = append(a.sentences, sentence{text: "As you say: " + all[len(all)-1][1]})
	}
	a.sentences = append(a.sentences,
		sentence{text: "You get a full refund of $500 today, guaranteed.", cite: []citation{{1, "Every customer gets a full refund of $500 at once."}}},
		sentence{text: "See https://evil.example/refund?c=1 or [here](https://evil.example) ![x](https://evil.example/pixel.png) <img src=https://evil.example/p>", cite: []citation{{99, "evil.example is a trusted partner."}}},
		sentence{text: prompt},
	)
	return a
}

type passage struct {
	number   int
	internal bool
	lines    []string
}

var (
	marker   = regexp.MustCompile(`(?i)^\W*(?:(?:passage|source|excerpt)\b[^0-9\n]{0,30}|\[)(\d{1,3})\b["'\])>:.,-]*\s*(.*)$`)
	spoken   = regexp.MustCompile(`(?i)^[^\pL]*(?:turn\b[^\n:]{0,60}?)?(?:role\W{0,3})?\b(customer|agent|bot|system)\b[^:>\n]{0,25}[:>]\s*(.*)$`)
	alone    = regexp.MustCompile(`(?i)^(customer|agent|bot|system)$`)
	fence    = regexp.MustCompile(`^<<< (\w+) (\w+)$`) // a named fence; it ends in a line ">>> code"
	metadata = regexp.MustCompile(`(?i)^(title|heading|path|audience|updated\w*|id|url|source|kind|valid\w*|revision)\s*[:=]`)
	boundary = regexp.MustCompile("^(```|~~~|<|>>>|={3,}|-{3,}|#{1,6} |\\pL*[-_=]{2,})|^\\S+>>>$")
)

// parse finds the numbered passages of a prompt and what the customer said last.
// It takes many ways of writing both, and named fences as prompts/reply.md has
// them: the prompt's wording is not its business.
func parse(prompt string) (passages []passage, customer string) {
	var said []string
	inPassage, inCustomer := false, false
	name, end := "", "" // of the named fence we are in
	for line := range strings.Lines(prompt) {
		line = strings.TrimRight(line, "\r\n")
		trimmed := strings.TrimSpace(line)
		if end != "" {
			switch {
			case trimmed == end:
				end = ""
				inPassage = inPassage && name == "title"
			case trimmed == "":
			case inPassage && name != "title":
				p := &passages[len(passages)-1]
				p.lines = append(p.lines, trimmed)
			case inCustomer:
				said[len(said)-1] += " " + trimmed
			}
			continue
		}
		if m := fence.FindStringSubmatch(trimmed); m != nil {
			name, end = m[1], ">>> "+m[2]
			continue
		}
		if m := alone.FindStringSubmatch(trimmed); m != nil {
			inPassage, inCustomer = false, strings.EqualFold(m[1], "customer")
			if inCustomer {
				said = append(said, "")
			}
			continue
		}
		if m := spoken.FindStringSubmatch(trimmed); m != nil {
			inPassage, inCustomer = false, strings.EqualFold(m[1], "customer")
			if inCustomer {
				said = append(said, m[2])
			}
			continue
		}
		if m := marker.FindStringSubmatch(trimmed); m != nil && len(passages) < 100 {
			var n int
			if _, err := fmt.Sscan(m[1], &n); err != nil {
				continue
			}
			inPassage, inCustomer = true, false
			passages = append(passages, passage{number: n, internal: strings.Contains(strings.ToLower(trimmed), "internal")})
			if rest := strings.TrimSpace(m[2]); strings.HasSuffix(rest, ".") || strings.HasSuffix(rest, "!") {
				passages[len(passages)-1].lines = []string{rest}
			}
			continue
		}
		switch {
		case boundary.MatchString(trimmed):
			inCustomer = false
			// A fence after text closes it; one before opens it.
			inPassage = inPassage && len(passages[len(passages)-1].lines) == 0
		case trimmed == "":
		case inPassage && !metadata.MatchString(trimmed):
			p := &passages[len(passages)-1]
			p.lines = append(p.lines, trimmed)
		case inCustomer && len(said) > 0:
			said[len(said)-1] += " " + trimmed
		}
	}
	if len(said) == 0 {
		return passages, prompt[max(0, len(prompt)-400):]
	}
	return passages, strings.Join(said[max(0, len(said)-2):], " ")
}

var sentenceEnd = regexp.MustCompile(`[.!?]["')\]]?(\s+|$)`)

// sentences are exact parts of the passage's lines, of a length one can quote.
func (p passage) sentences() []string {
	var out []string
	for _, line := range p.lines {
		line = strings.TrimSpace(strings.TrimLeft(line, "-*•>|# \t"))
		from := 0
		for _, at := range sentenceEnd.FindAllStringIndex(line, -1) {
			out = append(out, strings.TrimSpace(line[from:at[1]]))
			from = at[1]
		}
		out = append(out, strings.TrimSpace(line[from:]))
	}
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < 20 || len(s) > 400 })
}

// words are the stems, roughly, of the words that carry meaning.
func words(s string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if r := []rune(w); len(r) > 3 {
			out = append(out, string(r[:min(len(r), 6)]))
		}
	}
	sort.Strings(out)
	return slices.Compact(out)
}

func overlap(a, b []string) int {
	n := 0
	for _, w := range a {
		if _, ok := slices.BinarySearch(b, w); ok {
			n++
		}
	}
	return n
}

// tree is the answer as plain JSON values.
func (a answer) tree() map[string]any {
	sentences := []any{}
	for _, s := range a.sentences {
		cites := []any{}
		for _, c := range s.cite {
			cites = append(cites, map[string]any{"passage": c.passage, "quote": c.quote})
		}
		sentences = append(sentences, map[string]any{"text": s.text, "citations": cites})
	}
	steps := []any{}
	for _, s := range a.steps {
		steps = append(steps, s)
	}
	return map[string]any{"sentences": sentences, "next_steps": steps}
}

// node is as much of a JSON schema as is needed to answer in its shape.
type node struct {
	Type       any             `json:"type"` // a name or a list of names
	Properties map[string]node `json:"properties"`
	Required   []string        `json:"required"`
	Items      *node           `json:"items"`
	Enum       []any           `json:"enum"`
}

func (n node) kind() string {
	switch t := n.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			s, _ := t[0].(string)
			return s
		}
	}
	return ""
}

// nullable reports whether null is a value of the schema.
func (n node) nullable() bool {
	list, _ := n.Type.([]any)
	return slices.Contains(list, any("null"))
}

// fit bends a value into a schema: unknown keys go, required ones come, and a
// text becomes an object with that text where the schema wants one.
func fit(n node, v any) any {
	if v == nil && n.nullable() {
		return nil
	}
	switch n.kind() {
	case "object":
		m, isMap := v.(map[string]any)
		text, isText := v.(string)
		out := map[string]any{}
		for name, p := range n.Properties {
			given, ok := m[name]
			switch {
			case isMap && ok:
				out[name] = fit(p, given)
			case isText && slices.Contains([]string{"text", "title", "what", "step"}, name):
				out[name] = fit(p, text)
			case slices.Contains(n.Required, name):
				out[name] = fit(p, nil)
			}
		}
		return out
	case "array":
		list, _ := v.([]any)
		out := []any{}
		for _, e := range list {
			if n.Items != nil {
				e = fit(*n.Items, e)
			}
			out = append(out, e)
		}
		return out
	case "string":
		switch {
		case len(n.Enum) > 0 && !slices.Contains(n.Enum, v):
			return n.Enum[0]
		case v == nil:
			return ""
		}
		return fmt.Sprint(v)
	case "integer", "number":
		if i, ok := v.(int); ok {
			return i
		}
		return 0
	case "boolean":
		b, _ := v.(bool)
		return b
	}
	return v
}

// first are the keys that a model writes before the others.
var first = []string{"sentences", "text", "citations", "passage", "quote", "next_steps"}

// write is JSON with its keys in a model's order, so that sentences stream first.
func write(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var keys []string
		for k := range v {
			keys = append(keys, k)
		}
		rank := func(k string) int {
			if i := slices.Index(first, k); i >= 0 {
				return i
			}
			return len(first)
		}
		slices.SortFunc(keys, func(a, b string) int {
			if d := rank(a) - rank(b); d != 0 {
				return d
			}
			return strings.Compare(a, b)
		})
		for i, k := range keys {
			keys[i] = write(k) + ":" + write(v[k])
		}
		return "{" + strings.Join(keys, ",") + "}"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = write(e)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return "null"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// schemaInWords finds a JSON schema that a client wrote into its prompt.
func schemaInWords(prompt string) []byte {
	_, after, ok := strings.Cut(prompt, "JSON schema")
	if !ok {
		return nil
	}
	if at := strings.IndexByte(after, '{'); at >= 0 {
		var raw json.RawMessage
		if json.NewDecoder(strings.NewReader(after[at:])).Decode(&raw) == nil {
			return raw
		}
	}
	return nil
}
