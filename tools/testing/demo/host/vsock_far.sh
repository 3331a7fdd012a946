#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# In a guest: streams to the host, as streams.sh has them on the host.
#   vsock_far.sh start NAME OPTION...    one in the background
#   vsock_far.sh moves NAME BYTES        it brings so many more across, in both directions
#   vsock_far.sh signal NAME SIGNAL
#   vsock_far.sh said NAME PATTERN       it ends soon, or has ended, with that in its log
#   vsock_far.sh many COUNT OPTION...    so many at once, until they have ended well
#   vsock_far.sh serve                   answers streams from the host, unless one does
#   vsock_far.sh served COUNT            as many are answered, now or soon
#   vsock_far.sh kill-last               the process that answers the latest one dies
HOST=vsock:2
PORT=5901
NAME=${2:-}
DIR=/run/far/$NAME
SERVER=/run/far.server

start() {
	rm -rf "$DIR"
	mkdir -p "$DIR"
	{
		stream "$@" --state "$DIR/state" $HOST $PORT >"$DIR/log" 2>&1 &
		echo $! >"$DIR/pid"
		wait $!
		echo $? >"$DIR/rc"
	} &
}

# at NR - bytes sent or received so far, which are more than an int
at() {
	awk -v nr="$1" '{ n = $nr } END { printf "%.0f", n }' "$DIR/state" 2>/dev/null || echo 0
}

ended() {
	[ -e "$DIR/rc" ]
}

moved() {
	ended || { [ "$(at 1)" -ge "$1" ] && [ "$(at 2)" -ge "$2" ]; }
}

await() {
	tries=480
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return
		sleep 0.5
	done
}

moves() {
	await moved $(($(at 1) + $1)) $(($(at 2) + $1)) && ! ended && return
	cat "$DIR/state" "$DIR/log"
	return 1
}

said() {
	await ended
	cat "$DIR/log"
	ended && grep -q "$1" "$DIR/log"
}

many() {
	rm -rf "$DIR"
	mkdir -p "$DIR"
	for nr in $(seq "$NAME"); do
		stream "$@" $HOST $PORT >"$DIR/$nr" 2>&1 &
	done
	wait
	grep -vh 'all of it right$' "$DIR"/*
	[ "$(cat "$DIR"/* | grep -c 'all of it right$')" = "$NAME" ]
}

serve() {
	[ ! -e $SERVER ] || return 0
	stream --vsock --listen $PORT >$SERVER.log 2>&1 &
	echo $! >$SERVER
}

# The processes, a line each.
answers() {
	cat /proc/[0-9]*/stat 2>/dev/null |
		awk -v server="$(cat $SERVER)" '$4 == server && $3 != "Z" { print $1 }'
}

answers_are() {
	[ "$(answers | wc -l)" = "$1" ]
}

case $1 in
start | moves | said | many)
	command=$1
	shift 2
	"$command" "$@" ;;
signal) kill "-$3" "$(cat "$DIR/pid")" ;;
serve) serve ;;
served) await answers_are "$2" ;;
kill-last) kill -KILL "$(answers | sort -n | tail -n 1)" ;;
*) exit 2 ;;
esac
