#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmnet.sh [CASE]... - stock QEMU on /dev/vhost-net. With PEER=1 on the kernel's own.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/net.sh
. /payload/demo/net_traffic.sh
. /payload/demo/net_cases.sh
. /payload/demo/net_bridge.sh

CASES=(net_load net_boot net_iperf net_offload net_mtu net_vlan net_link net_reset net_hotplug
	net_migrate net_between net_mq net_packed net_tap_deleted net_killed net_bridge
	net_unload)
# The rest hardly differs between kernels.
[ "$PVIO_KERNEL" = 6.12 ] || CASES=(net_load net_boot net_offload net_reset net_migrate net_unload)
[ $# = 0 ] || CASES=("$@")

run_cases "${CASES[@]}"
