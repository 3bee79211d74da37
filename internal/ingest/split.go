package ingest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/retrieve"
)

// splitVersion names the way passages and terms are made. Change it with them:
// documents then count as changed and are made anew.
const splitVersion = "2"

const (
	passageWords = 120               // a passage grows to about this
	mostWords    = 180               // a list or table stays whole up to this
	passageBytes = 20 * passageWords // nothing that could be called words is longer
	fewWords     = 25                // a tail this short joins the passage before
	headingMark  = " › "
)

// split makes passages of a body's sections. Passages do not overlap, are in
// order, and together hold all of the text but headings.
//
// Body[Start:End] is where a passage stands, as written. Its Text is the same
// words made readable (see readable), and begins with the table's head where a
// table was cut. Citations quote the Text.
func split(body string, sections []section, title string) []assist.Passage {
	var all []assist.Passage
	for _, s := range sections {
		path := s.headings
		if len(path) > 0 && path[0] == title {
			path = path[1:]
		}
		for _, p := range s.pieces(body) {
			if p.text = readable(p.text); p.text != "" {
				all = append(all, assist.Passage{Heading: strings.Join(path, headingMark), Text: p.text, Start: p.start, End: p.end})
			}
		}
	}
	return all
}

// piece is what becomes one passage.
type piece struct {
	start, end int
	text       string
	words      int
}

// newPiece is body[start:end] without the blank lines around it.
func newPiece(body string, start, end int) piece {
	for start < end && (body[start] == '\n' || isSpace(body[start]) && strings.TrimSpace(body[start:min(end, start+8)]) == "") {
		start++
	}
	for end > start && isSpace(body[end-1]) {
		end--
	}
	text := body[start:end]
	return piece{start, end, text, len(strings.Fields(text))}
}

// pieces packs a section's blocks to passages.
func (s section) pieces(body string) []piece {
	var small []piece
	for _, b := range s.blocks {
		small = append(small, b.pieces(body)...)
	}
	if len(small) == 0 && s.heading.end > s.heading.start && !s.parent {
		return []piece{newPiece(body, s.heading.start, s.heading.end)} // the heading is all it says
	}
	var packed []piece
	for _, p := range small {
		if p.text == "" {
			continue
		}
		if n := len(packed); n > 0 && fits(packed[n-1], p) && adjoin(body, packed[n-1], p) {
			packed[n-1] = newPiece(body, packed[n-1].start, p.end)
			continue
		}
		packed = append(packed, p)
	}
	return packed
}

// fits reports whether p still belongs to the passage before: there is room, or
// that is only the line that introduces it, or p is a short tail.
func fits(before, p piece) bool {
	both := before.words + p.words
	if p.end-before.start > passageBytes {
		return false
	}
	return both <= passageWords || both <= mostWords && (p.words <= fewWords || before.words <= fewWords || strings.HasSuffix(before.text, ":"))
}

// adjoin reports whether both pieces are as they stand in the body, so that
// together they are a piece of it as well.
func adjoin(body string, before, p piece) bool {
	return before.text == body[before.start:before.end] && p.text == body[p.start:p.end] &&
		strings.TrimSpace(body[before.end:p.start]) == ""
}

// pieces cuts a block that is too long where it hurts least: a list between its
// items, a table between rows (each part with the head), text between sentences,
// all of them between words in the end.
func (b block) pieces(body string) []piece {
	whole := newPiece(body, b.start, b.end)
	limit := passageWords
	if b.kind == blockList || b.kind == blockTable {
		limit = mostWords
	}
	if whole.words <= limit && len(whole.text) <= passageBytes {
		return []piece{whole}
	}
	switch b.kind {
	case blockList:
		if len(b.items) > 1 {
			var parts []piece
			for _, item := range b.items {
				parts = append(parts, block{start: item.start, end: item.end}.pieces(body)...)
			}
			return pack(body, parts)
		}
	case blockTable:
		return tablePieces(body, whole)
	case blockCode:
		return pack(body, cutAt(body, whole, lines(whole.text)))
	}
	var cuts []int
	for _, s := range lex.Sentences(whole.text) {
		cuts = append(cuts, s.Start)
	}
	// The markers of a list stand before the sentence: keep them with it.
	at, seen := 0, 0 // start of the line, and how far it was looked for
	for i, c := range cuts {
		if n := strings.LastIndexByte(whole.text[seen:c], '\n'); n >= 0 {
			at = seen + n + 1
		}
		seen = c
		if (i == 0 || at > cuts[i-1]) && strings.Trim(whole.text[at:c], " \t-*+>#•.)0123456789") == "" {
			cuts[i] = at
		}
	}
	return pack(body, cutAt(body, whole, cuts))
}

// tablePieces cuts a table between rows and repeats its head.
func tablePieces(body string, table piece) []piece {
	cuts := lines(table.text)
	head := 0
	if len(cuts) > 2 && strings.Trim(table.text[cuts[1]:cuts[2]], "|-: \n\t") == "" {
		head = cuts[2]
		cuts = append([]int{0}, cuts[3:]...)
	}
	parts := pack(body, cutAt(body, table, cuts))
	for i := range parts {
		if i > 0 && head > 0 {
			parts[i].text = table.text[:head] + parts[i].text
		}
	}
	return parts
}

func lines(s string) []int {
	cuts := []int{0}
	for i := range len(s) - 1 {
		if s[i] == '\n' {
			cuts = append(cuts, i+1)
		}
	}
	return cuts
}

// cutAt cuts a piece at these offsets of its text, and what is still too long at
// spaces, or anywhere.
func cutAt(body string, whole piece, cuts []int) []piece {
	var parts []piece
	add := func(from, to int) {
		for from < to {
			end := from
			for words := 0; end < to && words < passageWords && end-from < passageBytes; words++ {
				for end < to && isSpace(whole.text[end]) {
					end++
				}
				for end < to && !isSpace(whole.text[end]) && end-from < passageBytes {
					end++
				}
			}
			for end < to && whole.text[end]&0xc0 == 0x80 {
				end++ // not inside a character
			}
			if p := newPiece(body, whole.start+from, whole.start+end); p.text != "" {
				parts = append(parts, p)
			}
			from = end
		}
	}
	from := 0
	for _, c := range cuts {
		if c > from {
			add(from, c)
			from = c
		}
	}
	add(from, len(whole.text))
	return parts
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' }

// pack joins neighbouring parts up to the size of a passage.
func pack(body string, parts []piece) []piece {
	var packed []piece
	for _, p := range parts {
		if n := len(packed); n > 0 && packed[n-1].words+p.words <= passageWords && p.end-packed[n-1].start <= passageBytes {
			packed[n-1] = newPiece(body, packed[n-1].start, p.end)
			continue
		}
		packed = append(packed, p)
	}
	return packed
}

// index gives passages their ids and terms.
func index(d *assist.Document) {
	seen := map[string]int{}
	for i := range d.Passages {
		p := &d.Passages[i]
		p.DocumentID = d.ID
		heading := pageless(p.Heading)
		sum := sha256.Sum256([]byte(heading + "\x00" + p.Text))
		p.ID = d.ID + "#" + hex.EncodeToString(sum[:4])
		if seen[p.ID]++; seen[p.ID] > 1 {
			p.ID = fmt.Sprintf("%s-%d", p.ID, seen[p.ID])
		}
		p.Terms = retrieve.PassageTerms(d.Title, heading, p.Text, d.Language)
	}
}
