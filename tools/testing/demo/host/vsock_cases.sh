# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What happens to VMs on /dev/vhost-vsock whose sockets are busy; vsock.sh comes first.

# streams_start NAME - one from each side, for ever: "near" is the host's, "far" VM NAME's
streams_start() {
	serve_streams "$1"
	stream_start near - "vsock:$(cid_of "$1")"
	far "$1" start far --pause 40
	far "$1" moves far "$MOVES"
}

# streams_end NAME - all that was sent has come, and was right
streams_end() {
	stream_end near
	far "$1" signal far TERM
	far "$1" said far right
}

stream_gone() {
	! kill -0 "${STREAM_PID[$1]}" 2>/dev/null
}

# stream_reset NAME - it was told that the other side is gone
stream_reset() {
	await 120 stream_gone "$1" || fail "stream $1 has heard nothing" || return
	! wait "${STREAM_PID[$1]}" || fail "stream $1 has ended well" || return
	stream_words "$1"
	grep -q "Connection reset" "$STREAM_RUN/$1.log" || fail "stream $1: not by a reset"
}

# served_reset COUNT - as many of those that the host's server has begun have ended by a reset since
# server_mark
server_mark() {
	RESETS=$(grep -c "Connection reset" "$STREAM_RUN/server.log" || true)
}

served_reset() {
	[ "$(grep -c "Connection reset" "$STREAM_RUN/server.log" || true)" -ge $((RESETS + $1)) ]
}

# Who reads slowly, or not at all for a while, keeps its own sender waiting, and nobody else.
vsock_slow() {
	local pid

	vsock_up
	streams_start a
	/payload/selftests/stream --slow 20 --bytes $((8 << 20)) "vsock:$(cid_of a)" "$STREAM_PORT" \
		>"$STREAM_RUN/slow.log" 2>&1 &
	pid=$!
	far a start slow --slow 20 --bytes $((8 << 20))
	kill -STOP $pid
	far a signal slow STOP
	stream_moves near
	far a moves far "$MOVES"
	kill -CONT $pid
	far a signal slow CONT
	wait $pid || { sed 's/^/# /' "$STREAM_RUN/slow.log"; fail "the slow reader"; return; }
	far a said slow right
	streams_end a
	figures "8 MiB to each side's slow reader, beside streams that go on"
}

# A VMM dies: its peers are told, its CID is free, and a VM with the same one talks at once.
vsock_killed() {
	vsock_up
	streams_start a
	server_mark
	vmm_kill
	await 60 vmm_gone
	stream_reset near
	await 60 served_reset 1 || fail "the server was not told" || return
	await 60 vhost_is_gone "$VMM_PID"
	rm "$VMM_RUN/a/pid"
	vsock_up
	serve_streams a
	host_streams a 2 $((1 << 20))
	guest_streams a 2 $((1 << 20))
	figures "ECONNRESET for peers, and the VM after it runs"
}

# To another CID, since two VMMs can't have the same at a time; the guest is told, and asks which.
vsock_migrate() {
	local home next

	vsock_up
	home=$(cid_of a)
	next=$((home == HOME_CID ? HOME_CID + 1 : HOME_CID))
	streams_start a
	server_mark
	guest_migrate a vsock_take_over $next
	stream_reset near
	far a said far reset
	await 60 served_reset 1 || fail "the server was not told" || return
	host_streams a 4 $((1 << 20))
	guest_streams a 4 $((1 << 20))
	! /payload/selftests/stream --bytes 512 "vsock:$home" 1 >"$STREAM_RUN/log" 2>&1
	queues_busy a 2
	figures "CID $home to $(cid_of a): ECONNRESET for all, then 4 MiB each way"
}

# A VM is saved while it talks, and goes on as it was then in another VMM, with the same CID.
vsock_restored() {
	local saved=/dev/shm/saved cid

	vsock_up
	cid=$(cid_of a)
	streams_start a
	vmm_send a "exec:cat >$saved"
	qmp a cont >/dev/null
	stream_moves near
	server_mark
	vmm_kill
	await 60 vmm_gone
	stream_reset near
	await 60 served_reset 1 || fail "the server was not told" || return
	await 60 vhost_is_gone "$VMM_PID"
	# shellcheck disable=SC2046 # words
	vsock_start a "$cid" $(by_node "$cid") -incoming "exec:cat $saved"
	# What reaches a serial port while QEMU loads its state may leave the guest without interrupts.
	await 60 vmm_runs a
	far a said far reset
	host_streams a 2 $((1 << 20))
	guest_streams a 2 $((1 << 20))
	has_vhost a
	rm "$saved"
	figures "and talks again"
}

# refused CID OPTION... - a VMM with that CID ends at once, and says why
refused() {
	# shellcheck disable=SC2046 # words
	vmm_start refused -S $(by_node "$1") "${@:3}"
	await 60 vmm_gone || { vmm_kill; fail "CID $1 was not refused"; return; }
	grep -q "$2" "$VMM_RUN/refused/log" || { cat "$VMM_RUN/refused/log"; fail "not for that"; }
}

vsock_cids() {
	local pid

	vsock_up
	pid=$VMM_PID
	refused "$(cid_of a)" "Address already in use"
	refused 4294967295 "Invalid argument"
	refused 2 "greater than 2"
	VMM_PID=$pid
	vmm_alive
	host_streams a 1 512
	# One that never ran had it.
	# shellcheck disable=SC2046 # words
	vmm_start other -S $(with_qmp other) $(by_node 77)
	await 60 vmm_gone_or_up other
	vmm_alive || { vmm_words other; return 1; }
	pid=$VMM_PID
	refused 77 "Address already in use"
	VMM_PID=$pid
	vmm_kill
	await 60 vmm_gone
	# shellcheck disable=SC2046 # words
	vmm_start other -S $(with_qmp other) $(by_node 77)
	await 60 vmm_gone_or_up other
	vmm_alive || { vmm_words other; return 1; }
	vmm_kill
	figures "one that is taken, the highest, the host's; free again when its VMM has died"
}

# QEMU is handed the open node, as an orchestrator does it that keeps its VMMs from /dev.
vsock_fd() {
	local fd

	! guest_is_up a || guest_down a
	exec {fd}<>/dev/vhost-vsock
	vsock_start a "$HOME_CID" -device "vhost-vsock-pci,vhostfd=$fd,guest-cid=$HOME_CID"
	exec {fd}>&-
	vsock_ready a
	serve_streams a
	host_streams a 2 $((1 << 20))
	guest_streams a 2 $((1 << 20))
	queues_busy a 2
	guest_down a
	figures "vhostfd=$fd"
}
