#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In the virtual host: take the demo's steps, those in the files of steps/, in
# their order. Each leaves a line of JSON in $RESULTS/steps.
set -uo pipefail

FAILED=0

# step NAME VIA FUNCTION - what is shown, through which path, and what does it
step() {
	local name=$1 via=$2 log=$RESULTS/$3.log status figures ok=true

	echo "demo: $name ..."
	(set -e; "$3") 2>&1 | tee "$log" | sed -u 's/^/| /'
	status=${PIPESTATUS[0]}
	figures=$(sed -n 's/^figures: //p' "$log" | tail -n 1)
	if [ "$status" != 0 ]; then
		ok=false FAILED=1
		figures="failed, log $3.log"
		(clean_up) 2>&1 | sed -u 's/^/| /'
	fi
	jq -cn --arg name "$name" --arg via "$via" --argjson ok "$ok" --arg figures "$figures" \
		'{$name, $via, $ok, $figures}' >>"$RESULTS/steps"
}

# A file with more to clean up than this wraps it.
clean_up() {
	:
}

for file in /payload/demo/steps/*.sh; do
	# shellcheck source=/dev/null
	. "$file"
done
exit $FAILED
