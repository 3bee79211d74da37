package app

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/postgres"
	"github.com/aside-project/aside/internal/privacy"
	"github.com/aside-project/aside/internal/retrieve"
)

const (
	learnQueue = 1000             // replies that wait to be learned from; more are let go, with a warning
	learnFor   = 10 * time.Second // bound of one
	learnTurns = 60               // of the transcript that a question is made of
)

// learner learns from sent replies, one after the other, behind the agents'
// backs: no reply waits for it. What it could not learn is lost, not sent again.
type learner struct {
	db        *postgres.DB
	retriever *retrieve.Retriever
	watched   watched
	log       *slog.Logger
	queue     chan sentReply
	stopping  chan struct{}
	done      chan struct{}
}

type sentReply struct {
	conversation string
	turn         assist.Turn
	turns        []assist.Turn // up to it; nil: only the database knows them
}

func newLearner(db *postgres.DB, r *retrieve.Retriever, w watched, log *slog.Logger) *learner {
	return &learner{db: db, retriever: r, watched: w, log: log, queue: make(chan sentReply, learnQueue), stopping: make(chan struct{}), done: make(chan struct{})}
}

// start begins the one goroutine, for which stop waits.
func (l *learner) start() { go l.run() }

// replied takes note of a stored reply. It never blocks.
func (l *learner) replied(conversation string, turn assist.Turn, turns []assist.Turn) {
	select {
	case l.queue <- sentReply{conversation, turn, turns}:
	default:
		l.watched.Shed(observe.ShedLearning)
		l.log.Warn("a reply was not learned from: too many wait", "conversation", conversation, "seq", turn.Seq)
	}
}

// stop learns from what waits, as long as ctx allows.
func (l *learner) stop(ctx context.Context) error {
	close(l.stopping)
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
	}
	for len(l.queue) > 0 { // let the rest go
		select {
		case <-l.queue:
		default:
		}
	}
	<-l.done
	return nil
}

func (l *learner) run() {
	defer close(l.done)
	for {
		select {
		case s := <-l.queue:
			surviving(l.log, s.conversation, func() { l.learn(s) })
			continue
		default:
		}
		select {
		case s := <-l.queue:
			surviving(l.log, s.conversation, func() { l.learn(s) })
		case <-l.stopping:
			if len(l.queue) == 0 {
				return
			}
		}
	}
}

// surviving does what reads a conversation's words behind everybody's back: were
// there words that it panics at, the process would go, and all sockets with it.
func surviving(log *slog.Logger, conversation string, do func()) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("learning panicked", "conversation", conversation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	do()
}

func (l *learner) learn(s sentReply) {
	ctx, cancel := context.WithTimeout(context.Background(), learnFor)
	defer cancel()
	lesson, err := l.lesson(ctx, s)
	result := observe.LearnedNothing
	if err == nil && len(lesson.Grounds) > 0 {
		result = observe.LearnedSome
		_, err = l.db.Learn(ctx, []retrieve.Lesson{lesson})
	}
	if err != nil {
		result = observe.LearnedFailed
		l.log.Warn("a reply was not learned from", "conversation", s.conversation, "seq", s.turn.Seq, "error", err)
	}
	l.watched.Learned(result)
}

// lesson finds what the reply answered and the passages it stood on: those that
// the suggestion cited and the agent kept, else the one its words point at.
func (l *learner) lesson(ctx context.Context, s sentReply) (retrieve.Lesson, error) {
	turns := s.turns
	if turns == nil {
		var err error
		if turns, _, err = l.db.Transcript(ctx, s.conversation, learnTurns); err != nil {
			return retrieve.Lesson{}, err
		}
	}
	turns = turns[max(0, len(turns)-learnTurns):]
	if i := slices.IndexFunc(turns, func(t assist.Turn) bool { return t.Seq >= s.turn.Seq }); i >= 0 {
		turns = turns[:i]
	}
	var grounds []retrieve.Ground
	if s.turn.SuggestionID != "" {
		suggestion, err := l.db.Suggestion(ctx, s.turn.SuggestionID)
		if err != nil {
			return retrieve.Lesson{}, err
		}
		grounds = retrieve.Cited(s.turn.Text, suggestion.Question.Language, suggestion.Draft, suggestion.Instant)
	}
	if len(grounds) == 0 {
		var err error
		if grounds, err = l.retriever.Guess(ctx, turns, s.turn.Text); err != nil {
			return retrieve.Lesson{}, err
		}
	}
	return retrieve.NewLesson(s.conversation, s.turn.Seq, withoutSecrets(turns), grounds), nil
}

// withoutSecrets gives the turns as they may be learned from. A lesson leaves out
// names and numbers; passwords and keys can be plain words.
func withoutSecrets(turns []assist.Turn) []assist.Turn {
	out := slices.Clone(turns)
	for i := range out {
		out[i].Text = privacy.Drop(out[i].Text)
	}
	return out
}
