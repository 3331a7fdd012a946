#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# left-out.sh OUT RELEASE
# Say which modules a kernel can't have, and why.
set -euo pipefail

grep -q '^PVIO_HAVE_VDPA := y' "$1/probes.mk" ||
	echo "$2: left out pvio_vhost_blk: this kernel has no vDPA (CONFIG_VDPA)"
