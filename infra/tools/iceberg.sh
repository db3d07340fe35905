#!/usr/bin/env bash
# Builds bin/weir-iceberg, which commits to tables of Apache Iceberg for planes and lies beside weir. The first build
# compiles 600 packages, most of which nothing else of Weir needs: two to three minutes of a processor.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p bin
at=$PWD/bin/weir-iceberg
cd infra/iceberg
GOWORK=off nice go build -trimpath -ldflags '-s -w' -o "$at.$$" ./store/entry
mv "$at.$$" "$at" # whole, whoever starts it meanwhile
