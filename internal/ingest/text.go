package ingest

import (
	"context"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// parseText reads plain text: paragraphs between blank lines. A short first line
// that stands alone is the title.
func parseText(_ context.Context, _ file, text string) ([]assist.Document, []string, error) {
	d := assist.Document{Body: text}
	s := section{}
	start, end := 0, 0
	for line := range strings.Lines(text) {
		end += len(line)
		if strings.TrimSpace(line) == "" {
			s.blocks = append(s.blocks, block{start: start, end: end})
			start = end
		}
	}
	s.blocks = append(s.blocks, block{start: start, end: end})
	first, rest, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	if first = strings.TrimSpace(first); first != "" && len(first) <= 100 && strings.HasPrefix(rest, "\n") && !strings.ContainsAny(first[len(first)-1:], ".!?:,;") {
		d.Title = first
	}
	for _, p := range s.pieces(text) {
		if t := strings.TrimSpace(p.text); t != "" {
			d.Passages = append(d.Passages, assist.Passage{Text: t, Start: p.start, End: p.end})
		}
	}
	return []assist.Document{d}, nil, nil
}
