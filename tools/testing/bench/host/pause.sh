#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# pause.sh ROUNDS [KIND:NUMBER]... - in the virtual host: so many VMs on pvio-bridge, a unit of systemd
# each, that read all the time; the modules are replaced beneath them. The kinds are qemu, which is
# stock QEMU with a guest, and ring, the ring client, of which more run at once. What is counted is
# the longest read that any of them saw, in milliseconds, before an upgrade and over it.
set -euo pipefail
# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh
. /payload/demo/bridge.sh
. /payload/demo/units.sh

ROUNDS=$1
VMS=("${@:2}")
[ ${#VMS[@]} -gt 0 ] || VMS=(qemu:1 qemu:8 ring:1 ring:8 ring:32)
# In seconds, before and after.
QUIET=20
MEMORY=192
READER=/payload/selftests/blk_pause
PIDS=()

reader_script() {
	cat <<-'END'
		dd if=/dev/vdb of=/run/pause bs=1M count=1 2>/dev/null
		chmod +x /run/pause
		/run/pause /dev/vdb
	END
}

# reader_qemu NAME - its first disk is QEMU's, its second one has the program that it is to run
reader_qemu() {
	# shellcheck disable=SC2046 # words
	vmm_start "$1" -m $MEMORY -object "memory-backend-memfd,id=mem,size=${MEMORY}M,share=on" \
		-machine memory-backend=mem -drive "file=$GUEST,format=raw,if=none,id=boot,snapshot=on" \
		-device virtio-blk-pci,drive=boot \
		$(on_bridge "$1" 1) -fw_cfg name=opt/pvio/script,file=/run/reader
	PIDS+=("$VMM_PID")
}

reader_ring() {
	mkdir -p "$VMM_RUN/$1"
	"$READER" "$BRIDGE_RUN/$1.sock" </dev/null >"$VMM_RUN/$1/serial" 2>&1 &
	VMM_PID=$!
	PIDS+=("$VMM_PID")
}

# reader KIND NUMBER - one more VM, on a store of its own
reader() {
	store_make "$1$2" 8
	dd if="$READER" of="/dev/$1$2" bs=1M conv=fsync status=none
	unit_start "$1$2" "/dev/$1$2"
	"reader_$1" "$1$2"
	vmm_until "$1$2" '^PVIO-GUEST-ALIVE'
}

# readers_end KIND NUMBER - of all
readers_end() {
	local i

	kill "${PIDS[@]}"
	wait "${PIDS[@]}" || true
	PIDS=()
	for ((i = 1; i <= $2; i++)); do
		inside systemctl stop "pvio-bridge@$1$i"
		rm -r "${VMM_RUN:?}/$1$i"
	done
}

# serials - what all VMs have said until now, for longest
serials() {
	wc -c "$VMM_RUN"/*/serial | awk '$2 != "total" { print $2, $1 }' >"$1"
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

# upgrade KIND NUMBER - rows of what the VMs and pvioctl saw
upgrade() {
	local said stopped before after

	serials /run/before
	sleep $QUIET
	before=$(longest /run/before)
	serials /run/after
	said=$(inside /payload/pvioctl upgrade --force)
	sed -n '/stopped for/s/^/# /p' <<<"$said"
	stopped=$(sed -n 's/.*stopped for \([0-9.]*\) s.*/\1/p' <<<"$said")
	serials /run/upgraded
	await 120 alive /run/upgraded
	sleep $QUIET
	after=$(longest /run/after)
	row "pause-upgrade-$2-$1" "no upgrade" "ms, longest read" "$after" "$before"
	row "pause-upgrade-$2-$1" "daemons stopped" "ms" "$after" \
		"$(awk -v s="$stopped" 'BEGIN { printf "%d", s * 1000 }')"
}

install_modules
modprobe pvio_vhost_blk
modprobe null_blk nr_devices=0
mountpoint -q "$CONFIGFS" || mount -t configfs configfs "$CONFIGFS"
systemd_start
reader_script >/run/reader
running=0 kind=
for vms in "${VMS[@]}"; do
	if [ "$kind" ] && [ "$kind" != "${vms%:*}" ]; then
		readers_end "$kind" $running
		running=0
	fi
	kind=${vms%:*}
	while [ $running -lt "${vms#*:}" ]; do
		running=$((running + 1))
		reader "$kind" $running
	done
	for ((round = 0; round < ROUNDS; round++)); do
		upgrade "$kind" $running
	done
done
