#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# left-out.sh KDIR OUT RELEASE
# Say what a kernel can't have, and why.
set -euo pipefail

if ! grep -q '^PVIO_HAVE_VDPA := y' "$2/probes.mk"; then
	why='this kernel has no vDPA (CONFIG_VDPA)'
	! grep -q '^CONFIG_VDPA=' "$1/include/config/auto.conf" ||
		why="this kernel's vDPA is too old"
	echo "$3: left out vDPA disks of pvio_vhost_blk: $why"
fi
grep -q '^PVIO_HAVE_VSOCK := y' "$2/probes.mk" ||
	echo "$3: left out pvio_vhost_vsock: this kernel has no AF_VSOCK (CONFIG_VSOCKETS)"
