package observe

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Queue is something that waits or works, and how much of it there may be.
type Queue struct {
	Name         string // a constant
	Depth, Limit int
}

// Pool is a group of database connections as its owner counts it.
type Pool struct {
	Name             string // a constant
	InUse, Idle, Max int
	Waits, GaveUp    int64   // acquisitions that had to wait, and that ended without a connection
	WaitSeconds      float64 // of all acquisitions
}

// Sources are asked whenever metrics are read. They must be quick and not block;
// nil ones have no metrics.
type Sources struct {
	Queues  func() []Queue
	Pools   func() []Pool
	Sockets func() int
	ModelUp func() bool
}

// Read adds the sources to the registry, once.
func (m *Metrics) Read(s Sources) { m.registry.MustRegister(gauges{s}) }

type gauges struct{ s Sources }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	queueDepth  = desc("aside_queue_depth", "What waits or works now.", "queue")
	queueLimit  = desc("aside_queue_limit", "How much may wait or work.", "queue")
	connections = desc("aside_database_connections", "Connections to the database.", "pool", "state")
	poolMax     = desc("aside_database_connections_max", "Most connections to the database.", "pool")
	poolWaits   = desc("aside_database_waits_total", "Times a connection had to be waited for.", "pool")
	poolGaveUp  = desc("aside_database_gave_up_total", "Times none came in time.", "pool")
	poolWaited  = desc("aside_database_wait_seconds_total", "Time spent to get a connection.", "pool")
	sockets     = desc("aside_sockets", "Open sockets.")
	modelUp     = desc("aside_model_up", "1 while the chat model answers, 0 while it is left alone.")
)

// Describe implements prometheus.Collector.
func (g gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{queueDepth, queueLimit, connections, poolMax, poolWaits, poolGaveUp, poolWaited, sockets, modelUp} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g gauges) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	if g.s.Queues != nil {
		for _, q := range g.s.Queues() {
			gauge(queueDepth, float64(q.Depth), q.Name)
			gauge(queueLimit, float64(q.Limit), q.Name)
		}
	}
	if g.s.Pools != nil {
		for _, p := range g.s.Pools() {
			gauge(connections, float64(p.InUse), p.Name, "in_use")
			gauge(connections, float64(p.Idle), p.Name, "idle")
			gauge(poolMax, float64(p.Max), p.Name)
			count(poolWaits, float64(p.Waits), p.Name)
			count(poolGaveUp, float64(p.GaveUp), p.Name)
			count(poolWaited, p.WaitSeconds, p.Name)
		}
	}
	if g.s.Sockets != nil {
		gauge(sockets, float64(g.s.Sockets()))
	}
	if g.s.ModelUp != nil {
		up := 0.0
		if g.s.ModelUp() {
			up = 1
		}
		gauge(modelUp, up)
	}
}
