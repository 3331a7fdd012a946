#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# corpus.sh TARGET [DIR] - what to keep of the inputs that a fuzzer has gathered in DIR, or where
# make fuzz does: a few that reach every place, as lines for corpus/TARGET.hex on stdout.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TARGET=$1
DIR=${2:-$CACHE_DIR/fuzz-$TARGET}
MERGED=$FUZZ_OUT/merged-$TARGET

fuzz_build >&2
rm -rf "$MERGED"
mkdir -p "$MERGED"
# How often a place is reached makes no difference here.
BINDS=(--bind "$DIR")
builder "$FUZZ_OUT/$TARGET" -set_cover_merge=1 -use_counters=0 -max_len=256 "$MERGED" "$DIR" >&2
echo "# SPDX-License-Identifier: GPL-2.0-only"
echo "# An input of the fuzzer in each line. Made by corpus.sh."
find "$MERGED" -type f | sort | while read -r file; do
	od -An -v -tx1 "$file" | tr -d ' \n'
	echo
done
