#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Print how the virtual host is to run here: "kvm" if a trial boot under KVM has
# worked and the guest could itself be a host, else "tcg", emulation. The answer
# is kept until the machine boots again. PVIO_ACCEL=kvm|tcg overrules it.
# accel.sh --tsc-khz prints the frequency of this machine's TSC, which is that of
# an emulated one; a guest that measures it while we are busy gets it wrong.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TRIAL_LIMIT=30

trial_boot() {
	local release dir initramfs

	release=$("$VM_DIR/kver.sh" 6.12)
	dir=$("$VM_DIR/builder.sh")/opt/kernels/$release
	initramfs=$("$VM_DIR/initramfs.sh" "$release" "$dir")
	timeout -k 5 "$TRIAL_LIMIT" qemu-system-x86_64 -accel kvm -cpu host -M q35 \
		-m 512 -nodefaults -display none -no-reboot -serial stdio -monitor none \
		-kernel "$dir/vmlinuz" -initrd "$initramfs" \
		-append "console=ttyS0 panic=-1 pvio.trial" </dev/null 2>&1
}

decide() {
	local answer=tcg

	if [ ! -w /dev/kvm ]; then
		say "no /dev/kvm here: emulating"
	elif trial_boot >"$1.log" && grep -q "trial boot, nested=yes" "$1.log"; then
		say "a trial boot under KVM worked: using it"
		answer=kvm
	else
		say "a trial boot under KVM did not get through: emulating"
	fi
	rm -f "$1.log"
	echo $answer >"$1"
}

measure_tsc() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	"$VM_DIR/in-builder.sh" bash -euc 'gcc -O2 -Wall -o "$2.bin" "$1"; "$2.bin" >"$2"' \
		- "$VM_DIR/tsc-khz.c" "$1"
	rm "$1.bin"
}

if [ "${1:-}" = --tsc-khz ]; then
	FILE=$CACHE_DIR/tsc-khz-$(hash_of </proc/sys/kernel/random/boot_id)
	cached "$FILE" measure_tsc
	cat "$FILE"
	exit
fi
if [ -n "${PVIO_ACCEL:-}" ]; then
	echo "$PVIO_ACCEL"
	exit
fi
need_tools qemu-system-x86_64=qemu-system-x86
BOOT=$( (cat /proc/sys/kernel/random/boot_id; qemu-system-x86_64 --version) | hash_of)
cached "$CACHE_DIR/accel-$BOOT" decide
cat "$CACHE_DIR/accel-$BOOT"
