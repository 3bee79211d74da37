package playbook

import (
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// Shown is how many steps an agent sees at once.
const Shown = 4

// Next says what to do now: at most Shown steps around the current one, each
// with its state. The current step is the first that is neither done nor
// skipped. The last finished step stays in sight before it, so that a tick can
// be taken back.
func Next(p Procedure, turns []assist.Turn, ticks []assist.StepChange) []assist.NextStep {
	states := Progress(p, turns, ticks)
	current := len(p.Steps)
	for i, s := range states {
		if s == assist.StepTodo {
			current = i
			break
		}
	}
	from := current - 1
	if current == len(p.Steps) {
		from = len(p.Steps) - Shown
	}
	from = max(from, 0)
	var next []assist.NextStep
	for i := from; i < len(p.Steps) && len(next) < Shown; i++ {
		s := p.Steps[i]
		n := assist.NextStep{
			ID: s.ID, Kind: s.Kind, Text: Plain(s.Text), State: states[i], Current: i == current,
			Policy: assist.PolicyRef{DocumentID: p.DocumentID, PassageID: s.PassageID, Title: p.Title, Quote: s.Text},
		}
		if len(s.Actions) > 0 {
			n.Action = s.Actions[0]
		}
		next = append(next, n)
	}
	return next
}

// Progress gives the state of every step. An agent's tick says it outright.
// Otherwise a step with an action is done once that action was reported, as
// often as steps up to it name it; and a step without one counts as done when a
// later step's action was reported, because talking leaves no report.
func Progress(p Procedure, turns []assist.Turn, ticks []assist.StepChange) []assist.StepState {
	ticked := map[string]assist.StepState{}
	for _, t := range ticks {
		ticked[t.StepID] = t.State // the last one counts
	}
	reported := map[string]int{}
	for _, t := range turns {
		if t.Action != nil {
			reported[Key(t.Action.Name)]++
		}
	}
	states := make([]assist.StepState, len(p.Steps))
	last := -1
	for i, s := range p.Steps {
		states[i] = assist.StepTodo
		if len(s.Actions) > 0 {
			if k := Key(s.Actions[0]); reported[k] > 0 {
				reported[k]--
				states[i] = assist.StepDone
				last = i
			}
		}
	}
	for i, s := range p.Steps {
		if t, ok := ticked[s.ID]; ok {
			states[i] = t
		} else if i < last && len(s.Actions) == 0 {
			states[i] = assist.StepDone
		}
	}
	return states
}

// Question turns a step that asks the customer for something into words to
// write to them, "" when that cannot be done without guessing. English only.
func Question(s assist.NextStep) string {
	if s.Kind != assist.StepAsk {
		return ""
	}
	text := s.Text
	if i := strings.IndexAny(text, ".:;("); i > 0 {
		text = text[:i]
	}
	text = strings.TrimSpace(text)
	lower := lowerASCII(text)
	for _, cut := range []string{" for [", " and enter", " and click", " and press", " with [", " into [", " in ["} {
		if i := strings.Index(lower, cut); i > 0 {
			text, lower = text[:i], lower[:i]
		}
	}
	if strings.ContainsAny(text, "[]<>/*") || len(text) > 120 {
		return ""
	}
	for _, lead := range []string{"ask the customer for ", "ask them for ", "ask for ", "get the customer's ", "get the customer’s ", "get their ",
		"get the ", "get ", "request the ", "request ", "collect the ", "collect "} {
		if what, ok := strings.CutPrefix(lower, lead); ok {
			what = toYou(text[len(text)-len(what):])
			what = strings.TrimPrefix(strings.TrimPrefix(what, "the "), "your ")
			if what == "" || strings.Contains(strings.ToLower(what), "customer") || len(strings.Fields(what)) > 10 {
				return ""
			}
			switch first, of, _ := strings.Cut(strings.ToLower(what), " "); {
			case strings.HasPrefix(of, "of these") || strings.HasPrefix(of, "of those") || strings.HasPrefix(of, "of the following"):
				return "" // which ones stands further on
			case first == "a" || first == "an" || first == "one" || first == "two" || first == "three" || first == "any":
				return "Could you send me " + lowerFirst(what) + ", please?"
			}
			return "Could you give me your " + lowerFirst(what) + ", please?"
		}
	}
	for _, lead := range []string{"ask the customer ", "ask them ", "ask ", "find out "} {
		if what, ok := strings.CutPrefix(lower, lead); ok {
			first, _, _ := strings.Cut(what, " ")
			switch first {
			case "how", "what", "which", "when", "where", "why", "whether", "if", "who":
			default:
				return ""
			}
			what = toYou(text[len(text)-len(what):])
			if strings.Contains(strings.ToLower(what), "customer") {
				return ""
			}
			if lead == "find out " && !strings.Contains(" "+what, " you") {
				return "" // not from the customer
			}
			return "May I ask " + lowerFirst(what) + "?"
		}
	}
	return ""
}

// toYou turns words about the customer into words to the customer.
func toYou(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		switch strings.ToLower(w) {
		case "they", "them":
			words[i] = "you"
		case "their":
			words[i] = "your"
		case "they've":
			words[i] = "you've"
		case "they're":
			words[i] = "you're"
		}
	}
	return strings.Join(words, " ")
}

// lowerASCII keeps every byte where it was; other letters may get longer or shorter
// when they are lowered.
func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// lowerFirst lowers the first letter of "Full Name or Account ID", but not of
// "ID": and title case reads like a form, so short title words go down with it.
func lowerFirst(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		if w != strings.ToUpper(w) {
			words[i] = strings.ToLower(w)
		}
	}
	return strings.Join(words, " ")
}
