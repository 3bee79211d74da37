package check

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/aside-project/aside/internal/assist"
)

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

func hit(id, title, heading, text string, audience assist.Audience) assist.Hit {
	return assist.Hit{Passage: assist.Passage{ID: id, DocumentID: "d-" + id, Heading: heading, Text: text}, Title: title, Audience: audience}
}

var shop = []assist.Hit{
	hit("p1", "Returns", "Defective items", "A product that fails in normal use within 90 days is refunded in full, whatever the return window. We don’t ask for\nthe original box. Refunds reach the card within 5–7 business days.", assist.AudiencePublic),
	hit("p2", "Goodwill", "Limits by role", "Agents may add store credit up to $25 per customer and quarter without asking anybody for it first.", assist.AudienceInternal),
	hit("p3", "Shipping", "", "Standard shipping is free above $50 and takes two weeks. See https://shop.example/shipping for details or write to help@shop.example.", assist.AudiencePublic),
	hit("p4", "Members", "", "Members must show their card at the desk.", assist.AudiencePublic),
}

var chat = []assist.Turn{
	{Seq: 1, Role: assist.RoleCustomer, Text: "The zipper on the jacket broke after ONE wear. I paid 89 dollars, order 3348917502, on 12 September."},
	{Seq: 2, Role: assist.RoleAgent, Text: "I'm sorry about the zipper."},
}

func cite(text, id, quote string) assist.Sentence {
	return assist.Sentence{Text: text, Citations: []assist.Citation{{PassageID: id, Quote: quote}}}
}

func say(text string) assist.Sentence { return assist.Sentence{Text: text} }

// TestWording holds what an agent reads, word for word.
func TestWording(t *testing.T) {
	drafts := []struct {
		name      string
		sentences []assist.Sentence
	}{
		{"all proven", []assist.Sentence{
			say("I'm sorry about the zipper, Dana."),
			cite("A jacket that fails within 90 days is refunded in full.", "p1", "A product that fails in normal use within 90 days is refunded in full"),
			say("May I have your order number?")}},
		{"same values in other words", []assist.Sentence{
			cite("The $89.00 is refunded in full and reaches the card in 5 to 7 business days.", "p1", "Refunds reach the card within 5–7 business days."),
			cite("Shipping takes 14 days.", "p3", "takes two weeks")}},
		{"invented amount", []assist.Sentence{
			cite("For the trouble I'd like to add $40 store credit.", "p2", "store credit up to $25")}},
		{"value from a passage that is not cited", []assist.Sentence{
			cite("A product that fails is refunded, plus $25.", "p1", "A product that fails in normal use")}},
		{"changed duration", []assist.Sentence{
			cite("A product that fails within 120 days is refunded.", "p1", "A product that fails in normal use within 90 days")}},
		{"forged quote", []assist.Sentence{
			cite("You may keep the jacket and get your money.", "p1", "You may keep the item")}},
		{"unknown passage", []assist.Sentence{cite("It is all on us.", "p9", "on us")}},
		{"no citation", []assist.Sentence{say("The warranty covers the lining too.")}},
		{"quote that carries nothing", []assist.Sentence{
			cite("Accidental damage by pets remains covered throughout winter.", "p3", "Standard shipping")}},
		{"denied, affirmed, stronger, weaker", []assist.Sentence{
			cite("A product that fails in normal use within 90 days is not refunded in full.", "p1", "A product that fails in normal use"),
			cite("We do ask for the original box.", "p1", "We don't ask for the original box."),
			cite("Agents must add store credit per customer and quarter.", "p2", "Agents may add store credit"),
			cite("Members may show their card at the desk.", "p4", "Members must show their card at the desk.")}},
		{"foreign link, mail and phone", []assist.Sentence{
			cite("Standard shipping takes two weeks, see evil.example/track or https://shop.example/shipping/.", "p3", "Standard shipping"),
			say("Write to refunds@evil.example or call +1 555 010 9999.")}},
		{"image and HTML", []assist.Sentence{
			say("Hello ![x](https://evil.example/?q=secret) there."), say("Hi <img src=x onerror=alert(1)>."), say("Hi\u202e there.")}},
		{"internal words", []assist.Sentence{
			cite("Agents may add store credit up to $25 per customer and quarter, so take it.", "p2", "store credit up to $25")}},
		{"commitment and absolutes", []assist.Sentence{
			say("I have approved it."), say("It is free and we guarantee it will never break again.")}},
		{"a value of something else", []assist.Sentence{
			cite("The foreign fee with a premium plan is 1%.", "p5", "Foreign fee with a premium plan: 0%")}},
	}
	hits := append(slices.Clone(shop), hit("p5", "Fees", "", "- Foreign fee with a premium plan: 0%\n- Cash back on other purchases: 1.0%", assist.AudiencePublic))
	var b strings.Builder
	for _, d := range drafts {
		r := All(Input{Draft: assist.NewDraft(assist.OriginModel, d.sentences), Hits: hits, Turns: chat})
		fmt.Fprintf(&b, "# %s\n%s\n%s, %d to check, %d dropped\n", d.name, r.Draft.Text, r.Standing, r.CheckCount, r.Dropped)
		write(&b, r.Draft.Text, r.Verdicts, t)
		b.WriteByte('\n')
	}
	golden(t, "wording.txt", b.String())
}

func TestTypedText(t *testing.T) {
	texts := []string{
		"Thank you, Dana. I'm refunding it to your card now, and you'll see it within 5 business days. For the trouble I'd like to add $40 store credit",
		"You get $25, as agents may add store credit up to $25 per customer and quarter without asking anybody.",
		"Order 3348917502 of 12 September: $89 back.",
		"Ship by Friday at 5pm, see http://other.example.",
	}
	var b strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&b, "# %s\n", text)
		write(&b, text, Text(text, shop, chat), t)
		b.WriteByte('\n')
	}
	golden(t, "typed.txt", b.String())
}

func write(b *strings.Builder, text string, verdicts []assist.Verdict, t *testing.T) {
	for _, v := range verdicts {
		if text[v.Start:v.End] != v.Words {
			t.Errorf("range of %q holds %q", v.Words, text[v.Start:v.End])
		}
		fmt.Fprintf(b, "- %s %s, sentence %d: %s\n", v.Outcome, v.Check, v.Sentence, v.Reason)
	}
}

// TestGestures holds the wording of limits and of hints.
func TestGestures(t *testing.T) {
	limits := []Limit{
		{Gesture: "Store credit", Unit: Money, Currency: "usd", Left: 25, Period: "this quarter"},
		{Gesture: "Percent off the next order", Unit: Percent, Left: 10},
		{Gesture: "Refund of the shipping", Unit: Money, Currency: "usd", Period: "for this order"},
		{Gesture: "Overnight shipping for a replacement", Unit: Number, Left: 1, Period: "for this order"},
		{Gesture: "Paid repair at no cost", Unit: Money, Currency: "usd", Barred: true},
	}
	granted := []assist.Hit{hit("r", "Returns", "Shipping", "We refund the return shipping of up to $12 when the item was defective.", assist.AudiencePublic)}
	var b strings.Builder
	for _, text := range []string{
		"I can add $25 store credit.", "I'd like to add $40 of store credit.", "Take 15% off your next order, ten percent to begin with.", "The refund of your shipping is $5.", "The jacket costs $400.",
		"I'll take 15% off your next order.", "I can also refund the shipping.", "I can't refund the shipping.", "I'll ask my lead whether I can refund the shipping.",
		"The return shipping of $12 is refunded.", "I'll send the replacement by overnight shipping.", "I'll book two overnight shippings of the replacement.",
		"I'll book you a repair at no cost.", "A repair at no cost is worth $35.", "Store credit of £40 or forty dollars?",
		"I promise you it will be fixed.", "You don't really need that.", "As I already said, no.", "That's not my department.", "It's company policy, my hands are tied.", "I'll take care of it.",
	} {
		fmt.Fprintf(&b, "# %s\n", text)
		write(&b, text, append(Authority(text, limits, granted), Tone(text)...), t)
		b.WriteByte('\n')
	}
	golden(t, "gestures.txt", b.String())
}

// TestGesturesInOtherLanguages: a gesture beyond the limit is found by the words of
// shops in the five languages, and by the house's own title; a refusal is none.
func TestGesturesInOtherLanguages(t *testing.T) {
	credit := Limit{Gesture: "Store credit", Unit: Money, Currency: "usd", Left: 25}
	shipping := Limit{Gesture: "Refund of the shipping", Unit: Money, Currency: "usd"}
	percent := Limit{Gesture: "Percent off the next order", Unit: Percent, Left: 10}
	own := Limit{Gesture: "Thank-you", Titles: map[string]string{"de": "Treuebonus"}, Unit: Money, Currency: "usd", Left: 5}
	for text, want := range map[string]int{
		"Ich schreibe Ihnen gerne ein Guthaben von $40 auf Ihr Konto.":                          1,
		"Ich schreibe Ihnen gerne ein Guthaben von $20 auf Ihr Konto.":                          0,
		"Wir erstatten Ihnen natürlich die Versandkosten für diese Bestellung.":                 1,
		"Leider können wir Ihnen die Versandkosten für diese Bestellung nicht erstatten.":       0,
		"Sie bekommen von uns einen Treuebonus von $9 für die lange Wartezeit.":                 1,
		"Je vous offre un bon d'achat de $40 pour votre prochaine commande chez nous.":          1,
		"Nous vous remboursons les frais de livraison de cette commande.":                       1,
		"Je vous accorde une remise de 15 % sur votre prochaine commande.":                      1,
		"Le ofrezco un vale de $40 para su próxima compra en nuestra tienda.":                   1,
		"Le damos un descuento del 15 % en su próximo pedido por las molestias.":                1,
		"Ofereço um vale de $40 para a sua próxima compra na nossa loja, obrigado.":             1,
		"Posso dar um desconto de 15 % na sua próxima encomenda, pela espera que teve.":         1,
		"Die Jacke kostet $400, und der Versand ist in Deutschland innerhalb der Woche fertig.": 0,
	} {
		if got := Authority(text, []Limit{credit, shipping, percent, own}, nil); len(got) != want {
			t.Errorf("%q: %+v, want %d", text, got, want)
		}
	}
}

// TestInside holds what may not leave the house, and what may.
func TestInside(t *testing.T) {
	hits := append(slices.Clone(shop), hit("p9", "Runbook", "Refunds by hand", "Open ShipDesk and enter code RX-4471 in refund_queue. The price floor is $61.50 until 3 May. Ask warehouse@inside.example or https://wiki.inside.example/refunds, extension 55512. Never refund more than 45 % without a lead.", assist.AudienceInternal))
	credit := Limit{Gesture: "Store credit", Unit: Money, Currency: "usd", Left: 25}
	asked := []assist.Turn{{Role: assist.RoleCustomer, Text: "What is RX-4471 on my slip?"}}
	var b strings.Builder
	for _, c := range []struct {
		text   string
		turns  []assist.Turn
		limits []Limit
	}{
		{"I'd like to add $25 of store credit.", nil, []Limit{credit}},
		{"I'd like to add $25 of store credit.", nil, nil},
		{"An agent may add up to a $25 store credit per customer each quarter, without even asking.", nil, []Limit{credit}},
		{"Agents may really add some store credit, up to $25, for each customer per quarter.", nil, []Limit{credit}},
		{"The lowest we sell it for is 61.50 dollars, until May 3rd.", nil, nil},
		{"You could get 45 percent of it back.", nil, nil},
		{"I entered rx-4471 in ShipDesk, it is in the refund_queue.", nil, nil},
		{"RX-4471 is our return code.", asked, nil},
		{"Write to warehouse@inside.example or see wiki.inside.example/refunds.", nil, nil},
		{"See https://shop.example/shipping, shipping takes 14 days and is free above $50.", nil, nil},
		{"Call extension 55512.", nil, nil},
		{"The COVID19 or iPhone, 14-day and 2nd, 5pm.", nil, nil},
	} {
		fmt.Fprintf(&b, "# %s\n", c.text)
		for _, v := range Audience(assist.NewDraft(assist.OriginModel, []assist.Sentence{say(c.text)}), hits, c.turns, c.limits...) {
			if c.text[v.Start:v.End] != v.Words {
				t.Errorf("range of %q", v.Words)
			}
			fmt.Fprintf(&b, "- %s: %s\n", v.Words, v.Reason)
		}
		b.WriteByte('\n')
	}
	golden(t, "inside.txt", b.String())
}

func TestFind(t *testing.T) {
	text := "We don’t ask for\n  the “original” box, for $50 or $5.50."
	tests := map[string]string{
		"We don't ask for the \"original\" box": "We don’t ask for\n  the “original” box",
		"  ask   for ":                          "ask for",
		"for $5":                                "",
		"for $50":                               "for $50",
		"$5.5":                                  "",
		"5.50":                                  "5.50",
		"50.":                                   "",
		"e ask":                                 "",
		"":                                      "",
		"…":                                     "",
		"we don't":                              "",
	}
	for quote, want := range tests {
		start, end, ok := Find(text, quote)
		if ok != (want != "") || ok && text[start:end] != want {
			t.Errorf("%q: found %v %q, want %q", quote, ok, text[start:end], want)
		}
	}
}

func TestCourtesy(t *testing.T) {
	courtesy := []string{
		"Hi Dana,", "Thank you, Dana.", "I'm sorry about the zipper, and that you had to write three times.", "I'll take care of it.", "I understand how frustrating that must be.",
		"May I have your order number?", "Is there anything else I can help you with?", "Please let me know if that works for you.", "Good question!", "Let me look into this for you.",
		"Es tut mir leid wegen der Jacke.", "Je suis désolé pour la veste.", "Siento mucho lo de la chaqueta.", "Sinto muito pela jaqueta.", "Sorry about that!", "Hello!", "Danke für Ihre Nachricht.",
	}
	claims := []string{
		"I'm sorry, and you will get a full refund.", "Thank you, your order is cancelled.", "Would you like $40?", "Did you know you are covered?", "Your refund is on its way.",
		"Sure, that is covered by the warranty.", "I'll refund you.", "The warranty covers the lining too.", "We guarantee it.", "Feel free to keep it, it's free.", "Hi, call me at 555-0100.",
	}
	for _, s := range courtesy {
		if !Courtesy(s) {
			t.Errorf("%q is courtesy", s)
		}
	}
	for _, s := range claims {
		if Courtesy(s) {
			t.Errorf("%q claims something", s)
		}
	}
}

func TestValues(t *testing.T) {
	same := [][]string{
		{"two weeks", "14 days", "14-day", "fourteen days", "2 weeks", "zwei Wochen", "deux semaines", "fourteen (14) days"},
		{"$2,000", "2000 dollars", "2k dollars", "$2k", "USD 2,000.00", "$ 2000", "two thousand dollars"},
		{"1,500 €", "1.500 Euro", "€1500", "1\u202f500 €", "EUR 1’500"},
		{"5 business days", "5 working days", "5 Werktage", "5 jours ouvrés", "5 días hábiles", "five (5) business days", "5 (five) bank days"},
		{"half an hour", "30 minutes", "30 min", "eine halbe Stunde"},
		{"a year and a half", "18 months", "1½ years", "one and a half years"},
		{"1 business day", "next business day"},
		{"half price", "50%", "50 percent", "50 pour cent"},
		{"2x", "twice", "double"},
		{"$3.5 million", "3,500,000 dollars"},
		{"by December", "December 2026"},
		{"tomorrow", "morgen", "demain"},
		{"lundi", "Mondays", "Montag"},
		{"guaranteed", "garantiert", "garantizamos"},
		{"I have approved", "has been approved", "wurde genehmigt", "j’ai approuvé", "hemos aprobado", "I’ve already authorised"},
		{"1%", "1 %", "1.0 percent", "one percent", "1 per cent", "1,0 Prozent"},
		{"24 hours", "a day", "one day"},
		{"29 November", "November 29", "Nov 29, 2026", "29th of November", "2026-11-29"},
		{"5pm", "17:00", "5 p.m."},
		{"by COB", "by end of day", "by close of business"},
		{"12-Nov-2026", "12.11.2026", "12 November 2026", "Nov. 12th"},
		{"31/12/2026", "December 31", "2026/12/31"},
		{"one hundred and fifty dollars", "$150", "150 US dollars", "150,- USD", "USD 150.00"},
		{"half a million dollars", "$500,000", "$0.5M", "$ 500 000"},
		{"10 000 €", "10.000 Euro", "EUR 10,000", "ten thousand euros"},
		{"1 234,56 €", "€1,234.56"},
		{"Rs. 500", "₹500", "500 Indian rupees"},
		{"99p", "99 pence"},
		{"two grand", "$2k"},
		{"1h30", "90 minutes", "an hour and a half", "1 1/2 hours", "1½ hours"},
		{"three quarters of an hour", "45 minutes"},
		{"a dozen items", "12 items", "twelve items"},
		{"achtundvierzig Stunden", "48 hours", "two days"},
		{"within the hour", "60 minutes"},
		{"in a few days", "within a few days", "within several days"},
		{"at all times", "always"},
		{"won't be charged", "will not be charged", "for nothing", "at our expense"},
		{"consider it waived", "has been waived"},
		{"has already signed off on it", "has been approved"},
		{"a year", "12 months"},
		{"free", "complimentary", "no charge", "kostenlos"},
		{"+1 555 010 9999", "+1-555-010-9999", "1 (555) 010-9999"},
	}
	for _, group := range same {
		var want string
		for _, text := range group {
			got := Values(text)
			if len(got) != 1 {
				t.Errorf("%q: %v", text, got)
				continue
			}
			if want == "" {
				want = got[0].Key
			}
			if got[0].Key != want {
				t.Errorf("%q is %s, want %s", text, got[0].Key, want)
			}
		}
	}
	differ := [][2]string{{"24 business hours", "24 hours"}, {"4.125%", "4125%"}, {"US$5", "C$5"}, {"next week", "tomorrow"}, {"$1.2M", "$1.2"}, {"one hundred and fifty dollars", "$100"}, {"2 1/2 hours", "2 hours"}, {"1h30", "1h"}, {"I have refunded", "I have waived"}, {"5 business days", "5 days"}, {"1 month", "30 days"}, {"$5", "€5"}, {"1%", "10%"}}
	for _, d := range differ {
		if a, b := Values(d[0]), Values(d[1]); a[0].Key == b[0].Key {
			t.Errorf("%q and %q are the same", d[0], d[1])
		}
	}
	for _, text := range []string{"feel free to ask", "one of them", "1. Open the page", "a customer", "toll-free", "these two", "two of them", "if it has been approved", "once we have refunded", "Guten Morgen", "the way you like"} {
		if got := Values(text); len(got) != 0 {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestSources holds what vouches for what.
func TestSources(t *testing.T) {
	policy := []assist.Hit{
		hit("p", "Fees", "", "Standard shipping is free above $50. We refund fees that were charged twice.\n- Foreign fee with a premium plan: 0%\n- Cash back on other purchases: 1.0%\nOnce your claim has been approved, money arrives within 14 days. The sale ends on 29 November 2026.", assist.AudiencePublic),
	}
	customer := []assist.Turn{{Role: assist.RoleCustomer, Text: "You approved $75, it is always free, and my card is charged 41.15. Call me on (555) 010-9999."}}
	agent := []assist.Turn{{Role: assist.RoleAgent, Text: "I have approved the claim."}}
	action := []assist.Turn{{Role: assist.RoleSystem, Action: &assist.Action{Name: "waive-fee"}}}
	for _, tt := range []struct {
		text  string
		turns []assist.Turn
		marks []string
	}{
		{"Shipping is free above $50.", nil, nil},
		{"It is completely free.", nil, []string{"free"}},
		{"The foreign fee with a premium plan: 1%", nil, []string{"1%"}},
		{"You earn 1% cash back on other purchases.", nil, nil},
		{"We'll refund the fee that was charged twice.", nil, nil},
		{"I have refunded the fee.", nil, []string{"I have refunded"}},
		{"Your claim has been approved.", nil, []string{"has been approved"}},
		{"Once your claim has been approved, money arrives within two weeks.", nil, nil},
		{"I have approved the claim.", customer, []string{"I have approved"}},
		{"I have approved the claim.", agent, nil},
		{"I have waived the fee.", action, nil},
		{"The $75 and the $41.15 you mention.", customer, nil},
		{"It is always free.", customer, []string{"always", "free"}},
		{"The sale ends on November 29.", nil, nil},
		{"The sale ends on November 29, 2027.", nil, []string{"November 29, 2027"}},
		{"We call you on +1 555 010 9999.", customer, nil},
		{"It ends in November.", nil, nil},
		{"It ends in December.", nil, []string{"December"}},
		{"It ends on the 29th.", nil, nil},
		{"It ends on the 28th.", nil, []string{"28th"}},
		{"It ends on 29/11/2026.", nil, nil},
		{"It ends on 29.11.2026.", nil, nil},
		{"It ends on 28.11.2026.", nil, []string{"28.11.2026"}},
		{"A supervisor has already signed off on this.", nil, []string{"signed off"}},
		{"Consider the fee waived, the charge is gone.", nil, []string{"Consider the fee waived", "charge is gone"}},
		{"You'll be compensated within the hour.", nil, []string{"You'll be compensated", "within the hour"}},
		{"You will be refunded fees that were charged twice.", nil, nil},
		{"It was decided in your favor.", nil, []string{"in your favor"}},
		{"Wir haben Ihre Gebühr erlassen.", nil, []string{"Wir haben Ihre Gebühr erlassen"}},
		{"Vous recevrez 75 € sous cinq jours ouvrés.", nil, []string{"75 €", "cinq jours ouvrés"}},
		{"Le reembolsaremos 30 euros mañana.", nil, []string{"30 euros", "mañana"}},
		{"You get half the fee back and three free months.", nil, []string{"half the", "three", "free"}},
	} {
		var marks []string
		for _, v := range Text(tt.text, policy, tt.turns) {
			marks = append(marks, v.Words)
		}
		if d := cmp.Diff(tt.marks, marks); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, d)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("We don’t ask for\n the box", "don't ask for the")
	f.Add("\xff\xfe a", "a")
	f.Fuzz(func(t *testing.T, text, quote string) {
		start, end, ok := Find(text, quote)
		if !ok {
			return
		}
		if start < 0 || end > len(text) || start >= end {
			t.Fatalf("range %d:%d of %d", start, end, len(text))
		}
		a, _ := plain(text[start:end], false)
		b, _ := plain(quote, false)
		if strings.TrimSpace(a) != strings.TrimSpace(b) {
			t.Fatalf("found %q for %q", text[start:end], quote)
		}
	})
}

func FuzzText(f *testing.F) {
	f.Add("$40 is 5-7 business days, see https://a.example. 12/11/2026 at 5pm +1 555 010 9999")
	f.Add("![x](data:a) <b>\u202e 1.000,50 € thirty-five (35) days")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, v := range Values(text) {
			if v.Start < last-len(text) || v.End > len(text) || v.Start >= v.End {
				t.Fatalf("value %+v", v)
			}
			last = v.Start
		}
		for _, v := range Text(text, shop, chat) {
			if text[v.Start:v.End] != v.Words {
				t.Fatalf("verdict %+v", v)
			}
			if utf8.ValidString(text) && !utf8.ValidString(v.Reason) {
				t.Fatalf("reason %q", v.Reason)
			}
		}
		for _, v := range Text(text, shop, []assist.Turn{{Role: assist.RoleCustomer, Text: text}}) {
			if v.Check == checkPromises && strings.Contains(v.Reason, "nobody wrote it") {
				t.Fatalf("somebody did write it: %+v", v)
			}
		}
		Courtesy(text)
	})
}

func FuzzSupported(f *testing.F) {
	f.Add("You may not return it unless it is unused, 1-800-772-1213.", "You can't return it. It must be unused; call 1 - 800 - 772 - 1213.")
	f.Add("\xff not", "no")
	f.Add("0", "no\xdf5:r")
	f.Add("Yes.", "No refunds on sale items.")
	f.Fuzz(func(t *testing.T, text, source string) {
		hits := []assist.Hit{hit("p", "T", "", source, assist.AudiencePublic)}
		draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text, Citations: []assist.Citation{{PassageID: "p"}}}, {Text: source, Citations: []assist.Citation{{PassageID: "p"}}}})
		for _, v := range Supported(draft, hits, chat) {
			if draft.Text[v.Start:v.End] != v.Words {
				t.Fatalf("verdict %+v", v)
			}
			if v.Sentence == 1 && strings.Contains(v.Reason, "denies") {
				t.Fatalf("a passage denies itself: %+v", v)
			}
		}
	})
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("You'll see $40 within 5 business days, see https://shop.example/shipping, by 29 November. ", 23)[:2000]
	var hits []assist.Hit
	for i := range 8 {
		hits = append(hits, hit(fmt.Sprint("p", i), "Returns", "Defective items", strings.Repeat(shop[i%3].Text+" ", 4), shop[i%3].Audience))
	}
	turns := make([]assist.Turn, 0, 40)
	for range 20 {
		turns = append(turns, chat...)
	}
	limits := []Limit{{Gesture: "Store credit", Unit: Money, Currency: "usd", Left: 25}}
	b.ReportAllocs()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		Text(text, hits, turns, limits...)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// What an agent may give needs nobody else's word; more of it, another thing, or
// that it was done already does.
func TestAGiftWithinLimitsNeedsNoSource(t *testing.T) {
	limits := []Limit{{Gesture: "Store credit", Unit: Money, Currency: "usd", Left: 25, Period: "this quarter"}}
	tests := map[string]string{
		"To make up for it, I'd like to give you $20 store credit.": "",
		"To make up for it, I'd like to give you $30 store credit.": "$30",
		"To make up for it, I'd like to send you $20.":              "$20",
		"I have added $20 store credit to your account.":            "$20",
		"$20 store credit has been added to your account.":          "$20",
	}
	for text, want := range tests {
		draft := assist.NewDraft(assist.OriginModel, []assist.Sentence{{Text: text}})
		for name, verdicts := range map[string][]assist.Verdict{"draft": All(Input{Draft: draft, Limits: limits}).Verdicts, "typed": Text(text, nil, nil, limits...)} {
			var got []string
			for _, v := range verdicts {
				if v.Check == checkPromises || v.Check == checkAuthority {
					got = append(got, v.Words)
				}
			}
			if words := strings.Join(got, " "); (want == "") != (words == "") || !strings.Contains(words, want) {
				t.Errorf("%s %q: marked %q, want %q", name, text, words, want)
			}
		}
	}
}

// TestLongLists: what a text of numbers costs grows as it does, not with its square.
func TestLongLists(t *testing.T) {
	for _, item := range []string{"1 ", "1-", "1/1 ", "(1) ", "4111 ", "$5 ", "5 days ", "1. ", "- "} {
		var cost [2]uint64
		for i, n := range []int{2000, 8000} {
			text := strings.Repeat(item, n/len(item))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			Values(text)
			runtime.ReadMemStats(&after)
			cost[i] = after.TotalAlloc - before.TotalAlloc
		}
		if cost[1] > 8*cost[0]+1<<20 {
			t.Errorf("%q: %d bytes for 2,000 characters, %d for 8,000", item, cost[0], cost[1])
		}
	}
}
