package app

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aside-project/aside/internal/assist"
)

// TestMagnetAlarm holds that a document which is found for most questions is named
// once, and an ordinary one never.
func TestMagnetAlarm(t *testing.T) {
	var out bytes.Buffer
	m := newMagnets(slog.New(slog.NewTextHandler(&out, nil)), prometheus.NewRegistry())
	suggest := func(i int, docs ...string) {
		var s assist.Suggestion
		for _, d := range append(docs, fmt.Sprintf("page-%d", i%40)) {
			s.Hits = append(s.Hits, assist.Hit{Passage: assist.Passage{DocumentID: d}}, assist.Hit{Passage: assist.Passage{DocumentID: d}})
		}
		m.saw(s)
	}
	for i := range 600 {
		suggest(i)
	}
	if out.Len() > 0 {
		t.Errorf("%s", out.String())
	}
	for i := range 400 {
		suggest(i, "magnet")
	}
	if n := strings.Count(out.String(), "document=magnet"); n != 1 || strings.Contains(out.String(), "page-") {
		t.Errorf("%d times: %s", n, out.String())
	}
	for i := range 500 {
		suggest(i)
	}
	if m.counts["magnet"] != 0 || len(m.counts) > 40 || len(m.last) != magnetWindow {
		t.Errorf("%v", m.counts)
	}
}
