#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh [PART]... - make check: run the parts whose names match, all of them
# without an argument. KTAP on stdout, then "N passed, N failed" on a line of its
# own; what is being done on stderr; logs under build/logs/.
#
# A part that is for those who name it is behind a dash. One behind a plus goes on beside
# those without, one after the other: these are last.
#
# With IMAGE=, KDIR= and MODULES_DIR= in the environment there is another part,
# selftest-own: the selftests on a kernel of one's own, which is then the default.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A part's name, and the script with its arguments. Parts in a boot of the same
# kernel that follow each other share it; for them there is guest/NAME.sh, NAME
# being the part's up to its last dash and the kernel's name. A kernel that runs
# VMs patches its own code, which the emulator of several CPUs gets wrong now and
# then: it has one.
PARTS='
harness         harness.sh
lint            lint.sh
unit            unit.sh
fuzz            fuzz.sh
build-6.1       build.sh 6.1
build-6.12      build.sh 6.12
build-7.2       build.sh 7.2
dkms            dkms.sh
selftest-6.1    boot 6.1
selftest-6.12   boot 6.12
vm-6.12         boot 6.12 1
vmbridge-6.12   boot 6.12 1
selftest-7.2    boot 7.2
+kunit-debug    boot debug
+selftest-debug boot debug
+vmbridge-7.2   boot 7.2 1
-vmbridge-6.1   boot 6.1 1
-selftest-kcsan boot kcsan
-vmnet-6.12     boot 6.12 1
-vmnet-6.1      boot 6.1 1
-vmnet-7.2      boot 7.2 1
-vmvsock-6.12   boot 6.12 1
-vmvsock-6.1    boot 6.1 1
-vmvsock-7.2    boot 7.2 1
-vmnetnew-6.12  boot 6.12 1 new'
[ -z "${IMAGE:-}" ] || PARTS="$PARTS
selftest-own    boot own"

chosen() {
	local pattern

	for pattern in "${PATTERNS[@]}"; do
		# shellcheck disable=SC2254 # a pattern
		case $1 in
		$pattern) return 0 ;;
		esac
	done
	return 1
}

# Three lists in step: what to run, for which parts, and in which lane.
make_plan() {
	local name command lane last=

	COMMANDS=() NAMES=() LANES=() PLAN=0
	while read -r name command; do
		lane=main
		if [ "${name#+}" != "$name" ]; then
			name=${name#+} lane=aside
		fi
		if [ "${name#-}" != "$name" ]; then
			name=${name#-}
			[[ " ${PATTERNS[*]} " = *" $name "* ]] || continue
		fi
		chosen "$name" || continue
		PLAN=$((PLAN + 1))
		if [ "$command" = "$last" ]; then
			NAMES[-1]+=" $name"
			continue
		fi
		COMMANDS+=("$command")
		NAMES+=("$name")
		LANES+=("$lane")
		last=
		if [[ $command = boot* ]]; then
			last=$command
			PLAN=$((PLAN + 1))
		fi
	done <<<"${PARTS:1}"
}

# run_script NAME COMMAND - a part on its own
run_script() {
	local name=$1 script rc=0

	read -r -a script <<<"$2"
	echo "    # Subtest: $name"
	"$CHECK_DIR/${script[0]}" "${script[@]:1}" 2> >(tee "$LOGS/$name.stderr" >&2) |
		sed -u 's/^/    /' || rc=$?
	if [ "$rc" = 0 ]; then
		echo "ok $((NR + 1)) $name"
	else
		echo "not ok $((NR + 1)) $name"
	fi
}

# run_boot "PART..." KERNEL FIRST [NICE] - parts that share a boot, and what its console said
run_boot() {
	local names

	read -r -a names <<<"$1"
	BOOT_NICE=${4:-0} "$CHECK_DIR/boot.sh" "$2" "$3" "${names[@]}" 2> >(tee "$LOGS/boot-${2// /-}.stderr" >&2) || true
}

# What takes long and shares nothing with the others goes on beside them; the longest with what time
# they leave.
start_aside() {
	local i command nice nr=1 at=()

	ASIDE_PID=''
	for i in "${!COMMANDS[@]}"; do
		[ "${LANES[i]}" = main ] || at+=("$i:$nr")
		nr=$((nr + $(results_of "$i")))
	done
	[ ${#at[@]} -gt 0 ] && [ ${#COMMANDS[@]} -gt 1 ] || return 0
	for i in "${at[@]}"; do
		command=${COMMANDS[${i%:*}]#boot } nice=0
		[ "$command" != debug ] || nice=5
		run_boot "${NAMES[${i%:*}]}" "$command" "${i#*:}" "$nice" >"$LOGS/aside.${i%:*}"
	done &
	ASIDE_PID=$!
}

# results_of I - how many results at the top level a command has
results_of() {
	case ${COMMANDS[$1]} in
	boot*) wc -w <<<"${NAMES[$1]} boot" ;;
	*) echo 1 ;;
	esac
}

run_all() {
	local i since command

	echo "KTAP version 1"
	echo "1..$PLAN"
	NR=0
	start_aside
	for i in "${!COMMANDS[@]}"; do
		since=$SECONDS
		command=${COMMANDS[i]}
		if [ "${LANES[i]}" = aside ] && [ -n "$ASIDE_PID" ]; then
			say "waiting for ${NAMES[i]}, see $LOGS/boot-*"
			wait "$ASIDE_PID" || true
			cat "$LOGS/aside.$i"
		elif [[ $command = boot* ]]; then
			run_boot "${NAMES[i]}" "${command#boot }" $((NR + 1))
		else
			run_script "${NAMES[i]}" "$command"
		fi
		NR=$((NR + $(results_of "$i")))
		echo "# ${NAMES[i]}: $((SECONDS - since)) s"
	done
}

summary() {
	local passed failed skipped

	read -r passed failed skipped < <(awk -f "$CHECK_DIR/count.awk" "$LOGS/check.ktap")
	awk -v LINES=4 -f "$CHECK_DIR/failed.awk" "$LOGS/check.ktap"
	if [ "$skipped" = 0 ]; then
		echo "$passed passed, $failed failed"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

PATTERNS=("$@")
if [ $# = 0 ]; then
	PATTERNS=("*")
	[ -z "${IMAGE:-}" ] || PATTERNS=(selftest-own)
fi
make_plan
if [ "$PLAN" = 0 ]; then
	die "no part is called $*; there are: $(awk '{ print $1 }' <<<"$PARTS" | xargs)"
fi
need_root
mkdir -p "$LOGS"
run_all | tee "$LOGS/check.ktap"
summary
