package local

import (
	"fmt"
	"strings"
)

const mend = "install it with: make setup (or: sh deploy/postgres.sh)"

// NotInstalledError says that programs are missing on this machine.
type NotInstalledError struct {
	What string // "PostgreSQL 15 or newer", "pgvector 0.7 or newer for PostgreSQL 15"
}

func (e *NotInstalledError) Error() string {
	return e.What + " is not installed; " + mend
}

// VersionError says that the data directory was made by a PostgreSQL this machine does not have.
type VersionError struct {
	Dir       string // the cluster's data directory
	Made      string // the major version that made it
	Installed string // the newest version here
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("the data in %s was made by PostgreSQL %s and this machine has %s, which cannot read it. "+
		"Nothing was changed. Install PostgreSQL %s with its pgvector (Debian, Ubuntu: sudo apt-get install postgresql-%[2]s postgresql-%[2]s-pgvector), "+
		"move the data with pg_upgrade, or start afresh with another data directory",
		e.Dir, e.Made, e.Installed, e.Made)
}

// ServerError says that a PostgreSQL program failed, with the last lines it wrote.
type ServerError struct {
	Op   string // what was being done
	Log  string // the file that holds all of it, if any
	Tail string // its last lines
	Err  error  // how it ended, if known
}

func (e *ServerError) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if advice := e.advice(); advice != "" {
		b.WriteString(": " + advice)
	}
	if e.Log != "" {
		b.WriteString("; log: " + e.Log)
	}
	for line := range strings.Lines(e.Tail) {
		b.WriteString("\n  " + strings.TrimRight(line, "\n"))
	}
	return b.String()
}

func (e *ServerError) Unwrap() error { return e.Err }

// advice says what to do about the failures people meet.
func (e *ServerError) advice() string {
	for _, known := range []struct{ sign, advice string }{
		{"No space left on device", "the disk is full, free some space and start again"},
		{"has invalid permissions", "make the directory private again with chmod 700 and start again"},
		{"has wrong ownership", "the data belongs to another user, start as that user or give it back with chown -R"},
		{"Permission denied", "the user the server runs as may not read or write a file, see the owner and mode of what is named below"},
		{"Read-only file system", "the file system cannot be written, use a data directory on another one"},
		{"could not create shared memory segment", "the machine is out of shared memory, stop other databases or raise its limit"},
	} {
		if strings.Contains(e.Tail, known.sign) {
			return known.advice
		}
	}
	return ""
}

// lastLines is the end of what a program wrote, short enough for an error.
func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-8):], "\n")
}
