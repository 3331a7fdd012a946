# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# In the virtual host: VMs of stock QEMU on pvio disks. On top of the selftests'
# functions for modules, stores, disks and devices.

. /payload/selftests/lib.sh

VMM_RUN=/run/vmm
# Without a word from a VM for so long, it hangs: far more than it ever needs.
VMM_SILENCE=240
# shellcheck disable=SC2034 # the options for a disk in memory mode va
VA_MEMORY=(-object "memory-backend-memfd,id=mem,size=512M,share=on" -machine memory-backend=mem)
# What starts the VMM, such as a command that puts it in a namespace.
VMM_IN=()

# figures WORD... - what the demo's table shows of a step
figures() {
	echo "figures: $*"
}

# hold_kvm - keep a VM that never runs, so that the first and the last of the real
# ones do not patch the scheduler's code (its key for preempt notifiers): emulated
# CPUs have been seen to run the breakpoint of such a patch after its end.
hold_kvm() {
	python3 -c '
import fcntl, os, time
KVM_CREATE_VM = 0xAE01
fcntl.ioctl(os.open("/dev/kvm", os.O_RDWR), KVM_CREATE_VM, 0)
os.close(os.open("/run/kvm-held", os.O_WRONLY | os.O_CREAT))
time.sleep(1e6)' </dev/null >/dev/null 2>&1 &
	await 60 test -e /run/kvm-held
}

# Where the virtual host is emulated, nested paging would be emulated twice.
kvm_ready() {
	[ -e /dev/kvm ] || modprobe kvm_amd nested=0 2>/dev/null || modprobe kvm_intel
	[ -w /dev/kvm ] || return
	[ -e /run/kvm-held ] || hold_kvm
}

# serve NAME STORE [ATTRIBUTE=VALUE]... - make a disk and its device
serve() {
	disk_make "$1" "path=$2" "${@:3}" && device_add "$1" && [ -e "$(device_node "$1")" ]
}

unserve() {
	device_del "$1" && disk_remove "$1"
}

# with_disk NAME - the option that gives a VM the disk
with_disk() {
	echo "-device vhost-vdpa-device-pci,vhostdev=$(device_node "$1")"
}

# vmm_start NAME OPTION... - a VM, in the background, as VMM_PID
vmm_start() {
	local dir=$VMM_RUN/$1

	rm -rf "$dir"
	mkdir -p "$dir"
	: >"$dir/serial"
	kvm_ready || return
	# Memory is pinned where the disk's mode wants it.
	ulimit -l unlimited
	"${VMM_IN[@]}" qemu-system-x86_64 -name "$1" -accel kvm -cpu host -M q35 -m 512 -nodefaults \
		-display none -no-reboot -monitor none -serial "file:$dir/serial" \
		-chardev "file,id=bios,path=$dir/bios" -device isa-debugcon,iobase=0x402,chardev=bios \
		"${@:2}" </dev/null >"$dir/log" 2>&1 &
	VMM_PID=$!
}

# with_qmp NAME - the option that lets qmp ask the VM
with_qmp() {
	echo "-qmp unix:$VMM_RUN/$1/qmp,server=on,wait=off"
}

# qmp NAME COMMAND [ARGUMENTS] - ask a VM; prints what it returns
qmp() {
	python3 - "$VMM_RUN/$1/qmp" "$2" "${3:-{\}}" <<-'END'
		import json, socket, sys
		path, command, arguments = sys.argv[1:]
		s = socket.socket(socket.AF_UNIX)
		s.settimeout(120)
		s.connect(path)
		f = s.makefile("rw")
		f.readline()
		for question in ({"execute": "qmp_capabilities"},
				 {"execute": command, "arguments": json.loads(arguments)}):
		    f.write(json.dumps(question) + "\n")
		    f.flush()
		    while True:
		        answer = json.loads(f.readline())
		        if "event" not in answer:
		            break
		    if "error" in answer:
		        sys.exit(command + ": " + answer["error"]["desc"])
		print(json.dumps(answer["return"]))
	END
}

migrated() {
	local status

	status=$(qmp "$1" query-migrate | jq -r .status)
	[ "$status" != failed ] || fail "VM $1: the migration has failed" || exit 1
	[ "$status" = completed ]
}

# vmm_send NAME URI - all that the VM is, which stands still from then on
vmm_send() {
	# In an emulated machine the VM writes memory faster than it can be sent.
	qmp "$1" migrate-set-parameters '{"downtime-limit": 2000}' >/dev/null
	qmp "$1" migrate "{\"uri\": \"$2\"}" >/dev/null
	await 240 migrated "$1"
}

# vmm_migrate NAME SOCKET - to a VM that waits there; the VMM that it leaves ends
vmm_migrate() {
	vmm_send "$1" "unix:$2"
	note "VM $1 has migrated, milliseconds: $(qmp "$1" query-migrate | jq -c '[."total-time", .downtime]')"
	qmp "$1" quit >/dev/null
	rm -f "$2"
}

# vmm_runs NAME - its CPUs do
vmm_runs() {
	[ "$(qmp "$1" query-status | jq -r .status)" = running ]
}

# vmm_state NAME - of a VM that answers its QMP: what its CPUs are at, and then, by an NMI, what its kernel
# says of that on its serial port. The VM has ended after that.
vmm_state() {
	[ -S "$VMM_RUN/$1/qmp" ] && vmm_alive || return 0
	qmp "$1" query-status
	sed -E 's/^[0-9]+ \((.*)\) (.) ([^ ]+ ){10}([^ ]+) ([^ ]+) .*/\1: \2, ticks \4 + \5/' \
		/proc/"$VMM_PID"/task/*/stat
	for _ in 1 2 3; do
		qmp "$1" human-monitor-command '{"command-line": "info registers -a"}' | jq -r . |
			grep -E 'CPU#|RIP='
		sleep 1
	done
	qmp "$1" inject-nmi
	await 20 vmm_gone || true
}

# vmm_words NAME - what there is to know when something went wrong
vmm_words() {
	local file

	(vmm_state "$1") 2>&1 | tr -d '\r' | sed "s/^/# $1: /" || true
	for file in log bios serial; do
		[ ! -s "$VMM_RUN/$1/$file" ] || tail -n 40 "$VMM_RUN/$1/$file" | tr -d '\r' |
			sed "s/^/# $1 $file: /"
	done
}

vmm_alive() {
	kill -0 "$VMM_PID" 2>/dev/null
}

# vmm_hung NAME - no word for too long; says now and then how it goes
vmm_hung() {
	local size quiet

	size=$(stat -c %s "$VMM_RUN/$1/serial" "$VMM_RUN/$1/bios" 2>/dev/null | xargs)
	if [ "$size" != "$VMM_SIZE" ]; then
		VMM_SIZE=$size
		VMM_SINCE=$SECONDS
	fi
	quiet=$((SECONDS - VMM_SINCE))
	if [ $((SECONDS - VMM_TOLD)) -ge 30 ]; then
		VMM_TOLD=$SECONDS
		note "VM $1: quiet for $quiet s since: $(tail -n 1 "$VMM_RUN/$1/serial" | tr -d '\r\0')"
	fi
	[ $quiet -ge $VMM_SILENCE ]
}

# vmm_watch - from now on, for vmm_hung
vmm_watch() {
	VMM_SIZE='' VMM_SINCE=$SECONDS VMM_TOLD=$SECONDS
}

# vmm_until NAME PATTERN - wait until the VM's serial port has said so
vmm_until() {
	vmm_watch
	until grep -aqE -- "$2" "$VMM_RUN/$1/serial"; do
		if vmm_gone || vmm_hung "$1"; then
			grep -aqE -- "$2" "$VMM_RUN/$1/serial" && return
			vmm_words "$1"
			fail "VM $1 did not say $2"
			return
		fi
		sleep 0.2
	done
}

# vmm_end NAME - wait until the VM is gone; it has to say that it is done before
vmm_end() {
	vmm_until "$1" '^PVIO-GUEST-DONE' || { vmm_kill; return 1; }
	await 60 vmm_gone || { vmm_kill; fail "VM $1 did not power off"; }
}

vmm_gone() {
	! vmm_alive
}

# vmm_gone_or_up NAME - or it answers its QMP
vmm_gone_or_up() {
	vmm_gone || qmp "$1" query-status >/dev/null 2>&1
}

vmm_kill() {
	kill -KILL "$VMM_PID" 2>/dev/null || true
	wait "$VMM_PID" 2>/dev/null || true
}

# vmm_said NAME KEY - the last line PVIO-GUEST-KEY, without these words
vmm_said() {
	tr -d '\r' <"$VMM_RUN/$1/serial" | sed -n "s/^PVIO-GUEST-$2 *//p" | tail -n 1
}

# word KEY TEXT - the value of KEY=VALUE in it
word() {
	sed -nE "s/(^|.* )$1=([^ ]*).*/\2/p" <<<"$2"
}

# clean_up - after a failure: no VM, no daemon, no traffic, no network, no device, no disk, no mapping
clean_up() {
	local pid name

	for pid in $(pgrep -x 'qemu-system-x86|pvio-bridge|stream|dgram|iperf3|vsock_.*'); do
		kill -KILL "$pid"
	done
	# The numbers of those that were killed are there until somebody has waited for them.
	rm -f "$VMM_RUN"/*/pid
	for name in /run/netns/*; do
		[ ! -e "$name" ] || ip netns del "${name##*/}"
	done
	for name in "$DISKS"/*/; do
		[ -d "$name" ] || continue
		name=$(basename "$name")
		! device_exists "$name" || device_del "$name"
		disk_remove "$name"
	done
	for name in /dev/mapper/*; do
		[ ! -b "$name" ] || mapper_remove "$(basename "$name")"
	done
}

# store_io STORE - requests and MiB done on a block device, since ever:
# "<reads> <MiB read> <writes> <MiB written>"
store_io() {
	awk '{ printf "%d %d %d %d\n", $1, $3 / 2048, $5, $7 / 2048 }' \
		"/sys/class/block/$(basename "$(readlink -f "$1")")/stat"
}

# run_cases CASE... - for a script of make check, which has ktap.sh: each is a function
run_cases() {
	local name failed

	ktap_plan $#
	for name; do
		failed=$KTAP_FAILED
		ktap_test "$name" "$name"
		[ "$KTAP_FAILED" = "$failed" ] || (clean_up) 2>&1 | sed -u 's/^/# /'
	done
	ktap_finish
}
