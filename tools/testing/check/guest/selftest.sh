#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The selftests. Where KASAN and lockdep look on, fewer rounds find as much.
set -euo pipefail

rounds=8
[ "$PVIO_KERNEL" != debug ] || rounds=3
exec bash /payload/selftests/run.sh --rounds "$rounds"
