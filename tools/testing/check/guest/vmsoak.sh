#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# vmsoak.sh [RESTARTS KILLS UPGRADES MIGRATIONS] - pvio-bridge beneath stock QEMU, so many times each
# while fio verifies what VMs write and read. 50, 50, 20 and 20 by default.
set -euo pipefail
. /payload/ktap.sh
. /payload/demo/bridge.sh
. /payload/demo/units.sh
. /payload/demo/vhost_user.sh

TIMES=("${1:-50}" "${2:-50}" "${3:-20}" "${4:-20}")

# soak TIMES WHAT
soak() {
	local n=0

	systemd_start
	while [ "$n" -lt "$1" ]; do
		bridge_shaken "$2"
		n=$((n + SHAKEN))
		note "$2: $n times so far, $FIGURES"
	done
	systemd_end
	figures "$n times"
}

soak_restart() {
	soak "${TIMES[0]}" restart
}

soak_kill() {
	soak "${TIMES[1]}" kill
}

soak_upgrade() {
	soak "${TIMES[2]}" upgrade
}

soak_migration() {
	local n=0

	while [ "$n" -lt "${TIMES[3]}" ]; do
		bridge_migrated 4
		n=$((n + MIGRATED))
		note "migration: $n times so far, $ROUNDS rounds of fio in the last VM"
	done
	figures "$n times"
}

CASES=(bridge_load soak_restart soak_kill soak_upgrade soak_migration bridge_unload)

run_cases "${CASES[@]}"
