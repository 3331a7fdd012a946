#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# selftest.sh [KERNEL]... - does run.sh see what it must? Each case boots the
# virtual host with a script that goes wrong in one way, or does not. What doesn't
# depend on the kernel is tried with the first one only. KTAP.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$VM_DIR/ktap.sh"

OUT=$TOP_DIR/build/logs/vm-selftest
LKDTM=/sys/kernel/debug/provoke-crash/DIRECT

# try KERNEL CASE STATUS PATTERN SCRIPT [OPTION]... - run SCRIPT; want that exit
# status of run.sh, and PATTERN in what it and the script said
try() {
	local kernel=$1 name="$1 $2" dir=$OUT/$1-${2// /-} want=$3 pattern=$4 status=0

	mkdir -p "$OUT"
	printf '#!/bin/bash\n%s\n' "$5" >"$dir.sh"
	"$VM_DIR/run.sh" --kernel "$kernel" --script "$dir.sh" --out "$dir" \
		"${@:6}" -- one "two words" >"$dir.log" 2>&1 || status=$?
	if [ "$status" != "$want" ]; then
		ktap_not_ok "$name" "exit status $status, not $want, see $dir.log"
	elif ! grep -Eq -- "$pattern" "$dir.log"; then
		ktap_not_ok "$name" "it did not say $pattern, see $dir.log"
	else
		ktap_ok "$name"
	fi
}

round_trip() {
	local dir=$OUT/$1-round-trip release

	# shellcheck disable=SC2016 # expanded in the virtual host
	try "$1" "round trip" 7 "^ok 1 said by a script" '
		. "$PAYLOAD/ktap.sh"
		mkdir -p "$RESULTS/sub"
		uname -r >"$RESULTS/sub/release"
		printf "%s," "$@" "$NAME" "$(cat /payload/dir/file)" >"$RESULTS/args"
		[ -b /dev/pvio/extra ] && [ -b /dev/pvio/scratch ] || exit 1
		head -c 5 /dev/pvio/extra >"$RESULTS/extra"
		ktap_ok "said by a script"
		exit 7' --env "NAME=a value" --payload "$OUT/dir" --disk "$OUT/disk=extra"
	release=$(cat "$dir/sub/release" 2>/dev/null) || true
	if [ "$(cat "$dir/args" "$dir/extra" 2>/dev/null)" = "one,two words,a value,in a file,DISK." ] &&
	   [ -n "$release" ] && grep -q "($release," "$dir.log"; then
		ktap_ok "$1 results"
	else
		ktap_not_ok "$1 results" "not what the script wrote, see $dir"
	fi
}

any_kernel() {
	try "$1" silence 125 "silent for 20 s" "echo started; sleep 1000" --limit 20
	try "$1" "silent end" 125 "ended without a result" "busybox poweroff -f"
	try "$1" panic 125 "Kernel panic - not syncing: sysrq" \
		"echo 1 >/proc/sys/kernel/sysrq; echo c >/proc/sysrq-trigger; sleep 1000"
	try "$1" warning 125 "WARNING: CPU: 0 PID: 1 at" \
		'echo "<4>WARNING: CPU: 0 PID: 1 at nowhere.c:1" >/dev/kmsg'
	try "$1" "allowed warning" 0 "" \
		'echo "<4>WARNING: CPU: 0 PID: 1 at nowhere.c:1" >/dev/kmsg' --allow "nowhere\.c"
}

# A module against the debug kernel's build directory.
build_module() {
	rm -rf "$OUT/bad"
	cp -r "$VM_DIR/selftest" "$OUT/bad"
	"$VM_DIR/in-builder.sh" make -s -C "$("$VM_DIR/debug-kernel.sh")/build" \
		M="$OUT/bad" modules >"$OUT/bad/log" 2>&1 || true
}

# What the debug kernel is there for, each provoked for real.
debug_kernel() {
	try debug "no leak" 0 "" true
	try debug "real warning" 125 "WARNING: .*lkdtm" "echo WARNING >$LKDTM"
	try debug oops 125 "Oops: " "echo EXCEPTION >$LKDTM"
	try debug kasan 125 "KASAN: .*use-after-free" "echo READ_AFTER_FREE >$LKDTM"
	try debug ubsan 125 "UBSAN: array-index-out-of-bounds" "echo ARRAY_BOUNDS >$LKDTM"
	try debug list 125 "list_add corruption" "echo CORRUPT_LIST_ADD >$LKDTM"
	build_module
	try debug lockdep 125 "possible circular locking dependency" \
		"insmod pvio_bad.ko what=lockdep" --payload "$OUT/bad/pvio_bad.ko"
	try debug atomic 125 "scheduling while atomic|sleeping function called" \
		"insmod pvio_bad.ko what=atomic" --payload "$OUT/bad/pvio_bad.ko"
	try debug leak 125 "kmemleak: unreferenced object" \
		"insmod pvio_bad.ko what=leak" --payload "$OUT/bad/pvio_bad.ko"
	try debug "hung task" 125 "blocked for more than" "
		echo 5 >/proc/sys/kernel/hung_task_timeout_secs
		echo HUNG_TASK >$LKDTM &
		sleep 15"
}

KERNELS=("$@")
[ ${#KERNELS[@]} -gt 0 ] || KERNELS=(6.12 6.1 7.2 debug)
mkdir -p "$OUT/dir"
printf 'in a file' >"$OUT/dir/file"
printf 'DISK.' >"$OUT/disk"
truncate -s 1M "$OUT/disk"
PLAN=$((5 + 2 * ${#KERNELS[@]}))
[[ " ${KERNELS[*]} " != *" debug "* ]] || PLAN=$((PLAN + 10))
ktap_plan "$PLAN"
any_kernel "${KERNELS[0]}"
for kernel in "${KERNELS[@]}"; do
	round_trip "$kernel"
	[ "$kernel" != debug ] || debug_kernel
done
ktap_finish
