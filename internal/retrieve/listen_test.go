package retrieve_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/retrieve"
)

// transcript reads lines "c: text", "a: text", "s: text".
func transcript(lines ...string) []assist.Turn {
	roles := map[string]assist.Role{"c": assist.RoleCustomer, "a": assist.RoleAgent, "s": assist.RoleSystem, "b": assist.RoleBot}
	var turns []assist.Turn
	for _, l := range lines {
		who, text, _ := strings.Cut(l, ": ")
		turns = append(turns, assist.Turn{Role: roles[who], Text: text})
	}
	return turns
}

func TestListen(t *testing.T) {
	for _, c := range []struct {
		name  string
		turns []assist.Turn
		text  string
		quiet string
	}{
		{"nothing", nil, "", retrieve.QuietEmpty},
		{"only the agent", transcript("a: Hi, how can I help?"), "", retrieve.QuietEmpty},
		{"greeting", transcript("c: Hi there!"), "Hi there!", retrieve.QuietGreeting},
		{"an emoji", transcript("c: My jacket is torn", "a: Sorry!", "c: 👍"), "👍", retrieve.QuietOK},
		{"question", transcript("c: Hi, where is my order?"), "Hi, where is my order?", ""},
		{"greeting and small words that ask", transcript("c: Hi! Does it do anything else?"), "Hi! Does it do anything else?", ""},
		{"greeting, then small words that ask", transcript("c: Hello there", "c: Does it do anything else?"), "Does it do anything else?", ""},
		{"greeted, then small words that ask", transcript("c: Hi", "a: Hello, how can I help?", "c: Does it do anything else?"), "Does it do anything else?", ""},
		{"greeting that asks how one is", transcript("c: hi, are you well?"), "hi, are you well?", retrieve.QuietGreeting},
		{"greeting, then the need", transcript("c: hello", "c: my jacket came torn"), "my jacket came torn", ""},
		{"a burst is one", transcript("c: my jacket came torn", "c: can i get a refund?", "c: thanks"), "my jacket came torn\ncan i get a refund?", ""},
		{"thanks", transcript("c: Where is my order?", "a: It arrives tomorrow.", "c: Great, thank you so much!"), "Great, thank you so much!", retrieve.QuietThanks},
		{"thanks and more", transcript("c: Where is it?", "a: Tomorrow.", "c: Thanks. And can I change the address?"), "Thanks. And can I change the address?", ""},
		{"ok", transcript("c: Where is my order?", "a: Let me check that for you.", "c: ok"), "ok", retrieve.QuietOK},
		{"one moment", transcript("c: Refund please", "a: What is your order id?", "c: one moment"), "one moment", retrieve.QuietWait},
		{"bye", transcript("c: Refund please", "a: Done.", "c: bye"), "bye", retrieve.QuietGoodbye},
		{"nothing else", transcript("c: Refund please", "a: Done. Anything else I can help with?", "c: no, that's all"), "no, that's all", retrieve.QuietDone},
		{"yes to a question", transcript("c: I want to return my boots", "a: Are they unworn?", "c: yes"), "I want to return my boots", ""},
		{"no to a question", transcript("c: I want to return my boots", "a: Do you have the receipt?", "c: No, I don't."), "I want to return my boots", ""},
		{"name for an open problem", transcript("c: I want to return my boots", "a: May I have your name?", "c: Crystal Minh"), "I want to return my boots", ""},
		{"number for an open problem", transcript("c: I want to return my boots", "a: Your order id, please?", "c: Order ID: 3348917502"), "I want to return my boots", ""},
		{"several ids", transcript("c: I forgot my username", "a: Your email and account id?", "s: Account pulled up", "c: cminh730@email.com", "c: 3348917502"), "I forgot my username", ""},
		{"a name and no problem yet", transcript("a: May I have your name?", "c: Crystal Minh"), "Crystal Minh", retrieve.QuietIdentity},
		{"an introduction", transcript("c: Hello, my name is Crystal Minh"), "Hello, my name is Crystal Minh", retrieve.QuietIdentity},
		{"an introduction with a need", transcript("c: Hi, my name is Crystal Minh and my jacket arrived with a stain"), "Hi, my name is Crystal Minh and my jacket arrived with a stain", ""},
		{"asked for a name, tells a problem", transcript("c: help", "a: What is your username?", "c: I forgot it"), "I forgot it", ""},
		{"a number in a question", transcript("c: do you ship to 10115 Berlin"), "do you ship to 10115 Berlin", ""},
		{"the agent spoke last", transcript("c: I want to return my boots", "a: Let me see."), "I want to return my boots", ""},
		{"de greeting", transcript("c: Guten Tag"), "Guten Tag", retrieve.QuietGreeting},
		{"de thanks", transcript("c: Wo ist mein Paket?", "a: Morgen da.", "c: Vielen Dank!"), "Vielen Dank!", retrieve.QuietThanks},
		{"de need", transcript("c: Hallo, wie kann ich die Schuhe zurückgeben?"), "Hallo, wie kann ich die Schuhe zurückgeben?", ""},
		{"de yes", transcript("c: Ich möchte die Schuhe zurückgeben", "a: Sind sie ungetragen?", "c: Ja"), "Ich möchte die Schuhe zurückgeben", ""},
		{"de number", transcript("c: Ich möchte die Schuhe zurückgeben", "a: Wie lautet Ihre Bestellnummer?", "c: 4711-33"), "Ich möchte die Schuhe zurückgeben", ""},
		{"de wait", transcript("c: Ich möchte die Schuhe zurückgeben", "a: Bestellnummer?", "c: Einen Moment bitte"), "Einen Moment bitte", retrieve.QuietWait},
		{"fr greeting", transcript("c: Bonjour"), "Bonjour", retrieve.QuietGreeting},
		{"fr thanks", transcript("c: Où est ma commande ?", "a: Demain.", "c: Merci beaucoup"), "Merci beaucoup", retrieve.QuietThanks},
		{"fr agrees", transcript("c: Où est ma commande ?", "a: Je regarde.", "c: d'accord"), "d'accord", retrieve.QuietOK},
		{"fr need", transcript("c: Bonjour, comment retourner un article ?"), "Bonjour, comment retourner un article ?", ""},
		{"es greeting", transcript("c: ¡Hola, buenos días!"), "¡Hola, buenos días!", retrieve.QuietGreeting},
		{"es thanks", transcript("c: ¿Dónde está mi pedido?", "a: Mañana.", "c: Muchas gracias"), "Muchas gracias", retrieve.QuietThanks},
		{"es yes", transcript("c: Quiero devolver los zapatos", "a: ¿Están sin usar?", "c: Sí"), "Quiero devolver los zapatos", ""},
		{"es need", transcript("c: Hola, quiero devolver los zapatos"), "Hola, quiero devolver los zapatos", ""},
	} {
		q := retrieve.Listen(c.turns)
		if q.Text != c.text || q.Quiet != c.quiet {
			t.Errorf("%s: text %q quiet %q, want %q and %q", c.name, q.Text, q.Quiet, c.text, c.quiet)
		}
		if open := strings.Contains(c.name, "need") || len(c.turns) > 1 && q.Quiet != retrieve.QuietIdentity && q.Quiet != retrieve.QuietEmpty; len(q.Terms) == 0 && (q.Quiet == "" || open) {
			t.Errorf("%s: quiet %q without the terms of what is open", c.name, q.Quiet)
		}
	}
}

func TestQuietKeepsWhatIsOpen(t *testing.T) {
	need := transcript("c: I want to return my boots", "a: Let me see.")
	for _, last := range []string{"c: ok", "c: thank you", "c: one moment"} {
		q := retrieve.Listen(append(need[:2:2], transcript(last)...))
		if q.Quiet == "" || !hasTerm(q, "boot") {
			t.Errorf("%s: quiet %q, terms %v", last, q.Quiet, q.Terms)
		}
	}
	if q := retrieve.Listen(transcript("c: hello")); len(q.Terms) > 0 {
		t.Errorf("a greeting has terms %v", q.Terms)
	}
}

func hasTerm(q assist.Question, term string) bool {
	for _, t := range q.Terms {
		if t.Text == term && t.Weight > 0 {
			return true
		}
	}
	return false
}

func TestListenWeights(t *testing.T) {
	turns := transcript(
		"c: my boots leak",
		"a: Thank you for contacting us today, I'm happy to help!",
		"a: Which brand of boots?",
		"s: Account has been pulled up for Crystal Minh.",
		"c: acme",
		"a: Do you want a voucher?",
		"c: no, a replacement")
	turns[1].Name = "Jordan Brand"
	q := retrieve.Listen(turns)
	got := map[string]float64{}
	for _, term := range q.Terms {
		got[term.Text] = term.Weight
	}
	if q.Language != "en" {
		t.Errorf("language %s", q.Language)
	}
	for _, order := range [][2]string{{"replac", "voucher"}, {"voucher", "leak"}, {"acm", "leak"}, {"boot", "leak"}} {
		if got[order[0]] <= got[order[1]] || got[order[1]] == 0 {
			t.Errorf("%s weighs %v, %s %v", order[0], got[order[0]], order[1], got[order[1]])
		}
	}
	for _, none := range []string{"contact", "happi", "thank", "brand", "crystal", "account"} {
		if got[none] != 0 {
			t.Errorf("%s weighs %v", none, got[none])
		}
	}
	if d := cmp.Diff(q, retrieve.Listen(turns)); d != "" {
		t.Errorf("the same transcript gives another question: %s", d)
	}
}

// Own are the words of a message that may have left what was said before.
func TestListenOwn(t *testing.T) {
	chat := []string{"c: my boots leak at the seams", "a: Which brand are the boots?", "c: acme", "a: Acme boots are repaired for free. Do you want that?"}
	for last, want := range map[string]bool{
		"c: When does your shop in Berlin open on Sunday mornings?": true,
		"c: When does that shop in Berlin open on Sunday mornings?": false, // points back
		"c: How long until the seams of acme boots are repaired?":   false, // about the same
		"c: When do you open?": false, // too little to stand alone
		"c: yes, please":       false, // an answer
	} {
		q := retrieve.Listen(transcript(append(chat[:4:4], last)...))
		if got := len(q.Own) > 0; got != want {
			t.Errorf("%q stands alone: %v, by %v", last, got, q.Own)
		}
	}
	if q := retrieve.Listen(transcript("c: When does your shop in Berlin open on Sunday mornings?")); q.Own != nil {
		t.Errorf("nothing was said before, and %v is to stand alone", q.Own)
	}
}

func FuzzListen(f *testing.F) {
	f.Add("c: hi\na: name?\nc: Bob 12\n\xff")
	f.Add("a: ?\nc: …\nc: '\ns: x")
	f.Fuzz(func(t *testing.T, s string) {
		q := retrieve.Listen(transcript(strings.Split(s, "\n")...))
		if q.Quiet == "" && q.Text == "" {
			t.Errorf("a question without a text: %+v", q)
		}
	})
}

func BenchmarkListen(b *testing.B) {
	turns := transcript("c: Hi, I need to return an item, can you help me with that?", "a: Sure, may I have your name please?", "c: Crystal Minh",
		"a: Thanks, may I ask the reason for the return?", "c: I got the wrong size.", "a: Ok, your username, email address and order ID please?",
		"c: Username: cminh730", "c: cminh730@email.com", "c: Order ID: 3348917502")
	b.ReportAllocs()
	for b.Loop() {
		retrieve.Listen(turns)
	}
}
