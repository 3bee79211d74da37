package suggest

import (
	"testing"

	"github.com/aside-project/aside/internal/assist"
)

func TestAcknowledge(t *testing.T) {
	tests := map[string]string{
		"c: My boots came with a hole in the left sole, they are ruined": "I'm sorry about your boots.",
		"c: I got the wrong size":                                            "I'm sorry about the wrong size.",
		"c: I lost my phone and can't log in":                                "I'm sorry about your phone.",
		"c: my iPhone is not working":                                        "I'm sorry about your iPhone.",
		"c: MY TENT RIPPED":                                                  "I'm sorry about your tent.",
		"c: my order never arrived, third time I ask":                        "I'm sorry about your order, and that you had to write to us more than once.",
		"c: I have been waiting for ten days":                                "I'm sorry about the wait.",
		"c: this is ridiculous":                                              "I'm sorry about that.",
		"c: the name on my account is wrong":                                 "I'm sorry about the name on your account.",
		"c: where is the status of my order\nI lost my keys":                 "I'm sorry about your keys.",
		"c: hold on\nthat did not work":                                      "I'm sorry about that.",
		"c: brand new tent leaked all night, kids were soaked":               "I'm sorry about your new tent.",
		"c: the soles of my boots came off on day two":                       "I'm sorry about the soles of your boots.",
		"c: my order arrived a week ago and the club points never showed up": "I'm sorry about the club points.",
		"c: my order arrived yesterday, how do I return it":                  "",
		"c: my parcel still hasn't come":                                     "I'm sorry about your parcel, and about the wait.",
		"c: my points for that order never showed up":                        "I'm sorry about your points for the order.",
		"c: the strap fell off":                                              "I'm sorry about the strap.",
		"c: can I split the payment":                                         "",
		"c: what if my package arrives late?":                                "",
		"c: do you have jeans with ripped holes?":                            "",
		"c: that worked, I typed it wrong":                                   "",
		"c: how much is the blue jacket?":                                    "",
		"c: the zipper broke\na: x":                                          "I'm sorry about the zipper.",
		"Mia: how much is shipping":                                          "Hi Mia, I'm happy to help.",
		"Customer 12: how much is shipping":                                  "",
		"c: I lost my <script>alert(1)</script> and it broke!":               "I'm sorry about that.",
	}
	for line, want := range tests {
		if got := acknowledge(phrasesOf("en"), assist.Question{Language: "en"}, talk(line)); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if got := acknowledge(phrasesOf("en"), assist.Question{}, talk("c: my zipper broke", "a: I'm sorry about that.", "c: so what about the broken zipper")); got != "" {
		t.Errorf("said sorry twice: %q", got)
	}
	if got := acknowledge(phrasesOf("en"), assist.Question{}, talk("c: my zipper broke", "a: I'm sorry about that.", "c: now my tent ripped too")); got != "I'm sorry about your tent." {
		t.Errorf("something new went wrong: %q", got)
	}
}
