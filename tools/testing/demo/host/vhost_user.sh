# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What QEMU does with vhost-user beside I/O: it migrates, plugs memory, locks images. bridge.sh comes
# first.

# migrate FROM TO - with daemons of its own, while it does I/O
migrate() {
	local from=$VMM_PID incoming=$VMM_RUN/$2.migrate

	bridge_start "boot-$2" "$GUEST"
	bridge_start "data-$2" "$SCRATCH"
	vm_on "$2" "boot-$2" "data-$2" -incoming "unix:$incoming"
	await 60 test -S "$incoming"
	vmm_migrate "$1" "$incoming"
	wait "$from"
	bridge_end "boot-$1"
	bridge_end "data-$1"
}

# For ten minutes what fio has done on the second disk, has in flight there and ran counts as a word: each
# of its pages is a fault that an emulated host emulates, and a VM that is slow is not one that hangs.
telling_script() {
	cat <<-'END'
		for _ in $(seq 120); do
			sleep 5
			at=$(awk '{ print $1, $5, $9 }' /sys/block/vdb/stat)
			ran=$(cat /proc/[0-9]*/stat | awk '$2 == "(fio)" { sum += $14 + $15 } END { print sum }')
			[ "$at $ran" = "${told:-}" ] || echo "PVIO-GUEST-AT $at, fio ran $ran"
			told="$at $ran"
		done &
	END
}

# Verified reads into memory that no CPU writes for the time of several migrations: what the log doesn't
# have is missing on the other side. (A page cache, or a program that starts again and again, finds
# nothing: its pages are cleared before the disk writes there, and that KVM knows.) And rounds of
# reads and writes.
migrated_script() {
	telling_script
	cat <<-'END'
		telling=$!
		FIO="fio --filename=/dev/vdb --ioengine=libaio --direct=1 --verify=crc32c
			--verify_fatal=1 --randrepeat=0 --eta=never --output=/run/report"
		rounds() {
			n=0
			while [ ! -e /run/enough ]; do
				$FIO --name=mixed --iodepth=16 --rw=randrw --bsrange=4k-64k \
					--offset=256M --size=8M || break
				n=$((n + 1))
			done
			[ ! -e /run/enough ] || echo "PVIO-GUEST-MIXED $n"
		}
		$FIO --name=reads --iodepth=32 --rw=write --bs=4k --size=8M --do_verify=0
		rounds &
		$FIO --name=reads --iodepth=32 --rw=randread --bs=4k --size=8M --loops=24 \
			--output=/run/reads
		rc=$?
		[ $rc = 0 ] || cat /run/reads
		echo >/run/enough
		kill $telling
		wait
		echo "PVIO-GUEST-FIO rc=$rc"
	END
}

# Both sides of a migration: what it says may be on either.
migrated_said() {
	cat "$VMM_RUN"/m[0-9]*/serial | tr -d '\r' | sed -n "s/^PVIO-GUEST-$1 *//p"
}

# bridge_migrated TIMES - a VM that reads, writes and verifies, MIGRATED times, TIMES at most
bridge_migrated() {
	local n=0

	rm -rf "$VMM_RUN"/m[0-9]*
	migrated_script >/run/migrated
	bridge_start boot-m0 "$GUEST"
	bridge_start data-m0 "$SCRATCH"
	vm_on m0 boot-m0 data-m0 -fw_cfg name=opt/pvio/script,file=/run/migrated
	vmm_until m0 '^PVIO-GUEST-BOOTED'
	until vmm_gone || [ -n "$(migrated_said FIO)" ] || [ $n = "$1" ]; do
		migrate m$n m$((n + 1))
		n=$((n + 1))
	done
	vmm_end m$n || { bridge_words boot-m$n data-m$n; return 1; }
	bridge_end boot-m$n
	bridge_end data-m$n
	same "$(migrated_said FIO)" rc=0 "what became of fio" || { vmm_words m$n; return 1; }
	ROUNDS=$(migrated_said MIXED)
	[ "${ROUNDS:-0}" -gt 0 ] || { vmm_words m$n; fail "fio has not verified"; return; }
	MIGRATED=$n
}

bridge_migrations() {
	bridge_migrated 3
	[ "$MIGRATED" = 3 ] || fail "it has migrated $MIGRATED times only"
	figures "$MIGRATED migrations, 24 loops and $ROUNDS rounds of fio verified"
}

# Its fio has 288 MiB in flight: more than the VM has before it is given more.
plugged_script() {
	telling_script
	cat <<-'END'
		total() {
			awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo
		}
		echo "PVIO-GUEST-BEFORE $(total)"
		until [ "$(total)" -ge 400 ]; do
			for state in /sys/devices/system/memory/memory*/state; do
				[ "$(cat $state)" = online ] || echo online >$state
			done
			sleep 0.2
		done
		rc=0
		# More than there was before, and so in what was plugged in.
		fio --name=plugged --filename=/dev/vdb --ioengine=libaio --direct=1 --rw=write \
			--bs=32M --size=320M --iodepth=5 --verify=crc32c --eta=never >/run/report || {
			rc=$?
			cat /run/report
		}
		echo "PVIO-GUEST-PLUGGED rc=$rc mib=$(total) queues=$(ls /sys/block/vdb/mq | wc -l)"
	END
}

# A VM of four CPUs, for four queues, is given memory when its rings run, and uses it.
bridge_hotplug() {
	local said before

	bridge_start boot "$GUEST"
	bridge_start data "$SCRATCH"
	plugged_script >/run/plugged
	# shellcheck disable=SC2034 # of vm_on
	VA_MEMORY=(-object "memory-backend-memfd,id=mem,size=256M,share=on" -machine memory-backend=mem
		-m "256,slots=2,maxmem=1G")
	# As many queues as there can be CPUs; of these two are there, which an emulated host bears.
	vm_on plugged boot data -smp 2,maxcpus=4 -fw_cfg name=opt/pvio/script,file=/run/plugged
	vmm_until plugged '^PVIO-GUEST-BEFORE'
	before=$(vmm_said plugged BEFORE)
	[ "$before" -lt 256 ]
	qmp plugged object-add '{"qom-type": "memory-backend-memfd", "id": "more", "size": 268435456,
		"share": true}'
	qmp plugged device_add '{"driver": "pc-dimm", "id": "dimm", "memdev": "more"}'
	vmm_end plugged || { bridge_words boot data; return 1; }
	bridge_end boot
	bridge_end data
	said=$(vmm_said plugged PLUGGED)
	[ "$(word rc "$said")" = 0 ] || { vmm_words plugged; fail "fio: $said"; return; }
	same "$(word queues "$said")" 4 queues
	figures "$before MiB, then $(word mib "$said"), 4 queues, 320 MiB verified"
}

# A VM that never runs, with an image of its own by QEMU's hands.
locker_start() {
	# shellcheck disable=SC2046 # words
	vmm_start locker -S $(with_qmp locker) -drive "file=$1,format=raw,if=none,id=d" \
		-device virtio-blk-pci,drive=d
	await 60 vmm_gone_or_up locker
}

# locks_hold STORE - who comes second is refused, and is not when the first one is gone
locks_hold() {
	bridge_start data "$1" no
	locker_start "$1"
	vmm_gone || fail "QEMU has taken $1, which pvio-bridge has" || return
	grep -q 'Failed to get "write" lock' "$VMM_RUN/locker/log"
	bridge_end data
	locker_start "$1"
	! bridge_start data "$1" no || fail "pvio-bridge has taken $1, which QEMU has" || return
	grep -q "can't be opened for this VM alone" "$BRIDGE_RUN/data.log"
	vmm_kill
	bridge_start data "$1" no
	bridge_end data
}

bridge_locks() {
	locks_hold "$SCRATCH"
	truncate -s 64M /tmp/image
	locks_hold /tmp/image
	rm /tmp/image
	figures "QEMU and pvio-bridge keep each other off, on a block device and a file"
}
