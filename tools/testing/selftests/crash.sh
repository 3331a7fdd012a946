# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Parts of run.sh: what was said to be durable is there after a crash.
# shellcheck disable=SC2034 # the functions of fleet.sh use them
CRASH_MIB=32

# crash_store [COMMAND...] - CRASH_MIB with a log of what is written to them, and a device of the
# same content; the command is to prepare that first.
crash_store() {
	local sectors

	need_module dm_log_writes && store_make crashdata "$CRASH_MIB" &&
		store_make crashlog 512 && store_make crashonto "$CRASH_MIB" || return
	[ $# = 0 ] || "$@" || return
	dd if=/dev/crashdata of=/dev/crashonto bs=1M oflag=direct status=none || return
	sectors=$(blockdev --getsz /dev/crashdata)
	mapper_make crash <<<"0 $sectors log-writes /dev/crashdata /dev/crashlog"
	STORE=/dev/mapper/crash BACK=$STORE
}

# crash_replay [OPTION]...
crash_replay() {
	! mountpoint -q /tmp/crash || umount /tmp/crash || return
	! dmsetup status crash | grep disabled || fail "the log is not complete" || return
	mapper_remove crash || return
	"$HERE/log_replay" --log /dev/crashlog --record /tmp/crash.record --onto /dev/crashonto \
		--seed "$SEED" "$@"
}

# crash_step PROGRAM va|pa|node [OPTION_OF_LOG_REPLAY]... - for each()
crash_step() {
	local name=$1 by=$2

	shift 2
	case $name in
	log_replay) crash_replay "$@" ;;
	*)
		set -- "$name" --log crash --record /tmp/crash.record
		case $by in
		node) store_node "$@" ;;
		*) store_vdpa "$by" "$@" -- queues=4 ;;
		esac
		;;
	esac
}

crash_raw() {
	crash_store && ONLY=() && each "blk_crash log_replay" crash_step "$1"
}

part_crash_va() { crash_raw va; }
part_crash_pa() { crash_raw pa; }
part_node_crash() { crash_raw node; }

# A file that has no blocks yet, in a journalled file system.
crash_file_prepare() {
	mkfs.ext4 -q -J size=4 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 \
		/dev/crashdata && mkdir /tmp/crash && mount /dev/crashdata /tmp/crash || return
	truncate -s 4M /tmp/crash/file
	umount /tmp/crash
}

part_node_crash_file() {
	crash_store crash_file_prepare && mount -o commit=600 "$STORE" /tmp/crash || return
	STORE=/tmp/crash/file BACK=$STORE ONLY=()
	each "blk_crash log_replay" crash_step node --mount /tmp/crash --file /tmp/crash/file \
		--most $((ROUNDS * 16)) || return
	rmdir /tmp/crash
}
