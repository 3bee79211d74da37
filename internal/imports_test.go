// Package internal_test holds the direction of the house: who may import whom.
package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/aside-project/aside/"

// allowed says which of the house's own packages each package may import. It is
// the table of the README; a new package needs a line in both. "*" allows all.
var allowed = map[string][]string{
	"cmd/aside":               {"*"},
	"deploy/examples/go":      {},
	"cmd/scripted-model":      {"internal/testkit/scripted"},
	"evals":                   {},
	"migrations":              {},
	"prompts":                 {},
	"internal/assist":         {},
	"internal/lex":            {},
	"internal/llm":            {},
	"internal/llm/openai":     {"internal/llm"},
	"internal/prompt":         {"internal/assist", "prompts"},
	"internal/retrieve":       {"internal/assist", "internal/lex", "internal/llm"},
	"internal/playbook":       {"internal/assist", "internal/lex"},
	"internal/check":          {"internal/assist", "internal/lex"},
	"internal/privacy":        {},
	"internal/suggest":        {"internal/privacy", "internal/assist", "internal/lex", "internal/llm", "internal/prompt", "internal/retrieve", "internal/playbook", "internal/check"},
	"internal/bot":            {"internal/assist", "internal/check", "internal/lex", "internal/llm", "internal/playbook", "internal/retrieve"},
	"internal/measure":        {"internal/assist", "internal/bot", "internal/check", "internal/lex", "internal/llm", "internal/playbook", "internal/retrieve", "internal/suggest", "evals"},
	"internal/pubsub":         {},
	"internal/chat":           {"internal/assist"},
	"internal/ws":             {"internal/assist"},
	"internal/auth":           {"internal/assist"},
	"internal/auth/oidc":      {"internal/assist"},
	"internal/web":            {"internal/assist", "internal/auth"},
	"internal/connect":        {"internal/assist"},
	"internal/ingest":         {"internal/assist", "internal/lex", "internal/llm", "internal/retrieve"},
	"internal/postgres":       {"internal/assist", "internal/chat", "internal/connect/deliver", "internal/retrieve", "migrations"},
	"internal/postgres/local": {},
	"internal/observe":        {"internal/assist", "internal/llm"},
	"internal/replay":         {"internal/assist"},
	"internal/eval":           {"internal/assist", "internal/bot", "internal/check", "internal/ingest", "internal/lex", "internal/llm", "internal/playbook", "internal/privacy", "internal/prompt", "internal/retrieve", "internal/retrieve/memindex", "internal/suggest"},
	"internal/app":            {"*"},

	"internal/retrieve/memindex": {"internal/assist", "internal/retrieve"},
	"internal/connect/libredesk": {"internal/assist", "internal/connect"},
	"internal/connect/chatwoot":  {"internal/assist", "internal/connect", "internal/connect/deliver"},
	"internal/connect/generic":   {"internal/assist", "internal/connect", "internal/connect/deliver"},
	"internal/connect/deliver":   {"internal/assist"},
}

// owners says who may import a dependency that must stay in one place.
var owners = map[string][]string{
	"github.com/sashabaranov/go-openai": {"internal/llm/openai"},
	"github.com/jackc/pgx":              {"internal/postgres"},
	"github.com/pgvector/pgvector-go":   {"internal/postgres"},
	"github.com/pressly/goose":          {"internal/postgres"},
	"github.com/gorilla/websocket":      {"internal/ws", "internal/replay", "deploy/examples/go"},
	"github.com/golang-jwt/jwt":         {"internal/auth"},
	"github.com/prometheus/":            {"internal/app", "internal/observe"},
	"go.opentelemetry.io/":              {"internal/observe"},
	"github.com/coreos/go-oidc":         {"internal/auth/oidc"},
	"golang.org/x/oauth2":               {"internal/auth/oidc"},
	"github.com/nats-io/":               {"internal/pubsub"},
	"github.com/yuin/goldmark":          {"internal/ingest"},
	"github.com/klippa-app/go-pdfium":   {"internal/ingest"},
	"github.com/tetratelabs/wazero":     {"internal/ingest"},
	"github.com/JohannesKaufmann/":      {"internal/ingest"},
}

// standardOnly names packages that import nothing but the standard library.
var standardOnly = []string{"internal/assist", "internal/llm", "internal/chat", "internal/check", "internal/privacy"}

// TestDirection parses the files rather than asking go list: the test cache
// sees files that a test opens, and would answer from yesterday otherwise.
func TestDirection(t *testing.T) {
	for _, f := range goFiles(t, "..") {
		dir := filepath.ToSlash(filepath.Dir(f))
		if strings.HasPrefix(dir, "internal/testkit") {
			continue // tests only; nothing else may import it, which the table holds
		}
		if dir == "internal" && strings.HasSuffix(f, "_test.go") {
			continue
		}
		rule, known := allowed[dir]
		if !known {
			t.Errorf("%s: package %s is not in the table: say what it owns and what it may import, here and in the README", f, dir)
			continue
		}
		for _, imp := range imports(t, filepath.Join("..", f)) {
			test := strings.HasSuffix(f, "_test.go")
			if own, ok := strings.CutPrefix(imp, module); ok {
				if !test && !slices.Contains(rule, own) && !slices.Contains(rule, "*") {
					t.Errorf("%s imports %s, which %s may not", f, own, dir)
				}
				continue
			}
			if test {
				continue
			}
			for dep, who := range owners {
				if strings.HasPrefix(imp, dep) && !slices.Contains(who, dir) {
					t.Errorf("%s imports %s, which belongs to %s", f, imp, strings.Join(who, ", "))
				}
			}
			if slices.Contains(standardOnly, dir) && strings.Contains(strings.Split(imp, "/")[0], ".") {
				t.Errorf("%s imports %s, but %s keeps to the standard library", f, imp, dir)
			}
		}
	}
}

// TestTopLevel holds the agreed top level of the repository.
func TestTopLevel(t *testing.T) {
	want := []string{"cmd", "internal", "prompts", "migrations", "evals", "deploy", "bin",
		"go.mod", "go.sum", "README.md", "LICENSE", "Makefile", "CHANGELOG.md"}
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) {
			t.Errorf("%s does not belong at the top level", e.Name())
		}
	}
}

func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("found only %d Go files: is the test in its place?", len(files))
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, p)
	}
	return out
}
