package app

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/observe"
	"github.com/aside-project/aside/internal/suggest"
)

// watched is who counts and who traces; what follows puts them between the parts.
type watched struct {
	*observe.Metrics
	trace    *observe.Tracer // nil: nobody asked for traces
	registry *prometheus.Registry
}

func newWatched(ctx context.Context, a *App) (w watched, err error) {
	w.registry = prometheus.NewRegistry()
	w.Metrics = observe.NewMetrics(w.registry, a.cfg.Price)
	if a.cfg.Traces {
		if w.trace, err = observe.NewTracer(ctx, a.log); err != nil {
			return w, err
		}
		a.onStop("traces", w.trace.Stop)
	}
	return w, nil
}

func (w watched) handler() http.Handler {
	return promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{Registry: w.registry})
}

// read adds what is asked whenever metrics are read.
func (w watched) read(a *App) {
	s := observe.Sources{
		Sockets: a.sockets.Connections,
		Queues: func() []observe.Queue {
			l := a.chat.Load()
			return []observe.Queue{
				{Name: "suggestions", Depth: l.Runs, Limit: l.MostRuns},
				{Name: "suggestions_in_line", Depth: l.Line, Limit: l.MostLine},
				{Name: "bot", Depth: l.Bot, Limit: l.MostBot},
				{Name: "bot_in_line", Depth: l.BotLine, Limit: l.MostBotLine},
				{Name: "learning", Depth: len(a.learner.queue), Limit: cap(a.learner.queue)},
				{Name: "conversations", Depth: l.Conversations},
			}
		},
		Pools: func() []observe.Pool {
			var pools []observe.Pool
			for _, p := range a.db.Pools() {
				pools = append(pools, observe.Pool{Name: p.Name, InUse: p.InUse, Idle: p.Idle, Max: p.Max, Waits: p.Waits, GaveUp: p.GaveUp, WaitSeconds: p.Waited.Seconds()})
			}
			return pools
		},
	}
	if a.model != nil {
		s.ModelUp = a.model.Up
	}
	w.Read(s)
}

// watchedBus counts what it publishes.
type watchedBus struct {
	eventBus
	w watched
}

// Publish implements chat.Publisher and ws.Bus.
func (b watchedBus) Publish(topic string, e assist.Event) {
	b.w.Event(e.Type)
	b.eventBus.Publish(topic, e)
}

// watchedSuggester counts and traces suggestions for agents.
type watchedSuggester struct {
	*suggest.Suggester
	w       watched
	magnets *magnets
}

// Run implements chat.Suggester.
func (s watchedSuggester) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	began := time.Now()
	return s.saw(began, s.Suggester.Run(ctx, m, w))
}

// Ahead implements chat.Scout.
func (s watchedSuggester) Ahead(ctx context.Context, m assist.Moment) func(context.Context, assist.Moment, assist.Watcher) assist.Suggestion {
	began := time.Now()
	rest := s.Suggester.Ahead(ctx, m)
	return func(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
		return s.saw(began, rest(ctx, m, w))
	}
}

func (s watchedSuggester) saw(began time.Time, out assist.Suggestion) assist.Suggestion {
	s.w.Suggestion(out)
	s.magnets.saw(out)
	s.w.trace.Suggestion(out, began)
	return out
}

// liveStore is all that conversations need of the database, and what they use where
// a store has it: what is left out here is done without, and nobody is told.
type liveStore interface {
	chat.Store
	chat.Leaser
	chat.Opener
}

// watchedStore times writes and counts what was committed.
type watchedStore struct {
	liveStore
	w watched
}

// AddTurn implements chat.Store.
func (s watchedStore) AddTurn(ctx context.Context, by assist.Identity, t assist.NewTurn, run chat.Lease) (chat.Stored, error) {
	began := time.Now()
	out, err := s.liveStore.AddTurn(ctx, by, t, run)
	s.w.Wrote(observe.OpAddTurn, time.Since(began), err)
	if err == nil {
		s.w.Turn(out.Turn.Role, out.Repeat)
	}
	return out, err
}

// SendReply implements chat.Store.
func (s watchedStore) SendReply(ctx context.Context, by assist.Identity, r assist.NewReply) (chat.Stored, error) {
	began := time.Now()
	out, err := s.liveStore.SendReply(ctx, by, r)
	s.w.Wrote(observe.OpSendReply, time.Since(began), err)
	if err != nil {
		return out, err
	}
	s.w.Turn(out.Turn.Role, out.Repeat)
	for _, e := range out.Events {
		var o assist.SuggestionOutcome
		if e.Type == assist.EventSuggestionOutcome && json.Unmarshal(e.Data, &o) == nil {
			s.w.Outcome(o.State)
		}
	}
	return out, nil
}

// AddSuggestion implements chat.Store.
func (s watchedStore) AddSuggestion(ctx context.Context, g assist.Suggestion) (assist.Event, error) {
	began := time.Now()
	e, err := s.liveStore.AddSuggestion(ctx, g)
	s.w.Wrote(observe.OpAddSuggestion, time.Since(began), err)
	return e, err
}

// SetFeedback implements chat.Store.
func (s watchedStore) SetFeedback(ctx context.Context, by assist.Identity, conversation string, f assist.Feedback) (assist.Event, error) {
	e, err := s.liveStore.SetFeedback(ctx, by, conversation, f)
	if err == nil {
		s.w.Feedback(f.Verdict)
	}
	return e, err
}

// AddGap implements chat.Store.
func (s watchedStore) AddGap(ctx context.Context, g assist.Gap) error {
	err := s.liveStore.AddGap(ctx, g)
	if err == nil {
		s.w.Gap()
	}
	return err
}

// AddAnswer implements chat.Store.
func (s watchedStore) AddAnswer(ctx context.Context, a assist.NewAnswer) (chat.Stored, error) {
	began := time.Now()
	out, err := s.liveStore.AddAnswer(ctx, a)
	s.w.Wrote(observe.OpAddAnswer, time.Since(began), err)
	if err == nil {
		s.w.Answered(out.Dropped)
		if !out.Dropped {
			s.w.Turn(out.Turn.Role, out.Repeat)
		}
	}
	return out, err
}

// HandOver implements chat.Store.
func (s watchedStore) HandOver(ctx context.Context, by assist.Identity, n assist.NewHandoff, run chat.Lease) (chat.Stored, error) {
	began := time.Now()
	out, err := s.liveStore.HandOver(ctx, by, n, run)
	s.w.Wrote(observe.OpHandOver, time.Since(began), err)
	if err == nil && !out.Dropped && n.Handoff != nil {
		s.w.HandedOver(n.Handoff.Code)
	}
	return out, err
}

// tracedService traces turns and replies as they come in.
type tracedService struct {
	desk
	trace *observe.Tracer // nil: nobody asked for traces
}

// AddTurn is Receive for those who need not know whether the turn was there before.
func (s tracedService) AddTurn(ctx context.Context, who assist.Identity, n assist.NewTurn) (assist.Turn, error) {
	t, _, err := s.Receive(ctx, who, n)
	return t, err
}

// Receive implements ws.Service.
func (s tracedService) Receive(ctx context.Context, who assist.Identity, n assist.NewTurn) (assist.Turn, bool, error) {
	began := time.Now()
	t, repeat, err := s.desk.Receive(ctx, who, n)
	s.trace.Turn(n.Conversation, t, repeat, began, err)
	return t, repeat, err
}

// SendReply is Send for those who need not know whether the reply was there before.
func (s tracedService) SendReply(ctx context.Context, who assist.Identity, n assist.NewReply) (assist.Turn, error) {
	t, _, err := s.Send(ctx, who, n)
	return t, err
}

// Send implements ws.Service.
func (s tracedService) Send(ctx context.Context, who assist.Identity, n assist.NewReply) (assist.Turn, bool, error) {
	began := time.Now()
	t, repeat, err := s.desk.Send(ctx, who, n)
	s.trace.Reply(n.Conversation, t, repeat, began, err)
	return t, repeat, err
}
