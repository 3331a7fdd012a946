# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# A VM on pvio-bridge: vhost-user to a daemon, which has /dev/vhost-net do the work. The topology is
# that of net.sh, and beside VM a in "left":
#
#   bridge br of "left"
#         |
#       tap c0, two queues
#         |
#   pvio-bridge net, in "left" --- vhost-user --- VM c, eth0 10.9.0.13/24, two queue pairs

nics_of_c() {
	echo "-object memory-backend-memfd,id=mem,size=256M,share=on -machine memory-backend=mem" \
		"-chardev socket,id=user-c0,path=$NET_RUN/c.sock,reconnect-ms=100" \
		"-netdev vhost-user,id=net-c0,chardev=user-c0,queues=2" \
		"-device virtio-net-pci,id=nic-c0,netdev=net-c0,romfile=,mac=52:54:00:09:00:0c,mq=on,vectors=6"
}

daemon_came() {
	[ -S "$NET_RUN/c.sock" ] || ! kill -0 "$(<"$GUEST_RUN/daemon-c")" 2>/dev/null
}

daemon_start() {
	mkdir -p "$NET_RUN" "$GUEST_RUN"
	ip netns exec left /payload/pvio-bridge net --socket-path="$NET_RUN/c.sock" --tap=c0 --queues=2 \
		--user=nobody </dev/null >"$NET_RUN/daemon-c.log" 2>&1 &
	echo $! >"$GUEST_RUN/daemon-c"
	await 60 daemon_came
	[ -S "$NET_RUN/c.sock" ] || { cat "$NET_RUN/daemon-c.log"; return 1; }
}

daemon_gone() {
	! kill -0 "$(<"$GUEST_RUN/daemon-c")" 2>/dev/null
}

daemon_end() {
	kill "$(<"$GUEST_RUN/daemon-c")"
	await 60 daemon_gone
	rm -f "$NET_RUN/c.sock"
}

c_answers() {
	in_ns left busybox ping -q -c 1 -W 10 "${ADDRESS[c]}" >/dev/null
}

# Both ways, and again with another daemon beneath the same VM, which takes a moment to find that: what
# is sent to it until then is lost.
net_bridge() {
	local there back again

	[ -e /run/netns/left ] || net_make
	tap_make left c0 multi_queue
	daemon_start
	guest_up c
	ping_from left "${ADDRESS[c]}"
	guest c "iperf3 -s -D"
	there=$(iperf_run left "${ADDRESS[c]}")
	back=$(iperf_run left "${ADDRESS[c]}" -R)
	queues_busy c 2
	daemon_end
	daemon_start
	await 120 c_answers || fail "VM c does not answer with another daemon"
	again=$(iperf_run left "${ADDRESS[c]}" -R)
	queues_busy c 2
	guest c "killall iperf3"
	figures "TCP $there and $back MiB, $again with another daemon; $(queue_figures c frames)"
	guest_down c
	daemon_end
	rm "$GUEST_RUN/daemon-c"
	ip -n left link del c0
}
