package assist

import "time"

// Actor is what a token allows its bearer to be. It is not the Role of a turn:
// a source reports turns of both sides.
type Actor string

// The actors of the protocol.
const (
	ActorCustomer   Actor = "customer"   // one conversation, turns only
	ActorAgent      Actor = "agent"      // a human who answers
	ActorSource     Actor = "source"     // a chat tool that reports what both sides wrote there
	ActorMaintainer Actor = "maintainer" // knowledge, prompts, evals
)

// Valid reports whether a is one of the four actors.
func (a Actor) Valid() bool {
	switch a {
	case ActorCustomer, ActorAgent, ActorSource, ActorMaintainer:
		return true
	}
	return false
}

// Identity is who is speaking, as a verified token says. Every operation takes
// one and checks it: authorisation is per message, not per connection.
type Identity struct {
	Subject      string // stable id of the person or tool
	Actor        Actor
	Name         string // for display
	Conversation string // the only conversation they may touch: always for customers, for agents in a chat tool's panel; "" is no such limit
	Authority    string // agents: the role that authority.yaml gives limits to; "" is the least
	Session      string // agents who signed in: their session, which ends all its tokens; "" is none
	Expires      time.Time
	Token        string    // id of the token that says so; "": it has none
	Issued       time.Time // when that token was made; zero: it does not say
}

// MayRead reports whether this identity may see the conversation at all.
// Customers see their own, with turns only; agents and sources see everything,
// unless their token is for one conversation.
func (id Identity) MayRead(conversation string) bool {
	switch id.Actor {
	case ActorAgent, ActorSource:
		return id.Conversation == "" || id.Conversation == conversation
	case ActorCustomer:
		return conversation != "" && id.Conversation == conversation
	}
	return false
}
