#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: one kernel is host and guest. A disk made with
# loop=1 is bound to virtio_vdpa and becomes /dev/vdX here. loop.sh [--on KIND] [TEST]...
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
. "$HERE/suite.sh"

SERIAL=pvio-loop

block_name() {
	local dir

	for dir in /sys/bus/vdpa/devices/loop0/virtio*/block/*; do
		[ -e "$dir" ] && basename "$dir" && return
	done
	return 1
}

# appear - waits for the disk, whose name is DEV
appear() {
	await "$LIMIT" block_name >/dev/null || fail "no disk appears"
	DEV=$(block_name)
	await "$LIMIT" test -b "/dev/$DEV"
}

attach() {
	local path=$1

	shift
	disk_make loop0 loop=1 "serial=$SERIAL" "$@" "path=$path"
	device_add loop0
	appear
	note "$path is /dev/$DEV"
}

detach() {
	device_del loop0
	[ ! -e "/sys/block/$DEV" ] || fail "/dev/$DEV is still there"
	disk_remove loop0
}

tell_size() {
	same "$(cat "$DISKS/loop0/resize")" 1 resize
	echo 1 >"$DISKS/loop0/resize"
	same "$(cat "$DISKS/loop0/resize")" 0 resize
	refused "Numerical result out of range" set_attr loop0 resize 0
}

# What a VM would see beside what suite.sh looks at.
identity() {
	local node

	with_store
	same "$(cat "/sys/block/$DEV/serial")" "$SERIAL" serial
	for node in "/sys/bus/vdpa/devices/loop0"/vhost-vdpa-*; do
		[ ! -e "$node" ] || fail "there is a $node as well"
	done
	detach
}

# Blocks that are larger than the store's.
block_size() {
	with_store block_size=4096 queues=1
	blocks_of_4k "$STORE"
	detach
}

fio_pa() {
	with_store queues=2 memory=pa
	fio_mixed "/dev/$DEV"
	detach
}

rebind() {
	local virtio=/sys/bus/vdpa/drivers/virtio_vdpa

	with_store queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=4 oflag=direct status=none
	for _ in 1 2 3; do
		echo loop0 >"$virtio/unbind"
		[ ! -e "/sys/block/$DEV" ]
		echo loop0 >"$virtio/bind"
		appear
		cmp -n 4194304 "/dev/$DEV" "$STORE"
	done
	detach
}

TESTS="$SUITE identity block_size fio_pa rebind"
if [ "${1:-}" = --on ]; then
	KIND=$2 TESTS=$SUITE_STORE
	shift 2
fi
[ $# = 0 ] || TESTS="$*"
# shellcheck disable=SC2086 # words
suite_run loop $TESTS
