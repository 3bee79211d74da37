#!/bin/sh
# Makes sure this machine has the C compiler that Go's race detector needs.
#
#   sh deploy/compiler.sh
#
# It asks nothing, and prints -race when the race detector works, for go test.
# Where it cannot be made to work it says how to, and fails only in CI (CI=true):
# elsewhere the tests then run without it.
set -eu

export LC_ALL=C

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
printf 'package main\n\nfunc main() {}\n' >"$tmp/main.go"

say() { printf 'setup: %s\n' "$*" >&2; }

# works says whether a program built with the race detector runs here.
works() { CGO_ENABLED=1 go run -race "$tmp/main.go" >"$tmp/log" 2>&1; }

# done_if_works ends this script when there is nothing more to do.
done_if_works() {
	if works; then
		echo -race
		exit 0
	fi
}

# missing MESSAGE says what to do; only CI insists on the race detector.
missing() {
	say "the tests run without the race detector: $*"
	if [ "${CI:-}" = true ]; then exit 1; fi
	exit 0
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

need_root() {
	as_root true 2>/dev/null || missing "installing a C compiler needs root. Run: sudo sh $0"
}

# missing_log MESSAGE is missing, with the end of what the last command printed.
missing_log() {
	tail -n 15 "$tmp/log" >&2
	missing "$@"
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
		-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends gcc libc6-dev >"$tmp/log" 2>&1
}

# install_with COMMAND… runs it as root, and shows what it printed only when it fails.
install_with() {
	say "installing a C compiler"
	as_root "$@" >"$tmp/log" 2>&1 || missing_log "the installation failed. See what is wrong with: sudo $*"
}

done_if_works
if command -v gcc >/dev/null && [ -e /usr/include/stdio.h ]; then
	missing_log "there is a C compiler, and go run -race fails with the above"
elif [ "$(uname)" = Darwin ]; then
	missing "install Apple's compiler with: xcode-select --install"
elif command -v apt-get >/dev/null; then
	need_root
	say "installing a C compiler"
	apt_install || { # lists that are out of date are the usual reason
		as_root apt-get -qq -o DPkg::Lock::Timeout=300 update >&2 || missing "the package lists could not be refreshed. See what is wrong with: sudo apt-get update"
		apt_install
	} || missing_log "the installation failed. See what is wrong with: sudo apt-get install gcc libc6-dev"
elif command -v dnf >/dev/null; then
	need_root
	install_with dnf -q -y install gcc glibc-devel
elif command -v apk >/dev/null; then
	need_root
	install_with apk add --quiet gcc musl-dev
else
	missing "no apt-get, dnf or apk here. Install gcc and the C library's headers by hand"
fi
done_if_works
missing_log "a C compiler is installed, and go run -race fails with the above"
