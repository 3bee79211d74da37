package eval

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// Comparison is two settings on the same cases.
type Comparison struct {
	A        string             `json:"a"`
	B        string             `json:"b"`
	Cases    int                `json:"cases"`    // compared
	Unpaired int                `json:"unpaired"` // only one of them has a result: new, gone, changed, an error
	Metrics  []MetricDifference `json:"metrics"`
	Flips    []Flip             `json:"flips"`
}

// MetricDifference is B − A in one metric.
type MetricDifference struct {
	Metric   string  `json:"metric"`
	A        float64 `json:"a"`
	B        float64 `json:"b"`
	Diff     float64 `json:"diff"`
	Low      float64 `json:"low"` // 95 % interval of the difference
	High     float64 `json:"high"`
	P        float64 `json:"p,omitempty"` // exact McNemar, of pass
	Clusters int     `json:"clusters"`
	Verdict  string  `json:"verdict"`
	sureHigh float64
	More     int `json:"more,omitempty"` // how many more conversations would show a difference of this size
}

// Flip is a case that passes under one setting and fails under the other.
type Flip struct {
	Case   string `json:"case"`
	Better bool   `json:"better"`
	Reason string `json:"reason"`
}

// The verdicts.
const (
	VerdictBetter = "better"
	VerdictWorse  = "worse"
	VerdictSame   = "no difference shown"
	VerdictFew    = "too few cases"
)

// sameWithin is the difference that does not matter: within it a setting is not called
// better or worse for want of cases.
const sameWithin = 0.03

// scored is a case's mean scores over its repeats.
type scored struct {
	hash, cluster string
	scores        map[string]float64
	n             map[string]float64
	why           string
}

// byCase gathers the results of each case; errors and skips have no score. Where
// a suite has several prompts or providers, each is a case of its own.
func byCase(results []Result) map[string]*scored {
	prompts, providers := map[string]map[string]bool{}, map[string]map[string]bool{}
	note := func(m map[string]map[string]bool, suite, name string) {
		if m[suite] == nil {
			m[suite] = map[string]bool{}
		}
		m[suite][name] = true
	}
	for _, r := range results {
		note(prompts, r.Suite, r.Prompt)
		note(providers, r.Suite, r.Provider)
	}
	out := map[string]*scored{}
	for _, r := range results {
		scores := r.scores()
		if scores == nil {
			continue
		}
		name := r.Case
		if len(prompts[r.Suite]) > 1 {
			name += " · " + r.Prompt
		}
		if len(providers[r.Suite]) > 1 {
			name += " · " + r.Provider
		}
		s := out[name]
		if s == nil {
			s = &scored{hash: r.Hash, cluster: r.Cluster, scores: map[string]float64{}, n: map[string]float64{}}
			out[name] = s
		}
		for m, v := range scores {
			s.scores[m] = (s.scores[m]*s.n[m] + v) / (s.n[m] + 1)
			s.n[m]++
		}
		if r.Outcome == Failed {
			s.why = string(r.Cause)
		}
	}
	return out
}

// Compare pairs two runs case by case. A case that changed between them is not
// compared.
func Compare(nameA, nameB string, a, b []Result) Comparison {
	return compare(nameA, nameB, byCase(a), byCase(b))
}

func compare(nameA, nameB string, before, after map[string]*scored) Comparison {
	c := Comparison{A: nameA, B: nameB, Flips: []Flip{}, Metrics: []MetricDifference{}}
	pairs := map[string][]pair{}
	sums := map[string][2]float64{}
	worse, better := 0, 0
	for _, id := range sortedKeys(before) {
		x, y := before[id], after[id]
		if y == nil || x.hash != y.hash {
			c.Unpaired++
			continue
		}
		c.Cases++
		for m, v := range x.scores {
			w, ok := y.scores[m]
			if !ok {
				continue
			}
			pairs[m] = append(pairs[m], pair{x.cluster, w - v})
			t := sums[m]
			sums[m] = [2]float64{t[0] + v, t[1] + w}
		}
		wasPass, isPass := x.scores["pass"] > 0.5, y.scores["pass"] > 0.5
		if wasPass != isPass {
			f := Flip{Case: id, Better: isPass, Reason: orElse(y.why, x.why)}
			if isPass {
				better++
			} else {
				worse++
			}
			c.Flips = append(c.Flips, f)
		}
	}
	for id := range after {
		if before[id] == nil {
			c.Unpaired++
		}
	}
	for _, m := range sortedKeys(pairs) {
		iv := bootstrap(pairs[m], resamples)
		n := float64(len(pairs[m]))
		d := MetricDifference{
			Metric: m, A: round(sums[m][0] / n), B: round(sums[m][1] / n), Diff: round(iv.Mean),
			Low: round(iv.Low), High: round(iv.High), sureHigh: round(iv.SureHigh), Clusters: iv.Clusters,
		}
		d.Verdict, d.More = verdictOf(iv)
		if m == "pass" {
			d.P = mcNemar(worse, better)
		}
		c.Metrics = append(c.Metrics, d)
	}
	if i := slices.IndexFunc(c.Metrics, func(d MetricDifference) bool { return d.Metric == "pass" }); i > 0 {
		pass := c.Metrics[i]
		c.Metrics = slices.Insert(slices.Delete(c.Metrics, i, i+1), 0, pass)
	}
	return c
}

func verdictOf(iv interval) (verdict string, more int) {
	switch {
	case iv.Clusters < 2:
		return VerdictFew, 0
	case iv.Low > 0:
		return VerdictBetter, 0
	case iv.High < 0:
		return VerdictWorse, 0
	case iv.Low >= -sameWithin && iv.High <= sameWithin:
		return VerdictSame, 0
	}
	return VerdictFew, max(1, needed(iv.SD, max(math.Abs(iv.Mean), sameWithin))-iv.Clusters)
}

// WriteComparison writes a comparison for a terminal.
func WriteComparison(w io.Writer, c Comparison) {
	fmt.Fprintf(w, "A  %s\nB  %s\n%d cases compared, %d not (new, gone, changed, skipped or in error)\n\n", c.A, c.B, c.Cases, c.Unpaired)
	width := len("metric")
	for _, m := range c.Metrics {
		width = max(width, len(m.Metric))
	}
	fmt.Fprintf(w, "%-*s  %7s %7s %8s  %-18s  %s\n", width, "metric", "A", "B", "B−A", "95 % interval", "verdict")
	for _, m := range c.Metrics {
		verdict := m.Verdict
		if m.More > 0 {
			verdict += fmt.Sprintf(", about %d more conversations", m.More)
		}
		if m.Metric == "pass" {
			verdict += fmt.Sprintf("  (McNemar p %.3g)", m.P)
		}
		fmt.Fprintf(w, "%-*s  %7.3f %7.3f %+8.3f  %-18s  %s\n", width, m.Metric, m.A, m.B, m.Diff, fmt.Sprintf("%+.3f … %+.3f", m.Low, m.High), verdict)
	}
	for _, f := range c.Flips {
		mark := "worse "
		if f.Better {
			mark = "better"
		}
		fmt.Fprintf(w, "%s  %s  [%s]\n", mark, f.Case, f.Reason)
	}
}
