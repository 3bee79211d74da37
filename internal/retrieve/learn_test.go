package retrieve_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/testkit/memindex"
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
