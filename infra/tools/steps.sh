#!/usr/bin/env bash
# Runs targets of the Makefile one after the other, with how long each takes about before it and how long it took
# after it, and the sum at the end: infra/tools/steps.sh check='half a minute' unit='2 minutes'
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
span() { if [ "$1" -lt 100 ]; then echo "$1 s"; else echo "$(($1 / 60)) min $(($1 % 60)) s"; fi; }
n=0 all=$SECONDS
for step; do
	target=${step%%=*} n=$((n + 1)) began=$SECONDS
	say "[$n/$#] $target: takes ${step#*=}"
	"${MAKE:-make}" --no-print-directory "$target" || {
		say "$target failed after $(span $((SECONDS - began))); by itself: make $target"
		exit 1
	}
	say "[$n/$#] $target took $(span $((SECONDS - began)))"
done
say "All of it took $(span $((SECONDS - all)))"
