package memindex_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page is a public document of one passage that has each term so many times.
func page(id string, terms map[string]float64) assist.Document {
	d := assist.Document{ID: id, Audience: assist.AudiencePublic, Language: "en"}
	p := assist.Passage{ID: id + "/0", DocumentID: id}
	for t, n := range terms {
		p.Terms = append(p.Terms, assist.Term{Text: t, Weight: n})
	}
	d.Passages = []assist.Passage{p}
	return d
}

// lexical searches for terms of weight 1.
func lexical(t *testing.T, x *memindex.Index, scope retrieve.Scope, terms ...string) []assist.Hit {
	t.Helper()
	l, err := x.Lexicon(t.Context(), scope, terms)
	if err != nil {
		t.Fatal(err)
	}
	q := retrieve.LexicalQuery{Weights: map[int32]float32{}}
	for _, s := range l.Terms {
		q.Weights[s.ID] = 1
		q.Candidates = append(q.Candidates, s.ID)
	}
	hits, err := x.Lexical(t.Context(), scope, q)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

func found(hits []assist.Hit) (ids []string) {
	for _, h := range hits {
		ids = append(ids, h.ID)
	}
	return ids
}

// TestLexical: the sums are those of BM25 as its authors wrote it down, and equal
// ones stand by id.
func TestLexical(t *testing.T) {
	x := memindex.New([]assist.Document{
		page("c", map[string]float64{"refund": 1, "days": 1}),
		page("a", map[string]float64{"refund": 3, "card": 1}),
		page("b", map[string]float64{"refund": 1, "days": 1}),
		page("d", map[string]float64{"tent": 4}),
	})
	hits := lexical(t, x, retrieve.Scope{Audience: assist.AudiencePublic}, "refund", "unknown")
	if diff := cmp.Diff([]string{"a/0", "b/0", "c/0"}, found(hits)); diff != "" {
		t.Fatal(diff)
	}
	bm25 := func(tf, length float64) float64 {
		const average = (2 + 4 + 2 + 4) / 4.0
		return tf * (retrieve.BM25K + 1) / (tf + retrieve.BM25K*(1-retrieve.BM25B+retrieve.BM25B*length/average))
	}
	for i, want := range []float64{bm25(3, 4), bm25(1, 2), bm25(1, 2)} {
		if got := hits[i].Ranks; got.Lexical != i+1 || math.Abs(got.LexicalScore-want) > 1e-8 {
			t.Errorf("%s: %+v, want %g", hits[i].ID, got, want)
		}
	}
}

// TestScope: nothing is counted or found that the scope does not let through.
func TestScope(t *testing.T) {
	day := func(n int) *time.Time { d := time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC); return &d }
	public, internal, german, other, past := page("public", map[string]float64{"refund": 1}), page("internal", map[string]float64{"refund": 1}),
		page("german", map[string]float64{"refund": 1}), page("other", map[string]float64{"refund": 1}), page("past", map[string]float64{"refund": 1})
	internal.Audience, german.Language, other.Collection = assist.AudienceInternal, "de", "other"
	past.ValidFrom, past.ValidTo = day(1), day(10)
	x := memindex.New([]assist.Document{public, internal, german, other, past})
	for name, test := range map[string]struct {
		scope retrieve.Scope
		want  []string
	}{
		"customers":  {retrieve.Scope{Audience: assist.AudiencePublic}, []string{"german/0", "other/0", "public/0"}},
		"agents":     {retrieve.Scope{Audience: assist.AudienceInternal}, []string{"german/0", "internal/0", "other/0", "public/0"}},
		"language":   {retrieve.Scope{Audience: assist.AudiencePublic, Language: "de"}, []string{"german/0"}},
		"collection": {retrieve.Scope{Audience: assist.AudiencePublic, Collections: []string{"other"}}, []string{"other/0"}},
		"first day":  {retrieve.Scope{Audience: assist.AudiencePublic, At: *day(1)}, []string{"german/0", "other/0", "past/0", "public/0"}},
		"last day":   {retrieve.Scope{Audience: assist.AudiencePublic, At: *day(10)}, []string{"german/0", "other/0", "public/0"}},
		"best":       {retrieve.Scope{Audience: assist.AudienceInternal, K: 2}, []string{"german/0", "internal/0"}},
	} {
		if diff := cmp.Diff(test.want, found(lexical(t, x, test.scope, "refund"))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		l, err := x.Lexicon(t.Context(), test.scope, []string{"refund"})
		if err != nil {
			t.Fatal(err)
		}
		if name != "best" && (l.Passages != len(test.want) || l.Terms["refund"].DF != len(test.want)) {
			t.Errorf("%s: %d passages, refund in %d", name, l.Passages, l.Terms["refund"].DF)
		}
		if d, err := x.Document(t.Context(), test.scope, "internal"); err != nil || (d != nil) != (test.scope.Audience == assist.AudienceInternal) {
			t.Errorf("%s: the internal document is %v, %v", name, d, err)
		}
	}
}

// TestDense: by the angle, whatever the length of the vectors.
func TestDense(t *testing.T) {
	x := memindex.New([]assist.Document{page("a", nil), page("b", nil), page("c", nil), page("none", nil)})
	x.Vectors = map[string][]float32{"a/0": {10, 10}, "b/0": {0.5, 0}, "c/0": {-1, 0}}
	hits, err := x.Dense(t.Context(), retrieve.Scope{Audience: assist.AudiencePublic}, "any", []float32{2, 0})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"b/0", "a/0"}, found(hits)); diff != "" {
		t.Fatal(diff)
	}
	if s := hits[1].Ranks.DenseScore; math.Abs(s-math.Sqrt2/2) > 1e-9 || hits[0].Ranks.DenseScore != 1 {
		t.Errorf("%g and %g", hits[0].Ranks.DenseScore, s)
	}
}

// TestLearn: a lesson is learned once and remembered, and forgetting its
// conversation leaves nothing of it.
func TestLearn(t *testing.T) {
	x := memindex.New([]assist.Document{page("a", map[string]float64{"refund": 1}), page("b", map[string]float64{"tent": 1})})
	scope := retrieve.Scope{Audience: assist.AudiencePublic}
	lesson := retrieve.Lesson{Conversation: "c", Seq: 2, Terms: []assist.Term{{Text: "money", Weight: 1}, {Text: "maya", Weight: 1}},
		Doubtful: map[string]bool{"maya": true}, Grounds: []retrieve.Ground{{Passage: "a/0", Weight: 0.5}}}
	for want := range 2 {
		if added, err := x.Learn(t.Context(), []retrieve.Lesson{lesson}); err != nil || added != 1-want {
			t.Errorf("learned %d, %v", added, err)
		}
	}
	l, err := x.Lexicon(t.Context(), scope, []string{"money", "maya"})
	if err != nil {
		t.Fatal(err)
	}
	if _, named := l.Terms["maya"]; named || l.Learned != 1 || l.Questions != 0.5 || l.Terms["money"].Asked != 0.5 {
		t.Errorf("%+v", l)
	}
	money := l.Terms["money"].ID
	for passage, want := range map[string]float64{"a/0": 0.5, "b/0": 0} {
		if m, err := x.Recall(t.Context(), scope, passage, []int32{money}); err != nil || m.Evidence != want || m.Asked[money] != want {
			t.Errorf("%s: %+v, %v", passage, m, err)
		}
	}
	if err := x.Forget(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if l, err := x.Lexicon(t.Context(), scope, []string{"money"}); err != nil || l.Learned != 0 || len(l.Terms) != 0 {
		t.Errorf("%+v, %v", l, err)
	}
}

// TestSample: as many as there are, spread over all.
func TestSample(t *testing.T) {
	x := memindex.New([]assist.Document{page("a", nil), page("b", nil), page("c", nil), page("d", nil)})
	for n, want := range map[int][]string{2: {"a/0", "c/0"}, 9: {"a/0", "b/0", "c/0", "d/0"}} {
		if hits, err := x.Sample(t.Context(), retrieve.Scope{Audience: assist.AudiencePublic}, n); err != nil || !slices.Equal(found(hits), want) {
			t.Errorf("%d: %v, %v", n, found(hits), err)
		}
	}
}
