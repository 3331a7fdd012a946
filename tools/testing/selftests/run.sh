#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host:
#   run.sh [--modules DIR] [--rounds N] [--seed N] [--only TEST] [--without PATTERN]... [--peer]
#          [PART]...
# Loads the modules that are below DIR, runs the parts, each a subtest, and unloads the
# modules. Without a part all are run, but for those that match a PATTERN. --only leaves out
# the C tests whose name does not contain TEST; --rounds is what makes them longer. With --peer
# the parts of /dev/vhost-net and /dev/vhost-vsock are run on the kernel's own modules instead.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
# shellcheck source=/dev/null
. "$HERE/fleet.sh"
# shellcheck source=/dev/null
. "$HERE/crash.sh"
# shellcheck source=/dev/null
. "$HERE/net_parts.sh"
# shellcheck source=/dev/null
. "$HERE/vsock_parts.sh"

MODULES=${PAYLOAD:-/payload}/host
ROUNDS=20 SEED=1 ONLY=()
VDPA="io_va io_pa io_packed_va io_packed_pa io_4k io_small_ring io_large_ring io_many_queues io_readonly
	bad_va bad_pa bad_4k bad_slow scribble_va scribble_pa scribble_checked
	lifecycle_va lifecycle_pa faults_va faults_pa
	range_va range_pa range_none range_written file_va file_pa file_xfs file_tmpfs
	store_loop store_nvme store_crypt store_raid store_thin
	race_nvme race_raid race_raid_file race_crypt crash_va crash_pa
	zone_va zone_pa scale netlink configfs loop fuzz_va fuzz_pa"
# What a kernel without vDPA has as well.
NODE="node node_worker node_cgroup node_cgroup_file node_cve node_io node_io_packed node_io_order
	node_io_packed_order node_io_small_ring node_iotlb node_iotlb_io node_iotlb_slow node_dirty
	node_iotlb_packed node_dirty_packed
	node_inflight node_inflight_order node_inflight_packed node_inflight_packed_order
	node_readonly node_bad node_scribble node_fuzz node_range
	node_range_refused node_range_refused_longest node_range_written
	node_file node_file_xfs node_file_tmpfs
	node_store_loop node_store_nvme node_store_crypt node_store_raid node_store_thin
	race_control_raid race_control_nvme
	node_race_nvme node_race_raid node_race_raid_file node_race_crypt node_race_checked
	node_crash node_crash_file node_zone node_scale node_netlink pvioctl doctor upgrade
	node_stream node_stream_small_ring node_fio node_fio_file node_fio_xfs node_fio_tmpfs
	node_fio_loop node_nbd node_faults bridge bridge_packed bridge_file"
SIZE_MIB=96 SLOW_MS=300
SERIAL=pvio-test-0123456789

# store_vdpa MEMORY PROGRAM_AND_ARGS -- ATTRIBUTE=VALUE... - a disk on STORE, a device, and the
# program on that; see clean_up
store_vdpa() {
	local memory=$1 program=() rc=0

	shift
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		program+=("$1")
		shift
	done
	shift
	disk_make disk0 "path=$STORE" "memory=$memory" "serial=$SERIAL" "$@" || return
	device_add disk0 || return
	"$HERE/${program[0]}" --dev disk0 --store "$STORE" --back "$BACK" --mem "$memory" \
		--seed "$SEED" --rounds "$ROUNDS" "${program[@]:1}" "${ONLY[@]}" || rc=$?
	device_del disk0 && disk_remove disk0 && return "$rc"
}

# store_node PROGRAM_AND_ARGS - the program on /dev/vhost-blk with STORE
store_node() {
	local name=$1

	shift
	"$HERE/$name" --node /dev/vhost-blk --store "$STORE" --back "$BACK" --seed "$SEED" \
		--rounds "$ROUNDS" "$@" "${ONLY[@]}"
}

# on_disk MEMORY [slow] PROGRAM_AND_ARGS -- ATTRIBUTE=VALUE... - on a store of its own, with
# delays on request
on_disk() {
	local memory=$1

	shift
	store_make nulltest "$SIZE_MIB" || return
	STORE=/dev/nulltest BACK=/dev/nulltest
	if [ "$1" = slow ]; then
		slow_make slowtest nulltest "$SLOW_MS" "$SLOW_MS" || return
		STORE=/dev/mapper/slowtest
		shift
		set -- "$1" --slow "${@:2}"
	fi
	store_vdpa "$memory" "$@"
}

part_io_va() {
	on_disk va blk_io --serial "$SERIAL" -- queues=4 "lifetime=1 2 11"
}

part_io_pa() {
	on_disk pa blk_io --serial "$SERIAL" -- queues=4
}

part_io_packed_va() {
	on_disk va blk_io --packed -- queues=2
}

part_io_packed_pa() {
	on_disk pa blk_io --packed --in-order -- queues=2
}

part_io_4k() {
	on_disk va blk_io -- queues=2 block_size=4096
}

part_io_small_ring() {
	on_disk va blk_io -- queues=1 queue_size=16
}

part_io_large_ring() {
	on_disk va blk_io --only queue -- queues=2 queue_size=1024
}

part_io_many_queues() {
	on_disk va blk_io --only queue_all -- queues=64 queue_size=64
}

part_io_readonly() {
	on_disk va blk_io --readonly --serial "$SERIAL" -- queues=2 readonly=1
}

part_bad_va() {
	on_disk va blk_bad -- queues=4
}

part_bad_pa() {
	on_disk pa blk_bad -- queues=4
}

part_bad_4k() {
	on_disk va blk_bad --only request -- queues=2 block_size=4096
}

part_bad_slow() {
	on_disk va slow blk_bad --only ring_head -- queues=2
}

part_scribble_va() {
	on_disk va blk_scribble -- queues=2
}

part_scribble_pa() {
	on_disk pa blk_scribble -- queues=2
}

# Flags of the store, which say that data may not change while it is written, reach the disk
# by way of the mapping.
part_scribble_checked() {
	local dm

	store_make nulltest "$SIZE_MIB" || return
	echo 1 >/sys/block/nulltest/queue/stable_writes || return
	checked_make checked nulltest || return
	dm=$(dmsetup info -c --noheadings -o blkdevname checked) || return
	[ "$(cat "/sys/block/$dm/queue/stable_writes")" = 1 ] ||
		fail "the mapping does not ask for stable data" || return
	STORE=/dev/mapper/checked BACK=/dev/mapper/checked
	race_vdpa
}

part_lifecycle_va() {
	on_disk va slow blk_lifecycle -- queues=2
}

part_lifecycle_pa() {
	on_disk pa slow blk_lifecycle -- queues=2
}

# Memory that may be waited for can fail as well, and no message is written.
faults_arm() {
	local kind

	for kind in /sys/kernel/debug/fail*/; do
		[ ! -e "$kind/verbose" ] || echo 0 >"$kind/verbose"
		[ ! -e "$kind/ignore-gfp-wait" ] || echo N >"$kind/ignore-gfp-wait"
		[ ! -e "$kind/min-order" ] || echo 0 >"$kind/min-order"
	done
}

part_faults_va() {
	faults_arm
	store_make nullextra 8 || return
	on_disk va blk_fault -- queues=2
}

part_faults_pa() {
	faults_arm
	on_disk pa blk_fault --only fault_map -- queues=2
}

part_node_faults() {
	faults_arm
	on_node node_fault
}

# on_node PROGRAM_AND_ARGS - the same by /dev/vhost-blk
on_node() {
	store_make nulltest "$SIZE_MIB" || return
	STORE=/dev/nulltest BACK=/dev/nulltest
	store_node "$@"
}

part_node() {
	on_node node
}

# Requests are in flight for a while, and end in an interrupt of a timer.
part_node_worker() {
	store_make nulltest "$SIZE_MIB" irqmode=2 completion_nsec=100000 || return
	STORE=/dev/nulltest BACK=/dev/nulltest
	store_node worker
}

part_node_cve() {
	on_node cve
}

part_node_iotlb() {
	on_node iotlb
}

part_node_iotlb_io() {
	on_node blk_io --iotlb --serial "$SERIAL"
}

# on_held PROGRAM_AND_ARGS - on a store that takes a while, and can be made to wait
on_held() {
	store_make nulltest "$SIZE_MIB" irqmode=2 completion_nsec=300000 &&
		linear_make held nulltest || return
	STORE=/dev/mapper/held BACK=/dev/nulltest
	DM_DISABLE_UDEV=1 store_node "$1" --slow "${@:2}"
}

part_node_inflight() {
	on_held inflight
}

part_node_inflight_order() {
	on_held inflight --in-order
}

part_node_inflight_packed() {
	on_held inflight --packed
}

part_node_inflight_packed_order() {
	on_held inflight --packed --in-order
}

# on_bridge ARG... - a VMM on pvio-bridge, with STORE
on_bridge() {
	"$HERE/bridge" --bridge "${PAYLOAD:-/payload}/pvio-bridge" --store "$STORE" --back "$BACK" \
		--seed "$SEED" --rounds "$ROUNDS" "$@" "${ONLY[@]}"
}

# Requests are in flight for a while.
bridge_null() {
	store_make nulltest "$SIZE_MIB" irqmode=2 completion_nsec=300000 || return
	STORE=/dev/nulltest BACK=/dev/nulltest
	on_bridge "$@"
}

part_bridge() {
	bridge_null
}

part_bridge_packed() {
	bridge_null --packed
}

part_bridge_file() {
	on_file ext4 on_bridge
}

# What is unmapped while the store has it.
part_node_iotlb_slow() {
	on_held iotlb --only slow
}

part_node_dirty() {
	on_node dirty
}

part_node_cgroup() {
	on_node cgroup
}

part_node_cgroup_file() {
	on_file ext4 store_node cgroup
}

part_node_iotlb_packed() {
	on_node iotlb --packed --only miss
}

part_node_dirty_packed() {
	on_node dirty --packed --in-order
}

part_node_netlink() {
	on_node netlink
}

part_node_io() {
	on_node blk_io --serial "$SERIAL"
}

part_node_io_packed() {
	on_node blk_io --packed
}

part_node_io_order() {
	on_node blk_io --in-order
}

part_node_io_packed_order() {
	on_node blk_io --packed --in-order
}

part_node_io_small_ring() {
	on_node blk_io --queues 1 --num 16
}

part_node_readonly() {
	on_node blk_io --readonly
}

part_node_bad() {
	on_node blk_bad
}

part_node_scribble() {
	on_node blk_scribble
}

part_node_fuzz() {
	on_node blk_fuzz --queues 2 --num 64
}

part_fuzz_va() {
	on_disk va blk_fuzz --num 64 -- queues=2
}

part_fuzz_pa() {
	on_disk pa blk_fuzz --num 64 -- queues=2
}

# on_loop_device FILE_SYSTEM COMMAND...
on_loop_device() {
	local rc=0 kind=$1

	shift
	loop_make ranges "$SIZE_MIB" "$kind" || return
	STORE=$LOOP BACK=$FILE
	"$@" || rc=$?
	loop_remove ranges && return "$rc"
}

part_range_va() {
	on_loop_device ext4 store_vdpa va blk_range -- queues=2 discard=zero
}

part_range_pa() {
	on_loop_device ext4 store_vdpa pa blk_range -- queues=2 discard=pass
}

part_range_none() {
	on_loop_device ext4 store_vdpa va blk_range -- queues=2 discard=none
}

part_range_written() {
	on_disk va blk_range -- queues=2
}

part_node_range() {
	on_loop_device ext4 store_node blk_range
}

part_node_range_refused() {
	on_loop_device tmpfs store_node blk_range --only range_zeroes
}

part_node_range_refused_longest() {
	on_loop_device tmpfs store_node blk_range --only range_longest
}

part_node_range_written() {
	on_node blk_range
}

# on_file KIND COMMAND...
on_file() {
	local rc=0 kind=$1

	shift
	file_make files "$SIZE_MIB" "$kind" || return
	STORE=$FILE BACK=$FILE
	"$@" || rc=$?
	file_remove files && return "$rc"
}

# each "NAME..." COMMAND... - the command with each name before its arguments, each a group
each() {
	local name names nr=0 rc=0 command=$2

	read -r -a names <<<"$1"
	shift 2
	echo "KTAP version 1"
	echo "1..${#names[@]}"
	for name in "${names[@]}"; do
		nr=$((nr + 1))
		echo "    # Subtest: $name"
		if "$command" "$name" "$@" 2>&1 | sed -u 's/^/    /'; then
			echo "ok $nr $name"
		else
			echo "not ok $nr $name"
			rc=1
		fi
	done
	return "$rc"
}

# program_vdpa NAME MEMORY [ATTRIBUTE=VALUE]...
program_vdpa() {
	store_vdpa "$2" "$1" --serial "$SERIAL" -- queues=2 "${@:3}"
}

program_node() {
	store_node "$1" --serial "$SERIAL"
}

# all_vdpa MEMORY [ATTRIBUTE=VALUE]... - requests of every kind
all_vdpa() {
	each "blk_io blk_range" program_vdpa "$@"
}

all_node() {
	each "blk_io blk_range" program_node
}

file_node() {
	each "blk_io blk_range node" program_node
}

part_file_va() {
	on_file ext4 all_vdpa va
}

part_file_pa() {
	on_file ext4 all_vdpa pa
}

part_file_xfs() {
	on_file xfs all_vdpa va
}

part_file_tmpfs() {
	on_file tmpfs all_vdpa va
}

part_node_file() {
	on_file ext4 file_node
}

part_node_file_xfs() {
	on_file xfs file_node
}

part_node_file_tmpfs() {
	on_file tmpfs file_node
}

on_zones() {
	zoned_make zones || return
	STORE=/dev/zones BACK=/dev/zones
	"$@"
}

part_zone_va() {
	on_zones store_vdpa va blk_zone -- queues=2
}

part_zone_pa() {
	on_zones store_vdpa pa blk_zone -- queues=2
}

part_node_zone() {
	on_zones store_node blk_zone
}

# Files for 256 devices with four eventfds for each of their queues, and more.
part_scale() {
	local i rc=0

	ulimit -n 65536
	store_make nulltest 16 || return
	for ((i = 0; i < 256; i++)); do
		[ $((i % 64)) != 0 ] || note "$i disks"
		linear_make "many$i" nulltest &&
			disk_make "many$i" "path=/dev/mapper/many$i" queues=4 queue_size=128 &&
			device_add "many$i" || return
	done
	"$HERE/blk_scale" --dev many --store /dev/nulltest || rc=$?
	for ((i = 0; i < 256; i++)); do
		device_del "many$i" && disk_remove "many$i" && mapper_remove "many$i" || rc=1
	done
	return "$rc"
}

part_node_scale() {
	ulimit -n 65536
	on_node blk_scale
}

part_configfs() {
	"$HERE/configfs.sh"
}

part_loop() {
	"$HERE/loop.sh"
}

part_netlink() {
	on_disk va netlink -- queues=3
}

part_pvioctl() {
	"$HERE/pvioctl.sh"
}

part_doctor() {
	"$HERE/doctor.sh"
}

part_upgrade() {
	unload_vsock || return
	"$HERE/upgrade.sh"
}

part_node_stream() {
	on_loop_device ext4 stream_node
}

stream_node() {
	store_node nbd_stream --queues 1
}

part_node_stream_small_ring() {
	on_node nbd_stream --queues 2 --num 16
}

part_node_fio() {
	"$HERE/nbd.sh"
}

part_node_nbd() {
	"$HERE/nbd.sh" --client
}

part_node_fio_file() {
	"$HERE/nbd.sh" --on ext4
}

part_node_fio_xfs() {
	"$HERE/nbd.sh" --on xfs
}

part_node_fio_tmpfs() {
	"$HERE/nbd.sh" --on tmpfs
}

part_node_fio_loop() {
	"$HERE/nbd.sh" --on loop
}

# lacking PART - what Debian's kernels have may be missing in others alone
lacking() {
	case ${PVIO_KERNEL:-own} in
	debug | own) ktap_skip "$1" "this kernel lacks something" ;;
	*) ktap_not_ok "$1" "this kernel lacks something that it should have" ;;
	esac
}

# subtest PART - its KTAP indented, then its result
subtest() {
	local name=$1 since=$SECONDS rc

	echo "    # Subtest: $name"
	set +e
	(set -e; "part_$name") 2>&1 | sed -u 's/^/    /'
	rc=${PIPESTATUS[0]}
	clean_up 2>&1 | sed -u 's/^/    # /'
	set -e
	ktap_note "$name: $((SECONDS - since)) s"
	case $rc in
	0) ktap_ok "$name" ;;
	4) lacking "$name" ;;
	*) ktap_not_ok "$name" "exit status $rc" ;;
	esac
}

parse() {
	local twice

	while [ $# -gt 0 ]; do
		case $1 in
		--modules) MODULES=$2; shift ;;
		--rounds) ROUNDS=$2; shift ;;
		--only) ONLY=(--only "$2"); shift ;;
		--without) WITHOUT+=("$2"); shift ;;
		--seed) SEED=$2; shift ;;
		--peer) PEER=(--peer) ;;
		-*) note "no such option: $1"; exit 2 ;;
		*) PARTS+=("$1") ;;
		esac
		shift
	done
	! has_vdpa || NODE="$NODE $VDPA"
	NODE="$NODE $NET $VSOCK"
	[ ${#PEER[@]} = 0 ] || NODE="$NET_PEER $VSOCK_PEER"
	twice=$(tr -s '\t\n ' '\n' <<<"$NODE" | sort | uniq -d | xargs)
	[ -z "$twice" ] || { note "parts that are there twice: $twice"; exit 2; }
	[ ${#PARTS[@]} -gt 0 ] || choose_parts
}

choose_parts() {
	local part pattern

	for part in $NODE; do
		for pattern in "${WITHOUT[@]}"; do
			# shellcheck disable=SC2254 # a pattern
			case $part in
			$pattern) continue 2 ;;
			esac
		done
		PARTS+=("$part")
	done
}

PARTS=() WITHOUT=() PEER=()
parse "$@"
ktap_plan $((${#PARTS[@]} + 2))
if ! "${PEER:+peer_}load_modules" "$MODULES"; then
	ktap_not_ok load
	echo "Bail out! the modules do not load"
	exit 1
fi
ktap_ok load
for part in "${PARTS[@]}"; do
	subtest "$part"
done
if "${PEER:+peer_}unload_modules"; then
	ktap_ok unload
else
	ktap_not_ok unload
fi
ktap_finish
