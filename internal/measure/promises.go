package measure

import (
	"fmt"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
)

// PromiseResult counts what the promise check said about labelled drafts: a
// draft with at least one verdict counts as caught.
type PromiseResult struct {
	Cases       int     `json:"cases"`
	Caught      int     `json:"caught"`       // unsupported drafts with a verdict
	Missed      int     `json:"missed"`       // unsupported drafts without one
	FalseAlarms int     `json:"false_alarms"` // supported drafts with one
	Recall      float64 `json:"recall"`       // caught of all unsupported; 1 when there are none
	Precision   float64 `json:"precision"`    // caught of all with a verdict; 1 when there are none

	Wrong []PromiseCase `json:"-"` // missed and false alarms, in order
}

// PromiseCase is one draft the check judged otherwise than its label.
type PromiseCase struct {
	ID, How, Draft string
	Missed         bool
	Words          []string // what was marked
}

type promiseCase struct {
	ID         string                        `json:"_id"`
	Draft      string                        `json:"draft"`
	Passages   []struct{ ID, Text string }   `json:"passages"`
	Transcript []struct{ Role, Text string } `json:"transcript"`
	Label      string                        `json:"label"`
	How        string                        `json:"how"`
}

// Promises checks every draft of a file of labelled drafts against its passages
// and transcript, as if an agent had typed it.
func Promises(path string) (PromiseResult, error) {
	var r PromiseResult
	err := readLines(path, func(_ int, c promiseCase) error {
		if c.Label != "supported" && c.Label != "unsupported" {
			return fmt.Errorf("the label of %q is %q: it must be supported or unsupported", c.ID, c.Label)
		}
		words := c.marked()
		r.Cases++
		switch bad, marked := c.Label == "unsupported", len(words) > 0; {
		case bad && marked:
			r.Caught++
		case bad:
			r.Missed++
			r.Wrong = append(r.Wrong, PromiseCase{ID: c.ID, How: c.How, Draft: c.Draft, Missed: true})
		case marked:
			r.FalseAlarms++
			r.Wrong = append(r.Wrong, PromiseCase{ID: c.ID, How: c.How, Draft: c.Draft, Words: words})
		}
		return nil
	})
	if err != nil {
		return PromiseResult{}, fmt.Errorf("read labelled drafts: %w", err)
	}
	if r.Cases == 0 {
		return PromiseResult{}, fmt.Errorf("%s holds no labelled draft, one JSON object a line", path)
	}
	r.Recall = ratio(r.Caught, r.Caught+r.Missed)
	r.Precision = ratio(r.Caught, r.Caught+r.FalseAlarms)
	return r, nil
}

func (c promiseCase) marked() []string {
	var hits []assist.Hit
	for _, p := range c.Passages {
		hits = append(hits, assist.Hit{Passage: assist.Passage{ID: p.ID, Text: p.Text}, Title: p.ID, Audience: assist.AudiencePublic})
	}
	var turns []assist.Turn
	for _, t := range c.Transcript {
		turns = append(turns, assist.Turn{Role: assist.Role(t.Role), Text: t.Text})
	}
	var words []string
	for _, v := range check.Text(c.Draft, hits, turns) {
		if v.Outcome != assist.Pass {
			words = append(words, v.Words)
		}
	}
	return words
}

// ratio is part of whole, 1 of nothing.
func ratio(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}
