package suggest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/lex"
	"github.com/aside-project/aside/internal/playbook"
)

// Guide is what next steps stand on beyond the passages: the procedures, what
// was learned of them, who may give what, and what customers were given.
type Guide interface {
	// Playbook gives all this as of a knowledge version.
	Playbook(ctx context.Context, version int64) (Playbook, error)
	// Spent gives what a conversation's customer was given by all agents.
	Spent(ctx context.Context, m assist.Moment) (playbook.Spent, error)
	// Hold sets a gesture aside for this conversation; false when the allowance
	// does not hold it any more.
	Hold(ctx context.Context, m assist.Moment, gesture, period string, amount, limit playbook.Amount) (bool, error)
}

// Playbook is what a Guide gives; nothing of it is changed by a run.
type Playbook struct {
	Book      *playbook.Book
	Weights   *playbook.Weights
	Authority playbook.Authority
}

// isOption reports whether an instruction is the id of an option.
func isOption(instruction string) bool {
	return strings.HasPrefix(instruction, "way/") || strings.HasPrefix(instruction, "gesture/")
}

// guided makes steps and options from the whole playbook; false: it is not to be
// had, and the documents that were hit must do. A Guide that fails costs the
// learned order, not the suggestion.
func (r *run) guided(ctx context.Context) bool {
	if r.s.opt.Guide == nil || r.m.Audience != assist.AudienceInternal {
		return false
	}
	pb, err := r.s.opt.Guide.Playbook(ctx, r.KnowledgeVersion)
	if err != nil {
		r.guideFailed(ctx, "read the playbook", err)
		return false
	}
	if pb.Book.Len() == 0 {
		return true // there are no procedures: the documents that were hit need not be read for any
	}
	c := playbook.Case{Book: pb.Book, Turns: r.m.Turns, Ticks: r.m.Steps, Authority: pb.Authority, Role: r.m.Agent.Authority,
		Language: r.Question.Language, Order: r.Conversation, Now: r.began, Clues: r.clues(pb.Book)}
	r.limits = Limits(c.Authority, c.Role, nil, c.Now, c.Order)
	if len(c.Clues.Hits) == 0 && !acted(r.m.Turns) && !playbook.Feel(r.m.Turns).Needed() {
		return true // no page speaks of this, and nothing was done: there is nothing to follow
	}
	if len(c.Authority.Gestures) > 0 {
		if c.Spent, err = r.s.opt.Guide.Spent(ctx, r.m); err != nil {
			r.guideFailed(ctx, "read what the customer was given", err)
			c.Authority = playbook.Authority{} // nothing is offered that cannot be counted
		} else {
			r.limits = Limits(c.Authority, c.Role, c.Spent, c.Now, c.Order)
		}
	}
	advice := pb.Weights.Advise(c)
	r.Steps, r.Options = advice.Steps, advice.Options
	r.upset = advice.Mood.Needed()
	if isOption(r.m.Instruction) {
		r.choose(ctx, c)
	}
	return true
}

func (r *run) guideFailed(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		r.s.opt.Logger.Warn(what, "suggestion", r.ID, "error", err)
	}
}

// clues are the procedures among the hits, and the one an agent ticked last.
func (r *run) clues(b *playbook.Book) playbook.Clues {
	c := playbook.Clues{Hits: map[string]float64{}, Only: !acted(r.m.Turns)}
	for _, h := range r.Hits {
		if h.Kind != assist.KindProcedure && h.Kind != assist.KindPolicy || h.Score < relevant*r.Hits[0].Score {
			continue
		}
		if _, ok := b.Procedure(h.DocumentID); !ok {
			continue
		}
		c.Hits[h.DocumentID] = max(c.Hits[h.DocumentID], h.Score/r.Hits[0].Score)
	}
	if !acted(r.m.Turns) {
		for doc, share := range b.Meant(r.m.Turns) {
			c.Hits[doc] = max(c.Hits[doc], 0.8*share)
		}
	}
	for _, s := range slices.Backward(r.m.Steps) {
		if doc := stepDocument(s.StepID); c.Hits[doc] > 0 {
			c.Ticked = doc
			break
		}
	}
	return c
}

func acted(turns []assist.Turn) bool {
	return slices.ContainsFunc(turns, func(t assist.Turn) bool { return t.Action != nil })
}

// choose takes the option the agent chose: a gesture is set aside first, so that
// nobody else gives it meanwhile; when that fails it is the lead's to give. Then
// the passages that speak of it are looked up as well.
func (r *run) choose(ctx context.Context, c playbook.Case) {
	i := slices.IndexFunc(r.Options, func(o assist.Option) bool { return o.ID == r.m.Instruction })
	if i < 0 {
		r.m.Instruction = "" // an option of an earlier moment: policy does not allow it any more
		return
	}
	o := &r.Options[i]
	if gesture, amount, ok := playbook.GestureOf(*o); ok && o.Authority != playbook.Lead {
		ruling := c.Authority.Rule(c.Role, gesture, amount, c.Spent, c.Now, c.Order)
		held := false
		if ruling.May {
			var err error
			if held, err = r.s.opt.Guide.Hold(ctx, r.m, gesture, ruling.Period, amount, ruling.Limit.Amount); err != nil {
				r.guideFailed(ctx, "hold a gesture", err)
			}
		}
		if !held {
			o.Authority, o.Detail = playbook.Lead, cmp.Or(ruling.Why(c.Language), "The allowance for this customer was just used by a colleague.")
		}
	}
	if o.Authority == playbook.Lead {
		step := assist.NextStep{ID: "recovery/lead", Kind: assist.StepHandOff, State: assist.StepTodo, Current: true,
			Text: playbook.AskLead(*o, c.Language), Policy: o.Policy}
		for j := range r.Steps {
			r.Steps[j].Current = false
		}
		r.Steps = append([]assist.NextStep{step}, r.Steps[:min(len(r.Steps), playbook.Shown-1)]...)
	}
	r.chosen = o
	r.lookUp(ctx, *o)
	r.m.Instruction = "The agent decided for this way: " + o.Title + ". " + o.Detail
	if o.Authority == playbook.Lead {
		r.m.Instruction = "Say that you will check this with a colleague and come back, without naming an amount."
	}
}

// lookUp adds the passages that speak of an option to those that were found.
func (r *run) lookUp(ctx context.Context, o assist.Option) {
	q := r.Question
	q.Terms = slices.Clone(q.Terms)
	for _, t := range lex.Terms(o.Title+" "+o.Detail, "en") {
		q.Terms = append(q.Terms, assist.Term{Text: t, Weight: 1})
	}
	scope := r.scope
	scope.Unjudged = true
	found, err := r.s.opt.Knowledge.Search(ctx, scope, q)
	if err != nil {
		r.guideFailed(ctx, "search for an option", err)
		return
	}
	const more = 3
	n := 0
	for _, h := range found.Hits {
		if n < more && !slices.ContainsFunc(r.Hits, func(x assist.Hit) bool { return x.ID == h.ID }) {
			h.Score = min(h.Score, r.Hits[len(r.Hits)-1].Score)
			r.Hits = append(r.Hits, h)
			n++
		}
	}
	r.Question = q
}

// offers are how the way that the agent chose is said: what the lead must decide,
// a gesture, what policy grants. Titles stay in the words of the pages.
var offers = map[string][3]string{
	"en": {"I'll check with a colleague what more I can do for you, and come back to you here.", "To make up for it, I'd like to give you %s.", "I'll take care of the %s for you."},
	"de": {"Ich kläre mit dem Team, was ich noch für Sie tun kann, und melde mich hier wieder bei Ihnen.", "Als Wiedergutmachung möchte ich Ihnen Folgendes anbieten: %s.", "Ich kümmere mich darum: %s."},
	"fr": {"Je vérifie avec un collègue ce que je peux encore faire pour vous, et je reviens vers vous ici.", "Pour me faire pardonner, j'aimerais vous offrir ceci : %s.", "Je m'en occupe pour vous : %s."},
	"es": {"Voy a consultar con un compañero qué más puedo hacer por usted y le respondo aquí.", "Para compensarle, me gustaría ofrecerle lo siguiente: %s.", "Me ocupo de ello: %s."},
	"pt": {"Vou verificar com um colega o que mais posso fazer por você e volto a falar aqui.", "Para compensar, gostaria de lhe oferecer o seguinte: %s.", "Vou cuidar disso: %s."},
}

// offer is how the instant draft says the way that the agent chose, "" in a
// language that nothing is written in.
func offer(o *assist.Option, language string) string {
	words, ok := offers[cmp.Or(language, "en")]
	if o == nil || !ok {
		return ""
	}
	if o.Authority == playbook.Lead {
		return words[0]
	}
	english := language == "" || language == "en"
	if _, _, ok := playbook.GestureOf(*o); ok {
		amount, what, found := strings.Cut(o.Title, " · ")
		switch {
		case !english && found:
			return fmt.Sprintf(words[1], amount+" ("+what+")")
		case !english:
			return fmt.Sprintf(words[1], o.Title)
		case !found:
			return fmt.Sprintf(words[1], "this: "+strings.ToLower(o.Title))
		}
		return fmt.Sprintf(words[1], amount+": "+strings.ToLower(what))
	}
	if !english {
		return fmt.Sprintf(words[2], o.Title)
	}
	first, size := utf8.DecodeRuneInString(o.Title)
	return fmt.Sprintf(words[2], string(unicode.ToLower(first))+o.Title[size:])
}
