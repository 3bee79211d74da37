package app_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/ingest"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestGivenGesturesCount has a chat tool report a store credit; after that the
// agent is not offered what is no longer theirs, nor does a restart forget it.
func TestGivenGesturesCount(t *testing.T) {
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	const conversation = "conv_given"
	tool := connect(t, a, cfg, source)
	agent := connect(t, a, cfg, maya)
	say := func(id, text string) {
		tool.send("turn.add", id, conversation, map[string]any{"role": "customer", "text": text, "external_id": "m" + id})
	}
	say("1", "The zipper of my jacket broke and you promised a refund by Monday.")
	agent.send("conversation.open", "p", conversation, map[string]int{"after": 0})
	tool.send("turn.add", "2", conversation, map[string]any{"role": "action", "text": "Added", "external_id": "m2",
		"action": map[string]any{"name": "add-store-credit", "values": []string{"$25"}}})
	var s assist.Suggestion
	for n := 3; n < 40; n++ { // the count is behind the report, by an event nobody waits for but the next suggestion
		say(string(rune('A'+n)), "You promised a refund by Monday, and my jacket is still broken.")
		f := agent.until("suggestion.ready", conversation)
		if err := json.Unmarshal(f.Data, &s); err != nil {
			t.Fatal(err)
		}
		if given(s) {
			return
		}
	}
	t.Fatalf("a credit that was given is offered again: %+v", s.Options)
}

func given(s assist.Suggestion) bool {
	for _, o := range s.Options {
		if strings.Contains(o.Detail, "$25 was given already") && o.Authority == "your lead" {
			return true
		}
	}
	return false
}

func TestMalformedAuthorityIsRefused(t *testing.T) {
	db := testdb.Open(t)
	dir := t.TempDir()
	write := func(body string) {
		if err := os.WriteFile(filepath.Join(dir, "authority.yaml"), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	good := "currency: EUR\npolicy: p\ngestures:\n  credit: {title: Credit, action: Add, unit: money, rank: 1}\nlimits:\n  - {role: agent, gesture: credit, amount: 5, period: order}\n"
	write(good)
	if err := app.PutAuthority(t.Context(), db, []string{dir}); err != nil {
		t.Fatal(err)
	}
	write(strings.Replace(good, "amount: 5", "amount: lots", 1))
	err := app.PutAuthority(t.Context(), db, []string{dir})
	if assist.CodeOf(err) != assist.Invalid || !strings.Contains(assist.MessageOf(err), "line 6") {
		t.Errorf("refused with %v", err)
	}
	if body, err := db.Authority(t.Context()); err != nil || body != good {
		t.Errorf("the limits in force changed: %q %v", body, err)
	}
	if err := app.PutAuthority(t.Context(), db, []string{t.TempDir()}); err != nil {
		t.Errorf("a folder without limits: %v", err)
	}
}

// TestLearnSteps learns from a file and finds it stored.
func TestLearnSteps(t *testing.T) {
	db := testdb.Open(t)
	if _, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{sample(t)}, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "past.jsonl")
	line := `{"_id":"1","policy":"return-defective-item","turns":[{"role":"customer","text":"my zipper broke"},{"role":"action","text":"","action":{"name":"pull-up-account"}},{"role":"agent","text":"I'm sorry"}]}` + "\n"
	if err := os.WriteFile(file, []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := app.LearnSteps(t.Context(), db, file, quiet(), nil)
	if err != nil || out.Conversations != 1 || out.Steps != 3 {
		t.Fatalf("%+v, %v", out, err)
	}
	stored, err := db.StepWeights(t.Context())
	if err != nil || stored["n|return-defective-item"] != 1 {
		t.Errorf("stored %d features, %v", len(stored), err)
	}
}
