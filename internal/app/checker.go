package app

import (
	"context"

	"github.com/aside-project/aside/internal/assist"
	"github.com/aside-project/aside/internal/check"
)

// checker holds what an agent types against what the suggestion was made from.
type checker struct{}

func (checker) CheckDraft(_ context.Context, turns []assist.Turn, s *assist.Suggestion, text string) ([]assist.Verdict, error) {
	var hits []assist.Hit
	if s != nil {
		hits = s.Hits
	}
	return check.Text(text, hits, turns), nil
}
