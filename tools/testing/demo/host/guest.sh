# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs of stock QEMU that take commands, on a node of vhost: they do what is told by lines on their
# second serial port, as vm/guest/net.sh has it. With PEER=1 the node is that of the kernel's own
# module, which counts nothing.

. /payload/demo/vmm.sh

GUEST=/dev/pvio/guest
GUEST_RUN=/run/guests

of_peer() {
	[ -n "${PEER:-}" ]
}

# The disk is that of VMs that write as well, one of which may have been killed: who may only read
# it can't put its file system in order.
guest_disk() {
	local disk

	disk=$(readlink -f "$GUEST")
	e2fsck -p "${disk}2" >/dev/null || [ $? = 1 ]
	blockdev --flushbufs "$disk"
}

# guest_boot NAME OPTION...
guest_boot() {
	local control=$GUEST_RUN/control-$1

	guest_disk
	mkdir -p "$GUEST_RUN"
	rm -f "$control".*
	mkfifo "$control".in "$control".out
	# shellcheck disable=SC2046 # words
	vmm_start "$1" $(with_qmp "$1") \
		-chardev "pipe,id=control,path=$control" -serial chardev:control \
		-drive "file=$GUEST,format=raw,if=virtio,readonly=on" \
		-fw_cfg 'name=opt/pvio/script,string=. /lib/net.sh' "${@:2}"
	echo "$VMM_PID" >"$VMM_RUN/$1/pid"
}

# guest_pick NAME - the one that the functions vmm_* mean
guest_pick() {
	VMM_PID=$(<"$VMM_RUN/$1/pid")
}

guest_is_up() {
	[ -e "$VMM_RUN/$1/pid" ] && kill -0 "$(<"$VMM_RUN/$1/pid")" 2>/dev/null
}

# guest_ask NAME COMMAND - sent as one line; the exit status, and what it said, are the command's
guest_ask() {
	local nr

	GUEST_NR=$((${GUEST_NR:-0} + 1))
	nr=$BASHPID.$GUEST_NR.$EPOCHREALTIME
	guest_pick "$1"
	vmm_alive || fail "VM $1 is gone" || return
	printf '%s %s\n' "$nr" "${2//$'\n'/ }" >"$GUEST_RUN/control-$1.in"
	vmm_until "$1" "^PVIO-GUEST-DID $nr "
	tr -d '\r' <"$VMM_RUN/$1/serial" | grep -q "^PVIO-GUEST-DID $nr rc=0\$"
}

# guest NAME COMMAND - which has to succeed
guest() {
	guest_ask "$@" || { vmm_words "$1"; fail "VM $1: not done: $2"; }
}

# guest_says NAME COMMAND - its last line
guest_says() {
	guest "$1" "echo \"PVIO-GUEST-SAID \$($2)\"" >&2
	vmm_said "$1" SAID
}

guest_down() {
	guest_pick "$1"
	echo "0 quit" >"$GUEST_RUN/control-$1.in"
	vmm_end "$1"
	rm -f "$VMM_RUN/$1/pid"
}

# vhost_worker PID - a thread of the kernel's own vhost
vhost_worker() {
	grep -qs "^vhost-$1\$" /proc/[0-9]*/task/[0-9]*/comm
}

# vhost_owner NAME - the process that has a VM's devices: its VMM, or a daemon
vhost_owner() {
	if [ -e "$GUEST_RUN/daemon-$1" ]; then
		cat "$GUEST_RUN/daemon-$1"
	else
		cat "$VMM_RUN/$1/pid"
	fi
}

# vhost_devices NAME - the names of a VM's devices, a line each
vhost_devices() {
	/payload/pvioctl list --json |
		jq -r --argjson pid "$(vhost_owner "$1")" '.[] | select(.pid == $pid) | .name'
}

# vhost_queues NAME - what its queues count: "device queue completed kicks calls errors broken", a
# line each, and nothing from the kernel's own vhost, which doesn't count
vhost_queues() {
	local device

	! of_peer || return 0
	for device in $(vhost_devices "$1"); do
		/payload/pvioctl stats "$device" --json | jq -r '.[] |
			[.name, .queue, .completed, .kicks, .calls, .errors, .broken] | join(" ")'
	done
}

# queues_busy NAME WANTED - as many of its queues have completed something, and none is broken
queues_busy() {
	local queues busy

	! of_peer || return 0
	queues=$(vhost_queues "$1")
	note "queues: ${queues//$'\n'/, }"
	! awk '$7 != 0 { exit 1 }' <<<"$queues" || busy=$(awk '$3 > 0' <<<"$queues" | wc -l)
	[ "${busy:-0}" -ge "$2" ] ||
		fail "VM $1: not $2 queues have done anything, or one is broken"
}

# queue_figures NAME UNIT - for the demo's table
queue_figures() {
	! of_peer || return 0
	vhost_queues "$1" | awk -v unit="$2" '
		{ printf "%s%s queue %s: %d %s", (NR > 1 ? ", " : ""), $1, $2, $3, unit }'
}

# has_vhost NAME - or QEMU has done without, and said so
has_vhost() {
	if grep -i vhost "$VMM_RUN/$1/log"; then
		fail "VM $1 is not on the kernel's vhost"
	elif of_peer; then
		vhost_worker "$(vhost_owner "$1")" || fail "VM $1 has no worker of vhost"
	else
		[ -n "$(vhost_devices "$1")" ] || fail "VM $1 has no device of pvio"
	fi
}

# guest_migrate NAME FUNCTION ARG... - to a new VMM, started by FUNCTION with a name, ARGs and
# options; it has the old one's name from then on
guest_migrate() {
	local from next file incoming=$GUEST_RUN/migrate

	from=$(<"$VMM_RUN/$1/pid")
	# QEMU unlinks its sockets by the names that they had at first: no two have the same.
	next=$1-${EPOCHREALTIME//[.,]/}
	"$2" "$next" "${@:3}" -incoming "unix:$incoming"
	await 60 test -S "$incoming"
	has_vhost "$next"
	vmm_migrate "$1" "$incoming"
	VMM_PID=$from
	await 60 vmm_gone
	rm -rf "${VMM_RUN:?}/$1"
	mv "$VMM_RUN/$next" "$VMM_RUN/$1"
	for file in in out; do
		mv "$GUEST_RUN/control-$next.$file" "$GUEST_RUN/control-$1.$file"
	done
	guest_pick "$1"
}

# vhost_is_gone PID - no worker, no device
vhost_is_gone() {
	if of_peer; then
		! vhost_worker "$1"
	else
		[ "$(/payload/pvioctl list --json | jq "map(select(.pid == $1)) | length")" = 0 ]
	fi
}
