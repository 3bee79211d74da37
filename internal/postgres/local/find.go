package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// OldestMajor is the oldest PostgreSQL that will do.
const OldestMajor = 15

// Binaries are the server programs of one installed PostgreSQL.
type Binaries struct {
	Dir     string // holds postgres and initdb
	Major   int
	Version string // "15.18"
	Vector  string // the version of pgvector that CREATE EXTENSION would give; "" when there is none
}

// Find returns the newest PostgreSQL installed, or a [NotInstalledError].
// Whether it has pgvector is in the result; see [Binaries.CheckVector].
func Find() (Binaries, error) {
	all := installed()
	if len(all) == 0 {
		return Binaries{}, &NotInstalledError{What: fmt.Sprintf("PostgreSQL %d or newer", OldestMajor)}
	}
	return all[0], nil
}

// CheckVector returns a [NotInstalledError] unless b has pgvector 0.7 or newer.
func (b Binaries) CheckVector() error {
	var major, minor int
	if _, err := fmt.Sscanf(b.Vector, "%d.%d", &major, &minor); err == nil && (major > 0 || minor >= 7) {
		return nil
	}
	what := fmt.Sprintf("pgvector 0.7 or newer for PostgreSQL %d", b.Major)
	if b.Vector != "" {
		what += " (here: " + b.Vector + ")"
	}
	return &NotInstalledError{What: what}
}

// places are where systems put the server programs, besides PATH; deploy/postgres.sh looks in the same.
var places = [...]string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // the PostgreSQL project's RPMs
	"/usr/libexec/postgresql*",  // Alpine
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/Library/PostgreSQL/*/bin",
	"/usr/local/pgsql/bin",
}

// installed lists every PostgreSQL that will do, newest first.
func installed() []Binaries {
	var dirs []string
	for _, pattern := range places {
		found, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // a malformed pattern in the table above
		}
		dirs = append(dirs, found...)
	}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)

	var all []Binaries
	for _, dir := range dirs {
		if b, ok := inspect(dir); ok {
			all = append(all, b)
		}
	}
	slices.SortStableFunc(all, func(a, b Binaries) int { return b.Major - a.Major })
	return all
}

var (
	versionLine    = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)
	defaultVersion = regexp.MustCompile(`(?m)^default_version\s*=\s*'([^']*)'`)
)

// inspect says what PostgreSQL is in dir, if one that will do is.
func inspect(dir string) (Binaries, bool) {
	if !filepath.IsAbs(dir) {
		return Binaries{}, false // PATH may say "here", which is not for us
	}
	for _, program := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return Binaries{}, false
		}
	}
	match := versionLine.FindStringSubmatch(output(filepath.Join(dir, "postgres"), "--version"))
	if match == nil {
		return Binaries{}, false
	}
	major, err := strconv.Atoi(match[2])
	if err != nil || major < OldestMajor {
		return Binaries{}, false
	}
	return Binaries{Dir: dir, Major: major, Version: match[1], Vector: vectorVersion(dir)}, true
}

// vectorVersion is the default version in pgvector's control file, or "" when there is none.
func vectorVersion(dir string) string {
	shares := []string{filepath.Join(dir, "../share/postgresql"), filepath.Join(dir, "../share/pgsql")}
	if shared := output(filepath.Join(dir, "pg_config"), "--sharedir"); shared != "" {
		shares = []string{shared}
	}
	for _, share := range shares {
		control, err := os.ReadFile(filepath.Join(share, "extension", "vector.control"))
		if err != nil {
			continue
		}
		if match := defaultVersion.FindSubmatch(control); match != nil {
			return string(match[1])
		}
	}
	return ""
}

// output is the one line a program prints, or "" when it cannot be run.
func output(program string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return ""
	}
	return string(out[:len(out)-min(1, len(out))])
}
