#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time (10s), one after another.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
found=0
while IFS=: read -r file line; do
	name=${line#func }
	name=${name%%(*}
	echo "== $(dirname "$file") $name"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$(dirname "$file")"
	found=$((found + 1))
done < <(grep -rE '^func Fuzz[A-Za-z0-9_]*\(' --include='*_test.go' --exclude-dir=node_modules --exclude-dir=testdata . | sed 's#^\./##' | sort)
echo "$found fuzz targets, all well"
