#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# image.sh [PACKAGE | src:SOURCE]... - make, once, the root file system of the virtual
# host: an ext4 image of Debian trixie with QEMU, what tests need, and PACKAGEs. What
# is built from a SOURCE is of trixie-backports. Prints its path. It holds neither
# init nor modules: those come with the kernel that run.sh boots.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PACKAGES="acl busybox-static cryptsetup-bin dmsetup e2fsprogs ethtool fio iperf3 iproute2
	jq keyutils kmod libasan8 libmnl0 libubsan1 mdadm mount procps psmisc python3-minimal
	qemu-system-x86 seabios socat strace systemd util-linux util-linux-extra xfsprogs"

SPARE_MIB=1024
NEWER=
for word; do
	case $word in
	src:*) NEWER="$NEWER $word" ;;
	*) PACKAGES="$PACKAGES $word" ;;
	esac
done

sources() {
	cat <<-END
		deb http://deb.debian.org/debian trixie main
		deb http://deb.debian.org/debian trixie-updates main
		deb http://deb.debian.org/debian-security trixie-security main
	END
	[ -z "$NEWER" ] || echo "deb http://deb.debian.org/debian trixie-backports main"
}

preferences() {
	printf '%s\n' "Package:$NEWER" "Pin: release n=trixie-backports" "Pin-Priority: 500"
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
	local image=$1 root=$1.root options mib

	mapfile -t options < <(acquire_options)
	if [ -n "$NEWER" ]; then
		preferences >"$image.pins"
		options+=(--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\""
			--setup-hook="cp '$image.pins' \"\$1/etc/apt/preferences.d/pvio\"")
	fi
	need_tools mmdebstrap=mmdebstrap
	say "making the virtual host's image, this takes a few minutes"
	# shellcheck disable=SC2086 # a list
	sources | mmdebstrap --mode=root --variant=apt --format=directory \
		"${options[@]}" --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Languages "none"' --include="$(echo $PACKAGES | tr ' ' ,)" \
		trixie "$root" -
	rm -f "$image.pins"
	trim "$root"
	mib=$(du -sm --apparent-size "$root" | cut -f1)
	mib=$((mib + mib / 5 + SPARE_MIB))
	"$VM_DIR/in-builder.sh" mke2fs -q -t ext4 -L pvio-root -m 0 \
		-d "$root" "$image" "${mib}M"
	rm -rf --one-file-system "$root"
}

IMAGE=$CACHE_DIR/image-$( (echo "2 $PACKAGES $SPARE_MIB${NEWER:+ $NEWER}"; sources) | hash_of).ext4
cached "$IMAGE" make_image
echo "$IMAGE"
