#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vsockcounts.sh ROUNDS - in the virtual host, on four CPUs: how often guest and back-end tell each
# other, how many packets and credit updates there are, and how many bytes are copied for each
# that is sent, in streams to the guest and from it. Time means nothing here.
set -euo pipefail
# shellcheck source=SCRIPTDIR/vsocks.sh
. /payload/bench/vsocks.sh

ROUNDS=$1
PIECES=512
TRACING=/sys/kernel/tracing
# Threads that carry data: the back-end's own, and that of the client whose calls pass through the
# host's sockets.
CARRIES='comm ~ "pv*" || comm ~ "vhost-*" || comm ~ "vsock_host*"'
# What pvio copies in place, such as headers: PVMEM_SMALL.
SMALL=128

# hist EVENT FILTER - adds up the lengths
hist() {
	echo "hist:keys=common_pid:vals=len if ($CARRIES)$2" >"$TRACING/events/bench/$1/trigger"
}

# probe EVENT FUNCTION ARGUMENT - that function's calls, with a length that is in that argument
probe() {
	echo "p:bench/$1 $2 len=$3" >>"$TRACING/kprobe_events"
}

# The kernel's own copies by two functions, its headers besides, which are not counted. Of pvio the
# kernel looks at each piece of its memory that goes to a process or comes from it, but for the small
# ones.
trace_start() {
	mountpoint -q "$TRACING" || mount -t tracefs tracefs "$TRACING"
	: >"$TRACING/kprobe_events"
	if [ ! -d /sys/module/pvio_vhost ]; then
		probe copy skb_copy_datagram_iter %cx:s32
		probe copy skb_copy_datagram_from_iter %cx:s32
		hist copy ""
		return
	fi
	probe copy __check_object_size %si:u64
	hist copy ""
	probe small pvio_vhost:pvmem_copy_from %cx:u32
	probe small pvio_vhost:pvmem_copy_to %cx:u32
	hist small " && len <= $SMALL"
}

trace_stop() {
	local trigger

	for trigger in "$TRACING"/events/bench/*/trigger; do
		sed -n '/^hist/s/\(.*\) \[.*/!\1/p' "$trigger" >/run/triggers
		cat /run/triggers >"$trigger"
	done
	: >"$TRACING/kprobe_events"
}

copied() {
	cat "$TRACING"/events/bench/*/hist |
		awk '{ for (i = 1; i < NF; i++) if ($i == "len:") sum += $(i + 1) }
			END { printf "%d\n", sum }'
}

# counted WHO WAY OPTION... - by whichever device there is
counted() {
	local who=$1 way=$2 what before after

	trace_start
	before=$(copied)
	if ! vsock_client "$who" --stream --sends "$PIECES" "${@:3}" "$way"; then
		trace_stop
		return 0
	fi
	after=$(copied)
	trace_stop
	# Of a thousand sends; 16 are a MiB.
	for what in kicks calls packets updates; do
		GOT[$who.$what]=$(share "${GOT[$who.$what]}" 62.5 3)
	done
	# An eighth comes before, to warm up.
	GOT[$who.copied]=$(share "$((after - before))" $((PIECES * 9 * 65536 / 8)) 3)
}

# compare RING WAY
compare() {
	local what

	for what in kicks calls packets updates; do
		row "vsock-smp-$what-$2-$1" vhost-vsock "$what/MiB" "$(got "$1" $what)" \
			"$(got vhost-vsock $what)"
	done
	row "vsock-smp-copied-$2-$1" vhost-vsock "bytes/byte" "$(got "$1" copied)" \
		"$(got vhost-vsock copied)"
}

# round WAY
round() {
	local ring opts reason

	GOT=()
	REASON=
	if vsock_start vhost-vsock; then
		counted vhost-vsock "$1"
		vsock_stop vhost-vsock
	fi
	reason=$REASON
	vsock_start pvio || true
	for ring in split packed inorder; do
		read -ra opts <<<"${RINGS[$ring]}"
		counted "$ring" "$1" "${opts[@]}"
		REASON=${reason:-$REASON}
		compare "$ring" "$1"
	done
	vsock_stop pvio
}

for ((i = 0; i < ROUNDS; i++)); do
	for way in to from; do
		round "$way"
	done
done
