package suggest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

// TestInstantDrafts holds drafts as agents read them. Read the golden aloud.
func TestInstantDrafts(t *testing.T) {
	moments := []struct {
		name  string
		lines []string
	}{
		{"a broken jacket", []string{"Dana Whitlock: The zipper on my jacket broke after ONE wear."}},
		{"third time", []string{"Dana Whitlock: This is the third time I'm writing. The zipper on the jacket broke after one wear and nobody answered me."}},
		{"an agent has said sorry", []string{"Dana: The zipper on my jacket broke.", "a: Hi Dana, I'm sorry about the zipper. May I have your order number?", "Dana: 3348917502. I just want my money back for the jacket that broke"}},
		{"a late package", []string{"c: my package has not arrived, I have been waiting for two weeks"}},
		{"a plain question", []string{"c: how long does express shipping take?"}},
		{"a plain question, named", []string{"Oluwaseun A.: Is shipping free above 50 dollars?"}},
		{"washing", []string{"c: how should I wash my down jacket"}},
		{"cancel membership", []string{"c: I want to cancel my membership"}},
		{"angry without a noun", []string{"c: this is ridiculous, I want to return my order, what is the return window"}},
		{"visitor has no name", []string{"Visitor 8821: can I still return unused items?"}},
		{"answer to a question", []string{"Sam: I'd like to return a jacket that broke", "a: Of course. Could you give me your full name or order number, please?", "Sam: order 3348917502"}},
		{"steps go on", []string{"Sam: my jacket broke, I want to return it", "a: Hi Sam, I'm sorry about your jacket.", "do: pull-up-account", "Sam: so do I get a refund for the jacket"}},
		{"burst", []string{"c: hi", "c: my jacket", "c: the seam of the jacket broke"}},
		{"two problems", []string{"c: the tent arrived late and the pole is bent, can I return it"}},
		{"charged twice", []string{"c: I was charged twice for my membership!"}},
		{"german", []string{"Jonas: Wie lange dauert der Versand und ab wann ist die Lieferung kostenlos?"}},
		{"german, broken", []string{"Jonas: Meine Jacke ist nach einem Tag kaputt gegangen, und der Versand hat lange gedauert"}},
		{"french", []string{"Amélie: Ma veste est déchirée, je voudrais un remboursement pour la veste s'il vous plaît"}},
		{"spanish", []string{"Lucía: La chaqueta llegó rota, quiero el reembolso de la chaqueta en mi tarjeta"}},
		{"portuguese", []string{"João: Minha jaqueta chegou rasgada, quero o reembolso da jaqueta no cartão"}},
		{"nothing to say but to look", []string{"c: does goodwill credit exist when something arrived late or broke? team lead approval?"}},
		{"money back, please", []string{"Dana: The zipper on my jacket broke.", "a: Hi Dana, I'm sorry about the zipper. What would you like?", "Dana: I just want my money back"}},
		{"their own slip", []string{"Sam: I ordered the wrong size by mistake, can I return it?"}},
		{"trouble of nobody's making", []string{"Sam: my new jacket is too small. can I return it unused?"}},
		{"thanks in other words", []string{"c: when does the refund reach my card?", "a: Within 5 business days.", "c: good to know, thanks for the quick help. have a nice day!"}},
		{"a name that was asked for", []string{"c: I want to return my jacket that broke", "a: May I have your full name, please?", "c: Ada Lovelace"}},
		{"what holds for everybody", []string{"c: standard shipping price?"}},
		{"polite", []string{"c: Hello! Thanks for your help so far. Could you tell me when the refund reaches my card?"}},
	}
	var b strings.Builder
	for _, m := range moments {
		got := suggester(t, shop(), nil).Run(t.Context(), momentOf(m.lines...), &watch{})
		fmt.Fprintf(&b, "# %s\n", m.name)
		for _, l := range m.lines {
			fmt.Fprintf(&b, "  > %s\n", l)
		}
		if got.Draft == nil {
			fmt.Fprintf(&b, "%s: %s\n\n", got.State, got.Reason)
			continue
		}
		fmt.Fprintf(&b, "%s\n", got.Draft.Text)
		fmt.Fprintf(&b, "  %s", got.Standing)
		for _, s := range got.Draft.Sentences {
			for _, c := range s.Citations {
				fmt.Fprintf(&b, " · %s", c.PassageID)
			}
		}
		for _, s := range got.Steps {
			if s.Current {
				fmt.Fprintf(&b, " · now: %s", s.Text)
			}
		}
		b.WriteString("\n")
		for _, v := range got.Verdicts {
			fmt.Fprintf(&b, "  %s %s: %s\n", v.Outcome, v.Check, v.Reason)
		}
		b.WriteByte('\n')
		hold(t, got)
	}
	golden(t, "instant.txt", b.String())
}

// hold checks what is true of every suggestion.
func hold(t *testing.T, s assist.Suggestion) {
	t.Helper()
	hits := map[string]assist.Hit{}
	for _, h := range s.Hits {
		hits[h.ID] = h
	}
	for _, d := range []*assist.Draft{s.Instant, s.Draft} {
		if d == nil {
			continue
		}
		for _, sentence := range d.Sentences {
			for _, c := range sentence.Citations {
				h, ok := hits[c.PassageID]
				if !ok || h.Text[c.Start:c.End] != c.Quote || c.Quote == "" {
					t.Errorf("citation %+v does not hold", c)
				}
				if d.Origin == assist.OriginKnowledge && h.Audience != assist.AudiencePublic {
					t.Errorf("the instant draft speaks of internal passage %s", c.PassageID)
				}
			}
		}
	}
	if d := s.Draft; d != nil {
		for _, v := range s.Verdicts {
			if v.Sentence >= 0 && d.Text[v.Start:v.End] != v.Words {
				t.Errorf("verdict %+v is not where it says", v)
			}
		}
	}
	if len(s.Steps) > 4 || len(s.Options) > 3 {
		t.Errorf("%d steps, %d options", len(s.Steps), len(s.Options))
	}
}
