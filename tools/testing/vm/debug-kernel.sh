#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# debug-kernel.sh [debug|kcsan] - build, once, a debug kernel from Debian's linux-source-6.12 in the
# builder tree, and print its directory. debug, without an argument, has KASAN and lockdep; kcsan
# looks for data races. There are
#   bzImage         the kernel
#   .config         its configuration
#   release         its release
#   modules/        lib/modules/<release>
#   build/          KDIR for external modules, to be used inside in-builder.sh
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

SOURCE=/usr/src/linux-source-6.12.tar.xz

# What KCSAN can't be with, and what would slow it down.
KCSAN_WITHOUT='LOCALVERSION|KASAN|UBSAN|DEBUG_OBJECTS|DEBUG_KMEMLEAK|PROVE_LOCKING|PROVE_RCU|LOCKDEP'

# fragment KIND - the configuration's lines
fragment() {
	case $1 in
	debug) cat "$VM_DIR/debug-kernel.config" ;;
	kcsan)
		grep -Ev "^(# )?CONFIG_($KCSAN_WITHOUT)(_[A-Z_]*)?[= ]" "$VM_DIR/debug-kernel.config"
		cat "$VM_DIR/kcsan-kernel.config"
		;;
	*) die "no such debug kernel: $1" ;;
	esac
}

# A line of the fragment that Kconfig dropped or overruled is an error: the
# tests on this kernel would pass without looking.
check_config() {
	local config=$1 fragment=$2 line missing=()

	while read -r line; do
		case $line in
		CONFIG_*=*)
			grep -Fxq "$line" "$config" || missing+=("$line") ;;
		"# CONFIG_"*" is not set")
			line=${line#\# }
			! grep -q "^${line%% *}=" "$config" || missing+=("${line%% *}=n") ;;
		esac
	done <"$fragment"
	[ ${#missing[@]} = 0 ] || die "the final .config lacks: ${missing[*]}"
}

# External modules need headers, scripts and generated files; the sources and
# objects of the kernel itself are several times as large.
prune() {
	find . -name '*.o' ! -path './scripts/*' ! -path './tools/*' -delete
	find . \( -name '*.a' -o -name '.*.o.cmd' -o -name '*.ko' -o -name '*.mod' \) -delete
	find drivers fs net sound mm kernel lib crypto block security \
		-name '*.[cS]' -delete
	rm -rf Documentation vmlinux vmlinux.unstripped .tmp_vmlinux* \
		arch/x86/boot/compressed/vmlinux*
	find arch -mindepth 1 -maxdepth 1 -type d ! -name x86 -exec rm -rf {} +
}

# Runs in the builder tree.
build_kernel() {
	local kind=$1 dir=$2 jobs

	jobs=$(nproc)
	mkdir -p "$dir/build"
	fragment "$kind" >"$dir/fragment"
	cd "$dir/build"
	tar -xf "$SOURCE" --strip-components=1
	KCONFIG_ALLCONFIG=$dir/fragment make -s allnoconfig
	check_config .config "$dir/fragment"
	nice make -s -j"$jobs" KCFLAGS=-w bzImage modules
	make -s INSTALL_MOD_PATH="$dir/modules" INSTALL_MOD_STRIP=1 modules_install
	make -s kernelrelease >"$dir/release"
	cp arch/x86/boot/bzImage .config "$dir/"
	rm -f "$dir"/modules/lib/modules/*/build
	prune
}

make_kernel() {
	say "building the $KIND kernel, this takes about a quarter of an hour"
	"$VM_DIR/in-builder.sh" "$VM_DIR/debug-kernel.sh" --build "$KIND" "$1"
}

if [ "${1:-}" = --build ]; then
	build_kernel "$2" "$3"
	exit
fi
KIND=${1:-debug}
FRAGMENT=$(fragment "$KIND")
TREE=$("$VM_DIR/builder.sh")
VERSIONS=$(chroot "$TREE" dpkg-query -W linux-source-6.12 gcc-14)
KERNEL=$CACHE_DIR/$KIND-kernel-$( (echo "1 $VERSIONS"; echo "$FRAGMENT") | hash_of)
cached "$KERNEL" make_kernel
echo "$KERNEL"
