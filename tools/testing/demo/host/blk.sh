# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What VMs do on pvio's block backend. Each function is a step of the demo and a
# case of make check: it says its figures, and fails if they are not as they must.

. /payload/demo/vmm.sh
. /payload/selftests/fio.sh

GUEST=/dev/pvio/guest
SCRATCH=/dev/pvio/scratch
SLOW=pvio-slow

# Where vhost_vdpa bounds the pieces in which a VM's memory may lie (to 2048), a VM
# with memory=pa and without huge pages needs more of them.
blk_load() {
	modprobe vhost_vdpa max_iotlb_entries=1000000
	load_modules /payload/host
	vdpa mgmtdev show pvio_vhost_blk
	figures "pvio_vhost, pvio_vhost_blk on $(uname -r)"
}

blk_unload() {
	unload_modules
	figures "no reference was left"
}

# A VM whose only disk is pvio's: BIOS, loader, kernel and root come from there.
blk_boot() {
	local reads mib driver before after

	serve boot "$GUEST"
	before=$(store_io "$GUEST")
	# shellcheck disable=SC2046 # two words
	vmm_start boot "${VA_MEMORY[@]}" $(with_disk boot)
	vmm_end boot
	after=$(store_io "$GUEST")
	unserve boot
	grep -aq "Booting from Hard Disk" "$VMM_RUN/boot/bios"
	driver=$(vmm_said boot BOOTED)
	[[ $driver = "/dev/vda"*" virtio_blk" ]]
	reads=$(($(cut -d' ' -f1 <<<"$after") - $(cut -d' ' -f1 <<<"$before")))
	mib=$(($(cut -d' ' -f2 <<<"$after") - $(cut -d' ' -f2 <<<"$before")))
	# Kernel and initramfs alone are more than ten.
	[ "$mib" -ge 10 ]
	figures "SeaBIOS to power-off, $reads reads, $mib MiB"
}

# run_fio NAME MEMORY_OPTION... - a VM with a second disk, and all cases of fio.sh
# on it; MODE is the disks' memory mode
run_fio() {
	local name=$1 said rc ios mib

	serve boot "$GUEST" "memory=$MODE"
	serve "$name" "$SCRATCH" "memory=$MODE"
	# shellcheck disable=SC2046 # words
	vmm_start "$name" "${@:2}" $(with_disk boot) $(with_disk "$name")
	vmm_end "$name"
	unserve "$name"
	unserve boot
	said=$(vmm_said "$name" FIO)
	rc=$(word rc "$said") ios=$(word ios "$said") mib=$(($(word bytes "$said") / 1048576))
	[ "$rc" = 0 ] || { vmm_words "$name"; fail "fio: $said"; }
	[ "$(word driver "$said")" = virtio_blk ]
	[ "$ios" -gt 1000 ] && [ "$mib" -ge 32 ]
	[ "$(word cases "$said")" = "${FIO_CASES// /,}" ] || fail "not all was done: $said"
	[ "$(word checksum "$said")" = "$(fio_checksum "$SCRATCH")" ] ||
		fail "the store has other data than the VM's disk"
	figures "$ios requests, $mib MiB, all verified"
}

blk_fio_va() {
	MODE=va run_fio fio-va "${VA_MEMORY[@]}"
}

# Plain memory, pinned by vhost_vdpa.
blk_fio_pa() {
	MODE=pa run_fio fio-pa
}

# What a VM writes and tells of, block by block, and what else keeps its disk
# busy. busybox and fio are all there is in it.
writer_script() {
	cat <<-'END'
		fio --name=load --filename=/dev/vdb --ioengine=libaio --direct=1 --iodepth=32 \
			--rw=randwrite --bs=4k --offset=64M --size=64M --time_based --runtime=3600 \
			>/dev/null 2>&1 &
		i=0
		while :; do
			i=$((i + 1))
			printf 'block %07d\n' $i >/run/block
			dd if=/run/block of=/dev/vdb bs=4096 seek=$i conv=sync,notrunc,fsync \
				2>/dev/null && echo "PVIO-GUEST-ACK $i"
		done
	END
}

# start_writer STORE - a VM that writes to a disk on STORE for ever
start_writer() {
	serve boot "$GUEST"
	serve data "$1"
	writer_script >/run/writer
	# shellcheck disable=SC2046 # words
	vmm_start writer "${VA_MEMORY[@]}" $(with_disk boot) $(with_disk data) \
		-fw_cfg name=opt/pvio/script,file=/run/writer
	vmm_until writer '^PVIO-GUEST-ACK 20[^0-9]*$'
}

# acked_blocks - each block that the VM was told is written, on the store
acked_blocks() {
	local last i

	last=$(vmm_said writer ACK)
	for ((i = 1; i <= last; i++)); do
		dd if="$1" bs=4096 skip=$i count=1 iflag=direct status=none | head -c 13 >/run/got
		[ "$(</run/got)" = "$(printf 'block %07d' $i)" ] || fail "block $i is lost" || return
	done
	figures "$last acknowledged blocks are there"
}

in_flight() {
	awk '{ exit !($1 + $2) }' "/sys/dev/block/$(stat -Lc %Hr:%Lr "$1")/inflight"
}

# never_busy NAME - what a VM said of which nothing was seen in flight, and twice what the queues
# count, for the one who looks for a request that got lost
never_busy() {
	vmm_words "$1"
	/payload/pvioctl stats | sed 's/^/# /'
	sleep 5
	/payload/pvioctl stats | sed 's/^/# /'
	fail "nothing of VM $1 was seen in flight"
}

# The VMM dies with requests in flight on a slow store: they end, the device goes,
# and what was acknowledged is there.
blk_kill() {
	local mapped=/dev/mapper/$SLOW

	slow_make "$SLOW" "${SCRATCH#/dev/}" 0 300
	start_writer $mapped
	await 150 in_flight $mapped || never_busy writer
	vmm_kill
	unserve data
	unserve boot
	if in_flight $mapped; then
		fail "there are requests of a VM that is gone"
	fi
	acked_blocks $mapped
	mapper_remove "$SLOW"
}

device_gone() {
	! kill -0 "$1" 2>/dev/null
}

# "vdpa dev del" waits until the VMM has closed, and the VM goes on until then.
blk_delete() {
	local deleter acked

	start_writer "$SCRATCH"
	vdpa dev del data &
	deleter=$!
	sleep 3
	kill -0 $deleter
	acked=$(vmm_said writer ACK)
	vmm_until writer "^PVIO-GUEST-ACK $((acked + 20))[^0-9]*\$"
	kill -0 $deleter
	vmm_kill
	await 60 device_gone $deleter
	wait $deleter
	disk_remove data
	unserve boot
	acked_blocks "$SCRATCH"
}

# Private memory is left out of the VMM's map: one message names the remedy.
blk_private() {
	local mark

	mark=$(log_mark)
	serve boot "$GUEST"
	# shellcheck disable=SC2046 # words
	vmm_start private $(with_disk boot)
	await 120 log_says "$mark" "pvio_vhost_blk: boot: " "memory-backend-memfd" >/dev/null
	vmm_kill
	unserve boot
	figures "$(log_since "$mark" | grep -c memory-backend-memfd) message"
}
