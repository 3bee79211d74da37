package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aside-project/aside/internal/bot"
	"github.com/aside-project/aside/internal/testkit/testdb"
)

// TestBotFollowsTheCalibration: the threshold found on a company's own questions
// is stored with bot.yaml beside it, and a broken one stores nothing.
func TestBotFollowsTheCalibration(t *testing.T) {
	db := testdb.Open(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stored := func() float64 {
		t.Helper()
		body, err := db.BotSettings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s, err := bot.Parse([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return s.AnswerFrom()
	}
	write(bot.SettingsFile, "mode: answer\n")
	write(bot.ThresholdFile, `{"threshold": 0.62, "answered": 0.5}`)
	if err := PutBotSettings(t.Context(), db, []string{dir}); err != nil || stored() != 0.62 {
		t.Errorf("the bot answers from %v, %v", stored(), err)
	}
	write(bot.ThresholdFile, `{"threshold": 9}`)
	if err := PutBotSettings(t.Context(), db, []string{dir}); err == nil || !strings.Contains(err.Error(), "write it anew") || stored() != 0.62 {
		t.Errorf("a broken threshold: %v, the bot answers from %v", err, stored())
	}
	write(bot.SettingsFile, "mode: answer\nthreshold: 0.7\n")
	if err := PutBotSettings(t.Context(), db, []string{dir}); err != nil || stored() != 0.7 {
		t.Errorf("bot.yaml's own: %v %v", stored(), err)
	}
}
