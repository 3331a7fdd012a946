#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Boot a kernel on the virtual host's image and run a script there as root.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$VM_DIR/console.sh"

# Emulated, with SVM. Not every QEMU's emulation lets a host see its guest's
# xsetbv: the CPU has no xsave, nor what needs it.
CPU=EPYC,-xsave,-avx,-avx2,-fma,-f16c

usage() {
	cat >&2 <<-END
	usage: run.sh [OPTION]... --script SCRIPT --out DIR [-- ARG...]
	  --kernel NAME        6.1, 6.12, 7.2 (the default is 6.12), debug or kcsan
	  --image FILE         a kernel image of one's own instead, and
	  --modules-dir DIR    its modules: what INSTALL_MOD_PATH was
	  --packages NAMES     Debian packages that the virtual host has beside the usual ones
	  --payload PATH...    copied to /payload, as cp -a does it: PATH/. is what is in PATH
	  --disk FILE[=NAME]   a raw image as /dev/pvio/NAME; writes to it are lost
	  --smp N              virtual CPUs, 2; 1 for a host of VMs
	  --mem SIZE           memory, 4G; 2G with the debug kernel, which looks through it
	  --scratch SIZE       the empty disk /dev/pvio/scratch, 4G
	  --icount             emulate with instruction counting, one CPU
	  --append WORDS       more for the kernel's command line
	  --env NAME=VALUE     set in the script's environment
	  --allow REGEX        console lines that are no failure
	  --no-kmemleak        the debug kernel boots in half the time and finds no leak
	  --limit SECONDS      without any output so long, it hangs: 300
	The script finds \$PAYLOAD (/payload, where it starts), \$RESULTS, a directory
	whose content is copied to DIR, and \$PAYLOAD/ktap.sh. SCRIPT is a file here, or
	else a path in the payload. DIR gets console.log (the kernel) and output.log
	(the script) as well. The exit status is the script's; 125 if it did not come
	back, hung, or the console log shows a failure.
	END
	exit 2
}

NAME='' IMAGE='' MODULES='' SCRIPT='' OUT='' ICOUNT='' APPEND='' ALLOW='' PACKAGES=''
SMP=2 MEM='' SCRATCH=4G LIMIT=300
PAYLOAD=() DISKS=() ENVIRONMENT=() ARGS=()

parse() {
	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) NAME=$2; shift ;;
		--image) IMAGE=$2; shift ;;
		--modules-dir) MODULES=$2; shift ;;
		--packages) PACKAGES=$2; shift ;;
		--smp) SMP=$2; shift ;;
		--mem) MEM=$2; shift ;;
		--scratch) SCRATCH=$2; shift ;;
		--icount) ICOUNT=1 ;;
		--append) APPEND="$APPEND $2"; shift ;;
		--env) ENVIRONMENT+=("$2"); shift ;;
		--allow) ALLOW=${ALLOW:+$ALLOW|}$2; shift ;;
		--no-kmemleak) APPEND="$APPEND kmemleak=off" ;;
		--limit) LIMIT=$2; shift ;;
		--script) SCRIPT=$2; shift ;;
		--out) OUT=$2; shift ;;
		--disk) DISKS+=("$2"); shift ;;
		--payload)
			while [ $# -gt 1 ] && [[ $2 != --* ]]; do
				PAYLOAD+=("$2")
				shift
			done ;;
		--) shift; ARGS=("$@"); break ;;
		*) usage ;;
		esac
		shift
	done
	if [ -z "$SCRIPT" ] || [ -z "$OUT" ]; then
		usage
	fi
}

# The release of a bzImage stands where its header says.
image_release() {
	local offset

	offset=$(od -An -tu2 -j $((0x20e)) -N2 "$1" | tr -d ' ')
	dd if="$1" bs=1 skip=$((offset + 0x200)) count=128 status=none |
		tr '\0 ' '\n' | sed -n 1p
}

find_kernel() {
	local dir

	if [ -n "$IMAGE" ]; then
		[ -n "$MODULES" ] || die "--image needs --modules-dir"
	elif [ "${NAME:=6.12}" = debug ] || [ "$NAME" = kcsan ]; then
		dir=$("$VM_DIR/debug-kernel.sh" "$NAME")
		IMAGE=$dir/bzImage
		MODULES=$dir/modules
		MEM=${MEM:-2G}
	else
		MODULES=$("$VM_DIR/builder.sh")/opt/kernels/$("$VM_DIR/kver.sh" "$NAME")
		IMAGE=$MODULES/vmlinuz
	fi
	MEM=${MEM:-4G}
	RELEASE=$(image_release "$IMAGE")
	NAME=${NAME:-$RELEASE}
	[ -d "$MODULES/lib/modules/$RELEASE" ] || die "no $MODULES/lib/modules/$RELEASE"
	INITRAMFS=$("$VM_DIR/initramfs.sh" "$RELEASE" "$MODULES")
	MODULES=$("$VM_DIR/modules-disk.sh" "$RELEASE" "$MODULES")
}

# A directory of results of an earlier run must not be taken for this one's.
make_out() {
	mkdir -p "$OUT"
	OUT=$(realpath "$OUT")
	if [ -n "$(ls -A "$OUT")" ]; then
		[ -e "$OUT/console.log" ] || die "$OUT has files that are not of a run"
		find "$OUT" -mindepth 1 -delete
	fi
	: >"$OUT/console.log"
	: >"$OUT/output.log"
}

make_payload() {
	local stage=$WORK/stage path

	mkdir -p "$stage"
	cp "$VM_DIR/ktap.sh" "$stage/"
	for path in "${PAYLOAD[@]}"; do
		cp -a "$path" "$stage/"
	done
	if [ -f "$SCRIPT" ]; then
		cp "$SCRIPT" "$stage/.script"
		SCRIPT=.script
	else
		SCRIPT=${SCRIPT#/payload/}
		[ -f "$stage/$SCRIPT" ] || die "no script $SCRIPT here or in the payload"
	fi
	chmod +x "$stage/$SCRIPT"
	{
		printf 'export %q\n' "PVIO_KERNEL=$NAME" "${ENVIRONMENT[@]}"
		printf 'set --'
		printf ' %q' "/payload/$SCRIPT" "${ARGS[@]}"
	} >"$stage/.start"
	tar -C "$stage" --owner=0 --group=0 --numeric-owner -Scf "$WORK/payload.tar" .
	rm -rf "$stage"
}

# add_disk FILE NAME OPTIONS
add_disk() {
	local id=disk$NR_DISKS

	NR_DISKS=$((NR_DISKS + 1))
	QEMU+=(-drive "file=${1//,/,,},if=none,id=$id,format=raw,$3"
		-device "virtio-blk-pci,drive=$id,serial=$2")
}

# add_port NAME FILE
add_port() {
	QEMU+=(-chardev "file,id=$1,path=${2//,/,,}"
		-device "virtserialport,chardev=$1,name=pvio.$1")
}

make_command() {
	local disk accel words

	words="root=LABEL=pvio-root init=/run/host-init console=ttyS0 quiet loglevel=5 panic=-1 oops=panic"
	words="$words unknown_nmi_panic tsc=reliable net.ifnames=0"
	QEMU=(qemu-system-x86_64 -M q35 -m "$MEM" -nodefaults -display none -no-reboot
		-monitor "pipe:${WORK//,/,,}/monitor" -serial "file:${OUT//,/,,}/console.log"
		-device virtio-rng-pci -device virtio-serial-pci)
	if [ -n "$ICOUNT" ]; then
		accel=icount
		words="$words nokaslr tsc_early_khz=1000000"
		SMP=1
		QEMU+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off" -cpu "$CPU")
	else
		accel=$("$VM_DIR/accel.sh")
		case $accel in
		kvm) QEMU+=(-accel kvm -cpu host) ;;
		*)
			# On a busy machine a timer may be late enough to be taken for one that is not wired.
			words="$words no_timer_check tsc_early_khz=$("$VM_DIR/accel.sh" --tsc-khz)"
			# Before 8.0 QEMU's cmpxchg16b now and then makes flags of what is no flags, among them
			# those that trap and that keep interrupts off; the next interrupt has them saved.
			QEMU+=(-accel "tcg,thread=multi" -cpu "$CPU,-cx16")
			# Beneath VMs the timer of an emulated local APIC stops for good now and then, and
			# an HPET that is set too late rings when its counter has gone round.
			[ "$SMP" != 1 ] || words="$words nolapic_timer hpet=disable"
			;;
		esac
	fi
	QEMU+=(-smp "$SMP" -kernel "$IMAGE" -initrd "$INITRAMFS" -append "$words$APPEND")
	add_disk "$ROOT" root "snapshot=on,cache=unsafe"
	add_disk "$MODULES" modules "snapshot=on,cache=unsafe"
	add_disk "$WORK/payload.tar" payload "readonly=on"
	add_disk "$WORK/scratch" scratch "cache=unsafe,discard=unmap"
	for disk in "${DISKS[@]}"; do
		add_disk "${disk%=*}" "${disk##*[=/]}" "snapshot=on,cache=unsafe"
	done
	add_port output "$OUT/output.log"
	add_port results "$WORK/results.tar"
	say "booting kernel $NAME ($RELEASE, $accel, $SMP CPUs, $MEM)"
}

progress() {
	stat -c %s "$OUT/console.log" "$OUT/output.log" "$WORK/results.tar" 2>/dev/null
}

# Have a machine that hangs say where: an NMI makes its kernel panic, and a panic
# tells. What the CPUs do is asked as well, for a kernel that does not even that.
interrogate() {
	printf '%s\n' "info cpus" "info registers -a" nmi >"$WORK/monitor.in"
	sleep 10
}

# Wait for QEMU's end; status 1 if it was cut short because nothing came.
watch() {
	local before='' now since=$SECONDS told=0

	while kill -0 "$QEMU_PID" 2>/dev/null; do
		sleep 0.3
		now=$(progress) || true
		if [ "$now" != "$before" ]; then
			before=$now
			since=$SECONDS
			told=0
		elif [ $((SECONDS - since)) -ge "$LIMIT" ]; then
			interrogate
			kill -KILL "$QEMU_PID" 2>/dev/null || true
			wait "$QEMU_PID" 2>/dev/null || true
			return 1
		elif [ $((SECONDS - since - told)) -ge 60 ]; then
			told=$((SECONDS - since))
			say "nothing new for $told s, waiting up to $LIMIT s"
		fi
	done
}

failed() {
	say "FAILED on kernel $NAME: $1 (log: $OUT/console.log)"
	STATUS=125
}

show() {
	sed 's/^/| /' >&2
}

judge() {
	local hung=$1

	STATUS=
	tr -d '\r' <"$OUT/console.log" >"$WORK/console"
	cp "$WORK/console" "$OUT/console.log"
	if [ -s "$WORK/results.tar" ]; then
		tar -C "$OUT" -xf "$WORK/results.tar" 2>>"$OUT/qemu.log" || true
	fi
	if [ "$hung" = 1 ]; then
		failed "silent for $LIMIT s; its last words, an NMI's answer and the CPUs"
		tail -n 5 "$OUT/output.log" | show
		grep -aE '^CPU#|RIP=' "$OUT/monitor.log" | show
		grep -avE -- "$CONSOLE_NOISE" "$OUT/console.log" | tail -n 25 | show
	elif console_failures "$OUT/console.log" "$ALLOW" >"$WORK/failures"; then
		failed "$(wc -l <"$WORK/failures") suspicious lines on the console, the first"
		console_excerpt "$OUT/console.log" "$ALLOW" | show
	elif [ ! -s "$OUT/.status" ]; then
		failed "it ended without a result; its last words"
		tail -n 40 "$OUT/console.log" "$OUT/qemu.log" | show
	fi
	if [ -z "$STATUS" ]; then
		STATUS=$(<"$OUT/.status")
	fi
	rm -f "$OUT/.status"
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
	local pid

	for pid in ${QEMU_PID:-} ${TAIL_PID:-} ${MONITOR_PID:-}; do
		kill -KILL "$pid" 2>/dev/null || true
	done
	[ -z "${WORK:-}" ] || rm -rf "$WORK"
}

# Machines that are emulated on the same cores make each other hang: no more at
# a time than there are cores.
take_turn() {
	local slot told=

	while :; do
		for ((slot = 0; slot < $(nproc); slot++)); do
			exec {TURN}>"$CACHE_DIR/run.lock.$slot"
			flock -n "$TURN" && return
			exec {TURN}>&-
		done
		[ -n "$told" ] || say "waiting for another virtual host to end"
		told=1
		sleep 1
	done
}

run() {
	local hung=0

	take_turn
	"${QEMU[@]}" </dev/null >"$OUT/qemu.log" 2>&1 &
	QEMU_PID=$!
	tail -n +1 -s 0.2 -f --pid="$QEMU_PID" "$OUT/output.log" &
	TAIL_PID=$!
	cat "$WORK/monitor.out" >"$OUT/monitor.log" &
	MONITOR_PID=$!
	watch || hung=1
	wait "$TAIL_PID" || true
	kill "$MONITOR_PID" 2>/dev/null || true
	QEMU_PID='' TAIL_PID='' MONITOR_PID=''
	judge "$hung"
}

main() {
	parse "$@"
	need_root
	need_tools qemu-system-x86_64=qemu-system-x86
	find_kernel
	# shellcheck disable=SC2086 # a list
	ROOT=$("$VM_DIR/image.sh" $PACKAGES)
	NR_DISKS=0
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/pvio-run.XXXXXX")
	make_out
	make_payload
	truncate -s "$SCRATCH" "$WORK/scratch"
	mkfifo "$WORK/monitor.in" "$WORK/monitor.out"
	make_command
	run
}

# Read whole before it starts, so that it may be edited while it runs.
main "$@"
exit "$STATUS"
