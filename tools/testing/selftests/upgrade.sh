#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: pvioctl upgrade, what it refuses, and what is left
# where something fails. Beneath VMs it is tried elsewhere.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
. "$HERE/pvioctl_lib.sh"

NODE=/dev/vhost-blk
BRIDGE=${PAYLOAD:-/payload}/pvio-bridge
SOCKET=/tmp/upgrade.sock
TOLD=/tmp/upgrade.told
FAKES=/tmp/upgrade.bin
OPTIONS=(--force --stop "echo stop >>$TOLD" --start "echo start >>$TOLD")

# daemon_start - a daemon without a VM has the node open as well: DAEMON_PID
daemon_start() {
	store_make upgrade 16
	"$BRIDGE" --socket-path="$SOCKET" --blk-file=/dev/upgrade --user=nobody </dev/null >/tmp/upgrade.log 2>&1 &
	DAEMON_PID=$!
	await "$LIMIT" test -S "$SOCKET" || fail "$(cat /tmp/upgrade.log)"
}

daemon_end() {
	kill "$DAEMON_PID"
	wait "$DAEMON_PID"
	store_remove upgrade
}

# fake PROGRAM SCRIPT - instead of the one that is called so
fake() {
	mkdir -p "$FAKES"
	printf '#!/bin/sh\n%s\n' "$2" >"$FAKES/$1"
	chmod +x "$FAKES/$1"
}

# with_fakes STATUS WORD... -- ARG... - as said_with
with_fakes() {
	PATH=$FAKES:$PATH said_with "$@"
}

# Which load of the module this is.
generation() {
	stat -c %i /sys/module/pvio_vhost /sys/module/pvio_vhost_blk | xargs
}

# told WORD... - what was stopped and started
told() {
	same "$(xargs <"$TOLD")" "$*" "what was stopped and started"
}

usage() {
	p upgrade --help | grep -F -- "--stop COMMAND" >/dev/null
	said_with 2 "upgrade: --frob: no such option" -- upgrade --frob
	said_with 2 "upgrade: --force: no such option" -- upgrade --force=1
	said_with 2 "upgrade: frob: options begin" -- upgrade frob
	said_with 2 "--stop and --start belong together" -- upgrade --stop true
	said_with 2 "upgrade: --start: a value is missing" -- upgrade --start
	said_with 2 "upgrade: --limit 0: it can be 1 to" -- upgrade --limit 0
	install -m 0755 "$PVIOCTL" /tmp/pvioctl
	refused "upgrade: it takes root" as_nobody /tmp/pvioctl upgrade
}

nothing_to_do() {
	local before

	before=$(generation)
	said_with 0 "pvio_vhost: " "pvio_vhost_blk: " "nothing is to be done" -- \
		upgrade --stop "echo stop >>$TOLD" --start "echo start >>$TOLD"
	said_with 0 "is loaded, " -- upgrade --dry-run --force
	told
	same "$(generation)" "$before" "the modules"
}

replaced() {
	local before

	before=$(generation)
	said_with 0 "the daemons were stopped for " -- upgrade "${OPTIONS[@]}"
	told stop start
	[ "$(generation)" != "$before" ] || fail "these are the modules of before"
	[ -c "$NODE" ]
}

# Who has chosen another name for a node finds it again.
parameters_kept() {
	modprobe -r pvio_vhost_net
	modprobe pvio_vhost_net node=vhost-net-kept zcopytx=1
	said_with 0 "the daemons were stopped for " -- upgrade "${OPTIONS[@]}"
	told stop start
	[ -c /dev/vhost-net-kept ]
	same "$(cat /sys/module/pvio_vhost_net/parameters/zcopytx)" Y zcopytx
	modprobe -r pvio_vhost_net
	modprobe pvio_vhost_net
}

# What can be known before a VM is stopped is.
refused_before() {
	local before

	before=$(generation)
	hold_start "$NODE" owner
	said_with 1 "upgrade: process $HOLD_PID (hold) has $NODE open" -- upgrade "${OPTIONS[@]}"
	hold_end
	daemon_start
	said_with 1 "process $DAEMON_PID (pvio-bridge) is of no unit" -- upgrade --force
	daemon_end
	fake modinfo "echo $FAKES/other.ko"
	sed 's/ mod_unload/ mod_xnload/' "$(modinfo -F filename pvio_vhost_blk)" >"$FAKES/other.ko"
	with_fakes 1 "the kernel would not take $FAKES/other.ko" -- upgrade "${OPTIONS[@]}"
	: >"$FAKES/other.ko"
	with_fakes 1 "the kernel would not take $FAKES/other.ko" -- upgrade "${OPTIONS[@]}"
	fake modinfo 'exit 1'
	with_fakes 1 "pvio_vhost_net is not installed for kernel $(uname -r)" -- \
		upgrade "${OPTIONS[@]}"
	hold_start /dev/vhost-net owner
	said_with 1 "process $HOLD_PID (hold) has /dev/vhost-net open" -- upgrade "${OPTIONS[@]}"
	hold_end
	told
	same "$(generation)" "$before" "the modules"
}

refused_disk() {
	has_vdpa || return 4
	store_make upgrade 16
	p blk add disk0 --path /dev/upgrade >/dev/null
	said_with 1 "upgrade: disk0 is a vDPA disk" "pvioctl blk del disk0" -- upgrade "${OPTIONS[@]}"
	p blk del disk0
	store_remove upgrade
	told
}

# Two at once would take away each other's modules.
only_one() {
	local first

	p upgrade --force --stop "echo stop >>$TOLD; sleep 5" --start "echo start >>$TOLD" &
	first=$!
	await "$LIMIT" grep -q stop "$TOLD"
	said_with 1 "another one is at work" -- upgrade "${OPTIONS[@]}"
	wait "$first"
	told stop start
}

# Whatever fails after the stop, the daemons are started again.
stop_fails() {
	local before

	before=$(generation)
	said_with 1 "the daemons can't be stopped (status 3)" -- upgrade --force \
		--stop "echo stop >>$TOLD; exit 3" --start "echo start >>$TOLD"
	told stop start
	same "$(generation)" "$before" "the modules"
}

stop_hangs() {
	local before

	before=$(generation)
	said_with 1 "have not stopped in 1 s" -- upgrade --force --limit 1 \
		--stop "echo stop >>$TOLD; sleep 8" --start "echo start >>$TOLD"
	told stop start
	same "$(generation)" "$before" "the modules"
}

stays_in_use() {
	local before

	before=$(generation)
	daemon_start
	said_with 1 "pvio_vhost_blk is in use, $NODE is open in $DAEMON_PID (pvio-bridge)" \
		"started again" -- upgrade "${OPTIONS[@]}"
	daemon_end
	told stop start
	same "$(generation)" "$before" "the modules"
}

load_fails() {
	fake modprobe 'exit 1'
	with_fakes 1 "the installed pvio_vhost can't be loaded" "the VMs wait" \
		"modprobe -a pvio_vhost_net pvio_vhost_blk" -- upgrade "${OPTIONS[@]}"
	told stop
	[ ! -e /sys/module/pvio_vhost_blk ]
	said_with 1 "no module of pvio is loaded" -- upgrade "${OPTIONS[@]}"
	modprobe -a pvio_vhost_net pvio_vhost_blk
}

# Disks don't wait for networks.
one_load_fails() {
	fake modprobe "case \$1 in *_net) exit 1 ;; esac; exec $(command -v modprobe) \"\$@\""
	with_fakes 1 "the installed pvio_vhost_net can't be loaded" -- upgrade "${OPTIONS[@]}"
	told stop start
	[ -c "$NODE" ]
	[ ! -e /sys/module/pvio_vhost_net ]
	modprobe pvio_vhost_net
}

start_fails() {
	said_with 1 "the daemons don't start again (status 4): their VMs wait" -- upgrade --force \
		--stop true --start "exit 4"
	[ -c "$NODE" ]
}

# Half an upgrade is VMs that stand still: who loses patience does not end it.
interrupted() {
	p upgrade --force --stop "kill -INT \$PPID; kill -TERM \$PPID; kill -HUP \$PPID" \
		--start "echo start >>$TOLD"
	told start
}

TESTS="usage nothing_to_do replaced parameters_kept refused_before refused_disk only_one stop_fails
	stop_hangs stays_in_use load_fails one_load_fails start_fails interrupted"

install_modules
ktap_plan "$(wc -w <<<"$TESTS")"
for name in $TESTS; do
	rm -rf "$FAKES"
	: >"$TOLD"
	ktap_test "upgrade_$name" "$name"
done
ktap_finish
