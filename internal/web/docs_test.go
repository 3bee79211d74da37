package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"

	"github.com/aside-project/aside/internal/assist"
)

// node is a YAML mapping.
type node = map[string]any

func loadYAML(t *testing.T, file string) node {
	t.Helper()
	b, err := docsFiles.ReadFile("docs/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := yaml.Unmarshal(b, &n); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return n
}

// at follows keys down a document.
func at(t *testing.T, n any, keys ...string) any {
	t.Helper()
	for i, k := range keys {
		m, ok := n.(node)
		if !ok || m[k] == nil {
			t.Fatalf("nothing at %s", strings.Join(keys[:i+1], " / "))
		}
		n = m[k]
	}
	return n
}

func words(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, w := range list {
		out = append(out, fmt.Sprint(w))
	}
	slices.Sort(out)
	return out
}

func keys(n node) []string {
	out := []string{}
	for k := range n {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestOpenAPIHasEveryRoute(t *testing.T) {
	var want, got []string
	for _, r := range (&server{}).routes() {
		want = append(want, r.method+" "+strings.ReplaceAll(r.path, "...}", "}"))
	}
	for path, item := range at(t, loadYAML(t, "openapi.yaml"), "paths").(node) {
		for method := range item.(node) {
			if method != "parameters" {
				got = append(got, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the routes of web.go (-) and docs/openapi.yaml (+) differ:\n%s", d)
	}
}

// jsonFields gives the names a type has in JSON, and which are always there.
func jsonFields(typ reflect.Type) (all, required []string) {
	for _, f := range reflect.VisibleFields(typ) {
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || name == "-" {
			continue
		}
		all = append(all, name)
		if opts == "" {
			required = append(required, name)
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	return all, required
}

// schemaTypes says which Go type is the truth about which schema.
var schemaTypes = map[string]any{
	"Problem": problem{}, "Event": eventBody{}, "PublicConversation": publicConversation{},
	"SearchQuery": SearchQuery{}, "SearchResult": SearchResult{}, "SearchHit": SearchHit{},
	"Part": Part{}, "Status": Status{}, "DeliveryStatus": DeliveryStatus{}, "ModelStatus": ModelStatus{}, "KnowledgeStatus": KnowledgeStatus{}, "Session": Session{}, "SignedOut": SignedOut{},
	"Conversation": assist.Conversation{}, "Turn": assist.Turn{}, "PublicTurn": assist.PublicTurn{}, "Action": assist.Action{},
	"Handoff": assist.Handoff{}, "PublicHandoff": assist.PublicHandoff{}, "Source": assist.Source{},
	"RevokeRequest": RevokeRequest{}, "WidgetRequest": WidgetRequest{}, "WidgetSession": WidgetSession{},
	"Suggestion": assist.Suggestion{}, "Question": assist.Question{}, "Term": assist.Term{}, "Hit": assist.Hit{}, "Ranks": assist.Ranks{},
	"Draft": assist.Draft{}, "Sentence": assist.Sentence{}, "Citation": assist.Citation{}, "NextStep": assist.NextStep{},
	"PolicyRef": assist.PolicyRef{}, "Option": assist.Option{}, "Verdict": assist.Verdict{}, "PromptRef": assist.PromptRef{},
	"Usage": assist.Usage{}, "Timings": assist.Timings{}, "SuggestionOutcome": assist.SuggestionOutcome{}, "StepChange": assist.StepChange{},
	"Document": assist.Document{}, "Delivery": Delivery{},
}

func TestSchemasAreTheGoTypes(t *testing.T) {
	schemas := at(t, loadYAML(t, "openapi.yaml"), "components", "schemas").(node)
	for name, v := range schemaTypes {
		all, required := jsonFields(reflect.TypeOf(v))
		schema := at(t, schemas, name).(node)
		if d := cmp.Diff(all, keys(schema["properties"].(node))); d != "" {
			t.Errorf("properties of %s: Go (-), openapi.yaml (+):\n%s", name, d)
		}
		if d := cmp.Diff(required, words(schema["required"])); d != "" {
			t.Errorf("required of %s: Go (-), openapi.yaml (+):\n%s", name, d)
		}
	}
	// A request may leave out more than Go's types say.
	all, _ := jsonFields(reflect.TypeOf(turnBody{}))
	if d := cmp.Diff(all, keys(at(t, schemas, "NewTurn", "properties").(node))); d != "" {
		t.Errorf("properties of NewTurn:\n%s", d)
	}
	for _, name := range keys(schemas) {
		s := schemas[name].(node)
		if _, known := schemaTypes[name]; !known && s["properties"] != nil && name != "NewTurn" && name != "Readiness" {
			t.Errorf("schema %s has properties but no Go type in schemaTypes that holds them", name)
		}
	}
}

// constants gives the string constants of the package in dir by their type.
func constants(t *testing.T, dir string) map[string][]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no Go files in %s: %v", dir, err)
	}
	out := map[string][]string{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				typ, ok := v.Type.(*ast.Ident)
				if !ok || len(v.Values) != 1 {
					continue
				}
				lit, ok := v.Values[0].(*ast.BasicLit)
				if !ok || lit.Kind != token.STRING {
					continue
				}
				word, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				out[typ.Name] = append(out[typ.Name], word)
			}
		}
	}
	return out
}

func TestEnumsAreTheConstants(t *testing.T) {
	schemas := at(t, loadYAML(t, "openapi.yaml"), "components", "schemas").(node)
	consts := constants(t, "../assist")
	property := func(schema, name string) any { return at(t, schemas, schema, "properties", name, "enum") }
	for _, c := range []struct {
		typ  string
		enum any
		also []string // what JSON may hold besides
	}{
		{"Code", at(t, schemas, "Code", "enum"), nil},
		{"Role", at(t, schemas, "Role", "enum"), nil},
		{"Role", property("NewTurn", "role"), []string{"action"}},
		{"Actor", property("Session", "role"), nil},
		{"Audience", at(t, schemas, "Audience", "enum"), nil},
		{"Kind", at(t, schemas, "Kind", "enum"), nil},
		{"Status", property("Conversation", "status"), nil},
		{"Status", property("PublicConversation", "status"), nil},
		{"StepState", at(t, schemas, "StepState", "enum"), nil},
		{"StepKind", property("NextStep", "kind"), nil},
		{"Origin", property("Draft", "origin"), nil},
		{"Outcome", property("Verdict", "outcome"), nil},
		{"SuggestionState", property("Suggestion", "state"), nil},
		{"Standing", property("Suggestion", "standing"), []string{""}},
		{"HandoffCode", at(t, schemas, "HandoffCode", "enum"), nil},
		{"HandoffState", property("PublicHandoff", "state"), nil},
		{"Change", at(t, at(t, schemas, "StoredDocument", "allOf").([]any)[1], "properties", "change", "enum"), nil},
	} {
		want := append(slices.Clone(consts[c.typ]), c.also...)
		slices.Sort(want)
		if d := cmp.Diff(want, words(c.enum)); d != "" {
			t.Errorf("assist.%s (-), openapi.yaml (+):\n%s", c.typ, d)
		}
	}
	for _, code := range consts["Code"] {
		if statuses[assist.Code(code)] == 0 {
			t.Errorf("code %q has no HTTP status", code)
		}
	}
}

func TestAsyncAPIHasEveryEvent(t *testing.T) {
	async := loadYAML(t, "asyncapi.yaml")
	messages := at(t, async, "components", "messages").(node)
	var kept []string
	fromServer := map[string]bool{}
	for key, m := range messages {
		name := at(t, m, "name").(string)
		if got := at(t, m, "payload", "properties", "type", "const"); got != name {
			t.Errorf("message %s: its type is %v", name, got)
		}
		if at(t, async, "channels", "live", "messages", key, "$ref") != "#/components/messages/"+key {
			t.Errorf("message %s is not in the channel", name)
		}
		operation, who := "receive", "x-who"
		if m.(node)["x-direction"] == "server to client" {
			operation, who = "send", "x-seen-by"
			fromServer[name] = m.(node)["x-kept"].(bool)
		}
		if len(words(m.(node)[who])) == 0 {
			t.Errorf("message %s: %s is missing", name, who)
		}
		if ref := (node{"$ref": "#/channels/live/messages/" + key}); !slices.ContainsFunc(at(t, async, "operations", operation, "messages").([]any), func(v any) bool { return reflect.DeepEqual(v, any(ref)) }) {
			t.Errorf("message %s is not in the operation %s", name, operation)
		}
		if m.(node)["x-kept"] == true {
			kept = append(kept, name)
			if !slices.Contains(words(at(t, m, "payload", "required")), "seq") {
				t.Errorf("message %s is kept but does not require seq", name)
			}
		}
	}
	events := constants(t, "../assist")["EventType"]
	if len(events) < 10 {
		t.Fatalf("found only %d event types: is the test in its place?", len(events))
	}
	for _, e := range events {
		marked, ok := fromServer[e]
		if !ok {
			t.Errorf("event %s is not in asyncapi.yaml", e)
		}
		if marked != assist.EventType(e).Kept() {
			t.Errorf("event %s: x-kept is %v", e, marked)
		}
		delete(fromServer, e)
	}
	if d := cmp.Diff(map[string]bool{"welcome": false, "ack": false, "error": false}, fromServer); d != "" {
		t.Errorf("messages of the server that are no event:\n%s", d)
	}
	slices.Sort(kept)
	enum := at(t, loadYAML(t, "openapi.yaml"), "components", "schemas", "Event", "properties", "type", "enum")
	if d := cmp.Diff(kept, words(enum)); d != "" {
		t.Errorf("kept events in asyncapi.yaml (-) and Event in openapi.yaml (+):\n%s", d)
	}
}

// walk calls visit for every mapping of a document.
func walk(v any, path string, visit func(path string, n node)) {
	switch v := v.(type) {
	case node:
		visit(path, v)
		for k, c := range v {
			walk(c, path+"/"+k, visit)
		}
	case []any:
		for i, c := range v {
			walk(c, fmt.Sprintf("%s/%d", path, i), visit)
		}
	}
}

func TestReferencesResolve(t *testing.T) {
	files := map[string]node{"openapi.yaml": loadYAML(t, "openapi.yaml"), "asyncapi.yaml": loadYAML(t, "asyncapi.yaml")}
	for name, doc := range files {
		walk(doc, name, func(path string, n node) {
			ref, ok := n["$ref"].(string)
			if !ok {
				return
			}
			file, pointer, _ := strings.Cut(ref, "#/")
			target := any(doc)
			if file != "" {
				target = files[strings.TrimPrefix(file, "./")]
			}
			for _, k := range strings.Split(pointer, "/") {
				m, _ := target.(node)
				target = m[k]
			}
			if target == nil {
				t.Errorf("%s: %s points nowhere", path, ref)
			}
		})
	}
}

// compile makes a validator for a schema of either file, in which properties
// that no schema names are faults.
func compile(t *testing.T, schema any) *jsonschema.Resolved {
	t.Helper()
	all := node{}
	for _, file := range []string{"openapi.yaml", "asyncapi.yaml"} {
		for name, s := range at(t, loadYAML(t, file), "components", "schemas").(node) {
			all[name] = s
		}
	}
	defs := node{} // only what the schema needs: resolving all each time is slow
	var need func(v any)
	need = func(v any) {
		walk(v, "", func(_ string, n node) {
			ref, _ := n["$ref"].(string)
			if name := ref[strings.LastIndex(ref, "/")+1:]; ref != "" && defs[name] == nil {
				defs[name] = all[name]
				need(all[name])
			}
		})
	}
	need(schema)
	root := node{"$defs": defs, "allOf": []any{schema}}
	b, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	b = regexp.MustCompile(`"(\./openapi\.yaml)?#/components/schemas/`).ReplaceAll(b, []byte(`"#/$$defs/`))
	var closed node
	if err := json.Unmarshal(b, &closed); err != nil {
		t.Fatal(err)
	}
	walk(closed, "", func(path string, n node) {
		if p, ok := n["properties"].(node); ok && p["$ref"] == nil && !strings.Contains(path, "/allOf/1") && path != "/$defs/Document" {
			n["additionalProperties"] = false
		}
		if n["allOf"] != nil && path != "" {
			n["unevaluatedProperties"] = false
		}
	})
	if b, err = json.Marshal(closed); err != nil {
		t.Fatal(err)
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// plain gives a value as encoding/json would have decoded it.
func plain(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	seen := 0
	check := func(path string, schema, example any) {
		seen++
		if err := compile(t, schema).Validate(plain(t, example)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	walk(at(t, loadYAML(t, "openapi.yaml"), "paths"), "openapi.yaml", func(path string, n node) {
		schema := n["schema"]
		if schema == nil {
			return
		}
		if e, ok := n["example"]; ok {
			check(path, schema, e)
		}
		if many, ok := n["examples"].(node); ok {
			for name, e := range many {
				check(path+" "+name, schema, at(t, e, "value"))
			}
		}
	})
	for _, m := range at(t, loadYAML(t, "asyncapi.yaml"), "components", "messages").(node) {
		examples, _ := m.(node)["examples"].([]any)
		if len(examples) == 0 {
			t.Errorf("message %v has no example", m.(node)["name"])
		}
		for _, e := range examples {
			check(fmt.Sprint("asyncapi.yaml ", m.(node)["name"]), at(t, m, "payload"), at(t, e, "payload"))
		}
	}
	if seen < 30 {
		t.Errorf("only %d examples were found", seen)
	}
	bad := node{"type": "turn.add", "id": "c-1", "conversation": "conv_1", "data": node{"role": "customer", "txt": "hi"}}
	ask := at(t, loadYAML(t, "asyncapi.yaml"), "components", "messages", "askTurnAdd", "payload")
	if compile(t, ask).Validate(plain(t, bad)) == nil {
		t.Error("an example with an unknown property would pass")
	}
}

// TestExamplesAreGo holds that the examples of kept events survive the Go types.
func TestExamplesAreGo(t *testing.T) {
	nouns := map[string]any{
		"turn.added": &assist.Turn{}, "handoff": &assist.Handoff{}, "step.changed": &assist.StepChange{},
		"suggestion.outcome": &assist.SuggestionOutcome{}, "suggestion.ready": &assist.Suggestion{},
		"suggestion.abstained": &assist.Suggestion{}, "suggestion.failed": &assist.Suggestion{}, "queue.changed": &assist.Conversation{},
	}
	for _, m := range at(t, loadYAML(t, "asyncapi.yaml"), "components", "messages").(node) {
		noun, ok := nouns[m.(node)["name"].(string)]
		if !ok || m.(node)["x-direction"] != "server to client" {
			continue
		}
		want := at(t, m.(node)["examples"].([]any)[0], "payload", "data")
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(noun); err != nil {
			t.Errorf("%v: %v", m.(node)["name"], err)
		}
		if d := cmp.Diff(plain(t, want), plain(t, noun)); d != "" {
			t.Errorf("%v: example (-), as Go writes it (+):\n%s", m.(node)["name"], d)
		}
	}
}

func TestDocsAreServed(t *testing.T) {
	h := docs()
	for path, want := range map[string]string{
		"/docs": "text/html", "/docs/": "text/html", "/docs/docs.css": "text/css",
		"/docs/openapi.yaml": "application/yaml", "/docs/asyncapi.yaml": "application/yaml",
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), want) || w.Body.Len() == 0 {
			t.Errorf("%s: %d %s, %d bytes", path, w.Code, w.Header().Get("Content-Type"), w.Body.Len())
		}
		if got := w.Header().Get("Content-Security-Policy"); got != "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" {
			t.Errorf("%s: policy %q", path, got)
		}
	}
	for _, path := range []string{"/docs/index.html", "/docs/nothing", "/docs/../web.go"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

// TestPage holds that the page keeps to its policy, that its links lead
// somewhere and that its tables are whole.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("docs/index.html")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, refused := range []string{"<script", "<style", "style=", " on", "<img", "@import", "url("} {
		if refused == " on" {
			if m := regexp.MustCompile(`<[^>]*\son\w+=`).FindString(page); m != "" {
				t.Errorf("handler in the page: %s", m)
			}
			continue
		}
		if strings.Contains(page, refused) {
			t.Errorf("the page has %q, which its policy refuses", refused)
		}
	}
	for _, m := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		w := httptest.NewRecorder()
		docs().ServeHTTP(w, httptest.NewRequest("GET", m[1], nil))
		if !strings.HasPrefix(m[1], "/") || w.Code != http.StatusOK {
			t.Errorf("link %s: %d", m[1], w.Code)
		}
	}
	async := loadYAML(t, "asyncapi.yaml")
	for _, m := range at(t, async, "components", "messages").(node) {
		row := regexp.MustCompile(`<tr><td><code>` + regexp.QuoteMeta(m.(node)["name"].(string)) + `</code></td><td>kept</td>`).MatchString(page)
		if kept := m.(node)["x-kept"] == true; kept != row {
			t.Errorf("%v: kept is %v, on the page %v", m.(node)["name"], kept, row)
		}
		if !strings.Contains(page, "<tr><td><code>"+m.(node)["name"].(string)+"</code></td>") {
			t.Errorf("%v is not on the page", m.(node)["name"])
		}
	}
	for code, status := range statuses {
		if !strings.Contains(page, fmt.Sprintf("<tr><td><code>%s</code></td><td>%d</td>", code, status)) {
			t.Errorf("error code %s is not on the page with status %d", code, status)
		}
	}
	var inFile, onPage []string
	for _, c := range at(t, async, "x-close-codes").([]any) {
		inFile = append(inFile, fmt.Sprint(c.(node)["code"]))
	}
	for _, m := range regexp.MustCompile(`<tr><td>(4\d\d\d)</td>`).FindAllStringSubmatch(page, -1) {
		onPage = append(onPage, m[1])
	}
	if d := cmp.Diff(inFile, onPage); d != "" {
		t.Errorf("close codes of asyncapi.yaml (-) and of the page (+):\n%s", d)
	}
}

// TestWSIsAsDescribed reads the close codes, the limits of the welcome and the
// types it takes from the source of internal/ws, which this package does not
// import.
func TestWSIsAsDescribed(t *testing.T) {
	files, err := filepath.Glob("../ws/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	if len(files) == 0 {
		t.Fatal("internal/ws is not there")
	}
	var codes, limits, types []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				for _, s := range n.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || len(v.Values) != 1 {
						continue
					}
					switch value := v.Values[0].(type) {
					case *ast.BasicLit:
						if n.Tok == token.CONST && regexp.MustCompile(`^4[04]\d\d$`).MatchString(value.Value) {
							codes = append(codes, value.Value)
						}
					case *ast.CompositeLit:
						if v.Names[0].Name != "routes" {
							continue
						}
						for _, e := range value.Elts {
							if key, ok := e.(*ast.KeyValueExpr).Key.(*ast.BasicLit); ok {
								types = append(types, strings.Trim(key.Value, `"`))
							}
						}
					}
				}
			case *ast.Field: // the limits inside welcome
				s, ok := n.Type.(*ast.StructType)
				if !ok || len(n.Names) != 1 || n.Names[0].Name != "Limits" {
					break
				}
				for _, field := range s.Fields.List {
					tag, _, _ := strings.Cut(reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json"), ",")
					limits = append(limits, tag)
				}
			}
			return true
		})
	}
	async := loadYAML(t, "asyncapi.yaml")
	var documented, asked []string
	for _, c := range at(t, async, "x-close-codes").([]any) {
		if c.(node)["reserved"] == nil {
			documented = append(documented, fmt.Sprint(c.(node)["code"]))
		}
	}
	for _, m := range at(t, async, "components", "messages").(node) {
		if m.(node)["x-direction"] == "client to server" {
			asked = append(asked, m.(node)["name"].(string))
		}
	}
	for what, d := range map[string][2][]string{
		"close codes":           {codes, documented},
		"limits in the welcome": {limits, keys(at(t, async, "components", "schemas", "Limits", "properties").(node))},
		"client messages":       {types, asked},
	} {
		slices.Sort(d[0])
		slices.Sort(d[1])
		if d := cmp.Diff(d[0], d[1]); d != "" {
			t.Errorf("%s of internal/ws (-) and asyncapi.yaml (+):\n%s", what, d)
		}
	}
}
