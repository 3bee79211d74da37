package privacy

import (
	"strings"
	"testing"
)

// TestPublicFormats holds lines as people write them: nothing of five or more
// characters with a digit in it, and no secret word, may be left.
func TestPublicFormats(t *testing.T) {
	for _, line := range []string{
		"my password is hunter2", "my password is sunshine", "pw: letmein", "pw letmein99", "Password = correcthorse", "the password's Tr0ub4dor&3", "password - Qwerty!1", "login: dana / pass: summer", "mein Passwort lautet Sommer2026", "mein passwort ist geheim123", "mot de passe : soleil12", "mi contraseña es gatito12", "la mia password è Ciao1234", "wachtwoord: Zomer2026", "hasło: Zima2026", "lösenord: Sommar26", "пароль: qwerty12", "密码是 abc12345", "パスワードは abc12345", "password:\nhunter22", "my pin is 4821", "PIN code 4821", "cvv 123", "CVV: 123", "security code is 4821", "the code you sent is 482913", "2FA code 482913", "verification code: 482 913", "OTP 482913", "passcode 4821", "my PIN: 48 21", "user dana password dana123",
		"sk-proj-abcdEFGH1234abcdEFGH1234", "sk_live_51H8abcdEFGH1234abcd", "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", "xoxb-123456789012-1234567890123-abcdefghijklmnopqrstuvwx", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "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", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc123def456", "glpat-abcDEF1234567890abcd", "dop_v1_abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789", "shpat_0123456789abcdef0123456789abcdef", "sq0atp-abcdefghijklmnopqrstuv", "key-0123456789abcdef0123456789abcdef", "AC0123456789abcdef0123456789abcdef", "sk-ant-api03-abcdEFGHijkl1234-xyz_ABC", "https://user:s3cret@host.example/x", "postgres://app:pa55word@db.example:5432/x", "Authorization: Bearer abcdef123456ghijkl", "whsec_abcdefghij1234567890abcd", "rk_live_abcdef1234567890abcd", "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "ya29.a0AfH6SMBx1234567890abcdef", "EAACEdEose0cBA1234567890abcdefghijk", "lin_api_abcdefghij1234567890", "secret_abcdefghijklmnopqrstuvwxyz1234567890ABC", "ntn_1234567890abcdefghijkl", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----", "sk-or-v1-0123456789abcdef0123456789abcdef", "gsk_abcdEFGH1234abcdEFGH1234", "AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
		"4111-1111-1111-1111", "4111 1111 1111 1111", "4111111111111111", "3782 822463 10005", "4111.1111.1111.1111", "4111  1111 1111 1111", "4111\u00a01111\u00a01111\u00a01111", "card 4111–1111–1111–1111", "5555 5555 5555 4444 exp 12/27 cvc 123", "6304000000000000", "2223003122003222",
		"DE89 3704 0044 0532 0130 00", "DE89370400440532013000", "GB29 NWBK 6016 1331 9268 19", "FR14 2004 1010 0505 0001 3M02 606", "NL91ABNA0417164300", "IBAN: DE89-3704-0044-0532-0130-00", "DE 89 3704 0044 0532 0130 00", "NO93 8601 1117 947", "BE68 5390 0754 7034", "de89 3704 0044 0532 0130 00", "CH93 0076 2011 6238 5295 7", "PL61 1090 1014 0000 0712 1981 2874", "MT84MALT011000012345MTLCAST001S", "DE89\u00a03704\u00a00044\u00a00532\u00a00130\u00a000",
		"123-45-6789", "SSN 123456789", "social security number: 123 45 6789", "AB 12 34 56 C", "QQ123456C", "1 85 05 78 006 084 36", "12345678Z", "X1234567L", "123.456.789-09", "BSN 111222333", "burgerservicenummer 123456782", "PESEL 44051401359", "codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S", "personnummer 811228-9874", "19811228-9874", "SIN 046 454 286", "046-454-286", "Aadhaar 2341 2341 2346", "2341 2341 2346", "CURP HEGG560427MVZRRL04", "HEGG560427MVZRRL04", "NHS number 943 476 5919", "TFN 123 456 782", "CPR 070761-4285", "AHV 756.9217.0769.85", "756.9217.0769.85", "passport no. C01X00T47", "passport number 533380006", "driver's license D1234567", "Reisepass C01X00T478", "DNI: 12.345.678-Z", "fødselsnummer 01010750160", "henkilötunnus 131052-308T", "131052-308T", "NIF 123456789", "RRN 800101-1234567", "身份证 11010519491231002X", "11010519491231002X", "PPS 1234567FA", "EIN 12-3456789",
		"+49 30 901820", "+1 (555) 010-9999", "555-010-9999", "(555) 010 9999", "020 7946 0958", "07700 900123", "0044 20 7946 0958", "+33 6 12 34 56 78", "06 12 34 56 78", "call me at 5550109999", "+91 98765 43210", "+86 138 0013 8000", "+55 11 91234-5678", "(11) 91234-5678", "0171/1234567", "0171 - 123 45 67", "+44 (0)20 7946 0958", "tel:+15550109999", "my number is 555 010 9999", "+1.555.010.9999", "1-800-555-0199", "+351 912 345 678", "+7 (912) 345-67-89", "phone 5550109", "03-1234-5678", "090-1234-5678", "0412 345 678", "+61 412 345 678", "my cell: 555.010.9999", "whatsapp +52 1 55 1234 5678",
		"dana@example.com", "dana [at] example [dot] com", "dana (at) example.com", "dana@mail.example.co.uk", "dana.o'neil+x@ex-ample.com", "dana at example dot com", "DANA@EXAMPLE.COM", "用户@例子.公司", "mailto:dana@example.com",
	} {
		m := &Mask{}
		hidden := m.Hide(line)
		if hidden == line {
			t.Errorf("%q stays as it is", line)
		}
		if m.Restore(hidden) != line {
			t.Errorf("%q does not come back: %q", line, m.Restore(hidden))
		}
		if again := Hide(hidden); strings.Count(again, "[") != strings.Count(hidden, "[") {
			t.Errorf("%q: something was left behind in %q", line, hidden)
		}
	}
}

// TestHarmlessLines holds lines that look like secrets and are none.
func TestHarmlessLines(t *testing.T) {
	for _, line := range []string{
		"order 4111222233334444", "order 3348917502", "$1,299.00", "AB-1234-5678", "SKU 12345678Z", "invoice 2026-11-0042", "12/11/2026 14:30", "tracking 1Z999AA10123456784", "my password is wrong", "the password does not work", "password reset link", "passwort vergessen", "forgot my password yesterday", "pin it to the wall", "PIN is not working", "part no. 044525286", "model X1234567", "2026-11-22 10:00", "10:30-11:45", "ISBN 978-3-16-148410-0", "size 38-40-42", "1 234 567 items", "IP 192.168.10.20", "version 1.2.3.4", "zip 90210-1234", "flight LH 1234 on 12 Nov", "123 456 units", "order #100-200-3000", "gift card is 50 dollars", "the code SAVE20", "coupon code WELCOME10", "my security code is not accepted", "verification code never arrived", "bearer of bad news", "access token expired", "the api key is missing", "ticket 555-0100", "passport renewal", "license plate B-AB 1234", "case 12345678901", "EUR 1.234.567,89", "2 x 4 x 16", "serial C02XK0AAJG5J", "https://shop.example/orders/123456789?ref=abcdef0123456789", "secret santa gift", "the security code on the back",
	} {
		if hidden := Hide(line); hidden != line {
			t.Errorf("%q became %q", line, hidden)
		}
	}
}
