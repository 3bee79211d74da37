package internal_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// secret matches what keys of well-known services look like, and private keys.
var secret = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}` +
	`|\bxox[abprs]-[A-Za-z0-9-]{20,}|\bAIza[A-Za-z0-9_-]{35}|\bsk-[A-Za-z0-9_-]{32,}|\bsk_live_[A-Za-z0-9]{16,}|\bglpat-[A-Za-z0-9_-]{20,}` +
	`|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}`)

// invented are the files whose keys are made up, to be found by what they test.
var invented = map[string]bool{"internal/eval/run_test.go": true, "internal/privacy/formats_test.go": true}

// TestNoSecretsInTheTree holds that no key was committed, in a recording or a
// fixture either.
func TestNoSecretsInTheTree(t *testing.T) {
	seen, found := 0, map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(filepath.ToSlash(path), "../")
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || name == "bin" || strings.HasPrefix(d.Name(), ".aside")):
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if seen++; bytes.IndexByte(body, 0) >= 0 {
			return nil // a picture
		}
		if m := secret.Find(body); m != nil {
			found[name] = true
			if !invented[name] {
				t.Errorf("%s holds what looks like a key: %.12s…", name, m)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 500 {
		t.Errorf("only %d files: is the test in its place?", seen)
	}
	for name := range invented { // and it finds those that are there
		if !found[name] {
			t.Errorf("%s holds no key", name)
		}
	}
}
