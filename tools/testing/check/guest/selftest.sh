#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The selftests. Where KASAN and lockdep look on, fewer rounds find as much. What takes long and
# hardly differs between kernels is done on some of them; run.sh without an argument does all.
set -euo pipefail

ELSEWHERE='
6.1	node_fio_[xtl]* node_scale node_store_loop node_store_crypt node_store_thin
6.12	node_fio_* node_store_* node_race_* race_control_* node_crash_file node_file_[xt]*
6.12	scale lifecycle_* bad_pa scribble_pa file_pa node_nbd pvioctl doctor
7.2	store_* race_nvme race_raid race_raid_file race_crypt node_scale file_xfs range_none node_nbd
7.2	lifecycle_pa scribble_pa io_4k io_many_queues
debug	node_fio_* scale node_scale node_crash_file node_nbd pvioctl doctor
debug	io_[4slm]* bad_4k node_store_loop node_store_thin
debug	store_* race_nvme race_raid race_raid_file race_crypt crash_pa range_none file_xfs'

without() {
	local kernel patterns pattern

	while read -r kernel patterns; do
		[ "$kernel" = "$PVIO_KERNEL" ] || continue
		set -f
		for pattern in $patterns; do
			OPTIONS+=(--without "$pattern")
		done
		set +f
	done <<<"$ELSEWHERE"
}

rounds=8
[ "$PVIO_KERNEL" != debug ] || rounds=3
OPTIONS=(--rounds "$rounds")
without
exec bash /payload/selftests/run.sh "${OPTIONS[@]}"
