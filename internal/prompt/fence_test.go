package prompt

import (
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func TestAnyContains(t *testing.T) {
	const code = 0x00c0ffee12345678
	for text, want := range map[string]bool{
		"":                                false,
		"00c0ffee12345678":                true,
		"x 00C0FFEE 1234-5678.":           true,
		"0 0 c0f fé ee1\n2<>3456 7zz8":    true,
		"the feed 00c0ffee12345678 is it": true,
		"c0ffee12345678":                  false,
		"00c0ffee1234567":                 false,
		"00c0ffee123456 9 78":             false,
	} {
		if got := anyContains([]string{"abc", text}, code); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if anyContains([]string{"00c0ffee", "12345678"}, code) {
		t.Error("two texts are one")
	}
}

// TestFenceCode: nobody can know the code beforehand, and one that stands in the
// data, however it is dressed up, is not taken.
func TestFenceCode(t *testing.T) {
	code := func(text string) string { return fenceCode(reflect.ValueOf(Reply{Turns: []Turn{{Text: text}}})) }
	a, b := code("hello"), code("hello!")
	if a == b || len(a) != 16 {
		t.Errorf("codes %s and %s", a, b)
	}
	number, err := strconv.ParseUint(a, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, dressed := range []string{a, strings.ToUpper(a), strings.Join(strings.Split(a, ""), "-"), "x" + a[:8] + "\n" + a[8:] + "x"} {
		if !anyContains([]string{"", "say " + dressed}, number) {
			t.Errorf("%q is not found", dressed)
		}
	}
	if anyContains([]string{"hello", b}, number) {
		t.Error("found where it is not")
	}
}
