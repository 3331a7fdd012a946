#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# blk-loop.sh ROUNDS - in the virtual host, under instruction counting: random
# reads of 4 KiB from null_blk, natively and through virtio_vdpa on a pvio disk
# over the same null_blk. The worker's part is its scheduler run time; the
# virtio driver's interrupt handler runs in it as well. And what counting costs:
# the worker's part of reads by the ring client, in batches of one size, with
# modules that count and with ones that don't.
set -euo pipefail
. /payload/selftests/lib.sh

IOS=50000
ROUNDS=$1

# read_ns DEVICE DEPTH - nanoseconds for one read
read_ns() {
	fio --name=read --filename="$1" --rw=randread --bs=4k --iodepth="$2" --direct=1 \
		--ioengine=io_uring --norandommap --randrepeat=1 --gtod_reduce=1 --size=1G \
		--number_ios="$IOS" --eta=never --output-format=json |
		jq '.jobs[0] | .job_runtime * 1000000 / .read.total_ios | floor'
}

worker_ns() {
	local pid

	pid=$(pgrep -x pv0-bench)
	awk '{ print $1 }' "/proc/$pid/schedstat"
}

# row BENCH PEER OURS THEIRS
row() {
	printf '%s\t%s\tinstructions/IO\t%s\t%s\n' "$@" >>"$RESULTS/rows"
	echo "$*"
}

# ours DEPTH - OURS, and the worker's part of it in WORKER
ours() {
	local before

	before=$(worker_ns)
	OURS=$(read_ns "$DISK" "$1")
	WORKER=$((($(worker_ns) - before) / IOS))
}

compare() {
	local depth theirs counted=()

	start /payload/host
	for depth in 32 1; do
		theirs=$(read_ns /dev/nullb0 "$depth")
		ours "$depth"
		row "blk-loop-randread-4k-qd$depth" native "$OURS" "$theirs"
		row "blk-loop-worker-4k-qd$depth" native "$WORKER" "$theirs"
		counted[depth]=$(client_ns "$depth")
	done
	stop
	start /payload/uncounted
	for depth in 32 1; do
		row "blk-node-worker-4k-qd$depth" uncounted "${counted[depth]}" \
			"$(client_ns "$depth")"
	done
	stop
}

# client_ns DEPTH - what the worker of the ring client's queue takes for one read
client_ns() {
	/payload/selftests/blk_bench --store /dev/nullb0 --depth "$1"
}

# start MODULES - with a disk that has been read
start() {
	load_modules "$1"
	disk_make bench path=/dev/nullb0 loop=1 queues=1 queue_size=256
	device_add bench
	DISK=/dev/$(ls /sys/bus/vdpa/devices/bench/virtio*/block)
	read_ns "$DISK" 32 >/dev/null
}

stop() {
	device_del bench
	disk_remove bench
	unload_modules
}

# Completions inside the submission: the cheapest store there is. Shared, since
# the disk holds it exclusively: natively it is read beside.
modprobe null_blk nr_devices=1 gb=1 queue_mode=2 irqmode=0 submit_queues=1
read_ns /dev/nullb0 32 >/dev/null
for ((i = 0; i < ROUNDS; i++)); do
	compare
done
