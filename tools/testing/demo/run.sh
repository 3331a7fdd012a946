#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# make demo: build pvio, boot the virtual host, take the steps there, and show
# what ran through which path. Writes build/demo.json; fails if a step did.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../check/lib.sh"

OUT=$LOGS/demo
STAGE=$TOP_DIR/build/payload/demo
JSON=$TOP_DIR/build/demo.json

prepare() {
	RELEASE=$("$VM_DIR/kver.sh" 6.12)
	say "building the modules for $RELEASE"
	mkdir -p "$LOGS"
	make_modules KVER="$RELEASE" >"$LOGS/demo.build.log" ||
		die "the build failed, see $LOGS/demo.build.log"
	stage_payload "$STAGE" "$TOP_DIR/build/$RELEASE" >>"$LOGS/demo.build.log"
	stage_vsock "$STAGE" "$RELEASE"
	DISK=$("$VM_DIR/guest-disk.sh")
}

# write_json - the steps; one more if the virtual host itself went wrong
write_json() {
	local steps=$OUT/steps

	[ -e "$steps" ] || : >"$steps"
	if [ "$RC" != 0 ] && { [ "$RC" != 1 ] || [ ! -s "$steps" ]; }; then
		printf '{"name":"virtual host","via":"QEMU","ok":false,"figures":"%s"}\n' \
			"exit status $RC, logs build/logs/demo" >>"$steps"
	fi
	builder jq -s '{steps: .}' "$steps" >"$JSON.new"
	mv "$JSON.new" "$JSON"
}

show() {
	builder jq -r '.steps[] | [.name, .via, (if .ok then "ok" else "FAILED" end), .figures] | @tsv' \
		"$JSON" | awk -F'\t' '
		BEGIN { row[0] = "step\tvia\tok\tfigures" }
		{ row[NR] = $0 }
		END {
			for (i = 0; i <= NR; i++) {
				n = split(row[i], cell, "\t")
				for (j = 1; j <= n; j++)
					if (length(cell[j]) > width[j])
						width[j] = length(cell[j])
			}
			for (i = 0; i <= NR; i++) {
				n = split(row[i], cell, "\t")
				for (j = 1; j < n; j++)
					printf "%-" width[j] "s  ", cell[j]
				print cell[n]
			}
		}'
}

need_root
prepare
RC=0
"$VM_DIR/run.sh" --kernel 6.12 --smp 1 --payload "$STAGE/." --disk "$DISK=guest" \
	--script demo/run.sh --out "$OUT" || RC=$?
write_json
echo
show
builder jq -e '(.steps | length > 0) and all(.steps[]; .ok)' "$JSON" >/dev/null
