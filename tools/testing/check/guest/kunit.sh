#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Load the KUnit modules. insmod succeeds whatever their cases did: the kernel
# keeps what they said in debugfs, as KTAP.
set -euo pipefail
. /payload/ktap.sh

RESULTS=/sys/kernel/debug/kunit
mapfile -t MODULES < <(find /payload/host -name '*_kunit.ko' | sort)

load() {
	insmod /payload/host/vhost/pvio_vhost.ko
	for module in "${MODULES[@]}"; do
		insmod "$module"
	done
}

unload() {
	for module in "${MODULES[@]}"; do
		rmmod "$(basename "$module" .ko)"
	done
	rmmod pvio_vhost
}

# A suite's file has a version and a plan of its own, that of one suite.
suite() {
	grep -E '^ |^# ' "$1/results"
	grep -Eq '^ok 1 ' "$1/results"
}

[ ${#MODULES[@]} -gt 0 ] || echo "# there is no KUnit module"
ktap_test load load >/tmp/load
mapfile -t SUITES < <(ls "$RESULTS")
ktap_plan $((${#SUITES[@]} + 3))
cat /tmp/load
if [ ${#SUITES[@]} -gt 0 ]; then
	ktap_ok suites
else
	ktap_not_ok suites "none has run"
fi
for name in "${SUITES[@]}"; do
	ktap_test "$name" suite "$RESULTS/$name"
done
ktap_test unload unload
ktap_finish
