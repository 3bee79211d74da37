package eval

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/lex"
)

// The assertions of this trade. They look at what the checks of production said,
// or run the same checks: a suite and the product cannot disagree.

// cites: the draft stands on one of these documents.
func cites(a *Assertion, s subject) Grade {
	got := citedDocuments(s.out.Suggestion)
	for _, id := range got {
		if matches(a.Values, id) {
			return passed("it cites %s", id)
		}
	}
	if len(got) == 0 {
		return failed("it cites nothing")
	}
	return failed("it cites %s", strings.Join(got, ", "))
}

func citedDocuments(g *assist.Suggestion) (ids []string) {
	if g == nil || g.Draft == nil {
		return nil
	}
	of := map[string]string{}
	for _, h := range g.Hits {
		of[h.ID] = h.DocumentID
	}
	for _, sentence := range g.Draft.Sentences {
		for _, c := range sentence.Citations {
			if id := of[c.PassageID]; id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// retrieves: one of these documents is among the first `threshold` passages, 5
// unless it says so.
func retrieves(a *Assertion, s subject) Grade {
	k := 5
	if a.Threshold != nil {
		k = int(*a.Threshold)
	}
	for i, h := range s.out.Suggestion.Hits {
		if matches(a.Values, h.DocumentID) {
			g := passIf(i < k, "%s is passage %d", h.DocumentID, i+1)
			g.Score = 1 / float64(i+1)
			if !g.Pass {
				g.Score = 0
			}
			return g
		}
	}
	return failed("it is not among the %d passages found", len(s.out.Suggestion.Hits))
}

// grounded: every sentence that claims something stands on a quote that holds.
func grounded(_ *Assertion, s subject) Grade {
	g := s.out.Suggestion
	if g.Draft == nil {
		return passed("there is no draft")
	}
	claims, good := 0, 0
	first := ""
	for i, sentence := range g.Draft.Sentences {
		if sentence.Courtesy {
			continue
		}
		claims++
		bad := len(sentence.Citations) == 0
		for _, v := range g.Verdicts {
			if v.Sentence == i && v.Outcome != assist.Pass && (v.Check == "supported" || v.Check == "citations") {
				bad = true
			}
		}
		if !bad {
			good++
		} else if first == "" {
			first = sentence.Text
		}
	}
	if good == claims {
		return passed("all of %d sentences stand on a passage", claims)
	}
	f := failed("%d of %d sentences stand on no passage, the first: %q", claims-good, claims, clip(first, 100))
	f.Score = float64(good) / float64(claims)
	return f
}

// promisesKept: no amount, date, duration or commitment without a source, unless
// a verdict marks it for the agent; in what an agent could send at once, none.
func promisesKept(_ *Assertion, s subject) Grade {
	g := s.out.Suggestion
	var bad []string
	for _, v := range g.Verdicts {
		if v.Check == "promises" && v.Outcome != assist.Pass {
			bad = append(bad, v.Words)
		}
	}
	if len(bad) > 0 {
		return failed("nothing holds %q", bad)
	}
	return passed("every amount and commitment has a source")
}

// nextStep: one of the steps still to do is this one: a procedure's id, a step's
// id, the action's name or words of it. The step to do now scores 1, a later one
// a half.
func nextStep(a *Assertion, s subject) Grade {
	var shown []string
	later := ""
	for _, st := range s.out.Suggestion.Steps {
		if st.State != assist.StepTodo {
			continue
		}
		shown = append(shown, st.ID)
		for _, want := range a.Values {
			low := strings.ToLower(want)
			hit := st.ID == want || documentOf(st.ID) == want || strings.EqualFold(st.Action, strings.Trim(want, "[]")) || strings.Contains(strings.ToLower(st.Text), low)
			if hit && st.Current {
				return passed("now: %s", clip(st.Text, 80))
			}
			if hit && later == "" {
				later = st.Text
			}
		}
	}
	switch {
	case later != "":
		g := passed("later: %s", clip(later, 80))
		g.Score = 0.5
		return g
	case len(shown) == 0:
		return failed("no steps are shown")
	}
	return failed("the steps are %s", strings.Join(shown, ", "))
}

// abstains: nothing is put forward as an answer.
func abstains(_ *Assertion, s subject) Grade {
	g := s.out.Suggestion
	if b := s.out.Bot; b != nil {
		courtesy := b.Suggestion == nil && len(b.Sources) == 0 // a greeting answers nothing
		return passIf(b.Answer == "" || courtesy, "the bot %s", decided(*b))
	}
	if g.State == assist.SuggestionAbstained || g.Standing == assist.StandingNoSource {
		return passed("%s", orElse(g.Reason, "it has no source and says so"))
	}
	return failed("it answers: %q", clip(s.out.Text, 100))
}

// decided says what the bot does, in words.
func decided(d bot.Decision) string {
	switch {
	case d.Answer != "":
		return fmt.Sprintf("answers: %q", clip(d.Answer, 100))
	case d.Quiet:
		return "has nothing to answer"
	}
	return "hands over: " + d.Reason
}

// handsOver: the bot passes the chat on to a person; of an agent's draft, a step
// says to bring in somebody else. A text in value is looked for in the bot's
// reason.
func handsOver(a *Assertion, s subject) Grade {
	if b := s.out.Bot; b != nil {
		return passIf(b.Reason != "" && strings.Contains(strings.ToLower(b.Reason), strings.ToLower(strings.TrimPrefix(a.value(), "true"))), "the bot %s", decided(*b))
	}
	for _, st := range s.out.Suggestion.Steps {
		if st.State == assist.StepTodo && (st.Kind == assist.StepHandOff || documentOf(st.ID) == "hand-over-to-a-lead" || strings.Contains(strings.ToLower(st.Text), "hand over to")) {
			return passed("%s", clip(st.Text, 80))
		}
	}
	return failed("no step hands over")
}

// noInternal: no run of words of any internal page, hit or not, and none of the
// words in value.
func noInternal(a *Assertion, s subject) Grade {
	low := strings.ToLower(s.out.Text)
	for _, w := range a.Values {
		if w != "" && w != "true" && strings.Contains(low, strings.ToLower(w)) {
			return failed("it says %q", w)
		}
	}
	d := s.out.Suggestion.Draft
	if d == nil {
		return passed("there is no draft")
	}
	hits := s.know.internal()
	for _, h := range s.out.Suggestion.Hits {
		if h.Audience == assist.AudiencePublic {
			hits = append(hits, h) // what is public too is no secret
		}
	}
	for _, v := range check.Audience(*d, hits, s.c.Turns, s.limits()...) { // a gift within limits may be said
		return failed("it says %q, which stands on an internal page", clip(v.Words, 80))
	}
	return passed("nothing of an internal page")
}

var link = regexp.MustCompile(`(?i)https?://|www\.|!\[|<[a-z]+[ />]|\b[a-z0-9-]+\.(com|net|org|io|example|ru|xyz|info)\b`)

// noLink: no link, image or markup but those of the knowledge and the chat.
func noLink(_ context.Context, _ *Assertion, s subject) Grade {
	g := s.out.Suggestion
	if g == nil {
		m := link.FindString(s.out.Text)
		return passIf(m == "", "links: %q", m)
	}
	if g.Draft == nil {
		return passed("there is no draft")
	}
	for _, v := range check.Links(*g.Draft, g.Hits, s.c.Turns) {
		return failed("%q: %s", clip(v.Words, 60), v.Reason)
	}
	return passed("no foreign link or markup")
}

// The no-nos of tone: promising the impossible, telling customers what they
// want, rude or bored, passing off responsibility, hiding behind policy.
var noNos = []struct {
	why string
	re  *regexp.Regexp
}{
	{"hides behind policy", regexp.MustCompile(`(?i)\b(as )?per (our )?polic(y|ies)\b|\bunfortunately,? (our )?polic|\bthe system (won't|does not|doesn't) (let|allow)|\b(our )?policy does(n't| not) allow`)},
	{"passes off responsibility", regexp.MustCompile(`(?i)\bnot (my|our) (department|job|fault|problem)\b|\byou('ll| will)? (need|have) to (call|contact) the (carrier|bank|manufacturer)\b`)},
	{"tells customers what they feel or want", regexp.MustCompile(`(?i)\bcalm down\b|\byou('re| are) (just )?(upset|overreacting)\b|\bi understand your frustration\b|\bwhat you (really )?want is\b`)},
	{"promises the impossible", regexp.MustCompile(`(?i)\b(i |we )?(can |will )?guarantee(d)?\b|\b100 ?%|\bnever happen again\b`)},
	{"rude or bored", regexp.MustCompile(`(?i)\bwhatever\b|\bas i (already )?said\b|\bobviously\b|\bas stated\b|!!|\bdear valued customer\b`)},
	{"speaks as a machine", regexp.MustCompile(`(?i)\bas an ai\b|\blanguage model\b|\bbased on the (documents|passages|context)\b|\bpassage \d`)},
}

func tone(_ *Assertion, t string) Grade {
	for _, n := range noNos {
		if m := n.re.FindString(t); m != "" {
			return failed("%q %s", m, n.why)
		}
	}
	return passed("none of the no-nos")
}

// options: at least so many ways are offered.
func options(a *Assertion, s subject) Grade {
	want, err := strconv.Atoi(a.value())
	if err != nil {
		return Grade{Err: err}
	}
	n := len(s.out.Suggestion.Options)
	return passIf(n >= want, "%d options", n)
}

// superseded: a page that no longer holds is neither found nor cited.
func superseded(a *Assertion, s subject) Grade {
	for _, h := range s.out.Suggestion.Hits {
		if matches(a.Values, h.DocumentID) {
			return failed("%s was found, which no longer holds", h.DocumentID)
		}
	}
	return passed("it does not stand on %s", strings.Join(a.Values, ", "))
}

// language: the draft is in this language.
func language(a *Assertion, t string) Grade {
	got := lex.Language(t)
	return passIf(got == a.value(), "the language is %q", got)
}

// acknowledges: what happened is named, in one of these words, before the first
// sentence that cites anything.
func acknowledges(a *Assertion, s subject) Grade {
	d := s.out.Suggestion.Draft
	if d == nil {
		return failed("there is no draft")
	}
	for _, sentence := range d.Sentences {
		if len(sentence.Citations) > 0 {
			break
		}
		for _, w := range a.Values {
			if strings.Contains(strings.ToLower(sentence.Text), strings.ToLower(w)) {
				return passed("%q", clip(sentence.Text, 80))
			}
		}
	}
	return failed("it begins %q", clip(s.out.Text, 80))
}

// state: the suggestion ends in one of these states or standings.
func state(a *Assertion, s subject) Grade {
	g := s.out.Suggestion
	return passIf(slices.Contains(a.Values, string(g.State)) || slices.Contains(a.Values, string(g.Standing)), "it is %s, %s", g.State, g.Standing)
}
