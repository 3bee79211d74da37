package privacy

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// detector finds one form of secret. Where the pattern has a group, the group is
// the secret.
type detector struct {
	kind    Kind
	pattern *regexp.Regexp
	holds   func(text string, start, end int) bool
	cut     func(text string, start, end int) int // where the secret really ends; nil: at the end of the match
}

var detectors = []detector{
	{Key, regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), nil, nil},
	{Key, regexp.MustCompile(`\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or)?[-_]?[A-Za-z0-9_-]{16,}`), mixed, nil},
	{Key, regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}|xox[abprs]-[A-Za-z0-9-]{10,}|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|npm_[A-Za-z0-9]{30,}|hf_[A-Za-z0-9]{20,}|dop_v1_[a-f0-9]{32,}|shp(?:at|ca|pa|ss)_[A-Za-z0-9]{20,}|sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,}|key-[a-f0-9]{32}|whsec_[A-Za-z0-9+/=_-]{16,}|pypi-[A-Za-z0-9_-]{16,}|ya29\.[A-Za-z0-9_-]{16,}|lin_api_[A-Za-z0-9]{16,}|ntn_[A-Za-z0-9]{16,}|secret_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{30,}|dckr_pat_[A-Za-z0-9_-]{16,}|rubygems_[a-f0-9]{30,}|ATATT3[A-Za-z0-9_=-]{20,}|figd_[A-Za-z0-9_-]{20,}|xapp-[A-Za-z0-9-]{20,}|EAA[A-Za-z0-9]{20,}|sntrys_[A-Za-z0-9_=+/-]{20,}|ph[cx]_[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|tskey-[A-Za-z0-9-]{16,}|glc_[A-Za-z0-9+/=]{20,}|hv[sb]\.[A-Za-z0-9_-]{20,}|PMAK-[A-Za-z0-9-]{20,}|GOCSPX-[A-Za-z0-9_-]{16,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})`), nil, nil},
	{Key, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`), nil, nil},
	{Key, regexp.MustCompile(`(?i)\b(?:api[ _-]?key|secret(?:[ _-]?key)?|access[ _-]?(?:key|token)|auth[ _-]?token|bearer|client[ _-]?secret)\b["']?\s*(?:is|was|[:=]|→)?\s*["'` + "`" + `]?([A-Za-z0-9_/+.=-]{12,})`), mixed, nil},
	{Key, regexp.MustCompile(`\b[A-Za-z0-9+/_-]{32,}={0,2}`), random, nil},
	{Password, regexp.MustCompile(`(?i)` + passwords + `["']?\s*(?:['’]s\s|(?:is|was|ist|lautet|war|est|es|era|jest|är|er|to)\b\s*:?|[:=→-]|–|é\s|è\s|是|は)\s*["'“‘«` + "`" + `]?([^\s"'”’»` + "`" + `,;]{4,})`), secretWord, nil},
	{Password, regexp.MustCompile(`(?i)` + passwords + `\s+["'“‘«` + "`" + `]?([^\s"'”’»` + "`" + `,;]{6,})`), letterAndDigit, nil},
	{Password, regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]{2,}://[^\s/:@]+:([^\s/@]{3,})@`), nil, nil},
	{Password, regexp.MustCompile(`(?i)\b(?:pin|cvv2?|cvc2?|security code|tan|otp|passcode|2fa|mfa|one[- ]time (?:code|password)|(?:verification|sms|login|access|auth|authentication|confirmation|activation) code|sicherheitscode|prüfziffer|code (?:you|they|u)(?: just)? (?:sent|texted|mailed)(?: me)?)(?:\s+(?:code|number|nummer))?\s*(?:is|was|ist|est|es|[:=])*\s*#?([0-9]{2,4}[ -]?[0-9]{1,4})\b`), nil, nil},
	{Mail, regexp.MustCompile(`(?i)[\p{L}0-9._%+'-]+@[\p{L}0-9](?:[\p{L}0-9.-]*[\p{L}0-9])?\.[\p{L}]{2,24}`), nil, nil},
	{Mail, regexp.MustCompile(`(?i)\b[a-z0-9._%+-]+\s*(?:\(at\)|\[at\]|\sat\s)\s*[a-z0-9-]+\s*(?:\(dot\)|\[dot\]|\sdot\s)\s*[a-z]{2,10}\b`), nil, nil},
	{Mail, regexp.MustCompile(`(?i)\b[a-z0-9._%+-]+\s*(?:\(at\)|\[at\])\s*[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,10}\b`), nil, nil},
	{IBAN, regexp.MustCompile(`(?i)\b[a-z]{2}` + gap + `?[0-9]{2}(?:` + gap + `?[a-z0-9]{4}){2,7}(?:` + gap + `?[a-z0-9]{1,4})?\b`), iban, ibanEnd},
	{Card, regexp.MustCompile(`\b[2-6](?:` + gap + `{0,2}[0-9]){12,18}\b`), card, nil},
	{National, regexp.MustCompile(`\b[0-9]{3}[- ][0-9]{2}[- ][0-9]{4}\b`), socialSecurity, nil},
	{National, regexp.MustCompile(`(?i)\b(?:ssn|social security)(?:\s+(?:number|no\.?|nr\.?))?\s*(?:is|was|[:=#])?\s*([0-9]{9})\b`), nil, nil},
	{National, regexp.MustCompile(`(?i)\b[a-ceghj-pr-tw-z][a-ceghj-npr-tw-z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[a-d]\b`), nino, nil},
	{National, regexp.MustCompile(`\b[1-9][0-9](?: ?[0-9]{3}){3}\b`), steuerID, nil},
	{National, regexp.MustCompile(`\b[1-478] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b`), insee, nil},
	{National, regexp.MustCompile(`(?i)\b(?:[xyz][ -]?[0-9]{7}|[0-9]{8})[ -]?[a-z]\b`), dni, nil},
	{National, regexp.MustCompile(`\b[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}\b`), cpf, nil},
	{National, regexp.MustCompile(`(?i)\b[0-9]{2}\.[0-9]{3}\.[0-9]{3}-?[a-z]\b`), dni, nil},
	{National, regexp.MustCompile(`(?i)\b[a-z]{6}[0-9]{2}[a-ehlmprst][0-9]{2}[a-z][0-9]{3}[a-z]\b`), nil, nil},      // Italy
	{National, regexp.MustCompile(`(?i)\b[a-z]{4}[0-9]{6}[hmx][a-z]{5}[a-z0-9][0-9]\b`), nil, nil},                  // Mexico
	{National, regexp.MustCompile(`\b756[. ]?[0-9]{4}[. ]?[0-9]{4}[. ]?[0-9]{2}\b`), ahv, nil},                      // Switzerland
	{National, regexp.MustCompile(`\b(?:19|20)?[0-9]{6}[-+][0-9]{4}\b`), birthNumber, nil},                          // Sweden
	{National, regexp.MustCompile(`\b[0-3][0-9][01][0-9]{3}[-+A][0-9]{3}[0-9A-Y]\b`), hetu, nil},                    // Finland
	{National, regexp.MustCompile(`\b[0-9]{6}-[1-8][0-9]{6}\b`), bornFirst, nil},                                    // Korea
	{National, regexp.MustCompile(`\b[1-9][0-9]{5}(?:19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]\b`), chinese, nil}, // China
	{National, regexp.MustCompile(`\b[0-9]{11}\b`), pesel, nil},                                                     // Poland
	{National, regexp.MustCompile(`\b[2-9][0-9]{3} [0-9]{4} [0-9]{4}\b`), aadhaar, nil},                             // India
	{National, regexp.MustCompile(`\bQQ ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b`), nil, nil},                         // Britain, as its forms show it
	{National, regexp.MustCompile(`(?i)\b(?:bsn|burgerservicenummer|sofinummer|pesel|personnummer|samordningsnummer|fødselsnummer|cpr(?:-nummer)?|henkilötunnus|hetu|aadhaar|pan|curp|nhs|tfn|sin|social insurance|medicare|nif|nie|nino|nipc|rrn|pps|ppsn|ahv|avs|steuer-?id|steuernummer|tax (?:id|file|number)|tin|ein|cnp|oib|egn|jmbg|codice fiscale|national insurance|ni number|national id|identity number|personal id(?:entity)?|身份证|주민등록번호|(?:passport|reisepass|passeport|pasaporte|passaporto|personalausweis|ausweis|identity card|id card|driv(?:er|ing)['’]?s? licen[cs]e|führerschein|permis de conduire))(?:[ -]?(?:number|no\.?|nr\.?|nummer|num[ée]ro|número|id|#))?\s*(?:is|ist|est|es|[:=#])?\s*([a-z]{0,3}[0-9][a-z0-9]*(?:[ ./-]?[a-z0-9]*[0-9][a-z0-9]*){0,6}[a-z]{0,2})\b`), fiveDigits, nil},
	{Phone, regexp.MustCompile(`(?:\+|\b00)[1-9](?:[ .()/-]{0,3}[0-9]){6,14}\b`), phone, nil},
	{Phone, regexp.MustCompile(`(?:\b1[ .-]?)?\([0-9]{2,5}\)[ .-]?[0-9]{2,4}(?:[ .-]?[0-9]{2,4}){1,3}\b`), phone, nil},
	{Phone, regexp.MustCompile(`\b(?:1[ .-])?[2-9][0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}\b`), phone, nil},
	{Phone, regexp.MustCompile(`\b0[1-9][0-9]{0,4}(?:[ ./-]{1,3}[0-9]{2,8}){1,5}\b`), phone, nil},
	{Phone, regexp.MustCompile(`\b0[1-9][0-9]{8,10}\b`), phone, nil},
	{Phone, regexp.MustCompile(`\b[6-9](?:[ .-]?[0-9]{2,3}){3,4}\b`), called, nil},
	{Phone, regexp.MustCompile(`\b[2-9][0-9]{6,10}\b|\b[2-9][0-9]{2}[ .-][0-9]{4}\b`), called, nil},
}

// passwords are the words for one, in front of which no letter stands.
const passwords = `(?:^|[^\pL\pN_])(?:pass(?:word|code|phrase|wd)?|pwd|pw|passwort|kennwort|mot de passe|mdp|contraseña|clave|senha|palavra-passe|wachtwoord|hasło|lösenord|passord|adgangskode|salasana|heslo|jelszó|şifre|parola|пароль|密码|密碼|パスワード|비밀번호)`

// gap is what people put between groups of digits.
const gap = `[ .\x{00a0}\x{2009}\x{202f}\x{2011}\x{2013}-]`

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// before gives the words in front of a place, in small letters.
func before(text string, start int) string {
	from := max(0, start-40)
	for from < start && !utf8.RuneStart(text[from]) {
		from++
	}
	s := strings.ToLower(text[from:start])
	if i := strings.LastIndexAny(s, "\n;!?"); i >= 0 {
		s = s[i+1:]
	}
	return s
}

var (
	orderWords = regexp.MustCompile(`\b(order|orders|invoice|tracking|reference|ref|ticket|case|booking|shipment|parcel|article|item|product|sku|serial|imei|customer|bestellung|bestellnummer|rechnung|rechnungsnummer|sendung|commande|facture|pedido|factura|transaction|confirmation|account|model|ean|isbn|awb)\b[^.]{0,24}$|#\s*$`)
	cardWords  = regexp.MustCompile(`\b(card|visa|mastercard|amex|karte|kreditkarte|carte|tarjeta|cartão|debit|credit)\b`)
	phoneWords = regexp.MustCompile(`\b(phone|telephone|call|calls|tel|mobile|cell|cellphone|reach|whatsapp|text|sms|ring|fax|contact|telefon|handy|mobil|anrufen|rufnummer|erreichbar|téléphone|portable|appeler|appelez|joindre|teléfono|móvil|celular|llamar|llámame|telefone|ligar)\b[^.]{0,30}$`)
)

// attached reports whether letters, digits or a sign of money or of a code touch
// the place: then it is part of something else.
func attached(text string, start, end int) bool {
	b, _ := utf8.DecodeLastRuneInString(text[:start])
	a, n := utf8.DecodeRuneInString(text[end:])
	if start > 0 && (unicode.IsLetter(b) || unicode.IsDigit(b) || strings.ContainsRune("$€£#_-/.=&", b)) {
		return true
	}
	if end < len(text) && (unicode.IsLetter(a) || strings.ContainsRune("€$%_", a)) {
		return true
	}
	if end+n < len(text) && strings.ContainsRune("-/.,", a) {
		next, _ := utf8.DecodeRuneInString(text[end+n:])
		return unicode.IsDigit(next)
	}
	return false
}

func card(text string, start, end int) bool {
	d := digits(text[start:end])
	if attached(text, start, end) || !luhn(d) || !brand(d) {
		return false
	}
	words := before(text, start)
	return cardWords.MatchString(words) || !orderWords.MatchString(words)
}

func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

// brand reports whether a card company issues numbers like this.
func brand(d string) bool {
	n := len(d)
	two, four := d[:2], d[:4]
	switch {
	case d[0] == '4':
		return n == 13 || n == 16 || n == 19
	case two >= "51" && two <= "55", four >= "2221" && four <= "2720":
		return n == 16
	case two == "34" || two == "37":
		return n == 15
	case two == "36" || two == "38" || two == "39" || d[:3] >= "300" && d[:3] <= "305":
		return n >= 14 && n <= 19
	case two == "35", two == "65", four == "6011", d[:3] >= "644" && d[:3] <= "649", two == "62":
		return n >= 16 && n <= 19
	case two == "50" || two >= "56" && two <= "69":
		return n >= 16 && n <= 19
	}
	return false
}

func iban(text string, start, end int) bool { return ibanEnd(text, start, end) > 0 }

// ibanEnd is where an IBAN ends, 0 for none: the last groups that match may be
// the next words.
func ibanEnd(text string, start, end int) int {
	for {
		s := strings.ToUpper(strings.Map(func(r rune) rune {
			if r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				return r
			}
			return -1
		}, text[start:end]))
		if len(s) >= 15 && len(s) <= 34 && mod97(s[4:]+s[:4]) == 1 {
			return end
		}
		i := strings.LastIndexAny(text[start:end], " -.\u00a0\u2009\u202f\u2011\u2013")
		if i < 15 {
			return 0
		}
		end = start + i
	}
}

func mod97(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			n = (n*10 + int(r-'0')) % 97
		case r >= 'A' && r <= 'Z':
			n = (n*100 + int(r-'A') + 10) % 97
		default:
			return 0
		}
	}
	return n
}

// socialSecurity is the American number: no area 000, 666 or 9xx.
func socialSecurity(text string, start, end int) bool {
	d := digits(text[start:end])
	return !attached(text, start, end) && d[:3] != "000" && d[:3] != "666" && d[0] != '9' && d[3:5] != "00" && d[5:] != "0000"
}

// nino is the British National Insurance number.
func nino(text string, start, end int) bool {
	prefix := strings.ToUpper(text[start : start+2])
	switch prefix {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return false
	}
	return !attached(text, start, end)
}

// steuerID is the German tax id: eleven digits, one of them twice or thrice, with
// a check digit.
func steuerID(text string, start, end int) bool {
	d := digits(text[start:end])
	if len(d) != 11 || attached(text, start, end) {
		return false
	}
	seen := [10]int{}
	product := 10
	for i := range 10 {
		n := int(d[i] - '0')
		seen[n]++
		sum := (n + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	check := (11 - product) % 10
	repeated := 0
	for _, n := range seen {
		if n > 1 {
			repeated++
		}
		if n > 3 {
			return false
		}
	}
	return repeated == 1 && check == int(d[10]-'0') && !orderWords.MatchString(before(text, start))
}

// insee is the French social security number with its key.
func insee(text string, start, end int) bool {
	s := strings.ReplaceAll(text[start:end], " ", "")
	if len(s) != 15 || attached(text, start, end) {
		return false
	}
	n := 0
	for _, r := range strings.NewReplacer("2A", "19", "2B", "18").Replace(s[:13]) {
		if r < '0' || r > '9' {
			return false
		}
		n = (n*10 + int(r-'0')) % 97
	}
	key := int(s[13]-'0')*10 + int(s[14]-'0')
	return 97-n == key
}

// dni is the Spanish identity number with its letter; foreigners' begin with X, Y
// or Z.
func dni(text string, start, end int) bool {
	s := strings.ToUpper(strings.NewReplacer(" ", "", "-", "", ".", "").Replace(text[start:end]))
	if attached(text, start, end) || len(s) != 9 || orderWords.MatchString(before(text, start)) {
		return false
	}
	body := s[:8]
	switch body[0] {
	case 'X', 'Y', 'Z':
		body = string('0'+body[0]-'X') + body[1:]
	}
	n := 0
	for _, r := range body {
		if r < '0' || r > '9' {
			return false
		}
		n = n*10 + int(r-'0')
	}
	return "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[8]
}

// cpf is the Brazilian number with its two check digits.
func cpf(text string, start, end int) bool {
	d := digits(text[start:end])
	if len(d) != 11 || attached(text, start, end) || strings.Count(d, d[:1]) == 11 {
		return false
	}
	check := func(n int) byte {
		sum := 0
		for i := range n {
			sum += int(d[i]-'0') * (n + 1 - i)
		}
		return byte('0' + sum*10%11%10)
	}
	if check(9) != d[9] || check(10) != d[10] {
		return false
	}
	return strings.Contains(text[start:end], ".") || !orderWords.MatchString(before(text, start))
}

var datelike = regexp.MustCompile(`^(?:[0-3]?[0-9][./-][0-3]?[0-9][./-](?:19|20)?[0-9]{2}|[0-3]?[0-9] [01]?[0-9] (?:19|20)[0-9]{2}|(?:19|20)[0-9]{2}[./ -][01]?[0-9][./ -][0-3]?[0-9])(?:[ T][0-9]{1,2})?$`)

func phone(text string, start, end int) bool {
	s := text[start:end]
	d := digits(s)
	if len(d) < 7 || len(d) > 15 || datelike.MatchString(s) {
		return false
	}
	if !strings.HasPrefix(s, "+") && (attached(text, start, end) || orderWords.MatchString(before(text, start)) && !phoneWords.MatchString(before(text, start))) {
		return false
	}
	return true
}

// called is a number that only the words in front of it make a phone number.
func called(text string, start, end int) bool {
	return phone(text, start, end) && phoneWords.MatchString(before(text, start)) && !orderWords.MatchString(before(text, start))
}

// letterAndDigit reports whether a word right behind "password" can be one.
func letterAndDigit(text string, start, end int) bool {
	return mixed(text, start, end) && secretWord(text, start, end)
}

// plausible reports whether a month and a day can be.
func plausible(month, day string) bool {
	return month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

// birthNumber is the Swedish number: a date, and Luhn. The Danish one has no
// check digit; it needs its name in front.
func birthNumber(text string, start, end int) bool {
	d := digits(text[start:end])
	if len(d) == 12 {
		d = d[2:]
	}
	if len(d) != 10 || attached(text, start, end) || orderWords.MatchString(before(text, start)) {
		return false
	}
	return plausible(d[2:4], d[4:6]) && luhn(d)
}

// hetu is the Finnish number with its check character.
func hetu(text string, start, end int) bool {
	s := text[start:end]
	n := 0
	for _, r := range s[:6] + s[7:10] {
		n = n*10 + int(r-'0')
	}
	return !attached(text, start, end) && plausible(s[2:4], s[:2]) && "0123456789ABCDEFHJKLMNPRSTUVWXY"[n%31] == s[10]
}

// bornFirst begins with a date of birth, year first.
func bornFirst(text string, start, end int) bool {
	s := text[start:end]
	return !attached(text, start, end) && plausible(s[2:4], s[4:6]) && !orderWords.MatchString(before(text, start))
}

// chinese is the resident number with its check character.
func chinese(text string, start, end int) bool {
	s := strings.ToUpper(text[start:end])
	sum := 0
	for i := range 17 {
		sum += int(s[i]-'0') * (1 << (17 - i) % 11)
	}
	return plausible(s[10:12], s[12:14]) && "10X98765432"[sum%11] == s[17]
}

// pesel is the Polish number, or the Norwegian: both begin with a date of birth
// and have check digits.
func pesel(text string, start, end int) bool {
	d := text[start:end]
	if attached(text, start, end) || orderWords.MatchString(before(text, start)) {
		return false
	}
	sum := func(weights string) int {
		n := 0
		for i := range weights {
			n += int(d[i]-'0') * int(weights[i]-'0')
		}
		return n
	}
	month := (d[2]-'0')%2*10 + d[3] - '0' // the century is added to it
	polish := month >= 1 && month <= 12 && d[4:6] >= "01" && d[4:6] <= "31" && (10-sum("1379137913")%10)%10 == int(d[10]-'0')
	norwegian := plausible(d[2:4], d[:2]) && (11-sum("376189452")%11)%11 == int(d[9]-'0') && (11-sum("5432765432")%11)%11 == int(d[10]-'0')
	return polish || norwegian
}

// ahv is the Swiss number: an EAN of thirteen digits.
func ahv(text string, start, end int) bool {
	d := digits(text[start:end])
	sum := 0
	for i := range 12 {
		sum += int(d[i]-'0') * (1 + 2*(i%2))
	}
	return !attached(text, start, end) && (10-sum%10)%10 == int(d[12]-'0')
}

// aadhaar is the Indian number, with the check digit of Verhoeff.
func aadhaar(text string, start, end int) bool {
	d := digits(text[start:end])
	c := 0
	for i := range 12 {
		n := int(d[11-i] - '0')
		for range i % 8 {
			n = int("1576283094"[n] - '0')
		}
		c = dihedral(c, n)
	}
	return c == 0 && !attached(text, start, end) && !orderWords.MatchString(before(text, start))
}

// dihedral multiplies in the group of a pentagon's symmetries.
func dihedral(a, b int) int {
	switch {
	case a < 5 && b < 5:
		return (a + b) % 5
	case a < 5:
		return (a+b-5)%5 + 5
	case b < 5:
		return (a-5-b+5)%5 + 5
	}
	return (a - b + 5) % 5
}

// fiveDigits is what the word in front makes an identity number.
func fiveDigits(text string, start, end int) bool {
	n := len(digits(text[start:end]))
	return n >= 5 && n <= 15
}

// secretWord reports whether what stands behind "password is" may be one: not
// "password is wrong".
func secretWord(text string, start, end int) bool {
	w := strings.Trim(text[start:end], ".!?)")
	if len(w) < 4 {
		return false
	}
	if strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && r != '-' && r != '\'' && r != '’' }) {
		return true
	}
	// plain letters: a password after a colon, in mixed case, or as the end of
	// "my password is …", unless the word says how it is.
	low := strings.ToLower(w)
	rest := strings.TrimLeft(text[end:], "\"'”’»`)")
	if my.MatchString(strings.ToLower(text[:start])) && len(w) >= 5 && (rest == "" || strings.ContainsRune(".,;!?\n", rune(rest[0])) || strings.ContainsRune(".,;!?", rune(text[end-1]))) &&
		!states[low] && !strings.HasSuffix(low, "ed") && !strings.HasSuffix(low, "ing") && !strings.HasSuffix(low, "ly") {
		return true
	}
	lead := strings.TrimRight(text[:start], " \"'“‘`")
	return strings.HasSuffix(lead, ":") || strings.HasSuffix(lead, "=") || w != strings.ToLower(w) && w[1:] != strings.ToLower(w[1:])
}

var my = regexp.MustCompile(`\b(?:my|mein|meine|mon|mi|minha|mijn) \pL[\pL ]*(?:is|ist|lautet|est|es|é)\s+["'“‘«]?$`)

// states are words that say how a password is.
var states = map[string]bool{"wrong": true, "incorrect": true, "correct": true, "invalid": true, "right": true, "weak": true, "strong": true, "short": true, "secure": true, "unknown": true,
	"different": true, "empty": true, "gone": true, "lost": true, "falsch": true, "richtig": true, "ungültig": true, "faux": true, "incorrecta": true, "needed": true, "fine": true, "still": true, "there": true, "here": true, "known": true, "stolen": true, "forgotten": true, "leer": true, "weird": true, "private": true, "secret": true, "public": true, "broken": true}

// mixed reports whether a string holds letters and digits.
func mixed(text string, start, end int) bool {
	s := text[start:end]
	return strings.ContainsAny(s, "0123456789") && strings.ContainsFunc(s, unicode.IsLetter)
}

// random reports whether a long string looks made by a machine: all three of
// small and capital letters and digits, or hexadecimal, and no path or link.
func random(text string, start, end int) bool {
	s := text[start:end]
	if start > 0 && strings.ContainsRune("/.@=?&", rune(text[start-1])) || strings.Count(s, "/")+strings.Count(s, "-")+strings.Count(s, "_") > len(s)/8 {
		return false
	}
	var low, up, num, hex int
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			num++
			hex++
		case r >= 'a' && r <= 'z':
			low++
		case r >= 'A' && r <= 'Z':
			up++
		}
		if r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' {
			hex++
		}
	}
	return num >= 3 && (low > 2 && up > 2 || hex == len(s) && low+up > 2)
}
