package privacy

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secret makes one secret of a public format, valid where the format has a check.
type secret struct {
	name string
	make func(*rand.Rand) string
}

func number(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + r.Intn(10)))
	}
	return b.String()
}

func from(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.Intn(len(alphabet))]
	}
	return string(b)
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// grouped writes digits in groups with a separator.
func grouped(s, sep string, sizes ...int) string {
	var parts []string
	for i := 0; s != ""; i++ {
		n := min(sizes[i%len(sizes)], len(s))
		parts, s = append(parts, s[:n]), s[n:]
	}
	return strings.Join(parts, sep)
}

func withLuhn(body string) string {
	for c := '0'; c <= '9'; c++ {
		if s := body + string(c); luhn(s) {
			return s
		}
	}
	panic("no check digit")
}

func makeIBAN(country, bban string) string {
	check := 98 - mod97(bban+country+"00")
	return fmt.Sprintf("%s%02d%s", country, check, bban)
}

func makeSteuerID(r *rand.Rand) string {
	p := r.Perm(10)
	if p[0] == 0 {
		p[0], p[1] = p[1], p[0]
	}
	p[9] = p[3] // one digit twice
	body := ""
	for _, n := range p {
		body += fmt.Sprint(n)
	}
	product := 10
	for i := range 10 {
		sum := (int(body[i]-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	return body + fmt.Sprint((11-product)%10)
}

func makeINSEE(r *rand.Rand) string {
	body := fmt.Sprintf("%d%02d%02d%02d%03d%03d", 1+r.Intn(2), r.Intn(100), 1+r.Intn(12), 1+r.Intn(95), 1+r.Intn(900), 1+r.Intn(900))
	n := 0
	for _, c := range body {
		n = (n*10 + int(c-'0')) % 97
	}
	return body + fmt.Sprintf("%02d", 97-n)
}

func makeCPF(r *rand.Rand) string {
	d := number(r, 9)
	for n := 9; n < 11; n++ {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		d += fmt.Sprint(sum * 10 % 11 % 10)
	}
	return d
}

var secrets = []secret{
	{"card", func(r *rand.Rand) string {
		s := withLuhn([]string{"4", "51", "55", "2221", "6011"}[r.Intn(5)])
		s = s[:len(s)-1]
		s = withLuhn(s + number(r, 15-len(s)))
		return grouped(s, []string{"", " ", "-"}[r.Intn(3)], 4)
	}},
	{"amex", func(r *rand.Rand) string {
		return grouped(withLuhn("37"+number(r, 12)), []string{"", " "}[r.Intn(2)], 4, 6, 5)
	}},
	{"iban", func(r *rand.Rand) string {
		s := []func() string{
			func() string { return makeIBAN("DE", number(r, 18)) },
			func() string { return makeIBAN("FR", number(r, 23)) },
			func() string { return makeIBAN("ES", number(r, 20)) },
			func() string { return makeIBAN("GB", from(r, "ABCDEFGH", 4)+number(r, 14)) },
			func() string { return makeIBAN("NL", from(r, "ABCDEFGH", 4)+number(r, 10)) },
		}[r.Intn(5)]()
		return grouped(s, []string{"", " "}[r.Intn(2)], 4)
	}},
	{"phone", func(r *rand.Rand) string {
		n := number(r, 10)
		return []string{
			"+1 " + fmt.Sprint(2+r.Intn(8)) + n[:2] + " 555 01" + n[2:4], "(" + fmt.Sprint(2+r.Intn(8)) + n[:2] + ") 555-01" + n[2:4],
			fmt.Sprint(2+r.Intn(8)) + n[:2] + "-555-01" + n[2:4], "+44 7700 9" + n[:2] + " " + n[2:5], "07700 9" + n[:5], "+49 30 " + n[:8], "030 " + n[:4] + " " + n[4:8],
			"+33 6 " + n[:2] + " " + n[2:4] + " " + n[4:6] + " " + n[6:8], "06 " + n[:2] + " " + n[2:4] + " " + n[4:6] + " " + n[6:8], "+34 6" + n[:2] + " " + n[2:5] + " " + n[5:8],
			"0049-171-" + n[:7], "+1" + fmt.Sprint(2+r.Intn(8)) + n[:9], "0171/" + n[:7], "+55 (11) 9" + n[:4] + "-" + n[4:8],
		}[r.Intn(14)]
	}},
	{"mail", func(r *rand.Rand) string {
		name := from(r, "abcdefghij", 6)
		return []string{name + "@mail.example", name + ".o'neil+shop@sub.host.example", strings.ToUpper(name) + "_1@host.co.example", name + "@xn--bcher-kva.example"}[r.Intn(4)]
	}},
	{"us", func(r *rand.Rand) string {
		return fmt.Sprintf("%03d-%02d-%04d", 100+r.Intn(500), 1+r.Intn(98), 1+r.Intn(9998))
	}},
	{"gb", func(r *rand.Rand) string {
		return from(r, "ABCEHJ", 1) + from(r, "EHJLMP", 1) + grouped(number(r, 6), []string{"", " "}[r.Intn(2)], 2) + from(r, "ABCD", 1)
	}},
	{"de", func(r *rand.Rand) string { return grouped(makeSteuerID(r), []string{"", " "}[r.Intn(2)], 2, 3, 3, 3) }},
	{"fr", func(r *rand.Rand) string {
		return grouped(makeINSEE(r), []string{"", " "}[r.Intn(2)], 1, 2, 2, 2, 3, 3, 2)
	}},
	{"es", func(r *rand.Rand) string {
		n := r.Intn(90000000) + 10000000
		return fmt.Sprintf("%08d%s%c", n, []string{"", "-"}[r.Intn(2)], "TRWAGMYFPDXBNJZSQVHLCKE"[n%23])
	}},
	{"br", func(r *rand.Rand) string {
		d := makeCPF(r)
		return d[:3] + "." + d[3:6] + "." + d[6:9] + "-" + d[9:]
	}},
	{"key", func(r *rand.Rand) string {
		return []string{
			"sk-" + from(r, alphanumeric, 44) + "9a", "ghp_" + from(r, alphanumeric, 36), "AKIA" + from(r, "ABCDEFGHIJ234567", 16), "xoxb-" + number(r, 11) + "-" + from(r, alphanumeric, 20),
			"eyJhbGciOiJIUzI1NiJ9." + from(r, alphanumeric, 30) + "." + from(r, alphanumeric, 30), "api key: " + from(r, alphanumeric, 20) + "7x", from(r, "0123456789abcdef", 38) + "a1", "sk_live_" + from(r, alphanumeric, 22) + "1b",
		}[r.Intn(8)]
	}},
	{"password", func(r *rand.Rand) string {
		word := from(r, "abcdefghjk", 5) + number(r, 2) + "!"
		return []string{"my password is " + word, "password: " + word, "pw=" + word, "Passwort ist " + word, "mot de passe : " + word, "contraseña es " + word, "PIN is " + number(r, 4), "cvv " + number(r, 3)}[r.Intn(8)]
	}},
}

var carriers = []string{"%s", "Hi, it's %s, thanks.", "please use %s for the refund", "You asked: %s", "I wrote %s\nand nothing came.", "(%s)", "%s.", "Here: %s and order 100283"}

// TestRecall builds 500 lines with a secret each and wants nearly all hidden.
func TestRecall(t *testing.T) {
	r := rand.New(rand.NewSource(11))
	const lines = 500
	hidden := 0
	for i := range lines {
		s := secrets[i%len(secrets)]
		value := s.make(r)
		line := fmt.Sprintf(carriers[r.Intn(len(carriers))], value)
		core := value[strings.LastIndexAny(value, " =:")+1:] // the secret behind "password is"
		if s.name != "key" && s.name != "password" {
			core = value
		}
		if strings.Contains(Hide(line), core) {
			t.Logf("%s not hidden: %s → %s", s.name, line, Hide(line))
			continue
		}
		hidden++
	}
	t.Logf("%d of %d hidden: %.3f", hidden, lines, float64(hidden)/lines)
	if float64(hidden) < 0.98*lines {
		t.Errorf("%d of %d hidden, want 98 %%", hidden, lines)
	}
}

// TestHarmless builds lines of what support chats are full of.
func TestHarmless(t *testing.T) {
	r := rand.New(rand.NewSource(12))
	n := func(k int) string { return number(r, k) }
	forms := []func() string{
		func() string { return "Order " + n(10) + " has not arrived." }, func() string { return "order number: " + n(8) + "?" }, func() string { return "#" + n(7) },
		func() string { return "ORD-2026-" + n(6) }, func() string { return "my order 112-" + n(7) + "-" + n(7) }, func() string { return "Invoice INV" + n(8) },
		func() string { return "tracking number 1Z" + from(r, "ABCDEFGH0123456789", 16) }, func() string { return "Bestellung " + n(9) }, func() string { return "order id is " + n(16) },
		func() string { return "It costs $" + n(3) + ".99" }, func() string { return "1." + n(3) + ",00 € zu viel" }, func() string { return "USD 2," + n(3) + ".50" }, func() string { return "$1," + n(3) + "," + n(3) },
		func() string { return "on 2026-11-" + fmt.Sprintf("%02d", 1+r.Intn(28)) }, func() string { return fmt.Sprintf("%02d/%02d/2026 at 10:30", 1+r.Intn(12), 1+r.Intn(28)) },
		func() string { return "case " + n(8) + ", ticket " + n(6) }, func() string { return "SKU " + n(12) }, func() string { return "tracking " + n(12) + " from the post" },
		func() string { return "I bought 2 for 19.99 and 3 for 24.50" }, func() string { return "account ending in " + n(4) }, func() string { return "room " + n(3) + ", 4th floor, zip " + n(5) },
		func() string { return "a3f9-" + n(4) + "-bb" + n(2) }, func() string { return n(9) + " is my order" }, func() string { return "My password is wrong and I forgot my pin" },
		func() string { return "see https://shop.example/orders/" + n(10) + "?ref=" + n(8) },
	}
	const lines = 1000
	masked := 0
	for i := range lines {
		line := forms[i%len(forms)]()
		if h := Hide(line); h != line {
			masked++
			t.Logf("masked: %s → %s", line, h)
		}
	}
	t.Logf("%d of %d masked: %.4f", masked, lines, float64(masked)/lines)
	if masked > lines/100 {
		t.Errorf("%d of %d masked, want at most 1 %%", masked, lines)
	}
}

func TestMask(t *testing.T) {
	var m Mask
	text := "Card 4111 1111 1111 1111, mail a@b.example, again 4111 1111 1111 1111, order 3348917502."
	hidden := m.Hide(text)
	if d := cmp.Diff("Card [CARD_1], mail [MAIL_1], again [CARD_1], order 3348917502.", hidden); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(text, m.Restore(hidden)); d != "" {
		t.Error(d)
	}
	if got := m.Restore("[CARD_2] and [MAIL_1]"); got != "[CARD_2] and a@b.example" {
		t.Errorf("got %q", got)
	}
	if got := Hide("iban DE89 3704 0044 0532 0130 00 and more"); got != "iban [IBAN] and more" {
		t.Errorf("got %q", got)
	}
}

func FuzzMask(f *testing.F) {
	f.Add("Card 4111 1111 1111 1111 [CARD_1] +1 555 010 9999 a@b.example")
	f.Add("password: \xff\xfe [MAIL_1] DE89 3704 0044 0532 0130 00")
	f.Fuzz(func(t *testing.T, text string) {
		look := glance(text)
		for _, d := range detectors {
			for _, at := range d.pattern.FindAllStringSubmatchIndex(text, -1) {
				start, end := at[0], at[1]
				if len(at) > 2 && at[2] >= 0 {
					start, end = at[2], at[3]
				}
				if (d.holds == nil || d.holds(text, start, end)) && !look.may(d.kind) {
					t.Errorf("%q is not looked at for %s", text[at[0]:at[1]], d.kind)
				}
			}
		}
		var m Mask
		hidden := m.Hide(text)
		if len(Find(text)) == 0 && hidden != text {
			t.Fatal("changed without finding anything")
		}
		if placeholder.MatchString(text) {
			return // forged ones may become the real ones: the agent sees what the customer wrote
		}
		if got := m.Restore(hidden); got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}

func BenchmarkHide(b *testing.B) {
	text := strings.Repeat("I ordered on 12 September, order 3348917502, and paid $89 with card 4111 1111 1111 1111; write to a@b.example. ", 20)[:2000]
	for b.Loop() {
		Hide(text)
	}
}
