package app

import (
	"log/slog"
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

// TestDoctorOnTheBot: what the bot does, who says so, and from which evidence.
func TestDoctorOnTheBot(t *testing.T) {
	db := testdb.Open(t)
	for _, tt := range []struct {
		stored, set string
		want        string
	}{
		{"", "", "off: there is no bot.yaml beside the knowledge, and ASIDE_BOT is not set"},
		{"", "suggest", "suggest, as ASIDE_BOT says; answers from evidence of 0.80 (the default; `aside eval abstention --write` finds your own)"},
		{"mode: answer\nthreshold: 0.62\n", "", "answer, as bot.yaml says; answers from evidence of 0.62 (found for this knowledge)"},
		{"mode: answer\n", "off", "off, as ASIDE_BOT says"},
	} {
		if tt.stored != "" {
			if err := db.PutBotSettings(t.Context(), tt.stored, "bot.yaml"); err != nil {
				t.Fatal(err)
			}
		}
		if c := examineBot(t.Context(), Config{Bot: tt.set}, db); !c.OK || c.Detail != tt.want {
			t.Errorf("%q, ASIDE_BOT %q: %+v\nwant %s", tt.stored, tt.set, c, tt.want)
		}
	}
	if err := db.PutBotSettings(t.Context(), "mode: sometimes\n", "bot.yaml"); err != nil {
		t.Fatal(err)
	}
	if c := examineBot(t.Context(), Config{}, db); c.OK || !strings.Contains(c.Fix, "aside ingest") {
		t.Errorf("broken settings: %+v", c)
	}
}

// TestDoctorMakesNothing: where nothing is yet, looking makes nothing.
func TestDoctorMakesNothing(t *testing.T) {
	cfg := Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "mistyped")
	found := map[string]Check{}
	for _, c := range Examine(t.Context(), cfg, slog.New(slog.DiscardHandler)) {
		found[c.Name] = c
	}
	if c := found["database"]; !c.OK || !strings.Contains(c.Detail, "there is no database in "+cfg.DataDir) {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(cfg.DataDir); !os.IsNotExist(err) {
		t.Errorf("the doctor made %s (%v)", cfg.DataDir, err)
	}
}
