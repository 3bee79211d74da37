#!/bin/sh
# Makes sure this machine has what the private database needs: the server
# programs of PostgreSQL 15 or newer and the extension pgvector 0.7 or newer.
#
#   sh deploy/postgres.sh
#
# It asks nothing, does nothing when both are there, and may be stopped and run
# again at any moment. It installs with the system's own package manager and
# never starts, stops or configures a database: a package that would create a
# system cluster is told not to. With ASIDE_DATABASE_URL set it touches nothing.
set -eu

if [ -n "${ASIDE_DATABASE_URL:-}" ]; then
	exit 0
fi

export LC_ALL=C
oldest_postgres=15
tmp=
# Present only while PostgreSQL is being installed (see install_postgres_apt).
no_cluster=/etc/postgresql-common/createcluster.d/aside-setup.conf

say() { printf 'setup: %s\n' "$*"; }

die() {
	printf 'setup: %s\n' "$@" >&2
	exit 1
}

cleanup() {
	if [ -n "$tmp" ]; then rm -rf "$tmp"; fi
	if [ -e "$no_cluster" ]; then as_root rm -f "$no_cluster" || true; fi
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

# as_root runs a command as root, without ever asking for a password.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

need_root() {
	if ! as_root true 2>/dev/null; then
		die "this machine lacks PostgreSQL $oldest_postgres or pgvector 0.7, and installing them needs root. Run: sudo sh $0" \
			"(or set ASIDE_DATABASE_URL to a database that has both)"
	fi
}

# step runs a command, shows its output only when it fails, and passes the failure on.
step() {
	"$@" >"$tmp/log" 2>&1 && return 0
	tail -n 15 "$tmp/log" >&2
	return 1
}

# --- what is there ---------------------------------------------------------

# find_postgres sets bindir and major to the newest server installed ("" and 0: none).
# internal/postgres/local/find.go looks in the same places.
find_postgres() {
	bindir='' major=0
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* \
		/opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
		/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin /Library/PostgreSQL/*/bin \
		/usr/local/pgsql/bin; do
		consider "$dir"
	done
	save_ifs=$IFS
	IFS=:
	for dir in $PATH; do consider "$dir"; done
	IFS=$save_ifs
}

consider() {
	if [ ! -x "$1/postgres" ] || [ ! -x "$1/initdb" ]; then return 0; fi
	version=$("$1/postgres" --version 2>/dev/null) || return 0 # postgres (PostgreSQL) 15.18 (…)
	version=${version#*PostgreSQL) }
	version=${version%%[!0-9]*}
	if [ "${version:-0}" -ge "$oldest_postgres" ] && [ "$version" -gt "$major" ]; then
		bindir=$1 major=$version
	fi
}

# vector_ok says whether the PostgreSQL found has a new enough pgvector.
vector_ok() {
	sharedir=
	if [ -x "$bindir/pg_config" ]; then
		sharedir=$("$bindir/pg_config" --sharedir)
	fi
	for dir in "$sharedir" "$bindir/../share/postgresql" "$bindir/../share/pgsql"; do
		if [ -f "$dir/extension/vector.control" ]; then
			new_enough "$(sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" "$dir/extension/vector.control")"
			return
		fi
	done
	return 1
}

# new_enough VERSION says whether a pgvector version is at least 0.7.
new_enough() {
	first=${1%%.*}
	second=${1#*.}
	second=${second%%[!0-9]*}
	case $first in '' | *[!0-9]*) return 1 ;; esac
	[ "$first" -gt 0 ] || [ "${second:-0}" -ge 7 ]
}

# --- Debian, Ubuntu and their relatives ------------------------------------

apt_candidate() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -v '^(none)$' || true; }

apt_update() {
	if [ -n "${apt_updated:-}" ]; then return 0; fi
	apt_updated=yes
	step as_root apt-get -q -o DPkg::Lock::Timeout=300 update ||
		die "the package lists could not be refreshed. See what is wrong with: sudo apt-get update"
}

# apt_install PACKAGE… installs without touching what is there. Lists that are
# out of date are the usual reason to fail, so it refreshes them and tries once more.
apt_install() {
	say "installing $*"
	for try in 1 2; do
		if as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
			-o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
			install --no-install-recommends "$@" >"$tmp/log" 2>&1; then
			return 0
		fi
		if [ "$try" = 1 ]; then apt_update; fi
	done
	tail -n 15 "$tmp/log" >&2
	die "the installation failed. See what is wrong with: sudo apt-get install $*"
}

install_postgres_apt() {
	if [ -z "$(apt_candidate postgresql)" ]; then apt_update; fi
	release=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1)
	if [ -z "$release" ]; then
		die "the package lists hold no PostgreSQL: is there a network? See what is wrong with: sudo apt-get update"
	fi
	if [ "$release" -lt "$oldest_postgres" ]; then
		die "this system's packages offer PostgreSQL $release, Aside needs $oldest_postgres or newer. Add the PostgreSQL project's own packages with:" \
			"  sudo apt-get install -y postgresql-common && sudo sh /usr/share/postgresql-common/pgdg/apt.*.sh -y" \
			"and run this again, or set ASIDE_DATABASE_URL"
	fi
	# The package would create and start a system cluster; only the programs are wanted.
	as_root mkdir -p "${no_cluster%/*}"
	echo 'create_main_cluster = false' | as_root tee "$no_cluster" >/dev/null
	apt_install "postgresql-$release"
	as_root rm -f "$no_cluster"
	say "PostgreSQL $release is installed (programs only: no system cluster was created or started)"
}

install_vector_apt() {
	if [ "$bindir" = "/usr/lib/postgresql/$major/bin" ]; then
		package=postgresql-$major-pgvector
		if [ -z "$(apt_candidate postgresql)" ]; then apt_update; fi
		if new_enough "$(apt_candidate "$package")"; then
			apt_install "$package"
			return
		fi
	fi
	build_vector
}

# apt_aside runs apt-get with lists and caches of its own, for one line of sources.
# Proxies, credentials and trusted keys of the machine stay in force.
apt_aside() {
	apt-get -q -o Dir::Etc::sourcelist="$tmp/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State="$tmp/state" -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache="$tmp/cache" "$@"
}

# fetch_vector_source unpacks pgvector's source, as the distribution ships it in
# a later suite, into $tmp/vector. apt checks its signature. The mirrors are those the
# machine itself uses for its distribution.
fetch_vector_source() {
	for distribution in Debian Ubuntu; do
		case $distribution in
		Debian) suites='trixie forky duke sid' component=main keyring=/usr/share/keyrings/debian-archive-keyring.gpg ;;
		Ubuntu) suites='resolute questing plucky' component=universe keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
		esac
		# shellcheck disable=SC2016 # apt fills in $(REPO_URI)
		mirrors=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' \
			"Origin: $distribution" "Label: $distribution" | sort -u)
		if [ ! -f "$keyring" ]; then continue; fi
		for suite in $suites; do
			for mirror in $mirrors; do
				rm -rf "$tmp/state" "$tmp/cache" "$tmp/source" "$tmp/vector"
				mkdir -p "$tmp/state/lists/partial" "$tmp/cache/archives/partial" "$tmp/source" "$tmp/vector"
				echo "deb-src [signed-by=$keyring] $mirror $suite $component" >"$tmp/sources.list"
				if apt_aside update >"$tmp/log" 2>&1 &&
					(cd "$tmp/source" && apt_aside source --download-only pgvector) >>"$tmp/log" 2>&1 &&
					tar -xzf "$tmp"/source/pgvector_*.orig.tar.gz --strip-components=1 -C "$tmp/vector" 2>>"$tmp/log" &&
					new_enough "$(sed -n "s/^default_version *= *'\([^']*\)'.*/\1/p" "$tmp/vector/vector.control")"; then
					say "building pgvector from the source package of $distribution $suite for PostgreSQL $major"
					return 0
				fi
			done
		done
	done
	if [ -f "$tmp/log" ]; then tail -n 15 "$tmp/log" >&2; fi
	die "pgvector is not packaged here and its source package could not be fetched. Check the network, then run: sh $0"
}

build_vector() {
	if [ -z "$(apt_candidate postgresql)" ]; then apt_update; fi
	fetch_vector_source
	if ! command -v gcc >/dev/null || ! command -v make >/dev/null || [ ! -e /usr/include/stdio.h ]; then
		apt_install gcc libc6-dev make
	fi
	headers=$("$bindir/pg_config" --includedir-server)
	if [ ! -e "$headers/postgres.h" ]; then
		# Only the headers are needed, so they are unpacked beside the build: installing the
		# package would bring a whole compiler and could restart a server that is in use.
		(cd "$tmp" && step apt-get -q download "postgresql-server-dev-$major") || {
			apt_update
			(cd "$tmp" && step apt-get -q download "postgresql-server-dev-$major")
		} || die "the headers of PostgreSQL $major could not be fetched. Install them with: sudo apt-get install postgresql-server-dev-$major"
		dpkg-deb -x "$tmp"/postgresql-server-dev-*.deb "$tmp/headers"
		headers=$tmp/headers$headers
	fi
	# OPTFLAGS is empty so that the result runs on other CPUs than this one.
	for target in all install; do
		step make -C "$tmp/vector" "$target" OPTFLAGS= with_llvm=no DESTDIR="$tmp/stage" \
			PG_CONFIG="$bindir/pg_config" includedir_server="$headers" ||
			die "pgvector could not be built. The compiler and headers come with: sudo apt-get install gcc make postgresql-server-dev-$major"
	done
	# The control file is what marks pgvector as present, so it goes last.
	libdir=$("$bindir/pg_config" --pkglibdir)
	extdir=$("$bindir/pg_config" --sharedir)/extension
	as_root install -m 755 "$tmp/stage$libdir/vector.so" "$libdir/"
	as_root install -m 644 "$tmp/stage$extdir"/vector--*.sql "$extdir/"
	as_root install -m 644 "$tmp/stage$extdir/vector.control" "$extdir/"
}

# --- others ----------------------------------------------------------------

install_brew() {
	say "installing postgresql@17 and pgvector with Homebrew"
	step brew install postgresql@17 pgvector ||
		die "the installation failed. See what is wrong with: brew install postgresql@17 pgvector"
}

install_dnf() {
	say "installing postgresql-server and pgvector"
	step as_root dnf -q -y install postgresql-server pgvector ||
		die "the installation failed. See what is wrong with: sudo dnf install postgresql-server pgvector"
}

install_apk() {
	say "installing postgresql and postgresql-pgvector"
	step as_root apk add --quiet postgresql postgresql-pgvector ||
		die "the installation failed. See what is wrong with: sudo apk add postgresql postgresql-pgvector"
}

# --- the run ---------------------------------------------------------------

find_postgres
if [ -n "$bindir" ] && vector_ok; then
	exit 0
fi

tmp=$(mktemp -d)
chmod 755 "$tmp" # apt downloads as a user of its own

if command -v apt-get >/dev/null; then
	need_root
	if [ -z "$bindir" ]; then install_postgres_apt; fi
	find_postgres
	if [ -n "$bindir" ] && ! vector_ok; then install_vector_apt; fi
elif command -v brew >/dev/null; then
	install_brew
elif command -v dnf >/dev/null; then
	need_root
	install_dnf
elif command -v apk >/dev/null; then
	need_root
	install_apk
else
	die "no apt-get, brew, dnf or apk here: install PostgreSQL $oldest_postgres or newer and pgvector 0.7 or newer by hand, or set ASIDE_DATABASE_URL"
fi

find_postgres
if [ -z "$bindir" ]; then
	die "PostgreSQL $oldest_postgres or newer is still missing after the installation. Install it by hand, or set ASIDE_DATABASE_URL"
fi
vector_ok || die "pgvector 0.7 or newer is still missing for PostgreSQL $major ($bindir). Install it by hand, or set ASIDE_DATABASE_URL"
say "PostgreSQL $major with pgvector is ready ($bindir)"
