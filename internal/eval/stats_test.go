package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestCoverage: of 2,000 simulated experiments on coin flips the 95 % interval
// holds the truth in 93–97 %: of single cases, and of conversations of one to
// four cases most of which flip together.
func TestCoverage(t *testing.T) {
	const experiments, better, worse = 2000, 0.13, 0.08
	for _, tt := range []struct {
		name                 string
		conversations, most  int
		together, truthShare float64
	}{
		{"single cases", 100, 1, 1, 1},
		{"conversations", 60, 4, 0.8, 0.8},
		{"few conversations", 30, 2, 0.8, 0.8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			covered := 0
			for range experiments {
				var pairs []pair
				for c := range tt.conversations {
					d := 0.0
					if u := rng.Float64(); u < better {
						d = 1
					} else if u < better+worse {
						d = -1
					}
					for range 1 + rng.IntN(tt.most) {
						p := pair{cluster: strconv.Itoa(c)}
						if rng.Float64() < tt.together {
							p.diff = d
						}
						pairs = append(pairs, p)
					}
				}
				iv := bootstrap(pairs, 500)
				if truth := tt.truthShare * (better - worse); iv.Low <= truth && truth <= iv.High {
					covered++
				}
			}
			share := float64(covered) / experiments
			t.Logf("the interval holds the truth in %.1f %%", 100*share)
			if share < 0.93 || share > 0.97 {
				t.Error("that is not 93–97 %")
			}
		})
	}
}

func TestMcNemar(t *testing.T) {
	for _, tt := range []struct {
		worse, better int
		want          float64
	}{{0, 0, 1}, {0, 5, 0.0625}, {1, 9, 0.021484}, {5, 5, 1}, {10, 30, 0.002221}} {
		if got := mcNemar(tt.worse, tt.better); math.Abs(got-tt.want) > 1e-5 {
			t.Errorf("%d against %d: %v, want %v", tt.worse, tt.better, got, tt.want)
		}
	}
	if got := tQuantile(1.959964, 9); math.Abs(got-2.262) > 0.005 {
		t.Errorf("t with 9 degrees of freedom: %v", got)
	}
}

// flips makes two runs of n cases, of which some got worse and some better.
func flips(n, worse, better int) (a, b []Result) {
	for i := range n {
		r := Result{Suite: "s", Case: fmt.Sprintf("s/%d", i), Cluster: fmt.Sprint(i), Hash: "h", Outcome: Passed}
		was, is := r, r
		if i < worse {
			is.Outcome = Failed
		} else if i < worse+better {
			was.Outcome = Failed
		}
		a, b = append(a, was), append(b, is)
	}
	return a, b
}

func TestVerdicts(t *testing.T) {
	for _, tt := range []struct {
		n, worse, better int
		want             string
		more             bool
	}{
		{200, 0, 0, VerdictSame, false},
		{200, 2, 30, VerdictBetter, false},
		{200, 30, 2, VerdictWorse, false},
		{20, 2, 1, VerdictFew, true},
		{100, 5, 5, VerdictFew, true},
		{1000, 10, 10, VerdictSame, false},
		{1, 0, 1, VerdictFew, false},
	} {
		a, b := flips(tt.n, tt.worse, tt.better)
		c := Compare("a", "b", a, b)
		m := c.Metrics[0]
		if m.Verdict != tt.want || (m.More > 0) != tt.more || len(c.Flips) != tt.worse+tt.better {
			t.Errorf("%d cases, %d worse, %d better: %+v, want %s", tt.n, tt.worse, tt.better, m, tt.want)
		}
	}
	a, b := flips(10, 1, 0)
	b[0].Hash = "changed"
	if c := Compare("a", "b", a, b[:9]); c.Cases != 8 || c.Unpaired != 2 || len(c.Flips) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestGate(t *testing.T) {
	for _, tt := range []struct {
		name             string
		n, worse, better int
		change           func([]Result)
		want             Judgement
	}{
		{"the same", 100, 0, 0, nil, GatePass},
		{"one of many", 200, 1, 0, nil, GatePass},
		{"better", 100, 0, 20, nil, GatePass},
		{"worse", 200, 20, 0, nil, GateRegression},
		{"some this way, some that", 100, 5, 4, nil, GateInconclusive},
		{"a must case", 200, 1, 0, func(r []Result) { r[0].Must = true }, GateRegression},
		{"errors over the budget", 100, 0, 0, func(r []Result) { r[1].Outcome, r[2].Outcome, r[3].Outcome = Errored, Errored, Errored }, GateInconclusive},
		{"an error within it", 100, 0, 0, func(r []Result) { r[1].Outcome = Errored }, GatePass},
		{"all cases are new", 100, 0, 0, func(r []Result) {
			for i := range r {
				r[i].Hash = "new"
			}
		}, GateInconclusive},
	} {
		a, b := flips(tt.n, tt.worse, tt.better)
		if tt.change != nil {
			tt.change(b)
		}
		if g := Gate(b, Baselines(a), GateOptions{}); g.Judgement != tt.want {
			t.Errorf("%s: %s, want %s\n%s", tt.name, g.Judgement, tt.want, strings.Join(g.Reasons, "\n"))
		}
	}
}
