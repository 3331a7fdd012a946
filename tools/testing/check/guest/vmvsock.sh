#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmvsock.sh [CASE]... - stock QEMU on /dev/vhost-vsock. With PEER=1 on the kernel's own.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/vsock.sh
. /payload/demo/vsock_kernel.sh
. /payload/demo/vsock_cases.sh
. /payload/demo/vsock_watch.sh
. /payload/demo/vsock_bridge.sh

CASES=(vsock_load vsock_diag vsock_test_out vsock_test_in vsock_uring vsock_test_loopback
	vsock_perf vsock_boot vsock_slow vsock_monitor vsock_ss vsock_cids vsock_migrate vsock_restored
	vsock_killed vsock_namespaces vsock_fd vsock_bridge vsock_unload)
[ $# = 0 ] || CASES=("$@")

run_cases "${CASES[@]}"
