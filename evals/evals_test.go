package evals_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/evals"
)

const helpSite = "https://help.wrenfell.example/"

var (
	audiences = []string{"public", "internal"}
	languages = []string{"en", "de", "fr"}
	// kinds maps the folder of a document to its kind.
	kinds = map[string]string{"policies": "policy", "products": "product", "faqs": "faq", "procedures": "procedure"}
)

// document is a Markdown file of the sample knowledge, with its front matter.
type document struct {
	ID         string `yaml:"id"`
	Title      string `yaml:"title"`
	Audience   string `yaml:"audience"`
	Kind       string `yaml:"kind"`
	ValidFrom  string `yaml:"valid_from"`
	ValidTo    string `yaml:"valid_to"`
	Collection string `yaml:"collection"`
	Language   string `yaml:"language"`
	URL        string `yaml:"url"`

	file string
	body string
}

func TestDocuments(t *testing.T) {
	ids := map[string]string{}
	urls := map[string]string{}
	for _, d := range documents(t) {
		for _, key := range []struct{ name, value string }{
			{"id", d.ID}, {"title", d.Title}, {"collection", d.Collection}, {"url", d.URL},
		} {
			if key.value == "" {
				t.Errorf("%s: front matter has no %s", d.file, key.name)
			}
		}
		if want := strings.TrimSuffix(path.Base(d.file), ".md"); d.ID != want {
			t.Errorf("%s: id is %q, want the file's name %q", d.file, d.ID, want)
		}
		if other, ok := ids[d.ID]; ok {
			t.Errorf("%s: id %q is also used by %s", d.file, d.ID, other)
		}
		ids[d.ID] = d.file
		if other, ok := urls[d.URL]; ok {
			t.Errorf("%s: url is also used by %s", d.file, other)
		}
		urls[d.URL] = d.file
		if want := kinds[path.Base(path.Dir(d.file))]; d.Kind != want {
			t.Errorf("%s: kind is %q, want %q for this folder", d.file, d.Kind, want)
		}
		if !slices.Contains(audiences, d.Audience) {
			t.Errorf("%s: audience %q is none of %q", d.file, d.Audience, audiences)
		}
		if !slices.Contains(languages, d.Language) {
			t.Errorf("%s: language %q is none of %q", d.file, d.Language, languages)
		}
		if !strings.HasPrefix(d.URL, helpSite) {
			t.Errorf("%s: url %q does not start with %s", d.file, d.URL, helpSite)
		}
		if strings.TrimSpace(d.body) == "" {
			t.Errorf("%s: no text below the front matter", d.file)
		}

		from, err := time.Parse(time.DateOnly, d.ValidFrom)
		if err != nil {
			t.Errorf("%s: valid_from: %v", d.file, err)
		}
		if d.ValidTo == "" {
			continue
		}
		to, err := time.Parse(time.DateOnly, d.ValidTo)
		if err != nil {
			t.Errorf("%s: valid_to: %v", d.file, err)
		}
		if !to.After(from) {
			t.Errorf("%s: valid_to %s is not after valid_from %s", d.file, d.ValidTo, d.ValidFrom)
		}
	}
}

var (
	reference = regexp.MustCompile(`(?i)(?:go to|follow|start with) "([^"]+)"`)
	quoted    = regexp.MustCompile(`"[^"]+"`)
	stepJump  = regexp.MustCompile(`(?i)go to step (\d+)`)
	stepStart = regexp.MustCompile(`(?m)^(\d+)\. `)
	bracketed = regexp.MustCompile(`\[([^\]]+)\]`)
)

func TestProcedures(t *testing.T) {
	titles := map[string]bool{}
	for _, p := range procedures(t) {
		titles[p.Title] = true
	}
	for _, p := range procedures(t) {
		refs := reference.FindAllStringSubmatch(p.body, -1)
		for _, ref := range refs {
			if !titles[ref[1]] {
				t.Errorf("%s: no procedure has the title %q", p.file, ref[1])
			}
		}
		if n := len(quoted.FindAllString(p.body, -1)); n != len(refs) {
			t.Errorf("%s: %d texts in quotes, but %d references; quotes name procedures only", p.file, n, len(refs))
		}
		steps := stepStart.FindAllStringSubmatch(p.body, -1)
		if len(steps) == 0 {
			t.Errorf("%s: no numbered steps", p.file)
		}
		for i, step := range steps {
			if step[1] != strconv.Itoa(i+1) {
				t.Errorf("%s: step %d is numbered %s", p.file, i+1, step[1])
			}
		}
		for _, jump := range stepJump.FindAllStringSubmatch(p.body, -1) {
			if n, _ := strconv.Atoi(jump[1]); n < 1 || n > len(steps) {
				t.Errorf("%s: %q, but there are %d steps", p.file, jump[0], len(steps))
			}
		}
	}
}

func TestQuestions(t *testing.T) {
	rows, err := csv.NewReader(bytes.NewReader(read(t, "knowledge/faqs/questions.csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"question", "answer", "audience", "url"}; !slices.Equal(rows[0], want) {
		t.Fatalf("questions.csv: header is %q, want %q", rows[0], want)
	}
	seen := map[string]bool{}
	for i, row := range rows[1:] {
		question, answer, audience, url := row[0], row[1], row[2], row[3]
		if question == "" || answer == "" {
			t.Errorf("questions.csv: pair %d has no question or no answer", i+1)
		}
		if !slices.Contains(audiences, audience) {
			t.Errorf("questions.csv: %q has the audience %q, want one of %q", question, audience, audiences)
		}
		if !strings.HasPrefix(url, helpSite) {
			t.Errorf("questions.csv: %q has the url %q, want one below %s", question, url, helpSite)
		}
		if seen[question] || seen[url] {
			t.Errorf("questions.csv: %q or its url stands there twice", question)
		}
		seen[question], seen[url] = true, true
	}
}

// TestAuthority checks that authority.yaml is a table without holes, and that
// the goodwill page, which people read, states the same limits.
func TestAuthority(t *testing.T) {
	var table struct {
		Currency string
		Policy   string
		Gestures map[string]struct {
			Title, Action, Unit string
			Rank                int
		}
		Limits []struct {
			Role, Gesture, Period string
			Amount                int
		}
	}
	decodeStrict(t, "authority.yaml", read(t, "knowledge/authority.yaml"), &table)

	if table.Currency != "USD" {
		t.Errorf("currency is %q, want USD", table.Currency)
	}
	var page string
	for _, d := range documents(t) {
		if d.ID == table.Policy {
			page = d.body
		}
	}
	if page == "" {
		t.Fatalf("no document has the id %q", table.Policy)
	}

	actions := actionNames(t)
	ranks := map[int]string{}
	for name, g := range table.Gestures {
		if g.Title == "" || !slices.Contains([]string{"money", "percent", "count"}, g.Unit) {
			t.Errorf("gesture %s: title %q, unit %q", name, g.Title, g.Unit)
		}
		if !actions[slug(g.Action)] {
			t.Errorf("gesture %s: no procedure has the action [%s]", name, g.Action)
		}
		if other, ok := ranks[g.Rank]; ok || g.Rank < 1 {
			t.Errorf("gesture %s: rank %d is below 1 or also used by %q", name, g.Rank, other)
		}
		ranks[g.Rank] = name
	}

	seen := map[string]bool{}
	for _, l := range table.Limits {
		key := l.Role + " × " + l.Gesture
		if seen[key] {
			t.Errorf("%s has two limits", key)
		}
		seen[key] = true
		if !slices.Contains([]string{"agent", "senior", "lead"}, l.Role) {
			t.Errorf("%s: unknown role", key)
		}
		if !slices.Contains([]string{"order", "quarter", "year"}, l.Period) {
			t.Errorf("%s: unknown period %q", key, l.Period)
		}
		if l.Amount < 1 {
			t.Errorf("%s: amount %d is below 1", key, l.Amount)
		}
		g, ok := table.Gestures[l.Gesture]
		if !ok {
			t.Errorf("%s: unknown gesture", key)
		}
		var want string
		switch g.Unit {
		case "money":
			want = fmt.Sprintf("$%d", l.Amount)
		case "percent":
			want = fmt.Sprintf("%d percent", l.Amount)
		default:
			continue
		}
		if !regexp.MustCompile(regexp.QuoteMeta(want) + `\b`).MatchString(page) {
			t.Errorf("%s: the page %s does not say %s", key, table.Policy, want)
		}
	}
}

// conversation is one line of a conversation file.
type conversation struct {
	ID       string `json:"_id"`
	Title    string `json:"title"`
	Customer struct {
		Name string `json:"name"`
	} `json:"customer"`
	Turns []struct {
		Turn   int    `json:"turn"`
		AtMS   int64  `json:"at_ms"`
		Role   string `json:"role"`
		Text   string `json:"text"`
		Action *struct {
			Name   string   `json:"name"`
			Values []string `json:"values"`
		} `json:"action"`
	} `json:"turns"`
}

func TestChats(t *testing.T) {
	actions := actionNames(t)
	ids := map[string]bool{}
	for i, line := range bytes.Split(bytes.TrimSpace(read(t, "chats/demo.jsonl")), []byte("\n")) {
		var c conversation
		dec := json.NewDecoder(bytes.NewReader(line))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&c); err != nil {
			t.Errorf("demo.jsonl line %d: %v", i+1, err)
			continue
		}
		if c.ID == "" || ids[c.ID] {
			t.Errorf("line %d: _id %q is empty or used twice", i+1, c.ID)
		}
		ids[c.ID] = true
		if c.Title == "" || c.Customer.Name == "" || len(c.Turns) == 0 {
			t.Errorf("%s: no title, customer name or turns", c.ID)
		}
		last := int64(-1)
		for j, turn := range c.Turns {
			where := fmt.Sprintf("%s turn %d", c.ID, j+1)
			if turn.Turn != j+1 {
				t.Errorf("%s: numbered %d", where, turn.Turn)
			}
			if turn.AtMS <= last {
				t.Errorf("%s: at_ms %d does not come after %d", where, turn.AtMS, last)
			}
			last = turn.AtMS
			if turn.Text == "" {
				t.Errorf("%s: no text", where)
			}
			switch turn.Role {
			case "customer", "agent":
				if turn.Action != nil {
					t.Errorf("%s: a %s turn has an action", where, turn.Role)
				}
			case "action":
				if turn.Action == nil || !actions[turn.Action.Name] {
					t.Errorf("%s: action %+v is in no procedure", where, turn.Action)
				}
			default:
				t.Errorf("%s: unknown role %q", where, turn.Role)
			}
		}
	}
}

// documents returns every Markdown document of the sample knowledge.
func documents(t *testing.T) []document {
	t.Helper()
	var docs []document
	err := fs.WalkDir(evals.Files, "knowledge", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || path.Ext(file) != ".md" {
			return err
		}
		front, body, ok := strings.Cut(strings.TrimPrefix(string(read(t, file)), "---\n"), "\n---\n")
		if !ok {
			t.Errorf("%s: no front matter between two lines ---", file)
			return nil
		}
		d := document{file: file, body: body}
		decodeStrict(t, file, []byte(front), &d)
		docs = append(docs, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(docs) == 0 {
		t.Fatal("no documents found")
	}
	return docs
}

func procedures(t *testing.T) []document {
	t.Helper()
	return slices.DeleteFunc(documents(t), func(d document) bool { return d.Kind != "procedure" })
}

// actionNames returns the slugs of all actions that procedures name in brackets.
func actionNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, p := range procedures(t) {
		for _, m := range bracketed.FindAllStringSubmatch(p.body, -1) {
			names[slug(m[1])] = true
		}
	}
	return names
}

// slug is how a recorded chat names an action: [Pull Up Account] is pull-up-account.
func slug(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), " ", "-")
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := fs.ReadFile(evals.Files, file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func decodeStrict(t *testing.T, file string, content []byte, into any) {
	t.Helper()
	dec := yaml.NewDecoder(bytes.NewReader(content))
	dec.KnownFields(true)
	if err := dec.Decode(into); err != nil {
		t.Errorf("%s: %v", file, err)
	}
}
