package app

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/chat"
	"github.com/aside-project/aside/internal/pubsub"
)

// metrics counts what passes over the bus. Labels come from fixed sets only:
// never an id, never text.
type metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	phases   *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	sheds    *prometheus.CounterVec
	readers  prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aside_events_total", Help: "Events published, by type.",
		}, []string{"type"}),
		phases: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "aside_suggestion_seconds", Help: "Time from the start of a suggestion to each phase.",
			Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30},
		}, []string{"phase"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aside_model_tokens_total", Help: "Tokens of the chat model, by direction.",
		}, []string{"direction"}),
		sheds: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "aside_shed_total", Help: "What was left out under load: draft, bot, suggestion.",
		}, []string{"what"}),
		readers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "aside_mass_reads_total", Help: "Agents who read more than 1,000 conversations within an hour: look at the log for whom.",
		}),
	}
	m.registry.MustRegister(m.events, m.phases, m.tokens, m.sheds, m.readers, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// shed counts what was left out.
func (m *metrics) shed(what chat.Shed) { m.sheds.WithLabelValues(string(what)).Inc() }

// suggestion records a finished suggestion.
func (m *metrics) suggestion(s assist.Suggestion) {
	for _, p := range []struct {
		name string
		ms   float64
	}{{"passages", s.Timings.Passages}, {"instant", s.Timings.Instant}, {"first_token", s.Timings.FirstToken}, {"ready", s.Timings.Ready}} {
		if p.ms > 0 {
			m.phases.WithLabelValues(p.name).Observe(p.ms / 1000)
		}
	}
	m.tokens.WithLabelValues("prompt").Add(float64(s.Usage.Prompt))
	m.tokens.WithLabelValues("completion").Add(float64(s.Usage.Completion))
}

// countedBus publishes and counts.
type countedBus struct {
	*pubsub.Bus[assist.Event]
	m *metrics
}

func (b countedBus) Publish(topic string, e assist.Event) {
	b.m.events.WithLabelValues(string(e.Type)).Inc()
	b.Bus.Publish(topic, e)
}
