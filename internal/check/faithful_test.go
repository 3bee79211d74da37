package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/testkit"
)

// reply is what a person answered in a recorded dialogue, and where it stands.
type reply struct {
	ID       string                        `json:"_id"`
	Title    string                        `json:"title"`
	Text     string                        `json:"text"`
	History  []struct{ Role, Text string } `json:"history"`
	Metadata struct {
		Document string `json:"document"`
		Dialogue string `json:"dialogue"`
		Response string `json:"response"`
	} `json:"metadata"`
}

// dialogues are the recorded replies with the passages they were made from.
type dialogues struct {
	replies  []reply
	passages map[string]reply
	order    []string
	gold     map[string][]string
	terms    map[string]map[string]bool // of a passage
	idf      map[string]float64
	length   float64 // of a passage on average, in terms
}

func readDialogues(t *testing.T) dialogues {
	root := filepath.Join(testkit.Dir(t), "dev", "doc2dial")
	d := dialogues{passages: map[string]reply{}, gold: map[string][]string{}, terms: map[string]map[string]bool{}, idf: map[string]float64{}}
	read := func(name string, each func(reply)) {
		f, err := os.Open(filepath.Join(root, name))
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for dec := json.NewDecoder(f); dec.More(); {
			var r reply
			if err := dec.Decode(&r); err != nil {
				t.Fatal(err)
			}
			each(r)
		}
	}
	read("corpus.jsonl", func(r reply) {
		d.passages[r.ID] = r
		d.order = append(d.order, r.ID)
		d.terms[r.ID] = termSet(r.Title+"\n"+r.Text, "en")
		d.length += float64(len(d.terms[r.ID]))
		for term := range d.terms[r.ID] {
			d.idf[term]++
		}
	})
	d.length /= float64(len(d.order))
	for term, n := range d.idf {
		d.idf[term] = math.Log(1 + (float64(len(d.order))-n+0.5)/(n+0.5))
	}
	qrels, err := os.ReadFile(filepath.Join(root, "qrels.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(qrels), "\n")[1:] {
		if f := strings.Fields(l); len(f) >= 2 {
			d.gold[f[0]] = append(d.gold[f[0]], f[1])
		}
	}
	read("queries.jsonl", func(r reply) {
		text := strings.TrimSpace(r.Metadata.Response)
		if len(d.gold[r.ID]) > 0 && !strings.HasSuffix(text, "?") && len(termSet(text, "en")) >= 5 {
			d.replies = append(d.replies, r)
		}
	})
	return d
}

// half tells two halves of the dialogues apart: one to fit on, one to report.
func (r reply) half() int {
	h := fnv.New32a()
	h.Write([]byte(r.Metadata.Dialogue))
	return int(h.Sum32() % 2)
}

// elsewhere gives the most similar passage of another document, and one taken
// blindly.
func (d dialogues) elsewhere(r reply, n int) (similar, random string) {
	document := d.passages[d.gold[r.ID][0]].Metadata.Document
	terms := termSet(r.Metadata.Response, "en")
	best := -1.0
	for _, id := range d.order {
		if d.passages[id].Metadata.Document == document {
			continue
		}
		score := 0.0
		for term := range terms {
			if d.terms[id][term] {
				score += d.idf[term]
			}
		}
		// BM25 with every term once
		score *= 2.2 / (1 + 1.2*(0.25+0.75*float64(len(d.terms[id]))/d.length))
		if score > best {
			best, similar = score, id
		}
	}
	for i := n * 7919; random == "" || d.passages[random].Metadata.Document == document; i++ {
		random = d.order[i%len(d.order)]
	}
	return similar, random
}

func (d dialogues) supported(r reply, text string, ids ...string) bool {
	var hits []assist.Hit
	var cites []assist.Citation
	for _, id := range ids {
		p := d.passages[id]
		hits = append(hits, assist.Hit{Passage: assist.Passage{ID: id, Text: p.Text}, Title: p.Title})
		cites = append(cites, assist.Citation{PassageID: id, Quote: p.Text, End: len(p.Text)})
	}
	turns := []assist.Turn{{Role: assist.RoleCustomer, Text: r.Text}}
	for _, h := range r.History {
		turns = append(turns, assist.Turn{Role: assist.Role(h.Role), Text: h.Text})
	}
	draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text, Citations: cites}})
	return len(Supported(draft, hits, turns)) == 0
}

// flips turn one negation or modal of a sentence round. Each pattern is tried in
// order on its own.
var flips = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\b(can|could|may|might|must|will|should|would)\s+not\b`), "$1"},
	{regexp.MustCompile(`\bcannot\b|\bcan['’]t\b`), "can"},
	{regexp.MustCompile(`\bwon['’]t\b`), "will"},
	{regexp.MustCompile(`\b(do|does|did|is|are|was|were|have|has)n['’]t\b`), "$1"},
	{regexp.MustCompile(`\b(do|does|did)\s+not\s+`), ""},
	{regexp.MustCompile(`\b(is|are|was|were)\s+not\b`), "$1"},
	{regexp.MustCompile(`\bmust\b`), "may"},
	{regexp.MustCompile(`\b(have|need|needs|has) to\b`), "may"},
	{regexp.MustCompile(`\b(may|might)\b`), "will"},
	{regexp.MustCompile(`\bwill\b`), "will not"},
	{regexp.MustCompile(`\b(can|could|should)\b`), "$1 not"},
	{regexp.MustCompile(`\b(is|are|was|were)\b`), "$1 not"},
	{regexp.MustCompile(`\bunless\b`), "if"},
	{regexp.MustCompile(`\bwithout\b`), "with"},
}

// flipped gives the sentence with one negation or modal turned round, the first
// of each kind that it has.
func flipped(text string) map[string]string {
	out := map[string]string{}
	for _, f := range flips {
		at := f.pattern.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		words := f.pattern.ExpandString(nil, f.with, text, at)
		out[f.pattern.String()] = text[:at[0]] + string(words) + text[at[1]:]
	}
	return out
}

// TestFaithfulness holds Supported to what people really answered: their reply
// beside its own passage, beside others, and with one word turned round. The
// constants were chosen with these dialogues in view; the halves show how much a
// figure moves from one lot of dialogues to another.
func TestFaithfulness(t *testing.T) {
	d := readDialogues(t)
	var halves [2]faithfulness
	for i, r := range d.replies {
		f := &halves[r.half()]
		f.replies++
		near, far := d.elsewhere(r, i)
		text := r.Metadata.Response
		if d.supported(r, text, d.gold[r.ID]...) {
			f.own++
			for _, turned := range flipped(text) {
				f.flips++
				if !d.supported(r, turned, d.gold[r.ID]...) {
					f.caught++
				}
			}
		}
		if d.supported(r, text, near) {
			f.similar++
		}
		if d.supported(r, text, far) {
			f.random++
		}
	}
	a, b := halves[0], halves[1]
	t.Log("half 0: ", a)
	t.Log("half 1: ", b)
	all := faithfulness{a.replies + b.replies, a.own + b.own, a.random + b.random, a.similar + b.similar, a.flips + b.flips, a.caught + b.caught}
	t.Log("all: ", all)
	if share(all.own, all.replies) < 0.93 || share(all.random, all.replies) > 0.03 || share(all.similar, all.replies) > 0.60 || share(all.caught, all.flips) < 0.80 {
		t.Errorf("%s: want at least 0.93, at most 0.03 and 0.60, at least 0.80", all)
	}
}

// faithfulness counts replies judged supported by each kind of passage, and
// turned replies that were caught.
type faithfulness struct{ replies, own, random, similar, flips, caught int }

func share(k, n int) float64 { return float64(k) / float64(max(n, 1)) }

func (f faithfulness) String() string {
	return fmt.Sprintf("%d replies: own passages %.3f, random %.3f, most similar %.3f; %d flips, caught %.3f",
		f.replies, share(f.own, f.replies), share(f.random, f.replies), share(f.similar, f.replies), f.flips, share(f.caught, f.flips))
}
