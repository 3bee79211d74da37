package app_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// TestGivenFollowsTheCustomer has one chat tool report two chats of one customer,
// and one of another: what the first was given counts in the second chat only.
func TestGivenFollowsTheCustomer(t *testing.T) {
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	tool := connect(t, a, cfg, source)
	agent := connect(t, a, cfg, maya)
	n := 0
	ask := func(conversation, customer string) assist.Suggestion {
		n++
		tool.send("turn.add", fmt.Sprint("q", n), conversation, map[string]any{"role": "customer", "customer": customer, "external_id": fmt.Sprint("m", n),
			"text": "You promised a refund by Monday, and my jacket is still broken."})
		var s assist.Suggestion
		if err := json.Unmarshal(agent.until("suggestion.ready", conversation).Data, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for i, c := range []string{"chat_1", "chat_2", "chat_3"} {
		tool.send("turn.add", fmt.Sprint("h", i), c, map[string]any{"role": "customer", "customer": map[string]string{"chat_3": "c-99"}[c], "text": "Hello", "external_id": "h"})
		agent.send("conversation.open", fmt.Sprint("o", i), c, map[string]int{"after": 0})
	}
	ask("chat_1", "c-17")
	tool.send("turn.add", "g", "chat_1", map[string]any{"role": "action", "text": "Added", "external_id": "g",
		"action": map[string]any{"name": "add-store-credit", "values": []string{"$25"}}})
	for !given(ask("chat_1", "c-17")) { // the count is behind the report
		if n > 60 {
			t.Fatal("never counted in its own chat")
		}
	}
	if s := ask("chat_2", "c-17"); !given(s) {
		t.Errorf("another chat of this customer: %+v", s.Options)
	}
	if s := ask("chat_3", "c-99"); given(s) {
		t.Errorf("another customer: %+v", s.Options)
	}
}

// TestLearnedElsewhere learns a file twice, and has a running server take it over.
func TestLearnedElsewhere(t *testing.T) {
	db := testdb.Open(t)
	if _, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{sample(t)}, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "past.jsonl")
	line := `{"_id":"1","policy":"return-defective-item","turns":[{"role":"customer","text":"my zipper broke"},{"role":"action","text":"","action":{"name":"pull-up-account"}}]}` + "\n"
	if err := os.WriteFile(file, []byte(line+line), 0o644); err != nil {
		t.Fatal(err)
	}
	first, err := app.LearnSteps(t.Context(), db, file, quiet(), nil)
	if err != nil || first.Conversations != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	before, err := db.StepWeights(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := app.LearnSteps(t.Context(), db, file, quiet(), nil)
	if err != nil || again.Steps != 0 {
		t.Fatalf("read again: %+v, %v", again, err)
	}
	after, err := db.StepWeights(t.Context())
	if d := cmp.Diff(before, after); err != nil || d != "" {
		t.Errorf("reading a file again changed what is known:\n%s", d)
	}
}

// TestWarnProcedures names the line, in the file, of what cannot be followed.
func TestWarnProcedures(t *testing.T) {
	db := testdb.Open(t)
	dir := t.TempDir()
	page := "---\ntitle: Lost keys\nkind: procedure\n---\n\n1. [Look] Look for them.\n2. Go to step 7.\n3. Follow \"Found keys\".\n4. Follow \"Key policy\".\n"
	for name, body := range map[string]string{"keys.md": page, "policy.md": "---\ntitle: Key policy\n---\n\nKeys belong to the house.\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ingest.Run(t.Context(), ingest.Options{}, db, []string{dir}, nil); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := app.WarnProcedures(t.Context(), db, slog.New(slog.NewTextHandler(&out, nil))); err != nil {
		t.Fatal(err)
	}
	got := out.String()
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, `line=7 what="there is no step 7 on this page"`) || !strings.Contains(got, `line=8 what="there is no procedure “Found keys”"`) {
		t.Error(got)
	}
}
