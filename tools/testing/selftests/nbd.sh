#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: the ring client makes /dev/nbdX here of a disk on
# /dev/vhost-blk. nbd.sh [--on KIND | --client] [TEST]... - the suite, on a store of that kind; or what
# is the client's own
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
. "$HERE/suite.sh"

DEV=nbd0
CLIENT=/run/blk_nbd

# The client's option for an attribute, where it is another word.
declare -A OPTION=([queue_size]=num)

# client_options [NAME=VALUE]... - in OPTIONS
client_options() {
	local pair name

	OPTIONS=()
	for pair; do
		name=${pair%%=*}
		case $pair in
		readonly=1 | poll=1) OPTIONS+=("--$name") ;;
		*) OPTIONS+=("--${OPTION[$name]:-$name}" "${pair#*=}") ;;
		esac
	done
}

client_there() {
	[ -e /sys/block/$DEV/pid ] && [ "$(cat /sys/block/$DEV/size)" != 0 ]
}

there_or_ended() {
	client_there || gone "$CLIENT_PID"
}

attach() {
	local path=$1

	shift
	client_options "$@"
	"$HERE/blk_nbd" --nbd /dev/$DEV --store "$path" "${OPTIONS[@]}" >$CLIENT.log 2>&1 &
	CLIENT_PID=$!
	echo "$CLIENT_PID" >$CLIENT.pid
	await "$LIMIT" there_or_ended || fail "no disk appears"
	client_there || fail "the client ended: $(cat $CLIENT.log)"
	# The first to open it has it searched for partitions.
	true </dev/$DEV
}

# client_ended STATUS - it ends, and so
client_ended() {
	local rc=0

	await "$LIMIT" gone "$CLIENT_PID" || fail "the client does not end: $(cat $CLIENT.log)"
	wait "$CLIENT_PID" || rc=$?
	rm $CLIENT.pid
	sed 's/^/# /' $CLIENT.log
	[ ! -e /sys/block/$DEV/pid ] || fail "/dev/$DEV is still there"
	[ "$rc" = "$1" ] || fail "the client's status is $rc, expected $1"
}

detach() {
	kill -TERM "$CLIENT_PID"
	client_ended 0
}

tell_size() {
	kill -HUP "$CLIENT_PID"
}

after_test() {
	resume_store 2>/dev/null || true
	[ ! -e $CLIENT.pid ] || kill -KILL "$(cat $CLIENT.pid)" 2>/dev/null || true
	rm -f $CLIENT.pid
	await "$LIMIT" eval "[ ! -e /sys/block/$DEV/pid ]" || note "/dev/$DEV is still there"
	store_close
}

# with_options OPTION... - fio on a disk with these
with_options() {
	with_store "$@"
	fio_verified "/dev/$DEV" --iodepth=64 --numjobs=2 --offset_increment=16M \
		--group_reporting
	detach
}

direct() {
	with_options indirect=0
}

# Two requests fill the ring.
direct_small_ring() {
	with_options indirect=0 queue_size=4
}

flags() {
	with_options event-idx=0
}

polled() {
	with_options poll=1
}

# Requests wait in the stream for room.
little_room() {
	with_options buffers=1 queues=1
}

little_depth() {
	with_options depth=1 queues=4
}

# Requests that are larger than what the ring takes at once.
large_requests() {
	with_store queues=1 queue_size=16
	echo 8192 >/sys/block/$DEV/queue/max_sectors_kb
	fio_verified "/dev/$DEV" --bs=8M --bsrange=8M-8M --rw=write --size=32M --iodepth=4
	detach
}

# One that there never is room for fails, and the next one does not.
too_large() {
	with_store queues=1 buffers=1
	echo 8192 >/sys/block/$DEV/queue/max_sectors_kb
	refused "Input/output error" dd if=/dev/zero of="/dev/$DEV" bs=8M count=1 oflag=direct
	fio_verified "/dev/$DEV"
	detach
	grep -q "are refused" $CLIENT.log
}

# disconnect - as nbd-client -d does
disconnect() {
	python3 -c 'import fcntl, os; fcntl.ioctl(os.open("/dev/'$DEV'", os.O_RDWR), 0xab08)'
}

disconnected() {
	with_store queues=2
	disconnect
	client_ended 0
}

# What the page cache has is there in the end.
written_back() {
	local sum

	with_store queues=2
	dd if=/dev/urandom of="/dev/$DEV" bs=1M count=32 status=none
	sum=$(dd if="/dev/$DEV" bs=1M count=32 status=none | sha256sum | cut -d' ' -f1)
	detach
	same_ends "$sum"
}

# Killed with I/O under way: that fails, and the next client has the disk.
killed() {
	for _ in 1 2 3; do
		with_store queues=2
		load_start
		kill -KILL "$CLIENT_PID"
		client_ended 137
		load_end
		attach "$STORE" queues=2
		fio_verified "/dev/$DEV" --size=2M
		detach
		store_close
	done
}

# Two at a time: the second is refused, the first is left alone.
taken() {
	with_store queues=2
	refused "busy" "$HERE/blk_nbd" --nbd /dev/$DEV --store "$STORE"
	fio_verified "/dev/$DEV" --size=2M
	detach
}

# suspended_store - /dev/mapper/suiteslow, which answers nothing for now, beneath a disk
suspended_store() {
	store_make suitestore "$SIZE_MIB"
	slow_make suiteslow suitestore 0 0
	attach /dev/mapper/suiteslow queues=1 "$@"
	dmsetup suspend --noflush suiteslow
}

resume_store() {
	DM_DISABLE_UDEV=1 dmsetup resume suiteslow
}

read_fails() {
	refused "" dd if="/dev/$DEV" of=/dev/null bs=4096 count=1 skip="$1" \
		iflag=direct
}

# A store that does not answer is given up, and so is the program's end.
hung() {
	suspended_store hang-limit=3
	read_fails 100
	read_fails 200
	kill -TERM "$CLIENT_PID"
	await "$LIMIT" eval "[ ! -e /sys/block/$DEV/pid ]"
	resume_store
	client_ended 1
	grep -q "gives no answer" $CLIENT.log
	mapper_remove suiteslow
}

# The kernel gives up first: it hangs up in the midst of a request.
timed_out() {
	suspended_store timeout=3
	read_fails 100
	resume_store
	client_ended 1
	mapper_remove suiteslow
}

TESTS=$SUITE
case ${1:-} in
--on)
	KIND=$2 TESTS=$SUITE_STORE
	shift 2
	;;
--client)
	TESTS="direct direct_small_ring flags polled little_room little_depth large_requests
		too_large disconnected written_back killed taken hung timed_out"
	shift
	;;
esac
[ $# = 0 ] || TESTS="$*"
if ! modprobe -q nbd nbds_max=1; then
	ktap_plan 1
	ktap_skip nbd "this kernel has no nbd"
	ktap_finish
fi
# shellcheck disable=SC2086 # words
suite_run nbd $TESTS
