package eval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Summary counts a run. It holds no measured time: the same files give the same
// summary.
type Summary struct {
	Cases   int                `json:"cases"` // passed, failed and errors; skipped ones do not count
	Passed  int                `json:"passed"`
	Failed  int                `json:"failed"`
	Errors  int                `json:"errors"`
	Skipped int                `json:"skipped"`
	Metrics map[string]float64 `json:"metrics"` // mean score per metric over the results that have it; pass is the pass rate
	Causes  map[Cause]int      `json:"causes,omitempty"`
}

// Summarise counts results.
func Summarise(results []Result) Summary {
	s := Summary{Metrics: map[string]float64{}, Causes: map[Cause]int{}}
	sums, counts := map[string]float64{}, map[string]float64{}
	always, cases := map[string]bool{}, map[string]bool{}
	repeated := false
	for _, r := range results {
		switch r.Outcome {
		case Skipped:
			s.Skipped++
			continue
		case Passed:
			s.Passed++
		case Failed:
			s.Failed++
			s.Causes[r.Cause]++
		case Errored:
			s.Errors++
		}
		s.Cases++
		if r.Outcome != Errored {
			k := r.Case + "|" + r.Prompt + "|" + r.Provider
			if !cases[k] {
				cases[k], always[k] = true, true
			}
			always[k] = always[k] && r.Outcome == Passed
			repeated = repeated || r.Repeat > 0
		}
		for name, v := range r.scores() {
			sums[name] += v
			counts[name]++
		}
	}
	for name, n := range counts {
		s.Metrics[name] = round(sums[name] / n)
	}
	if repeated { // passed every time it was asked
		n := 0
		for _, ok := range always {
			if ok {
				n++
			}
		}
		s.Metrics["pass_every_time"] = round(float64(n) / float64(len(always)))
	}
	return s
}

func round(f float64) float64 { return math.Round(f*1e6) / 1e6 }

// scores gives a result's score per metric, weighted within it, and pass. An
// error has none.
func (r Result) scores() map[string]float64 {
	if r.Outcome != Passed && r.Outcome != Failed {
		return nil
	}
	out := map[string]float64{"pass": 0}
	if r.Outcome == Passed {
		out["pass"] = 1
	}
	weight := map[string]float64{}
	for _, a := range r.Asserts {
		w := cmp.Or(a.Weight, 1e-9)
		out[a.Metric] += w * a.Score
		weight[a.Metric] += w
	}
	for name, w := range weight {
		out[name] /= w
	}
	return out
}

// WriteTable writes a run for a terminal: a line per suite, the cases that did not
// pass with their cause, and with verbose the whole why of each case.
func WriteTable(w io.Writer, results []Result, verbose bool) {
	type row struct {
		name string
		Summary
	}
	var rows []row
	groups := map[string][]Result{}
	var order []string
	for _, r := range results {
		k := r.Suite
		if p := r.Prompt + " · " + r.Provider; several(results) {
			k += "  " + p
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], r)
	}
	width := len("suite")
	for _, k := range order {
		rows = append(rows, row{k, Summarise(groups[k])})
		width = max(width, len([]rune(k)))
	}
	for _, r := range results {
		if verbose || r.Outcome == Failed || r.Outcome == Errored {
			writeCase(w, r, verbose)
		}
	}
	fmt.Fprintf(w, "%-*s  %6s %7s %7s %7s %7s\n", width, "suite", "cases", "passed", "failed", "errors", "skipped")
	for _, r := range append(rows, row{"all", Summarise(results)}) {
		fmt.Fprintf(w, "%-*s  %6d %7d %7d %7d %7d\n", width, r.name, r.Cases, r.Passed, r.Failed, r.Errors, r.Skipped)
	}
	all := Summarise(results)
	if len(all.Causes) > 0 {
		fmt.Fprintln(w, "\nWhy cases failed")
		for _, c := range sortedByCount(all.Causes) {
			fmt.Fprintf(w, "  %4d  %s\n", all.Causes[c], c)
		}
	}
}

func several(results []Result) bool {
	for _, r := range results[min(1, len(results)):] {
		if r.Prompt != results[0].Prompt && r.Suite == results[0].Suite || r.Provider != results[0].Provider {
			return true
		}
	}
	return false
}

func sortedByCount(m map[Cause]int) []Cause {
	var out []Cause
	for c := range m {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Cause) int { return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b)) })
	return out
}

func writeCase(w io.Writer, r Result, verbose bool) {
	cause := ""
	if r.Cause != "" {
		cause = "  [" + string(r.Cause) + "]"
	}
	fmt.Fprintf(w, "%-5s %s%s\n", strings.ToUpper(string(r.Outcome)), r.Case, cause)
	if r.Reason != "" {
		fmt.Fprintf(w, "      %s\n", r.Reason)
	}
	if verbose {
		fmt.Fprintf(w, "      %s\n", r.Line)
		for _, t := range r.Turns {
			fmt.Fprintf(w, "      %s: %s\n", t.Role, clip(turnLine(t), 4000))
		}
	}
	if r.Outcome != Skipped {
		fmt.Fprintf(w, "      → %s\n", orElse(clip(r.Output, 600), "(no draft)"))
	}
	for _, a := range r.Asserts {
		if verbose || a.Outcome != Passed {
			fmt.Fprintf(w, "      %-5s %s %s: %s\n", a.Outcome, a.Type, strings.Join(a.Value, ", "), a.Reason)
		}
	}
	if s := r.Suggestion; s != nil && verbose {
		fmt.Fprintf(w, "      %s, %s  %s\n", s.State, s.Standing, s.Reason)
		for i, h := range s.Hits {
			fmt.Fprintf(w, "      %2d %-24s %-8s %6.2f  %s\n", i+1, h.DocumentID, h.Audience, h.Ranks.LexicalScore, clip(h.Quote, 90))
		}
		for _, st := range s.Steps {
			mark := " "
			if st.Current {
				mark = "»"
			}
			fmt.Fprintf(w, "      %s %-4s %s  %s\n", mark, st.State, st.ID, clip(st.Text, 80))
		}
		for _, v := range s.Verdicts {
			fmt.Fprintf(w, "      %s %s: %s\n", v.Check, v.Outcome, v.Reason)
		}
	}
	fmt.Fprintln(w)
}

func turnLine(t assist.Turn) string {
	if t.Action != nil {
		return "[" + t.Action.Name + "] " + strings.Join(t.Action.Values, ", ")
	}
	return t.Text
}

// WriteBench writes a run as Go benchmark lines, for benchstat.
func WriteBench(w io.Writer, results []Result) error {
	for _, r := range results {
		if r.Outcome != Passed && r.Outcome != Failed {
			continue
		}
		name := strings.Map(func(c rune) rune {
			if c == ' ' || c == '\t' {
				return '_'
			}
			return c
		}, r.Case)
		scores := r.scores()
		line := fmt.Sprintf("BenchmarkEval/%s 1", name)
		for _, m := range sortedKeys(scores) {
			line += fmt.Sprintf(" %g %s", round(scores[m]), m)
		}
		if _, err := fmt.Fprintf(w, "%s %g ms/answer\n", line, r.LatencyMS); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes the summary and every result without its transcript and
// suggestion, which stand in results.jsonl.
func WriteJSON(w io.Writer, results []Result) error {
	short := make([]Result, len(results))
	for i, r := range results {
		r.Turns, r.Suggestion = nil, nil
		short[i] = r
	}
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(struct {
		Summary
		Results []Result `json:"results"`
	}{Summarise(results), short})
}
