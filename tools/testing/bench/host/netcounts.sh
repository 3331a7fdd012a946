#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# netcounts.sh ROUNDS - in the virtual host, on four CPUs: how often driver and back-end tell each
# other, for each frame of 64 bytes, out and in, as a stream. Time means nothing here.
set -euo pipefail
# shellcheck source=SCRIPTDIR/nets.sh
. /payload/bench/nets.sh

ROUNDS=$1
FRAMES=262144

# counted WHO WAY OPTION... - by whichever device there is
counted() {
	local who=$1 what

	net_client "$who" --stream --depth 256 --frames "$FRAMES" "${@:3}" "$2" || return
	for what in kicks calls; do
		GOT[$who.$what]=$(share "${GOT[$who.$what]}" 1000 5)
	done
}

# compare WAY RING
compare() {
	local what

	for what in kicks calls; do
		row "net-smp-$what-$1-64-$2" vhost-net "$what/frame" "$(got "$2" $what)" \
			"$(got vhost-net $what)"
	done
}

# round WAY
round() {
	local way=$1 ring opts reason

	GOT=()
	REASON=
	if net_start vhost-net; then
		counted vhost-net "$way" || true
		net_stop vhost-net
	fi
	reason=$REASON
	if net_start pvio; then
		for ring in split packed inorder; do
			REASON=
			read -ra opts <<<"${RINGS[$ring]}"
			counted "$ring" "$way" "${opts[@]}" || true
			REASON=${REASON:-$reason}
			compare "$way" "$ring"
		done
		net_stop pvio
	fi
}

net_prepare
for ((i = 0; i < ROUNDS; i++)); do
	for way in out in; do
		round "$way"
	done
done
