package chat

import (
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// roleAction is what a source may call the role of a reported action.
const roleAction assist.Role = "action"

// mayRead says whether who may see a conversation. The refusal does not depend
// on whether it exists.
func mayRead(who assist.Identity, conversation string) error {
	if err := assist.CheckConversationID(conversation); err != nil {
		return err
	}
	if who.MayRead(conversation) {
		return nil
	}
	if who.Conversation != "" {
		return assist.Errorf(assist.Forbidden, "this token is for one conversation only, and not for this one")
	}
	return assist.Errorf(assist.Forbidden, "a token with role %q may not see conversations", who.Actor)
}

// agentOnly says whether who is a human agent; what names the act.
func agentOnly(who assist.Identity, conversation, what string) error {
	if who.Actor != assist.ActorAgent {
		return assist.Errorf(assist.Forbidden, "only an agent may %s, not a token with role %q", what, who.Actor)
	}
	return mayRead(who, conversation)
}

// permitTurn says whether who may add n and gives it as it is to be stored.
func permitTurn(who assist.Identity, n assist.NewTurn, now time.Time) (assist.NewTurn, error) {
	if err := mayRead(who, n.Conversation); err != nil {
		return n, err
	}
	switch who.Actor {
	case assist.ActorCustomer:
		if n.Role != assist.RoleCustomer {
			return n, assist.Errorf(assist.Forbidden, "a customer may only add turns with role \"customer\"")
		}
		if n.Action != nil {
			return n, assist.Errorf(assist.Forbidden, "a customer may not report actions")
		}
		n.Name = who.Name
	case assist.ActorSource:
		n = asAction(n)
	default:
		return n, assist.Errorf(assist.Forbidden, "an agent writes to the customer with reply.send; turn.add is for customers and for chat tools that report what was said there")
	}
	if n.At.IsZero() || n.At.After(now) || n.At.Year() < 2000 {
		n.At = now
	}
	return n, n.Validate()
}

// asAction gives a reported action the role it is stored with. One that has only
// words is an action of that name, so that no customer ever sees it.
func asAction(n assist.NewTurn) assist.NewTurn {
	if n.Role == roleAction && n.Action == nil && strings.TrimSpace(n.Text) != "" {
		name := n.Text
		if len(name) > assist.MaxID {
			name = strings.ToValidUTF8(name[:assist.MaxID], "")
		}
		n.Action = &assist.Action{Name: name}
	}
	if n.Action != nil && (n.Role == roleAction || n.Role == assist.RoleAgent) {
		n.Role = assist.RoleSystem
	}
	return n
}
