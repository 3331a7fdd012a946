#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pvio-bridge beneath stock QEMU: what a VM has from it, and what becomes of a VM when it ends.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/bridge.sh
. /payload/demo/units.sh
. /payload/demo/vhost_user.sh

CASES=(bridge_load bridge_boot bridge_restarts bridge_migrations bridge_hotplug bridge_locks
	bridge_unload)
# The rest hardly differs between kernels.
[ "$PVIO_KERNEL" = 6.12 ] || CASES=(bridge_load bridge_restarts bridge_hotplug bridge_unload)
[ $# = 0 ] || CASES=("$@")

run_cases "${CASES[@]}"
