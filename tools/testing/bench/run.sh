#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh [PART]... - make bench: pvio and its peers. A table on stdout, the same in
# build/bench.json, and charts in build/bench/. The parts, all of them by default:
#   block   instructions per I/O. With instruction counting an emulated machine's
#           clock counts instructions: a nanosecond is one of them
#   counts  kicks, calls and allocations per I/O, on four CPUs
#   net     instructions per frame, counted likewise
#   netcounts   kicks and calls per frame, on four CPUs
#   vsock   instructions per send of 64 KiB to a guest's socket and from it, and per
#           byte to and fro
#   vsockcounts   kicks, calls, packets, credit updates and copies of such, on four CPUs
#   pause   what VMs on pvio-bridge see when modules are replaced beneath them: VMS=
#           "qemu:1 qemu:8 ring:1 ring:8 ring:32", or others
#   native  the ring engine in user space: instructions and nanoseconds per chain
# BOOTS= says how many boots, ROUNDS= how many turns in each, and LOADS= what of block:
# "read:32 read:1 write:32 write:1", by the depth, or less; or of net: "out:64:64 out:1514:64
# out:64k:16 in:64:128 back:64:1 bounce:64:1", by a frame's length and how many go at once; or of
# vsock: "to from ping".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../check/lib.sh"

BENCH_DIR=$TOP_DIR/tools/testing/bench
BOOTS=${BOOTS:-2}
ROUNDS=${ROUNDS:-2}
read -ra LOADS <<<"${LOADS:-}"
OUT=$LOGS/bench
STAGE=$TOP_DIR/build/payload/bench
JSON=$TOP_DIR/build/bench.json
CHARTS=$TOP_DIR/build/bench
# The virtual host needs a peer that is in no image of make check.
PEER_PACKAGES=qemu-utils

prepare() {
	RELEASE=$("$VM_DIR/kver.sh" 6.12)
	say "building the modules for $RELEASE"
	make_modules KVER="$RELEASE" >"$LOGS/bench.build.log" ||
		die "the build failed, see $LOGS/bench.build.log"
	stage_payload "$STAGE" "$TOP_DIR/build/$RELEASE" >>"$LOGS/bench.build.log"
	cp -r "$BENCH_DIR/host" "$STAGE/bench"
	make_modules KVER="$RELEASE" UNCOUNTED=1 OUT="$TOP_DIR/build/uncounted" \
		>>"$LOGS/bench.build.log" || die "the build failed, see $LOGS/bench.build.log"
	mkdir "$STAGE/uncounted"
	cp "$TOP_DIR"/build/uncounted/host/*/*.ko "$STAGE/uncounted"
}

# boots PART ARGUMENTS OPTION... - run a script of that name in the virtual host, and again.
# Each boot leaves rows, one for each bench and peer and round.
boots() {
	local part=$1 arguments=() boot

	read -ra arguments <<<"$2"

	[ -n "${RELEASE:-}" ] || prepare
	for ((boot = 1; boot <= BOOTS; boot++)); do
		say "$part, boot $boot of $BOOTS"
		"$VM_DIR/run.sh" --kernel 6.12 --packages "$PEER_PACKAGES" "${@:3}" \
			--payload "$STAGE/." --script "bench/$part.sh" \
			--out "$OUT/$part/$boot" -- "$ROUNDS" "${arguments[@]}" >&2
	done
	cat "$OUT/$part"/*/rows >"$OUT/$part/rows"
}

# loads PATTERN - those that are of a part
loads() {
	printf '%s\n' "${LOADS[@]}" | sed -nE "/^($1)(:|$)/p" | paste -sd ' '
}

part_block() {
	boots block "$(loads 'read|write')" --icount
}

part_counts() {
	boots counts "" --smp 4
}

part_net() {
	boots net "$(loads 'out|in|back|bounce')" --icount
}

part_netcounts() {
	boots netcounts "" --smp 4
}

part_vsock() {
	boots vsock "$(loads 'to|from|ping')" --icount
}

part_vsockcounts() {
	boots vsockcounts "" --smp 4
}

part_pause() {
	boots pause "${VMS:-}" --smp 1 --mem 10G \
		--disk "$("$VM_DIR/guest-disk.sh")=guest"
}

part_native() {
	"$BENCH_DIR/native/run.sh" "$OUT/native" >&2
}

write_json() {
	builder jq -R -s 'def figure: if . == "-" then null else tonumber end;
		{rows: [split("\n")[] | select(. != "") | split("\t") |
			{bench: .[0], peer: .[1], unit: .[2], ours: (.[3] | figure),
			 theirs: (.[4] | figure), ratio: (.[5] | figure),
			 spread: (.[6] | figure)} +
			(if .[7] == "" then {} else {reason: .[7]} end)]}' >"$JSON.new"
	mv "$JSON.new" "$JSON"
}

print_table() {
	awk -F'\t' 'BEGIN { $0 = "bench\tpeer\tunit\tours\ttheirs\tratio\tspread\t"; show() }
		function show() {
			printf "%-42s %-15s %-19s %8s %8s %6s %6s  %s\n", $1, $2, $3, $4, $5, $6, $7, $8
		}
		{ show() }'
}

need_root
PARTS=("$@")
[ ${#PARTS[@]} -gt 0 ] || PARTS=(block counts net netcounts vsock vsockcounts native pause)
mkdir -p "$LOGS" "$OUT" "$CHARTS"
for part in "${PARTS[@]}"; do
	[ "$(type -t "part_$part")" = function ] || die "no part $part"
	rm -rf "${OUT:?}/$part"
	mkdir -p "$OUT/$part"
	"part_$part"
done
ROWS=$(for part in "${PARTS[@]}"; do cat "$OUT/$part/rows"; done |
	awk -f "$BENCH_DIR/summarise.awk")
write_json <<<"$ROWS"
rm -f "$CHARTS"/*.svg
awk -v DIR="$CHARTS" -f "$BENCH_DIR/chart.awk" <<<"$ROWS"
print_table <<<"$ROWS"
