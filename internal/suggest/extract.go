package suggest

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// extractor takes a model's answer as it arrives, in pieces cut anywhere, and
// gives the text that can be shown: the values of sentences[].text, a blank
// between two, nothing else of the JSON. An answer that is not JSON is shown as
// it comes. It never fails: what it cannot follow it does not show, and the
// finished answer is parsed strictly anyway.
type extractor struct {
	size int
	mode extractMode
	head strings.Builder // before it is known whether this is JSON

	stack  []frame
	str    strings.Builder // the string being read, when it is a key
	inStr  bool
	isKey  bool
	show   bool   // the string being read is shown
	esc    bool   // after a backslash
	hex    string // digits of a \u escape so far
	inHex  bool
	high   rune // first half of a surrogate pair
	part   []byte
	shown  bool // some sentence was
	broken bool
}

type extractMode uint8

const (
	modeUnknown extractMode = iota
	modeJSON
	modeText
)

type frame struct {
	array bool
	key   string // of an object: the key whose value is read
	value bool   // of an object: behind the colon
}

// write takes the next piece. It says false when the answer is longer than
// allowed; the piece is then not read.
func (e *extractor) write(piece string) (text string, ok bool) {
	e.size += len(piece)
	if e.size > maxAnswer {
		return "", false
	}
	if e.mode == modeUnknown {
		e.head.WriteString(piece)
		start := strings.TrimLeft(e.head.String(), " \t\r\n\uFEFF")
		switch {
		case start == "":
			return "", true
		case start[0] == '{':
			e.mode = modeJSON
		case strings.HasPrefix(start, "```"):
			i := strings.IndexByte(start, '{')
			if i < 0 {
				return "", true // a code fence: what is in it comes
			}
			e.mode, start = modeJSON, start[i:]
		case strings.HasPrefix("```", start):
			return "", true
		default:
			e.mode = modeText
		}
		piece = start
		e.head.Reset()
	}
	var out strings.Builder
	if e.mode == modeText {
		e.text(piece, &out)
		return out.String(), true
	}
	for i := 0; i < len(piece); i++ {
		if e.broken {
			break
		}
		e.byte(piece[i], &out)
	}
	return out.String(), true
}

// text shows an answer that is not JSON, whole characters only.
func (e *extractor) text(piece string, out *strings.Builder) {
	for i := 0; i < len(piece); i++ {
		e.char(piece[i], out)
	}
}

// char shows a byte once its character is whole.
func (e *extractor) char(c byte, out *strings.Builder) {
	if c < utf8.RuneSelf && len(e.part) == 0 {
		out.WriteByte(c)
		return
	}
	e.part = append(e.part, c)
	for len(e.part) > 0 && utf8.FullRune(e.part) {
		r, size := utf8.DecodeRune(e.part)
		out.WriteRune(r)
		e.part = e.part[size:]
	}
}

func (e *extractor) byte(c byte, out *strings.Builder) {
	if e.inStr {
		e.inString(c, out)
		return
	}
	switch c {
	case '"':
		e.inStr = true
		e.str.Reset()
		top := e.top()
		e.isKey = top != nil && !top.array && !top.value
		e.show = !e.isKey && e.atSentence()
		if e.show && e.shown {
			out.WriteByte(' ')
		}
		e.shown = e.shown || e.show
	case '{':
		e.push(frame{})
	case '[':
		e.push(frame{array: true})
	case '}', ']':
		if len(e.stack) > 0 {
			e.stack = e.stack[:len(e.stack)-1]
		}
		if len(e.stack) == 0 {
			e.broken = true // the answer is whole; nothing after it counts
		}
	case ':':
		if top := e.top(); top != nil {
			top.value = true
		}
	case ',':
		if top := e.top(); top != nil {
			top.value, top.key = false, ""
		}
	}
}

func (e *extractor) push(f frame) {
	if len(e.stack) == 64 {
		e.broken = true
		return
	}
	e.stack = append(e.stack, f)
}

func (e *extractor) top() *frame {
	if len(e.stack) == 0 {
		return nil
	}
	return &e.stack[len(e.stack)-1]
}

// atSentence reports whether a string here is sentences[i].text of the answer.
func (e *extractor) atSentence() bool {
	s := e.stack
	return len(s) == 3 && s[0].key == "sentences" && s[1].array && !s[2].array && s[2].value && s[2].key == "text"
}

func (e *extractor) inString(c byte, out *strings.Builder) {
	switch {
	case e.inHex:
		e.hex += string(rune(c))
		if len(e.hex) == 4 {
			e.inHex = false
			n, err := strconv.ParseUint(e.hex, 16, 32)
			if err != nil {
				n = utf8.RuneError
			}
			e.unit(rune(n), out)
		}
	case e.esc:
		e.esc = false
		switch c {
		case 'u':
			e.inHex, e.hex = true, ""
		case 'n', 'r', 't', 'b', 'f':
			e.put(' ', out)
		default:
			e.put(c, out)
		}
	case c == '\\':
		e.esc = true
	case c == '"':
		e.unit(0, out)
		if len(e.part) > 0 {
			if e.show {
				out.WriteRune(utf8.RuneError)
			}
			e.part = nil
		}
		e.inStr = false
		if e.isKey {
			if top := e.top(); top != nil {
				top.key = e.str.String()
			}
		}
	default:
		e.put(c, out)
	}
}

// unit takes one \u escape; two of them may be one character. 0 ends a pair that
// has no second half.
func (e *extractor) unit(r rune, out *strings.Builder) {
	if e.high != 0 {
		pair := utf16.DecodeRune(e.high, r)
		e.high = 0
		if pair != utf8.RuneError {
			e.putRune(pair, out)
			return
		}
		e.putRune(utf8.RuneError, out)
	}
	switch {
	case r == 0:
	case r >= 0xd800 && r < 0xdc00:
		e.high = r
	default:
		e.putRune(r, out)
	}
}

func (e *extractor) putRune(r rune, out *strings.Builder) {
	for _, c := range []byte(string(r)) {
		e.raw(c, out)
	}
}

// put takes a byte of a string that is not an escape.
func (e *extractor) put(c byte, out *strings.Builder) {
	if e.high != 0 {
		e.unit(0, out)
	}
	e.raw(c, out)
}

func (e *extractor) raw(c byte, out *strings.Builder) {
	switch {
	case e.isKey:
		if e.str.Len() < 64 {
			e.str.WriteByte(c)
		}
	case e.show:
		if c < ' ' {
			c = ' '
		}
		e.char(c, out)
	}
}
