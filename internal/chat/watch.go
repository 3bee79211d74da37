package chat

import (
	"time"

	"github.com/aside-project/aside/internal/assist"
)

// watcher publishes what a run shows on its way, until the run is over.
type watcher struct {
	s *Service
	l *live
	r *run
}

// hit is what an agent sees of a passage before the suggestion is stored.
type hit struct {
	PassageID string          `json:"passage_id"`
	Title     string          `json:"title"`
	Heading   string          `json:"heading,omitempty"`
	Quote     string          `json:"quote"`
	URL       string          `json:"url,omitempty"`
	Audience  assist.Audience `json:"audience"`
	UpdatedAt time.Time       `json:"updated_at"`
	Text      string          `json:"text"`
}

type passages struct {
	SuggestionID string          `json:"suggestion_id"`
	ForSeq       int64           `json:"for_seq"`
	Hits         []hit           `json:"hits"`
	Question     assist.Question `json:"question"`
}

type instant struct {
	SuggestionID string            `json:"suggestion_id"`
	ForSeq       int64             `json:"for_seq"`
	Draft        *assist.Draft     `json:"draft"`
	Steps        []assist.NextStep `json:"steps"`
	Options      []assist.Option   `json:"options"`
	Verdicts     []assist.Verdict  `json:"verdicts"`
	Standing     assist.Standing   `json:"standing"`
	CheckCount   int               `json:"check_count"`
}

// Passages implements assist.Watcher.
func (w watcher) Passages(g assist.Suggestion) {
	if g.Question.Quiet != "" {
		return
	}
	p := passages{SuggestionID: w.r.id, ForSeq: w.r.forSeq, Hits: []hit{}, Question: g.Question}
	for _, h := range g.Hits {
		p.Hits = append(p.Hits, hit{PassageID: h.ID, Title: h.Title, Heading: h.Heading, Quote: h.Quote, URL: h.URL, Audience: h.Audience, UpdatedAt: h.UpdatedAt, Text: h.Text})
	}
	e := assist.NewEvent(assist.EventSuggestionPassages, w.l.id, 0, p)
	w.show(&g, func() { w.s.startedLocked(w.l, w.r); w.s.bus.Publish(w.l.id, e) })
}

// Instant implements assist.Watcher.
func (w watcher) Instant(g assist.Suggestion) {
	e := assist.NewEvent(assist.EventSuggestionInstant, w.l.id, 0, instant{SuggestionID: w.r.id, ForSeq: w.r.forSeq,
		Draft: g.Instant, Steps: list(g.Steps), Options: list(g.Options), Verdicts: list(g.Verdicts), Standing: g.Standing, CheckCount: g.CheckCount})
	w.show(&g, func() { w.s.startedLocked(w.l, w.r); w.r.instant = true; w.s.bus.Publish(w.l.id, e) })
	w.r.ready(w.s)
}

// Delta implements assist.Watcher.
func (w watcher) Delta(text string) {
	e := assist.NewEvent(assist.EventSuggestionDelta, w.l.id, 0, struct {
		SuggestionID string `json:"suggestion_id"`
		Text         string `json:"text"`
	}{w.r.id, text})
	w.show(nil, func() { w.s.bus.Publish(w.l.id, e) })
}

// show publishes under the lock under which runs are ended, so that nothing of a
// run follows its suggestion.superseded.
func (w watcher) show(g *assist.Suggestion, publish func()) {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	if w.r.over || w.r.ctx.Err() != nil {
		return
	}
	if g != nil {
		g.ID, g.Conversation, g.ForSeq, g.Instruction = w.r.id, w.l.id, w.r.forSeq, w.r.instruction
		w.l.latest = g
	}
	publish()
}

// started says that a suggestion is being made; nothing did before there was
// something to show, so that a quiet turn stays quiet.
func (s *Service) started(l *live, r *run) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.startedLocked(l, r)
}

func (s *Service) startedLocked(l *live, r *run) {
	if r.shown {
		return
	}
	r.shown = true
	s.bus.Publish(l.id, assist.NewEvent(assist.EventSuggestionStarted, l.id, 0, struct {
		SuggestionID string `json:"suggestion_id"`
		ForSeq       int64  `json:"for_seq"`
		Requested    bool   `json:"requested,omitempty"` // by an agent: it ends what other nodes make for that turn
	}{r.id, r.forSeq, !r.leased}))
}

// list makes an absent list an empty one: clients get [], never null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
