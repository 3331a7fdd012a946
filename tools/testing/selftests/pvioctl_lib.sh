# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the tests of pvioctl share; lib.sh comes first.

PVIOCTL=${PAYLOAD:-/payload}/pvioctl
LIMIT=60
HOLD=/tmp/hold

p() {
	"$PVIOCTL" "$@"
}

# said_with STATUS WORD... -- ARG... - pvioctl ends so, and what it says holds all the words
said_with() {
	local want=$1 status=0 words=() said word

	shift
	while [ "$1" != -- ]; do
		words+=("$1")
		shift
	done
	shift
	said=$(p "$@" 2>&1) || status=$?
	[ "$status" = "$want" ] || fail "pvioctl $*: status $status, expected $want: $said" || return
	for word in "${words[@]}"; do
		grep -qF -- "$word" <<<"$said" || fail "pvioctl $*: '$word' expected, got: $said" ||
			return
	done
}

# hold_start ARG... - a process that has a device open: HOLD_PID
hold_start() {
	rm -f "$HOLD.in" "$HOLD.out"
	mkfifo "$HOLD.in"
	"$HERE/hold" "$@" <"$HOLD.in" >"$HOLD.out" &
	HOLD_PID=$!
	exec {HOLD_FD}>"$HOLD.in"
	await "$LIMIT" grep -q ready "$HOLD.out" || fail "hold $* does not start"
}

hold_end() {
	exec {HOLD_FD}>&-
	wait "$HOLD_PID"
}

# in_place COMMANDS - run where mounts are nobody else's
in_place() {
	unshare -m bash -euc "$1"
}
