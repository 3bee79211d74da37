package eval

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

//go:embed report.html
var page string

// WriteHTML writes a run as one page that needs nothing else: no server, no
// other file, no network. With a comparison it opens on what changed; with the
// results before it, they stand beside each other, and each answer shows how it
// differs.
func WriteHTML(w io.Writer, results []Result, c *Comparison, before []Result) error {
	raw, err := json.Marshal(struct {
		Summary    Summary     `json:"summary"`
		Results    []Result    `json:"results"`
		Before     []Result    `json:"before,omitempty"`
		Comparison *Comparison `json:"comparison,omitempty"`
	}{Summarise(results), results, before, c})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	// encoding/json escapes <, > and &: no text can end the script element.
	head, tail, ok := strings.Cut(page, "/*DATA*/")
	if !ok {
		return fmt.Errorf("write the page: it has no place for the data")
	}
	for _, part := range []string{head, string(raw), tail} {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}
