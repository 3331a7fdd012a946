#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vsock.sh ROUNDS [WAY]... - in the virtual host, under instruction counting: data through
# /dev/vhost-vsock by ring client, from a socket of the host to the guest, from the guest to a
# socket, and a byte to and fro; pvio's and the kernel's own by turns. Of what is sent in pieces
# of 64 KiB: the back-end's thread, the host's calls, and both without two copies of the data.
set -euo pipefail
# shellcheck source=SCRIPTDIR/vsocks.sh
. /payload/bench/vsocks.sh

ROUNDS=$1
WAYS=("${@:2}")
[ ${#WAYS[@]} -gt 0 ] || WAYS=(to from ping)
# How often either transport copies what is sent: vsockcounts.sh counts it.
COPIES=2
UNIT=instructions/send

# by WHO WAY OPTION... - figures of one of them
by() {
	local who=$1 way=$2 host copies

	vsock_client "$who" --len "${LENGTHS[$way]}" --sends "${SENDS[$way]}" "${@:3}" "$way" ||
		return 0
	host=${GOT[$who.host]} copies=$((COPIES * GOT[$who.copy]))
	GOT[$who.transport]=$((GOT[$who.backend] + host))
	GOT[$who.aside]=$((GOT[$who.transport] - copies))
	echo "$who: host's calls $host, a copy ${GOT[$who.copy]}"
}

# compare WHO WAY
compare() {
	local what whats=(backend transport aside)

	[ "$2" != ping ] || whats=(backend transport machine)
	for what in "${whats[@]}"; do
		row "vsock-$2-$what-${LENGTHS[$2]}-$1" vhost-vsock "$UNIT" "$(got "$1" "$what")" \
			"$(got vhost-vsock "$what")"
	done
}

# load WAY
load() {
	local ring reason opts

	GOT=()
	REASON=
	if vsock_start vhost-vsock; then
		by vhost-vsock "$1"
		vsock_stop vhost-vsock
	fi
	reason=$REASON
	vsock_start pvio || true
	for ring in split packed inorder; do
		read -ra opts <<<"${RINGS[$ring]}"
		by "$ring" "$1" "${opts[@]}"
		REASON=${reason:-$REASON}
		compare "$ring" "$1"
	done
	vsock_stop pvio
}

for ((i = 0; i < ROUNDS; i++)); do
	for way in "${WAYS[@]}"; do
		load "$way"
	done
done
