package libredesk

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"
	"github.com/aside-project/aside/internal/testkit/fakedesk"
)

var uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// shape is what two calls of the same kind have in common.
func shape(method, path, authorization string, body map[string]any) map[string]string {
	u, err := url.Parse(path)
	if err != nil {
		return map[string]string{"bad path": path}
	}
	scheme, key, _ := strings.Cut(authorization, " ")
	out := map[string]string{"method": method, "path": uuids.ReplaceAllString(u.Path, "UUID"),
		"query": strings.Join(slices.Sorted(maps.Keys(u.Query())), " "), "auth": fmt.Sprint(scheme, " with ", strings.Count(key, ":"), " colon")}
	for k, v := range body {
		out["body "+k] = fmt.Sprintf("%T", v)
	}
	return out
}

// TestCallsAsRecorded: what we ask is shaped as what a real Libredesk was asked.
func TestCallsAsRecorded(t *testing.T) {
	dir := filepath.Join(testkit.Dir(t), "libredesk", "api")
	h := newHouse(t, "Words.", nil)
	h.desk.Write(chatA, "one")
	h.desk.Wait("the note", func() bool { return len(h.notes()) == 1 })
	if err := h.press(wren, "r1", "Yes."); err != nil {
		t.Fatal(err)
	}
	if _, err := h.tool.conversation(t.Context(), chatA, h.tool.own); err != nil {
		t.Fatal(err)
	}
	if _, err := h.tool.messages(t.Context(), chatA, h.tool.own, true); err != nil {
		t.Fatal(err)
	}
	made := func(match func(fakedesk.Call) bool) fakedesk.Call {
		for _, c := range h.desk.Calls() {
			if match(c) {
				return c
			}
		}
		t.Fatal("a call was not made")
		return fakedesk.Call{}
	}
	post := func(private bool) func(fakedesk.Call) bool {
		return func(c fakedesk.Call) bool { return c.Method == http.MethodPost && c.Body["private"] == private }
	}
	get := func(part string) func(fakedesk.Call) bool {
		return func(c fakedesk.Call) bool { return c.Method == http.MethodGet && strings.Contains(c.Path, part) }
	}
	for file, match := range map[string]func(fakedesk.Call) bool{
		"12-read-conversation.json": func(c fakedesk.Call) bool { return c.Path == "/api/v1/conversations/"+chatA },
		"13-read-messages.json":     get("/messages?"),
		"14-private-note.json":      post(true),
		"15-reply.json":             post(false),
		"26-list-all.json":          get("/conversations/all"),
	} {
		var rec struct {
			Request struct {
				Method, Path string
				Headers      map[string]string
				Body         map[string]any
			}
		}
		readJSON(t, filepath.Join(dir, file), &rec)
		c := made(match)
		want := shape(rec.Request.Method, rec.Request.Path, rec.Request.Headers["Authorization"], rec.Request.Body)
		if d := cmp.Diff(want, shape(c.Method, c.Path, c.Header.Get("Authorization"), c.Body)); d != "" {
			t.Errorf("%s (-recorded +ours):\n%s", file, d)
		}
		if got := c.Header.Get("Content-Type"); got != rec.Request.Headers["Content-Type"] {
			t.Errorf("%s: Content-Type %q", file, got)
		}
	}
}

// TestRecordedAnswers: what a real Libredesk answered is understood.
func TestRecordedAnswers(t *testing.T) {
	dir := filepath.Join(testkit.Dir(t), "libredesk", "api")
	for file, want := range map[string]assist.Code{
		"14-private-note.json":    "",
		"15-reply.json":           "",
		"23-send-as-contact.json": assist.Forbidden,
		"24-bad-key.json":         assist.Forbidden,
		"27-bad-webhook.json":     assist.Invalid, // answered with 200
	} {
		var rec struct {
			Status   int
			Response any
		}
		readJSON(t, filepath.Join(dir, file), &rec)
		h := newHouse(t, "Words.", func(c *Config, o *Options) { c.Notes, c.Key = false, "" })
		h.desk.Answer(func(w http.ResponseWriter, c fakedesk.Call, done bool) bool {
			if c.Method != http.MethodPost {
				return false
			}
			writeJSON(t, w, rec.Status, rec.Response)
			return true
		})
		h.desk.Write(chatA, "one")
		h.waitTurns(1)
		if err := h.press(wren, "r1", "Yes."); assist.CodeOf(err) != want {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

// TestEscape is what a real Libredesk showed literally.
func TestEscape(t *testing.T) {
	if got, want := paragraphs("use {{ .Contact.FullName }} <b>"), "<p>use &#123;&#123; .Contact.FullName }} &lt;b&gt;</p>"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"{{", "{\n{", "a\n\n{\n\n{b", "<script>", "{{{", "&#123;{"} {
		f.Add(s)
	}
	allowed := strings.NewReplacer("<p>", "", "</p>", "", "<br>", "")
	f.Fuzz(func(t *testing.T, s string) {
		out := paragraphs(s)
		if strings.Contains(out, "{") || strings.ContainsAny(allowed.Replace(out), "<>") {
			t.Errorf("%q became %q", s, out)
		}
	})
}

// FuzzTake: no delivery that was signed breaks the connector, and what becomes a
// turn can be stored.
func FuzzTake(f *testing.F) {
	f.Add([]byte(`{"event":"message.created","payload":{"id":4,"uuid":"u","conversation_uuid":"c","type":"incoming","sender_type":"contact","content":"x","meta":null}}`))
	f.Add([]byte(`{"event":"conversation.assigned","payload":{"conversation":{"uuid":"c","updated_at":"2026-03-01T12:00:00Z","assigned_user_id":4}}}`))
	f.Add([]byte(`{"event":"my.rule","payload":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var m message
		if unmarshal(body, &m) && m.UUID != "" && validID(m.Conversation) && validID(m.UUID) {
			if n, ok := m.turn(); ok {
				if err := n.Validate(); err != nil {
					t.Errorf("%q: %v", body, err)
				}
			}
		}
	})
}
