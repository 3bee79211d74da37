package chatwoot

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestWhoSpeaksToCustomers holds the promise in the code itself: messages are made in
// three places, and only two of them, the bot's answer and an agent's own reply, are
// not private.
func TestWhoSpeaksToCustomers(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var public, private, posts []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(gotoken.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CompositeLit:
					if id, ok := n.Type.(*ast.Ident); ok && id.Name == "posting" {
						if slices.ContainsFunc(n.Elts, isPrivate) {
							private = append(private, fn.Name.Name)
						} else {
							public = append(public, fn.Name.Name)
						}
					}
				case *ast.BasicLit:
					if n.Value == `"POST"` {
						posts = append(posts, fn.Name.Name)
					}
				}
				return true
			})
		}
	}
	for _, c := range []struct {
		what      string
		got, want []string
	}{
		{"messages to customers", public, []string{"Reply", "postAnswer"}},
		{"notes", private, []string{"postNote"}},
		{"calls that change something", posts, []string{"open", "post"}},
	} {
		slices.Sort(c.got)
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s are made in %q, want %q", c.what, c.got, c.want)
		}
	}
}

func isPrivate(e ast.Expr) bool {
	kv, ok := e.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	key, _ := kv.Key.(*ast.Ident)
	value, _ := kv.Value.(*ast.Ident)
	return key != nil && value != nil && key.Name == "Private" && value.Name == "true"
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"{{contact.email}} {%x%}":    "{\u2060{contact.email}} {\u2060%x%}",
		"{{{x}}}":                    "{\u2060{\u2060{x}}}",
		"[a](mention://user/1/Mia)":  `\[a\](mention` + "\u2060" + `://user/1/Mia)`,
		"**bold** _it_ `code` <b> #": `\*\*bold\*\* \_it\_ ` + "\\`code\\`" + ` \<b\> \#`,
		"2 – 3 business days.":       "2 – 3 business days.",
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"https://shop.example/a": "[T](https://shop.example/a)", "javascript:alert(1)": "T", "": "T", "https://x.example/a)b": "T", "mention://user/1": "T",
	} {
		if got := link("T", in); got != want {
			t.Errorf("link(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`{"event":"message_created","id":5,"content":"Hi","message_type":"incoming","created_at":"2026-01-02T03:04:05.000Z","conversation":{"id":4,"status":"open"}}`,
		`{"event":"message_created","id":5,"content":null,"message_type":0,"created_at":1767322800,"sender":null,"conversation":{"id":4},"attachments":[{"file_type":"image"}]}`,
		`{"event":"conversation_status_changed","id":4,"status":"resolved","updated_at":1767322800.25,"changed_attributes":[]}`,
		`{"event":"conversation_typing_on","user":{"id":1},"conversation":{"id":4},"is_private":false}`, `{"id":1e99}`, `[]`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := parse(body)
		if err != nil {
			return
		}
		if text := p.Message.text(); strings.ContainsRune(text, 0) || len([]rune(text)) > 8000 {
			t.Errorf("a turn cannot have this text: %q", text)
		}
		if p.Event == "message_created" && p.Conversation.ID <= 0 {
			t.Error("a message of no conversation")
		}
		if id := idOf(7, p.Conversation.ID); p.Conversation.ID > 0 {
			if back, ok := displayOf(7, id); !ok || back != p.Conversation.ID {
				t.Errorf("%s leads back to %d, %v", id, back, ok)
			}
		}
	})
}
