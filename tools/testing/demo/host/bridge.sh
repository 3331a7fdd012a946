# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What VMs do on pvio-bridge. Each function is a case of make check; it says its figures, and fails if
# they are not as they must.

. /payload/demo/blk.sh

BRIDGE_RUN=/run/bridge
declare -A BRIDGE_PID BRIDGE_STORE

# bridge_run NAME - the daemon of that name, once it listens
bridge_run() {
	local socket=$BRIDGE_RUN/$1.sock

	/payload/pvio-bridge --socket-path="$socket" --blk-file="${BRIDGE_STORE[$1]}" --user=nobody \
		--queues=4 --share=handover </dev/null >>"$BRIDGE_RUN/$1.log" 2>&1 &
	BRIDGE_PID[$1]=$!
	await 60 test -S "$socket" || { cat "$BRIDGE_RUN/$1.log"; return 1; }
}

# bridge_start NAME STORE
bridge_start() {
	mkdir -p "$BRIDGE_RUN"
	: >"$BRIDGE_RUN/$1.log"
	BRIDGE_STORE[$1]=$2
	bridge_run "$1"
}

# bridge_end NAME [SIGNAL]
bridge_end() {
	kill -"${2:-TERM}" "${BRIDGE_PID[$1]}"
	wait "${BRIDGE_PID[$1]}" 2>/dev/null || [ "${2:-TERM}" = KILL ]
	rm -f "$BRIDGE_RUN/$1.sock"
}

# on_bridge NAME [QUEUES] - the options that give a VM the disk
on_bridge() {
	echo "-chardev socket,id=$1,path=$BRIDGE_RUN/$1.sock,reconnect-ms=100" \
		"-device vhost-user-blk-pci,chardev=$1,num-queues=${2:-4}"
}

bridge_words() {
	sed "s/^/# bridge $1: /" "$BRIDGE_RUN/$1.log" | tail -n 20
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

# check_fio NAME - what the VM has to have said of its fio, and what has to be on the store
check_fio() {
	local said

	said=$(vmm_said "$1" FIO)
	[ "$(word rc "$said")" = 0 ] || { vmm_words "$1"; fail "fio: $said"; return; }
	[ "$(word driver "$said")" = virtio_blk ]
	[ "$(word cases "$said")" = "${FIO_CASES// /,}" ] || fail "not all was done: $said" || return
	[ "$(word checksum "$said")" = "$(fio_checksum "$SCRATCH")" ] ||
		fail "the store has other data than the VM's disk" || return
	FIGURES="$(word ios "$said") requests, $(($(word bytes "$said") / 1048576)) MiB, all verified"
}

bridge_fio_start() {
	bridge_start boot "$GUEST"
	bridge_start data "$SCRATCH"
	# shellcheck disable=SC2046 # words
	vmm_start bridged "${VA_MEMORY[@]}" -smp 2 $(on_bridge boot) $(on_bridge data)
	vmm_until bridged '^PVIO-GUEST-BOOTED'
}

bridge_fio_end() {
	vmm_end bridged || { bridge_words boot; bridge_words data; return 1; }
	bridge_end boot
	bridge_end data
	check_fio bridged
}

# bridge_ends SIGNAL - while the VM's fio writes and reads, its daemon ends again and again
bridge_ends() {
	local n=0

	bridge_fio_start
	until vmm_gone || grep -aq '^PVIO-GUEST-FIO' "$VMM_RUN/bridged/serial"; do
		bridge_end data "$1"
		bridge_run data
		n=$((n + 1))
		sleep 3
	done
	bridge_fio_end
	[ $n -ge 2 ] || fail "the daemon has ended $n times"
	figures "$n times, $FIGURES"
}

bridge_restarts() {
	bridge_ends TERM
}

bridge_kills() {
	bridge_ends KILL
}
