package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// safeFrom says from which version on no hole is known in what we build on, and
// which one it was. `make vuln` asks the vulnerability database, where it can be
// reached; this needs no network.
var safeFrom = map[string]struct{ version, hole string }{
	"github.com/gorilla/websocket":        {"1.4.1", "CVE-2020-27813: length overflow"},
	"github.com/jackc/pgx/v5":             {"5.9.2", "CVE-2026-41889, CVE-2026-33815 and 33816, CVE-2024-27304"},
	"github.com/golang-jwt/jwt/v5":        {"5.2.2", "CVE-2025-30204: memory of a malformed header"},
	"github.com/yuin/goldmark":            {"1.7.17", "CVE-2026-5160: markup in links"},
	"golang.org/x/net":                    {"0.38.0", "CVE-2025-22872: unclosed foreign tags"},
	"golang.org/x/text":                   {"0.3.8", "CVE-2022-32149: slow Accept-Language"},
	"github.com/prometheus/client_golang": {"1.11.1", "CVE-2022-21698: unbounded methods"},
	"google.golang.org/protobuf":          {"1.33.0", "CVE-2024-24786: endless loop"},
	"github.com/nats-io/nats-server/v2":   {"2.12.5", "CVE-2026-27889: crash before sign-in"},
	"golang.org/x/crypto":                 {"0.35.0", "CVE-2025-22869: memory of slow handshakes"},
}

func TestDependenciesAreSafe(t *testing.T) {
	b, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) v(\S+)`).FindAllStringSubmatch(string(b), -1) {
		found[m[1]] = m[2]
	}
	if n := unsafeVersions(found); len(n) > 0 {
		t.Errorf("go.mod: %s", strings.Join(n, "; "))
	}
	for _, needed := range []string{"github.com/gorilla/websocket", "github.com/jackc/pgx/v5", "github.com/golang-jwt/jwt/v5"} {
		if found[needed] == "" {
			t.Errorf("%s is not in go.mod: is the test in its place?", needed)
		}
	}
	// And it would say so.
	if n := unsafeVersions(map[string]string{"github.com/jackc/pgx/v5": "5.9.1", "github.com/golang-jwt/jwt/v5": "5.2.2"}); len(n) != 1 {
		t.Errorf("old versions: %v", n)
	}
}

func unsafeVersions(found map[string]string) (faults []string) {
	for module, safe := range safeFrom {
		if v := found[module]; v != "" && older(v, safe.version) {
			faults = append(faults, fmt.Sprintf("%s v%s is older than v%s (%s)", module, v, safe.version, safe.hole))
		}
	}
	return faults
}

// older compares versions by their numbers; what follows a hyphen does not count.
func older(a, b string) bool {
	split := func(v string) []string { v, _, _ = strings.Cut(v, "-"); return strings.Split(v, ".") }
	x, y := split(a), split(b)
	for i := range min(len(x), len(y)) {
		m, _ := strconv.Atoi(x[i])
		n, _ := strconv.Atoi(y[i])
		if m != n {
			return m < n
		}
	}
	return false
}

// TestSQLHasParameters holds that no SQL is put together with values: nothing in
// internal/postgres formats a statement, and nothing asks for the simple protocol,
// which would.
func TestSQLHasParameters(t *testing.T) {
	statement := regexp.MustCompile(`(?i)\b(SELECT|INSERT|UPDATE|DELETE|WHERE|VALUES|ORDER BY)\b[^%]*%[^%]`)
	sql := regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|WHERE|FROM|VALUES)\b`)
	// What may be put into a statement beside constants: our own names of tables, parts of them and roles. None of them
	// comes from outside.
	ours := regexp.MustCompile(`^(part|table|t|index|passages|learned|vectors|learnings|publicRole|role|schema|columns|expression|from)$`)
	constant := map[string]bool{}
	trees := map[string]*ast.File{}
	for _, f := range goFiles(t, "postgres") {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join("postgres", f), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		trees[f] = tree
		ast.Inspect(tree, func(n ast.Node) bool {
			if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
				for _, spec := range d.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						constant[name.Name] = true
					}
				}
			}
			return true
		})
	}
	for f, tree := range trees {
		ast.Inspect(tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if strings.Contains(n.Sel.Name, "SimpleProtocol") {
					t.Errorf("%s uses %s", f, n.Sel.Name)
				}
			case *ast.BinaryExpr:
				literal, others := operands(n)
				if !sql.MatchString(literal) {
					return true
				}
				for _, o := range others {
					if !constant[o] && !ours.MatchString(o) {
						t.Errorf("%s puts %s into a statement: %.80s", f, o, literal)
					}
				}
				return false
			case *ast.CallExpr:
				call, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || call.Sel.Name != "Sprintf" || len(n.Args) == 0 {
					return true
				}
				lit, ok := n.Args[0].(*ast.BasicLit)
				if ok && strings.HasPrefix(lit.Value, "`CREATE INDEX") && !strings.Contains(lit.Value, "%v") {
					return true // takes no parameters; its names and numbers are ours
				}
				if ok && statement.MatchString(lit.Value) {
					t.Errorf("%s formats a statement: %s", f, lit.Value)
				}
			}
			return true
		})
	}
}

// operands gives the literals of a sum, together, and what else is added to them. A
// name that is sanitized is ours by then.
func operands(e ast.Expr) (literal string, others []string) {
	switch e := e.(type) {
	case *ast.BinaryExpr:
		for _, side := range []ast.Expr{e.X, e.Y} {
			l, o := operands(side)
			literal, others = literal+l, append(others, o...)
		}
	case *ast.ParenExpr:
		return operands(e.X)
	case *ast.BasicLit:
		return e.Value, nil
	case *ast.Ident:
		return "", []string{e.Name}
	case *ast.CallExpr:
		if s, ok := e.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Sanitize" {
			return "", nil
		}
		return "", []string{"a call"}
	default:
		return "", []string{fmt.Sprintf("a %T", e)}
	}
	return literal, others
}

// TestThreatTable holds that the tests which deploy/SECURITY.md and deploy/FAULTS.md
// name exist, and that no row is without a test or a reason.
func TestThreatTable(t *testing.T) {
	var named [][]string
	for _, table := range []struct {
		path, row string
		rows      int
	}{{"../deploy/SECURITY.md", "T", 42}, {"../deploy/FAULTS.md", "F", 32}} {
		b, err := os.ReadFile(table.path)
		if err != nil {
			t.Fatal(err)
		}
		rows := regexp.MustCompile(`(?m)^\| `+table.row+`\d+ \|.*$`).FindAllString(string(b), -1)
		if len(rows) != table.rows {
			t.Errorf("%s: %d rows: is the table in its place?", table.path, len(rows))
		}
		for _, row := range rows {
			found := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)`").FindAllStringSubmatch(row, -1)
			named = append(named, found...)
			if len(found) == 0 && !regexp.MustCompile(`not applicable|nothing listens`).MatchString(row) {
				t.Errorf("no test holds %.40s", row)
			}
		}
	}
	exists := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)\(`)
	for _, f := range goFiles(t, "..") {
		if !strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", f))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
			exists[m[1]] = true
		}
	}
	for _, m := range named {
		if !exists[m[1]] {
			t.Errorf("the tables name %s, which there is not", m[1])
		}
	}
}
