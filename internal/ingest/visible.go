package ingest

import (
	"strings"
	"unicode"
)

// visible drops characters that a reader cannot see and a machine can: zero-width
// ones, marks that turn the direction of writing, Unicode tags and the variation
// selectors that smuggle bytes. Joiners stay where scripts and emoji need them.
// It says how many it dropped.
func visible(s string) (string, int) {
	if !strings.ContainsFunc(s, unseen) {
		return s, 0
	}
	var b strings.Builder
	b.Grow(len(s))
	dropped := 0
	all := []rune(s)
	for i, r := range all {
		if unseen(r) && !(joiner(r) && i > 0 && i+1 < len(all) && all[i-1] > 0x2ff && all[i+1] > 0x2ff && !unseen(all[i-1])) {
			dropped++
			continue
		}
		b.WriteRune(r)
	}
	return b.String(), dropped
}

func joiner(r rune) bool { return r == 0x200c || r == 0x200d }

func unseen(r rune) bool {
	switch {
	case r < 0x80:
		return r < ' ' && !unicode.IsSpace(r) || r == 0x7f
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x180e, r == 0x3164, r == 0xfeff, r == 0xffa0:
		return true
	case 0x200b <= r && r <= 0x200f, 0x202a <= r && r <= 0x202e, 0x2060 <= r && r <= 0x206f, 0xfff9 <= r && r <= 0xfffb:
		return true
	case 0xe0000 <= r && r <= 0xe0fff:
		return true
	}
	return unicode.Is(unicode.Co, r) && r >= 0xf0000
}
