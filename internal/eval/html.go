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
// other file, no network. With a comparison it opens on what changed.
func WriteHTML(w io.Writer, results []Result, c *Comparison) error {
	raw, err := json.Marshal(struct {
		Summary    Summary     `json:"summary"`
		Results    []Result    `json:"results"`
		Comparison *Comparison `json:"comparison,omitempty"`
	}{Summarise(results), results, c})
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	// encoding/json escapes <, > and &: no text can end the script element.
	before, after, ok := strings.Cut(page, "/*DATA*/")
	if !ok {
		return fmt.Errorf("write the page: it has no place for the data")
	}
	for _, part := range []string{before, string(raw), after} {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
	}
	return nil
}
