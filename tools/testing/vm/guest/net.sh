# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# A guest whose network is tested: it serves streams and datagrams, and does what lines on its second
# serial port tell, each of them a number and a command. What comes of it goes to the first one.
STREAM_PORT=5901
DGRAM_PORT=5902

# The root is read-only, and that of several VMs.
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
ip link set lo up
stream --listen $STREAM_PORT &
dgram --listen $DGRAM_PORT &
stty -F /dev/ttyS1 raw -echo
{
	echo "PVIO-GUEST-NET"
	while read -r nr command && [ "$command" != quit ]; do
		rc=0
		(eval "$command") </dev/null || rc=$?
		echo "PVIO-GUEST-DID $nr rc=$rc"
	done
} </dev/ttyS1
