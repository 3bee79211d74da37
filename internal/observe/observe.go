// Package observe is what the house tells its operators about itself: Prometheus
// metrics in a registry that is handed in, and OpenTelemetry traces from a
// customer's turn to the reply.
//
// What it promises:
//
//   - Never an id or a text in a metric: labels come from fixed sets, and what is
//     not in its set counts as "other".
//   - Ids, counts and states in a trace, never a text.
//   - No call blocks or fails. Spans that the collector does not take in time are
//     dropped; a nil *Tracer costs a comparison.
package observe

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/llm"
)

// Metrics counts. Its methods may be called from any goroutine.
type Metrics struct {
	registry *prometheus.Registry
	price    Price

	events   *prometheus.CounterVec
	turns    *prometheus.CounterVec
	repeats  prometheus.Counter
	store    *prometheus.HistogramVec
	storeErr *prometheus.CounterVec

	suggestions *prometheus.CounterVec
	phases      *prometheus.HistogramVec
	verdicts    *prometheus.CounterVec
	outcomes    *prometheus.CounterVec
	feedback    *prometheus.CounterVec
	gaps        prometheus.Counter
	learned     *prometheus.CounterVec

	calls      *prometheus.CounterVec
	tokens     *prometheus.CounterVec
	cost       *prometheus.CounterVec
	firstToken *prometheus.HistogramVec
	embedding  *prometheus.HistogramVec

	answers  *prometheus.CounterVec
	handoffs *prometheus.CounterVec
	shed     *prometheus.CounterVec
	closes   *prometheus.CounterVec
	readers  prometheus.Counter
}

// Price is dollars per million tokens; the zero Price is unknown.
type Price struct{ Prompt, Completion float64 }

// ParsePrice reads "0.15,0.60".
func ParsePrice(s string) (p Price, err error) {
	in, out, two := strings.Cut(s, ",")
	p.Prompt, err = strconv.ParseFloat(strings.TrimSpace(in), 64)
	if err == nil && two {
		p.Completion, err = strconv.ParseFloat(strings.TrimSpace(out), 64)
	}
	if err != nil || !two || !(p.Prompt >= 0 && p.Prompt < 1e6) || !(p.Completion >= 0 && p.Completion < 1e6) {
		return Price{}, errors.New("a price is two numbers, dollars per million tokens in and out, such as 0.15,0.60")
	}
	return p, nil
}

// Who a model is asked for.
const (
	ForAgent = "agent"
	ForBot   = "bot"
)

// What is let go when too much waits.
const (
	ShedBot        = "bot"        // the customer's bot asks people at once
	ShedLearning   = "learning"   // a reply is not learned from
	ShedPrefetch   = "prefetch"   // a question's vector is not made ahead
	ShedDraft      = "draft"      // the model is not asked
	ShedSuggestion = "suggestion" // nothing is made until there is room
)

var (
	quick = []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5}
	long  = []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}
)

// NewMetrics registers everything with r, which must have none of it yet.
func NewMetrics(r *prometheus.Registry, p Price) *Metrics {
	m := &Metrics{registry: r, price: p}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
		r.MustRegister(h)
		return h
	}
	m.events = counters("aside_events_total", "Events published, by type.", "type")
	m.turns = counters("aside_turns_total", "Turns stored, by who spoke.", "role")
	m.repeats = counter("aside_turns_repeated_total", "Turns and replies that were sent again and were stored already.")
	m.store = histogram("aside_store_seconds", "Time of a write to the store, commit included.", quick, "op")
	m.storeErr = counters("aside_store_errors_total", "Writes to the store that failed, by the error's code.", "op", "code")
	m.suggestions = counters("aside_suggestions_total", "Suggestions for agents, by the state they ended in; quiet: there was nothing to answer.", "state")
	m.phases = histogram("aside_suggestion_seconds", "Time from the start of a suggestion to each phase.", long, "phase")
	m.verdicts = counters("aside_verdicts_total", "Verdicts on drafts for agents.", "check", "outcome")
	m.outcomes = counters("aside_suggestion_outcomes_total", "What agents made of suggestions.", "state")
	m.feedback = counters("aside_feedback_total", "Agents' marks on suggestions.", "verdict")
	m.gaps = counter("aside_gaps_total", "Questions that nothing in the knowledge answers.")
	m.learned = counters("aside_learned_total", "Replies that were learned from, or taught nothing, or could not be learned from.", "result")
	m.calls = counters("aside_model_calls_total", "Calls to the chat model.", "for", "result")
	m.tokens = counters("aside_model_tokens_total", "Tokens of the chat model.", "for", "direction")
	m.cost = counters("aside_model_cost_dollars_total", "What the chat model cost at the configured price; 0 without one.", "for")
	m.firstToken = histogram("aside_model_first_token_seconds", "Time from a call of the chat model to its first text.", long, "for")
	m.embedding = histogram("aside_embedding_seconds", "Time of a call to the embedding model.", quick, "result")
	m.answers = counters("aside_bot_answers_total", "Answers of the customer's bot; dropped: a person, or a newer turn, was faster.", "result")
	m.handoffs = counters("aside_handoffs_total", "Conversations handed to people, by reason.", "reason")
	m.shed = counters("aside_shed_total", "Work that was let go because too much waited.", "what")
	m.closes = counters("aside_socket_closes_total", "Sockets that ended, by close code; gone: the other side went away.", "role", "code")
	m.readers = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aside_mass_reads_total", Help: "Agents who read more than 1,000 conversations within an hour: the log says who.",
	})
	r.MustRegister(m.readers, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// set is a label's values.
type set []string

// of bounds a label: what is not in its set is "other".
func (s set) of(v string) string {
	if slices.Contains(s, v) {
		return v
	}
	return "other"
}

func names[T ~string](values ...T) (s set) {
	for _, v := range values {
		s = append(s, string(v))
	}
	return s
}

var (
	eventTypes = names(assist.EventTurnAdded, assist.EventHandoff, assist.EventConversationClosed, assist.EventStepChanged,
		assist.EventSuggestionOutcome, assist.EventSuggestionReady, assist.EventSuggestionAbstained, assist.EventSuggestionFailed,
		assist.EventSuggestionStarted, assist.EventSuggestionPassages, assist.EventSuggestionInstant, assist.EventSuggestionDelta,
		assist.EventSuggestionSuperseded, assist.EventTyping, assist.EventPresence, assist.EventQueueChanged)
	roles  = names(assist.RoleCustomer, assist.RoleAgent, assist.RoleBot, assist.RoleSystem)
	actors = names(assist.ActorCustomer, assist.ActorAgent, assist.ActorSource)
	ops    = set{OpAddTurn, OpSendReply, OpAddSuggestion, OpAddAnswer, OpHandOver}
	codes  = names(assist.Invalid, assist.Unauthenticated, assist.Forbidden, assist.NotFound, assist.Conflict, assist.TooLarge,
		assist.RateLimited, assist.Unavailable, assist.Internal)
	states = append(set{quiet}, names(assist.SuggestionReady, assist.SuggestionAbstained, assist.SuggestionFailed, assist.SuggestionSuperseded)...)
	ends   = names(assist.SuggestionAccepted, assist.SuggestionEdited, assist.SuggestionDismissed)
	marks  = set{"good", "bad"}
	// The checks and their outcomes: see package check.
	checks   = set{"supported", "promises", "links", "citations", "audience", "authority", "tone"}
	verdicts = names(assist.Pass, assist.Warn, assist.Block)
	fors     = set{ForAgent, ForBot}
	reasons  = names(assist.HandoffAsked, assist.HandoffNoEvidence, assist.HandoffBlocked, assist.HandoffUpset, assist.HandoffRephrased,
		assist.HandoffAccount, assist.HandoffTopic, assist.HandoffFault, assist.HandoffLimit, assist.HandoffHours, assist.HandoffBotOff,
		assist.HandoffReturned, assist.HandoffTaken)
	sheds      = set{ShedBot, ShedLearning, ShedPrefetch, ShedDraft, ShedSuggestion}
	lessons    = set{LearnedSome, LearnedNothing, LearnedFailed}
	closeCodes = set{"4001", "4002", "4003", "4400", "4401", "4403", "4413", "4429"}
)

const quiet = "quiet"

// The writes that are timed.
const (
	OpAddTurn       = "add_turn"
	OpSendReply     = "send_reply"
	OpAddSuggestion = "add_suggestion"
	OpAddAnswer     = "add_answer"
	OpHandOver      = "hand_over"
)

// What came of a reply that was to be learned from.
const (
	LearnedSome    = "learned"
	LearnedNothing = "nothing"
	LearnedFailed  = "failed"
)

// Event counts a published event.
func (m *Metrics) Event(t assist.EventType) {
	m.events.WithLabelValues(eventTypes.of(string(t))).Inc()
}

// Turn counts a turn that the store took.
func (m *Metrics) Turn(r assist.Role, repeat bool) {
	if repeat {
		m.repeats.Inc()
		return
	}
	m.turns.WithLabelValues(roles.of(string(r))).Inc()
}

// Wrote times a write to the store.
func (m *Metrics) Wrote(op string, took time.Duration, err error) {
	op = ops.of(op)
	if err != nil {
		m.storeErr.WithLabelValues(op, codes.of(string(assist.CodeOf(err)))).Inc()
		return
	}
	m.store.WithLabelValues(op).Observe(took.Seconds())
}

// Suggestion counts a finished suggestion for an agent.
func (m *Metrics) Suggestion(s assist.Suggestion) {
	if s.Question.Quiet != "" {
		m.suggestions.WithLabelValues(quiet).Inc()
		return
	}
	m.suggestions.WithLabelValues(states.of(string(s.State))).Inc()
	for _, p := range []struct {
		name string
		ms   float64
	}{{"passages", s.Timings.Passages}, {"instant", s.Timings.Instant}, {"first_token", s.Timings.FirstToken}, {"ready", s.Timings.Ready}} {
		if p.ms > 0 {
			m.phases.WithLabelValues(p.name).Observe(p.ms / 1000)
		}
	}
	for _, v := range s.Verdicts {
		m.verdicts.WithLabelValues(checks.of(v.Check), verdicts.of(string(v.Outcome))).Inc()
	}
}

// Outcome counts what became of a suggestion.
func (m *Metrics) Outcome(s assist.SuggestionState) {
	m.outcomes.WithLabelValues(ends.of(string(s))).Inc()
}

// Feedback counts an agent's mark: good or bad.
func (m *Metrics) Feedback(verdict string) { m.feedback.WithLabelValues(marks.of(verdict)).Inc() }

// Gap counts a question that nothing answers.
func (m *Metrics) Gap() { m.gaps.Inc() }

// Learned counts what came of a reply.
func (m *Metrics) Learned(result string) { m.learned.WithLabelValues(lessons.of(result)).Inc() }

// Answered counts the bot's answers.
func (m *Metrics) Answered(dropped bool) {
	if dropped {
		m.answers.WithLabelValues("dropped").Inc()
		return
	}
	m.answers.WithLabelValues("answered").Inc()
}

// HandedOver counts a hand-over.
func (m *Metrics) HandedOver(c assist.HandoffCode) {
	m.handoffs.WithLabelValues(reasons.of(string(c))).Inc()
}

// Shed counts work that was let go.
func (m *Metrics) Shed(what string) { m.shed.WithLabelValues(sheds.of(what)).Inc() }

// MassRead counts an agent who read very many conversations.
func (m *Metrics) MassRead() { m.readers.Inc() }

// SocketClosed counts a socket's end; code 0: the other side went away.
func (m *Metrics) SocketClosed(a assist.Actor, code int) {
	name := "gone"
	if code != 0 {
		name = closeCodes.of(strconv.Itoa(code))
	}
	m.closes.WithLabelValues(actors.of(string(a)), name).Inc()
}

// faults names what can go wrong with a model.
var faults = map[string]error{
	"cut": llm.ErrCut, "first_token": llm.ErrFirstToken, "stalled": llm.ErrStalled, "rate_limited": llm.ErrRateLimited, "down": llm.ErrDown,
	"rejected": llm.ErrRejected, "not_a_model": llm.ErrNotAModel, "too_long": llm.ErrTooLong,
}

func result(err error) string {
	if err == nil {
		return "ok"
	}
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		if errors.Is(err, faults[name]) {
			return name
		}
	}
	return "other"
}

// Model counts the calls of a model, its tokens, and what they cost. who is
// ForAgent or ForBot.
func (m *Metrics) Model(who string, model llm.ChatModel) llm.ChatModel {
	return countedModel{model, m, fors.of(who)}
}

type countedModel struct {
	llm.ChatModel
	m   *Metrics
	who string
}

// Chat implements llm.ChatModel.
func (c countedModel) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	began, first := time.Now(), true
	out, err := c.ChatModel.Chat(ctx, r, func(text string) {
		if first {
			first = false
			c.m.firstToken.WithLabelValues(c.who).Observe(time.Since(began).Seconds())
		}
		delta(text)
	})
	name := result(err)
	if err != nil && ctx.Err() != nil {
		name = "cancelled" // superseded, or the server stops: not the model's fault
	}
	c.m.calls.WithLabelValues(c.who, name).Inc()
	c.m.tokens.WithLabelValues(c.who, "prompt").Add(float64(max(0, out.Prompt)))
	c.m.tokens.WithLabelValues(c.who, "completion").Add(float64(max(0, out.Completion)))
	c.m.cost.WithLabelValues(c.who).Add((float64(max(0, out.Prompt))*c.m.price.Prompt + float64(max(0, out.Completion))*c.m.price.Completion) / 1e6)
	return out, err
}

// Embedder times the calls of an embedder.
func (m *Metrics) Embedder(e llm.Embedder) llm.Embedder { return timedEmbedder{e, m} }

type timedEmbedder struct {
	llm.Embedder
	m *Metrics
}

// Embed implements llm.Embedder.
func (e timedEmbedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	began := time.Now()
	vectors, err := e.Embedder.Embed(ctx, texts)
	name := "ok"
	if err != nil {
		name = "failed"
	}
	e.m.embedding.WithLabelValues(name).Observe(time.Since(began).Seconds())
	return vectors, err
}
