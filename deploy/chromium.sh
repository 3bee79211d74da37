#!/bin/sh
# Makes sure this machine has a Chromium or Chrome for the browser tests.
#
#   sh deploy/chromium.sh
#
# It asks nothing and does nothing when there is one. Where it cannot install
# one it says how to, and fails only in CI (CI=true): elsewhere the browser
# tests are then skipped, and say so.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable headless-shell headless_shell; do
	if command -v "$name" >/dev/null; then exit 0; fi
done
for app in '/Applications/Google Chrome.app' /Applications/Chromium.app; do
	if [ -e "$app" ]; then exit 0; fi
done

export LC_ALL=C

say() { printf 'setup: %s\n' "$*"; }

# missing MESSAGE says what to do; only CI insists on a browser.
missing() {
	printf 'setup: no browser for the browser tests: %s\n' "$*" >&2
	if [ "${CI:-}" = true ]; then exit 1; fi
	exit 0
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

need_root() {
	as_root true 2>/dev/null || missing "installing Chromium needs root. Run: sudo sh $0"
}

# install_with COMMAND… runs it as root, and shows what it printed only when it fails.
install_with() {
	say "installing Chromium"
	if ! output=$(as_root "$@" 2>&1); then
		printf '%s\n' "$output" | tail -n 15 >&2
		missing "the installation failed. See what is wrong with: sudo $*"
	fi
}

if command -v apt-get >/dev/null; then
	# Ubuntu's package is an empty one that fetches a snap, so there the snap is installed itself.
	if grep -q '^ID=ubuntu' /etc/os-release; then
		command -v snap >/dev/null ||
			missing "Ubuntu ships Chromium as a snap and this machine has no snap. Install Google Chrome, or: sudo apt-get install snapd && sudo snap install chromium"
		need_root
		install_with snap install chromium
	else
		need_root
		if ! apt-cache policy chromium 2>/dev/null | grep -q 'Candidate: [^(]'; then
			say "refreshing the package lists"
			as_root apt-get -qq -o DPkg::Lock::Timeout=300 update || missing "the package lists could not be refreshed. See what is wrong with: sudo apt-get update"
		fi
		install_with env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
			-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends chromium fonts-liberation
	fi
elif command -v brew >/dev/null; then
	say "installing Chromium with Homebrew"
	brew install --quiet --cask chromium || missing "the installation failed. See what is wrong with: brew install --cask chromium"
elif command -v dnf >/dev/null; then
	need_root
	install_with dnf -q -y install chromium
elif command -v apk >/dev/null; then
	need_root
	install_with apk add --quiet chromium
else
	missing "no apt-get, brew, dnf or apk here. Install Chromium or Google Chrome by hand"
fi
