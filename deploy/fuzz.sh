#!/bin/sh
# Runs every fuzz target of the module for the time given, one after the other, and stops at the first
# that fails. What it found is then in the package's testdata/fuzz: commit it with the fix.
#
# An input that reaches new code is made smaller in twenty tries at most: left alone, Go
# spends a minute on each, and a slow target does nothing else in its time.
#
#   sh deploy/fuzz.sh 10s
set -eu

time=${1:-10s}
for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		printf '%s %s\n' "$package" "$target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$package"
	done
done
