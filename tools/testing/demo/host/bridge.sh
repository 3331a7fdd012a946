# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What VMs do on pvio-bridge. Each function is a case of make check; it says its figures, and fails if
# they are not as they must.

. /payload/demo/blk.sh

BRIDGE_RUN=/run/bridge

# bridge_run NAME - the daemon of that name, once it listens
bridge_run() {
	local dir=$BRIDGE_RUN/$1

	/payload/pvio-bridge --socket-path="$dir/sock" --blk-file="$(<"$dir/store")" --user=nobody \
		--queues=4 --share="$(<"$dir/share")" </dev/null >>"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	await 60 test -S "$dir/sock" || { cat "$dir/log"; return 1; }
}

# bridge_start NAME STORE [SHARE]
bridge_start() {
	local dir=$BRIDGE_RUN/$1

	mkdir -p "$dir"
	: >"$dir/log"
	echo "$2" >"$dir/store"
	echo "${3:-handover}" >"$dir/share"
	bridge_run "$1"
}

# What ended may wait for a parent that isn't interested.
process_ended() {
	[ ! -e "/proc/$1" ] || grep -qs '^State:.Z' "/proc/$1/status"
}

# bridge_end NAME [SIGNAL]
bridge_end() {
	local pid

	pid=$(<"$BRIDGE_RUN/$1/pid")
	kill -"${2:-TERM}" "$pid"
	await 60 process_ended "$pid"
	rm -f "$BRIDGE_RUN/$1/sock"
}

# on_bridge NAME [QUEUES] - the options that give a VM the disk
on_bridge() {
	echo "-chardev socket,id=$1,path=$BRIDGE_RUN/$1/sock,reconnect-ms=100" \
		"-device vhost-user-blk-pci,id=disk-$1,chardev=$1,num-queues=${2:-4}"
}

# bridge_words NAME...
bridge_words() {
	local name

	for name; do
		sed "s/^/# bridge $name: /" "$BRIDGE_RUN/$name/log" | tail -n 20
	done
}

bridge_load() {
	install_modules
	modprobe pvio_vhost_blk
	figures "pvio_vhost, pvio_vhost_blk on $(uname -r)"
}

bridge_unload() {
	rmmod pvio_vhost_blk
	rmmod pvio_vhost
	figures "no reference was left"
}

# A VM whose only disk is the bridge's: BIOS, loader, kernel and root come from there.
bridge_boot() {
	local reads before after

	bridge_start boot "$GUEST"
	before=$(store_io "$GUEST")
	# shellcheck disable=SC2046 # words
	vmm_start bridged "${VA_MEMORY[@]}" -smp 2 $(on_bridge boot) ||
		{ bridge_words boot; return 1; }
	vmm_end bridged || { bridge_words boot; return 1; }
	after=$(store_io "$GUEST")
	bridge_end boot
	grep -aq "Booting from Hard Disk" "$VMM_RUN/bridged/bios"
	[[ $(vmm_said bridged BOOTED) = "/dev/vda"*" virtio_blk" ]]
	reads=$(($(cut -d' ' -f1 <<<"$after") - $(cut -d' ' -f1 <<<"$before")))
	[ $(($(cut -d' ' -f2 <<<"$after") - $(cut -d' ' -f2 <<<"$before"))) -ge 10 ]
	figures "SeaBIOS to power-off, $reads reads"
}

# fio_checked NAME - what the VM has to have said of its fio, and what has to be on the store
fio_checked() {
	local said

	said=$(vmm_said "$1" FIO)
	[ "$(word rc "$said")" = 0 ] || { vmm_words "$1"; fail "fio: $said"; return; }
	[ "$(word driver "$said")" = virtio_blk ]
	[ "$(word cases "$said")" = "${FIO_CASES// /,}" ] || fail "not all was done: $said" || return
	[ "$(word checksum "$said")" = "$(fio_checksum "$SCRATCH")" ] ||
		fail "the store has other data than the VM's disk" || return
	FIGURES="$(word ios "$said") requests, $(($(word bytes "$said") / 1048576)) MiB, all verified"
}

# vm_on NAME DISK_OF_BOOT DISK_OF_DATA [OPTION]...
vm_on() {
	# shellcheck disable=SC2046 # words
	vmm_start "$1" "${VA_MEMORY[@]}" -smp 2 $(with_qmp "$1") $(on_bridge "$2") $(on_bridge "$3") \
		"${@:4}"
}

# fio_ended NAME - the VM is through with it, or gone
fio_ended() {
	vmm_gone || grep -aq '^PVIO-GUEST-FIO' "$VMM_RUN/$1/serial"
}

shake_restart() {
	bridge_end data
	bridge_run data
}

shake_kill() {
	bridge_end data KILL
	bridge_run data
}

# Both daemons at once.
shake_upgrade() {
	/payload/pvioctl upgrade --force \
		--stop "bash -euc '. /payload/demo/bridge.sh; bridge_end boot; bridge_end data'" \
		--start "bash -euc '. /payload/demo/bridge.sh; bridge_run boot; bridge_run data'"
}

# bridge_shaken WHAT... - while a VM's fio writes and reads, this is done by turns: SHAKEN times
bridge_shaken() {
	local what=("$@")

	SHAKEN=0
	bridge_start boot "$GUEST"
	bridge_start data "$SCRATCH"
	vm_on shaken boot data
	vmm_until shaken '^PVIO-GUEST-BOOTED'
	until fio_ended shaken; do
		"shake_${what[SHAKEN % $#]}"
		SHAKEN=$((SHAKEN + 1))
		sleep 2
	done
	vmm_end shaken || { bridge_words boot data; return 1; }
	bridge_end boot
	bridge_end data
	fio_checked shaken
	[ $SHAKEN -ge $# ] || fail "$SHAKEN times only: $*"
}

bridge_restarts() {
	bridge_shaken restart kill upgrade
	figures "$SHAKEN restarts, SIGKILLs and upgrades by turns, $FIGURES"
}
