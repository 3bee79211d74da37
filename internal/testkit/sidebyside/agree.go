package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// suites are what both tools run: promptfoo's own format, read from the tests'
// files.
var suites = []string{"promptfoo", "promptfoo-graded"}

// agree runs the suites with both tools, against the judge of judge.go, and
// compares every assertion: pass or fail, and the score.
func agree(promptfoo string) error {
	dir, err := os.MkdirTemp("", "agree")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	address, stop, err := serveJudge()
	if err != nil {
		return err
	}
	defer stop()
	env := append(environment(dir, address), "ASIDE_EMBED_MODEL=words", "OPENAI_BASE_URL="+address)
	differ := 0
	for _, name := range suites {
		suite := filepath.Join("internal/eval/testdata", name, "promptfooconfig.yaml")
		file, out := filepath.Join(dir, name+".json"), filepath.Join(dir, name)
		// Exit 100 is that a case failed, which some do.
		if err := quietly(env, 100, promptfoo, "eval", "-c", suite, "--no-cache", "--no-progress-bar", "--no-table", "--no-write", "-o", file); err != nil {
			return fmt.Errorf("promptfoo: %w", err)
		}
		if err := quietly(env, 0, "bin/aside", "eval", suite, "--no-cache", "--out", out); err != nil {
			return fmt.Errorf("aside: %w", err)
		}
		theirs, err := readPromptfoo(file)
		if err != nil {
			return err
		}
		ours, err := readAside(filepath.Join(out, "results.jsonl"))
		if err != nil {
			return err
		}
		if len(ours) != len(theirs) {
			return fmt.Errorf("%s: aside judged %d assertions, promptfoo %d", name, len(ours), len(theirs))
		}
		for i, o := range ours {
			t := theirs[i]
			if o.kind != t.kind || o.pass != t.pass || math.Abs(o.score-t.score) > 1e-6 {
				differ++
				fmt.Printf("%s: %s: %s: aside %v %.4f (%s), promptfoo %s %v %.4f (%s)\n", name, o.of, o.kind, o.pass, o.score, o.reason, t.kind, t.pass, t.score, t.reason)
			}
		}
		fmt.Printf("%s: %d assertions judged by both\n", name, len(ours))
	}
	if differ > 0 {
		return fmt.Errorf("%d assertions were judged otherwise", differ)
	}
	fmt.Println("all were judged alike")
	return nil
}

// judged is what a tool says of one assertion.
type judged struct {
	of, kind, reason string
	pass             bool
	score            float64
}

// kindOf gives promptfoo's other names of a kind the one that aside reports.
func kindOf(kind string) string {
	return strings.Replace(kind, "model-graded-factuality", "factuality", 1)
}

func readAside(file string) (out []judged, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	byKey := map[string][]judged{}
	var order []string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r struct {
			Line, Prompt, Description, Case string
			Asserts                         []struct {
				Type, Outcome, Reason string
				Score, Weight         float64
			}
		}
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		key := r.Case + "|" + r.Prompt
		order = append(order, key)
		for _, a := range r.Asserts {
			if a.Outcome == "error" {
				return nil, fmt.Errorf("%s: %s: %s", r.Case, a.Type, a.Reason)
			}
			// promptfoo has what weighs nothing pass.
			if a.Type != "assert-set" { // its members are not reported one by one
				byKey[key] = append(byKey[key], judged{r.Description, a.Type, a.Reason, a.Outcome == "pass" || a.Weight == 0, a.Score})
			}
		}
	}
	slices.Sort(order)
	for _, key := range order {
		out = append(out, byKey[key]...)
	}
	return sorted(out), lines.Err()
}

func readPromptfoo(file string) (out []judged, err error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc struct {
		Results struct {
			Results []struct {
				TestCase      struct{ Description string }
				Error         string
				GradingResult struct {
					ComponentResults []struct {
						Pass      bool
						Score     float64
						Reason    string
						Assertion *struct{ Type string }
						Metadata  struct {
							AssertionSet *struct{ AssertionCount int }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	if len(doc.Results.Results) == 0 {
		return nil, errors.New("promptfoo reported nothing")
	}
	for _, r := range doc.Results.Results {
		skip := 0
		for _, c := range r.GradingResult.ComponentResults {
			switch {
			case c.Assertion == nil && c.Metadata.AssertionSet != nil:
				skip = c.Metadata.AssertionSet.AssertionCount
			case skip > 0:
				skip--
			case c.Assertion != nil:
				out = append(out, judged{r.TestCase.Description, kindOf(c.Assertion.Type), c.Reason, c.Pass, c.Score})
			}
		}
	}
	return sorted(out), nil
}

// sorted puts what the tools say of one case side by side; those of one kind in a
// case are told apart by what was said.
func sorted(all []judged) []judged {
	slices.SortStableFunc(all, func(a, b judged) int {
		x, y := fmt.Sprintf("%s|%s|%v|%.5f", a.of, a.kind, a.pass, a.score), fmt.Sprintf("%s|%s|%v|%.5f", b.of, b.kind, b.pass, b.score)
		return strings.Compare(x, y)
	})
	return all
}

// quietly runs a command, which may also end with the exit code given.
func quietly(env []string, also int, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = env
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err == nil || errors.As(err, &exit) && exit.ExitCode() == also && also != 0 {
		return nil
	}
	return fmt.Errorf("%w\n%s", err, text[max(0, len(text)-2000):])
}
