#!/usr/bin/env bash
# Runs every Go fuzz target for the given time each.
set -euo pipefail
cd "$(dirname "$0")/../.."
time=${1:-30s}
go list -f '{{.Dir}}' work | while read -r dir; do
	{ grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null || true; } | awk '{print $2}' | while read -r target; do
		echo "== ${dir#"$PWD"/} $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir"
	done
done
