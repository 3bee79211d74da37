package retrieve_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
	"github.com/aside-project/aside/internal/testkit"
)

// The sets of TestMeasure with the least recall@5 that is accepted.
var sets = []struct {
	name  string
	floor float64
}{
	{"doc2dial", 0.67}, {"dstc11", 0.31}, {"abcd", 0.73}, {"mtrag-un", 0.83}, {"dstc10-spoken", 0.43},
	{"feedbackqa", 0.74}, {"stackfaq", 0.64}, {"clinc150", 0.87}, {"hint3-sofmattress", 0.87}, {"hint3-powerplay11", 0.77}, {"star", 0.92},
}

// TestMeasure runs real dialogues through Listen and Search and holds the floors.
// Run it with -v for the figures.
func TestMeasure(t *testing.T) {
	dev := filepath.Join(testkit.Dir(t), "dev")
	for _, s := range sets {
		t.Run(s.name, func(t *testing.T) {
			split := "-test"
			if !exists(filepath.Join(dev, s.name, "qrels-test.tsv")) {
				split = ""
			}
			dir := filepath.Join(dev, s.name)
			m := measure(t, dir, split, query.turns)
			t.Logf("%-18s n %4d  R@1 %.3f  R@5 %.3f  nDCG@10 %.3f  quiet %.3f weak %.3f", s.name, m.n, m.r1, m.r5, m.ndcg, m.quiet, m.weak)
			if m.r5 < s.floor {
				t.Errorf("recall@5 is %.3f, the floor is %.2f", m.r5, s.floor)
			}
			last := measure(t, dir, split, func(q query) []assist.Turn { return q.turns()[len(q.History):] })
			t.Logf("%-18s the last turn alone: nDCG@10 %.3f", s.name, last.ndcg)
			if m.ndcg < last.ndcg-0.005 {
				t.Errorf("listening finds less than the last turn alone: nDCG@10 %.3f, not %.3f", m.ndcg, last.ndcg)
			}
		})
	}
}

// TestTurned puts the opening question of one real dialogue after another's turns
// and the passage that answers it, and compares what Search finds with what it would if nobody could turn to
// something else without saying so; in dialogues as they are it must find no less.
func TestTurned(t *testing.T) {
	dev := filepath.Join(testkit.Dir(t), "dev")
	for _, set := range []string{"doc2dial", "star", "feedbackqa", "abcd", "dstc11"} {
		dir := filepath.Join(dev, set)
		right := qrels(t, filepath.Join(dir, "qrels-test.tsv"))
		docs := corpus(t, dir)
		r := retrieve.New(memindex.New(docs), nil, retrieve.Options{})
		answer := func(gold map[string]bool) assist.Turn {
			i := slices.IndexFunc(docs, func(d assist.Document) bool { return gold[d.ID] })
			text := docs[i].Passages[0].Text
			return assist.Turn{Role: assist.RoleAgent, Text: text[:min(len(text), 250)]}
		}
		reciprocal := func(turns []assist.Turn, gold map[string]bool, mayTurn bool) float64 {
			q := retrieve.Listen(turns)
			q.Quiet = ""
			if !mayTurn {
				q.Own = nil
			}
			res, err := r.Search(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal, K: 10}, q)
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(res.Hits, func(h assist.Hit) bool { return gold[h.DocumentID] })
			if i < 0 {
				return 0
			}
			return 1 / float64(i+1)
		}
		var n, before, after [2]float64 // of dialogues as they are, and after another's turns
		add := func(kind int, turns []assist.Turn, gold map[string]bool) {
			n[kind]++
			before[kind] += reciprocal(turns, gold, false)
			after[kind] += reciprocal(turns, gold, true)
		}
		queries := slices.Collect(lines[query](t, filepath.Join(dir, "queries-test.jsonl")))
		for i, q := range queries {
			other := queries[(i+len(queries)/2)%len(queries)]
			switch {
			case len(q.History) > 1 && i%4 == 0:
				add(0, q.turns(), right[q.ID])
			case len(q.History) == 0 && i%3 == 0 && !common(right[q.ID], right[other.ID]):
				turns := append(other.turns(), answer(right[other.ID]), assist.Turn{Role: assist.RoleCustomer, Text: q.Text})
				add(1, turns, right[q.ID])
			}
		}
		for kind, what := range []string{"dialogues as they are", "after another topic"} {
			if n[kind] == 0 {
				continue
			}
			b, a := before[kind]/n[kind], after[kind]/n[kind]
			t.Logf("%-12s %-22s n %4.0f  MRR@10 %.3f, was %.3f", set, what, n[kind], a, b)
			if a < b-0.003 {
				t.Errorf("%s, %s: MRR@10 is %.3f, without turning %.3f", set, what, a, b)
			}
		}
	}
}

func common(a, b map[string]bool) bool {
	for id := range a {
		if b[id] {
			return true
		}
	}
	return false
}

type query struct {
	ID      string `json:"_id"`
	Text    string `json:"text"`
	History []struct {
		Role string `json:"role"`
		Text string `json:"text"`
	} `json:"history"`
	Answerable *bool `json:"answerable"`
}

func (q query) turns() []assist.Turn {
	var turns []assist.Turn
	for _, h := range q.History {
		t := assist.Turn{Role: assist.Role(h.Role), Text: h.Text}
		if h.Role == "action" {
			t.Role = assist.RoleSystem
		}
		turns = append(turns, t)
	}
	return append(turns, assist.Turn{Role: assist.RoleCustomer, Text: q.Text})
}

type measured struct {
	n                         int
	r1, r5, ndcg, quiet, weak float64
}

func measure(t *testing.T, dir, split string, turns func(query) []assist.Turn) measured {
	t.Helper()
	r := retrieve.New(memindex.New(corpus(t, dir)), nil, retrieve.Options{})
	right := qrels(t, filepath.Join(dir, "qrels"+split+".tsv"))
	var m measured
	for q := range lines[query](t, filepath.Join(dir, "queries"+split+".jsonl")) {
		gold := right[q.ID]
		if len(gold) == 0 {
			continue
		}
		question := retrieve.Listen(turns(q))
		quiet := question.Quiet != ""
		question.Quiet = "" // something is open, the qrels say
		res, err := r.Search(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal, K: 10}, question)
		if err != nil {
			t.Fatal(err)
		}
		m.n++
		if quiet {
			m.quiet++
		}
		if res.Weak {
			m.weak++
		}
		var dcg, ideal float64
		found := 0.0
		for i, h := range res.Hits {
			if gold[h.DocumentID] {
				dcg += 1 / math.Log2(float64(i)+2)
				if i < 5 {
					found++
				}
				if i == 0 {
					m.r1 += 1 / float64(len(gold))
				}
			}
		}
		for i := range min(len(gold), 10) {
			ideal += 1 / math.Log2(float64(i)+2)
		}
		m.r5 += found / float64(len(gold))
		m.ndcg += dcg / ideal
	}
	n := float64(m.n)
	return measured{m.n, m.r1 / n, m.r5 / n, m.ndcg / n, m.quiet / n, m.weak / n}
}

// corpus reads the passages of a set, each as a document of its own.
func corpus(t *testing.T, dir string) []assist.Document {
	t.Helper()
	var docs []assist.Document
	for p := range lines[struct {
		ID    string `json:"_id"`
		Title string `json:"title"`
		Text  string `json:"text"`
	}](t, filepath.Join(dir, "corpus.jsonl")) {
		terms := retrieve.PassageTerms(p.Title, "", p.Text, "en")
		docs = append(docs, assist.Document{ID: p.ID, Title: p.Title, Language: "en", Audience: assist.AudienceInternal,
			Passages: []assist.Passage{{ID: p.ID, DocumentID: p.ID, Text: p.Text, End: len(p.Text), Terms: terms}}})
	}
	return docs
}

func qrels(t *testing.T, file string) map[string]map[string]bool {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	right := map[string]map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) == 3 && f[2] != "score" {
			if right[f[0]] == nil {
				right[f[0]] = map[string]bool{}
			}
			right[f[0]][f[1]] = true
		}
	}
	return right
}

// lines reads a file of JSON lines.
func lines[T any](t *testing.T, file string) func(yield func(T) bool) {
	t.Helper()
	return func(yield func(T) bool) {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(nil, 1<<24)
		for s.Scan() {
			var v T
			if err := json.Unmarshal(s.Bytes(), &v); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if !yield(v) {
				return
			}
		}
		if err := s.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWeak measures how well weak evidence tells questions that nothing answers.
func TestWeak(t *testing.T) {
	dev := filepath.Join(testkit.Dir(t), "dev")
	for _, set := range []string{"clinc150", "hint3-sofmattress", "hint3-powerplay11", "mtrag-un", "banking77", "doc2dial"} {
		yes, no := evidences(t, filepath.Join(dev, set))
		wins := 0.0
		for _, a := range yes {
			i, _ := slices.BinarySearch(no, a)
			wins += float64(i)
		}
		kept := func(e []float64, bar float64) float64 {
			i, _ := slices.BinarySearch(e, bar)
			return 1 - float64(i)/float64(len(e))
		}
		line := ""
		for _, bar := range []float64{0.02, 0.05, retrieve.DefaultWeakBelow, 0.2, 0.3, 0.5, 0.7} {
			line += fmt.Sprintf("  %.2f: %.3f/%.3f", bar, kept(yes, bar), kept(no, bar))
		}
		t.Logf("%-18s answerable %d, not %d; AUROC %.3f; kept of both at %s", set, len(yes), len(no), wins/float64(len(yes)*len(no)), line)
		if k := kept(yes, retrieve.DefaultWeakBelow); k < 0.9 {
			t.Errorf("%s: only %.3f of the answerable questions are kept", set, k)
		}
	}
}

// evidences gives, sorted, the evidence of the questions that the set answers
// and of those it does not.
func evidences(t *testing.T, dir string) (yes, no []float64) {
	docs := corpus(t, dir)
	drop, without := map[string]bool{}, map[string]bool{}
	if f := filepath.Join(dir, "abstention.jsonl"); exists(f) {
		for a := range lines[struct {
			Drop []string `json:"drop_documents"`
			No   []string `json:"unanswerable_queries"`
		}](t, f) {
			for _, d := range a.Drop {
				drop[d] = true
			}
			for _, q := range a.No {
				without[q] = true
			}
		}
		docs = slices.DeleteFunc(docs, func(d assist.Document) bool {
			page, _, _ := strings.Cut(d.ID, "-p")
			return drop[page] || drop[d.ID]
		})
	}
	r := retrieve.New(memindex.New(docs), nil, retrieve.Options{})
	for q := range lines[query](t, filepath.Join(dir, "queries.jsonl")) {
		if q.Answerable == nil {
			continue
		}
		question := retrieve.Listen(q.turns())
		if question.Quiet != "" {
			continue
		}
		res, err := r.Search(t.Context(), retrieve.Scope{Audience: assist.AudienceInternal, K: 5}, question)
		if err != nil {
			t.Fatal(err)
		}
		if *q.Answerable && !without[q.ID] {
			yes = append(yes, res.Evidence)
		} else {
			no = append(no, res.Evidence)
		}
	}
	slices.Sort(yes)
	slices.Sort(no)
	return yes, no
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
