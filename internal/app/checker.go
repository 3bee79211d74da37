package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
	"github.com/aside-project/aside/internal/suggest"
)

// checker holds what an agent types against what the suggestion was made from,
// and against what this agent may still give this customer.
type checker struct {
	guide *guide
	log   *slog.Logger
}

// CheckDraft implements chat.Checker. Limits that cannot be read cost their
// check, not the others.
func (c checker) CheckDraft(ctx context.Context, m assist.Moment, s *assist.Suggestion, text string) ([]assist.Verdict, error) {
	var hits []assist.Hit
	if s != nil {
		hits = s.Hits
	}
	limits, err := c.limits(ctx, m)
	if err != nil && ctx.Err() == nil {
		c.log.Warn("check what is typed without limits", "conversation", m.Conversation, "err", err)
	}
	return check.Text(text, hits, m.Turns, limits...), nil
}

func (c checker) limits(ctx context.Context, m assist.Moment) ([]check.Limit, error) {
	pb, err := c.guide.Playbook(ctx, c.guide.current())
	if err != nil || len(pb.Authority.Gestures) == 0 {
		return nil, err
	}
	spent, err := c.guide.Spent(ctx, m)
	if err != nil {
		return nil, err
	}
	return suggest.Limits(pb.Authority, m.Agent.Authority, spent, time.Now(), m.Conversation), nil
}

// current is the version of the knowledge that the playbook was made from.
func (g *guide) current() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.version
}
