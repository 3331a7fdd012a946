#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# initramfs.sh RELEASE DIR [MODULE]... - make, once, an initramfs for a kernel of
# that release whose modules are in DIR/lib/modules/RELEASE. It loads what the
# root file system on a virtio disk needs, and MODULEs. Prints its path.
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

# Runs in the builder tree.
build() {
	local out=$1 root=$1.root file name

	mkdir -p "$root"/{bin,dev,proc,sys,root,modules}
	cp /usr/bin/busybox "$root/bin/"
	cp "$VM_DIR/guest/initramfs-init" "$root/init"
	cp "$VM_DIR/guest/host-init" "$root/host-init"
	module_files "${@:2}" >"$root/modules/files"
	while read -r file; do
		name=${file##*/}
		name=${name%.ko*}.ko
		unpacked "$file" >"$root/modules/$name"
		echo "$name"
	done <"$root/modules/files" >"$root/modules/order"
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) | gzip -1 >"$out"
	rm -rf "$root"
}

make_initramfs() {
	"$VM_DIR/in-builder.sh" --bind "$DIR" "$VM_DIR/initramfs.sh" \
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
INITRAMFS=$CACHE_DIR/initramfs-$( (echo "1 $RELEASE $DIR $MODULES ${EXTRA[*]}"
	cat "$VM_DIR/guest/initramfs-init" "$VM_DIR/guest/host-init"
	modules_stamp "$DIR/lib/modules/$RELEASE") | hash_of).gz
cached "$INITRAMFS" make_initramfs
echo "$INITRAMFS"
