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
# What takes long and hardly differs between kernels is done on one of them, unless it's asked for.
if [ "${PVIO_ALL:-}" != 1 ]; then
	case $PVIO_KERNEL in
	6.12) CASES=(bridge_load bridge_boot bridge_migrations bridge_locks bridge_unload) ;;
	*) CASES=(bridge_load bridge_restarts bridge_hotplug bridge_unload) ;;
	esac
fi
[ $# = 0 ] || CASES=("$@")

run_cases "${CASES[@]}"
