# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs of stock QEMU on /dev/vhost-net, by -netdev tap,vhost=on and nothing else. Each VMM runs in a
# namespace of its own, as beneath a tenant's network:
#
#    namespace "left"                          namespace "right"
#   +---------------------------+             +---------------------------+
#   | bridge br  10.9.0.1/24    |  veth pair  | bridge br  10.9.0.2/24    |
#   |   |           |           |             |           |      |        |
#   |   |           +--- wire   |=============|   wire ---+      |        |
#   |  tap a0                   |             |             taps b0, b1   |
#   +---|-----------------------+             +----------------|----------+
#       | /dev/vhost-net                                       | /dev/vhost-net
#   +---|-----------------------+             +----------------|----------+
#   | VM a                      |             | VM b                      |
#   |  eth0      10.9.0.11/24   |             |  eth0      10.9.0.12/24   |  four queue pairs
#   |                           |             |  eth1      10.9.1.12/24   |  packed rings
#   +---------------------------+             +---------------------------+
#
# br of "right" has 10.9.1.2/24 as well, for eth1. VM a migrates to "right", where there is another
# tap a0 for it, and back. With PEER=1 the kernel's own vhost_net is tried, which has no packed
# rings and no counters.

. /payload/demo/guest.sh

NET_RUN=/run/net
# What does nothing by itself on a network, so that all frames are the test's.
QUIET="net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"
declare -A ADDRESS=([a]=10.9.0.11 [b]=10.9.0.12 [c]=10.9.0.13 [left]=10.9.0.1 [right]=10.9.0.2)
declare -A HOME_OF=([a]=left [b]=right [c]=left)
# Of one more each makes an emulated host slower still.
declare -A CPUS_OF=([b]=2 [c]=2)

net_load() {
	install_modules
	modprobe -a tun bridge veth 8021q
	if of_peer; then
		modprobe vhost_net
		figures "the kernel's own vhost_net on $(uname -r)"
	else
		modprobe pvio_vhost_net
		figures "pvio_vhost, pvio_vhost_net on $(uname -r)"
	fi
	[ -c /dev/vhost-net ]
}

net_unload() {
	local name

	for name in a b; do
		! guest_is_up "$name" || guest_down "$name"
	done
	net_unmake
	if of_peer; then
		modprobe -r vhost_net
	else
		rmmod pvio_vhost_net
		rmmod pvio_vhost
	fi
	figures "no reference was left"
}

# in_ns NAMESPACE COMMAND...
in_ns() {
	ip netns exec "$@"
}

bridge_make() {
	ip netns add "$1"
	# shellcheck disable=SC2086 # words
	in_ns "$1" sysctl -q -w $QUIET
	ip -n "$1" link set dev lo up
	ip -n "$1" link add name br type bridge mcast_snooping 0
	ip -n "$1" addr add "${ADDRESS[$1]}/24" dev br
	ip -n "$1" link set dev br up
}

# port_add NAMESPACE LINK
port_add() {
	ip -n "$1" link set dev "$2" master br up
}

# tap_make NAMESPACE NAME [multi_queue] - it stays when the VMM ends
tap_make() {
	ip -n "$1" tuntap add dev "$2" mode tap vnet_hdr ${3:+"$3"}
	port_add "$1" "$2"
}

net_make() {
	bridge_make left
	bridge_make right
	ip -n right addr add 10.9.1.2/24 dev br
	ip -n left link add name wire type veth peer name wire netns right
	port_add left wire
	port_add right wire
	tap_make left a0
	tap_make right a0
	tap_make right b0 multi_queue
	tap_make right b1
}

net_unmake() {
	[ ! -e /run/netns/left ] || ip netns del left
	[ ! -e /run/netns/right ] || ip netns del right
	rm -rf "$NET_RUN"
}

# nic NAME NETDEV_OPTIONS DEVICE_OPTIONS - of one on the tap NAME
nic() {
	echo "-netdev tap,id=net-$1,ifname=$1,script=no,downscript=no,vhost=on$2" \
		"-device virtio-net-pci,id=nic-$1,netdev=net-$1,romfile=$3"
}

nics() {
	case $1 in
	c) nics_of_c ;;
	a*) nic a0 "" ",mac=52:54:00:09:00:0a" ;;
	b)
		nic b0 ,queues=4 ",mac=52:54:00:09:00:0b,mq=on,vectors=10"
		nic b1 "" ",mac=52:54:00:09:01:0b,packed=on$(in_order)" ;;
	esac
}

# Debian's QEMU of today has it, that of the release before not.
in_order() {
	! qemu-system-x86_64 -device virtio-net-pci,help 2>/dev/null | grep -q '^ *in_order=' ||
		echo ,in_order=on
}

# plugged NAME - what a VMM has to have for a VM to which net_hotplug has given more memory
plugged() {
	[ "$1" = b ] || [ ! -e "$NET_RUN/plugged" ] ||
		echo "-object memory-backend-ram,id=more,size=128M -device pc-dimm,id=dimm,memdev=more"
}

# guest_start NAME NAMESPACE [OPTION]...
guest_start() {
	# shellcheck disable=SC2034 # for vmm_start
	local VMM_IN=(ip netns exec "$2")

	[ -e /run/netns/left ] || net_make
	mkdir -p "$NET_RUN"
	# shellcheck disable=SC2046 # words
	guest_boot "$1" -smp "${CPUS_OF[$1]:-1}" -m 256,slots=2,maxmem=1G $(nics "$1") \
		$(plugged "$1") "${@:3}"
}

# guest_up NAME - unless a case before has left it running
guest_up() {
	if guest_is_up "$1"; then
		guest_pick "$1"
		return
	fi
	[ "$1" = b ] || rm -f "$NET_RUN/plugged"
	guest_start "$1" "${HOME_OF[$1]}"
	vmm_until "$1" '^PVIO-GUEST-NET'
	guest "$1" "ip addr add ${ADDRESS[$1]}/24 dev eth0; ip link set eth0 up"
	[ "$1" != b ] || guest b "ip addr add 10.9.1.12/24 dev eth1; ip link set eth1 up"
	has_vhost "$1"
	note "VM $1 runs, eth0 is $(guest_driver "$1")"
}

guest_driver() {
	# shellcheck disable=SC2016 # the guest's
	guest_says "$1" 'basename $(readlink /sys/class/net/eth0/device/driver)'
}

# ping_from NAMESPACE ADDRESS [SIZE]
ping_from() {
	in_ns "$1" busybox ping -q -c 2 -W 60 -s "${3:-56}" "$2" >/dev/null ||
		fail "$2 does not answer $1"
}

# A VM whose disk is QEMU's own, and whose network is ours.
net_boot() {
	guest_up a
	ping_from left "${ADDRESS[a]}"
	ping_from right "${ADDRESS[a]}"
	guest a "ping -q -c 2 -W 60 ${ADDRESS[right]}"
	queues_busy a 2
	figures "pings from two namespaces, and to them"
}

# iperf_run NAMESPACE ADDRESS OPTION... - with the VM's server; how much came across, which is never
# nothing
iperf_run() {
	local rc=0

	in_ns "$1" iperf3 -c "$2" -t 2 -J "${@:3}" >"$NET_RUN/iperf" 2>&1 || rc=$?
	[ $rc != 0 ] || jq -er '.end.sum_received // .end.sum |
		.bytes | select(. > 0) / 1048576 * 10 | round / 10' "$NET_RUN/iperf" || rc=$?
	if [ $rc != 0 ]; then
		tail -n 20 "$NET_RUN/iperf" | sed 's/^/# iperf3: /' >&2
		fail "iperf3 ${*:2}: status $rc" >&2
	fi
}

# Both ways, by TCP and UDP, from beside it.
net_iperf() {
	local there back udp_there udp_back

	guest_up a
	guest a "iperf3 -s -D"
	there=$(iperf_run left "${ADDRESS[a]}")
	back=$(iperf_run left "${ADDRESS[a]}" -R)
	udp_there=$(iperf_run left "${ADDRESS[a]}" -u -b 5M -l 1400)
	udp_back=$(iperf_run left "${ADDRESS[a]}" -R -u -b 5M -l 1400)
	guest a "killall iperf3"
	queues_busy a 2
	figures "TCP $there and $back MiB, UDP $udp_there and $udp_back$(
		of_peer || echo "; $(queue_figures a frames)")"
}
