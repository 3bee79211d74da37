package eval

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string     `xml:"classname,attr"`
	Name    string     `xml:"name,attr"`
	Time    float64    `xml:"time,attr"`
	Failure *junitText `xml:"failure,omitempty"`
	Error   *junitText `xml:"error,omitempty"`
	Skipped *junitText `xml:"skipped,omitempty"`
	Output  string     `xml:"system-out,omitempty"`
}

type junitText struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes a run as JUnit XML, for CI servers.
func WriteJUnit(w io.Writer, results []Result) error {
	var doc junitSuites
	at := map[string]int{}
	for _, r := range results {
		key := r.Suite + " · " + r.Prompt + " · " + r.Provider
		i, ok := at[key]
		if !ok {
			i = len(doc.Suites)
			at[key] = i
			doc.Suites = append(doc.Suites, junitSuite{Name: key})
		}
		s := &doc.Suites[i]
		s.Tests++
		c := junitCase{Class: key, Name: r.Case, Time: r.LatencyMS / 1000, Output: printable(r.Output)}
		if r.Repeat > 0 {
			c.Name += fmt.Sprintf(" #%d", r.Repeat+1)
		}
		var why []string
		for _, a := range r.Asserts {
			if a.Outcome != Passed {
				why = append(why, fmt.Sprintf("%s %s: %s", a.Type, strings.Join(a.Value, ", "), a.Reason))
			}
		}
		text := printable(strings.Join(append(why, r.Line), "\n"))
		switch r.Outcome {
		case Failed:
			s.Failures++
			c.Failure = &junitText{Message: string(r.Cause), Type: string(r.Cause), Text: text}
		case Errored:
			s.Errors++
			c.Error = &junitText{Message: printable(r.Reason), Text: text}
		case Skipped:
			s.Skipped++
			c.Skipped = &junitText{Message: r.Reason}
		}
		s.Cases = append(s.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", " ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("write JUnit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable drops what XML cannot hold.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= ' ' && r != utf8.RuneError && r != 0xfffe && r != 0xffff {
			return r
		}
		return -1
	}, s)
}
