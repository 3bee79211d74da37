package internal_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// starters are packages that start goroutines for whoever uses them.
var starters = []string{
	"net/http", "net/http/httptest", "os/signal", "golang.org/x/sync/errgroup",
	"github.com/gorilla/websocket", "github.com/jackc/pgx", "github.com/nats-io", "github.com/chromedp", "github.com/tetratelabs/wazero",
}

// directory is what this test knows of a directory.
type directory struct {
	code, tests part
	tested      bool // it has tests
	looks       bool // its tests end with a look for leaked goroutines
}

// part is the code of a directory, or its tests.
type part struct {
	starts string          // why goroutines run in it, or ""
	uses   map[string]bool // the house's packages it imports
}

// TestLeaksAreLookedFor: a package in which goroutines run looks for leaked ones at the
// end of its tests: one that starts them, uses a package that does, or has tests that
// do. Only what has no tests and helps those of others (testkit), or is run by them
// (the example), is left to these.
func TestLeaksAreLookedFor(t *testing.T) {
	house := map[string]*directory{}
	for _, f := range goFiles(t, "..") {
		dir := filepath.ToSlash(filepath.Dir(f))
		if house[dir] == nil {
			house[dir] = &directory{code: part{uses: map[string]bool{}}, tests: part{uses: map[string]bool{}}}
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", f), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		house[dir].read(t, f, file)
	}
	spread(house)
	started := 0
	for dir, d := range house {
		why := cmp.Or(d.code.starts, d.tests.starts)
		if why == "" || !d.tested && (strings.HasPrefix(dir, "internal/testkit/") || dir == "deploy/examples/go") {
			continue
		}
		started++
		if !d.looks {
			t.Errorf("goroutines run in %s (%s) and no TestMain there ends with goleak.VerifyTestMain(m) or testdb.Main(m)", dir, why)
		}
	}
	if started < 20 {
		t.Errorf("goroutines run in %d packages only: this test sees too little", started)
	}
}

// read adds a file of the directory.
func (d *directory) read(t *testing.T, path string, file *ast.File) {
	test := strings.HasSuffix(path, "_test.go")
	p := &d.code
	if test {
		p = &d.tests
	}
	for _, i := range file.Imports {
		used, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ours := strings.CutPrefix(used, module); ours {
			p.uses[rest] = true
		}
		if slices.ContainsFunc(starters, func(s string) bool { return used == s || strings.HasPrefix(used, s+"/") }) && p.starts == "" {
			p.starts = path + " imports " + used
		}
		if test && used == "go.uber.org/goleak" && i.Name != nil {
			t.Errorf("%s renames goleak", path) // or the names below would mean something else
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			p.starts = path + " has a go statement"
		case *ast.FuncDecl:
			d.tested = d.tested || test && n.Recv == nil && strings.HasPrefix(n.Name.Name, "Test")
			d.looks = d.looks || test && n.Recv == nil && n.Name.Name == "TestMain" && endsLooking(n.Body)
		case *ast.SelectorExpr:
			switch {
			case n.Sel.Name == "Go":
				p.starts = path + " calls Go"
			case isName(n.X, "goleak") && (strings.HasPrefix(n.Sel.Name, "Ignore") || n.Sel.Name == "Cleanup"):
				t.Errorf("%s uses goleak.%s: mend what leaks", path, n.Sel.Name)
			}
		}
		return true
	})
}

// endsLooking says whether the last thing a TestMain does is to run the tests and
// look for what they leaked.
func endsLooking(body *ast.BlockStmt) bool {
	if len(body.List) == 0 {
		return false
	}
	last, ok := body.List[len(body.List)-1].(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := last.X.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (isName(f.X, "goleak") && f.Sel.Name == "VerifyTestMain" || isName(f.X, "testdb") && f.Sel.Name == "Main")
}

func isName(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// spread carries goroutines to the packages whose code or tests use those that start
// them; what only the tests of a package start stays there.
func spread(house map[string]*directory) {
	for more := true; more; {
		more = false
		for _, d := range house {
			for _, p := range []*part{&d.code, &d.tests} {
				for used := range p.uses {
					if p.starts == "" && house[used] != nil && house[used].code.starts != "" {
						p.starts, more = "it uses "+used, true
					}
				}
			}
		}
	}
}
