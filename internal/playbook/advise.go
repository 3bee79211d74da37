package playbook

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
)

// Case is all that advice looks at.
type Case struct {
	Book      *Book
	Turns     []assist.Turn
	Ticks     []assist.StepChange
	Clues     Clues
	Authority Authority
	Role      string // of the agent; "" is the default
	Spent     Spent  // on this customer
	Language  string // of the customer; "" is English
	Order     string // names the order for limits per order; the conversation's id when unknown
	Now       time.Time
}

// Advice is what to do now.
type Advice struct {
	Procedure string // document, "" when none fits
	Steps     []assist.NextStep
	Options   []assist.Option
	Mood      Mood
	Forecast  Forecast
}

// MaxOptions is how many ways are shown.
const MaxOptions = 3

// Advise says what to do now: the checklist around the step that the text and
// what agents did speak for, the ways policy allows, and, for a customer who
// needs it, recovery before anything else.
func (w *Weights) Advise(c Case) Advice {
	a := Advice{Mood: Feel(c.Turns)}
	if a.Mood.Needed() { // recovery is added below; what is to be followed is the fix
		c.Clues.Not = map[string]bool{}
		for _, p := range c.Book.procs {
			if recoveryPage.MatchString(p.Title) {
				c.Clues.Not[p.DocumentID] = true
				delete(c.Clues.Hits, p.DocumentID)
			}
		}
	}
	f := w.Forecast(c.Book, c.Turns, c.Clues)
	a.Forecast = f
	var p Procedure
	if len(f.Procedures) > 0 {
		p, _ = c.Book.Procedure(f.Procedures[0].DocumentID)
		var w way
		p, w = c.walk(p, a.Mood.Needed() || saidSorry(c.Turns))
		a.Procedure = p.DocumentID
		a.Steps = checklist(p, f, c, w)
	}
	if f.Move() == MoveEnd || len(p.Steps) > 0 && !slices.ContainsFunc(a.Steps, func(s assist.NextStep) bool { return s.State == assist.StepTodo }) {
		a.Steps = listen(a.Steps, c.Ticks, wordsOf(c.Language).listen)
	}
	a.Options = c.options(p, a)
	if a.Mood.Needed() {
		a.Steps = c.recover(a)
	}
	return a
}

// checklist gives at most Shown steps around the current one: the last finished
// one, the current one, and what follows. The current one is the step that the
// forecast names, unless something before it is still to be said or asked.
func checklist(p Procedure, f Forecast, c Case, w way) []assist.NextStep {
	states := w.states
	current := slices.Index(states, assist.StepTodo)
	furthest := -1
	for i, s := range states {
		if s == assist.StepDone || s == assist.StepSkipped && w.why[i] == "" {
			furthest = i
		}
	}
	if furthest >= 0 {
		for i := furthest + 1; i < len(states); i++ { // go on after what was done last
			if states[i] == assist.StepTodo {
				current = i
				break
			}
		}
	}
	if at := pressed(p, f, states); at >= 0 && (at <= furthest || !talkBetween(p, states, furthest+1, at)) {
		current = at
	}
	if current < 0 {
		current = len(p.Steps)
	}
	from := max(current-1, 0)
	if current == len(p.Steps) {
		from = max(len(p.Steps)-Shown, 0)
	}
	var next []assist.NextStep
	for i := from; i < len(p.Steps) && len(next) < Shown; i++ {
		n := stepOf(p, p.Steps[i], states[i], i == current)
		n.Why = w.why[i]
		if n.Current {
			n.Why = w.reason
			if missing := missingFact(p.Steps[i], c.Turns, c.Language); missing != "" && n.Kind == assist.StepDo {
				n.Kind, n.Text = assist.StepAsk, fmt.Sprintf(wordsOf(c.Language).askTheir, missing)+n.Text
			}
		}
		next = append(next, n)
	}
	return next
}

// maxPages bounds how many procedures are followed into one another.
const maxPages = 4

// walk follows a procedure, and what it sends on to, to where the work stands
// now. A page that was seen before is not gone to again.
func (c Case) walk(p Procedure, acknowledged bool) (Procedure, way) {
	seen := map[string]bool{}
	reason := ""
	for {
		seen[p.DocumentID] = true
		states := Progress(p, c.Turns, c.Ticks)
		talked(p, states, c, acknowledged)
		w := c.Book.follow(p, states, c)
		if w.leave < 0 || len(seen) == maxPages {
			if w.reason == "" {
				w.reason = reason
			}
			return p, w
		}
		next := c.Book.procs[w.leave]
		if seen[next.DocumentID] || c.Clues.Not[next.DocumentID] {
			w.reason = reason
			return p, w
		}
		p, reason = next, w.reason
	}
}

// talkBetween reports whether a step without a button is still to do before one.
func talkBetween(p Procedure, states []assist.StepState, from, to int) bool {
	for i := from; i < to; i++ {
		if len(p.Steps[i].Actions) == 0 && states[i] == assist.StepTodo {
			return true
		}
	}
	return false
}

// listen keeps what was done in sight and says that there is nothing left to do.
func listen(steps []assist.NextStep, ticks []assist.StepChange, text string) []assist.NextStep {
	done := slices.DeleteFunc(slices.Clone(steps), func(s assist.NextStep) bool { return s.State == assist.StepTodo })
	n := assist.NextStep{ID: "listen", Kind: assist.StepSay, State: assist.StepTodo, Current: true,
		Text: text}
	for _, t := range ticks {
		if t.StepID == n.ID {
			n.State, n.Current = t.State, t.State == assist.StepTodo
		}
	}
	return append(done[:min(len(done), Shown-1)], n)
}

func stepOf(p Procedure, s Step, state assist.StepState, current bool) assist.NextStep {
	n := assist.NextStep{ID: s.ID, Kind: s.Kind, Text: Plain(s.Text), State: state, Current: current,
		Policy: assist.PolicyRef{DocumentID: p.DocumentID, PassageID: s.PassageID, Title: p.Title, Quote: s.Text}}
	if len(s.Actions) > 0 {
		n.Action = s.Actions[0]
	}
	return n
}

// pressed gives the step of the likeliest button that is still to be pressed.
func pressed(p Procedure, f Forecast, states []assist.StepState) int {
	for _, b := range f.Buttons {
		if b.DocumentID == p.DocumentID && b.Step >= 0 && states[b.Step] == assist.StepTodo {
			return b.Step
		}
		if b.Share > 0.5 {
			return -1 // what is likely stands elsewhere: keep to the page's order
		}
	}
	return -1
}

// talked marks steps of talk as done when the transcript shows it: what was to
// be asked is known, or an agent has said most of what was to be said.
func talked(p Procedure, states []assist.StepState, c Case, acknowledged bool) {
	ticked := map[string]bool{}
	for _, t := range c.Ticks {
		ticked[t.StepID] = true
	}
	var spoken []map[string]bool
	for _, t := range c.Turns {
		if t.Role == assist.RoleAgent && t.Action == nil {
			m := map[string]bool{}
			for _, x := range lex.Terms(t.Text, "en") {
				m[x] = true
			}
			spoken = append(spoken, m)
		}
	}
	for i, s := range p.Steps {
		if states[i] != assist.StepTodo || ticked[s.ID] || len(s.Actions) > 0 {
			continue
		}
		if s.Kind == assist.StepAsk {
			if seen := slices.ContainsFunc(factsOf(s.Text), func(f fact) bool { return f.given != nil }); seen && missingFact(s, c.Turns, c.Language) == "" {
				states[i] = assist.StepDone
			}
			continue
		}
		if s.Kind != assist.StepSay && s.Kind != assist.StepOffer {
			continue
		}
		if acknowledged && acknowledging.MatchString(s.Text) {
			states[i] = assist.StepDone // once is enough
			continue
		}
		terms := lex.Terms(mainClause(s.Text), "en")
		for _, m := range spoken {
			n := 0
			for _, x := range terms {
				if m[x] {
					n++
				}
			}
			if len(terms) >= 3 && n*2 >= len(terms) {
				states[i] = assist.StepDone
			}
		}
	}
}

// missingFact names the fact that a step asks for and the customer has not
// given, in the words of a language. Where a page says "the name or the order
// number", one of them will do.
func missingFact(s Step, turns []assist.Turn, language string) string {
	missing := ""
	for _, f := range factsOf(s.Text) {
		if f.given == nil {
			continue
		}
		given := slices.ContainsFunc(turns, func(t assist.Turn) bool {
			return t.Role == assist.RoleCustomer && f.given.MatchString(t.Text)
		})
		if given && either.MatchString(s.Text) {
			return ""
		}
		if !given && missing == "" {
			missing = wordsOf(language).facts[f.id][0]
		}
	}
	return missing
}

var either = regexp.MustCompile(`(?i)\s(?:or|oder|ou|o)\s`)

// recover puts first what a customer who was let down needs: name it and own
// it, the fix, a gesture within authority, a follow-up with a date. The words
// that say so are for the agent.
func (c Case) recover(a Advice) []assist.NextStep {
	ref := assist.PolicyRef{}
	for i := range c.Book.procs {
		if p := &c.Book.procs[i]; recoveryPage.MatchString(p.Title) && len(p.Steps) > 0 {
			ref = assist.PolicyRef{DocumentID: p.DocumentID, PassageID: p.Steps[0].PassageID, Title: p.Title, Quote: p.Steps[0].Text}
			break
		}
	}
	ticked := map[string]assist.StepState{}
	for _, t := range c.Ticks {
		ticked[t.StepID] = t.State
	}
	step := func(name string, kind assist.StepKind, text string) assist.NextStep {
		n := assist.NextStep{ID: "recovery/" + name, Kind: kind, Text: text, State: assist.StepTodo, Why: a.Mood.Why(), Policy: ref}
		if s, ok := ticked[n.ID]; ok {
			n.State = s
		}
		return n
	}
	say := wordsOf(c.Language)
	own := step("own", assist.StepSay, say.own)
	if len(a.Mood.Broken) > 0 {
		own.Text = say.ownPromise
	} else if len(a.Mood.Again) > 0 {
		own.Text = say.ownAgain
	}
	if _, set := ticked[own.ID]; !set && saidSorry(c.Turns) {
		own.State = assist.StepDone
	}
	out := []assist.NextStep{own}

	fix := slices.IndexFunc(a.Steps, func(s assist.NextStep) bool { return s.Current })
	if fix >= 0 && !strings.HasPrefix(a.Steps[fix].ID, ref.DocumentID+"/") {
		out = append(out, a.Steps[fix])
	} else {
		out = append(out, step("fix", assist.StepDo, say.fix))
	}
	if g, ok := c.gestureStep(a.Options, step); ok {
		out = append(out, g)
	}
	due := NextWorkday(c.Now, 2)
	follow := step("follow-up", assist.StepDo, fmt.Sprintf(say.followUp, say.day(due)))
	follow.Action = c.followUp()
	if follow.Action != "" && slices.ContainsFunc(c.Turns, func(t assist.Turn) bool { return t.Action != nil && Same(t.Action.Name, follow.Action) }) {
		follow.State = assist.StepDone
	}
	out = append(out, follow)
	for i := range out {
		out[i].Current = false
	}
	for i := range out {
		if out[i].State == assist.StepTodo {
			out[i].Current = true
			break
		}
	}
	return out
}

var (
	acknowledging = regexp.MustCompile(`(?i)\b(say what (broke|happened|went wrong)|apologi[sz]e|acknowledge|say sorry|take care of it)\b`)
	recoveryPage  = regexp.MustCompile(`(?i)\b(upset|angry|complain\w*|recover(y|ing)|de-?escalat\w*)\b`)
	sorry         = regexp.MustCompile(`(?i)\b(sorry|apolog\w*|tut mir leid|entschuldig\w*|désolée?|excus\w*|siento|disculp\w*|lamento|desculp\w*)`)
)

func saidSorry(turns []assist.Turn) bool {
	return slices.ContainsFunc(turns, func(t assist.Turn) bool { return t.Role == assist.RoleAgent && sorry.MatchString(t.Text) })
}

// AskLead says in a language that an option is the lead's to decide.
func AskLead(o assist.Option, language string) string {
	return strings.TrimSpace(fmt.Sprintf(wordsOf(language).lead, o.Title, o.Detail))
}

// gestureStep is the gesture to offer: the first option that is this agent's to
// give, else the one to ask the lead for.
func (c Case) gestureStep(options []assist.Option, step func(string, assist.StepKind, string) assist.NextStep) (assist.NextStep, bool) {
	at := slices.IndexFunc(options, func(o assist.Option) bool { return isGesture(o) && mine(o) })
	if at >= 0 {
		n := step("gesture", assist.StepOffer, fmt.Sprintf(wordsOf(c.Language).offer, options[at].Title))
		n.Policy = options[at].Policy
		return n, true
	}
	at = slices.IndexFunc(options, isGesture)
	if at < 0 {
		return assist.NextStep{}, false
	}
	n := step("gesture", assist.StepHandOff, AskLead(options[at], c.Language))
	n.Policy = options[at].Policy
	return n, true
}

// followUp is the button that procedures use to set a follow-up, "" if none.
func (c Case) followUp() string {
	for _, bs := range c.Book.buttons {
		for _, b := range bs {
			if strings.Contains(b.key, "followup") {
				return b.name
			}
		}
	}
	return ""
}

// NextWorkday is the day n working days after t, Monday to Friday.
func NextWorkday(t time.Time, n int) time.Time {
	for n > 0 {
		t = t.AddDate(0, 0, 1)
		if d := t.Weekday(); d != time.Saturday && d != time.Sunday {
			n--
		}
	}
	return t
}

func isGesture(o assist.Option) bool { return strings.HasPrefix(o.ID, "gesture/") }
func mine(o assist.Option) bool      { return o.Authority == "" || o.Authority == "you" }

// GestureOf gives the gesture and the amount of an option that is one.
func GestureOf(o assist.Option) (gesture string, amount Amount, ok bool) {
	parts := strings.Split(o.ID, "/")
	if len(parts) != 3 || parts[0] != "gesture" {
		return "", 0, false
	}
	n, err := strconv.ParseInt(parts[2], 10, 64)
	return parts[1], Amount(n), err == nil && n > 0
}

// Lead is whose say an option beyond the agent's own limit needs.
const Lead = "your lead"

// options are the ways that policy allows: the alternatives of the current step
// or the next one that has any, and, when the customer was let down, gestures,
// the smallest sufficient one first.
func (c Case) options(p Procedure, a Advice) []assist.Option {
	var out []assist.Option
	at := slices.IndexFunc(a.Steps, func(s assist.NextStep) bool { return s.Current })
	if at >= 0 {
		for i, s := range p.Steps {
			if s.ID != a.Steps[at].ID {
				continue
			}
			near := 3 // ways further off would come too early
			if a.Mood.Needed() {
				near = len(p.Steps)
			}
			for _, s := range p.Steps[i:min(i+near, len(p.Steps))] {
				if out = c.alternatives(p, s); len(out) >= 2 {
					break
				}
				out = nil
			}
		}
	}
	if a.Mood.Needed() {
		gestures := c.gestures(a.Mood)
		out = append(out[:min(len(out), MaxOptions-min(len(gestures), 2))], gestures[:min(len(gestures), 2)]...)
	}
	return out[:min(len(out), MaxOptions)]
}

var (
	money     = regexp.MustCompile(`(?:CA|A|NZ|R|MX)?[$€£¥₹]\s?\d[\d,]*(?:\.\d\d)?|\b\d[\d,]*(?:\.\d\d)? ?(?:USD|EUR|GBP|dollars?|euros?|pounds?)\b`)
	condition = regexp.MustCompile(`(?i)^(?:if|for|when) (.+?), (?:then )?(.+)$`)
	branch    = regexp.MustCompile(`(?i)\b(wants?|asks? for|prefers?|chooses?|chose|would like|need(s|ed))\b`)
)

// alternatives are the bullets of a step that leave the choice to the customer:
// "If the customer wants a refund, use [Issue Refund]."
func (c Case) alternatives(p Procedure, s Step) []assist.Option {
	var out []assist.Option
	for i, b := range s.Conditions {
		m := condition.FindStringSubmatch(b.Text)
		if b.Depth != 1 || m == nil || !branch.MatchString(m[1]) {
			continue
		}
		o := assist.Option{
			ID: fmt.Sprintf("way/%s/%d", s.ID, i+1), Title: upper(wish(m[1])), Detail: upper(Plain(m[2])), Authority: "you",
			Cost:   money.FindString(b.Text),
			Policy: assist.PolicyRef{DocumentID: p.DocumentID, PassageID: s.PassageID, Title: p.Title, Quote: b.Text},
		}
		if names := actions(b.Text); len(names) > 0 {
			// What policy grants has no limit; an amount of a gesture has.
			if g, ok := c.Authority.ByAction(names[0]); ok && amountIn(b.Text, g.Unit) > 0 {
				if r := c.Authority.Rule(c.Role, g.ID, amountIn(b.Text, g.Unit), c.Spent, c.Now, c.Order); !r.May {
					o.Authority, o.Detail = Lead, r.Why(c.Language)
				}
			}
		}
		out = append(out, o)
	}
	return out
}

// wish is what the customer wants, out of a condition: "a refund".
func wish(s string) string {
	if at := branch.FindStringIndex(s); at != nil {
		if rest := strings.TrimSpace(s[at[1]:]); rest != "" {
			s = rest
		}
	}
	for _, article := range []string{"a ", "an ", "the "} {
		s = strings.TrimPrefix(s, article)
	}
	return s
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// gestures are the gestures that pages name for this mood, with their amounts,
// and, when none does, the smallest the agent may still give. What is beyond the
// agent's limit is the lead's, with the reason.
func (c Case) gestures(m Mood) []assist.Option {
	var found []wanted
	for _, b := range c.Book.amends {
		fits := suits(b.text, m)
		if fits == 0 {
			continue
		}
		if g, amount, ok := c.named(b.text); ok {
			found = append(found, wanted{fits, g, amount, assist.PolicyRef{DocumentID: b.proc.DocumentID, PassageID: b.step.PassageID, Title: b.proc.Title, Quote: b.text}})
		}
	}
	if len(found) == 0 {
		for _, g := range c.Authority.Gestures {
			if r := c.Authority.Rule(c.Role, g.ID, 1, c.Spent, c.Now, c.Order); r.May {
				found = append(found, wanted{0, g, r.Left, assist.PolicyRef{DocumentID: c.Authority.Policy}})
				break
			}
		}
	}
	slices.SortStableFunc(found, func(x, y wanted) int {
		return cmp.Or(cmp.Compare(y.fits, x.fits), cmp.Compare(x.gesture.Rank, y.gesture.Rank), cmp.Compare(x.amount, y.amount))
	})
	for i := range found {
		if found[i].fits < found[0].fits {
			found = found[:i] // too little for what happened
			break
		}
	}
	var own, lead []assist.Option
	for _, f := range found {
		r := c.Authority.Rule(c.Role, f.gesture.ID, f.amount, c.Spent, c.Now, c.Order)
		said := f.amount.In(f.gesture.Unit, c.Authority.Currency)
		o := assist.Option{ID: fmt.Sprintf("gesture/%s/%d", f.gesture.ID, f.amount), Title: said + " · " + f.gesture.Title, Cost: said, Authority: "you", Policy: f.policy}
		if f.gesture.Unit == UnitCount {
			o.Title, o.Cost = f.gesture.Title, ""
		}
		if r.May {
			own = append(own, o)
			continue
		}
		o.Authority, o.Detail = Lead, r.Why(c.Language)
		lead = append(lead, o)
	}
	if len(own) > 0 && len(lead) == 0 {
		if o, ok := c.beyond(found[0]); ok {
			lead = append(lead, o)
		}
	}
	return append(own[:min(len(own), 1)], lead[:min(len(lead), 1)]...)
}

// beyond is more of a gesture than this agent may give: the lead's to decide.
func (c Case) beyond(f wanted) (assist.Option, bool) {
	limit, ok := c.Authority.Limit(c.Role, f.gesture.ID)
	if !ok || f.gesture.Unit == UnitCount {
		return assist.Option{}, false
	}
	r := c.Authority.Rule(c.Role, f.gesture.ID, limit.Amount+1, c.Spent, c.Now, c.Order)
	say := wordsOf(c.Language)
	most := r.Left.In(f.gesture.Unit, c.Authority.Currency)
	return assist.Option{ID: fmt.Sprintf("gesture/%s/%d", f.gesture.ID, limit.Amount+1), Title: fmt.Sprintf(say.moreThan, most) + " · " + f.gesture.Title,
		Cost: fmt.Sprintf(say.over, most), Authority: Lead, Detail: fmt.Sprintf(say.yourLimit, limit.Amount.In(f.gesture.Unit, c.Authority.Currency), say.periods[limit.Period]),
		Policy: assist.PolicyRef{DocumentID: c.Authority.Policy}}, true
}

type wanted struct {
	fits    int // how grave the case is that a page names it for
	gesture Gesture
	amount  Amount
	policy  assist.PolicyRef
}

// named finds the gesture that a sentence speaks of, and how much of it.
func (c Case) named(text string) (Gesture, Amount, bool) {
	have := lex.Terms(text, "en")
	for _, g := range c.Authority.Gestures {
		words := lex.Terms(g.Title, "en")
		n := 0
		for _, w := range words {
			if slices.Contains(have, w) {
				n++
			}
		}
		if len(words) == 0 || n < min(2, len(words)) {
			continue
		}
		amount := amountIn(text, g.Unit)
		if g.Unit == UnitCount {
			amount = 100
		}
		if amount > 0 {
			return g, amount, true
		}
	}
	return Gesture{}, 0, false
}

// amountIn reads the amount of a unit in a text, 0 when it has none.
func amountIn(text string, unit Unit) Amount {
	var s string
	switch unit {
	case UnitMoney:
		s = money.FindString(text)
	case UnitPercent:
		s = percent.FindString(text)
	}
	s = strings.ReplaceAll(digits.FindString(s), ",", "")
	var units float64
	if _, err := fmt.Sscanf(s, "%f", &units); err != nil {
		return 0
	}
	a, _ := Hundredths(units)
	return a
}

var (
	percent = regexp.MustCompile(`(?i)\d+(\.\d+)? ?(%|percent)`)
	digits  = regexp.MustCompile(`\d[\d,]*(?:\.\d+)?`)
)

// suits reports whether a bullet's condition is this mood: "For a second
// contact, …", "For a third contact or a broken promise, …", and how grave it is;
// 0: it is not.
func suits(text string, m Mood) int {
	cond := text
	if c := condition.FindStringSubmatch(text); c != nil {
		cond = c[1]
	}
	cond = strings.ToLower(cond)
	switch {
	case strings.Contains(cond, "promise") && len(m.Broken) > 0:
		return 2
	case strings.Contains(cond, "third") && m.Contact >= 3:
		return 2
	case strings.Contains(cond, "second") && m.Contact >= 2:
		return 1
	}
	return 0
}
