# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the host's own tools see of VMs on /dev/vhost-vsock, and network namespaces; vsock.sh comes
# first.

# capture FILE - counts what comes by until it is told to stop, and writes it as JSON. A packet has
# a header with who sends it and to whom, what it does, and how long the transport's behind it is.
# For the background: it is the process that hears the signal.
capture() {
	exec python3 - "$1" <<-'END'
		import json, signal, socket, struct, sys
		OPS = ["unknown", "connect", "disconnect", "control", "payload"]
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		SO_RCVBUFFORCE = 33
		s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
		s.bind(("vsockmon0", 0))
		s.settimeout(0.2)
		stop = []
		signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
		open(sys.argv[1], "w").close()
		seen = {}
		while True:
		    try:
		        packet = s.recv(1 << 18)
		    except TimeoutError:
		        if stop:
		            break
		        continue
		    src, dst, _, _, op, transport, skip = struct.unpack_from("<QQIIHHH", packet)
		    key = "%d to %d %s" % (src, dst, OPS[op])
		    count = seen.setdefault(key, {"packets": 0, "bytes": 0, "other": 0})
		    count["packets"] += 1
		    count["bytes"] += len(packet) - 32 - skip
		    # 2 is virtio's, the header of which has 44 bytes.
		    count["other"] += transport != 2 or skip != 44
		json.dump(seen, open(sys.argv[1], "w"))
	END
}

# seen KEY FIELD - of what was captured
seen() {
	jq -r --arg key "$1" --arg field "$2" '.[$key][$field] // 0' "$STREAM_RUN/capture"
}

# A monitor sees what opens and closes, credit, and each byte, in both directions; nothing of it is
# of another transport.
vsock_monitor() {
	local pid cid bytes=$((4 << 20)) from to what

	vsock_up
	serve_streams a
	cid=$(cid_of a)
	modprobe vsockmon
	ip link add vsockmon0 type vsockmon
	ip link set vsockmon0 mtu 66000 up
	rm -f "$STREAM_RUN/capture"
	capture "$STREAM_RUN/capture" &
	pid=$!
	await 60 test -e "$STREAM_RUN/capture"
	host_streams a 1 $bytes
	guest_streams a 1 $bytes
	kill $pid
	wait $pid
	ip link del vsockmon0
	jq -c . "$STREAM_RUN/capture"
	from="$cid to $HOST_CID" to="$HOST_CID to $cid"
	# A hello of 16 bytes from each that connects.
	same "$(seen "$from payload" bytes)" $((bytes * 2 + 16)) "bytes from the VM"
	same "$(seen "$to payload" bytes)" $((bytes * 2 + 16)) "bytes to the VM"
	for what in connect disconnect control; do
		[ "$(seen "$from $what" packets)" -ge 1 ] || fail "no $what from the VM" || return
		[ "$(seen "$to $what" packets)" -ge 1 ] || fail "no $what to the VM" || return
	done
	same "$(jq '[.[].other] | add' "$STREAM_RUN/capture")" 0 "packets of another kind"
	figures "$(jq '[.[].packets] | add' "$STREAM_RUN/capture") packets with all that was sent"
}

# ss lists who listens, and each connection with both ends' addresses.
vsock_ss() {
	local cid

	vsock_up
	streams_start a
	cid=$(cid_of a)
	ss --vsock -a -n | sed 's/^/# /'
	ss --vsock -a -n | grep -Eq "LISTEN.* \*:$STREAM_PORT "
	ss --vsock -n | grep -Eq "ESTAB.* $cid:$STREAM_PORT *\$"
	ss --vsock -n | grep -Eq "ESTAB.* $HOST_CID:$STREAM_PORT +$cid:[0-9]+ *\$"
	streams_end a
	figures "$(ss --vsock -a -n | grep -c LISTEN) who listens, and both connections"
}

# vsock_namespace NAME - whose CIDs are its own
vsock_namespace() {
	ip netns add "$1"
	same "$(ip netns exec "$1" cat /proc/sys/net/vsock/ns_mode)" local "the mode of $1"
}

# Two VMMs have the same CID, each in its namespace, from which alone its VM is reached.
vsock_namespaces() {
	local cid=20 pid VMM_IN

	[ -e /proc/sys/net/vsock/child_ns_mode ] || return 4
	! guest_is_up a || guest_down a
	echo local >/proc/sys/net/vsock/child_ns_mode
	vsock_namespace left
	vsock_namespace right
	# shellcheck disable=SC2034 # for vmm_start
	VMM_IN=(ip netns exec left)
	# shellcheck disable=SC2046 # words
	vsock_start a $cid $(by_node $cid)
	vmm_until a '^PVIO-GUEST-NET'
	guest a "mkdir /run/tests; mount -t ext4 -o ro /dev/vdb /run/tests"
	far a serve
	VMM_IN=(ip netns exec right)
	# shellcheck disable=SC2046 # words
	vmm_start other -S $(with_qmp other) $(by_node $cid)
	await 60 vmm_gone_or_up other
	vmm_alive || { vmm_words other; fail "the CID of another namespace was refused"; return; }
	pid=$VMM_PID
	refused $cid "Address already in use"
	# shellcheck disable=SC2034 # likewise
	VMM_IN=(ip netns exec left)
	refused $cid "Address already in use"
	stream left vsock:$cid 1M
	unreachable - $cid
	VMM_PID=$pid
	vmm_kill
	unreachable right $cid
	guest_down a
	ip netns del left
	ip netns del right
	figures "CID $cid in two namespaces, and reached from its own only"
}

# unreachable NAMESPACE CID
unreachable() {
	stream_in "$1"
	! timeout 60 "${STREAM_IN[@]}" /payload/selftests/stream --bytes 512 "vsock:$2" \
		"$STREAM_PORT" >"$STREAM_RUN/log" 2>&1 || fail "CID $2 is reached from $1" || return
	note "from $1: $(<"$STREAM_RUN/log")"
}
