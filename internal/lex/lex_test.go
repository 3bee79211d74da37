package lex

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func words(text string) []string { return in(text, Words(text)) }

func in(text string, spans []Span) []string {
	var out []string
	for _, s := range spans {
		out = append(out, s.In(text))
	}
	return out
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" … ", nil},
		{"Don't panic, it’s 1,360.50.", []string{"Don't", "panic", "it’s", "1,360.50"}},
		{"e-mail me@shop.example", []string{"e", "mail", "me", "shop", "example"}},
		{"2fa Ü9 u\u0308ber", []string{"2fa", "Ü9", "u\u0308ber"}},
		{"'quoted' 5, 6", []string{"quoted", "5", "6"}},
		{"a\xffb", []string{"a", "b"}},
	} {
		if d := cmp.Diff(c.want, words(c.text)); d != "" {
			t.Errorf("Words(%q): -want +got\n%s", c.text, d)
		}
	}
}

func TestTerms(t *testing.T) {
	for _, c := range []struct{ text, language, want string }{
		{"Don't e-mail the refunds: $1,360.00 by 2FA", "en", "email mail refund 1360 2fa"},
		{"Refunded refunding REFUND", "en", "refund refund refund"},
		{"email e-mail E-Mail", "en", "email email mail email mail"},
		{"my t-shirt or tshirt", "en", "tshirt shirt tshirt"},
		{"I can't log-in, login fails", "en", "login login fail"},
		{"the customer's order AB-1234-99 #5830284", "en", "custom order ab 1234 99 5830284"},
		{"5.00 5,90 1.360 1.360,50 0.125 1.2.3 22.11.2026", "en", "5 5.9 1360 1360.5 0.125 1.2.3 22.11.2026"},
		{"state-of-the-art", "en", "state art"},
		{"Rückgaben, Rueckgabe und Straßen", "de", "ruckgab ruckgab strass"},
		{"Wie geht's mit dem Umtausch?", "de", "geht umtausch"},
		{"L’article n'est pas arrivé, d’où l'échange", "fr", "articl arriv echang"},
		{"¿Dónde está mi devolución? Las devoluciones", "es", "devolu devolu"},
		{"Não recebi a encomenda; as encomendas", "pt", "receb encomend encomend"},
		{"ﬁnance ＡＢＣ", "en", "financ abc"},
		{"返品したい", "ja", "返品 品し した たい"},
		{"Zwroty łatwe", "pl", "zwroty latwe"},
		{"the the the", "en", ""},
		{"the", "xx", "the"},
	} {
		if d := cmp.Diff(c.want, strings.Join(Terms(c.text, c.language), " ")); d != "" {
			t.Errorf("Terms(%q, %s): -want +got\n%s", c.text, c.language, d)
		}
	}
	long := Terms(strings.Repeat("x", 5000)+strings.Repeat("é", 5000), "fr")
	if len(long) != 1 || len(long[0]) > maxTerm || !utf8.ValidString(long[0]) {
		t.Errorf("a long word became %q", long)
	}
}

func TestSentences(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{" \n\n ", nil},
		{"One. Two! Three? Four", []string{"One.", "Two!", "Three?", "Four"}},
		{"hi. i need help. ok", []string{"hi.", "i need help.", "ok"}},
		{"Use a card, e.g. Visa. Ask Dr. Smith, i.e. our vet.", []string{"Use a card, e.g. Visa.", "Ask Dr. Smith, i.e. our vet."}},
		{"See No. 5 for this. No. I said so.", []string{"See No. 5 for this.", "No.", "I said so."}},
		{"It costs $5.99 at https://a.example/b.html?x=1.2 today. Yes.", []string{"It costs $5.99 at https://a.example/b.html?x=1.2 today.", "Yes."}},
		{"Open 9 a.m. to 5 p.m. daily. We ship to the U.S. Returns are free.", []string{"Open 9 a.m. to 5 p.m. daily.", "We ship to the U.S.", "Returns are free."}},
		{"Acme Inc. sells shoes, socks, etc. Ask us.", []string{"Acme Inc. sells shoes, socks, etc.", "Ask us."}},
		{"J. Smith signed. Then I. Yes.", []string{"J. Smith signed.", "Then I.", "Yes."}},
		{"# Returns\n\nSend it back.\n- within 30 days\n- unworn\n1. Ask.\n2) Tell.", []string{"Returns", "Send it back.", "within 30 days", "unworn", "Ask.", "Tell."}},
		{"This is a line of prose that was wrapped by an editor\nand goes on here. Done.", []string{"This is a line of prose that was wrapped by an editor\nand goes on here.", "Done."}},
		{"hi\nwhere is my order", []string{"hi", "where is my order"}},
		{"hm... i see. Really?! Yes", []string{"hm... i see.", "Really?!", "Yes"}},
		{"He said \"no.\" Then (he left.) Fine.", []string{"He said \"no.\"", "Then (he left.)", "Fine."}},
		{"Am 5. Mai kam es, z.B. per Post. Danke.", []string{"Am 5. Mai kam es, z.B. per Post.", "Danke."}},
		{"| a | b |\n|---|---|\n| 1 | 2 |", []string{"| a | b |", "|---|---|", "| 1 | 2 |"}},
		{"返品できます。はい", []string{"返品できます。", "はい"}},
		{"We have 30. Then more.", []string{"We have 30.", "Then more."}},
		{"\xff. \xff", []string{"\xff.", "\xff"}},
		{"Order by 11 a.m. Pacific time, Monday to Friday. Later is too late.", []string{"Order by 11 a.m. Pacific time, Monday to Friday.", "Later is too late."}},
		{"Until 5 p.m. PST. Then at 6 p.m. We close.", []string{"Until 5 p.m. PST.", "Then at 6 p.m.", "We close."}},
		{"Open 9 a.m. Monday. Closed at 8 p.m. Orders wait.", []string{"Open 9 a.m. Monday.", "Closed at 8 p.m.", "Orders wait."}},
		{"See No. 5 in St. Paul, approx. 1.5 miles. It is 2 Main St. We are there.", []string{"See No. 5 in St. Paul, approx. 1.5 miles.", "It is 2 Main St.", "We are there."}},
		{"We use U.S. Mail. We use P.O. boxes, i.e. APO.", []string{"We use U.S. Mail.", "We use P.O. boxes, i.e. APO."}},
		{"Das geht z. B. per Post, d. h. ohne Drucker. Danke.", []string{"Das geht z. B. per Post, d. h. ohne Drucker.", "Danke."}},
		{"Vom 24. bis 26. Dezember ist zu, ab dem 2. Januar offen.", []string{"Vom 24. bis 26. Dezember ist zu, ab dem 2. Januar offen."}},
		{"Elle dit : « Je ne sais pas. » Puis elle part. « Quoi ! » dit-il.", []string{"Elle dit : « Je ne sais pas. »", "Puis elle part.", "« Quoi ! » dit-il."}},
		{"\"Where is it?\" she wrote. Here.", []string{"\"Where is it?\" she wrote.", "Here."}},
		{"Payez à la livraison, p. ej. en efectivo. Ya.", []string{"Payez à la livraison, p. ej. en efectivo.", "Ya."}},
	} {
		if d := cmp.Diff(c.want, in(c.text, Sentences(c.text))); d != "" {
			t.Errorf("Sentences(%q): -want +got\n%s", c.text, d)
		}
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "en"},
		{"5830284", "en"},
		{"Crystal Minh", "en"},
		{"Where is my order?", "en"},
		{"order status", "en"},
		{"ok", "en"},
		{"Wo ist meine Bestellung?", "de"},
		{"Danke", "de"},
		{"hallo", "de"},
		{"Ich habe die falsche Größe bekommen", "de"},
		{"Bonjour, où est ma commande ?", "fr"},
		{"l'article n'est pas arrivé", "fr"},
		{"Hola, ¿dónde está mi pedido?", "es"},
		{"gracias", "es"},
		{"Olá, não recebi a encomenda", "pt"},
		{"obrigado", "pt"},
		{"返品したいです", "ja"},
		{"我要退货", "zh"},
		{"Где мой заказ", "ru"},
		{"My order from El Corte is late and I want to know why", "en"},
	} {
		if got := Language(c.text); got != c.want {
			t.Errorf("Language(%q) = %s, want %s", c.text, got, c.want)
		}
	}
}

func TestDistinct(t *testing.T) {
	for _, n := range []int{0, 3, 300} {
		var terms, want []string
		for i := range n {
			terms = append(terms, fmt.Sprint("w", i*i%(n/2+1)), "a")
		}
		for _, w := range terms {
			if !slices.Contains(want, w) {
				want = append(want, w)
			}
		}
		if got := Distinct(terms); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

func FuzzLex(f *testing.F) {
	for _, s := range []string{"", "Don't e-mail 1,360.00.", "# A\n- b. c", "l’été...\n\n1. x", "\xff'\xfe.", "返品。", "a-b-c-", "9.9.", "ﷺ’’a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, spans := range map[string][]Span{"Words": Words(text), "Sentences": Sentences(text)} {
			end := 0
			for _, s := range spans {
				if s.Start < end || s.End <= s.Start || s.End > len(text) {
					t.Fatalf("%s(%q): span %v after %d", name, text, s, end)
				}
				end = s.End
			}
		}
		for _, language := range []string{"en", "de", "fr", "es", "pt", "xx"} {
			if first := FirstTerm(text, language); first != strings.Join(Terms(text, language)[:min(1, len(Terms(text, language)))], "") {
				t.Fatalf("FirstTerm(%q) in %s: %q of %q", text, language, first, Terms(text, language))
			}
			for _, term := range Terms(text, language) {
				if term == "" || len(term) > maxTerm || utf8.ValidString(text) && !utf8.ValidString(term) {
					t.Fatalf("Terms(%q, %s) has %q", text, language, term)
				}
			}
		}
		Language(text)
	})
}

const passage = `If the customer's item arrived damaged, you can offer a replacement or a full refund within 30 days of
delivery, e.g. for shoes, jackets or t-shirts. Ask for the order id and a photo; refunds of $100.00 or more need a
manager. Shipping of the replacement is free. **Gold** members may keep the item if its price is under $20.`

func BenchmarkTerms(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(passage)))
	for b.Loop() {
		Terms(passage, "en")
	}
}

func BenchmarkSentences(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(passage)))
	for b.Loop() {
		Sentences(passage)
	}
}

func BenchmarkLanguage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Language(passage)
	}
}
