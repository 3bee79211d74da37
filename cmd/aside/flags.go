package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
			return nil, usageError{err.Error()}
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
			return nil, usageError{fmt.Sprintf("%s: %v", variable, err)}
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
