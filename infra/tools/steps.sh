#!/usr/bin/env bash
# Runs targets of the Makefile one after the other, with how long each takes about before it and how long it took
# after it, and the sum at the end: infra/tools/steps.sh check='half a minute' unit='2 minutes'
# Targets that are joined by + run beside each other; the output of all but the first of them is shown when the
# first is through: infra/tools/steps.sh e2e+console='4 minutes'
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
span() { if [ "$1" -lt 100 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi; }
logs=$(mktemp -d)
trap 'rm -rf "$logs"; jobs -p | xargs -r kill 2>/dev/null || true' EXIT
n=0 all=$SECONDS
for step; do
	n=$((n + 1)) began=$SECONDS pids=() beside=()
	IFS=+ read -ra targets <<<"${step%%=*}"
	target=${targets[*]} # with blanks
	say "[$n/$#] $target: takes ${step#*=}"
	for one in "${targets[@]:1}"; do
		"${MAKE:-make}" --no-print-directory "$one" >"$logs/$one" 2>&1 &
		pids+=($!) beside+=("$one")
	done
	"${MAKE:-make}" --no-print-directory "${targets[0]}" || fail=${targets[0]}
	for i in "${!pids[@]}"; do
		wait "${pids[$i]}" || fail=${fail:-${beside[$i]}}
		cat "$logs/${beside[$i]}"
	done
	if [ "${fail:-}" ]; then
		say "[$n/$#] $fail failed after $(span $((SECONDS - began))); by itself: make $fail"
		exit 1
	fi
	say "[$n/$#] $target took $(span $((SECONDS - began)))"
done
say "All of it took $(span $((SECONDS - all)))"
