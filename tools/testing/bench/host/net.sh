#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# net.sh ROUNDS [WAY:LEN:BATCH]... - in the virtual host, under instruction counting: frames of LEN
# bytes through /dev/vhost-net by ring client, so many at once; pvio's and the kernel's own by
# turns. Out, to a tap that drops them; in, from the kernel's packet generator; back, out to
# a tap that gives each one back, and bounce, before it is an sk_buff. And what counting
# costs, with modules that count nothing.
set -euo pipefail
# shellcheck source=SCRIPTDIR/nets.sh
. /payload/bench/nets.sh

ROUNDS=$1
LOADS=("${@:2}")
[ ${#LOADS[@]} -gt 0 ] || LOADS=(out:64:64 out:1514:64 out:64k:16 in:64:128 back:64:1 bounce:64:1)
UNIT=instructions/frame
# So much at a time that the scheduler's ticks are spread evenly.
declare -A FRAMES=([out]=32768 [in]=16384 [back]=8192 [bounce]=8192)

# options WAY LEN BATCH - of the client
options() {
	local frames=${FRAMES[$1]}

	# A single frame has the packet generator's pauses to itself.
	[ "$1:$3" != in:1 ] || frames=512
	[ "$2" != 64k ] || frames=4096
	echo "--len $(frame_len "$2") --depth $3 --frames $frames $1"
}

# by_peer LOAD
by_peer() {
	local opts

	read -ra opts <<<"$(options "$@")"
	REASON=
	unset "GOT[vhost-net.backend]" "GOT[vhost-net.machine]"
	net_start vhost-net || return 0
	net_client vhost-net "${opts[@]}" || true
	net_stop vhost-net
}

# by_pvio WHO RING LOAD
by_pvio() {
	local who=$1 ring opts

	read -ra ring <<<"${RINGS[$2]}"
	read -ra opts <<<"$(options "${@:3}")"
	unset "GOT[$who.backend]" "GOT[$who.machine]"
	net_client "$who" "${ring[@]}" "${opts[@]}" || true
}

# compare RING LOAD
compare() {
	local what

	for what in backend machine; do
		row "net-$1-$what-$2-$3-b$4" vhost-net "$UNIT" "$(got "$1" $what)" \
			"$(got vhost-net $what)"
	done
}

# load WAY LEN BATCH
load() {
	local ring reason

	by_peer "$@"
	reason=$REASON
	NET_MODULES=/payload/host
	if net_start pvio; then
		for ring in split packed inorder; do
			REASON=$reason
			by_pvio "$ring" "$ring" "$@"
			compare "$ring" "$@"
		done
		net_stop pvio
	else
		for ring in split packed inorder; do
			compare "$ring" "$@"
		done
	fi
	uncounted "$@"
}

# uncounted LOAD
uncounted() {
	REASON=
	NET_MODULES=/payload/uncounted
	if net_start pvio; then
		by_pvio uncounted split "$@"
		net_stop pvio
	fi
	row "net-split-backend-$1-$2-b$3" uncounted "$UNIT" "$(got split backend)" \
		"$(got uncounted backend)"
}

net_prepare
for ((i = 0; i < ROUNDS; i++)); do
	for what in "${LOADS[@]}"; do
		IFS=: read -ra words <<<"$what"
		load "${words[@]}"
	done
done
