#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmvsocksoak.sh [PROCESSES VMMS MIGRATIONS [SEED]] - stock QEMU on /dev/vhost-vsock, so many times
# each: a process at either end of a connection is killed, the VMM is, the VM migrates. 440, 40, 20
# and 1 by default.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/vsock.sh
. /payload/demo/vsock_cases.sh

TIMES=("${1:-440}" "${2:-40}" "${3:-20}")
SEED=${4:-1}
ENDS=(host_client host_server guest_client guest_server)

# again TIMES CASE
again() {
	local n

	for ((n = 1; n <= $1; n++)); do
		"$2"
		note "$2: $n times so far"
	done
	figures "$1 times"
}

# The processes that serve the guest, but for the one that listens.
served() {
	pgrep -P "$(<"$STREAM_RUN/server")" "$@"
}

served_are() {
	[ "$(served | wc -l)" = "$1" ]
}

# What both sides know of connections, for those who look for the one that goes on.
goes_on() {
	local pid

	for pid in $(served); do
		# It may end meanwhile.
		{ tr '\0' ' ' <"/proc/$pid/cmdline" && cat "/proc/$pid/stack"; } || true
	done
	ss --vsock --all --processes --extended
	vhost_queues a
	# shellcheck disable=SC2016 # in the guest
	guest_ask a 'ss --vsock --all; cd /run/far; for n in *; do echo "$n"; cat "$n"/*; done; false' ||
		vmm_words a
	fail "the host's end of $1 goes on"
}

# Each kills one end of a connection that is in the middle of sending both ways, and waits until the
# other one has ended. The connection that was there before on each side goes on.
kill_host_client() {
	stream_start doomed - "vsock:$(cid_of a)" 1
	stream_drop doomed
	far a served 1
}

kill_guest_server() {
	stream_start doomed - "vsock:$(cid_of a)" 1
	far a kill-last
	await 120 stream_gone doomed || goes_on "a connection to the guest"
}

kill_guest_client() {
	far a start doomed --pause 1
	far a moves doomed "$MOVES"
	far a signal doomed KILL
	await 120 served_are 1 || goes_on "a connection of the guest"
}

kill_host_server() {
	far a start doomed --pause 1
	far a moves doomed "$MOVES"
	kill -KILL "$(served -n)"
	far a said doomed .
}

soak_processes() {
	local n end

	RANDOM=$SEED
	vsock_up
	streams_start a
	for ((n = 1; n <= TIMES[0]; n++)); do
		end=${ENDS[RANDOM % ${#ENDS[@]}]}
		"kill_$end"
		note "$end: $n times so far"
		[ $((n % 10)) != 0 ] || { stream_moves near; far a moves far "$MOVES"; }
	done
	streams_end a
	queues_busy a 2
	figures "${TIMES[0]} times, seed $SEED"
}

soak_vmms() {
	again "${TIMES[1]}" vsock_killed
}

soak_migration() {
	again "${TIMES[2]}" vsock_migrate
}

CASES=(vsock_load soak_processes soak_vmms soak_migration vsock_unload)

run_cases "${CASES[@]}"
