#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The selftests. Where KASAN and lockdep look on, fewer rounds find as much. What takes long and
# hardly differs between kernels is done on some of them.
set -euo pipefail

# The kernels, and the parts that are done on these alone, or on none; all others are done on all.
# `make check ALL=1` looks at none of this. The debug kernel sees user memory by way of the node, and
# pinned memory by way of vDPA. What sets io.max isn't done there: the kernel that it is made from
# loses what it has allocated for that (blk_throtl_exit() returns early), and kmemleak tells.
# Nor are networks: each interface takes keys of lockdep, and there are too few for all parts in a boot.
PLACES='
6.1		node_readonly node_io_packed node_range_refused_longest node_file_xfs node_scale
6.1		node_store_nvme node_store_raid node_race_crypt race_control_nvme node_race_nvme
6.1		node_nbd node_fio_xfs node_stream_small_ring node_io_small_ring
6.1		bridge
6.12		bridge_packed
6.1,7.2		upgrade
7.2		bridge_file
6.12		node_iotlb_io node_io_order io_packed_va io_4k range_none zone_va doctor
6.12		node_store_thin store_nvme node_crash crash_va scribble_va fuzz_va
6.12		race_nvme file_xfs node_stream bad_pa
7.2		io_packed_pa node_iotlb_packed node_dirty_packed node_cgroup_file pvioctl
7.2		io_small_ring io_large_ring io_many_queues bad_4k bad_slow io_va bad_va
7.2		io_readonly range_va loop crash_pa race_raid_file store_crypt file_va
6.1,7.2		node_inflight_packed
6.12		node_inflight_order
6.12,debug	node_inflight_packed_order
6.12		net_io_plain net_io_legacy net_io_macvtap net_io_socket net_io_order
6.12		net_io_packed_plain net_dirty_iotlb net_iotlb_plain net_bad_packed_order
6.12		net_life_packed
6.12,7.2	net_io net_io_packed_order net_dirty_packed
6.1,6.12	net_io_vhost_hdr net_io_packed net_iotlb
6.12		net_bad net_life net_dirty
6.1,6.12	net_bad_packed
6.1		net_life_plain
none		net_io_iotlb net_bad_plain net_life_macvtap net_life_order
6.12		net_zcopy net_fuzz
7.2		net_zcopy_packed_order net_io_zcopy
7.2		net_life_packed_order net_iotlb_packed net_io_tunnels
6.1		vsock_io_packed_order vsock_life_plain
6.12		vsock_io vsock_io_iotlb vsock_bad_packed_order vsock_scale vsock_dirty
7.2		vsock_io_order vsock_dirty_packed vsock_life_packed_order bridge_vsock
6.1,debug	vsock_bad vsock_fuzz
debug		vsock_life vsock_io_packed
none		vsock_io_plain vsock_bad_plain vsock_bulk
7.2,debug	node_iotlb_slow
debug		configfs
6.1,debug	node_race_checked
debug		lifecycle_pa scribble_pa fuzz_pa range_pa node_io_packed_order zone_pa
debug		node_faults
6.1,6.12	node_scribble node_range_refused
6.12,7.2	netlink
6.1,6.12,7.2	node_range_written node_zone node_cgroup
none		node_fio node_fio_file node_fio_loop node_fio_tmpfs node_file node_file_tmpfs
none		node_store_loop node_store_crypt node_race_raid node_race_raid_file race_control_raid
none		node_crash_file store_loop store_raid store_thin race_raid race_crypt
none		file_pa file_tmpfs io_pa lifecycle_va scale'

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

# Two threads at the same data are what it is there for.
[ "$PVIO_KERNEL" != kcsan ] ||
	exec bash /payload/selftests/run.sh --rounds 6 node node_worker node_cve node_iotlb node_dirty \
		node_inflight node_inflight_packed_order node_scribble node_fuzz node_netlink node_io \
		lifecycle_va fuzz_va fuzz_pa

rounds=8
[ "$PVIO_KERNEL" != debug ] || rounds=3
OPTIONS=(--rounds "$rounds")
[ "${PVIO_ALL:-}" = 1 ] || without
exec bash /payload/selftests/run.sh "${OPTIONS[@]}"
