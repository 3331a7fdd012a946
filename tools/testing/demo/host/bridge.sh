# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What VMs do on pvio-bridge. Each function is a case of make check; it says its figures, and fails if
# they are not as they must.

. /payload/demo/blk.sh

# Where the unit has its sockets, too.
BRIDGE_RUN=/run/pvio-bridge
declare -A BRIDGE_PID

# bridge_start NAME STORE [SHARE] - a daemon, once it listens
bridge_start() {
	local path=$BRIDGE_RUN/$1

	mkdir -p "$BRIDGE_RUN"
	# One that was killed has left it.
	rm -f "$path.sock"
	/payload/pvio-bridge --socket-path="$path.sock" --blk-file="$2" --user=nobody --queues=4 \
		--share="${3:-handover}" </dev/null >"$path.log" 2>&1 &
	BRIDGE_PID[$1]=$!
	await 60 bridge_came "$1"
	[ -S "$path.sock" ] || { cat "$path.log"; return 1; }
}

bridge_came() {
	[ -S "$BRIDGE_RUN/$1.sock" ] || ! kill -0 "${BRIDGE_PID[$1]}" 2>/dev/null
}

bridge_end() {
	kill "${BRIDGE_PID[$1]}"
	wait "${BRIDGE_PID[$1]}"
	rm "$BRIDGE_RUN/$1.sock"
}

# on_bridge NAME [QUEUES] - the options that give a VM the disk
on_bridge() {
	echo "-chardev socket,id=$1,path=$BRIDGE_RUN/$1.sock,reconnect-ms=100" \
		"-device vhost-user-blk-pci,id=disk-$1,chardev=$1,num-queues=${2:-4}"
}

# bridge_words NAME...
bridge_words() {
	local name

	for name; do
		sed "s/^/# bridge $name: /" "$BRIDGE_RUN/$name.log" | tail -n 20
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
	# shellcheck disable=SC2034 # for who asks
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
