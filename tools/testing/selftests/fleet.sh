# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Parts of run.sh: stores of every kind below a disk, and guests that change data while it is written.
# shellcheck disable=SC2034 # run.sh uses them
STORE='' BACK='' ONLY=()

# on_store KIND COMMAND... - with STORE and BACK
on_store() {
	local kind=$1

	shift
	"${kind}_store" fleet "$SIZE_MIB" || return
	"$@"
}

part_store_loop() { on_store loop all_vdpa va; }
part_store_nvme() { on_store nvme all_vdpa va; }
part_store_crypt() { on_store crypt all_vdpa va; }
part_store_raid() { on_store raid all_vdpa va && raid_same fleet; }
part_store_thin() { on_store thin all_vdpa va; }
part_node_store_loop() { on_store loop all_node; }
part_node_store_nvme() { on_store nvme all_node; }
part_node_store_crypt() { on_store crypt all_node; }
part_node_store_raid() { on_store raid all_node && raid_same fleet; }
part_node_store_thin() { on_store thin all_node; }

race_vdpa() {
	ONLY=(--only racing_data)
	store_vdpa va blk_scribble -- queues=2
}

race_node() {
	ONLY=(--only racing_data)
	store_node blk_scribble
}

# no_reconnect COMMAND... - the connection to the target stays as it is
no_reconnect() {
	local mark lines

	mark=$(log_mark)
	"$@" || return
	lines=$(log_since "$mark" | grep -iE 'digest error|reconnect|I/O error|timeout') || return 0
	fail "the kernel says: $lines"
}

race_nvme() {
	nvme_store fleet "$SIZE_MIB" && no_reconnect "$1"
}

# What md says itself is that the legs are not to be written from what changes.
race_raid() {
	raid_store fleet "$SIZE_MIB" && "$1" && raid_same fleet
}

# A file system on the mirror, and a file on that.
race_raid_file() {
	raid_make fleet 160 && mkfs.ext4 -q /dev/md0 && mkdir /tmp/fleet &&
		mount /dev/md0 /tmp/fleet || return
	STORE=/tmp/fleet/file BACK=$STORE
	truncate -s "${SIZE_MIB}M" "$STORE"
	"$1" && umount /tmp/fleet && rmdir /tmp/fleet && raid_same fleet
}

race_crypt() {
	crypt_store fleet "$SIZE_MIB" && "$1"
}

# dm-integrity doesn't say either that it needs data to stay, so the operator does.
race_checked() {
	local dm

	store_make fleet "$SIZE_MIB" && checked_make checked fleet || return
	dm=$(dmsetup info -c --noheadings -o blkdevname checked) || return
	echo 1 >"/sys/block/$dm/queue/stable_writes" || return
	STORE=/dev/mapper/checked BACK=$STORE
	"$1"
}

part_race_nvme() { race_nvme race_vdpa; }
part_race_raid() { race_raid race_vdpa; }
part_race_raid_file() { race_raid_file race_vdpa; }
part_race_crypt() { race_crypt race_vdpa; }
part_node_race_nvme() { race_nvme race_node; }
part_node_race_raid() { race_raid race_node; }
part_node_race_raid_file() { race_raid_file race_node; }
part_node_race_crypt() { race_crypt race_node; }
part_node_race_checked() { race_checked race_node; }

# Without a backend between them the stores do notice, so that the parts above mean something.
raid_differs() {
	"$HERE/race_direct" "$STORE" 200 || return
	[ "$(raid_check)" != 0 ]
}

part_race_control_raid() {
	raid_store fleet "$SIZE_MIB" || return
	await 120 raid_differs || fail "md finds no difference" || return
	note "md finds $(raid_check) sectors that differ"
	! cmp -s -n 1048576 /dev/fleet-0 /dev/fleet-1 || fail "the legs are the same"
}

part_race_control_nvme() {
	local mark pid rc=0

	nvme_store fleet "$SIZE_MIB" || return
	mark=$(log_mark)
	"$HERE/race_direct" "$STORE" 100000 >/dev/null &
	pid=$!
	await 120 log_says "$mark" "digest error" >/dev/null || rc=1
	kill -KILL "$pid" || true
	wait "$pid" 2>/dev/null || true
	[ "$rc" = 0 ] || fail "no digest was found to be wrong"
}
