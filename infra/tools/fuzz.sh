#!/usr/bin/env bash
# Runs every Go fuzz target of the workspace for the given time each, or, with a second argument, so long that all
# of them take that many seconds together, builds not counted: infra/tools/fuzz.sh 30s [SECONDS]
# It fails when one of them found something: the input is then in its testdata/fuzz.
set -euo pipefail
cd "$(dirname "$0")/../.."
targets=$(go list -f '{{.Dir}}' work | while read -r dir; do
	{ grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null || true; } | awk -v dir="$dir" '{print dir, $2}'
done)
count=$(wc -l <<<"$targets")
time=${1:-30s}
if [ -n "${2:-}" ]; then time=$(($2 / count > 0 ? $2 / count : 1))s; fi
echo "$count targets, $time each"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
found=0
while read -r dir target; do
	echo "== ${dir#"$PWD"/} $target"
	# Making inputs smaller by default takes most of a short run, a minute each.
	if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$dir" >"$out" 2>&1; then
		grep '^fuzz: elapsed' "$out" | tail -1
	elif grep -q 'context deadline exceeded' "$out" && ! grep -qE 'Failing input written|panic:|FAIL.*build failed' "$out"; then
		echo "out of time between two inputs, nothing found" # https://go.dev/issue/75804
	else
		cat "$out"
		found=1
	fi
done <<<"$targets"
exit "$found"
