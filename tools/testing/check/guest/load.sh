#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A kernel without vDPA: the engine loads, and goes without a trace.
set -euo pipefail
. /payload/ktap.sh

load() {
	insmod /payload/host/vhost/pvio_vhost.ko
	grep -q '^pvio_vhost ' /proc/modules
}

unload() {
	rmmod pvio_vhost
	! grep -q '^pvio_vhost ' /proc/modules
}

no_block_backend() {
	[ ! -e /payload/host/vhost-blk/pvio_vhost_blk.ko ]
}

ktap_plan 5
ktap_test load load
ktap_test unload unload
ktap_test "load again" load
ktap_test "unload again" unload
ktap_test "no block backend" no_block_backend
ktap_finish
