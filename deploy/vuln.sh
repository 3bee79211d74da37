#!/bin/sh
# Asks the Go vulnerability database about what this module calls. Where the database
# cannot be reached nothing is claimed: internal/versions_test.go holds the least
# versions without a network.
set -u
out=$(go tool govulncheck ./... 2>&1)
code=$?
case $out in
*"vuln.go.dev"*dial* | *"fetching vulnerabilities"* | *"no such host"* | *"connection refused"* | *"Forbidden"*)
	echo "vuln: the vulnerability database cannot be reached from here; nothing was checked"
	exit 0 ;;
esac
printf '%s\n' "$out"
exit $code
