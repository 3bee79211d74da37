package eval

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

func TestOutcomesOfVariants(t *testing.T) {
	var used []Used
	add := func(prompt, version string, state assist.SuggestionState, n int) {
		for range n {
			used = append(used, Used{Conversation: fmt.Sprint(len(used)), Prompt: prompt, Version: version, Origin: assist.OriginModel, State: state, EditDistance: 10})
		}
	}
	add("reply", "v1", assist.SuggestionAccepted, 100)
	add("reply", "v1", assist.SuggestionEdited, 100)
	add("reply@short", "v2", assist.SuggestionAccepted, 140)
	add("reply@short", "v2", assist.SuggestionDismissed, 60)
	add("reply@short", "v2", assist.SuggestionReady, 9)
	add("reply@warm", "v3", assist.SuggestionAccepted, 3)
	add("reply@warm", "v3", assist.SuggestionEdited, 2)
	used = append(used, Used{Conversation: "i", Prompt: "reply", Version: "v1", Origin: assist.OriginKnowledge, State: assist.SuggestionAccepted, Verdict: "good"})
	got := map[string]VariantOutcome{}
	for _, v := range Outcomes(used) {
		got[v.Prompt] = v
	}
	if v := got["reply@short"]; v.AsIs != 140 || v.Ignored != 60 || v.Open != 9 || v.Suggestions != 209 || v.Against == nil || v.Against.Verdict != VerdictBetter || v.Against.Prompt != "reply" {
		t.Errorf("%+v %+v", v, v.Against)
	}
	if v := got["reply@warm"]; v.EditMedian != 10 || v.Against.Verdict != VerdictFew || v.Against.More < 100 {
		t.Errorf("%+v %+v", v, v.Against)
	}
	if v := got["reply"]; v.Against != nil || v.Suggestions != 200 {
		t.Errorf("%+v", v)
	}
	if v := got["instant"]; v.AsIs != 1 || v.Good != 1 || v.Version != "" {
		t.Errorf("%+v", v)
	}
	var b strings.Builder
	WriteOutcomes(&b, Outcomes(used))
	if !strings.Contains(b.String(), "reply@short v2 against reply v1: sent as is +0.198") {
		t.Error(b.String())
	}
}

// TestOutcomeCoverage: the interval covers the truth as often as it says, also
// when the drafts of one conversation stand and fall together.
func TestOutcomeCoverage(t *testing.T) {
	const experiments = 1500
	rng := rand.New(rand.NewPCG(1, 2))
	arm := func(p float64, clusters int) map[string]*[2]float64 {
		out := map[string]*[2]float64{}
		for i := range clusters {
			c := &[2]float64{}
			mood := p
			if rng.Float64() < 0.3 { // some conversations go one way altogether
				mood = float64(int(rng.Float64() + p))
			}
			for range 1 + rng.IntN(4) {
				if c[1]++; rng.Float64() < mood {
					c[0]++
				}
			}
			out[fmt.Sprint(i)] = c
		}
		return out
	}
	for _, tt := range []struct {
		a, b     float64
		clusters int
	}{{0.5, 0.5, 40}, {0.6, 0.7, 150}, {0.2, 0.25, 60}} {
		covered := 0
		for range experiments {
			d := difference(arm(tt.a, tt.clusters), arm(tt.b, tt.clusters))
			if d.Low <= tt.b-tt.a && tt.b-tt.a <= d.High {
				covered++
			}
		}
		if share := float64(covered) / experiments; share < 0.93 || share > 0.975 {
			t.Errorf("%+v: the 95 %% interval covers the truth in %.1f %%", tt, 100*share)
		}
	}
}
