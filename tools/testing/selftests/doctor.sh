#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: each finding of "pvioctl doctor", and that there is
# none without a cause. What can't be had for real stands, by mounts, where the command looks.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
. "$HERE/pvioctl_lib.sh"

NODE=/dev/vhost-blk

# finds WORD... - the doctor does, and says what mends it
finds() {
	said_with 1 "$@" -- doctor || return
	p doctor --json >/tmp/doctor || true
	jq -e 'map(select(.level == "wrong" and .what != "" and .mend != "")) | length > 0' \
		/tmp/doctor >/dev/null || fail "$(cat /tmp/doctor)"
}

# finds_there COMMANDS WORD... - the same, where COMMANDS were done
finds_there() {
	local commands=$1 word

	shift
	in_place "$commands
		! '$PVIOCTL' doctor >/tmp/said" || fail "the doctor finds nothing" || return
	for word in "$@"; do
		grep -qF -- "$word" /tmp/said || fail "'$word' expected: $(cat /tmp/said)" || return
	done
}

healthy() {
	p doctor >/tmp/said || fail "$(cat /tmp/said)" || return
	grep -qF "nothing stands in the way" /tmp/said
	p doctor --json | jq -e 'map(select(.level == "wrong")) | length == 0' >/dev/null
	has_vdpa || grep -F "this kernel has no vDPA" /tmp/said >/dev/null
}

not_loaded() {
	local dep

	dep=/lib/modules/$(uname -r)
	finds_there "mount -t tmpfs none /sys/module; mount -t tmpfs none /lib/modules" \
		"neither loaded nor installed" "make modules_install" \
		"another module has /dev/vhost-blk"
	finds_there "mount -t tmpfs none /sys/module; mount -t tmpfs none /lib/modules; mkdir $dep
		echo updates/pvio_vhost_blk.ko.xz: >$dep/modules.dep" \
		"pvio_vhost_blk is not loaded" "    modprobe pvio_vhost_blk"
	finds_there "mount -t tmpfs none /sys/module; mkdir /sys/module/vhost_blk" \
		"another project's module vhost_blk" "    modprobe -r vhost_blk"
}

kernel_refuses() {
	local what

	echo 128 >/tmp/tainted
	finds_there "mount --bind /tmp/tainted /proc/sys/kernel/tainted" "there was an oops" reboot
	finds_there "mount -t tmpfs none /sys/module; mount -t tmpfs none /sys/kernel; mkdir /sys/kernel/security
		echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown" \
		"locked down" "mokutil --import"
	finds_there "mount -t tmpfs none /sys/module; mkdir -p /sys/module/module/parameters
		mount -t tmpfs none /sys/kernel; mkdir /sys/kernel/security
		echo Y >/sys/module/module/parameters/sig_enforce" "sig_enforce" "mokutil --import"
	# With the modules loaded there is nothing to be let in.
	what=$(in_place "mount -t tmpfs none /sys/kernel; mkdir /sys/kernel/security
		echo 'none [integrity] confidentiality' >/sys/kernel/security/lockdown
		'$PVIOCTL' doctor || true")
	! grep -q "locked down" <<<"$what"
}

nodes() {
	chmod 0666 "$NODE"
	finds "everybody on this host may open $NODE" "chmod o= $NODE"
	chmod 0600 "$NODE"
	mv "$NODE" /dev/vhost-blk-aside
	finds "$NODE is missing" "mknod -m 0600 $NODE c 10 "
	mknod "$NODE" c 1 3
	finds "$NODE is not the device of pvio_vhost_blk" "mknod"
	mv -f /dev/vhost-blk-aside "$NODE"
	healthy
}

vdpa_missing() {
	local dep

	dep=/lib/modules/$(uname -r)
	finds_there "umount /sys/kernel/config" "configfs is not mounted" \
		"    mount -t configfs none /sys/kernel/config"
	finds_there "mount -t tmpfs none /sys/bus/vdpa/drivers" "vhost_vdpa is not loaded" \
		"    modprobe vhost_vdpa"
	finds_there "mount -t tmpfs none /sys/bus/vdpa/drivers; mount -t tmpfs none /lib/modules
		mkdir $dep; touch $dep/modules.dep" "no vhost_vdpa (CONFIG_VHOST_VDPA)"
	in_place "mount -t tmpfs none /sys/bus; '$PVIOCTL' doctor >/tmp/said"
	grep -qF "note: vDPA is not loaded" /tmp/said
}

not_shared() {
	local node

	store_make ctlstore 16
	node=$(p blk add disk0 --path /dev/ctlstore)
	chmod 0606 "$node"
	finds "everybody on this host may read and write disk disk0" "chmod o= $node"
	chmod 0600 "$node"
	# Who only has it open is nobody's VMM.
	hold_start "$node" private=64
	healthy
	hold_end
	hold_start "$node" private=64 start
	finds "process $HOLD_PID (hold) has disk disk0 with memory=va, and no shared memory" \
		memory-backend-memfd
	hold_end
	hold_start "$node" private=64 shared=64 start
	healthy
	hold_end
	p blk del disk0
}

not_lockable() {
	local node

	store_make ctlstore 16
	node=$(p blk add disk0 --path /dev/ctlstore --memory pa)
	ulimit -l 8192
	hold_start "$node" private=64 start
	finds "process $HOLD_PID (hold) has disk disk0 with memory=pa, and may lock 8192 KiB" \
		"prlimit --pid $HOLD_PID"
	prlimit --pid "$HOLD_PID" --memlock=unlimited:unlimited
	healthy
	hold_end
	p blk del disk0
}

# How many pieces pinned memory may have is said where the kernel counts them.
few_extents() {
	local file=

	for file in /sys/module/{vhost_vdpa,vhost_iotlb,vhost}/parameters/max_iotlb_entries; do
		[ ! -e "$file" ] || break
	done
	[ -e "$file" ] || return 4
	note "$file is $(cat "$file")"
	store_make ctlstore 16
	p blk add disk0 --path /dev/ctlstore --memory pa >/dev/null
	p doctor | grep -F "note: disk disk0 has memory=pa" | grep -F "$(cat "$file") pieces" >/dev/null
	p doctor | grep -F "max_iotlb_entries=1000000" >/dev/null
	p blk del disk0
}

broken_queue() {
	store_make ctlstore 8
	hold_start "$NODE" owner "break=/dev/ctlstore"
	await "$LIMIT" eval "p stats | grep -E '^vhost-blk[0-9]+ +0 +broken' >/dev/null"
	finds "queue 0 of vhost-blk" "is broken: " "reset the VM"
	hold_end
	healthy
}

# blind WORD COMMAND... - run so, the doctor says that it can't see the queues, and why
blind() {
	local word=$1

	shift
	"$@" "$PVIOCTL" doctor >/tmp/said || fail "$(cat /tmp/said)" || return
	grep -F "note: queues could not be seen: " /tmp/said | grep -F -- "$word" >/dev/null ||
		fail "'$word' expected: $(cat /tmp/said)" || return
	grep -qx "nothing that could be seen stands in the way" /tmp/said
}

unseen_queues() {
	blind "the first network namespace" unshare -n
	blind "without CAP_NET_ADMIN" setpriv --bounding-set=-net_admin
	! unshare -r true || blind "without CAP_NET_ADMIN" unshare -r
}

# A VMM that is not to be looked into isn't taken for one that has no memory.
unseen_vmm() {
	local node

	store_make ctlstore 16
	node=$(p blk add disk0 --path /dev/ctlstore)
	hold_start "$node" private=64 start
	setpriv --bounding-set=-all "$PVIOCTL" doctor >/tmp/said ||
		fail "$(cat /tmp/said)" || return
	grep -F "note: the memory of process $HOLD_PID (hold), which has disk disk0, could not be" \
		/tmp/said >/dev/null || fail "$(cat /tmp/said)"
	hold_end
	p blk del disk0
}

TESTS="healthy not_loaded kernel_refuses nodes broken_queue unseen_queues"
! has_vdpa || TESTS="$TESTS vdpa_missing not_shared not_lockable few_extents unseen_vmm"
[ $# = 0 ] || TESTS="$*"

ktap_plan "$(wc -w <<<"$TESTS")"
for name in $TESTS; do
	ktap_test "doctor_$name" "$name"
	clean_up
done
ktap_finish
