#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# counts.sh ROUNDS - in the virtual host, on four CPUs: how often driver and
# back-end tell each other, and what the back-end allocates and copies, for each
# random read of 4 KiB at depth 32, by 1, 2 and 4 queues. The ring client sends the
# next request when one has ended. Time means nothing here.
set -euo pipefail
# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh

ROUNDS=$1
LESS=8000
MORE=40000
TRACING=/sys/kernel/tracing
OURS=/dev/nullb0 THEIRS_SCSI=/dev/nullb1 THEIRS_USER=/dev/nullb2

# Threads that do a back-end's work, by their names.
SERVES='comm ~ "pv*" || comm ~ "vhost-*" || comm ~ "kworker*" || comm ~ "qemu-st*" || comm ~ "iou-*"'
ALLOCATIONS="kmem/kmalloc kmem/kmem_cache_alloc kmem/mm_page_alloc"
# What guards every copy between a process and the kernel that has no constant size, and pvio's own
# ways to do small ones; larger ones of pvio's would be counted twice, but it does none here.
COPIES=bench/copy

trigger() {
	echo "$2" >"$TRACING/events/$1/trigger"
}

trace_start() {
	local event function

	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING"
	echo p:bench/copy __check_object_size len=%si:u64 >"$TRACING/kprobe_events"
	for function in pvmem_copy_from pvmem_copy_to; do
		echo "p:bench/copy pvio_vhost:$function len=%cx:u64" >>"$TRACING/kprobe_events"
	done
	for event in $ALLOCATIONS; do
		trigger "$event" "hist:keys=common_pid if $SERVES"
	done
	trigger "$COPIES" "hist:keys=common_pid:vals=len if $SERVES"
}

trace_stop() {
	local event

	for event in $ALLOCATIONS; do
		trigger "$event" "!hist:keys=common_pid if $SERVES"
	done
	trigger "$COPIES" "!hist:keys=common_pid:vals=len if $SERVES"
	echo >"$TRACING/kprobe_events"
}

# traced VALUE EVENT... - its sum over all of them, such as of hitcount, or of len
traced() {
	local value=$1 event

	for event in "${@:2}"; do
		cat "$TRACING/events/$event/hist"
	done | awk -v value="$value:" '{ for (i = 1; i < NF; i++) if ($i == value) sum += $(i + 1) }
		END { printf "%d\n", sum }'
}

# traced_all - what has been counted until now: allocations, copies, bytes of these
traced_all() {
	# shellcheck disable=SC2086 # lists
	echo "$(traced hitcount $ALLOCATIONS) $(traced hitcount $COPIES) $(traced len $COPIES)"
}

# counted WHO OPTION... - a run of LESS and one of MORE requests: what the second
# has more than the first is what requests cost, set-up and warm-up aside
counted() {
	local who=$1 now less=() more=() what i requests said

	shift
	read -ra now < <(traced_all)
	client "$who" --stream --depth 32 --requests "$LESS" "$@" || return
	said=$REASON
	read -ra less < <(traced_all)
	client "$who" --stream --depth 32 --requests "$MORE" "$@" || return
	read -ra more < <(traced_all)
	REASON=${REASON:-$said}
	# An eighth of them comes before, to warm up.
	requests=$(((MORE - LESS) * 9 / 8))
	i=0
	for what in allocations copies copied-bytes; do
		GOT[$who.$what]=$(share $((more[i] - 2 * less[i] + now[i])) "$requests")
		i=$((i + 1))
	done
	GOT[$who.kicks]=$(share "${GOT[$who.kicks]}" 1000)
	GOT[$who.calls]=$(share "${GOT[$who.calls]}" 1000)
}

# compare PEER QUEUES WHAT...
compare() {
	local what

	for what in "${@:3}"; do
		row "blk-smp-${what/-/_}-q$2" "$1" "$what/IO" "$(got ours "$what")" "$(got "$1" "$what")"
	done
}

# round QUEUES
round() {
	GOT=()
	counted ours --store "$OURS" --queues "$1"
	same "${GOT[ours.lost]}" 0 "number of kicks that pvio lost"
	REASON=
	if scsi_start "$THEIRS_SCSI" "$1"; then
		counted vhost-scsi --store "$THEIRS_SCSI" --wwpn "$WWPN" --queues "$1" || true
		scsi_stop
	fi
	compare vhost-scsi "$1" kicks calls allocations copies copied-bytes
	REASON=
	if user_start "$THEIRS_USER" "$1"; then
		counted qsd-vhost-user --socket "$SOCKET" --pid "$QSD_PID" --queues "$1" || true
		user_stop
	fi
	compare qsd-vhost-user "$1" kicks calls
	unset "GOT[qsd-vhost-user.allocations]" "GOT[qsd-vhost-user.copies]" \
		"GOT[qsd-vhost-user.copied-bytes]"
	REASON="what a process does inside itself isn't seen"
	compare qsd-vhost-user "$1" allocations copies copied-bytes
}

modprobe null_blk nr_devices=3 gb=1 queue_mode=2 irqmode=0 submit_queues=4
load_modules /payload/host
trace_start
for ((i = 0; i < ROUNDS; i++)); do
	for queues in 1 2 4; do
		round "$queues"
	done
done
trace_stop
unload_modules
