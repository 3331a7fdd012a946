#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# block.sh ROUNDS [RW:DEPTH...] - in the virtual host, under instruction counting: random reads
# and writes of 4 KiB on null_blk, pvio's back-end and its peers by turns. By ring
# client: /dev/vhost-blk, the kernel's vhost-scsi, and QEMU's storage daemon as
# vhost-user. As a disk of this machine: a pvio disk and the daemon's by vDPA,
# and the store itself. And what counting costs, with modules that count nothing.
set -euo pipefail
# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh

ROUNDS=$1
LOADS=("${@:2}")
[ ${#LOADS[@]} -gt 0 ] || LOADS=(read:32 read:1 write:32 write:1)
IOS=16000
FIO_IOS=16000
FIO_JOBS=8
FIO_JOB_IOS=5000
UNIT=instructions/IO

# A store each, all alike: they are held exclusively.
OURS=/dev/nullb0 THEIRS_SCSI=/dev/nullb1 THEIRS_USER=/dev/nullb2 THEIRS_VDUSE=/dev/nullb3

# options RW DEPTH - of the client
options() {
	echo "--requests $IOS --depth $2 $([ "$1" != write ] || echo --write)"
}

# compare WHAT PEER RW DEPTH - a row of GOT
compare() {
	row "blk-ring-$1-rand$3-4k-qd$4" "$2" "$UNIT" "$(got ours "$1")" "$(got "$2" "$1")"
}

# by_ring RW DEPTH - the client with each of them. A peer is there only for its own turn: what
# waits must not cost the others anything.
by_ring() {
	local rw=$1 depth=$2 opts

	read -ra opts <<<"$(options "$rw" "$depth")"
	GOT=()
	client ours --store "$OURS" "${opts[@]}"
	REASON=
	if scsi_start "$THEIRS_SCSI" 1; then
		client vhost-scsi --store "$THEIRS_SCSI" --wwpn "$WWPN" "${opts[@]}" || true
		scsi_stop
	fi
	compare backend vhost-scsi "$rw" "$depth"
	compare machine vhost-scsi "$rw" "$depth"
	REASON=
	if user_start "$THEIRS_USER" 1; then
		client qsd-vhost-user --socket "$SOCKET" --pid "$QSD_PID" "${opts[@]}" || true
		user_stop
	fi
	compare backend qsd-vhost-user "$rw" "$depth"
	compare machine qsd-vhost-user "$rw" "$depth"
}

# packed DEPTH - by ring client, with a packed ring instead of a split one
packed() {
	local depth=$1

	REASON=
	client pvio-packed --store "$OURS" --requests "$IOS" --depth "$depth" --packed || true
	compare backend pvio-packed read "$depth"
	compare machine pvio-packed read "$depth"
}

# bridged RW DEPTH - by ring client, through pvio-bridge
bridged() {
	local rw=$1 depth=$2 opts

	read -ra opts <<<"$(options "$rw" "$depth")"
	REASON=
	if bridge_start "$OURS" 1; then
		client pvio-bridge --socket "$BRIDGE_SOCKET" --pid "$BRIDGE_PID" "${opts[@]}" || true
		bridge_stop
	fi
	compare backend pvio-bridge "$rw" "$depth"
	compare machine pvio-bridge "$rw" "$depth"
}

# by_vduse RW DEPTH
by_vduse() {
	local before

	REASON='' THEIRS=- THEIR_THREADS=-
	vduse_start "$THEIRS_VDUSE" 1 || return 0
	fio_ns "$VDUSE_DISK" "$1" "$2" $((FIO_IOS / 4)) >/dev/null
	before=$(threads_ns "$QSD_PID")
	THEIRS=$(fio_ns "$VDUSE_DISK" "$1" "$2" "$FIO_IOS")
	THEIR_THREADS=$((($(threads_ns "$QSD_PID") - before) / FIO_IOS))
	vduse_stop
}

# by_vdpa RW DEPTH - as disks of this machine
by_vdpa() {
	local rw=$1 depth=$2 name=rand$1-4k-qd$2 worker native before ours threads
	local was=() is=() ios=$((FIO_JOBS * FIO_JOB_IOS))

	REASON=
	worker=$(pgrep -x pv0-bench)
	native=$(fio_ns "$OURS" "$rw" "$depth" "$FIO_IOS")
	read -ra was < <(queue_stats bench)
	before=$(threads_ns "$worker")
	ours=$(fio_ns "$DISK" "$rw" "$depth" "$FIO_JOB_IOS" "$FIO_JOBS")
	threads=$((($(threads_ns "$worker") - before) / ios))
	read -ra is < <(queue_stats bench)
	echo "by virtio_vdpa: $ios requests, batches $((is[0] - was[0]))," \
		"kicks $((is[1] - was[1])), calls $((is[2] - was[2]))"
	row "blk-vdpa-machine-$name" native-fio "$UNIT" "$ours" "$native"
	by_vduse "$rw" "$depth"
	row "blk-vdpa-machine-$name" qsd-vduse "$UNIT" "$ours" "$THEIRS"
	row "blk-vdpa-backend-$name" qsd-vduse "$UNIT" "$threads" "$THEIR_THREADS"
}

# start MODULES - with a disk that has been read
start() {
	load_modules "$1"
	disk_make bench path="$OURS" loop=1 queues=1 queue_size=256
	device_add bench
	DISK=/dev/$(ls /sys/bus/vdpa/devices/bench/virtio*/block)
	no_scheduler "$DISK"
	fio_ns "$DISK" read 32 $((FIO_IOS / 4)) >/dev/null
}

stop() {
	device_del bench
	disk_remove bench
	unload_modules
}

# uncounted DEPTH - the cost of counting
uncounted() {
	REASON=
	client ours --store "$OURS" --requests "$IOS" --depth "$1"
	row "blk-ring-backend-randread-4k-qd$1" uncounted "$UNIT" "${COUNTED[$1]}" \
		"$(got ours backend)"
}

round() {
	local what rw depth

	COUNTED=()
	start /payload/host
	for what in "${LOADS[@]}"; do
		rw=${what%:*} depth=${what#*:}
		by_ring "$rw" "$depth"
		bridged "$rw" "$depth"
		if [ "$rw" = read ]; then
			COUNTED[depth]=$(got ours backend)
			packed "$depth"
		fi
		by_vdpa "$rw" "$depth"
	done
	stop
	start /payload/uncounted
	for depth in "${!COUNTED[@]}"; do
		uncounted "$depth"
	done
	stop
}

# Completions inside the submission: the cheapest store there is.
modprobe null_blk nr_devices=4 gb=1 queue_mode=2 irqmode=0 submit_queues=1
no_scheduler "$OURS"
fio_ns "$OURS" read 32 $((FIO_IOS / 4)) >/dev/null
for ((i = 0; i < ROUNDS; i++)); do
	round
done
