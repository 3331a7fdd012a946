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

# used_is BLOCKS - that many are in use in the pool
used_is() {
	same "$(thin_used thinstore)" "$1" "blocks in use"
}

# pool_is_zero - the beginning of what lies below the pool, past the page cache
pool_is_zero() {
	dd if=/dev/thinstore-data bs=1M count=16 iflag=direct status=none |
		cmp -s -n 16777216 - /dev/zero
}

# What a guest discards goes back to the pool, and from there to what lies below it.
thin_discard() {
	thin_make thinstore "$SIZE_MIB"
	attach /dev/mapper/thinstore queues=2 discard=pass
	[ "$(queue_attr discard_max_bytes)" -gt 0 ] || fail "nothing can be discarded"
	used_is 0
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=16 oflag=direct status=none
	used_is 256
	! pool_is_zero || fail "nothing is in the pool"
	blkdiscard --offset 4M --length 8M "/dev/$DEV"
	used_is 128
	cmp -n 8388608 --ignore-initial=0:4194304 /dev/zero "/dev/$DEV"
	blkdiscard --offset 0 --length 16M "/dev/$DEV"
	used_is 0
	pool_is_zero || fail "the pool has kept something"
	# Zeroes are written, because this store has no other way.
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=4 oflag=direct status=none
	blkdiscard --zeroout --offset 0 --length 4M "/dev/$DEV"
	used_is 64
	cmp -n 4194304 /dev/zero "/dev/$DEV"
	detach
}

# A store that makes nothing sure of what it discarded offers nothing.
thin_no_discard() {
	thin_make thinstore "$SIZE_MIB"
	attach /dev/mapper/thinstore queues=1
	same "$(queue_attr discard_max_bytes)" 0 "bytes that can be discarded"
	refused "not supported" blkdiscard "/dev/$DEV"
	detach
}

# shellcheck disable=SC2153 # FILE is of file_make
# holes KIB - the file has given back that much, after a way of writing zeroes
holes() {
	local freed=$((8192 - $(stat -c %b "$FILE") / 2 - $1))

	# The file system may need a few blocks to say where the others are.
	[ "${freed#-}" -le 64 ] || fail "$((freed + $1)) KiB are given back, expected $1"
}

# The kernel's driver says of zeroes whether they may be a hole; the file is told the same.
file_unmap() {
	file_make unmap 8 ext4
	attach "$FILE" queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=8 oflag=direct status=none
	holes 0
	blkdiscard --zeroout --offset 1M --length 1M "/dev/$DEV"
	holes 0
	fallocate --zero-range --offset 2M --length 1M "/dev/$DEV"
	holes 0
	fallocate --punch-hole --offset 4M --length 1M "/dev/$DEV"
	holes 1024
	blkdiscard --offset 6M --length 1M "/dev/$DEV"
	holes 2048
	cmp -n 2097152 --ignore-initial=0:1048576 /dev/zero "/dev/$DEV"
	cmp -n 1048576 --ignore-initial=0:4194304 /dev/zero "/dev/$DEV"
	cmp -n 1048576 --ignore-initial=0:6291456 /dev/zero "/dev/$DEV"
	cmp -s -n 1048576 --ignore-initial=0:5242880 /dev/zero "/dev/$DEV" &&
		fail "there is a hole too many"
	detach
	file_remove unmap
}

# Where the next write goes means nothing in a zone that is full.
zones_of() {
	blkzone report "$1" | sed '/(fu)/s/ wptr [^ ]*//'
}

# The same zones at both ends, and data that was written in order.
zoned() {
	zoned_make loopzones
	attach /dev/loopzones queues=2
	same "$(queue_attr zoned)" host-managed "zone model"
	same "$(queue_attr nr_zones)" 16 zones
	same "$(queue_attr max_open_zones)" 3 "open zones"
	fio --name=zones --filename="/dev/$DEV" --zonemode=zbd --rw=randwrite --bs=64k --size=100% \
		--io_size=32M --direct=1 --ioengine=libaio --iodepth=8 --max_open_zones=3 \
		--verify=crc32c --verify_fatal=1 --output=/tmp/zones || { cat /tmp/zones; return 1; }
	same "$(zones_of "/dev/$DEV")" "$(zones_of /dev/loopzones)" "report"
	[ "$(zones_of "/dev/$DEV" | grep -c '(em)')" -lt 14 ] || fail "no zone was written"
	blkzone reset "/dev/$DEV"
	same "$(blkzone report /dev/loopzones | grep -c '(em)')" 14 "empty zones"
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

TESTS="$SUITE identity block_size fio_pa thin_discard thin_no_discard file_unmap zoned rebind"
if [ "${1:-}" = --on ]; then
	KIND=$2 TESTS=$SUITE_STORE
	shift 2
fi
[ $# = 0 ] || TESTS="$*"
# shellcheck disable=SC2086 # words
suite_run loop $TESTS
