#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh MINUTES [TARGET]... - make fuzz: the fuzzers of user space, one after the other on one
# processor, and beside them those of the debug kernel. Without a TARGET all of them. Inputs that
# reach something new are kept in the cache. SEED= is the first one of the kernel's, 1 by default.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Of the kernel: /dev/vhost-blk, /dev/vhost-net, and vDPA disks that reach memory in either way.
KERNEL="node net va pa"

MINUTES=$1
shift
case $MINUTES in
'' | *[!0-9]* | 0) die "MINUTES=$MINUTES is no number of minutes" ;;
esac
USER_TARGETS=() KERNEL_TARGETS=()
[ $# -gt 0 ] || read -r -a TARGETS <<<"$FUZZ_USER $KERNEL"
for target in "${@:-${TARGETS[@]}}"; do
	if [[ " $FUZZ_USER " = *" $target "* ]]; then
		USER_TARGETS+=("$target")
	elif [[ " $KERNEL " = *" $target "* ]]; then
		KERNEL_TARGETS+=("$target")
	else
		die "no target is called $target; there are: $FUZZ_USER $KERNEL"
	fi
done

run_user() {
	local seconds=$((MINUTES * 60 / ${#USER_TARGETS[@]})) target dir corpus log rc=0

	for target in "${USER_TARGETS[@]}"; do
		dir=$(fuzz_seeds "$target")
		corpus=$CACHE_DIR/fuzz-$target
		log=$LOGS/fuzz/$target.log
		mkdir -p "$corpus"
		say "$target, for $seconds s"
		fuzz_user "$target" "$log" -max_total_time="$seconds" "$corpus" "$dir" || rc=1
		fuzz_told "$target" "$log"
	done
	return "$rc"
}

run_kernel() {
	local out=$LOGS/fuzz/debug rc=0

	"$VM_DIR/run.sh" --kernel debug --payload "$STAGE/." --script check/fuzz.sh --out "$out" \
		-- "$MINUTES" "${SEED:-1}" "${KERNEL_TARGETS[@]}" >"$LOGS/fuzz/debug.ktap" || rc=$?
	for target in "${KERNEL_TARGETS[@]}"; do
		grep "^# $target: " "$LOGS/fuzz/debug.ktap" | tail -n 1 | cut -c3-
	done
	if [ "$rc" != 0 ]; then
		echo "debug kernel: found something (status $rc), logs ${out#"$TOP_DIR"/}; the last was" \
			"blk_fuzz $(sed -n 's/^.*# round //p' "$LOGS/fuzz/debug.ktap" | tail -n 1)"
	fi
	return "$rc"
}

prepare_kernel() {
	local debug

	debug=$("$VM_DIR/debug-kernel.sh")
	STAGE=$TOP_DIR/build/payload/fuzz
	mkdir -p "$(dirname "$STAGE")"
	{
		make_modules KDIR="$debug/build"
		stage_payload "$STAGE" "$TOP_DIR/build/$(<"$debug/release")"
	} >"$LOGS/fuzz/build.log" 2>&1 || die "the build failed, see build/logs/fuzz/build.log"
}

need_root
rm -rf "$LOGS/fuzz"
mkdir -p "$LOGS/fuzz"
RC=0 USER_PID=
if [ ${#USER_TARGETS[@]} -gt 0 ]; then
	fuzz_build >"$LOGS/fuzz/make.log" 2>&1 || die "the build failed, see build/logs/fuzz/make.log"
fi
[ ${#KERNEL_TARGETS[@]} = 0 ] || prepare_kernel
if [ ${#USER_TARGETS[@]} -gt 0 ]; then
	run_user &
	USER_PID=$!
fi
if [ ${#KERNEL_TARGETS[@]} -gt 0 ]; then
	run_kernel || RC=1
fi
if [ -n "$USER_PID" ]; then
	wait "$USER_PID" || RC=1
fi
exit "$RC"
