package eval

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/privacy"
)

func edit(id, question, draft, reply string) Edited {
	d := assist.NewDraft(assist.OriginKnowledge, []assist.Sentence{{Text: draft}})
	return Edited{Suggestion: id, Customer: "Dana Whitfield", Agent: "Maya R.", Draft: &d, Reply: reply,
		Turns: []assist.Turn{{Seq: 1, Role: assist.RoleCustomer, Name: "Dana Whitfield", Text: question}},
		Hits:  []assist.Hit{{Passage: assist.Passage{ID: "returns/1", DocumentID: "returns", Text: "You can return an unused item within 60 days of delivery, and the return label is free."}}}}
}

func TestHarvest(t *testing.T) {
	edits := []Edited{
		edit("fact", "can i send my jacket back after six weeks?", "You can return an unused item within 30 days of delivery.", "You can return an unused item within 60 days of delivery."),
		edit("fact2", "can i send the jacket back, its six weeks now?", "You can return an unused item within 30 days of delivery.", "An unused item can be returned within 60 days of delivery."),
		edit("long", "is the label free", "Thank you for your question about the label. The return label is free in all cases. You can print the label at home or in any shop with a printer, whichever suits you. The label holds for 14 days.", "The return label is free."),
		edit("step", "my parcel never came", "I'm sorry that your parcel has not arrived.", "I'm sorry that your parcel has not arrived. Could you tell me your order number, please?"),
		edit("tone", "the zip broke on day one, what a joke", "Defective products can be refunded by us or replaced by us.", "Oh no, that should not happen. We replace or refund defective products, as you like."),
		edit("same", "thanks for the info on returns", "The return label is free.", "The return label is free!"),
	}
	marked := edit("marked", "wie lange dauert die Lieferung", "Die Lieferung dauert drei bis fünf Tage.", "Die Lieferung dauert drei bis fünf Tage, das geht ganz schnell.")
	marked.Reason = "tone"
	h := HarvestEdits(t.Context(), append(edits, marked))
	got := map[string]string{}
	for _, c := range h.Candidates {
		got[c.Suggestion] = string(c.Class) + " " + fmt.Sprint(c.Assert) + " " + c.Needs
	}
	want := map[string]string{
		"fact":   "fact [{icontains 60 days} {not-icontains 30 days} {cites returns}] ",
		"long":   "too long [{word-count map[max:6]}] ",
		"step":   "missing step [{icontains-all [number order]}] ",
		"tone":   "tone [{llm-rubric Says what this reply says, no more and no less, and as kindly: Oh no, that should not happen. We replace or refund defective products, as you like.}] model",
		"marked": "tone [{llm-rubric Says what this reply says, no more and no less, and as kindly: Die Lieferung dauert drei bis fünf Tage, das geht ganz schnell.}] model",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if h.Alike != 1 || h.Trivial != 1 || h.Candidates[0].Seen != 2 {
		t.Errorf("%d alike, %d trivial, %+v", h.Alike, h.Trivial, h.Candidates[0])
	}

	text, added, err := Append("", h.Candidates)
	if err != nil || added != len(want) {
		t.Fatalf("%d added, %v", added, err)
	}
	s, err := Load(fstest.MapFS{"h.yaml": {Data: []byte(text)}}, "h.yaml")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(s.Cases) != added || s.Cases[0].Turns[0].Role != assist.RoleCustomer || len(s.Cases[0].Asserts) != 5 {
		t.Errorf("%d cases, %+v", len(s.Cases), s.Cases[0])
	}
	if again, added, err := Append(text, h.Candidates); err != nil || added != 0 || again != text {
		t.Errorf("the same cases were added again: %d, %v", added, err)
	}
}

// TestHarvestHides: nothing that says who somebody is gets into a candidate,
// wherever in the chat it was said.
func TestHarvestHides(t *testing.T) {
	e := edit("s", "", "Dear Dana, we refund $1,200.00 for order WF-493348 within 5 days. See https://shop.example/returns.",
		"Hi Dana, we refund $1,400.00 for order WF-493348 within 5 days to the card ending 4412. Regards, Maya")
	e.Hits[0].URL = "https://shop.example/returns"
	e.Turns = nil
	for i, text := range []string{
		"hi, my name is dana whitfield and i live at 12 Elm Tree Road, 89501 Reno",
		"mail me at dana.w@example.org or call +1 775 555 0134, i'm @danawhit on insta",
		"This is Robert by the way, I'm Dana's husband. card is 4111 1111 1111 1111",
		"order WF-493348, tracking 1Z999AA10123456784, see https://evil.example/me?id=77",
		"Ich bin Katharina, Hauptstraße 5. IBAN DE89 3704 0044 0532 0130 00",
		"since 2026 and 2026-03-01 nothing, robert says so too. bought at order 493348",
	} {
		e.Turns = append(e.Turns, assist.Turn{Seq: int64(i + 1), Role: assist.RoleCustomer, Name: "Dana Whitfield", Text: text})
	}
	e.Turns = append(e.Turns, assist.Turn{Seq: 9, Role: assist.RoleSystem, Action: &assist.Action{Name: "pull-up-account", Values: []string{"Dana Whitfield", "WF-493348"}}})
	h := HarvestEdits(t.Context(), []Edited{e})
	if len(h.Candidates) != 1 || h.Unsafe != 0 {
		t.Fatalf("%+v", h)
	}
	text, _, err := Append("", h.Candidates)
	if err != nil {
		t.Fatal(err)
	}
	low := strings.ToLower(text)
	for _, secret := range []string{"dana", "whitfield", "maya", "robert", "katharina", "elm tree", "89501", "reno", "example.org", "555", "4111", "493348", "1z999", "evil.example", "hauptstra", "de89", "danawhit", "4412"} {
		if strings.Contains(low, secret) {
			t.Errorf("%q is still there:\n%s", secret, text)
		}
	}
	for _, kept := range []string{"$1,400.00", "$1,200.00", "2026-03-01", "since 2026", "within 5 days", "https://shop.example/returns", "action: pull-up-account\n", "order WF-00000"} {
		if !strings.Contains(text+h.Candidates[0].Draft, kept) {
			t.Errorf("%q was taken out:\n%s", kept, text)
		}
	}
}

// FuzzScrub: whatever customers write, what privacy finds is gone, and the suite
// still reads.
func FuzzScrub(f *testing.F) {
	f.Add("my card is 4111 1111 1111 1111 ok", "We refund 5 dollars.")
	f.Add("{{x}} file://etc \x00 agent: no", "- {a: b}\n\t%")
	f.Fuzz(func(t *testing.T, question, reply string) {
		if max(utf8.RuneCountInString(question), utf8.RuneCountInString(reply)) > 400 {
			t.Skip() // all that can go wrong does so within a few sentences, and forty patterns look at each
		}
		h := HarvestEdits(t.Context(), []Edited{edit("s", question, "You can return it within 30 days.", reply)})
		for _, c := range h.Candidates {
			if found := privacy.Find(c.Conversation); len(found) > 0 {
				t.Fatalf("%q holds %v", c.Conversation, found)
			}
		}
		text, added, err := Append("", h.Candidates)
		if err != nil {
			t.Fatal(err)
		}
		if added == 0 {
			return
		}
		if _, err := Load(fstest.MapFS{"h.yaml": {Data: []byte(text)}}, "h.yaml"); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	})
}
