#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The block backend beneath stock QEMU: what the demo shows, and what an operator
# does to VMs that are busy.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/blk.sh

CASES=(blk_load blk_boot blk_fio_va blk_fio_pa blk_kill blk_delete blk_private blk_unload)

run_cases "${CASES[@]}"
