package eval

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Used is a suggestion of a running company and what became of it.
type Used struct {
	Conversation string
	Prompt       string // name and variant; "": no model was asked
	Version      string
	Origin       assist.Origin // who wrote the draft
	State        assist.SuggestionState
	EditDistance int    // characters, of an edited one
	Verdict      string // good, bad, ""
}

// VariantOutcome is what agents made of the drafts of one prompt in one version.
type VariantOutcome struct {
	Prompt      string             `json:"prompt"` // "instant" for drafts made without a model
	Version     string             `json:"version,omitempty"`
	Suggestions int                `json:"suggestions"`
	AsIs        int                `json:"as_is"`
	Edited      int                `json:"edited"`
	Ignored     int                `json:"ignored"` // another text was sent
	Open        int                `json:"open"`    // nobody has answered
	EditMedian  int                `json:"edit_median"`
	Good        int                `json:"good"`
	Bad         int                `json:"bad"`
	Against     *OutcomeDifference `json:"against,omitempty"`
}

// OutcomeDifference holds a variant against another in how many drafts were sent
// as they were. Conversations had the one or the other, so this is not paired.
type OutcomeDifference struct {
	Prompt  string  `json:"prompt"`
	Version string  `json:"version"`
	Diff    float64 `json:"diff"` // of the shares sent as is
	Low     float64 `json:"low"`  // 95 % interval
	High    float64 `json:"high"`
	Verdict string  `json:"verdict"`
	More    int     `json:"more,omitempty"` // conversations, each, that would show a difference of this size
}

func (v VariantOutcome) answered() int { return v.AsIs + v.Edited + v.Ignored }

// Outcomes counts suggestions per prompt and version. Each is held against the one
// of the same prompt that was answered most and is not a variant.
func Outcomes(used []Used) []VariantOutcome {
	type group struct {
		VariantOutcome
		edits    []int
		clusters map[string]*[2]float64 // per conversation: sent as is, answered
	}
	groups := map[string]*group{}
	for _, u := range used {
		name, version := u.Prompt, u.Version
		if u.Origin != assist.OriginModel { // the draft is not the prompt's, whether a model was asked or not
			name, version = "instant", ""
		}
		g := groups[name+"\x00"+version]
		if g == nil {
			g = &group{VariantOutcome: VariantOutcome{Prompt: name, Version: version}, clusters: map[string]*[2]float64{}}
			groups[name+"\x00"+version] = g
		}
		g.Suggestions++
		switch u.Verdict {
		case "good":
			g.Good++
		case "bad":
			g.Bad++
		}
		asIs := 0.0
		switch u.State {
		case assist.SuggestionAccepted:
			g.AsIs++
			asIs = 1
		case assist.SuggestionEdited:
			g.Edited++
			g.edits = append(g.edits, u.EditDistance)
		case assist.SuggestionDismissed:
			g.Ignored++
		default:
			g.Open++
			continue
		}
		c := g.clusters[u.Conversation]
		if c == nil {
			c = &[2]float64{}
			g.clusters[u.Conversation] = c
		}
		c[0], c[1] = c[0]+asIs, c[1]+1
	}
	var all []*group
	for _, k := range sortedKeys(groups) {
		g := groups[k]
		if slices.Sort(g.edits); len(g.edits) > 0 {
			g.EditMedian = g.edits[len(g.edits)/2]
		}
		all = append(all, g)
	}
	slices.SortStableFunc(all, func(a, b *group) int {
		return cmp.Or(strings.Compare(a.Prompt, b.Prompt), cmp.Compare(b.answered(), a.answered()))
	})
	var out []VariantOutcome
	for _, g := range all {
		base, _, isVariant := strings.Cut(g.Prompt, "@")
		if i := slices.IndexFunc(all, func(o *group) bool { return o.Prompt == base }); i >= 0 && all[i] != g && (isVariant || g.answered() > 0) {
			d := difference(all[i].clusters, g.clusters)
			d.Prompt, d.Version = all[i].Prompt, all[i].Version
			g.Against = &d
		}
		out = append(out, g.VariantOutcome)
	}
	return out
}

// difference gives b − a in the share of successes. Conversations are drawn, not
// suggestions; one success and one failure is added to each side (Agresti and
// Caffo, 2000), without which the interval of few is too short.
func difference(a, b map[string]*[2]float64) OutcomeDifference {
	pa, va := shareOf(a)
	pb, vb := shareOf(b)
	d := OutcomeDifference{Diff: round(pb - pa), Verdict: VerdictFew}
	half := 1.959964 * math.Sqrt(va+vb)
	d.Low, d.High = round(pb-pa-half), round(pb-pa+half)
	switch {
	case len(a) < 2 || len(b) < 2:
	case d.Low > 0:
		d.Verdict = VerdictBetter
	case d.High < 0:
		d.Verdict = VerdictWorse
	case d.Low >= -sameWithin && d.High <= sameWithin:
		d.Verdict = VerdictSame
	default:
		p := (pa + pb) / 2
		size := max(math.Abs(pb-pa), sameWithin)
		d.More = max(1, int(math.Ceil(2*p*(1-p)*math.Pow((1.959964+0.841621)/size, 2)))-min(len(a), len(b)))
	}
	return d
}

// shareOf gives the share of successes and its variance between clusters.
func shareOf(side map[string]*[2]float64) (p, variance float64) {
	x, n := 1.0, 2.0
	for _, c := range side {
		x, n = x+c[0], n+c[1]
	}
	p = x / n
	var ss float64
	for _, k := range sortedKeys(side) {
		d := side[k][0] - p*side[k][1]
		ss += d * d
	}
	return p, max(ss/(n*n), p*(1-p)/n)
}

// WriteOutcomes writes outcomes for a terminal.
func WriteOutcomes(w io.Writer, all []VariantOutcome) {
	if len(all) == 0 {
		fmt.Fprintln(w, "There are no suggestions in this time.")
		return
	}
	width := len("prompt")
	for _, v := range all {
		width = max(width, len(v.Prompt))
	}
	fmt.Fprintf(w, "%-*s  %-12s %11s %11s %11s %11s %6s %7s %5s %5s\n", width, "prompt", "version", "suggestions", "as is", "edited", "ignored", "open", "edit", "good", "bad")
	for _, v := range all {
		part := func(n int) string {
			return fmt.Sprintf("%d (%2.0f %%)", n, 100*float64(n)/float64(max(v.answered(), 1)))
		}
		fmt.Fprintf(w, "%-*s  %-12s %11d %11s %11s %11s %6d %7d %5d %5d\n", width, v.Prompt, v.Version, v.Suggestions, part(v.AsIs), part(v.Edited), part(v.Ignored), v.Open, v.EditMedian, v.Good, v.Bad)
	}
	fmt.Fprintln(w, "\nShares are of the answered; edit is the median of the characters that agents changed.")
	for _, v := range all {
		if d := v.Against; d != nil {
			verdict := d.Verdict
			if d.More > 0 {
				verdict += fmt.Sprintf(", about %d more conversations each", d.More)
			}
			fmt.Fprintf(w, "%s %s against %s %s: sent as is %+.3f (95 %% interval %+.3f … %+.3f): %s\n", v.Prompt, v.Version, d.Prompt, d.Version, d.Diff, d.Low, d.High, verdict)
		}
	}
}
