package retrieve_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
	"github.com/aside-project/aside/internal/retrieve/memindex"
)

// outfitter is a small shop's knowledge, in which pages differ by the product.
func outfitter() []assist.Document {
	texts := []struct{ id, title, text string }{
		{"tent", "Ridgeback tent", "The Ridgeback sleeps two and weighs 1.9 kg. A footprint for it costs $45. Its seams are taped at the factory."},
		{"tent-repair", "Repairs of tents", "We repair seams, poles and zippers of tents. A repair costs $30 and takes two weeks."},
		{"jacket-repair", "Repairs of jackets", "We repair zippers and cuffs of jackets. A repair costs $25 and takes ten days."},
		{"boot-repair", "Repairs of boots", "We resole boots. A repair costs $60 and takes three weeks."},
		{"jacket-wash", "Washing a rain jacket", "Wash the jacket at 30 degrees with the zippers closed, without softener."},
		{"refunds", "Refunds", "A refund is paid to the card that was used. It takes five working days after the parcel has reached us."},
		{"shipping", "Shipping abroad", "We ship to Austria, Canada and Norway. Shipping abroad costs $19 and takes eight days."},
		{"gift-cards", "Gift cards", "Gift cards never expire. Up to three can be used in one order."},
		{"stove", "Cinder stove", "The Cinder boils a liter in four minutes and runs on any gas cartridge with a screw thread."},
	}
	var docs []assist.Document
	for _, x := range texts {
		p := assist.Passage{ID: x.id, DocumentID: x.id, Text: x.text, End: len(x.text), Terms: retrieve.PassageTerms(x.title, "", x.text, "en")}
		docs = append(docs, assist.Document{ID: x.id, Title: x.title, Audience: assist.AudiencePublic, Language: "en", Passages: []assist.Passage{p}})
	}
	return docs
}

func found(t *testing.T, lines ...string) []string {
	t.Helper()
	r := retrieve.New(memindex.New(outfitter()), nil, retrieve.Options{})
	res, err := r.Search(t.Context(), retrieve.Scope{}, retrieve.Listen(transcript(lines...)))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, h := range res.Hits {
		ids = append(ids, h.ID)
	}
	return ids
}

// TestTopicChange: who turns to something else is not answered about the old.
func TestTopicChange(t *testing.T) {
	chat := []string{
		"c: My refund has not come and it has been a week since the parcel reached you.",
		"a: I am sorry about that. A refund takes five working days after the parcel has reached us, so the refund is a little late.",
		"c: Which card do you pay the refund to?",
		"a: The refund goes to the card that was used for the parcel.",
	}
	for _, c := range []struct{ last, want string }{
		{"c: OK. Totally different thing, how many gift cards can be used?", "gift-cards"},
		{"c: Thanks. I also have another question: how long does the Cinder take to boil?", "stove"},
		{"c: On a different note, when do you ship to Norway?", "shipping"},
	} {
		if ids := found(t, append(chat[:4:4], c.last)...); ids[0] != c.want {
			t.Errorf("%q: %v", c.last, ids)
		}
		q := retrieve.Listen(transcript(append(chat[:4:4], c.last)...))
		for _, term := range q.Terms {
			if term.Text == "refund" && term.Weight > 0.2 {
				t.Errorf("%q: the refund still weighs %v", c.last, term.Weight)
			}
		}
	}
	// What follows keeps to the new topic, and a turn that points back to the old.
	if ids := found(t, append(chat[:4:4], "c: Different question, do you ship to Austria?", "a: Yes, we do.", "c: And what does that cost?")...); ids[0] != "shipping" {
		t.Errorf("after the change: %v", ids)
	}
	if ids := found(t, append(chat[:4:4], "c: Another question about it: how many working days?")...); ids[0] != "refunds" {
		t.Errorf("pointing back: %v", ids)
	}
}

// TestSilentTopicChange: who asks a full question about something else has turned
// to it, also without saying so; who asks on has not.
func TestSilentTopicChange(t *testing.T) {
	chat := []string{
		"c: My refund has not come and it has been a week since the parcel reached you.",
		"a: A refund takes five working days after the parcel has reached us. Is the refund to the card that was used?",
		"c: Yes, the refund should be on the card that was used. The parcel reached you last week, five working days are over.",
		"a: The refund is paid to the card that was used within five working days after the parcel has reached us.",
	}
	for _, c := range []struct {
		last, want string
		turned     bool
	}{
		{"c: Can rain clothes be washed with softener at home?", "jacket-wash", true},
		{"c: What runs with any screw thread cartridge?", "stove", true},
		{"c: And how many working days until it is paid?", "refunds", false},
		{"c: Is the refund paid to the same card after five working days?", "refunds", false},
		{"c: Which card?", "refunds", false},
	} {
		lines := append(chat[:4:4], c.last)
		if ids := found(t, lines...); ids[0] != c.want {
			t.Errorf("%q: %v", c.last, ids)
		}
		r := retrieve.New(memindex.New(outfitter()), nil, retrieve.Options{})
		res, err := r.Search(t.Context(), retrieve.Scope{}, retrieve.Listen(transcript(lines...)))
		if err != nil {
			t.Fatal(err)
		}
		old := slices.ContainsFunc(res.Searched, func(term assist.Term) bool { return term.Text == "refund" })
		if old == c.turned {
			t.Errorf("%q: searched for %v", c.last, res.Searched)
		}
	}
}

// TestProductSurvivesTwentyTurns: what the chat is about is said once, at its
// beginning, and still decides between near twins at its end.
func TestProductSurvivesTwentyTurns(t *testing.T) {
	chat := []string{"c: Hi, the seams of my tent leak since the last trip."}
	small := [][2]string{
		{"Sorry to hear that. May I have your name?", "Dana Whitfield"}, {"Thank you, Dana. And your order number?", "RB-20931"},
		{"Which email address is it under?", "dana@example.org"}, {"When did you buy it?", "in spring, April I believe"},
		{"Did it rain heavily that night?", "yes, for hours"}, {"Was anything else wet?", "only the sleeping bags"},
		{"Could you send a photo?", "just sent one"}, {"Thanks, I see it. Do you live in the city?", "no, out in the country"},
		{"Would a drop-off point help?", "maybe, there is one at the station"}, {"Good to know. One moment please.", "ok"},
	}
	for _, s := range small {
		chat = append(chat, "a: "+s[0], "c: "+s[1])
	}
	chat = append(chat, "a: Our workshop can take care of that.", "c: Great. What does a repair cost and how long does it take?")
	if n := len(chat); n < 21 {
		t.Fatalf("%d turns", n)
	}
	if ids := found(t, chat...); ids[0] != "tent-repair" {
		t.Errorf("found %v", ids)
	}
}

// TestSeveralQuestions: each question of one message finds its page among the
// first three hits, however many pages the longest question has words of.
func TestSeveralQuestions(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"Hi! How long does a refund take? Do you ship to Austria? And can I wash the jacket with softener?", []string{"refunds", "shipping", "jacket-wash"}},
		{"What does a repair of boots cost? Do gift cards expire?", []string{"boot-repair", "gift-cards"}},
		{"My tent, my boots and my jacket need a repair: what does a repair cost and how many weeks does a repair take? And how many gift cards can be used?", []string{"gift-cards"}},
		{"I sent my boots, a jacket and a tent for repair three weeks ago. Where does the repair of tents and boots stand, what will it cost? How many days until a refund?", []string{"boot-repair", "refunds"}},
		{"What does a repair cost for tents and how long does a repair take? And which gas cartridge for the Cinder?", []string{"tent-repair", "stove"}},
	} {
		ids := found(t, "c: "+c.text)
		first := ids[:min(len(ids), 3)]
		for _, want := range c.want {
			if !slices.Contains(first, want) {
				t.Errorf("%q: %s is not among %v", c.text, want, ids)
			}
		}
	}
}

// TestLikeness: what words leave alike is told apart by the sentences themselves.
func TestLikeness(t *testing.T) {
	var docs []assist.Document
	for i, text := range []string{"Who made you?\nTell me the names of the people, company or person behind this helper.", "Boots made by hand."} {
		id := fmt.Sprint("p", i)
		p := assist.Passage{ID: id, DocumentID: id, Text: text, End: len(text), Terms: retrieve.PassageTerms("", "", text, "en")}
		docs = append(docs, assist.Document{ID: id, Audience: assist.AudiencePublic, Language: "en", Passages: []assist.Passage{p}})
	}
	r := retrieve.New(memindex.New(docs), nil, retrieve.Options{})
	right, err := r.Search(t.Context(), retrieve.Scope{}, assist.Question{Text: "so who made you", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	if right.Hits[0].ID != "p0" {
		t.Errorf("found %v first", right.Hits[0].ID)
	}
	wrong, err := r.Search(t.Context(), retrieve.Scope{}, assist.Question{Text: "are the fences made of oak", Language: "en"})
	if err != nil {
		t.Fatal(err)
	}
	if wrong.Evidence >= right.Evidence/2 {
		t.Errorf("evidence %v for a stranger's question, %v for its own", wrong.Evidence, right.Evidence)
	}
}
