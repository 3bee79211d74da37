package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aside-project/aside/evals"
	"github.com/aside-project/aside/internal/app"
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/web"
)

// TestMagnet plants documents that are written to be found by everything, the
// words of all customers said over and over, and holds that they come up for at
// most a fifth of the questions they do not answer, and never take the whole list.
func TestMagnet(t *testing.T) {
	a, cfg := server(t, func(c *app.Config) { c.Knowledge = sample(t) })
	if _, err := a.LoadKnowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := app.OpenDatabase(t.Context(), cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Shut() })
	knowledge, err := app.OpenKnowledge(db, cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	var questions []string
	file, err := evals.Files.ReadFile("chats/demo.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(file)) {
		var c struct {
			Turns []struct{ Role, Text string }
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		for _, turn := range c.Turns {
			if turn.Role == "customer" && len(strings.Fields(turn.Text)) >= 6 {
				questions = append(questions, turn.Text)
			}
		}
	}
	if len(questions) < 20 {
		t.Fatalf("only %d questions", len(questions))
	}
	half := len(questions) / 2
	shares := map[string]float64{}
	for _, halves := range [][2][]string{{questions[:half], questions[half:]}, {questions[half:], questions[:half]}} {
		for name, share := range plant(t, knowledge, halves[0], halves[1]) {
			shares[name] += share / 2
		}
	}
	for name, share := range shares {
		t.Logf("%s: among the first five of %.0f %% of %d questions", name, 100*share, len(questions))
		most := 0.2
		if name == "sections" {
			most = 0.4 // it says the trade's commonest words in every section, and on few pages that is much: the alarm is for these
		}
		if share > most {
			t.Errorf("%s comes up for %.0f %% of the questions that are not its own", name, 100*share)
		}
	}
}

// plant puts in one magnet after the other, made of what is known, and gives the
// share of the questions for which each is among the first five hits.
func plant(t *testing.T, knowledge *app.Knowledge, known, questions []string) map[string]float64 {
	t.Helper()
	shares := map[string]float64{}
	seen := map[string]bool{}
	var words []string
	for _, w := range strings.Fields(strings.Join(known, " ")) {
		if w = strings.ToLower(strings.Trim(w, ".,!?\"'")); !seen[w] {
			seen[w] = true
			words = append(words, w)
		}
	}
	found := func(ids ...string) (share float64, most int) {
		n := 0
		for _, q := range questions {
			res, err := knowledge.Search(t.Context(), web.SearchQuery{Text: q, K: 5, Audience: assist.AudienceInternal})
			if err != nil {
				t.Fatal(err)
			}
			of := 0
			for _, h := range res.Hits {
				if slices.Contains(ids, h.DocumentID) {
					of++
				}
			}
			if most = max(most, of); of > 0 {
				n++
			}
		}
		return float64(n) / float64(len(questions)), most
	}
	for name, body := range map[string]string{
		"all-words": strings.Join(words, " ") + ".",
		"repeated":  strings.Repeat(strings.Join(words, " ")+". ", 20),
		"sections": func() string {
			var b strings.Builder
			for i := range 12 {
				fmt.Fprintf(&b, "## Answer %d to everything\n\nRefund return order broken delivery jacket tent help money: %s.\n\n", i, strings.Join(words[i*len(words)/12:(i+1)*len(words)/12], " "))
			}
			return b.String()
		}(),
	} {
		if _, _, err := knowledge.Put(t.Context(), name, "text/markdown", []byte("# Answers\n\n"+body)); err != nil {
			t.Fatal(err)
		}
		share, most := found(name)
		shares[name] = share
		if most > 3 {
			t.Errorf("%s takes %d of 5 hits", name, most)
		}
		if err := knowledge.Delete(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if left, _ := found(name); left > 0 {
			t.Errorf("%s is still found after it was taken out", name)
		}
	}
	return shares
}
