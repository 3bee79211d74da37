package retrieve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/llm"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// page makes a document whose passages are the texts.
func page(id string, audience assist.Audience, texts ...string) assist.Document {
	d := assist.Document{ID: id, Title: id, Audience: audience, Language: "en"}
	for i, text := range texts {
		p := assist.Passage{ID: fmt.Sprintf("%s#%d", id, i), DocumentID: id, Text: text, End: len(text)}
		for _, t := range lex.Terms(text, "en") {
			p.Terms = append(p.Terms, assist.Term{Text: t, Weight: 1})
		}
		d.Passages = append(d.Passages, p)
	}
	return d
}

func shop() []assist.Document {
	return []assist.Document{
		page("returns", assist.AudiencePublic,
			"Returns are free. You can send back any item within 30 days of delivery. Shoes must be unworn.",
			"A refund takes 5 days. We pay it to the card you used."),
		page("shipping", assist.AudiencePublic, "Shipping to Europe takes 4 days. Express shipping costs $9."),
		page("goodwill", assist.AudienceInternal, "You may give a refund of up to $20 without asking a manager."),
	}
}

// embedder knows the vectors of some words and can be slow or down.
type embedder struct {
	mu    sync.Mutex
	calls int
	block bool
	err   error
}

func (e *embedder) Name() string { return "test-embedder" }

func (e *embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	e.mu.Lock()
	e.calls++
	e.mu.Unlock()
	if e.block {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if e.err != nil {
		return nil, e.err
	}
	var vectors [][]float32
	for _, t := range texts {
		vectors = append(vectors, vector(t))
	}
	return vectors, nil
}

func vector(text string) []float32 {
	v := make([]float32, 3)
	for i, words := range []string{"return back money refund", "shipping post parcel delivery", "manager goodwill"} {
		for w := range strings.FieldsSeq(words) {
			if strings.Contains(strings.ToLower(text), w) {
				v[i]++
			}
		}
	}
	v[0] += 0.1
	return v
}

func ids(hits []assist.Hit) []string {
	var out []string
	for _, h := range hits {
		out = append(out, h.ID)
	}
	return out
}

func search(t *testing.T, r *retrieve.Retriever, scope retrieve.Scope, text string) retrieve.Result {
	t.Helper()
	res, err := r.Search(t.Context(), scope, retrieve.Listen(transcript("c: "+text)))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestSearch(t *testing.T) {
	r := retrieve.New(memindex.New(shop()), nil, retrieve.Options{})
	for _, c := range []struct {
		text     string
		audience assist.Audience
		first    string
		quote    string
		weak     bool
	}{
		{"Within how many days can I send my item back?", assist.AudiencePublic, "returns#0", "You can send back any item within 30 days of delivery.", false},
		{"How long does shipping to Europe take?", assist.AudiencePublic, "shipping#0", "Shipping to Europe takes 4 days.", false},
		{"refund without a manager", assist.AudiencePublic, "returns#1", "A refund takes 5 days.", false},
		{"refund without a manager", assist.AudienceInternal, "goodwill#0", "You may give a refund of up to $20 without asking a manager.", false},
		{"Do you sell gift vouchers for concerts?", assist.AudiencePublic, "", "", true},
	} {
		res := search(t, r, retrieve.Scope{Audience: c.audience}, c.text)
		first, quote := "", ""
		if len(res.Hits) > 0 {
			first, quote = res.Hits[0].ID, res.Hits[0].Quote
		}
		if first != c.first || quote != c.quote || res.Weak != c.weak {
			t.Errorf("%q: %s %q weak %v, want %s %q %v", c.text, first, quote, res.Weak, c.first, c.quote, c.weak)
		}
		for _, h := range res.Hits {
			if !strings.Contains(h.Text, h.Quote) || h.Quote == "" {
				t.Errorf("%q is not in %q", h.Quote, h.Text)
			}
			if c.audience == assist.AudiencePublic && h.Audience != assist.AudiencePublic {
				t.Errorf("the public sees %s", h.ID)
			}
		}
	}
}

func TestSearchAsksNobodyWhenQuiet(t *testing.T) {
	r := retrieve.New(broken{}, nil, retrieve.Options{})
	if res := search(t, r, retrieve.Scope{}, "Hello!"); len(res.Hits) != 0 || res.Weak {
		t.Errorf("%+v", res)
	}
}

func TestSearchPlainText(t *testing.T) {
	r := retrieve.New(memindex.New(shop()), nil, retrieve.Options{})
	res, err := r.Search(t.Context(), retrieve.Scope{K: 1}, assist.Question{Text: "express shipping"})
	if err != nil || cmp.Diff([]string{"shipping#0"}, ids(res.Hits)) != "" {
		t.Errorf("%v %v", ids(res.Hits), err)
	}
}

func TestPerDocument(t *testing.T) {
	texts := make([]string, 10)
	for i := range texts {
		texts[i] = fmt.Sprintf("refund rule %d", i)
	}
	r := retrieve.New(memindex.New(append(shop(), page("rules", assist.AudiencePublic, texts...))), nil, retrieve.Options{})
	n := 0
	for _, h := range search(t, r, retrieve.Scope{}, "refund rule").Hits {
		if h.DocumentID == "rules" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d hits of one document", n)
	}
}

// broken is an index that fails.
type broken struct{ *memindex.Index }

var errBroken = errors.New("broken")

func (broken) Lexicon(context.Context, retrieve.Scope, []string) (retrieve.Lexicon, error) {
	return retrieve.Lexicon{}, errBroken
}

func TestSearchFails(t *testing.T) {
	for _, e := range []*embedder{nil, {}} {
		r := retrieve.New(broken{}, nil, retrieve.Options{})
		if e != nil {
			r = retrieve.New(broken{}, e, retrieve.Options{})
		}
		if _, err := r.Search(t.Context(), retrieve.Scope{}, assist.Question{Text: "refund"}); !errors.Is(err, errBroken) {
			t.Errorf("%v", err)
		}
	}
}

func TestDense(t *testing.T) {
	for _, c := range []struct {
		name     string
		complete string // model whose vectors the index has
		embedder *embedder
		dense    string
		off      string
		first    string
	}{
		{"both", "test-embedder", &embedder{}, "test-embedder", "", "shipping#0"},
		{"vectors of another model", "old", &embedder{}, "", "no complete vectors", ""},
		{"slow", "test-embedder", &embedder{block: true}, "", "too slow", ""},
		{"down", "test-embedder", &embedder{err: errors.New("no route")}, "", "no route", ""},
	} {
		x := memindex.New(shop())
		x.DenseName = c.complete
		x.Vectors = map[string][]float32{}
		for _, d := range shop() {
			for _, p := range d.Passages {
				x.Vectors[p.ID] = vector(p.Text)
			}
		}
		timeout := time.Minute
		if c.name == "slow" {
			timeout = 20 * time.Millisecond
		}
		r := retrieve.New(x, c.embedder, retrieve.Options{EmbedTimeout: timeout})
		res := search(t, r, retrieve.Scope{}, "Where is my parcel?") // no word in common
		if res.Dense != c.dense || !strings.Contains(res.DenseOff, c.off) || (res.DenseOff == "") != (c.off == "") {
			t.Errorf("%s: dense %q off %q", c.name, res.Dense, res.DenseOff)
		}
		if first := strings.Join(ids(res.Hits[:min(1, len(res.Hits))]), ""); first != c.first {
			t.Errorf("%s: first %q, want %q", c.name, first, c.first)
		}
		// Words alone still answer.
		if res := search(t, r, retrieve.Scope{}, "express shipping"); len(res.Hits) == 0 || res.Hits[0].ID != "shipping#0" || res.Hits[0].Ranks.Lexical != 1 {
			t.Errorf("%s: %v", c.name, ids(res.Hits))
		}
	}
}

func TestPrefetch(t *testing.T) {
	x := memindex.New(shop())
	x.DenseName = "test-embedder"
	e := &embedder{}
	r := retrieve.New(x, e, retrieve.Options{CacheSize: 2})
	r.Prefetch(t.Context(), "express shipping")
	search(t, r, retrieve.Scope{}, "express shipping")
	if e.calls != 1 {
		t.Errorf("%d calls for one text", e.calls)
	}
	for _, text := range []string{"a", "b", "express shipping"} { // two push it out
		r.Prefetch(t.Context(), text)
	}
	if e.calls != 4 {
		t.Errorf("%d calls: the cache must hold two", e.calls)
	}
	retrieve.New(x, nil, retrieve.Options{}).Prefetch(t.Context(), "no embedder")
}

func BenchmarkSearch(b *testing.B) {
	r := retrieve.New(memindex.New(shop()), nil, retrieve.Options{})
	q := retrieve.Listen(transcript("c: Within how many days can I send my item back?"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Search(b.Context(), retrieve.Scope{}, q); err != nil {
			b.Fatal(err)
		}
	}
}

// counted notes what it is asked.
type counted struct {
	*memindex.Index
	mu    sync.Mutex
	asked map[string]int
}

func (c *counted) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[what]++
}

func (c *counted) Lexicon(ctx context.Context, s retrieve.Scope, terms []string) (retrieve.Lexicon, error) {
	c.note("lexicon")
	return c.Index.Lexicon(ctx, s, terms)
}

func (c *counted) Lexical(ctx context.Context, s retrieve.Scope, q retrieve.LexicalQuery) ([]assist.Hit, error) {
	c.note("lexical")
	return c.Index.Lexical(ctx, s, q)
}

func (c *counted) Dense(ctx context.Context, s retrieve.Scope, model string, vector []float32) ([]assist.Hit, error) {
	c.note("dense")
	return c.Index.Dense(ctx, s, model, vector)
}

func (c *counted) Recall(ctx context.Context, s retrieve.Scope, passage string, terms []int32) (retrieve.Memory, error) {
	c.note("recall")
	return c.Index.Recall(ctx, s, passage, terms)
}

// A search for a text that was looked up by vector just now finds the same without
// asking, but for another text, another scope or another model's vectors.
func TestNear(t *testing.T) {
	index := memindex.New(shop())
	index.DenseName, index.Vectors = "test-embedder", map[string][]float32{}
	for _, d := range shop() {
		for _, p := range d.Passages {
			index.Vectors[p.ID] = vector(p.Text)
		}
	}
	x := &counted{Index: index, asked: map[string]int{}}
	r := retrieve.New(x, &embedder{}, retrieve.Options{Earlier: func(string) llm.Embedder { return &embedder{} }})
	scope := retrieve.Scope{Audience: assist.AudienceInternal, At: time.Now(), K: 3}
	const text = "Where is my parcel?"
	first := search(t, r, scope, text)
	asks := func(name string, scope retrieve.Scope, text string, want int) {
		t.Helper()
		clear(x.asked)
		without := scope
		without.Near = nil
		got, plain := search(t, r, scope, text), search(t, r, without, text)
		if n := x.asked["dense"] - 1; n != want {
			t.Errorf("%s: asked %d times by vector, not %d", name, n, want)
		}
		got.TookMS, plain.TookMS, got.Near, plain.Near = 0, 0, nil, nil
		if d := cmp.Diff(plain, got); d != "" {
			t.Errorf("%s (-asked +near):\n%s", name, d)
		}
	}
	scope.Near = first.Near
	asks("the same text", scope, text, 0)
	asks("another text", scope, "Which manager?", 1)
	scope.Unjudged = true
	asks("the passages alone", scope, text, 0)
	for name, other := range map[string]retrieve.Scope{
		"customers": {At: scope.At, K: 3}, "later": {Audience: assist.AudienceInternal, At: scope.At.Add(time.Hour), K: 3}, "more": {Audience: assist.AudienceInternal, At: scope.At, K: 30},
	} {
		other.Near = first.Near
		asks(name, other, text, 1)
	}
	index.DenseName = "newer"
	asks("newer vectors", scope, text, 1)
}

// TestQuestionsToTheIndex holds what a search costs: each question to the index is
// one to the database, and under load suggestions stand in line for those.
func TestQuestionsToTheIndex(t *testing.T) {
	index := memindex.New(shop())
	lesson := retrieve.NewLesson("c", 2, transcript("c: What about my refund?"), []retrieve.Ground{{Passage: "returns#1", Weight: 1}})
	if _, err := index.Learn(t.Context(), []retrieve.Lesson{lesson}); err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	for _, c := range []struct {
		name   string
		scope  retrieve.Scope
		budget int
		want   map[string]int
	}{
		{"as a suggestion asks", retrieve.Scope{At: at}, 0, map[string]int{"lexicon": 1, "lexical": 1, "recall": 1}},
		{"the passages alone", retrieve.Scope{At: at, Unjudged: true}, 0, map[string]int{"lexicon": 1, "lexical": 1}},
		{"what a budget left out is asked for too", retrieve.Scope{At: at, Unjudged: true}, 1, map[string]int{"lexicon": 1, "lexical": 2}},
	} {
		x := &counted{Index: index, asked: map[string]int{}}
		r := retrieve.New(x, nil, retrieve.Options{Budget: c.budget})
		c.scope.Audience = assist.AudienceInternal
		res := search(t, r, c.scope, "How long does my refund take?")
		if d := cmp.Diff(c.want, x.asked); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
		if len(res.Hits) == 0 || res.Hits[0].ID != "returns#1" || res.Weak || (res.Evidence == 0) != c.scope.Unjudged {
			t.Errorf("%s: %v, evidence %v, weak %v", c.name, ids(res.Hits), res.Evidence, res.Weak)
		}
	}
}

// panicking is an index with a bug.
type panicking struct{ *memindex.Index }

func (panicking) Lexicon(context.Context, retrieve.Scope, []string) (retrieve.Lexicon, error) {
	panic("a bug")
}

// TestSearchSurvives: what searches beside the caller fails; the process stays.
func TestSearchSurvives(t *testing.T) {
	for _, r := range []*retrieve.Retriever{retrieve.New(panicking{}, nil, retrieve.Options{}), retrieve.New(panicking{}, &embedder{}, retrieve.Options{})} {
		if _, err := r.Search(t.Context(), retrieve.Scope{}, assist.Question{Text: "refund"}); err == nil || !strings.Contains(err.Error(), "a bug") {
			t.Errorf("%v", err)
		}
	}
}
