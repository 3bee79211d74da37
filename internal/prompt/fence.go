package prompt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"reflect"
)

// fence puts text between two lines that carry the code.
func fence(name, text, code string) string {
	return "<<< " + name + " " + code + "\n" + text + "\n>>> " + code
}

// fenceCode makes the code of a rendering's fences. It is made from the data, so
// the same data gives the same prompt, and it is not in the data: no text can
// hold the code that its own words lead to, and if one did, another is tried.
func fenceCode(data reflect.Value) string {
	var texts []string
	collect(data, &texts)
	h := sha256.New()
	for _, t := range texts {
		fmt.Fprintf(h, "%d ", len(t))
		h.Write([]byte(t))
	}
	sum := h.Sum(nil)
	for {
		if !anyContains(texts, binary.BigEndian.Uint64(sum)) {
			return hex.EncodeToString(sum[:8])
		}
		next := sha256.Sum256(sum)
		sum = next[:]
	}
}

// anyContains reports whether the code stands in a text, in any case of letters
// and also with signs between its characters, which a reader may overlook.
func anyContains(texts []string, code uint64) bool {
	for _, t := range texts {
		last, digits := uint64(0), 0
		for i := range len(t) {
			c := t[i]
			switch {
			case '0' <= c && c <= '9':
				c -= '0'
			case 'a' <= c && c <= 'f':
				c -= 'a' - 10
			case 'A' <= c && c <= 'F':
				c -= 'A' - 10
			default:
				continue
			}
			last = last<<4 | uint64(c)
			if digits++; digits >= 16 && last == code {
				return true
			}
		}
	}
	return false
}

func collect(v reflect.Value, texts *[]string) {
	switch v.Kind() {
	case reflect.String:
		*texts = append(*texts, v.String())
	case reflect.Struct:
		for i := range v.NumField() {
			collect(v.Field(i), texts)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collect(v.Index(i), texts)
		}
	}
}
