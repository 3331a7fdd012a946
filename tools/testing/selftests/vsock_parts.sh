# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The parts of /dev/vhost-vsock, for run.sh. What the kernel's own module has as well can be run on
# that: the tests are wrong where it fails them.

# shellcheck disable=SC2034 # run.sh has it
VSOCK_PEER="vsock_io vsock_io_plain vsock_io_iotlb vsock_bad vsock_bad_plain vsock_life
	vsock_life_plain vsock_dirty vsock_scale vsock_fuzz"
# shellcheck disable=SC2034 # run.sh has it
VSOCK="$VSOCK_PEER vsock_io_packed vsock_io_order vsock_io_packed_order vsock_bad_packed_order
	vsock_life_packed_order vsock_dirty_packed vsock_bulk bridge_vsock"

# load_vsock - /dev/vhost-vsock, and what it takes to look at sockets
load_vsock() {
	local module name

	for module in vsock_diag vsockmon; do
		need_module "$module" || return
	done
	[ ! -c /dev/vhost-vsock ] || return 0
	for name in pvio_vsock_common pvio_vhost_vsock; do
		insmod "$(find "$MODULES/.." -name "$name.ko" | head -n 1)" || return
	done
}

# on_vsock PROGRAM_AND_ARGS - with what it takes to look at sockets. A round of these is worth four
# of others.
on_vsock() {
	local name=$1

	load_vsock || return
	shift
	"$HERE/$name" --node /dev/vhost-vsock "${PEER[@]}" --seed "$SEED" \
		--rounds "$(((ROUNDS + 3) / 4))" "$@" "${ONLY[@]}"
}

part_vsock_io() {
	on_vsock vsock_io
}

part_vsock_io_plain() {
	on_vsock vsock_io --no-event-idx --no-indirect
}

part_vsock_io_iotlb() {
	on_vsock vsock_io --iotlb
}

part_vsock_io_packed() {
	on_vsock vsock_io --packed
}

part_vsock_io_order() {
	on_vsock vsock_io --in-order
}

part_vsock_io_packed_order() {
	on_vsock vsock_io --packed --in-order
}

part_vsock_bad() {
	on_vsock vsock_bad
}

part_vsock_bad_plain() {
	on_vsock vsock_bad --no-event-idx --no-indirect
}

part_vsock_bad_packed_order() {
	on_vsock vsock_bad --packed --in-order
}

part_vsock_life() {
	on_vsock vsock_life
}

part_vsock_life_plain() {
	on_vsock vsock_life --no-event-idx --no-indirect
}

part_vsock_life_packed_order() {
	on_vsock vsock_life --packed --in-order
}

# 4 GiB over 256 connections, both ways.
part_vsock_bulk() {
	on_vsock vsock_life --only many_at_once --bytes $((8 << 20))
}

part_vsock_dirty() {
	on_vsock vsock_dirty
}

part_vsock_dirty_packed() {
	on_vsock vsock_dirty --packed
}

part_vsock_scale() {
	on_vsock vsock_scale
}

# Each of its rounds is one.
part_vsock_fuzz() {
	load_vsock || return
	"$HERE/vsock_fuzz" --node /dev/vhost-vsock "${PEER[@]}" --seed "$SEED" \
		--rounds "$ROUNDS" "${ONLY[@]}"
}

part_bridge_vsock() {
	load_vsock || return
	"$HERE/bridge_vsock" --bridge "${PAYLOAD:-/payload}/pvio-bridge" --store none "${ONLY[@]}"
}
