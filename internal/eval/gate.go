package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Baseline is what one suite did when somebody last looked and found it good. It
// is a file in the repository, reviewed like code, and holds no measured time.
type Baseline struct {
	Suite    string         `json:"suite"`
	Prompt   string         `json:"prompt"`
	Provider string         `json:"provider"`
	Cases    []BaselineCase `json:"cases"`
}

// BaselineCase is one case of a baseline.
type BaselineCase struct {
	Case    string             `json:"case"`
	Hash    string             `json:"hash"`
	Cluster string             `json:"cluster,omitempty"` // "": the case itself
	Scores  map[string]float64 `json:"scores"`
}

// BaselineDir is where baselines stand beside the suites.
const BaselineDir = ".baseline"

// Baselines makes a baseline of each suite's results.
func Baselines(results []Result) []Baseline {
	groups := map[string][]Result{}
	for _, r := range results {
		groups[r.Suite] = append(groups[r.Suite], r)
	}
	var out []Baseline
	for _, suite := range sortedKeys(groups) {
		rs := groups[suite]
		b := Baseline{Suite: suite, Prompt: rs[0].Prompt, Provider: rs[0].Provider, Cases: []BaselineCase{}}
		cases := byCase(rs)
		for _, id := range sortedKeys(cases) {
			s := cases[id]
			bc := BaselineCase{Case: id, Hash: s.hash, Scores: map[string]float64{}}
			if s.cluster != id && !strings.HasPrefix(id, s.cluster+" · ") {
				bc.Cluster = s.cluster
			}
			for m, v := range s.scores {
				bc.Scores[m] = round(v)
			}
			b.Cases = append(b.Cases, bc)
		}
		out = append(out, b)
	}
	return out
}

// WriteBaselines writes baselines into a folder, one file per suite.
func WriteBaselines(dir string, all []Baseline) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write baselines: %w", err)
	}
	for _, b := range all {
		var text strings.Builder
		head, err := json.Marshal(Baseline{Suite: b.Suite, Prompt: b.Prompt, Provider: b.Provider})
		if err != nil {
			return fmt.Errorf("write baseline of %s: %w", b.Suite, err)
		}
		text.WriteString(strings.TrimSuffix(string(head), "null}") + "[\n") // a case a line: reviews show what changed
		for i, c := range b.Cases {
			raw, err := json.Marshal(c)
			if err != nil {
				return fmt.Errorf("write baseline of %s: %w", b.Suite, err)
			}
			text.Write(raw)
			if i < len(b.Cases)-1 {
				text.WriteByte(',')
			}
			text.WriteByte('\n')
		}
		text.WriteString("]}\n")
		if err := os.WriteFile(filepath.Join(dir, b.Suite+".json"), []byte(text.String()), 0o644); err != nil {
			return fmt.Errorf("write baseline of %s: %w", b.Suite, err)
		}
	}
	return nil
}

// ReadBaseline reads the baseline of a suite; nil if there is none.
func ReadBaseline(fsys fs.FS, dir, suite string) (*Baseline, error) {
	name := path.Join(dir, suite+".json")
	raw, err := fs.ReadFile(fsys, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("read baseline: %w", err)
	}
	var b Baseline
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("read baseline %s: %w", name, err)
	}
	return &b, nil
}

// scored turns a baseline into what can be compared.
func (b Baseline) scored(into map[string]*scored) {
	for _, c := range b.Cases {
		into[c.Case] = &scored{hash: c.Hash, cluster: orElse(c.Cluster, c.Case), scores: c.Scores}
	}
}

// GateOptions are how much worse a run may be.
type GateOptions struct {
	Margin  float64            // per metric, as a share; 0: 0.02
	Margins map[string]float64 // for single metrics
	Errors  float64            // share of cases that may err; 0: 0.02
}

// Judgement is what the gate says.
type Judgement string

// What the gate says, with the exit codes of the command line.
const (
	GatePass         Judgement = "pass"         // 0
	GateRegression   Judgement = "regression"   // 100
	GateInconclusive Judgement = "inconclusive" // 101
)

// GateReport is the judgement with its reasons.
type GateReport struct {
	Judgement  Judgement  `json:"judgement"`
	Reasons    []string   `json:"reasons"`
	Comparison Comparison `json:"comparison"`
}

// fewCases is how many cases a metric other than pass may lose before it counts:
// a metric that few cases have would otherwise stop every change.
const fewCases = 4

// Gate holds a run against baselines. A metric passes when the lower end of the
// interval of its difference is within the margin; it regressed when the whole
// interval is below zero and its lower end is not; anything between is
// inconclusive. A must case that fails is a regression whatever the margins.
func Gate(results []Result, baselines []Baseline, o GateOptions) GateReport {
	if o.Margin == 0 {
		o.Margin = 0.02
	}
	if o.Errors == 0 {
		o.Errors = 0.02
	}
	before := map[string]*scored{}
	for _, b := range baselines {
		b.scored(before)
	}
	g := GateReport{Judgement: GatePass, Reasons: []string{}, Comparison: compare("baseline", "this run", before, byCase(results))}
	say := func(j Judgement, format string, args ...any) {
		g.Reasons = append(g.Reasons, fmt.Sprintf("%s: ", j)+fmt.Sprintf(format, args...))
		if g.Judgement == GatePass || j == GateRegression {
			g.Judgement = j
		}
	}
	s := Summarise(results)
	for _, r := range results {
		if r.Must && r.Outcome == Failed {
			say(GateRegression, "%s must pass and failed (%s)", r.Case, r.Cause)
		}
		if r.Must && r.Outcome == Errored {
			say(GateInconclusive, "%s must pass and could not be judged: %s", r.Case, r.Reason)
		}
	}
	if s.Cases > 0 && float64(s.Errors)/float64(s.Cases) > o.Errors {
		say(GateInconclusive, "%d of %d cases could not be judged; the budget is %.0f %%", s.Errors, s.Cases, 100*o.Errors)
	}
	if g.Comparison.Cases == 0 {
		say(GateInconclusive, "no case of this run stands in a baseline: --update writes one")
	}
	for _, d := range g.Comparison.Metrics {
		margin, own := o.Margins[d.Metric]
		high := d.High
		if !own {
			margin = o.Margin
			if d.Metric != "pass" {
				margin = max(margin, fewCases/float64(max(d.Clusters, 1)))
				high = d.sureHigh // one of many metrics: by chance alone one in forty would fall
			}
		}
		switch {
		case d.Low >= -margin, d.Clusters < 2 && d.A == d.B:
		case high < 0:
			say(GateRegression, "%s fell from %.3f to %.3f, %+.3f … %+.3f; the margin is %.3f", d.Metric, d.A, d.B, d.Low, d.High, margin)
		default:
			say(GateInconclusive, "%s went from %.3f to %.3f, and may have fallen by up to %.3f; the margin is %.3f", d.Metric, d.A, d.B, -d.Low, margin)
		}
	}
	return g
}

// WriteGate writes a gate's report for a terminal.
func WriteGate(w io.Writer, g GateReport) {
	WriteComparison(w, g.Comparison)
	fmt.Fprintln(w)
	for _, r := range g.Reasons {
		fmt.Fprintln(w, r)
	}
	fmt.Fprintf(w, "Gate: %s\n", g.Judgement)
}
