#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# probe.sh KDIR OUT
# Find out what a kernel offers: each probes/NAME.c is compiled with the
# kernel's own flags, and each symbol that it names in a line "symbols: A B"
# must be exported. OUT/probes.h and OUT/probes.mk say which held.
set -euo pipefail

kdir=$1
out=$2
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$out/probes

rm -rf "$work"
mkdir -p "$work"
cp "$here"/probes/*.c "$work"
printf 'ccflags-y := -Werror\nobj-m :=%s\n' \
	"$(cd "$work" && printf ' %s' *.c | sed 's/\.c\b/.o/g')" > "$work/Kbuild"

objects=()
for src in "$work"/*.c; do
	objects+=("$(basename "${src%.c}").o")
done
make -k -C "$kdir" M="$work" "${objects[@]}" > "$out/probes.log" 2>&1 || true

exported() {
	local symbol symbols

	read -r -a symbols <<< "$(sed -n 's/.*symbols: *\([a-z0-9_ ]*\).*/\1/p' "$1")"
	for symbol in "${symbols[@]}"; do
		awk -v s="$symbol" '$2 == s { found = 1 } END { exit !found }' \
			"$kdir/Module.symvers" || return 1
	done
}

: > "$out/probes.h.new"
: > "$out/probes.mk.new"
for src in "$work"/*.c; do
	name=$(basename "${src%.c}" | tr '[:lower:]' '[:upper:]')
	if [ -e "${src%.c}.o" ] && exported "$src"; then
		echo "#define PVIO_HAVE_$name 1" >> "$out/probes.h.new"
		echo "PVIO_HAVE_$name := y" >> "$out/probes.mk.new"
	else
		echo "/* PVIO_HAVE_$name is not set */" >> "$out/probes.h.new"
	fi
done

# Flags or headers that break every probe must not pass for an old kernel.
if [ ! -e "$work/always.o" ]; then
	cat "$out/probes.log" >&2
	echo "probe.sh: nothing can be compiled for $kdir" >&2
	exit 1
fi
mv "$out/probes.h.new" "$out/probes.h"
mv "$out/probes.mk.new" "$out/probes.mk"
