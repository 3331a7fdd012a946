# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What make fuzz and the part fuzz of make check share: the fuzzers of user space.

. "$(dirname "${BASH_SOURCE[0]}")/../check/lib.sh"

FUZZ_DIR=$TOP_DIR/tools/testing/fuzz
FUZZ_OUT=$TOP_DIR/build/fuzz
FUZZ_FOUND=$FUZZ_OUT/found
# shellcheck disable=SC2034 # for whoever sources this
FUZZ_USER="ring table bridge"

# fuzz_build - the programs
fuzz_build() {
	mkdir -p "$FUZZ_OUT"
	builder make -C "$FUZZ_DIR/user" O="$FUZZ_OUT"
}

# fuzz_seeds TARGET - the corpus that is kept, a file for each input; prints where. The
# inputs are lines of hexadecimal digits, so that they can be looked at.
fuzz_seeds() {
	local dir=$FUZZ_OUT/seeds-$1 line nr=0

	rm -rf "$dir"
	mkdir -p "$dir"
	while read -r line; do
		[[ $line =~ ^[0-9a-f]+$ ]] || continue
		nr=$((nr + 1))
		# shellcheck disable=SC2001 # two digits at a time
		printf '%b' "$(sed 's/../\\x&/g' <<<"$line")" >"$dir/$nr"
	done <"$FUZZ_DIR/corpus/$1.hex"
	[ "$nr" -gt 0 ] || die "no inputs in $FUZZ_DIR/corpus/$1.hex"
	echo "$dir"
}

# fuzz_user TARGET LOG ARG... - run a fuzzer with libFuzzer's arguments; what it finds is kept
fuzz_user() {
	local target=$1 log=$2

	shift 2
	mkdir -p "$FUZZ_FOUND"
	builder "$FUZZ_OUT/$target" -max_len=1024 -rss_limit_mb=4096 -timeout=60 \
		-print_final_stats=1 -artifact_prefix="$FUZZ_FOUND/$target-" "$@" >"$log" 2>&1
}

# fuzz_told TARGET LOG - what came of it, in a line, and where it is if something was found
fuzz_told() {
	local runs cov found

	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$2")
	cov=$(sed -nE 's/^#[0-9]+.* cov: ([0-9]+) ft: ([0-9]+) corp: ([0-9]+).*/\1 edges, \2 features, corpus \3/p' "$2" |
		tail -n 1)
	echo "$1: ${runs:-no} executions${cov:+, $cov}"
	found=$(sed -n 's/.*Test unit written to //p' "$2" | tail -n 1)
	[ -z "$found" ] || echo "$1: found something: ${found#"$TOP_DIR"/}, log ${2#"$TOP_DIR"/}"
}
