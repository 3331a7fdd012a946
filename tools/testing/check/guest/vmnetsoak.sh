#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmnetsoak.sh [MIGRATIONS RESETS LINKS KILLS] - stock QEMU on /dev/vhost-net, so many times each
# while all that goes through is looked at. 20, 20, 10 and 10 by default.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/net.sh
. /payload/demo/net_traffic.sh
. /payload/demo/net_cases.sh

TIMES=("${1:-20}" "${2:-20}" "${3:-10}" "${4:-10}")

soak_migration() {
	# An even number, so that the VM is at home again.
	migrated_busy $(((TIMES[0] + 1) / 2 * 2))
	figures "${TIMES[0]} times"
}

# again TIMES CASE
again() {
	local n

	for ((n = 1; n <= $1; n++)); do
		"$2"
		note "$2: $n times so far"
	done
	figures "$1 times"
}

soak_reset() {
	again "${TIMES[1]}" net_reset
}

soak_link() {
	again "${TIMES[2]}" net_link
}

soak_kill() {
	again "${TIMES[3]}" net_killed
}

CASES=(net_load soak_migration soak_reset soak_link soak_kill net_unload)

run_cases "${CASES[@]}"
