#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# in-builder.sh [--tree TREE] [--bind DIR]... COMMAND [ARG]...
# Run a command as root in the builder tree, or in TREE. The checkout, the cache, /tmp and
# each DIR are there at the same paths; the working directory and the exit
# status are kept, and nothing that was started outlives the command.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BINDS=("$TOP_DIR" "$CACHE_DIR" /tmp)
TREE=
if [ "${1:-}" = --tree ]; then
	TREE=$2
	shift 2
fi
while [ "${1:-}" = --bind ]; do
	BINDS+=("$(realpath "$2")")
	shift 2
done
[ $# -gt 0 ] || die "usage: in-builder.sh [--tree TREE] [--bind DIR]... COMMAND [ARG]..."

if [ "${PVIO_IN_BUILDER:-}" = 1 ]; then
	exec "$@"
fi
need_root
TREE=${TREE:-$("$VM_DIR/builder.sh")}

enter() {
	local tree=$1 cwd=$2 nr=$3 dir

	shift 3
	mount -t proc proc "$tree/proc"
	mount -t sysfs -o ro sysfs "$tree/sys" 2>/dev/null || true
	mount --rbind /dev "$tree/dev"
	while [ "$nr" -gt 0 ]; do
		dir=$1
		shift
		nr=$((nr - 1))
		mkdir -p "$tree$dir"
		mount --bind "$dir" "$tree$dir"
	done
	# The first process of a namespace can't end by a signal as make wants to: be it oneself.
	nr=0
	chroot "$tree" /usr/bin/env -C "$cwd" PVIO_IN_BUILDER=1 LC_ALL=C.UTF-8 \
		PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" || nr=$?
	exit "$nr"
}

export -f enter
exec unshare --mount --propagation private --pid --fork --kill-child -- \
	bash -euc 'enter "$@"' enter "$TREE" "$(pwd -P)" ${#BINDS[@]} "${BINDS[@]}" "$@"
