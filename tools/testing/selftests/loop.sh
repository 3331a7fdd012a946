#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: one kernel is host and guest. A disk made with
# loop=1 is bound to virtio_vdpa and becomes /dev/vdX here.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"

SIZE_MIB=192
LIMIT=60
SERIAL=pvio-loop

block_name() {
	local dir

	for dir in /sys/bus/vdpa/devices/loop0/virtio*/block/*; do
		[ -e "$dir" ] && basename "$dir" && return
	done
	return 1
}

# attach PATH [ATTRIBUTE=VALUE]... - makes the disk and the device; DEV is where it appears
attach() {
	local path=$1

	shift
	disk_make loop0 "path=$path" loop=1 "serial=$SERIAL" "$@"
	device_add loop0
	await "$LIMIT" block_name >/dev/null || fail "no disk appears"
	DEV=$(block_name)
	await "$LIMIT" test -b "/dev/$DEV"
	note "$path is /dev/$DEV"
}

detach() {
	device_del loop0
	[ ! -e "/sys/block/$DEV" ] || fail "/dev/$DEV is still there"
	disk_remove loop0
}

with_store() {
	store_make loopstore "$SIZE_MIB"
	attach /dev/loopstore "$@"
}

queue_attr() {
	cat "/sys/block/$DEV/queue/$1"
}

same() {
	[ "$1" = "$2" ] || fail "$3 is '$1', expected '$2'"
}

looks() {
	local node cpus

	cpus=$(nproc)
	with_store queues=3
	same "$(cat "/sys/block/$DEV/size")" "$(cat /sys/block/loopstore/size)" size
	same "$(cat "/sys/block/$DEV/serial")" "$SERIAL" serial
	same "$(cat "/sys/block/$DEV/ro")" 0 ro
	# The driver takes no more queues than there are CPUs.
	same "$(find "/sys/block/$DEV/mq" -mindepth 1 -maxdepth 1 | wc -l)" \
		$((cpus < 3 ? cpus : 3)) queues
	same "$(queue_attr logical_block_size)" 512 "logical block size"
	same "$(queue_attr write_cache)" "write back" "write cache"
	for node in "/sys/bus/vdpa/devices/loop0"/vhost-vdpa-*; do
		[ ! -e "$node" ] || fail "there is a $node as well"
	done
	detach
}

block_size() {
	with_store block_size=4096 queues=1
	same "$(queue_attr logical_block_size)" 4096 "logical block size"
	refused "" dd if="/dev/$DEV" of=/dev/null bs=512 count=1 iflag=direct status=none
	dd if=/dev/urandom of="/dev/$DEV" bs=4096 count=64 oflag=direct status=none
	cmp -n 262144 "/dev/$DEV" /dev/loopstore
	detach
}

# verified FIO_OPTION... - random reads and writes, everything read back and compared
verified() {
	local report=/tmp/fio.json rc=0

	fio --name=verify --filename="/dev/$DEV" --ioengine=libaio --direct=1 --rw=randrw \
		--bsrange=4k-64k --size=24M --verify=crc32c --verify_fatal=1 \
		--verify_backlog=256 --eta=never --output-format=json --output="$report" "$@" ||
		rc=$?
	# It may write warnings in front.
	sed -i -n '/^{/,$p' "$report"
	jq -r '[.jobs[] | {r: .read.io_kbytes, w: .write.io_kbytes, e: .error}] |
		"# fio: \(map(.r) | add) KiB read, \(map(.w) | add) KiB written, errors \(map(.e))"' \
		"$report" || return
	jq -e '[.jobs[] | .error == 0 and .write.io_kbytes > 0 and .read.io_kbytes > 0] | all' \
		"$report" >/dev/null || return
	return "$rc"
}

fio_verified() {
	with_store queues=1
	verified --iodepth=32
	detach
}

fio_queues() {
	with_store queues=4
	verified --iodepth=16 --numjobs=3 --offset_increment=32M --group_reporting
	detach
}

fio_small_ring() {
	with_store queues=2 queue_size=16
	verified --iodepth=64
	detach
}

fio_pa() {
	with_store queues=2 memory=pa
	verified --iodepth=32
	detach
}

# Written from one end, the same when it is read from the other.
both_ends() {
	with_store queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=32 oflag=direct status=none
	dd if="/dev/$DEV" bs=1M count=32 iflag=direct status=none | sha256sum >/tmp/front
	detach
	dd if=/dev/loopstore bs=1M count=32 iflag=direct status=none | sha256sum >/tmp/back
	cmp /tmp/front /tmp/back
}

make_files() {
	mkdir -p "$1/tree"
	cp -a "$HERE" "$1/tree/programs"
	dd if=/dev/urandom of="$1/tree/random" bs=1M count=16 status=none
	(cd "$1/tree" && find . -type f -exec sha256sum {} + >/tmp/sums)
}

check_files() {
	(cd "$1/tree" && sha256sum --quiet -c /tmp/sums)
}

# file_system DEVICE_OF_THE_STORE - files survive the way through the loop and the store alone
file_system() {
	local dir=/tmp/loopfs

	mkdir -p "$dir"
	mkfs.ext4 -q "/dev/$DEV"
	mount "/dev/$DEV" "$dir"
	make_files "$dir"
	umount "$dir"
	mount "/dev/$DEV" "$dir"
	check_files "$dir"
	rm "$dir/tree/random"
	fstrim "$dir" 2>/dev/null || true
	sync
	umount "$dir"
	fsck.ext4 -fn "/dev/$DEV" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	detach
	fsck.ext4 -fn "$1" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	mount -o ro "$1" "$dir"
	[ ! -e "$dir/tree/random" ] && [ -s "$dir/tree/programs/run.sh" ]
	cmp "$dir/tree/programs/run.sh" "$HERE/run.sh"
	umount "$dir"
}

ext4() {
	with_store queues=2
	file_system /dev/loopstore
}

# A loop device on tmpfs: its page cache and its own workers lie below.
on_tmpfs() {
	local file=/dev/shm/loopfile dev

	modprobe loop
	truncate -s "${SIZE_MIB}M" "$file"
	dev=$(losetup -f --show "$file")
	attach "$dev" queues=2
	verified --iodepth=16
	file_system "$dev"
	losetup -d "$dev"
	rm "$file"
}

# grown_to MIB - the disk is that large
grown_to() {
	[ "$(cat "/sys/block/$DEV/size")" = $(($1 * 2048)) ]
}

# What becomes of the store reaches the disk when it is told.
resized() {
	local file=/dev/shm/loopfile dev

	modprobe loop
	truncate -s 32M "$file"
	dev=$(losetup -f --show "$file")
	attach "$dev" queues=2
	grown_to 32
	truncate -s 48M "$file"
	same "$(cat "$DISKS/loop0/resize")" 0 resize
	losetup -c "$dev"
	grown_to 32
	same "$(cat "$DISKS/loop0/resize")" 1 resize
	echo 1 >"$DISKS/loop0/resize"
	await "$LIMIT" grown_to 48
	dd if=/dev/urandom of="/dev/$DEV" bs=1M seek=40 count=4 oflag=direct status=none
	truncate -s 16M "$file"
	losetup -c "$dev"
	refused "Input/output error" dd if="/dev/$DEV" of=/dev/null bs=1M skip=20 count=1 \
		iflag=direct status=none
	echo 1 >"$DISKS/loop0/resize"
	await "$LIMIT" grown_to 16
	refused "Numerical result out of range" set_attr loop0 resize 0
	detach
	losetup -d "$dev"
	rm "$file"
}

on_brd() {
	modprobe -q brd rd_nr=1 rd_size=65536 || return 4
	attach /dev/ram0 queues=2
	verified --iodepth=16
	detach
	rmmod brd
}

readonly_disk() {
	with_store readonly=1
	same "$(cat "/sys/block/$DEV/ro")" 1 ro
	refused "" dd if=/dev/zero of="/dev/$DEV" bs=4096 count=1 oflag=direct status=none
	dd if="/dev/$DEV" of=/dev/null bs=1M count=4 iflag=direct status=none
	detach
}

# The end of the disk, and what lies behind it.
the_end() {
	with_store queues=1
	dd if=/dev/urandom of="/dev/$DEV" bs=1M seek=$((SIZE_MIB - 1)) count=1 oflag=direct \
		status=none
	refused "No space left" dd if=/dev/zero of="/dev/$DEV" bs=4096 \
		seek=$((SIZE_MIB * 256)) count=1 oflag=direct status=none
	detach
}

# Errors of the store come through.
store_errors() {
	local sectors

	store_make loopstore 16
	sectors=$(blockdev --getsz /dev/loopstore)
	modprobe dm_mod
	DM_DISABLE_UDEV=1 dmsetup create looperror <<-END
		0 2048 linear /dev/loopstore 0
		2048 8 error
		2056 $((sectors - 2056)) linear /dev/loopstore 2056
	END
	attach /dev/mapper/looperror queues=1
	dd if="/dev/$DEV" of=/dev/null bs=4096 count=256 iflag=direct status=none
	refused "Input/output error" dd if="/dev/$DEV" of=/dev/null bs=4096 skip=256 count=1 \
		iflag=direct status=none
	refused "Input/output error" dd if=/dev/zero of="/dev/$DEV" bs=4096 seek=256 count=1 \
		oflag=direct status=none
	dd if="/dev/$DEV" of=/dev/null bs=4096 skip=257 iflag=direct status=none
	detach
	DM_DISABLE_UDEV=1 dmsetup remove looperror
}

rebind() {
	local virtio=/sys/bus/vdpa/drivers/virtio_vdpa

	with_store queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=4 oflag=direct status=none
	for _ in 1 2 3; do
		echo loop0 >"$virtio/unbind"
		[ ! -e "/sys/block/$DEV" ]
		echo loop0 >"$virtio/bind"
		await "$LIMIT" block_name >/dev/null
		DEV=$(block_name)
		await "$LIMIT" test -b "/dev/$DEV"
		cmp -n 4194304 "/dev/$DEV" /dev/loopstore
	done
	detach
}

# Removed with I/O under way: that fails, or ends; nothing hangs.
removal_under_load() {
	local pid

	for _ in 1 2 3; do
		with_store queues=2
		fio --name=load --filename="/dev/$DEV" --ioengine=libaio --direct=1 --rw=randrw \
			--bs=4k --iodepth=32 --numjobs=2 --size=32M --time_based --runtime=600 \
			--eta=never >/dev/null 2>&1 &
		pid=$!
		sleep 3
		detach
		await "$LIMIT" eval "! kill -0 $pid 2>/dev/null" || kill "$pid"
		wait "$pid" || true
		store_remove loopstore
	done
}

TESTS="looks block_size fio_verified fio_queues fio_small_ring fio_pa both_ends ext4 on_tmpfs
	resized on_brd readonly_disk the_end store_errors rebind removal_under_load"
[ $# = 0 ] || TESTS="$*"

ktap_plan "$(wc -w <<<"$TESTS")"
for name in $TESTS; do
	ktap_test "loop_$name" "$name"
	clean_up
done
ktap_finish
