#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Have Debian's DKMS install and remove pvio for a kernel without vDPA and for one
# with it, in a copy of the builder tree that is thrown away.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Runs in a mount namespace of its own; the copy is an overlay in memory.
enter_copy() {
	local work=$1 tree=$2

	mount -t tmpfs tmpfs "$work"
	mkdir "$work"/{upper,work,tree}
	mount -t overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" \
		overlay "$work/tree"
	mkdir "$work/tree/usr/src/pvio"
	tar -x -C "$work/tree/usr/src/pvio"
	mount -t proc proc "$work/tree/proc"
	mount --bind /dev "$work/tree/dev"
	cp -L /etc/resolv.conf "$work/tree/etc/resolv.conf"
	exec chroot "$work/tree" /usr/bin/env LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
		bash -euc "$(declare -f use_dkms); use_dkms"
}

# What was installed is removed even when the headers went before.
use_dkms() {
	local series release version

	version=$(sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' /usr/src/pvio/dkms.conf)
	apt-get update -q
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends dkms
	dkms add /usr/src/pvio
	while read -r series release; do
		[ "$series" != 7.2 ] || continue
		dkms install "pvio/$version" -k "$release" || cat /var/lib/dkms/pvio/*/build/make.log
		find "/lib/modules/$release" -path '*/updates/*' -name '*.ko*' \
			-printf "INSTALLED $release %f\n"
	done </etc/pvio-kernels
	rm -rf /usr/src/linux-headers-*
	dkms remove "pvio/$version" --all
	find /lib/modules/ -path '*/updates/*' -name 'pvio*' -printf 'LEFT %p\n'
	echo FINISHED
}

runs() {
	local work=$PART_LOGS/tree status=0

	mkdir "$work"
	# shellcheck disable=SC2119 # all of them
	sources | tar -c -C "$TOP_DIR" --files-from=- |
		unshare --mount --propagation private -- bash -euc \
			"$(declare -f enter_copy use_dkms); enter_copy \"\$@\"" - "$work" "$TREE" ||
		status=$?
	rmdir "$work"
	return "$status"
}

# installed SERIES MODULE... - these modules and no others
installed() {
	local release=$1

	shift
	release=$("$VM_DIR/kver.sh" "$release")
	diff -u <(printf '%s\n' "$@") \
		<(sed -n "s/^INSTALLED $release \(.*\)\.ko.*/\1/p" "$PART_LOGS/runs.log" | sort)
}

removed() {
	grep -x FINISHED "$PART_LOGS/runs.log"
	nothing grep "^LEFT" "$PART_LOGS/runs.log"
}

TREE=$("$VM_DIR/builder.sh")
MODULES=(pvio_vhost pvio_vhost_blk pvio_vhost_net pvio_vhost_vsock pvio_vsock_common)
part dkms 4
try runs runs
try 6.1 installed 6.1 "${MODULES[@]}"
try 6.12 installed 6.12 "${MODULES[@]}"
try removed removed
ktap_finish
