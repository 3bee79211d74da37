package lex

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var expressions = []string{
	`(?i)\b(how (long|late|soon)|when (do|does)|the latest)(\P{L}|$)`, `(?i)^(it|its|they|the (same|latter)|you can (then|also))(\P{L}|$)`,
	`(?i)x?yz+|a{2,3}bc|[mn]op`, `\d`, `(?i)\b(costs?|is free|fee)\b.{0,40}\d`, `(?i)(kind|straße|café)s?`, `abc`, `a|b`, ``, `(?i)(?:^|\P{L})(wie|was)\P{L}`,
	`(?i)colou?r (is )?(red|blue)`, `[a-c]d`, `(foo|bar)*baz`, `(?i)\b(I|we)(['’](ll|ve)| will)\b`, `(?s).*end`, `(?i)ſtop`, `(?i)\b(dès|après|für|über)(\P{L}|$)`, `(?i)\b(días|for you)\b`,
}

func TestPatternNeeds(t *testing.T) {
	for expr, want := range map[string][]string{
		`(?i)\bhow (long|late)\b`: {"how late", "how long"}, `a|bc`: nil, `(?i)colou?r`: {"color", "colour"}, `x+yz`: {"yz"}, `(cannot|can)`: {"can"},
		`(ab)?`: nil, `(?i)Th(is|at) day`: {"that day", "this day"}, `.*`: nil,
	} {
		if got := MustPattern(expr).needs; !slices.Equal(got, want) {
			t.Errorf("%s needs %q, not %q", expr, got, want)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, s := range []string{"", "How long does it take? When does it end", "YOU CAN ALSO go, it is free: 5", "xyzz aabc nop op", "KIND Straße CAFÉ ſtop STOP Kind K",
		"was ist das wie", "Après — ÜBER 5 DÍAS", "ſtop FOR you’ the \u212aIND", "FÜR\xff", "Colour is Red", "we'll I’ve", "foobarbaz ad bd", "a", strings.Repeat("ab ", 40) + "end"} {
		f.Add(s)
	}
	var patterns []*Pattern
	var plain []*regexp.Regexp
	for _, e := range expressions {
		patterns, plain = append(patterns, MustPattern(e)), append(plain, regexp.MustCompile(e))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, p := range patterns {
			if got, want := p.MatchString(text), plain[i].MatchString(text); got != want {
				t.Errorf("%s in %q: %v, not %v", p, text, got, want)
			}
			if got, want := p.FindStringIndex(text), plain[i].FindStringIndex(text); !slices.Equal(got, want) {
				t.Errorf("%s in %q: %v, not %v", p, text, got, want)
			}
			if got, want := p.FindAllStringSubmatch(text, -1), plain[i].FindAllStringSubmatch(text, -1); !slices.EqualFunc(got, want, slices.Equal[[]string]) {
				t.Errorf("%s in %q: %q, not %q", p, text, got, want)
			}
			if got, want := p.FindAllStringIndex(text, -1), plain[i].FindAllStringIndex(text, -1); !slices.EqualFunc(got, want, slices.Equal[[]int]) {
				t.Errorf("%s in %q: %v, not %v", p, text, got, want)
			}
			if got, want := p.ReplaceAllString(text, "<$0>"), plain[i].ReplaceAllString(text, "<$0>"); got != want {
				t.Errorf("%s in %q: %q, not %q", p, text, got, want)
			}
		}
	})
}
