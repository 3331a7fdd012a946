# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # scripts that read this use what is set here
# In the virtual host: what pvio's block back-end is compared with. Each peer has
# PEER_start STORE QUEUES and PEER_stop; a start that fails says in REASON why.

TARGETS=/sys/kernel/config/target
WWPN=naa.5001405000000001
SOCKET=/run/bench-user.sock
BRIDGE_SOCKET=/run/bench-bridge.sock

# need COMMAND... - or else REASON is what it said last
need() {
	local said

	said=$("$@" 2>&1) && return
	REASON="$*: $(tail -n 1 <<<"$said")"
	return 1
}

# put VALUE FILE
put() {
	echo "$1" >"$2"
}

# no_scheduler DISK - what has one queue gets an I/O scheduler, but null_blk doesn't: none has
no_scheduler() {
	put none "/sys/block/${1#/dev/}/queue/scheduler"
}

# The kernel's vhost-scsi on a target of LIO, whose store is a block device.
scsi_start() {
	local core=$TARGETS/core/iblock_0/bench tpg=$TARGETS/vhost/$WWPN/tpgt_1

	need modprobe target_core_iblock && need modprobe vhost_scsi &&
		need mkdir -p "$core" && need put "udev_path=$1" "$core/control" &&
		need put 1 "$core/enable" && need mkdir -p "$tpg/lun/lun_0" &&
		need put naa.5001405000000002 "$tpg/nexus" &&
		need ln -s "$core" "$tpg/lun/lun_0/bench"
}

scsi_stop() {
	local core=$TARGETS/core/iblock_0/bench tpg=$TARGETS/vhost/$WWPN/tpgt_1

	rm "$tpg/lun/lun_0/bench"
	put NULL "$tpg/nexus"
	rmdir "$tpg/lun/lun_0" "$tpg" "${tpg%/*}" "$core"
}

# qsd STORE EXPORT - QEMU's storage daemon in the background, its process in QSD_PID
qsd() {
	local log=/run/bench-qsd.log

	qemu-storage-daemon --object iothread,id=io0,poll-max-ns=0 \
		--blockdev "driver=host_device,node-name=store,filename=$1,aio=io_uring,cache.direct=on" \
		--export "$2,id=bench,node-name=store,writable=on,iothread=io0" \
		--pidfile /run/bench-qsd.pid >"$log" 2>&1 &
	QSD_PID=$!
	await 30 test -s /run/bench-qsd.pid && kill -0 "$QSD_PID" 2>/dev/null && return
	REASON="qemu-storage-daemon: $(tail -n 1 "$log")"
	return 1
}

qsd_stop() {
	kill "$QSD_PID"
	wait "$QSD_PID" || true
	rm -f /run/bench-qsd.pid "$SOCKET"
}

user_start() {
	qsd "$1" "type=vhost-user-blk,addr.type=unix,addr.path=$SOCKET,num-queues=$2"
}

user_stop() {
	qsd_stop
}

# pvio's own bridge, its process in BRIDGE_PID: the kernel's threads are threads of it.
bridge_start() {
	/payload/pvio-bridge --socket-path="$BRIDGE_SOCKET" --blk-file="$1" --queues="$2" \
		--share=handover >/run/bench-bridge.log 2>&1 &
	BRIDGE_PID=$!
	await 30 test -S "$BRIDGE_SOCKET" && kill -0 "$BRIDGE_PID" 2>/dev/null && return
	REASON="pvio-bridge: $(tail -n 1 /run/bench-bridge.log)"
	return 1
}

bridge_stop() {
	kill "$BRIDGE_PID"
	wait "$BRIDGE_PID" || true
	rm -f "$BRIDGE_SOCKET"
}

# As a disk of this machine, VDUSE_DISK. Whichever driver has it, virtio_vdpa is to.
vduse_start() {
	local dev=/sys/bus/vdpa/devices/bench-vduse

	need modprobe vduse &&
		qsd "$1" "type=vduse-blk,name=bench-vduse,num-queues=$2,queue-size=256" &&
		need vdpa dev add name bench-vduse mgmtdev vduse || return
	if [ "$(device_driver bench-vduse)" != virtio_vdpa ]; then
		[ ! -e "$dev/driver" ] || put bench-vduse "$dev/driver/unbind"
		put virtio_vdpa "$dev/driver_override"
		need put bench-vduse /sys/bus/vdpa/drivers/virtio_vdpa/bind || return
	fi
	VDUSE_DISK=/dev/$(ls "$dev"/virtio*/block)
	no_scheduler "$VDUSE_DISK"
}

vduse_stop() {
	vdpa dev del bench-vduse
	qsd_stop
}
