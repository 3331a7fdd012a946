# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The parts of /dev/vhost-net, for run.sh. What the kernel's own module has as well can be run on
# that: the tests are wrong where it fails them.

NET_PEER="net_io net_io_plain net_io_legacy net_io_vhost_hdr net_io_macvtap net_io_socket
	net_io_iotlb net_io_tunnels net_bad net_bad_plain net_life net_life_plain net_life_macvtap
	net_dirty net_dirty_iotlb net_iotlb net_iotlb_plain"
# shellcheck disable=SC2034 # run.sh has it
NET="$NET_PEER net_io_packed net_io_order net_io_packed_order net_io_packed_plain
	net_io_zcopy net_zcopy net_zcopy_packed_order net_fuzz
	net_bad_packed net_bad_packed_order net_life_packed net_life_order net_life_packed_order
	net_dirty_packed net_iotlb_packed"

peer_load_modules() {
	modprobe vhost_net && modprobe vhost_vsock && [ -c /dev/vhost-net ] &&
		[ -c /dev/vhost-vsock ]
}

# Sockets hold theirs for a while after they were closed.
peer_unload_modules() {
	rmmod vhost_net || return
	await 30 rmmod vhost_vsock 2>/dev/null && return
	ss -a --vsock | sed 's/^/# /'
	return 1
}

# on_net PROGRAM_AND_ARGS - with what it takes to have a network. A round of these is worth four of
# others.
on_net() {
	local module name=$1

	for module in tun veth; do
		need_module "$module" || return
	done
	shift
	"$HERE/$name" --node /dev/vhost-net "${PEER[@]}" --seed "$SEED" \
		--rounds "$(((ROUNDS + 3) / 4))" "$@" "${ONLY[@]}"
}

part_net_io() {
	on_net net_io
}

part_net_io_plain() {
	on_net net_io --no-mergeable --no-event-idx --no-indirect
}

# The short header.
part_net_io_legacy() {
	on_net net_io --legacy --no-mergeable
}

part_net_io_vhost_hdr() {
	on_net net_io --vhost-hdr
}

part_net_io_macvtap() {
	need_module macvtap && on_net net_io --wire macvtap
}

part_net_io_socket() {
	on_net net_io --wire packet
}

part_net_io_iotlb() {
	on_net net_io --iotlb
}

# The longest header.
part_net_io_tunnels() {
	on_net net_io --tunnels
}

part_net_io_packed() {
	on_net net_io --packed
}

part_net_io_order() {
	on_net net_io --in-order
}

part_net_io_packed_order() {
	on_net net_io --packed --in-order
}

part_net_io_packed_plain() {
	on_net net_io --packed --no-mergeable --no-event-idx --no-indirect
}

part_net_bad() {
	on_net net_bad
}

part_net_bad_plain() {
	on_net net_bad --no-mergeable --no-event-idx --no-indirect
}

part_net_bad_packed() {
	on_net net_bad --packed
}

part_net_bad_packed_order() {
	on_net net_bad --packed --in-order
}

part_net_life() {
	on_net net_life
}

part_net_life_plain() {
	on_net net_life --no-mergeable --no-event-idx --no-indirect
}

part_net_life_macvtap() {
	need_module macvtap && on_net net_life --wire macvtap
}

part_net_life_packed() {
	on_net net_life --packed
}

part_net_life_order() {
	on_net net_life --in-order
}

part_net_life_packed_order() {
	on_net net_life --packed --in-order
}

part_net_dirty() {
	on_net net_dirty
}

part_net_dirty_iotlb() {
	on_net net_dirty --iotlb
}

part_net_dirty_packed() {
	on_net net_dirty --packed
}

# without_copies PROGRAM... - what queues that are started from now on do
without_copies() {
	local wish=/sys/module/pvio_vhost_net/parameters/zcopytx rc=0

	echo 1 >"$wish"
	on_net "$@" || rc=$?
	echo 0 >"$wish"
	return "$rc"
}

part_net_io_zcopy() {
	without_copies net_io
}

part_net_zcopy() {
	need_module sch_plug && without_copies net_zcopy
}

part_net_zcopy_packed_order() {
	need_module sch_plug && without_copies net_zcopy --packed --in-order
}

# Each of its rounds is one.
part_net_fuzz() {
	local rc=0

	need_module tun && need_module veth || return
	"$HERE/net_fuzz" --node /dev/vhost-net "${PEER[@]}" --seed "$SEED" --rounds "$ROUNDS" \
		"${ONLY[@]}" || rc=$?
	echo 0 >/sys/module/pvio_vhost_net/parameters/zcopytx
	return "$rc"
}

part_net_iotlb() {
	on_net net_iotlb
}

part_net_iotlb_plain() {
	on_net net_iotlb --no-mergeable --no-event-idx --no-indirect
}

part_net_iotlb_packed() {
	on_net net_iotlb --packed --in-order
}
