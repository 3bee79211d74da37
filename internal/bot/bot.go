// Package bot decides what a customer may be told without a person: the same
// pipeline as for agents, with stricter rules. It only decides; it sends nothing
// and keeps nothing. Every answer is made of sentences that passed every check
// against public pages; everything else is a hand-over with its reason, or a
// short courtesy where there is nothing to answer.
package bot

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/playbook"
	"github.com/aside-project/aside/internal/retrieve"
)

// Suggester makes a suggestion; suggest.Suggester is the one. The bot's own reads
// through the public role.
type Suggester interface {
	Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion
}

// Counter counts answers across processes. It gives the limit that is used up,
// "" when the answer may be given.
type Counter interface {
	Count(ctx context.Context, m assist.Moment, l Limits) (full string, err error)
}

// Options are what a Bot is made of; Suggester is needed.
type Options struct {
	Suggester Suggester
	Counter   Counter          // nil: only the conversation's own limit holds
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: silent
}

// Bot answers or hands over. It is safe for concurrent use.
type Bot struct {
	opt Options
	set atomic.Pointer[Settings]
}

// New makes a bot that serves nobody until it is configured.
func New(o Options) *Bot {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bot{opt: o}
	b.set.Store(&Settings{Limits: DefaultLimits})
	return b
}

// Configure puts settings in force, from the next turn on.
func (b *Bot) Configure(s Settings) { b.set.Store(&s) }

// Settings gives those in force.
func (b *Bot) Settings() Settings { return *b.set.Load() }

// Serves reports whether customers' conversations begin with the bot.
func (b *Bot) Serves() bool { m := b.Settings().Mode; return m == Answer || m == Suggest }

// Announces reports whether customers are told that a person comes, though the
// bot was switched off.
func (b *Bot) Announces() bool { return b.Settings().Mode == Off }

// Reply decides what becomes of the customer's last turn: first what needs no
// search, then the same pipeline as for agents with a customer's eyes.
func (b *Bot) Reply(ctx context.Context, m assist.Moment) assist.BotReply {
	set := b.Settings()
	language := set.languageOf(customerText(m.Turns))
	all := bursts(m.Turns, language)
	if len(all) == 0 {
		return assist.BotReply{}
	}
	now := all[len(all)-1].text
	mood := playbook.Feel(m.Turns)
	switch {
	case set.Mode == Off || !set.Mode.Valid():
		return b.Farewell(m, assist.HandoffBotOff)
	case set.Mode == Suggest:
		return b.whisper(ctx, set, m)
	case asksForPerson(now):
		return b.person(m, assist.HandoffAsked, "The customer asked for a person.")
	case mood.Needed():
		return b.person(m, assist.HandoffUpset, "The customer is let down: "+mood.Why()+".")
	case accountSpecific(now) != "":
		return b.person(m, assist.HandoffAccount, "It is about this customer's own record.")
	case asksWhetherBot(now):
		return b.courtesy(set, m, phrasebook[language].isBot)
	}
	question := retrieve.Listen(m.Turns)
	if question.Quiet != "" {
		return b.quiet(set, m, language, question.Quiet)
	}
	if rephrased(all) {
		return b.person(m, assist.HandoffRephrased, "The customer asks the same again: the answer did not help.")
	}
	if n := answers(m.Turns); n >= set.Limits.Conversation {
		return b.person(m, assist.HandoffLimit, fmt.Sprintf("The bot has answered %d times in this conversation, which is the most.", n))
	}
	if b.opt.Counter != nil {
		full, err := b.opt.Counter.Count(ctx, m, set.Limits)
		if err != nil {
			b.opt.Logger.Error("the bot's answers could not be counted", "conversation", m.Conversation, "error", err)
			return b.person(m, assist.HandoffFault, "The bot's limits could not be read.")
		}
		if full != "" {
			return b.person(m, assist.HandoffLimit, "The bot's limit for this "+full+" is used up.")
		}
	}
	asked := m
	if standsAlone(now, language) {
		asked.Turns = lastBurst(m.Turns) // what was answered before must not answer this
	}
	d := b.decide(ctx, set, asked)
	if d.Answer == "" {
		return b.person(m, cmp.Or(d.Code, assist.HandoffFault), d.Reason)
	}
	if slices.ContainsFunc(m.Turns, func(t assist.Turn) bool { return t.Role == assist.RoleBot && t.Text == d.Answer }) {
		return b.person(m, assist.HandoffRephrased, "The bot has only the answer that it gave before.")
	}
	return assist.BotReply{Text: d.Answer, Name: set.Name, Sources: d.Sources, Suggestion: d.Suggestion}
}

// decide runs the pipeline with a customer's eyes.
func (b *Bot) decide(ctx context.Context, set Settings, m assist.Moment) Decision {
	m.Audience, m.Agent, m.Steps, m.Instruction = assist.AudiencePublic, assist.Identity{}, nil, ""
	s := b.opt.Suggester.Run(ctx, m, unwatched{})
	if d := Decide(s, set.Topics); d.Answer == "" || s.Evidence >= set.AnswerFrom() {
		return d
	}
	return Decision{Code: assist.HandoffNoEvidence, Reason: fmt.Sprintf("What was found is too weak to answer from: evidence %.2f, an answer needs %.2f.", s.Evidence, set.AnswerFrom())}
}

// whisper hands over with what the bot would have said, for the agent only.
func (b *Bot) whisper(ctx context.Context, set Settings, m assist.Moment) assist.BotReply {
	reply := b.person(m, assist.HandoffBotOff, "The bot suggests only.")
	reply.Text = "" // the bot does not speak here
	if d := b.decide(ctx, set, m); d.Answer != "" {
		reply.Handoff.Summary += " The bot would have answered: " + d.Answer
	}
	return reply
}

// Farewell is the hand-over for a reason that needs no thinking.
func (b *Bot) Farewell(m assist.Moment, code assist.HandoffCode) assist.BotReply {
	reasons := map[assist.HandoffCode]string{
		assist.HandoffAsked: "The customer asked for a person.",
		assist.HandoffLimit: "The bot has too many questions at once.",
		assist.HandoffFault: "The bot failed.", assist.HandoffBotOff: "The bot does not answer here.", assist.HandoffHours: "The bot does not answer here, and people are away.",
	}
	if open, _ := b.Settings().Hours.Open(b.opt.Now()); code == assist.HandoffBotOff && !open {
		code = assist.HandoffHours
	}
	return b.person(m, code, reasons[code])
}

// person hands over: a goodbye that says what happens next, and for the agent
// why, what it is about and what was tried.
func (b *Bot) person(m assist.Moment, code assist.HandoffCode, reason string) assist.BotReply {
	set := b.Settings()
	words := phrasebook[set.languageOf(customerText(m.Turns))]
	why := words.busy
	switch code {
	case assist.HandoffAsked:
		why = words.asked
	case assist.HandoffNoEvidence, assist.HandoffBlocked, assist.HandoffRephrased, assist.HandoffTopic:
		why = words.cannot
	case assist.HandoffAccount:
		why = words.account
	case assist.HandoffUpset:
		why = words.upset
	}
	open, opensAt := set.Hours.Open(b.opt.Now())
	h := &assist.Handoff{Code: code, Reason: reason, Summary: summary(m.Turns), Tried: tried(m.Turns), From: assist.FromBot}
	if !open {
		h.Wait.OpensAt = opensAt
	}
	reply := assist.BotReply{Name: set.Name, Handoff: h}
	if set.Mode == Answer || !open {
		reply.Text = words.goodbye(why, open, opensAt, set.Away)
	}
	return reply
}

// quiet is the answer where there is nothing to answer: a courtesy of each kind
// once, and never a hand-over.
func (b *Bot) quiet(set Settings, m assist.Moment, language, kind string) assist.BotReply {
	words := phrasebook[language]
	switch kind {
	case retrieve.QuietGreeting, retrieve.QuietIdentity, retrieve.QuietEmpty:
		text := words.greet
		if set.Name != "" {
			text = fmt.Sprintf(words.greetName, set.Name)
		}
		return b.courtesy(set, m, text)
	case retrieve.QuietThanks:
		return b.courtesy(set, m, words.thanks)
	case retrieve.QuietGoodbye, retrieve.QuietDone:
		return b.courtesy(set, m, words.bye)
	case retrieve.QuietOK:
		return b.courtesy(set, m, words.ok)
	}
	return assist.BotReply{} // who asks to wait is waited for
}

// courtesy says something unless it was said before.
func (b *Bot) courtesy(set Settings, m assist.Moment, text string) assist.BotReply {
	if slices.ContainsFunc(m.Turns, func(t assist.Turn) bool { return t.Role == assist.RoleBot && t.Text == text }) {
		return assist.BotReply{}
	}
	return assist.BotReply{Text: text, Name: set.Name}
}

// unwatched watches nothing: the bot shows only what it decided.
type unwatched struct{}

func (unwatched) Passages(assist.Suggestion) {}
func (unwatched) Instant(assist.Suggestion)  {}
func (unwatched) Delta(string)               {}

func customerText(turns []assist.Turn) string {
	var b strings.Builder
	for i := len(turns) - 1; i >= 0 && b.Len() < 2000; i-- {
		if turns[i].Role == assist.RoleCustomer {
			b.WriteString(turns[i].Text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func answers(turns []assist.Turn) int {
	n := 0
	for _, t := range turns {
		if t.Role == assist.RoleBot {
			n++
		}
	}
	return n
}

// tried are the answers the bot gave.
func tried(turns []assist.Turn) []string {
	var out []string
	for _, t := range turns {
		if t.Role == assist.RoleBot && len(t.Sources) > 0 {
			out = append(out, t.Text)
		}
	}
	return out
}

const summaryLength = 400 // characters

// summary is what the customer wants, in their own words: the last thing they
// really said, and the one before it.
func summary(turns []assist.Turn) string {
	var needs []string
	for i := range turns {
		if turns[i].Role != assist.RoleCustomer {
			continue
		}
		if q := retrieve.Listen(turns[i : i+1]); q.Quiet == "" && !asksForPerson(turns[i].Text) {
			needs = append(needs, strings.Join(strings.Fields(turns[i].Text), " "))
		}
	}
	text := strings.Join(needs[max(0, len(needs)-2):], " · ")
	if r := []rune(text); len(r) > summaryLength {
		text = string(r[:summaryLength]) + "…"
	}
	return text
}
