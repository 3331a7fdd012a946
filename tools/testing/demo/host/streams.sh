# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Streams to and from VMs, in both directions at once, whose every byte is looked at: vmm.sh comes
# first. NAMESPACE is that of who connects, or - for none; ADDRESS is of IPv4, or vsock:CID.

STREAM_RUN=/run/streams
STREAM_PORT=5901
# More than what may lie on the way to who reads all that comes, and to go on needs the way back.
MOVES=524288
declare -A STREAM_PID

# stream_in NAMESPACE - what is before a command that runs there, as STREAM_IN
stream_in() {
	mkdir -p "$STREAM_RUN"
	STREAM_IN=()
	[ "$1" = - ] || STREAM_IN=(ip netns exec "$1")
}

# stream NAMESPACE ADDRESS BYTES - so many in each direction, at once
stream() {
	stream_in "$1"
	"${STREAM_IN[@]}" /payload/selftests/stream --bytes "$(numfmt --from=iec "$3")" "$2" \
		$STREAM_PORT >"$STREAM_RUN/log" || fail "$(<"$STREAM_RUN/log") to $2" || return
	note "$(<"$STREAM_RUN/log")"
}

# stream_start NAME NAMESPACE ADDRESS [PAUSE] - one in the background, for ever
stream_start() {
	local file=$STREAM_RUN/$1

	stream_in "$2"
	: >"$file"
	"${STREAM_IN[@]}" /payload/selftests/stream --pause "${4:-40}" --state "$file" "$3" \
		$STREAM_PORT >"$file.log" 2>&1 &
	STREAM_PID[$1]=$!
	stream_moves "$1"
}

stream_words() {
	sed "s/^/# stream $1: /" "$STREAM_RUN/$1.log"
}

# stream_past NAME SENT RECEIVED - it has got further, or is dead
stream_past() {
	local sent=0 received=0

	kill -0 "${STREAM_PID[$1]}" 2>/dev/null || return 0
	read -r sent received <"$STREAM_RUN/$1" || true
	[ "$((10#0$sent))" -ge "$2" ] && [ "$((10#0$received))" -ge "$3" ]
}

# stream_moves NAME... - each brings something across in both directions from now on
stream_moves() {
	local name sent received

	for name; do
		sent=0 received=0
		read -r sent received <"$STREAM_RUN/$name" || true
		if ! await 200 stream_past "$name" $((10#0$sent + MOVES)) \
				$((10#0$received + MOVES)); then
			stream_words "$name"
			fail "stream $name has stopped at $sent $received"
			return
		fi
		kill -0 "${STREAM_PID[$name]}" 2>/dev/null ||
			{ stream_words "$name"; fail "stream $name is broken"; return; }
	done
}

# stream_end NAME... - all that was sent has come, and was right
stream_end() {
	local name

	for name; do
		kill -TERM "${STREAM_PID[$name]}"
		wait "${STREAM_PID[$name]}" ||
			{ stream_words "$name"; fail "stream $name has failed"; return; }
		note "$(<"$STREAM_RUN/$name.log")"
	done
}

# stream_drop NAME... - it can't go on, and need not
stream_drop() {
	local name

	for name; do
		kill -KILL "${STREAM_PID[$name]}" 2>/dev/null || true
		wait "${STREAM_PID[$name]}" 2>/dev/null || true
	done
}
