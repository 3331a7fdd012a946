#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh MINUTES SEED - in the virtual host: rounds of the selftests, each with
# a seed of its own, until the time is up.
set -uo pipefail

# Everything that does not set its own size: load, rubbish, bad input, dying VMMs, crashes, and
# stores of every kind.
PARTS="io_va io_pa scribble_va scribble_pa bad_va bad_pa lifecycle_va lifecycle_pa loop
	node node_bad node_scribble node_fio node_stream file_va node_file_xfs node_range
	node_iotlb node_iotlb_io node_dirty_packed node_worker node_io_packed_order io_packed_pa
	node_fuzz
	crash_va crash_pa node_crash_file race_raid race_crypt zone_va node_zone node_netlink
	net_bad net_bad_packed_order net_life net_life_packed net_life_macvtap net_iotlb net_dirty_packed"
END=$((SECONDS + $1 * 60))
SEED=$2
NR=0 FAILED=0

echo "KTAP version 1"
while [ "$NR" = 0 ] || [ $SECONDS -lt $END ]; do
	NR=$((NR + 1))
	echo "    # Subtest: seed-$SEED"
	# shellcheck disable=SC2086 # words
	bash /payload/selftests/run.sh --rounds 50 --seed "$SEED" $PARTS | sed -u 's/^/    /'
	if [ "${PIPESTATUS[0]}" = 0 ]; then
		echo "ok $NR seed-$SEED"
	else
		echo "not ok $NR seed-$SEED"
		FAILED=1
	fi
	SEED=$((SEED + 1))
done
exit $FAILED
