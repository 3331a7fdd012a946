#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pause.sh ROUNDS [VMS...] - in the virtual host: VMs of stock QEMU on pvio-bridge, a unit of systemd
# each, that read all the time; the modules are replaced beneath them. What is counted is the longest
# read that any of them saw, in milliseconds, before an upgrade and over it.
set -euo pipefail
# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh
. /payload/demo/bridge.sh
. /payload/demo/units.sh

ROUNDS=$1
VMS=("${@:2}")
[ ${#VMS[@]} -gt 0 ] || VMS=(1 8 32)
# In seconds, before and after.
QUIET=20
MEMORY=192

reader_script() {
	cat <<-'END'
		dd if=/dev/vdb of=/run/pause bs=1M count=1 2>/dev/null
		chmod +x /run/pause
		/run/pause /dev/vdb
	END
}

# reader NUMBER - a VM on a store of its own, with the program that it is to run; its first disk is
# QEMU's
reader() {
	store_make "pause$1" 8
	dd if=/payload/bench/pause of="/dev/pause$1" bs=1M conv=fsync status=none
	unit_start "pause$1" "/dev/pause$1"
	# shellcheck disable=SC2046 # words
	vmm_start "pause$1" -m $MEMORY -object "memory-backend-memfd,id=mem,size=${MEMORY}M,share=on" \
		-machine memory-backend=mem -drive "file=$GUEST,format=raw,if=none,id=boot,snapshot=on" \
		-device virtio-blk-pci,drive=boot \
		$(on_bridge "pause$1" 1) -fw_cfg name=opt/pvio/script,file=/run/reader
	vmm_until "pause$1" '^PVIO-GUEST-ALIVE'
}

# serials - what all VMs have said until now, for longest
serials() {
	wc -c "$VMM_RUN"/pause*/serial | awk '$2 != "total" { print $2, $1 }' >"$1"
}

# longest FROM - the longest read that a VM has told of since
longest() {
	local file size

	while read -r file size; do
		tail -c "+$((size + 1))" "$file" | tr -d '\r'
	done <"$1" | awk '/^PVIO-GUEST-TOOK [0-9]+$/ && $2 > max { max = $2 }
		/^PVIO-GUEST-LOST/ { lost = 1 } END { print lost ? "-" : max + 0 }'
}

# alive FROM - each VM has said something since
alive() {
	local file size

	while read -r file size; do
		tail -c "+$((size + 1))" "$file" | grep -aq '^PVIO-GUEST-ALIVE' || return
	done <"$1"
}

# upgrade VMS - rows of what the VMs and pvioctl saw
upgrade() {
	local stopped before after

	serials /run/before
	sleep $QUIET
	before=$(longest /run/before)
	serials /run/after
	stopped=$(inside /payload/pvioctl upgrade --force | sed -n 's/.*stopped for \([0-9.]*\) s/\1/p')
	serials /run/upgraded
	await 120 alive /run/upgraded
	sleep $QUIET
	after=$(longest /run/after)
	row "pause-upgrade-$1-vms" "no upgrade" "ms, longest read" "$after" "$before"
	row "pause-upgrade-$1-vms" "daemons stopped" "ms" "$after" \
		"$(awk -v s="$stopped" 'BEGIN { printf "%d", s * 1000 }')"
}

n=0
install_modules
modprobe pvio_vhost_blk
modprobe null_blk nr_devices=0
mountpoint -q "$CONFIGFS" || mount -t configfs configfs "$CONFIGFS"
systemd_start
reader_script >/run/reader
for vms in "${VMS[@]}"; do
	while [ $n -lt "$vms" ]; do
		n=$((n + 1))
		reader $n
	done
	for ((round = 0; round < ROUNDS; round++)); do
		upgrade "$vms"
	done
done
