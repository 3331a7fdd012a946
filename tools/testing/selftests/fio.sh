# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
# What a disk has to stand wherever it appears: in the kernel that serves it, through the ring
# client, in a VM. To be sourced, by busybox's sh as well. A case is a function on a block device
# that returns 0, or 4 where it can't be done there. FIO_OPTIONS are for every run of fio.

FIO_CASES="mixed jobs sequential flushed durable discarded files"
FIO_DIR=/run/fio

fio_say() {
	echo "# fio: $*"
}

# fio_sum KEY [DIRECTION] - the sum of what the last report has under it
fio_sum() {
	awk -v key="\"$1\"" -v want="\"${2:-}\"" '
		$3 == "{" { part = $1 }
		$1 == key && (want == "\"\"" || part == want) { sum += $3 }
		END { printf "%d", sum }' "$FIO_DIR/report"
}

# fio_verified DEVICE OPTION... - reads and writes; what was written is read back and compared
fio_verified() {
	local dev=$1 rc=0

	shift
	mkdir -p "$FIO_DIR"
	# shellcheck disable=SC2086 # words
	fio --name=verify --filename="$dev" --ioengine=libaio --direct=1 --iodepth=16 \
		--rw=randrw --bsrange=4k-64k --size=8M --verify=crc32c --verify_fatal=1 \
		--randrepeat=0 --eta=never --output-format=json --output="$FIO_DIR/report" \
		"$@" ${FIO_OPTIONS:-} </dev/null || rc=$?
	fio_say "$(fio_sum io_bytes read) bytes read, $(fio_sum io_bytes write) written," \
		"$(fio_sum io_bytes trim) trimmed, $(fio_sum total_ios sync) flushes," \
		"error $(fio_sum error), status $rc"
	FIO_IOS=$((${FIO_IOS:-0} + $(fio_sum total_ios)))
	FIO_BYTES=$((${FIO_BYTES:-0} + $(fio_sum io_bytes)))
	[ "$rc" = 0 ] && [ "$(fio_sum error)" = 0 ] && [ "$(fio_sum io_bytes read)" -gt 0 ] &&
		[ "$(fio_sum io_bytes write)" -gt 0 ]
}

fio_mixed() {
	fio_verified "$1" --iodepth=32 --size=16M --verify_backlog=256
}

fio_jobs() {
	fio_verified "$1" --numjobs=3 --offset_increment=12M --group_reporting
}

fio_sequential() {
	fio_verified "$1" --rw=write --bs=1M --bsrange=1M-1M --iodepth=4
}

fio_flushed() {
	fio_verified "$1" --bsrange=4k-16k --size=2M --fsync=8 &&
		[ "$(fio_sum total_ios sync)" -gt 0 ]
}

# Each write is durable when it ends.
fio_durable() {
	fio_verified "$1" --bsrange=4k-16k --size=2M --sync=dsync
}

# fio_range DEVICE - the first four MiB, as they are
fio_range() {
	dd if="$1" bs=1048576 count=4 iflag=direct 2>/dev/null
}

# What is discarded reads as zeroes, what lies around stays.
fio_discarded() {
	local max="/sys/class/block/${1##*/}/queue/discard_max_bytes"

	if [ "$(cat "$max")" = 0 ]; then
		fio_say "the disk can't discard"
		return 4
	fi
	mkdir -p "$FIO_DIR"
	head -c 4194304 /dev/urandom >"$FIO_DIR/data"
	dd if="$FIO_DIR/data" of="$1" bs=1048576 oflag=direct conv=fsync 2>/dev/null || return 1
	fio_range "$1" | cmp "$FIO_DIR/data" - || return 1
	blkdiscard -o 1048576 -l 2097152 "$1" || return 1
	dd if=/dev/zero of="$FIO_DIR/data" bs=1048576 seek=1 count=2 conv=notrunc 2>/dev/null
	fio_range "$1" | cmp "$FIO_DIR/data" - || return 1
	fio_verified "$1" --rw=trimwrite --bs=64k --bsrange=64k-64k &&
		[ "$(fio_sum io_bytes trim)" -gt 0 ]
}

fio_make_files() {
	mkdir -p "$1/tree" &&
		cp "$(command -v fio)" "$1/tree/program" &&
		head -c 4194304 /dev/urandom >"$1/tree/random" &&
		(cd "$1/tree" && sha256sum program random) >"$FIO_DIR/sums"
}

fio_mkfs() {
	if command -v mkfs.ext4 >/dev/null; then
		mkfs.ext4 -q -F "$1"
	else
		mke2fs -F "$1" >/dev/null
	fi
}

# Files in a file system are the same after it was mounted anew.
fio_files() {
	local dir=$FIO_DIR/mnt rc=0

	mkdir -p "$dir"
	fio_mkfs "$1" && mount -t ext4 "$1" "$dir" || return 1
	fio_make_files "$dir" || rc=1
	umount "$dir" && mount -t ext4 "$1" "$dir" || return 1
	(cd "$dir/tree" && sha256sum -c "$FIO_DIR/sums" >/dev/null) || rc=1
	rm "$dir/tree/random"
	sync
	umount "$dir" && return "$rc"
}

# fio_suite DEVICE - every case. FIO_DONE has those that passed, FIO_SKIPPED the others.
fio_suite() {
	local name rc

	FIO_DONE='' FIO_SKIPPED=''
	for name in $FIO_CASES; do
		rc=0
		"fio_$name" "$1" || rc=$?
		fio_say "$name: status $rc"
		case $rc in
		0) FIO_DONE="$FIO_DONE${FIO_DONE:+,}$name" ;;
		4) FIO_SKIPPED="$FIO_SKIPPED${FIO_SKIPPED:+,}$name" ;;
		*) return 1 ;;
		esac
	done
}

# fio_checksum DEVICE - of what is on its first 32 MiB, to compare both ends of a path
fio_checksum() {
	# Files in memory may know no other way than the page cache.
	{ dd if="$1" bs=1048576 count=32 iflag=direct 2>/dev/null ||
		dd if="$1" bs=1048576 count=32 2>/dev/null; } | sha256sum | cut -d' ' -f1
}
