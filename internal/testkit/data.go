// Package testkit is what tests share.
package testkit

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir is the folder of the development data: ASIDE_DATA, or shared/data in a
// folder above the working directory. The test is skipped where there is none.
func Dir(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("ASIDE_DATA"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if info, err := os.Stat(filepath.Join(data, "dev")); err == nil && info.IsDir() {
			return data
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no development data: set ASIDE_DATA to its folder")
		}
		dir = up
	}
}
