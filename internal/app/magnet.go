package app

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aside-project/aside/internal/assist"
)

// A document that is found for everything was written to be, or is one page that
// should be many. Either way somebody should look at it.
const (
	magnetWindow = 500 // suggestions that are looked back at
	magnetFrom   = 100 // … before anything is said
	magnetFirst  = 5   // hits of each that count
	magnetShare  = 0.5 // of the suggestions, from which a document is one
)

// magnets watches which documents come up how often.
type magnets struct {
	log   *slog.Logger
	share prometheus.Gauge

	mu     sync.Mutex
	last   [][]string // documents of each suggestion, oldest first
	counts map[string]int
	told   map[string]time.Time
}

func newMagnets(log *slog.Logger, registry *prometheus.Registry) *magnets {
	m := &magnets{log: log, counts: map[string]int{}, told: map[string]time.Time{}, share: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "aside_top_document_share", Help: "Share of the last 500 suggestions that one document is a source of: the greatest of all documents.",
	})}
	registry.MustRegister(m.share)
	return m
}

// saw counts a suggestion's sources.
func (m *magnets) saw(s assist.Suggestion) {
	var docs []string
	for _, h := range s.Hits[:min(len(s.Hits), magnetFirst)] {
		if !slices.Contains(docs, h.DocumentID) {
			docs = append(docs, h.DocumentID)
		}
	}
	if len(docs) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = append(m.last, docs)
	for _, d := range docs {
		m.counts[d]++
	}
	if len(m.last) > magnetWindow {
		for _, d := range m.last[0] {
			if m.counts[d]--; m.counts[d] == 0 {
				delete(m.counts, d)
				delete(m.told, d)
			}
		}
		m.last = slices.Delete(m.last, 0, 1)
	}
	if len(m.last) < magnetFrom {
		return
	}
	most, n := "", 0
	for d, c := range m.counts {
		if c > n || c == n && d < most {
			most, n = d, c
		}
	}
	share := float64(n) / float64(len(m.last))
	m.share.Set(share)
	if share >= magnetShare && time.Since(m.told[most]) > time.Hour {
		m.told[most] = time.Now()
		m.log.Warn("one document is among the first sources of most suggestions: is it written to be? It can be taken out at once", "document", most, "share", share)
	}
}
