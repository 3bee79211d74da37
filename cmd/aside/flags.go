package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options is a flag set whose values may also come from the environment: a flag
// given wins over its variable, the variable over the default. Every variable
// NAME may be given as NAME_FILE instead, a file that holds the value. Secrets
// have a variable only: command lines are visible to everyone on the machine.
type options struct {
	*flag.FlagSet
	env     func(string) string
	vars    map[string]string // flag name → variable
	secrets []secret
}

type secret struct {
	name, usage string
	value       *string
}

func newOptions(command string, env func(string) string) *options {
	o := &options{FlagSet: flag.NewFlagSet(command, flag.ContinueOnError), env: env, vars: map[string]string{}}
	o.SetOutput(io.Discard) // help and errors are printed once, by run
	return o
}

// fromEnv says that a flag, already defined, can be set by a variable.
func (o *options) fromEnv(flagName, variable string) { o.vars[flagName] = variable }

func (o *options) secretVar(value *string, name, usage string) {
	o.secrets = append(o.secrets, secret{name, usage, value})
}

// parse reads flags wherever they stand among the arguments, then the
// environment for what no flag set.
func (o *options) parse(args []string) (rest []string, err error) {
	for {
		if err := o.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{o.fault(err.Error())}
		}
		args = o.Args()
		if len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	given := map[string]bool{}
	o.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, variable := range o.vars {
		value, ok, err := o.lookup(variable)
		if err != nil {
			return nil, err
		}
		if !ok || given[name] {
			continue
		}
		if err := o.Set(name, value); err != nil {
			return nil, usageError{o.wrong(variable, name, value, err.Error())}
		}
	}
	for _, s := range o.secrets {
		value, ok, err := o.lookup(s.name)
		if err != nil {
			return nil, err
		}
		if ok {
			*s.value = value
		}
	}
	return rest, nil
}

// What package flag says of a wrong command line. What is said otherwise is passed on.
var (
	unknownFlag  = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	missingValue = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
	wrongValue   = regexp.MustCompile(`^invalid (?:boolean )?value ("(?:[^"\\]|\\.)*") for (?:flag )?-([^:]*): (.*)$`)
)

// fault says in our words what package flag found wrong.
func (o *options) fault(text string) string {
	if m := unknownFlag.FindStringSubmatch(text); m != nil {
		var names []string
		o.VisitAll(func(f *flag.Flag) { names = append(names, "--"+f.Name) })
		return fmt.Sprintf("there is no flag --%s%s", m[1], meant("--"+m[1], names))
	}
	if m := missingValue.FindStringSubmatch(text); m != nil {
		kind, _ := flag.UnquoteUsage(o.Lookup(m[1]))
		return fmt.Sprintf("--%s has no value: write --%[1]s %s", m[1], strings.ToUpper(kind))
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil {
		if value, err := strconv.Unquote(m[1]); err == nil {
			return o.wrong("--"+m[2], m[2], value, m[3])
		}
	}
	return text
}

// wrong says what is wrong with the value given for a flag as given: by itself or by its variable.
func (o *options) wrong(given, flagName, value, why string) string {
	if why != "parse error" && why != "value out of range" {
		return given + ": " + why
	}
	kind := "a whole number"
	if f, ok := o.Lookup(flagName).Value.(flag.Getter); ok {
		switch f.Get().(type) {
		case bool:
			kind = "true or false"
		case float64:
			kind = "a number"
		case time.Duration:
			kind = "a time such as 90s or 12h"
		}
	}
	return fmt.Sprintf("%s must be %s, not %q", given, kind, value)
}

// meant asks whether the name closest to a mistyped one was meant; "" when none is close.
func meant(typed string, names []string) string {
	best, least := "", 3 // two slips are a slip, three another word
	for _, n := range names {
		if d := slips(typed, n); d < least && d < len(typed) {
			best, least = n, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// slips counts the letters left out, put in or taken for another between two words.
func slips(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, above, row[j])
			}
			diagonal, row[j+1] = above, cost
		}
	}
	return row[len(b)]
}

func (o *options) lookup(variable string) (string, bool, error) {
	value, file := o.env(variable), o.env(variable+"_FILE")
	switch {
	case value != "" && file != "":
		return "", false, usageError{fmt.Sprintf("%s and %s_FILE are both set: keep one", variable, variable)}
	case file != "":
		b, err := os.ReadFile(file)
		if err != nil {
			return "", false, usageError{fmt.Sprintf("%s_FILE: %v", variable, err)}
		}
		return strings.TrimRight(string(b), "\r\n"), true, nil
	}
	return value, value != "", nil
}

// help writes the flags and variables a command understands.
func (o *options) help(w io.Writer) {
	fmt.Fprintln(w, "\nFlags:")
	o.VisitAll(func(f *flag.Flag) {
		kind, usage := flag.UnquoteUsage(f)
		line := "  --" + f.Name
		if kind != "" {
			line += " " + kind
		}
		if v := o.vars[f.Name]; v != "" {
			usage += "  [" + v + "]"
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
			usage += "  (default " + f.DefValue + ")"
		}
		fmt.Fprintf(w, "%-29s  %s\n", line, usage)
	})
	if len(o.secrets) == 0 {
		return
	}
	fmt.Fprintln(w, "\nEnvironment only (each also as …_FILE, naming a file that holds it):")
	for _, s := range o.secrets {
		fmt.Fprintf(w, "  %-30s  %s\n", s.name, s.usage)
	}
}

// list is a flag of comma-separated values.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	for _, v := range strings.Split(s, ",") {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(*l, v) {
			*l = append(*l, v)
		}
	}
	return nil
}
