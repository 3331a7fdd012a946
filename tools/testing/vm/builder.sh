#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Make, once, the builder tree: a Debian trixie with compilers, checkers, and
# headers and images of the kernels that pvio is tested on. Prints its path.
#
# The newest patch level of a series at the time of making is taken, and noted
# in /etc/pvio-kernels of the tree as lines of "<series> <release>".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SERIES="6.1 6.12 7.2"

PACKAGES="bc bison build-essential busybox-static bzip2 ca-certificates clang
	cpio dwarves e2fsprogs ethtool fdisk file fio flex gcc-12 git iperf3 jq kmod
	libclang-rt-dev libdw-dev libelf-dev libmnl-dev libseccomp-dev libssl-dev linux-source-6.12 llvm
	make mtools patch perl pkg-config python3 python3-yaml rsync shellcheck
	sparse syslinux syslinux-common xz-utils zstd"

sources() {
	local main=http://deb.debian.org/debian
	local security=http://deb.debian.org/debian-security

	cat <<-END
		deb $main trixie main
		deb $main trixie-updates main
		deb $main trixie-backports main
		deb $security trixie-security main
		deb $security bookworm-security main
	END
}

# From bookworm comes its kernel and nothing else.
preferences() {
	cat <<-END
		Package: *
		Pin: release n=bookworm-security
		Pin-Priority: -1

		Package: /^linux-(headers|image|kbuild)-6\.1([.-]|$)/ linux-compiler-gcc-12-x86
		Pin: release n=bookworm-security
		Pin-Priority: 500
	END
}

recipe() {
	echo "1 $SERIES $PACKAGES"
	sources
	preferences
}

has_candidate() {
	chroot "$1" apt-cache policy "$2" | grep -E '^ *Candidate: [0-9]' >/dev/null
}

# newest_release TREE SERIES - such as 6.12.96+deb13-amd64
newest_release() {
	local tree=$1 series=${2//./\\.} release

	while read -r release; do
		if has_candidate "$tree" "linux-headers-$release" &&
		   has_candidate "$tree" "linux-image-$release"; then
			echo "$release"
			return
		fi
	done < <(chroot "$tree" apt-cache pkgnames "linux-headers-$2." |
		 sed -nE "s/^linux-headers-($series\.[0-9.+~a-z-]*-amd64)$/\1/p" |
		 grep -Ev -- '-(rt|cloud)-' | sort -rV)
	die "no linux-headers of series $2 on the mirror"
}

# The image packages are unpacked, not installed: their scripts would make
# initramfs images that nobody boots. Newer releases come in several packages and
# have their kernel beside the modules.
unpack_kernel() {
	local tree=$1 release=$2 dest=/opt/kernels/$2

	# shellcheck disable=SC2016 # expanded by the inner shell
	chroot "$tree" bash -euc '
		mkdir -p "$2" /var/tmp/deb
		cd /var/tmp/deb
		apt-cache depends --recurse --no-recommends --no-suggests --no-breaks \
			--no-conflicts --no-replaces --no-enhances "linux-image-$1" |
			grep -Fx -e "linux-image-$1" -e "linux-binary-$1" \
				-e "linux-modules-$1" -e "linux-base-$1" |
			sort -u | xargs apt-get download -q
		for deb in ./*.deb; do
			dpkg-deb -x "$deb" "$2"
		done
		cd /
		rm -r /var/tmp/deb
		[ -d "$2/usr/lib/modules" ] || { mkdir -p "$2/usr"; mv "$2/lib" "$2/usr/lib"; }
		[ -e "$2/lib" ] || ln -s usr/lib "$2/lib"
		depmod -b "$2" "$1"
		for file in "$2/boot/vmlinuz-$1" "$2/lib/modules/$1/vmlinuz"; do
			[ ! -f "$file" ] || mv "$file" "$2/vmlinuz"
		done
		test -e "$2/vmlinuz"
	' - "$release" "$dest"
}

# Runs as mmdebstrap's hook, with /proc and /dev mounted in the tree.
populate() {
	local tree=$1 series release headers=()

	chroot "$tree" apt-get update -q
	for series in $SERIES; do
		release=$(newest_release "$tree" "$series")
		say "kernel $series is $release"
		echo "$series $release" >>"$tree/etc/pvio-kernels"
		headers+=("linux-headers-$release")
	done
	# shellcheck disable=SC2086 # a list
	chroot "$tree" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends $PACKAGES "${headers[@]}"
	while read -r series release; do
		unpack_kernel "$tree" "$release"
	done <"$tree/etc/pvio-kernels"
	chroot "$tree" apt-get clean
}

make_tree() {
	local tree=$1 options pins=$1.pins

	mapfile -t options < <(acquire_options)
	need_tools mmdebstrap=mmdebstrap
	say "making the builder tree, this takes a few minutes"
	preferences >"$pins"
	sources | mmdebstrap --mode=root --variant=apt --format=directory \
		"${options[@]}" --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--setup-hook="mkdir -p \"\$1/etc/apt/preferences.d\"" \
		--setup-hook="cp '$pins' \"\$1/etc/apt/preferences.d/pvio\"" \
		--customize-hook="'$VM_DIR/builder.sh' --populate \"\$1\"" \
		trixie "$tree" - || { rm -f "$pins"; return 1; }
	rm -f "$pins"
}

if [ "${1:-}" = --populate ]; then
	populate "$2"
	exit
fi
TREE=$CACHE_DIR/builder-$(recipe | hash_of)
cached "$TREE" make_tree
echo "$TREE"
