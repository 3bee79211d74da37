package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/testkit/scripted"
)

// TestModelIsPaidForNothing is F8 and F9: a model of one token a second streams
// to the agent; a newer message, the agent's leaving and the agent's answer each
// end the request at the model's server; who comes back has it made anew.
func TestModelIsPaidForNothing(t *testing.T) {
	model := scripted.Start(t, scripted.Script{Behaviour: scripted.Behaviour{TokensPerSecond: 1}})
	a, cfg := server(t, func(c *app.Config) { c.Model = app.Endpoint{BaseURL: model.URL, Model: "scripted"} })
	const conversation = "conv_slow"
	customer := connect(t, a, cfg, dana(conversation))
	agent := connect(t, a, cfg, maya)
	agent.send("conversation.open", "o", conversation, object{"after": 0})
	// begun waits until the model is asked, for a suggestion that the agent sees.
	asked := 0
	begun := func(agent *client) {
		t.Helper()
		asked++
		agent.until("suggestion.instant", "")
		for end := time.Now().Add(time.Minute); model.Chats() < asked; {
			if time.Now().After(end) {
				t.Fatalf("the model was asked %d times, not %d", model.Chats(), asked)
			}
			<-time.After(time.Millisecond)
		}
	}
	gone := func(why string, since time.Time, limit time.Duration) {
		t.Helper()
		select {
		case <-model.Gone():
			t.Logf("%s: the model's server was left after %s; at rest it is within %s", why, time.Since(since).Round(time.Millisecond), limit)
		case <-time.After(time.Minute):
			t.Fatalf("%s: the model's server still streams", why)
		}
	}

	customer.send("turn.add", "1", conversation, object{"role": "customer", "text": "The zipper of my jacket broke, do I get a refund?"})
	begun(agent)
	agent.until("suggestion.delta", "")
	since := time.Now()
	customer.send("turn.add", "2", conversation, object{"role": "customer", "text": "And how long does the refund take?"})
	gone("superseded", since, 200*time.Millisecond)

	begun(agent)
	since = time.Now()
	if err := agent.conn.Close(); err != nil {
		t.Fatal(err)
	}
	gone("the last viewer left", since, time.Second)

	agent = connect(t, a, cfg, maya)
	agent.send("conversation.open", "o", conversation, object{"after": 0})
	left := agent.until("suggestion.failed", "everybody had left")
	if !strings.Contains(string(left.Data), `"instant"`) {
		t.Errorf("the instant draft did not stay: %.300s", left.Data)
	}
	begun(agent)
	since = time.Now()
	agent.send("reply.send", "r", conversation, object{"text": "You get it within five days."})
	gone("answered", since, 200*time.Millisecond)
}
