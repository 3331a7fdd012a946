#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: disks in configfs, and vDPA devices made of them.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"

NOWHERE="No such file or directory"
NOT_BLOCK="Block device required"
BUSY="Device or resource busy"
INVALID="Invalid argument"
RANGE="Numerical result out of range"
DENIED="Permission denied"

attr() {
	cat "$DISKS/$1/$2"
}

is() {
	[ "$(attr disk0 "$1")" = "$2" ] || fail "$1 is '$(attr disk0 "$1")', expected '$2'"
}

# fresh [ATTRIBUTE=VALUE]... - disk0 without a path
fresh() {
	disk_make disk0 "$@"
}

# with_store [ATTRIBUTE=VALUE]... - disk0 on a small store
with_store() {
	store_make cfgstore 16
	disk_make disk0 path=/dev/cfgstore "$@"
}

defaults() {
	local cpus

	cpus=$(nproc)
	fresh
	is path ""
	is queues $((cpus < 4 ? cpus : 4))
	is queue_size 1024
	is readonly 0
	is serial ""
	is block_size 0
	is memory va
	is discard zero
	is lifetime ""
	is loop 0
}

good_values() {
	local pair

	fresh
	for pair in queues=1 queues=64 queue_size=16 queue_size=1024 readonly=1 readonly=0 \
		block_size=512 block_size=4096 block_size=0 memory=pa memory=va discard=none \
		discard=pass discard=zero loop=1 loop=0 \
		"lifetime=0 0 0" "lifetime=3 11 11" lifetime= \
		serial=x serial=12345678901234567890 "serial=with blanks" serial=; do
		set_attr disk0 "${pair%%=*}" "${pair#*=}" || fail "$pair"
		is "${pair%%=*}" "${pair#*=}"
	done
}

# bad_value ERRNO ATTRIBUTE VALUE - refused, with a message, and nothing has changed
bad_value() {
	local mark before

	mark=$(log_mark)
	before=$(attr disk0 "$2")
	refused "$1" set_attr disk0 "$2" "$3"
	log_says "$mark" pvio_vhost_blk: "disk0" "$2"
	is "$2" "$before"
}

bad_values() {
	fresh
	bad_value "$RANGE" queues 0
	bad_value "$RANGE" queues 65
	bad_value "$INVALID" queues -1
	bad_value "$INVALID" queues many
	bad_value "$INVALID" queues ""
	bad_value "$INVALID" queues "2 3"
	bad_value "$RANGE" queues 99999999999999999999
	bad_value "$RANGE" queue_size 8
	bad_value "$RANGE" queue_size 2048
	bad_value "$INVALID" queue_size 100
	bad_value "$RANGE" readonly 2
	bad_value "$RANGE" block_size 8192
	bad_value "$INVALID" block_size 256
	bad_value "$INVALID" block_size 513
	bad_value "$INVALID" memory both
	bad_value "$INVALID" discard all
	bad_value "$INVALID" lifetime "4 0 0"
	bad_value "$INVALID" lifetime "0 12 0"
	bad_value "$INVALID" lifetime "0 0 12"
	bad_value "$INVALID" lifetime "0 0"
	bad_value "$INVALID" lifetime "0 0 0 0"
	bad_value "$INVALID" lifetime "new"
	bad_value "$RANGE" loop 2
	bad_value "$RANGE" serial 123456789012345678901
}

# bad_path ERRNO PATH
bad_path() {
	local mark

	mark=$(log_mark)
	refused "$1" set_attr disk0 path "$2"
	log_says "$mark" pvio_vhost_blk: disk0 "$2"
	is path ""
}

path_kinds() {
	local dir

	dir=$(mktemp -d)
	fresh
	bad_path "$NOWHERE" "$dir/missing"
	bad_path "$NOT_BLOCK" "$dir"
	bad_path "$NOT_BLOCK" /dev/null
	touch "$dir/file"
	bad_path "$INVALID" "$dir/file"
	bad_path "$INVALID" /proc/version
	mkfifo "$dir/fifo"
	bad_path "$NOT_BLOCK" "$dir/fifo"
	ln -s missing "$dir/dangling"
	bad_path "$NOWHERE" "$dir/dangling"
	ln -s loop "$dir/loop"
	bad_path "Too many levels of symbolic links" "$dir/loop"
	bad_path "Not a directory" "$dir/file/below"
	mknod "$dir/nobody" b 240 240
	bad_path "No such device or address" "$dir/nobody"
	rm -r "$dir"
}

path_too_long() {
	fresh
	refused "" set_attr disk0 path "/$(printf 'x%.0s' {1..300})"
	refused "" set_attr disk0 path "$(printf '/dev/../%.0s' {1..505})null"
	is path ""
}

path_symlink() {
	store_make cfgstore 16
	fresh
	ln -s /dev/cfgstore /tmp/cfglink
	set_attr disk0 path /tmp/cfglink
	rm /tmp/cfglink
	is path /tmp/cfglink
	device_add disk0
	device_del disk0
}

path_swap() {
	store_make cfgstore 16
	fresh
	mkswap -q /dev/cfgstore
	swapon /dev/cfgstore
	bad_path "$BUSY" /dev/cfgstore
	swapoff /dev/cfgstore
	set_attr disk0 path /dev/cfgstore
	refused "$BUSY" swapon /dev/cfgstore
}

path_mounted() {
	local dir

	dir=$(mktemp -d)
	store_make cfgstore 16
	fresh
	mkfs.ext4 -q /dev/cfgstore
	mount /dev/cfgstore "$dir"
	bad_path "$BUSY" /dev/cfgstore
	umount "$dir"
	set_attr disk0 path /dev/cfgstore
	refused "" mount /dev/cfgstore "$dir"
	set_attr disk0 path ""
	is path ""
	mount /dev/cfgstore "$dir"
	umount "$dir"
	rmdir "$dir"
}

path_claimed() {
	with_store
	disk_make disk1
	refused "$BUSY" set_attr disk1 path /dev/cfgstore
	refused "$BUSY" dmsetup create cfgclaim --table \
		"0 $(blockdev --getsz /dev/cfgstore) linear /dev/cfgstore 0"
	set_attr disk0 path ""
	set_attr disk1 path /dev/cfgstore
	bad_path "$BUSY" /dev/cfgstore
}

path_changed() {
	with_store
	store_make cfgother 16
	set_attr disk0 path /dev/cfgstore
	set_attr disk0 path /dev/cfgother
	is path /dev/cfgother
	disk_make disk1 path=/dev/cfgstore
	# What can't be had leaves what there is.
	refused "$BUSY" set_attr disk0 path /dev/cfgstore
	is path /dev/cfgother
	device_add disk0
	device_del disk0
}

# Less than a sector: a loop device on a file of some bytes.
path_too_small() {
	local file dev

	modprobe loop
	file=$(mktemp)
	echo "not much" >"$file"
	dev=$(losetup -f --show "$file")
	fresh
	bad_path "$INVALID" "$dev"
	losetup -d "$dev"
	rm "$file"
}

path_write_protected() {
	store_make cfgstore 16
	blockdev --setro /dev/cfgstore
	fresh
	refused "" set_attr disk0 path /dev/cfgstore
	is path ""
	set_attr disk0 readonly 1
	set_attr disk0 path /dev/cfgstore
	refused "$BUSY" set_attr disk0 readonly 0
	device_add disk0
	device_del disk0
}

# The store is opened with the rights of who writes the path, not with the kernel's.
path_rights() {
	local mark

	store_make cfgstore 16
	fresh
	chmod 0666 "$DISKS/disk0/path" "$DISKS/disk0/readonly"
	chmod 0600 /dev/cfgstore
	mark=$(log_mark)
	refused "$DENIED" as_nobody bash -c "echo /dev/cfgstore >$DISKS/disk0/path"
	log_says "$mark" pvio_vhost_blk: disk0 /dev/cfgstore
	is path ""
	chmod 0644 /dev/cfgstore
	refused "$DENIED" as_nobody bash -c "echo /dev/cfgstore >$DISKS/disk0/path"
	as_nobody bash -c "echo 1 >$DISKS/disk0/readonly"
	as_nobody bash -c "echo /dev/cfgstore >$DISKS/disk0/path"
	as_nobody bash -c "echo >$DISKS/disk0/path"
	chown 65534 /dev/cfgstore
	chmod 0600 /dev/cfgstore
	echo 0 >"$DISKS/disk0/readonly"
	as_nobody bash -c "echo /dev/cfgstore >$DISKS/disk0/path"
	is path /dev/cfgstore
}

# Without chmod it is root's alone.
attribute_modes() {
	local file

	fresh
	for file in "$DISKS"/disk0/*; do
		[ "$(stat -c '%a %u' "$file")" = "644 0" ] ||
			fail "$file: $(stat -c '%a %u' "$file")"
	done
	refused "$DENIED" as_nobody bash -c "echo 2 >$DISKS/disk0/queues"
}

block_size_of_store() {
	store_make cfgstore 16 blocksize=4096
	fresh path=/dev/cfgstore
	bad_value "$INVALID" block_size 512
	set_attr disk0 block_size 4096
	set_attr disk0 block_size 0
	device_add disk0
	device_del disk0
}

# A block size chosen before the path has to fit as well.
block_size_too_small() {
	store_make cfgstore 16 blocksize=4096
	fresh block_size=512
	if set_attr disk0 path /dev/cfgstore 2>/dev/null; then
		refused "" device_add disk0
	fi
}

add_unknown() {
	fresh
	refused "" device_add disk7
	refused "" vdpa dev add name disk0 mgmtdev pvio_no_such
	no_device disk7
	no_device disk0
}

add_without_path() {
	local mark

	fresh
	mark=$(log_mark)
	refused "" device_add disk0
	log_says "$mark" pvio_vhost_blk: disk0 path
	no_device disk0
}

add_twice() {
	with_store
	device_add disk0
	refused "exists" device_add disk0
	device_exists disk0
	device_del disk0
	no_device disk0
	refused "" device_del disk0
	device_add disk0
	device_del disk0
}

add_attributes() {
	local words

	with_store
	for words in "mac 00:11:22:33:44:55" "mtu 1500" "max_vqp 2" \
		"device_features 0x8000000000000000"; do
		# shellcheck disable=SC2086 # an option and its value
		refused "" vdpa dev add name disk0 mgmtdev "$MGMTDEV" $words
		no_device disk0
	done
	device_add disk0
	device_del disk0
}

management_device() {
	local json

	json=$(vdpa -j mgmtdev show "$MGMTDEV")
	jq -e '.mgmtdev[].supported_classes | index("block")' <<<"$json" >/dev/null ||
		fail "$json"
	[ "$(jq '.mgmtdev[].max_supported_vqs' <<<"$json")" = 64 ] || fail "$json"
}

locked_while_device() {
	local pair

	with_store
	device_add disk0
	for pair in path= path=/dev/cfgstore queues=1 queue_size=16 readonly=1 serial=x \
		block_size=512 memory=pa discard=none loop=1 "lifetime=1 1 1"; do
		bad_value "$BUSY" "${pair%%=*}" "${pair#*=}"
	done
	refused "$BUSY" disk_remove disk0
	is path /dev/cfgstore
	device_del disk0
	set_attr disk0 lifetime "1 1 1"
	device_add disk0
	set_attr disk0 lifetime "1 2 2"
	bad_value "$BUSY" lifetime ""
	is lifetime "1 2 2"
	device_del disk0
	set_attr disk0 lifetime ""
	for pair in queues=1 queue_size=16 readonly=1 serial=x block_size=512 memory=pa \
		discard=none; do
		set_attr disk0 "${pair%%=*}" "${pair#*=}"
	done
	device_add disk0
	device_del disk0
}

directories() {
	fresh
	refused "exists" mkdir "$DISKS/disk0"
	refused "" mkdir "$DISKS/disk0/below"
	refused "" touch "$DISKS/file"
	disk_remove disk0
	fresh
}

names() {
	local name

	store_make cfgstore 16
	for name in x disk.1 "with blank" "$(printf 'n%.0s' {1..200})" 'a%d%s%n' ümlaut; do
		disk_make "$name" path=/dev/cfgstore
		if device_add "$name" 2>/dev/null; then
			device_del "$name"
		fi
		disk_remove "$name"
	done
}

module_in_use() {
	fresh
	refused "in use" rmmod pvio_vhost_blk
	refused "in use" rmmod pvio_vhost
	disk_remove disk0
	with_store
	device_add disk0
	refused "in use" rmmod pvio_vhost_blk
	device_del disk0
}

node() {
	local node

	with_store
	device_add disk0
	[ "$(device_driver disk0)" = vhost_vdpa ] || fail "bound to '$(device_driver disk0)'"
	node=$(device_node disk0)
	[ "$(stat -c '%a %u %F' "$node")" = "600 0 character special file" ] ||
		fail "$(stat -c '%a %u %F' "$node")"
	device_del disk0
	[ ! -e "$node" ]
}

bind_to() {
	echo "$1" >"/sys/bus/vdpa/drivers/$2/bind"
}

unbind_from() {
	echo "$1" >"/sys/bus/vdpa/drivers/$2/unbind"
}

# A tenant's disk never becomes a disk of the host's own.
no_loop() {
	local before

	with_store
	before=$(ls /sys/block)
	device_add disk0
	unbind_from disk0 vhost_vdpa
	refused "" bind_to disk0 virtio_vdpa
	[ -z "$(device_driver disk0)" ]
	echo virtio_vdpa >/sys/bus/vdpa/devices/disk0/driver_override
	refused "" bind_to disk0 virtio_vdpa
	[ "$(ls /sys/block)" = "$before" ] || fail "a disk has appeared"
	echo >/sys/bus/vdpa/devices/disk0/driver_override
	bind_to disk0 vhost_vdpa
	"$HERE/blk_io" --dev disk0 --store /dev/cfgstore --only config_space |
		sed 's/^/# /'
	device_del disk0
}

# Nor does a VMM get the host's memory, from a disk that was made for the host.
loop_in_a_vmm() {
	with_store loop=1
	device_add disk0
	[ "$(device_driver disk0)" = virtio_vdpa ] || fail "bound to '$(device_driver disk0)'"
	unbind_from disk0 virtio_vdpa
	if ! bind_to disk0 vhost_vdpa 2>/dev/null; then
		note "vhost_vdpa may not have it"
		device_del disk0
		return
	fi
	"$HERE/blk_bad" --dev disk0 --store /dev/cfgstore --only ring_no_map | sed 's/^/# /'
	"$HERE/blk_bad" --dev disk0 --store /dev/cfgstore --only unmapped | sed 's/^/# /'
	device_del disk0
}

many_disks() {
	local i

	for i in {1..16}; do
		store_make "cfgmany$i" 8
		disk_make "disk$i" "path=/dev/cfgmany$i" queues=2
		device_add "disk$i"
	done
	[ "$(vdpa -j dev show | jq '.dev | length')" = 16 ]
	for i in {16..1}; do
		device_del "disk$i"
	done
}

churn_one() {
	local i pid node fd

	for i in {1..15}; do
		mkdir "$DISKS/$1"
		echo "/dev/$1" >"$DISKS/$1/path"
		device_add "$1"
		node=$(device_node "$1")
		true <"$node"
		exec {fd}<"$node"
		cat "$DISKS/$1"/* >/dev/null
		! echo 2 2>/dev/null >"$DISKS/$1/queues" || return 1
		(exec {fd}<&-; device_del "$1") &
		pid=$!
		exec {fd}<&-
		wait "$pid"
		echo 2 >"$DISKS/$1/queues"
		rmdir "$DISKS/$1"
	done
}

# Makes, opens and removes at the same time, on several disks. A node is opened by those who
# were told of it alone: the kernel's vhost_vdpa shows it before it has made what is behind it.
churn() {
	local i pids=() rc=0

	for i in 1 2 3; do
		store_make "cfgchurn$i" 8
		churn_one "cfgchurn$i" &
		pids+=($!)
	done
	for i in {1..100}; do
		cat "$DISKS"/*/* >/dev/null 2>&1 || true
	done
	for i in "${pids[@]}"; do
		wait "$i" || rc=$?
	done
	return "$rc"
}

TESTS="defaults good_values bad_values path_kinds path_too_long path_symlink path_swap
	path_mounted path_claimed path_changed path_too_small path_write_protected path_rights
	attribute_modes block_size_of_store block_size_too_small add_unknown add_without_path
	add_twice add_attributes management_device locked_while_device directories names
	module_in_use node no_loop loop_in_a_vmm many_disks churn"
[ $# = 0 ] || TESTS="$*"

ktap_plan "$(wc -w <<<"$TESTS")"
for name in $TESTS; do
	ktap_test "configfs_$name" "$name"
	clean_up
done
ktap_finish
