package suggest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/privacy"
	"github.com/aside-project/aside/internal/retrieve"
)

// TestSecretsStayInside records all that leaves for the model and for search: no
// secret is in it, and the agent still sees the real words.
func TestSecretsStayInside(t *testing.T) {
	secrets := []string{"4111 1111 1111 1111", "dana@mail.example", "DE89370400440532013000", "+1 555 010 9999", "hunter2!", "219-09-9999"}
	m := momentOf("c: My jacket broke after one wear, can I get a refund for the defective jacket to card " + secrets[0] + ". Write to " + secrets[1] + " or call " + secrets[3] +
		", my IBAN is " + secrets[2] + ", password: " + secrets[4] + " SSN " + secrets[5])
	m.Instruction = "Say that we write to " + secrets[1]
	model := &llm.Script{Answer: func(r llm.Request) []string {
		body := r.Messages[1].Content
		for _, p := range []string{"[CARD_1]", "[MAIL_1]", "[IBAN_1]", "[PHONE_1]", "[PASSWORD_1]", "[ID_1]"} {
			if !strings.Contains(body, p) {
				t.Errorf("the prompt lacks %s", p)
			}
		}
		return pieces(`{"abstain":"","sentences":[{"text":"We write to [MAIL_1], not to [MAIL_7].","citations":[]}],"asks":"","anticipates":"","next_steps":[],"options":[]}`, 5)
	}}
	asked := &listener{shelf: shop()}
	w := &watch{}
	got := suggester(t, asked, model).Run(t.Context(), m, w)

	outbound, err := json.Marshal(model.Requests())
	if err != nil || len(model.Requests()) != 1 {
		t.Fatalf("%d requests, %v", len(model.Requests()), err)
	}
	searched, err := json.Marshal(asked.questions)
	if err != nil || len(asked.questions) == 0 {
		t.Fatalf("%d questions, %v", len(asked.questions), err)
	}
	for _, s := range secrets {
		if strings.Contains(string(outbound), s) {
			t.Errorf("%q went to the model", s)
		}
		if strings.Contains(string(searched), s) {
			t.Errorf("%q went to the search", s)
		}
	}
	stored, err := json.Marshal(got.Question)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(secrets, "hunter2") {
		if strings.Contains(string(stored), s) {
			t.Errorf("%q is in the question that is stored", s)
		}
	}
	if got.Draft == nil || got.Draft.Text != "We write to dana@mail.example, not to [MAIL_7]." {
		t.Errorf("the agent reads %+v", got.Draft)
	}
	if shown := w.text.String(); !strings.Contains(shown, "dana@mail.example") {
		t.Errorf("the agent saw %q", shown)
	}
	for _, v := range got.Verdicts {
		if v.Words == "dana@mail.example" {
			t.Errorf("the customer's own address is marked: %+v", v)
		}
	}
	if strings.Contains(got.Prompt.Text, "4111") {
		t.Error("the stored prompt holds the card")
	}
}

// listener is a shelf that keeps what it was asked.
type listener struct {
	*shelf
	questions []assist.Question
}

func (l *listener) Search(ctx context.Context, scope retrieve.Scope, q assist.Question) (retrieve.Result, error) {
	l.questions = append(l.questions, q)
	return l.shelf.Search(ctx, scope, q)
}

// TestMaskedEverywhere: what people write stands in more places than the text.
func TestMaskedEverywhere(t *testing.T) {
	m := momentOf("c: my card is 4111 1111 1111 1111")
	m.Turns[0].Name = "dana@mail.example"
	m.Turns = append(m.Turns, assist.Turn{Seq: 2, Role: assist.RoleSystem, Action: &assist.Action{Name: "refund", Values: []string{"DE89370400440532013000"}}})
	m.Instruction = "call +1 555 010 9999"
	told, mask := masked(m)
	for what, s := range map[string]string{"text": told.Turns[0].Text, "name": told.Turns[0].Name, "action": told.Turns[1].Action.Values[0], "instruction": told.Instruction} {
		if found := privacy.Find(s); len(found) > 0 || !strings.Contains(s, "_1]") {
			t.Errorf("the %s is told as %q", what, s)
		}
	}
	if v := m.Turns[1].Action.Values[0]; v != "DE89370400440532013000" || mask.Restore(told.Turns[1].Action.Values[0]) != v {
		t.Errorf("the conversation itself was changed to %q, or cannot be restored", v)
	}
}
