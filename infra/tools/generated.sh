#!/usr/bin/env bash
# Fails when `make generate` would change a committed file.
set -euo pipefail
cd "$(dirname "$0")/../.."
before=$(git diff --stat; git ls-files --others --exclude-standard)
make --no-print-directory -s generate >/dev/null
after=$(git diff --stat; git ls-files --others --exclude-standard)
if [ "$before" != "$after" ]; then
	echo "generated files are stale; run make generate and commit:"
	git status --short
	exit 1
fi
