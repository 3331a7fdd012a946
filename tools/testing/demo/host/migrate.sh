# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# VMs on pvio-bridge that go on as others, on the same host; bridge.sh comes first.

migrated() {
	local status

	status=$(qmp "$1" query-migrate | jq -r .status)
	[ "$status" != failed ] || fail "VM $1: the migration has failed" || exit 1
	[ "$status" = completed ]
}

# migrate FROM TO - with daemons of its own, while it does I/O
migrate() {
	local from=$VMM_PID incoming=$VMM_RUN/$2.migrate

	bridge_start "boot-$2" "$GUEST"
	bridge_start "data-$2" "$SCRATCH"
	vm_on "$2" "boot-$2" "data-$2" -incoming "unix:$incoming"
	await 60 test -S "$incoming"
	qmp "$1" migrate "{\"uri\": \"unix:$incoming\"}" >/dev/null
	await 240 migrated "$1"
	qmp "$1" quit >/dev/null
	wait "$from"
	bridge_end "boot-$1"
	bridge_end "data-$1"
	rm -f "$incoming"
}

# bridge_migrated TIMES - a VM whose fio writes and reads: MIGRATED times, TIMES at most
bridge_migrated() {
	local serials=() n=0

	bridge_start boot-m0 "$GUEST"
	bridge_start data-m0 "$SCRATCH"
	vm_on m0 boot-m0 data-m0
	vmm_until m0 '^PVIO-GUEST-BOOTED'
	until fio_ended m$n || [ $n = "$1" ]; do
		migrate m$n m$((n + 1))
		n=$((n + 1))
	done
	vmm_end m$n || { bridge_words boot-m$n data-m$n; return 1; }
	bridge_end boot-m$n
	bridge_end data-m$n
	# What it said at the end of fio may have been on either side of a migration.
	mkdir -p "$VMM_RUN/migrated"
	for ((i = 0; i <= n; i++)); do
		serials+=("$VMM_RUN/m$i/serial")
	done
	cat "${serials[@]}" >"$VMM_RUN/migrated/serial"
	fio_checked migrated
	MIGRATED=$n
}

bridge_migrations() {
	bridge_migrated 3
	[ "$MIGRATED" = 3 ] || fail "it has migrated $MIGRATED times only"
	figures "$MIGRATED migrations, $FIGURES"
}
