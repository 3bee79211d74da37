// Command summary runs go test with the arguments it is given, makes its output readable and sums it up:
//
//	go run ./internal/testkit/summary -race ./...
//
// It prints a line for each package as it finishes, the whole output of tests that failed, and as the
// last line "N passed, N failed, N skipped", where a package that does not build or ends without a
// failed test of its own counts as one that failed. It exits 1 when anything failed or nothing ran.
// Lines that are not JSON are passed through, so that nothing go says is lost.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		os.Exit(1) // the summary, or what go said, is on the screen
	}
}

var errFailed = errors.New("tests failed, or none ran")

// run runs go test -json with args.
func run(args []string, out io.Writer) error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	test := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	test.Stdout, test.Stderr = write, write
	err = test.Start()
	write.Close()
	if err != nil {
		fmt.Fprintln(out, err)
		return err
	}
	return summarise(read, test.Wait, out)
}

// event is one line of go test -json (see go doc test2json and go help buildjson).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build events
	Test        string
	Output      string
	FailedBuild string
}

// report is what has been seen so far.
type report struct {
	out                     *bufio.Writer
	passed, failed, skipped int
	output                  map[string]*strings.Builder // by test or package, until it is known whether it is wanted
	failedIn                map[string]int              // failed tests by package
}

// summarise reads the output of go test from in, then asks wait how it ended.
func summarise(in io.Reader, wait func() error, out io.Writer) error {
	r := &report{out: bufio.NewWriter(out), output: map[string]*strings.Builder{}, failedIn: map[string]int{}}
	lines := bufio.NewReader(in)
	var readErr error
	for readErr == nil {
		var line string
		if line, readErr = lines.ReadString('\n'); line != "" {
			r.line(line)
		}
	}
	if readErr == io.EOF {
		readErr = nil
	}
	// When go test fails, some test or package has; if none is known to have, that counts as one.
	if err := errors.Join(readErr, wait()); err != nil && r.failed == 0 {
		fmt.Fprintln(r.out, "go test:", err)
		r.failed++
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	if err := r.out.Flush(); err != nil {
		return err
	}
	if r.failed > 0 || r.passed+r.skipped == 0 {
		return errFailed
	}
	return nil
}

func (r *report) line(line string) {
	var e event
	if !strings.HasPrefix(line, "{") || json.Unmarshal([]byte(line), &e) != nil || e.Action == "" {
		r.out.WriteString(line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		r.out.WriteString(e.Output)
	case "output":
		if r.output[key] == nil {
			r.output[key] = &strings.Builder{}
		}
		r.output[key].WriteString(e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			r.finish(e)
		} else {
			r.count(e, key)
		}
		delete(r.output, key)
		r.out.Flush() // progress; a broken pipe shows at the end
	}
}

// count counts a test, and shows what it said if it failed.
func (r *report) count(e event, key string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "skip":
		r.skipped++
	case "fail":
		r.failed++
		r.failedIn[e.Package]++
		r.show(key)
	}
}

// finish shows the line of a package, and all it said if it failed.
func (r *report) finish(e event) {
	key := e.Package + " "
	if e.Action != "fail" {
		for line := range strings.Lines(r.text(key)) {
			if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "? ") {
				r.out.WriteString(line)
			}
		}
		return
	}
	if r.failedIn[e.Package] == 0 { // it did not build, panicked, or its TestMain failed
		r.failed++
	}
	for _, other := range slices.Sorted(maps.Keys(r.output)) { // tests a panic or a timeout cut off
		if other != key && strings.HasPrefix(other, key) {
			r.show(other)
			delete(r.output, other)
		}
	}
	if e.FailedBuild != "" {
		fmt.Fprintf(r.out, "FAIL\t%s [build failed]\n", e.Package)
		return
	}
	r.show(key)
}

func (r *report) show(key string) { r.out.WriteString(r.text(key)) }

func (r *report) text(key string) string {
	if b := r.output[key]; b != nil {
		return b.String()
	}
	return ""
}
