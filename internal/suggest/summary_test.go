package suggest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/prompts"
)

func TestSummarize(t *testing.T) {
	set, err := prompt.Load(prompts.Files)
	if err != nil {
		t.Fatal(err)
	}
	turns := []assist.Turn{
		{Seq: 1, Role: assist.RoleCustomer, Text: "hi"},
		{Seq: 2, Role: assist.RoleCustomer, Text: "my jacket's zipper broke, order WF-493348, mail me at dana@example.org"},
		{Seq: 3, Role: assist.RoleBot, Text: "A person will look into this."},
		{Seq: 4, Role: assist.RoleSystem, Action: &assist.Action{Name: "pull-up-account", Values: []string{"WF-493348"}}},
		{Seq: 5, Role: assist.RoleCustomer, Text: "i paid $129 for it!!"},
	}
	own := strings.Join([]string{
		"Wants: “my jacket's zipper broke, order WF-493348, mail me at dana@example.org”",
		"Last wrote: “i paid $129 for it!!”", "Known: WF-493348", "Done: pull-up-account WF-493348",
		"Last told: “A person will look into this.”",
	}, "\n")
	good := `{"wants":"A refund for a jacket, write to [MAIL_1].","known":"Order WF-493348, paid $129.","tried":"","open":"Look at the zipper."}`
	for name, tt := range map[string]struct {
		model *llm.Script
		want  string
	}{
		"no model":         {nil, own},
		"good":             {&llm.Script{Deltas: []string{good}}, "Wants: A refund for a jacket, write to dana@example.org.\nKnown: Order WF-493348, paid $129.\nNext: Look at the zipper."},
		"invents money":    {&llm.Script{Deltas: []string{strings.Replace(good, "$129", "$500", 1)}}, own},
		"invents a link":   {&llm.Script{Deltas: []string{strings.Replace(good, "Look at", "See https://evil.example for", 1)}}, own},
		"down":             {&llm.Script{Err: llm.ErrDown}, own},
		"garbage":          {&llm.Script{Deltas: []string{"I cannot."}}, own},
		"says nothing":     {&llm.Script{Deltas: []string{`{"wants":""}`}}, own},
		"not even an end ": {&llm.Script{Deltas: []string{`{"wants":"x"`}}, own},
	} {
		t.Run(name, func(t *testing.T) {
			s := Summarizer{Prompts: set}
			if tt.model != nil {
				s.Model = tt.model
			}
			got := s.Summarize(t.Context(), "c", turns, "asked for a person")
			if d := cmp.Diff(tt.want, got.Text); d != "" {
				t.Error(d)
			}
			if (got.Prompt != nil) != (name == "good") {
				t.Errorf("prompt %+v", got.Prompt)
			}
			if tt.model != nil && tt.model.Requests() != nil {
				if asked := tt.model.Requests()[0].Messages[1].Content; strings.Contains(asked, "dana@") {
					t.Error("the model saw a mail address")
				}
			}
		})
	}
	if got := (Summarizer{}).Summarize(t.Context(), "c", nil, ""); got.Text != "" {
		t.Errorf("an empty chat: %q", got.Text)
	}
}

// TestPromptOf: customers are written to with the bot's prompt, and a roll-out
// gives a conversation its variant, always the same.
func TestPromptOf(t *testing.T) {
	set, err := prompt.Load(prompts.Files)
	if err != nil {
		t.Fatal(err)
	}
	all, err := prompt.ParseRollout("reply@short=100")
	if err != nil {
		t.Fatal(err)
	}
	for want, s := range map[string]*Suggester{
		"reply": New(Options{Prompts: set}), "reply@short": New(Options{Prompts: set, Rollout: all}),
	} {
		if got := s.promptName(assist.Moment{Conversation: "c", Audience: assist.AudienceInternal}); got != want {
			t.Errorf("an agent's is %s, want %s", got, want)
		}
		if got := s.promptName(assist.Moment{Conversation: "c", Audience: assist.AudiencePublic}); got != "bot" {
			t.Errorf("a customer's is %s", got)
		}
	}
}
