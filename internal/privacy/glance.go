package privacy

import "strings"

// sight is what one pass over a text tells. Most of what people write holds no
// secret of most kinds, and a pattern that cannot match need not be tried.
type sight struct {
	digits  int
	longest int // run without a space, in bytes
	at      bool
	dot     bool // the word, for an address that is spelt out
	dashes  bool
	pass    bool // a word for a password
}

func glance(text string) (s sight) {
	run := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ' || c == '\n' || c == '\t':
			run = 0
			continue
		case c >= '0' && c <= '9':
			s.digits++
		case c == '@':
			s.at = true
		}
		run++
		s.longest = max(s.longest, run)
	}
	low := strings.ReplaceAll(strings.ToLower(text), "ſ", "s") // as patterns fold it
	s.dot = strings.Contains(low, "dot") || strings.Contains(low, "(at)") || strings.Contains(low, "[at]")
	s.dashes = strings.Contains(low, "-----")
	for _, w := range []string{"pass", "pwd", "pw", "kennwort", "mot de", "mdp", "contraseña", "clave", "senha", "palavra", "wachtwoord", "hasło", "lösenord", "adgangs", "salasana", "heslo", "jelszó", "şifre", "parola", "парол", "密", "パス", "비밀", "://"} {
		s.pass = s.pass || strings.Contains(low, w)
	}
	return s
}

// may reports whether a secret of the kind can be there at all: each bound is the
// least that any of the kind's patterns asks for.
func (s sight) may(k Kind) bool {
	switch k {
	case Key:
		return s.longest >= 12 || s.dashes
	case Password:
		return s.pass || s.digits >= 3
	case Mail:
		return s.at || s.dot
	case IBAN:
		return s.digits >= 2
	case Card:
		return s.digits >= 13
	case National:
		return s.digits >= 5
	case Phone:
		return s.digits >= 6
	}
	return true
}
