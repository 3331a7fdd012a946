# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Tests of a disk that appears in the kernel which serves it, whatever carries it. To be sourced, on
# top of lib.sh, by a script that has
#   attach PATH [queues=N] [queue_size=N] [readonly=1]...   DEV is the disk's name then
#   detach                                                  it has gone when this returns
#   tell_size                                               the store has another size
# KIND is what the store is: null, loop, or a file on ext4, xfs or tmpfs.

# shellcheck source=/dev/null
. "$HERE/fio.sh"

# shellcheck disable=SC2034 # for whoever sources this
SUITE="looks large_blocks fio_all fio_one_queue fio_queues fio_small_ring flushes both_ends ext4
	on_tmpfs on_ext4 on_brd resized readonly_disk the_end store_errors removal_under_load"
# What is worth to be done on any store.
# shellcheck disable=SC2034
SUITE_STORE="looks fio_all fio_small_ring both_ends ext4 readonly_disk the_end"

SIZE_MIB=96
LIMIT=60
KIND=null

store_open() {
	case $KIND in
	null)
		store_make suitestore "$SIZE_MIB"
		STORE=/dev/suitestore
		;;
	loop)
		loop_make suitestore "$SIZE_MIB" ext4
		STORE=$LOOP
		;;
	*)
		file_make suitestore "$SIZE_MIB" "$KIND"
		# shellcheck disable=SC2153 # it is set in lib.sh
		STORE=$FILE
		;;
	esac
}

# What a test has left, whether it passed or not.
store_close() {
	local dev file

	for file in /tmp/suitestore/file /dev/shm/suitefile; do
		for dev in $(losetup -n -O NAME -j "$file" 2>/dev/null); do
			losetup -d "$dev" || true
		done
	done
	! mountpoint -q /tmp/suitestore || umount /tmp/suitestore || true
	rmdir /tmp/suitestore 2>/dev/null || true
	rm -f /dev/shm/suitefile
	clean_up
}

with_store() {
	store_open
	attach "$STORE" "$@"
}

# memory_loop MIB - a loop device on a file in memory, as STORE
memory_loop() {
	modprobe loop
	truncate -s "$1M" /dev/shm/suitefile
	STORE=$(losetup -f --show /dev/shm/suitefile)
}

queue_attr() {
	cat "/sys/block/$DEV/queue/$1"
}

looks() {
	local cpus

	cpus=$(nproc)
	with_store queues=3
	same "$(cat "/sys/block/$DEV/size")" $((SIZE_MIB * 2048)) size
	same "$(cat "/sys/block/$DEV/ro")" 0 ro
	# The driver takes no more queues than there are CPUs.
	same "$(find "/sys/block/$DEV/mq" -mindepth 1 -maxdepth 1 | wc -l)" \
		$((cpus < 3 ? cpus : 3)) queues
	# What is on tmpfs is read and written by pages on some kernels.
	[ "$KIND" = tmpfs ] || same "$(queue_attr logical_block_size)" 512 "logical block size"
	same "$(queue_attr write_cache)" "write back" "write cache"
	detach
}

# blocks_of_4k OTHER_END - the disk takes whole blocks alone
blocks_of_4k() {
	same "$(queue_attr logical_block_size)" 4096 "logical block size"
	refused "" dd if="/dev/$DEV" of=/dev/null bs=512 count=1 iflag=direct status=none
	dd if=/dev/urandom of="/dev/$DEV" bs=4096 count=64 oflag=direct status=none
	cmp -n 262144 "/dev/$DEV" "$1"
}

large_blocks() {
	store_make suitestore "$SIZE_MIB" blocksize=4096
	attach /dev/suitestore queues=1
	blocks_of_4k /dev/suitestore
	detach
}

# same_ends SUM - the store has what the disk had
same_ends() {
	same "$(fio_checksum "$STORE")" "$1" "the store's checksum"
}

# suite_on_disk - all of fio.sh; in the end the store has what the disk showed
suite_on_disk() {
	local sum

	fio_suite "/dev/$DEV"
	note "passed: $FIO_DONE; not possible: ${FIO_SKIPPED:-none}"
	sum=$(fio_checksum "/dev/$DEV")
	detach
	same_ends "$sum"
}

fio_all() {
	with_store queues=2
	suite_on_disk
}

fio_one_queue() {
	with_store queues=1
	fio_mixed "/dev/$DEV"
	detach
}

fio_queues() {
	with_store queues=4
	fio_jobs "/dev/$DEV"
	detach
}

fio_small_ring() {
	with_store queues=2 queue_size=16
	fio_verified "/dev/$DEV" --iodepth=64
	detach
}

# store_flushes - how many it has done
store_flushes() {
	awk '{ print $16 }' /sys/block/suitestore/stat
}

# Each flush reaches the store, and one follows each write that is to be durable.
flushes() {
	local before

	store_make suitestore "$SIZE_MIB" cache_size=4
	attach /dev/suitestore queues=1
	before=$(store_flushes)
	fio_verified "/dev/$DEV" --iodepth=1 --bsrange=4k-4k --size=512k --fsync=4
	[ "$(($(store_flushes) - before))" -ge "$(fio_sum total_ios sync)" ] ||
		fail "$(($(store_flushes) - before)) flushes reached the store"
	before=$(store_flushes)
	fio_verified "/dev/$DEV" --iodepth=1 --bsrange=4k-4k --size=512k --sync=dsync
	[ "$(($(store_flushes) - before))" -ge "$(fio_sum total_ios write)" ] ||
		fail "$(($(store_flushes) - before)) flushes reached the store"
	detach
}

# Written from one end, the same when it is read from the other.
both_ends() {
	local sum

	with_store queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=32 oflag=direct status=none
	sum=$(fio_checksum "/dev/$DEV")
	detach
	same_ends "$sum"
}

# Files survive the way through the disk and the store alone.
ext4() {
	local dir=/tmp/suitefs

	with_store queues=2
	fio_files "/dev/$DEV"
	fsck.ext4 -fn "/dev/$DEV" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	detach
	fsck.ext4 -fn "$STORE" >/tmp/fsck 2>&1 || { cat /tmp/fsck; return 1; }
	modprobe loop
	mkdir -p "$dir"
	mount -o ro "$STORE" "$dir"
	[ ! -e "$dir/tree/random" ]
	cmp "$dir/tree/program" "$(command -v fio)"
	umount "$dir"
}

# A loop device on tmpfs: its page cache and its own workers lie below.
on_tmpfs() {
	memory_loop "$SIZE_MIB"
	attach "$STORE" queues=2
	suite_on_disk
}

# A loop device on ext4, which can discard and write zeroes.
on_ext4() {
	loop_make suitestore "$SIZE_MIB" ext4
	STORE=$LOOP
	attach "$STORE" queues=2
	fio_suite "/dev/$DEV"
	[ -z "$FIO_SKIPPED" ] || fail "not possible: $FIO_SKIPPED"
	detach
}

on_brd() {
	modprobe -q brd rd_nr=1 rd_size=65536 || return 4
	STORE=/dev/ram0
	attach "$STORE" queues=2
	fio_mixed "/dev/$DEV"
	detach
	rmmod brd
}

# grown_to MIB - the disk is that large
grown_to() {
	[ "$(cat "/sys/block/$DEV/size")" = $(($1 * 2048)) ]
}

# What becomes of the store reaches the disk when it is told.
resized() {
	memory_loop 32
	attach "$STORE" queues=2
	grown_to 32
	truncate -s 48M /dev/shm/suitefile
	losetup -c "$STORE"
	grown_to 32
	tell_size
	await "$LIMIT" grown_to 48
	dd if=/dev/urandom of="/dev/$DEV" bs=1M seek=40 count=4 oflag=direct status=none
	truncate -s 16M /dev/shm/suitefile
	losetup -c "$STORE"
	refused "Input/output error" dd if="/dev/$DEV" of=/dev/null bs=1M skip=20 count=1 \
		iflag=direct status=none
	tell_size
	await "$LIMIT" grown_to 16
	detach
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

# broken_make - /dev/mapper/suiteerror, eight sectors of which can't be read or written
broken_make() {
	local sectors

	store_make suitestore 16
	sectors=$(blockdev --getsz /dev/suitestore)
	DM_DISABLE_UDEV=1 dmsetup create suiteerror <<-END
		0 2048 linear /dev/suitestore 0
		2048 8 error
		2056 $((sectors - 2056)) linear /dev/suitestore 2056
	END
}

# Errors of the store come through.
store_errors() {
	broken_make
	attach /dev/mapper/suiteerror queues=1
	dd if="/dev/$DEV" of=/dev/null bs=4096 count=256 iflag=direct status=none
	refused "Input/output error" dd if="/dev/$DEV" of=/dev/null bs=4096 skip=256 count=1 \
		iflag=direct status=none
	refused "Input/output error" dd if=/dev/zero of="/dev/$DEV" bs=4096 seek=256 count=1 \
		oflag=direct status=none
	dd if="/dev/$DEV" of=/dev/null bs=4096 skip=257 iflag=direct status=none
	detach
	mapper_remove suiteerror
}

# load_start - I/O on the disk for ever, as LOAD_PID
load_start() {
	fio --name=load --filename="/dev/$DEV" --ioengine=libaio --direct=1 --rw=randrw \
		--bs=4k --iodepth=32 --numjobs=2 --size=32M --time_based --runtime=600 \
		--eta=never >/dev/null 2>&1 &
	LOAD_PID=$!
	await "$LIMIT" busy
}

# busy - the disk has done something
busy() {
	[ "$(awk '{ print $5 }' "/sys/block/$DEV/stat")" -gt 100 ]
}

gone() {
	! kill -0 "$1" 2>/dev/null
}

load_end() {
	await "$LIMIT" gone "$LOAD_PID" || kill "$LOAD_PID"
	wait "$LOAD_PID" || true
}

# Removed with I/O under way: that fails, or ends; nothing hangs.
removal_under_load() {
	for _ in 1 2 3; do
		with_store queues=2
		load_start
		detach
		load_end
		store_close
	done
}

# suite_run PREFIX TEST... - as KTAP
suite_run() {
	local name prefix=$1

	shift
	ktap_plan $#
	for name; do
		ktap_test "${prefix}_$name" "$name"
		after_test
	done
	ktap_finish
}

# after_test - what is to be ended and removed; a script that has more wraps it
after_test() {
	store_close
}
