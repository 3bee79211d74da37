package retrieve

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

func TestWeigh(t *testing.T) {
	l := Lexicon{Passages: 10000, Terms: map[string]TermStat{
		"rare": {ID: 1, DF: 10}, "some": {ID: 2, DF: 900}, "most": {ID: 3, DF: 9000}}}
	all := []assist.Term{{Text: "most", Weight: 1}, {Text: "rare", Weight: 0.5}, {Text: "some", Weight: 1}, {Text: "unknown", Weight: 1}, {Text: "rare", Weight: 0}}
	for _, c := range []struct {
		name       string
		terms      []assist.Term
		budget     int
		candidates []int32
	}{
		{"rarest first until the budget", all, 5000, []int32{1, 2}},
		{"a big budget takes all", all, 50000, []int32{1, 2, 3}},
		{"the rarest always", all, 1, []int32{1}},
		{"even if it is everywhere", all[:1], 5000, []int32{3}},
		{"only unknown words", all[3:4], 5000, nil},
	} {
		w := weigh(c.terms, l, c.budget)
		if d := cmp.Diff(c.candidates, w.query.Candidates); d != "" {
			t.Errorf("%s: -want +got\n%s", c.name, d)
		}
	}
	w := weigh(all, l, 5000)
	if want := 0.5 * math.Log(1+(10000-10+0.5)/(10+0.5)); math.Abs(float64(w.query.Weights[1])-want) > 1e-4 {
		t.Errorf("weight %v, want %v", w.query.Weights[1], want)
	}
	if len(w.query.Weights) != 3 || w.mass <= 9.9 {
		t.Errorf("weights %v mass %v", w.query.Weights, w.mass)
	}
}

func ranking(dense bool, scores ...any) []assist.Hit {
	var hits []assist.Hit
	for i := 0; i < len(scores); i += 2 {
		h := assist.Hit{Passage: assist.Passage{ID: scores[i].(string)}}
		if s := scores[i+1].(float64); dense {
			h.Ranks = assist.Ranks{Dense: i/2 + 1, DenseScore: s}
		} else {
			h.Ranks = assist.Ranks{Lexical: i/2 + 1, LexicalScore: s}
		}
		hits = append(hits, h)
	}
	return hits
}

func TestFuse(t *testing.T) {
	for _, c := range []struct {
		name           string
		lexical, dense []assist.Hit
		weight         float64
		want           string
	}{
		{"words alone", ranking(false, "a", 9.0, "b", 3.0), nil, 0.5, "a b"},
		{"vectors alone", nil, ranking(true, "a", .9, "b", .8), 0.5, "a b"},
		{"nothing", nil, nil, 0.5, ""},
		{"found by both wins", ranking(false, "a", 9.0, "b", 8.0), ranking(true, "c", .9, "b", .88, "d", .7), 0.5, "b a c d"},
		{"the scale says nothing", ranking(false, "a", 900.0, "b", 800.0), ranking(true, "c", .09, "b", .088, "d", .07), 0.5, "b a c d"},
		{"words weigh more", ranking(false, "a", 9.0), ranking(true, "c", .9, "d", .1), 0.3, "a c d"},
		{"vectors weigh more", ranking(false, "a", 9.0), ranking(true, "c", .9, "d", .1), 0.7, "c a d"},
		{"all alike", ranking(false, "a", 5.0, "b", 5.0), ranking(true, "b", .5, "a", .5), 0.5, "a b"},
	} {
		var got []string
		for _, h := range fuse(c.lexical, c.dense, c.weight) {
			got = append(got, h.ID)
			if h.Score < 0 || h.Score > 1+1e-9 {
				t.Errorf("%s: score %v", c.name, h.Score)
			}
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s: -want +got\n%s", c.name, d)
		}
	}
}

func TestQuote(t *testing.T) {
	idf := map[string]float64{"refund": 2, "day": 1, "shoe": 3, "box": 1.5}
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"Nothing fits here at all. Nor here.", "Nothing fits here at all."},
		{"# Refund\n\nHello there friend. A refund takes 5 days. Bye.", "A refund takes 5 days."},
		{"When do I get a refund? It takes 5 days.", "When do I get a refund? It takes 5 days."},
		{"We like you. Shoes can be returned for a refund. They need their box. Other text.", "Shoes can be returned for a refund."},
		{"A refund is paid out. Shoes are another thing to know.", "A refund is paid out. Shoes are another thing to know."},
		{"- A refund for shoes takes 5 days\n- Other", "A refund for shoes takes 5 days"},
		{"A refund " + strings.Repeat("very long ", 100), "A refund " + strings.TrimSpace(strings.Repeat("very long ", 49))},
	} {
		if got := quote(&page{key: pageKey{text: c.text, language: "en"}}, idf); got != c.want {
			t.Errorf("quote(%.60q) = %q, want %q", c.text, got, c.want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("A refund. Of shoes.\n- x")
	f.Add(strings.Repeat("é", maxQuote) + "\xff")
	f.Fuzz(func(t *testing.T, text string) {
		if q := quote(&page{key: pageKey{text: text, language: "en"}}, map[string]float64{"refund": 1}); !strings.Contains(text, q) || len(q) > maxQuote {
			t.Errorf("quote(%q) = %q", text, q)
		}
	})
}

func FuzzLikeness(f *testing.F) {
	f.Add("who made you", "Who made you?\nWho is your maker?", "You")
	f.Add("ß\xff ’", "\x00. \xfe…", "…")
	f.Fuzz(func(t *testing.T, question, text, title string) {
		g := new(grams)
		if !g.ask(plainQuestion(assist.Question{Text: question, Language: "en"})) {
			return
		}
		like := func() float64 {
			best, _, _ := g.nearest(&page{key: pageKey{title: title, text: text}})
			return best
		}
		first := like()
		if first < 0 || first > 1 || math.IsNaN(first) {
			t.Errorf("like(%q, %q) = %v", question, text, first)
		}
		if again := like(); again != first {
			t.Errorf("the second reading of %q gives %v, the first gave %v", text, again, first)
		}
	})
}

// TestEvidence: more of each sign is more evidence, but habit and a page whose
// sentences are alike take some back.
func TestEvidence(t *testing.T) {
	s := signs{amount: 1.5, like: 0.5, cover: 0.7, named: 0.5, usual: 1, habit: 0.2, alike: 0.4, parted: 0.5}
	base := evidence(s)
	for name, c := range map[string]struct {
		change func(*signs)
		more   bool
	}{
		"amount": {func(s *signs) { s.amount = 2 }, true}, "like": {func(s *signs) { s.like = 0.6 }, true},
		"cover": {func(s *signs) { s.cover = 0.8 }, true}, "named": {func(s *signs) { s.named = 1 }, true},
		"usual": {func(s *signs) { s.usual = 2 }, true}, "habit": {func(s *signs) { s.habit = 0.4 }, false},
		"alike": {func(s *signs) { s.alike = 0.6 }, false}, "parted": {func(s *signs) { s.parted = 1 }, true},
	} {
		changed := s
		c.change(&changed)
		if got := evidence(changed); (got > base) != c.more || got <= 0 || got >= 1 {
			t.Errorf("%s: %v, before %v", name, got, base)
		}
	}
	if got := evidence(signs{like: 1, cover: 1}); got != 0 {
		t.Errorf("evidence %v where no word is shared", got)
	}
}

func BenchmarkReread(b *testing.B) {
	text := strings.Repeat("You can send back any item within 30 days of delivery. Shoes must be unworn, and in their box. ", 7)
	var hits []assist.Hit
	for range 2 * likeRead {
		hits = append(hits, assist.Hit{Title: "Returns and exchanges", Passage: assist.Passage{Text: text}, Ranks: assist.Ranks{LexicalScore: 9}})
	}
	q := plainQuestion(assist.Question{Text: "how many days do i have to send the shoes back", Language: "en"})
	b.ReportAllocs()
	kept := newPages()
	for b.Loop() {
		kept.reread(q, hits)
	}
}
