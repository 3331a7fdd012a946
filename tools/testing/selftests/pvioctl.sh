#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs inside a virtual host, the modules loaded: the command pvioctl. What it says is compared with
# what the kernel says elsewhere.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=/dev/null
. "${PAYLOAD:-/payload}/ktap.sh"
. "$HERE/lib.sh"
. "$HERE/pvioctl_lib.sh"

NODE=/dev/vhost-blk

# wrong WORD... -- ARG... - refused, with these words, and nothing is left
wrong() {
	said_with 1 "$@" || return
	[ -z "$(ls -A "$DISKS")" ] || fail "a disk is left: $(ls "$DISKS")" || return
	no_device disk0
}

# add ARG... - a disk whose node nobody wants to know
add() {
	p blk add "$@" >/dev/null
}

usage() {
	local command

	p --version | grep -E '^pvioctl [0-9]+\.[0-9]+\.[0-9]+$' >/dev/null
	p --help | grep 'blk resize' >/dev/null
	p blk --help | grep 'blk resize' >/dev/null
	for command in list stats "blk add" "blk del" "blk list" "blk resize" doctor; do
		# shellcheck disable=SC2086 # two words
		p $command --help | grep -F "usage: pvioctl $command" >/dev/null
	done
	p blk add --help | grep -F -- "--queue-size" >/dev/null
	said_with 2 usage --
	said_with 2 usage "blk del" -- blk
	said_with 2 "frob: no such" -- frob
	said_with 2 "blk frob: no such" -- blk frob
	said_with 2 "list: x: that is too much" -- list x
	said_with 2 "stats: y: that is too much" -- stats x y
	said_with 2 "stats: --foo: no such option" -- stats --foo
	said_with 2 "blk del: --foo: no such option" -- blk del disk0 --foo
	said_with 2 "doctor: x" -- doctor x
	said_with 2 "blk add: the disk's name is missing" -- blk add
	said_with 2 "blk add: the disk's name is missing" -- blk add --path /dev/null
	said_with 2 "blk add: --path is missing" -- blk add disk0
	said_with 2 "blk add: --path: a value is missing" -- blk add disk0 --path
	said_with 2 "blk add: --frob: no such option" -- blk add disk0 --frob 1
	said_with 2 "blk add: frob: options begin" -- blk add disk0 frob
	said_with 2 "blk add: --queues: it was given already" -- blk add disk0 --queues 1 --queues=2
	said_with 2 "blk add: --serial: it can't have more" -- blk add disk0 --serial $'a\nb'
	said_with 2 "blk del: the disk's name is missing" -- blk del
	said_with 2 "blk resize: the disk's name is missing" -- blk resize
	said_with 2 "blk list: x" -- blk list x
	refused "doctor: the output can't be written" bash -c "'$PVIOCTL' doctor >/dev/full"
	refused "can't be written" bash -c "'$PVIOCTL' --help >/dev/full"
}

# field NAME FILTER - of the device NAME in pvioctl list
field() {
	p list --json | jq -r --arg name "$1" ".[] | select(.name == \$name) | $2"
}

lists_nodes() {
	local name

	same "$(p list --json | jq length)" 0 devices
	p list
	store_make ctlstore 8
	hold_start "$NODE" owner "break=/dev/ctlstore"
	name=$(p --json list | jq -r '.[0].name')
	same "$(p list --json | jq length)" 1 devices
	same "$(field "$name" .pid)" "$HOLD_PID" pid
	same "$(field "$name" .uid)" 0 uid
	same "$(field "$name" .front)" node front
	same "$(field "$name" .queues)" 64 queues
	p list | grep -E "^$name +pvio_vhost_blk +node +va +64 +$HOLD_PID +0\$" >/dev/null
	same "$(p stats "$name" --json | jq length)" 64 queues
	said_with 1 "no such device" -- stats frob
	broken "$name"
	hold_end
	same "$(p list --json)" "$(printf '[]')" devices
}

# broken NAME - its queue 0, by now
broken() {
	await "$LIMIT" eval "p stats '$1' | grep -E '^$1 +0 +broken'" >/dev/null || fail "$(p stats "$1")"
	same "$(p stats "$1" --json | jq '.[0].broken')" 1 "broken queues"
	same "$(p stats "$1" --json | jq -r '.[1].state')" stopped "the next queue"
	said_with 1 "queue 0 of $1 is broken: " "reset the VM" -- doctor
}

# Another user sees nothing of root's, and root sees everything.
unprivileged() {
	local name

	install -m 0755 "$PVIOCTL" /tmp/pvioctl
	hold_start "$NODE" owner
	same "$(as_nobody /tmp/pvioctl list --json | jq length)" 0 "what nobody sees"
	same "$(as_nobody /tmp/pvioctl stats --json | jq length)" 0 "what nobody sees"
	same "$(p list --json | jq length)" 1 "what root sees"
	hold_end
	hold_start "$NODE" uid=65534 owner
	name=$(p list --json | jq -r '.[0].name')
	same "$(field "$name" .uid)" 65534 uid
	same "$(as_nobody /tmp/pvioctl list --json | jq -r '.[].name')" "$name" "what nobody sees"
	same "$(as_nobody /tmp/pvioctl stats "$name" --json | jq length)" 64 "what nobody sees"
	hold_end
	refused "first network namespace" unshare -n "$PVIOCTL" list
	if has_vdpa; then
		refused "root" as_nobody /tmp/pvioctl blk add disk0 --path /dev/null
		[ -z "$(ls -A "$DISKS")" ]
	fi
	rm /tmp/pvioctl
}

# vDPA is there for the first network namespace, and what can't be asked isn't taken for missing.
other_network() {
	local command

	store_make ctlstore 16
	refused "the first network namespace alone" \
		unshare -n "$PVIOCTL" blk add disk0 --path /dev/ctlstore
	[ -z "$(ls -A "$DISKS")" ] || fail "a disk is left: $(ls "$DISKS")"
	add disk0 --path /dev/ctlstore
	for command in del resize; do
		refused "blk $command: disk0: vDPA can't be asked for it: No such file or directory" \
			unshare -n "$PVIOCTL" blk "$command" disk0
	done
	device_exists disk0
	p blk del disk0
}

# A vDPA device of the same name that is another module's is nobody's disk.
another_module() {
	need_module vdpa_sim_blk || return
	vdpa dev add name disk0 mgmtdev vdpasim_blk
	said_with 1 "disk0: there is no such disk" -- blk del disk0
	disk_make disk0
	said_with 1 "disk0: it has no device yet" -- blk resize disk0
	p blk del disk0
	device_exists disk0
	device_del disk0
	rmmod vdpa_sim_blk
}

without_vdpa() {
	said_with 1 "/dev/vhost-blk" "no vDPA" -- blk add disk0 --path /dev/null
	said_with 1 "/dev/vhost-blk" -- blk del disk0
	said_with 1 "/dev/vhost-blk" -- blk list
	said_with 1 "/dev/vhost-blk" -- blk resize disk0
}

says_not_loaded() {
	in_place "mount -t tmpfs none /sys/module; mount -t tmpfs none /sys/kernel
		! '$PVIOCTL' blk add disk0 --path /dev/null 2>/tmp/said"
	grep -qF "modprobe pvio_vhost_blk" /tmp/said
}

says_not_mounted() {
	in_place "umount /sys/kernel/config
		! '$PVIOCTL' blk add disk0 --path /dev/null 2>/tmp/said"
	grep -qF "mount -t configfs none /sys/kernel/config" /tmp/said
}

# disk FILTER - of disk0 in pvioctl blk list
disk() {
	p blk list --json | jq -r ".[] | select(.name == \"disk0\") | $1"
}

adds() {
	local node

	store_make ctlstore 16
	node=$(p blk add disk0 --path /dev/ctlstore)
	same "$node" "$(device_node disk0)" node
	[ -c "$node" ] || fail "$node is not there"
	same "$(disk .node)" "$node" node
	same "$(disk .path)" /dev/ctlstore path
	same "$(disk .used_by)" "" user
	same "$(disk '.pids | length')" 0 users
	same "$(field disk0 .front)" vdpa front
	same "$(p blk list --json | jq length)" 1 disks
	p blk list | grep -E "^disk0 +$node +- +/dev/ctlstore " >/dev/null
	wrong_name "there is such a disk already; pvioctl blk list" disk0
	p blk del disk0
	[ ! -e "$node" ]
	same "$(p blk list --json | jq -c .)" "[]" disks
	said_with 1 "disk0: there is no such disk" -- blk del disk0
	said_with 1 "disk0: there is no such disk" -- blk resize disk0
}

wrong_name() {
	said_with 1 "$1" -- blk add "$2" --path /dev/ctlstore
}

# Every option is an attribute, and reaches it.
adds_options() {
	local pair

	store_make ctlstore 16
	add disk0 --path=/dev/ctlstore --queues 3 --queue-size 128 --block-size 4096 \
		--readonly --serial "a b" --memory pa --discard none --lifetime "1 2 11" \
		--device-features 0x300000020
	for pair in path=/dev/ctlstore queues=3 queue_size=128 block_size=4096 readonly=1 \
		"serial=a b" memory=pa discard=none "lifetime=1 2 11" loop=0; do
		same "$(cat "$DISKS/disk0/${pair%%=*}")" "${pair#*=}" "${pair%%=*}"
		same "$(disk ".${pair%%=*}")" "${pair#*=}" "${pair%%=*} in the list"
	done
	same "$(vdpa -j dev show disk0 | jq '.dev.disk0.max_vqs')" 3 queues
	same "$(field disk0 .memory)" pa memory
	p blk del disk0
	p --json blk add disk0 --path /dev/ctlstore --readonly=0 | jq -e \
		'.[0].name == "disk0" and (.[0].node | startswith("/dev/vhost-vdpa-"))' >/dev/null
	same "$(cat "$DISKS/disk0/readonly")" 0 readonly
	p blk del disk0
	# All that there is, is an option.
	disk_make disk0
	for pair in "$DISKS"/disk0/*; do
		pair=${pair##*/}
		[ "$pair" != resize ] || continue
		p blk add --help | grep -E -- "^  --${pair//_/-}( |\$)" >/dev/null ||
			fail "there is no option for $pair"
	done
	disk_remove disk0
}

# wears WANTED LIFE_TIME PRE_EOL_INFO [ARG]... - what becomes of disk0's lifetime where sysfs tells
# this of the disk to which /dev/ctlstore belongs; DEVICE is where
wears() {
	local want=$1 dev

	dev=$(cat /sys/block/ctlstore/dev)
	in_place "mount -t tmpfs none /sys/dev/block
		mkdir -p /sys/dev/block/disk/device /sys/dev/block/disk/part
		[ $DEVICE = disk ] || touch /sys/dev/block/disk/part/partition
		ln -s $DEVICE /sys/dev/block/$dev
		echo '$2' >/sys/dev/block/disk/device/life_time
		echo '$3' >/sys/dev/block/disk/device/pre_eol_info
		'$PVIOCTL' blk add disk0 --path /dev/ctlstore ${*:4} >/dev/null" || return
	same "$(cat "$DISKS/disk0/lifetime")" "$want" "lifetime after $2, $3 ${*:4}"
	p blk del disk0
}

# What a card says of itself is taken where nothing else is said.
lifetimes() {
	local DEVICE

	store_make ctlstore 16
	add disk0 --path /dev/ctlstore
	same "$(disk .lifetime)" "" lifetime
	p blk del disk0
	for DEVICE in disk disk/part; do
		wears "1 3 11" "0x03 0x0b" 0x01
		wears "0 1 0" "0x01 0x00" 0x00
		wears "2 1 1" "0x03 0x04" 0x01 --lifetime "'2 1 1'"
		wears "" "0x03 0x04" 0x01 --lifetime "''"
		wears "" "0x00 0x00" 0x00
		wears "" "0x0c 0x01" 0x01
		wears "" "0x01 0x01" 0x04
		wears "" "" 0x01
	done
}

# A mistake in each argument, and the message that names it.
mistakes() {
	local option

	store_make ctlstore 16
	for option in "--queues 0" "--queues 70000" "--queues -1" "--queues many" \
		"--queue-size 8" "--queue-size 2048" "--queue-size 100" "--block-size 100" \
		"--block-size 65536" "--block-size 256" "--memory both" "--discard all" \
		"--serial 123456789012345678901"; do
		# shellcheck disable=SC2086 # an option and its value
		wrong "blk add: $option: " "; allowed: " -- blk add disk0 --path /dev/ctlstore $option
	done
	wrong "blk add: --queues : Invalid argument; allowed: 1 to 64" -- \
		blk add disk0 --path /dev/ctlstore --queues ""
	for option in "4 0 0" "0 12 0" "1 1" new; do
		wrong "blk add: --lifetime $option: Invalid argument; allowed: three numbers" -- \
			blk add disk0 --path /dev/ctlstore --lifetime "$option"
	done
	wrong "blk add: --readonly 2: " "allowed: 0 or 1" -- \
		blk add disk0 --path /dev/ctlstore --readonly=2
	wrong "blk add: --loop 2: " "allowed: 0 or 1" -- \
		blk add disk0 --path /dev/ctlstore --loop=2
	for option in 0x8000000000000000 0x100000000 0; do
		wrong "blk add: --device-features $option: " VERSION_1 -- \
			blk add disk0 --path /dev/ctlstore --device-features "$option"
	done
	for option in many -1 99999999999999999999 ""; do
		said_with 2 "blk add: --device-features $option: not a number" -- \
			blk add disk0 --path /dev/ctlstore --device-features "$option"
	done
	add disk0 --path /dev/ctlstore
	p blk del disk0
}

mistaken_names() {
	local name

	store_make ctlstore 16
	for name in "" . .. a/b $'a\nb'; do
		wrong "a disk can't have such a name" -- blk add "$name" --path /dev/ctlstore
		wrong "a disk can't have such a name" -- blk del "$name"
		wrong "a disk can't have such a name" -- blk resize "$name"
	done
	wrong "the disk can't be made: File name too long" -- \
		blk add "$(printf 'n%.0s' {1..300})" --path /dev/ctlstore
	for name in 'a*b' '[x]' "with blank" .hidden; do
		add "$name" --path /dev/ctlstore
		same "$(p blk list --json | jq -r '.[].name')" "$name" name
		p blk del "$name"
		[ -z "$(ls -A "$DISKS")" ]
	done
}

mistaken_paths() {
	local dir

	dir=$(mktemp -d)
	store_make ctlstore 16
	wrong "blk add: --path /dev/nope: No such file or directory" -- \
		blk add disk0 --path /dev/nope
	wrong "blk add: --path $dir: " "a block device or a file" -- blk add disk0 --path "$dir"
	wrong "blk add: --path /dev/null: " "a block device or a file" -- \
		blk add disk0 --path /dev/null
	wrong "--path '': it may not be empty" -- blk add disk0 --path ""
	wrong "--path ' /dev/ctlstore': " -- blk add disk0 --path " /dev/ctlstore"
	wrong "--path '/dev/ctlstore ': " -- blk add disk0 --path "/dev/ctlstore "
	wrong "--path /" "File name too long" -- blk add disk0 --path "/$(printf 'x/%.0s' {1..2100})"
	touch "$dir/small"
	wrong "blk add: --path $dir/small: " "smaller than a block" -- \
		blk add disk0 --path "$dir/small"
	mkfs.ext4 -q /dev/ctlstore
	mount /dev/ctlstore "$dir"
	wrong "blk add: --path /dev/ctlstore: " "mounted" -- blk add disk0 --path /dev/ctlstore
	umount "$dir"
	blockdev --setro /dev/ctlstore
	wrong "blk add: --path /dev/ctlstore: " "--readonly" -- blk add disk0 --path /dev/ctlstore
	add disk0 --path /dev/ctlstore --readonly
	p blk del disk0
	rm -r "$dir"
}

# What only the last step finds out.
late_mistakes() {
	store_make ctlstore 16 blocksize=4096
	wrong "blk add: --block-size 512: " "allowed" -- \
		blk add disk0 --path /dev/ctlstore --block-size 512
	refused "it takes CAP_NET_ADMIN" setpriv --bounding-set=-net_admin \
		"$PVIOCTL" blk add disk0 --path /dev/ctlstore
	[ -z "$(ls -A "$DISKS")" ]
	add disk0 --path /dev/ctlstore
	refused "it takes CAP_NET_ADMIN" setpriv --bounding-set=-net_admin "$PVIOCTL" blk del disk0
	device_exists disk0
	p blk del disk0
	in_place "mount -t tmpfs none /sys/bus/vdpa/drivers
		! '$PVIOCTL' blk add disk0 --path /dev/ctlstore 2>/tmp/said"
	grep -qF "modprobe vhost_vdpa" /tmp/said
	# Where there is no node, nothing is to stay.
	in_place "mount -t tmpfs none /dev
		! '$PVIOCTL' blk add disk0 --path /proc/1/root/dev/ctlstore 2>/tmp/said"
	grep -qF "there is no node" /tmp/said || fail "$(cat /tmp/said)"
	[ -z "$(ls -A "$DISKS")" ]
	no_device disk0
}

relative_path() {
	local dir

	dir=$(mktemp -d)
	truncate -s 1M "$dir/file"
	(cd "$dir" && add disk0 --path file)
	same "$(disk .path)" "$dir/file" path
	p blk del disk0
	rm -r "$dir"
}

# A device in use would keep "blk del", and all of vDPA, waiting.
del_in_use() {
	local node

	store_make ctlstore 16
	node=$(p blk add disk0 --path /dev/ctlstore)
	hold_start "$node"
	said_with 1 "in use by process $HOLD_PID (hold)" -- blk del disk0
	same "$(disk '.pids[0]')" "$HOLD_PID" user
	same "$(disk .used_by)" "$HOLD_PID (hold)" user
	# Whoever can't look into the process finds out all the same.
	refused "in use" setpriv --bounding-set=-sys_ptrace "$PVIOCTL" blk del disk0
	device_exists disk0
	hold_end
	p blk del disk0
}

del_loop_in_use() {
	local dev dir

	dir=$(mktemp -d)
	store_make ctlstore 16
	dev=$(p blk add disk0 --path /dev/ctlstore --loop)
	mkfs.ext4 -q "$dev"
	mount "$dev" "$dir"
	said_with 1 "$dev is in use" -- blk del disk0
	umount "$dir"
	rmdir "$dir"
	p blk del disk0
	[ ! -e "$dev" ]
}

del_half() {
	disk_make disk0
	p blk del disk0
	[ ! -e "$DISKS/disk0" ]
}

resizes() {
	local file=/dev/shm/ctlfile dev

	truncate -s 16M "$file"
	disk_make disk0 "path=$file"
	said_with 1 "no device yet" -- blk resize disk0
	disk_remove disk0
	dev=$(p blk add disk0 --path "$file" --loop)
	same "$(blockdev --getsize64 "$dev")" $((16 << 20)) size
	said_with 0 "the store has the size" -- blk resize disk0
	truncate -s 24M "$file"
	same "$(disk .resize)" 1 resize
	p blk resize disk0
	await "$LIMIT" eval "[ \$(blockdev --getsize64 $dev) = $((24 << 20)) ]"
	same "$(disk .resize)" 0 resize
	p blk del disk0
	rm "$file"
}

# counted COUNTER - of all queues of disk0
counted() {
	p stats disk0 --json | jq "map(.$1) | add"
}

# vendor COUNTER - the same, as vDPA tells it
vendor() {
	local i

	for i in 0 1; do
		vdpa -j dev vstats show disk0 qidx "$i"
	done | jq -s "[.. | objects | .$1? // empty] | add"
}

# as_vendor - where the kernel passes on counters of a disk, they are the same
as_vendor() {
	local name

	if ! vdpa dev vstats show disk0 qidx 0 >/tmp/said 2>&1; then
		grep -qF "Operation not supported" /tmp/said || fail "$(cat /tmp/said)" || return
		note "this kernel's vDPA has no counters of disks"
		return
	fi
	for name in chains completed bytes_in bytes_out batches calls errors unsupported; do
		same "$(vendor $name)" "$(counted $name)" "$name in vstats" || return
	done
}

# sectors WAY - read (3) or written (7) since the disk appeared, as its driver tells it
sectors() {
	awk -v n="$1" '{ print $n }' "/sys/block/${DEV##*/}/stat"
}

idle() {
	[ "$(counted completed)" = "$(counted chains)" ]
}

grew() {
	echo $(($(jq "map(.$1) | add" /tmp/after) - $(jq "map(.$1) | add" /tmp/before)))
}

# What was read and written is what is counted, by whoever counts.
counts_io() {
	local nr_read nr_written

	store_make ctlstore 64
	DEV=$(p blk add disk0 --path /dev/ctlstore --loop --queues 2 --discard none)
	await "$LIMIT" idle
	p stats disk0 --json >/tmp/before
	nr_read=$(sectors 3) nr_written=$(sectors 7)
	dd if=/dev/zero of="$DEV" bs=1M count=24 oflag=direct status=none
	dd if="$DEV" of=/dev/null bs=64k count=80 iflag=direct status=none
	await "$LIMIT" idle
	p stats disk0 --json >/tmp/after
	same "$(grew bytes_out)" $((24 << 20)) "bytes written"
	same "$(grew bytes_in)" $((80 << 16)) "bytes read"
	same $((($(sectors 7) - nr_written) * 512)) "$(grew bytes_out)" "what the driver wrote"
	same $((($(sectors 3) - nr_read) * 512)) "$(grew bytes_in)" "what the driver read"
	same "$(grew errors)" 0 errors
	same "$(counted completed)" "$(jq 'map(.latency | add) | add' /tmp/after)" latencies
	[ "$(counted kicks)" -gt 0 ]
	as_vendor
	same "$(p stats disk0 | grep -c '^disk0 ')" 2 lines
	p blk del disk0
}

TESTS="usage lists_nodes unprivileged says_not_loaded"
VDPA_TESTS="says_not_mounted adds adds_options lifetimes mistakes mistaken_names mistaken_paths
	late_mistakes relative_path del_in_use del_loop_in_use del_half resizes other_network
	another_module counts_io"
if has_vdpa; then
	TESTS="$TESTS $VDPA_TESTS"
else
	TESTS="$TESTS without_vdpa"
fi
[ $# = 0 ] || TESTS="$*"

ktap_plan "$(wc -w <<<"$TESTS")"
for name in $TESTS; do
	ktap_test "pvioctl_$name" "$name"
	clean_up
done
ktap_finish
