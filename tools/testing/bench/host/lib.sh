# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# In the virtual host: rows of results, and what the clients measure.

# shellcheck source=/dev/null
. /payload/selftests/lib.sh
# shellcheck source=SCRIPTDIR/peers.sh
. /payload/bench/peers.sh

# row BENCH PEER UNIT OURS THEIRS - a line for the table; THEIRS may be "-", because of REASON.
# There may be one for what is to be known of a figure, too.
row() {
	local reason=$REASON

	[ "$5" != - ] || reason=${reason:-it did not run}
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$@" "$reason" >>"$RESULTS/rows"
	echo "$* $reason"
}

# measure PROGRAM WHO [OPTION]... - requests by ring client; what they cost in GOT[WHO.backend] and
# so on: the back-end's own threads and the kernel's that it makes work, the machine, kicks and
# calls
declare -A GOT
REASON=
measure() {
	local program=$1 who=$2 name value

	shift 2
	unset "GOT[$who.calls]" "GOT[$who.lost]"
	while read -r name value; do
		GOT[$who.$name]=$value
	done < <("/payload/selftests/$program" "$@" 2>/run/bench-client.log)
	if [ -z "${GOT[$who.calls]:-}" ]; then
		REASON=$(tail -n 1 /run/bench-client.log)
		return 1
	fi
	echo "$who: threads ${GOT[$who.backend]}, kernel's ${GOT[$who.kernel]}," \
		"machine ${GOT[$who.machine]}, kicks ${GOT[$who.kicks]}, calls ${GOT[$who.calls]}: $*"
	GOT[$who.backend]=$((GOT[$who.backend] + GOT[$who.kernel]))
	[ "${GOT[$who.lost]:-0}" = 0 ] || REASON="kicks lost by $who: ${GOT[$who.lost]}"
}

# client WHO [OPTION]... - the same of a disk
client() {
	measure blk_bench "$@"
}

# share NUMBER OF [DIGITS] - with as many digits as say something
share() {
	awk -v n="$1" -v of="$2" -v format="%.${3:-3}f\n" \
		'BEGIN { printf format, n < 0 ? 0 : n / of }'
}

# got WHO WHAT - or "-"
got() {
	echo "${GOT[$1.$2]:--}"
}

# fio_ns DEVICE READ_OR_WRITE DEPTH IOS [JOBS] - nanoseconds for one, in JOBS one after
# the other, each of IOS: how requests fall into batches is settled at a job's start
fio_ns() {
	local jobs=() i

	for ((i = 0; i < ${5:-1}; i++)); do
		jobs+=(--name="bench$i" --stonewall)
	done
	fio --name=global --filename="$1" --rw="rand$2" --bs=4k --iodepth="$3" --direct=1 \
		--ioengine=io_uring --norandommap --randrepeat=1 --gtod_reduce=1 --size=1G \
		--thread --number_ios="$4" --eta=never --output-format=json "${jobs[@]}" |
		jq '(.jobs | map(.job_runtime) | add) * 1000000 /
			(.jobs | map(.read.total_ios + .write.total_ios) | add) | floor'
}

# queue_stats DISK - batches, kicks and calls of its only queue until now
queue_stats() {
	/payload/pvioctl --json stats "$1" | jq -r '.[0] | "\(.batches) \(.kicks) \(.calls)"'
}

# threads_ns PID - what all threads of a process have run
threads_ns() {
	cat "/proc/$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%d\n", sum }'
}
