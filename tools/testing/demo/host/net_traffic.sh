# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Traffic of VMs on /dev/vhost-net whose every byte is looked at; net.sh comes first.

# shellcheck disable=SC2153 # of net.sh
. /payload/demo/streams.sh

DGRAM_PORT=5902

# dgram NAMESPACE ADDRESS COUNT LENGTH_MAX
dgram() {
	in_ns "$1" /payload/selftests/dgram --count "$3" --length "$4" "$2" $DGRAM_PORT >"$NET_RUN/log" ||
		{ sed 's/^/# /' "$NET_RUN/log"; fail "datagrams to $2"; return; }
	note "$(<"$NET_RUN/log")"
}

# tap_counts NAMESPACE TAP - "packets bytes packets bytes", from the VM and to it
tap_counts() {
	ip -n "$1" -j -s link show "$2" |
		jq -r '.[0].stats64 | "\(.rx.packets) \(.rx.bytes) \(.tx.packets) \(.tx.bytes)"'
}

# frames_since NAMESPACE TAP COUNTS - bytes in a frame on the average, from the VM and to it
frames_since() {
	awk '{ printf "%d %d\n", ($2 - b) / ($1 - a), ($4 - d) / ($3 - c) }' \
		a="$(cut -d' ' -f1 <<<"$3")" b="$(cut -d' ' -f2 <<<"$3")" \
		c="$(cut -d' ' -f3 <<<"$3")" d="$(cut -d' ' -f4 <<<"$3")" \
		<<<"$(tap_counts "$1" "$2")"
}

# offloads on|off - in VM a; those that it can't change are no matter, the frames tell
offloads() {
	# Some want others first.
	local what=(rx tx sg tso gso gro rx-gro-hw)

	[ "$1" = on ] || what=(rx-gro-hw gro gso tso sg tx rx)
	guest a "for what in ${what[*]}; do ethtool -K eth0 \$what $1 2>/dev/null || true; done"
}

# Frames of up to 64 KiB, which nobody has made a checksum of, and ordinary ones.
net_offload() {
	local before from to

	guest_up a
	before=$(tap_counts left a0)
	stream left "${ADDRESS[a]}" 8M
	read -r from to <<<"$(frames_since left a0 "$before")"
	note "with offloads a frame has $from bytes from the VM, $to to it"
	if [ "$from" -le 1514 ] || [ "$to" -le 1514 ]; then
		fail "frames were not large"
		return
	fi
	offloads off
	before=$(tap_counts left a0)
	stream left "${ADDRESS[a]}" 4M
	read -r from to <<<"$(frames_since left a0 "$before")"
	note "without offloads a frame has $from bytes from the VM, $to to it"
	if [ "$from" -gt 1514 ] || [ "$to" -gt 1514 ]; then
		fail "frames were large"
		return
	fi
	dgram left "${ADDRESS[a]}" 200 1472
	offloads on
	dgram left "${ADDRESS[a]}" 64 65507
	figures "8 MiB in large frames and 4 MiB in small ones each way, datagrams of up to 65507 bytes"
}

# mtu_set MTU - of VM a, and all there is on the way to "left"
mtu_set() {
	ip -n left link set dev a0 mtu "$1"
	ip -n left link set dev br mtu "$1"
	# No segment of TCP's is so short that it fits into 68 bytes: what both have learned of the path
	# then is for no other MTU.
	in_ns left sysctl -q -w net.ipv4.route.flush=1
	guest a "ip link set eth0 mtu $1; echo 1 >/proc/sys/net/ipv4/route/flush"
}

# mtu_try MTU - with all that fits into a frame, and more
mtu_try() {
	mtu_set "$1"
	ping_from left "${ADDRESS[a]}" $(($1 - 28))
	dgram left "${ADDRESS[a]}" 64 $(($1 - 28))
	stream left "${ADDRESS[a]}" $(($1 * 256))
	note "MTU $1: done"
}

# Without offloads a frame is as long as it may be.
net_mtu() {
	guest_up a
	mtu_try 68
	mtu_try 576
	mtu_try 9000
	offloads off
	stream left "${ADDRESS[a]}" 1M
	offloads on
	mtu_set 1500
	stream left "${ADDRESS[a]}" 1M
	figures "68, 576, 9000 and 1500 bytes"
}

# Tagged by the VM, and by the bridge.
net_vlan() {
	guest_up a
	guest a "ip link add link eth0 name eth0.9 type vlan id 9 &&
		ip addr add 10.9.9.11/24 dev eth0.9 && ip link set eth0.9 up"
	ip -n left link add link br name br.9 type vlan id 9
	ip -n left addr add 10.9.9.1/24 dev br.9
	ip -n left link set dev br.9 up
	ping_from left 10.9.9.11
	stream left 10.9.9.11 2M
	dgram left 10.9.9.11 100 8000
	ip -n left link del dev br.9
	guest a "ip link del eth0.9"
	stream left "${ADDRESS[a]}" 1M
	figures "VLAN 9 by the side of none"
}

# From VM to VM, through two bridges in two namespaces.
net_between() {
	local address=${ADDRESS[b]}

	guest_up a
	guest_up b
	ping_from left "$address"
	guest a "stream --bytes 4194304 $address $STREAM_PORT && dgram --count 100 $address $DGRAM_PORT"
	guest b "iperf3 -s -D"
	guest a "iperf3 -c $address -t 2 >/run/iperf && iperf3 -c $address -t 2 -R >>/run/iperf"
	guest b "killall iperf3"
	figures "4 MiB each way at once, then $(guest_says a \
		"awk '/receiver/ { print \$7, \$8 }' /run/iperf | xargs")"
}
