package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

// ears keeps a log; it is written by many.
type ears struct {
	mu sync.Mutex
	bytes.Buffer
}

func (e *ears) Write(b []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.Buffer.Write(b)
}

// TestLogsHoldNoText holds that neither the log at its most talkative nor the
// metrics have anything of what was said, sent or suggested, nor a token, also
// where things fail.
func TestLogsHoldNoText(t *testing.T) {
	const canary = "zanzibar"
	_, cfg := server(t, nil) // has the schema and the pages
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	model := scripted.Start(t, scripted.Script{Behaviour: scripted.Behaviour{Mode: scripted.Hostile}})
	cfg.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"}
	var log ears
	a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	tool, agent := connect(t, a, cfg, source), connect(t, a, cfg, maya)
	agent.send("conversation.open", "o", mine, object{"after": 0})
	tool.send("turn.add", "1", mine, object{"role": "customer", "name": canary, "text": "my " + canary + " jacket's zipper broke, refund? " + canary + "@example.com"})
	agent.next(func(f frame) bool { return f.Type == "suggestion.ready" || f.Type == "suggestion.failed" })
	left := messageTypes(t, agent)
	customer := connect(t, a, cfg, dana(mine))
	customer.send("handoff.request", "h", mine, object{"text": "a person, about " + canary})
	customer.send("typing", "ty", mine, object{"role": "customer", "text": canary})
	for typ, data := range map[string]object{
		"suggestion.request": {"instruction": "name the " + canary}, "suggestion.feedback": {"suggestion_id": canary, "verdict": "bad", "reason": canary},
		"step.set": {"step_id": canary + "/1", "state": "done"}, "handoff.take": {}, "handoff.return": {"reason": canary}, "typing": {"role": "agent", "text": canary},
	} {
		delete(left, typ)
		agent.send(typ, "a-"+typ, mine, data)
	}
	for _, typ := range []string{"turn.add", "reply.send", "draft.check", "handoff.request", "conversation.open", "conversation.close", "queue.open"} { // before and after
		delete(left, typ)
	}
	if len(left) > 0 {
		t.Errorf("message types that this test does not send: %v", left)
	}
	agent.send("draft.check", "2", mine, object{"text": canary + " costs 99 EUR"})
	agent.send("reply.send", "3", mine, object{"text": "Your " + canary + " is refunded."})
	tool.send("turn.add", "1", mine, object{"role": "customer", "text": "other words of " + canary}) // a conflict
	tool.send("turn.add", "4", mine, object{"role": canary, "text": canary})
	agent.send("conversation.close", "5", mine, object{"resolution": "the " + canary + " is refunded"})
	token := tokenOf(t, cfg, maya)
	for _, path := range []string{"/v1/conversations?token=" + token, "/v1/ws?token=" + token, "/v1/conversations?access_token=" + token} {
		if code, _ := call(t, "GET", a.URL()+path, "", ""); code != 401 && code != 403 {
			t.Errorf("a token in the address is believed: %d", code)
		}
	}
	call(t, "POST", a.URL()+"/v1/search", token, `{"text":"`+canary+`"}`)
	call(t, "POST", a.URL()+"/v1/search", token, `{"text":"`+canary+`\u0000"}`)
	_, metrics := call(t, "GET", a.URL()+"/metrics", "", "")
	if err := a.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	text := log.String()
	if !strings.Contains(text, "level=") {
		t.Fatal("nothing was logged: the test hears nothing")
	}
	signature := token[strings.LastIndexByte(token, '.')+1:]
	for what, in := range map[string]string{"log": text, "metrics": metrics} {
		for _, word := range []string{canary, signature} {
			if i := strings.Index(in, word); i >= 0 {
				t.Errorf("%s: …%s…", what, in[max(0, i-200):min(len(in), i+60)])
			}
		}
	}
}
