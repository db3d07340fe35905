#!/usr/bin/env bash
# Builds bin/weir-temporal, Temporal's server for one machine, which `weir dev` starts when it is there. The first
# build compiles 1,700 packages that nothing else of Weir needs: five to ten minutes of two processors. It says how
# far it is.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p bin
at=$PWD/bin/weir-temporal
cd infra/temporal
export GOWORK=off
total=$(go list -deps ./store/entry | wc -l)
terminal=0
[ ! -t 1 ] || terminal=1
nice go build -v -trimpath -ldflags '-s -w' -o "$at" ./store/entry 2>&1 | awk -v total="$total" -v terminal="$terminal" '
	NF == 1 && /^[a-z]/ && !/:/ {
		n++
		if (terminal) { printf "\r%d of %d packages", n, total; fflush() }
		else if (n % 200 == 0) { printf "%d of %d packages\n", n, total; fflush() }
		next
	}
	{ print; fflush() }
	END { if (terminal && n) printf "\n" }'
