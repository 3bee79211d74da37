package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestInspect(t *testing.T) {
	tests := map[string]struct {
		prints  string // by postgres --version
		control string // pgvector's control file; "" for none
		ok      bool
		want    Binaries
		vector  bool
	}{
		"Debian":          {"postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)", "default_version = '0.8.0'", true, Binaries{Major: 15, Version: "15.18", Vector: "0.8.0"}, true},
		"plain":           {"postgres (PostgreSQL) 18.1", "", true, Binaries{Major: 18, Version: "18.1"}, false},
		"beta":            {"postgres (PostgreSQL) 19beta1", "", true, Binaries{Major: 19, Version: "19beta1"}, false},
		"old pgvector":    {"postgres (PostgreSQL) 16.4", "comment = 'vector'\ndefault_version = '0.6.0'\n", true, Binaries{Major: 16, Version: "16.4", Vector: "0.6.0"}, false},
		"pgvector 1":      {"postgres (PostgreSQL) 16.4", "default_version='1.0'", true, Binaries{Major: 16, Version: "16.4", Vector: "1.0"}, true},
		"too old":         {"postgres (PostgreSQL) 14.19", "", false, Binaries{}, false},
		"another program": {"hello", "", false, Binaries{}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			dir := filepath.Join(root, "bin")
			program(t, filepath.Join(dir, "postgres"), tt.prints)
			program(t, filepath.Join(dir, "initdb"), "")
			program(t, filepath.Join(dir, "pg_config"), filepath.Join(root, "share"))
			if tt.control != "" {
				program(t, filepath.Join(root, "share", "extension", "vector.control"), "")
				if err := os.WriteFile(filepath.Join(root, "share", "extension", "vector.control"), []byte(tt.control), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tt.ok {
				tt.want.Dir = dir
			}
			got, ok := inspect(dir)
			if got != tt.want || ok != tt.ok {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, tt.want, tt.ok)
			}
			var missing *NotInstalledError
			if err := got.CheckVector(); (err == nil) != tt.vector || err != nil && !errors.As(err, &missing) {
				t.Errorf("CheckVector: %v", err)
			}
		})
	}
	if _, ok := inspect(t.TempDir()); ok {
		t.Error("found PostgreSQL in an empty directory")
	}
}

func TestNewestFirst(t *testing.T) {
	root := t.TempDir()
	path := ""
	for _, version := range []int{15, 99, 16} {
		dir := filepath.Join(root, fmt.Sprint(version))
		program(t, filepath.Join(dir, "postgres"), fmt.Sprintf("postgres (PostgreSQL) %d.1", version))
		program(t, filepath.Join(dir, "initdb"), "")
		path += dir + string(filepath.ListSeparator)
	}
	t.Setenv("PATH", path+os.Getenv("PATH"))
	if got, err := Find(); err != nil || got.Version != "99.1" {
		t.Errorf("got %+v, %v, want 99.1", got, err)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{
			&NotInstalledError{What: "PostgreSQL 15 or newer"},
			"PostgreSQL 15 or newer is not installed; install it with: make setup (or: sh deploy/postgres.sh)",
		},
		{
			&ServerError{Op: "PostgreSQL did not start", Log: "/d/postgres.log", Err: errors.New("exit status 1"),
				Tail: lastLines("old\n1\n2\n3\n4\n5\n6\n7\nFATAL:  could not write lock file: No space left on device\n")},
			"PostgreSQL did not start: exit status 1: the disk is full, free some space and start again; log: /d/postgres.log\n" +
				"  1\n  2\n  3\n  4\n  5\n  6\n  7\n  FATAL:  could not write lock file: No space left on device",
		},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

// program makes a shell script that prints one line.
func program(t *testing.T, path, line string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho '"+line+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}
