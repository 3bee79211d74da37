package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

const (
	mine   = "conv-mine"
	theirs = "conv-theirs"
	nobody = "conv-nowhere"
)

var ci = assist.Identity{Subject: "ci", Actor: assist.ActorMaintainer}

func tokenOf(t *testing.T, cfg app.Config, who assist.Identity) string {
	t.Helper()
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(who, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// call makes a request and gives its status and body.
func call(t *testing.T, method, url, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("Content-Type", "application/json")
	if method == "PUT" {
		r.Header.Set("Content-Type", "text/markdown")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// two has both customers write, and gives the id of a suggestion of the second.
func two(t *testing.T, a *app.App, cfg app.Config) (suggestion string) {
	t.Helper()
	tool := connect(t, a, cfg, source)
	for _, id := range []string{mine, theirs} {
		tool.send("conversation.open", "o-"+id, id, object{"after": 0})
		tool.send("turn.add", "t-"+id, id, object{"role": "customer", "text": "the zipper of my jacket broke, can I get a refund"})
		tool.next(func(f frame) bool {
			if f.Type == "suggestion.ready" && f.Conversation == id {
				suggestion = regexp.MustCompile(`sug_[a-z0-9]+`).FindString(string(f.Data))
				return true
			}
			return false
		})
	}
	return suggestion
}

// TestAuthorisationHTTP holds who may do what over HTTP: every route of the
// published API, with every role, on their own and on others' things. A route
// without a line fails.
func TestAuthorisationHTTP(t *testing.T) {
	a, cfg := server(t, nil)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	suggestion := two(t, a, cfg)
	roles := []string{"nobody", "customer", "agent", "source", "maintainer", "revoked"}
	tokens := map[string]string{"nobody": "", "customer": tokenOf(t, cfg, dana(mine)), "agent": tokenOf(t, cfg, maya), "source": tokenOf(t, cfg, source),
		"maintainer": tokenOf(t, cfg, ci), "revoked": tokenOf(t, cfg, assist.Identity{Subject: "gone", Actor: assist.ActorAgent})}
	if code, body := call(t, "POST", a.URL()+"/v1/revocations", tokens["maintainer"], `{"subject":"gone"}`); code != 204 {
		t.Fatalf("revoke: %d %s", code, body)
	}
	turn := func(id string) string {
		return `{"id":"` + id + `","role":"customer","text":"hello there"}`
	}
	// What each role is answered, in the order of roles; 0: see the line after.
	type line struct {
		route, path, body string
		want              [6]int
	}
	open := func(code int) [6]int { return [6]int{code, code, code, code, code, code} }
	lines := []line{
		{"GET /healthz", "/healthz", "", open(200)},
		{"GET /readyz", "/readyz", "", open(200)},
		{"GET /metrics", "/metrics", "", open(200)},
		{"GET /v1/ws", "/v1/ws", "", [6]int{403, 400, 400, 400, 403, 401}}, // nobody: neither an origin nor a token
		{"GET /v1/session", "/v1/session", "", open(401)},
		{"DELETE /v1/session", "/v1/session", "", open(404)},
		{"GET /v1/signin", "/v1/signin", "", open(404)},
		{"GET /v1/signin/callback", "/v1/signin/callback", "", open(404)},
		{"POST /v1/hooks/{tool}", "/v1/hooks/none", "{}", open(404)},
		{"GET /v1/deliveries", "/v1/deliveries", "", [6]int{401, 403, 200, 403, 200, 401}},
		{"POST /v1/deliveries/{id}/replay", "/v1/deliveries/none/replay", "", [6]int{401, 403, 404, 403, 404, 401}},
		{"OPTIONS /v1/status", "/v1/status", "", open(204)},
		{"OPTIONS /v1/conversations/{id}", "/v1/conversations/" + mine, "", open(204)},
		{"OPTIONS /v1/suggestions/{id}", "/v1/suggestions/x", "", open(204)},
		{"POST /v1/widget/session", "/v1/widget/session", "{}", open(200)},
		{"OPTIONS /v1/widget/session", "/v1/widget/session", "", open(204)},
		{"GET /v1/status", "/v1/status", "", [6]int{401, 403, 200, 403, 200, 401}},
		{"GET /v1/conversations", "/v1/conversations", "", [6]int{401, 403, 200, 403, 403, 401}},
		{"GET /v1/conversations/{id}", "/v1/conversations/" + mine, "", [6]int{401, 200, 200, 200, 403, 401}},
		{"GET /v1/conversations/{id}", "/v1/conversations/" + theirs, "", [6]int{401, 403, 200, 200, 403, 401}},
		{"GET /v1/conversations/{id}", "/v1/conversations/" + nobody, "", [6]int{401, 403, 404, 404, 403, 401}},
		{"POST /v1/conversations/{id}/turns", "/v1/conversations/" + mine + "/turns", turn("m"), [6]int{401, 201, 403, 201, 403, 401}},
		{"POST /v1/conversations/{id}/turns", "/v1/conversations/" + theirs + "/turns", turn("t"), [6]int{401, 403, 403, 201, 403, 401}},
		{"POST /v1/conversations/{id}/turns", "/v1/conversations/" + nobody + "/turns", turn("n"), [6]int{401, 403, 403, 201, 403, 401}},
		{"GET /v1/suggestions/{id}", "/v1/suggestions/" + suggestion, "", [6]int{401, 403, 200, 403, 200, 401}},
		{"GET /v1/suggestions/{id}", "/v1/suggestions/sug_none", "", [6]int{401, 403, 404, 403, 404, 401}},
		{"PUT /v1/documents/{id}", "/v1/documents/new", "# New\n\nA page.\n", [6]int{401, 403, 403, 403, 201, 401}},
		{"GET /v1/documents/{id}", "/v1/documents/new", "", [6]int{401, 404, 200, 200, 200, 401}}, // it is internal
		{"DELETE /v1/documents/{id}", "/v1/documents/new", "", [6]int{401, 403, 403, 403, 204, 401}},
		{"POST /v1/search", "/v1/search", `{"text":"refund"}`, [6]int{401, 200, 200, 200, 200, 401}},
		{"POST /v1/search", "/v1/search", `{"text":"refund","audience":"internal"}`, [6]int{401, 403, 200, 200, 200, 401}},
		{"POST /v1/revocations", "/v1/revocations", `{"subject":"whoever"}`, [6]int{401, 403, 403, 403, 204, 401}},
		{"DELETE /v1/customers/{id}", "/v1/customers/tool/none", "", [6]int{401, 403, 403, 403, 404, 401}},
		{"DELETE /v1/conversations/{id}", "/v1/conversations/" + nobody, "", [6]int{401, 403, 403, 403, 204, 401}},
		{"DELETE /v1/conversations/{id}", "/v1/conversations/" + theirs, "", [6]int{401, 403, 403, 403, 204, 401}},
	}
	var known []string
	fresh := func(who assist.Identity, n int) string { // whose rate nobody has used up
		who.Subject = fmt.Sprint(who.Subject, n)
		return tokenOf(t, cfg, who)
	}
	for n, l := range lines {
		known = append(known, l.route)
		tokens["customer"], tokens["maintainer"] = fresh(dana(mine), n), fresh(ci, n)
		method, _, _ := strings.Cut(l.route, " ")
		var words []string
		for i, role := range roles {
			code, body := call(t, method, a.URL()+l.path, tokens[role], l.body)
			if code != l.want[i] {
				t.Errorf("%s %s as %s: %d, want %d: %.200s", method, l.path, role, code, l.want[i], body)
			}
			if role == "customer" && code == 403 {
				words = append(words, body)
			}
		}
		if strings.Contains(strings.Join(words, " "), theirs) || strings.Contains(strings.Join(words, " "), nobody) {
			t.Errorf("%s: the refusal names the thing: %s", l.route, words)
		}
	}
	tokens["customer"] = fresh(dana(mine), len(lines))
	// Somebody else's conversation and one that is not there are refused alike.
	_, other := call(t, "GET", a.URL()+"/v1/conversations/conv-x", tokens["customer"], "")
	_, absent := call(t, "GET", a.URL()+"/v1/conversations/"+mine+"x", tokens["customer"], "")
	if other != absent {
		t.Errorf("%s\n%s", other, absent)
	}
	for _, route := range published(t, a) {
		if !slices.Contains(known, route) {
			t.Errorf("%s has no line in this table: who may do it?", route)
		}
	}
}

// published lists the routes of the server's own API description, which a test of
// internal/web holds equal to its routes.
func published(t *testing.T, a *app.App) (routes []string) {
	t.Helper()
	code, text := call(t, "GET", a.URL()+"/docs/openapi.yaml", "", "")
	if code != 200 {
		t.Fatal(code)
	}
	path := ""
	paths := regexp.MustCompile(`(?m)^  (/\S*):$`)
	method := regexp.MustCompile(`^    (get|put|post|delete|options|patch|head):$`)
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		if m := paths.FindStringSubmatch(l); m != nil {
			path = m[1]
		}
		if m := method.FindStringSubmatch(l); m != nil && path != "" {
			routes = append(routes, strings.ToUpper(m[1])+" "+path)
		}
	}
	if len(routes) < 15 {
		t.Fatalf("only %v is published: is the test in its place?", routes)
	}
	return routes
}

// TestAuthorisationWS holds the same for every message type a socket may send.
func TestAuthorisationWS(t *testing.T) {
	a, cfg := server(t, nil)
	two(t, a, cfg)
	sockets := map[string]*client{"agent": connect(t, a, cfg, maya), "source": connect(t, a, cfg, source)}
	left := messageTypes(t, sockets["agent"])
	const y, n = true, false
	for typ, l := range map[string]struct {
		data                    object
		customer, agent, source bool
	}{
		"conversation.open":   {object{"after": 0}, y, y, y},
		"queue.open":          {object{}, n, y, n},
		"turn.add":            {object{"role": "customer", "text": "and another thing"}, y, n, y},
		"reply.send":          {object{"text": "Hello."}, n, y, n},
		"typing":              {object{"role": "customer", "text": "a"}, y, n, y},
		"suggestion.request":  {object{}, n, y, n},
		"suggestion.feedback": {object{"suggestion_id": "sug_x", "verdict": "good"}, n, y, n},
		"draft.check":         {object{"text": "Refunds take 5 days."}, n, y, n},
		"step.set":            {object{"step_id": "x/1", "state": "done"}, n, y, n},
		"handoff.request":     {object{}, y, n, n},
		"handoff.take":        {object{}, n, y, n},
		"handoff.return":      {object{}, n, y, n},
		"conversation.close":  {object{}, n, y, n},
	} {
		delete(left, typ)
		sockets["customer"] = connect(t, a, cfg, dana(mine)) // another one: its rate is low
		for role, may := range map[string]bool{"customer": l.customer, "agent": l.agent, "source": l.source} {
			for _, conversation := range []string{mine, theirs, nobody} {
				want := may && (role != "customer" || conversation == mine)
				answer := sockets[role].send(typ, fmt.Sprint(typ, role, conversation), conversation, l.data)
				refused := answer.Error != nil && (answer.Error.Code == assist.Forbidden || answer.Error.Code == assist.Unauthenticated)
				if refused == want {
					t.Errorf("%s on %s as %s: refused %v: %+v", typ, conversation, role, refused, answer.Error)
				}
				if refused && strings.Contains(answer.Error.Message, conversation) {
					t.Errorf("%s: the refusal names the thing: %s", typ, answer.Error.Message)
				}
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("message types without a line in this table: %v", left)
	}
	// Nobody and maintainers get no socket at all.
	for name, head := range map[string]http.Header{"nobody": {}, "maintainer": {"Authorization": {"Bearer " + tokenOf(t, cfg, ci)}}} {
		conn, res, err := websocket.DefaultDialer.DialContext(t.Context(), "ws"+strings.TrimPrefix(a.URL(), "http")+"/v1/ws", head)
		if err == nil {
			conn.Close()
			t.Errorf("%s has a socket", name)
		} else if res == nil || res.StatusCode != 403 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// messageTypes asks the server what may be sent to it.
func messageTypes(t *testing.T, c *client) map[string]bool {
	t.Helper()
	types := map[string]bool{}
	_, list, _ := strings.Cut(c.send("?", "types", "", object{}).Error.Message, "one of ")
	for _, typ := range strings.Split(list, ", ") {
		types[typ] = true
	}
	if len(types) < 10 {
		t.Fatalf("the server knows %v", types)
	}
	return types
}

// TestRevokedOnALiveSocket holds that a revoked token's sockets are closed, within
// five seconds on a machine at rest, whoever revoked it, and that nothing more is said on them.
func TestRevokedOnALiveSocket(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for sockets to be looked at")
	}
	a, cfg := server(t, nil)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	stays := connect(t, a, cfg, assist.Identity{Subject: "noor", Actor: assist.ActorAgent})
	here := connect(t, a, cfg, maya)
	here.send("queue.open", "q", "", object{})
	elsewhere := connect(t, a, cfg, assist.Identity{Subject: "max", Actor: assist.ActorAgent, Token: "jti-max"})
	customer := connect(t, a, cfg, dana(mine))

	began := time.Now()
	if code, body := call(t, "POST", a.URL()+"/v1/revocations", tokenOf(t, cfg, ci), `{"subject":"maya"}`); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	db, err := app.OpenDatabase(context.WithoutCancel(t.Context()), cfg, quiet()) // as the command line does
	if err != nil {
		t.Fatal(err)
	}
	defer db.Shut()
	if err := app.Revoke(t.Context(), db.DB, "cli", assist.RevokeToken, "jti-max"); err != nil {
		t.Fatal(err)
	}
	if err := app.Revoke(t.Context(), db.DB, "cli", assist.RevokeSubject, dana(mine).Subject); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*client{"by subject, here": here, "by token, elsewhere": elsewhere, "a customer": customer} {
		for {
			_, _, err := c.conn.ReadMessage()
			if err == nil {
				continue
			}
			if !websocket.IsCloseError(err, 4401) {
				t.Errorf("%s: %v", name, err)
			}
			break
		}
		t.Logf("%s: closed after %s", name, time.Since(began).Round(time.Millisecond))
	}
	if f := stays.send("queue.open", "q", "", object{}); f.Error != nil {
		t.Errorf("somebody else's socket: %+v", f.Error)
	}
	// And a token that is issued afterwards is good: times in tokens are whole seconds.
	signer, err := cfg.Signer()
	if err != nil {
		t.Fatal(err)
	}
	for late := time.After(time.Minute); ; {
		token, err := signer.Sign(maya, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := call(t, "GET", a.URL()+"/v1/conversations", token, ""); code == 200 {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-late:
			t.Fatal("whoever was revoked never gets in again")
		}
	}
}

// TestErasedEndToEnd holds that nothing of an erased conversation can be had from
// the running server any more, nor from its metrics.
func TestErasedEndToEnd(t *testing.T) {
	a, cfg := server(t, nil)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	const canary = "zanzibar"
	tool, agent := connect(t, a, cfg, source), connect(t, a, cfg, maya)
	agent.send("conversation.open", "o", mine, object{"after": 0})
	tool.send("turn.add", "1", mine, object{"role": "customer", "text": "the zipper of my " + canary + " jacket broke, refund?", "customer": "4711"})
	ready := agent.until("suggestion.ready", "")
	id := regexp.MustCompile(`sug_[a-z0-9]+`).FindString(string(ready.Data))
	agent.send("reply.send", "2", mine, object{"text": "Your " + canary + " jacket is refunded in full.", "suggestion_id": id})
	if code, body := call(t, "DELETE", a.URL()+"/v1/customers/tool/4711", tokenOf(t, cfg, ci), ""); code != 204 {
		t.Fatalf("%d %s", code, body)
	}
	agent.until("conversation.erased", "")
	token := tokenOf(t, cfg, maya)
	for _, path := range []string{"/v1/conversations/" + mine, "/v1/suggestions/" + id} {
		if code, body := call(t, "GET", a.URL()+path, token, ""); code != 404 {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	var all bytes.Buffer
	for _, path := range []string{"/v1/conversations", "/metrics", "/v1/status"} {
		_, body := call(t, "GET", a.URL()+path, token, "")
		all.WriteString(body)
	}
	if strings.Contains(all.String(), canary) {
		t.Error("the canary is still told")
	}
	// The same id begins anew, on the same sockets.
	tool.send("turn.add", "3", mine, object{"role": "customer", "text": "the zipper of my jacket broke, can I get a refund"})
	if f := agent.until("turn.added", "zipper"); f.Seq != 1 {
		t.Errorf("the conversation goes on at %d", f.Seq)
	}
	if f := agent.until("suggestion.ready", ""); strings.Contains(string(f.Data), canary) {
		t.Error("the new suggestion knows the canary")
	}
}
