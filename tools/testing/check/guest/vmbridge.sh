#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pvio-bridge beneath stock QEMU: what a VM has from it, and what becomes of a VM when it ends.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/bridge.sh
. /payload/demo/migrate.sh

CASES=(bridge_load bridge_boot bridge_restarts bridge_migrations bridge_unload)
[ $# = 0 ] || CASES=("$@")

ktap_plan ${#CASES[@]}
for name in "${CASES[@]}"; do
	failed=$KTAP_FAILED
	ktap_test "$name" "$name"
	[ "$KTAP_FAILED" = "$failed" ] || (clean_up) 2>&1 | sed -u 's/^/# /'
done
ktap_finish
