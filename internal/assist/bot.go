package assist

// BotReply is what the customer's bot makes of a turn: words, a hand-over, both,
// or neither when there is nothing to say.
type BotReply struct {
	Text       string // for the customer; "": nothing
	Name       string // whom the words are from
	Sources    []Source
	Handoff    *Handoff    // a person takes over; nil: the bot goes on
	Suggestion *Suggestion // what an answer was made of, to be kept with it
}

// NewAnswer is a turn that the bot wants to add. It is stored only while the bot
// has the conversation and ForSeq is the customer's last turn.
type NewAnswer struct {
	Conversation string
	ForSeq       int64
	BotReply
}

// NewHandoff is a hand-over that the bot, or a customer, wants. It happens at
// most once from the opening of a conversation to its closing.
type NewHandoff struct {
	Conversation string
	ForSeq       int64 // the turn that led to it, which must still be the customer's last; 0: whatever was said
	Bot          bool  // whether a bot serves this conversation: a new one begins with it
	BotReply           // Text is the bot's goodbye
}
