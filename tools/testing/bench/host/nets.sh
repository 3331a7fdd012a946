# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # scripts that read this use what is set here
# In the virtual host: /dev/vhost-net of pvio and of the kernel, one at a time, and frames by the
# ring client.

# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh

NET_MODULES=/payload/host
# pvio's rings: of the kernel's own the first kind alone.
declare -A RINGS=([split]='' [packed]=--packed [inorder]='--packed --in-order')

# net_start WHO - pvio's or vhost-net's; or else REASON
net_start() {
	local module

	if [ "$1" = vhost-net ]; then
		need modprobe vhost_net
		return
	fi
	need insmod "$(find "$NET_MODULES" -name pvio_vhost.ko)" || return
	need insmod "$(find "$NET_MODULES" -name pvio_vhost_net.ko)" && return
	rmmod pvio_vhost
	return 1
}

net_stop() {
	if [ "$1" = vhost-net ]; then
		rmmod vhost_net
	else
		rmmod pvio_vhost_net && rmmod pvio_vhost
	fi
}

# net_client WHO OPTION... WAY - frames, by whichever device there is. The packet generator sleeps
# between two batches, for long enough that the kernel's workers do what is due: not the device's.
net_client() {
	measure net_bench "$@" || return
	[ "${*: -1}" = in ] || return 0
	GOT[$1.backend]=$((GOT[$1.backend] - GOT[$1.kernel]))
	GOT[$1.machine]=$((GOT[$1.machine] - GOT[$1.kernel]))
}

# frame_len WORD - how long a frame is: in bytes, or 64k, which is as long as one that is to be cut
# up may be
frame_len() {
	echo "${1/#64k/65549}"
}

net_prepare() {
	modprobe tun
	modprobe tap
	modprobe pktgen
}
