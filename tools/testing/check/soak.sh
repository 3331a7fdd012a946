#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh [MINUTES] [PART]... - make soak: what takes longer than make check. The parts, all of them by
# default:
#   selftest   on the debug kernel, load, rubbish in rings, bad input and VMMs that die, with another
#              seed in each round, until the time is up (60 minutes without an argument). SEED= is the
#              first one, 1 by default
#   vmbridge   VMs on pvio-bridge while it is restarted and killed, 50 times each, while modules are
#              replaced, 20 times, and while they migrate, 20 times; TIMES="50 50 20 20"
#   vmnet      VMs on /dev/vhost-net under traffic: 20 migrations, 20 resets of the device and its rings,
#              10 of the links, 10 SIGKILLs; NET_TIMES="20 20 10 10"
#   vmvsock    VMs on /dev/vhost-vsock that talk: 440 times a process at either end is killed, 40 times
#              the VMM, 20 times the VM migrates; VSOCK_TIMES="440 40 20"
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MINUTES=${1:-60}
PARTS=("${@:2}")
[ ${#PARTS[@]} -gt 0 ] || PARTS=(selftest vmbridge vmnet vmvsock)
read -ra TIMES <<<"${TIMES:-50 50 20 20}"
read -ra NET_TIMES <<<"${NET_TIMES:-20 20 10 10}"
read -ra VSOCK_TIMES <<<"${VSOCK_TIMES:-440 40 20}"

case $MINUTES in
'' | *[!0-9]*) die "MINUTES=$MINUTES is no number of minutes" ;;
esac

# soak NAME OPTION... - boot, and a last result for the boot as a whole
soak() {
	local name=$1 out=$LOGS/soak-$1 nr rc=0 passed failed

	"$VM_DIR/run.sh" --payload "$STAGE/." --out "$out" "${@:2}" | tee "$out.ktap" || rc=$?
	nr=$(($(grep -cE '^(not )?ok ' "$out.ktap") + 1))
	{
		# The script fails for what it has told.
		if [ "$rc" = 0 ] || { [ "$rc" = 1 ] && grep -q '^not ok' "$out.ktap"; }; then
			echo "ok $nr console"
		else
			echo "# exit status $rc, logs ${out#"$TOP_DIR"/}"
			echo "not ok $nr console"
		fi
		echo "1..$nr"
	} | tee -a "$out.ktap"
	read -r passed failed _ < <(awk -f "$CHECK_DIR/count.awk" "$out.ktap")
	echo "$name: $passed passed, $failed failed"
	[ "$failed" = 0 ] || FAILED=1
}

part_selftest() {
	local debug

	debug=$("$VM_DIR/debug-kernel.sh")
	STAGE=$TOP_DIR/build/payload/soak-selftest
	{
		make_modules KDIR="$debug/build"
		stage_payload "$STAGE" "$TOP_DIR/build/$(<"$debug/release")"
	} >"$LOGS/soak-selftest.build.log"
	soak selftest --kernel debug --script check/soak.sh -- "$MINUTES" "${SEED:-1}"
}

# soak_vms NAME SCRIPT ARG... - what a host of VMs does
soak_vms() {
	local name=$1 script=$2 release

	release=$("$VM_DIR/kver.sh" 6.12)
	STAGE=$TOP_DIR/build/payload/soak-$name
	{
		make_modules KVER="$release"
		stage_payload "$STAGE" "$TOP_DIR/build/$release"
		[ "$name" != vmvsock ] || stage_vsock "$STAGE" "$release"
	} >"$LOGS/soak-$name.build.log"
	soak "$name" --kernel 6.12 --smp 1 --disk "$("$VM_DIR/guest-disk.sh")=guest" \
		--script "check/$script" --env "PEER=${PEER:-}" -- "${@:3}"
}

part_vmbridge() {
	soak_vms vmbridge vmsoak.sh "${TIMES[@]}"
}

part_vmnet() {
	soak_vms vmnet vmnetsoak.sh "${NET_TIMES[@]}"
}

part_vmvsock() {
	soak_vms vmvsock vmvsocksoak.sh "${VSOCK_TIMES[@]}" "${SEED:-1}"
}

FAILED=0
need_root
mkdir -p "$LOGS"
for part in "${PARTS[@]}"; do
	[ "$(type -t "part_$part")" = function ] || die "no part $part"
	"part_$part"
done
exit $FAILED
