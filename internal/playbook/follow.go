package playbook

import (
	"strings"

	"github.com/aside-project/aside/internal/assist"
)

// way is where the work stands on a page when its "go to" and its conditions are
// followed.
type way struct {
	states []assist.StepState
	why    []string // per step: why it is skipped or impossible
	leave  int      // index of the procedure to go on with in the book, -1: none
	ends   bool     // the page says that there is nothing more to do
	reason string   // for leaving or ending: the page's words, and the customer's
}

// follow takes the states that progress gives and follows the page: steps that a
// branch passes over are skipped, steps whose condition was denied or whose fact
// was refused are impossible. What agents ticked stands. Only going on is
// followed; a way back is for people, which also keeps circles harmless.
func (b *Book) follow(p Procedure, states []assist.StepState, c Case) way {
	w := way{states: states, why: make([]string, len(states)), leave: -1}
	if len(c.Turns) == 0 {
		return w
	}
	ticked := map[string]bool{}
	for _, t := range c.Ticks {
		ticked[t.StepID] = true
	}
	furthest := -1
	for i, s := range states {
		if s == assist.StepDone {
			furthest = i
		}
	}
	e := evidenceOf(c.Turns, p.Language)
	for i, s := range p.Steps {
		if w.states[i] != assist.StepTodo || ticked[s.ID] {
			continue
		}
		if cond := guard(s); cond != "" {
			if f := e.of(cond); f.says < 0 {
				w.states[i], w.why[i] = assist.StepImpossible, quoted(f.words)
				continue
			}
		}
		if words, ok := e.refused(s); ok {
			w.states[i], w.why[i] = assist.StepImpossible, quoted(words)
		} else if e.answered(s) {
			w.states[i] = assist.StepDone
		}
	}
	proc, known := b.index[p.DocumentID]
	for i, s := range p.Steps {
		passed := w.states[i] == assist.StepDone || w.states[i] == assist.StepTodo && branches(s)
		if !passed {
			continue
		}
		for k, r := range s.Refs {
			if r.Back || r.Kind == RefStep && r.Step <= i {
				continue
			}
			f := finding{says: 1}
			if r.If != "" {
				if f = e.of(r.If); f.says <= 0 && !pressedIn(p, r, e) {
					continue
				}
			} else if w.states[i] == assist.StepTodo {
				continue // the branch itself is still to be taken
			}
			reason := quoted(f.words)
			line := "“" + strings.Join(strings.Fields(Plain(p.Body[r.Start:r.End])), " ") + "”"
			if reason != "" {
				line += " · " + reason
			}
			switch {
			case r.Kind == RefStep:
				if furthest > i && furthest < r.Step {
					continue // the agent went another way
				}
				for j := i + 1; j < r.Step; j++ {
					if w.states[j] == assist.StepTodo && !ticked[p.Steps[j].ID] {
						w.states[j], w.why[j] = assist.StepSkipped, line
					}
				}
				if w.states[i] == assist.StepTodo {
					w.states[i], w.why[i] = assist.StepDone, line
				}
			case furthest > i:
			case r.Kind == RefEnd:
				w.finish(p, i, ticked, line)
			default:
				if to, ok := b.leads[place{proc, i, k}]; known && ok && w.leave < 0 {
					w.leave, w.reason = to, line
				}
			}
			if w.leave >= 0 || w.ends {
				return w
			}
		}
	}
	return w
}

// finish skips what is left of the page after step i.
func (w *way) finish(p Procedure, i int, ticked map[string]bool, why string) {
	w.ends, w.reason = true, why
	for j := range w.states {
		if w.states[j] == assist.StepTodo && !ticked[p.Steps[j].ID] && j >= i {
			w.states[j], w.why[j] = assist.StepSkipped, why
		}
	}
}

// guard is the condition that a step stands under, "" when it always applies, or
// when the step is the fork itself ("If …, go to step 6").
func guard(s Step) string {
	if branches(s) {
		return ""
	}
	first := s.Text
	if spans := sentencesOf(s.Text); len(spans) > 0 {
		first = s.Text[spans[0][0]:spans[0][1]]
	}
	cond, _ := conditionOf(Plain(first))
	if ifNo.MatchString(cond) {
		return ""
	}
	return cond
}

// branches reports whether a step only says where to go on.
func branches(s Step) bool {
	if len(s.Actions) > 0 || len(s.Refs) == 0 {
		return false
	}
	for _, r := range s.Refs {
		if r.Start >= s.Start && r.End <= s.End && r.If != "" {
			return true
		}
	}
	return false
}

// pressedIn reports whether a button was pressed that only the reference's own
// bullet names: then its branch was taken, whatever was said.
func pressedIn(p Procedure, r Ref, e evidence) bool {
	for _, s := range p.Steps {
		for _, c := range s.Conditions {
			if r.Start < c.Start || r.End > c.End {
				continue
			}
			for _, name := range actions(c.Text) {
				l := labelOf(name)
				elsewhere := false
				for _, o := range p.Steps {
					for _, a := range o.Actions {
						elsewhere = elsewhere || labelOf(a).same(l)
					}
				}
				for _, a := range e.actions {
					if !elsewhere && a.same(l) {
						return true
					}
				}
			}
		}
	}
	return false
}

func quoted(words string) string {
	if words == "" {
		return ""
	}
	return "“" + clean(words) + "”"
}
