package eval

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/suggest"
)

// readBot reads the bot's settings beside the pages; none is no fault. A bot that
// is switched off is tested as one that answers.
func readBot(fsys fs.FS, dir string) (bot.Settings, error) {
	raw, err := fs.ReadFile(fsys, path.Join(dir, bot.SettingsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return bot.Settings{}, fmt.Errorf("read the bot's settings: %w", err)
	}
	s := bot.Settings{Limits: bot.DefaultLimits}
	if err == nil {
		if calibration, none := fs.ReadFile(fsys, path.Join(dir, bot.ThresholdFile)); none == nil {
			raw, err = bot.WithThreshold(raw, calibration)
		}
		if err == nil {
			s, err = bot.Parse(raw)
		}
		if err != nil {
			return s, fmt.Errorf("%s/%s, %w", dir, bot.SettingsFile, err)
		}
	}
	s.Mode = bot.Answer
	return s, nil
}

// botRun keeps the suggestion that the bot was made to ask for.
type botRun struct {
	*suggest.Suggester
	made assist.Suggestion
}

func (r *botRun) Run(ctx context.Context, m assist.Moment, w assist.Watcher) assist.Suggestion {
	r.made = r.Suggester.Run(ctx, m, w)
	return r.made
}

// askBot puts a moment to the customer's bot as it ships, rules and all. Where
// the rules decide by themselves, no suggestion was made: it has abstained.
func (k *Knowledge) askBot(ctx context.Context, s *suggest.Suggester, m assist.Moment, at time.Time) (assist.Suggestion, bot.Decision) {
	asked := &botRun{s, assist.Suggestion{Conversation: m.Conversation, State: assist.SuggestionAbstained}}
	b := bot.New(bot.Options{Suggester: asked, Now: func() time.Time { return at }})
	b.Configure(k.bot)
	reply := b.Reply(ctx, m)
	d := bot.Decision{Sources: reply.Sources, Suggestion: reply.Suggestion}
	switch {
	case reply.Handoff != nil:
		d.Code, d.Reason = reply.Handoff.Code, reply.Handoff.Reason
	default:
		d.Answer, d.Quiet = reply.Text, reply.Suggestion == nil
	}
	return asked.made, d
}
