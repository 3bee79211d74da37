package assist

import "time"

// Moment is one moment of a conversation for which a suggestion is wanted. It is
// everything a run may look at: live, replay, bot and eval all make one.
type Moment struct {
	SuggestionID string
	Conversation string
	ForSeq       int64
	Turns        []Turn        // oldest first; the last customer turn is what to answer
	Steps        []StepChange  // what agents ticked so far, oldest first
	Instruction  string        // what the agent asked for, "" usually
	Audience     Audience      // whose eyes the run reads with; "" is public
	Agent        Identity      // who will edit the draft, if known
	Hold         time.Duration // wait this long before the model is called: a burst is one question
	SkipModel    string        // why no model may be called (over budget, …); "" usually
}

// Watcher sees a suggestion come into being. Calls come one at a time, in the
// order of the methods; none may block.
type Watcher interface {
	// Passages is called once the sources are known; only ID, ForSeq, Question
	// and Hits are set.
	Passages(Suggestion)
	// Instant is called once the instant draft, steps and verdicts are there.
	Instant(Suggestion)
	// Delta is called with each piece of the model's draft as it can be shown:
	// text only, never markup.
	Delta(text string)
}
