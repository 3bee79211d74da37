package prompt

import "testing"

func TestAnyContains(t *testing.T) {
	const code = 0x00c0ffee12345678
	for text, want := range map[string]bool{
		"":                                false,
		"00c0ffee12345678":                true,
		"x 00C0FFEE 1234-5678.":           true,
		"0 0 c0f fé ee1\n2<>3456 7zz8":     true,
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
