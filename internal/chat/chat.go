// Package chat is one live conversation: receive a turn, run one suggestion,
// send the agent's reply, hand over, close.
//
// What it promises:
//
//   - Every method checks who is asking, each time. Somebody else's conversation
//     is refused in the same words whether it exists or not.
//   - A method that writes returns after the commit. Events of one conversation
//     are committed and published in the order of seq; conversations never wait
//     for each other, and no write waits for a suggestion.
//   - What a customer's turn asks is looked up while it is being stored. Nothing of
//     it is shown, and no model is asked to write, before the commit; when that
//     fails, it is thrown away.
//   - A conversation has at most one suggestion run. A newer customer turn, a
//     reply, an agent's turn or closing ends it at once; what an ended run still
//     does is never published.
//   - A run that somebody watched and nobody watches any more ends half a second
//     later, and the model is paid no further; whoever comes back has it made
//     anew. One that nobody ever watched runs to its end: a tool reports chats
//     that an agent may open later, and finds the suggestion there.
//   - Nothing here sends a draft. Only SendReply speaks for an agent, and only
//     for the agent who calls it. The bot speaks as the bot, only in
//     conversations that no person has, and never once one does: what it is
//     still writing then is dropped in the transaction that would store it.
//   - Every run of a stored customer turn is leased: when this process dies,
//     another one runs it again, within LeaseFor and two sweeps (4.5 s, plus 1 s
//     where the dead one had more runs at work than the others sweep up at once).
//   - Nodes share conversations. What another node commits ends the run here as
//     soon as this one hears of it: at once over the bus, within SweepEvery (1 s)
//     when there is none, because the lease cannot be renewed. Whoever hears
//     nothing is stopped by the database: a run that lost its lease, or one that
//     was asked for before somebody spoke, is not stored as anything but
//     superseded. So two nodes may draft for a moment; only one is kept.
//
// What a node keeps in memory is a copy (transcripts, until the log has moved;
// agents' roles, up to 2 s old) or its own affair (runs at work, the bot's queue,
// the limits on both): nothing is lost with it.
//
// Publish happens after commit and is a hint: what is lost between the two is
// found by seq in the log.
package chat

import (
	"context"
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// Store is the truth about conversations. Every write either happened whole,
// on disk, before the method returns without an error, or not at all. Writes
// with the same key from the same author happen once; the second call returns
// what the first stored, and assist.Conflict when it asked for something else.
type Store interface {
	// AddTurn stores a turn and its event, making the conversation when it is
	// new. run leases the suggestion for this turn to the given owner until the
	// given time, in the same commit; the zero Lease leases nothing. A newer
	// customer, agent or bot turn ends older leases of its conversation, and so
	// do SendReply and Close.
	AddTurn(ctx context.Context, by assist.Identity, t assist.NewTurn, run Lease) (Stored, error)
	// SendReply stores an agent's reply, what became of the suggestion, and
	// their events, in one transaction. A suggestion has one outcome: that of the
	// first reply which came from it or did without it. The agent takes the
	// conversation when nobody has it. A suggestion that is not stored, or not
	// this conversation's, is no reason to keep the reply back: it is sent without.
	SendReply(ctx context.Context, by assist.Identity, r assist.NewReply) (Stored, error)
	// AddSuggestion stores a finished suggestion. Ready, abstained and failed
	// ones get an event, which leaves out Prompt.Text; superseded ones do not and
	// give the zero Event. It ends the lease for ForSeq. The same ID twice is
	// stored once and gives the same event.
	AddSuggestion(ctx context.Context, s assist.Suggestion) (assist.Event, error)
	// SetStep, SetFeedback, TakeHandoff and Close store the change and its event.
	SetStep(ctx context.Context, by assist.Identity, conversation string, c assist.StepChange) (assist.Event, error)
	SetFeedback(ctx context.Context, by assist.Identity, conversation string, f assist.Feedback) (assist.Event, error)
	TakeHandoff(ctx context.Context, by assist.Identity, conversation string) (assist.Event, error)
	// ReturnHandoff gives what an agent has back to the queue.
	ReturnHandoff(ctx context.Context, by assist.Identity, conversation, reason string) (assist.Event, error)
	// AddAnswer stores the bot's turn and the suggestion it was made of, and ends
	// the lease, in one transaction that also makes sure that the bot still has
	// the conversation and that ForSeq is still the customer's last turn;
	// otherwise nothing happens and Dropped says so. One answer per ForSeq.
	AddAnswer(ctx context.Context, a assist.NewAnswer) (Stored, error)
	// HandOver gives a conversation to people: the bot's goodbye, if there is
	// one, and the hand-over with its event, in one transaction, once from
	// opening to closing. run leases the agents' suggestion for ForSeq.
	// When it has happened before, an agent has the conversation, or ForSeq is
	// out of date, nothing happens and Dropped says so. Asked for by its
	// customer, a conversation is opened.
	HandOver(ctx context.Context, by assist.Identity, n assist.NewHandoff, run Lease) (Stored, error)
	Close(ctx context.Context, by assist.Identity, conversation, resolution string) (assist.Event, error)
	// AddGap records a question nothing answers; the same moment once.
	AddGap(ctx context.Context, g assist.Gap) error

	// Conversation gives one conversation, assist.NotFound when there is none.
	Conversation(ctx context.Context, id string) (assist.Conversation, error)
	// Queue lists conversations that are not closed, longest waiting first.
	Queue(ctx context.Context, limit int) ([]assist.Conversation, error)
	// Transcript gives the last turns and all step changes, oldest first.
	Transcript(ctx context.Context, conversation string, limit int) ([]assist.Turn, []assist.StepChange, error)
	// Events gives kept events after seq, in order, at most limit. A customer
	// is given only what customers may see, read with the public role.
	Events(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) ([]assist.Event, error)
	// Suggestion gives a stored suggestion.
	Suggestion(ctx context.Context, id string) (assist.Suggestion, error)
	// Orphans gives moments whose lease ran out, and leases them to owner.
	Orphans(ctx context.Context, run Lease, limit int) ([]Orphan, error)
}

// Leaser is what a Store that can renew leases has too. With it leases are a few
// seconds short and another process takes over quickly; without it they must
// outlast the longest run.
type Leaser interface {
	// Renew moves the end of those of the leases that run.Owner still holds, and
	// gives them.
	Renew(ctx context.Context, run Lease, of []Orphan) (held []Orphan, err error)
	// Release ends a lease of owner whose turn needs no suggestion.
	Release(ctx context.Context, owner string, of Orphan) error
	// Finish is Store.AddSuggestion for a run. late says that nothing was stored:
	// somebody else has the turn by now, or somebody has spoken. It never ends a
	// lease that another holds; a superseded suggestion is never late.
	Finish(ctx context.Context, s assist.Suggestion, c Claim) (e assist.Event, late bool, err error)
}

// Claim is the right by which a run stores its suggestion: the lease of its turn,
// or, for one that an agent asked for, that no customer, agent or bot has spoken
// since.
type Claim struct {
	Owner string // of the lease; "": there is none
	Seen  int64  // the newest seq when the run began; counts where Owner is empty
}

// Opener is what a Store has too that can open a conversation in one round trip.
type Opener interface {
	// Open gives a conversation and its kept events after seq, in order, at most
	// limit, as this identity may see them; Events says what a customer may.
	Open(ctx context.Context, who assist.Identity, conversation string, after int64, limit int) (assist.Conversation, []assist.Event, error)
}

// Lease says which process works on a suggestion, and until when others leave it
// alone.
type Lease struct {
	Owner string
	For   time.Duration
}

// Orphan is a turn whose suggestion nobody finished.
type Orphan struct {
	Conversation string
	ForSeq       int64
}

// Stored is the result of storing a turn or a reply.
type Stored struct {
	Turn         assist.Turn
	Repeat       bool // it was stored before; there are no events
	Conversation assist.Conversation
	Events       []assist.Event // in order of seq
	Dropped      bool           // a person, or a newer turn, was faster than the bot: nothing was stored
	HandedSeq    int64          // of the hand-over, this one's or the one before; 0: there is none
}

// Suggester makes a suggestion; suggest.Suggester is the one.
type Suggester interface {
	// Run returns a suggestion in a final state. One whose Question.Quiet is
	// set needs none and is neither stored nor shown. When ctx ends, Run returns
	// at once with what there is and State superseded.
	Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion
}

// Scout is a Suggester that can begin before the turn it is for is stored.
type Scout interface {
	// Ahead looks for what the moment's last turn asks and gives the rest of Run,
	// which goes on from there when its moment is that one, and else begins anew.
	// It shows nothing and asks no model to write; when ctx ends it returns at once.
	Ahead(ctx context.Context, m assist.Moment) (rest func(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion)
}

// Checker looks at what an agent typed. Of m the conversation, its turns and the
// agent are set; s is the suggestion the text is about, nil when there is none.
type Checker interface {
	CheckDraft(ctx context.Context, m assist.Moment, s *assist.Suggestion, text string) ([]assist.Verdict, error)
}

// Publisher fans events out; it never blocks.
type Publisher interface {
	Publish(topic string, e assist.Event)
}
