# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A VM on pvio-bridge: vhost-user to a daemon, which has /dev/vhost-vsock do the work; vsock.sh and
# vsock_cases.sh come first.

BRIDGE_CID=30
BRIDGE_SOCKET=$GUEST_RUN/bridged.sock

vsock_daemon_gone() {
	! kill -0 "$(<"$GUEST_RUN/daemon-bridged")" 2>/dev/null
}

vsock_daemon_came() {
	[ -S "$BRIDGE_SOCKET" ] || vsock_daemon_gone
}

# vsock_daemon - once it listens
vsock_daemon() {
	mkdir -p "$GUEST_RUN"
	rm -f "$BRIDGE_SOCKET"
	/payload/pvio-bridge vsock --socket-path="$BRIDGE_SOCKET" --guest-cid=$BRIDGE_CID \
		--user=nobody </dev/null >"$GUEST_RUN/daemon-bridged.log" 2>&1 &
	echo $! >"$GUEST_RUN/daemon-bridged"
	await 60 vsock_daemon_came
	[ -S "$BRIDGE_SOCKET" ] || { cat "$GUEST_RUN/daemon-bridged.log"; return 1; }
}

vsock_daemon_end() {
	kill "$(<"$GUEST_RUN/daemon-bridged")" 2>/dev/null || true
	await 60 vsock_daemon_gone
	rm -f "$GUEST_RUN/daemon-bridged" "$BRIDGE_SOCKET"
}

# vsock_bridged - a VM on it
vsock_bridged() {
	vsock_daemon
	vsock_start bridged $BRIDGE_CID \
		-object memory-backend-memfd,id=mem,size=256M,share=on -machine memory-backend=mem \
		-chardev "socket,id=user,path=$BRIDGE_SOCKET" \
		-device vhost-user-vsock-pci,chardev=user
	vsock_ready bridged
	serve_streams bridged
}

# Both ways, while no other has its CID; its peers are told when the VM ends, and when the daemon
# does. QEMU doesn't come again to another daemon.
vsock_bridge() {
	local figures

	! guest_is_up a || guest_down a
	vsock_bridged
	host_streams bridged 4 $((4 << 20))
	guest_streams bridged 4 $((4 << 20))
	queues_busy bridged 2
	refused $BRIDGE_CID "Address already in use"
	figures=$(of_peer || echo "; $(queue_figures bridged packets)")
	streams_start bridged
	guest_pick bridged
	server_mark
	vmm_kill
	stream_reset near
	await 60 served_reset 1 || fail "the server was not told" || return
	vsock_daemon_end
	vsock_bridged
	streams_start bridged
	server_mark
	kill -KILL "$(<"$GUEST_RUN/daemon-bridged")"
	stream_reset near
	await 60 served_reset 1 || fail "the server was not told" || return
	guest_pick bridged
	vmm_alive
	vmm_kill
	vsock_daemon_end
	figures "16 MiB each way at once, by whoever connects; ECONNRESET when either dies$figures"
}
