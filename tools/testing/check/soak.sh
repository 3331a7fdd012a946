#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# soak.sh [MINUTES] - make soak: on the debug kernel, load, rubbish in rings, bad
# input and VMMs that die, with another seed in each round, until the time is up
# (60 minutes without an argument). SEED= is the first one, 1 by default.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

MINUTES=${1:-60}
OUT=$LOGS/soak
STAGE=$TOP_DIR/build/payload/soak

case $MINUTES in
'' | *[!0-9]*) die "MINUTES=$MINUTES is no number of minutes" ;;
esac
need_root
mkdir -p "$LOGS"
DEBUG=$("$VM_DIR/debug-kernel.sh")
{
	make_modules KDIR="$DEBUG/build"
	stage_payload "$STAGE" "$TOP_DIR/build/$(<"$DEBUG/release")"
} >"$LOGS/soak.build.log"

RC=0
"$VM_DIR/run.sh" --kernel debug --payload "$STAGE/." --script check/soak.sh \
	--out "$OUT" -- "$MINUTES" "${SEED:-1}" | tee "$LOGS/soak.ktap" || RC=$?
NR=$(($(grep -cE '^(not )?ok ' "$LOGS/soak.ktap") + 1))
{
	if [ "$RC" = 0 ] || [ "$RC" = 1 ]; then
		echo "ok $NR console"
	else
		echo "# exit status $RC, logs build/logs/soak"
		echo "not ok $NR console"
	fi
	echo "1..$NR"
} | tee -a "$LOGS/soak.ktap"
read -r PASSED FAILED _ < <(awk -f "$CHECK_DIR/count.awk" "$LOGS/soak.ktap")
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" = 0 ]
