package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadPrompts(t *testing.T) {
	dir := t.TempDir()
	own := "---\ndescription: x\n---\n{{define \"system\"}}s{{end}}{{define \"user\"}}u{{end}}"
	for _, name := range []string{"reply.md", "reply@short.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(own), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set, rollout, err := loadPrompts(Config{Prompts: dir, Rollout: "reply@short=100"})
	if err != nil || len(set.Names()) != 2 || rollout.Pick("reply", "c") != "reply@short" {
		t.Errorf("%v, %v", set.Names(), err)
	}
	if set, _, err := loadPrompts(Config{}); err != nil || !set.Has("bot") || !set.Has("summary") {
		t.Errorf("the built-in ones: %v", err)
	}
	for want, cfg := range map[string]Config{
		`no prompt "reply@long"`: {Prompts: dir, Rollout: "reply@long=5"},
		"more than 100":          {Prompts: dir, Rollout: "reply@short=60,reply@long=60"},
		"load prompts":           {Prompts: t.TempDir()},
	} {
		if _, _, err := loadPrompts(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	bad := Default()
	bad.Rollout = "reply=5"
	if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), "--rollout") {
		t.Errorf("%v", err)
	}
}
