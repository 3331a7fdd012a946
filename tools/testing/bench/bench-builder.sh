#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Make, once, a second tree beside the builder's, with what only benchmarks need:
# valgrind, and DPDK's vhost library. Prints its path.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../vm/lib.sh"

PACKAGES="gcc libbsd-dev libc6-dev libnuma-dev make pkgconf valgrind"

sources() {
	cat <<-END
		deb http://deb.debian.org/debian trixie main
		deb http://deb.debian.org/debian trixie-updates main
		deb http://deb.debian.org/debian-security trixie-security main
	END
}

# libdpdk-dev asks for all drivers that DPDK has, two hundred packages: it is
# unpacked, and the one library that is wanted installed with what that needs.
# Runs as mmdebstrap's hook.
populate() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	chroot "$1" env DEBIAN_FRONTEND=noninteractive bash -euc '
		vhost=$(apt-cache depends libdpdk-dev | awk "/Depends: librte-vhost/ { print \$2 }")
		apt-get install -y -q --no-install-recommends $vhost
		cd /var/tmp
		apt-get download -q libdpdk-dev
		dpkg-deb -x libdpdk-dev_*.deb /
		rm libdpdk-dev_*.deb
		apt-get clean'
}

make_tree() {
	local tree=$1 options

	mapfile -t options < <(acquire_options)
	need_tools mmdebstrap=mmdebstrap
	say "making the tree for benchmarks, this takes a few minutes"
	sources | mmdebstrap --mode=root --variant=apt --format=directory \
		"${options[@]}" --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --include="${PACKAGES// /,}" \
		--customize-hook="'$(realpath "${BASH_SOURCE[0]}")' --populate \"\$1\"" \
		trixie "$tree" -
}

if [ "${1:-}" = --populate ]; then
	populate "$2"
	exit
fi
TREE=$CACHE_DIR/bench-builder-$( (echo "1 $PACKAGES"; sources) | hash_of)
cached "$TREE" make_tree
echo "$TREE"
