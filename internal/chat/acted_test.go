package chat_test

import (
	"sync"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/testkit/memstore"
)

// TestActed hears of each action and each reply once, of customers never, and of
// an agent's authority at the customer's next turn.
func TestActed(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	st := newStage()
	h := open(t, st, func(_ *memstore.Store, o *chat.Options) {
		o.Acted = func(conversation string, turn assist.Turn, _ []assist.Turn) {
			mu.Lock()
			defer mu.Unlock()
			what := string(turn.Role)
			if turn.Action != nil {
				what = turn.Action.Name
			}
			heard = append(heard, conversation+" "+what)
		}
	})
	senior := assist.Identity{Subject: "lee", Actor: assist.ActorAgent, Name: "Lee", Authority: "senior"}
	tool := assist.Identity{Subject: "tool", Actor: assist.ActorSource}
	h.says(t, "My lamp is broken")
	first := st.next(t)
	if first.moment.Agent.Authority != "" {
		t.Errorf("nobody has it, yet its agent may give %q", first.moment.Agent.Authority)
	}
	for range 2 { // the second is a repeat
		if _, err := h.AddTurn(t.Context(), tool, assist.NewTurn{Conversation: "conv_1", ClientID: "a", Role: assist.RoleSystem, Action: &assist.Action{Name: "Refund"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := h.SendReply(t.Context(), senior, assist.NewReply{Conversation: "conv_1", ClientID: "r", Text: "I'm sorry"}); err != nil {
			t.Fatal(err)
		}
	}
	h.says(t, "Thank you, and the bulb?")
	if got := st.next(t).moment.Agent; got.Subject != "lee" || got.Authority != "senior" {
		t.Errorf("the next suggestion is for %+v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(heard) != 2 || heard[0] != "conv_1 Refund" || heard[1] != "conv_1 agent" {
		t.Errorf("heard %q", heard)
	}
}
