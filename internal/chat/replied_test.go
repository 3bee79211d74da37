package chat_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// What agents said is told once, after it is stored; nothing else is.
func TestReplied(t *testing.T) {
	var told []string
	h := open(t, nil, func(_ *memstore.Store, o *chat.Options) {
		o.Replied = func(conversation string, reply assist.Turn, turns []assist.Turn) {
			told = append(told, conversation+": "+reply.Text)
			before := len(told) // the customer's, and this one
			if len(turns) != before+1 || turns[before].Text != reply.Text || turns[0].Text != "My lamp is broken" {
				t.Errorf("the turns up to %q are %+v", reply.Text, turns)
			}
		}
	})
	h.says(t, "My lamp is broken")
	for range 2 {
		if _, err := h.SendReply(t.Context(), agent, assist.NewReply{Conversation: "conv_1", ClientID: "r1", Text: "I will send another."}); err != nil {
			t.Fatal(err)
		}
	}
	tool := assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	for _, n := range []assist.NewTurn{
		{Role: assist.RoleAgent, Text: "It is on its way."},
		{Role: assist.RoleAgent, Text: "Order made", Action: &assist.Action{Name: "order"}},
		{Role: assist.RoleBot, Text: "Beep"},
	} {
		n.Conversation, n.ClientID = "conv_1", clientID()
		if _, err := h.AddTurn(t.Context(), tool, n); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"conv_1: I will send another.", "conv_1: It is on its way."}, told); d != "" {
		t.Error(d)
	}
}
