package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

// TestPromiseCases measures the check on labelled drafts, where a developer has
// them.
func TestPromiseCases(t *testing.T) {
	root := os.Getenv("ASIDE_TEST_DATA")
	if root == "" {
		t.Skip("ASIDE_TEST_DATA is not set")
	}
	f, err := os.Open(filepath.Join(root, "promises/cases.jsonl"))
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	type labelled struct {
		ID         string `json:"_id"`
		Draft      string
		Passages   []struct{ ID, Text string }
		Transcript []struct{ Role, Text string }
		Label, How string
		Values     []string
	}
	caught, missed, alarms, fine := 0, 0, 0, 0
	for dec := json.NewDecoder(f); dec.More(); {
		var c labelled
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		var hits []assist.Hit
		for _, p := range c.Passages {
			hits = append(hits, assist.Hit{Passage: assist.Passage{ID: p.ID, Text: p.Text}, Title: p.ID, Audience: assist.AudiencePublic})
		}
		var turns []assist.Turn
		for _, x := range c.Transcript {
			turns = append(turns, assist.Turn{Role: assist.Role(x.Role), Text: x.Text})
		}
		var words []string
		for _, v := range Text(c.Draft, hits, turns) {
			words = append(words, v.Words)
		}
		switch bad := len(words) > 0; {
		case c.Label == "unsupported" && bad:
			caught++
		case c.Label == "unsupported":
			missed++
			t.Logf("missed %s (%s) %q: %s\n   source: %.300q", c.ID, c.How, c.Values, c.Draft, c.Passages)
		case bad:
			alarms++
			t.Logf("false alarm %s (%s) %q: %s", c.ID, c.How, words, c.Draft)
		default:
			fine++
		}
	}
	t.Logf("caught %d, missed %d, false alarms %d, fine %d: recall %.3f, precision %.3f", caught, missed, alarms, fine,
		float64(caught)/float64(caught+missed), float64(caught)/float64(caught+alarms))
}
