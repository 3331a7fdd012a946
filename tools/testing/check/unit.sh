#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The ring engine's tests as a program of user space, under ASan and UBSan.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PART_LOGS=$LOGS/unit
mkdir -p "$PART_LOGS"
say "building"
if ! builder make -C "$TOP_DIR/tools/testing/unit" O="$TOP_DIR/build/unit" \
	>"$PART_LOGS/make.log" 2>&1; then
	tail -n 40 "$PART_LOGS/make.log" | sed 's/^/# /'
	ktap_plan 1
	ktap_not_ok build "log build/logs/unit/make.log"
	ktap_finish
fi
builder "$TOP_DIR/build/unit/kunit" 2>&1 | tee "$PART_LOGS/kunit.log"
