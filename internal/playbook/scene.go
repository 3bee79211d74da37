package playbook

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// scene is what a transcript says about where the work stands: the actions done
// so far, and what was said since the last one.
type scene struct {
	acts    []string         // keys of the actions done, in order
	done    map[string]int   // how often each
	names   map[string]label // their names as reported, by key
	said    []string         // who spoke since the last action, "c" and "a", newest first
	words   []string         // terms spoken since the last action, newest turns first, at most recentTurns of them, each once
	last    []string         // plain words of the last turn, with "c:" or "a:" in front
	asked   bool             // an agent has asked a question since the last action
	facts   []string         // kinds of facts the customer gave since the last action
	turns   int              // turns of people so far
	topic   map[string]bool  // terms of the whole transcript: what it is about
	opening map[string]bool  // terms of the customer's first words
	leaves  bool             // the customer's last words thank or part, and ask nothing
}

var leaving = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:thanks?|thank you|thx|bye|goodbye|that(?:'s| is| was) (?:all|it|everything)|nothing else|have a (?:nice|good|great)|danke\pL*|tschüss|das (?:war|ist) alles|merci|au revoir|c'est tout|gracias|adiós|eso es todo|obrigad[oa]|adeus|é só isso)(?:[^\pL]|$)`)

const (
	recentTurns = 4
	maxTopic    = 160 // terms
)

// see reads a transcript. Reported actions, and turns of agents that carry an
// action's name, count as done.
func see(turns []assist.Turn) scene {
	s := scene{done: map[string]int{}, names: map[string]label{}, topic: map[string]bool{}, opening: map[string]bool{}}
	lastAct := -1
	for i, t := range turns {
		if t.Action != nil && t.Action.Name != "" {
			l := labelOf(t.Action.Name)
			s.acts = append(s.acts, l.key)
			s.done[l.key]++
			s.names[l.key] = l
			lastAct = i
		}
	}
	seen := map[string]bool{}
	fact := map[string]bool{}
	spoke := 0
	for i := len(turns) - 1; i > lastAct; i-- {
		t := turns[i]
		who := speaker(t)
		if who == "" {
			continue
		}
		s.said = append(s.said, who)
		if who == "a" && strings.Contains(t.Text, "?") {
			s.asked = true
		}
		if who == "c" {
			for _, f := range factsIn(t.Text) {
				fact[f] = true
			}
		}
		if spoke < recentTurns {
			for _, w := range lex.Terms(t.Text, "en") {
				if word(w) && !seen[who+w] {
					seen[who+w] = true
					s.words = append(s.words, who+":"+w)
				}
			}
		}
		spoke++
	}
	for f := range fact {
		s.facts = append(s.facts, f)
	}
	slices.Sort(s.facts)
	if n := len(turns); n > 0 {
		who := speaker(turns[n-1])
		s.leaves = who == "c" && !strings.Contains(turns[n-1].Text, "?") && leaving.MatchString(strings.ReplaceAll(turns[n-1].Text, "’", "'"))
		for i, w := range lex.Words(turns[n-1].Text) {
			if i == 40 || who == "" {
				break
			}
			if w := strings.ToLower(w.In(turns[n-1].Text)); word(w) {
				s.last = append(s.last, who+":"+w)
			}
		}
	}
	customer := 0
	for _, t := range turns {
		who := speaker(t)
		if who == "" {
			continue
		}
		s.turns++
		if who == "c" {
			customer++
		}
		for _, w := range lex.Terms(t.Text, "en") {
			if len(s.topic) < maxTopic && word(w) {
				s.topic[w] = true
				if who == "c" && customer <= 3 {
					s.opening[w] = true
				}
			}
		}
	}
	return s
}

func speaker(t assist.Turn) string {
	switch {
	case t.Role == assist.RoleCustomer:
		return "c"
	case t.Role == assist.RoleAgent || t.Role == assist.RoleBot:
		return "a"
	}
	return ""
}

// word reports whether a term may be learned: letters only, so that no number of
// an account, order or card is ever kept.
func word(w string) bool {
	for _, r := range w {
		if !unicode.IsLetter(r) && r != '\'' {
			return false
		}
	}
	return len(w) > 1 && len(w) < 24
}

// factsIn names the kinds of facts a customer's turn holds.
func factsIn(text string) (kinds []string) {
	if strings.Contains(text, "@") {
		kinds = append(kinds, "email")
	}
	digits, long := 0, 0
	for _, w := range lex.Words(text) {
		n := 0
		for _, r := range w.In(text) {
			if unicode.IsDigit(r) {
				n++
			}
		}
		if n > 0 {
			digits++
		}
		if n >= 5 {
			long++
		}
	}
	if digits > 0 {
		kinds = append(kinds, "digits")
	}
	if long > 0 {
		kinds = append(kinds, "number")
	}
	if n := len(strings.Fields(text)); n <= 3 {
		kinds = append(kinds, "short")
	}
	return kinds
}

// depth is n as a word, many from cap on.
func depth(n, limit int) string { return string(rune('0' + min(n, limit))) }
