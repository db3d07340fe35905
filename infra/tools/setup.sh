#!/usr/bin/env bash
# Installs what a Debian or Ubuntu with nothing but Go and git lacks to build Weir (dev), and also to test it
# (test). With all there it says nothing. As root it installs at once; with sudo and a terminal it asks first; else
# it prints the line to paste. Where a distribution's Node or Chromium will not do, one from npm goes to bin/tools.
#   infra/tools/setup.sh dev|test [-y]     -y: do not ask
set -euo pipefail
cd "$(dirname "$0")/../.."
what=${1:-dev} answer=${2:-}
export PATH="$PWD/bin/tools:$PATH"

node_least=20.19.0   # of vite, in web/package-lock.json
node_from_npm=22.23.3
npm_from_npm=10.9.9
chromium_from_npm=153.0.0
go_least=$(awk '$1 == "go" {print $2}' go.work)

fail() { printf '%s\n' "$@" >&2; exit 1; }
has() { command -v "$1" >/dev/null; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
node_is() { node --version 2>/dev/null | tr -d v; }

# Debian's Chromium or Google Chrome; a snap cannot see the tests' folders under /tmp.
has_browser() {
	local name
	for name in chromium google-chrome; do
		case $(command -v "$name") in '' | /snap/*) ;; *) return 0 ;; esac
	done
	return 1
}

has_postgres() {
	compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has initdb || return 1
	[ "$(id -u)" != 0 ] || id postgres >/dev/null 2>&1 # Postgres refuses root: tests start it as that user
}

has go || fail "Go is missing: install Go $go_least or newer from https://go.dev/dl"
go_is=$(go env GOVERSION 2>/dev/null | tr -d go) || true
if [ -z "$go_is" ] || ! at_least "$go_least" "$go_is"; then
	fail "Go is too old ($(cd / && go version | cut -d' ' -f3)): install Go $go_least or newer from https://go.dev/dl"
fi

missing=() packages=() # commands in words, and Debian's packages with them
lacks() { missing+=("$1"); packages+=("${@:2}"); }
has make || lacks make make
has git || lacks git git
has g++ || lacks 'g++ (a C++ compiler)' g++
{ has node && has npm; } || lacks "node $node_least or newer with npm" nodejs npm
[ -e /etc/ssl/certs/ca-certificates.crt ] || ! has apt-get || lacks 'CA certificates' ca-certificates
if [ "$what" = test ]; then
	has strace || lacks strace strace
	has curl || lacks curl curl
	has redis-server || lacks 'Redis (redis-server)' redis-server
	has_postgres || lacks "the Postgres server's binaries (initdb)" postgresql
	has pgbouncer || [ -x /usr/sbin/pgbouncer ] || lacks PgBouncer pgbouncer
	has mariadbd || [ -x /usr/sbin/mariadbd ] || lacks 'MariaDB (mariadbd)' mariadb-server
	has clickhouse-server || [ -x /usr/sbin/clickhouse-server ] || lacks 'ClickHouse (clickhouse-server)' clickhouse-server
	if ! has_browser; then
		# Ubuntu's package is a stub for a snap. What npm's Chromium needs is there instead.
		case $(. /etc/os-release 2>/dev/null; echo "${ID:-}") in
		ubuntu) has apt-get && for library in libnss3 libexpat1; do
			dpkg -s "$library" >/dev/null 2>&1 || lacks "$library" "$library"
		done ;;
		*) lacks 'chromium or google-chrome' chromium fonts-liberation ;;
		esac
	fi
fi

# progress says on a terminal how far apt-get is, and elsewhere each quarter.
progress() {
	local kind percent said=0
	while IFS=: read -r kind _ percent _; do
		percent=${percent%%.*}
		case $kind in dlstatus) percent=$((percent / 2)) ;; pmstatus) percent=$((50 + percent / 2)) ;; *) continue ;; esac
		if [ -t 2 ]; then
			printf '\r%3d %%' "$percent" >&2
		elif [ "$percent" -ge $((said + 25)) ]; then
			said=$percent
			printf '%d %%\n' "$percent" >&2
		fi
	done
	if [ -t 2 ]; then printf '\r     \r' >&2; fi
}

apt() { # [sudo] packages...
	local as=()
	if [ "$1" = sudo ]; then as=(sudo); shift; fi
	as+=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
	"${as[@]}" update &&
		"${as[@]}" install -y --no-install-recommends -o APT::Status-Fd=3 "$@" 3> >(progress) >/dev/null
}

if [ ${#packages[@]} -gt 0 ]; then
	has apt-get || fail 'These are missing; install them with the package manager of this system:' "${missing[@]/#/  }"
	as=() line=
	if [ "$(id -u)" != 0 ]; then
		as=(sudo)
		! has sudo || line="  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}"
		: "${line:="  as root: apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"}"
		if [ "$answer" != -y ]; then
			{ has sudo && [ -t 0 ]; } || fail "Missing: ${packages[*]}. Install with" "$line"
			read -r -p "Missing: ${packages[*]}. Install with sudo apt-get? [Y/n] " reply
			case $reply in '' | [yY]*) ;; *) fail 'Nothing was installed. The command is' "$line" ;; esac
		fi
	fi
	began=$SECONDS
	echo "Installing ${packages[*]} with apt-get: a minute or two"
	apt "${as[@]}" "${packages[@]}" || { echo 'Once more'; sleep 5; apt "${as[@]}" "${packages[@]}"; } ||
		fail "apt-get could not install ${packages[*]}"
	echo "Installed in $((SECONDS - began)) s"
fi

# from_npm installs packages of npm into bin/tools.
from_npm() {
	mkdir -p bin/tools
	npm install --prefix bin/tools --no-audit --no-fund --loglevel=error "$@" >/dev/null || fail "npm could not install $*"
}

machine=$(uname -m)
if ! at_least "$node_least" "$(node_is)"; then
	case $machine in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) arch= ;; esac
	[ -n "$arch" ] && [ "$(uname -s)" = Linux ] ||
		fail "Node is too old ($(node_is)): install Node $node_least or newer with npm from https://nodejs.org"
	echo "Node $(node_is) is older than $node_least: installing $node_from_npm beside it, into bin/tools: half a minute"
	from_npm "node-linux-$arch@$node_from_npm" npm@$npm_from_npm
	for name in node npm npx; do ln -sf "node_modules/.bin/$name" "bin/tools/$name"; done
fi
if [ "$what" = test ] && ! has_browser; then
	[ "$machine" = x86_64 ] || fail 'Chromium is missing, and a snap will not do: install google-chrome or a chromium that is no snap'
	echo "Installing Chromium $chromium_from_npm from npm into bin/tools: half a minute"
	from_npm "@sparticuz/chromium@$chromium_from_npm"
	node -e '
		const { createReadStream, createWriteStream, renameSync } = require("node:fs");
		createReadStream("bin/tools/node_modules/@sparticuz/chromium/bin/chromium.br")
			.pipe(require("node:zlib").createBrotliDecompress())
			.pipe(createWriteStream("bin/tools/chromium.part", { mode: 0o755 }))
			.on("finish", () => renameSync("bin/tools/chromium.part", "bin/tools/chromium"));'
fi
