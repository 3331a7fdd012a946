# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For scripts that run inside a virtual host, beside lib.sh: stores of the kinds that a fleet has.
# Each <kind>_store NAME MIB makes one. STORE is then what a disk is made on, and BACK where its
# data can be seen from the other end; clean_up takes away what there is of them.
# shellcheck disable=SC2034,SC2153 # others use these, and set FILE
STORE='' BACK=''

NVMET=$CONFIGFS/nvmet
NVME_PORT=4420

loop_store() {
	loop_make "$1" "$2" ext4 || return
	STORE=$LOOP BACK=$FILE
}

# mapper_make NAME - a mapping by the table on stdin. There is no udev to make the node.
mapper_make() {
	DM_DISABLE_UDEV=1 dmsetup create "$1"
}

# Two mappings with one key: what one has encrypted the other decrypts.
crypt_store() {
	local name=$1 key table sectors

	need_module dm_crypt && store_make "$name-raw" "$2" || return
	key=$(od -An -tx1 -v -N64 /dev/urandom | tr -d ' \n')
	sectors=$(blockdev --getsz "/dev/$name-raw")
	table="0 $sectors crypt aes-xts-plain64 $key 0 /dev/$name-raw 0"
	mapper_make "$name" <<<"$table" && mapper_make "$name-back" <<<"$table" || return
	STORE=/dev/mapper/$name BACK=/dev/mapper/$name-back
}

# raid_make NAME MIB - two legs that hold the data from their beginning on, and /dev/md/NAME
raid_make() {
	need_module raid1 && store_make "$1-0" "$2" && store_make "$1-1" "$2" || return
	mdadm --quiet --create /dev/md0 --run --assume-clean --level=1 --metadata=1.0 \
		--bitmap=none --raid-devices=2 "/dev/$1-0" "/dev/$1-1"
}

raid_store() {
	raid_make "$1" "$2" || return
	STORE=/dev/md0 BACK=/dev/$1-1
}

# raid_check - how many sectors md finds to differ between the legs
raid_check() {
	local dir=/sys/block/md0/md

	# Else other I/O, of whatever is still being written back, slows it down to 1 MB/s.
	echo 1000000 >"$dir/sync_speed_min"
	echo check >"$dir/sync_action"
	await 300 grep -q idle "$dir/sync_action" || fail "md does not end its check" >&2 || return
	cat "$dir/mismatch_cnt"
}

# raid_same NAME - the legs are, to md and to anybody else
raid_same() {
	local mismatches bytes

	mismatches=$(raid_check) || return
	[ "$mismatches" = 0 ] || fail "md finds $mismatches sectors that differ" || return
	bytes=$(blockdev --getsize64 /dev/md0)
	cmp -n "$bytes" "/dev/$1-0" "/dev/$1-1"
}

raid_stop() {
	mdadm --quiet --stop /dev/md0
}

thin_make() {
	local name=$1 data

	need_module dm_thin_pool && store_make "$name-meta" 8 &&
		store_make "$name-data" "$2" discard=1 || return
	data=$(blockdev --getsz "/dev/$name-data")
	mapper_make "$name-pool" \
		<<<"0 $data thin-pool /dev/$name-meta /dev/$name-data 128 0" &&
		dmsetup message "$name-pool" 0 "create_thin 0" || return
	mapper_make "$name" <<<"0 $data thin /dev/mapper/$name-pool 0"
}

thin_store() {
	thin_make "$1" "$2" || return
	STORE=/dev/mapper/$1 BACK=$STORE
}

# thin_used NAME - blocks of 64 KiB that the pool has given out
thin_used() {
	dmsetup status "$1-pool" | awk '{ sub("/.*", "", $6); print $6 }'
}

# nvmet_make NAME DEVICE - exports it at a port of this machine
nvmet_make() {
	local subsystem=$NVMET/subsystems/$1 port=$NVMET/ports/1

	need_module nvmet_tcp && ip link set lo up && mkdir "$subsystem" || return
	echo 1 >"$subsystem/attr_allow_any_host"
	mkdir "$subsystem/namespaces/1" || return
	echo "$2" >"$subsystem/namespaces/1/device_path"
	echo 1 >"$subsystem/namespaces/1/enable"
	mkdir "$port" || return
	echo tcp >"$port/addr_trtype"
	echo ipv4 >"$port/addr_adrfam"
	echo 127.0.0.1 >"$port/addr_traddr"
	echo "$NVME_PORT" >"$port/addr_trsvcid"
	ln -s "$subsystem" "$port/subsystems/$1"
}

# nvme_node NAME - the block device that a host made of the subsystem
nvme_node() {
	local file name

	file=$(grep -lsx "$1" /sys/class/nvme-subsystem/*/subsysnqn) || return
	for name in "${file%/*}"/nvme*n*; do
		name=/dev/${name##*/}
		[ -b "$name" ] && echo "$name" && return
	done
	return 1
}

# With digests of headers and of data. What waits for long is a failure, not a reconnect.
nvme_connect() {
	need_module nvme_tcp || return
	echo "transport=tcp,traddr=127.0.0.1,trsvcid=$NVME_PORT,nqn=$1,hdr_digest,data_digest,reconnect_delay=1,nr_io_queues=2" \
		>/dev/nvme-fabrics || return
	await 60 nvme_node "$1" >/dev/null || fail "the namespace does not appear"
}

nvme_store() {
	store_make "$1-back" "$2" && nvmet_make "$1" "/dev/$1-back" && nvme_connect "$1" || return
	STORE=$(nvme_node "$1") BACK=/dev/$1-back
}

nvme_clean_up() {
	local dir

	for dir in /sys/class/nvme/*/; do
		[ ! -e "$dir/delete_controller" ] || echo 1 >"$dir/delete_controller" || true
	done
	for dir in "$NVMET"/ports/*/; do
		[ -d "$dir" ] || continue
		rm -f "$dir"/subsystems/*
		rmdir "$dir" || true
	done
	for dir in "$NVMET"/subsystems/*/namespaces/*/; do
		[ -d "$dir" ] || continue
		echo 0 >"$dir/enable" || true
		rmdir "$dir" "${dir%/namespaces/*}" || true
	done
}
