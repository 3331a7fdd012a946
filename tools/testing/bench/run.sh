#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh - make bench: instructions per I/O, natively and through pvio, by turns
# in one boot, in several boots. With instruction counting an emulated machine's
# clock counts instructions: a nanosecond is one of them. A table on stdout, and
# build/bench.json. BOOTS= says how many boots, ROUNDS= how many turns in each.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../check/lib.sh"

BOOTS=${BOOTS:-2}
ROUNDS=${ROUNDS:-2}
OUT=$LOGS/bench
STAGE=$TOP_DIR/build/payload/bench
JSON=$TOP_DIR/build/bench.json

prepare() {
	RELEASE=$("$VM_DIR/kver.sh" 6.12)
	say "building the modules for $RELEASE"
	mkdir -p "$LOGS"
	make_modules KVER="$RELEASE" >"$LOGS/bench.build.log" ||
		die "the build failed, see $LOGS/bench.build.log"
	stage_payload "$STAGE" "$TOP_DIR/build/$RELEASE" >>"$LOGS/bench.build.log"
	cp -r "$TOP_DIR/tools/testing/bench/host" "$STAGE/bench"
	make_modules KVER="$RELEASE" UNCOUNTED=1 OUT="$TOP_DIR/build/uncounted" \
		>>"$LOGS/bench.build.log" || die "the build failed, see $LOGS/bench.build.log"
	mkdir "$STAGE/uncounted"
	cp "$TOP_DIR"/build/uncounted/host/*/*.ko "$STAGE/uncounted"
}

# Each boot leaves lines "BENCH PEER UNIT OURS THEIRS", one for each round.
measure() {
	local boot

	rm -rf "$OUT"
	for ((boot = 1; boot <= BOOTS; boot++)); do
		say "boot $boot of $BOOTS"
		"$VM_DIR/run.sh" --kernel 6.12 --icount --packages qemu-utils --payload "$STAGE/." \
			--script bench/block.sh --out "$OUT/$boot" -- "$ROUNDS" >&2
	done
	cat "$OUT"/*/rows
}

# Means over all rounds; the spread is that of the ratio, as a part of it.
summarise() {
	awk '
	function add(key, i, v) {
		sum[key, i] += v
		if (n[key] == 1 || v < low[key, i]) low[key, i] = v
		if (n[key] == 1 || v > high[key, i]) high[key, i] = v
	}
	{
		key = $1 "\t" $2 "\t" $3
		if (!(key in n)) order[++keys] = key
		n[key]++
		add(key, 1, $4); add(key, 2, $5); add(key, 3, $5 ? $4 / $5 : 0)
	}
	END {
		for (k = 1; k <= keys; k++) {
			key = order[k]
			ratio = sum[key, 3] / n[key]
			printf "%s\t%.0f\t%.0f\t%.2f\t%.3f\n", key, sum[key, 1] / n[key],
				sum[key, 2] / n[key], ratio,
				ratio ? (high[key, 3] - low[key, 3]) / ratio : 0
		}
	}'
}

write_json() {
	builder jq -R -s '{rows: [split("\n")[] | select(. != "") | split("\t") |
		{bench: .[0], peer: .[1], unit: .[2], ours: (.[3] | tonumber),
		 theirs: (.[4] | tonumber), ratio: (.[5] | tonumber),
		 spread: (.[6] | tonumber)}]}' >"$JSON.new"
	mv "$JSON.new" "$JSON"
}

need_root
prepare
ROWS=$(measure | summarise)
write_json <<<"$ROWS"
printf '%s\n' $'bench\tpeer\tunit\tours\ttheirs\tratio\tspread' "$ROWS" |
	awk -F'\t' '{ printf "%-30s %-8s %-16s %8s %8s %6s %6s\n", $1, $2, $3, $4, $5, $6, $7 }'
