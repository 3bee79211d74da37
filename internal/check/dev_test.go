package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
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

// TestFaithfulness measures Supported on what people really answered: their own
// reply beside its passage, and beside a passage of another document.
func TestFaithfulness(t *testing.T) {
	root := os.Getenv("ASIDE_TEST_DATA")
	if root == "" {
		t.Skip("ASIDE_TEST_DATA is not set")
	}
	type row struct {
		ID       string `json:"_id"`
		Title    string `json:"title"`
		Text     string `json:"text"`
		History  []struct{ Role, Text string }
		Metadata struct {
			Document string `json:"document"`
			Response string `json:"response"`
		} `json:"metadata"`
	}
	read := func(name string, each func(row)) {
		f, err := os.Open(filepath.Join(root, "doc2dial", name))
		if err != nil {
			t.Skip(err)
		}
		defer f.Close()
		for dec := json.NewDecoder(f); dec.More(); {
			var r row
			if err := dec.Decode(&r); err != nil {
				t.Fatal(err)
			}
			each(r)
		}
	}
	passages := map[string]row{}
	var order []string
	read("corpus.jsonl", func(r row) { passages[r.ID] = r; order = append(order, r.ID) })
	gold := map[string][]string{}
	qrels, err := os.ReadFile(filepath.Join(root, "doc2dial", "qrels.tsv"))
	if err != nil {
		t.Skip(err)
	}
	for _, l := range strings.Split(string(qrels), "\n")[1:] {
		if f := strings.Fields(l); len(f) >= 2 {
			gold[f[0]] = append(gold[f[0]], f[1])
		}
	}
	supported := func(r row, ids []string) bool {
		var hits []assist.Hit
		var cites []assist.Citation
		for _, id := range ids {
			p := passages[id]
			hits = append(hits, assist.Hit{Passage: assist.Passage{ID: id, Text: p.Text}, Title: p.Title})
			cites = append(cites, assist.Citation{PassageID: id, Quote: p.Text, End: len(p.Text)})
		}
		turns := []assist.Turn{{Role: assist.RoleCustomer, Text: r.Text}}
		for _, h := range r.History {
			turns = append(turns, assist.Turn{Role: assist.Role(h.Role), Text: h.Text})
		}
		d := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: r.Metadata.Response, Citations: cites}})
		return len(Supported(d, hits, turns)) == 0
	}
	n, right, wrong, i := 0, 0, 0, 0
	read("queries.jsonl", func(r row) {
		if len(gold[r.ID]) == 0 || strings.HasSuffix(r.Metadata.Response, "?") || len(lex.Terms(r.Metadata.Response, "en")) < 5 {
			return
		}
		n++
		i += 7919
		other := order[i%len(order)]
		if supported(r, gold[r.ID]) {
			right++
		}
		if passages[other].Metadata.Document != passages[gold[r.ID][0]].Metadata.Document && supported(r, []string{other}) {
			wrong++
		}
	})
	t.Logf("%d replies: supported by their passage %.3f, by another %.3f", n, float64(right)/float64(n), float64(wrong)/float64(n))
}
