# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scripts of this folder share: where things are, messages, the cache.

VM_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
TOP_DIR=$(cd "$VM_DIR/../../.." && pwd -P)
CACHE_DIR=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pvio
export VM_DIR TOP_DIR CACHE_DIR

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}

need_root() {
	[ "$(id -u)" = 0 ] || die "must run as root"
}

# need_tools COMMAND=PACKAGE... - install the packages whose command is missing
need_tools() {
	local pair missing=()

	for pair in "$@"; do
		command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	need_root
	mkdir -p "$CACHE_DIR"
	say "installing ${missing[*]}"
	(
		flock 9
		export DEBIAN_FRONTEND=noninteractive
		apt-get install -y -q --no-install-recommends "${missing[@]}" ||
			{ apt-get update -q &&
			  apt-get install -y -q --no-install-recommends "${missing[@]}"; }
	) 9>"$CACHE_DIR/apt.lock" >&2
}

# acquire_options - options for mmdebstrap, one a line, so that the machine's own
# way to its mirror (proxy, clock tolerance) holds there as well
acquire_options() {
	apt-config dump Acquire | sed -nE \
		's/^(Acquire::(https?::[A-Za-z-]+|Check-[A-Za-z-]+|Retries|ForceIPv[46]) "[^"]+");$/--aptopt=\1/p'
}

# hash_of - a short name for what is on stdin
hash_of() {
	sha256sum | cut -c1-12
}

# modules_stamp DIR - changes when modules are installed there anew
modules_stamp() {
	stat -c '%Y %s' "$1" "$1/modules.dep"
}

# forget_old PATH - delete other editions of what is at PATH, named alike up to
# the hash, that nobody has asked for in two weeks
forget_old() {
	local old kind=${1##*/}

	find "$CACHE_DIR" -maxdepth 1 -name "${kind%-*}-*.lock" -mtime +14 |
	while read -r old; do
		[ "${old%.lock}" != "$1" ] || continue
		say "deleting ${old%.lock}, which is no longer used"
		rm -rf --one-file-system "${old%.lock}" "$old"
	done
}

# cached PATH FUNCTION - unless PATH exists, have FUNCTION make it at the
# temporary path it is given and move that into place, one process at a time.
# The time of the lock file is that of the last use.
cached() {
	local path=$1 make=$2 tmp rc=0

	mkdir -p "$CACHE_DIR"
	touch "$path.lock"
	[ ! -e "$path" ] || return 0
	need_root
	exec 8>"$path.lock"
	flock -n 8 || { say "waiting for another run to make ${path##*/}"; flock 8; }
	if [ ! -e "$path" ]; then
		# What a run that was killed left behind goes with the lock held.
		rm -rf --one-file-system "$path".tmp.*
		tmp=$path.tmp.$$
		# A function called in a condition would run without set -e.
		set +e
		(set -e; "$make" "$tmp") >&2
		rc=$?
		set -e
		if [ "$rc" = 0 ]; then
			mv "$tmp" "$path"
			forget_old "$path"
		else
			rm -rf --one-file-system "$path".tmp.*
		fi
	fi
	exec 8>&-
	[ "$rc" = 0 ] || die "could not make $path"
}
