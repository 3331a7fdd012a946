# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For scripts that run inside a virtual host: modules, stores, disks, devices.

CONFIGFS=/sys/kernel/config
DISKS=$CONFIGFS/pvio_blk
MGMTDEV=pvio_vhost_blk

# shellcheck source=/dev/null
. "$(dirname "${BASH_SOURCE[0]}")/stores.sh"

note() {
	printf '# %s\n' "$*"
}

fail() {
	note "$*"
	return 1
}

# same IS WANTED WHAT
same() {
	[ "$1" = "$2" ] || fail "$3 is '$1', expected '$2'"
}

# as_nobody COMMAND... - run it as a user who may do nothing
as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all --inh-caps=-all \
		"$@"
}

# has_vdpa - can this kernel have vDPA devices
has_vdpa() {
	modprobe -n -q vhost_vdpa
}

# need_module NAME - loads it, or skips the test
need_module() {
	modprobe -q "$1" && return
	note "this kernel has no $1"
	return 4
}

KCSAN=/sys/kernel/debug/kcsan

# It doesn't look before it is told to.
kcsan_on() {
	[ ! -e "$KCSAN" ] || echo on >"$KCSAN"
}

# That it tells of no race of ours means something where it has met those of others.
kcsan_looked() {
	[ -e "$KCSAN" ] || return 0
	note "KCSAN: $(grep -E '^(setup_watchpoints|data_races):' "$KCSAN" | paste -sd ' ')"
	! grep -q '^data_races: 0$' "$KCSAN"
}

# load_modules DIR - ours from DIR, and what they and the tests need
load_modules() {
	local module modules=(configfs dm_mod dm_delay tun tap)

	! has_vdpa || modules+=(vdpa vhost_iotlb vhost_vdpa virtio_vdpa)
	for module in "${modules[@]}"; do
		modprobe "$module" || return
	done
	modprobe null_blk nr_devices=0 || return
	insmod "$(find "$1" -name pvio_vhost.ko | head -n 1)" || return
	insmod "$(find "$1" -name pvio_vhost_blk.ko | head -n 1)" || return
	insmod "$(find "$1" -name pvio_vhost_net.ko | head -n 1)" || return
	mountpoint -q "$CONFIGFS" || mount -t configfs configfs "$CONFIGFS"
	kcsan_on || return
	[ -c /dev/vhost-blk ] && [ -c /dev/vhost-net ] && { [ -d "$DISKS" ] || ! has_vdpa; }
}

# install_modules - what make modules_install does, with ours
install_modules() {
	local updates

	updates=/lib/modules/$(uname -r)/updates
	mkdir -p "$updates"
	find "${PAYLOAD:-/payload}/host" "${PAYLOAD:-/payload}/common" -name '*.ko' -exec cp -t "$updates" {} +
	depmod
}

# sockets_gone MODULE - the kernel keeps a socket that didn't wait for its connection until its time
# is over, and that keeps the module: see CONNECT_MS
sockets_gone() {
	local left

	for ((left = 60; left; left--)); do
		[ "$(cat "/sys/module/$1/refcnt" 2>/dev/null || echo 0)" != 0 ] || return 0
		sleep 1
	done
	return 1
}

# Only those who ask for it have it.
unload_vsock() {
	[ -e /sys/module/pvio_vhost_vsock ] || return 0
	sockets_gone pvio_vhost_vsock && rmmod pvio_vhost_vsock pvio_vsock_common
}

unload_modules() {
	kcsan_looked || fail "KCSAN has found no race at all" || return
	unload_vsock && rmmod pvio_vhost_net && rmmod pvio_vhost_blk && rmmod pvio_vhost
}

# store_make NAME MIB [ATTRIBUTE=VALUE]... - a null_blk that remembers, /dev/NAME
store_make() {
	local dir=$CONFIGFS/nullb/$1 pair

	mkdir "$dir" || return
	echo "$2" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	shift 2
	for pair in "$@"; do
		echo "${pair#*=}" >"$dir/${pair%%=*}" || return
	done
	echo 1 >"$dir/power"
}

# zoned_make NAME - a null_blk with 2 conventional and 14 sequential zones, as blk_zone expects
zoned_make() {
	store_make "$1" 64 zoned=1 zone_size=4 zone_capacity=3 zone_nr_conv=2 zone_max_open=3 \
		zone_max_active=5
}

store_remove() {
	echo 0 >"$CONFIGFS/nullb/$1/power"
	rmdir "$CONFIGFS/nullb/$1"
}

# file_make NAME MIB KIND - FILE, sparse, on a file system of its own at /tmp/NAME
file_make() {
	local dir=/tmp/$1

	mkdir "$dir" || return
	if [ "$3" = tmpfs ]; then
		mount -t tmpfs tmpfs "$dir" || return
	else
		# No xfs is smaller.
		store_make "$1" 400 && "mkfs.$3" -q "/dev/$1" >/dev/null &&
			mount "/dev/$1" "$dir" || return
	fi
	FILE=$dir/file
	truncate -s "$2M" "$FILE"
}

file_remove() {
	umount "/tmp/$1" && rmdir "/tmp/$1"
}

# loop_make NAME MIB KIND - a loop device on such a file; LOOP is its path. On ext4 it discards and
# writes zeroes by itself; on tmpfs it says so, and then can't write zeroes.
loop_make() {
	modprobe loop && file_make "$@" && LOOP=$(losetup -f --show "$FILE")
}

loop_remove() {
	losetup -d "$LOOP" && file_remove "$1"
}

# slow_make NAME STORE READ_MS WRITE_MS - /dev/mapper/NAME, STORE with delays
slow_make() {
	# There is no udev that would make the nodes.
	DM_DISABLE_UDEV=1 dmsetup create "$1" --table \
		"0 $(blockdev --getsz "/dev/$2") delay /dev/$2 0 $3 /dev/$2 0 $4"
}

# linear_make NAME STORE - /dev/mapper/NAME, STORE as it is
linear_make() {
	DM_DISABLE_UDEV=1 dmsetup create "$1" --table \
		"0 $(blockdev --getsz "/dev/$2") linear /dev/$2 0"
}

mapper_remove() {
	DM_DISABLE_UDEV=1 dmsetup remove --retry "$1"
}

# checked_make NAME STORE - /dev/mapper/NAME, which stores a checksum beside every block of STORE
checked_make() {
	local size

	modprobe dm_integrity || return
	dd if=/dev/zero of="/dev/$2" bs=4096 count=2 oflag=direct status=none || return
	# The first time it formats the store, and learns how much room is left.
	DM_DISABLE_UDEV=1 dmsetup create "$1" --table \
		"0 1 integrity /dev/$2 0 - D 1 internal_hash:crc32c" || return
	DM_DISABLE_UDEV=1 dmsetup remove --retry "$1" || return
	size=$(dd if="/dev/$2" bs=8 skip=2 count=1 status=none | od -An -tu8 | tr -d ' ') || return
	DM_DISABLE_UDEV=1 dmsetup create "$1" --table \
		"0 $size integrity /dev/$2 0 - D 1 internal_hash:crc32c" || return
	dd if=/dev/zero of="/dev/mapper/$1" bs=1M count=4 oflag=direct status=none
}

# disk_make NAME [ATTRIBUTE=VALUE]... - a disk in configfs
disk_make() {
	local dir=$DISKS/$1 pair

	mkdir "$dir" || return
	shift
	for pair in "$@"; do
		if ! echo "${pair#*=}" >"$dir/${pair%%=*}"; then
			note "cannot set $pair"
			return 1
		fi
	done
}

disk_remove() {
	rmdir "$DISKS/$1"
}

device_add() {
	vdpa dev add name "$1" mgmtdev "$MGMTDEV"
}

device_del() {
	vdpa dev del "$1"
}

device_exists() {
	vdpa dev show "$1" >/dev/null 2>&1
}

# no_device NAME - fails if it exists
no_device() {
	if device_exists "$1"; then
		fail "$1 exists"
	fi
}

# device_driver NAME - the driver that has it, nothing if none
device_driver() {
	local link=/sys/bus/vdpa/devices/$1/driver

	[ ! -e "$link" ] || basename "$(readlink -f "$link")"
}

# device_node NAME - the character device
device_node() {
	local dir

	for dir in "/sys/bus/vdpa/devices/$1"/vhost-vdpa-*; do
		[ -e "$dir" ] && echo "/dev/${dir##*/}"
	done
}

mappings() {
	dmsetup ls 2>/dev/null | awk '/\(/ { print $1 }'
}

# From the top down: some stand on others, in whatever order they are listed.
mappings_clean_up() {
	local name

	for _ in 1 2 3; do
		while read -r name; do
			# What a test held is waited for in vain.
			DM_DISABLE_UDEV=1 dmsetup resume "$name" >/dev/null 2>&1 || true
			DM_DISABLE_UDEV=1 dmsetup remove "$name" >/dev/null 2>&1 || true
		done < <(mappings)
	done
	while read -r name; do
		mapper_remove "$name" || true
	done < <(mappings)
}

mounts_clean_up() {
	local name

	while read -r name; do
		if umount "$name"; then
			rmdir "$name" || true
		fi
	done < <(awk '$2 ~ "^/tmp/" { print $2 }' /proc/mounts)
	while read -r name; do
		losetup -d "$name" || true
	done < <(losetup -n -O NAME 2>/dev/null)
}

# clean_up - what a test that failed has left behind
clean_up() {
	local dir name

	for dir in "$DISKS"/*/; do
		[ -d "$dir" ] || continue
		name=$(basename "$dir")
		! device_exists "$name" || device_del "$name" || true
		rmdir "$dir" || true
	done
	# A file may lie on a loop device, and a loop device on a file.
	mounts_clean_up
	mounts_clean_up
	nvme_clean_up
	[ ! -e /sys/block/md0 ] || raid_stop || true
	mappings_clean_up
	for dir in "$CONFIGFS"/nullb/*/; do
		[ -d "$dir" ] || continue
		name=$(basename "$dir")
		umount --quiet --all-targets "/dev/$name" || true
		store_remove "$name" || true
	done
}

# await SECONDS COMMAND... - until it succeeds
await() {
	local end=$((SECONDS + $1))

	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

# log_mark, and log_since MARK: kernel messages written after it; all there are
# where the mark has left the log already
log_mark() {
	local mark=pvio-mark-$EPOCHREALTIME-$RANDOM

	echo "<7>$mark" >/dev/kmsg
	echo "$mark"
}

log_since() {
	dmesg | awk -v mark="$1" '
		index($0, mark) { nr = 0; next }
		{ line[nr++] = $0 }
		END { for (i = 0; i < nr; i++) print line[i] }'
}

# log_says MARK WORD... - a message after MARK holds all the words
log_says() {
	local mark=$1 lines word

	shift
	lines=$(log_since "$mark")
	for word in "$@"; do
		lines=$(grep -F -- "$word" <<<"$lines") ||
			fail "no kernel message with: $*" || return
	done
}

# refused ERRNO COMMAND... - it fails, and says so in these words
refused() {
	local want=$1 said

	shift
	if said=$("$@" 2>&1); then
		fail "not refused: $*"
		return
	fi
	grep -qiF -- "$want" <<<"$said" || fail "$*: $want expected, got: $said"
}

# set_attr DISK ATTRIBUTE VALUE, for refused
set_attr() {
	echo "$3" >"$DISKS/$1/$2"
}
