#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# modules-disk.sh RELEASE DIR - make, once, an ext4 image of what a virtual host
# can use of DIR/lib/modules/RELEASE, to be mounted there. Prints its path.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Modules of hardware that the virtual host can't have.
LEFT_OUT="sound drivers/accel drivers/bluetooth drivers/comedi drivers/dma drivers/edac
	drivers/extcon drivers/gpu drivers/hid drivers/hwmon drivers/i2c drivers/iio
	drivers/infiniband drivers/input drivers/isdn drivers/leds drivers/media
	drivers/message drivers/mfd drivers/mmc drivers/mtd drivers/net/can
	drivers/net/dsa drivers/net/ethernet drivers/net/phy drivers/net/usb
	drivers/net/wireless drivers/net/wwan drivers/nfc drivers/pinctrl
	drivers/platform drivers/power drivers/regulator drivers/soundwire drivers/spi
	drivers/staging drivers/thunderbolt drivers/tty drivers/usb drivers/video
	fs/bcachefs fs/ceph fs/gfs2 fs/nfs fs/nfsd fs/ocfs2 fs/smb net/bluetooth
	net/mac80211 net/wireless"

SPARE_MIB=128

# Runs in the builder tree.
build() {
	local image=$1 release=$2 dir=$3 root=$1.root part mib

	mkdir -p "$root/lib/modules"
	cp -a "$dir/lib/modules/$release" "$root/lib/modules/"
	for part in $LEFT_OUT; do
		rm -rf "$root/lib/modules/$release/kernel/$part"
	done
	rm -f "$root/lib/modules/$release"/{build,source,vmlinuz,System.map}
	depmod -b "$root" "$release"
	mib=$(($(du -sm --apparent-size "$root" | cut -f1) * 5 / 4 + SPARE_MIB))
	mke2fs -q -t ext4 -L pvio-modules -m 0 -d "$root/lib/modules/$release" \
		"$image" "${mib}M"
	rm -rf "$root"
}

make_modules_disk() {
	"$VM_DIR/in-builder.sh" --bind "$DIR" "$VM_DIR/modules-disk.sh" \
		--build "$1" "$RELEASE" "$DIR"
}

if [ "${1:-}" = --build ]; then
	build "${@:2}"
	exit
fi
[ $# = 2 ] || die "usage: modules-disk.sh RELEASE DIR"
RELEASE=$1
DIR=$(realpath "$2")
DISK=$CACHE_DIR/modules-$( (echo "1 $RELEASE $DIR $LEFT_OUT $SPARE_MIB"
	modules_stamp "$DIR/lib/modules/$RELEASE") | hash_of).ext4
cached "$DISK" make_modules_disk
echo "$DISK"
