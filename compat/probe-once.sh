#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# probe-once.sh KDIR OUT
# Probe a kernel, unless neither it nor the probes have changed since.
set -euo pipefail

for file in Module.symvers include/config/auto.conf; do
	[ -s "$1/$file" ] || {
		echo "make: $1 has no $file; build that kernel and its modules first" >&2
		exit 1
	}
done
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
key=$({
	realpath "$1"
	cat "$1/Module.symvers" "$1/include/config/auto.conf" "$here"/probe.sh \
		"$here"/probes/*.c
} 2>/dev/null | sha256sum)

if [ "$(cat "$2/probes.key" 2>/dev/null)" != "$key" ]; then
	echo "  PROBE   $1"
	"$here/probe.sh" "$1" "$2"
	echo "$key" > "$2/probes.key"
fi
