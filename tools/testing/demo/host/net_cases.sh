# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What happens to VMs on /dev/vhost-net whose network is busy; net.sh and net_traffic.sh come first.

# link_is NAME NETDEV 0|1 - as the guest sees it
link_is() {
	[ "$(guest_says "$1" "cat /sys/class/net/$2/carrier")" = "$3" ]
}

# The link of the VM, of its driver and of the tap go down and come up.
net_link() {
	guest_up a
	stream_start link left "${ADDRESS[a]}"
	qmp a set_link '{"name": "nic-a0", "up": false}' >/dev/null
	await 60 link_is a eth0 0
	qmp a set_link '{"name": "nic-a0", "up": true}' >/dev/null
	await 60 link_is a eth0 1
	stream_moves link
	guest a "ip link set eth0 down; sleep 1; ip link set eth0 up"
	stream_moves link
	ip -n left link set dev a0 down
	sleep 1
	ip -n left link set dev a0 up
	stream_moves link
	stream_end link
	figures "VMM, driver and tap"
}

# channels NAME NETDEV NUMBER
channels() {
	guest "$1" "ethtool -L $2 combined $3"
	[ "$(guest_says "$1" "ethtool -l $2 | awk '/^Combined/ { print \$2 }' | tail -n 1")" = "$3" ] ||
		fail "VM $1: not $3 queue pairs"
}

# As many queue pairs as one likes, while there is traffic on all of them.
net_mq() {
	local nr names=()

	guest_up b
	channels b eth0 4
	for nr in 1 2 3 4; do
		stream_start "mq$nr" right "${ADDRESS[b]}" 200
		names+=("mq$nr")
	done
	queues_busy b 4
	for nr in 1 3 2 4; do
		channels b eth0 $nr
		stream_moves "${names[@]}"
	done
	stream_end "${names[@]}"
	channels b eth0 1
	figures "4, 1, 3, 2 and 4 queue pairs under four streams"
}

# has_feature NAME NETDEV BIT - both sides have agreed on it
has_feature() {
	[ "$(guest_says "$1" "cut -c$(($3 + 1)) /sys/class/net/$2/device/features")" = 1 ]
}

net_packed() {
	guest_up b
	of_peer || has_feature b eth1 34 || fail "the rings aren't packed" || return
	ping_from right 10.9.1.12
	stream right 10.9.1.12 4M
	dgram right 10.9.1.12 200 1472
	dgram right 10.9.1.12 32 65507
	stream_start packed right 10.9.1.12
	driver_rebound b eth1 10.9.1.12
	stream_moves packed
	rings_resized b eth1
	stream_moves packed
	stream_end packed
	figures "4 MiB each way, datagrams, driver and rings reset"
}

# driver_rebound NAME NETDEV ADDRESS - the device is reset, and set up anew
driver_rebound() {
	# shellcheck disable=SC2016 # the guest's
	guest "$1" 'dev=$(basename $(readlink -f /sys/class/net/'"$2"'/device)) &&
		cd /sys/bus/virtio/drivers/virtio_net && echo $dev >unbind && echo $dev >bind &&
		ip addr add '"$3/24 dev $2 && ip link set $2 up"
}

# rings_resized NAME NETDEV - one after the other is reset and has another size
rings_resized() {
	guest "$1" "ethtool -G $2 rx 64 tx 64"
	guest "$1" "ethtool -G $2 rx 256 tx 256"
}

net_reset() {
	guest_up a
	stream_start reset left "${ADDRESS[a]}"
	driver_rebound a eth0 "${ADDRESS[a]}"
	stream_moves reset
	rings_resized a eth0
	stream_moves reset
	stream_end reset
	figures "the device, then each ring"
}

# Memory that is plugged in is what the driver takes first.
net_hotplug() {
	local before after

	guest_up a
	before=$(guest_says a "awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo")
	stream_start hotplug left "${ADDRESS[a]}"
	qmp a object-add '{"qom-type": "memory-backend-ram", "id": "more", "size": 134217728}' >/dev/null
	qmp a device_add '{"driver": "pc-dimm", "id": "dimm", "memdev": "more"}' >/dev/null
	: >"$NET_RUN/plugged"
	stream_moves hotplug
	await 120 memory_online "$((before + 100))"
	stream_moves hotplug
	stream_end hotplug
	stream left "${ADDRESS[a]}" 4M
	after=$(vmm_said a SAID)
	figures "$before MiB, then $after"
}

# memory_online MIB - VM a has at least so much
memory_online() {
	# shellcheck disable=SC2016 # the guest's
	guest a 'for state in /sys/devices/system/memory/memory*/state; do
		grep -q online $state && continue; echo online >$state; done'
	[ "$(guest_says a "awk '/^MemTotal/ { print int(\$2 / 1024) }' /proc/meminfo")" -ge "$1" ]
}

# migrated_busy TIMES - with streams from both sides; on one of them the VM is far away at any time
migrated_busy() {
	local nr where=(right left)

	guest_up a
	stream_start near left "${ADDRESS[a]}"
	stream_start far right "${ADDRESS[a]}"
	for ((nr = 0; nr < $1; nr++)); do
		guest_migrate a guest_start "${where[nr % 2]}"
		stream_moves near far
	done
	dgram left "${ADDRESS[a]}" 100 1472
	stream_end near far
	queues_busy a 2
}

net_migrate() {
	migrated_busy 2
	figures "there and back with two streams, none of them broken"
}

# What a VM has on a tap that is deleted beneath it is gone; all else is as it was. (A reset of that
# device aborts QEMU, by its own decision, and so does the guest's power-off.)
net_tap_deleted() {
	guest_up b
	stream_start deleted right 10.9.1.12
	ip -n right link del dev b1
	stream_drop deleted
	guest b "ping -q -c 1 -W 1 10.9.1.2 && exit 1; true"
	ping_from right "${ADDRESS[b]}"
	stream right "${ADDRESS[b]}" 1M
	vmm_runs b
	guest_down b
	tap_make right b1
	figures "the VM goes on with its other one"
}

# The VMM dies. A VM as it was before, in a VMM that comes after it, has the same tap.
net_killed() {
	local saved=/dev/shm/saved

	guest_up a
	vmm_send a "exec:cat >$saved"
	qmp a cont >/dev/null
	stream_start near left "${ADDRESS[a]}"
	stream_start far right "${ADDRESS[a]}"
	vmm_kill
	await 60 vmm_gone
	stream_drop near far
	await 60 vhost_is_gone "$VMM_PID"
	guest_start a left -incoming "exec:cat $saved"
	stream left "${ADDRESS[a]}" 2M
	guest a "dmesg | tail -n 1"
	has_vhost a
	rm "$saved"
	figures "and the VM after it runs"
}
