// Package contract holds the frames of real sockets against the AsyncAPI and
// OpenAPI files that a running server publishes.
package contract

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"go.yaml.in/yaml/v3"
)

type node = map[string]any

// Frames checks frames in either direction.
type Frames struct {
	fromServer, fromClient map[string]*jsonschema.Resolved
	Seen                   map[string]int // by direction and type: "← turn.added"
}

// Load reads the files of a running server.
func Load(t *testing.T, server string) *Frames {
	t.Helper()
	async, open := fetch(t, server+"/docs/asyncapi.yaml"), fetch(t, server+"/docs/openapi.yaml")
	defs := node{}
	for _, doc := range []node{open, async} {
		components, _ := doc["components"].(node)
		schemas, _ := components["schemas"].(node)
		for name, s := range schemas {
			defs[name] = s
		}
	}
	f := &Frames{fromServer: map[string]*jsonschema.Resolved{}, fromClient: map[string]*jsonschema.Resolved{}, Seen: map[string]int{}}
	components, _ := async["components"].(node)
	messages, _ := components["messages"].(node)
	for _, m := range messages {
		m := m.(node)
		into := f.fromClient
		if m["x-direction"] == "server to client" {
			into = f.fromServer
		}
		into[fmt.Sprint(m["name"])] = compile(t, m["payload"], defs)
	}
	if len(f.fromServer) < 10 || len(f.fromClient) < 10 {
		t.Fatalf("asyncapi.yaml describes %d and %d messages", len(f.fromServer), len(f.fromClient))
	}
	return f
}

func fetch(t *testing.T, url string) node {
	t.Helper()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var n node
	if err := yaml.Unmarshal(b, &n); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return n
}

// compile makes a validator in which fields that no schema names are faults.
func compile(t *testing.T, schema any, defs node) *jsonschema.Resolved {
	t.Helper()
	b, err := json.Marshal(node{"$defs": needed(schema, defs), "allOf": []any{schema}})
	if err != nil {
		t.Fatal(err)
	}
	b = regexp.MustCompile(`"(\./openapi\.yaml)?#/components/schemas/`).ReplaceAll(b, []byte(`"#/$$defs/`))
	var root node
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	walk(root, "", func(path string, n node) {
		if p, ok := n["properties"].(node); ok && p["$ref"] == nil && !strings.Contains(path, "/allOf/1") && !strings.Contains(path, "/anyOf") && !strings.Contains(path, "/oneOf") {
			n["additionalProperties"] = false
		}
	})
	if b, err = json.Marshal(root); err != nil {
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

func needed(schema any, all node) node {
	defs := node{}
	var need func(any)
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
	return defs
}

func walk(v any, path string, visit func(string, node)) {
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

// Received says whether a frame of the server is as described.
func (f *Frames) Received(raw []byte) error { return f.check("← ", f.fromServer, raw) }

// Sent says whether a frame of a client is.
func (f *Frames) Sent(raw []byte) error { return f.check("→ ", f.fromClient, raw) }

func (f *Frames) check(arrow string, known map[string]*jsonschema.Resolved, raw []byte) error {
	var body node
	if err := json.Unmarshal(raw, &body); err != nil {
		return err
	}
	name := fmt.Sprint(body["type"])
	f.Seen[arrow+name]++
	s := known[name]
	if s == nil {
		return fmt.Errorf("%s%s is not described", arrow, name)
	}
	if err := s.Validate(body); err != nil {
		return fmt.Errorf("%s%s is not as described: %w", arrow, name, err)
	}
	return nil
}

// Unseen lists the messages that never passed.
func (f *Frames) Unseen() (list []string) {
	for arrow, known := range map[string]map[string]*jsonschema.Resolved{"← ": f.fromServer, "→ ": f.fromClient} {
		for name := range known {
			if f.Seen[arrow+name] == 0 {
				list = append(list, arrow+name)
			}
		}
	}
	return list
}
