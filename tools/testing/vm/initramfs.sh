#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# initramfs.sh RELEASE DIR [MODULE]... - make, once, an initramfs for a kernel of
# that release whose modules are in DIR/lib/modules/RELEASE. It loads what the
# root file system on a virtio disk needs, MODULEs, and first what emulated CPUs
# need, if there is something to build it with. Prints its path.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MODULES="virtio_pci virtio_blk virtio_console virtio_rng ext4"

# module_files RELEASE DIR - what has to be loaded, in order; built in is fine
module_files() {
	local module

	for module in $MODULES "${@:3}"; do
		modprobe -d "$2" -S "$1" --show-depends "$module" ||
			die "kernel $1 has no $module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

unpacked() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

# build_tree RELEASE DIR - where modules for the kernel are built, if they can be
build_tree() {
	local tree

	for tree in "/usr/src/linux-headers-$1" "$2/../build"; do
		if [ -e "$tree/Module.symvers" ]; then
			realpath "$tree"
			return
		fi
	done
}

# build_int3 ROOT RELEASE DIR - see int3/stale_int3.c
build_int3() {
	local tree work=$1.int3

	tree=$(build_tree "$2" "$3")
	[ -n "$tree" ] || return 0
	cp -r "$VM_DIR/int3" "$work"
	make -s -C "$tree" M="$work" modules
	cp "$work/stale_int3.ko" "$1/modules/"
	rm -rf "$work"
	echo stale_int3.ko
}

# Runs in the builder tree.
build() {
	local out=$1 root=$1.root file name

	mkdir -p "$root"/{bin,dev,proc,sys,root,modules}
	cp /usr/bin/busybox "$root/bin/"
	cp "$VM_DIR/guest/initramfs-init" "$root/init"
	cp "$VM_DIR/guest/host-init" "$root/host-init"
	build_int3 "$root" "$2" "$3" >"$root/modules/order"
	module_files "${@:2}" >"$root/modules/files"
	while read -r file; do
		name=${file##*/}
		name=${name%.ko*}.ko
		unpacked "$file" >"$root/modules/$name"
		echo "$name"
	done <"$root/modules/files" >>"$root/modules/order"
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$out"
	rm -rf "$root"
}

make_initramfs() {
	"$VM_DIR/in-builder.sh" --bind "$DIR/.." "$VM_DIR/initramfs.sh" \
		--build "$1" "$RELEASE" "$DIR" "${EXTRA[@]}"
}

if [ "${1:-}" = --build ]; then
	build "${@:2}"
	exit
fi
[ $# -ge 2 ] || die "usage: initramfs.sh RELEASE DIR [MODULE]..."
RELEASE=$1
DIR=$(realpath "$2")
EXTRA=("${@:3}")
INITRAMFS=$CACHE_DIR/initramfs-$( (echo "2 $RELEASE $DIR $MODULES ${EXTRA[*]}"
	cat "$VM_DIR/guest/initramfs-init" "$VM_DIR/guest/host-init" "$VM_DIR/int3"/*
	modules_stamp "$DIR/lib/modules/$RELEASE") | hash_of).gz
cached "$INITRAMFS" make_initramfs
echo "$INITRAMFS"
