#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# boot.sh "KERNEL [CPUS [new]]" FIRST PART... - boot a kernel once, with the modules built
# for it, and run parts there; new is a virtual host with the QEMU of trixie-backports.
# Prints their results at KTAP's top level, numbered from FIRST, and last whether the
# boot as a whole, its console above all, was clean.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

read -r KERNEL CPUS NEW <<<"$1"
NAME=$KERNEL${CPUS:+-$CPUS}${NEW:+-$NEW}
NR=$2
shift 2
PARTS=("$@")
OUT=$LOGS/boot-$NAME
STAGE=$TOP_DIR/build/payload/$NAME

# Races that KCSAN found, but neither side is ours, or the other one is that of the flags of
# pages, which the kernel's inline functions read while it sets bits there.
RACES_OF_OTHERS='KCSAN: data-race in (([^[]|\[([^p]|p[^v]))*$|gup_fast_fallback / )'

# The kernel as run.sh of the virtual host wants it, and its modules, in BUILT.
prepare_kernel() {
	local dir release

	case $KERNEL in
	own)
		BOOT=(--image "$IMAGE" --modules-dir "$MODULES_DIR")
		BINDS=(--bind "$KDIR")
		release=$(sed -n 's/.* UTS_RELEASE "\(.*\)"/\1/p' "$KDIR/include/generated/utsrelease.h")
		make_modules KDIR="$(realpath "$KDIR")" ;;
	debug | kcsan)
		dir=$("$VM_DIR/debug-kernel.sh" "$KERNEL")
		BOOT=(--kernel "$KERNEL" --allow "$RACES_OF_OTHERS")
		release=$(<"$dir/release")
		make_modules KDIR="$dir/build" KUNIT=1 ;;
	*)
		BOOT=(--kernel "$KERNEL")
		release=$("$VM_DIR/kver.sh" "$KERNEL")
		make_modules KVER="$release" ;;
	esac
	BUILT=$TOP_DIR/build/$release
	[ -z "$CPUS" ] || BOOT+=(--smp "$CPUS")
	[ -z "$NEW" ] || BOOT+=(--packages "src:qemu src:seabios src:ipxe")
}

prepare() {
	say "building for kernel $KERNEL"
	prepare_kernel
	stage_payload "$STAGE" "$BUILT"
	[[ " ${PARTS[*]}" != *" vmvsock"* ]] || stage_vsock "$STAGE" "${BUILT##*/}"
	DISK=$("$VM_DIR/guest-disk.sh")
}

boot() {
	nice -n "${BOOT_NICE:-0}" "$VM_DIR/run.sh" "${BOOT[@]}" --payload "$STAGE/." --disk "$DISK=guest" \
		--script check/main.sh --env "PVIO_ALL=${ALL:-}" --env "PEER=${PEER:-}" \
		--out "$OUT" -- "$NR" "${PARTS[@]}"
}

# Whatever ended this: results for parts that have none, and that of the boot.
finish() {
	local rc=$? part

	for part in "${PARTS[@]}"; do
		if ! grep -Eq "^(not )?ok $NR $part( |$)" "$OUT/output.log" 2>/dev/null; then
			echo "not ok $NR $part"
		fi
		NR=$((NR + 1))
	done
	# The script in the virtual host fails for what it has told already.
	if [ "$rc" = 0 ] || [ "$rc" = 1 ] && [ -s "$OUT/output.log" ]; then
		echo "ok $NR boot-$NAME"
	else
		ktap_note "exit status $rc, logs build/logs/boot-$NAME*"
		echo "not ok $NR boot-$NAME"
	fi
}

mkdir -p "$LOGS" "$(dirname "$STAGE")"
rm -f "$OUT/output.log"
trap finish EXIT
prepare >"$LOGS/boot-$NAME.build.log"
boot
