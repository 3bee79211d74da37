package app

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/aside-project/aside/internal/prompt"
	"github.com/aside-project/aside/prompts"
)

// loadPrompts reads the configured prompts, with their roll-out: a variant that is
// not there is refused before any customer writes.
func loadPrompts(cfg Config) (*prompt.Set, prompt.Rollout, error) {
	var files fs.FS = prompts.Files
	if cfg.Prompts != "" {
		files = os.DirFS(cfg.Prompts)
	}
	set, err := prompt.Load(files)
	if err != nil {
		return nil, prompt.Rollout{}, fmt.Errorf("load prompts%s: %w", inFolder(cfg.Prompts), err)
	}
	rollout, err := prompt.ParseRollout(cfg.Rollout)
	if err == nil {
		err = rollout.Check(set)
	}
	if err != nil {
		return nil, rollout, fmt.Errorf("--rollout (ASIDE_ROLLOUT): %w", err)
	}
	return set, rollout, nil
}

// inFolder names the folder that was asked for, if any was.
func inFolder(dir string) string {
	if dir == "" {
		return ""
	}
	return " of --prompts (ASIDE_PROMPTS) " + dir
}
