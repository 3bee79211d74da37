package ws_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/auth"
	"github.com/aside-project/aside/internal/ws"
)

var update = flag.Bool("update", false, "rewrite the goldens")

// TestBadInput holds the words users read, and that the connection and what it
// says next survive each of them.
func TestBadInput(t *testing.T) {
	h := open(t, nil)
	h.turns("conv_2", 0, 1)
	var got strings.Builder
	try := func(name string, who assist.Identity, frames ...string) {
		c := h.dial(who)
		for _, f := range frames {
			c.say("%s", f)
		}
		var m message
		for range frames {
			m = c.next() // the answer to the last one counts
		}
		fmt.Fprintf(&got, "%s\n\t%s\n", name, m.raw)
		conversation := who.Conversation
		if conversation == "" {
			conversation = "conv_1"
		}
		c.say(`{"type":"conversation.open","id":"after","conversation":%q}`, conversation)
		if m := c.answer("after"); m.Type != "ack" {
			t.Errorf("%s: the connection was of no use afterwards: %s", name, m.raw)
		}
	}
	add := func(id, role, text string) string {
		return fmt.Sprintf(`{"type":"turn.add","id":%q,"conversation":"conv_1","data":{"role":%q,"text":%q}}`, id, role, text)
	}
	try("not JSON", agent, `{"type":`)
	try("not an object", agent, `[1,2]`)
	try("type of a field", agent, `{"type":"turn.add","id":7}`)
	try("type of a data field", source, `{"type":"turn.add","id":"1","conversation":"conv_1","data":{"text":7}}`)
	try("not a time", source, `{"type":"turn.add","id":"1","conversation":"conv_1","data":{"role":"customer","text":"x","at":"yesterday"}}`)
	try("data is a list", source, `{"type":"turn.add","id":"1","conversation":"conv_1","data":[]}`)
	try("no type", agent, `{"id":"1"}`)
	try("unknown type", agent, `{"type":"turn.delete","id":"1"}`)
	try("too deep", agent, strings.Repeat("[", 5000))
	try("NUL in the text", customer, `{"type":"turn.add","id":"1","conversation":"conv_1","data":{"role":"customer","text":"a\u0000b"}}`)
	try("no id", customer, add("", "customer", "x"))
	try("no conversation", source, `{"type":"turn.add","id":"1","data":{"role":"customer","text":"x"}}`)
	try("unknown role", source, add("1", "king", "x"))
	try("a customer as agent", customer, add("1", "agent", "x"))
	try("an agent adds a turn", agent, add("1", "agent", "x"))
	try("a customer replies", customer, `{"type":"reply.send","id":"1","conversation":"conv_1","data":{"text":"x"}}`)
	try("a source replies", source, `{"type":"reply.send","id":"1","conversation":"conv_1","data":{"text":"x"}}`)
	try("somebody else's conversation", customer, `{"type":"conversation.open","id":"1","conversation":"conv_2"}`)
	try("nobody's conversation", customer, `{"type":"conversation.open","id":"1","conversation":"conv_nowhere"}`)
	try("a turn for somebody else", customer, `{"type":"turn.add","id":"1","conversation":"conv_2","data":{"role":"customer","text":"x"}}`)
	try("a customer asks for a suggestion", customer, `{"type":"suggestion.request","id":"1","conversation":"conv_1"}`)
	try("a customer watches the queue", customer, `{"type":"queue.open","id":"1"}`)
	try("empty text", customer, add("1", "customer", "  "))
	try("8,000 characters", customer, add("full", "customer", strings.Repeat("é", 8000)))
	try("8,001 characters", customer, add("1", "customer", strings.Repeat("é", 8001)))
	try("same id, same text", customer, add("dup", "customer", "x"), add("dup", "customer", "x"))
	try("same id, other text", customer, add("dup", "customer", "y"))
	try("unknown step state", agent, `{"type":"step.set","id":"1","conversation":"conv_1","data":{"step_id":"s","state":"perhaps"}}`)
	try("bad mark without a known reason", agent, `{"type":"suggestion.feedback","id":"1","conversation":"conv_1","data":{"suggestion_id":"s","verdict":"bad","reason":"meh"}}`)
	try("taking what is not there", agent, `{"type":"handoff.take","id":"1","conversation":"conv_nowhere"}`)

	const golden = "testdata/badinput.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got.String()); d != "" {
		t.Errorf("the answers changed; -update if that is meant:\n%s", d)
	}
	turns, _, err := h.chat.Transcript(t.Context(), agent, "conv_1")
	if err != nil || len(turns) != 2 {
		t.Errorf("%d turns were stored, want the 2 good ones (%v)", len(turns), err)
	}
}

func TestFatalInput(t *testing.T) {
	h := open(t, nil)
	for _, tc := range []struct {
		name string
		kind int
		data []byte
		code int
	}{
		{"1 MB", websocket.TextMessage, []byte(`{"type":"` + strings.Repeat("x", 1<<20) + `"}`), 4413},
		{"binary", websocket.BinaryMessage, []byte(`{}`), 4400},
		{"invalid UTF-8", websocket.TextMessage, []byte("{\"type\":\"\xff\"}"), 4400},
	} {
		c := h.dial(agent)
		_ = c.WriteMessage(tc.kind, tc.data) // may fail when the server hangs up in the middle
		if code, text := c.closed(); code != tc.code || text == "" {
			t.Errorf("%s: closed with %d %q, want %d", tc.name, code, text, tc.code)
		}
	}
	c := h.dial(agent)
	for range 10 {
		c.say("garbage")
	}
	if code, _ := c.closed(); code != 4400 {
		t.Errorf("10 malformed frames: closed with %d", code)
	}
}

func TestFloodIsCut(t *testing.T) {
	h := open(t, nil)
	c := h.dial(customer)
	for i := range 100 {
		_ = c.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"type":"typing","id":"%d","conversation":"conv_1"}`, i))
	}
	limited := 0
	for {
		m, err := c.read()
		if err != nil {
			if !websocket.IsCloseError(err, 4429) {
				t.Errorf("the flood ended with %v", err)
			}
			break
		}
		if m.Error != nil && m.Error.Code == assist.RateLimited {
			limited++
		}
	}
	if limited == 0 {
		t.Error("no frame was refused before the cut")
	}
}

func TestUpgradeIsGuarded(t *testing.T) {
	h := open(t, func(o *ws.Options) { o.Origins = []string{"https://shop.example"} })
	good := h.token(agent, time.Hour)
	other, err := auth.NewSigner([]byte("another-secret-another-secret-!!"))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := other.Sign(agent, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, authorization, protocols, origin string
		status, code                           int
	}{
		{"header", "Bearer " + good, "", "", 101, 0},
		{"header, own origin", "Bearer " + good, "", h.http.URL, 101, 0},
		{"header, foreign origin", "Bearer " + good, "", "https://evil.example", 403, 0},
		{"header, null origin", "Bearer " + good, "", "null", 403, 0},
		{"no token", "", "", h.http.URL, 401, 0},
		{"forged", "Bearer " + forged, "", "", 401, 0},
		{"maintainer", "Bearer " + h.token(assist.Identity{Subject: "m", Actor: assist.ActorMaintainer}, time.Hour), "", "", 403, 0},
		{"page", "", "aside.v1, bearer." + good, h.http.URL, 101, 0},
		{"page, listed", "", "aside.v1, bearer." + good, "https://shop.example", 101, 0},
		{"page, suffix trick", "", "aside.v1, bearer." + good, "https://shop.example.evil.example", 403, 0},
		{"page, sub-domain", "", "aside.v1, bearer." + good, "https://a.shop.example", 403, 0},
		{"page, other port", "", "aside.v1, bearer." + good, "https://shop.example:444", 403, 0},
		{"page, other scheme", "", "aside.v1, bearer." + good, "http://shop.example", 403, 0},
		{"page, own host as a suffix", "", "aside.v1, bearer." + good, strings.Replace(h.http.URL, "//", "//evil", 1), 403, 0},
		{"page, own host as a user", "", "aside.v1, bearer." + good, h.http.URL + "@evil.example", 403, 0},
		{"page, own host as a prefix", "", "aside.v1, bearer." + good, strings.Replace(h.http.URL, ":", ".evil.example:", 2), 403, 0},
		{"page, another server of this machine", "", "aside.v1, bearer." + good, "http://127.0.0.1:1", 403, 0},
		{"page, IPv6", "", "aside.v1, bearer." + good, "http://[::1]:7400", 403, 0},
		{"page, not a web page", "", "aside.v1, bearer." + good, "file://" + strings.TrimPrefix(h.http.URL, "http://"), 403, 0},
		{"page, no origin", "", "aside.v1, bearer." + good, "", 403, 0},
		{"page, forged", "", "aside.v1, bearer." + forged, h.http.URL, 101, 4401},
	} {
		head := http.Header{}
		for k, v := range map[string]string{"Authorization": tc.authorization, "Sec-WebSocket-Protocol": tc.protocols, "Origin": tc.origin} {
			if v != "" {
				head.Set(k, v)
			}
		}
		conn, resp, err := websocket.DefaultDialer.Dial(h.url(), head)
		if resp == nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if resp.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d", tc.name, resp.StatusCode, tc.status)
		}
		if err != nil {
			b, _ := io.ReadAll(resp.Body)
			if ct := resp.Header.Get("Content-Type"); ct != "application/problem+json" || !strings.Contains(string(b), `"detail"`) {
				t.Errorf("%s: %s %s", tc.name, ct, b)
			}
			continue
		}
		c := &client{t, conn}
		if tc.protocols != "" && conn.Subprotocol() != "aside.v1" {
			t.Errorf("%s: subprotocol %q", tc.name, conn.Subprotocol())
		}
		if tc.code != 0 {
			if code, text := c.closed(); code != tc.code || !strings.Contains(text, "not signed") {
				t.Errorf("%s: closed with %d %q", tc.name, code, text)
			}
		} else if m := c.next(); m.Type != "welcome" {
			t.Errorf("%s: first frame %s", tc.name, m.raw)
		}
		conn.Close()
	}
}

func TestTokenExpiresOnTheSocket(t *testing.T) {
	h := open(t, nil)
	conn, _, err := websocket.DefaultDialer.Dial(h.url(), http.Header{"Authorization": {"Bearer " + h.token(agent, time.Second)}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t, conn}
	if code, text := c.closed(); code != 4401 || !strings.Contains(text, "expired") {
		t.Errorf("closed with %d %q", code, text)
	}
}

// clumsy is a service with a bug.
type clumsy struct{ ws.Service }

func (c clumsy) Open(ctx context.Context, who assist.Identity, id string, after int64, limit int) (assist.Conversation, []assist.Event, error) {
	if id == "conv_bad" {
		panic("a bug")
	}
	return c.Service.Open(ctx, who, id, after, limit)
}

// TestPanicsCostOneSocket: also one in the writer, which opens conversations. The
// others' sockets, and the process, stay.
func TestPanicsCostOneSocket(t *testing.T) {
	h := open(t, func(o *ws.Options) { o.Service = clumsy{o.Service} })
	stays, goes := h.dial(agent), h.dial(agent)
	goes.say(`{"type":"conversation.open","id":"1","conversation":"conv_bad","data":{"after":0}}`)
	for {
		if _, err := goes.read(); err != nil {
			break
		}
	}
	stays.say(`{"type":"conversation.open","id":"2","conversation":"conv_1","data":{"after":0}}`)
	if m := stays.answer("2"); m.Type != "ack" {
		t.Errorf("somebody else's socket: %s", m.raw)
	}
}
