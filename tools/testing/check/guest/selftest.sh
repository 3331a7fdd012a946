#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The selftests. Where KASAN and lockdep look on, fewer rounds find as much. What takes long and
# hardly differs between kernels is done on some of them; run.sh without an argument does all.
set -euo pipefail

# The kernels, and the parts that are done on these alone, or on none. What no line has is done on
# all. The debug kernel sees user memory by way of the node, and pinned memory by way of vDPA.
PLACES='
6.1		node_fio node_nbd node_scale node_store_nvme node_store_raid node_race_crypt
6.1		node_file_xfs node_race_raid race_control_raid node_crash_file
6.1,debug	node_file_tmpfs node_race_checked
6.12		node_fio_xfs node_store_thin node_file doctor
6.12		store_* race_nvme race_raid race_crypt crash_va file_xfs range_none io_4k
6.12,debug	bad_pa configfs
6.12,7.2	io_small_ring bad_4k io_va bad_va io_readonly range_va zone_va
7.2		node_fio_file node_store_loop node_store_crypt pvioctl
7.2		scale crash_pa race_raid_file file_tmpfs io_large_ring io_many_queues
7.2		loop lifecycle_va scribble_va file_va bad_slow fuzz_va
7.2,debug	file_pa range_pa
debug		lifecycle_pa scribble_pa fuzz_pa node_io_packed_order
6.1		node_io_packed
6.12		node_iotlb_io node_io_order io_packed_va
7.2		io_packed_pa node_iotlb_packed node_dirty_packed node_cgroup_file
7.2,debug	node_iotlb_slow
6.1,6.12	node_crash node_race_nvme race_control_nvme
6.1,7.2		node_race_raid_file node_io_small_ring
none		node_fio_loop node_fio_tmpfs'

without() {
	local kernels patterns pattern

	while read -r kernels patterns; do
		case ,$kernels, in
		*,"$PVIO_KERNEL",*) continue ;;
		esac
		set -f
		for pattern in $patterns; do
			OPTIONS+=(--without "$pattern")
		done
		set +f
	done <<<"${PLACES:1}"
}

rounds=8
[ "$PVIO_KERNEL" != debug ] || rounds=3
OPTIONS=(--rounds "$rounds")
without
exec bash /payload/selftests/run.sh "${OPTIONS[@]}"
