#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Make, once, the root file system of the virtual host: an ext4 image of Debian
# trixie with QEMU, what tests need, and the modules of the builder tree's
# kernels. Prints its path. It holds no init: run.sh brings that.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES="acl busybox-static cryptsetup-bin dmsetup e2fsprogs fio iproute2 jq
	keyutils kmod libasan8 libubsan1 mount procps psmisc python3-minimal
	qemu-system-x86 seabios socat strace util-linux util-linux-extra xfsprogs"

# Modules of hardware that the virtual host can't have.
LEFT_OUT="sound drivers/accel drivers/bluetooth drivers/comedi drivers/dma drivers/edac
	drivers/extcon drivers/gpu drivers/hid drivers/hwmon drivers/i2c drivers/iio
	drivers/infiniband drivers/input drivers/isdn drivers/leds drivers/media
	drivers/message drivers/mfd drivers/misc drivers/mmc drivers/mtd
	drivers/net/can drivers/net/dsa drivers/net/ethernet drivers/net/phy
	drivers/net/usb drivers/net/wireless drivers/net/wwan drivers/nfc drivers/pinctrl
	drivers/platform drivers/power drivers/regulator drivers/soundwire drivers/spi
	drivers/staging drivers/thunderbolt drivers/tty drivers/usb drivers/video
	fs/bcachefs fs/ceph fs/gfs2 fs/nfs fs/nfsd fs/ocfs2 fs/smb net/bluetooth
	net/mac80211 net/wireless"

SPARE_MIB=1024

sources() {
	cat <<-END
		deb http://deb.debian.org/debian trixie main
		deb http://deb.debian.org/debian trixie-updates main
		deb http://deb.debian.org/debian-security trixie-security main
	END
}

copy_modules() {
	local from=$1 root=$2 release=$3 dir

	mkdir -p "$root/usr/lib/modules"
	cp -a "$from/lib/modules/$release" "$root/usr/lib/modules/"
	for dir in $LEFT_OUT; do
		rm -rf "$root/usr/lib/modules/$release/kernel/$dir"
	done
	rm -f "$root/usr/lib/modules/$release"/{build,source,vmlinuz,System.map}
	chroot "$root" depmod "$release"
}

trim() {
	rm -rf "$1"/usr/share/{doc,info,locale,man} "$1"/var/lib/apt/lists/* \
		"$1"/var/cache/apt/*.bin
	mkdir -p "$1/payload" "$1/etc"
	echo pvio >"$1/etc/hostname"
	echo "127.0.0.1 localhost pvio" >"$1/etc/hosts"
	: >"$1/etc/fstab"
}

make_image() {
	local image=$1 root=$1.root release options mib

	mapfile -t options < <(acquire_options)
	say "making the virtual host's image, this takes a few minutes"
	# shellcheck disable=SC2086 # a list
	sources | mmdebstrap --mode=root --variant=apt --format=directory \
		"${options[@]}" --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Languages "none"' --include="$(echo $PACKAGES | tr ' ' ,)" \
		trixie "$root" -
	for release in $("$VM_DIR/kver.sh"); do
		copy_modules "$TREE/opt/kernels/$release" "$root" "$release"
	done
	trim "$root"
	mib=$(du -sm --apparent-size "$root" | cut -f1)
	mib=$((mib + mib / 5 + SPARE_MIB))
	"$VM_DIR/in-builder.sh" mke2fs -q -t ext4 -L pvio-root -m 0 \
		-d "$root" "$image" "${mib}M"
	rm -rf --one-file-system "$root"
}

TREE=$("$VM_DIR/builder.sh")
IMAGE=$CACHE_DIR/image-$( (echo "1 $PACKAGES $LEFT_OUT $SPARE_MIB"; sources
	"$VM_DIR/kver.sh") | hash_of).ext4
if [ ! -e "$IMAGE" ]; then
	need_root
	need_tools mmdebstrap=mmdebstrap
	cached "$IMAGE" make_image
fi
echo "$IMAGE"
