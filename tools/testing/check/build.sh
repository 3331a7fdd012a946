#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# build.sh SERIES - one make from nothing for Debian's kernel of a series, in the
# builder tree: nobody may warn, and what comes out is what that kernel can have.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SERIES=$1
RELEASE=$("$VM_DIR/kver.sh" "$SERIES")
OUT=$TOP_DIR/build/$RELEASE

has_vdpa() {
	[ "$SERIES" != 6.1 ]
}

build() {
	rm -rf "$OUT"
	make_modules KVER="$RELEASE"
}

silent() {
	grep -inE '(^|[^a-z_])(warning|error)([^a-z_.]|$)|objtool|section mismatch|undefined!' \
		"$PART_LOGS/builds.log"
}

modules() {
	local want=(common/vsock/pvio_vsock_common.ko
		host/vhost-blk/pvio_vhost_blk.ko host/vhost-net/pvio_vhost_net.ko
		host/vhost-vsock/pvio_vhost_vsock.ko host/vhost/pvio_vhost.ko)

	find "$OUT" -name '*.ko' -printf '%P\n' | sort >"$PART_LOGS/modules"
	diff -u <(printf '%s\n' "${want[@]}") "$PART_LOGS/modules"
}

# What modprobe would look at.
modinfo() {
	local module vermagic

	while read -r module; do
		vermagic=$(builder modinfo -F vermagic "$OUT/$module")
		[ "${vermagic%% *}" = "$RELEASE" ] || echo "$module: for $vermagic"
		[ "$(builder modinfo -F license "$OUT/$module")" = GPL ] || echo "$module: licence"
		[ -n "$(builder modinfo -F description "$OUT/$module")" ] || echo "$module: no description"
	done <"$PART_LOGS/modules"
}

# A kernel without vDPA has its reason told, and one with it has none.
left_out() {
	if has_vdpa; then
		nothing grep -n "left out" "$PART_LOGS/builds.log"
	else
		grep "left out vDPA disks of pvio_vhost_blk: .*vDPA" "$PART_LOGS/builds.log"
	fi
}

part "build-$SERIES" 5
try builds build
try silent nothing silent
try modules modules
try modinfo nothing modinfo
try left_out left_out
ktap_finish
