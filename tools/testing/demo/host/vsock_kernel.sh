# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The kernel's own tests of AF_VSOCK, tools/testing/vsock, between the host and VM a; vsock.sh comes
# first. A side is host or guest; both are the host where the kernel's loopback is in between.

CONTROL_PORT=5910
PERF_PORT=5911

# Tests of vsock_test that are left out, and why: the kernel, the side that serves, the side that
# connects; * is any.
VSOCK_SKIPS='
6.1 * * SOCK_STREAM ioctl(SIOCINQ) functionality: this kernel has no SIOCINQ
6.1 * * SOCK_SEQPACKET ioctl(SIOCINQ) functionality: likewise
6.12 * * SOCK_STREAM ioctl(SIOCINQ) functionality: this kernel has no SIOCINQ
6.12 * * SOCK_SEQPACKET ioctl(SIOCINQ) functionality: likewise
6.1 * * SOCK_STREAM ioctl(SIOCOUTQ) 0 unsent bytes: this kernel has no SIOCOUTQ
6.1 * * SOCK_SEQPACKET ioctl(SIOCOUTQ) 0 unsent bytes: likewise
6.1 * * SOCK_STREAM SO_LINGER close() on unread: it looks at SIOCOUTQ
6.1 * * SOCK_SEQPACKET invalid receive buffer: wants EFAULT, and this kernel says ENOMEM for all errors
6.1 * * SOCK_STREAM test invalid buffer: likewise
6.1 * * SOCK_SEQPACKET test invalid buffer: likewise
6.1 * * SOCK_SEQPACKET big message: likewise EMSGSIZE
6.1 guest host SOCK_SEQPACKET MSG_PEEK: the driver of this kernel refuses it
6.1 host host SOCK_SEQPACKET MSG_PEEK: likewise its loopback
6.1 * * SOCK_STREAM SHUT_WR: this kernel sends no SIGPIPE
6.1 * * SOCK_STREAM SHUT_RD: likewise
6.1 * * SOCK_STREAM MSG_ZEROCOPY: this kernel has no MSG_ZEROCOPY
6.1 * * SOCK_SEQPACKET MSG_ZEROCOPY: likewise
6.1 * * SOCK_STREAM MSG_ZEROCOPY empty MSG_ERRQUEUE: likewise
6.1 * * SOCK_STREAM MSG_ZEROCOPY leak MSG_ERRQUEUE: likewise
6.1 * * SOCK_STREAM MSG_ZEROCOPY leak completion skb: likewise
6.1 * * SOCK_STREAM virtio MSG_ZEROCOPY coalescence corruption: likewise
6.1 * * SOCK_STREAM accept()ed socket custom setsockopt(): it sets SO_ZEROCOPY
6.1 guest host SOCK_STREAM double bind connect: the reset, sent by a work, may come after the next bind
6.1 host host SOCK_STREAM double bind connect: likewise
6.1 guest host SOCK_STREAM virtio credit update + SO_RCVLOWAT: the driver of this kernel sends none then
6.1 guest host SOCK_STREAM virtio credit update + low rx_bytes: likewise
6.1 host host SOCK_STREAM virtio credit update + SO_RCVLOWAT: likewise its loopback
6.1 host host SOCK_STREAM virtio credit update + low rx_bytes: likewise
6.12 host host SOCK_STREAM SO_LINGER close() on unread: waits for a reset, and not until all is sent'

# on SIDE COMMAND
on() {
	if [ "$1" = guest ]; then
		guest_ask a "$2"
	else
		sh -c "$2"
	fi
}

# skips SERVER CLIENT - the names
skips() {
	local kernel server client name

	while read -r kernel server client name; do
		# shellcheck disable=SC2053 # patterns
		if [[ $PVIO_KERNEL = $kernel && $1 = $server && $2 = $client ]]; then
			echo "${name%%: *}"
		fi
	done <<<"${VSOCK_SKIPS:1}"
}

# All there are: "number<TAB>name", a line each. It says that it has failed.
vsock_tests() {
	{ /run/tests/vsock_test --list || true; } | sed 1d
}

# skip_options SERVER CLIENT
skip_options() {
	local name

	skips "$1" "$2" | while IFS= read -r name; do
		vsock_tests | awk -F'\t' -v name="$name" '
			$2 == name { print "--skip", $1; found = 1 }
			END { if (!found) print "--no-such-test" }'
	done
}

# side_start SIDE ROLE COMMAND
side_start() {
	on "$1" "rm -f /run/$2.*; { $3; echo \$? >/run/$2.rc; } >/run/$2.log 2>&1 &"
}

side_listens() {
	on "$1" "grep -q ':$(printf %04X $CONTROL_PORT) 00000000:0000 0A' /proc/net/tcp"
}

# side_ended SIDE ROLE - says how far the host's side has got
side_ended() {
	local line

	line=$(cat /run/server.log /run/client.log 2>/dev/null | grep -a '^[0-9]' | tail -n 1)
	[ "$line" = "${SIDE_LINE:-}" ] || note "$line"
	SIDE_LINE=$line
	sleep 1
	on "$1" "test -e /run/$2.rc"
}

# side_well SIDE ROLE
side_well() {
	on "$1" "grep -qx 0 /run/$2.rc" && return
	on "$1" "tail -n 20 /run/$2.log"
	[ "$1" = host ] || vmm_words a
	fail "the $2 on the $1 has failed"
}

# kernel_test_start PROGRAM SERVER CLIENT [OPTION]... - with the log of one of the host's in LOG
kernel_test_start() {
	local program="/run/tests/$1" options="--control-port=$CONTROL_PORT ${*:4}"
	local server=$2 client=$3 cid of_server=$HOST_CID of_client=$HOST_CID host

	LOG=/run/server.log
	[ "$server" = host ] || LOG=/run/client.log
	rm -f /run/server.* /run/client.*
	cid=$(cid_of a)
	case "$server $client" in
	"host host") of_server=1 of_client=1 host=127.0.0.1 ;;
	"host guest") of_client=$cid host=10.9.$cid.1 ;;
	"guest host") of_server=$cid host=10.9.$cid.2 ;;
	esac
	side_start "$server" server "$program --mode=server --peer-cid=$of_client $options"
	await 60 side_listens "$server" || side_well "$server" server || return
	side_start "$client" client \
		"$program --mode=client --control-host=$host --peer-cid=$of_server $options"
	await 1800 side_ended "$client" client || fail "the client on the $client hangs"
}

# kernel_test PROGRAM SERVER CLIENT [OPTION]... - likewise, and until both have ended
kernel_test() {
	kernel_test_start "$@" || return
	await 240 side_ended "$2" server || fail "the server on the $2 hangs" || return
	side_well "$3" client
	side_well "$2" server
}

# tests_done LOG - their names; what one has to say stands before its "ok"
tests_done() {
	awk '/^[0-9]+ - / { name = $0; sub(/^[0-9]+ - /, "", name); sub(/[.][.][.].*/, "", name) }
		/(^|[.][.][.])ok$/ && name != "" { print name; name = "" }' "$1"
}

# No test may have been left out but those of the table, by whichever side.
whole() {
	local wanted found

	wanted=$(comm -23 <(vsock_tests | cut -f2 | sort) <(skips "$1" "$2" | sort))
	found=$(tests_done "$LOG" | sort)
	if [ "$found" != "$wanted" ]; then
		diff <(echo "$wanted") <(echo "$found") | sed 's/^/# /'
		fail "vsock_test has not done all"
		return
	fi
	if on "$1" "grep -i 'test skipped' /run/server.log" ||
	   on "$2" "grep -i 'test skipped' /run/client.log"; then
		fail "a test has skipped something"
	fi
}

# vsock_test SERVER CLIENT
vsock_test() {
	vsock_up
	# shellcheck disable=SC2046 # words
	kernel_test vsock_test "$1" "$2" $(skip_options "$1" "$2" | xargs)
	whole "$1" "$2"
	figures "$(tests_done "$LOG" | wc -l) tests of $(</run/tests/version)," \
		"left out: $(skips "$1" "$2" | wc -l)"
}

vsock_test_out() {
	vsock_test host guest
}

vsock_test_in() {
	vsock_test guest host
}

# By the kernel's loopback, beside a VM.
vsock_test_loopback() {
	modprobe vsock_loopback
	vsock_test host host
}

# Before there are other sockets.
vsock_diag() {
	vsock_up
	kernel_test vsock_diag_test host guest
	kernel_test vsock_diag_test guest host
	figures "$(tests_done "$LOG" | wc -l) tests each way"
}

# uring SERVER CLIENT - both tests. Where AF_VSOCK knows no MSG_ZEROCOPY the client ends in the second
# one, as it is told so; the server doesn't see that.
uring() {
	if [ "$PVIO_KERNEL" != 6.1 ]; then
		kernel_test vsock_uring_test "$1" "$2"
		return
	fi
	kernel_test_start vsock_uring_test "$1" "$2" || return
	on "$1" "kill -KILL \$(pidof vsock_uring_test)"
	await 60 side_ended "$1" server || fail "the server on the $1 hangs" || return
	if ! on "$2" "grep -q 'io_uring test[.][.][.]ok' /run/client.log" ||
	   ! on "$2" "grep -q 'setsockopt SO_ZEROCOPY' /run/client.log"; then
		side_well "$2" client
	fi
}

vsock_uring() {
	vsock_up
	uring host guest
	uring guest host
	modprobe vsock_loopback
	uring host host
	figures "$(tests_done "$LOG" | wc -l) tests each way, and by loopback"
}

# perf_send SIDE CID - as soon as the other side listens
perf_send() {
	on "$1" "/run/tests/vsock_perf --sender $2 --port $PERF_PORT --bytes 32M >/run/perf.sent"
}

perf_of() {
	sed -nE 's/^[tr]x performance: *//p' "$1"
}

# How fast they find it, which on an emulated machine says little.
vsock_perf() {
	local from to

	vsock_up
	side_start host perf "/run/tests/vsock_perf --port $PERF_PORT"
	await 60 perf_send guest "$HOST_CID"
	await 60 side_ended host perf
	side_well host perf
	from=$(perf_of /run/perf.log)
	side_start guest perf "/run/tests/vsock_perf --port $PERF_PORT"
	await 60 perf_send host "$(cid_of a)"
	await 60 side_ended guest perf
	side_well guest perf
	to=$(perf_of /run/perf.sent)
	figures "vsock_perf: $from from the VM, $to to it"
}
