#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# main.sh FIRST PART... - in the virtual host: run the parts, each a subtest, and
# print their results, numbered from FIRST.
set -uo pipefail

NR=$1
shift
FAILED=0
for part in "$@"; do
	echo "    # Subtest: $part"
	script=/payload/check/${part%-"$PVIO_KERNEL"}.sh
	bash "$script" 2> >(sed -u 's/^/# /' >&2) | sed -u 's/^/    /'
	if [ "${PIPESTATUS[0]}" = 0 ]; then
		echo "ok $NR $part"
	else
		echo "not ok $NR $part"
		FAILED=1
	fi
	NR=$((NR + 1))
done
exit $FAILED
