#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The fuzzers of user space: the inputs that are kept, and as many new ones as fit in a minute on a
# machine of the usual speed, the same ones every time.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../fuzz/lib.sh"

# How many new inputs.
declare -A RUNS=([ring]=30000 [table]=100000 [bridge]=10000)

fuzz_part() {
	local target=$1 log=$PART_LOGS/$2.libfuzzer rc=0

	shift 2
	fuzz_user "$target" "$log" "$@" || rc=$?
	fuzz_told "$target" "$log"
	[ "$rc" = 0 ] || tail -n 30 "$log"
	return "$rc"
}

kept() {
	local dir

	dir=$(fuzz_seeds "$1")
	fuzz_part "$1" "$1_kept" -runs=0 "$dir"
}

new() {
	local dir

	dir=$(fuzz_seeds "$1")
	rm -rf "$FUZZ_OUT/grown-$1"
	mkdir -p "$FUZZ_OUT/grown-$1"
	fuzz_part "$1" "$1_new" -seed=1 -runs="${RUNS[$1]}" "$FUZZ_OUT/grown-$1" "$dir"
}

# What the driver says may index nothing before array_index_nospec().
nospec() {
	builder "$FUZZ_OUT/taint/taint" "$(fuzz_seeds ring)"/*
}

part fuzz 8
try build fuzz_build
for target in $FUZZ_USER; do
	try "${target}_kept" kept "$target"
	try "${target}_new" new "$target"
	grep -h '^[a-z]*: .*executions' "$PART_LOGS/${target}_new.log" | sed 's/^/# /' || true
done
try nospec nospec
ktap_finish
