#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh OUT - ring engines in user space: instructions of a chain, by callgrind,
# and its nanoseconds, pvio's engine and its peers by turns. Leaves rows in OUT.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../check/lib.sh"

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
OUT=$1
NATIVE=$TOP_DIR/build/native
PEERS="vringh dpdk"
PARTS=10
ROUNDS=2000		# in which nanoseconds are taken
COUNTED_ROUNDS=20	# in which instructions are counted

# vringh, and what its user-space build takes from the kernel's tree. One header
# is not where tools/virtio looks for it.
unpack_vringh() {
	mkdir -p "$1/extra/linux"
	builder tar -xf /usr/src/linux-source-6.12.tar.xz -C "$1" --strip-components=1 --wildcards \
		'*/drivers/vhost/vringh.c' '*/include/linux/*.h' '*/include/uapi/linux/*.h' \
		'*/tools/virtio/*' '*/tools/include/*' '*/tools/arch/x86/include/*'
	ln -s ../../include/linux/compiler-context-analysis.h "$1/extra/linux/"
}

in_tree() {
	"$VM_DIR/in-builder.sh" --tree "$TREE" "$@"
}

# Each in a make of its own: a peer that can't be built is one that can't run.
build() {
	local version engine

	TREE=$("$HERE/../bench-builder.sh")
	version=$(builder dpkg-query -W linux-source-6.12)
	KERNEL_SRC=$CACHE_DIR/bench-vringh-$(echo "1 $version" | hash_of)
	cached "$KERNEL_SRC" unpack_vringh
	mkdir -p "$NATIVE"
	for engine in pvio $PEERS; do
		rm -f "$NATIVE/native-$engine"
		in_tree make -C "$HERE" O="$NATIVE" KERNEL_SRC="$KERNEL_SRC" \
			"$NATIVE/native-$engine" >"$OUT/$engine.build.log" 2>&1 ||
			say "native-$engine can't be built, see $OUT/$engine.build.log"
	done
}

# instructions ENGINE FORMAT SHAPE BATCH - of one chain, "-" where it can't
instructions() {
	local log=$OUT/callgrind.log

	in_tree valgrind --tool=callgrind --collect-atstart=no --callgrind-out-file=/dev/null \
		"$NATIVE/native-$1" "${@:2}" "$COUNTED_ROUNDS" >"$log" 2>&1 || { echo -; return; }
	awk '$1 == "chains" { chains = $2 }
		/Collected :/ { n = $NF }
		END { if (chains && n) printf "%.1f\n", n / chains; else print "-" }' "$log"
}

# nanoseconds ENGINE FORMAT SHAPE BATCH - PARTS lines of them
nanoseconds() {
	in_tree "$NATIVE/native-$1" "${@:2}" "$ROUNDS" 2>/dev/null |
		awk -v parts="$PARTS" '$1 == "ns" { print $2; n++ }
			END { while (n++ < parts) print "-" }'
}

# reason FORMAT ENGINE... - why those of them that can't run can't
reason() {
	local format=$1 engine said all=

	for engine in "${@:2}"; do
		said="cannot be built here"
		if [ -x "$NATIVE/native-$engine" ]; then
			said=$(in_tree "$NATIVE/native-$engine" "$format" one 1 "$PARTS" 2>&1) || true
			said=$(sed -n 's/^cannot //p' <<<"$said")
		fi
		all+=${said:+${all:+; }$engine: $said}
	done
	echo "$all"
}

# row BENCH PEER UNIT OURS THEIRS REASON
row() {
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$OUT/rows"
}

# measure FORMAT SHAPE BATCH
measure() {
	local name=$1-$2-b$3 peer why ours ns i
	local -A times

	ours=$(instructions pvio "$@")
	for peer in pvio $PEERS; do
		mapfile -t ns < <(nanoseconds "$peer" "$@")
		times[$peer]=${ns[*]}
	done
	for peer in $PEERS; do
		why=$(reason "$1" pvio "$peer")
		row "ring-native-instructions-$name" "$peer" instructions/chain "$ours" \
			"$(instructions "$peer" "$@")" "$why"
		for ((i = 1; i <= PARTS; i++)); do
			row "ring-native-ns-$name" "$peer" ns/chain \
				"$(cut -d' ' -f"$i" <<<"${times[pvio]}")" \
				"$(cut -d' ' -f"$i" <<<"${times[$peer]}")" "$why"
		done
	done
}

need_root
mkdir -p "$OUT"
rm -f "$OUT/rows"
build
for format in split packed; do
	for shape in one three indirect turns; do
		for batch in 32 1; do
			say "$format $shape $batch"
			measure "$format" "$shape" "$batch"
		done
	done
done
