package app_test

import (
	"encoding/json"
	"testing"

	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
)

// What an agent types is held to what this agent may give: on the wire, with the
// limits of the sample company.
func TestTypedTextIsHeldToTheLimits(t *testing.T) {
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	const conversation = "conv_typed"
	tool := connect(t, a, cfg, source)
	tool.send("turn.add", "1", conversation, map[string]any{"role": "customer", "text": "The zipper of my jacket broke.", "external_id": "m1"})
	agent := connect(t, a, cfg, maya)
	agent.send("conversation.open", "p", conversation, map[string]int{"after": 0})
	agent.until("suggestion.ready", "")
	for text, want := range map[string]string{
		"I'd like to add $25 of store credit.": "",
		"I'd like to add $40 of store credit.": "$40 is more store credit than the 25 USD you may give this quarter. Ask your lead.",
		"I'll book you a repair at no cost.":   "“I'll book”: paid repair at no cost is not yours to give. Ask your lead.",
	} {
		f := agent.send("draft.check", "c"+text, conversation, map[string]string{"text": text})
		var d struct{ Verdicts []assist.Verdict }
		if err := json.Unmarshal(f.Data, &d); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, v := range d.Verdicts {
			if v.Check == "authority" {
				got += v.Reason
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
