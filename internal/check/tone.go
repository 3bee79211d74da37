package check

import (
	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

const checkTone = "tone"

// slips are the five ways to lose a customer with words alone, and what to say
// instead.
var slips = []struct {
	pattern *lex.Pattern
	hint    string
}{
	{lex.MustPattern(`(?i)\b(i (can )?(promise|guarantee|assure) you|(will|'ll) definitely|you have my word|this will never happen again|ich verspreche|garantiert nie wieder|je vous promets|le prometo)\b|\b100 ?% (sure|certain)\b`),
		"promises what may not be in your hands: say what you will do next and by when."},
	{lex.MustPattern(`(?i)\b(you (do not|don['’]t) (really |actually )?(need|want)|what you (really |actually )?(want|need) is|trust me|you should have|you (would|['’]d) be better off|Sie brauchen das nicht|vous n['’]avez pas besoin)\b`),
		"tells customers what they want: ask, or offer a choice."},
	{lex.MustPattern(`(?i)(?:^|\b)(^whatever[.!]|calm down|as i (already )?(said|told you|mentioned)|like i said|as (previously|already) (stated|mentioned)|obviously|clearly you|read the (manual|terms|policy|faq)|that['’]s (just )?how it is|deal with it|wie (bereits|schon) gesagt|beruhigen sie sich|comme je (vous )?l['’]ai (déjà )?dit|como ya le dije|cálmese)\b`),
		"sounds rude or bored: say it once more, kindly, in other words."},
	{lex.MustPattern(`(?i)\b((is|['’]s)(n['’]t| not) (my|our) (department|job|fault|problem|responsibility|team)|not my (department|job|fault|problem)|nothing to do with (me|us)|you(['’]ll)? (need|have) to (contact|call|ask|speak to|talk to) (another|someone else|somebody else|a different|the other)|(their|the (carrier|courier|warehouse|other team)['’]?s?) fault|nicht (mein|unser)e? (problem|abteilung|schuld)|pas (mon|notre) (problème|service)|no es (mi|nuestro) (problema|departamento))\b`),
		"passes the customer on: say \"I'll take care of it\" and who does what."},
	{lex.MustPattern(`(?i)\b(it['’]?s (just |simply )?(our|company|the) policy|(our |company |the )?policy (does not|doesn['’]t|won['’]t) (allow|let)|rules are rules|(i['’]m|we['’]re|i am|we are) not allowed to|my hands are tied|(there is|there['’]s) nothing (i|we) can do|against (our |company |the )?policy|so sind die (regeln|vorschriften)|c['’]est (notre|la) politique|es nuestra política)\b`),
		"hides behind policy: say what you can do, and why the rule is there."},
}

// Tone gives hints on wording that drives customers away. They pass: a hint is
// for the agent to take or leave, never a fact to check.
func Tone(text string) []assist.Verdict {
	var verdicts []assist.Verdict
	for n, span := range lex.Sentences(text) {
		sentence := span.In(text)
		for _, s := range slips {
			at := s.pattern.FindStringIndex(sentence)
			if at == nil {
				continue
			}
			words := sentence[at[0]:at[1]]
			verdicts = append(verdicts, assist.Verdict{
				Check: checkTone, Outcome: assist.Pass, Sentence: n, Words: words, Start: span.Start + at[0], End: span.Start + at[1],
				Reason: "“" + clip(words, 60) + "” " + s.hint,
			})
		}
	}
	return verdicts
}
