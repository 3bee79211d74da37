package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/suggest"
)

// guide is the playbook of one case: the procedures and the limits of the
// knowledge, nothing learned, and what the case says the customer was given.
type guide struct {
	book      *playbook.Book
	authority playbook.Authority
	spent     playbook.Spent
	now       time.Time
}

// readAuthority reads the limits beside the pages; none is no fault.
func readAuthority(fsys fs.FS, dir string) (playbook.Authority, error) {
	raw, err := fs.ReadFile(fsys, path.Join(dir, playbook.AuthorityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return playbook.Authority{}, nil
	}
	if err != nil {
		return playbook.Authority{}, fmt.Errorf("read limits: %w", err)
	}
	a, err := playbook.ParseAuthority(raw)
	if err != nil {
		return a, fmt.Errorf("%s/%s, %w", dir, playbook.AuthorityFile, err)
	}
	return a, nil
}

// bookOf makes the playbook as of a day, as the server does.
func bookOf(docs []assist.Document, at time.Time) *playbook.Book {
	var procs []playbook.Procedure
	for _, d := range docs {
		if d.Kind != assist.KindProcedure && d.Kind != assist.KindPolicy || d.ValidFrom != nil && d.ValidFrom.After(at) || d.ValidTo != nil && !d.ValidTo.After(at) {
			continue
		}
		if p, ok := playbook.Parse(d); ok {
			procs = append(procs, p)
		}
	}
	return playbook.NewBook(procs)
}

// guide gives the guide of a case; vars.spent says what its customer was given
// already: "store_credit=20, keep_item=15".
func (k *Knowledge) guide(spent string, at time.Time, order string) (*guide, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if day := at.Format(time.DateOnly); k.book == nil || k.bookOf != day {
		k.book, k.bookOf = bookOf(k.docs, at), day
	}
	g := &guide{book: k.book, authority: k.authority, spent: playbook.Spent{}, now: at}
	for _, part := range strings.Split(spent, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		units, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		amount, ok := playbook.Hundredths(units)
		if _, known := g.authority.Gesture(name); err != nil || !ok || !known {
			return nil, fmt.Errorf("vars.spent: %q is no gesture with its amount, such as store_credit=20", part)
		}
		for _, p := range g.authority.Periods(name) {
			g.spent[playbook.SpentKey(name, playbook.PeriodKey(p, at, order))] = amount
		}
	}
	return g, nil
}

// Playbook implements suggest.Guide.
func (g *guide) Playbook(context.Context, int64) (suggest.Playbook, error) {
	return suggest.Playbook{Book: g.book, Weights: playbook.NewWeights(), Authority: g.authority}, nil
}

// Spent implements suggest.Guide.
func (g *guide) Spent(context.Context, assist.Moment) (playbook.Spent, error) { return g.spent, nil }

// Hold implements suggest.Guide. Nothing is given here.
func (g *guide) Hold(_ context.Context, _ assist.Moment, gesture, period string, amount, limit playbook.Amount) (bool, error) {
	return g.spent[playbook.SpentKey(gesture, period)]+amount <= limit, nil
}

// limits are what the case's agent may still give.
func (s subject) limits() []check.Limit {
	if s.guide == nil {
		return nil
	}
	return suggest.Limits(s.guide.authority, s.c.Vars["role"], s.guide.spent, s.guide.now, s.c.order())
}

// authority: neither the draft nor a way that is said to be this agent's goes
// beyond what the agent may give.
func authority(_ *Assertion, s subject) Grade {
	if s.guide == nil {
		return failed("there are no limits beside the knowledge")
	}
	role := s.c.Vars["role"]
	for _, o := range s.out.Suggestion.Options {
		gesture, amount, ok := playbook.GestureOf(o)
		if !ok || o.Authority == playbook.Lead {
			continue
		}
		if r := s.guide.authority.Rule(role, gesture, amount, s.guide.spent, s.guide.now, s.c.order()); !r.May {
			return failed("it offers %q: %s", o.Title, r.Reason)
		}
	}
	if d := s.out.Suggestion.Draft; d != nil {
		for _, v := range check.Authority(d.Text, s.limits(), s.out.Suggestion.Hits) {
			return failed("%q: %s", v.Words, v.Reason)
		}
	}
	return passed("nothing beyond what %s may give", cmp.Or(role, "an agent"))
}

// offers: one of the ways offered has these words, of its title or detail. With
// "lead: …" it must be the lead's to decide, with "mine: …" the agent's own.
func offers(a *Assertion, s subject) Grade {
	var shown []string
	for _, o := range s.out.Suggestion.Options {
		text := o.Title + " " + o.Detail + " " + o.Cost
		shown = append(shown, o.Title)
		if slices.ContainsFunc(a.Values, func(want string) bool {
			if rest, ok := strings.CutPrefix(want, "lead: "); ok {
				return o.Authority == playbook.Lead && strings.Contains(strings.ToLower(text), strings.ToLower(rest))
			}
			if rest, ok := strings.CutPrefix(want, "mine: "); ok {
				return o.Authority != playbook.Lead && strings.Contains(strings.ToLower(text), strings.ToLower(rest))
			}
			return strings.Contains(strings.ToLower(text), strings.ToLower(want))
		}) {
			return passed("%q", o.Title)
		}
	}
	return failed("it offers %q", shown)
}

// order names the order that limits are counted by: the conversation's.
func (c Case) order() string { return strings.ReplaceAll(c.ID, "/", "_") }
