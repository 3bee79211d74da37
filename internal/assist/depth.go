package assist

// MaxDepth is how deep JSON from outside may nest; the protocol needs four.
const MaxDepth = 16

// TooDeep reports whether JSON nests deeper than MaxDepth. It counts brackets
// outside strings, before any of it is parsed.
func TooDeep(b []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
