# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs of stock QEMU on /dev/vhost-vsock, by -device vhost-vsock-pci and nothing else. VM a boots a
# kernel of the same release as the host's, whose own driver is the other end. It has a tap as well,
# for what the kernel's tests say to each other beside their sockets. What is in /run/tests is the
# same on both sides. With PEER=1 the kernel's own vhost_vsock is tried, which has no counters.

. /payload/demo/guest.sh
. /payload/demo/streams.sh

VSOCK_GUEST=/payload/vsock
VSOCK_DISK=/run/tests.ext4
# shellcheck disable=SC2034 # of who comes later
HOST_CID=2
# Of VM a at first.
HOME_CID=9

vsock_module() {
	if of_peer; then
		echo vhost_vsock
	else
		echo pvio_vhost_vsock
	fi
}

# What the guest has to run.
tests_install() {
	mkdir -p /run/tests
	cp "$VSOCK_GUEST"/tests/* /payload/demo/vsock_far.sh /run/tests/
	mke2fs -q -t ext4 -m 0 -d /run/tests "$VSOCK_DISK" 16M
}

vsock_load() {
	install_modules
	modprobe -a tun vsock_diag "$(vsock_module)"
	[ -c /dev/vhost-vsock ]
	tests_install
	figures "$(vsock_module) on $(uname -r)"
}

vsock_unload() {
	! guest_is_up a || guest_down a
	server_down
	# What it depends on goes with it, where nothing holds that.
	modprobe -r vsock_loopback vsock_diag vsockmon
	modprobe -r "$(vsock_module)"
	# Unless a socket that the kernel keeps for a while had it.
	modprobe -r vsock
	[ ! -e /dev/vhost-vsock ]
	! grep -E '^(pvio|vsock|vhost)' /proc/modules || fail "a reference was left"
	figures "no reference was left"
}

cid_of() {
	cat "$VMM_RUN/$1/cid"
}

# by_node CID - the option that gives a VM its vsock
by_node() {
	echo "-device vhost-vsock-pci,id=vsock,guest-cid=$1"
}

# vsock_start NAME CID OPTION... - a VM; the options have its vsock
vsock_start() {
	guest_boot "$1" -m 256 -kernel "$VSOCK_GUEST/vmlinuz" -initrd "$VSOCK_GUEST/initrd" \
		-append "root=LABEL=pvio-guest console=ttyS0 quiet panic=-1 net.ifnames=0" \
		-drive "file=$VSOCK_DISK,format=raw,if=virtio,readonly=on" \
		-netdev "tap,id=control,ifname=control$2,script=no,downscript=no" \
		-device virtio-net-pci,netdev=control,romfile= "${@:3}"
	echo "$2" >"$VMM_RUN/$1/cid"
}

# vsock_take_over NEXT CID OPTION... - for guest_migrate
vsock_take_over() {
	# shellcheck disable=SC2046 # words
	vsock_start "$1" "$2" $(by_node "$2") "${@:3}"
}

# vsock_ready NAME - it was just started
vsock_ready() {
	local cid

	cid=$(cid_of "$1")
	vmm_until "$1" '^PVIO-GUEST-NET'
	has_vhost "$1"
	ip addr add "10.9.$cid.1/24" dev "control$cid"
	ip link set dev "control$cid" up
	guest "$1" "mkdir /run/tests; mount -t ext4 -o ro /dev/vdb /run/tests;
		ip addr add 10.9.$cid.2/24 dev eth0; ip link set eth0 up"
	note "VM $1 runs, CID $cid"
}

# vsock_up - VM a, unless a case before has left it running
vsock_up() {
	if guest_is_up a; then
		guest_pick a
		return
	fi
	# shellcheck disable=SC2046 # words
	vsock_start a $HOME_CID $(by_node $HOME_CID)
	vsock_ready a
}

# far NAME WHAT... - see vsock_far.sh
far() {
	guest "$1" "sh /run/tests/vsock_far.sh ${*:2}"
}

# server_up - who answers streams to the host
server_up() {
	mkdir -p "$STREAM_RUN"
	if [ -e "$STREAM_RUN/server" ] && kill -0 "$(<"$STREAM_RUN/server")" 2>/dev/null; then
		return
	fi
	/payload/selftests/stream --vsock --listen "$STREAM_PORT" >"$STREAM_RUN/server.log" 2>&1 &
	echo $! >"$STREAM_RUN/server"
}

server_down() {
	[ -e "$STREAM_RUN/server" ] || return 0
	kill "$(<"$STREAM_RUN/server")" 2>/dev/null || true
	rm "$STREAM_RUN/server"
}

# serve_streams NAME - on both sides
serve_streams() {
	server_up
	far "$1" serve
}

# guest_streams NAME COUNT BYTES - so many from the guest at once, with so many bytes in each way
guest_streams() {
	far "$1" many "$2" --bytes "$3"
}

# host_streams NAME COUNT BYTES - likewise, from the host
host_streams() {
	local cid nr pids=()

	cid=$(cid_of "$1")
	for ((nr = 0; nr < $2; nr++)); do
		/payload/selftests/stream --bytes "$3" "vsock:$cid" "$STREAM_PORT" \
			>"$STREAM_RUN/host.$nr" 2>&1 &
		pids+=($!)
	done
	for ((nr = 0; nr < $2; nr++)); do
		wait "${pids[nr]}" && continue
		sed 's/^/# /' "$STREAM_RUN/host.$nr"
		fail "stream $nr to CID $cid"
		return
	done
}

# A VM with nothing but a CID; 64 MiB each way in eight connections from the host, and then from it.
vsock_boot() {
	local cid

	vsock_up
	serve_streams a
	cid=$(cid_of a)
	host_streams a 8 $((8 << 20))
	guest_streams a 8 $((8 << 20))
	queues_busy a 2
	figures "CID $cid, 64 MiB each way at once, by whoever connects$(
		of_peer || echo "; $(queue_figures a packets)")"
}
