package prompt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
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
		code := hex.EncodeToString(sum[:8])
		if !anyContains(texts, code) {
			return code
		}
		next := sha256.Sum256(sum)
		sum = next[:]
	}
}

// anyContains reports whether the code stands in a text, in any case of letters
// and also with signs between its characters, which a reader may overlook.
func anyContains(texts []string, code string) bool {
	for _, t := range texts {
		squeezed := strings.Map(func(r rune) rune {
			switch {
			case r >= '0' && r <= '9', r >= 'a' && r <= 'f':
				return r
			case r >= 'A' && r <= 'F':
				return r - 'A' + 'a'
			}
			return -1
		}, t)
		if strings.Contains(squeezed, code) {
			return true
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
