package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLeaksAreLookedFor: a package that starts goroutines looks for leaked ones at
// the end of its tests.
func TestLeaksAreLookedFor(t *testing.T) {
	starts, looks := map[string]string{}, map[string]bool{}
	for _, f := range goFiles(t, "..") {
		dir, path := filepath.ToSlash(filepath.Dir(f)), filepath.Join("..", f)
		if strings.HasSuffix(f, "_test.go") {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			looks[dir] = looks[dir] || strings.Contains(string(source), "goleak.VerifyTestMain(") || strings.Contains(string(source), "testdb.Main(")
			continue
		}
		if strings.HasPrefix(dir, "internal/testkit") {
			continue // used by tests that look
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				starts[dir] = f
			case *ast.CallExpr:
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Go" {
					starts[dir] = f
				}
			}
			return true
		})
	}
	for dir, file := range starts {
		if !looks[dir] {
			t.Errorf("%s starts a goroutine (%s) and no TestMain there looks for leaked ones: goleak.VerifyTestMain(m)", dir, file)
		}
	}
	if len(starts) < 5 {
		t.Errorf("only %d packages start goroutines: this test sees too little", len(starts))
	}
}
