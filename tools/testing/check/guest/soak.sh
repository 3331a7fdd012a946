#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh MINUTES SEED - in the virtual host: rounds of the selftests, each with
# a seed of its own, until the time is up.
set -uo pipefail

END=$((SECONDS + $1 * 60))
SEED=$2
NR=0 FAILED=0

echo "KTAP version 1"
while [ "$NR" = 0 ] || [ $SECONDS -lt $END ]; do
	NR=$((NR + 1))
	echo "    # Subtest: seed-$SEED"
	bash /payload/selftests/run.sh --rounds 50 --seed "$SEED" io_va io_pa scribble_va \
		scribble_pa bad_va bad_pa lifecycle_va lifecycle_pa loop | sed -u 's/^/    /'
	if [ "${PIPESTATUS[0]}" = 0 ]; then
		echo "ok $NR seed-$SEED"
	else
		echo "not ok $NR seed-$SEED"
		FAILED=1
	fi
	SEED=$((SEED + 1))
done
exit $FAILED
