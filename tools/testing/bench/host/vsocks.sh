# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2034 # scripts that read this use what is set here
# In the virtual host: /dev/vhost-vsock of pvio and of the kernel, one at a time, and data by the
# ring client.

# shellcheck source=SCRIPTDIR/lib.sh
. /payload/bench/lib.sh

# In the order in which they need each other.
VSOCK_MODULES="pvio_vhost pvio_vsock_common pvio_vhost_vsock"
# pvio's rings: of the kernel's own the first kind alone.
declare -A RINGS=([split]='' [packed]=--packed [inorder]='--packed --in-order')

# vsock_start WHO - pvio's or vhost-vsock's; or else REASON
vsock_start() {
	local module

	if [ "$1" = vhost-vsock ]; then
		need modprobe vhost_vsock
		return
	fi
	modprobe vsock
	for module in $VSOCK_MODULES; do
		need insmod "$(find /payload/host /payload/common -name "$module.ko")" && continue
		vsock_stop pvio
		return 1
	done
}

vsock_stop() {
	local module

	if [ "$1" = vhost-vsock ]; then
		sockets_gone vhost_vsock && rmmod vhost_vsock
		return
	fi
	sockets_gone pvio_vhost_vsock
	for module in $(tac -s ' ' <<<"$VSOCK_MODULES " | xargs); do
		rmmod "$module" 2>/dev/null || true
	done
}

# vsock_client WHO OPTION... WAY - data, by whichever device there is
vsock_client() {
	measure vsock_bench "$@"
}

# sends - how often the client sends so much
declare -A SENDS=([to]=2048 [from]=2048 [ping]=8192)
declare -A LENGTHS=([to]=65536 [from]=65536 [ping]=1)
