package retrieve_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

func TestLessonHasNothingPrivate(t *testing.T) {
	turns := transcript(
		"a: Hello! May I have your full name?",
		"c: zebulon quackenbush",
		"a: Thanks Zebulon. What is your email and order id?",
		"c: zeb.quack@example.org, order 3348917502-X",
		"c: my name is Ottoline Vanterpool, my brother uses https://me.example/ottoline",
		"a: And what can I do for you?",
		"c: the boots leak, call me on 555-0199")
	turns[2].Name = "Perpetua Smithers"
	turns = append(turns, assist.Turn{Role: assist.RoleAgent, Text: "Pulled up", Action: &assist.Action{Name: "pull-up", Values: []string{"Barnaby"}}})
	turns = append(turns, transcript("c: perpetua told me barnaby would refund the boots")...)
	l := retrieve.NewLesson("c1", 9, turns, nil)
	var terms []string
	for _, term := range l.Terms {
		terms = append(terms, term.Text)
		for _, secret := range []string{"zeb", "quack", "otto", "vanter", "perpetua", "smither", "barnab", "exampl"} {
			if strings.HasPrefix(term.Text, secret) {
				t.Errorf("the lesson says %q", term.Text)
			}
		}
		if strings.ContainsAny(term.Text, "0123456789") {
			t.Errorf("the lesson has the number %q", term.Text)
		}
	}
	for _, word := range []string{"boot", "leak", "refund"} {
		if !slices.Contains(terms, word) {
			t.Errorf("the lesson lacks %q: %v", word, terms)
		}
	}
}

func TestLongQuestionsTeachLightly(t *testing.T) {
	long := retrieve.NewLesson("c", 1, transcript("c: "+"alpha bravo charlie delta echo foxtrot golf hotel india juliet"), nil)
	short := retrieve.NewLesson("c", 1, transcript("c: alpha bravo"), nil)
	if long.Terms[0].Weight >= short.Terms[0].Weight {
		t.Errorf("a word of a long question weighs %v, of a short one %v", long.Terms[0].Weight, short.Terms[0].Weight)
	}
}

func TestLearnedRanking(t *testing.T) {
	x := memindex.New(shop())
	r := retrieve.New(x, nil, retrieve.Options{})
	const asked = "where is my parcel"
	if res := search(t, r, retrieve.Scope{}, asked); len(res.Hits) != 0 {
		t.Fatalf("before learning: %v", res.Hits)
	}
	lesson := retrieve.NewLesson("c1", 2, transcript("c: my parcel has not come"), []retrieve.Ground{{Passage: "shipping#0", Weight: 1}})
	for range 2 { // the same reply twice teaches once
		if _, err := x.Learn(t.Context(), []retrieve.Lesson{lesson}); err != nil {
			t.Fatal(err)
		}
	}
	first := search(t, r, retrieve.Scope{}, asked)
	if len(first.Hits) != 1 || first.Hits[0].ID != "shipping#0" {
		t.Fatalf("after learning: %v", first.Hits)
	}
	other := retrieve.NewLesson("c2", 2, transcript("c: parcel is late"), []retrieve.Ground{{Passage: "shipping#0", Weight: 1}})
	if _, err := x.Learn(t.Context(), []retrieve.Lesson{other}); err != nil {
		t.Fatal(err)
	}
	if more := search(t, r, retrieve.Scope{}, asked); more.Hits[0].Ranks.LexicalScore <= first.Hits[0].Ranks.LexicalScore {
		t.Errorf("more evidence gives %v, less %v", more.Hits[0].Ranks.LexicalScore, first.Hits[0].Ranks.LexicalScore)
	}
	if err := x.Forget(t.Context(), "c2"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first.Hits, search(t, r, retrieve.Scope{}, asked).Hits); d != "" {
		t.Errorf("after forgetting: -want +got\n%s", d)
	}
}

func TestCited(t *testing.T) {
	draft := &assist.Draft{Sentences: []assist.Sentence{
		{Text: "Hello!", Courtesy: true},
		{Text: "Boots can be sent back within 30 days of delivery.", Citations: []assist.Citation{{PassageID: "returns"}, {PassageID: "boots"}}},
		{Text: "Express shipping to Europe costs 9 dollars.", Citations: []assist.Citation{{PassageID: "shipping"}}},
	}}
	for _, c := range []struct {
		name, reply string
		want        []retrieve.Ground
	}{
		{"as it is", "Hello! Boots can be sent back within 30 days of delivery. Express shipping to Europe costs 9 dollars.",
			[]retrieve.Ground{{Passage: "returns", Weight: 1}, {Passage: "boots", Weight: 1}, {Passage: "shipping", Weight: 1}}},
		{"one sentence, edited", "Sure, you can send your boots back within 30 days after delivery.",
			[]retrieve.Ground{{Passage: "returns", Weight: 1}, {Passage: "boots", Weight: 1}}},
		{"written anew", "Let me ask a colleague about that.", nil},
	} {
		if d := cmp.Diff(c.want, retrieve.Cited(c.reply, "en", draft, nil, draft)); d != "" {
			t.Errorf("%s: -want +got\n%s", c.name, d)
		}
	}
}

func TestGuess(t *testing.T) {
	x := memindex.New(shop())
	r := retrieve.New(x, nil, retrieve.Options{})
	turns := transcript("c: how do I get my money?")
	guess := func(reply string) []retrieve.Ground {
		t.Helper()
		grounds, err := r.Guess(t.Context(), turns, reply)
		if err != nil {
			t.Fatal(err)
		}
		return grounds
	}
	got := guess("We pay the refund to the card you used, that takes 5 days.")
	if len(got) != 1 || got[0].Passage != "returns#1" || got[0].Weight < 0.6 || got[0].Weight > 0.9 {
		t.Fatalf("guessed %v", got)
	}
	for _, vague := range []string{"Of course!", "Let me look that up for you, one moment please.", "Our new autumn catalogue lists seventeen kinds of umbrellas."} {
		if g := guess(vague); len(g) > 0 {
			t.Errorf("%q: guessed %v", vague, g)
		}
	}
	// What was guessed before does not make the same guess surer.
	if _, err := x.Learn(t.Context(), []retrieve.Lesson{retrieve.NewLesson("c", 2, turns, got)}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(got, guess("We pay the refund to the card you used, that takes 5 days.")); d != "" {
		t.Errorf("after learning: -want +got\n%s", d)
	}
}
