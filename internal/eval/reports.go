package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// WriteReports writes every report of a run into its folder, beside
// results.jsonl.
func WriteReports(dir string, results []Result) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	for _, report := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"summary.json", func(b *bytes.Buffer) error {
			e := json.NewEncoder(b)
			e.SetIndent("", "  ")
			return e.Encode(Summarise(results))
		}},
		{"results.json", func(b *bytes.Buffer) error { return WriteJSON(b, results) }},
		{"junit.xml", func(b *bytes.Buffer) error { return WriteJUnit(b, results) }},
		{"bench.txt", func(b *bytes.Buffer) error { return WriteBench(b, results) }},
		{"report.html", func(b *bytes.Buffer) error { return WriteHTML(b, results, nil, nil) }},
	} {
		var b bytes.Buffer
		if err := report.write(&b); err != nil {
			return fmt.Errorf("write %s: %w", report.name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, report.name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("write reports: %w", err)
		}
	}
	return nil
}

// WriteComparisonPage writes compare.html and compare.json into a run's folder.
// before is nil where only the scores of the other side are known.
func WriteComparisonPage(dir string, results []Result, c Comparison, before []Result) error {
	var html bytes.Buffer
	if err := WriteHTML(&html, results, &c, before); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return fmt.Errorf("write compare.json: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write reports: %w", err)
	}
	for name, body := range map[string][]byte{"compare.html": html.Bytes(), "compare.json": raw} {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return fmt.Errorf("write reports: %w", err)
		}
	}
	return nil
}
