# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What VMs do on pvio's block backend. Each function is a step of the demo and a
# case of make check: it says its figures, and fails if they are not as they must.

. /payload/demo/vmm.sh

GUEST=/dev/pvio/guest
SCRATCH=/dev/pvio/scratch

# figures WORD... - what the demo's table shows of a step
figures() {
	echo "figures: $*"
}

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

# run_fio NAME MEMORY_OPTION... - a VM with a second disk, and fio with
# verification on it; MODE is the disks' memory mode
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
	figures "$ios requests, $mib MiB, all verified"
}

blk_fio_va() {
	MODE=va run_fio fio-va "${VA_MEMORY[@]}"
}

# Plain memory, pinned by vhost_vdpa.
blk_fio_pa() {
	MODE=pa run_fio fio-pa
}
