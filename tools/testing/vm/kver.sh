#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# kver.sh [SERIES] - the full release of a kernel series in the builder tree,
# such as 6.12.96+deb13-amd64 for 6.12; all of them without an argument.
# A full release is printed as it is, if the tree has it.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LIST=/etc/pvio-kernels
if [ "${PVIO_IN_BUILDER:-}" != 1 ]; then
	TREE=$("$VM_DIR/builder.sh")
	LIST=$TREE$LIST
fi
if [ $# = 0 ]; then
	cut -d' ' -f2 "$LIST"
	exit
fi
awk -v want="$1" '$1 == want || $2 == want { print $2; found = 1 } END { exit !found }' "$LIST" ||
	die "no kernel $1 in the builder tree, it has: $(cut -d' ' -f2 "$LIST" | xargs)"
