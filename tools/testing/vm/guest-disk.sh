#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Make, once, the guest disk: a raw image that boots through a BIOS from a virtio
# disk. SYSLINUX on a FAT partition loads Debian's 6.12 kernel; the root is an ext4
# partition with busybox, fio and what makes traffic, whose init is guest/guest-init.
# Prints its path.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What it does to a disk, which is what the selftests do.
SELFTESTS=$VM_DIR/../selftests
FIO_CASES=$SELFTESTS/fio.sh
PROGRAMS="/usr/bin/fio /usr/bin/iperf3 /usr/sbin/ethtool"
# Programs of ours, and what they are made of.
OWN="stream dgram"
CLIENT=$VM_DIR/../client
OWN_SOURCES="$SELFTESTS/stream.c $SELFTESTS/dgram.c $CLIENT/pattern.c $CLIENT/pattern.h"
# In MiB; the first one is the partition table's.
FAT_MIB=48
ROOT_MIB=144

boot_config() {
	cat <<-END
		SERIAL 0
		PROMPT 0
		DEFAULT pvio
		LABEL pvio
		KERNEL vmlinuz
		INITRD initrd.gz
		APPEND root=LABEL=pvio-guest console=ttyS0 quiet loglevel=5 panic=-1 net.ifnames=0
	END
}

fat_partition() {
	local image=$1 initramfs=$2 work=$3

	boot_config >"$work/syslinux.cfg"
	truncate -s "${FAT_MIB}M" "$image"
	mformat -i "$image" -v PVIO -T $((FAT_MIB * 2048)) -H 2048 ::
	mcopy -i "$image" "$work/syslinux.cfg" ::syslinux.cfg
	mcopy -i "$image" "/opt/kernels/$RELEASE/vmlinuz" ::vmlinuz
	mcopy -i "$image" "$initramfs" ::initrd.gz
	syslinux --install "$image"
}

root_partition() {
	local image=$1 root=$2 applet program lib

	mkdir -p "$root"/{bin,dev,lib,proc,root,run,sbin,sys,tmp,usr/bin}
	ln -s lib "$root/lib64"
	for applet in $(busybox --list); do
		ln -s busybox "$root/bin/$applet"
	done
	rm -f "$root/bin/busybox"
	cp /usr/bin/busybox "$root/bin/"
	for program in $PROGRAMS; do
		cp "$program" "$root/usr/bin/"
		for lib in $(ldd "$program" | grep -o '/[^ ]*'); do
			cp -L "$lib" "$root/lib/"
		done
	done
	for program in $OWN; do
		gcc -O2 -Wall -static -s -I "$CLIENT" -o "$root/usr/bin/$program" \
			"$SELFTESTS/$program.c" "$CLIENT/pattern.c"
	done
	cp "$VM_DIR/guest/guest-init" "$root/sbin/init"
	cp "$FIO_CASES" "$VM_DIR/guest/net.sh" "$root/lib/"
	mke2fs -q -t ext4 -L pvio-guest -m 0 -d "$root" "$image" "${ROOT_MIB}M"
}

# Runs in the builder tree.
build_disk() {
	local disk=$1 initramfs=$2 work=$1.work mbr=/usr/lib/syslinux/mbr/mbr.bin

	mkdir -p "$work"
	fat_partition "$work/fat" "$initramfs" "$work"
	root_partition "$work/ext4" "$work/root"
	truncate -s "$((1 + FAT_MIB + ROOT_MIB + 1))M" "$disk"
	sfdisk -q "$disk" <<-END
		label: dos
		start=1MiB, size=${FAT_MIB}MiB, type=c, bootable
		start=$((1 + FAT_MIB))MiB, size=${ROOT_MIB}MiB, type=83
	END
	dd if=$mbr of="$disk" bs=440 count=1 conv=notrunc status=none
	dd if="$work/fat" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
	dd if="$work/ext4" of="$disk" bs=1M seek=$((1 + FAT_MIB)) conv=notrunc,sparse status=none
	rm -rf "$work"
}

make_disk() {
	local initramfs

	say "making the guest disk"
	initramfs=$("$VM_DIR/initramfs.sh" "$RELEASE" "$TREE/opt/kernels/$RELEASE" qemu_fw_cfg \
		virtio_net 8021q)
	"$VM_DIR/in-builder.sh" "$VM_DIR/guest-disk.sh" --build "$1" "$initramfs" "$RELEASE"
}

if [ "${1:-}" = --build ]; then
	RELEASE=$4
	build_disk "$2" "$3"
	exit
fi
TREE=$("$VM_DIR/builder.sh")
RELEASE=$("$VM_DIR/kver.sh" 6.12)
DISK=$CACHE_DIR/guest-disk-$( (echo "1 $RELEASE $FAT_MIB $ROOT_MIB"; boot_config
	echo "$PROGRAMS $OWN"
	# shellcheck disable=SC2086 # a list
	cat "$VM_DIR"/guest/{initramfs,guest}-init "$VM_DIR/guest/net.sh" "$FIO_CASES" \
		$OWN_SOURCES) | hash_of).img
cached "$DISK" make_disk
echo "$DISK"
