#!/usr/bin/env bash
# Builds bin/weir and says how far it is: the first build compiles every package, with minutes of silence otherwise.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p bin
total=$(go list -deps ./infra/weir | wc -l)
terminal=0
[ ! -t 1 ] || terminal=1
go build -v -trimpath -ldflags '-s -w' -o bin/weir ./infra/weir 2>&1 | awk -v total="$total" -v terminal="$terminal" '
	NF == 1 && /^[a-z]/ && !/:/ {
		n++
		if (terminal) { printf "\r%d of %d packages", n, total; fflush() }
		else if (n % 200 == 0) { printf "%d of %d packages\n", n, total; fflush() }
		next
	}
	{ print; fflush() }
	END { if (terminal && n) printf "\n" }'
