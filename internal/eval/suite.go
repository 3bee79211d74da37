package eval

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Suite is one suite file, read and checked.
type Suite struct {
	Name        string // the file's name without extension
	File        string
	Description string
	Knowledge   string    // folder of the knowledge; "": the sample company
	At          time.Time // the day the cases are asked on; zero: today
	Prompts     []Prompt
	Providers   []Provider
	Cases       []Case
	files       fs.FS   // where the suite was read, and what it names is
	foreign     []error // providers that are not to be had here: a fault, unless others are given
	Concurrency int     // 0: not said
	Repeat      int     // 0: once
}

// Prompt is what is tested: one of our prompts by name, or a text with {{var}}
// in it that is sent as it stands.
type Prompt struct {
	Name     string   // "reply", "reply@terse"; "" for a text
	Label    string   // how reports call it
	Messages []string // of a text: role and content by turns
}

// Plain reports whether the prompt is a text of the suite's own.
func (p Prompt) Plain() bool { return p.Name == "" }

// Provider is who writes.
type Provider struct {
	ID          string // instant, echo, hostile:MOOD, script:FAULT, cassette:FILE, openai:chat:MODEL
	Label       string
	BaseURL     string // of an OpenAI-compatible server; "": the configured one
	Temperature *float64
	MaxTokens   int

	files fs.FS // of the suite that names it; nil: of the run
}

// Case is one test with its variables filled in.
type Case struct {
	ID          string // suite/slug, stable while the description is
	Description string
	Cluster     string // cases of one conversation are not independent
	Vars        map[string]string
	Turns       []assist.Turn // from vars.conversation or vars.question
	Asserts     []Assertion
	Threshold   *float64 // pass = weighted mean ≥ threshold; nil: every assertion must pass
	Must        bool     // may never fail, whatever the gate's margins
	Needs       string   // "model": skipped where nobody writes
	Metadata    map[string]string
	Prompts     []string // only these, by name or label; nil: all
	Providers   []string
	Fixed       *string // providerOutput: the answer to grade, nothing is called
	Prefix      string  // before and after a plain prompt
	Suffix      string
	Repeat      int
	Judge       string   // provider of graded assertions that name none
	Embedder    string   // likewise of those that compare texts by vectors
	Context     []string // vars.context: what a graded answer was to stand on
	Line        int
	File        string
}

// Hash names what the case asks and expects: two runs compare a case only when
// it is the same.
func (c Case) Hash() string {
	h := sha256.New()
	for _, k := range sortedKeys(c.Vars) {
		fmt.Fprintf(h, "%q=%q\n", k, c.Vars[k])
	}
	var walk func([]Assertion)
	walk = func(as []Assertion) {
		for _, a := range as {
			fmt.Fprintf(h, "%v %s %q %v %v %s\n", a.Not, a.Type, a.Values, deref(a.Threshold), a.Weight, a.Schema)
			walk(a.Set)
		}
	}
	walk(c.Asserts)
	fmt.Fprintf(h, "%v %v", deref(c.Threshold), c.Must)
	return hex.EncodeToString(h.Sum(nil))[:12]
}

func deref(f *float64) float64 {
	if f == nil {
		return -1
	}
	return *f
}

// Assertion is one thing to hold of an answer.
type Assertion struct {
	Type      string // without not-
	Not       bool
	Values    []string // one for most kinds
	Schema    string   // of is-json, as JSON
	Threshold *float64
	Weight    float64 // ≥ 0; 0 only reports
	Metric    string  // names the score; "": the type
	Must      bool    // fails the case whatever the threshold
	Judge     string  // provider of a graded one
	Embedder  string  // provider of vectors, openai:embedding:MODEL; "": the configured one
	Repeats   int     // of the judge; 0: 3
	Set       []Assertion
	File      string
	Line      int
}

// Name is the assertion as the suite writes it.
func (a Assertion) Name() string {
	if a.Not {
		return "not-" + a.Type
	}
	return a.Type
}

// MetricName is what its score is counted under.
func (a Assertion) MetricName() string {
	if a.Metric != "" {
		return a.Metric
	}
	return a.Name()
}

func (a Assertion) value() string {
	if len(a.Values) == 0 {
		return ""
	}
	return a.Values[0]
}

var speaker = regexp.MustCompile(`^(customer|agent|bot|system|action):[ \t]*(.*)$`)

// parseConversation reads a transcript: a line "customer: text" begins a turn,
// other lines go on with it. An action is "action: name | value | value".
func parseConversation(text, customer string) ([]assist.Turn, error) {
	var turns []assist.Turn
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		m := speaker.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			if len(turns) == 0 {
				return nil, fmt.Errorf(`line %d of the conversation: %q does not begin with "customer:", "agent:", "bot:", "system:" or "action:"`, i+1, line)
			}
			turns[len(turns)-1].Text += "\n" + strings.TrimSpace(line)
			continue
		}
		t := assist.Turn{Seq: int64(len(turns) + 1), Role: assist.Role(m[1]), Text: m[2]}
		switch m[1] {
		case "action":
			parts := strings.Split(m[2], "|")
			for i := range parts {
				parts[i] = strings.TrimSpace(parts[i])
			}
			t.Role, t.Text = assist.RoleSystem, ""
			t.Action = &assist.Action{Name: parts[0], Values: parts[1:]}
		case "customer":
			t.Name = customer
		}
		turns = append(turns, t)
	}
	return turns, nil
}

var notSlug = regexp.MustCompile(`[^\pL\pN]+`)

// name gives the cases their ids.
func (s *Suite) name() {
	seen := map[string]int{}
	for i := range s.Cases {
		c := &s.Cases[i]
		slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(c.Description), "-"), "-")
		if slug == "" {
			slug = fmt.Sprintf("case-%d", i+1)
		}
		seen[slug]++
		if n := seen[slug]; n > 1 {
			slug = fmt.Sprintf("%s-%d", slug, n)
		}
		c.ID = s.Name + "/" + slug
		c.Cluster = c.ID
		if k := c.Metadata["conversation"]; k != "" {
			c.Cluster = s.Name + "/" + k
		}
		c.Needs = c.Metadata["needs"]
	}
}

func suiteName(file string) string {
	base := path.Base(file)
	return strings.TrimSuffix(base, path.Ext(base))
}

var hole = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}`)

// fill puts values into the holes of a text, once: what a value holds is never
// read as a template. A hole without a value is an error.
func fill(text string, vars map[string]string) (string, error) {
	var missing error
	out := hole.ReplaceAllStringFunc(text, func(m string) string {
		name := hole.FindStringSubmatch(m)[1]
		v, ok := vars[name]
		if !ok && missing == nil {
			missing = fmt.Errorf("{{%s}} has no value: the case's vars are %s", name, strings.Join(sortedKeys(vars), ", "))
		}
		return v
	})
	return out, missing
}
