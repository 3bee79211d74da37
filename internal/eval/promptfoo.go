package eval

import (
	"fmt"
	"io"
	"io/fs"
)

// ImportReport says what of a promptfoo suite carries over. The file itself is
// run as it is: there is nothing to convert.
type ImportReport struct {
	File      string         `json:"file"`
	Prompts   int            `json:"prompts"`
	Providers []string       `json:"providers"`
	Cases     int            `json:"cases"`
	Asserts   map[string]int `json:"asserts"`
	Dropped   []string       `json:"dropped"` // file:line: what, and why
}

// Import reads a promptfoo suite and says what runs here and what does not.
func Import(fsys fs.FS, name string) (ImportReport, error) {
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		return ImportReport{}, fmt.Errorf("import: %w", err)
	}
	r := &reader{fsys: fsys, file: name, suite: &Suite{Name: suiteName(name), File: name}}
	if root := r.parse(name, raw); root != nil {
		r.top(root)
	}
	rep := ImportReport{File: name, Prompts: len(r.suite.Prompts), Providers: []string{}, Cases: len(r.suite.Cases), Asserts: map[string]int{}, Dropped: []string{}}
	for _, p := range r.suite.Providers {
		rep.Providers = append(rep.Providers, p.ID)
	}
	for _, c := range r.suite.Cases {
		for _, a := range c.Asserts {
			if _, ok := kinds()[a.Type]; ok {
				rep.Asserts[a.Name()]++
			}
		}
	}
	for _, f := range append(r.faults, r.suite.foreign...) {
		rep.Dropped = append(rep.Dropped, f.Error())
	}
	return rep, nil
}

// WriteImport writes the report for a terminal.
func WriteImport(w io.Writer, r ImportReport) {
	fmt.Fprintf(w, "%d prompts, %d cases, providers %q carry over.\n", r.Prompts, r.Cases, r.Providers)
	for _, a := range sortedKeys(r.Asserts) {
		fmt.Fprintf(w, "%6d  %s\n", r.Asserts[a], a)
	}
	if len(r.Dropped) == 0 {
		fmt.Fprintf(w, "Everything does: `aside eval %s` runs it unchanged.\n", r.File)
		return
	}
	fmt.Fprintf(w, "\nWhat does not (%d), and must be taken out before it runs:\n", len(r.Dropped))
	for _, d := range r.Dropped {
		fmt.Fprintln(w, "  "+d)
	}
}
