package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/aside-project/aside/internal/llm"
)

// Purse keeps a day's tokens for all processes.
type Purse interface {
	// ReserveTokens sets tokens aside, false when no more than most would not
	// hold any more.
	ReserveTokens(ctx context.Context, day time.Time, tokens, most int64) (bool, error)
	// SettleTokens turns a reservation into what was spent.
	SettleTokens(ctx context.Context, day time.Time, reserved, spent int64) error
}

// ErrSpent says that the bot's tokens of the day are used up. Answers are the
// pages' own sentences then.
var ErrSpent = errors.New("the bot's tokens for today are used up")

// Meter is a chat model that never costs more than a day's tokens, however many
// calls go side by side: each reserves the most it can cost before it is made.
type Meter struct {
	Model llm.ChatModel
	Purse Purse
	Most  func() int64 // tokens a day
	Now   func() time.Time
	Log   *slog.Logger
}

// defaultAnswer bounds an answer whose request does not.
const defaultAnswer = 1024

// overhead is what servers add to each message, in tokens, at most.
const overhead = 32

// Name implements llm.ChatModel.
func (m Meter) Name() string { return m.Model.Name() }

// Chat implements llm.ChatModel.
func (m Meter) Chat(ctx context.Context, r llm.Request, delta func(string)) (llm.Response, error) {
	if r.MaxTokens <= 0 {
		r.MaxTokens = defaultAnswer
	}
	most := int64(r.MaxTokens + len(r.Schema) + overhead)
	for _, msg := range r.Messages {
		most += int64(len(msg.Content) + overhead) // a token is a byte at least
	}
	day := Day(m.Now())
	ok, err := m.Purse.ReserveTokens(ctx, day, most, m.Most())
	if err != nil {
		return llm.Response{}, fmt.Errorf("reserve tokens: %w", err)
	}
	if !ok {
		return llm.Response{}, ErrSpent
	}
	spent := most // until it is known, and when the model panics
	defer func() {
		ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer done()
		if err := m.Purse.SettleTokens(ctx, day, most, spent); err != nil {
			m.Log.Warn("tokens of the bot stay reserved until tomorrow", "tokens", most, "error", err)
		}
	}()
	out, err := m.Model.Chat(ctx, r, delta)
	switch used := int64(out.Prompt + out.Completion); {
	case used > 0:
		spent = used
	case err != nil && out.Text == "" && (errors.Is(err, llm.ErrDown) || errors.Is(err, llm.ErrRejected) || errors.Is(err, llm.ErrRateLimited)):
		spent = 0 // it never began
	}
	return out, err
}

// Day is the day that limits count by.
func Day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
